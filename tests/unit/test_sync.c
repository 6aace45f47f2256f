/*
 * The client's state machine, told as stories (see sync_world.h): how it joins, which versions it
 * takes and which it refuses, and what revocation, suspension and resumption do.
 */
#include "sync_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void join(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},         {5, TICK, 0, 0, "", ASKING},
        {10, VERSION, 5, PLAIN, "WANT", FILLING}, {20, FILES, 0, 0, "ACTIVATE", ACTIVATING},
        {21, TICK, 0, 0, "", ACTIVATING},         {40, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {300, TICK, 0, 0, "FETCH", ASKING}, /* the report */
        {310, SAME, 0, 0, "PROOF DONE", IDLE},    {1000, NOTICE, 0, 0, "PROOF", IDLE},
        {2000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_runs(&w), 5);
    assert_int_equal(world_age(&w), 10); /* the answer's way counts against us */
    assert_int_equal(pep_sync_memory(w.sync)->floor.version, 5);
    assert_int_equal(pep_sync_fetch(w.sync)->have.version, 5);
    world_close(&w);
}

static void a_small_change_fetches_only_what_changed(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1005, VERSION, 6, PLAIN, "WANT", FILLING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_want(w.sync)->count, 1);
    static const struct step rest[] = {
        {1010, FILES, 0, 0, "ACTIVATE", ACTIVATING},
        {1020, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
    };
    PLAY(&w, rest);
    assert_int_equal(world_runs(&w), 6);
    world_close(&w);
}

static void a_lost_notice_is_repaired_by_the_next_beacon_or_by_silence(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 0, 0, "PROOF", IDLE},
        /* the notice of version 6 is lost; the beacon a second later names it */
        {3000, NOTICE, 6, 0, "FETCH", ASKING},
        {3005, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {3010, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {3500, TICK, 0, 0, "FETCH", ASKING},
        {3505, SAME, 0, 0, "PROOF DONE", IDLE},
        /* and then no beacon any more: ask after five seconds */
        {8000, TICK, 0, 0, "", IDLE},
        {8505, TICK, 0, 0, "FETCH", ASKING},
        {8510, SAME, 0, 0, "PROOF DONE", IDLE},
        {13510, TICK, 0, 0, "FETCH", ASKING},
        {13515, SAME, 0, 0, "PROOF DONE", IDLE},
        {18515, TICK, 0, 0, "FETCH", ASKING},
        {18520, SAME, 0, 0, "PROOF DONE RESUBSCRIBE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void replayed_forged_and_foreign_notices_prove_nothing(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 0, 0, "PROOF", IDLE},
        {2000, REPLAY, 0, 0, "", IDLE},
        {2100, OLD_NOTICE, 0, 0, "", IDLE},
        {2200, NOTICE, 0, WRONG_KEY, "", IDLE},
        {2300, NOTICE, 7, WRONG_KEY, "", IDLE},
        {2400, NOTICE, 7, CANARY, "", IDLE}, /* another channel's head is not mine */
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_age(&w), 1410);
    world_close(&w);
}

static void a_notice_that_was_held_back_counts_for_when_it_was_made(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {4000, NOTICE, 0, LATE_NOTICE, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_age(&w), 3010);
    world_close(&w);
}

static void an_older_version_is_refused_and_reported(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 4, 0, "FETCH", ASKING},
        {1005, VERSION, 4, INLINE, "DONE-8", IDLE},
        {1300, TICK, 0, 0, "FETCH", ASKING}, /* the report */
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_runs(&w), 5);
    assert_int_equal(pep_sync_fetch(w.sync)->rejected.version, 4);
    assert_int_equal(pep_sync_fetch(w.sync)->error, PEP_EROLLBACK);
    assert_true(pep_sync_fetch(w.sync)->reason[0] != '\0');
    world_close(&w);
}

/* Each kind of bad version: kept out, the last good one stays, with this error. */
static void bad_versions_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        unsigned twist;
        const char *done;
    } bad[] = {
        {5, OTHER_CONTENT, "DONE-8"},   {6, PAST, "DONE-7"},
        {6, OTHER_NAME, "DONE-5"},      {6, OTHER_EPOCH, "DONE-6"},
        {6, FORGED_MANIFEST, "DONE-6"}, {6, SERVER_FLOOR, "DONE-8"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct world w;
        static const struct step before[] = {JOIN, {1000, REFRESH, 0, 0, "FETCH", ASKING}};
        const struct step now[] = {
            {1010, VERSION, bad[i].v, bad[i].twist | INLINE, bad[i].done, IDLE}};
        world_open(&w, NULL, 0);
        PLAY(&w, before);
        PLAY(&w, now);
        assert_int_equal(world_runs(&w), 5);
        world_close(&w);
    }
}

