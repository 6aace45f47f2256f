/*
 * What a server tells beside bundles, made by hand: signed steps of the list of revoked tokens,
 * KEYS messages, the heads before them. A failure in here ends the test program with a message.
 */
#ifndef PEP_TESTS_FEEDS_H
#define PEP_TESTS_FEEDS_H

#include "tests/support/fixture.h"

#include "pep/core/revocation.h"
#include "pep/core/wire_feed.h"

struct pep_revocation feeds_entry(enum pep_revocation_kind kind, const char *issuer,
                                  const char *value, int64_t until);
/* The next step, signed. Freed by the caller. */
struct pep_buffer feeds_step(const struct pep_revocations *current, int64_t created,
                             const struct pep_revocation *entries, size_t count,
                             const struct pep_private_key *key);
/* The list after that step. Freed by the caller. */
struct pep_revocations *feeds_follow(const struct pep_revocations *current,
                                     const struct pep_buffer *step, const struct pep_root *root);
/* Makes *list into the one after a step, signed by the fixture's policy key, that adds this. */
void feeds_revoke(const struct fixture *f, struct pep_revocations **list,
                  const struct pep_revocation *entry);

/* One issuer's keys in a KEYS message. */
struct feeds_keys {
    const char *issuer, *jwks;
    int64_t fetched_at; /* Unix milliseconds */
};
struct feeds_keys_head {
    uint8_t nonce[PEP_NONCE_SIZE];
    uint64_t seq;
    int64_t issued_at; /* Unix milliseconds */
};
/* Signed, for bundle "acme". Freed by the caller. */
struct pep_buffer feeds_keys(const struct feeds_keys_head *head, const struct feeds_keys *keys,
                             size_t count, const struct pep_private_key *key);

#endif
