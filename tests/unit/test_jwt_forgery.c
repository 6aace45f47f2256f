/*
 * Signatures that nobody should have been able to make, and texts that are almost tokens: each is
 * refused for its own reason, and the nearest honest one passes.
 */
#include "token_world.h"

#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* ---- forged signatures ---- */

static char *hmac_token(const char *header, const char *digest, const void *secret, size_t size)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t mac_size = 0;
    put_unsigned(&b, pep_span_string(header), pep_span_string(GOOD_CLAIMS));
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, digest, NULL, size == 0 ? "" : secret, size,
                              b.data, b.size, mac, sizeof(mac), &mac_size));
    return finish(&b, mac, mac_size);
}

static void public_keys_as_hmac_secrets(void **state)
{
    (void)state;
    EVP_PKEY *keys[] = {world.rsa, world.ec, world.ed};
    const char *kids[] = {"rsa", "ec", "ed"};
    for (size_t i = 0; i < 3; i++) {
        char header[64], *pem = NULL;
        unsigned char *der = NULL;
        BIO *bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PUBKEY(bio, keys[i]);
        long pem_size = BIO_get_mem_data(bio, &pem);
        int der_size = i2d_PUBKEY(keys[i], &der);
        json_t *jwk = i == 0   ? rsa_jwk(keys[i], kids[i], "RS256")
                      : i == 1 ? ec_jwk(keys[i], kids[i])
                               : ed_jwk(keys[i], kids[i]);
        char *text = json_dumps(jwk, JSON_COMPACT);
        for (int bits = 256; bits <= 512; bits += 128) {
            char digest[8];
            snprintf(digest, sizeof(digest), "SHA%d", bits);
            snprintf(header, sizeof(header), "{\"alg\":\"HS%d\",\"kid\":\"%s\"}", bits, kids[i]);
            expect_token("PEM", hmac_token(header, digest, pem, (size_t)pem_size),
                         PEP_JWT_ALGORITHM);
            expect_token("PEM without its last line feed",
                         hmac_token(header, digest, pem, (size_t)pem_size - 1), PEP_JWT_ALGORITHM);
            expect_token("DER", hmac_token(header, digest, der, (size_t)der_size),
                         PEP_JWT_ALGORITHM);
            expect_token("JWK", hmac_token(header, digest, text, strlen(text)), PEP_JWT_ALGORITHM);
            expect_token("empty", hmac_token(header, digest, "", 0), PEP_JWT_ALGORITHM);
        }
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}",
                 i == 0   ? "RS256"
                 : i == 1 ? "ES256"
                          : "EdDSA",
                 kids[i]);
        expect_token("under an honest name", hmac_token(header, "SHA256", pem, (size_t)pem_size),
                     PEP_JWT_SIGNATURE);
        free(text);
        json_decref(jwk);
        OPENSSL_free(der);
        BIO_free(bio);
    }
}

static void keys_that_the_token_brings(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"jku\":\"https://evil.example/keys\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"x5u\":\"https://evil.example/cert\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"x5c\":[\"MIIB\"],\"x5t#S256\":\"AAAA\"}",
    };
    for (size_t i = 0; i < 3; i++) {
        expect_token("ignored", ed_token(headers[i], GOOD_CLAIMS), PEP_JWT_OK);
        expect_token(
            "never used",
            signed_by(world.attacker, pep_span_string(headers[i]), pep_span_string(GOOD_CLAIMS)),
            PEP_JWT_SIGNATURE);
    }
    json_t *jwk = ed_jwk(world.attacker, "ed");
    json_t *header = json_pack("{s:s, s:s, s:o}", "alg", "EdDSA", "kid", "ed", "jwk", jwk);
    char *text = json_dumps(header, JSON_COMPACT);
    expect_token("own jwk",
                 signed_by(world.attacker, pep_span_string(text), pep_span_string(GOOD_CLAIMS)),
                 PEP_JWT_SIGNATURE);
    expect_token("right key, foreign jwk beside it", ed_token(text, GOOD_CLAIMS), PEP_JWT_OK);
    free(text);
    json_decref(header);
}

