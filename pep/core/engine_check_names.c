/*
 * Names inside functions, against the schema. Which names a rule's function reads, the engine knows
 * from the bytecode; this file asks whether the schema declares them, and finds the line to point
 * at.
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

static bool type_covered(const struct pep_rule *r, uint32_t type)
{
    for (uint32_t i = 0; !r->every_type && i < r->pattern_count; i++) {
        if (r->patterns[i].type == type)
            return true;
    }
    return r->every_type;
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

/* ---- where it is ---- */

static const struct pep_source *source_of(const struct pep_policy *p, const char *path)
{
    for (size_t i = 0; i < p->source_count; i++) {
        if (strcmp(p->sources[i].path, path) == 0)
            return &p->sources[i];
    }
    return NULL;
}

/* The function that stands inside the rule's table: the first one that begins at or behind the
 * rule's line and before the next rule of the file; SIZE_MAX if it was named elsewhere. */
static size_t function_of(const struct pep_policy *p, const struct pep_rule *r,
                          const struct pep_source *source)
{
    size_t best = SIZE_MAX;
    int next = INT32_MAX;
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct pep_rule *other = &p->rules[i];
        if (strcmp(other->file, r->file) == 0 && other->line > r->line && other->line < next)
            next = other->line;
    }
    for (size_t i = 0; i < pep_chunk_function_count(source->chunk); i++) {
        const struct pep_chunk_function *f = pep_chunk_function(source->chunk, i);
        bool inside = f->parent == 0 && f->line >= r->line && f->line < next;
        if (inside && (best == SIZE_MAX || f->line < pep_chunk_function(source->chunk, best)->line))
            best = i;
    }
    return best;
}

static int line_of(const struct pep_policy *p, const struct pep_rule *r, const char *name)
{
    const struct pep_source *source = source_of(p, r->file);
    size_t count, function;
    if (source == NULL || source->chunk == NULL ||
        (function = function_of(p, r, source)) == SIZE_MAX)
        return r->line;
    const struct pep_use *uses = pep_chunk_uses(source->chunk, &count);
    for (size_t i = 0; i < count; i++) {
        if (uses[i].kind == PEP_USE_FIELD && uses[i].function == function &&
            strcmp(uses[i].name, name) == 0)
            return uses[i].line;
    }
    return r->line;
}

/* ---- unknown names ---- */

static void unknown(const struct check *c, const struct pep_rule *r, const char *object,
                    const char *name, const struct name_set *known)
{
    char help[160] = "";
    const char *near = pep_did_you_mean(name, known->names, known->count);
    bool subject = strcmp(object, "sub") == 0;
    if (near != NULL)
        snprintf(help, sizeof(help), "did you mean `%s.%s`?", object, near);
    else
        snprintf(help, sizeof(help), "declare it in schema.lua, under `%s`",
                 subject ? "claims" : "attrs");
    pep_diag_add(c->diags, subject ? "E120" : "E121", r->file, line_of(c->policy, r, name), help,
                 "rule `%s`: the %s has no attribute `%s`", r->id, subject ? "subject" : "resource",
                 name);
}

static void check_reads(const struct check *c, const struct pep_rule *r)
{
    const struct pep_schema *schema = &c->policy->schema;
    struct name_set sub = {{NULL}, 0}, res = {{NULL}, 0};
    add_claims(c->policy, &sub);
    add_resource(c->policy, r, &res);
    for (size_t i = 0; i < r->reads.count; i++) {
        const char *name = r->reads.items[i];
        if (strncmp(name, "sub.", 4) == 0 && schema->has_claims && !set_has(&sub, name + 4))
            unknown(c, r, "sub", name + 4, &sub);
        else if (strncmp(name, "res.", 4) == 0 && schema->has_types && !set_has(&res, name + 4))
            unknown(c, r, "res", name + 4, &res);
    }
}

/* ---- `==` of two values that may both be absent ---- */

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

static bool always_present(const struct pep_policy *p, const struct pep_rule *r, uint8_t param,
                           const char *name)
{
    if (param == PEP_OBJECT_SUB)
        return claim_present(p, name);
    if (param == PEP_OBJECT_RES)
        return resource_present(p, r, name);
    return strcmp(name, "now") == 0 || strcmp(name, "action") == 0;
}

static void check_equal(const struct check *c, const struct pep_rule *r, const struct pep_use *u)
{
    static const char *const objects[] = {"sub", "res", "ctx"};
    char help[320], a[128], b[128];
    if (u->param >= PEP_OBJECTS || u->other_param >= PEP_OBJECTS || u->other == NULL ||
        always_present(c->policy, r, u->param, u->name) ||
        always_present(c->policy, r, u->other_param, u->other))
        return;
    snprintf(a, sizeof(a), "%s.%.100s", objects[u->param], u->name);
    snprintf(b, sizeof(b), "%s.%.100s", objects[u->other_param], u->other);
    snprintf(help, sizeof(help), "use same(%.110s, %.110s), which is false when either is absent",
             a, b);
    pep_diag_add(c->diags, "W310", r->file, u->line, help,
                 "rule `%s`: `%s == %s` is true when both are absent", r->id, a, b);
}

static void check_equals(const struct check *c, const struct pep_rule *r)
{
    const struct pep_source *source = source_of(c->policy, r->file);
    size_t count, function;
    if (source == NULL || source->chunk == NULL ||
        (function = function_of(c->policy, r, source)) == SIZE_MAX)
        return;
    const struct pep_use *uses = pep_chunk_uses(source->chunk, &count);
    for (size_t i = 0; i < count; i++) {
        if (uses[i].kind == PEP_USE_EQUAL && uses[i].function == function)
            check_equal(c, r, &uses[i]);
    }
}

void check_attributes(const struct check *c)
{
    for (size_t i = 0; i < c->policy->rule_count; i++) {
        const struct pep_rule *r = &c->policy->rules[i];
        if (r->function == 0)
            continue;
        check_reads(c, r);
        check_equals(c, r);
    }
}
