/*
 * What decisions look at beside the policy: which relayed keys count, and until when, by both
 * clocks; and that a list once shared lives as long as somebody looks at it.
 */
#include "pep/standing.h"
#include "tests/support/feeds.h"

#include "pep/core/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FREE    "https://free.example"   /* keys live 600 s */
#define PINNED  "https://pinned.example" /* the first key */
#define INLINE  "https://inline.example" /* has keys of its own */
#define MAX_AGE 600
#define T0      (FIXTURE_NOW * 1000)
#define BOOT    INT64_C(9000000)

static struct {
    struct fixture f;
    json_t *keys[2]; /* private JWKs */
    char *both, *first, *second;
    char pins[2][PEP_THUMBPRINT_TEXT];
    struct pep_issuers *issuers;
    struct pep_fed fed;
    struct pep_moment now;
} w;

/* JWKS text of some public keys. */
static char *jwks_of(json_t *const *keys, size_t count)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *set = pep_jwk_public_set(keys[i]);
        json_array_extend(all, json_object_get(set, "keys"));
        json_decref(set);
    }
    json_t *set = json_pack("{s:o}", "keys", all);
    char *text = json_dumps(set, 0);
    json_decref(set);
    assert_non_null(text);
    return text;
}

static void make_issuers(void)
{
    char text[4096];
    struct pep_error err = PEP_ERROR_INIT;
    snprintf(
        text, sizeof(text),
        "[{\"issuer\":\"" FREE "\",\"audiences\":[\"a\"],\"algorithms\":[\"EdDSA\"],"
        "\"jwks_uri\":\"https://free.example/jwks\",\"keys\":\"relayed\",\"keys_max_age\":%d,"
        "\"allow\":{}},{\"issuer\":\"" INLINE "\",\"audiences\":[\"a\"],"
        "\"algorithms\":[\"EdDSA\"],\"jwks\":%s,\"allow\":{}},"
        "{\"issuer\":\"" PINNED "\",\"audiences\":[\"a\"],\"algorithms\":[\"EdDSA\"],"
        "\"jwks_uri\":\"https://pinned.example/jwks\",\"keys\":\"relayed\",\"keys_max_age\":%d,"
        "\"key_thumbprints\":[\"%s\"],\"allow\":{}}]",
        MAX_AGE, w.second, MAX_AGE, w.pins[0]);
    int r = pep_issuers_read(pep_span_string(text), "issuers.json", &w.issuers, NULL, &err);
    if (r != PEP_OK)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    (void)state;
    w.f = fixture_new();
    for (size_t i = 0; i < 2; i++) {
        char kid[8];
        snprintf(kid, sizeof(kid), "k%zu", i + 1);
        assert_int_equal(pep_jwk_generate(PEP_ALG_EDDSA, kid, &w.keys[i]), PEP_OK);
        json_t *set = pep_jwk_public_set(w.keys[i]);
        struct pep_jwks *read = NULL;
        assert_int_equal(pep_jwks_read(set, "test", &read, NULL), PEP_OK);
        memcpy(w.pins[i], pep_jwk_thumbprint(pep_jwks_at(read, 0)), PEP_THUMBPRINT_TEXT);
        pep_jwks_free(read);
        json_decref(set);
    }
    w.both = jwks_of(w.keys, 2);
    w.first = jwks_of(&w.keys[0], 1);
    w.second = jwks_of(&w.keys[1], 1);
    make_issuers();
    assert_int_equal(pep_fed_new(&w.fed), PEP_OK);
    w.now = (struct pep_moment){T0, BOOT};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pep_fed_clear(&w.fed);
    pep_issuers_free(w.issuers);
    for (size_t i = 0; i < 2; i++)
        json_decref(w.keys[i]);
    free(w.both);
    free(w.first);
    free(w.second);
    fixture_free(&w.f);
    return 0;
}

