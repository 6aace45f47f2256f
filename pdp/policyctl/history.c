/* history: what was published, by whom, with which key. And choosing among it: see versions.h. */
#include "versions.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MOST    10000

struct history_settings {
    const char *bundle;
    struct option_number limit;
};

static const struct option_row rows[] = {
    {"bundle", 'b', "NAME", OPTION_TEXT, offsetof(struct history_settings, bundle),
     "only this bundle"},
    {"limit", 'n', "N", OPTION_NUMBER, offsetof(struct history_settings, limit),
     "at most so many versions (default 50)"},
    OPTION_END,
};
const struct option_set history_options = {sizeof(struct history_settings), rows};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static json_int_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static int table(struct session *s, const json_t *versions)
{
    static const struct column columns[] = {
        {"BUNDLE", false, false}, {"VER", false, true},      {"WHEN", false, false},
        {"BY", false, false},     {"KEY", false, false},     {"WHAT", false, false},
        {"STATE", false, false},  {"OPERATOR", true, false}, {"SIZE", true, true},
        {"DIGEST", true, false},  {NULL, false, false},
    };
    struct table *t = table_new(columns);
    size_t i;
    json_t *v;
    char when[TIME_TEXT];
    json_array_foreach((json_t *)versions, i, v)
    {
        table_cell(t, "%s", text_of(v, "bundle"));
        table_cell(t, "%lld", (long long)number_of(v, "version"));
        table_cell(t, "%s", time_text(number_of(v, "created"), when));
        table_cell(t, "%s", text_of(v, "author"));
        table_cell(t, "%s", text_of(v, "key_name"));
        table_cell(t, "%s", text_of(v, "message"));
        table_cell(t, "%s", text_of(v, "state"));
        table_cell(t, "%s", text_of(v, "operator"));
        table_cell(t, "%lld", (long long)number_of(v, "size"));
        table_cell(t, "%s", text_of(v, "digest"));
    }
    return table_print(t, &s->out);
}

static json_t *request(const char *bundle, json_int_t limit)
{
    return bundle == NULL
               ? json_pack("{s:s, s:I}", "op", "history", "limit", limit)
               : json_pack("{s:s, s:s, s:I}", "op", "history", "bundle", bundle, "limit", limit);
}

int history_run(struct session *s, const void *settings)
{
    const struct history_settings *o = settings;
    json_int_t limit = o->limit.given ? o->limit.value : LIMIT_DEFAULT;
    struct reply reply = REPLY_INIT;
    if (limit < 1 || limit > LIMIT_MOST)
        return output_error(&s->out, EXIT_USAGE, "--limit must be within 1 and %d", LIMIT_MOST);
    int rc = remote_once(s, request(o->bundle, limit), &reply);
    if (rc != EXIT_OK)
        return rc;
    json_t *versions = json_object_get(reply.json, "versions");
    if (s->out.format == OUTPUT_JSON)
        rc = output_json(&s->out, json_pack("{s:O}", "versions", versions));
    else
        rc = table(s, versions);
    reply_free(&reply);
    return rc;
}

int versions_bundle(struct session *s, struct remote *r, const char *wanted,
                    char ret[PEP_NAME_MAX + 1])
{
    struct reply reply = REPLY_INIT;
    if (wanted != NULL && !pep_bundle_name_valid(pep_span_string(wanted)))
        return output_error(&s->out, EXIT_USAGE, "`%s` is not the name of a bundle", wanted);
    if (wanted != NULL) {
        snprintf(ret, PEP_NAME_MAX + 1, "%s", wanted);
        return EXIT_OK;
    }
    int rc = remote_call(r, json_pack("{s:s}", "op", "status"), NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    const json_t *bundles = json_object_get(reply.json, "bundles");
    const char *name = text_of(json_array_get(bundles, 0), "name");
    if (json_array_size(bundles) == 0)
        rc = output_error(&s->out, EXIT_FAILED, "nothing is published yet\n%s\npolicyctl push DIR",
                          remote_endpoint(r));
    else if (json_array_size(bundles) > 1)
        rc = output_error(&s->out, EXIT_USAGE,
                          "which bundle? There are %zu\n%s\nsay it with --bundle NAME; policyctl "
                          "status lists them",
                          json_array_size(bundles), remote_endpoint(r));
    else if (!pep_bundle_name_valid(pep_span_string(name)))
        rc = reply_malformed(r, "bundles");
    else
        snprintf(ret, PEP_NAME_MAX + 1, "%s", name);
    reply_free(&reply);
    return rc;
}

int versions_before_head(struct session *s, struct remote *r, const char *bundle, uint64_t head,
                         uint64_t *ret)
{
    struct reply reply = REPLY_INIT;
    int rc = remote_call(r, request(bundle, 2), NO_BYTES, &reply);
    if (rc != EXIT_OK)
        return rc;
    const json_t *versions = json_object_get(reply.json, "versions");
    json_int_t before = 0;
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)versions, i, v)
    {
        json_int_t n = number_of(v, "version");
        if (n < (json_int_t)head && n > before)
            before = n;
    }
    reply_free(&reply);
    if (before == 0)
        return output_error(&s->out, EXIT_FAILED,
                            "%s has no version before %llu to go back to\n%s\npolicyctl history",
                            bundle, (unsigned long long)head, remote_endpoint(r));
    *ret = (uint64_t)before;
    return EXIT_OK;
}
