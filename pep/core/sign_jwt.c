/*
 * Private token keys as JWK, and JWTs signed with them: the JWK half of sign.h.
 *
 * A private JWK always comes with its public half, so that its algorithm, its thumbprint and every
 * check of its size come from the one reader of public keys (keys_jwk.c): what cannot be verified
 * here cannot be signed with either. ECDSA signatures are converted from DER to r || s.
 */
#include "keys_alg.h"
#include "sign.h"

#include "json.h"
#include "jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX (PEP_RSA_BITS_MAX / 8)

struct pep_jwk_private {
    enum pep_alg alg;
    char *kid; /* "" when the JWK has none */
    EVP_PKEY *pkey;
};

/* The numbers of a JWK and the names that OpenSSL knows them by. */
struct number {
    const char *member, *param;
    bool secret;
};
static const struct number rsa_numbers[] = {
    {"n", OSSL_PKEY_PARAM_RSA_N, false},         {"e", OSSL_PKEY_PARAM_RSA_E, false},
    {"d", OSSL_PKEY_PARAM_RSA_D, true},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1, true},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2, true},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, true},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, true}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, true},
};
static const struct number ec_numbers[] = {
    {"x", OSSL_PKEY_PARAM_EC_PUB_X, false},
    {"y", OSSL_PKEY_PARAM_EC_PUB_Y, false},
    {"d", OSSL_PKEY_PARAM_PRIV_KEY, true},
};
static const char *const public_members[] = {"kty", "crv", "x", "y", "n", "e", "alg", "use", "kid"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- numbers as text ---- */

static int set_bytes(json_t *jwk, const char *name, struct pep_span bytes)
{
    struct pep_buffer text = pep_buffer_of(2 * NUMBER_MAX);
    pep_put_base64url(&text, bytes);
    int r = PEP_ENOMEM;
    if (!text.failed &&
        json_object_set_new(jwk, name, json_stringn((const char *)text.data, text.size)) == 0)
        r = PEP_OK;
    if (text.data != NULL)
        pep_wipe(text.data, text.size);
    pep_buffer_free(&text);
    return r;
}

/* With `size` bytes, or as few as there are when `size` is 0. */
static int set_number(json_t *jwk, const struct number *number, const EVP_PKEY *pkey, size_t size)
{
    uint8_t bytes[NUMBER_MAX];
    BIGNUM *n = NULL;
    if (EVP_PKEY_get_bn_param(pkey, number->param, &n) != 1)
        return PEP_ENOMEM;
    int width = size > 0 ? (int)size : BN_num_bytes(n);
    int r = width <= NUMBER_MAX && BN_bn2binpad(n, bytes, width) == width ? PEP_OK : PEP_ELIMIT;
    if (r == PEP_OK)
        r = set_bytes(jwk, number->member, pep_span_of(bytes, (size_t)width));
    pep_wipe(bytes, sizeof(bytes));
    BN_clear_free(n);
    return r;
}

/* A member as a new number; NULL if it is absent or not base64url. */
static BIGNUM *get_number(const json_t *jwk, const char *member)
{
    uint8_t bytes[NUMBER_MAX + 4];
    size_t size = 0;
    const json_t *v = json_object_get(jwk, member);
    struct pep_span text = pep_span_of(json_string_value(v), json_string_length(v));
    if (text.size == 0 || text.size > (NUMBER_MAX * 4 + 2) / 3 ||
        pep_base64url_decode(text, bytes, &size) != PEP_OK)
        return NULL;
    BIGNUM *n = BN_secure_new();
    if (n != NULL && BN_bin2bn(bytes, (int)size, n) == NULL) {
        BN_clear_free(n);
        n = NULL;
    }
    pep_wipe(bytes, sizeof(bytes));
    return n;
}

/* ---- making keys ---- */

static EVP_PKEY *generate(const struct pep_alg_row *row)
{
    if (strcmp(row->kty, "RSA") == 0)
        return EVP_RSA_gen(PEP_RSA_BITS_MIN);
    if (row->coordinate > 0)
        return EVP_EC_gen(row->group);
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static int put_okp(json_t *jwk, const EVP_PKEY *pkey)
{
    uint8_t x[PEP_ED25519_SIZE], d[PEP_ED25519_SIZE];
    size_t x_size = sizeof(x), d_size = sizeof(d);
    int r = PEP_ENOMEM;
    if (EVP_PKEY_get_raw_public_key(pkey, x, &x_size) == 1 &&
        EVP_PKEY_get_raw_private_key(pkey, d, &d_size) == 1)
        r = set_bytes(jwk, "x", pep_span_of(x, x_size));
    if (r == PEP_OK)
        r = set_bytes(jwk, "d", pep_span_of(d, d_size));
    pep_wipe(d, sizeof(d));
    return r;
}

static int put_key(json_t *jwk, const struct pep_alg_row *row, const EVP_PKEY *pkey)
{
    bool rsa = strcmp(row->kty, "RSA") == 0;
    const struct number *numbers = rsa ? rsa_numbers : ec_numbers;
    size_t count = rsa ? COUNT(rsa_numbers) : COUNT(ec_numbers);
    int r = PEP_OK;
    if (json_object_set_new(jwk, "kty", json_string(row->kty)) != 0 ||
        (row->crv != NULL && json_object_set_new(jwk, "crv", json_string(row->crv)) != 0))
        return PEP_ENOMEM;
    if (!rsa && row->coordinate == 0)
        return put_okp(jwk, pkey);
    for (size_t i = 0; r == PEP_OK && i < count; i++)
        r = set_number(jwk, &numbers[i], pkey, row->coordinate);
    return r;
}

json_t *pep_jwk_public_set(const json_t *private_jwk)
{
    json_t *key = json_object();
    for (size_t i = 0; i < COUNT(public_members); i++) {
        json_t *v = json_object_get(private_jwk, public_members[i]);
        if (v != NULL && json_object_set(key, public_members[i], v) != 0) {
            json_decref(key);
            return NULL;
        }
    }
    return json_pack("{s:[o]}", "keys", key);
}

/* The one public key of a private JWK, as everybody else will read it. */
static int read_public(const json_t *jwk, struct pep_jwks **ret, struct pep_error *err)
{
    json_t *set = pep_jwk_public_set(jwk);
    if (set == NULL)
        return pep_error_set(err, PEP_ENOMEM, "JWK: no memory");
    int r = pep_jwks_read(set, "JWK", ret, err);
    json_decref(set);
    return r;
}

static int name_key(json_t *jwk, const char *kid)
{
    struct pep_jwks *public = NULL;
    if (kid != NULL)
        return json_object_set_new(jwk, "kid", json_string(kid)) == 0 ? PEP_OK : PEP_EINVAL;
    int r = read_public(jwk, &public, NULL);
    if (r == PEP_OK &&
        json_object_set_new(jwk, "kid", json_string(pep_jwk_thumbprint(pep_jwks_at(public, 0)))) !=
            0)
        r = PEP_ENOMEM;
    pep_jwks_free(public);
    return r;
}

int pep_jwk_generate(enum pep_alg alg, const char *kid, json_t **ret_private_jwk)
{
    const struct pep_alg_row *row = pep_alg_row(alg);
    if (row == NULL)
        return PEP_EINVAL;
    EVP_PKEY *pkey = generate(row);
    json_t *jwk = json_object();
    int r = pkey == NULL || jwk == NULL ? PEP_ENOMEM : put_key(jwk, row, pkey);
    if (r == PEP_OK && (json_object_set_new(jwk, "alg", json_string(row->name)) != 0 ||
                        json_object_set_new(jwk, "use", json_string("sig")) != 0))
        r = PEP_ENOMEM;
    if (r == PEP_OK)
        r = name_key(jwk, kid);
    EVP_PKEY_free(pkey);
    if (r == PEP_OK)
        *ret_private_jwk = jwk;
    else
        json_decref(jwk);
    return r;
}

/* ---- reading keys ---- */

static int build_pkey(const char *type, OSSL_PARAM_BLD *build, EVP_PKEY **ret)
{
    int r = PEP_ENOMEM;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
        r = EVP_PKEY_fromdata(ctx, ret, EVP_PKEY_KEYPAIR, params) == 1 ? PEP_OK : PEP_EFORMAT;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return r;
}

/* RSA factors are optional in a JWK (RFC 7518 section 6.3.2); all numbers must outlive the build.
 */
static int read_rsa(const json_t *jwk, EVP_PKEY **ret)
{
    BIGNUM *numbers[COUNT(rsa_numbers)] = {NULL};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    int r = build == NULL ? PEP_ENOMEM : PEP_OK;
    size_t count = json_object_get(jwk, "p") == NULL ? 3 : COUNT(rsa_numbers);
    for (size_t i = 0; r == PEP_OK && i < count; i++) {
        numbers[i] = get_number(jwk, rsa_numbers[i].member);
        if (numbers[i] == NULL)
            r = PEP_EFORMAT;
        else if (OSSL_PARAM_BLD_push_BN(build, rsa_numbers[i].param, numbers[i]) != 1)
            r = PEP_ENOMEM;
    }
    if (r == PEP_OK)
        r = build_pkey("RSA", build, ret);
    OSSL_PARAM_BLD_free(build);
    for (size_t i = 0; i < COUNT(rsa_numbers); i++)
        BN_clear_free(numbers[i]);
    return r;
}

static int push_point(const json_t *jwk, size_t coordinate, OSSL_PARAM_BLD *build,
                      uint8_t point[1 + 2 * PEP_EC_COORDINATE_MAX])
{
    BIGNUM *x = get_number(jwk, "x"), *y = get_number(jwk, "y");
    int c = (int)coordinate, r = PEP_EFORMAT;
    point[0] = 0x04;
    if (x != NULL && y != NULL && BN_bn2binpad(x, point + 1, c) == c &&
        BN_bn2binpad(y, point + 1 + c, c) == c)
        r = OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                             1 + 2 * coordinate) == 1
                ? PEP_OK
                : PEP_ENOMEM;
    BN_free(x);
    BN_free(y);
    return r;
}

static int read_ec(const json_t *jwk, const struct pep_alg_row *row, EVP_PKEY **ret)
{
    uint8_t point[1 + 2 * PEP_EC_COORDINATE_MAX];
    BIGNUM *d = get_number(jwk, "d");
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    int r = d == NULL ? PEP_EFORMAT : build == NULL ? PEP_ENOMEM : PEP_OK;
    if (r == PEP_OK &&
        (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, row->group, 0) != 1 ||
         OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) != 1))
        r = PEP_ENOMEM;
    if (r == PEP_OK)
        r = push_point(jwk, row->coordinate, build, point);
    if (r == PEP_OK)
        r = build_pkey("EC", build, ret);
    OSSL_PARAM_BLD_free(build);
    BN_clear_free(d);
    return r;
}

