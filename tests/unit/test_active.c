/* Age and state: by the later of proof and start, the larger clock, the tighter limit. */
#include "pep/active.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define START INT64_C(1700000000000)

static struct pep_active sample(void)
{
    struct pep_active a;
    memset(&a, 0, sizeof(a));
    a.expires_ms = START + 3600 * 1000;
    a.max_stale_ms = 600 * 1000;
    a.stale_after_ms = 60 * 1000;
    return a;
}

static pep_state state_at(const struct pep_active *a, int64_t wall_ms, int64_t boot_ms)
{
    struct pep_moment now = {START + wall_ms, 1000 + boot_ms};
    return pep_active_state(a, pep_active_age_ms(a, &now), &now);
}

static void states_follow_the_age(void **unused)
{
    (void)unused;
    struct pep_active a = sample();
    struct pep_moment proof = {START, 1000};
    assert_int_equal(state_at(&a, 0, 0), PEP_EXPIRED); /* never proved */
    pep_active_prove(&a, &proof, false);
    assert_int_equal(state_at(&a, 0, 0), PEP_SYNCING);
    assert_int_equal(state_at(&a, 60000, 60000), PEP_SYNCING);
    assert_int_equal(state_at(&a, 60001, 60001), PEP_STALE);
    pep_active_prove(&a, &proof, true);
    assert_int_equal(state_at(&a, 60000, 60000), PEP_FRESH);
    assert_int_equal(state_at(&a, 60001, 60001), PEP_STALE);
    assert_int_equal(state_at(&a, 600000, 600000), PEP_STALE);
    assert_int_equal(state_at(&a, 600001, 600001), PEP_EXPIRED);
}

static void neither_clock_makes_it_young(void **unused)
{
    (void)unused;
    struct pep_active a = sample();
    struct pep_moment proof = {START, 1000};
    pep_active_prove(&a, &proof, true);
    assert_int_equal(state_at(&a, -86400000, 600001), PEP_EXPIRED);
    assert_int_equal(state_at(&a, 600001, -1000), PEP_EXPIRED);
}

static void a_proof_is_never_moved_back(void **unused)
{
    (void)unused;
    struct pep_active a = sample();
    struct pep_moment late = {START + 50000, 51000}, early = {START, 1000};
    pep_active_prove(&a, &late, true);
    pep_active_prove(&a, &early, true);
    assert_int_equal(state_at(&a, 100000, 100000), PEP_FRESH);
    /* Confirmed once is confirmed. */
    pep_active_prove(&a, &late, false);
    assert_int_equal(state_at(&a, 100000, 100000), PEP_FRESH);
}

static void the_bundles_end_is_the_end(void **unused)
{
    (void)unused;
    struct pep_active a = sample();
    struct pep_moment proof = {START + 3599000, 3600000};
    pep_active_prove(&a, &proof, true);
    assert_int_equal(state_at(&a, 3599999, 3599999), PEP_FRESH);
    assert_int_equal(state_at(&a, 3600000, 3600000), PEP_EXPIRED);
    assert_int_equal(pep_active_state_since_ms(&a, PEP_EXPIRED), a.expires_ms);
}

static void a_file_has_no_age(void **unused)
{
    (void)unused;
    struct pep_active a = sample();
    a.ageless = true;
    assert_int_equal(state_at(&a, 3599999, 3599999), PEP_FRESH);
    assert_int_equal(state_at(&a, 3600000, 3600000), PEP_EXPIRED);
    struct pep_moment now = {START, 1000};
    assert_int_equal(pep_active_age_ms(&a, &now), 0);
}

static void a_state_knows_since_when(void **unused)
{
    (void)unused;
    struct pep_active a = sample();
    struct pep_moment proof = {START, 1000};
    pep_active_prove(&a, &proof, true);
    assert_int_equal(pep_active_state_since_ms(&a, PEP_STALE), START + 60000);
    assert_int_equal(pep_active_state_since_ms(&a, PEP_EXPIRED), START + 600000);
    assert_int_equal(pep_active_state_since_ms(&a, PEP_FRESH), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_the_age),
        cmocka_unit_test(neither_clock_makes_it_young),
        cmocka_unit_test(a_proof_is_never_moved_back),
        cmocka_unit_test(the_bundles_end_is_the_end),
        cmocka_unit_test(a_file_has_no_age),
        cmocka_unit_test(a_state_knows_since_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