static void one_issuers_key_is_not_anothers(void **state)
{
    (void)state;
    struct pep_span other = pep_span_string("{\"alg\":\"EdDSA\",\"kid\":\"other\"}");
    expect_token(
        "right",
        signed_by(world.other, other, pep_span_string("{\"iss\":\"" OTHER "\"," AUD "," EXP "}")),
        PEP_JWT_OK);
    expect_token("partner's key, our name",
                 signed_by(world.other, other, pep_span_string(GOOD_CLAIMS)), PEP_JWT_KEY);
    expect_token("partner's key, our kid",
                 signed_by(world.other, pep_span_string(GOOD_HEADER), pep_span_string(GOOD_CLAIMS)),
                 PEP_JWT_SIGNATURE);
    expect_token("algorithm that only another issuer lists",
                 signed_by(world.ec, pep_span_string("{\"alg\":\"ES256\",\"kid\":\"ec\"}"),
                           pep_span_string("{\"iss\":\"" OTHER "\"," AUD "," EXP "}")),
                 PEP_JWT_ALGORITHM);
}

/* ---- shapes ---- */

/* What `edit` makes of a good token; the good one passes first. */
static void expect_edit(const char *name, const char *before, const char *after,
                        enum pep_jwt_reason reason)
{
    char *good = ed_token(GOOD_HEADER, GOOD_CLAIMS);
    struct pep_buffer b = pep_buffer_of(1 << 20);
    pep_put_format(&b, "%s%s%s", before, good, after);
    expect_at("neighbour", good, 0, PEP_JWT_OK);
    expect_token(name, (char *)pep_buffer_take(&b, NULL), reason);
    free(good);
}

