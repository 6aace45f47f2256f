/*
 * What can end a token before its time, as decisions see it: the list of revoked tokens, and the
 * keys of issuers that the server relays. One immutable struct behind one atomic pointer in the
 * handle's active policy; the agent makes a new one when anything of it changes.
 *
 * A cached token remembers by which standing it was last looked at (`turn`): as long as that is
 * still the one of today, nothing is looked up. After a change each token is looked up once more.
 */
#ifndef PEP_STANDING_H
#define PEP_STANDING_H

#include "pep/core/issuers.h"
#include "pep/fed.h"

struct pep_standing {
    uint64_t turn;      /* never 0; no two in a process have the same */
    struct pep_fed fed; /* what it is made from; shared */
    struct pep_relayed relayed;
    struct pep_jwks *owned[PEP_ISSUERS_MAX]; /* those in `relayed` */
    int64_t ends; /* Unix seconds when the first of the relayed keys end; INT64_MAX: none */
};

/* For a policy's issuers, from what has come, as it is at `now`. A key set that is no good counts
 * as absent, and `err` says why. NULL: no memory. */
struct pep_standing *pep_standing_new(const struct pep_issuers *issuers, const struct pep_fed *fed,
                                      const struct pep_moment *now, struct pep_error *err);
void pep_standing_free(struct pep_standing *s);

#endif
