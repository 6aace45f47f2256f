/*
 * test: run the policy's own tests. A test that fails says why, rule by rule, because "FAIL" alone
 * cannot be debugged. --cover counts whole rules, not lines: of a one-line condition a covered line
 * says nothing; that somebody saw the rule apply, and saw it not apply, does.
 */
#include "config.h"
#include "policy_source.h"

#include "pep/core/engine_check.h"
#include "pep/core/engine_suite.h"

#include <stdlib.h>
#include <string.h>

struct test_settings {
    bool cover;
    struct option_number min_cover;
};

static const struct option_row rows[] = {
    {"cover", 0, NULL, OPTION_FLAG, offsetof(struct test_settings, cover),
     "show which rules the tests saw apply and not apply"},
    {"min-cover", 0, "N", OPTION_NUMBER, offsetof(struct test_settings, min_cover),
     "fail below N percent of rules seen both ways"},
    OPTION_END,
};
const struct option_set test_options = {sizeof(struct test_settings), rows};

struct run {
    struct session *s;
    const struct test_settings *set;
    struct policy_source source;
    json_t *failures; /* with -o json */
    unsigned refused; /* passed only because no rule was asked */
};

#define REFUSED_SHOWN 5

/* ---- failures ---- */

static const char *subject_of(const struct pep_case *c)
{
    const char *id = json_string_value(json_object_get(c->claims, "sub"));
    return id == NULL ? "(no sub)" : id;
}

static const char *decided_by(const struct pep_verdict *v)
{
    return v->rule != NULL ? v->rule : pep_code_name(v->code);
}

static void failure_json(struct run *r, const struct pep_case_result *f)
{
    const struct pep_case *c = f->test;
    const struct pep_verdict *v = f->verdict;
    json_t *lines = json_array();
    for (size_t i = 0; i < f->line_count; i++)
        json_array_append_new(lines, json_pack("{s:s, s:s, s:b, s:s}", "effect", f->lines[i].effect,
                                               "rule", f->lines[i].rule, "applied",
                                               f->lines[i].applied, "why", f->lines[i].why));
    json_array_append_new(
        r->failures,
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s?, s:s?, s:o}", "name",
                  c->name, "file", c->file, "line", c->line, "subject", subject_of(c), "action",
                  c->action, "resource", c->resource, "expected", pep_outcome_name(c->expect),
                  "expected_by", c->by, "got", pep_outcome_name(v->outcome), "got_by",
                  decided_by(v), "invariant", f->invariant, "message", f->message, "explain",
                  lines));
}

static void claim_note(void *context, const char *message, const char *near)
{
    (void)context;
    output_line("      note       %s%s%s%s", message, near == NULL ? "" : "; did you mean `",
                near == NULL ? "" : near, near == NULL ? "" : "`?");
}

static void failure_text(const struct run *r, const struct pep_case_result *f)
{
    const struct pep_case *c = f->test;
    const struct pep_verdict *v = f->verdict;
    size_t width = 0;
    output_line("FAIL  %s%s%s", f->invariant != NULL ? f->invariant : c->name,
                f->invariant != NULL ? ", broken by: " : "", f->invariant != NULL ? c->name : "");
    output_line("      %s:%d", c->file, c->line);
    output_line("      %s %s %s", subject_of(c), c->action, c->resource);
    if (f->message != NULL)
        output_line("      %s", f->message);
    else
        output_line("      expected %s%s%s, got %s by %s", pep_outcome_name(c->expect),
                    c->by == NULL ? "" : " by ", c->by == NULL ? "" : c->by,
                    pep_outcome_name(v->outcome), decided_by(v));
    if (v->detail[0] != '\0')
        output_line("      %s", v->detail);
    for (size_t i = 0; i < f->line_count; i++) {
        size_t n = strlen(f->lines[i].rule);
        width = n > width ? n : width;
    }
    for (size_t i = 0; i < f->line_count; i++)
        output_line("      %-9s  %-*s  %-3s  %s", f->lines[i].effect, (int)width, f->lines[i].rule,
                    f->lines[i].applied ? "yes" : "no", f->lines[i].why);
    for (size_t i = 0; i < v->fault_count && i < PEP_FAULTS_MAX; i++)
        output_line("      fault      %s  %s: %s",
                    v->faults[i].rule == NULL ? "-" : v->faults[i].rule, v->faults[i].kind,
                    v->faults[i].message);
    pep_check_request(r->source.policy, PEP_CHECK_CLAIM, c->resource, c->claims, claim_note, NULL);
}