static void the_neighbour_of_the_bad_ones_is_taken(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void a_canary_raises_no_floor_and_can_be_called_off(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, VERSION, 6, PROVISIONAL | INLINE, "ACTIVATE", ACTIVATING},
        {1020, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {1500, TICK, 0, 0, "FETCH", ASKING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_runs(&w), 6);
    assert_int_equal(pep_sync_memory(w.sync)->floor.version, 5);
    assert_non_null(pep_sync_fallback(w.sync));
    static const struct step called_off[] = {
        /* back to 5, of which no file has to travel again */
        {1510, VERSION, 5, PLAIN, "ACTIVATE", ACTIVATING},
        {1520, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
    };
    PLAY(&w, called_off);
    assert_int_equal(world_runs(&w), 5);
    assert_null(pep_sync_fallback(w.sync));
    world_close(&w);
}

static void a_rejected_version_is_not_fetched_again_but_the_next_is(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {1020, REJECTED, 0, 0, "DONE-12", IDLE},
        {1030, NOTICE, 6, 0, "", IDLE}, /* nor a proof */
        {1300, TICK, 0, 0, "FETCH", ASKING},
        {1310, VERSION, 6, INLINE, "DONE-12", IDLE},
        {2000, NOTICE, 6, 0, "", IDLE},
        {3000, NOTICE, 6, 0, "", IDLE},
        {4000, NOTICE, 7, 0, "FETCH", ASKING},
        {4010, VERSION, 7, INLINE, "ACTIVATE", ACTIVATING},
        {4020, ACTIVATED, 0, 0, "PROOF STORE DONE", IDLE},
        {4500, TICK, 0, 0, "FETCH", ASKING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_runs(&w), 7);
    assert_int_equal(pep_sync_fetch(w.sync)->rejected.version, 0);
    assert_int_equal(pep_sync_fetch(w.sync)->error, PEP_OK);
    world_close(&w);
}

static void who_rejected_its_version_ages(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {1020, REJECTED, 0, 0, "DONE-12", IDLE},
        {1300, TICK, 0, 0, "FETCH", ASKING},
        {1310, VERSION, 6, INLINE, "DONE-12", IDLE},
        {9000, NOTICE, 6, 0, "", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_age(&w), 9000 - 300);
    world_close(&w);
}

static void a_rejected_version_is_tried_again_after_a_long_while(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 6, 0, "FETCH", ASKING},
        {1010, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
        {1020, REJECTED, 0, 0, "DONE-12", IDLE},
        {301100, REFRESH, 0, 0, "FETCH", ASKING},
        {301110, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void revoke_suspend_resume(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, STATE_SUSPENDED, 0, WRONG_KEY, "", IDLE},
        {1000, STATE_SUSPENDED, 0, ABOUT_OTHER, "", IDLE},
        {1000, STATE_SUSPENDED, 0, PLAIN, "STATE SAVE HANGUP DONE-11", WAITING},
        {7000, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {7001, STATE_RESUMED, 0, OLD_SEQ, "", ASKING},
        {7002, STATE_RESUMED, 0, PLAIN, "STATE SAVE", ASKING},
        {7003, SAME, 0, 0, "PROOF DONE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_memory(w.sync)->statement, PEP_STATEMENT_RESUMED);
    static const struct step revoked[] = {
        {8000, STATE_REVOKED, 0, PLAIN, "STATE SAVE HANGUP DONE-11", WAITING},
        {9000, STATE_RESUMED, 0, PLAIN, "STATE SAVE HANGUP", WAITING},
    };
    PLAY(&w, revoked);
    assert_int_equal(pep_sync_memory(w.sync)->statement, PEP_STATEMENT_REVOKED);
    world_close(&w);
}

static void an_answer_after_a_suspension_lifts_it(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, STATE_SUSPENDED, 0, PLAIN, "STATE SAVE HANGUP DONE-11", WAITING},
        {7000, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {7003, SAME, 0, 0, "STATE PROOF DONE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_memory(w.sync)->statement, PEP_STATEMENT_RESUMED);
    world_close(&w);
}

static void a_refused_handshake_is_no_revocation(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFUSED_LINK, 0, 0, "DONE-11", WAITING},
        {1000, REFUSED_LINK, 0, 0, "", WAITING}, /* the other socket */
        {1600, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {1610, SAME, 0, 0, "PROOF DONE", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_sync_memory(w.sync)->statement, 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join),
        cmocka_unit_test(a_small_change_fetches_only_what_changed),
        cmocka_unit_test(a_lost_notice_is_repaired_by_the_next_beacon_or_by_silence),
        cmocka_unit_test(replayed_forged_and_foreign_notices_prove_nothing),
        cmocka_unit_test(a_notice_that_was_held_back_counts_for_when_it_was_made),
        cmocka_unit_test(an_older_version_is_refused_and_reported),
        cmocka_unit_test(bad_versions_are_refused),
        cmocka_unit_test(the_neighbour_of_the_bad_ones_is_taken),
        cmocka_unit_test(a_canary_raises_no_floor_and_can_be_called_off),
        cmocka_unit_test(a_rejected_version_is_not_fetched_again_but_the_next_is),
        cmocka_unit_test(who_rejected_its_version_ages),
        cmocka_unit_test(a_rejected_version_is_tried_again_after_a_long_while),
        cmocka_unit_test(revoke_suspend_resume),
        cmocka_unit_test(an_answer_after_a_suspension_lifts_it),
        cmocka_unit_test(a_refused_handshake_is_no_revocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
