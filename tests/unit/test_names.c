/* Every state, outcome and code has a name of its own; anything else is never mistaken for one. */
#include "pep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void every_value_has_its_own_name(void **unused)
{
    (void)unused;
    for (int a = PEP_EMPTY; a <= PEP_CLOSED; a++) {
        assert_string_not_equal(pep_state_name((pep_state)a), "INVALID");
        for (int b = PEP_EMPTY; b < a; b++)
            assert_string_not_equal(pep_state_name((pep_state)a), pep_state_name((pep_state)b));
    }
    for (int a = PEP_CODE_UNAVAILABLE; a <= PEP_CODE_FAULT; a++) {
        assert_string_not_equal(pep_code_name((pep_code)a), "invalid");
        for (int b = PEP_CODE_UNAVAILABLE; b < a; b++)
            assert_string_not_equal(pep_code_name((pep_code)a), pep_code_name((pep_code)b));
    }
}

static void names_are_the_contract(void **unused)
{
    (void)unused;
    assert_string_equal(pep_state_name(PEP_FRESH), "FRESH");
    assert_string_equal(pep_outcome_name(PEP_DENY), "deny");
    assert_string_equal(pep_outcome_name(PEP_ALLOW), "allow");
    assert_string_equal(pep_outcome_name(PEP_CHALLENGE), "challenge");
    assert_string_equal(pep_code_name(PEP_CODE_NOT_GRANTED), "not_granted");
    assert_string_equal(pep_code_name(PEP_CODE_BAD_TOKEN), "bad_token");
    assert_string_equal(pep_version(), "0.1.0");
}

static void values_from_elsewhere_are_invalid(void **unused)
{
    (void)unused;
    assert_string_equal(pep_state_name((pep_state)7), "INVALID");
    assert_string_equal(pep_state_name((pep_state)-1), "INVALID");
    assert_string_equal(pep_outcome_name((pep_outcome)3), "invalid");
    assert_string_equal(pep_code_name((pep_code)13), "invalid");
    assert_string_equal(pep_code_name((pep_code)-1), "invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_its_own_name),
        cmocka_unit_test(names_are_the_contract),
        cmocka_unit_test(values_from_elsewhere_are_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