/* A misspelt action is denied, too: a test that expects a deny would pass for the wrong reason. */
static void warn_refused(struct run *r, const struct pep_case_result *result)
{
    const struct pep_case *c = result->test;
    const struct pep_verdict *v = result->verdict;
    bool asked = v->code != PEP_CODE_UNKNOWN && v->code != PEP_CODE_BAD_REQUEST &&
                 v->code != PEP_CODE_BAD_TOKEN;
    if (asked || c->by != NULL || r->refused++ >= REFUSED_SHOWN)
        return;
    output_warning(&r->s->out,
                   "`%s` passes without asking a rule, by %s: %s\n%s:%d\nif this is what you test, "
                   "write `test` with by = \"%s\"",
                   c->name, pep_code_name(v->code), v->detail, c->file, c->line,
                   pep_code_name(v->code));
}

static void each(void *context, const struct pep_case_result *result)
{
    struct run *r = context;
    if (result->passed) {
        warn_refused(r, result);
        return;
    }
    if (r->failures != NULL)
        failure_json(r, result);
    else
        failure_text(r, result);
}

/* ---- coverage ---- */

/* Percent, rounded down: 100 means all. A policy without rules is covered. */
static unsigned percent(const struct pep_suite_totals *t)
{
    return t->rule_count == 0 ? 100 : (unsigned)(t->both_ways * 100 / t->rule_count);
}

static const char *gap(const struct pep_rule_seen *seen)
{
    if (seen->tried == 0)
        return "<- never a candidate";
    if (seen->yes == 0)
        return "<- never applied";
    return seen->no == 0 ? "<- always applied" : " ";
}

static int cover_table(struct run *r, const struct pep_suite_totals *t)
{
    static const struct column columns[] = {{"RULE", false, false}, {"TRIED", false, true},
                                            {"YES", false, true},   {"NO", false, true},
                                            {"", false, false},     {NULL, false, false}};
    struct table *table = table_new(columns);
    for (size_t i = 0; i < t->rule_count; i++) {
        struct pep_rule_info info;
        if (!pep_policy_rule(r->source.policy, i, &info))
            continue;
        table_cell(table, "%s", info.id);
        table_cell(table, "%u", t->rules[i].tried);
        table_cell(table, "%u", t->rules[i].yes);
        table_cell(table, "%u", t->rules[i].no);
        table_cell(table, "%s", gap(&t->rules[i]));
    }
    int rc = table_print(table, &r->s->out);
    output_line("rules seen both ways: %zu of %zu (%u%%)", t->both_ways, t->rule_count, percent(t));
    return rc;
}

static json_t *cover_json(const struct run *r, const struct pep_suite_totals *t)
{
    json_t *rules = json_array(), *never = json_array();
    for (size_t i = 0; i < t->rule_count; i++) {
        struct pep_rule_info info;
        if (!pep_policy_rule(r->source.policy, i, &info))
            continue;
        if (t->rules[i].yes == 0)
            json_array_append_new(never, json_string(info.id));
        json_array_append_new(rules, json_pack("{s:s, s:i, s:i, s:i}", "rule", info.id, "tried",
                                               (int)t->rules[i].tried, "yes", (int)t->rules[i].yes,
                                               "no", (int)t->rules[i].no));
    }
    return json_pack("{s:o, s:o, s:I, s:I, s:i}", "rules", rules, "never_applied", never,
                     "both_ways", (json_int_t)t->both_ways, "total", (json_int_t)t->rule_count,
                     "percent", (int)percent(t));
}

/* ---- the verb ---- */

