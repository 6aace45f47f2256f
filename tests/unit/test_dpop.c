/*
 * Proofs of possession (RFC 9449 section 4.3): one row for each thing that may be wrong with one,
 * and beside it the nearest that is right. That none is used twice: test_replay.c,
 * test_decide_proof.c.
 */
#include "pep/core/dpop.h"

#include "proof_kit.h"

#include <stdio.h>

#define NOW   1700000000
#define TOKEN "an.access.token"

static struct prover prover;

static int set_up(void **unused)
{
    (void)unused;
    prover = prover_of(PEP_ALG_ES256);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    prover_free(&prover);
    return 0;
}

/* PEP_JWT_OK, or why not. */
static enum pep_jwt_reason judge(const struct pep_dpop_expect *expect, struct pep_error *err)
{
    struct pep_dpop_seen seen = {{0}, -1};
    enum pep_jwt_reason reason = PEP_JWT_OK;
    int r = pep_dpop_verify(expect, &seen, &reason, err);
    assert_int_equal(r == PEP_OK, reason == PEP_JWT_OK);
    assert_int_equal(err->code, r);
    if (r != PEP_OK)
        assert_int_equal(seen.ends, -1);
    return reason;
}

static struct pep_dpop_expect expecting(const struct pep_dpop_shown *shown)
{
    return (struct pep_dpop_expect){
        .shown = shown,
        .token = pep_span_string(TOKEN),
        .jkt = prover.jkt,
        .now = NOW,
        .window = PEP_DPOP_WINDOW_DEFAULT,
        .leeway = 10,
    };
}

static void expect_proof(const char *name, char *proof, const char *method, const char *uri,
                         enum pep_jwt_reason reason)
{
    struct pep_error err = PEP_ERROR_INIT;
    const struct pep_dpop_shown shown = {proof, method, uri};
    const struct pep_dpop_expect expect = expecting(&shown);
    enum pep_jwt_reason got = judge(&expect, &err);
    if (got != reason)
        fail_msg("%s: %s (%s), not %s", name, pep_jwt_reason_name(got), err.text,
                 pep_jwt_reason_name(reason));
    free(proof);
}

struct row {
    const char *name, *header, *claims; /* patches */
    enum pep_jwt_reason reason;
};

static void run(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_proof(rows[i].name, proof_for(&prover, TOKEN, NOW, rows[i].header, rows[i].claims),
                     PROOF_METHOD, PROOF_URI, rows[i].reason);
}
#define RUN(rows) run(rows, sizeof(rows) / sizeof((rows)[0]))

static void proof_headers(void **unused)
{
    (void)unused;
    static const struct row rows[] = {
        {"right", NULL, NULL, PEP_JWT_OK},
        {"long form of typ", "{\"typ\":\"application/DPoP+JWT\"}", NULL, PEP_JWT_OK},
        {"no typ", "{\"typ\":null}", NULL, PEP_JWT_PROOF},
        {"JWT", "{\"typ\":\"JWT\"}", NULL, PEP_JWT_PROOF},
        {"access token", "{\"typ\":\"at+jwt\"}", NULL, PEP_JWT_PROOF},
        {"alg none", "{\"alg\":\"none\"}", NULL, PEP_JWT_PROOF},
        {"symmetric alg", "{\"alg\":\"HS256\"}", NULL, PEP_JWT_PROOF},
        {"alg of another key", "{\"alg\":\"EdDSA\"}", NULL, PEP_JWT_PROOF},
        {"no key", "{\"jwk\":null}", NULL, PEP_JWT_PROOF},
        {"a key's name", "{\"jwk\":\"p\"}", NULL, PEP_JWT_PROOF},
        {"an empty key", "{\"jwk\":{}}", NULL, PEP_JWT_PROOF},
        {"a symmetric key", "{\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}", NULL, PEP_JWT_PROOF},
        {"crit", "{\"crit\":[\"htm\"]}", NULL, PEP_JWT_PROOF},
        {"b64", "{\"b64\":false}", NULL, PEP_JWT_PROOF},
        {"nested", "{\"cty\":\"JWT\"}", NULL, PEP_JWT_PROOF},
    };
    RUN(rows);
}

