/*
 * The index: (resource type, action) -> candidates in evaluation order.
 *
 * Wildcards are merged in at load, so that a decision makes one lookup and walks one list. With a
 * schema there is a bucket for each declared pair. Without one there are buckets for the pairs that
 * rules name, and lookups fall back from (type, action) to (type, any), (any, action), (any, any);
 * where rules of the two middle kinds exist for a pair, the pair gets a bucket of its own, so that
 * the first hit is always the whole answer.
 *
 * Where many candidates of one bucket name roles, the bucket also lists them by role, see
 * engine_pick.c. Rejected: a decision tree over all head parts, whose build time and memory are
 * hard to bound.
 */
#include "engine_pick.h"

#include <stdlib.h>
#include <string.h>

#define BY_ROLE_FROM 32 /* candidates; below, walking is as fast */

struct entry {
    uint64_t key;
    uint32_t rule;
};
struct build {
    struct pep_policy *policy;
    struct entry *entries; /* what rules say literally; PEP_NONE stands for any */
    size_t entry_count, entry_capacity;
    uint64_t *pairs; /* buckets to make */
    size_t pair_count, pair_capacity;
    size_t total;
    bool failed, too_large;
};

static uint64_t key_of(uint32_t type, uint32_t action)
{
    return (uint64_t)type << 32 | action;
}

static void add_entry(struct build *b, uint64_t key, uint32_t rule)
{
    if (b->entry_count == b->entry_capacity) {
        size_t capacity = b->entry_capacity == 0 ? 256 : b->entry_capacity * 2;
        b->too_large = b->too_large || capacity > PEP_ENTRIES_MAX * 2;
        struct entry *e =
            capacity > PEP_ENTRIES_MAX * 2 ? NULL : realloc(b->entries, capacity * sizeof(*e));
        if (e == NULL) {
            b->failed = true;
            return;
        }
        b->entries = e;
        b->entry_capacity = capacity;
    }
    b->entries[b->entry_count++] = (struct entry){key, rule};
}

static void add_pair(struct build *b, uint64_t key)
{
    if (b->pair_count == b->pair_capacity) {
        size_t capacity = b->pair_capacity == 0 ? 256 : b->pair_capacity * 2;
        b->too_large = b->too_large || capacity > PEP_ENTRIES_MAX;
        uint64_t *p = capacity > PEP_ENTRIES_MAX ? NULL : realloc(b->pairs, capacity * sizeof(*p));
        if (p == NULL) {
            b->failed = true;
            return;
        }
        b->pairs = p;
        b->pair_capacity = capacity;
    }
    b->pairs[b->pair_count++] = key;
}

static void add_actions(struct build *b, uint32_t type, const struct pep_rule *rule, uint32_t i)
{
    if (rule->every_action)
        add_entry(b, key_of(type, PEP_NONE), i);
    for (uint32_t k = 0; !rule->every_action && k < rule->actions.count; k++)
        add_entry(b, key_of(type, rule->actions.ids[k]), i);
}

