/*
 * Ed25519 public keys: see keys.h; token keys are in keys_jwk.c.
 *
 * PEM is read by our own few lines: an Ed25519 key in SubjectPublicKeyInfo or PKCS#8 is a fixed
 * prefix and 32 bytes (RFC 8410), so no ASN.1 parser is needed. Rejected: OpenSSL's PEM reader,
 * which takes any key type, skips text around the block and asks for passwords on the terminal.
 */
#include "keys.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define PEM_BODY_MAX 256 /* base64 characters; an Ed25519 key needs 64 */

int pep_public_key_from_raw(const uint8_t raw[PEP_ED25519_SIZE], struct pep_public_key *ret)
{
    struct pep_public_key key;
    uint8_t digest[PEP_SHA256_SIZE];
    int r = pep_sha256(pep_span_of(raw, PEP_ED25519_SIZE), digest);
    if (r != PEP_OK)
        return r;
    memcpy(key.raw, raw, PEP_ED25519_SIZE);
    pep_hex_encode(digest, PEP_SHA256_SIZE, key.id);
    *ret = key;
    return PEP_OK;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct pep_span trim(struct pep_span s)
{
    while (s.size > 0 && is_space(s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && is_space(s.data[s.size - 1]))
        s.size--;
    return s;
}

/* Removes "-----WORD LABEL-----" from the front or the back. */
static bool strip_line(struct pep_span *s, const char *word, const char *label, bool front)
{
    char line[80];
    int n = snprintf(line, sizeof(line), "-----%s %s-----", word, label);
    size_t size = (size_t)n;
    if (n < 0 || size >= sizeof(line) || s->size < size)
        return false;
    if (memcmp(front ? s->data : s->data + s->size - size, line, size) != 0)
        return false;
    s->data += front ? size : 0;
    s->size -= size;
    return true;
}

int pep_pem_decode(struct pep_span pem, const char *label, uint8_t *out, size_t size)
{
    uint8_t body[PEM_BODY_MAX], bytes[PEM_BODY_MAX];
    size_t n = 0, got = 0;
    struct pep_span s = trim(pem);
    if (!strip_line(&s, "BEGIN", label, true))
        return PEP_ENOTFOUND;
    if (!strip_line(&s, "END", label, false))
        return PEP_EFORMAT;
    for (size_t i = 0; i < s.size; i++) {
        if (is_space(s.data[i]))
            continue;
        if (n == sizeof(body))
            return PEP_EFORMAT;
        body[n++] = s.data[i];
    }
    int r = pep_base64_decode(pep_span_of(body, n), bytes, &got);
    if (r == PEP_OK && got != size)
        r = PEP_EFORMAT;
    if (r == PEP_OK)
        memcpy(out, bytes, size);
    /* It may have been a private key. */
    pep_wipe(body, sizeof(body));
    pep_wipe(bytes, sizeof(bytes));
    return r;
}

int pep_public_key_from_pem(struct pep_span pem, struct pep_public_key *ret, struct pep_error *err)
{
    /* SubjectPublicKeyInfo { 1.3.101.112 }, BIT STRING of 32 bytes: RFC 8410 section 4. */
    static const uint8_t prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t der[sizeof(prefix) + PEP_ED25519_SIZE];
    int r = pep_pem_decode(pem, "PUBLIC KEY", der, sizeof(der));
    if (r == PEP_ENOTFOUND)
        return pep_error_set(err, PEP_EFORMAT, "public key: no PEM block \"PUBLIC KEY\"");
    if (r != PEP_OK || memcmp(der, prefix, sizeof(prefix)) != 0)
        return pep_error_set(err, PEP_EFORMAT,
                             "public key: not an Ed25519 key in PEM (write one with `openssl pkey "
                             "-pubout`, or `policyctl key generate`)");
    return pep_public_key_from_raw(der + sizeof(prefix), ret);
}

int pep_public_key_verify(const struct pep_public_key *key, struct pep_span data,
                          const uint8_t signature[PEP_SIGNATURE_SIZE])
{
    int r = PEP_ENOMEM;
    /* The host's own OpenSSL errors on this thread stay as they were. */
    ERR_set_mark();
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->raw, PEP_ED25519_SIZE);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (pkey != NULL && md != NULL && EVP_DigestVerifyInit(md, NULL, NULL, NULL, pkey) == 1) {
        const uint8_t *at = data.data == NULL ? key->raw : data.data;
        int ok = EVP_DigestVerify(md, signature, PEP_SIGNATURE_SIZE, at, data.size);
        r = ok == 1 ? PEP_OK : PEP_ESIGNATURE;
    }
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    ERR_pop_to_mark();
    return r;
}