static void only_three_parts_of_plain_base64url(void **state)
{
    (void)state;
    expect_edit("space before", " ", "", PEP_JWT_SHAPE);
    expect_edit("line feed behind", "", "\n", PEP_JWT_SHAPE);
    expect_edit("scheme before", "Bearer ", "", PEP_JWT_SHAPE);
    expect_edit("padding behind", "", "==", PEP_JWT_SHAPE);
    expect_edit("dot behind", "", ".", PEP_JWT_SHAPE);
    expect_edit("dot before", ".", "", PEP_JWT_SHAPE);
    expect_edit("five parts", "", ".AAAA.AAAA", PEP_JWT_SHAPE);
    expect_edit("polyglot", "{\"a\":\"", "\"}", PEP_JWT_SHAPE);
    static const char *const texts[] = {
        "a",
        ".",
        "..",
        "...",
        "a.b",
        "a..b",
        "....",
        "{\"payload\":\"e30\",\"signatures\":[]}",
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"AA\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_at(texts[i], texts[i], 0, PEP_JWT_SHAPE);
    expect_at("empty", "", 0, PEP_JWT_SIZE);
}

static void signatures_may_not_be_dropped(void **state)
{
    (void)state;
    char *good = ed_token(GOOD_HEADER, GOOD_CLAIMS);
    char *dot = strrchr(good, '.');
    expect_at("whole", good, 0, PEP_JWT_OK);
    dot[1] = '\0';
    expect_at("empty", good, 0, PEP_JWT_SIGNATURE);
    dot[0] = '\0';
    expect_at("without its dot", good, 0, PEP_JWT_SHAPE);
    free(good);
    struct pep_buffer b = pep_buffer_of(4096);
    put_unsigned(&b, pep_span_string("{\"alg\":\"none\"}"), pep_span_string(GOOD_CLAIMS));
    expect_token("none, empty", finish(&b, NULL, 0), PEP_JWT_ALGORITHM);
}

/* One token must have one text: every other spelling of the same bytes is refused. */
static void base64url_has_one_spelling(void **state)
{
    (void)state;
    char *good =
        ed_token("{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"x\":\"\xc3\xbf\xc3\xbe?~>>\"}", GOOD_CLAIMS);
    size_t size = strlen(good);
    expect_at("good", good, 0, PEP_JWT_OK);
    char last = good[size - 1];
    for (int i = 1; i < 16; i++) { /* 64 bytes end in a character with four spare bits */
        static const char alphabet[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        good[size - 1] = alphabet[(strchr(alphabet, last) - alphabet) | i];
        expect_at("tail bits", good, 0, PEP_JWT_SHAPE);
    }
    good[size - 1] = last;
    size_t swapped = 0;
    for (size_t i = 0; i < size; i++) {
        char was = good[i];
        if (was != '-' && was != '_')
            continue;
        good[i] = was == '-' ? '+' : '/';
        expect_at("other alphabet", good, 0, PEP_JWT_SHAPE);
        good[i] = was;
        swapped++;
    }
    assert_true(swapped > 0);
    free(good);
    for (size_t part = 0; part < 2; part++) {
        char *token =
            ed_token(part == 0 ? "{\"alg\":\"EdDSA\",\"kid\":\"ed\" }" : GOOD_HEADER, GOOD_CLAIMS);
        char *at = part == 0 ? strchr(token, '.') : strrchr(token, '.');
        struct pep_buffer b = pep_buffer_of(1 << 20);
        pep_put_format(&b, "%.*s=%s", (int)(at - token), token, at);
        expect_token("padding inside", (char *)pep_buffer_take(&b, NULL), PEP_JWT_SHAPE);
        free(token);
    }
}

static void size_is_capped_before_anything_is_split(void **state)
{
    (void)state;
    for (size_t fill = 11900; fill <= 12200; fill++) {
        struct pep_buffer b = pep_buffer_of(1 << 20);
        pep_put_format(&b, "{" BASE "," AUD "," EXP ",\"n\":\"%0*d\"}", (int)fill, 0);
        char *token = signed_by(world.ed, pep_span_string(GOOD_HEADER), pep_buffer_span(&b));
        size_t size = strlen(token);
        pep_buffer_free(&b);
        if (size + 3 > PEP_TOKEN_MAX && size < PEP_TOKEN_MAX + 3)
            expect_at("at the limit", token, 0, size <= PEP_TOKEN_MAX ? PEP_JWT_OK : PEP_JWT_SIZE);
        free(token);
        if (size > PEP_TOKEN_MAX + 3)
            break;
    }
    char *dots = malloc(1 << 20);
    memset(dots, '.', 1 << 20);
    struct pep_jwt *jwt = NULL;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    const struct pep_jwt_expect expect = {.now = NOW};
    pep_jwt_verify(world.issuers, pep_span_of(dots, 1 << 20), &expect, &jwt, &reason, NULL);
    assert_int_equal(reason, PEP_JWT_SIZE);
    pep_jwt_verify(world.issuers, pep_span_of(dots, PEP_TOKEN_MAX), &expect, &jwt, &reason, NULL);
    assert_int_equal(reason, PEP_JWT_SHAPE);
    assert_null(jwt);
    free(dots);
}

/* ---- signatures with the right key, bent ---- */

#define EC_HEADER  "{\"alg\":\"ES256\",\"kid\":\"ec\"}"
#define RSA_HEADER "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"

/* The token's text with another signature. */
static char *with_signature(const char *token, const uint8_t *signature, size_t size)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    pep_put_bytes(&b, token, (size_t)(strrchr(token, '.') - token));
    return finish(&b, signature, size);
}

static size_t signature_of(const char *token, uint8_t out[1100])
{
    size_t size = 0;
    assert_int_equal(pep_base64url_decode(pep_span_string(strrchr(token, '.') + 1), out, &size),
                     PEP_OK);
    return size;
}

/* signed_by() leaves a DER signature for EC keys: an attack by itself. */
static char *ec_token(uint8_t raw[64])
{
    char *der_token = signed_by(world.ec, pep_span_string(EC_HEADER), pep_span_string(GOOD_CLAIMS));
    uint8_t der[1100];
    const uint8_t *at = der;
    ECDSA_SIG *pair = NULL;
    assert_non_null(d2i_ECDSA_SIG(&pair, &at, (long)signature_of(der_token, der)));
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
    ECDSA_SIG_free(pair);
    expect_at("DER", der_token, 0, PEP_JWT_SIGNATURE);
    char *token = with_signature(der_token, raw, 64);
    free(der_token);
    return token;
}

static void ecdsa_numbers_out_of_range(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    uint8_t good[66] = {0}, zero[32] = {0}, ones[32], one[32] = {0};
    memset(ones, 0xff, sizeof(ones));
    one[31] = 1;
    char *token = ec_token(good);
    expect_at("right", token, 0, PEP_JWT_OK);
    const uint8_t *bad[] = {zero, order, ones, one};
    for (size_t i = 0; i < 4; i++) {
        for (int which = 0; which < 3; which++) {
            uint8_t bent[64];
            memcpy(bent, good, 64);
            if (which != 1)
                memcpy(bent, bad[i], 32);
            if (which != 0)
                memcpy(bent + 32, bad[i], 32);
            expect_token("bent", with_signature(token, bent, 64), PEP_JWT_SIGNATURE);
        }
    }
    for (size_t size = 1; size <= 66; size++)
        expect_token("length", with_signature(token, good, size),
                     size == 64 ? PEP_JWT_OK : PEP_JWT_SIGNATURE);
    free(token);
}

/* S + L is the same number to a careless verifier (RFC 8032 section 5.1.7). */
static void eddsa_numbers_out_of_range(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0x10};
    char *token = ed_token(GOOD_HEADER, GOOD_CLAIMS);
    uint8_t signature[1100] = {0};
    assert_int_equal(signature_of(token, signature), 64);
    for (size_t size = 1; size <= 66; size++)
        expect_token("length", with_signature(token, signature, size),
                     size == 64 ? PEP_JWT_OK : PEP_JWT_SIGNATURE);
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += signature[32 + i] + order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    expect_token("S + L", with_signature(token, signature, 64), PEP_JWT_SIGNATURE);
    memset(signature, 0, 64);
    expect_token("zero", with_signature(token, signature, 64), PEP_JWT_SIGNATURE);
    free(token);
}

