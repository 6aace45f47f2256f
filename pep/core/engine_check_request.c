/*
 * What a request names that no rule can see: see engine_check.h. A service may pass what it likes,
 * and the engine drops what the schema does not declare; a person who types a request, or writes a
 * test, wants to hear of it.
 */
#include "engine_check_internal.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 256

struct known {
    const char *names[NAMES_MAX];
    size_t count;
};
struct telling {
    const struct pep_policy *policy;
    pep_check_stranger each;
    void *context;
};

static void add(struct known *k, const char *name)
{
    if (k->count < NAMES_MAX)
        k->names[k->count++] = name;
}

static bool has(const struct known *k, const char *name)
{
    for (size_t i = 0; i < k->count; i++) {
        if (strcmp(k->names[i], name) == 0)
            return true;
    }
    return false;
}

static void tell(const struct telling *t, enum pep_check_part part, const char *name,
                 const struct known *k, const char *of)
{
    char message[300];
    const char *near = pep_did_you_mean(name, k->names, k->count);
    static const char *const forms[] = {
        [PEP_CHECK_ATTRIBUTE] = "`%.64s` has no attribute `%.100s`, so no rule sees it",
        [PEP_CHECK_CLAIM] = "%s reads no claim `%.100s`, so no rule sees it",
        [PEP_CHECK_CONTEXT] = "%s reads ctx.%.100s"};
    snprintf(message, sizeof(message), forms[part], of, name);
    t->each(t->context, message, near);
}

/* ---- attributes ---- */

static void attributes(const struct telling *t, const char *resource, const json_t *attrs)
{
    const struct pep_policy *p = t->policy;
    struct known k = {{NULL}, 0};
    const char *key;
    json_t *value;
    uint32_t type = pep_names_find(&p->types, pep_span_of(resource, strcspn(resource, ":")));
    if (type >= p->schema.type_count || !p->schema.types[type].declared)
        return; /* the answer says so itself */
    const struct pep_resource_type *declared = &p->schema.types[type];
    for (size_t i = 0; i < declared->attribute_count; i++)
        add(&k, check_name(&p->names, declared->attributes[i].name));
    json_object_foreach((json_t *)attrs, key, value)
    {
        uint32_t name = pep_names_find(&p->names, pep_span_string(key));
        bool ours = name != PEP_NONE && pep_type_declares(declared, name);
        if (!ours && strcmp(key, "type") != 0 && strcmp(key, "id") != 0) /* these are refused */
            tell(t, PEP_CHECK_ATTRIBUTE, key, &k, check_name(&p->types, type));
    }
}

/* ---- claims ---- */

/* What tokens have for those who verify them. */
static const char *const registered[] = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf"};

/* The first part of a path, as "act" is of "act.sub". */
static bool leads_to(const struct known *k, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < k->count; i++) {
        if (strncmp(k->names[i], name, n) == 0 && k->names[i][n] == '.')
            return true;
    }
    return false;
}

static void claims(const struct telling *t, const json_t *object)
{
    const struct pep_schema *schema = &t->policy->schema;
    struct known k = {{NULL}, 0};
    const char *key;
    json_t *value;
    for (size_t i = 0; i < sizeof(registered) / sizeof(registered[0]); i++)
        add(&k, registered[i]);
    for (size_t i = 0; i < schema->claim_count; i++)
        add(&k, schema->claims[i].from);
    json_object_foreach((json_t *)object, key, value)
    {
        if (schema->has_claims && !has(&k, key) && !leads_to(&k, key))
            tell(t, PEP_CHECK_CLAIM, key, &k, "schema.lua");
    }
}

/* ---- context ---- */

/* Some function reads a field of this name from a parameter, or fields by computed names. */
static bool may_be_read(const struct pep_policy *p, const char *name, struct known *k)
{
    bool found = false;
    for (size_t i = 0; i < p->source_count; i++) {
        size_t count;
        const struct pep_use *uses = pep_chunk_uses(p->sources[i].chunk, &count);
        for (size_t n = 0; n < count; n++) {
            found = found || uses[n].kind == PEP_USE_DYNAMIC ||
                    (uses[n].kind == PEP_USE_FIELD && strcmp(uses[n].name, name) == 0);
            if (uses[n].kind == PEP_USE_FIELD && uses[n].param == PEP_OBJECT_CTX &&
                !has(k, uses[n].name))
                add(k, uses[n].name);
        }
    }
    return found;
}

static void context(const struct telling *t, const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        struct known k = {{NULL}, 0};
        if (!may_be_read(t->policy, key, &k))
            tell(t, PEP_CHECK_CONTEXT, key, &k, "no rule");
    }
}

void pep_check_request(const struct pep_policy *policy, enum pep_check_part part,
                       const char *resource, const json_t *object, pep_check_stranger each,
                       void *each_context)
{
    struct telling t = {policy, each, each_context};
    if (object == NULL)
        return;
    if (part == PEP_CHECK_ATTRIBUTE)
        attributes(&t, resource, object);
    else if (part == PEP_CHECK_CLAIM)
        claims(&t, object);
    else
        context(&t, object);
}