static int summarise(struct run *r, const struct pep_suite_totals *t)
{
    bool covered = !r->set->min_cover.given || percent(t) >= r->set->min_cover.value;
    int code = t->failed == 0 && covered ? EXIT_OK : EXIT_TESTS;
    int rc = EXIT_OK;
    if (r->failures != NULL) {
        rc = output_json(&r->s->out,
                         json_pack("{s:I, s:I, s:O, s:o}", "passed", (json_int_t)t->passed,
                                   "failed", (json_int_t)t->failed, "failures", r->failures,
                                   "coverage", cover_json(r, t)));
        return rc == EXIT_OK ? code : rc;
    }
    if (r->set->cover || !covered)
        rc = cover_table(r, t);
    if (!covered)
        output_error(&r->s->out, code,
                     "%u%% of the rules were seen both ways; --min-cover asks for %d\n\n"
                     "add tests for the rules marked <-",
                     percent(t), (int)r->set->min_cover.value);
    output_line("%zu passed, %zu failed", t->passed, t->failed);
    return rc == EXIT_OK ? code : rc;
}

static int run_suite(struct run *r, struct pep_suite *suite)
{
    struct pep_suite_totals totals = {0};
    struct pep_error err = PEP_ERROR_INIT;
    int rc = pep_suite_run(suite, each, r, &totals, &err);
    int code = rc == PEP_OK ? summarise(r, &totals) : session_failed(r->s, &err, "");
    if (rc == PEP_OK && pep_suite_count(suite) == 0)
        output_warning(&r->s->out, "no tests\n%s\nwrite tests/NAME_test.lua; see `policyctl init`",
                       r->source.repository->dir);
    free(totals.rules);
    return code;
}

/* Test files that do not load: no test ran, and -o json says so in the shape of `check`. */
static int refuse_files(struct run *r, const struct pep_diags *diags)
{
    json_t *errors = r->failures == NULL ? NULL : json_array();
    if (errors == NULL) {
        policy_source_show(r->s, &r->source, diags);
        return output_error(&r->s->out, EXIT_CHECK, "no test was run: %zu error%s in test files",
                            diags->errors, diags->errors == 1 ? "" : "s");
    }
    for (size_t i = 0; i < diags->count; i++)
        json_array_append_new(errors, policy_source_finding(&diags->items[i]));
    int rc = output_json(&r->s->out,
                         json_pack("{s:i, s:i, s:o}", "passed", 0, "failed", 0, "errors", errors));
    return rc == EXIT_OK ? EXIT_CHECK : rc;
}

static int load_and_run(struct run *r)
{
    struct pep_suite *suite = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    int rc = pep_suite_load(r->source.repository->tests, r->source.policy, &suite, &diags, &err);
    int code = EXIT_CHECK;
    if (rc == PEP_OK)
        code = run_suite(r, suite);
    else if (rc == PEP_EPOLICY)
        code = refuse_files(r, &diags);
    else
        code = session_failed(r->s, &err, "");
    pep_suite_free(suite);
    pep_diags_free(&diags);
    return code;
}

/* The tests of an open folder; `push` calls this, too. */
int policy_source_test(struct session *s, struct policy_source *p)
{
    static const struct test_settings plain;
    struct run r = {.s = s, .set = &plain, .source = *p};
    return load_and_run(&r);
}

int test_run(struct session *s, const void *settings)
{
    const char *dir = session_operand(s, 0);
    struct run r = {.s = s, .set = settings, .source = {.diags = PEP_DIAGS_INIT}};
    if (s->out.format == OUTPUT_JSON)
        r.failures = json_array();
    int rc = policy_source_open(s, dir == NULL ? "." : dir, &r.source);
    if (rc == EXIT_OK && r.source.repository == NULL)
        rc = output_error(&s->out, EXIT_USAGE,
                          "`%s` is a bundle; tests are never part of one\n\npolicyctl test DIR",
                          dir);
    if (rc == EXIT_OK)
        rc = policy_source_compile(s, &r.source);
    if (rc == EXIT_OK)
        rc = load_and_run(&r);
    policy_source_close(&r.source);
    json_decref(r.failures);
    return rc;
}
