/*
 * The client's state machine on bad days, told as stories (see sync_world.h): no answer, lost
 * connections, files that never come, forged and foreign answers, clocks that jump, restarts, and
 * garbage. Each ends in a client that decides by what it has and asks again in bounded time.
 */
#include "sync_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void no_answer_backs_off_and_tries_another_endpoint(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {4999, TICK, 0, 0, "", ASKING},
        {5000, TICK, 0, 0, "DONE-4", WAITING},
        {5001, TICK, 0, 0, "", WAITING},
        {5500, TICK, 0, 0, "FETCH", ASKING},
        {10500, TICK, 0, 0, "DONE-4", WAITING},
        {11500, TICK, 0, 0, "ROTATE FETCH", ASKING},
        {16500, TICK, 0, 0, "DONE-4", WAITING},
        {16510, UP, 0, 0, "FETCH", ASKING}, /* it is there again: don't wait */
        {16520, VERSION, 5, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void back_off_is_bounded(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 0);
    int64_t at = 0, longest = 0;
    for (int i = 0; i < 20; i++) {
        struct step ask[] = {{at, TICK, 0, 0, "", ASKING}};
        world_play_step(&w, &ask[0]);
        world_drain(&w);
        assert_int_equal(pep_sync_phase(w.sync), ASKING);
        at += 5000;
        struct step over[] = {{at, TICK, 0, 0, "", WAITING}};
        world_play_step(&w, &over[0]);
        world_drain(&w);
        assert_int_equal(pep_sync_phase(w.sync), WAITING);
        int64_t pause = pep_sync_deadline(w.sync) - w.now.boot_ms;
        assert_in_range(pause, 250, 30000);
        longest = pause > longest ? pause : longest;
        at += pause;
    }
    assert_true(longest >= 15000);
    world_close(&w);
}

static void a_lost_connection_ends_the_question(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, DOWN, 0, 0, "", IDLE},
        {2500, UP, 0, 0, "FETCH", ASKING},
        {2505, UP, 0, 0, "FETCH", ASKING}, /* it waited for this: a new one, with a new time */
        {2510, DOWN, 0, 0, "DONE-3", WAITING},
        {2520, UP, 0, 0, "FETCH", ASKING},
        {2530, VERSION, 6, PLAIN, "WANT", FILLING},
        {2540, DOWN, 0, 0, "DONE-3", WAITING},
        {2550, UP, 0, 0, "FETCH", ASKING},
        {2560, VERSION, 6, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void files_that_never_come_or_are_wrong_end_the_question(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},           {10, VERSION, 5, PLAIN, "WANT", FILLING},
        {10009, TICK, 0, 0, "", FILLING},           {10010, TICK, 0, 0, "DONE-4", WAITING},
        {11000, TICK, 0, 0, "FETCH", ASKING},       {11010, VERSION, 5, PLAIN, "WANT", FILLING},
        {11020, BAD_FILE, 0, 0, "DONE-5", WAITING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_runs(&w), 0);
    world_close(&w);
}

static void answers_count_only_with_the_nonce_and_a_beacon_key(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {10, VERSION, 5, INLINE | WRONG_NONCE, "", ASKING},
        {20, VERSION, 5, INLINE | WRONG_KEY, "DONE-6", WAITING},
        {600, TICK, 0, 0, "FETCH", ASKING},
        {610, VERSION, 5, INLINE, "ACTIVATE", ACTIVATING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void same_must_be_what_runs(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, SAME, 6, 0, "DONE-5", WAITING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_age(&w), 1010 - 300);
    world_close(&w);
}

static void nothing_published_keeps_what_runs(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, NONE, 0, 0, "STATE DONE-10", IDLE},
        {2000, NOTICE, 6, 0, "FETCH", ASKING},
        {2010, NONE, 0, 0, "DONE-10", IDLE},
        {3000, NOTICE, 6, 0, "", IDLE}, /* not for me: don't ask each second */
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_runs(&w), 5);
    assert_true(pep_sync_none(w.sync));
    world_close(&w);
}

static void the_servers_refusal_backs_off(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {10, DENIED, 0, 0, "DONE-11", WAITING},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    world_close(&w);
}

static void a_new_root_is_followed_first(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, SAME, 0, NEXT_ROOT, "SAVE PROOF DONE", IDLE}, /* signed by the new beacon key */
        {2000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(pep_root_version(pep_sync_root(w.sync)), 2);
    assert_int_equal(pep_sync_root_count(w.sync), 1);
    world_close(&w);
}

