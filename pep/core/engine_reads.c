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
                       const struct pep_chunk *chunk)
{
    size_t count;
    const struct pep_use *uses = pep_chunk_uses(chunk, &count);
    size_t room = count < FILLS_MAX ? count + 1 : FILLS_MAX;
    struct pep_read *fills = pep_pool_get(&policy->pool, room * sizeof(*fills));
    bool plain = !policy->author && !pep_chunk_function(chunk, 0)->variadic;
    if (fills == NULL)
        return false;
    for (size_t i = 0; plain && i < count; i++) {
        const struct pep_use *u = &uses[i];
        bool ours = u->function == 0 && u->param < PEP_OBJECTS;
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
    const struct pep_chunk_function *f = pep_chunk_function(chunk, 0);
    rule->steps = f->straight && f->instructions <= STRAIGHT_MAX ? (uint8_t)f->instructions : 0;
    rule->fills = fills;
    rule->plain = plain;
    return true;
}

static int read_names(struct pep_policy *policy, struct pep_rule *rule,
                      const struct pep_chunk *chunk)
{
    size_t count;
    const struct pep_use *uses = pep_chunk_uses(chunk, &count);
    struct set s = {NULL, 0, NULL, 0};
    bool ok = note_fills(policy, rule, chunk);
    rule->function_size = pep_chunk_function(chunk, 0)->instructions;
    for (size_t i = 0; ok && i < count; i++) {
        const struct pep_use *u = &uses[i];
        if (u->function != 0 || u->param >= PEP_OBJECTS)
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

/* Where the function on top is written: in the rule's file, or in a module. */
static void note_place(const struct pep_policy *policy, struct pep_rule *rule, lua_State *L)
{
    lua_Debug ar;
    lua_pushvalue(L, -1);
    if (lua_getinfo(L, ">S", &ar) == 0 || ar.source[0] != '@')
        return;
    for (size_t i = 0; i < policy->source_count; i++) {
        if (strcmp(policy->sources[i].path, ar.source + 1) == 0)
            rule->function_file = policy->sources[i].path;
    }
    rule->function_line = ar.linedefined;
    rule->function_last_line = ar.lastlinedefined;
}

static int write_function(lua_State *L, const void *data, size_t size, void *ud)
{
    (void)L;
    pep_put_bytes(ud, data, size);
    return ((struct pep_buffer *)ud)->failed;
}

int pep_rule_read_function(struct pep_policy *policy, struct pep_rule *rule, lua_State *L,
                           struct pep_error *err)
{
    struct pep_buffer dump = pep_buffer_of((size_t)16 * PEP_SOURCE_MAX);
    struct pep_chunk *chunk = NULL;
    note_place(policy, rule, L);
    lua_dump(L, write_function, &dump, 0);
    int rc = dump.failed ? PEP_ENOMEM : pep_chunk_read(pep_buffer_span(&dump), &chunk, err);
    if (rc == PEP_OK)
        rc = read_names(policy, rule, chunk);
    pep_buffer_free(&dump);
    pep_chunk_free(chunk);
    return rc;
}

/* ---- per bucket ---- */

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

static bool may_have(const struct pep_policy *policy, int object, uint32_t name)
{
    const struct pep_schema *schema = &policy->schema;
    if (object == PEP_OBJECT_CTX)
        return name > PEP_NAME_TYPE || name == PEP_NAME_NOW;
    if (object == PEP_OBJECT_SUB) {
        for (size_t i = 0; i < schema->claim_count; i++) {
            if (schema->claims[i].name == name)
                return true;
        }
        return !schema->has_claims || name <= PEP_NAME_ISSUER;
    }
    for (uint32_t t = 0; t < schema->type_count; t++) {
        if (schema->types[t].declared && pep_type_declares(&schema->types[t], name))
            return true;
    }
    return !schema->has_types;
}

/* Every name that any function reads from a parameter. */
static bool add_any(struct pep_policy *policy, uint8_t objects, struct set *s)
{
    for (size_t i = 0; i < policy->source_count; i++) {
        size_t count;
        const struct pep_use *uses = pep_chunk_uses(policy->sources[i].chunk, &count);
        for (size_t k = 0; k < count; k++) {
            if (uses[k].kind != PEP_USE_FIELD)
                continue;
            uint32_t name = pep_names_find(&policy->names, pep_span_string(uses[k].name));
            for (int o = 0; o < PEP_OBJECTS; o++) {
                if ((objects >> o & 1) != 0 && may_have(policy, o, name) &&
                    !add(s, intern(policy, o, uses[k].name)))
                    return false;
            }
        }
    }
    return true;
}

static bool same_reads(const struct pep_bucket *a, const char *const *texts, size_t count)
{
    return a->read_count == count &&
           (count == 0 || memcmp(a->reads, texts, count * sizeof(*texts)) == 0);
}

/* The ids of what each rule reads: names are looked up once per rule, not once per candidate. */
struct rule_reads {
    const uint32_t *ids;
    uint32_t count;
};

static struct rule_reads *each_rule(struct pep_policy *policy, struct pep_pool *pool, struct set *s)
{
    struct rule_reads *all = pep_pool_get(pool, (policy->rule_count + 1) * sizeof(*all));
    for (size_t i = 0; all != NULL && i < policy->rule_count; i++) {
        clear(s);
        uint32_t *ids = add_head(policy, &policy->rules[i], s)
                            ? pep_pool_get(pool, (s->count + 1) * sizeof(*ids))
                            : NULL;
        if (ids == NULL)
            return NULL;
        if (s->count > 0)
            memcpy(ids, s->ids, s->count * sizeof(*ids));
        all[i] = (struct rule_reads){ids, s->count};
    }
    return all;
}

static void keep_reads(struct pep_policy *policy, struct pep_bucket *b, const char *const *texts)
{
    const char **copy = pep_pool_get(&policy->pool, (b->read_count + 1) * sizeof(*copy));
    uint32_t *ids = pep_pool_get(&policy->pool, (b->read_count + 1) * sizeof(*ids));
    for (size_t i = 0; copy != NULL && ids != NULL && i < b->read_count; i++) {
        copy[i] = texts[i];
        ids[i] = pep_names_find(&policy->reads, pep_span_string(texts[i]));
    }
    b->reads = copy;
    b->read_ids = ids;
}

static bool fill_bucket(struct pep_policy *policy, struct pep_bucket *b, struct set *s,
                        const struct pep_bucket *previous, const struct rule_reads *reads)
{
    uint8_t any = 0;
    bool ok = true;
    clear(s);
    for (uint32_t i = 0; ok && i < b->count; i++) {
        const struct rule_reads *r = &reads[b->rules[i]];
        for (uint32_t k = 0; ok && k < r->count; k++)
            ok = add(s, r->ids[k]);
        any |= policy->rules[b->rules[i]].reads_any;
    }
    if (ok && any != 0)
        ok = add_any(policy, any, s);
    const char **texts = ok ? malloc((s->count + 1) * sizeof(*texts)) : NULL;
    if (texts == NULL)
        return false;
    for (uint32_t i = 0; i < s->count; i++)
        texts[i] = policy->reads.texts[s->ids[i]];
    if (s->count > 1)
        qsort(texts, s->count, sizeof(*texts), compare_texts);
    b->read_count = s->count;
    if (previous != NULL && same_reads(previous, texts, s->count)) {
        b->reads = previous->reads;
        b->read_ids = previous->read_ids;
    } else {
        keep_reads(policy, b, texts);
    }
    free(texts);
    return b->reads != NULL && b->read_ids != NULL;
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

int pep_reads_build(struct pep_policy *policy)
{
    struct set s = {NULL, 0, NULL, 0};
    struct pep_pool pool = {NULL, 0, false};
    const struct rule_reads *reads = each_rule(policy, &pool, &s);
    bool ok = reads != NULL;
    for (uint32_t i = 0; ok && i < policy->index.bucket_count; i++)
        ok = fill_bucket(policy, &policy->index.buckets[i], &s,
                         i == 0 ? NULL : &policy->index.buckets[i - 1], reads);
    ok = ok && name_reads(policy);
    pep_pool_free(&pool);
    free(s.ids);
    free(s.seen);
    return ok ? PEP_OK : PEP_ENOMEM;
}

/* ---- for records ---- */

const char *const *pep_policy_reads(const struct pep_policy *policy, const char *type,
                                    const char *action, size_t *ret_count)
{
    uint32_t t = pep_names_find(&policy->types, pep_span_string(type));
    uint32_t a = pep_names_find(&policy->actions, pep_span_string(action));
    const struct pep_bucket *b = pep_index_find(&policy->index, t, a);
    *ret_count = b == NULL ? 0 : b->read_count;
    return b == NULL ? NULL : b->reads;
}

/* A subject's values are written once, when its token is verified; see engine_subject.c. */
static struct pep_span known_json(const struct pep_subject *s, const struct pep_value *v)
{
    return v == NULL || s->json == NULL ? (struct pep_span){NULL, 0} : s->json[v - s->values];
}

/* A name and its value, or as much of it as is known as text; with one look at the room. */
static void put_both(struct pep_buffer *out, struct pep_span name, struct pep_span value)
{
    uint8_t *at = pep_buffer_room(out, name.size + value.size);
    if (at == NULL) {
        pep_put_span(out, name);
        pep_put_span(out, value);
        return;
    }
    memcpy(at, name.data, name.size);
    if (value.size > 0)
        memcpy(at + name.size, value.data, value.size);
    pep_buffer_add(out, name.size + value.size);
}

void pep_eval_put_reads(struct pep_eval *e, const struct pep_bucket *b, struct pep_buffer *out)
{
    pep_put_u8(out, '{');
    for (size_t i = 0; b != NULL && i < b->read_count; i++) {
        const struct pep_read_name *r = &e->policy->read_names[b->read_ids[i]];
        enum pep_object object = (enum pep_object)r->object;
        const struct pep_value *v = pep_eval_get(e, object, r->name, r->text);
        struct pep_span name = {r->json.data + (i == 0), r->json.size - (i == 0)}; /* a comma */
        struct pep_span json = {NULL, 0};
        if (object == PEP_OBJECT_SUB)
            json = known_json(e->subject, v);
        put_both(out, name, json);
        if (json.size == 0)
            pep_put_json_value(out, v);
    }
    pep_put_u8(out, '}');
}

void pep_policy_put_reads(const struct pep_policy *policy, const struct pep_request *request,
                          struct pep_buffer *out)
{
    struct pep_verdict scratch;
    struct pep_eval e;
    scratch.detail[0] = '\0';
    const struct pep_bucket *b = NULL;
    if (pep_eval_open(&e, policy, request, &scratch) == 0)
        b = pep_index_find(&policy->index, e.type, e.action);
    pep_eval_put_reads(&e, b, out);
    pep_eval_close(&e);
}
