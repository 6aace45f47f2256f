/*
 * Values, the pools that hold them, and interned names.
 *
 * A value is 16 bytes, immutable, and points into a pool (of the policy, a subject or one request),
 * so that Lua can read it in place: no table is built per decision. Maps are sorted by name and
 * searched by halves; rejected: a hash per map, which costs more memory than it saves time on the
 * few members that claims and policy data have.
 */
#include "engine_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define POOL_BLOCK ((size_t)16 * 1024)
#define JSON_DEPTH 64

struct pep_pool_block {
    struct pep_pool_block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void *pep_pool_get(struct pep_pool *pool, size_t size)
{
    struct pep_pool_block *b = pool->blocks;
    if (size > SIZE_MAX / 2)
        return NULL;
    size = size == 0 ? 16 : (size + 15) & ~(size_t)15;
    if (b == NULL || b->size - b->used < size) {
        size_t room = size > POOL_BLOCK / 4 ? size : pool->total == 0 ? 1024 : POOL_BLOCK;
        room = room < size ? size : room;
        b = calloc(1, sizeof(*b) + room);
        if (b == NULL) {
            pool->starved = true;
            return NULL;
        }
        b->size = room;
        pool->total += room;
        if (room == size && pool->blocks != NULL) { /* full at once: keep filling the first one */
            b->next = pool->blocks->next;
            pool->blocks->next = b;
        } else {
            b->next = pool->blocks;
            pool->blocks = b;
        }
    }
    void *p = b->bytes + b->used;
    b->used += size;
    return p;
}

char *pep_pool_copy(struct pep_pool *pool, const void *data, size_t size)
{
    char *copy = pep_pool_get(pool, size + 1);
    if (copy != NULL && size > 0)
        memcpy(copy, data, size);
    return copy;
}

void pep_pool_free(struct pep_pool *pool)
{
    for (struct pep_pool_block *b = pool->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    *pool = (struct pep_pool){NULL, 0, false};
}

/* ---- names ---- */

/* Names are short, and looked up by each decision for each attribute: two multiplications, where
 * XXH3 takes five times that. What is filed is the policy's, so no stranger can crowd a table. */
static inline uint32_t hash_of(struct pep_name_key k, size_t size)
{
    uint64_t h = (k.first ^ size) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 32 ^ k.last) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 32);
}

static struct pep_name_key key_of(const void *text, size_t size)
{
    return size > PEP_NAME_SHORT ? (struct pep_name_key){XXH3_64bits(text, size), 0}
                                 : pep_name_key(text, size);
}

/* The next one from slot *i on with this key and size, or PEP_NONE. */
static inline uint32_t next_like(const struct pep_names *n, struct pep_name_key k, size_t size,
                                 uint32_t *i)
{
    for (; n->slots[*i] != 0; *i = (*i + 1) & n->mask) {
        uint32_t id = n->slots[*i] - 1;
        if (n->keys[id].first == k.first && n->keys[id].last == k.last && n->sizes[id] == size)
            return id;
    }
    return PEP_NONE;
}

/* Apart, because what it needs would make finding a short one dearer. */
static __attribute__((noinline)) uint32_t find_long(const struct pep_names *n, struct pep_span text)
{
    struct pep_name_key k = key_of(text.data, text.size);
    uint32_t i = hash_of(k, text.size) & n->mask, id;
    while ((id = next_like(n, k, text.size, &i)) != PEP_NONE &&
           memcmp(n->texts[id], text.data, text.size) != 0)
        i = (i + 1) & n->mask;
    return id;
}

uint32_t pep_names_find(const struct pep_names *n, struct pep_span text)
{
    if (n->count == 0)
        return PEP_NONE;
    if (text.size > PEP_NAME_SHORT)
        return find_long(n, text);
    struct pep_name_key k = pep_name_key(text.data, text.size);
    uint32_t i = hash_of(k, text.size) & n->mask;
    return next_like(n, k, text.size, &i);
}