static void a_wall_clock_that_was_set_costs_one_question(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {
        JOIN,
        {1000, NOTICE, 0, 0, "PROOF", IDLE},
        {1500, CLOCK, 86400000, 0, "FETCH", ASKING},
        {1600, NOTICE, 0, 0, "", ASKING}, /* no proof until the clocks are tied again */
        {1700, SAME, 0, 0, "PROOF SAVE DONE", IDLE},
        {2000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    assert_int_equal(world_age(&w), 200); /* the answer's way */
    world_close(&w);
}

static void a_restart_goes_on_from_memory(void **state)
{
    (void)state;
    struct world w;
    struct pep_memory memory = {
        .proof = {START_MS - 50000, BOOT_MS - 50000}, .root = 1, .seq = 90, .issued_at = 1};
    memory.floor.epoch = 1;
    memory.floor.version = 5;
    struct fixture f = fixture_new();
    struct pep_bundle *b = fixture_bundle(&f, 5, fixture_small_bundle, fixture_small_bundle_count);
    memory.floor = world_head(pep_bundle_manifest(b));
    pep_bundle_free(b);
    fixture_free(&f);
    world_open(&w, &memory, 5);
    assert_int_equal(world_age(&w), 50000);
    static const struct step story[] = {
        {0, TICK, 0, 0, "FETCH", ASKING},
        {5, NOTICE, 0, 0, "", ASKING}, /* not tied to our clock yet */
        {10, SAME, 0, 0, "PROOF SAVE DONE", IDLE},
    };
    PLAY(&w, story);
    assert_int_equal(world_age(&w), 10);
    static const struct step old[] = {
        {1000, REFRESH, 0, 0, "FETCH", ASKING},
        {1010, VERSION, 4, INLINE, "DONE-8", IDLE},
    };
    PLAY(&w, old);
    world_close(&w);
}

static void a_server_that_lost_its_past_is_followed_by_its_answer(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {JOIN, {1000, NOTICE, 0, 0, "PROOF", IDLE}};
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    w.seq = 0;
    static const struct step after[] = {
        {2000, NOTICE, 0, 0, "", IDLE},
        {6100, TICK, 0, 0, "FETCH", ASKING}, /* five seconds without a beacon that counts */
        {6110, SAME, 0, 0, "PROOF DONE", IDLE},
        {7000, NOTICE, 0, 0, "PROOF", IDLE},
    };
    PLAY(&w, after);
    world_close(&w);
}

static void polls_are_spread_by_a_quarter(void **state)
{
    (void)state;
    struct world w;
    static const struct step story[] = {JOIN};
    int64_t low = INT64_MAX, high = 0;
    world_open(&w, NULL, 0);
    PLAY(&w, story);
    int64_t at = 400;
    for (int i = 0; i < 50; i++) {
        struct step ask = {at, REFRESH, 0, 0, "", ASKING}, same = {at + 5, SAME, 0, 0, "", IDLE};
        world_play_step(&w, &ask);
        world_drain(&w);
        world_play_step(&w, &same);
        world_drain(&w);
        struct step beacon = {at + 10, NOTICE, 0, 0, "", IDLE};
        int64_t due = INT64_MAX;
        for (int64_t t = at + 10; due == INT64_MAX; t += 1000) { /* beacons keep silence away */
            beacon.at = t;
            world_play_step(&w, &beacon);
            world_drain(&w);
            if (pep_sync_phase(w.sync) == ASKING)
                due = t - at;
        }
        low = due < low ? due : low;
        high = due > high ? due : high;
        struct step answer_it = {at + due + 1, SAME, 0, 0, "", IDLE};
        world_play_step(&w, &answer_it);
        world_drain(&w);
        at += due + 2;
    }
    assert_in_range(low, POLL_MS - POLL_MS / 4, POLL_MS);
    assert_in_range(high, POLL_MS, POLL_MS + POLL_MS / 4 + 1010);
    world_close(&w);
}

static void garbage_is_nobodys(void **state)
{
    (void)state;
    struct world w;
    static const uint8_t junk[][8] = {"", "PD\1\3", "PD\1\5abc", "PD\1\6abc", "xxxxxxx", "PD\1\11"};
    world_open(&w, NULL, 0);
    static const struct step story[] = {{0, TICK, 0, 0, "FETCH", ASKING}};
    PLAY(&w, story);
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        for (size_t n = 0; n <= 8; n++) {
            struct pep_span frames[2] = {pep_span_of(junk[i], n), pep_span_of(junk[i], n)};
            world_step(&w, PEP_EVENT_MESSAGE, frames, 1);
            world_step(&w, PEP_EVENT_MESSAGE, frames, 2);
            world_step(&w, PEP_EVENT_MESSAGE, frames, 0);
            world_step(&w, PEP_EVENT_NOTICE, frames, 2);
            world_drain(&w);
        }
    }
    assert_int_equal(world_runs(&w), 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_answer_backs_off_and_tries_another_endpoint),
        cmocka_unit_test(back_off_is_bounded),
        cmocka_unit_test(a_lost_connection_ends_the_question),
        cmocka_unit_test(files_that_never_come_or_are_wrong_end_the_question),
        cmocka_unit_test(answers_count_only_with_the_nonce_and_a_beacon_key),
        cmocka_unit_test(same_must_be_what_runs),
        cmocka_unit_test(nothing_published_keeps_what_runs),
        cmocka_unit_test(the_servers_refusal_backs_off),
        cmocka_unit_test(a_new_root_is_followed_first),
        cmocka_unit_test(a_wall_clock_that_was_set_costs_one_question),
        cmocka_unit_test(a_restart_goes_on_from_memory),
        cmocka_unit_test(a_server_that_lost_its_past_is_followed_by_its_answer),
        cmocka_unit_test(polls_are_spread_by_a_quarter),
        cmocka_unit_test(garbage_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
