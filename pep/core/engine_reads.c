/*
 * Which names the rules for one (type, action) can read, known at load: from heads, and from the
 * bytecode of functions (core/chunk). Decision records carry their values, so that a decision can
 * be replayed against another policy.
 *
 * A function that hands `sub` on to a module may read there whatever any function of the bundle
 * reads from a parameter; that is what is recorded then. Rejected: noting reads while deciding,
 * which costs every decision, and misses what another policy would read.
 */
#include "engine_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILLS_MAX    64
#define STRAIGHT_MAX 100 /* instructions that are charged as a whole, run or not */

static const char *const prefixes[PEP_OBJECTS] = {"sub.", "res.", "ctx."};
_Static_assert(PEP_OBJECTS == 3, "their first letters tell them apart");

/* The id of "sub.name" in policy->reads. */
static uint32_t intern(struct pep_policy *policy, int object, const char *name)
{
    char text[300];
    int n = snprintf(text, sizeof(text), "%s%s", prefixes[object], name);
    if (n < 0 || (size_t)n >= sizeof(text))
        return PEP_NONE;
    return pep_names_add(&policy->reads, &policy->pool, pep_span_of(text, (size_t)n));
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds to a growing set of ids; false without memory. */
struct set {
    uint32_t *ids;
    uint32_t count;
    unsigned char *seen;
    uint32_t seen_size;
};

static bool add(struct set *s, uint32_t id)
{
    if (id == PEP_NONE)
        return true;
    if (id >= s->seen_size) {
        uint32_t size = id < 128 ? 256 : id * 2;
        uint32_t *ids = realloc(s->ids, size * sizeof(*ids));
        if (ids == NULL)
            return false;
        s->ids = ids;
        unsigned char *seen = realloc(s->seen, size);
        if (seen == NULL)
            return false;
        memset(seen + s->seen_size, 0, size - s->seen_size);
        s->seen = seen;
        s->seen_size = size;
    }
    if (!s->seen[id])
        s->ids[s->count++] = id;
    s->seen[id] = 1;
    return true;
}

static void clear(struct set *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        s->seen[s->ids[i]] = 0;
    s->count = 0;
}

/* The set's texts, sorted, in the pool. */
static const char *const *texts_of(struct pep_policy *policy, const struct set *s)
{
    const char **texts = pep_pool_get(&policy->pool, (s->count + 1) * sizeof(*texts));
    for (uint32_t i = 0; texts != NULL && i < s->count; i++)
        texts[i] = policy->reads.texts[s->ids[i]];
    if (texts != NULL && s->count > 1)
        qsort(texts, s->count, sizeof(*texts), compare_texts);
    return texts;
}

/* Whether the function only reads constant fields of its parameters; and which. */
static bool note_fills(struct pep_policy *policy, struct pep_rule *rule,
                       const struct pep_chunk *chunk, uint32_t function)
{
    size_t count;
    const struct pep_use *uses = pep_chunk_uses_of(chunk, function, &count);
    size_t room = count < FILLS_MAX ? count + 1 : FILLS_MAX;
    struct pep_read *fills = pep_pool_get(&policy->pool, room * sizeof(*fills));
    const struct pep_chunk_function *f = pep_chunk_function(chunk, function);
    bool plain = !policy->author && !f->variadic;
    if (fills == NULL)
        return false;
    for (size_t i = 0; plain && i < count; i++) {
        const struct pep_use *u = &uses[i];
        bool ours = u->function == function && u->param < PEP_OBJECTS;
        if (ours && u->kind == PEP_USE_FIELD) {
            struct pep_read r = {
                u->param, pep_names_add(&policy->names, &policy->pool, pep_span_string(u->name))};
            uint32_t k = 0;
            while (k < rule->fill_count && (fills[k].object != r.object || fills[k].name != r.name))
                k++;
            if (r.name == PEP_NONE)
                return false;
            if (k == FILLS_MAX) /* so many are read faster one by one, and none in vain */
                plain = false;
            else if (k == rule->fill_count)
                fills[rule->fill_count++] = r;
        }
        plain = plain && (!ours || (u->kind != PEP_USE_DYNAMIC && u->kind != PEP_USE_ESCAPE &&
                                    u->kind != PEP_USE_WRITE));
    }
    rule->steps = f->straight && f->instructions <= STRAIGHT_MAX ? (uint8_t)f->instructions : 0;
    rule->function_size = f->instructions;
    rule->fills = fills;
    rule->plain = plain;
    return pep_native_read(policy, rule, chunk, function);
}

static int read_names(struct pep_policy *policy, struct pep_rule *rule,
                      const struct pep_chunk *chunk, uint32_t function)
{
    size_t count;
    const struct pep_use *uses = pep_chunk_uses_of(chunk, function, &count);
    struct set s = {NULL, 0, NULL, 0};
    bool ok = note_fills(policy, rule, chunk, function);
    for (size_t i = 0; ok && i < count; i++) {
        const struct pep_use *u = &uses[i];
        if (u->function != function || u->param >= PEP_OBJECTS)
            continue;
        if (u->kind == PEP_USE_FIELD)
            ok = add(&s, intern(policy, u->param, u->name));
        else if (u->kind == PEP_USE_DYNAMIC || u->kind == PEP_USE_ESCAPE)
            rule->reads_any |= (uint8_t)(1u << u->param);
    }
    const char *const *texts = ok ? texts_of(policy, &s) : NULL;
    if (texts != NULL)
        rule->reads = (struct pep_strings){texts, s.count};
    free(s.ids);
    free(s.seen);
    return texts == NULL ? PEP_ENOMEM : PEP_OK;
}

/* Where the function on top is written: in the rule's file, or in a module. NULL: not in a file. */
static const struct pep_source *note_place(const struct pep_policy *policy, struct pep_rule *rule,
                                           lua_State *L)
{
    lua_Debug ar;
    lua_pushvalue(L, -1);
    if (lua_getinfo(L, ">S", &ar) == 0 || ar.source[0] != '@')
        return NULL;
    const struct pep_source *s = pep_source_at(policy, pep_span_string(ar.source + 1));
    rule->function_file = s == NULL ? NULL : s->path;
    rule->function_line = ar.linedefined;
    rule->function_last_line = ar.lastlinedefined;
    return s;
}

/* What was read for another rule of the same function. */
static void take_names(struct pep_rule *rule, const struct pep_rule *other)
{
    rule->reads = other->reads;
    rule->reads_any = other->reads_any;
    rule->fills = other->fills;
    rule->fill_count = other->fill_count;
    rule->plain = other->plain;
    rule->steps = other->steps;
    rule->native = other->native;
    rule->function_size = other->function_size;
}

static int write_function(lua_State *L, const void *data, size_t size, void *ud)
{
    (void)L;
    pep_put_bytes(ud, data, size);
    return ((struct pep_buffer *)ud)->failed;
}

/* Where several functions stand in one line, only the code itself says which one it is. Written out
 * again, so it is charged. */
static int read_dump(struct pep_policy *policy, struct pep_rule *rule, lua_State *L,
                     struct pep_error *err)
{
    struct pep_buffer dump = pep_buffer_of((size_t)16 * PEP_SOURCE_MAX);
    struct pep_chunk *chunk = NULL;
    lua_dump(L, write_function, &dump, 0);
    size_t size = dump.size;
    int rc = dump.failed ? PEP_ENOMEM : pep_chunk_read(pep_buffer_span(&dump), &chunk, err);
    if (rc == PEP_OK)
        rc = read_names(policy, rule, chunk, 0);
    pep_buffer_free(&dump);
    pep_chunk_free(chunk);
    pep_charge(L, size / 4);
    return rc;
}

int pep_rule_read_function(struct pep_loader *ld, struct pep_rule *rule, lua_State *L,
                           struct pep_error *err)
{
    struct pep_policy *policy = ld->policy;
    const struct pep_source *s = note_place(policy, rule, L);
    uint32_t f = s == NULL || s->chunk == NULL
                     ? PEP_CHUNK_NO_FUNCTION
                     : pep_chunk_find(s->chunk, rule->function_line, rule->function_last_line);
    if (f == PEP_CHUNK_NO_FUNCTION)
        return read_dump(policy, rule, L, err);
    uint32_t *by = &s->read_by[f];
    if (*by != 0) {
        take_names(rule, &ld->rules[*by - 1]);
        return PEP_OK;
    }
    *by = (uint32_t)(rule - ld->rules) + 1;
    return read_names(policy, rule, s->chunk, f);
}

/* ---- per rule ---- */

static bool add_head(struct pep_policy *policy, const struct pep_rule *rule, struct set *s)
{
    bool ok = true;
    if (rule->roles.count > 0)
        ok = add(s, intern(policy, PEP_OBJECT_SUB, "roles"));
    if (rule->scopes.count > 0)
        ok = ok && add(s, intern(policy, PEP_OBJECT_SUB, "scopes"));
    if (rule->clients.count > 0)
        ok = ok && add(s, intern(policy, PEP_OBJECT_SUB, "client"));
    if (rule->issuers.count > 0)
        ok = ok && add(s, intern(policy, PEP_OBJECT_SUB, "issuer"));
    for (uint32_t i = 0; ok && i < rule->same.count; i++) {
        const char *name = policy->names.texts[rule->same.ids[i]];
        ok = add(s, intern(policy, PEP_OBJECT_SUB, name)) &&
             add(s, intern(policy, PEP_OBJECT_RES, name));
    }
    for (size_t i = 0; ok && i < rule->reads.count; i++)
        ok = add(s, pep_names_find(&policy->reads, pep_span_string(rule->reads.items[i])));
    return ok;
}

/* The ids of what each rule reads: names are looked up once per rule, not once per candidate. */
struct rule_reads {
    const uint32_t *ids;
    uint32_t count;
};

/* ---- what functions may read that hand an object on ---- */

struct build {
    struct pep_policy *policy;
    struct pep_pool pool; /* ends with the build */
    struct set set;
    const struct rule_reads *rules;
    uint64_t *declared[PEP_OBJECTS];    /* bits by name: the object may have it */
    struct rule_reads any[PEP_OBJECTS]; /* ids NULL: not made yet */
    uint32_t *last;                     /* what the bucket before reads, unsorted */
    uint32_t last_count;
    size_t work; /* names added, for all buckets */
};

static void declare(struct build *b, enum pep_object object, uint32_t name)
{
    b->declared[object][name >> 6] |= (uint64_t)1 << (name & 63);
}

static bool declare_all(struct build *b)
{
    const struct pep_schema *schema = &b->policy->schema;
    size_t words = b->policy->names.count / 64 + 1;
    for (int o = 0; o < PEP_OBJECTS; o++) {
        b->declared[o] = pep_pool_get(&b->pool, words * sizeof(uint64_t));
        if (b->declared[o] == NULL)
            return false;
    }
    for (uint32_t n = 0; n < b->policy->names.count; n++) {
        if (n > PEP_NAME_TYPE || n == PEP_NAME_NOW)
            declare(b, PEP_OBJECT_CTX, n);
        if (!schema->has_claims || n <= PEP_NAME_ISSUER)
            declare(b, PEP_OBJECT_SUB, n);
        if (!schema->has_types || n == PEP_NAME_ID || n == PEP_NAME_TYPE)
            declare(b, PEP_OBJECT_RES, n);
    }
    for (size_t i = 0; i < schema->claim_count; i++)
        declare(b, PEP_OBJECT_SUB, schema->claims[i].name);
    for (uint32_t t = 0; t < schema->type_count; t++) {
        const struct pep_resource_type *type = &schema->types[t];
        for (size_t i = 0; i < type->segment_count; i++)
            declare(b, PEP_OBJECT_RES, type->segments[i]);
        for (size_t i = 0; i < type->attribute_count; i++)
            declare(b, PEP_OBJECT_RES, type->attributes[i].name);
    }
    return true;
}

/* The set's ids in the build's pool. */
static bool keep_ids(struct build *b, struct rule_reads *ret)
{
    uint32_t *ids = pep_pool_get(&b->pool, (b->set.count + 1) * sizeof(*ids));
    if (ids == NULL)
        return false;
    if (b->set.count > 0)
        memcpy(ids, b->set.ids, b->set.count * sizeof(*ids));
    *ret = (struct rule_reads){ids, b->set.count};
    return true;
}

/* Every name that any function reads from a parameter and that this object may have. Spoils the
 * set. */
static bool find_any(struct build *b, int object)
{
    struct pep_policy *policy = b->policy;
    uint64_t *left = b->declared[object]; /* each name once */
    clear(&b->set);
    for (size_t i = 0; i < policy->source_count; i++) {
        size_t count;
        const struct pep_use *uses = pep_chunk_uses(policy->sources[i].chunk, &count);
        for (size_t k = 0; k < count; k++) {
            uint32_t name = uses[k].kind != PEP_USE_FIELD
                                ? PEP_NONE
                                : pep_names_find(&policy->names, pep_span_string(uses[k].name));
            uint64_t bit = (uint64_t)1 << (name & 63);
            if (name == PEP_NONE || (left[name >> 6] & bit) == 0)
                continue;
            left[name >> 6] &= ~bit;
            if (!add(&b->set, intern(policy, object, uses[k].name)))
                return false;
        }
    }
    return keep_ids(b, &b->any[object]);
}

static bool each_rule(struct build *b)
{
    struct pep_policy *policy = b->policy;
    struct rule_reads *all = pep_pool_get(&b->pool, (policy->rule_count + 1) * sizeof(*all));
    if (all == NULL)
        return false;
    for (size_t i = 0; i < policy->rule_count; i++) {
        clear(&b->set);
        if (!add_head(policy, &policy->rules[i], &b->set) || !keep_ids(b, &all[i]))
            return false;
    }
    b->rules = all;
    return true;
}

/* ---- per bucket ---- */

static bool add_ids(struct build *b, const struct rule_reads *r)
{
    bool ok = true;
    for (uint32_t k = 0; ok && k < r->count; k++)
        ok = add(&b->set, r->ids[k]);
    b->work += r->count;
    return ok;
}

/* The set's names in the bucket, by name. */
static bool keep_reads(struct build *b, struct pep_bucket *bucket)
{
    struct pep_policy *policy = b->policy;
    size_t n = b->set.count;
    const char **texts = pep_pool_get(&policy->pool, (n + 1) * sizeof(*texts));
    uint32_t *ids = pep_pool_get(&policy->pool, (n + 1) * sizeof(*ids));
    uint32_t *last = realloc(b->last, (n + 1) * sizeof(*last));
    b->last = last == NULL ? b->last : last;
    if (texts == NULL || ids == NULL || last == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        texts[i] = policy->reads.texts[b->set.ids[i]];
        last[i] = b->set.ids[i];
    }
    b->last_count = (uint32_t)n;
    if (n > 1)
        qsort(texts, n, sizeof(*texts), compare_texts);
    for (size_t i = 0; i < n; i++)
        ids[i] = pep_names_find(&policy->reads, pep_span_string(texts[i]));
    b->work += n * 16;
    bucket->reads = texts;
    bucket->read_ids = ids;
    bucket->read_count = n;
    return true;
}

static bool fill_bucket(struct build *b, struct pep_bucket *bucket,
                        const struct pep_bucket *previous)
{
    uint8_t any = 0;
    for (uint32_t i = 0; i < bucket->count; i++)
        any |= b->policy->rules[bucket->rules[i]].reads_any;
    for (int o = 0; o < PEP_OBJECTS; o++) {
        if ((any >> o & 1) != 0 && b->any[o].ids == NULL && !find_any(b, o))
            return false;
    }
    clear(&b->set);
    bool ok = true;
    for (int o = 0; ok && o < PEP_OBJECTS; o++)
        ok = (any >> o & 1) == 0 || add_ids(b, &b->any[o]);
    for (uint32_t i = 0; ok && i < bucket->count && b->work <= PEP_READ_NAMES_MAX; i++)
        ok = add_ids(b, &b->rules[bucket->rules[i]]);
    bool same =
        previous != NULL && b->last_count == b->set.count &&
        (b->set.count == 0 || memcmp(b->last, b->set.ids, b->set.count * sizeof(*b->last)) == 0);
    if (!ok || !same)
        return ok && keep_reads(b, bucket);
    bucket->reads = previous->reads;
    bucket->read_ids = previous->read_ids;
    bucket->read_count = previous->read_count;
    return true;
}

/* ,"sub.tenant": */
static bool name_member(struct pep_policy *policy, const char *text, struct pep_read_name *ret)
{
    struct pep_buffer b = pep_buffer_of(8 * 300);
    pep_put_u8(&b, ',');
    pep_put_json_text(&b, text, strlen(text));
    pep_put_u8(&b, ':');
    const char *copy = b.failed ? NULL : pep_pool_copy(&policy->pool, b.data, b.size);
    ret->json = pep_span_of(copy, b.size);
    pep_buffer_free(&b);
    return copy != NULL;
}

/* Everything that putting a name and its value into a record would otherwise look up each time. */
static bool name_reads(struct pep_policy *policy)
{
    uint32_t count = policy->reads.count;
    struct pep_read_name *names = pep_pool_get(&policy->pool, (count + 1) * sizeof(*names));
    uint64_t *recorded = pep_pool_get(&policy->pool, (policy->names.count / 64 + 1) * 8);
    if (names == NULL || recorded == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const char *text = policy->reads.texts[i];
        int object = 0;
        while (text[0] != prefixes[object][0])
            object++;
        names[i].object = (uint8_t)object;
        names[i].text = pep_span_string(text + strlen(prefixes[object]));
        names[i].name = pep_names_find(&policy->names, names[i].text);
        if (!name_member(policy, text, &names[i]))
            return false;
        if (object == PEP_OBJECT_SUB && names[i].name != PEP_NONE)
            recorded[names[i].name >> 6] |= (uint64_t)1 << (names[i].name & 63);
    }
    policy->read_names = names;
    policy->recorded = recorded;
    return true;
}

int pep_reads_build(struct pep_policy *policy, struct pep_diags *diags)
{
    struct build b = {.policy = policy};
    struct pep_bucket *buckets = policy->index.buckets;
    bool ok = declare_all(&b) && each_rule(&b);
    for (uint32_t i = 0; ok && i < policy->index.bucket_count && b.work <= PEP_READ_NAMES_MAX; i++)
        ok = fill_bucket(&b, &buckets[i], i == 0 ? NULL : &buckets[i - 1]);
    bool all = b.work <= PEP_READ_NAMES_MAX;
    ok = ok && all && name_reads(policy);
    pep_pool_free(&b.pool);
    free(b.set.ids);
    free(b.set.seen);
    free(b.last);
    if (ok || all)
        return ok ? PEP_OK : PEP_ENOMEM;
    pep_diag_add(
        diags, "E215", NULL, 0,
        "name types and actions instead of \"*\", and read fewer names in the functions of "
        "rules for many",
        "what the functions of all candidates read makes more than %d names", PEP_READ_NAMES_MAX);
    return PEP_EPOLICY;
}
