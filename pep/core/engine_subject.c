/*
 * The subject: verified claims, projected once per token onto what rules may read.
 *
 * With a schema, the claims that it names, each of its declared type, or the token is refused: a
 * claim of another type read as absent would pass a deny rule. Without a schema, the usual names
 * (id, roles, scopes, client, actor, chain, issuer) and every other claim by its own. The names
 * that heads read keep their usual source where a schema does not name another. Roles are closed
 * over the hierarchy here, into bits; what a decision does is test them.
 *
 * `allow` of the issuer is enforced on what the token says, before anything is dropped.
 */
#include "engine_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLAIMS_MAX 512
#define JSON_KEPT  512 /* bytes of one value */

struct build {
    const struct pep_policy *policy;
    struct pep_subject *s;
    const json_t *claims;
    uint32_t *names;
    struct pep_span *texts;
    struct pep_value *values;
    uint32_t capacity;
    enum pep_jwt_reason reason;
    struct pep_error *err;
};

/* ---- claims by path ---- */

static int refuse(struct build *b, enum pep_jwt_reason reason, const char *what, const char *name)
{
    b->reason = reason;
    return pep_error_set(b->err, PEP_ETOKEN, "claim `%s` %s", name, what);
}

static int no_memory(struct build *b)
{
    b->reason = PEP_JWT_MEMORY;
    return pep_error_set(b->err, PEP_ENOMEM, "no memory for a subject");
}

/* ---- values ---- */

static int put(struct build *b, const char *name, const struct pep_value *value)
{
    if (value->kind == PEP_V_NIL)
        return PEP_OK;
    struct pep_span text = pep_span_string(name);
    uint32_t id = pep_names_find(&b->policy->names, text);
    for (uint32_t i = 0; i < b->s->count; i++) {
        if (pep_span_equal(b->texts[i], text))
            return PEP_OK; /* the first one, by order of meaning, wins */
    }
    if (b->s->count == b->capacity)
        return refuse(b, PEP_JWT_CLAIM, "is one too many", name);
    const char *copy =
        id != PEP_NONE ? b->policy->names.texts[id] : pep_pool_copy(&b->s->pool, name, text.size);
    if (copy == NULL)
        return no_memory(b);
    b->names[b->s->count] = id;
    b->texts[b->s->count] = pep_span_of(copy, text.size);
    b->values[b->s->count] = *value;
    b->s->count++;
    uint8_t *hint = &b->s->hints[id & 63];
    if (*hint == 0) /* the later ones with these bits are found by walking */
        *hint = pep_hint(b->s->count);
    return PEP_OK;
}

static int put_text(struct build *b, const char *name, const char *text)
{
    if (text == NULL)
        return PEP_OK;
    size_t size = strlen(text);
    const char *copy = pep_pool_copy(&b->s->pool, text, size);
    if (copy == NULL)
        return no_memory(b);
    struct pep_value v = pep_value_text(copy, size);
    return put(b, name, &v);
}

/* "a b c" as a list. */
static int split_scopes(struct build *b, const char *text, struct pep_value *ret)
{
    size_t size = strlen(text);
    struct pep_value *items = pep_pool_get(&b->s->pool, (size / 2 + 1) * sizeof(*items));
    const char *copy = pep_pool_copy(&b->s->pool, text, size);
    uint32_t n = 0;
    if (items == NULL || copy == NULL)
        return no_memory(b);
    for (const char *at = copy; *at != '\0';) {
        size_t word = strcspn(at, " ");
        if (word > 0)
            items[n++] = pep_value_text(at, word);
        at += word + (at[word] == ' ');
    }
    *ret = (struct pep_value){.kind = PEP_V_LIST, .size = n, .u.items = items};
    return PEP_OK;
}

