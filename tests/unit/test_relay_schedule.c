/* When a key set is fetched again: headers that say so, intervals, and pauses after failures. */
#include "pdp/relay_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void max_age_is_read_strictly(void **state)
{
    static const struct {
        const char *value;
        int64_t seconds;
    } cases[] = {
        {"max-age=60", 60},
        {"public, max-age=60", 60},
        {"public,max-age=60,must-revalidate", 60},
        {"Max-Age=60", 60},
        {"max-age=0", 0},
        {"s-maxage=60", -1},
        {"x-max-age=60", -1},
        {"max-age", -1},
        {"max-age=", -1},
        {"max-age=-1", -1},
        {"max-age=6x", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(relay_max_age(pep_span_string(cases[i].value)), cases[i].seconds);
    assert_true(relay_max_age(pep_span_string("max-age=99999999999999999999")) != 0);
}

static void intervals_are_bounded(void **state)
{
    (void)state;
    const int64_t pause = 30000;
    assert_int_equal(relay_interval(86400, -1, pause), RELAY_INTERVAL_MAX);
    assert_int_equal(relay_interval(400, -1, pause), 100000);
    assert_int_equal(relay_interval(1, -1, pause), RELAY_INTERVAL_MIN);
    assert_int_equal(relay_interval(86400, 60, pause), 60000);
    assert_int_equal(relay_interval(86400, 1, pause), pause);
    assert_int_equal(relay_interval(86400, 3600, pause), RELAY_INTERVAL_MAX);
    assert_int_equal(relay_interval(INT64_MAX, INT64_MAX, pause), RELAY_INTERVAL_MAX);
}

static void failures_wait_longer_and_never_too_long(void **state)
{
    (void)state;
    const int64_t interval = 300000;
    int64_t before = 0;
    for (unsigned failures = 1; failures < 40; failures++) {
        int64_t longest = relay_retry(failures, interval, 0);
        int64_t shortest = relay_retry(failures, interval, UINT32_MAX);
        assert_true(longest >= before && longest <= interval);
        assert_true(shortest >= longest / 2 && shortest <= longest);
        before = longest;
    }
    assert_int_equal(before, interval);
    assert_true(relay_retry(UINT32_MAX, interval, 7) <= interval);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_age_is_read_strictly),
        cmocka_unit_test(intervals_are_bounded),
        cmocka_unit_test(failures_wait_longer_and_never_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
