/*
 * Ed25519 private keys, envelopes and compact statements: see sign.h; token keys are in sign_jwt.c.
 * A library of its own, so that what only verifies cannot sign.
 *
 * The seed lives inside OpenSSL's key object, which wipes it when freed; copies on the stack are
 * wiped here. PKCS#8 without a password only: files are 0600, and a key that needs more protection
 * belongs on another machine, not behind a prompt.
 */
#include "sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct pep_private_key {
    EVP_PKEY *pkey;
    struct pep_public_key public;
};

/* PKCS#8 version 0 { 1.3.101.112 }, OCTET STRING in OCTET STRING of 32 bytes: RFC 8410 section 7.
 */
static const uint8_t pkcs8_prefix[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
static const uint8_t spki_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static int from_seed(const uint8_t seed[PEP_ED25519_SIZE], struct pep_private_key **ret)
{
    uint8_t raw[PEP_ED25519_SIZE];
    size_t size = sizeof(raw);
    int r = PEP_ENOMEM;
    struct pep_private_key *key = calloc(1, sizeof(*key));
    if (key == NULL)
        return PEP_ENOMEM;
    ERR_set_mark();
    key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, PEP_ED25519_SIZE);
    if (key->pkey != NULL && EVP_PKEY_get_raw_public_key(key->pkey, raw, &size) == 1)
        r = pep_public_key_from_raw(raw, &key->public);
    ERR_pop_to_mark();
    if (r != PEP_OK) {
        pep_private_key_free(key);
        return r;
    }
    *ret = key;
    return PEP_OK;
}

int pep_private_key_generate(struct pep_private_key **ret)
{
    uint8_t seed[PEP_ED25519_SIZE];
    int r = pep_random(seed, sizeof(seed));
    if (r == PEP_OK)
        r = from_seed(seed, ret);
    pep_wipe(seed, sizeof(seed));
    return r;
}

int pep_private_key_from_pem(struct pep_span pem, struct pep_private_key **ret,
                             struct pep_error *err)
{
    uint8_t der[sizeof(pkcs8_prefix) + PEP_ED25519_SIZE];
    int r = pep_pem_decode(pem, "PRIVATE KEY", der, sizeof(der));
    if (r == PEP_ENOTFOUND)
        return pep_error_set(err, PEP_EFORMAT,
                             "private key: no PEM block \"PRIVATE KEY\" (an encrypted key must be "
                             "decrypted first, e.g. with `openssl pkey`)");
    if (r != PEP_OK || memcmp(der, pkcs8_prefix, sizeof(pkcs8_prefix)) != 0)
        r = pep_error_set(err, PEP_EFORMAT,
                          "private key: not an Ed25519 key in PKCS#8 PEM (make one with `policyctl "
                          "key generate`, or `openssl genpkey -algorithm ed25519`)");
    else
        r = from_seed(der + sizeof(pkcs8_prefix), ret);
    pep_wipe(der, sizeof(der));
    return r;
}

/* One line of base64: both kinds of Ed25519 key fit into 64 characters. */
static int put_pem(struct pep_buffer *out, const char *label, struct pep_span der)
{
    pep_put_format(out, "-----BEGIN %s-----\n", label);
    pep_put_base64(out, der);
    pep_put_format(out, "\n-----END %s-----\n", label);
    return out->failed ? PEP_ENOMEM : PEP_OK;
}

int pep_private_key_to_pem(const struct pep_private_key *key, struct pep_buffer *out)
{
    uint8_t der[sizeof(pkcs8_prefix) + PEP_ED25519_SIZE];
    size_t size = PEP_ED25519_SIZE;
    memcpy(der, pkcs8_prefix, sizeof(pkcs8_prefix));
    ERR_set_mark();
    int ok = EVP_PKEY_get_raw_private_key(key->pkey, der + sizeof(pkcs8_prefix), &size);
    ERR_pop_to_mark();
    int r = ok == 1 ? put_pem(out, "PRIVATE KEY", pep_span_of(der, sizeof(der))) : PEP_ENOMEM;
    pep_wipe(der, sizeof(der));
    return r;
}

int pep_public_key_to_pem(const struct pep_public_key *key, struct pep_buffer *out)
{
    uint8_t der[sizeof(spki_prefix) + PEP_ED25519_SIZE];
    memcpy(der, spki_prefix, sizeof(spki_prefix));
    memcpy(der + sizeof(spki_prefix), key->raw, PEP_ED25519_SIZE);
    return put_pem(out, "PUBLIC KEY", pep_span_of(der, sizeof(der)));
}

const struct pep_public_key *pep_private_key_public(const struct pep_private_key *key)
{
    return &key->public;
}

void pep_private_key_free(struct pep_private_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    pep_wipe(key, sizeof(*key));
    free(key);
}

/* Signs PAE(type, payload). */
static int sign_pae(const char *type, struct pep_span payload, const struct pep_private_key *key,
                    uint8_t signature[PEP_SIGNATURE_SIZE])
{
    int r = PEP_ENOMEM;
    size_t size = PEP_SIGNATURE_SIZE;
    if (payload.size > PEP_PAYLOAD_MAX)
        return PEP_ELIMIT;
    struct pep_buffer pae = pep_buffer_of(PEP_ENVELOPE_MAX);
    pep_put_pae(&pae, type, payload);
    ERR_set_mark();
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (!pae.failed && md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
        EVP_DigestSign(md, signature, &size, pae.data, pae.size) == 1 && size == PEP_SIGNATURE_SIZE)
        r = PEP_OK;
    EVP_MD_CTX_free(md);
    ERR_pop_to_mark();
    pep_buffer_free(&pae);
    return r;
}

int pep_envelope_sign(const char *type, struct pep_span payload,
                      const struct pep_private_key *const *keys, size_t count,
                      struct pep_buffer *out)
{
    if (count == 0 || count > PEP_SIGNATURES_MAX)
        return PEP_EINVAL;
    struct pep_buffer text = pep_buffer_of(PEP_ENVELOPE_MAX);
    pep_put_format(&text, "{\"payload\":\"");
    pep_put_base64(&text, payload);
    pep_put_format(&text, "\",\"payloadType\":\"%s\",\"signatures\":[", type);
    int r = PEP_OK;
    for (size_t i = 0; i < count && r == PEP_OK; i++) {
        uint8_t signature[PEP_SIGNATURE_SIZE];
        r = sign_pae(type, payload, keys[i], signature);
        if (r != PEP_OK)
            break;
        pep_put_format(&text, "%s{\"keyid\":\"%s\",\"sig\":\"", i == 0 ? "" : ",",
                       keys[i]->public.id);
        pep_put_base64(&text, pep_span_of(signature, sizeof(signature)));
        pep_put_format(&text, "\"}");
    }
    pep_put_format(&text, "]}");
    if (r == PEP_OK && text.failed)
        r = PEP_ENOMEM;
    if (r == PEP_OK) {
        pep_put_span(out, pep_buffer_span(&text));
        r = out->failed ? PEP_ENOMEM : PEP_OK;
    }
    pep_buffer_free(&text);
    return r;
}

int pep_compact_sign(const char *type, struct pep_span body, const struct pep_private_key *key,
                     struct pep_buffer *out)
{
    uint8_t signature[PEP_SIGNATURE_SIZE];
    int r = sign_pae(type, body, key, signature);
    if (r != PEP_OK)
        return r;
    pep_put_span(out, body);
    pep_put_bytes(out, signature, sizeof(signature));
    return out->failed ? PEP_ENOMEM : PEP_OK;
}
