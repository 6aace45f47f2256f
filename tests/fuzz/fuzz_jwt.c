/*
 * Tokens, key sets and issuers.json. The first byte picks the way in. A raw token may only verify
 * if what it signs is one of the seeds. Behind a signature nothing could be reached by mutation, so
 * that another way signs header and claims with the right key first and then holds the result to
 * what every accepted token must be.
 */
#include "jwt_seeds.h"

#include "pep/core/json.h"
#include "pep/core/jwt.h"
#include "pep/core/sign.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pep_issuers *issuers;
static EVP_PKEY *ed_key;
static uint8_t certificate[32];

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* The text that was signed holds the claims of a seed, byte for byte. */
static bool known(struct pep_span token)
{
    const uint8_t *dot = memchr(token.data, '.', token.size);
    for (size_t i = 0; dot != NULL && i < SEED_TOKENS; i++) {
        struct pep_buffer b = pep_buffer_of(4096);
        pep_put_u8(&b, '.');
        pep_put_base64url(&b, pep_span_string(seed_claims[i]));
        pep_put_u8(&b, '.');
        bool same =
            (size_t)(token.data + token.size - dot) > b.size && memcmp(dot, b.data, b.size) == 0;
        pep_buffer_free(&b);
        if (same)
            return true;
    }
    return false;
}

/* What no accepted token may lack. */
static void check_accepted(const struct pep_jwt *jwt)
{
    const json_t *claims = pep_jwt_claims(jwt);
    const struct pep_issuer *issuer = pep_jwt_issuer(jwt);
    const json_t *iss = json_object_get(claims, "iss");
    check(json_is_string(iss) && strcmp(json_string_value(iss), issuer->name) == 0);
    check(json_is_number(json_object_get(claims, "exp")));
    check(pep_jwt_expires(jwt) >= SEED_NOW);
    const json_t *aud = json_object_get(claims, "aud");
    check(json_is_string(aud) || json_array_size(aud) > 0);
    check(json_object_get(claims, "cnf") == NULL || !pep_jwt_binding_holds(jwt, NULL));
    check(pep_jwt_binding_holds(jwt, certificate));
    for (size_t i = 0; i < issuer->required_claims.count; i++)
        check(json_object_get(claims, issuer->required_claims.items[i]) != NULL);
}

static bool verify(struct pep_span token)
{
    const struct pep_jwt_expect expect = {.now = SEED_NOW, .peer_cert_sha256 = certificate};
    struct pep_jwt *jwt = NULL;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_jwt_verify(issuers, token, &expect, &jwt, &reason, &err);
    check((jwt != NULL) == (r == PEP_OK));
    check((reason == PEP_JWT_OK) == (r == PEP_OK));
    check(err.code == r);
    if (jwt != NULL)
        check_accepted(jwt);
    pep_jwt_free(jwt);
    return r == PEP_OK;
}

static void raw_token(struct pep_span in)
{
    json_t *header = NULL, *claims = NULL;
    if (verify(in))
        check(known(in));
    if (pep_jwt_decode_unverified(in, &header, &claims, NULL) == PEP_OK) {
        check(json_is_object(header) && json_is_object(claims));
        json_decref(header);
        json_decref(claims);
    }
}

/* Signed here with the right key, whatever it is. */
static bool sign_and_verify(struct pep_span header, struct pep_span claims)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    uint8_t signature[64];
    size_t size = sizeof(signature);
    pep_put_base64url(&b, header);
    pep_put_u8(&b, '.');
    pep_put_base64url(&b, claims);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    check(EVP_DigestSignInit(md, NULL, NULL, NULL, ed_key) == 1);
    check(EVP_DigestSign(md, signature, &size, b.data, b.size) == 1);
    EVP_MD_CTX_free(md);
    pep_put_u8(&b, '.');
    pep_put_base64url(&b, pep_span_of(signature, size));
    bool good = verify(pep_buffer_span(&b));
    pep_buffer_free(&b);
    return good;
}

/* Line 1 is the header, the rest the claims. */
static void signed_token(struct pep_span in)
{
    const uint8_t *lf = in.size == 0 ? NULL : memchr(in.data, '\n', in.size);
    size_t line = lf == NULL ? 0 : (size_t)(lf - in.data);
    if (lf != NULL)
        sign_and_verify(pep_span_of(in.data, line), pep_span_of(lf + 1, in.size - line - 1));
}

static void table(struct pep_span in)
{
    struct pep_issuers *t = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_issuers_read(in, "issuers.json", &t, &diags, &err);
    check((t != NULL) == (r == PEP_OK));
    check((diags.errors == 0) == (r == PEP_OK));
    check(err.code == r);
    for (size_t i = 0; i < pep_issuers_count(t); i++) {
        const struct pep_issuer *issuer = pep_issuers_at(t, i);
        check(issuer->audiences.count > 0 && issuer->algorithms != 0);
        check(issuer->keys != NULL || issuer->jwks_uri != NULL);
        check(pep_issuers_find(t, pep_span_string(issuer->name)) == issuer);
    }
    pep_issuers_free(t);
    pep_diags_free(&diags);
}

static void key_set(struct pep_span in)
{
    json_t *value = NULL;
    struct pep_jwks *keys = NULL;
    if (pep_json_parse(in, 1 << 20, "jwks", &value, NULL) != PEP_OK)
        return;
    int r = pep_jwks_read(value, "jwks", &keys, NULL);
    check((keys != NULL) == (r == PEP_OK));
    for (size_t i = 0; i < pep_jwks_count(keys); i++) {
        const struct pep_jwk *key = pep_jwks_at(keys, i);
        check(strlen(pep_jwk_thumbprint(key)) == 43);
        check(pep_jwk_algorithm(key) != PEP_ALG_NONE);
        check(!pep_jwk_verify(key, pep_jwk_algorithm(key), in, pep_span_of(certificate, 32)));
    }
    pep_jwks_free(keys);
    json_decref(value);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    uint8_t seed[36];
    size_t size = 0;
    for (uint8_t i = 0; i < 32; i++)
        certificate[i] = i;
    check(pep_issuers_read(pep_span_string(SEED_ISSUERS), "issuers.json", &issuers, NULL, NULL) ==
          PEP_OK);
    check(pep_base64url_decode(pep_span_string("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), seed,
                               &size) == PEP_OK);
    ed_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, size);
    check(ed_key != NULL);
    for (size_t i = 0; i < SEED_TOKENS; i++) /* else the seeds would lead nowhere */
        check(sign_and_verify(
            pep_span_string("{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"typ\":\"at+jwt\"}"),
            pep_span_string(seed_claims[i])));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(struct pep_span) = {raw_token, signed_token, table, key_set};
    if (size > 0 && data[0] - '0' >= 0 && (size_t)(data[0] - '0') < sizeof(ways) / sizeof(ways[0]))
        ways[data[0] - '0'](pep_span_of(data + 1, size - 1));
    return 0;
}
