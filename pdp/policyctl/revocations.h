/*
 * The list of revoked tokens of a context's pdpd, as this machine sees it: verified against the
 * root before anything is signed on top of it, for a signature stands for the whole list.
 */
#ifndef POLICYCTL_REVOCATIONS_H
#define POLICYCTL_REVOCATIONS_H

#include "trust.h"

#include "pep/core/revocation.h"

/* What pdpd has: number 0 if nothing was ever revoked. Refused when pdpd shows less than this
 * machine has seen of it, or a list whose signer the root does not name. `renew` takes both: the
 * person at the terminal knows why. Prints; returns the exit code. */
int revocations_load(struct session *s, struct remote *r, const struct pep_root *root, bool renew,
                     struct pep_revocations **ret);

struct revocations_request {
    const struct pep_revocation
        *entries; /* at most PEP_REVOCATION_STEP; none: only a new signature */
    size_t count;
    const char *key; /* NULL: the keyring chooses */
    bool renew;
};
/* Signs the next step and uploads it, again when somebody else was first. `*ret` is the list after
 * it. Prints; returns the exit code. */
int revocations_add(struct session *s, struct remote *r, const struct pep_root *root,
                    const struct revocations_request *request, struct pep_revocations **ret);

#endif
