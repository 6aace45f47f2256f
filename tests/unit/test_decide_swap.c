/* Threads decide while policies are replaced under them: each decision is whole, by one version. */
#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS  4
#define VERSIONS 40
#define TOKENS   60

static struct scene world;
static pep *handle;
static char *tokens[TOKENS];
static atomic_bool stop;
static atomic_uint wrong;
static atomic_ulong made;

/* The rule's name and reason carry the version; even ones deny. */
static void put_version(unsigned n)
{
    char source[512];
    snprintf(source, sizeof(source),
             "%s 'rule.%u' { action = 'read', resource = 'doc', reason = 'by %u',\n"
             "  when = function(sub, res, ctx) return sub.id ~= nil end }\n",
             n % 2 == 1 ? "allow" : "deny", n, n);
    scene_put_version(&world, n, source);
}

static bool whole(const pep_decision *d)
{
    char rule[32], reason[32];
    snprintf(rule, sizeof(rule), "rule.%llu", (unsigned long long)d->version);
    snprintf(reason, sizeof(reason), "by %llu", (unsigned long long)d->version);
    if (d->code == PEP_CODE_BUSY) /* a deny as well, and by the book */
        return !d->allowed;
    return strcmp(d->rule, rule) == 0 && strcmp(d->reason, reason) == 0 &&
           d->allowed == (d->version % 2 == 1);
}

static void *decide(void *unused)
{
    (void)unused;
    uint64_t last = 0;
    pep_decision d = PEP_DECISION_INIT;
    for (unsigned i = 0; !atomic_load_explicit(&stop, memory_order_relaxed); i++) {
        bool allowed = pep_check(handle, tokens[i % TOKENS], "read", "doc:1", NULL, &d);
        if (!whole(&d) || allowed != d.allowed || d.version < last)
            atomic_fetch_add(&wrong, 1);
        last = d.version;
        atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    }
    pep_decision_clear(&d);
    return NULL;
}

static void *watch(void *unused)
{
    (void)unused;
    char text[8192];
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        pep_status s = PEP_STATUS_INIT;
        pep_get_status(handle, &s);
        if (s.version == 0 || s.state != PEP_FRESH || strcmp(s.bundle, "acme") != 0)
            atomic_fetch_add(&wrong, 1);
        pep_metrics(handle, text, sizeof(text));
    }
    return NULL;
}

static void every_decision_is_by_one_version(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS], watcher;
    world = scene_new();
    for (int i = 0; i < TOKENS; i++) {
        char claims[64];
        snprintf(claims, sizeof(claims), "{\"sub\":\"user-%d\"}", i);
        tokens[i] = scene_token(&world, claims);
    }
    put_version(1);
    pep_options o = scene_options(&world);
    o.token_cache = 16; /* so that entries are pushed out and freed all the time */
    assert_int_equal(pep_open(&o, &handle), PEP_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decide, NULL), 0);
    assert_int_equal(pthread_create(&watcher, NULL, watch, NULL), 0);
    for (unsigned n = 2; n <= VERSIONS; n++) {
        put_version(n);
        assert_int_equal(pep_refresh(handle, 60000), PEP_OK);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(watcher, NULL);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(atomic_load(&made) > VERSIONS);
    pep_close(handle);
    for (int i = 0; i < TOKENS; i++)
        free(tokens[i]);
    scene_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_decision_is_by_one_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
