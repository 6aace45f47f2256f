/*
 * The world in which tests attack tokens: three issuers, keys of every kind, and tokens put
 * together from raw text and signed with the right key, so that nothing but the attack itself can
 * be the reason of a refusal.
 */
#ifndef TESTS_UNIT_TOKEN_WORLD_H
#define TESTS_UNIT_TOKEN_WORLD_H

#include "token_kit.h"

#include "pep/core/json.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>

#define OTHER  "https://partner.example"
#define STRICT "https://strict.example"

struct world {
    EVP_PKEY *ed, *ec, *rsa, *pss, *other, *attacker;
    struct pep_issuers *issuers;
};
static struct world world;

/* ---- keys ---- */

static inline char *url_text(const void *data, size_t size)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    pep_put_base64url(&b, pep_span_of(data, size));
    return (char *)pep_buffer_take(&b, NULL);
}

static inline void set_number(json_t *jwk, const char *name, const EVP_PKEY *pkey,
                              const char *param, int width)
{
    uint8_t bytes[1024];
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &n), 1);
    int size = width > 0 ? width : BN_num_bytes(n);
    assert_int_equal(BN_bn2binpad(n, bytes, size), size);
    char *text = url_text(bytes, (size_t)size);
    json_object_set_new(jwk, name, json_string(text));
    free(text);
    BN_free(n);
}

static inline json_t *rsa_jwk(const EVP_PKEY *pkey, const char *kid, const char *alg)
{
    json_t *jwk = json_pack("{s:s, s:s, s:s}", "kty", "RSA", "kid", kid, "alg", alg);
    set_number(jwk, "n", pkey, OSSL_PKEY_PARAM_RSA_N, 0);
    set_number(jwk, "e", pkey, OSSL_PKEY_PARAM_RSA_E, 0);
    return jwk;
}

static inline json_t *ec_jwk(const EVP_PKEY *pkey, const char *kid)
{
    json_t *jwk = json_pack("{s:s, s:s, s:s}", "kty", "EC", "kid", kid, "crv", "P-256");
    set_number(jwk, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    set_number(jwk, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    return jwk;
}

static inline json_t *ed_jwk(const EVP_PKEY *pkey, const char *kid)
{
    uint8_t raw[32];
    size_t size = sizeof(raw);
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, raw, &size), 1);
    char *text = url_text(raw, size);
    json_t *jwk =
        json_pack("{s:s, s:s, s:s, s:s}", "kty", "OKP", "kid", kid, "crv", "Ed25519", "x", text);
    free(text);
    return jwk;
}

static inline int make_world(void **state)
{
    (void)state;
    world.ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    world.other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    world.attacker = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    world.ec = EVP_EC_gen("prime256v1");
    world.rsa = EVP_RSA_gen(2048);
    world.pss = EVP_RSA_gen(2048);
    json_t *table = json_pack(
        "[{s:s, s:[s,s], s:[s,s,s,s], s:{s:[o,o,o,o]}, s:{s:[]}},"
        " {s:s, s:[s], s:[s], s:{s:[o]}, s:{s:[]}},"
        " {s:s, s:[s], s:[s], s:{s:[o]}, s:{s:[]}, s:[s], s:[s], s:i}]",
        "issuer", ISSUER, "audiences", AUDIENCE, "reports", "algorithms", "EdDSA", "ES256", "RS256",
        "PS256", "jwks", "keys", ed_jwk(world.ed, "ed"), ec_jwk(world.ec, "ec"),
        rsa_jwk(world.rsa, "rsa", "RS256"), rsa_jwk(world.pss, "pss", "PS256"), "allow", "roles",
        "issuer", OTHER, "audiences", AUDIENCE, "algorithms", "EdDSA", "jwks", "keys",
        ed_jwk(world.other, "other"), "allow", "roles", "issuer", STRICT, "audiences", AUDIENCE,
        "algorithms", "Ed25519", "jwks", "keys", ed_jwk(world.other, "strict"), "allow", "roles",
        "token_types", "application/AT+jwt", "required_claims", "jti", "max_lifetime", 600);
    char *text = json_dumps(table, 0);
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_issuers_read(pep_span_string(text), "issuers.json", &world.issuers, NULL, &err);
    if (r != PEP_OK)
        fprintf(stderr, "%s\n", err.text);
    free(text);
    json_decref(table);
    return r;
}

static inline int end_world(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {world.ed, world.ec, world.rsa, world.pss, world.other, world.attacker};
    for (size_t i = 0; i < 6; i++)
        EVP_PKEY_free(keys[i]);
    pep_issuers_free(world.issuers);
    return 0;
}

/* ---- making tokens ---- */

static inline void put_unsigned(struct pep_buffer *b, struct pep_span header,
                                struct pep_span payload)
{
    pep_put_base64url(b, header);
    pep_put_u8(b, '.');
    pep_put_base64url(b, payload);
}

static inline char *finish(struct pep_buffer *b, const uint8_t *signature, size_t size)
{
    pep_put_u8(b, '.');
    pep_put_base64url(b, pep_span_of(signature, size));
    char *text = (char *)pep_buffer_take(b, NULL);
    assert_non_null(text);
    return text;
}

static inline char *signed_by(EVP_PKEY *key, struct pep_span header, struct pep_span payload)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    uint8_t signature[1024];
    size_t size = sizeof(signature);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    put_unsigned(&b, header, payload);
    assert_int_equal(EVP_DigestSignInit(md, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(md, signature, &size, b.data, b.size), 1);
    EVP_MD_CTX_free(md);
    return finish(&b, signature, size);
}

#define GOOD_HEADER  "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"
#define HEADER(more) "{\"alg\":\"EdDSA\",\"kid\":\"ed\"," more "}"
#define BASE         "\"iss\":\"" ISSUER "\",\"sub\":\"ann\""
#define AUD          "\"aud\":\"" AUDIENCE "\""
#define EXP          "\"exp\":1700000600"
#define GOOD_CLAIMS  "{" BASE "," AUD "," EXP "}"
#define CLAIMS(more) "{" BASE "," AUD "," EXP "," more "}"

static inline char *ed_token(const char *header, const char *payload)
{
    return signed_by(world.ed, pep_span_string(header), pep_span_string(payload));
}

static inline void expect_at(const char *name, const char *token, int64_t leeway,
                             enum pep_jwt_reason reason)
{
    const struct pep_jwt_expect expect = {.now = NOW, .leeway = leeway};
    enum pep_jwt_reason got = reason_of(world.issuers, token, &expect);
    if (got != reason)
        fail_msg("%s: expected %s, got %s: %.200s", name, pep_jwt_reason_name(reason),
                 pep_jwt_reason_name(got), token);
}

static inline void expect_token(const char *name, char *token, enum pep_jwt_reason reason)
{
    expect_at(name, token, 0, reason);
    free(token);
}

/* ---- rows of text: header and payload, signed with the issuer's right key ---- */

struct row {
    const char *name, *header, *payload; /* NULL: the good one */
    enum pep_jwt_reason reason;
};

static inline void run_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *header = rows[i].header == NULL ? GOOD_HEADER : rows[i].header;
        const char *payload = rows[i].payload == NULL ? GOOD_CLAIMS : rows[i].payload;
        expect_token(rows[i].name, ed_token(header, payload), rows[i].reason);
    }
}
#define RUN(rows) run_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#endif
