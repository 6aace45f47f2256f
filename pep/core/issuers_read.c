/*
 * One entry of issuers.json into one row of the table. All problems of an entry are reported, not
 * only the first: whoever edits the file mends it in one go.
 */
#include "issuers_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX     1024
#define TEXT_MAX     1024
#define LIFETIME_MAX (100LL * 365 * 86400)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const members[] = {
    "issuer",   "audiences",   "algorithms",      "jwks",
    "jwks_uri", "keys",        "keys_max_age",    "key_thumbprints",
    "allow",    "token_types", "required_claims", "max_lifetime",
};
static const char *const allow_members[] = {"roles", "clients", "acr", "claims"};

/* ---- problems ---- */

static void problem(struct pep_issuer_reader *r, const char *code, const char *help,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void problem(struct pep_issuer_reader *r, const char *code, const char *help,
                    const char *format, ...)
{
    char text[512], where[160] = "";
    va_list ap;
    va_start(ap, format);
    if (vsnprintf(text, sizeof(text), format, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    if (r->issuer != NULL)
        snprintf(where, sizeof(where), "issuer %.128s: ", r->issuer);
    else if (r->line == 0)
        snprintf(where, sizeof(where), "entry %zu: ", r->index + 1);
    pep_diag_add(r->diags, code, r->file, r->line, help, "%s%s", where, text);
    if (code[0] == 'E' && r->result == PEP_OK)
        r->result = pep_error_set(r->err, PEP_EFORMAT, "%s: %s%s", r->file, where, text);
}

void pep_issuer_no_memory(struct pep_issuer_reader *r)
{
    r->result = PEP_ENOMEM;
    pep_error_set(r->err, PEP_ENOMEM, "%s: no memory", r->file);
}

/* Near enough for a message: the line where the issuer's name stands first. */
static int line_of(struct pep_span text, const char *name)
{
    const uint8_t *at = text.size == 0 ? NULL : memmem(text.data, text.size, name, strlen(name));
    int line = 1;
    for (const uint8_t *p = text.data; at != NULL && p < at; p++)
        line += *p == '\n';
    return at == NULL ? 0 : line;
}

/* ---- members ---- */

static void only_members(struct pep_issuer_reader *r, const json_t *object,
                         const char *const *names, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(names[i], key) != 0)
            i++;
        if (i < count)
            continue;
        const char *near = pep_did_you_mean(key, names, count);
        char help[128];
        snprintf(help, sizeof(help), "did you mean `%s`?", near == NULL ? "" : near);
        problem(r, "E406", near == NULL ? NULL : help, "unknown member `%.64s`", key);
    }
}

static bool good_text(const json_t *v)
{
    return json_is_string(v) && json_string_length(v) > 0 && json_string_length(v) <= TEXT_MAX;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* An absent list is empty; false if something is wrong with it. */
static bool read_list(struct pep_issuer_reader *r, const json_t *object, const char *name,
                      struct pep_strings *ret)
{
    const json_t *array = json_object_get(object, name), *item;
    size_t i, count = json_array_size(array);
    if (array == NULL)
        return true;
    if (!json_is_array(array) || count > LIST_MAX) {
        problem(r, "E407", NULL, "`%.64s` must be an array of at most %d strings", name, LIST_MAX);
        return false;
    }
    json_array_foreach(array, i, item)
    {
        if (!good_text(item)) {
            problem(r, "E407", NULL, "`%.64s`: item %zu must be a string of 1 to %d bytes", name,
                    i + 1, TEXT_MAX);
            return false;
        }
    }
    const char **items = calloc(count + 1, sizeof(*items));
    if (items == NULL) {
        pep_issuer_no_memory(r);
        return false;
    }
    for (i = 0; i < count; i++)
        items[i] = json_string_value(json_array_get(array, i));
    qsort(items, count, sizeof(*items), compare_texts);
    *ret = (struct pep_strings){items, count};
    return true;
}

static void read_seconds(struct pep_issuer_reader *r, const json_t *object, const char *name,
                         int64_t *ret)
{
    const json_t *v = json_object_get(object, name);
    if (v == NULL)
        return;
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > LIFETIME_MAX)
        problem(r, "E407", NULL, "`%s` must be a positive whole number of seconds", name);
    else
        *ret = json_integer_value(v);
}

static void read_name(struct pep_issuer_reader *r, const json_t *entry, struct pep_issuer *items,
                      size_t count)
{
    const json_t *name = json_object_get(entry, "issuer");
    if (!good_text(name)) {
        problem(r, "E402", "\"issuer\": \"https://idp.example\"",
                "`issuer` must be a string of 1 to %d bytes", TEXT_MAX);
        return;
    }
    r->issuer = json_string_value(name);
    r->line = line_of(r->text, r->issuer);
    for (size_t i = 0; i < count; i++) {
        if (items[i].name != NULL && strcmp(items[i].name, r->issuer) == 0)
            problem(r, "E402", "put all its keys into one entry", "stands twice in the file");
    }
    items[count].name = r->issuer;
}

static void read_audiences(struct pep_issuer_reader *r, const json_t *entry,
                           struct pep_issuer *issuer)
{
    if (read_list(r, entry, "audiences", &issuer->audiences) && issuer->audiences.count == 0)
        problem(r, "E403", "\"audiences\": [\"the name of your service\"]",
                "no `audiences`: tokens for any service would be good here");
}

static void read_algorithms(struct pep_issuer_reader *r, const json_t *entry,
                            struct pep_issuer *issuer)
{
    struct pep_strings names = {NULL, 0};
    if (!read_list(r, entry, "algorithms", &names))
        return;
    if (names.count == 0)
        problem(r, "E404", "\"algorithms\": [\"RS256\"]", "no `algorithms`");
    for (size_t i = 0; i < names.count; i++) {
        enum pep_alg alg = pep_alg_find(pep_span_string(names.items[i]));
        if (alg == PEP_ALG_NONE)
            problem(r, "E404", "one of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA",
                    "algorithm `%.32s` is not supported", names.items[i]);
        else
            issuer->algorithms |= 1U << alg;
    }
    free((void *)names.items);
}

/* ---- keys ---- */

static void check_pins(struct pep_issuer_reader *r, const struct pep_issuer *issuer)
{
    for (size_t i = 0; i < pep_jwks_count(issuer->keys); i++) {
        const char *print = pep_jwk_thumbprint(pep_jwks_at(issuer->keys, i));
        if (issuer->key_thumbprints.count > 0 &&
            !pep_strings_has(&issuer->key_thumbprints, pep_span_string(print)))
            problem(r, "E410", NULL, "key %s is not in `key_thumbprints`", print);
    }
}

static void check_algorithms(struct pep_issuer_reader *r, const struct pep_issuer *issuer)
{
    uint32_t have = 0;
    for (size_t i = 0; i < pep_jwks_count(issuer->keys); i++)
        have |= 1U << pep_jwk_algorithm(pep_jwks_at(issuer->keys, i));
    if ((have & issuer->algorithms) == 0) {
        problem(r, "E408", "an RSA key without `alg` counts as RS256",
                "no key belongs to any of the `algorithms`");
        return;
    }
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
        if ((issuer->algorithms & ~have & 1U << alg) != 0)
            problem(r, "W404", NULL, "no key belongs to %s", pep_alg_name(alg));
    }
}