static int read_okp(const json_t *jwk, EVP_PKEY **ret)
{
    uint8_t raw[PEP_ED25519_SIZE + 4];
    size_t size = 0;
    const json_t *v = json_object_get(jwk, "d");
    struct pep_span text = pep_span_of(json_string_value(v), json_string_length(v));
    if (text.size != 43 || pep_base64url_decode(text, raw, &size) != PEP_OK)
        return PEP_EFORMAT;
    *ret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, PEP_ED25519_SIZE);
    pep_wipe(raw, sizeof(raw));
    return *ret == NULL ? PEP_ENOMEM : PEP_OK;
}

static int read_secret(const json_t *jwk, struct pep_jwk_private *key)
{
    const struct pep_alg_row *row = pep_alg_row(key->alg);
    if (strcmp(row->kty, "RSA") == 0)
        return read_rsa(jwk, &key->pkey);
    return row->coordinate > 0 ? read_ec(jwk, row, &key->pkey) : read_okp(jwk, &key->pkey);
}

int pep_jwk_private_read(const json_t *jwk, struct pep_jwk_private **ret, struct pep_error *err)
{
    struct pep_jwks *public = NULL;
    if (!json_is_string(json_object_get(jwk, "d")))
        return pep_error_set(err, PEP_EFORMAT, "JWK: no private key (member `d`)");
    int r = read_public(jwk, &public, err);
    if (r == PEP_OK && pep_jwks_count(public) != 1)
        r = pep_error_set(err, PEP_EFORMAT, "JWK: not a signing key of a supported kind");
    if (r != PEP_OK) {
        pep_jwks_free(public);
        return r;
    }
    struct pep_jwk_private *key = calloc(1, sizeof(*key));
    if (key != NULL) {
        key->alg = pep_jwk_algorithm(pep_jwks_at(public, 0));
        key->kid = strdup(pep_jwk_id(pep_jwks_at(public, 0)));
    }
    pep_jwks_free(public);
    ERR_set_mark();
    r = key == NULL || key->kid == NULL ? PEP_ENOMEM : read_secret(jwk, key);
    ERR_pop_to_mark();
    if (r == PEP_OK) {
        *ret = key;
        return PEP_OK;
    }
    pep_jwk_private_free(key);
    return pep_error_set(err, r, "JWK: %s",
                         r == PEP_ENOMEM ? "no memory" : "the private numbers are not usable");
}