static bool names_grow(struct pep_names *n)
{
    uint32_t capacity = n->capacity == 0 ? 32 : n->capacity * 2;
    const char **texts = realloc(n->texts, capacity * sizeof(*texts));
    if (texts == NULL)
        return false;
    n->texts = texts;
    uint32_t *sizes = realloc(n->sizes, capacity * sizeof(*sizes));
    if (sizes == NULL)
        return false;
    n->sizes = sizes;
    struct pep_name_key *keys = realloc(n->keys, capacity * sizeof(*keys));
    if (keys == NULL)
        return false;
    n->keys = keys;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(n->slots);
    n->slots = slots;
    n->mask = capacity * 2 - 1;
    n->capacity = capacity;
    for (uint32_t id = 0; id < n->count; id++) {
        uint32_t i = hash_of(keys[id], sizes[id]) & n->mask;
        while (slots[i] != 0)
            i = (i + 1) & n->mask;
        slots[i] = id + 1;
    }
    return true;
}

uint32_t pep_names_add(struct pep_names *n, struct pep_pool *pool, struct pep_span text)
{
    uint32_t id = pep_names_find(n, text);
    if (id != PEP_NONE)
        return id;
    if (n->count == n->capacity && !names_grow(n))
        return PEP_NONE;
    char *copy = pep_pool_copy(pool, text.data, text.size);
    if (copy == NULL)
        return PEP_NONE;
    struct pep_name_key k = key_of(copy, text.size);
    uint32_t i = hash_of(k, text.size) & n->mask;
    while (n->slots[i] != 0)
        i = (i + 1) & n->mask;
    id = n->count++;
    n->slots[i] = id + 1;
    n->texts[id] = copy;
    n->keys[id] = k;
    n->sizes[id] = (uint32_t)text.size;
    return id;
}

void pep_names_free(struct pep_names *n)
{
    free(n->texts);
    free(n->sizes);
    free(n->keys);
    free(n->slots);
    memset(n, 0, sizeof(*n));
}

/* ---- from JSON ---- */

static int from_json(struct pep_pool *pool, const json_t *json, int depth, struct pep_value *ret);

static int list_from_json(struct pep_pool *pool, const json_t *json, int depth,
                          struct pep_value *ret)
{
    size_t n = json_array_size(json);
    struct pep_value *items = pep_pool_get(pool, n * sizeof(*items));
    if (items == NULL)
        return PEP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int rc = from_json(pool, json_array_get(json, i), depth, &items[i]);
        if (rc != PEP_OK)
            return rc;
    }
    *ret = (struct pep_value){.kind = PEP_V_LIST, .size = (uint32_t)n, .u.items = items};
    return PEP_OK;
}

static int compare_bytes(const void *a, size_t na, const void *b, size_t nb)
{
    int c = memcmp(a, b, na < nb ? na : nb);
    return c != 0 ? c : (na > nb) - (na < nb);
}

static int compare_members(const void *a, const void *b)
{
    const struct pep_member *x = a, *y = b;
    return compare_bytes(x->name, x->size, y->name, y->size);
}

static int map_from_json(struct pep_pool *pool, const json_t *json, int depth,
                         struct pep_value *ret)
{
    json_t *object = (json_t *)(uintptr_t)json; /* jansson's iterators are not const */
    size_t n = 0;
    struct pep_member *members = pep_pool_get(pool, json_object_size(json) * sizeof(*members));
    if (members == NULL)
        return PEP_ENOMEM;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        struct pep_member *m = &members[n++];
        m->size = (uint32_t)strlen(name);
        m->name = pep_pool_copy(pool, name, m->size);
        if (m->name == NULL)
            return PEP_ENOMEM;
        int rc = from_json(pool, value, depth, &m->value);
        if (rc != PEP_OK)
            return rc;
    }
    if (n > 1)
        qsort(members, n, sizeof(*members), compare_members);
    *ret = (struct pep_value){.kind = PEP_V_MAP, .size = (uint32_t)n, .u.members = members};
    return PEP_OK;
}