static void read_inline_keys(struct pep_issuer_reader *r, const json_t *jwks,
                             struct pep_issuer *issuer)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwks *keys = NULL;
    int result = pep_jwks_read(jwks, "jwks", &keys, &err);
    if (result == PEP_ENOMEM) {
        pep_issuer_no_memory(r);
        return;
    }
    if (result != PEP_OK) {
        problem(r, "E405", NULL, "%s", pep_error_text(&err));
        return;
    }
    issuer->keys = keys;
    if (pep_jwks_ignored(keys) > 0)
        problem(r, "W403", NULL, "%zu keys left out: not for verifying tokens, or not supported",
                pep_jwks_ignored(keys));
    if (issuer->algorithms != 0)
        check_algorithms(r, issuer);
    check_pins(r, issuer);
}

static void read_relayed_keys(struct pep_issuer_reader *r, const json_t *entry,
                              struct pep_issuer *issuer)
{
    const json_t *uri = json_object_get(entry, "jwks_uri"), *keys = json_object_get(entry, "keys");
    if (!good_text(uri) || strncmp(json_string_value(uri), "https://", 8) != 0)
        problem(r, "E409", NULL, "`jwks_uri` must be an https URL");
    else
        issuer->jwks_uri = json_string_value(uri);
    if (!json_is_string(keys) || strcmp(json_string_value(keys), "relayed") != 0)
        problem(r, "E409", "\"keys\": \"relayed\"",
                "`jwks_uri` needs \"keys\": \"relayed\", because pdpd then names the keys");
    if (issuer->keys_max_age == 0)
        problem(r, "E409", "\"keys_max_age\": 86400", "relayed keys need `keys_max_age`");
    if (issuer->key_thumbprints.count == 0)
        problem(r, "W402", "pin them: \"key_thumbprints\": [...]",
                "whoever takes over pdpd could name keys for this issuer");
}

