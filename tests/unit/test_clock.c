/* Elapsed time is the larger of wall and boot time, whatever either clock does. */
#include "pep/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void both_clocks_agree(void **unused)
{
    (void)unused;
    struct pep_moment a = {1000000, 500}, b = {1002500, 3000};
    assert_int_equal(pep_moment_elapsed(&a, &b), 2500);
    assert_int_equal(pep_moment_elapsed(&a, &a), 0);
}

static void setting_the_wall_clock_back_does_not_make_it_young(void **unused)
{
    (void)unused;
    struct pep_moment a = {1000000, 500}, b = {400000, 90500};
    assert_int_equal(pep_moment_elapsed(&a, &b), 90000);
}

static void a_reboot_does_not_make_it_young(void **unused)
{
    (void)unused;
    struct pep_moment a = {1000000, 900000}, b = {1060000, 10};
    assert_int_equal(pep_moment_elapsed(&a, &b), 60000);
}

static void never_negative_and_never_is_for_ever(void **unused)
{
    (void)unused;
    struct pep_moment a = {1000000, 900000}, b = {999000, 899000}, never = {0, 0};
    assert_int_equal(pep_moment_elapsed(&a, &b), 0);
    assert_true(pep_moment_elapsed(&never, &a) == INT64_MAX);
}

static void now_is_now(void **unused)
{
    (void)unused;
    struct pep_moment a = pep_moment_now(), b = pep_moment_now();
    assert_true(a.wall_ms > INT64_C(1600000000000));
    assert_true(a.boot_ms > 0 && b.boot_ms >= a.boot_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_clocks_agree),
        cmocka_unit_test(setting_the_wall_clock_back_does_not_make_it_young),
        cmocka_unit_test(a_reboot_does_not_make_it_young),
        cmocka_unit_test(never_negative_and_never_is_for_ever),
        cmocka_unit_test(now_is_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
