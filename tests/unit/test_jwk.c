/* Which keys are taken into a set, which are left out, and which are an error. */
#include "token_kit.h"

#include <openssl/bn.h>

#define X            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED           "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define EC_KEY(more) "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"" more "}"
#define ED_KEY(more) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED "\"" more "}"
#define SET(keys)    "{\"keys\":[" keys "]}"

enum verdict { TAKEN, LEFT_OUT, REFUSED };

static void expect_set(const char *name, const json_t *set, enum verdict verdict)
{
    struct pep_jwks *keys = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_jwks_read(set, "jwks", &keys, &err);
    if (verdict == REFUSED) {
        if (r == PEP_OK)
            fail_msg("%s: taken", name);
        assert_true(r == PEP_EFORMAT || r == PEP_ELIMIT);
        assert_int_equal(err.code, r);
        assert_null(keys);
        return;
    }
    if (r != PEP_OK)
        fail_msg("%s: %s", name, pep_error_text(&err));
    if (pep_jwks_count(keys) != (verdict == TAKEN ? 1 : 0))
        fail_msg("%s: %zu keys", name, pep_jwks_count(keys));
    assert_int_equal(pep_jwks_ignored(keys), verdict == TAKEN ? 0 : 1);
    pep_jwks_free(keys);
}

static void expect_key(const char *name, const char *jwk, enum verdict verdict)
{
    json_t *key = json_loads(jwk, JSON_DECODE_ANY, NULL);
    if (key == NULL)
        fail_msg("%s: not JSON", name);
    json_t *set = json_pack("{s:[o]}", "keys", key);
    expect_set(name, set, verdict);
    json_decref(set);
}

struct row {
    const char *name, *jwk;
    enum verdict verdict;
};

static void purposes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"plain", EC_KEY(""), TAKEN},
        {"for signatures", EC_KEY(",\"use\":\"sig\""), TAKEN},
        {"for encryption", EC_KEY(",\"use\":\"enc\""), LEFT_OUT},
        {"unknown use", EC_KEY(",\"use\":\"x\""), LEFT_OUT},
        {"use number", EC_KEY(",\"use\":1"), REFUSED},
        {"verifies", EC_KEY(",\"key_ops\":[\"verify\"]"), TAKEN},
        {"signs only", EC_KEY(",\"key_ops\":[\"sign\"]"), LEFT_OUT},
        {"does nothing", EC_KEY(",\"key_ops\":[]"), LEFT_OUT},
        {"ops text", EC_KEY(",\"key_ops\":\"verify\""), REFUSED},
        {"ops number", EC_KEY(",\"key_ops\":[1]"), REFUSED},
        {"kid", EC_KEY(",\"kid\":\"a\""), TAKEN},
        {"kid empty", EC_KEY(",\"kid\":\"\""), REFUSED},
        {"kid number", EC_KEY(",\"kid\":1"), REFUSED},
        {"certificates are not read", EC_KEY(",\"x5c\":[1],\"x5u\":2"), TAKEN},
        {"private", EC_KEY(",\"d\":\"" X "\""), REFUSED},
        {"private Ed25519", ED_KEY(",\"d\":\"" ED "\""), REFUSED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_key(rows[i].name, rows[i].jwk, rows[i].verdict);
}

static void algorithms(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ES256", EC_KEY(",\"alg\":\"ES256\""), TAKEN},
        {"ES384 on P-256", EC_KEY(",\"alg\":\"ES384\""), REFUSED},
        {"RS256 on EC", EC_KEY(",\"alg\":\"RS256\""), REFUSED},
        {"EdDSA on EC", EC_KEY(",\"alg\":\"EdDSA\""), REFUSED},
        {"HS256 on EC", EC_KEY(",\"alg\":\"HS256\""), REFUSED},
        {"none on EC", EC_KEY(",\"alg\":\"none\""), LEFT_OUT},
        {"key agreement", EC_KEY(",\"alg\":\"ECDH-ES\""), LEFT_OUT},
        {"alg number", EC_KEY(",\"alg\":256"), REFUSED},
        {"EdDSA", ED_KEY(",\"alg\":\"EdDSA\""), TAKEN},
        {"Ed25519", ED_KEY(",\"alg\":\"Ed25519\""), TAKEN},
        {"ES256 on Ed25519", ED_KEY(",\"alg\":\"ES256\""), REFUSED},
        {"X25519", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED "\"}", LEFT_OUT},
        {"Ed448", "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" ED "\"}", LEFT_OUT},
        {"secp256k1", "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
         LEFT_OUT},
        {"symmetric", "{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}", LEFT_OUT},
        {"unknown kind", "{\"kty\":\"ML-DSA\"}", LEFT_OUT},
        {"no kind", "{\"x\":1}", REFUSED},
        {"kind number", "{\"kty\":1}", REFUSED},
        {"not an object", "\"EC\"", REFUSED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_key(rows[i].name, rows[i].jwk, rows[i].verdict);
}

