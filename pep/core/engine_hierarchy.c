/*
 * Closing the schema, and looking things up in it. Once schema.lua has run, the roles that each
 * role includes, through others too, are written out, so that a decision only tests bits.
 *
 * A hierarchy of n roles can have n * n such pairs and take n * n * n steps to find them, so the
 * steps are counted over all roles; people's hierarchies take a few thousand. Rejected: bits per
 * role, which would make the same bound in memory alone.
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

struct closing {
    struct pep_policy *policy;
    struct pep_diags *diags;
    uint32_t *room;  /* what the role includes so far, itself first */
    uint32_t *seen;  /* by role: the last one, plus 1, that was found to include it */
    size_t included; /* in all, each time that one is looked at */
    unsigned mistakes;
    bool starved;
};

static void close_role(struct closing *c, uint32_t id)
{
    struct pep_schema *schema = &c->policy->schema;
    size_t n = 1;
    c->room[0] = id;
    c->seen[id] = id + 1;
    for (size_t i = 0; i < n && c->included <= PEP_INCLUDED_MAX; i++) {
        const struct pep_schema_role *r = &schema->roles[c->room[i]];
        c->included += r->inherit_count + 1;
        for (size_t k = 0; k < r->inherit_count; k++) {
            uint32_t below = r->inherits[k];
            if (below < schema->role_count && c->seen[below] != id + 1) {
                c->seen[below] = id + 1;
                c->room[n++] = below;
            }
        }
    }
    uint32_t *closure = pep_pool_get(&c->policy->pool, n * sizeof(*closure));
    c->starved = c->starved || closure == NULL;
    if (closure == NULL)
        return;
    memcpy(closure, c->room, n * sizeof(*closure));
    schema->roles[id].closure = closure;
    schema->roles[id].closure_count = n;
}

static void check_inherits(struct closing *c, uint32_t id)
{
    const struct pep_policy *policy = c->policy;
    const struct pep_schema_role *r = &policy->schema.roles[id];
    for (size_t k = 0; k < r->inherit_count && c->mistakes < PEP_MISTAKES_MAX; k++) {
        uint32_t below = r->inherits[k];
        if (below < policy->schema.role_count && policy->schema.roles[below].declared)
            continue;
        c->mistakes++;
        pep_diag_add(c->diags, "E112", "schema.lua", r->line, "declare it: viewer = {}",
                     "role `%s` includes `%s`, which is not declared", policy->roles.texts[id],
                     policy->roles.texts[below]);
    }
}

static void close_roles(struct closing *c)
{
    const struct pep_schema *schema = &c->policy->schema;
    for (uint32_t id = 0; id < schema->role_count && !c->starved; id++) {
        if (!schema->roles[id].declared)
            continue;
        check_inherits(c, id);
        close_role(c, id);
        if (c->included <= PEP_INCLUDED_MAX)
            continue;
        pep_diag_add(c->diags, "E212", "schema.lua", schema->roles[id].line,
                     "let roles include fewer others",
                     "the roles include one another in more than %d ways, through others too",
                     PEP_INCLUDED_MAX);
        return;
    }
}

int pep_schema_close(struct pep_policy *policy, struct pep_diags *diags)
{
    struct pep_schema *schema = &policy->schema;
    size_t errors = diags->errors, n = schema->role_count;
    for (size_t i = 0; i < policy->source_count; i++)
        schema->present = schema->present || policy->sources[i].kind == PEP_SOURCE_SCHEMA;
    struct closing c = {.policy = policy,
                        .diags = diags,
                        .room = malloc((n + 1) * sizeof(*c.room)),
                        .seen = calloc(n + 1, sizeof(*c.seen))};
    c.starved = c.room == NULL || c.seen == NULL;
    close_roles(&c);
    free(c.room);
    free(c.seen);
    if (c.starved)
        return PEP_ENOMEM;
    return diags->errors == errors ? PEP_OK : PEP_EPOLICY;
}

/* ---- looking up ---- */

const struct pep_resource_type *pep_schema_type(const struct pep_policy *policy, uint32_t type)
{
    static const struct pep_resource_type nothing;
    if (!policy->schema.has_types)
        return &nothing;
    if (type >= policy->schema.type_count || !policy->schema.types[type].declared)
        return NULL;
    return &policy->schema.types[type];
}

bool pep_schema_has_action(const struct pep_resource_type *type, uint32_t action)
{
    for (size_t i = 0; i < type->action_count; i++) {
        if (type->actions[i] == action)
            return true;
    }
    return false;
}

bool pep_type_declares(const struct pep_resource_type *type, uint32_t name)
{
    if (name == PEP_NAME_ID || name == PEP_NAME_TYPE)
        return true;
    for (size_t i = 0; i < type->segment_count; i++) {
        if (type->segments[i] == name)
            return true;
    }
    for (size_t i = 0; i < type->attribute_count; i++) {
        if (type->attributes[i].name == name)
            return true;
    }
    return false;
}
