/* The verified-token cache: the whole token is the key, `exp` is the end, memory is bounded, and
 * what is pushed out lives until its readers have left. */
#include "pep/readers.h"
#include "pep/token_cache.h"

#include "pep/core/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NOW     INT64_C(1700000000)
#define EXPIRES (NOW + 600)

static struct pep_issuers *issuers;
static struct pep_buffer signed_token;

/* One real token. Entries get other bytes as their key: the cache does not look into them. */
static int set_up(void **unused)
{
    (void)unused;
    static const char *const audiences[] = {"a", NULL};
    static const char claims[] = "{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"iat\":1700000000,"
                                 "\"exp\":1700000600}";
    json_t *jwk = NULL;
    struct pep_jwk_private *key = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    signed_token = pep_buffer_of(4096);
    int r = pep_jwk_generate(PEP_ALG_EDDSA, "k", &jwk);
    json_t *keys = pep_jwk_public_set(jwk);
    r = r != PEP_OK ? r : pep_jwk_private_read(jwk, &key, &err);
    r = r != PEP_OK ? r : pep_issuers_single("i", audiences, keys, &issuers, &err);
    r = r != PEP_OK ? r : pep_jwt_sign(key, NULL, pep_span_string(claims), &signed_token, &err);
    r = r != PEP_OK ? r : pep_token_hash_start();
    pep_jwk_private_free(key);
    json_decref(jwk);
    json_decref(keys);
    return r;
}

static int tear_down(void **unused)
{
    (void)unused;
    pep_issuers_free(issuers);
    pep_buffer_free(&signed_token);
    return 0;
}

static struct pep_token_entry *entry(const char *token)
{
    struct pep_jwt_expect expect = {.now = NOW};
    enum pep_jwt_reason reason;
    struct pep_jwt *jwt = NULL;
    struct pep_span key = pep_span_string(token);
    if (pep_jwt_verify(issuers, pep_buffer_span(&signed_token), &expect, &jwt, &reason, NULL) !=
        PEP_OK)
        return NULL;
    return pep_token_entry_new(key, pep_token_hash(key), jwt, NULL);
}

static struct pep_token_entry *find(struct pep_token_cache *c, const char *token, int64_t now)
{
    struct pep_span key = pep_span_string(token);
    return pep_token_cache_find(c, key, pep_token_hash(key), now);
}

static bool put(struct pep_token_cache *c, const char *token, int64_t now)
{
    struct pep_token_entry *e = entry(token);
    assert_non_null(e);
    bool taken = pep_token_cache_put(c, e, now);
    if (!taken)
        pep_token_entry_free(e);
    return taken;
}

static void reclaim(struct pep_token_cache *c)
{
    pep_token_retired_free(c, pep_token_cache_take_retired(c));
}

static void only_the_same_bytes_are_found(void **unused)
{
    (void)unused;
    struct pep_token_cache *c = pep_token_cache_new(64);
    assert_non_null(c);
    assert_null(find(c, "token", NOW));
    assert_true(put(c, "token", NOW));
    assert_non_null(find(c, "token", NOW));
    assert_null(find(c, "tokeN", NOW));
    assert_null(find(c, "toke", NOW));
    assert_null(find(c, "tokens", NOW));
    /* A second one of the same token is not taken. */
    assert_false(put(c, "token", NOW));
    assert_int_equal(pep_token_cache_count(c), 1);
    pep_token_cache_free(c);
}

static void equal_hashes_are_told_apart_by_the_bytes(void **unused)
{
    (void)unused;
    struct pep_token_cache *c = pep_token_cache_new(64);
    struct pep_jwt_expect expect = {.now = NOW};
    enum pep_jwt_reason reason;
    struct pep_jwt *jwt = NULL;
    assert_int_equal(
        pep_jwt_verify(issuers, pep_buffer_span(&signed_token), &expect, &jwt, &reason, NULL),
        PEP_OK);
    struct pep_token_entry *e = pep_token_entry_new(pep_span_string("aaaa"), 42, jwt, NULL);
    assert_true(pep_token_cache_put(c, e, NOW));
    assert_ptr_equal(pep_token_cache_find(c, pep_span_string("aaaa"), 42, NOW), e);
    assert_null(pep_token_cache_find(c, pep_span_string("aaab"), 42, NOW));
    pep_token_cache_free(c);
}

static void none_is_found_at_its_exp(void **unused)
{
    (void)unused;
    struct pep_token_cache *c = pep_token_cache_new(64);
    assert_true(put(c, "token", NOW));
    assert_non_null(find(c, "token", EXPIRES - 1));
    assert_null(find(c, "token", EXPIRES));
    assert_null(find(c, "token", EXPIRES + 1));
    assert_false(put(c, "late", EXPIRES));
    pep_token_cache_free(c);
}

