/* Good tokens: every algorithm, the published examples, and what the other ways in hand out. */
#include "token_kit.h"

#define CLAIMS \
    "{\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\",\"sub\":\"ann\",\"exp\":1700000600.5}"

static void every_algorithm_verifies_and_no_byte_may_change(void **state)
{
    (void)state;
    const struct pep_jwt_expect expect = {.now = NOW};
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++) {
        struct signer s = signer_of(alg);
        char *token = token_of(s.key, NULL, CLAIMS);
        assert_int_equal(reason_of(s.issuers, token, &expect), PEP_JWT_OK);
        for (size_t i = 0, size = strlen(token); i < size; i += 7) {
            char was = token[i];
            token[i] = was == 'A' ? 'B' : 'A';
            assert_int_not_equal(reason_of(s.issuers, token, &expect), PEP_JWT_OK);
            token[i] = was;
        }
        free(token);
        signer_free(&s);
    }
}

static void a_token_of_one_algorithm_is_none_of_another(void **state)
{
    (void)state;
    const struct pep_jwt_expect expect = {.now = NOW};
    struct signer signers[PEP_ALG_COUNT];
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++)
        signers[alg] = signer_of(alg);
    for (enum pep_alg a = PEP_ALG_NONE + 1; a < PEP_ALG_COUNT; a++) {
        for (enum pep_alg b = PEP_ALG_NONE + 1; b < PEP_ALG_COUNT; b++) {
            char header[64];
            snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", pep_alg_name(b));
            char *token = token_of(signers[a].key, header, CLAIMS);
            assert_int_equal(reason_of(signers[a].issuers, token, &expect),
                             a == b ? PEP_JWT_OK : PEP_JWT_KEY);
            assert_int_equal(reason_of(signers[b].issuers, token, &expect),
                             a == b ? PEP_JWT_OK : PEP_JWT_SIGNATURE);
            free(token);
        }
    }
    for (enum pep_alg alg = PEP_ALG_NONE + 1; alg < PEP_ALG_COUNT; alg++)
        signer_free(&signers[alg]);
}

/* ---- published examples ---- */

struct example {
    const char *source, *jwk, *header, *payload, *signature;
};

#define COOKBOOK_N                                                                               \
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJ" \
    "mSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tp" \
    "e-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vn" \
    "iUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
#define COOKBOOK_PAYLOAD                                                                         \
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb2" \
    "50byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcg" \
    "d2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
#define JOE                                                                                        \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

static const struct example examples[] = {
    {"RFC 7515 A.2",
     "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26"
     "mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soM"
     "Zo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4u"
     "DZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h"
     "4FRWyuXpoQ\"}",
     "eyJhbGciOiJSUzI1NiJ9", JOE,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5j"
     "ujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L"
     "07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEU"
     "ipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {"RFC 7515 A.3",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":"
     "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9", JOE,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"RFC 8037 A.4",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
    {"RFC 7520 4.1",
     "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"e\":\"AQAB\","
     "\"n\":"
     "\"" COOKBOOK_N "\"}",
     "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9", COOKBOOK_PAYLOAD,
     "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglI"
     "I7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8w"
     "W1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI"
     "-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"},
    /* the cookbook's key has no `alg`; here a key has one algorithm, so that this one names it */
    {"RFC 7520 4.2",
     "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"alg\":"
     "\"PS384\","
     "\"e\":\"AQAB\",\"n\":\"" COOKBOOK_N "\"}",
     "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9", COOKBOOK_PAYLOAD,
     "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB"
     "5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRX"
     "e8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64"
     "QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"},
    {"RFC 7515 A.4",
     "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"
     "\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\","
     "\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-"
     "x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
     "eyJhbGciOiJFUzUxMiJ9", "UGF5bG9hZA",
     "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
     "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_"
     "Jn"},
    {"RFC 7520 4.3",
     "{\"kty\":\"EC\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"crv\":\"P-521\","
     "\"x\":\"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-"
     "7ytDyRXYgCF5cj0Kt\",\"y\":"
     "\"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-"
     "HqHZR1\"}",
     "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9", COOKBOOK_PAYLOAD,
     "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-"
     "JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-"
     "kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"},
};

static enum pep_jwt_reason signature_reason(const struct pep_jwks *keys, const char *token)
{
    uint8_t *payload = NULL;
    size_t size = 77;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    int r = pep_jwt_verify_signature(keys, pep_span_string(token), &payload, &size, &reason, NULL);
    assert_true((r == PEP_OK) == (payload != NULL));
    assert_true((r == PEP_OK) == (reason == PEP_JWT_OK));
    if (r != PEP_OK)
        assert_int_equal(size, 77);
    free(payload);
    return reason;
}

static void published_examples_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const struct example *e = &examples[i];
        struct pep_jwks *keys = NULL;
        json_t *set = json_pack("{s:[o]}", "keys", json_loads(e->jwk, 0, NULL));
        assert_int_equal(pep_jwks_read(set, e->source, &keys, NULL), PEP_OK);
        struct pep_buffer b = pep_buffer_of(1 << 20);
        pep_put_format(&b, "%s.%s.%s", e->header, e->payload, e->signature);
        assert_int_equal(signature_reason(keys, (const char *)b.data), PEP_JWT_OK);
        b.data[b.size - 9] ^= 1;
        assert_int_equal(signature_reason(keys, (const char *)b.data), PEP_JWT_SIGNATURE);
        pep_buffer_free(&b);
        pep_jwks_free(keys);
        json_decref(set);
    }
}

