/*
 * A subject and one request as rules read them. Fields lie in arrays in the order in which they
 * came; a byte per field name, by its last bits, says where to look first. It is right for all but
 * a few, so that reading one is compiled in place: a decision does it a dozen times.
 */
#ifndef PEP_CORE_ENGINE_EVAL_H
#define PEP_CORE_ENGINE_EVAL_H

#include "engine.h"
#include "engine_slot.h"
#include "engine_value.h"

#include <locale.h>

#define PEP_SEGMENTS_MAX 32 /* of a resource name */

struct pep_resource_name {
    struct pep_span type, id; /* the id in its canonical form */
    uint32_t segment_count;
    struct pep_span segments[PEP_SEGMENTS_MAX]; /* decoded */
    char room[PEP_RESOURCE_MAX * 3 + 4];
    size_t used;
};

/* ---- engine_subject.c ---- */

struct pep_subject {
    const struct pep_policy *policy;
    uint64_t serial; /* no other subject of the process has it */
    struct pep_pool pool;
    const uint32_t *names; /* ids; PEP_NONE for names that no rule mentions */
    const struct pep_span *texts;
    const struct pep_value *values;
    const struct pep_span *json; /* of values that records carry; an empty one: not made */
    uint32_t count;
    uint8_t hints[64]; /* by the last six bits of a name: where to look first, plus 1; 0: nowhere */
    const uint64_t *roles, *scopes; /* bits by id */
    const uint32_t *role_ids;
    uint32_t role_count;
    uint32_t client, issuer; /* ids or PEP_NONE */
    uint32_t dropped_roles;  /* not in the schema */
};
static inline bool pep_bit(const uint64_t *bits, uint32_t i)
{
    return bits != NULL && (bits[i >> 6] >> (i & 63) & 1) != 0;
}
static inline const struct pep_value *pep_subject_get(const struct pep_subject *s, uint32_t name)
{
    unsigned hint = s->hints[name & 63];
    if (hint == 0)
        return NULL;
    if (s->names[hint - 1] == name)
        return &s->values[hint - 1];
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->names[i] == name)
            return &s->values[i];
    }
    return NULL;
}

/* ---- engine_claims.c ---- */

const json_t *pep_claim_at(const json_t *claims, const char *path);
/* The name of a claim that says what this issuer (NULL: none to ask) may not assert, or NULL. */
const char *pep_claim_not_granted(const struct pep_subject *s, const json_t *claims,
                                  const struct pep_issuer *issuer);

/* The place for the hint of a field that has just become number `count`. */
static inline uint8_t pep_hint(uint32_t count)
{
    return (uint8_t)(count < UINT8_MAX ? count : UINT8_MAX);
}

/* ---- engine_request.c ---- */

struct pep_fields {
    uint32_t count;
    uint8_t hints[64]; /* as the subject's; most names are told absent by it */
    uint32_t names[PEP_ATTRIBUTES_MAX + PEP_SEGMENTS_MAX + 2];
    struct pep_span texts[PEP_ATTRIBUTES_MAX + PEP_SEGMENTS_MAX + 2];
    struct pep_value values[PEP_ATTRIBUTES_MAX + PEP_SEGMENTS_MAX + 2];
};
struct pep_eval {
    const struct pep_policy *policy;
    const struct pep_request *request;
    const struct pep_subject *subject;
    struct pep_verdict *verdict;
    struct pep_slot *slot; /* claimed, or NULL */
    bool busy;             /* none could be claimed */
    unsigned charged;      /* steps taken before one was */
    int64_t aside;         /* steps that are left for rules that only explaining looks at */
    locale_t locale;       /* the thread's own, while a state is claimed */
    uint32_t type, action; /* ids; PEP_NONE: no rule names it */
    struct pep_resource_name resource;
    struct pep_fields res, ctx;
    struct pep_pool pool; /* values from JSON attributes */
};

static inline const struct pep_value *pep_fields_get(const struct pep_fields *f, uint32_t name)
{
    unsigned hint = f->hints[name & 63];
    if (hint == 0)
        return NULL;
    if (f->names[hint - 1] == name)
        return &f->values[hint - 1];
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->names[i] == name)
            return &f->values[i];
    }
    return NULL;
}
/* For a name that no rule's text mentions. */
const struct pep_value *pep_eval_get_text(const struct pep_eval *e, enum pep_object object,
                                          struct pep_span text);
/* The value of object.name for the running decision, NULL if absent. */
static inline const struct pep_value *pep_eval_get(const struct pep_eval *e, enum pep_object object,
                                                   uint32_t name, struct pep_span text)
{
    if (name == PEP_NONE)
        return pep_eval_get_text(e, object, text);
    if (object == PEP_OBJECT_SUB)
        return pep_subject_get(e->subject, name);
    return pep_fields_get(object == PEP_OBJECT_RES ? &e->res : &e->ctx, name);
}

#endif
