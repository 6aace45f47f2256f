/*
 * Private keys and what is made with them: DSSE envelopes, compact statements, JWTs. Linked into
 * policyctl (policies, roots, demo tokens), pdpd (beacons) and pepd (tokens); a link test shows that
 * libpep.so has none of it.
 */
#ifndef PEP_CORE_SIGN_H
#define PEP_CORE_SIGN_H

#include "envelope.h"

/* ---- Ed25519 for policies, roots and beacons ---- */

struct pep_private_key; /* wiped when freed */

int pep_private_key_generate(struct pep_private_key **ret);
/* PKCS#8 PEM, Ed25519 only, as `openssl genpkey -algorithm ed25519` writes it. */
int pep_private_key_from_pem(struct pep_span pem, struct pep_private_key **ret,
                             struct pep_error *err);
int pep_private_key_to_pem(const struct pep_private_key *key, struct pep_buffer *out);
int pep_public_key_to_pem(const struct pep_public_key *key, struct pep_buffer *out);
const struct pep_public_key *pep_private_key_public(const struct pep_private_key *key);
void pep_private_key_free(struct pep_private_key *key);

/* Appends the envelope's JSON (one line, no LF), signed by each of the keys in order. */
int pep_envelope_sign(const char *type, struct pep_span payload,
                      const struct pep_private_key *const *keys, size_t count,
                      struct pep_buffer *out);
/* Appends body || signature. */
int pep_compact_sign(const char *type, struct pep_span body, const struct pep_private_key *key,
                     struct pep_buffer *out);

/* ---- token keys (JWK) ---- */

struct pep_jwk_private;

/* A new key for `alg`; `kid` as given, or the RFC 7638 thumbprint when NULL. */
int pep_jwk_generate(enum pep_alg alg, const char *kid, json_t **ret_private_jwk);
/* Strips a private JWK to {"keys":[public]}. New reference. */
json_t *pep_jwk_public_set(const json_t *private_jwk);
int pep_jwk_private_read(const json_t *jwk, struct pep_jwk_private **ret, struct pep_error *err);
void pep_jwk_private_free(struct pep_jwk_private *key);
/* A compact JWS over `payload`; `header` may be NULL and gets alg and kid unless it names them (a
 * header that contradicts the key is allowed: tests need forged tokens). Takes no reference. */
int pep_jwt_sign(const struct pep_jwk_private *key, const json_t *header, struct pep_span payload,
                 struct pep_buffer *out, struct pep_error *err);

#endif