/* Published too, and refused here, by a set with the published secrets and a key for another
 * algorithm: symmetric, unsigned, JSON. */
static void published_examples_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *source, *token;
        enum pep_jwt_reason reason;
    } rows[] = {
        {"RFC 7515 A.1",
         "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
         "." JOE "."
         "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
         PEP_JWT_ALGORITHM},
        {"RFC 7515 A.5", "eyJhbGciOiJub25lIn0." JOE ".", PEP_JWT_ALGORITHM},
        {"RFC 7520 4.4",
         "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9"
         "." COOKBOOK_PAYLOAD "."
         "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
         PEP_JWT_ALGORITHM},
        {"RFC 7515 A.7",
         "{\"payload\":\"" JOE
         "\",\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"header\":{\"kid\":\"e9bc097a\"},"
         "\"signature\":\"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
         "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q\"}",
         PEP_JWT_SHAPE},
    };
    static const char secrets[] =
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
        "1qS0gZH75aKtMN3Yj0iPS4hcg"
        "UuTwjAzZr1Z9CAow\"},{\"kty\":\"oct\",\"kid\":\"018c0ae5-4d9b-471b-bfd6-eef314bc7037\","
        "\"use\":\"sig\","
        "\"alg\":\"HS256\",\"k\":\"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg\"},"
        "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"e\":\"AQAB\",\"n\":"
        "\"" COOKBOOK_N "\"}]}";
    struct pep_jwks *keys = NULL;
    json_t *set = json_loads(secrets, 0, NULL);
    assert_int_equal(pep_jwks_read(set, "published", &keys, NULL), PEP_OK);
    assert_int_equal(pep_jwks_count(keys), 1);
    assert_int_equal(pep_jwks_ignored(keys), 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(signature_reason(keys, rows[i].token), rows[i].reason);
    pep_jwks_free(keys);
    json_decref(set);
}

/* RFC 7638 section 3.1 and RFC 8037 appendix A.3. */
static void thumbprints_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *jwk, *print;
    } rows[] = {
        {"{\"kty\":\"RSA\",\"n\":"
         "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zw"
         "u1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_"
         "RN5w6C"
         "f0h4QyQ5v-65YGjQR0_"
         "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08"
         "qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
         "kEgU8awapJzKn"
         "qDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}",
         "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
         "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
         "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct pep_jwks *keys = NULL;
        json_t *set = json_pack("{s:[o]}", "keys", json_loads(rows[i].jwk, 0, NULL));
        assert_int_equal(pep_jwks_read(set, "thumbprint", &keys, NULL), PEP_OK);
        assert_string_equal(pep_jwk_thumbprint(pep_jwks_at(keys, 0)), rows[i].print);
        pep_jwks_free(keys);
        json_decref(set);
    }
}

/* ---- what comes out ---- */