static void proof_claims(void **unused)
{
    (void)unused;
    static const struct row rows[] = {
        {"right", NULL, NULL, PEP_JWT_OK},
        {"more claims", NULL, "{\"nonce\":\"n\",\"iss\":\"x\"}", PEP_JWT_OK},
        {"no htm", NULL, "{\"htm\":null}", PEP_JWT_PROOF},
        {"htm in lower case", NULL, "{\"htm\":\"post\"}", PEP_JWT_PROOF},
        {"another method", NULL, "{\"htm\":\"GET\"}", PEP_JWT_PROOF},
        {"htm a list", NULL, "{\"htm\":[\"POST\"]}", PEP_JWT_PROOF},
        {"no htu", NULL, "{\"htu\":null}", PEP_JWT_PROOF},
        {"another URI", NULL, "{\"htu\":\"https://api.acme/invoices/4712\"}", PEP_JWT_PROOF},
        {"htu with query", NULL, "{\"htu\":\"https://API.acme:443/invoices/4711?a=1#b\"}",
         PEP_JWT_OK},
        {"no ath", NULL, "{\"ath\":null}", PEP_JWT_PROOF},
        {"ath of another token", NULL, "{\"ath\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         PEP_JWT_PROOF},
        {"no jti", NULL, "{\"jti\":null}", PEP_JWT_PROOF},
        {"jti a number", NULL, "{\"jti\":1}", PEP_JWT_PROOF},
        {"jti empty", NULL, "{\"jti\":\"\"}", PEP_JWT_PROOF},
        {"no iat", NULL, "{\"iat\":null}", PEP_JWT_PROOF},
        {"iat a text", NULL, "{\"iat\":\"1700000000\"}", PEP_JWT_PROOF},
        {"oldest", NULL, "{\"iat\":1699999940}", PEP_JWT_OK},
        {"too old", NULL, "{\"iat\":1699999939.9}", PEP_JWT_PROOF_TIME},
        {"newest", NULL, "{\"iat\":1700000010}", PEP_JWT_OK},
        {"too new", NULL, "{\"iat\":1700000010.1}", PEP_JWT_PROOF_TIME},
        {"huge", NULL, "{\"iat\":1e308}", PEP_JWT_PROOF_TIME},
        {"negative", NULL, "{\"iat\":-1e308}", PEP_JWT_PROOF_TIME},
        {"exp ahead", NULL, "{\"exp\":1700000001}", PEP_JWT_OK},
        {"exp past", NULL, "{\"exp\":1700000000}", PEP_JWT_PROOF_TIME},
        {"nbf past", NULL, "{\"nbf\":1699999999}", PEP_JWT_OK},
        {"nbf ahead", NULL, "{\"nbf\":1700000011}", PEP_JWT_PROOF_TIME},
    };
    RUN(rows);
}

static void proofs_are_for_one_method_and_uri(void **unused)
{
    (void)unused;
    static const struct {
        const char *method, *uri;
        enum pep_jwt_reason reason;
    } rows[] = {
        {"POST", PROOF_URI, PEP_JWT_OK},
        {"POST", PROOF_URI "?page=2", PEP_JWT_OK},
        {"POST", "HTTPS://API.ACME:443/invoices/4711#top", PEP_JWT_OK},
        {"GET", PROOF_URI, PEP_JWT_PROOF},
        {"post", PROOF_URI, PEP_JWT_PROOF},
        {"POST", "http://api.acme/invoices/4711", PEP_JWT_PROOF},
        {"POST", "https://api.acme/invoices/4711/", PEP_JWT_PROOF},
        {"POST", "/invoices/4711", PEP_JWT_PROOF},
        {"POST", "", PEP_JWT_PROOF},
        {"POST", NULL, PEP_JWT_PROOF},
        {NULL, PROOF_URI, PEP_JWT_PROOF},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_proof(rows[i].uri == NULL ? "no URI" : rows[i].uri,
                     proof_for(&prover, TOKEN, NOW, NULL, NULL), rows[i].method, rows[i].uri,
                     rows[i].reason);
}

static void only_the_bound_key_proves(void **unused)
{
    (void)unused;
    struct prover other = prover_of(PEP_ALG_ES256);
    char patch[1024];
    expect_proof("another key", proof_for(&other, TOKEN, NOW, NULL, NULL), PROOF_METHOD, PROOF_URI,
                 PEP_JWT_PROOF);
    /* The right key shown, signed by the other; and what is shown holds the secret too. */
    char *shown = json_dumps(prover.jwk, 0), *whole = json_dumps(prover.private_jwk, 0);
    snprintf(patch, sizeof(patch), "{\"jwk\":%s}", shown);
    expect_proof("signed by another", proof_for(&other, TOKEN, NOW, patch, NULL), PROOF_METHOD,
                 PROOF_URI, PEP_JWT_PROOF);
    expect_proof("its own", proof_for(&prover, TOKEN, NOW, patch, NULL), PROOF_METHOD, PROOF_URI,
                 PEP_JWT_OK);
    snprintf(patch, sizeof(patch), "{\"jwk\":%s}", whole);
    expect_proof("private", proof_for(&prover, TOKEN, NOW, patch, NULL), PROOF_METHOD, PROOF_URI,
                 PEP_JWT_PROOF);
    free(shown);
    free(whole);
    prover_free(&other);
}

static void every_algorithm_can_prove(void **unused)
{
    (void)unused;
    static const enum pep_alg algs[] = {PEP_ALG_RS256, PEP_ALG_PS384, PEP_ALG_ES384, PEP_ALG_ES512,
                                        PEP_ALG_EDDSA};
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        struct prover p = prover_of(algs[i]);
        char *proof = proof_for(&p, TOKEN, NOW, NULL, NULL);
        struct pep_error err = PEP_ERROR_INIT;
        const struct pep_dpop_shown shown = {proof, PROOF_METHOD, PROOF_URI};
        struct pep_dpop_expect expect = expecting(&shown);
        expect.jkt = p.jkt;
        if (judge(&expect, &err) != PEP_JWT_OK)
            fail_msg("%s: %s", pep_alg_name(algs[i]), err.text);
        free(proof);
        prover_free(&p);
    }
}

static void no_byte_may_change(void **unused)
{
    (void)unused;
    char *proof = proof_for(&prover, TOKEN, NOW, NULL, NULL);
    const struct pep_dpop_shown shown = {proof, PROOF_METHOD, PROOF_URI};
    const struct pep_dpop_expect expect = expecting(&shown);
    for (size_t i = 0; proof[i] != '\0'; i++) {
        struct pep_error err = PEP_ERROR_INIT;
        char kept = proof[i];
        proof[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(judge(&expect, &err), PEP_JWT_PROOF);
        proof[i] = kept;
    }
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(judge(&expect, &err), PEP_JWT_OK);
    free(proof);
}

static void sizes_are_bounded(void **unused)
{
    (void)unused;
    char patch[PEP_DPOP_MAX + 64], *big;
    snprintf(patch, sizeof(patch), "{\"jti\":\"%0*d\"}", PEP_DPOP_JTI_MAX, 0);
    expect_proof("longest jti", proof_for(&prover, TOKEN, NOW, NULL, patch), PROOF_METHOD,
                 PROOF_URI, PEP_JWT_OK);
    snprintf(patch, sizeof(patch), "{\"jti\":\"%0*d\"}", PEP_DPOP_JTI_MAX + 1, 0);
    expect_proof("jti too long", proof_for(&prover, TOKEN, NOW, NULL, patch), PROOF_METHOD,
                 PROOF_URI, PEP_JWT_PROOF);
    snprintf(patch, sizeof(patch), "{\"x\":\"%0*d\"}", PEP_DPOP_MAX / 2, 0);
    expect_proof("large", proof_for(&prover, TOKEN, NOW, NULL, patch), PROOF_METHOD, PROOF_URI,
                 PEP_JWT_OK);
    snprintf(patch, sizeof(patch), "{\"x\":\"%0*d\"}", PEP_DPOP_MAX, 0);
    big = proof_for(&prover, TOKEN, NOW, NULL, patch);
    assert_true(strlen(big) > PEP_DPOP_MAX);
    expect_proof("too large", big, PROOF_METHOD, PROOF_URI, PEP_JWT_PROOF);
    expect_proof("empty", strdup(""), PROOF_METHOD, PROOF_URI, PEP_JWT_PROOF);
    expect_proof("dots", strdup("..."), PROOF_METHOD, PROOF_URI, PEP_JWT_PROOF);
}

static void a_proof_and_a_bound_token_belong_together(void **unused)
{
    (void)unused;
    struct pep_error err = PEP_ERROR_INIT;
    char *proof = proof_for(&prover, TOKEN, NOW, NULL, NULL);
    const struct pep_dpop_shown shown = {proof, PROOF_METHOD, PROOF_URI}, none = {NULL, NULL, NULL};
    struct pep_dpop_expect expect = expecting(&none);
    assert_int_equal(judge(&expect, &err), PEP_JWT_PROOF_ABSENT);
    err = (struct pep_error)PEP_ERROR_INIT;
    expect.shown = NULL;
    assert_int_equal(judge(&expect, &err), PEP_JWT_PROOF_ABSENT);
    err = (struct pep_error)PEP_ERROR_INIT;
    expect.jkt = "";
    assert_int_equal(judge(&expect, &err), PEP_JWT_OK);
    expect.shown = &shown;
    assert_int_equal(judge(&expect, &err), PEP_JWT_PROOF);
    free(proof);
}

static void what_is_seen_names_key_and_jti(void **unused)
{
    (void)unused;
    struct pep_dpop_seen a, b;
    char *first = proof_for(&prover, TOKEN, NOW, NULL, NULL);
    char *again = proof_for(&prover, TOKEN, NOW - 5, NULL, NULL);
    char *next = proof_for(&prover, TOKEN, NOW, NULL, "{\"jti\":\"j2\"}");
    struct pep_dpop_shown shown = {first, PROOF_METHOD, PROOF_URI};
    const struct pep_dpop_expect expect = expecting(&shown);
    assert_int_equal(pep_dpop_verify(&expect, &a, NULL, NULL), PEP_OK);
    assert_int_equal(a.ends, NOW + PEP_DPOP_WINDOW_DEFAULT + 1);
    shown.proof = again;
    assert_int_equal(pep_dpop_verify(&expect, &b, NULL, NULL), PEP_OK);
    assert_memory_equal(a.id, b.id, sizeof(a.id));
    shown.proof = next;
    assert_int_equal(pep_dpop_verify(&expect, &b, NULL, NULL), PEP_OK);
    assert_memory_not_equal(a.id, b.id, sizeof(a.id));
    free(first);
    free(again);
    free(next);
}

/* RFC 9449 section 7.1: token and proof, with the thumbprint of section 6.1. */
static void the_published_proof_holds(void **unused)
{
    (void)unused;
    static const char proof[] = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIi"
                                "wieCI6Imw4dEZyaHgtMzR0VjNoUkl"
                                "DUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiV"
                                "FRsY3VOSmFqSG10NnY5VERWclUwQ2"
                                "R2R1JEQSIsImNydiI6IlAtMjU2In19."
                                "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0"
                                "cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdC"
                                "I6MTU2MjI2MjYxOCwiYXRoIjoiZlV"
                                "IeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9."
                                "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPTo"
                                "A1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    struct pep_error err = PEP_ERROR_INIT;
    const struct pep_dpop_shown shown = {proof, "GET",
                                         "https://resource.example.org/protectedresource"};
    struct pep_dpop_expect expect = {
        .shown = &shown,
        .token = pep_span_string("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        .jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        .now = 1562262618,
        .window = PEP_DPOP_WINDOW_DEFAULT,
    };
    if (judge(&expect, &err) != PEP_JWT_OK)
        fail_msg("%s", err.text);
    expect.now += PEP_DPOP_WINDOW_DEFAULT + 1;
    assert_int_equal(judge(&expect, &err), PEP_JWT_PROOF_TIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proof_headers),
        cmocka_unit_test(proof_claims),
        cmocka_unit_test(proofs_are_for_one_method_and_uri),
        cmocka_unit_test(only_the_bound_key_proves),
        cmocka_unit_test(every_algorithm_can_prove),
        cmocka_unit_test(no_byte_may_change),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_proof_and_a_bound_token_belong_together),
        cmocka_unit_test(what_is_seen_names_key_and_jti),
        cmocka_unit_test(the_published_proof_holds),
    };
    return cmocka_run_group_tests_name("dpop", tests, set_up, tear_down);
}