/* A list of texts (or of scalars, where `scalars`); one text counts as a list of it. */
static int as_set(struct build *b, const json_t *v, const char *name, bool scalars,
                  struct pep_value *ret)
{
    struct pep_value one;
    if (!json_is_string(v) && !json_is_array(v))
        return refuse(b, PEP_JWT_CLAIM, "must be a list of texts", name);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        if (!json_is_string(item) && (!scalars || json_is_object(item) || json_is_array(item)))
            return refuse(b, PEP_JWT_CLAIM, "must be a list of texts", name);
    }
    if (pep_value_from_json(&b->s->pool, v, &one) != PEP_OK)
        return no_memory(b);
    if (one.kind == PEP_V_LIST) {
        *ret = one;
        return PEP_OK;
    }
    struct pep_value *item = pep_pool_get(&b->s->pool, sizeof(*item));
    if (item == NULL)
        return no_memory(b);
    *item = one;
    *ret = (struct pep_value){.kind = PEP_V_LIST, .size = 1, .u.items = item};
    return PEP_OK;
}

static int as_scopes(struct build *b, const json_t *v, const char *name, struct pep_value *ret)
{
    if (json_is_string(v))
        return split_scopes(b, json_string_value(v), ret);
    return as_set(b, v, name, false, ret);
}

static bool has_shape(const json_t *v, enum pep_shape shape)
{
    switch (shape) {
    case PEP_SHAPE_STRING:
        return json_is_string(v);
    case PEP_SHAPE_NUMBER:
        return json_is_number(v);
    case PEP_SHAPE_INTEGER:
        return json_is_integer(v) ||
               (json_is_real(v) && floor(json_real_value(v)) == json_real_value(v));
    case PEP_SHAPE_BOOLEAN:
        return json_is_boolean(v);
    default:
        return true;
    }
}

static int declared_claim(struct build *b, const struct pep_claim *c)
{
    const char *name = b->policy->names.texts[c->name];
    const json_t *v = pep_claim_at(b->claims, c->from);
    struct pep_value value;
    int rc;
    if (v == NULL)
        return c->required ? refuse(b, PEP_JWT_CLAIM, "is required", c->from) : PEP_OK;
    if (!has_shape(v, c->shape)) {
        b->reason = PEP_JWT_CLAIM;
        return pep_error_set(b->err, PEP_ETOKEN, "claim `%s` must be of type %s", c->from,
                             pep_shape_name(c->shape));
    }
    if (c->shape == PEP_SHAPE_SET || c->name == PEP_NAME_ROLES)
        rc = as_set(b, v, c->from, c->name != PEP_NAME_ROLES, &value);
    else if (c->shape == PEP_SHAPE_SCOPES)
        rc = as_scopes(b, v, c->from, &value);
    else
        rc = pep_value_from_json(&b->s->pool, v, &value) == PEP_OK ? PEP_OK : no_memory(b);
    return rc != PEP_OK ? rc : put(b, c->name == PEP_NAME_ROLES ? "token_roles" : name, &value);
}

/* ---- the usual names ---- */

static bool schema_names(const struct pep_policy *policy, uint32_t name)
{
    for (size_t i = 0; i < policy->schema.claim_count; i++) {
        if (policy->schema.claims[i].name == name)
            return true;
    }
    return false;
}

static int text_claim(struct build *b, uint32_t name, const json_t *v, const char *from)
{
    if (v == NULL || schema_names(b->policy, name))
        return PEP_OK;
    if (!json_is_string(v))
        return refuse(b, PEP_JWT_CLAIM, "must be a text", from);
    return put_text(b, b->policy->names.texts[name], json_string_value(v));
}

/* azp and client_id, both there and different: one of them lies. */
static int client_claim(struct build *b)
{
    const json_t *azp = pep_claim_at(b->claims, "azp"), *id = pep_claim_at(b->claims, "client_id");
    if (azp != NULL && id != NULL && !json_equal(azp, id))
        return refuse(b, PEP_JWT_CLIENT, "differs from client_id", "azp");
    return text_claim(b, PEP_NAME_CLIENT, azp != NULL ? azp : id, "azp");
}