static void memory_is_bounded_and_the_used_stay(void **unused)
{
    (void)unused;
    struct pep_token_cache *c = pep_token_cache_new(16);
    char name[16];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        assert_true(put(c, name, NOW + i));
        assert_non_null(find(c, name, NOW + i));
        if (i == 0)
            continue;
        assert_non_null(find(c, "t0", NOW + i)); /* used at each step */
        reclaim(c);
    }
    assert_int_equal(pep_token_cache_count(c), 16);
    assert_null(find(c, "t100", NOW + 400));
    pep_token_cache_free(c);
}

static void what_waits_to_be_freed_is_bounded_too(void **unused)
{
    (void)unused;
    struct pep_token_cache *c = pep_token_cache_new(16);
    char name[16];
    int taken = 0;
    for (int i = 0; i < PEP_TOKEN_RETIRED_MAX + 100; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        taken += put(c, name, NOW);
    }
    assert_int_equal(taken, 16 + PEP_TOKEN_RETIRED_MAX);
    assert_true(pep_token_cache_crowded(c));
    assert_false(put(c, "more", NOW));
    reclaim(c);
    assert_false(pep_token_cache_crowded(c));
    assert_true(put(c, "more", NOW));
    pep_token_cache_free(c);
}

static void the_hash_is_keyed(void **unused)
{
    (void)unused;
    static const char token[] = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";
    struct pep_span key = pep_span_string(token);
    assert_true(pep_token_hash(key) != XXH3_64bits(key.data, key.size));
    assert_true(pep_token_hash(key) == pep_token_hash(key));
}

/* The hash reads the end alone: what differs before it is told apart by the bytes. */
static void tokens_with_one_end_are_told_apart(void **unused)
{
    (void)unused;
    struct pep_token_cache *c = pep_token_cache_new(64);
    char a[401], b[401];
    memset(a, 'x', 400);
    a[400] = '\0';
    memcpy(b, a, sizeof(b));
    b[0] = 'y';
    assert_true(pep_token_hash(pep_span_string(a)) == pep_token_hash(pep_span_string(b)));
    assert_true(put(c, a, NOW));
    assert_null(find(c, b, NOW));
    assert_true(put(c, b, NOW));
    assert_ptr_not_equal(find(c, a, NOW), find(c, b, NOW));
    b[399] = 'y';
    assert_true(pep_token_hash(pep_span_string(a)) != pep_token_hash(pep_span_string(b)));
    assert_true(pep_token_hash(pep_span_string(a)) != pep_token_hash(pep_span_string(a + 1)));
    pep_token_cache_free(c);
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS  3000
#define NAMES   64

static struct {
    struct pep_token_cache *cache;
    struct pep_readers *readers;
    atomic_bool stop;
    atomic_uint wrong, hits;
} shared;

static void *use(void *seed)
{
    unsigned x = (unsigned)(uintptr_t)seed;
    char name[16];
    for (int i = 0; i < ROUNDS; i++) {
        x = x * 1664525u + 1013904223u;
        snprintf(name, sizeof(name), "t%u", (x >> 16) % NAMES);
        unsigned token = pep_readers_enter(shared.readers, pep_thread_stripe());
        struct pep_token_entry *e = find(shared.cache, name, NOW + i / 1000), *own = NULL;
        if (e == NULL) {
            e = entry(name);
            if (e != NULL && !pep_token_cache_put(shared.cache, e, NOW + i / 1000))
                own = e;
        } else {
            atomic_fetch_add(&shared.hits, 1);
        }
        if (e == NULL || e->size != strlen(name) || memcmp(e->token, name, e->size) != 0)
            atomic_fetch_add(&shared.wrong, 1);
        pep_readers_leave(shared.readers, token);
        pep_token_entry_free(own);
    }
    return NULL;
}

static void *free_old(void *unused)
{
    (void)unused;
    while (!atomic_load(&shared.stop)) {
        struct pep_token_entry *list = pep_token_cache_take_retired(shared.cache);
        if (list == NULL)
            continue;
        pep_readers_wait(shared.readers);
        pep_token_retired_free(shared.cache, list);
    }
    return NULL;
}

static void threads_find_only_living_entries(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS], agent;
    shared.cache = pep_token_cache_new(16);
    shared.readers = pep_readers_new();
    assert_int_equal(pthread_create(&agent, NULL, free_old, NULL), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&shared.stop, true);
    pthread_join(agent, NULL);
    assert_int_equal(atomic_load(&shared.wrong), 0);
    assert_true(atomic_load(&shared.hits) > 0);
    pep_token_cache_free(shared.cache);
    pep_readers_free(shared.readers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_bytes_are_found),
        cmocka_unit_test(equal_hashes_are_told_apart_by_the_bytes),
        cmocka_unit_test(none_is_found_at_its_exp),
        cmocka_unit_test(memory_is_bounded_and_the_used_stay),
        cmocka_unit_test(what_waits_to_be_freed_is_bounded_too),
        cmocka_unit_test(the_hash_is_keyed),
        cmocka_unit_test(tokens_with_one_end_are_told_apart),
        cmocka_unit_test(threads_find_only_living_entries),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