static void read_keys(struct pep_issuer_reader *r, const json_t *entry, struct pep_issuer *issuer)
{
    const json_t *jwks = json_object_get(entry, "jwks");
    bool relayed =
        json_object_get(entry, "jwks_uri") != NULL || json_object_get(entry, "keys") != NULL;
    if ((jwks != NULL) == relayed)
        problem(r, "E405", "give the issuer's public keys in `jwks`",
                "needs either `jwks` or `jwks_uri` with \"keys\": \"relayed\"");
    else if (relayed)
        read_relayed_keys(r, entry, issuer);
    else
        read_inline_keys(r, jwks, issuer);
}

/* ---- allow ---- */

static void read_limited_claims(struct pep_issuer_reader *r, const json_t *claims,
                                struct pep_issuer *issuer)
{
    const char *name;
    json_t *values;
    if (claims == NULL)
        return;
    if (!json_is_object(claims) || json_object_size(claims) > LIST_MAX) {
        problem(r, "E407", NULL, "`allow.claims` must be an object of arrays");
        return;
    }
    struct pep_issuer_claim *list = calloc(json_object_size(claims) + 1, sizeof(*list));
    if (list == NULL) {
        pep_issuer_no_memory(r);
        return;
    }
    issuer->claims = list;
    json_object_foreach((json_t *)claims, name, values)
    {
        list[issuer->claim_count].name = name;
        if (!json_is_array(values))
            problem(r, "E407", NULL, "`allow.claims.%.64s` must be an array", name);
        else
            read_list(r, claims, name, &list[issuer->claim_count].values);
        issuer->claim_count++;
    }
}

static void read_allow(struct pep_issuer_reader *r, const json_t *allow, struct pep_issuer *issuer)
{
    if (allow == NULL)
        return;
    issuer->has_allow = true;
    if (!json_is_object(allow)) {
        problem(r, "E407", NULL, "`allow` must be an object");
        return;
    }
    only_members(r, allow, allow_members, COUNT(allow_members));
    issuer->limits_roles = json_object_get(allow, "roles") != NULL;
    issuer->limits_clients = json_object_get(allow, "clients") != NULL;
    issuer->limits_acr = json_object_get(allow, "acr") != NULL;
    read_list(r, allow, "roles", &issuer->roles);
    read_list(r, allow, "clients", &issuer->clients);
    read_list(r, allow, "acr", &issuer->acr);
    read_limited_claims(r, json_object_get(allow, "claims"), issuer);
}

/* ---- the entry ---- */

void pep_issuer_read(struct pep_issuer_reader *r, const json_t *entry, struct pep_issuer *items,
                     size_t count)
{
    struct pep_issuer *issuer = &items[count];
    r->issuer = NULL;
    r->line = 0;
    if (!json_is_object(entry)) {
        problem(r, "E401", NULL, "must be an object");
        return;
    }
    read_name(r, entry, items, count);
    only_members(r, entry, members, COUNT(members));
    read_audiences(r, entry, issuer);
    read_algorithms(r, entry, issuer);
    read_list(r, entry, "required_claims", &issuer->required_claims);
    read_list(r, entry, "token_types", &issuer->token_types);
    read_list(r, entry, "key_thumbprints", &issuer->key_thumbprints);
    read_seconds(r, entry, "max_lifetime", &issuer->max_lifetime);
    read_seconds(r, entry, "keys_max_age", &issuer->keys_max_age);
    read_keys(r, entry, issuer);
    read_allow(r, json_object_get(entry, "allow"), issuer);
}

void pep_issuer_warn_unlimited(struct pep_issuer_reader *r, const struct pep_issuer *items,
                               size_t count)
{
    for (size_t i = 0; count > 1 && i < count; i++) {
        r->issuer = items[i].name;
        r->line = r->issuer == NULL ? 0 : line_of(r->text, r->issuer);
        if (r->issuer != NULL && !items[i].has_allow)
            problem(
                r, "W401", "\"allow\": {\"roles\": [...], \"claims\": {\"tenant\": [...]}}",
                "one of several issuers, and without `allow`: may assert any role of any tenant");
    }
}

void pep_issuer_clear(struct pep_issuer *issuer)
{
    const struct pep_strings *lists[] = {&issuer->audiences,      &issuer->required_claims,
                                         &issuer->token_types,    &issuer->roles,
                                         &issuer->clients,        &issuer->acr,
                                         &issuer->key_thumbprints};
    for (size_t i = 0; i < COUNT(lists); i++)
        free((void *)lists[i]->items);
    for (size_t i = 0; i < issuer->claim_count; i++)
        free((void *)issuer->claims[i].values.items);
    free((void *)issuer->claims);
    pep_jwks_free((struct pep_jwks *)issuer->keys);
}