static void add_literals(struct build *b)
{
    for (uint32_t i = 0; i < b->policy->rule_count && !b->failed; i++) {
        const struct pep_rule *rule = &b->policy->rules[i];
        if (rule->every_type)
            add_actions(b, PEP_NONE, rule, i);
        for (uint32_t k = 0; !rule->every_type && k < rule->pattern_count; k++)
            add_actions(b, rule->patterns[k].type, rule, i);
    }
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The first entry with this key, or the end. */
static size_t find_entries(const struct build *b, uint64_t key)
{
    size_t low = 0, high = b->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->entries[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- which buckets there are ---- */

static void declared_pairs(struct build *b)
{
    const struct pep_schema *schema = &b->policy->schema;
    for (uint32_t t = 0; t < schema->type_count && t < b->policy->types.count; t++) {
        const struct pep_resource_type *type = &schema->types[t];
        for (size_t k = 0; type->declared && k < type->action_count; k++)
            add_pair(b, key_of(t, type->actions[k]));
    }
}

/* The actions that rules for any type name, each once, copied to *ret. */
static size_t actions_of_any(struct build *b, uint32_t **ret)
{
    size_t from = find_entries(b, key_of(PEP_NONE, 0)), n = 0;
    *ret = malloc((b->entry_count - from + 1) * sizeof(**ret));
    if (*ret == NULL) {
        b->failed = true;
        return 0;
    }
    for (size_t k = from; k < b->entry_count; k++) {
        uint32_t action = (uint32_t)b->entries[k].key;
        if (action != PEP_NONE && (n == 0 || (*ret)[n - 1] != action))
            (*ret)[n++] = action;
    }
    return n;
}

static void named_pairs(struct build *b)
{
    size_t n = b->entry_count;
    uint32_t *actions;
    size_t action_count = actions_of_any(b, &actions);
    add_pair(b, key_of(PEP_NONE, PEP_NONE));
    uint64_t last = 0;
    for (size_t i = 0; i < n && !b->failed; i++) {
        uint64_t key = b->entries[i].key;
        bool again = i > 0 && key == last;
        last = key;
        if (again)
            continue;
        add_pair(b, key);
        if ((uint32_t)key != PEP_NONE || key >> 32 == PEP_NONE)
            continue;
        /* (type, any) meets every (any, action) */
        for (size_t k = 0; k < action_count && !b->failed; k++)
            add_pair(b, key_of((uint32_t)(key >> 32), actions[k]));
    }
    free(actions);
}

static void sort_pairs(struct build *b)
{
    if (b->pair_count == 0)
        return;
    qsort(b->pairs, b->pair_count, sizeof(*b->pairs), compare_keys);
    size_t n = 1;
    for (size_t i = 1; i < b->pair_count; i++) {
        if (b->pairs[i] != b->pairs[n - 1])
            b->pairs[n++] = b->pairs[i];
    }
    b->pair_count = n;
}

/* ---- one bucket ---- */

/* Merges the literal lists that cover the pair. Counts only, if `out` is NULL. */
static uint32_t merge(const struct build *b, uint32_t type, uint32_t action, uint32_t *out)
{
    uint64_t keys[4] = {key_of(type, action), key_of(type, PEP_NONE), key_of(PEP_NONE, action),
                        key_of(PEP_NONE, PEP_NONE)};
    size_t at[4];
    uint32_t n = 0;
    for (int i = 0; i < 4; i++)
        at[i] = find_entries(b, keys[i]);
    for (;;) {
        uint32_t best = PEP_NONE;
        for (int i = 0; i < 4; i++) {
            if (at[i] < b->entry_count && b->entries[at[i]].key == keys[i] &&
                b->entries[at[i]].rule < best)
                best = b->entries[at[i]].rule;
        }
        if (best == PEP_NONE)
            return n;
        for (int i = 0; i < 4; i++) {
            while (at[i] < b->entry_count && b->entries[at[i]].key == keys[i] &&
                   b->entries[at[i]].rule == best)
                at[i]++;
        }
        if (out != NULL)
            out[n] = best;
        n++;
    }
}

static bool roles_pay(const struct pep_policy *policy, const struct pep_bucket *bucket,
                      size_t *ret_names)
{
    size_t with = 0, names = 0;
    for (uint32_t i = 0; i < bucket->count; i++) {
        const struct pep_rule *rule = &policy->rules[bucket->rules[i]];
        with += rule->roles.count > 0;
        names += rule->roles.count;
    }
    *ret_names = names;
    return bucket->count >= BY_ROLE_FROM && with >= bucket->count / 2 &&
           names <= (size_t)bucket->count * 8;
}

static bool fill_bucket(struct build *b, struct pep_bucket *bucket, uint64_t pair)
{
    struct pep_policy *policy = b->policy;
    size_t names;
    bucket->type = (uint32_t)(pair >> 32);
    bucket->action = (uint32_t)pair;
    bucket->count = merge(b, bucket->type, bucket->action, NULL);
    b->total += bucket->count + 1;
    if (b->total > PEP_ENTRIES_MAX) {
        b->too_large = true;
        return false;
    }
    bucket->rules = pep_pool_get(&policy->pool, bucket->count * sizeof(*bucket->rules));
    if (bucket->rules == NULL)
        return false;
    merge(b, bucket->type, bucket->action, bucket->rules);
    if (!roles_pay(policy, bucket, &names))
        return true;
    b->total += names;
    return pep_bucket_list_roles(policy, bucket, names);
}

/* ---- the table ---- */

static bool fill_table(struct build *b)
{
    struct pep_index *index = &b->policy->index;
    uint32_t capacity = 16;
    while (capacity < b->pair_count * 2)
        capacity *= 2;
    index->mask = capacity - 1;
    index->slots = pep_pool_get(&b->policy->pool, capacity * sizeof(*index->slots));
    index->buckets = pep_pool_get(&b->policy->pool, b->pair_count * sizeof(*index->buckets));
    if (index->slots == NULL || index->buckets == NULL)
        return false;
    for (size_t i = 0; i < b->pair_count; i++) {
        if (!fill_bucket(b, &index->buckets[i], b->pairs[i]))
            return false;
        uint32_t at = pep_hash_key(b->pairs[i]) & index->mask;
        while (index->slots[at] != 0)
            at = (at + 1) & index->mask;
        index->slots[at] = (uint32_t)i + 1;
        index->bucket_count++;
    }
    return true;
}

int pep_index_build(struct pep_policy *policy, struct pep_diags *diags, struct pep_error *err)
{
    if (!pep_briefs_build(policy))
        return pep_error_set(err, PEP_ENOMEM, "no memory for the index of rules");
    struct build b = {.policy = policy};
    add_literals(&b);
    if (b.entry_count > 0 && !b.failed)
        qsort(b.entries, b.entry_count, sizeof(*b.entries), compare_entries);
    if (!b.failed && policy->schema.has_types)
        declared_pairs(&b);
    else if (!b.failed)
        named_pairs(&b);
    if (!b.failed)
        sort_pairs(&b);
    bool ok = !b.failed && fill_table(&b);
    free(b.entries);
    free(b.pairs);
    if (ok)
        return PEP_OK;
    if (!b.too_large)
        return pep_error_set(err, PEP_ENOMEM, "no memory for the index of rules");
    pep_diag_add(diags, "E215", NULL, 0, "name types and actions instead of \"*\"",
                 "the rules and wildcards make more than %d candidates, by type, action and role",
                 PEP_ENTRIES_MAX);
    return PEP_EPOLICY;
}

/* ---- deciding ---- */

static const struct pep_bucket *find(const struct pep_index *index, uint32_t type, uint32_t action)
{
    uint64_t key = key_of(type, action);
    for (uint32_t at = pep_hash_key(key) & index->mask; index->slots[at] != 0;
         at = (at + 1) & index->mask) {
        const struct pep_bucket *b = &index->buckets[index->slots[at] - 1];
        if (b->type == type && b->action == action)
            return b;
    }
    return NULL;
}

const struct pep_bucket *pep_index_find(const struct pep_index *index, uint32_t type,
                                        uint32_t action)
{
    const struct pep_bucket *b = find(index, type, action);
    if (b == NULL)
        b = find(index, type, PEP_NONE);
    if (b == NULL)
        b = find(index, PEP_NONE, action);
    return b != NULL ? b : find(index, PEP_NONE, PEP_NONE);
}
