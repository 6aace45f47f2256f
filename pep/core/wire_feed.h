/*
 * The messages about what travels beside bundles: revoked tokens and relayed token keys.
 *
 *   port +1 (DEALER -> ROUTER)  [FEED]                   what I hold, and a nonce
 *           (ROUTER -> DEALER)  [REVOKED] [step]* [set]? [KEYS]?
 *
 * A FEED is sent when a notice or an answer names a higher number (or the same with another digest)
 * than the client holds, and when a token names a key that a relayed issuer should have. It is
 * answered by one message: what happened to the list since, and the keys if they are newer.
 *
 * Steps are signed by operators' keys and prove the set (revocation.h), so REVOKED needs no
 * signature of the server; what it holds back is seen, because notices and answers name the newest
 * number. KEYS is signed by the beacon key, over the question's nonce.
 */
#ifndef PEP_CORE_WIRE_FEED_H
#define PEP_CORE_WIRE_FEED_H

#include "issuers.h"
#include "wire.h"

#define PEP_FEED_STEPS   64 /* steps in one REVOKED */
#define PEP_KEYS_ISSUERS 16 /* relayed issuers of one bundle */

struct pep_feed {
    uint8_t nonce[PEP_NONCE_SIZE];
    char bundle[PEP_NAME_MAX + 1];
    uint64_t revocations; /* the newest step that I hold; 0: none */
    uint8_t revocations_digest[PEP_SHA256_SIZE];
    uint64_t keys; /* of the KEYS that I hold; 0: none */
    uint8_t look;  /* 1: a token named a key that I do not know; look whether there are new ones */
};

enum pep_revoked_kind {
    PEP_REVOKED_SAME = 1,  /* you have the newest */
    PEP_REVOKED_STEPS = 2, /* the steps after yours follow, oldest first; perhaps not yet all */
    PEP_REVOKED_SET = 3,   /* the newest step, and the whole set that it names */
    PEP_REVOKED_NONE = 4   /* nothing was ever revoked */
};
struct pep_revoked {
    uint8_t nonce[PEP_NONCE_SIZE];
    uint8_t kind;
    uint16_t steps; /* frames that follow; 1, and then the set, for SET */
    uint8_t keys;   /* 1: a KEYS frame is the last */
};

/* The keys of all relayed issuers of one bundle's head. */
struct pep_relayed_keys {
    uint8_t issuer[PEP_SHA256_SIZE]; /* of its name */
    int64_t fetched_at;              /* Unix milliseconds of the server's clock; when they were last
                                        seen at their address */
    struct pep_span jwks;            /* JSON, borrowed */
};
struct pep_keys {
    uint8_t nonce[PEP_NONCE_SIZE]; /* of the FEED */
    char bundle[PEP_NAME_MAX + 1];
    uint64_t seq;
    int64_t issued_at; /* Unix milliseconds of the server's clock: issued_at - fetched_at is the
                        * keys' age */
    uint8_t count;
    struct pep_relayed_keys issuers[PEP_KEYS_ISSUERS];
};

void pep_feed_write(const struct pep_feed *m, struct pep_buffer *out);
int pep_feed_read(struct pep_span frame, struct pep_feed *ret);
void pep_revoked_write(const struct pep_revoked *m, struct pep_buffer *out);
int pep_revoked_read(struct pep_span frame, struct pep_revoked *ret);
void pep_keys_write(const struct pep_keys *m, struct pep_buffer *out); /* PEP_TYPE_KEYS */
int pep_keys_read(struct pep_span body, struct pep_keys *ret);

#endif
