/*
 * Which candidates a decision looks at, how little it reads of each, and whether a head holds.
 *
 * Ten thousand rules do not fit into a cache, so that a decision waits for each place that it has
 * to look at. Therefore of each rule there is a brief of half a cache line, with everything that
 * most heads ask and most answers say; the rule itself is read only where that is not enough. And
 * where many candidates of one bucket name roles, they are also filed by role: by hash, because
 * halving a thousand roles is ten places, and a role that one rule names leads to that rule at
 * once. So ten thousand rules on one action, each for another role, cost no more than ten.
 *
 * Briefs lie in the order of the rules, not copied into each list that names them: with wildcards a
 * rule stands in thousands of lists.
 */
#include "engine_pick.h"

#include <stdlib.h>
#include <string.h>

#define INSERT_MAX 24 /* candidates; above, sorting them takes qsort() */
#define FETCH_MAX  16 /* briefs to ask for at once */

/* ---- heads ---- */

static bool any_bit(const struct pep_ids *ids, const uint64_t *bits)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (pep_bit(bits, ids->ids[i]))
            return true;
    }
    return ids->count == 0;
}

static bool all_bits(const struct pep_ids *ids, const uint64_t *bits)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (!pep_bit(bits, ids->ids[i]))
            return false;
    }
    return true;
}

static bool one_of(const struct pep_ids *ids, uint32_t id)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (ids->ids[i] == id)
            return true;
    }
    return ids->count == 0;
}

static bool resource_matches(const struct pep_eval *e, const struct pep_rule *rule)
{
    for (uint32_t i = 0; i < rule->pattern_count; i++) {
        const struct pep_pattern *p = &rule->patterns[i];
        if ((p->type == PEP_NONE || p->type == e->type) && pep_pattern_matches(p, &e->resource))
            return true;
    }
    return false;
}

static bool same_holds(const struct pep_eval *e, const struct pep_ids *names)
{
    static const struct pep_span none;
    for (uint32_t i = 0; i < names->count; i++) {
        const struct pep_value *s = pep_subject_get(e->subject, names->ids[i]);
        const struct pep_value *r = pep_eval_get(e, PEP_OBJECT_RES, names->ids[i], none);
        if (!pep_value_same(s, r))
            return false;
    }
    return true;
}

enum pep_head_part pep_rule_head(const struct pep_eval *e, const struct pep_rule *rule)
{
    if (!rule->every_id && !resource_matches(e, rule))
        return PEP_HEAD_RESOURCE;
    if (!any_bit(&rule->roles, e->subject->roles))
        return PEP_HEAD_ROLES;
    if (!all_bits(&rule->scopes, e->subject->scopes))
        return PEP_HEAD_SCOPES;
    if (!one_of(&rule->clients, e->subject->client))
        return PEP_HEAD_CLIENTS;
    if (!one_of(&rule->issuers, e->subject->issuer))
        return PEP_HEAD_ISSUERS;
    return same_holds(e, &rule->same) ? PEP_HEAD_HOLDS : PEP_HEAD_SAME;
}

/* ---- briefs ---- */

/* The only id, or none; of several, the flag tells. */
static uint32_t only(const struct pep_ids *ids, uint8_t flag, uint8_t *flags)
{
    if (ids->count > 1)
        *flags |= flag;
    return ids->count == 1 ? ids->ids[0] : PEP_NONE;
}

static struct pep_brief brief_of(const struct pep_rule *r)
{
    uint8_t flags = 0;
    if (!r->every_id || r->clients.count > 0 || r->issuers.count > 0)
        flags |= PEP_BRIEF_HEAD;
    if (r->function != 0)
        flags |= PEP_BRIEF_FUNCTION;
    if (r->oblige_count > 0)
        flags |= PEP_BRIEF_OBLIGES;
    if (r->obligations != NULL || r->advice != NULL)
        flags |= PEP_BRIEF_SAYS;
    struct pep_brief b = {.id = r->id, .reason = r->reason, .effect = r->effect};
    b.role = only(&r->roles, PEP_BRIEF_ROLES, &flags);
    b.scope = only(&r->scopes, PEP_BRIEF_HEAD, &flags);
    b.same = only(&r->same, PEP_BRIEF_HEAD, &flags);
    b.flags = flags;
    return b;
}

