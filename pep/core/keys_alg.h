/*
 * The signature algorithms for tokens, one row each, shared by reading keys and by signing. Private
 * to keys_jwk.c and sign_jwt.c: everybody else knows only `enum pep_alg`.
 *
 * Symmetric algorithms and "none" have no row, so that no code path can ever reach them.
 */
#ifndef PEP_CORE_KEYS_ALG_H
#define PEP_CORE_KEYS_ALG_H

#include "keys.h"

#include <openssl/evp.h>

#define PEP_RSA_BITS_MIN        2048
#define PEP_RSA_BITS_MAX        8192
#define PEP_RSA_EXPONENT_MIN    65537
#define PEP_RSA_EXPONENT_MAX    0xffffffffU
#define PEP_EC_COORDINATE_MAX   66                     /* P-521 */
#define PEP_TOKEN_SIGNATURE_MAX (PEP_RSA_BITS_MAX / 8) /* bytes of the largest signature */

struct pep_alg_row {
    const char *name;
    const char *kty;    /* as in a JWK */
    const char *crv;    /* as in a JWK, or NULL */
    const char *group;  /* OpenSSL's name of the curve, or NULL */
    const char *digest; /* NULL for Ed25519, which hashes by itself */
    bool pss;
    size_t coordinate; /* bytes of x, y, r and s; 0 if not ECDSA */
};

/* NULL for PEP_ALG_NONE and anything out of range. */
const struct pep_alg_row *pep_alg_row(enum pep_alg alg);

/* Sets up PSS as RFC 7518 section 3.5 fixes it: MGF1 with the same hash, salt as long as the hash.
 */
int pep_alg_set_padding(const struct pep_alg_row *row, EVP_PKEY_CTX *ctx);

#endif
