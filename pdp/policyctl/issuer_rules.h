/*
 * What the live policies say about an issuer: whether any believes its tokens, and for how long one
 * of them can live. A revoked token's entry must outlast the token; and a name that no policy has
 * is most likely mistyped.
 */
#ifndef POLICYCTL_ISSUER_RULES_H
#define POLICYCTL_ISSUER_RULES_H

#include "trust.h"

#define ISSUER_RULES_BUNDLES 64 /* as many are looked at */

struct issuer_rules {
    bool found;
    int64_t lifetime; /* the longest max_lifetime, seconds; 0: a policy sets none */
};

/* Looks into each bundle's head. One that cannot be read is said so and counts as one that sets no
 * max_lifetime. Prints; returns the exit code. */
int issuer_rules_find(struct session *s, struct remote *r, const struct pep_root *root,
                      const char *issuer, struct issuer_rules *ret);

#endif