/* These came as answer to a question made now; they were `age` ms old by the server's clock. */
static void come(const struct feeds_keys *keys, size_t count, int64_t issued_at)
{
    struct feeds_keys_head head = {.seq = 1, .issued_at = issued_at};
    struct pep_keys_origin origin = {w.f.root, "acme", NULL, w.now};
    struct pep_buffer message = feeds_keys(&head, keys, count, w.f.beacon_key);
    assert_int_equal(pep_fed_take_keys(&w.fed, pep_buffer_span(&message), &origin), PEP_OK);
    pep_buffer_free(&message);
}

static void come_aged(const char *free_keys, const char *pinned_keys, int64_t age)
{
    const struct feeds_keys two[] = {{FREE, free_keys, 100}, {PINNED, pinned_keys, 100}};
    come(two, 2, 100 + age);
}

static struct pep_standing *stand_at(int64_t wall_later, int64_t boot_later, struct pep_error *err)
{
    struct pep_moment now = {w.now.wall_ms + wall_later, w.now.boot_ms + boot_later};
    struct pep_standing *s = pep_standing_new(w.issuers, &w.fed, &now, err);
    assert_non_null(s);
    return s;
}

static size_t keys_at(const struct pep_standing *s, const char *issuer, int64_t second)
{
    const struct pep_issuer *i = pep_issuers_find(w.issuers, pep_span_string(issuer));
    return pep_jwks_count(pep_issuer_keys(i, &s->relayed, second));
}

static void without_keys_none_count(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_standing *s = stand_at(0, 0, &err), *t = stand_at(0, 0, &err);
    assert_int_equal(err.code, PEP_OK);
    assert_int_equal(keys_at(s, FREE, FIXTURE_NOW), 0);
    assert_int_equal(keys_at(s, PINNED, FIXTURE_NOW), 0);
    assert_int_equal(keys_at(s, INLINE, FIXTURE_NOW), 1);
    assert_true(s->ends == INT64_MAX);
    assert_true(s->turn > 0 && t->turn > s->turn);
    pep_standing_free(s);
    pep_standing_free(t);
}

static void unpinned_keys_end_and_pinned_do_not(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    come_aged(w.both, w.both, 0);
    struct pep_standing *s = stand_at(0, 0, &err);
    assert_int_equal(err.code, PEP_OK);
    assert_int_equal(s->ends, FIXTURE_NOW + MAX_AGE);
    assert_int_equal(keys_at(s, FREE, FIXTURE_NOW + MAX_AGE - 1), 2);
    assert_int_equal(keys_at(s, FREE, FIXTURE_NOW + MAX_AGE), 0);
    assert_int_equal(keys_at(s, PINNED, FIXTURE_NOW + MAX_AGE), 1); /* the other is not pinned */
    assert_int_equal(keys_at(s, PINNED, FIXTURE_NOW + 100000 * MAX_AGE), 1);
    const struct pep_issuer *pinned = pep_issuers_find(w.issuers, pep_span_string(PINNED));
    const struct pep_jwks *left = pep_issuer_keys(pinned, &s->relayed, FIXTURE_NOW);
    assert_true(pep_jwks_has(left, w.pins[0], PEP_ALG_EDDSA));
    assert_false(pep_jwks_has(left, w.pins[1], PEP_ALG_EDDSA));
    assert_false(pep_jwks_has(left, w.pins[0], PEP_ALG_RS256));
    pep_standing_free(s);
}

/* How long keys are still good, whatever the clocks did since they came. */
static void the_larger_time_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t age, wall, boot; /* ms: at the server; since then */
        int64_t left;            /* s */
    } cases[] = {
        {0, 0, 0, 600},
        {0, 100000, 100000, 500},
        {0, 100000, 300000, 300}, /* the wall clock was set back */
        {0, 300000, 100000, 300}, /* or forward: nobody knows */
        {0, -5000000, 100000, 500},
        {200000, 100000, 100000, 300}, /* they were not fresh when they came */
        {599000, 0, 0, 1},
        {599001, 0, 0, 0},
        {600000, 0, 0, 0},
        {0, 600000, 0, 0},
        {0, 0, 600000, 0},
        {0, 0, 599999, 0},
        {-50000, 0, 0, 600}, /* of the server's future: now, at the best */
        {INT64_C(1) << 52, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pep_error err = PEP_ERROR_INIT;
        const struct feeds_keys one = {FREE, w.both, INT64_C(1) << 52};
        come(&one, 1, (INT64_C(1) << 52) + cases[i].age);
        struct pep_standing *s = stand_at(cases[i].wall, cases[i].boot, &err);
        int64_t now = (w.now.wall_ms + cases[i].wall) / 1000;
        if (keys_at(s, FREE, now) != (cases[i].left > 0 ? 2 : 0) ||
            s->ends != (cases[i].left > 0 ? now + cases[i].left : INT64_MAX))
            fail_msg("case %zu: ends %lld s from now", i, (long long)(s->ends - now));
        assert_int_equal(keys_at(s, FREE, now + cases[i].left), 0);
        pep_standing_free(s);
    }
}

