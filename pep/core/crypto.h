/*
 * The few primitives that everything else stands on: SHA-256, random bytes, a comparison whose time
 * does not depend on the data, XXH3 stays with its users. OpenSSL is reached only here and in keys,
 * jwt, envelope and sign.
 */
#ifndef PEP_CORE_CRYPTO_H
#define PEP_CORE_CRYPTO_H

#include "bytes.h"

#define PEP_SHA256_SIZE  32
#define PEP_DIGEST_TEXT  72 /* "sha256:" + 64 digits + NUL */

/* 0, or PEP_ENOMEM. */
int pep_sha256(struct pep_span data, uint8_t out[PEP_SHA256_SIZE]);
/* "sha256:<hex>" */
void pep_digest_text(const uint8_t digest[PEP_SHA256_SIZE], char out[PEP_DIGEST_TEXT]);
int pep_digest_parse(struct pep_span text, uint8_t out[PEP_SHA256_SIZE]);
/* From the system's generator; 0, or PEP_EIO. */
int pep_random(void *out, size_t size);
bool pep_equal_constant_time(const void *a, const void *b, size_t size);
/* Overwrites secrets in a way that the compiler does not remove. */
void pep_wipe(void *data, size_t size);

#endif