/* Moves the ids together, ten to a cache line. */
static bool pack_ids(struct pep_policy *policy)
{
    size_t total = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        total += strlen(policy->rules[i].id) + 1;
    char *at = pep_pool_get(&policy->pool, total);
    if (at == NULL)
        return false;
    for (size_t i = 0; i < policy->rule_count; i++) {
        size_t size = strlen(policy->rules[i].id) + 1;
        memcpy(at, policy->rules[i].id, size);
        policy->rules[i].id = at;
        at += size;
    }
    return true;
}

bool pep_briefs_build(struct pep_policy *policy)
{
    size_t n = policy->rule_count;
    char *room = pep_pool_get(&policy->pool, (n + 1) * sizeof(struct pep_brief));
    if (room == NULL || !pack_ids(policy))
        return false;
    size_t over = (uintptr_t)room % sizeof(struct pep_brief);
    struct pep_brief *briefs = (void *)(over == 0 ? room : room + sizeof(*briefs) - over);
    for (size_t i = 0; i < n; i++)
        briefs[i] = brief_of(&policy->rules[i]);
    policy->briefs = briefs;
    return true;
}

bool pep_brief_holds(const struct pep_eval *e, uint32_t rule, bool by_role)
{
    static const struct pep_span none;
    const struct pep_brief *b = &e->policy->briefs[rule];
    if (!by_role && b->role != PEP_NONE && !pep_bit(e->subject->roles, b->role))
        return false;
    if (b->scope != PEP_NONE && !pep_bit(e->subject->scopes, b->scope))
        return false;
    if (b->same != PEP_NONE && !pep_value_same(pep_subject_get(e->subject, b->same),
                                               pep_eval_get(e, PEP_OBJECT_RES, b->same, none)))
        return false;
    unsigned more = by_role ? PEP_BRIEF_HEAD : PEP_BRIEF_HEAD | PEP_BRIEF_ROLES;
    return (b->flags & more) == 0 || pep_rule_head(e, &e->policy->rules[rule]) == PEP_HEAD_HOLDS;
}

/* ---- by role ---- */

struct named {
    uint32_t role, rule;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

/* Free slots for so many roles. */
static struct pep_role_slot *new_slots(struct pep_policy *policy, size_t roles, uint32_t *ret_mask)
{
    uint32_t capacity = 4;
    while (capacity < roles * 2)
        capacity *= 2;
    struct pep_role_slot *slots = pep_pool_get(&policy->pool, capacity * sizeof(*slots));
    for (uint32_t i = 0; slots != NULL && i < capacity; i++)
        slots[i].role = PEP_NONE;
    *ret_mask = capacity - 1;
    return slots;
}

static size_t count_roles(const struct named *names, size_t n)
{
    size_t roles = 0;
    for (size_t i = 0; i < n; i++)
        roles += i == 0 || names[i].role != names[i - 1].role;
    return roles;
}

/* Files what is sorted by role. */
static bool file_roles(struct pep_policy *policy, struct pep_bucket *bucket,
                       const struct named *names, size_t n)
{
    size_t roles = count_roles(names, n);
    uint32_t *lists = pep_pool_get(&policy->pool, (n + roles) * sizeof(*lists)), used = 0;
    struct pep_role_slot *slots = new_slots(policy, roles, &bucket->role_mask);
    if (lists == NULL || slots == NULL)
        return false;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && names[next].role == names[i].role;)
            next++;
        uint32_t at = pep_hash_key(names[i].role) & bucket->role_mask;
        while (slots[at].role != PEP_NONE)
            at = (at + 1) & bucket->role_mask;
        slots[at] = (struct pep_role_slot){names[i].role, names[i].rule};
        if (next - i == 1)
            continue;
        slots[at].at = PEP_ROLE_LIST | used;
        lists[used++] = (uint32_t)(next - i);
        for (size_t k = i; k < next; k++)
            lists[used++] = names[k].rule;
    }
    bucket->role_slots = slots;
    bucket->role_lists = lists;
    return true;
}