void pep_jwk_private_free(struct pep_jwk_private *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    free(key->kid);
    free(key);
}

/* ---- signing ---- */

/* Not json_dumps(): in jansson 2.14 it loses the names of members when memory runs out, and says
 * nothing. Writing into memory that is already there cannot fail half way. */
static int put_json(struct pep_buffer *out, const json_t *value)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = size == 0 ? NULL : malloc(size);
    int r = PEP_ENOMEM;
    if (text != NULL && json_dumpb(value, text, size, JSON_COMPACT) == size) {
        pep_put_base64url(out, pep_span_of(text, size));
        r = out->failed ? PEP_ELIMIT : PEP_OK;
    }
    free(text);
    return r;
}

/* Not json_copy(), which leaves out what it has no memory for. */
static json_t *copy_header(const json_t *header)
{
    json_t *copy = json_object();
    if (copy == NULL || header == NULL || json_object_update(copy, (json_t *)header) == 0)
        return copy;
    json_decref(copy);
    return NULL;
}

static int put_header(const struct pep_jwk_private *key, const json_t *header,
                      struct pep_buffer *out)
{
    json_t *h = copy_header(header);
    int r = h == NULL ? PEP_ENOMEM : PEP_OK;
    if (r == PEP_OK && json_object_get(h, "alg") == NULL &&
        json_object_set_new(h, "alg", json_string(pep_alg_name(key->alg))) != 0)
        r = PEP_ENOMEM;
    if (r == PEP_OK && json_object_get(h, "kid") == NULL && key->kid[0] != '\0' &&
        json_object_set_new(h, "kid", json_string(key->kid)) != 0)
        r = PEP_ENOMEM;
    if (r == PEP_OK)
        r = put_json(out, h);
    json_decref(h);
    return r;
}

