/*
 * Counts of decisions, by code, in stripes: a thread adds to its own cache line, pep_get_status()
 * and pep_metrics() add the lines up. Exact once the threads are quiet; while they run, a sum of
 * values that were each true a moment ago.
 */
#ifndef PEP_COUNTERS_H
#define PEP_COUNTERS_H

#include "pep/core/jwt.h"
#include "pep/readers.h"

#include "pep.h"

#define PEP_CODES (PEP_CODE_FAULT + 1)

enum pep_token_count {
    PEP_TOKEN_HIT,
    PEP_TOKEN_VERIFIED,
    PEP_TOKEN_REFUSED, /* those that are revoked among them */
    PEP_TOKEN_REVOKED,
    PEP_TOKEN_COUNTS
};

struct pep_counters_stripe {
    _Alignas(PEP_STRIPE_ALIGN) atomic_uint_fast64_t decisions[PEP_CODES];
    atomic_uint_fast64_t tokens[PEP_TOKEN_COUNTS];
    atomic_uint_fast64_t roles_dropped;
    atomic_uint_fast64_t refusals[PEP_JWT_REASONS]; /* last: away from what good tokens write */
};

struct pep_counters {
    struct pep_counters_stripe stripes[PEP_STRIPES];
};

struct pep_counts {
    uint64_t decisions[PEP_CODES], all;
    uint64_t tokens[PEP_TOKEN_COUNTS];
    uint64_t roles_dropped; /* of verified tokens: not in the policy's schema */
    uint64_t refusals[PEP_JWT_REASONS];
};

struct pep_counters *pep_counters_new(void);
void pep_counters_free(struct pep_counters *c);

static inline void pep_count_decision(struct pep_counters *c, unsigned stripe, pep_code code)
{
    pep_stripe_add(&c->stripes[stripe].decisions[code], stripe, 1, memory_order_relaxed);
}

static inline void pep_count_token(struct pep_counters *c, unsigned stripe,
                                   enum pep_token_count which)
{
    pep_stripe_add(&c->stripes[stripe].tokens[which], stripe, 1, memory_order_relaxed);
}

static inline void pep_count_refusal(struct pep_counters *c, unsigned stripe,
                                     enum pep_jwt_reason reason)
{
    pep_stripe_add(&c->stripes[stripe].refusals[reason], stripe, 1, memory_order_relaxed);
}

static inline void pep_count_roles_dropped(struct pep_counters *c, unsigned stripe, uint32_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(&c->stripes[stripe].roles_dropped, n, memory_order_relaxed);
}

void pep_counters_sum(const struct pep_counters *c, struct pep_counts *ret);

#endif
