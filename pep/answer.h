/*
 * What a caller gets: filling a pep_decision from a verdict, and its obligations.
 */
#ifndef PEP_ANSWER_H
#define PEP_ANSWER_H

#include "pep/core/engine.h"

#include "pep.h"

/* True for a decision that began with PEP_DECISION_INIT of this library or a later one. */
static inline bool pep_decision_usable(const pep_decision *d)
{
    return d->size >= sizeof(*d);
}

/* Copies outcome, code, rule, reason, obligations and advice; what the decision held before is
 * freed. False: no memory for the obligations; the decision then says deny `fault`. */
bool pep_decision_fill(pep_decision *d, const struct pep_verdict *verdict);

#endif
