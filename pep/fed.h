/*
 * What came beside bundles: the list of revoked tokens and the message with relayed token keys.
 * Each is immutable and has several owners: the machine that asks for them (feeding.h), the handle,
 * and everything that decisions look at (standing.h). So a forked child, whose parent's agent may
 * have been caught half-way through anything, still finds whole what the decisions before the fork
 * saw.
 */
#ifndef PEP_FED_H
#define PEP_FED_H

#include "pep/clock.h"
#include "pep/core/revocation.h"
#include "pep/core/root.h"
#include "pep/core/wire_feed.h"

#include <stdatomic.h>

/* One KEYS message that was believed. Immutable; shared. */
struct pep_fed_keys {
    atomic_uint owners;
    struct pep_keys keys;    /* borrows from `message` */
    struct pep_moment asked; /* when the question was made that it answers */
    size_t size;
    uint8_t message[]; /* as it was signed */
};

#define PEP_FED_LIST 1U
#define PEP_FED_KEYS 2U

struct pep_fed {
    struct pep_revocations *revocations; /* never NULL */
    struct pep_fed_keys *keys;           /* NULL: none */
};

/* Nothing revoked, no keys. Errors: ENOMEM. */
int pep_fed_new(struct pep_fed *ret);
void pep_fed_clear(struct pep_fed *f);
void pep_fed_drop_keys(struct pep_fed *f);
/* The same once more, with an owner of its own. */
struct pep_fed pep_fed_share(const struct pep_fed *f);
/* Takes of `other` what is newer. */
void pep_fed_raise(struct pep_fed *f, const struct pep_fed *other);
/* What a KEYS message must be an answer to. Borrowed. */
struct pep_keys_origin {
    const struct pep_root *root; /* whose beacon keys sign */
    const char *bundle;
    const uint8_t *nonce; /* NULL: any, for one that was kept on disk */
    struct pep_moment asked;
};
/* Errors: ESIGNATURE, EFORMAT, EROLLBACK (another question's answer), ENOMEM. */
int pep_fed_take_keys(struct pep_fed *f, struct pep_span message,
                      const struct pep_keys_origin *origin);
/* Whether the root still names the beacon key that signed the keys that are here. Errors:
 * ESIGNATURE, ENOMEM. */
int pep_fed_trusts_keys(const struct pep_fed *f, const struct pep_root *root);
/* The keys of the issuer of this name, and the last moment when they are known to have stood at the
 * issuer's address. Errors: ENOTFOUND (none), ENOMEM. */
int pep_fed_issuer(const struct pep_fed *f, const char *name, struct pep_span *ret_jwks,
                   struct pep_moment *ret_seen);

#endif