/* The private operation on 256 bytes of our choice. */
static void rsa_raw(const uint8_t in[256], uint8_t out[256])
{
    size_t size = 256;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(world.rsa, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, out, &size, in, 256), 1);
    EVP_PKEY_CTX_free(ctx);
}

/* PKCS #1 v1.5: 00 01 FF..FF 00 DigestInfo hash, and `garbage` bytes behind it. */
static void pkcs1_block(const char *token, size_t garbage, uint8_t out[256])
{
    static const uint8_t info[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    size_t padding = 256 - 3 - sizeof(info) - 32 - garbage;
    memset(out, 0x5a, 256);
    out[0] = 0;
    out[1] = 1;
    memset(out + 2, 0xff, padding);
    out[2 + padding] = 0;
    memcpy(out + 3 + padding, info, sizeof(info));
    assert_int_equal(pep_sha256(pep_span_of(token, (size_t)(strrchr(token, '.') - token)),
                                out + 3 + padding + 19),
                     PEP_OK);
}

static void rsa_paddings_that_are_almost_right(void **state)
{
    (void)state;
    uint8_t block[256], signature[260];
    char *token = signed_by(world.rsa, pep_span_string(RSA_HEADER), pep_span_string(GOOD_CLAIMS));
    pkcs1_block(token, 0, block);
    rsa_raw(block, signature);
    expect_token("right, by hand", with_signature(token, signature, 256), PEP_JWT_OK);
    signature[256] = 0;
    expect_token("one byte more", with_signature(token, signature, 257), PEP_JWT_SIGNATURE);
    expect_token("one byte less", with_signature(token, signature, 255), PEP_JWT_SIGNATURE);
    memmove(signature + 1, signature, 256);
    signature[0] = 0;
    expect_token("a zero before", with_signature(token, signature, 257), PEP_JWT_SIGNATURE);
    static const size_t garbage[] = {1, 32, 194};
    for (size_t i = 0; i < 3; i++) {
        pkcs1_block(token, garbage[i], block);
        rsa_raw(block, signature);
        expect_token("garbage behind the hash", with_signature(token, signature, 256),
                     PEP_JWT_SIGNATURE);
    }
    pkcs1_block(token, 0, block);
    block[1] = 2;
    rsa_raw(block, signature);
    expect_token("block type 2", with_signature(token, signature, 256), PEP_JWT_SIGNATURE);
    memset(signature, 0, 256);
    expect_token("zero", with_signature(token, signature, 256), PEP_JWT_SIGNATURE);
    signature[255] = 1;
    expect_token("one", with_signature(token, signature, 256), PEP_JWT_SIGNATURE);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_as_hmac_secrets),
        cmocka_unit_test(keys_that_the_token_brings),
        cmocka_unit_test(one_issuers_key_is_not_anothers),
        cmocka_unit_test(only_three_parts_of_plain_base64url),
        cmocka_unit_test(signatures_may_not_be_dropped),
        cmocka_unit_test(base64url_has_one_spelling),
        cmocka_unit_test(size_is_capped_before_anything_is_split),
        cmocka_unit_test(ecdsa_numbers_out_of_range),
        cmocka_unit_test(eddsa_numbers_out_of_range),
        cmocka_unit_test(rsa_paddings_that_are_almost_right),
    };
    return cmocka_run_group_tests(tests, make_world, end_world);
}
