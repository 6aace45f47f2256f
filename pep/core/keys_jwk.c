/*
 * Token keys: a JWK (RFC 7517, 7518, 8037) becomes an OpenSSL key once, when the policy is loaded,
 * and is then only used.
 *
 * One key, one algorithm, decided here and never by a token: EC and OKP keys by their curve, RSA
 * keys by `alg`. An RSA key without `alg` is an RS256 key: RFC 7517 makes `alg` optional, RS256 is
 * what such keys sign with in practice, and a key that several algorithms share is what RFC 8725
 * warns of.
 *
 * Each key keeps a template context with the hash fetched, the padding set and the key bound; a
 * verification copies it. Measured on OpenSSL 3.0, an EVP_DigestVerifyInit() for each token costs
 * about 3 us more. The template is only read after loading, so any number of threads may copy it.
 *
 * ECDSA signatures are checked for length and 0 < r, s < n on the raw bytes before anything else
 * sees them, then written as DER by hand: two integers need no allocation. Rejected: ECDSA_SIG,
 * which accepts anything and leaves the checks to whoever comes later.
 */
#include "keys_jwk.h"

#include "json.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

int pep_jwk_refuse(const struct pep_jwk_source *src, int code, const char *text, const char *detail)
{
    return pep_error_set(src->err, code, "%s: key %zu: %s%s", src->what, src->index + 1, text,
                         detail);
}

/* ---- members ---- */

/* A base64url member of exactly one form; `out` has room for `max` bytes. */
static int member_bytes(const struct pep_jwk_source *src, const json_t *jwk, const char *name,
                        uint8_t *out, size_t max, size_t *ret_size)
{
    const json_t *v = json_object_get(jwk, name);
    if (!json_is_string(v))
        return pep_jwk_refuse(src, PEP_EFORMAT, "needs a string member ", name);
    struct pep_span text = pep_span_of(json_string_value(v), json_string_length(v));
    if (text.size == 0 || text.size > (max * 4 + 2) / 3)
        return pep_jwk_refuse(src, PEP_ELIMIT, "wrong length of member ", name);
    uint8_t raw[PEP_RSA_BITS_MAX / 8 + 8];
    size_t size;
    if (pep_base64url_decode(text, raw, &size) != PEP_OK)
        return pep_jwk_refuse(src, PEP_EFORMAT, "not unpadded base64url: ", name);
    if (size > max)
        return pep_jwk_refuse(src, PEP_ELIMIT, "wrong length of member ", name);
    memcpy(out, raw, size);
    *ret_size = size;
    return PEP_OK;
}

static int make_pkey(const char *type, OSSL_PARAM_BLD *build, EVP_PKEY **ret)
{
    int r = PEP_ENOMEM;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
        r = EVP_PKEY_fromdata(ctx, ret, EVP_PKEY_PUBLIC_KEY, params) == 1 ? PEP_OK : PEP_EFORMAT;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return r;
}

/* ---- RSA ---- */

static int check_rsa(const struct pep_jwk_source *src, const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);
    if (bits < PEP_RSA_BITS_MIN || bits > PEP_RSA_BITS_MAX)
        return pep_jwk_refuse(src, PEP_ELIMIT, "an RSA modulus must have 2048 to 8192 bits", "");
    if (!BN_is_odd(n))
        return pep_jwk_refuse(src, PEP_EFORMAT, "an even RSA modulus", "");
    BN_ULONG exponent = BN_num_bits(e) > 32 ? 0 : BN_get_word(e);
    if (exponent < PEP_RSA_EXPONENT_MIN || exponent > PEP_RSA_EXPONENT_MAX || exponent % 2 == 0)
        return pep_jwk_refuse(src, PEP_ELIMIT,
                              "the RSA exponent must be odd, at least 65537 and below 2^32", "");
    return PEP_OK;
}