static int from_json(struct pep_pool *pool, const json_t *json, int depth, struct pep_value *ret)
{
    if (depth >= JSON_DEPTH)
        return PEP_ELIMIT;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return map_from_json(pool, json, depth + 1, ret);
    case JSON_ARRAY:
        return list_from_json(pool, json, depth + 1, ret);
    case JSON_STRING: {
        size_t size = json_string_length(json);
        const char *text = pep_pool_copy(pool, json_string_value(json), size);
        if (text == NULL)
            return PEP_ENOMEM;
        *ret = pep_value_text(text, size);
        return PEP_OK;
    }
    case JSON_INTEGER:
        *ret = (struct pep_value){.kind = PEP_V_INT, .u.integer = json_integer_value(json)};
        return PEP_OK;
    case JSON_REAL:
        *ret = (struct pep_value){.kind = PEP_V_NUMBER, .u.number = json_real_value(json)};
        return PEP_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = (struct pep_value){.kind = PEP_V_BOOL, .u.boolean = json_is_true(json)};
        return PEP_OK;
    default:
        *ret = (struct pep_value){.kind = PEP_V_NIL};
        return PEP_OK;
    }
}

int pep_value_from_json(struct pep_pool *pool, const json_t *json, struct pep_value *ret)
{
    struct pep_value v = {.kind = PEP_V_NIL};
    int rc = json == NULL ? PEP_OK : from_json(pool, json, 0, &v);
    if (rc == PEP_OK)
        *ret = v;
    return rc;
}

/* ---- reading ---- */

