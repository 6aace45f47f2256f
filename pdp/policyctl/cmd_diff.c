/*
 * diff: what a push would change, in words of rules. One operand is compared with what is live at
 * the context's pdpd, two with each other. The live version is verified like any bundle before it
 * is believed.
 */
#include "policy_diff.h"
#include "remote.h"

#include <string.h>

struct diff_settings {
    bool exit_code;
};

static const struct option_row rows[] = {
    {"exit-code", 'e', NULL, OPTION_FLAG, offsetof(struct diff_settings, exit_code),
     "exit 5 if there are differences"},
    OPTION_END,
};
const struct option_set diff_options = {sizeof(struct diff_settings), rows};

/* The live version of the bundle `name`. */
static int open_live(struct session *s, const char *name, struct policy_source *ret)
{
    struct reply reply = REPLY_INIT;
    int rc = remote_once(s, json_pack("{s:s, s:s, s:i}", "op", "get", "bundle", name, "version", 0),
                         &reply);
    if (rc == EXIT_OK)
        rc = policy_source_open_bytes(s, "the live version", pep_span_of(reply.bytes, reply.size),
                                      ret);
    reply_free(&reply);
    return rc;
}

static char mark_of(const char *change)
{
    return strcmp(change, "added") == 0 ? '+' : strcmp(change, "removed") == 0 ? '-' : '~';
}

static void print_change(const json_t *c, int width)
{
    size_t i;
    json_t *detail;
    const char *change = json_string_value(json_object_get(c, "change"));
    const char *effect = json_string_value(json_object_get(c, "effect"));
    const char *access = json_string_value(json_object_get(c, "access"));
    output_line("%c %-9s  %-*s  %s%s%s", mark_of(change),
                effect != NULL ? effect : json_string_value(json_object_get(c, "what")), width,
                json_string_value(json_object_get(c, "name")), change,
                access == NULL ? "" : ": lets through ", access == NULL ? "" : access);
    json_array_foreach(json_object_get(c, "details"), i, detail)
        output_line("               %s", json_string_value(detail));
}

static int print_changes(struct session *s, const struct policy_source *from,
                         const struct policy_source *to, json_t *changes)
{
    size_t i, width = 0;
    json_t *c;
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out,
                           json_pack("{s:s, s:I, s:s, s:I, s:O}", "from", from->name,
                                     "from_version", (json_int_t)from->version, "to", to->name,
                                     "to_version", (json_int_t)to->version, "changes", changes));
    json_array_foreach(changes, i, c)
    {
        size_t n = strlen(json_string_value(json_object_get(c, "name")));
        width = n > width ? n : width;
    }
    json_array_foreach(changes, i, c) print_change(c, (int)width);
    output_note(&s->out, "%zu difference%s", json_array_size(changes),
                json_array_size(changes) == 1 ? "" : "s");
    return EXIT_OK;
}

static int compare(struct session *s, const struct diff_settings *set, struct policy_source *from,
                   struct policy_source *to)
{
    int rc = policy_source_compile(s, from);
    if (rc == EXIT_OK)
        rc = policy_source_compile(s, to);
    if (rc != EXIT_OK)
        return rc;
    json_t *changes = policy_diff(from, to);
    if (changes == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    rc = print_changes(s, from, to, changes);
    if (rc == EXIT_OK && set->exit_code && json_array_size(changes) > 0)
        rc = EXIT_DIFFERENT;
    json_decref(changes);
    return rc;
}

int diff_run(struct session *s, const void *settings)
{
    const char *first = session_operand(s, 0), *second = session_operand(s, 1);
    struct policy_source from = {.diags = PEP_DIAGS_INIT}, to = {.diags = PEP_DIAGS_INIT};
    int rc = policy_source_open(s, second != NULL ? second : first != NULL ? first : ".", &to);
    if (rc == EXIT_OK)
        rc = second != NULL ? policy_source_open(s, first, &from) : open_live(s, to.name, &from);
    if (rc == EXIT_OK)
        rc = compare(s, settings, &from, &to);
    policy_source_close(&from);
    policy_source_close(&to);
    return rc;
}