bool pep_bucket_list_roles(struct pep_policy *policy, struct pep_bucket *bucket, size_t names)
{
    struct named *room = malloc((names + 1) * sizeof(*room));
    uint32_t *none = pep_pool_get(&policy->pool, bucket->count * sizeof(*none)), without = 0;
    bool ok = room != NULL && none != NULL;
    size_t n = 0;
    for (uint32_t i = 0; ok && i < bucket->count; i++) {
        const struct pep_ids *roles = &policy->rules[bucket->rules[i]].roles;
        if (roles->count == 0)
            none[without++] = bucket->rules[i];
        for (uint32_t k = 0; k < roles->count; k++)
            room[n++] = (struct named){roles->ids[k], bucket->rules[i]};
    }
    if (ok && n > 1)
        qsort(room, n, sizeof(*room), compare_named);
    ok = ok && file_roles(policy, bucket, room, n);
    free(room);
    bucket->without_role = none;
    bucket->without_role_count = without;
    return ok;
}

/* ---- picking ---- */

static const struct pep_role_slot *find_role(const struct pep_bucket *bucket, uint32_t role)
{
    for (uint32_t at = pep_hash_key(role) & bucket->role_mask;
         bucket->role_slots[at].role != PEP_NONE; at = (at + 1) & bucket->role_mask) {
        if (bucket->role_slots[at].role == role)
            return &bucket->role_slots[at];
    }
    return NULL;
}

static int compare_rules(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort(uint32_t *rules, uint32_t n)
{
    if (n > INSERT_MAX) {
        qsort(rules, n, sizeof(*rules), compare_rules);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        uint32_t rule = rules[i], at = i;
        for (; at > 0 && rules[at - 1] > rule; at--)
            rules[at] = rules[at - 1];
        rules[at] = rule;
    }
}

/* Sorted, each once. */
static uint32_t unique(uint32_t *rules, uint32_t n)
{
    uint32_t kept = 0;
    sort(rules, n);
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || rules[kept - 1] != rules[i])
            rules[kept++] = rules[i];
    }
    return kept;
}

/* False if there are more than there is room for. */
static bool pick(const struct pep_bucket *bucket, const struct pep_subject *subject,
                 struct pep_picked *to)
{
    uint32_t n = bucket->without_role_count;
    if (bucket->role_slots == NULL || n > PEP_PICK_MAX)
        return false;
    if (n > 0)
        memcpy(to->room, bucket->without_role, n * sizeof(*to->room));
    for (uint32_t i = 0; i < subject->role_count; i++) {
        const struct pep_role_slot *slot = find_role(bucket, subject->role_ids[i]);
        if (slot == NULL)
            continue;
        bool many = (slot->at & PEP_ROLE_LIST) != 0;
        const uint32_t *list = many ? &bucket->role_lists[slot->at & ~PEP_ROLE_LIST] : NULL;
        uint32_t count = many ? list[0] : 1;
        if (count > PEP_PICK_MAX - n)
            return false;
        memcpy(to->room + n, many ? list + 1 : &slot->at, count * sizeof(*to->room));
        n += count;
    }
    to->count = unique(to->room, n);
    to->rules = to->room;
    return true;
}

void pep_bucket_pick(const struct pep_bucket *bucket, const struct pep_subject *subject,
                     struct pep_picked *ret)
{
    ret->by_role = pick(bucket, subject, ret);
    if (!ret->by_role) {
        ret->rules = bucket->rules;
        ret->count = bucket->count;
    }
    const struct pep_brief *briefs = subject->policy->briefs;
    for (uint32_t i = 0; i < ret->count && i < FETCH_MAX; i++)
        __builtin_prefetch(&briefs[ret->rules[i]]);
}
