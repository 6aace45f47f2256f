/*
 * Two threads decide while lists, keys and policies are replaced under them. Once pep_handle_feed()
 * has returned, no decision that begins allows what it revoked, by either thread, known or not; and
 * what nobody revoked is allowed throughout.
 */
#include "fed_scene.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 2
#define TOKENS  24
#define ROUNDS  4 /* of keys, for each token */

static char *tokens[TOKENS], *spared, *relayed;
static atomic_uint revoked; /* tokens below this one are */
static atomic_uint phase;   /* 4n: the key is there; 4n + 2: withdrawn; odd: changing */
static atomic_bool stop;
static atomic_uint wrong;
static atomic_ulong made;

static void hold(bool fine)
{
    if (!fine)
        atomic_fetch_add(&wrong, 1);
}

static void ask_about_list(unsigned i)
{
    bool gone = i < atomic_load(&revoked);
    bool allowed = pep_allow(w.p, tokens[i], "read", "doc:1");
    hold(!gone || !allowed);
    hold(pep_allow(w.p, spared, "read", "doc:1"));
}

static void ask_about_keys(void)
{
    unsigned before = atomic_load(&phase);
    bool allowed = pep_allow(w.p, relayed, "read", "doc:1");
    if (before % 2 == 0 && before == atomic_load(&phase))
        hold(allowed == (before % 4 == 0));
}

static void *decide(void *first)
{
    unsigned i = *(unsigned *)first;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        ask_about_list(i++ % TOKENS);
        ask_about_keys();
        atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    }
    return NULL;
}

static void wait_for_decisions(void)
{
    unsigned long until = atomic_load(&made) + 2 * THREADS;
    while (atomic_load(&made) < until)
        sched_yield();
}

static void change_keys(void)
{
    atomic_fetch_add(&phase, 1);
    take_keys(atomic_load(&phase) % 4 == 1 ? 2 : 1, 0);
    hand_over();
    atomic_fetch_add(&phase, 1);
    wait_for_decisions();
}

static void revoke_next(unsigned i)
{
    char jti[16];
    snprintf(jti, sizeof(jti), "j%u", i);
    revoke_one(PEP_REVOKE_JTI, jti, 0);
    hand_over();
    atomic_store(&revoked, i + 1);
    wait_for_decisions();
}

static void nothing_revoked_passes(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned first[THREADS];
    spared = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"spared\"}");
    relayed = relayed_token(w.key[0], "a");
    for (unsigned i = 0; i < TOKENS; i++) {
        char claims[64];
        snprintf(claims, sizeof(claims), "{\"sub\":\"a\",\"jti\":\"j%u\"}", i);
        tokens[i] = scene_token(&w.scene, claims);
    }
    take_keys(1, 0);
    hand_over();
    for (unsigned i = 0; i < THREADS; i++) {
        first[i] = i * TOKENS / THREADS;
        assert_int_equal(pthread_create(&threads[i], NULL, decide, &first[i]), 0);
    }
    for (unsigned i = 0; i < TOKENS; i++) {
        revoke_next(i);
        for (unsigned n = 0; n < ROUNDS; n++)
            change_keys();
        if (i % 6 == 5)
            activate_version(2 + i);
        pep_handle_tick(w.p); /* frees what the token cache gave up */
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
    for (unsigned i = 0; i < TOKENS; i++) {
        expect_token_reason(tokens[i], PEP_JWT_REVOKED);
        free(tokens[i]);
    }
    free(spared);
    free(relayed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_revoked_passes, fed_set_up, fed_tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
