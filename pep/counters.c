/* Counts in stripes: see counters.h. */
#include "pep/counters.h"

#include <stdlib.h>
#include <string.h>

struct pep_counters *pep_counters_new(void)
{
    struct pep_counters *c = aligned_alloc(_Alignof(struct pep_counters), sizeof(*c));
    if (c != NULL)
        memset(c, 0, sizeof(*c));
    return c;
}

void pep_counters_free(struct pep_counters *c)
{
    free(c);
}

void pep_counters_sum(const struct pep_counters *c, struct pep_counts *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned s = 0; s < PEP_STRIPES; s++) {
        const struct pep_counters_stripe *stripe = &c->stripes[s];
        for (unsigned i = 0; i < PEP_CODES; i++) {
            uint64_t n = atomic_load_explicit(&stripe->decisions[i], memory_order_relaxed);
            ret->decisions[i] += n;
            ret->all += n;
        }
        for (unsigned i = 0; i < PEP_TOKEN_COUNTS; i++)
            ret->tokens[i] += atomic_load_explicit(&stripe->tokens[i], memory_order_relaxed);
        for (unsigned i = 0; i < PEP_JWT_REASONS; i++)
            ret->refusals[i] += atomic_load_explicit(&stripe->refusals[i], memory_order_relaxed);
        ret->roles_dropped += atomic_load_explicit(&stripe->roles_dropped, memory_order_relaxed);
    }
}
