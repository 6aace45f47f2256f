/*
 * What a token key is made of, for the three files that read, keep and use it:
 *
 *     keys_jwk.c     one JWK -> one key, with every check of its numbers
 *     keys_jwks.c    a set of them, found by kid and algorithm
 *     keys_verify.c  one signature
 */
#ifndef PEP_CORE_KEYS_JWK_H
#define PEP_CORE_KEYS_JWK_H

#include "keys_alg.h"

struct pep_jwk {
    enum pep_alg alg;
    char *kid; /* "" when the JWK has none */
    size_t kid_size;
    char thumbprint[PEP_THUMBPRINT_TEXT];
    size_t signature_size;
    uint8_t order[PEP_EC_COORDINATE_MAX]; /* n of the curve, big endian; ECDSA only */
    EVP_PKEY *pkey;
    EVP_MD_CTX *template;
};

/* What is being read, for messages: "issuers.json: key 3". */
struct pep_jwk_source {
    const char *what;
    size_t index;
    struct pep_error *err;
    enum pep_alg wanted; /* of an RSA key without `alg`; PEP_ALG_NONE: RS256 */
};

/* PEP_OK and ret->alg PEP_ALG_NONE if the key is of no use here; otherwise the caller clears it. */
int pep_jwk_read(const struct pep_jwk_source *src, const json_t *jwk, struct pep_jwk *ret);
void pep_jwk_clear(struct pep_jwk *key);
int pep_jwk_refuse(const struct pep_jwk_source *src, int code, const char *text,
                   const char *detail);

#endif