static void points(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x and y swapped", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" X "\"}",
         REFUSED},
        {"without y", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}", REFUSED},
        {"y number", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":1}", REFUSED},
        {"short x", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"" Y "\"}", REFUSED},
        {"padded x", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}",
         REFUSED},
        {"on another curve", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
         REFUSED},
        {"infinity",
         "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
         "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         REFUSED},
        {"Ed25519", ED_KEY(""), TAKEN},
        {"Ed25519 short", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", REFUSED},
        {"Ed25519 with y", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED "\",\"y\":\"" Y "\"}",
         TAKEN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_key(rows[i].name, rows[i].jwk, rows[i].verdict);
}

/* With the neutral point as key, R = the neutral point and S = 0 "sign" every message. */
static void points_under_which_anybody_can_sign(void **state)
{
    (void)state;
    static const struct {
        uint8_t low, fill, high;
    } forms[] = {{0, 0, 0},          {1, 0, 0},          {0, 0, 0x80},
                 {1, 0, 0x80},       {0xec, 0xff, 0x7f}, {0xed, 0xff, 0x7f},
                 {0xee, 0xff, 0x7f}, {0xec, 0xff, 0xff}, {0xff, 0xff, 0xff}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        uint8_t raw[32];
        char jwk[256];
        memset(raw, forms[i].fill, 32);
        raw[0] = forms[i].low;
        raw[31] = forms[i].high;
        struct pep_buffer b = pep_buffer_of(64);
        pep_put_base64url(&b, pep_span_of(raw, 32));
        snprintf(jwk, sizeof(jwk), "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}",
                 (const char *)b.data);
        expect_key(jwk, jwk, REFUSED);
        pep_buffer_free(&b);
    }
    expect_key("of order 8",
               "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
               "\"xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o\"}",
               REFUSED);
}

/* ---- RSA ---- */

/* An odd number of `bits` bits, which is all that reading a key can see. */
static char *modulus(int bits, bool odd, bool zero_before)
{
    uint8_t bytes[2000] = {0};
    struct pep_buffer b = pep_buffer_of(4096);
    BIGNUM *n = BN_new();
    assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, odd), 1);
    if (!odd)
        BN_clear_bit(n, 0);
    int size = BN_num_bytes(n) + zero_before;
    assert_int_equal(BN_bn2binpad(n, bytes, size), size);
    pep_put_base64url(&b, pep_span_of(bytes, (size_t)size));
    BN_free(n);
    return (char *)pep_buffer_take(&b, NULL);
}

static void expect_rsa(const char *name, char *n, const char *e, enum verdict verdict)
{
    struct pep_buffer b = pep_buffer_of(8192);
    pep_put_format(&b, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n, e);
    expect_key(name, (const char *)b.data, verdict);
    pep_buffer_free(&b);
    free(n);
}

static void rsa_sizes(void **state)
{
    (void)state;
    expect_rsa("2048", modulus(2048, true, false), "AQAB", TAKEN);
    expect_rsa("2047", modulus(2047, true, false), "AQAB", REFUSED);
    expect_rsa("1024", modulus(1024, true, false), "AQAB", REFUSED);
    expect_rsa("8192", modulus(8192, true, false), "AQAB", TAKEN);
    expect_rsa("8193", modulus(8193, true, false), "AQAB", REFUSED);
    expect_rsa("15000", modulus(15000, true, false), "AQAB", REFUSED);
    expect_rsa("even", modulus(2048, false, false), "AQAB", REFUSED);
    expect_rsa("zero before", modulus(2048, true, true), "AQAB", REFUSED);
    expect_rsa("e 1", modulus(2048, true, false), "AQ", REFUSED);
    expect_rsa("e 3", modulus(2048, true, false), "Aw", REFUSED);
    expect_rsa("e 65535", modulus(2048, true, false), "__8", REFUSED);
    expect_rsa("e 65538", modulus(2048, true, false), "AQAC", REFUSED);
    expect_rsa("e 65539", modulus(2048, true, false), "AQAD", TAKEN);
    expect_rsa("e 2^32 - 1", modulus(2048, true, false), "_____w", TAKEN);
    expect_rsa("e 2^32 + 1", modulus(2048, true, false), "AQAAAAE", REFUSED);
    expect_rsa("e 0", modulus(2048, true, false), "AA", REFUSED);
    expect_rsa("e with a zero before", modulus(2048, true, false), "AAEAAQ", REFUSED);
    expect_rsa("e empty", modulus(2048, true, false), "", REFUSED);
}

