/*
 * Proof of possession of a key (DPoP, RFC 9449): a token whose `cnf` has `jkt` counts only together
 * with a proof, which is a JWT signed for this one request by the key that `jkt` names.
 *
 * The proof brings its own public key. That makes nothing believed: the key counts only if its
 * thumbprint is the one that the token's issuer has signed. Checked are, in this order, size, shape
 * and header (`typ` dpop+jwt, an asymmetric `alg`, `jwk` without private members), the thumbprint,
 * the signature, and then the claims: `htm`, `htu`, `ath`, `iat`, `jti`. That a proof is used once
 * is up to whoever keeps what was seen: pep/replay.h.
 */
#ifndef PEP_CORE_DPOP_H
#define PEP_CORE_DPOP_H

#include "jwt.h"
#include "uri.h"

#define PEP_DPOP_MAX            (8 * 1024)
#define PEP_DPOP_JTI_MAX        256
#define PEP_DPOP_METHOD_MAX     64
#define PEP_DPOP_WINDOW_DEFAULT 60 /* seconds */
#define PEP_DPOP_WINDOW_MAX     600

struct pep_dpop_expect {
    const struct pep_dpop_shown *shown; /* the proof, and the request that it must be for */
    struct pep_span token;              /* that it must be for */
    const char *jkt;                    /* RFC 7638 thumbprint in the token's `cnf`; "": none */
    int64_t now;                        /* Unix seconds */
    int64_t window;                     /* seconds that a proof lives, 1..PEP_DPOP_WINDOW_MAX */
    int64_t leeway;                     /* seconds, 0..PEP_LEEWAY_MAX: for clocks that are ahead */
};

/* What makes two proofs one and the same. */
struct pep_dpop_seen {
    uint8_t id[PEP_SHA256_SIZE]; /* of the key and `jti` */
    int64_t ends;                /* Unix seconds: from then on the proof is too old anyway */
};

/* PEP_OK; or PEP_ETOKEN with *ret_reason one of PEP_JWT_PROOF*; or PEP_ENOMEM. A proof for a token
 * that is not bound is refused: there is no key in the token that it could agree with. *ret is set
 * only where the token is bound; without `jkt` and proof there is nothing to do. */
int pep_dpop_verify(const struct pep_dpop_expect *expect, struct pep_dpop_seen *ret,
                    enum pep_jwt_reason *ret_reason, struct pep_error *err);

#endif
