/* Who may use which port, and the small things beside it: map, buckets, limiter. */
#include "pdp/limiter.h"
#include "pdp/map.h"
#include "pdp/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEY_C "cccccccccccccccccccccccccccccccccccccccc"

static struct registry *example(void)
{
    struct registry *r = NULL;
    struct store_client client = {.id = "shop/1",
                                  .service = "shop",
                                  .instance = 1,
                                  .bundle = "acme",
                                  .key = KEY_A,
                                  .labels = "{}",
                                  .token = "t",
                                  .host = ""};
    struct store_operator op = {"bo", "viewer", KEY_B, true, 1};
    assert_int_equal(registry_new(&r), 0);
    assert_int_equal(registry_add_client(r, &client, NULL), 0);
    assert_int_equal(registry_add_operator(r, &op), 0);
    return r;
}

static void each_key_opens_its_own_doors(void **state)
{
    (void)state;
    static const struct {
        enum port port;
        const char *key, *user; /* NULL: refused */
    } cases[] = {
        {PORT_NOTICES, KEY_A, "shop/1"}, {PORT_FETCH, KEY_A, "shop/1"},
        {PORT_OPERATORS, KEY_A, NULL},   {PORT_ENROL, KEY_A, KEY_A},
        {PORT_NOTICES, KEY_B, NULL},     {PORT_FETCH, KEY_B, NULL},
        {PORT_OPERATORS, KEY_B, "bo"},   {PORT_NOTICES, KEY_C, NULL},
        {PORT_FETCH, KEY_C, NULL},       {PORT_OPERATORS, KEY_C, NULL},
        {PORT_ENROL, KEY_C, KEY_C},      {PORT_SELFTEST, KEY_A, NULL},
        {PORT_SELFTEST, KEY_C, NULL},    {PORTS, KEY_A, NULL},
    };
    struct registry *r = example();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char user[REGISTRY_USER_ID] = "";
        assert_int_equal(registry_admits(r, cases[i].port, cases[i].key, user),
                         cases[i].user != NULL);
        assert_string_equal(user, cases[i].user == NULL ? "" : cases[i].user);
    }
    char user[REGISTRY_USER_ID];
    registry_set_selftest(r, KEY_C);
    assert_true(registry_admits(r, PORT_SELFTEST, KEY_C, user));
    assert_false(registry_admits(r, PORT_SELFTEST, KEY_A, user));
    registry_set_selftest(r, NULL);
    assert_false(registry_admits(r, PORT_SELFTEST, KEY_C, user));
    assert_false(registry_admits(r, PORT_SELFTEST, "", user));
    registry_free(r);
}

static void a_state_shuts_the_doors_at_once(void **state)
{
    (void)state;
    char user[REGISTRY_USER_ID];
    struct registry *r = example();
    struct client *c = registry_client(r, "shop/1");
    registry_set_client(r, c, CLIENT_SUSPENDED, 1);
    assert_false(registry_admits(r, PORT_FETCH, KEY_A, user));
    registry_set_client(r, c, CLIENT_ACTIVE, 2);
    assert_true(registry_admits(r, PORT_FETCH, KEY_A, user));
    registry_set_client(r, c, CLIENT_REVOKED, 3);
    assert_false(registry_admits(r, PORT_FETCH, KEY_A, user));
    assert_false(registry_admits(r, PORT_NOTICES, KEY_A, user));
    registry_revoke_operator(r, registry_operator(r, "bo"));
    assert_false(registry_admits(r, PORT_OPERATORS, KEY_B, user));
    registry_free(r);
}

static void nothing_is_there_twice(void **state)
{
    (void)state;
    struct registry *r = example();
    struct store_client same_id = {.id = "shop/1",
                                   .service = "shop",
                                   .bundle = "acme",
                                   .key = KEY_C,
                                   .labels = "{}",
                                   .token = "t"};
    struct store_client bad_labels = {.id = "shop/2",
                                      .service = "shop",
                                      .bundle = "acme",
                                      .key = KEY_C,
                                      .labels = "[]",
                                      .token = "t"};
    struct store_operator same_name = {"bo", "admin", KEY_C, true, 1};
    struct store_operator no_role = {"al", "king", KEY_C, true, 1};
    char user[REGISTRY_USER_ID];
    assert_int_equal(registry_add_client(r, &same_id, NULL), PEP_ECONFLICT);
    assert_int_equal(registry_add_client(r, &bad_labels, NULL), PEP_EFORMAT);
    assert_int_equal(registry_add_operator(r, &same_name), PEP_ECONFLICT);
    assert_int_equal(registry_add_operator(r, &no_role), PEP_EFORMAT);
    assert_false(registry_admits(r, PORT_FETCH, KEY_C, user));
    assert_false(registry_admits(r, PORT_OPERATORS, KEY_C, user));
    registry_free(r);
}

static void a_map_holds_many(void **state)
{
    (void)state;
    static char keys[5000][8];
    struct map m;
    map_init(&m, 42);
    assert_null(map_find(&m, "k0"));
    for (size_t i = 0; i < 5000; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
        assert_int_equal(map_put(&m, keys[i], keys[i]), 0);
    }
    assert_int_equal(map_put(&m, "k77", keys), PEP_ECONFLICT);
    for (size_t i = 0; i < 5000; i++)
        assert_ptr_equal(map_find(&m, keys[i]), keys[i]);
    assert_null(map_find(&m, "k5000"));
    map_clear(&m);
}

static void a_bucket_gives_its_burst_then_its_rate(void **state)
{
    (void)state;
    struct bucket b = {0, 0};
    const struct bucket_limit limit = {10, 2};
    int64_t now = 1700000000000;
    assert_true(bucket_take(&b, &limit, 10, now));
    assert_false(bucket_take(&b, &limit, 1, now));
    assert_false(bucket_take(&b, &limit, 1, now + 499));
    assert_true(bucket_take(&b, &limit, 1, now + 500));
    assert_false(bucket_take(&b, &limit, 1, now - 100000)); /* the clock went back: no gift */
    assert_true(bucket_take(&b, &limit, 10, now + 3600000));
    assert_false(bucket_take(&b, &limit, 11, now + 2 * 3600000));
}

static void addresses_do_not_share_a_bucket(void **state)
{
    (void)state;
    struct limiter *l = NULL;
    const struct bucket_limit one = {1, 1};
    assert_int_equal(limiter_new(&l), 0);
    assert_true(limiter_take(l, "10.0.0.1", &one, 1000000));
    assert_false(limiter_take(l, "10.0.0.1", &one, 1000000));
    assert_true(limiter_take(l, "10.0.0.2", &one, 1000000));
    /* Far more strangers than places: it neither grows nor breaks. */
    for (int i = 0; i < 20000; i++) {
        char address[16];
        snprintf(address, sizeof(address), "a%d", i);
        assert_true(limiter_take(l, address, &one, 1000001 + i));
    }
    limiter_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_opens_its_own_doors),
        cmocka_unit_test(a_state_shuts_the_doors_at_once),
        cmocka_unit_test(nothing_is_there_twice),
        cmocka_unit_test(a_map_holds_many),
        cmocka_unit_test(a_bucket_gives_its_burst_then_its_rate),
        cmocka_unit_test(addresses_do_not_share_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
