/*
 * status: is the fleet on the policy that it should be on? What needs attention comes first:
 * services that refused a version, then those that are behind or silent.
 */
#include "remote.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct status_settings {
    const char *bundle;
};

static const struct option_row rows[] = {
    {"bundle", 'b', "NAME", OPTION_TEXT, offsetof(struct status_settings, bundle),
     "only this bundle"},
    OPTION_END,
};
const struct option_set status_options = {sizeof(struct status_settings), rows};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static json_int_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static int bundles_table(struct session *s, const json_t *bundles)
{
    static const struct column columns[] = {{"BUNDLE", false, false},
                                            {"VERSION", false, true},
                                            {"DIGEST", false, false},
                                            {NULL, false, false}};
    struct table *t = table_new(columns);
    size_t i;
    json_t *b;
    json_array_foreach((json_t *)bundles, i, b)
    {
        table_cell(t, "%s", text_of(b, "name"));
        table_cell(t, "%lld", (long long)number_of(b, "version"));
        table_cell(t, s->out.format == OUTPUT_WIDE ? "%s" : "%.19s", text_of(b, "digest"));
    }
    return table_print(t, &s->out);
}

/* 0: refused something, 1: not well, 2: fine. */
static int rank(const json_t *service)
{
    if (number_of(service, "rejected") != 0)
        return 0;
    return strcmp(text_of(service, "state"), "FRESH") == 0 ? 2 : 1;
}

static void labels_cell(struct table *t, const json_t *labels)
{
    struct pep_buffer text = pep_buffer_of(4096);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)labels, key, value)
        pep_put_format(&text, "%s%s=%s", text.size == 0 ? "" : ",", key,
                       json_is_string(value) ? json_string_value(value) : "?");
    struct pep_span s = pep_buffer_span(&text);
    table_cell(t, "%.*s", (int)s.size, s.size == 0 ? "" : (const char *)s.data);
    pep_buffer_free(&text);
}

static void service_row(struct table *t, const json_t *v)
{
    char age[TIME_TEXT], seen[TIME_TEXT];
    json_int_t last = number_of(v, "last_seen");
    bool heard = last > 0;
    table_cell(t, "%s/%lld", text_of(v, "name"), (long long)number_of(v, "instance"));
    table_cell(t, "%s", text_of(v, "bundle"));
    table_cell(t, "%lld", (long long)number_of(v, "version"));
    table_cell(t, "%s", text_of(v, "state"));
    table_cell(t, "%s", heard ? age_text(number_of(v, "age_ms") / 1000, age) : "");
    table_cell(t, "%s", heard ? age_text(time(NULL) - last, seen) : "never");
    table_cell(t, "%s", text_of(v, "reason"));
    labels_cell(t, json_object_get(v, "labels"));
    table_cell(t, "%lld", (long long)number_of(v, "revocations"));
    table_cell(t, "%s", text_of(v, "library"));
    table_cell(t, "%s", text_of(v, "digest"));
}

static int services_table(struct session *s, const json_t *services)
{
    static const struct column columns[] = {
        {"SERVICE", false, false}, {"BUNDLE", false, false}, {"VERSION", false, true},
        {"STATE", false, false},   {"AGE", false, true},     {"SEEN", false, true},
        {"REASON", false, false},  {"LABELS", true, false},  {"REVOKED", true, true},
        {"LIBRARY", true, false},  {"DIGEST", true, false},  {NULL, false, false},
    };
    struct table *t = table_new(columns);
    for (int wanted = 0; wanted <= 2; wanted++) {
        size_t i;
        json_t *v;
        json_array_foreach((json_t *)services, i, v)
        {
            if (rank(v) == wanted)
                service_row(t, v);
        }
    }
    return table_print(t, &s->out);
}

/* Issuers whose token keys pdpd fetches; nothing where there are none. */
static int issuers_table(struct session *s, const json_t *issuers)
{
    static const struct column columns[] = {
        {"ISSUER", false, false}, {"BUNDLE", false, false}, {"KEYS", false, true},
        {"STATE", false, false},  {"AGE", false, true},     {"MAX", false, true},
        {"PINNED", true, false},  {"URL", true, false},     {"ERROR", false, false},
        {NULL, false, false},
    };
    size_t i;
    json_t *v;
    if (json_array_size(issuers) == 0)
        return EXIT_OK;
    output_line("%s", "");
    struct table *t = table_new(columns);
    json_array_foreach((json_t *)issuers, i, v)
    {
        char age[TIME_TEXT], max[TIME_TEXT];
        bool fetched = json_is_integer(json_object_get(v, "age"));
        table_cell(t, "%s", text_of(v, "issuer"));
        table_cell(t, "%s", text_of(v, "bundle"));
        table_cell(t, "%lld", (long long)number_of(v, "keys"));
        table_cell(t, "%s", text_of(v, "state"));
        table_cell(t, "%s", fetched ? age_text(number_of(v, "age"), age) : "");
        table_cell(t, "%s", age_text(number_of(v, "keys_max_age"), max));
        table_cell(t, "%s", json_is_true(json_object_get(v, "pinned")) ? "yes" : "no");
        table_cell(t, "%s", text_of(v, "jwks_uri"));
        table_cell(t, "%s", text_of(v, "error"));
    }
    return table_print(t, &s->out);
}

/* One line below the tables, once anything was revoked. */
static void revocations_line(const json_t *revocations)
{
    json_int_t number = number_of(revocations, "number"), behind = number_of(revocations, "behind");
    if (number == 0)
        return;
    output_line("%s", "");
    output_line("revoked tokens: step %lld, %lld entries%s", (long long)number,
                (long long)number_of(revocations, "entries"),
                json_is_false(json_object_get(revocations, "signed"))
                    ? "; the root no longer names the signer: policyctl token revoke --renew"
                    : "");
    if (behind != 0)
        output_line("%lld of the processes above hold an older list", (long long)behind);
}

int status_run(struct session *s, const void *settings)
{
    const struct status_settings *o = settings;
    struct reply reply = REPLY_INIT;
    json_t *request = o->bundle == NULL
                          ? json_pack("{s:s}", "op", "status")
                          : json_pack("{s:s, s:s}", "op", "status", "bundle", o->bundle);
    int rc = remote_once(s, request, &reply);
    if (rc != EXIT_OK)
        return rc;
    json_t *bundles = json_object_get(reply.json, "bundles");
    json_t *services = json_object_get(reply.json, "services");
    json_t *revocations = json_object_get(reply.json, "revocations");
    json_t *issuers = json_object_get(reply.json, "issuers");
    if (s->out.format == OUTPUT_JSON) {
        rc = output_json(&s->out,
                         json_pack("{s:O, s:O, s:O*, s:O*}", "bundles", bundles, "services",
                                   services, "revocations", revocations, "issuers", issuers));
    } else {
        rc = bundles_table(s, bundles);
        output_line("%s", "");
        if (rc == EXIT_OK)
            rc = services_table(s, services);
        if (rc == EXIT_OK)
            rc = issuers_table(s, issuers);
        if (rc == EXIT_OK)
            revocations_line(revocations);
    }
    reply_free(&reply);
    return rc;
}
