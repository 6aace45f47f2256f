/*
 * A token that was never seen before, against the work that nobody can avoid: one
 * EVP_DigestVerify() with the key parsed beforehand, and one json_loadb() of the payload. And what
 * it costs to refuse a token that anybody can make up: the defence against floods.
 */
#include "measure.h"

#include "pep/core/jwt.h"
#include "pep/core/sign.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1700000000

/* The size of a usual access token. */
static const char claims[] =
    "{\"iss\":\"https://"
    "idp.example\",\"aud\":[\"billing-api\",\"account\"],\"sub\":\"f81d4fae-7dec-"
    "11d0-a765-00a0c91e6bf6\",\"exp\":1700000600,\"iat\":1700000000,\"nbf\":1700000000,\"jti\":"
    "\"7c9e6679-7425-40de-944b-e07fc1f90ae7\",\"client_id\":\"web-shop\",\"scope\":\"openid "
    "profile invoice:read invoice:write\",\"tenant\":\"acme\",\"roles\":[\"manager\",\"viewer\"],"
    "\"amr\":[\"pwd\",\"mfa\"],\"acr\":\"urn:acme:mfa\",\"auth_time\":1699999900,\"email\":"
    "\"ann@acme.example\",\"name\":\"Ann Example\"}";

struct subject {
    struct pep_issuers *issuers;
    uint8_t *token;
    size_t size;
    /* the bare side */
    EVP_PKEY *pkey;
    const char *digest;
    bool pss;
    size_t signed_size;
    uint8_t signature[1024];
    size_t signature_size;
};

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench token: %s failed\n", what);
    exit(1);
}

static void verify(void *context, size_t times)
{
    struct subject *s = context;
    const struct pep_jwt_expect expect = {.now = NOW};
    for (size_t i = 0; i < times; i++) {
        struct pep_jwt *jwt = NULL;
        enum pep_jwt_reason reason = PEP_JWT_OK;
        must(pep_jwt_verify(s->issuers, pep_span_of(s->token, s->size), &expect, &jwt, &reason,
                            NULL) == PEP_OK,
             "verify");
        pep_jwt_free(jwt);
    }
}

static void bare(void *context, size_t times)
{
    struct subject *s = context;
    for (size_t i = 0; i < times; i++) {
        EVP_PKEY_CTX *ctx = NULL;
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        must(EVP_DigestVerifyInit_ex(md, &ctx, s->digest, NULL, NULL, s->pkey, NULL) == 1, "init");
        if (s->pss) {
            EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
        }
        must(EVP_DigestVerify(md, s->signature, s->signature_size, s->token, s->signed_size) == 1,
             "EVP_DigestVerify");
        EVP_MD_CTX_free(md);
        json_t *value = json_loadb(claims, sizeof(claims) - 1, JSON_REJECT_DUPLICATES, NULL);
        must(value != NULL, "json_loadb");
        json_decref(value);
    }
}

/* ---- the same key and signature for OpenSSL alone ---- */

static size_t member(const json_t *jwk, const char *name, uint8_t *out)
{
    size_t size = 0;
    const json_t *v = json_object_get(jwk, name);
    must(pep_base64url_decode(pep_span_of(json_string_value(v), json_string_length(v)), out,
                              &size) == PEP_OK,
         name);
    return size;
}

static EVP_PKEY *from_data(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    must(EVP_PKEY_fromdata_init(ctx) == 1 &&
             EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1,
         "key");
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

static EVP_PKEY *bare_key(const json_t *jwk, const char *group)
{
    uint8_t a[1024], b[1024], point[1 + 1024] = {0x04};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    if (strcmp(kty, "RSA") == 0) {
        size_t n_size = member(jwk, "n", a), e_size = member(jwk, "e", b);
        BIGNUM *n = BN_bin2bn(a, (int)n_size, NULL), *e = BN_bin2bn(b, (int)e_size, NULL);
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
        EVP_PKEY *pkey = from_data("RSA", build);
        BN_free(n);
        BN_free(e);
        return pkey;
    }
    size_t x = member(jwk, "x", point + 1);
    if (strcmp(kty, "OKP") == 0) {
        OSSL_PARAM_BLD_free(build);
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point + 1, x);
    }
    size_t y = member(jwk, "y", point + 1 + x);
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + x + y);
    return from_data("EC", build);
}

static void to_der(struct subject *s)
{
    int half = (int)s->signature_size / 2;
    uint8_t *at = s->signature;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(s->signature, half, NULL),
                   BN_bin2bn(s->signature + half, half, NULL));
    s->signature_size = (size_t)i2d_ECDSA_SIG(pair, &at);
    ECDSA_SIG_free(pair);
}

static void bare_side(struct subject *s, enum pep_alg alg, const json_t *jwk)
{
    static const char *const digests[] = {"SHA256", "SHA384", "SHA512"};
    static const char *const groups[] = {"prime256v1", "secp384r1", "secp521r1"};
    const uint8_t *dot = memrchr(s->token, '.', s->size);
    s->signed_size = (size_t)(dot - s->token);
    must(pep_base64url_decode(pep_span_of(dot + 1, s->size - s->signed_size - 1), s->signature,
                              &s->signature_size) == PEP_OK,
         "signature");
    size_t strength = (size_t)(alg - PEP_ALG_RS256) % 3;
    s->digest = alg == PEP_ALG_EDDSA ? NULL : digests[strength];
    s->pss = alg >= PEP_ALG_PS256 && alg <= PEP_ALG_PS512;
    s->pkey = bare_key(jwk, groups[strength]);
    if (alg >= PEP_ALG_ES256 && alg <= PEP_ALG_ES512)
        to_der(s);
}

