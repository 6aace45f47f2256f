/* Decisions in HTTP (RFC 6750, RFC 9449, RFC 9470): status and header for each code, and that no
 * text of a policy breaks out of the header. */
#include "pep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdint.h>
#include <string.h>

static pep_decision decision(pep_code code, const char *reason, const char *obligations)
{
    pep_decision d = PEP_DECISION_INIT;
    d.outcome = code == PEP_CODE_CHALLENGE ? PEP_CHALLENGE : PEP_DENY;
    d.code = code;
    d.obligations = obligations;
    strncpy(d.reason, reason, sizeof(d.reason) - 1);
    return d;
}

static void expect(const pep_decision *d, const char *realm, int status, const char *header)
{
    char buffer[2048];
    int got = 0;
    memset(buffer, 'x', sizeof(buffer));
    size_t n = pep_www_authenticate(d, realm, buffer, sizeof(buffer), &got);
    assert_string_equal(buffer, header);
    assert_int_equal(n, strlen(header));
    assert_int_equal(got, status);
}

static void policy_refusals(void **unused)
{
    (void)unused;
    static const pep_code codes[] = {PEP_CODE_NOT_GRANTED, PEP_CODE_DENIED, PEP_CODE_OBLIGATION,
                                     PEP_CODE_UNKNOWN};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        pep_decision d = decision(codes[i], "", NULL);
        expect(&d, NULL, 403, "Bearer error=\"insufficient_scope\"");
    }
    pep_decision d = decision(PEP_CODE_DENIED, "frozen", NULL);
    expect(&d, NULL, 403, "Bearer error=\"insufficient_scope\", error_description=\"frozen\"");
}

