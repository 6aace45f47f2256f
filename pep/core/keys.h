/*
 * Public keys, of two kinds that never mix.
 *
 * struct pep_public_key: Ed25519, signs policies, roots and statements. Its id is the lower-case
 * hex SHA-256 of the 32 raw bytes.
 *
 * struct pep_jwk: a token key out of a JWKS (RFC 7517). It fixes its own algorithm when it is read:
 * one key, one algorithm; a token header can only agree. Symmetric keys do not exist here.
 */
#ifndef PEP_CORE_KEYS_H
#define PEP_CORE_KEYS_H

#include "crypto.h"
#include "error.h"

#include <jansson.h>

#define PEP_ED25519_SIZE   32
#define PEP_SIGNATURE_SIZE 64
#define PEP_KEY_ID_TEXT    65 /* 64 hex digits and NUL */
#define PEP_KEY_NAME_MAX   64

struct pep_public_key {
    uint8_t raw[PEP_ED25519_SIZE];
    char id[PEP_KEY_ID_TEXT];
};

int pep_public_key_from_raw(const uint8_t raw[PEP_ED25519_SIZE], struct pep_public_key *ret);
/* Reads SubjectPublicKeyInfo in PEM, Ed25519 only. */
int pep_public_key_from_pem(struct pep_span pem, struct pep_public_key *ret, struct pep_error *err);
/* Exactly `size` bytes in the base64 body of one PEM block with this label, nothing around it but
 * white space; as OpenSSL writes it. 0, PEP_EFORMAT or PEP_ENOTFOUND (another label). */
int pep_pem_decode(struct pep_span pem, const char *label, uint8_t *out, size_t size);
/* 0, or PEP_ESIGNATURE, PEP_ENOMEM. */
int pep_public_key_verify(const struct pep_public_key *key, struct pep_span data,
                          const uint8_t signature[PEP_SIGNATURE_SIZE]);

/* ---- token keys ---- */

enum pep_alg {
    PEP_ALG_NONE = 0, /* not an algorithm: the value of an unset field, never accepted */
    PEP_ALG_RS256,
    PEP_ALG_RS384,
    PEP_ALG_RS512,
    PEP_ALG_PS256,
    PEP_ALG_PS384,
    PEP_ALG_PS512,
    PEP_ALG_ES256,
    PEP_ALG_ES384,
    PEP_ALG_ES512,
    PEP_ALG_EDDSA, /* Ed25519, under the names "EdDSA" (RFC 8037) and "Ed25519" (RFC 9864) */
    PEP_ALG_COUNT
};

/* Exact names only; PEP_ALG_NONE for anything else. */
enum pep_alg pep_alg_find(struct pep_span name);
const char *pep_alg_name(enum pep_alg alg);

#define PEP_KID_MAX         256
#define PEP_JWKS_KEYS       64
#define PEP_THUMBPRINT_TEXT 44 /* 43 characters and NUL */

struct pep_jwk;  /* one key, immutable, safe to use from any thread */
struct pep_jwks; /* a set, immutable */

/* Keys that cannot verify signatures we accept (use=enc, symmetric, unknown kty or curve) are left
 * out and counted; a broken key of a kind that we do accept is an error. Errors: EFORMAT, ELIMIT,
 * ENOMEM. `what` names the file in messages. */
int pep_jwks_read(const json_t *document, const char *what, struct pep_jwks **ret,
                  struct pep_error *err);
/* The same for a document that nobody here wrote: keys that are no good are left out and counted,
 * and so are those whose RFC 7638 thumbprint is not in `pinned` (NULL: all may stay). Errors:
 * EFORMAT (not a JWKS, or no key is left), ELIMIT, ENOMEM. */
struct pep_strings;
int pep_jwks_read_usable(const json_t *document, const char *what, const struct pep_strings *pinned,
                         struct pep_jwks **ret, struct pep_error *err);
void pep_jwks_free(struct pep_jwks *keys);
size_t pep_jwks_count(const struct pep_jwks *keys);
size_t pep_jwks_ignored(const struct pep_jwks *keys);
const struct pep_jwk *pep_jwks_at(const struct pep_jwks *keys, size_t i);
/* The key for a token header: by kid when the header has one, else the only key of that algorithm
 * (none, if several). `alg` must be one that the key allows. NULL if there is none. */
const struct pep_jwk *pep_jwks_find(const struct pep_jwks *keys, const struct pep_span *kid,
                                    enum pep_alg alg);
/* Whether the set has the key of this thumbprint, for this algorithm. */
bool pep_jwks_has(const struct pep_jwks *keys, const char *thumbprint, enum pep_alg alg);
/* A public key that somebody shows (the `jwk` of a DPoP proof), for exactly this algorithm: good
 * for checking what they signed, and nothing else. Freed by the caller. Errors: EFORMAT (among
 * others: it has private members), ELIMIT, ENOMEM. */
int pep_jwk_read_shown(const json_t *jwk, enum pep_alg alg, struct pep_jwk **ret,
                       struct pep_error *err);
void pep_jwk_free(struct pep_jwk *key);
/* True only for a valid signature by exactly this key and algorithm. Thread-safe. */
bool pep_jwk_verify(const struct pep_jwk *key, enum pep_alg alg, struct pep_span data,
                    struct pep_span signature);
/* RFC 7638 SHA-256 thumbprint, unpadded base64url (43 characters and NUL). */
const char *pep_jwk_thumbprint(const struct pep_jwk *key);
const char *pep_jwk_id(const struct pep_jwk *key); /* kid or "" */
enum pep_alg pep_jwk_algorithm(const struct pep_jwk *key);

#endif