static void set_up(struct subject *s, enum pep_alg alg)
{
    static const char *const audiences[] = {"billing-api", NULL};
    json_t *jwk = NULL;
    struct pep_jwk_private *key = NULL;
    struct pep_buffer out = pep_buffer_of(PEP_TOKEN_MAX);
    memset(s, 0, sizeof(*s));
    must(pep_jwk_generate(alg, NULL, &jwk) == PEP_OK, "key generation");
    must(pep_jwk_private_read(jwk, &key, NULL) == PEP_OK, "reading the key");
    json_t *header = json_pack("{s:s}", "typ", "at+jwt");
    must(pep_jwt_sign(key, header, pep_span_string(claims), &out, NULL) == PEP_OK, "signing");
    json_decref(header);
    s->token = pep_buffer_take(&out, &s->size);
    json_t *set = pep_jwk_public_set(jwk);
    must(pep_issuers_single("https://idp.example", audiences, set, &s->issuers, NULL) == PEP_OK,
         "issuers");
    bare_side(s, alg, jwk);
    json_decref(set);
    json_decref(jwk);
    pep_jwk_private_free(key);
}

static void tear_down(struct subject *s)
{
    pep_issuers_free(s->issuers);
    free(s->token);
    EVP_PKEY_free(s->pkey);
}

/* ---- refusing what anybody can send ---- */

static void refuse(void *context, size_t times)
{
    struct subject *s = context;
    const struct pep_jwt_expect expect = {.now = NOW};
    for (size_t i = 0; i < times; i++) {
        struct pep_jwt *jwt = NULL;
        enum pep_jwt_reason reason = PEP_JWT_OK;
        must(pep_jwt_verify(s->issuers, pep_span_of(s->token, s->size), &expect, &jwt, &reason,
                            NULL) != PEP_OK,
             "refusing");
    }
}

/* The right key by name, and a signature that is not its: what a flood costs that knows a kid. */
static void measure_bad_signature(struct subject *s, enum pep_alg alg, unsigned rounds)
{
    char name[40];
    struct subject forged = *s;
    forged.token = malloc(s->size);
    must(forged.token != NULL, "memory");
    memcpy(forged.token, s->token, s->size);
    uint8_t *last = &forged.token[s->size - 12];
    *last = *last == 'A' ? 'B' : 'A';
    snprintf(name, sizeof(name), "refuse bad signature %s", pep_alg_name(alg));
    struct measure_figure figure = {"token", name, "EVP_DigestVerify + json_loadb",
                                    "ratio <= 1.15"};
    measure_ratio(&figure, &(struct measure_side){refuse, &forged}, &(struct measure_side){bare, s},
                  rounds);
    free(forged.token);
}

static void parse_claims(void *context, size_t times)
{
    (void)context;
    for (size_t i = 0; i < times; i++)
        json_decref(json_loadb(claims, sizeof(claims) - 1, JSON_REJECT_DUPLICATES, NULL));
}

static void measure_refusals(struct subject *s, unsigned rounds)
{
    static const struct {
        const char *figure, *header;
    } rows[] = {
        {"refuse unknown kid", "{\"alg\":\"ES256\",\"kid\":\"made-up\",\"typ\":\"at+jwt\"}"},
        {"refuse alg none", "{\"alg\":\"none\"}"},
        {"refuse no JSON", "{{{{{{{{"},
    };
    struct subject forged = *s;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pep_buffer b = pep_buffer_of(PEP_TOKEN_MAX);
        pep_put_base64url(&b, pep_span_string(rows[i].header));
        pep_put_u8(&b, '.');
        pep_put_base64url(&b, pep_span_string(claims));
        pep_put_format(&b, ".AAAA");
        forged.token = pep_buffer_take(&b, &forged.size);
        struct measure_figure figure = {"token", rows[i].figure, "json_loadb of the claims",
                                        "value <= 2 us"};
        measure_ratio(&figure, &(struct measure_side){refuse, &forged},
                      &(struct measure_side){parse_claims, NULL}, rounds);
        free(forged.token);
    }
}

int main(int argc, char **argv)
{
    unsigned rounds = measure_rounds(argc, argv);
    struct subject s;
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
        char name[32];
        snprintf(name, sizeof(name), "cold %s", pep_alg_name(alg));
        set_up(&s, alg);
        struct measure_figure figure = {"token", name, "EVP_DigestVerify + json_loadb",
                                        "ratio <= 1.15"};
        measure_ratio(&figure, &(struct measure_side){verify, &s}, &(struct measure_side){bare, &s},
                      rounds);
        measure_bad_signature(&s, alg, rounds);
        tear_down(&s);
    }
    set_up(&s, PEP_ALG_ES256);
    measure_refusals(&s, rounds);
    tear_down(&s);
    return 0;
}