static void tokens(void **unused)
{
    (void)unused;
    static const struct {
        const char *error;
        bool dpop;
        int status;
        const char *header;
    } rows[] = {
        {"missing", false, 401, "Bearer"},
        {"expired", false, 401, "Bearer error=\"invalid_token\""},
        {"revoked", false, 401, "Bearer error=\"invalid_token\""},
        {NULL, false, 401, "Bearer error=\"invalid_token\""},
        {"proof_absent", true, 401, "DPoP error=\"invalid_token\", algs=\""},
        {"expired", true, 401, "DPoP error=\"invalid_token\", algs=\""},
        {"proof", true, 401, "DPoP error=\"invalid_dpop_proof\", algs=\""},
        {"proof_time", true, 401, "DPoP error=\"invalid_dpop_proof\", algs=\""},
        {"proof_replay", true, 401, "DPoP error=\"invalid_dpop_proof\", algs=\""},
        {"proof_room", true, 503, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char header[512];
        pep_decision d = decision(PEP_CODE_BAD_TOKEN, "expired", NULL);
        d.token_error = rows[i].error;
        d.dpop = rows[i].dpop;
        strcpy(header, rows[i].header);
        if (rows[i].dpop && rows[i].status == 401)
            strcat(header, "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA\"");
        expect(&d, NULL, rows[i].status, header);
    }
    pep_decision d = decision(PEP_CODE_BAD_TOKEN, "no token", NULL);
    d.token_error = "missing";
    expect(&d, "billing", 401, "Bearer realm=\"billing\"");
}

static void stronger_authentication(void **unused)
{
    (void)unused;
    static const struct {
        const char *obligations;
        int status;
        const char *more; /* behind the error */
    } rows[] = {
        {"[{\"type\":\"step-up\",\"acr_values\":[\"urn:acme:mfa\",\"urn:b\"],\"max_age\":300}]",
         401, ", acr_values=\"urn:acme:mfa urn:b\", max_age=\"300\""},
        {"[{\"type\":\"log\"},{\"type\":\"step-up\",\"max_age\":0}]", 401, ", max_age=\"0\""},
        {"[{\"type\":\"step-up\"}]", 401, ""},
        {"[{\"type\":\"step-up\",\"amr_values\":[\"otp\"],\"acr_values\":[\"a\"]}]", 401,
         ", acr_values=\"a\""},
        {"[{\"type\":\"approval\"}]", 403, NULL},
        {NULL, 403, NULL},
        {"[{", 503, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char header[256] = "";
        pep_decision d = decision(PEP_CODE_CHALLENGE, "", rows[i].obligations);
        if (rows[i].more != NULL) {
            strcpy(header, "Bearer error=\"insufficient_user_authentication\"");
            strcat(header, rows[i].more);
        }
        expect(&d, NULL, rows[i].status, header);
    }
}

static void policy_texts_cannot_break_out(void **unused)
{
    (void)unused;
    pep_decision d =
        decision(PEP_CODE_CHALLENGE, "a\", evil=\"b\r\nSet-Cookie: x\\\x7f\xc3\xa4\x01",
                 "[{\"type\":\"step-up\",\"acr_values\":[\"a\\r\\nX: y\",\"b\\\"\",\"c d\",\"\","
                 "\"e\\\\\",\"f\\u00e4\",\"good\",\",also=good\"]}]");
    expect(&d, "r\"\\x", 401,
           "Bearer realm=\"r\\\"\\\\x\", error=\"insufficient_user_authentication\", "
           "error_description=\"a?, evil=?b??Set-Cookie: x????\", "
           "acr_values=\"good ,also=good\"");
    /* Nothing that can be said is left: no empty list. */
    d = decision(PEP_CODE_CHALLENGE, "", "[{\"type\":\"step-up\",\"acr_values\":[\"a b\"]}]");
    expect(&d, "r\r\nX: y", 401, "Bearer error=\"insufficient_user_authentication\"");
    for (int c = 1; c < 256; c++) {
        char reason[2] = {(char)c, '\0'}, buffer[256];
        d = decision(PEP_CODE_DENIED, reason, NULL);
        size_t n = pep_www_authenticate(&d, reason, buffer, sizeof(buffer), NULL);
        assert_true(n > 0 && n < sizeof(buffer));
        for (size_t i = 0; i < n; i++)
            assert_true(buffer[i] >= 0x20 && buffer[i] <= 0x7e);
    }
}

static void everything_else(void **unused)
{
    (void)unused;
    static const pep_code codes[] = {PEP_CODE_UNAVAILABLE, PEP_CODE_EXPIRED, PEP_CODE_REVOKED,
                                     PEP_CODE_BUSY,        PEP_CODE_FAULT,   PEP_CODE_ALLOWED};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        pep_decision d = decision(codes[i], "x", NULL);
        expect(&d, NULL, 503, "");
    }
    pep_decision d = decision(PEP_CODE_BAD_REQUEST, "attrs: x", NULL);
    expect(&d, NULL, 400, "Bearer error=\"invalid_request\"");
    d = decision(PEP_CODE_ALLOWED, "", NULL);
    d.allowed = true;
    expect(&d, NULL, 200, "");
    expect(NULL, NULL, 503, "");
    d.size = 0;
    expect(&d, NULL, 503, "");
}

static void never_a_shorter_value(void **unused)
{
    (void)unused;
    static const char whole[] = "Bearer error=\"insufficient_scope\"";
    pep_decision d = decision(PEP_CODE_NOT_GRANTED, "", NULL);
    for (size_t size = 0; size <= sizeof(whole) + 1; size++) {
        char buffer[64];
        memset(buffer, 'x', sizeof(buffer));
        assert_int_equal(pep_www_authenticate(&d, NULL, buffer, size, NULL), sizeof(whole) - 1);
        assert_int_equal(buffer[size], 'x');
        if (size > 0)
            assert_string_equal(buffer, size >= sizeof(whole) ? whole : "");
    }
    assert_int_equal(pep_www_authenticate(&d, NULL, NULL, 0, NULL), sizeof(whole) - 1);
}

/* As a caller that was compiled before the members about the token were there. */
static void older_decisions(void **unused)
{
    (void)unused;
    pep_decision d = decision(PEP_CODE_BAD_TOKEN, "", NULL);
    d.size = offsetof(pep_decision, token_error);
    d.token_error = (const char *)(uintptr_t)1;
    d.dpop = true;
    expect(&d, NULL, 401, "Bearer error=\"invalid_token\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_refusals),         cmocka_unit_test(tokens),
        cmocka_unit_test(stronger_authentication), cmocka_unit_test(policy_texts_cannot_break_out),
        cmocka_unit_test(everything_else),         cmocka_unit_test(never_a_shorter_value),
        cmocka_unit_test(older_decisions),
    };
    return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