static int actor_claims(struct build *b)
{
    struct pep_value *items = pep_pool_get(&b->s->pool, PEP_CHAIN_MAX * sizeof(*items));
    uint32_t n = 0;
    if (items == NULL)
        return no_memory(b);
    const json_t *act = pep_claim_at(b->claims, "act");
    for (; act != NULL && !json_is_null(act); act = json_object_get(act, "act")) {
        const json_t *sub = json_object_get(act, "sub");
        if (!json_is_object(act) || !json_is_string(sub) || n == PEP_CHAIN_MAX)
            return refuse(b, PEP_JWT_CLAIM, "must be a chain of at most 16 actors with `sub`",
                          "act");
        const char *copy =
            pep_pool_copy(&b->s->pool, json_string_value(sub), json_string_length(sub));
        if (copy == NULL)
            return no_memory(b);
        items[n++] = pep_value_text(copy, json_string_length(sub));
    }
    if (n == 0)
        return PEP_OK;
    struct pep_value chain = {.kind = PEP_V_LIST, .size = n, .u.items = items};
    int rc = schema_names(b->policy, PEP_NAME_ACTOR) ? PEP_OK : put(b, "actor", &items[0]);
    if (rc == PEP_OK && !schema_names(b->policy, PEP_NAME_CHAIN))
        rc = put(b, "chain", &chain);
    return rc;
}

static int set_claims(struct build *b)
{
    struct pep_value v;
    const json_t *roles = pep_claim_at(b->claims, "roles"),
                 *scope = pep_claim_at(b->claims, "scope");
    const char *from = scope != NULL ? "scope" : "scp";
    int rc = PEP_OK;
    if (roles != NULL && !schema_names(b->policy, PEP_NAME_ROLES)) {
        rc = as_set(b, roles, "roles", false, &v);
        rc = rc != PEP_OK ? rc : put(b, "token_roles", &v);
    }
    if (scope == NULL)
        scope = pep_claim_at(b->claims, "scp");
    if (rc == PEP_OK && scope != NULL && !schema_names(b->policy, PEP_NAME_SCOPES)) {
        rc = as_scopes(b, scope, from, &v);
        rc = rc != PEP_OK ? rc : put(b, "scopes", &v);
    }
    return rc;
}

static int usual_claims(struct build *b)
{
    int rc = text_claim(b, PEP_NAME_ID, pep_claim_at(b->claims, "sub"), "sub");
    if (rc == PEP_OK)
        rc = text_claim(b, PEP_NAME_ISSUER, pep_claim_at(b->claims, "iss"), "iss");
    if (rc == PEP_OK)
        rc = client_claim(b);
    if (rc == PEP_OK)
        rc = actor_claims(b);
    return rc == PEP_OK ? set_claims(b) : rc;
}

static bool is_usual(const char *name)
{
    static const char *const names[] = {"id",    "roles", "token_roles", "scopes", "client",
                                        "actor", "chain", "issuer",      NULL};
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static int other_claims(struct build *b)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)b->claims, name, value)
    {
        struct pep_value v;
        if (is_usual(name)) /* these come from where the contract says, or not at all */
            continue;
        if (pep_value_from_json(&b->s->pool, value, &v) != PEP_OK)
            return no_memory(b);
        int rc = put(b, name, &v);
        if (rc != PEP_OK)
            return rc;
    }
    return PEP_OK;
}

/* ---- roles, scopes, client, issuer as ids ---- */

static uint64_t *new_bits(struct build *b, uint32_t count)
{
    return pep_pool_get(&b->s->pool, (count / 64 + 1) * sizeof(uint64_t));
}

static void add_role(struct pep_subject *s, uint64_t *bits, uint32_t *ids, uint32_t role)
{
    if (pep_bit(bits, role))
        return;
    bits[role >> 6] |= (uint64_t)1 << (role & 63);
    ids[s->role_count++] = role;
}

/* As many as the token's can close over. Not as many as the policy knows: a subject should lie
 * close together, and some thousands of them in the cache. */
static size_t most_roles(const struct build *b, const struct pep_value *raw)
{
    const struct pep_policy *policy = b->policy;
    size_t n = 0;
    for (uint32_t i = 0; raw != NULL && raw->kind == PEP_V_LIST && i < raw->size; i++) {
        const struct pep_value *v = &raw->u.items[i];
        uint32_t id = pep_names_find(&policy->roles, pep_span_of(v->u.string, v->size));
        bool known = id < policy->schema.role_count;
        n += policy->schema.has_roles ? (known ? policy->schema.roles[id].closure_count : 0) : 1;
    }
    return n < policy->roles.count ? n + 1 : (size_t)policy->roles.count + 1;
}