static int build_rsa(const struct pep_jwk_source *src, const BIGNUM *n, const BIGNUM *e,
                     EVP_PKEY **ret)
{
    int r = n == NULL || e == NULL ? PEP_ENOMEM : check_rsa(src, n, e);
    if (r != PEP_OK)
        return r;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    r = PEP_ENOMEM;
    if (build != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        r = make_pkey("RSA", build, ret);
    OSSL_PARAM_BLD_free(build);
    return r;
}

static int read_rsa(const struct pep_jwk_source *src, const json_t *jwk, struct pep_jwk *key)
{
    uint8_t modulus[PEP_RSA_BITS_MAX / 8], exponent[4];
    size_t n_size, e_size;
    int r = member_bytes(src, jwk, "n", modulus, sizeof(modulus), &n_size);
    if (r == PEP_OK)
        r = member_bytes(src, jwk, "e", exponent, sizeof(exponent), &e_size);
    if (r != PEP_OK)
        return r;
    if (modulus[0] == 0 || exponent[0] == 0)
        return pep_jwk_refuse(src, PEP_EFORMAT, "n and e must not begin with a zero byte", "");
    BIGNUM *n = BN_bin2bn(modulus, (int)n_size, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)e_size, NULL);
    r = build_rsa(src, n, e, &key->pkey);
    BN_free(n);
    BN_free(e);
    key->signature_size = n_size;
    return r;
}

/* ---- EC ---- */

static int keep_order(struct pep_jwk *key, size_t coordinate)
{
    BIGNUM *order = NULL;
    int r = PEP_ENOMEM;
    if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1 &&
        BN_bn2binpad(order, key->order, (int)coordinate) == (int)coordinate)
        r = PEP_OK;
    BN_free(order);
    return r;
}

static int read_ec(const struct pep_jwk_source *src, const json_t *jwk, struct pep_jwk *key)
{
    const struct pep_alg_row *row = pep_alg_row(key->alg);
    uint8_t point[1 + 2 * PEP_EC_COORDINATE_MAX] = {0x04};
    size_t x_size, y_size, c = row->coordinate;
    int r = member_bytes(src, jwk, "x", point + 1, c, &x_size);
    if (r == PEP_OK)
        r = member_bytes(src, jwk, "y", point + 1 + c, c, &y_size);
    if (r != PEP_OK)
        return r;
    if (x_size != c || y_size != c)
        return pep_jwk_refuse(src, PEP_EFORMAT,
                              "x and y must be as long as the curve says: ", row->crv);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    r = PEP_ENOMEM;
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, row->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c) == 1)
        r = make_pkey("EC", build, &key->pkey);
    OSSL_PARAM_BLD_free(build);
    if (r == PEP_EFORMAT)
        return pep_jwk_refuse(src, r, "the point is not on the curve ", row->crv);
    key->signature_size = 2 * c;
    return r == PEP_OK ? keep_order(key, c) : r;
}

/* ---- Ed25519 ---- */

/* Points of small order, without the sign bit. Under such a key anybody can sign anything. */
static const uint8_t small_order[][PEP_ED25519_SIZE] = {
    {0x00},
    {0x01},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* y at or above p - 1: -1 (order 2), and the non-canonical forms of 0 and above. */
static bool at_or_above_prime(const uint8_t raw[PEP_ED25519_SIZE])
{
    for (size_t i = 1; i < PEP_ED25519_SIZE - 1; i++) {
        if (raw[i] != 0xff)
            return false;
    }
    return raw[0] >= 0xec && (raw[31] & 0x7f) == 0x7f;
}

static bool weak_point(const uint8_t raw[PEP_ED25519_SIZE])
{
    uint8_t y[PEP_ED25519_SIZE];
    memcpy(y, raw, sizeof(y));
    y[31] &= 0x7f;
    for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++) {
        if (memcmp(y, small_order[i], sizeof(y)) == 0)
            return true;
    }
    return at_or_above_prime(raw);
}

