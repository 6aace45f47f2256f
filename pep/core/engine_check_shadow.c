/*
 * Rules that another rule makes pointless: an allow rule A is shadowed by an allow rule B if B has
 * no function and no obligation, and applies wherever A's head holds. Only heads are compared, so
 * what is reported is certain; a rule that is shadowed in fact, by its condition, is not found.
 *
 * Denies and challenges are not looked at: a second deny changes the reason that a caller sees.
 */
#include "engine_check_internal.h"

#include <string.h>

/* "any of": nothing named means everybody; else every name of `a` must be in `b`. */
static bool any_within(const struct pep_ids *a, const struct pep_ids *b)
{
    if (b->count == 0)
        return true;
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t k = 0;
        while (k < b->count && b->ids[k] != a->ids[i])
            k++;
        if (k == b->count)
            return false;
    }
    return a->count > 0;
}

/* The same for roles: whoever has a role of `a` has, through it, one of `b`. */
static bool role_within(const struct pep_policy *p, uint32_t role, const struct pep_ids *b)
{
    const struct pep_schema_role *r = role < p->schema.role_count ? &p->schema.roles[role] : NULL;
    for (uint32_t k = 0; k < b->count; k++) {
        if (b->ids[k] == role)
            return true;
        for (size_t i = 0; r != NULL && i < r->closure_count; i++) {
            if (r->closure[i] == b->ids[k])
                return true;
        }
    }
    return false;
}

static bool roles_within(const struct pep_policy *p, const struct pep_ids *a,
                         const struct pep_ids *b)
{
    if (b->count == 0)
        return true;
    for (uint32_t i = 0; i < a->count; i++) {
        if (!role_within(p, a->ids[i], b))
            return false;
    }
    return a->count > 0;
}

/* "all of": what `b` asks for, `a` asks for, too. */
static bool all_within(const struct pep_ids *a, const struct pep_ids *b)
{
    for (uint32_t k = 0; k < b->count; k++) {
        uint32_t i = 0;
        while (i < a->count && a->ids[i] != b->ids[k])
            i++;
        if (i == a->count)
            return false;
    }
    return true;
}

static bool text_in(const struct pep_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

/* Each resource of `a` is written in `b` as well, or `b` has its whole type. */
static bool resources_within(const struct pep_rule *a, const struct pep_rule *b)
{
    if (b->every_type && b->every_id)
        return true;
    for (size_t i = 0; i < a->resource_texts.count; i++) {
        const char *text = a->resource_texts.items[i];
        char type[PEP_RESOURCE_MAX + 1];
        size_t n = strcspn(text, ":");
        if (n > PEP_RESOURCE_MAX)
            return false;
        memcpy(type, text, n);
        type[n] = '\0';
        if (!text_in(&b->resource_texts, text) && !text_in(&b->resource_texts, type))
            return false;
    }
    return a->resource_texts.count > 0;
}

static bool shadows(const struct pep_policy *p, const struct pep_rule *b, const struct pep_rule *a)
{
    if (a == b || b->function != 0 || b->oblige != NULL)
        return false;
    if (!b->every_action && (a->every_action || !any_within(&a->actions, &b->actions)))
        return false;
    if (a->every_type && !b->every_type)
        return false;
    return resources_within(a, b) && roles_within(p, &a->roles, &b->roles) &&
           all_within(&a->scopes, &b->scopes) && any_within(&a->clients, &b->clients) &&
           any_within(&a->issuers, &b->issuers) && all_within(&a->same, &b->same);
}

/* The rules among which a shadow of `a` is: those that are candidates where `a` first is. What is
 * for every type or action only another such rule can shadow: then all are looked at. */
static const uint32_t *rivals(const struct pep_policy *p, const struct pep_rule *a,
                              uint32_t *ret_count)
{
    const struct pep_bucket *bucket = NULL;
    if (!a->every_type && !a->every_action && a->pattern_count > 0 && a->actions.count > 0)
        bucket = pep_index_find(&p->index, a->patterns[0].type, a->actions.ids[0]);
    *ret_count = bucket == NULL ? (uint32_t)p->rule_count : bucket->count;
    return bucket == NULL ? NULL : bucket->rules;
}

static const struct pep_rule *shadow_of(const struct pep_policy *p, const struct pep_rule *a)
{
    uint32_t count;
    const uint32_t *list = rivals(p, a, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct pep_rule *b = &p->rules[list == NULL ? i : list[i]];
        if (b->effect != PEP_EFFECT_ALLOW || !shadows(p, b, a))
            continue;
        /* Of two equal rules the later id is the superfluous one. */
        if (shadows(p, a, b) && strcmp(a->id, b->id) < 0)
            continue;
        return b;
    }
    return NULL;
}

void check_shadowed(const struct check *c)
{
    const struct pep_policy *p = c->policy;
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct pep_rule *a = &p->rules[i];
        /* With advice or an obligation a rule says more than "allow". */
        if (a->effect != PEP_EFFECT_ALLOW || a->oblige != NULL || a->advice != NULL)
            continue;
        const struct pep_rule *b = shadow_of(p, a);
        if (b != NULL)
            pep_diag_add(c->diags, "W320", a->file, a->line, "delete it, or narrow the other one",
                         "allow `%s` changes nothing: wherever it applies, `%s` (%s:%d) allows "
                         "already",
                         a->id, b->id, b->file, b->line);
    }
}
