/*
 * Whose token it is: the second of the questions that a decision asks (decide.c).
 *
 * What is bound to a token (a certificate, a key) is asked for with each request and after all
 * else: the token may be known from another connection, and a proof that was looked at is used up.
 */
#ifndef PEP_IDENTIFY_H
#define PEP_IDENTIFY_H

#include "pep/handle.h"

/* One token in one call, by one policy. */
struct pep_bearer {
    struct pep *p;
    unsigned stripe;
    const struct pep_active *active;     /* never NULL where pep_identify() is called */
    const struct pep_standing *standing; /* NULL: no memory */
    int64_t now;                         /* Unix seconds */
    const char *token;                   /* or NULL */
    struct pep_token_entry *entry;       /* NULL: not looked up, or it did not verify */
    bool own_entry;                      /* the cache has not taken it */
    bool looked_up;
    enum pep_jwt_reason refusal;  /* of the lookup */
    struct pep_dpop_shown proved; /* in this call; proof NULL: none */
};

/* What came with one item of the call, beside the token. */
struct pep_evidence {
    const unsigned char *peer_cert_sha256; /* or NULL */
    struct pep_dpop_shown dpop;
};

/* PEP_JWT_OK: `entry` is whose it is. Otherwise it is counted, and `entry` may be set nevertheless:
 * then the token itself verified. Between pep_readers_enter() and leave(). */
enum pep_jwt_reason pep_identify(struct pep_bearer *b, const struct pep_evidence *evidence);
/* At the end of the call. */
static inline void pep_bearer_clear(struct pep_bearer *b)
{
    if (b->own_entry)
        pep_token_entry_free(b->entry);
}

#endif