static int read_okp(const struct pep_jwk_source *src, const json_t *jwk, struct pep_jwk *key)
{
    uint8_t raw[PEP_ED25519_SIZE];
    size_t size;
    int r = member_bytes(src, jwk, "x", raw, sizeof(raw), &size);
    if (r != PEP_OK)
        return r;
    if (size != sizeof(raw))
        return pep_jwk_refuse(src, PEP_EFORMAT, "an Ed25519 key has 32 bytes", "");
    if (weak_point(raw))
        return pep_jwk_refuse(src, PEP_EFORMAT, "an Ed25519 point that proves nothing", "");
    key->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
    key->signature_size = PEP_SIGNATURE_SIZE;
    return key->pkey == NULL ? PEP_ENOMEM : PEP_OK;
}

/* ---- one key ---- */

/* RFC 7638: the required members in lexical order, no white space. They are base64url or names from
 * our own table by now, so that nothing needs escaping. */
static int make_thumbprint(const json_t *jwk, struct pep_jwk *key)
{
    const struct pep_alg_row *row = pep_alg_row(key->alg);
    const char *x = json_string_value(json_object_get(jwk, "x"));
    struct pep_buffer text = pep_buffer_of(4096);
    if (strcmp(row->kty, "RSA") == 0)
        pep_put_format(&text, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}",
                       json_string_value(json_object_get(jwk, "e")),
                       json_string_value(json_object_get(jwk, "n")));
    else if (row->coordinate > 0)
        pep_put_format(&text, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", row->crv,
                       x, json_string_value(json_object_get(jwk, "y")));
    else
        pep_put_format(&text, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
    uint8_t hash[PEP_SHA256_SIZE];
    int r = text.failed ? PEP_ENOMEM : pep_sha256(pep_buffer_span(&text), hash);
    pep_buffer_free(&text);
    struct pep_buffer out = pep_buffer_of(PEP_THUMBPRINT_TEXT);
    if (r == PEP_OK)
        pep_put_base64url(&out, pep_span_of(hash, sizeof(hash)));
    if (r == PEP_OK && out.failed)
        r = PEP_ENOMEM;
    if (r == PEP_OK)
        memcpy(key->thumbprint, out.data, out.size);
    pep_buffer_free(&out);
    return r;
}

static int make_template(struct pep_jwk *key)
{
    const struct pep_alg_row *row = pep_alg_row(key->alg);
    EVP_PKEY_CTX *ctx = NULL;
    key->template = EVP_MD_CTX_new();
    if (key->template == NULL ||
        EVP_DigestVerifyInit_ex(key->template, &ctx, row->digest, NULL, NULL, key->pkey, NULL) != 1)
        return PEP_ENOMEM;
    return pep_alg_set_padding(row, ctx);
}

enum use { USE_IT, LEAVE_OUT, BROKEN };

