/*
 * One signature under one token key.
 *
 * ECDSA signatures are checked for length and 0 < r, s < n on the raw bytes before anything else
 * sees them, then written as DER by hand: two integers need no allocation. Rejected: ECDSA_SIG,
 * which accepts anything and leaves the checks to whoever comes later.
 */
#include "keys_jwk.h"

#include <openssl/err.h>
#include <string.h>

#define EC_DER_MAX (3 + 2 * (3 + PEP_EC_COORDINATE_MAX))

/* Appends a DER INTEGER to `out`; returns its size. */
static size_t put_der_integer(uint8_t *out, const uint8_t *value, size_t size)
{
    while (size > 1 && value[0] == 0) {
        value++;
        size--;
    }
    size_t pad = value[0] >> 7;
    out[0] = 0x02;
    out[1] = (uint8_t)(size + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, value, size);
    return 2 + pad + size;
}

static bool in_range(const uint8_t *value, const uint8_t *order, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= value[i];
    return any != 0 && memcmp(value, order, size) < 0;
}

/* r || s as DER, or 0 if either is not within 1 .. n - 1. */
static size_t ecdsa_to_der(const struct pep_jwk *key, const uint8_t *raw, uint8_t out[EC_DER_MAX])
{
    size_t c = key->signature_size / 2;
    if (!in_range(raw, key->order, c) || !in_range(raw + c, key->order, c))
        return 0;
    uint8_t body[EC_DER_MAX];
    size_t size = put_der_integer(body, raw, c);
    size += put_der_integer(body + size, raw + c, c);
    size_t at = 0;
    out[at++] = 0x30;
    if (size > 127)
        out[at++] = 0x81;
    out[at++] = (uint8_t)size;
    memcpy(out + at, body, size);
    return at + size;
}

bool pep_jwk_verify(const struct pep_jwk *key, enum pep_alg alg, struct pep_span data,
                    struct pep_span signature)
{
    uint8_t der[EC_DER_MAX];
    if (key == NULL || key->alg != alg || signature.size != key->signature_size)
        return false;
    if (pep_alg_row(alg)->coordinate > 0) {
        size_t size = ecdsa_to_der(key, signature.data, der);
        if (size == 0)
            return false;
        signature = pep_span_of(der, size);
    }
    ERR_set_mark();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_MD_CTX_copy_ex(ctx, key->template) == 1 &&
                EVP_DigestVerify(ctx, signature.data, signature.size, data.data, data.size) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_pop_to_mark();
    return good;
}
