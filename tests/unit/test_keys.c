/* Primitives and Ed25519 keys: SHA-256, RFC 8032 section 7.1 vectors, PEM in both directions. */
#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *seed, *public, *message, *signature;
} rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void sha256_vectors(void **state)
{
    (void)state;
    uint8_t digest[PEP_SHA256_SIZE], again[PEP_SHA256_SIZE];
    char text[PEP_DIGEST_TEXT];
    assert_int_equal(pep_sha256(pep_span_string("abc"), digest), PEP_OK);
    pep_digest_text(digest, text);
    assert_string_equal(text,
                        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(pep_digest_parse(pep_span_string(text), again), PEP_OK);
    assert_memory_equal(digest, again, sizeof(digest));
    assert_int_equal(pep_sha256((struct pep_span){NULL, 0}, digest), PEP_OK);
    pep_digest_text(digest, text);
    assert_string_equal(text,
                        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void digest_text_is_strict(void **state)
{
    (void)state;
    static const char good[] =
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    uint8_t digest[PEP_SHA256_SIZE] = {1};
    char bad[sizeof(good) + 1];
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        memcpy(bad, good, sizeof(good));
        bad[i] = bad[i] == 'g' ? 'h' : 'G';
        assert_int_equal(pep_digest_parse(pep_span_string(bad), digest), PEP_EFORMAT);
    }
    assert_int_equal(pep_digest_parse(pep_span_of(good, sizeof(good) - 2), digest), PEP_EFORMAT);
    assert_int_equal(pep_digest_parse(pep_span_string(""), digest), PEP_EFORMAT);
    assert_int_equal(digest[0], 1);
}

static void random_and_compare(void **state)
{
    (void)state;
    uint8_t a[64] = {0}, b[64] = {0};
    assert_int_equal(pep_random(a, sizeof(a)), PEP_OK);
    assert_int_equal(pep_random(b, sizeof(b)), PEP_OK);
    assert_false(pep_equal_constant_time(a, b, sizeof(a)));
    memcpy(b, a, sizeof(a));
    assert_true(pep_equal_constant_time(a, b, sizeof(a)));
    b[63] ^= 1;
    assert_false(pep_equal_constant_time(a, b, sizeof(a)));
    pep_wipe(a, sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++)
        assert_int_equal(a[i], 0);
}

static void rfc8032_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc8032) / sizeof(rfc8032[0]); i++) {
        uint8_t raw[PEP_ED25519_SIZE], message[2], signature[PEP_SIGNATURE_SIZE];
        size_t size = strlen(rfc8032[i].message) / 2;
        struct pep_public_key key;
        pep_hex_decode(pep_span_string(rfc8032[i].public), raw, sizeof(raw));
        pep_hex_decode(pep_span_string(rfc8032[i].message), message, size);
        pep_hex_decode(pep_span_string(rfc8032[i].signature), signature, sizeof(signature));
        assert_int_equal(pep_public_key_from_raw(raw, &key), PEP_OK);
        struct pep_span data = pep_span_of(message, size);
        assert_int_equal(pep_public_key_verify(&key, data, signature), PEP_OK);
        for (size_t bit = 0; bit < 8 * sizeof(signature); bit += 7) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(pep_public_key_verify(&key, data, signature), PEP_ESIGNATURE);
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        message[0] ^= 1;
        assert_int_equal(pep_public_key_verify(&key, pep_span_of(message, 1), signature),
                         PEP_ESIGNATURE);
    }
}

/* "-----BEGIN LABEL-----" base64(prefix + body) "-----END LABEL-----" */
static struct pep_buffer make_pem(const char *label, const char *prefix, const char *body)
{
    uint8_t der[128];
    struct pep_buffer out = pep_buffer_of(1024);
    size_t a = strlen(prefix) / 2, b = strlen(body) / 2;
    pep_hex_decode(pep_span_string(prefix), der, a);
    pep_hex_decode(pep_span_string(body), der + a, b);
    pep_put_format(&out, "-----BEGIN %s-----\n", label);
    pep_put_base64(&out, pep_span_of(der, a + b));
    pep_put_format(&out, "\n-----END %s-----\n", label);
    return out;
}

#define PKCS8 "302e020100300506032b657004220420"
#define SPKI  "302a300506032b6570032100"

