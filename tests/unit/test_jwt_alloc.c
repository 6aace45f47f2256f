/* The scenarios of failing.h for tokens: keys, issuers, verification, signing, diagnoses. */
#include "failing.h"

#include "pep/core/dpop.h"

#include "proof_kit.h"
#include "token_kit.h"

static struct signer ec, ed, rsa;
static char *ec_text, *ed_text, *rsa_text;
static json_t *rsa_set;
static struct prover prover;
static char *proof;

#define CLAIMS                                                                               \
    "{\"iss\":\"" ISSUER "\",\"aud\":[\"" AUDIENCE "\"],\"sub\":\"ann\",\"exp\":1700000600," \
    "\"roles\":[\"a\",\"b\"]}"

static int setup(void **state)
{
    (void)state;
    ec = signer_of(PEP_ALG_ES256);
    ed = signer_of(PEP_ALG_EDDSA);
    rsa = signer_of(PEP_ALG_PS256);
    ec_text = token_of(ec.key, NULL, CLAIMS);
    ed_text = token_of(ed.key, NULL, CLAIMS);
    rsa_text = token_of(rsa.key, NULL, CLAIMS);
    rsa_set = pep_jwk_public_set(rsa.jwk);
    prover = prover_of(PEP_ALG_ES256);
    proof = proof_for(&prover, ec_text, NOW, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    signer_free(&ec);
    signer_free(&ed);
    signer_free(&rsa);
    free(ec_text);
    free(ed_text);
    free(rsa_text);
    json_decref(rsa_set);
    prover_free(&prover);
    free(proof);
    return 0;
}

/* Without memory a token is refused: for PEP_JWT_MEMORY, or because its signature could not be
 * checked. Never accepted, and never half. */
static int verify(const struct signer *s, const char *token)
{
    struct pep_jwt *jwt = NULL;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    struct pep_error err = PEP_ERROR_INIT;
    const struct pep_jwt_expect expect = {.now = NOW};
    int r = pep_jwt_verify(s->issuers, pep_span_string(token), &expect, &jwt, &reason, &err);
    assert_true((jwt != NULL) == (r == PEP_OK));
    assert_int_equal(err.code, r);
    if (r == PEP_OK)
        assert_string_equal(json_string_value(json_object_get(pep_jwt_claims(jwt), "sub")), "ann");
    else if (reason != PEP_JWT_MEMORY && reason != PEP_JWT_SIGNATURE)
        fail_msg("%s: %s", pep_error_text(&err), token);
    pep_jwt_free(jwt);
    return r;
}

static int verify_ec(void)
{
    return verify(&ec, ec_text);
}

static int verify_ed(void)
{
    return verify(&ed, ed_text);
}

static int verify_pss(void)
{
    return verify(&rsa, rsa_text);
}

/* A forged token must not slip through because something could not be allocated. */
static int refuse_forged(void)
{
    struct pep_jwt *jwt = NULL;
    enum pep_jwt_reason reason = PEP_JWT_OK;
    const struct pep_jwt_expect expect = {.now = NOW};
    char token[1024];
    snprintf(token, sizeof(token), "%s", ec_text);
    char *at = strrchr(token, '.') + 5;
    *at = *at == 'A' ? 'B' : 'A';
    int r = pep_jwt_verify(ec.issuers, pep_span_string(token), &expect, &jwt, &reason, NULL);
    assert_null(jwt);
    assert_int_not_equal(r, PEP_OK);
    assert_true(reason == PEP_JWT_SIGNATURE || reason == PEP_JWT_MEMORY);
    return alloc.countdown == 0 ? PEP_ENOMEM : PEP_OK;
}

static int read_keys(void)
{
    struct pep_jwks *keys = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_jwks_read(rsa_set, "jwks", &keys, &err);
    assert_true((keys != NULL) == (r == PEP_OK));
    assert_int_equal(err.code, r);
    if (r == PEP_OK)
        assert_int_equal(pep_jwks_count(keys), 1);
    pep_jwks_free(keys);
    return r;
}

static int read_issuers(void)
{
    static const char text[] =
        "[{\"issuer\":\"https://a\",\"audiences\":[\"b\",\"a\"],\"algorithms\":[\"EdDSA\"],"
        "\"jwks\":{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
        "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]},\"token_types\":[\"at+jwt\"],"
        "\"allow\":{\"roles\":[\"r\"],\"claims\":{\"tenant\":[\"t\"],\"x\":[]}}}]";
    struct pep_issuers *table = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_issuers_read(pep_span_string(text), "issuers.json", &table, &diags, &err);
    assert_true((table != NULL) == (r == PEP_OK));
    assert_int_equal(err.code, r);
    if (r == PEP_OK) {
        assert_true(pep_issuers_at(table, 0)->has_allow);
        assert_true(pep_issuers_at(table, 0)->limits_roles);
        assert_int_equal(pep_issuers_at(table, 0)->audiences.count, 2);
        assert_int_equal(pep_issuers_at(table, 0)->claim_count, 2);
        assert_int_equal(pep_issuers_at(table, 0)->token_types.count, 1);
    }
    pep_issuers_free(table);
    pep_diags_free(&diags);
    return r;
}

static int single_issuer(void)
{
    static const char *const audiences[] = {"a", "b", NULL};
    struct pep_issuers *table = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_issuers_single(ISSUER, audiences, rsa_set, &table, &err);
    assert_true((table != NULL) == (r == PEP_OK));
    if (r == PEP_OK)
        assert_int_equal(pep_issuers_at(table, 0)->audiences.count, 2);
    pep_issuers_free(table);
    return r;
}

static int sign_and_verify(void)
{
    struct pep_jwk_private *key = NULL;
    struct pep_buffer out = pep_buffer_of(PEP_TOKEN_MAX);
    int r = pep_jwk_private_read(ec.jwk, &key, NULL);
    if (r == PEP_OK)
        r = pep_jwt_sign(key, NULL, pep_span_string(CLAIMS), &out, NULL);
    pep_jwk_private_free(key);
    if (r == PEP_OK)
        r = verify(&ec, (const char *)out.data);
    pep_buffer_free(&out);
    return r;
}

static int generate(void)
{
    json_t *jwk = NULL;
    struct pep_jwk_private *key = NULL;
    int r = pep_jwk_generate(PEP_ALG_EDDSA, NULL, &jwk);
    assert_true((jwk != NULL) == (r == PEP_OK));
    if (r == PEP_OK)
        r = pep_jwk_private_read(jwk, &key, NULL);
    json_decref(jwk);
    pep_jwk_private_free(key);
    return r;
}

static int signature_alone(void)
{
    uint8_t *payload = NULL;
    size_t size = 0;
    int r = pep_jwt_verify_signature(pep_issuers_at(ed.issuers, 0)->keys, pep_span_string(ed_text),
                                     &payload, &size, NULL, NULL);
    if (r == PEP_OK)
        assert_int_equal(size, strlen(CLAIMS));
    free(payload);
    return r;
}

/* Never held to be good, and nothing is said to have been seen. */
static int verify_proof(void)
{
    const struct pep_dpop_shown shown = {proof, PROOF_METHOD, PROOF_URI};
    const struct pep_dpop_expect expect = {&shown, pep_span_string(ec_text), prover.jkt,
                                           NOW,    PEP_DPOP_WINDOW_DEFAULT,  0};
    struct pep_dpop_seen seen = {{0}, -1};
    enum pep_jwt_reason reason = PEP_JWT_OK;
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_dpop_verify(&expect, &seen, &reason, &err);
    assert_int_equal(err.code, r);
    assert_true((seen.ends == -1) == (r != PEP_OK));
    if (r != PEP_OK && reason != PEP_JWT_MEMORY && reason != PEP_JWT_PROOF)
        fail_msg("%s", pep_error_text(&err));
    return r;
}

/* A diagnosis that could not be kept counts as an error. */
static int diagnoses(void)
{
    struct pep_diags d = PEP_DIAGS_INIT;
    for (int i = 0; i < 20; i++)
        pep_diag_add(&d, "W401", "issuers.json", i, "help", "message %d", i);
    assert_int_equal(d.count + d.lost, 20);
    assert_int_equal(d.errors, d.lost);
    int r = d.lost == 0 ? PEP_OK : PEP_ENOMEM;
    pep_diags_free(&d);
    return r;
}

SCENARIO(verify_ec)
SCENARIO(verify_ed)
SCENARIO(verify_pss)
SCENARIO(refuse_forged)
SCENARIO(read_keys)
SCENARIO(read_issuers)
SCENARIO(single_issuer)
SCENARIO(sign_and_verify)
SCENARIO(generate)
SCENARIO(signature_alone)
SCENARIO(verify_proof)
SCENARIO(diagnoses)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_ec),     cmocka_unit_test(test_verify_ed),
        cmocka_unit_test(test_verify_pss),    cmocka_unit_test(test_refuse_forged),
        cmocka_unit_test(test_read_keys),     cmocka_unit_test(test_read_issuers),
        cmocka_unit_test(test_single_issuer), cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_generate),      cmocka_unit_test(test_signature_alone),
        cmocka_unit_test(test_diagnoses),     cmocka_unit_test(test_verify_proof),
    };
    if (!failing_install())
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
