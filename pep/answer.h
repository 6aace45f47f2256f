/*
 * What a caller gets: filling a pep_decision from a verdict, and its obligations.
 */
#ifndef PEP_ANSWER_H
#define PEP_ANSWER_H

#include "pep/core/engine.h"

#include "pep.h"

/* The struct of the first release; later members count only where the caller's header had them. */
#define PEP_DECISION_SIZE_1 offsetof(pep_decision, token_error)

/* True for a decision that began with PEP_DECISION_INIT, of whatever release. */
static inline bool pep_decision_usable(const pep_decision *d)
{
    return d->size >= PEP_DECISION_SIZE_1;
}

/* The caller's i-th: an array has the stride that the caller's header gave it. */
static inline pep_decision *pep_decision_at(pep_decision *decisions, size_t i)
{
    if (decisions == NULL)
        return NULL;
    size_t stride = pep_decision_usable(decisions) ? decisions->size : sizeof(*decisions);
    return (pep_decision *)(void *)((char *)decisions + i * stride);
}

/* What the decision says about the token; `error`: NULL or the name of a reason. */
static inline void pep_decision_put_token(pep_decision *d, const char *error, bool dpop)
{
    if (d->size < sizeof(*d))
        return;
    d->token_error = error;
    d->dpop = dpop;
}

/* Copies outcome, code, rule, reason, obligations and advice; what the decision held before is
 * freed. False: no memory for the obligations; the decision then says deny `fault`. */
bool pep_decision_fill(pep_decision *d, const struct pep_verdict *verdict);

#endif
