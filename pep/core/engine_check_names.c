/*
 * Names that code reads, against the schema: what `sub` and `res` may have for a rule, and what of
 * it is always there. Where the code reads them, engine_check_flow.c finds out.
 *
 * A name of `res` is an error only if no type that the rule covers declares it: a guard rail for
 * "*" may read what some types have. Names of `ctx` are the service's own and are not declared
 * anywhere.
 */
#include "engine_check_internal.h"

#include <stdio.h>
#include <string.h>

#define CANDIDATES_MAX 512

/* Names for a suggestion, and whether one of them is the word. */
struct name_set {
    const char *names[CANDIDATES_MAX];
    size_t count;
};

static void set_add(struct name_set *s, const char *name)
{
    if (s->count < CANDIDATES_MAX)
        s->names[s->count++] = name;
}

static bool set_has(const struct name_set *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->names[i], name) == 0)
            return true;
    }
    return false;
}

/* ---- what is declared ---- */

static void add_claims(const struct pep_policy *p, struct name_set *s)
{
    for (size_t i = 0; i < p->schema.claim_count; i++)
        set_add(s, check_name(&p->names, p->schema.claims[i].name));
    set_add(s, "token_roles");
}

static void add_type(const struct pep_policy *p, const struct pep_resource_type *t,
                     struct name_set *s)
{
    for (size_t i = 0; i < t->segment_count; i++)
        set_add(s, check_name(&p->names, t->segments[i]));
    for (size_t i = 0; i < t->attribute_count; i++)
        set_add(s, check_name(&p->names, t->attributes[i].name));
}

/* Without a rule: every type. */
static bool type_covered(const struct pep_rule *r, uint32_t type)
{
    for (uint32_t i = 0; r != NULL && !r->every_type && i < r->pattern_count; i++) {
        if (r->patterns[i].type == type)
            return true;
    }
    return r == NULL || r->every_type;
}

/* The names that `res` may have for some type that the rule covers. */
static void add_resource(const struct pep_policy *p, const struct pep_rule *r, struct name_set *s)
{
    set_add(s, "type");
    set_add(s, "id");
    for (uint32_t t = 0; t < p->schema.type_count; t++) {
        if (p->schema.types[t].declared && type_covered(r, t))
            add_type(p, &p->schema.types[t], s);
    }
}

static void add_object(const struct pep_policy *p, const struct pep_rule *r, enum pep_object object,
                       struct name_set *s)
{
    if (object == PEP_OBJECT_SUB)
        add_claims(p, s);
    else
        add_resource(p, r, s);
}

bool check_name_known(const struct pep_policy *p, const struct pep_rule *r, enum pep_object object,
                      const char *name)
{
    struct name_set s = {{NULL}, 0};
    if (object == PEP_OBJECT_CTX || (object == PEP_OBJECT_SUB && !p->schema.has_claims) ||
        (object == PEP_OBJECT_RES && !p->schema.has_types))
        return true;
    add_object(p, r, object, &s);
    return set_has(&s, name);
}

void check_name_help(const struct pep_policy *p, const struct pep_rule *r, enum pep_object object,
                     const char *name, char help[CHECK_HELP_MAX])
{
    struct name_set s = {{NULL}, 0};
    bool subject = object == PEP_OBJECT_SUB;
    add_object(p, r, object, &s);
    const char *near = pep_did_you_mean(name, s.names, s.count);
    if (near != NULL)
        snprintf(help, CHECK_HELP_MAX, "did you mean `%s.%s`?", subject ? "sub" : "res", near);
    else
        snprintf(help, CHECK_HELP_MAX, "declare it in schema.lua, under `%s`",
                 subject ? "claims" : "attrs");
}

/* ---- what is always there ---- */

static bool claim_present(const struct pep_policy *p, const char *name)
{
    for (size_t i = 0; i < p->schema.claim_count; i++) {
        if (strcmp(check_name(&p->names, p->schema.claims[i].name), name) == 0)
            return p->schema.claims[i].required;
    }
    return !p->schema.has_claims && strcmp(name, "id") == 0;
}

/* Always there for this type: its segments, and attributes that are not optional. */
static bool type_has(const struct pep_policy *p, const struct pep_resource_type *t,
                     const char *name)
{
    for (size_t i = 0; i < t->segment_count; i++) {
        if (strcmp(check_name(&p->names, t->segments[i]), name) == 0)
            return true;
    }
    for (size_t i = 0; i < t->attribute_count; i++) {
        if (strcmp(check_name(&p->names, t->attributes[i].name), name) == 0)
            return !t->attributes[i].optional;
    }
    return false;
}

static bool resource_present(const struct pep_policy *p, const struct pep_rule *r, const char *name)
{
    bool any = false;
    if (strcmp(name, "type") == 0 || strcmp(name, "id") == 0)
        return true;
    for (uint32_t t = 0; t < p->schema.type_count; t++) {
        if (!p->schema.types[t].declared || !type_covered(r, t))
            continue;
        if (!type_has(p, &p->schema.types[t], name))
            return false;
        any = true;
    }
    return any;
}

bool check_name_present(const struct pep_policy *p, const struct pep_rule *r,
                        enum pep_object object, const char *name)
{
    if (object == PEP_OBJECT_SUB)
        return claim_present(p, name);
    if (object == PEP_OBJECT_RES)
        return resource_present(p, r, name);
    return strcmp(name, "now") == 0 || strcmp(name, "action") == 0;
}