/* The closed set of roles; roles that a schema does not know are dropped and counted. */
static int close_roles(struct build *b)
{
    const struct pep_policy *policy = b->policy;
    const struct pep_value *raw = pep_subject_get(b->s, PEP_NAME_TOKEN_ROLES);
    uint64_t *bits = new_bits(b, policy->roles.count);
    uint32_t *ids = pep_pool_get(&b->s->pool, most_roles(b, raw) * sizeof(*ids));
    if (bits == NULL || ids == NULL)
        return no_memory(b);
    b->s->roles = bits;
    b->s->role_ids = ids;
    if (raw == NULL || raw->kind != PEP_V_LIST)
        return PEP_OK;
    if (!policy->schema.has_roles) {
        for (uint32_t i = 0; i < raw->size; i++) {
            const struct pep_value *v = &raw->u.items[i];
            uint32_t id = pep_names_find(&policy->roles, pep_span_of(v->u.string, v->size));
            if (id != PEP_NONE)
                add_role(b->s, bits, ids, id);
        }
        return put(b, "roles", raw);
    }
    for (uint32_t i = 0; i < raw->size; i++) {
        const struct pep_value *v = &raw->u.items[i];
        uint32_t id = pep_names_find(&policy->roles, pep_span_of(v->u.string, v->size));
        const struct pep_schema_role *role =
            id < policy->schema.role_count ? &policy->schema.roles[id] : NULL;
        if (role == NULL || !role->declared)
            b->s->dropped_roles++;
        for (size_t k = 0; role != NULL && role->declared && k < role->closure_count; k++)
            add_role(b->s, bits, ids, role->closure[k]);
    }
    struct pep_value *items = pep_pool_get(&b->s->pool, (b->s->role_count + 1) * sizeof(*items));
    if (items == NULL)
        return no_memory(b);
    for (uint32_t i = 0; i < b->s->role_count; i++)
        items[i] = pep_value_text(policy->roles.texts[ids[i]], policy->roles.sizes[ids[i]]);
    struct pep_value v = {.kind = PEP_V_LIST, .size = b->s->role_count, .u.items = items};
    return put(b, "roles", &v);
}

static uint32_t id_of(const struct pep_names *names, const struct pep_value *v)
{
    if (v == NULL || v->kind != PEP_V_STRING)
        return PEP_NONE;
    return pep_names_find(names, pep_span_of(v->u.string, v->size));
}

static int note_ids(struct build *b)
{
    const struct pep_policy *policy = b->policy;
    const struct pep_value *scopes = pep_subject_get(b->s, PEP_NAME_SCOPES);
    uint64_t *bits = new_bits(b, policy->scopes.count);
    if (bits == NULL)
        return no_memory(b);
    for (uint32_t i = 0; scopes != NULL && scopes->kind == PEP_V_LIST && i < scopes->size; i++) {
        uint32_t id = id_of(&policy->scopes, &scopes->u.items[i]);
        if (id != PEP_NONE)
            bits[id >> 6] |= (uint64_t)1 << (id & 63);
    }
    b->s->scopes = bits;
    b->s->client = id_of(&policy->clients, pep_subject_get(b->s, PEP_NAME_CLIENT));
    b->s->issuer = id_of(&policy->issuer_names, pep_subject_get(b->s, PEP_NAME_ISSUER));
    return close_roles(b);
}

/* ---- for records ---- */

/* What records carry of this subject, as JSON, once for all its decisions. Long values are left
 * out: they are written when needed. */
