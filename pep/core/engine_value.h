/*
 * Pools, interned names and values: what policies, subjects and requests are made of. Apart from
 * engine_internal.h, because all of it stands without Lua. See engine_value.c for the reasons.
 */
#ifndef PEP_CORE_ENGINE_VALUE_H
#define PEP_CORE_ENGINE_VALUE_H

#include "bytes.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PEP_NONE UINT32_MAX /* no such name */

/* ---- memory that lives as long as its policy or subject ---- */

struct pep_pool_block;
struct pep_pool {
    struct pep_pool_block *blocks;
    size_t total;
    bool starved; /* memory was refused */
};
/* Zeroed, aligned to 16; NULL without memory. */
void *pep_pool_get(struct pep_pool *pool, size_t size);
/* A copy with a NUL behind it. */
char *pep_pool_copy(struct pep_pool *pool, const void *data, size_t size);
void pep_pool_free(struct pep_pool *pool);

/* A text of at most PEP_NAME_SHORT bytes as two overlapping words: with its size, equal for equal
 * texts and for no others. */
#define PEP_NAME_SHORT 16
struct pep_name_key {
    uint64_t first, last;
};
static inline struct pep_name_key pep_name_key(const void *text, size_t size)
{
    const unsigned char *p = text;
    struct pep_name_key k = {0, 0};
    if (size >= 8) {
        memcpy(&k.first, p, 8);
        memcpy(&k.last, p + size - 8, 8);
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + size - 4, 4);
        k.first = first;
        k.last = last;
    } else if (size > 0) {
        k.first = (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1];
    }
    return k;
}
/* Strings as small numbers, in the order in which they came. Immutable after load. */
struct pep_names {
    const char **texts;
    uint32_t *sizes;
    struct pep_name_key *keys; /* what is compared instead of short texts */
    uint32_t count, capacity;
    uint32_t *slots; /* open addressing: id + 1, 0 is free */
    uint32_t mask;
};
uint32_t pep_names_find(const struct pep_names *n, struct pep_span text);
/* The id, old or new; PEP_NONE without memory. Copies into the pool. */
uint32_t pep_names_add(struct pep_names *n, struct pep_pool *pool, struct pep_span text);
void pep_names_free(struct pep_names *n);

enum pep_kind {
    PEP_V_NIL,
    PEP_V_BOOL,
    PEP_V_INT,
    PEP_V_NUMBER,
    PEP_V_STRING,
    PEP_V_LIST,    /* of values */
    PEP_V_STRINGS, /* of C strings, as a caller passed them */
    PEP_V_MAP,     /* members sorted by name */
};
struct pep_value {
    uint8_t kind;
    uint32_t size; /* bytes, items or members */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *string;
        const struct pep_value *items;
        const char *const *strings;
        const struct pep_member *members;
    } u;
};
struct pep_member {
    const char *name;
    uint32_t size;
    struct pep_value value;
};
/* A tree of values from JSON, copied into the pool. PEP_OK, ENOMEM, ELIMIT. null is PEP_V_NIL. */
int pep_value_from_json(struct pep_pool *pool, const json_t *json, struct pep_value *ret);
const struct pep_value *pep_map_find(const struct pep_value *map, struct pep_span name);
/* Item i of a list of either kind; a nil beyond its end. */
struct pep_value pep_list_at(const struct pep_value *list, size_t i);
/* `same` of the language: present, not empty, no set, one type, equal. */
bool pep_value_same(const struct pep_value *a, const struct pep_value *b);
/* Equal scalars, as `has` compares them. */
bool pep_value_equal(const struct pep_value *a, const struct pep_value *b);
/* `digits` significant ones, as "%g" writes it in the "C" locale, whatever the host has set.
 * Returns the length. */
#define PEP_NUMBER_TEXT 48
size_t pep_number_text(char text[PEP_NUMBER_TEXT], int digits, double d);
void pep_put_json_text(struct pep_buffer *out, const char *text, size_t size);
void pep_put_json_value(struct pep_buffer *out, const struct pep_value *v);

static inline struct pep_value pep_value_text(const char *text, size_t size)
{
    struct pep_value v = {.kind = PEP_V_STRING, .size = (uint32_t)size, .u.string = text};
    return v;
}

/* ---- names with a meaning: the first ids of every policy's attribute names ---- */

enum pep_known {
    PEP_NAME_ID,
    PEP_NAME_ROLES,
    PEP_NAME_TOKEN_ROLES,
    PEP_NAME_SCOPES,
    PEP_NAME_CLIENT,
    PEP_NAME_ACTOR,
    PEP_NAME_CHAIN,
    PEP_NAME_ISSUER,
    PEP_NAME_TYPE,
    PEP_NAME_NOW,
    PEP_NAME_ACTION,
    PEP_NAME_KNOWN
};

#endif