/* Keys that are no good are as if they had not come, say why, and leave the others alone. */
static void bad_sets_count_as_absent(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"keys\":7}",
                                      "{\"keys\":[]}",
                                      "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pep_error err = PEP_ERROR_INIT;
        come_aged(bad[i], w.first, 0);
        struct pep_standing *s = stand_at(0, 0, &err);
        assert_int_not_equal(err.code, PEP_OK);
        assert_non_null(strstr(err.text, "https://free.example/jwks"));
        assert_int_equal(keys_at(s, FREE, FIXTURE_NOW), 0);
        assert_int_equal(keys_at(s, PINNED, FIXTURE_NOW), 1);
        assert_true(s->ends == INT64_MAX);
        pep_standing_free(s);
    }
}

static void keys_that_are_not_pinned_are_left_out(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    come_aged(w.first, w.second, 0);
    struct pep_standing *s = stand_at(0, 0, &err);
    assert_int_equal(err.code, PEP_EFORMAT); /* nothing is left */
    assert_int_equal(keys_at(s, PINNED, FIXTURE_NOW), 0);
    assert_int_equal(keys_at(s, FREE, FIXTURE_NOW), 1);
    pep_standing_free(s);
}

/* A key that is no good beside a good one is left out, and is no failure. */
static void one_bad_key_among_good_ones(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    char text[2048];
    snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},%s",
             strchr(w.first, '[') + 1);
    come_aged(text, w.first, 0);
    struct pep_standing *s = stand_at(0, 0, &err);
    assert_int_equal(err.code, PEP_OK);
    assert_int_equal(keys_at(s, FREE, FIXTURE_NOW), 1);
    pep_standing_free(s);
}

/* Whoever holds the beacon key cannot add to keys that the signed policy has. */
static void keys_for_others_are_not_looked_at(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    const struct feeds_keys two[] = {{INLINE, w.first, 100}, {"https://nobody", w.first, 100}};
    come(two, 2, 100);
    struct pep_standing *s = stand_at(0, 0, &err);
    assert_int_equal(err.code, PEP_OK);
    const struct pep_issuer *i = pep_issuers_find(w.issuers, pep_span_string(INLINE));
    assert_true(pep_issuer_keys(i, &s->relayed, FIXTURE_NOW) == i->keys);
    assert_int_equal(keys_at(s, FREE, FIXTURE_NOW), 0);
    pep_standing_free(s);
}

static void a_list_lives_as_long_as_somebody_looks(void **state)
{
    (void)state;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_revocation e = feeds_entry(PEP_REVOKE_JTI, FREE, "t", FIXTURE_NOW + 10);
    feeds_revoke(&w.f, &w.fed.revocations, &e);
    struct pep_standing *s = stand_at(0, 0, &err);
    feeds_revoke(&w.f, &w.fed.revocations, NULL); /* the feeding goes on */
    assert_int_equal(pep_revocations_number(s->fed.revocations), 1);
    assert_int_equal(pep_revocations_number(w.fed.revocations), 2);
    assert_non_null(pep_revocations_find(s->fed.revocations, e.key));
    pep_standing_free(s);
    assert_non_null(pep_revocations_find(w.fed.revocations, e.key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_keys_none_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unpinned_keys_end_and_pinned_do_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_larger_time_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_sets_count_as_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_are_not_pinned_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_bad_key_among_good_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_for_others_are_not_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_lives_as_long_as_somebody_looks, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