static int write_json(struct build *b)
{
    struct pep_subject *s = b->s;
    uint8_t storage[JSON_KEPT + 1];
    struct pep_span *json = pep_pool_get(&s->pool, (s->count + 1) * sizeof(*json));
    if (json == NULL)
        return no_memory(b);
    for (uint32_t i = 0; i < s->count; i++) {
        struct pep_buffer text = pep_buffer_over(storage, sizeof(storage));
        if (s->names[i] == PEP_NONE || !pep_bit(b->policy->recorded, s->names[i]))
            continue;
        pep_put_json_value(&text, &s->values[i]);
        if (text.failed)
            continue;
        const char *copy = pep_pool_copy(&s->pool, text.data, text.size);
        if (copy == NULL)
            return no_memory(b);
        json[i] = pep_span_of(copy, text.size);
    }
    s->json = json;
    return PEP_OK;
}

/* ---- building ---- */

static int project(struct build *b, const struct pep_issuer *issuer)
{
    int rc = PEP_OK;
    for (size_t i = 0; rc == PEP_OK && i < b->policy->schema.claim_count; i++)
        rc = declared_claim(b, &b->policy->schema.claims[i]);
    if (rc == PEP_OK)
        rc = usual_claims(b);
    if (rc == PEP_OK && !b->policy->schema.has_claims)
        rc = other_claims(b);
    const char *name = rc != PEP_OK ? NULL : pep_claim_not_granted(b->s, b->claims, issuer);
    if (name != NULL)
        rc = refuse(b, PEP_JWT_ASSERTION, "is not granted to this issuer", name);
    if (rc == PEP_OK)
        rc = note_ids(b);
    return rc == PEP_OK ? write_json(b) : rc;
}

static int build_subject(const struct pep_policy *policy, const json_t *claims,
                         const struct pep_issuer *issuer, struct pep_subject **ret, struct build *b)
{
    struct pep_subject *s = calloc(1, sizeof(*s));
    *b = (struct build){.policy = policy, .s = s, .claims = claims, .err = b->err};
    if (s == NULL)
        return no_memory(b);
    static atomic_uint_fast64_t serials;
    s->policy = policy;
    s->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
    size_t wanted = policy->schema.claim_count + 8 + json_object_size(claims);
    b->capacity = wanted > CLAIMS_MAX ? CLAIMS_MAX : (uint32_t)wanted;
    b->names = pep_pool_get(&s->pool, b->capacity * sizeof(*b->names));
    b->texts = pep_pool_get(&s->pool, b->capacity * sizeof(*b->texts));
    b->values = pep_pool_get(&s->pool, b->capacity * sizeof(*b->values));
    s->names = b->names;
    s->texts = b->texts;
    s->values = b->values;
    bool room = b->names != NULL && b->texts != NULL && b->values != NULL;
    int rc = room ? project(b, issuer) : no_memory(b);
    if (rc != PEP_OK) {
        pep_subject_free(s);
        return rc;
    }
    *ret = s;
    return PEP_OK;
}

int pep_subject_new(const struct pep_policy *policy, const struct pep_jwt *jwt,
                    struct pep_subject **ret, enum pep_jwt_reason *ret_reason,
                    struct pep_error *err)
{
    struct build b = {.err = err};
    int rc = build_subject(policy, pep_jwt_claims(jwt), pep_jwt_issuer(jwt), ret, &b);
    if (rc != PEP_OK && ret_reason != NULL)
        *ret_reason = b.reason;
    return rc;
}

int pep_subject_from_claims(const struct pep_policy *policy, const json_t *claims,
                            struct pep_subject **ret, struct pep_error *err)
{
    struct build b = {.err = err};
    if (!json_is_object(claims))
        return pep_error_set(err, PEP_ETOKEN, "the claims must be a JSON object");
    return build_subject(policy, claims, NULL, ret, &b);
}

void pep_subject_free(struct pep_subject *subject)
{
    if (subject == NULL)
        return;
    pep_pool_free(&subject->pool);
    free(subject);
}

uint32_t pep_subject_dropped_roles(const struct pep_subject *subject)
{
    return subject->dropped_roles;
}

const char *pep_subject_id(const struct pep_subject *subject)
{
    const struct pep_value *v = subject == NULL ? NULL : pep_subject_get(subject, PEP_NAME_ID);
    return v != NULL && v->kind == PEP_V_STRING ? v->u.string : "";
}
