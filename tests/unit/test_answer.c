/* Decisions as callers hold them: filled, reused, stepped through, cleared. */
#include "pep/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static struct pep_verdict verdict(const char *obligations, const char *advice)
{
    struct pep_verdict v;
    memset(&v, 0, sizeof(v));
    v.outcome = PEP_ALLOW;
    v.code = PEP_CODE_ALLOWED;
    v.rule = "r";
    v.reason = "because";
    v.obligations = obligations;
    v.advice = advice;
    return v;
}

static void a_decision_is_filled_and_reused(void **unused)
{
    (void)unused;
    pep_decision d = PEP_DECISION_INIT;
    struct pep_verdict v = verdict("[{\"type\":\"mask\"}]", "[1]");
    assert_true(pep_decision_fill(&d, &v));
    assert_int_equal(d.outcome, PEP_ALLOW);
    assert_string_equal(d.rule, "r");
    assert_string_equal(d.reason, "because");
    assert_string_equal(d.obligations, "[{\"type\":\"mask\"}]");
    assert_string_equal(d.advice, "[1]");
    v = verdict(NULL, NULL);
    v.rule = v.reason = NULL;
    assert_true(pep_decision_fill(&d, &v));
    assert_null(d.obligations);
    assert_null(d.advice);
    assert_null(d.owned);
    assert_string_equal(d.rule, "");
    pep_decision_clear(&d);
    pep_decision_clear(&d);
    pep_decision_clear(NULL);
}

static void long_texts_are_cut(void **unused)
{
    (void)unused;
    char text[600];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    pep_decision d = PEP_DECISION_INIT;
    struct pep_verdict v = verdict(NULL, NULL);
    v.rule = v.reason = text;
    assert_true(pep_decision_fill(&d, &v));
    assert_int_equal(strlen(d.rule), PEP_RULE_MAX - 1);
    assert_int_equal(strlen(d.reason), PEP_REASON_MAX - 1);
}

static void obligations_are_stepped_through(void **unused)
{
    (void)unused;
    pep_decision d = PEP_DECISION_INIT;
    struct pep_verdict v =
        verdict("[{\"type\":\"mask\",\"fields\":[\"iban\"]},{\"type\":\"log\"}]", NULL);
    assert_true(pep_decision_fill(&d, &v));
    size_t it = 0;
    const char *type, *json, *first;
    assert_true(pep_next_obligation(&d, &it, &type, &first));
    assert_string_equal(type, "mask");
    assert_string_equal(first, "{\"type\":\"mask\",\"fields\":[\"iban\"]}");
    assert_true(pep_next_obligation(&d, &it, &type, &json));
    assert_string_equal(type, "log");
    assert_false(pep_next_obligation(&d, &it, &type, &json));
    assert_string_equal(first, "{\"type\":\"mask\",\"fields\":[\"iban\"]}");
    it = 0;
    assert_true(pep_next_obligation(&d, &it, NULL, NULL));
    pep_decision_clear(&d);
    it = 0;
    assert_false(pep_next_obligation(&d, &it, &type, &json));
    assert_false(pep_next_obligation(NULL, &it, &type, &json));
}

static void an_empty_list_has_no_steps(void **unused)
{
    (void)unused;
    pep_decision d = PEP_DECISION_INIT;
    struct pep_verdict v = verdict("[]", NULL);
    assert_true(pep_decision_fill(&d, &v));
    size_t it = 0;
    const char *type, *json;
    assert_false(pep_next_obligation(&d, &it, &type, &json));
    pep_decision_clear(&d);
}

static void an_uninitialised_decision_is_left_alone(void **unused)
{
    (void)unused;
    pep_decision d;
    memset(&d, 0, sizeof(d));
    d.owned = &d; /* would be freed */
    pep_decision_clear(&d);
    assert_ptr_equal(d.owned, &d);
    assert_false(pep_check(NULL, "t", "a", "r:1", NULL, &d));
    assert_ptr_equal(d.owned, &d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_filled_and_reused),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(obligations_are_stepped_through),
        cmocka_unit_test(an_empty_list_has_no_steps),
        cmocka_unit_test(an_uninitialised_decision_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
