/*
 * SHA-256, random bytes, constant-time compare, wipe: see crypto.h. Random bytes come from
 * getrandom(2), not from OpenSSL's generator: no state that a fork could copy, nothing to seed, and
 * the few bytes that we draw (nonces, keys, ids) need no speed.
 */
#include "crypto.h"

#include "pep.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#define DIGEST_PREFIX "sha256:"

int pep_sha256(struct pep_span data, uint8_t out[PEP_SHA256_SIZE])
{
    uint8_t digest[PEP_SHA256_SIZE];
    unsigned size = 0;
    /* The host's own OpenSSL errors on this thread stay as they were. */
    ERR_set_mark();
    int ok = EVP_Digest(data.data == NULL ? digest : data.data, data.size, digest, &size,
                        EVP_sha256(), NULL);
    ERR_pop_to_mark();
    if (ok != 1 || size != PEP_SHA256_SIZE)
        return PEP_ENOMEM;
    memcpy(out, digest, PEP_SHA256_SIZE);
    return PEP_OK;
}

void pep_digest_text(const uint8_t digest[PEP_SHA256_SIZE], char out[PEP_DIGEST_TEXT])
{
    memcpy(out, DIGEST_PREFIX, sizeof(DIGEST_PREFIX));
    pep_hex_encode(digest, PEP_SHA256_SIZE, out + strlen(DIGEST_PREFIX));
}

int pep_digest_parse(struct pep_span text, uint8_t out[PEP_SHA256_SIZE])
{
    size_t prefix = strlen(DIGEST_PREFIX);
    if (text.size < prefix || memcmp(text.data, DIGEST_PREFIX, prefix) != 0)
        return PEP_EFORMAT;
    return pep_hex_decode(pep_span_of(text.data + prefix, text.size - prefix), out,
                          PEP_SHA256_SIZE);
}

int pep_random(void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return PEP_EIO;
        at += n;
        size -= (size_t)n;
    }
    return PEP_OK;
}

bool pep_equal_constant_time(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void pep_wipe(void *data, size_t size)
{
    if (data != NULL)
        OPENSSL_cleanse(data, size);
}