static void a_verified_token_gives_claims_issuer_and_expiry(void **state)
{
    (void)state;
    struct signer s = signer_of(PEP_ALG_ES256);
    char *token = token_of(s.key, NULL, CLAIMS);
    const struct pep_jwt_expect expect = {.now = NOW};
    struct pep_jwt *jwt = NULL;
    assert_int_equal(pep_jwt_verify(s.issuers, pep_span_string(token), &expect, &jwt, NULL, NULL),
                     PEP_OK);
    memset(token, 'x', strlen(token)); /* nothing is borrowed from the token's text */
    assert_string_equal(json_string_value(json_object_get(pep_jwt_claims(jwt), "sub")), "ann");
    assert_string_equal(pep_jwt_issuer(jwt)->name, ISSUER);
    assert_int_equal(pep_jwt_expires(jwt), 1700000600);
    assert_true(pep_jwt_binding_holds(jwt, NULL));
    pep_jwt_free(jwt);
    free(token);
    signer_free(&s);
}

static void the_signature_alone_gives_the_exact_payload(void **state)
{
    (void)state;
    struct signer s = signer_of(PEP_ALG_EDDSA);
    static const char payload[] = " not JSON,\n and no claims ";
    char *token = token_of(s.key, NULL, payload);
    const struct pep_jwks *keys = pep_issuers_at(s.issuers, 0)->keys;
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(
        pep_jwt_verify_signature(keys, pep_span_string(token), &bytes, &size, NULL, NULL), PEP_OK);
    assert_int_equal(size, sizeof(payload) - 1);
    assert_memory_equal(bytes, payload, size);
    free(bytes);
    const struct pep_jwt_expect expect = {.now = NOW};
    assert_int_equal(reason_of(s.issuers, token, &expect), PEP_JWT_PAYLOAD);
    free(token);
    signer_free(&s);
}

static void decoding_without_checks_shows_what_would_be_refused(void **state)
{
    (void)state;
    json_t *header = NULL, *claims = NULL;
    /* {"alg":"none"} . {"sub":"ann"} . */
    assert_int_equal(pep_jwt_decode_unverified(pep_span_string("eyJhbGciOiJub25lIn0."
                                                               "eyJzdWIiOiJhbm4ifQ."),
                                               &header, &claims, NULL),
                     PEP_OK);
    assert_string_equal(json_string_value(json_object_get(claims, "sub")), "ann");
    json_decref(header);
    json_decref(claims);
    header = NULL;
    assert_int_equal(pep_jwt_decode_unverified(pep_span_string("eyJhbGciOiJub25lIn0.e30x."),
                                               &header, &claims, NULL),
                     PEP_ETOKEN);
    assert_null(header);
}

static void an_empty_table_verifies_nothing(void **state)
{
    (void)state;
    struct signer s = signer_of(PEP_ALG_EDDSA);
    char *token = token_of(s.key, NULL, CLAIMS);
    struct pep_issuers *empty = NULL;
    const struct pep_jwt_expect expect = {.now = NOW};
    assert_int_equal(pep_issuers_read(pep_span_string("[]"), "issuers.json", &empty, NULL, NULL),
                     PEP_OK);
    assert_int_equal(reason_of(empty, token, &expect), PEP_JWT_ALGORITHM);
    assert_int_equal(reason_of(NULL, token, &expect), PEP_JWT_ALGORITHM);
    pep_issuers_free(empty);
    free(token);
    signer_free(&s);
}

static void every_reason_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < PEP_JWT_REASONS; i++) {
        assert_non_null(pep_jwt_reason_name((enum pep_jwt_reason)i));
        assert_non_null(pep_jwt_reason_text((enum pep_jwt_reason)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(pep_jwt_reason_name((enum pep_jwt_reason)i),
                                    pep_jwt_reason_name((enum pep_jwt_reason)k));
    }
    assert_string_equal(pep_jwt_reason_name((enum pep_jwt_reason)999), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_verifies_and_no_byte_may_change),
        cmocka_unit_test(a_token_of_one_algorithm_is_none_of_another),
        cmocka_unit_test(published_examples_verify),
        cmocka_unit_test(published_examples_that_are_refused),
        cmocka_unit_test(thumbprints_are_the_published_ones),
        cmocka_unit_test(a_verified_token_gives_claims_issuer_and_expiry),
        cmocka_unit_test(the_signature_alone_gives_the_exact_payload),
        cmocka_unit_test(decoding_without_checks_shows_what_would_be_refused),
        cmocka_unit_test(an_empty_table_verifies_nothing),
        cmocka_unit_test(every_reason_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