static void an_rsa_key_without_alg_is_for_rs256_alone(void **state)
{
    (void)state;
    char *n = modulus(2048, true, false);
    json_t *set = json_pack("{s:[{s:s, s:s, s:s, s:s}]}", "keys", "kty", "RSA", "n", n, "e", "AQAB",
                            "kid", "a");
    struct pep_jwks *keys = NULL;
    struct pep_span kid = pep_span_string("a");
    assert_int_equal(pep_jwks_read(set, "jwks", &keys, NULL), PEP_OK);
    for (enum pep_alg alg = PEP_ALG_NONE; alg < PEP_ALG_COUNT; alg++) {
        bool found = pep_jwks_find(keys, &kid, alg) != NULL;
        assert_int_equal(found, alg == PEP_ALG_RS256);
        assert_int_equal(pep_jwk_verify(pep_jwks_at(keys, 0), alg, kid, kid), false);
    }
    pep_jwks_free(keys);
    json_decref(set);
    free(n);
}

/* ---- sets ---- */

static void sets(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        size_t count; /* 99: refused */
    } rows[] = {
        {"empty", SET(""), 0},
        {"two kids", SET(EC_KEY(",\"kid\":\"a\"") "," EC_KEY(",\"kid\":\"b\"")), 2},
        {"one kid twice", SET(EC_KEY(",\"kid\":\"a\"") "," EC_KEY(",\"kid\":\"a\"")), 99},
        {"one kid, two algorithms", SET(EC_KEY(",\"kid\":\"a\"") "," ED_KEY(",\"kid\":\"a\"")), 2},
        {"one broken", SET(EC_KEY("") ",{\"kty\":\"EC\",\"crv\":\"P-256\"}"), 99},
        {"an array", "[]", 99},
        {"keys is an object", "{\"keys\":{}}", 99},
        {"no keys", "{}", 99},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pep_jwks *keys = NULL;
        json_t *set = json_loads(rows[i].text, 0, NULL);
        assert_non_null(set);
        int r = pep_jwks_read(set, "jwks", &keys, NULL);
        if ((r == PEP_OK) != (rows[i].count != 99))
            fail_msg("%s: %d", rows[i].name, r);
        if (r == PEP_OK)
            assert_int_equal(pep_jwks_count(keys), rows[i].count);
        pep_jwks_free(keys);
        json_decref(set);
    }
}

static void sets_have_a_maximum(void **state)
{
    (void)state;
    for (size_t n = PEP_JWKS_KEYS; n <= PEP_JWKS_KEYS + 1; n++) {
        json_t *array = json_array();
        struct pep_jwks *keys = NULL;
        for (size_t i = 0; i < n; i++)
            json_array_append_new(array, json_loads(ED_KEY(""), 0, NULL));
        json_t *set = json_pack("{s:o}", "keys", array);
        assert_int_equal(pep_jwks_read(set, "jwks", &keys, NULL),
                         n == PEP_JWKS_KEYS ? PEP_OK : PEP_ELIMIT);
        assert_null(pep_jwks_find(keys, NULL, PEP_ALG_EDDSA)); /* several: none without a kid */
        pep_jwks_free(keys);
        json_decref(set);
    }
}

static void private_keys_round_trip_and_never_leak(void **state)
{
    (void)state;
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
        json_t *jwk = NULL;
        struct pep_jwks *keys = NULL;
        struct pep_jwk_private *key = NULL;
        assert_int_equal(pep_jwk_generate(alg, NULL, &jwk), PEP_OK);
        json_t *set = pep_jwk_public_set(jwk);
        char *text = json_dumps(set, 0);
        static const char *const secrets[] = {"\"d\"",  "\"p\"",  "\"q\"",
                                              "\"dp\"", "\"qi\"", "\"k\""};
        for (size_t i = 0; i < 6; i++)
            assert_null(strstr(text, secrets[i]));
        assert_int_equal(pep_jwks_read(set, "jwks", &keys, NULL), PEP_OK);
        assert_int_equal(pep_jwk_algorithm(pep_jwks_at(keys, 0)), alg);
        assert_string_equal(pep_jwk_id(pep_jwks_at(keys, 0)),
                            pep_jwk_thumbprint(pep_jwks_at(keys, 0)));
        json_object_set_new(jwk, "d", json_string("!"));
        assert_int_not_equal(pep_jwk_private_read(jwk, &key, NULL), PEP_OK);
        json_object_del(jwk, "d");
        assert_int_equal(pep_jwk_private_read(jwk, &key, NULL), PEP_EFORMAT);
        assert_null(key);
        free(text);
        pep_jwks_free(keys);
        json_decref(set);
        json_decref(jwk);
    }
    json_t *none = NULL;
    assert_int_equal(pep_jwk_generate(PEP_ALG_NONE, NULL, &none), PEP_EINVAL);
    assert_int_equal(pep_jwk_generate(PEP_ALG_COUNT, NULL, &none), PEP_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purposes),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(points),
        cmocka_unit_test(points_under_which_anybody_can_sign),
        cmocka_unit_test(rsa_sizes),
        cmocka_unit_test(an_rsa_key_without_alg_is_for_rs256_alone),
        cmocka_unit_test(sets),
        cmocka_unit_test(sets_have_a_maximum),
        cmocka_unit_test(private_keys_round_trip_and_never_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