/* DER to r || s, in place. */
static int ecdsa_to_raw(const struct pep_alg_row *row, uint8_t *signature, size_t *size)
{
    const uint8_t *at = signature;
    const BIGNUM *r, *s;
    int c = (int)row->coordinate, result = PEP_ENOMEM;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)*size);
    if (pair == NULL)
        return PEP_ENOMEM;
    ECDSA_SIG_get0(pair, &r, &s);
    if (BN_bn2binpad(r, signature, c) == c && BN_bn2binpad(s, signature + c, c) == c)
        result = PEP_OK;
    *size = 2 * row->coordinate;
    ECDSA_SIG_free(pair);
    return result;
}

static int make_signature(const struct pep_jwk_private *key, struct pep_span data,
                          uint8_t signature[PEP_TOKEN_SIGNATURE_MAX], size_t *ret_size)
{
    const struct pep_alg_row *row = pep_alg_row(key->alg);
    EVP_PKEY_CTX *ctx = NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t size = PEP_TOKEN_SIGNATURE_MAX;
    int r = PEP_ENOMEM;
    if (md != NULL &&
        EVP_DigestSignInit_ex(md, &ctx, row->digest, NULL, NULL, key->pkey, NULL) == 1)
        r = pep_alg_set_padding(row, ctx);
    if (r == PEP_OK && EVP_DigestSign(md, signature, &size, data.data, data.size) != 1)
        r = PEP_ENOMEM;
    if (r == PEP_OK && row->coordinate > 0)
        r = ecdsa_to_raw(row, signature, &size);
    EVP_MD_CTX_free(md);
    if (r == PEP_OK)
        *ret_size = size;
    return r;
}

int pep_jwt_sign(const struct pep_jwk_private *key, const json_t *header, struct pep_span payload,
                 struct pep_buffer *out, struct pep_error *err)
{
    uint8_t signature[PEP_TOKEN_SIGNATURE_MAX];
    size_t size = 0;
    struct pep_buffer text = pep_buffer_of(8 * PEP_TOKEN_MAX);
    ERR_set_mark();
    int r = put_header(key, header, &text);
    pep_put_u8(&text, '.');
    pep_put_base64url(&text, payload);
    if (r == PEP_OK && text.failed)
        r = PEP_ELIMIT;
    if (r == PEP_OK)
        r = make_signature(key, pep_buffer_span(&text), signature, &size);
    if (r == PEP_OK) {
        pep_put_span(out, pep_buffer_span(&text));
        pep_put_u8(out, '.');
        pep_put_base64url(out, pep_span_of(signature, size));
        r = out->failed ? PEP_ELIMIT : PEP_OK;
    }
    ERR_pop_to_mark();
    pep_buffer_free(&text);
    return r == PEP_OK ? r : pep_error_set(err, r, "cannot sign the token: %s", pep_strerror(r));
}
