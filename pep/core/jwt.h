/*
 * One compact JWS (RFC 7515) holding a JWT (RFC 7519), verified to the letter of RFC 8725, or
 * refused whole with one reason.
 *
 * Order: size, shape, header, issuer, key, signature, and only then the claims. The payload of a
 * token whose signature is not valid is looked at only for `iss` (to find the key) and is handed to
 * nobody. No network, no file, no clock: `now` is an argument.
 */
#ifndef PEP_CORE_JWT_H
#define PEP_CORE_JWT_H

#include "issuers.h"

#define PEP_TOKEN_MAX  (16 * 1024)
#define PEP_LEEWAY_MAX 60

/* Why a token was refused. pep_jwt_reason_text() explains each to operators; callers see bad_token.
 */
enum pep_jwt_reason {
    PEP_JWT_OK = 0,
    PEP_JWT_MISSING,     /* no token at all (set by libpep) */
    PEP_JWT_SIZE,        /* empty or larger than PEP_TOKEN_MAX */
    PEP_JWT_SHAPE,       /* not three base64url parts in canonical form */
    PEP_JWT_HEADER,      /* not a JSON object, duplicate members, members of a wrong type */
    PEP_JWT_CRIT,        /* crit, b64 or zip */
    PEP_JWT_ALGORITHM,   /* none, symmetric, unknown, or not allowed for the issuer */
    PEP_JWT_TYPE,        /* typ of another kind of token, or not one of token_types */
    PEP_JWT_PAYLOAD,     /* not a JSON object with unique members within the limits */
    PEP_JWT_ISSUER,      /* iss missing or not in the table */
    PEP_JWT_KEY,         /* no such key, or not one for this algorithm */
    PEP_JWT_KEYS_ABSENT, /* relayed keys that have not arrived or are too old */
    PEP_JWT_SIGNATURE,
    PEP_JWT_AUDIENCE,
    PEP_JWT_TIME, /* exp, nbf or iat missing, not a number, or out of range */
    PEP_JWT_EXPIRED,
    PEP_JWT_NOT_YET,      /* nbf or iat in the future */
    PEP_JWT_LIFETIME,     /* longer than max_lifetime */
    PEP_JWT_CLAIM,        /* a required claim is missing, or a registered one has a wrong type */
    PEP_JWT_CLIENT,       /* azp and client_id differ */
    PEP_JWT_BINDING,      /* cnf without, or with another, certificate; or a kind we cannot check */
    PEP_JWT_PROOF_ABSENT, /* bound to a key (cnf, jkt), and no DPoP proof came with it */
    PEP_JWT_PROOF,        /* a DPoP proof that does not hold, or for a token that is not bound */
    PEP_JWT_PROOF_TIME,   /* made too long ago, or in the future */
    PEP_JWT_PROOF_REPLAY, /* used before (set by libpep, which remembers; so is the next) */
    PEP_JWT_PROOF_ROOM,   /* no room to remember one more */
    PEP_JWT_ASSERTION,    /* a value that `allow` does not grant this issuer (set by the engine) */
    PEP_JWT_REVOKED,
    PEP_JWT_MEMORY,
    PEP_JWT_REASONS
};
const char *pep_jwt_reason_name(enum pep_jwt_reason reason); /* "signature" */
const char *pep_jwt_reason_text(enum pep_jwt_reason reason);

/* A DPoP proof, and the request that it came with. */
struct pep_dpop_shown {
    const char *proof; /* NULL: none */
    const char *method, *uri;
};

struct pep_jwt_expect {
    const struct pep_strings *audiences;   /* own; NULL: those of the issuer alone decide */
    int64_t now;                           /* Unix seconds */
    int64_t leeway;                        /* seconds, 0..PEP_LEEWAY_MAX */
    const unsigned char *peer_cert_sha256; /* or NULL */
    const struct pep_relayed *relayed;     /* keys that came beside the policy, or NULL */
    const struct pep_dpop_shown *dpop;     /* or NULL */
    int64_t dpop_window;                   /* seconds; 0: PEP_DPOP_WINDOW_DEFAULT */
    /* What the token is bound to is not asked for now: the caller does, for each request, by
     * pep_jwt_binding_holds() and pep_dpop_verify(). The last two and `peer_cert_sha256` are then
     * not looked at. */
    bool bindings_later;
};

struct pep_jwt; /* exists only if everything verified; immutable */

/* PEP_OK, or PEP_ETOKEN with *ret_reason set (and the text in `err`), or PEP_ENOMEM. */
int pep_jwt_verify(const struct pep_issuers *issuers, struct pep_span token,
                   const struct pep_jwt_expect *expect, struct pep_jwt **ret,
                   enum pep_jwt_reason *ret_reason, struct pep_error *err);
void pep_jwt_free(struct pep_jwt *jwt);
const json_t *pep_jwt_claims(const struct pep_jwt *jwt);            /* borrowed */
const struct pep_issuer *pep_jwt_issuer(const struct pep_jwt *jwt); /* borrowed from the table */
int64_t pep_jwt_expires(const struct pep_jwt *jwt);                 /* exp, Unix seconds, floor */
const char *pep_jwt_key(const struct pep_jwt *jwt); /* thumbprint of the key that signed it */
enum pep_alg pep_jwt_algorithm(const struct pep_jwt *jwt);
/* Whether the token counts only together with something else: a certificate, a proof, or both. */
bool pep_jwt_bound(const struct pep_jwt *jwt);
/* The thumbprint of the key that a DPoP proof must be made with; "": it needs none. */
const char *pep_jwt_jkt(const struct pep_jwt *jwt);
/* The binding is checked per request, not per token, because a cached token may come over another
 * connection: false if the token is bound to a certificate and `peer_cert_sha256` is not its hash.
 */
bool pep_jwt_binding_holds(const struct pep_jwt *jwt, const unsigned char *peer_cert_sha256);

/* Only the signature, for `token verify --signature-only`: the payload bytes, malloc'ed. */
int pep_jwt_verify_signature(const struct pep_jwks *keys, struct pep_span token, uint8_t **ret,
                             size_t *ret_size, enum pep_jwt_reason *ret_reason,
                             struct pep_error *err);
/* The parts as JSON without any check, for `token inspect` only. New references. */
int pep_jwt_decode_unverified(struct pep_span token, json_t **ret_header, json_t **ret_claims,
                              struct pep_error *err);

#endif
