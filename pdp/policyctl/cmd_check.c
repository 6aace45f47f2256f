/*
 * check: everything that can be said about a policy without asking it anything. Errors are what the
 * engine refuses; warnings are what it accepts and an author would regret; notes are facts to know.
 * --strict refuses warnings, too.
 *
 * A repository that cannot be read (bundle.json malformed, a file too large) is a finding like
 * others, so that -o json has one shape for all that an editor or a pipeline may meet.
 */
#include "config.h"
#include "policy_source.h"

#include <string.h>

struct check_settings {
    bool strict, all;
};

static const struct option_row rows[] = {
    {"strict", 0, NULL, OPTION_FLAG, offsetof(struct check_settings, strict),
     "warnings are errors, too"},
    {"all", 0, NULL, OPTION_FLAG, offsetof(struct check_settings, all),
     "show every finding, not the first ten of a kind"},
    OPTION_END,
};
const struct option_set check_options = {sizeof(struct check_settings), rows};

static bool is_error(const struct pep_diag *d, bool strict)
{
    return d->level == PEP_DIAG_ERROR || (strict && d->level == PEP_DIAG_WARNING);
}

static int print_json(struct session *s, const struct pep_diags *diags, bool strict)
{
    json_t *errors = json_array(), *warnings = json_array(), *notes = json_array();
    for (size_t i = 0; i < diags->count; i++) {
        const struct pep_diag *d = &diags->items[i];
        json_t *list = is_error(d, strict)            ? errors
                       : d->level == PEP_DIAG_WARNING ? warnings
                                                      : notes;
        json_array_append_new(list, policy_source_finding(d));
    }
    return output_json(&s->out, json_pack("{s:o, s:o, s:o}", "errors", errors, "warnings", warnings,
                                          "notes", notes));
}

static int report(struct session *s, const struct policy_source *p,
                  const struct check_settings *set)
{
    bool strict = set->strict;
    size_t errors = p->diags.errors + (strict ? p->diags.warnings : 0);
    size_t warnings = strict ? 0 : p->diags.warnings;
    int code = errors > 0 ? EXIT_CHECK : EXIT_OK;
    if (s->out.format == OUTPUT_JSON) {
        int rc = print_json(s, &p->diags, strict);
        return rc == EXIT_OK ? code : rc;
    }
    if (set->all)
        policy_source_show(s, p, &p->diags);
    else
        policy_source_show_some(s, p, &p->diags);
    if (p->diags.lost > 0)
        output_note(&s->out, "and %zu more that are not kept", p->diags.lost);
    size_t rules = p->policy == NULL ? 0 : pep_policy_rule_count(p->policy);
    output_line("%zu rule%s, %zu error%s, %zu warning%s", rules, rules == 1 ? "" : "s", errors,
                errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
    return code;
}

int check_run(struct session *s, const void *settings)
{
    const struct check_settings *set = settings;
    const char *dir = session_operand(s, 0);
    struct policy_source p;
    struct pep_error err = PEP_ERROR_INIT;
    int rc = policy_source_examine(dir == NULL ? "." : dir, &p, &err);
    int code = rc == PEP_OK ? report(s, &p, set) : session_failed(s, &err, "");
    policy_source_close(&p);
    return code;
}