static void rfc8032_private_pem(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc8032) / sizeof(rfc8032[0]); i++) {
        struct pep_error err = PEP_ERROR_INIT;
        struct pep_private_key *key = NULL;
        struct pep_public_key public;
        struct pep_buffer in = make_pem("PRIVATE KEY", PKCS8, rfc8032[i].seed);
        struct pep_buffer out = pep_buffer_of(1024), pub = pep_buffer_of(1024);
        char hex[65];
        assert_int_equal(pep_private_key_from_pem(pep_buffer_span(&in), &key, &err), PEP_OK);
        pep_hex_encode(pep_private_key_public(key)->raw, PEP_ED25519_SIZE, hex);
        assert_string_equal(hex, rfc8032[i].public);
        assert_int_equal(pep_private_key_to_pem(key, &out), PEP_OK);
        assert_true(pep_span_equal(pep_buffer_span(&in), pep_buffer_span(&out)));
        /* White space around the block and CR LF are no harm. */
        struct pep_buffer spaced = pep_buffer_of(1024);
        struct pep_private_key *same = NULL;
        pep_put_format(&spaced, "\r\n  %s \r\n\t", (const char *)in.data);
        assert_int_equal(pep_private_key_from_pem(pep_buffer_span(&spaced), &same, &err), PEP_OK);
        pep_private_key_free(same);
        pep_buffer_free(&spaced);
        assert_int_equal(pep_public_key_to_pem(pep_private_key_public(key), &pub), PEP_OK);
        assert_int_equal(pep_public_key_from_pem(pep_buffer_span(&pub), &public, &err), PEP_OK);
        assert_string_equal(public.id, pep_private_key_public(key)->id);
        pep_private_key_free(key);
        pep_buffer_free(&in);
        pep_buffer_free(&out);
        pep_buffer_free(&pub);
    }
}

static void refuse_private(struct pep_span pem)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_private_key *key = NULL;
    assert_int_equal(pep_private_key_from_pem(pem, &key, &err), PEP_EFORMAT);
    assert_null(key);
    assert_true(strlen(pep_error_text(&err)) > 0);
}

static void pem_refused(void **state)
{
    (void)state;
    static const char x25519[] = "302e020100300506032b656e04220420"; /* another algorithm */
    struct pep_buffer good = make_pem("PRIVATE KEY", PKCS8, rfc8032[0].seed);
    struct pep_buffer other = make_pem("PRIVATE KEY", x25519, rfc8032[0].seed);
    struct pep_buffer locked = make_pem("ENCRYPTED PRIVATE KEY", PKCS8, rfc8032[0].seed);
    struct pep_buffer public = make_pem("PUBLIC KEY", SPKI, rfc8032[0].public);
    struct pep_buffer longer = make_pem("PRIVATE KEY", PKCS8 "00", rfc8032[0].seed);
    struct pep_public_key key;
    struct pep_buffer curve = make_pem("PUBLIC KEY", "302a300506032b656e032100", rfc8032[0].public);
    assert_int_equal(pep_public_key_from_pem(pep_buffer_span(&curve), &key, NULL), PEP_EFORMAT);
    pep_buffer_free(&curve);
    refuse_private(pep_buffer_span(&other));
    refuse_private(pep_buffer_span(&locked));
    refuse_private(pep_buffer_span(&public));
    refuse_private(pep_buffer_span(&longer));
    refuse_private(pep_span_string(""));
    for (size_t cut = 2; cut < good.size; cut++)
        refuse_private(pep_span_of(good.data, good.size - cut));
    pep_put_format(&good, "more");
    refuse_private(pep_buffer_span(&good));
    assert_int_equal(pep_public_key_from_pem(pep_buffer_span(&other), &key, NULL), PEP_EFORMAT);
    pep_buffer_free(&good);
    pep_buffer_free(&other);
    pep_buffer_free(&locked);
    pep_buffer_free(&public);
    pep_buffer_free(&longer);
}

static void generated_keys_differ(void **state)
{
    (void)state;
    struct pep_private_key *a = NULL, *b = NULL;
    assert_int_equal(pep_private_key_generate(&a), PEP_OK);
    assert_int_equal(pep_private_key_generate(&b), PEP_OK);
    assert_string_not_equal(pep_private_key_public(a)->id, pep_private_key_public(b)->id);
    pep_private_key_free(a);
    pep_private_key_free(b);
    pep_private_key_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),        cmocka_unit_test(digest_text_is_strict),
        cmocka_unit_test(random_and_compare),    cmocka_unit_test(rfc8032_verify),
        cmocka_unit_test(rfc8032_private_pem),   cmocka_unit_test(pem_refused),
        cmocka_unit_test(generated_keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