/* `use` and `key_ops` (RFC 7517 section 4.2, 4.3): may this key verify? */
static enum use meant_for_verifying(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops");
    if ((use != NULL && !json_is_string(use)) || (ops != NULL && !json_is_array(ops)))
        return BROKEN;
    if (use != NULL && strcmp(json_string_value(use), "sig") != 0)
        return LEAVE_OUT;
    size_t i;
    const json_t *op;
    bool verify = ops == NULL;
    json_array_foreach(ops, i, op)
    {
        if (!json_is_string(op))
            return BROKEN;
        if (strcmp(json_string_value(op), "verify") == 0)
            verify = true;
    }
    return verify ? USE_IT : LEAVE_OUT;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The algorithm that kty and crv allow; `alg`, when present, can only agree or pick one for RSA. */
static enum use find_algorithm(const json_t *jwk, enum pep_alg wanted, enum pep_alg *ret)
{
    const json_t *kty = json_object_get(jwk, "kty"), *alg = json_object_get(jwk, "alg");
    const json_t *crv = json_object_get(jwk, "crv");
    if (!json_is_string(kty) || (alg != NULL && !json_is_string(alg)) ||
        (crv != NULL && !json_is_string(crv)))
        return BROKEN;
    const char *type = json_string_value(kty);
    enum pep_alg named = PEP_ALG_NONE, natural = PEP_ALG_NONE;
    if (alg != NULL)
        named = pep_alg_find(pep_span_of(json_string_value(alg), json_string_length(alg)));
    for (enum pep_alg a = PEP_ALG_COUNT - 1; a > PEP_ALG_NONE; a--) {
        const struct pep_alg_row *row = pep_alg_row(a);
        if (strcmp(row->kty, type) == 0 &&
            (row->crv == NULL || same_text(row->crv, json_string_value(crv))))
            natural = a; /* ends at the first of its family: RS256 for RSA */
    }
    if (natural == PEP_ALG_NONE)
        return LEAVE_OUT;
    if (alg == NULL) {
        bool rsa = natural == PEP_ALG_RS256 && wanted >= PEP_ALG_RS256 && wanted <= PEP_ALG_PS512;
        *ret = rsa ? wanted : natural;
        return USE_IT;
    }
    if (named == PEP_ALG_NONE)
        return strncmp(json_string_value(alg), "HS", 2) == 0 ? BROKEN : LEAVE_OUT;
    if (strcmp(pep_alg_row(named)->kty, type) != 0 ||
        (strcmp(type, "RSA") != 0 && named != natural))
        return BROKEN;
    *ret = named;
    return USE_IT;
}

static int read_kid(const struct pep_jwk_source *src, const json_t *jwk, struct pep_jwk *key)
{
    const json_t *kid = json_object_get(jwk, "kid");
    if (kid != NULL && !json_is_string(kid))
        return pep_jwk_refuse(src, PEP_EFORMAT, "kid must be a string", "");
    if (kid != NULL && (json_string_length(kid) == 0 || json_string_length(kid) > PEP_KID_MAX))
        return pep_jwk_refuse(src, PEP_ELIMIT, "kid must have 1 to 256 bytes", "");
    key->kid = strdup(kid == NULL ? "" : json_string_value(kid));
    key->kid_size = kid == NULL ? 0 : json_string_length(kid);
    return key->kid == NULL ? PEP_ENOMEM : PEP_OK;
}

void pep_jwk_clear(struct pep_jwk *key)
{
    free(key->kid);
    EVP_MD_CTX_free(key->template);
    EVP_PKEY_free(key->pkey);
}

static int read_material(const struct pep_jwk_source *src, const json_t *jwk, struct pep_jwk *key)
{
    const struct pep_alg_row *row = pep_alg_row(key->alg);
    int r;
    if (strcmp(row->kty, "RSA") == 0)
        r = read_rsa(src, jwk, key);
    else if (row->coordinate > 0)
        r = read_ec(src, jwk, key);
    else
        r = read_okp(src, jwk, key);
    if (r == PEP_OK)
        r = read_kid(src, jwk, key);
    if (r == PEP_OK)
        r = make_thumbprint(jwk, key);
    return r == PEP_OK ? make_template(key) : r;
}

int pep_jwk_read(const struct pep_jwk_source *src, const json_t *jwk, struct pep_jwk *ret)
{
    if (!json_is_object(jwk))
        return pep_jwk_refuse(src, PEP_EFORMAT, "must be an object", "");
    if (json_object_get(jwk, "d") != NULL)
        return pep_jwk_refuse(src, PEP_EFORMAT, "a private key; publish only its public half", "");
    struct pep_jwk key = {.alg = PEP_ALG_NONE};
    enum use meant = meant_for_verifying(jwk);
    enum use use = meant == USE_IT ? find_algorithm(jwk, src->wanted, &key.alg) : meant;
    if (use == BROKEN)
        return pep_jwk_refuse(src, PEP_EFORMAT,
                              "kty, crv, alg, use and key_ops do not fit together", "");
    int r = use == USE_IT ? read_material(src, jwk, &key) : PEP_OK;
    if (r == PEP_ENOMEM)
        pep_jwk_refuse(src, r, "no memory", "");
    else if (r != PEP_OK)
        pep_jwk_refuse(src, r, "not a usable public key", "");
    if (r != PEP_OK)
        pep_jwk_clear(&key);
    else
        *ret = key;
    return r;
}
