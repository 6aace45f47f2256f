/* Used proofs: each counts once until it ends, none that is alive is forgotten, and of several
 * threads with the same one at most one wins. */
#include "pep/replay.h"

#include "pep/core/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define NOW INT64_C(1700000000)

static const uint8_t *id_of(uint32_t i, uint8_t out[PEP_SHA256_SIZE])
{
    assert_int_equal(pep_sha256(pep_span_of(&i, sizeof(i)), out), PEP_OK);
    return out;
}

static enum pep_replay_answer note(struct pep_replay *r, uint32_t i, int64_t ends, int64_t now)
{
    uint8_t id[PEP_SHA256_SIZE];
    return pep_replay_note(r, id_of(i, id), ends, now);
}

static void each_counts_once_until_it_ends(void **unused)
{
    (void)unused;
    struct pep_replay *r = pep_replay_new(PEP_REPLAY_MIN);
    assert_int_equal(note(r, 1, NOW + 61, NOW), PEP_REPLAY_NEW);
    assert_int_equal(note(r, 1, NOW + 61, NOW), PEP_REPLAY_SEEN);
    assert_int_equal(note(r, 2, NOW + 61, NOW), PEP_REPLAY_NEW);
    assert_int_equal(note(r, 1, NOW + 90, NOW + 60), PEP_REPLAY_SEEN);
    assert_int_equal(note(r, 1, NOW + 122, NOW + 61), PEP_REPLAY_NEW);
    assert_int_equal(note(r, 1, NOW + 122, NOW + 61), PEP_REPLAY_SEEN);
    pep_replay_free(r);
}

/* Beyond the room for them all: some are refused, and none that was taken is forgotten. */
static void nothing_alive_is_pushed_out(void **unused)
{
    (void)unused;
    struct pep_replay *r = pep_replay_new(PEP_REPLAY_MIN);
    static bool taken[2 * PEP_REPLAY_MIN];
    size_t count = 0;
    for (uint32_t i = 0; i < 2 * PEP_REPLAY_MIN; i++) {
        enum pep_replay_answer a = note(r, i, NOW + 61, NOW);
        assert_int_not_equal(a, PEP_REPLAY_SEEN);
        taken[i] = a == PEP_REPLAY_NEW;
        count += taken[i];
    }
    assert_true(count <= PEP_REPLAY_MIN && count > PEP_REPLAY_MIN * 8 / 10);
    for (uint32_t i = 0; i < 2 * PEP_REPLAY_MIN; i++)
        assert_int_equal(note(r, i, NOW + 61, NOW), taken[i] ? PEP_REPLAY_SEEN : PEP_REPLAY_FULL);
    /* All have ended: there is room again, without anybody sweeping. */
    count = 0;
    for (uint32_t i = 0; i < PEP_REPLAY_MIN / 2; i++)
        count += note(r, 100000 + i, NOW + 200, NOW + 61) == PEP_REPLAY_NEW;
    assert_int_equal(count, PEP_REPLAY_MIN / 2);
    pep_replay_free(r);
}

#define THREADS 4
#define ROUNDS  2000

static struct pep_replay *shared;
static atomic_uint won[ROUNDS];

static void *try_all(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (note(shared, i, NOW + 61, NOW) == PEP_REPLAY_NEW)
            atomic_fetch_add(&won[i], 1);
    }
    return NULL;
}

static void of_several_at_most_one_wins(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    unsigned wins = 0;
    shared = pep_replay_new(PEP_REPLAY_DEFAULT);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, try_all, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_true(atomic_load(&won[i]) <= 1);
        wins += atomic_load(&won[i]);
    }
    assert_true(wins > ROUNDS / 2); /* none is lost for good reason but a race */
    pep_replay_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_counts_once_until_it_ends),
        cmocka_unit_test(nothing_alive_is_pushed_out),
        cmocka_unit_test(of_several_at_most_one_wins),
    };
    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