const struct pep_value *pep_map_find(const struct pep_value *map, struct pep_span name)
{
    size_t low = 0, high = map->size;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct pep_member *m = &map->u.members[middle];
        int c = compare_bytes(name.data, name.size, m->name, m->size);
        if (c == 0)
            return &m->value;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct pep_value pep_list_at(const struct pep_value *list, size_t i)
{
    if (i >= list->size)
        return (struct pep_value){.kind = PEP_V_NIL};
    if (list->kind == PEP_V_LIST)
        return list->u.items[i];
    return pep_value_text(list->u.strings[i], strlen(list->u.strings[i]));
}

static bool equal_numbers(const struct pep_value *a, const struct pep_value *b)
{
    if (a->kind == PEP_V_INT && b->kind == PEP_V_INT)
        return a->u.integer == b->u.integer;
    if (a->kind == PEP_V_NUMBER && b->kind == PEP_V_NUMBER)
        return a->u.number == b->u.number;
    int64_t i = a->kind == PEP_V_INT ? a->u.integer : b->u.integer;
    double d = a->kind == PEP_V_INT ? b->u.number : a->u.number;
    /* exact: a double equals an integer only if it is one, and in range */
    return d >= -9223372036854775808.0 && d < 9223372036854775808.0 && floor(d) == d &&
           (int64_t)d == i;
}

static bool is_number(const struct pep_value *v)
{
    return v->kind == PEP_V_INT || v->kind == PEP_V_NUMBER;
}

bool pep_value_equal(const struct pep_value *a, const struct pep_value *b)
{
    if (is_number(a) && is_number(b))
        return equal_numbers(a, b);
    if (a->kind != b->kind)
        return false;
    if (a->kind == PEP_V_STRING)
        return a->size == b->size &&
               (a->u.string == b->u.string || memcmp(a->u.string, b->u.string, a->size) == 0);
    return a->kind == PEP_V_BOOL && a->u.boolean == b->u.boolean;
}

bool pep_value_same(const struct pep_value *a, const struct pep_value *b)
{
    if (a == NULL || b == NULL)
        return false;
    if (a->kind == PEP_V_STRING && a->size == 0)
        return false;
    return pep_value_equal(a, b);
}

/* ---- as JSON ---- */

#define EACH(byte)  (UINT64_C(0x0101010101010101) * (byte))
#define ZERO_IN(x)  (((x)-EACH(1)) & ~(x)&EACH(0x80))
#define SMALL_IN(x) (((x)-EACH(0x20)) & ~(x)&EACH(0x80)) /* a byte below 0x20 */

static inline bool needs_escape(uint64_t eight)
{
    return (SMALL_IN(eight) | ZERO_IN(eight ^ EACH('"')) | ZERO_IN(eight ^ EACH('\\'))) != 0;
}

/* Nothing in it has to be escaped. Eight bytes at a time, the last eight overlapping. */
static bool is_plain(const char *text, size_t size)
{
    uint64_t eight = EACH(' ');
    if (size < sizeof(eight)) {
        if (size > 0)
            memcpy(&eight, text, size);
        return !needs_escape(eight);
    }
    for (size_t i = 0; i + sizeof(eight) <= size; i += sizeof(eight)) {
        memcpy(&eight, text + i, sizeof(eight));
        if (needs_escape(eight))
            return false;
    }
    memcpy(&eight, text + size - sizeof(eight), sizeof(eight));
    return !needs_escape(eight);
}

void pep_put_json_text(struct pep_buffer *out, const char *text, size_t size)
{
    uint8_t *at = is_plain(text, size) ? pep_buffer_room(out, size + 2) : NULL;
    if (at != NULL) {
        at[0] = '"';
        memcpy(at + 1, text, size);
        at[size + 1] = '"';
        pep_buffer_add(out, size + 2);
        return;
    }
    pep_put_u8(out, '"');
    for (size_t i = 0, from = 0; i <= size; i++) {
        unsigned char c = i < size ? (unsigned char)text[i] : '"';
        if (i < size && c >= 0x20 && c != '"' && c != '\\')
            continue;
        pep_put_bytes(out, text + from, i - from);
        from = i + 1;
        if (i == size)
            break;
        if (c == '"' || c == '\\')
            pep_put_format(out, "\\%c", c);
        else
            pep_put_format(out, "\\u%04x", c);
    }
    pep_put_u8(out, '"');
}

size_t pep_number_text(char text[PEP_NUMBER_TEXT], int digits, double d)
{
    char raw[PEP_NUMBER_TEXT];
    size_t size = 0;
    snprintf(raw, sizeof(raw), "%.*g", digits, d);
    for (const char *c = raw; *c != '\0'; c++) {
        bool ascii = *c == '+' || *c == '-' || (*c >= '0' && *c <= '9') ||
                     (*c >= 'a' && *c <= 'z'); /* 1e+20, inf, nan */
        if (ascii)
            text[size++] = *c;
        else if (size == 0 || text[size - 1] != '.') /* some are written with several bytes */
            text[size++] = '.';
    }
    text[size] = '\0';
    return size;
}

/* By hand, because this is written for each decision record, and jansson would allocate. */
static void put_number(struct pep_buffer *out, double d)
{
    char text[PEP_NUMBER_TEXT];
    if (!isfinite(d)) {
        pep_put_bytes(out, "null", 4);
        return;
    }
    if (d == floor(d) && fabs(d) < 9007199254740992.0) {
        pep_put_decimal(out, (int64_t)d);
        return;
    }
    size_t n = pep_number_text(text, 17, d);
    pep_put_bytes(out, text, n);
}

void pep_put_json_value(struct pep_buffer *out, const struct pep_value *v)
{
    switch (v == NULL ? PEP_V_NIL : v->kind) {
    case PEP_V_BOOL:
        pep_put_bytes(out, v->u.boolean ? "true" : "false", v->u.boolean ? 4 : 5);
        break;
    case PEP_V_INT:
        pep_put_decimal(out, v->u.integer);
        break;
    case PEP_V_NUMBER:
        put_number(out, v->u.number);
        break;
    case PEP_V_STRING:
        pep_put_json_text(out, v->u.string, v->size);
        break;
    case PEP_V_LIST:
    case PEP_V_STRINGS:
        pep_put_u8(out, '[');
        for (uint32_t i = 0; i < v->size; i++) {
            struct pep_value item = pep_list_at(v, i);
            if (i > 0)
                pep_put_u8(out, ',');
            pep_put_json_value(out, &item);
        }
        pep_put_u8(out, ']');
        break;
    case PEP_V_MAP:
        pep_put_u8(out, '{');
        for (uint32_t i = 0; i < v->size; i++) {
            if (i > 0)
                pep_put_u8(out, ',');
            pep_put_json_text(out, v->u.members[i].name, v->u.members[i].size);
            pep_put_u8(out, ':');
            pep_put_json_value(out, &v->u.members[i].value);
        }
        pep_put_u8(out, '}');
        break;
    default:
        pep_put_bytes(out, "null", 4);
    }
}
