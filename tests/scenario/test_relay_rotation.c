/*
 * Rotation of an issuer's keys under load: a new key is published, both are good, the old one is
 * withdrawn. No good token is refused, and no withdrawn one passes for long.
 */
#include "relay_kit.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ISSUER  "https://idp.test"
#define THREADS 2

/* ---- load ---- */

struct load {
    pep *client;
    _Atomic(const char *) token[2]; /* asked in turn */
    atomic_ulong asked, refused;
    atomic_bool stop;
    pthread_t threads[THREADS];
};

static void *ask(void *context)
{
    struct load *l = context;
    for (unsigned i = 0; !atomic_load(&l->stop); i++) {
        if (!relay_allows(l->client, atomic_load(&l->token[i % 2])))
            atomic_fetch_add(&l->refused, 1);
        atomic_fetch_add(&l->asked, 1);
    }
    return NULL;
}

static void load_start(struct load *l, pep *client, const char *token)
{
    memset(l, 0, sizeof(*l));
    l->client = client;
    atomic_store(&l->token[0], token);
    atomic_store(&l->token[1], token);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&l->threads[i], NULL, ask, l), 0);
}

static void load_end(struct load *l)
{
    atomic_store(&l->stop, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(l->threads[i], NULL);
}

/* ---- waiting ---- */

static bool is_allowed(struct relay_scene *s, const void *token)
{
    return relay_allows(s->client, token);
}

static bool is_refused(struct relay_scene *s, const void *token)
{
    return !relay_allows(s->client, token);
}

static bool is_in_trouble(struct relay_scene *s, const void *error)
{
    json_t *status = relay_status(s, ISSUER);
    const char *text = json_string_value(json_object_get(status, "error"));
    bool is = text != NULL && strstr(text, error) != NULL;
    json_decref(status);
    return is;
}

static void issuer_with(struct relay_scene *s, int max_age, const char *pin)
{
    struct relay_issuer issuer = {ISSUER, "ok", pin, SERVER_GOOD, max_age};
    relay_push(s, json_pack("[o]", relay_entry(s, &issuer)));
}

/* Until everybody who asks has begun anew since now. */
static void turn_over(struct load *l)
{
    unsigned long before = atomic_load(&l->asked);
    while (atomic_load(&l->asked) < before + 2 * THREADS)
        sched_yield();
}

/* ---- the tests ---- */

static void rotation_under_load(void **state)
{
    struct relay_scene *s = *state;
    struct relay_key old = relay_key_new("k1"), next = relay_key_new("k2");
    const struct relay_key *const both[] = {&old, &next};
    char *of_old = relay_token(&old, ISSUER), *of_next = relay_token(&next, ISSUER);
    struct load load;
    relay_publish(s, both, 1);
    issuer_with(s, 3600, NULL);
    s->client = relay_client(s, "one");
    long arrive = (long)relay_until(s, is_allowed, of_old, "the first keys arrive");
    load_start(&load, s->client, of_old);
    /* The policy's own interval is five minutes: only the unknown kid can bring the new key. */
    relay_set(s, "max-age", "1");
    relay_publish(s, both, 2);
    long news = (long)relay_until(s, is_allowed, of_next, "the new key arrives");
    atomic_store(&load.token[1], of_next);
    turn_over(&load); /* both are good */
    atomic_store(&load.token[0], of_next);
    turn_over(&load);
    /* The issuer says that its keys change within a second: nobody needs to ask. */
    relay_publish(s, both + 1, 1);
    long ended = (long)relay_until(s, is_refused, of_old, "the withdrawn key ends");
    turn_over(&load);
    load_end(&load);
    printf("relayed keys: first ones usable %ld ms after the client was ready, a new key %ld ms "
           "after it was published, a withdrawn one refused after %ld ms; %lu decisions meanwhile, "
           "%lu refused\n",
           arrive, news, ended, atomic_load(&load.asked), atomic_load(&load.refused));
    assert_int_equal(atomic_load(&load.refused), 0);
    free(of_old);
    free(of_next);
    relay_key_free(&old);
    relay_key_free(&next);
}

/* Also without a word from issuer or client: SIGHUP makes pdpd look at once. */
static void an_operator_need_not_wait(void **state)
{
    struct relay_scene *s = *state;
    struct relay_key old = relay_key_new("k1"), next = relay_key_new("k2");
    const struct relay_key *const both[] = {&old, &next};
    char *token = relay_token(&old, ISSUER);
    relay_publish(s, both, 1);
    issuer_with(s, 3600, NULL);
    s->client = relay_client(s, "one");
    relay_until(s, is_allowed, token, "the first keys arrive");
    relay_publish(s, both + 1, 1);
    assert_int_equal(kill(s->site.d.pid, SIGHUP), 0);
    relay_until(s, is_refused, token, "the withdrawn key ends");
    free(token);
    relay_key_free(&old);
    relay_key_free(&next);
}

/* A key that the policy does not pin is worth nothing, whoever names it. */
static void only_pinned_keys_count(void **state)
{
    struct relay_scene *s = *state;
    struct relay_key mine = relay_key_new("k1"), other = relay_key_new("k2");
    const struct relay_key *const both[] = {&mine, &other};
    char *token = relay_token(&mine, ISSUER), *forged = relay_token(&other, ISSUER), why[256];
    struct pep_jwks *set = NULL;
    json_t *public_set = pep_jwk_public_set(mine.jwk);
    assert_int_equal(pep_jwks_read(public_set, "test", &set, NULL), 0);
    relay_publish(s, both, 2);
    issuer_with(s, 4, pep_jwk_thumbprint(pep_jwks_at(set, 0)));
    s->client = relay_client(s, "one");
    relay_until(s, is_allowed, token, "the pinned key arrives");
    assert_non_null(strstr(relay_reason(s->client, forged, why), "key"));
    /* The whole document, unpinned key and all, came from pdpd; now it has no other. */
    relay_publish(s, both + 1, 1);
    assert_int_equal(kill(s->site.d.pid, SIGHUP), 0);
    relay_until(s, is_in_trouble, "none of the 1 keys may be used", "pdpd says so");
    assert_true(relay_allows(s->client, token));
    assert_false(relay_allows(s->client, forged));
    pep_jwks_free(set);
    json_decref(public_set);
    free(token);
    free(forged);
    relay_key_free(&mine);
    relay_key_free(&other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, relay_up, relay_down)
    const struct CMUnitTest tests[] = {
        TEST(rotation_under_load),
        TEST(an_operator_need_not_wait),
        TEST(only_pinned_keys_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
