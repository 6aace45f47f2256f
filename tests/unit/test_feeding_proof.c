/*
 * What a client of revoked tokens and relayed keys believes: whole answers, of this root, of this
 * question; how old keys are; and which of two is newer. The order of events is in test_feeding.c.
 */
#include "feeding_kit.h"

/* Keys without end, each newer: one answer a pause, however eager the server. */
static void keys_alone_do_not_shorten_pauses(void **state)
{
    (void)state;
    begin();
    pep_feeding_link(w.feeding, true);
    tell_list(w.lists[1]); /* never comes */
    unsigned asked = 0;
    for (int i = 0; i < 600; i++) {
        if (pep_feeding_ask(w.feeding, w.now, &w.question)) {
            asked++;
            assert_int_equal(give_keys(asked, w.f.beacon_key, false), PEP_OK);
        }
        w.now.boot_ms += 100;
        w.now.wall_ms += 100;
    }
    assert_true(asked >= 5 && asked <= 8);
    pep_feeding_free(w.feeding);
}

static void ask_for(const struct pep_revocations *list)
{
    begin();
    pep_feeding_link(w.feeding, true);
    tell_list(list);
    assert_true(pep_feeding_ask(w.feeding, w.now, &w.question));
}

/* Heads that promise other frames than follow. */
static void malformed_answers(void **state)
{
    (void)state;
    static const struct {
        struct pep_revoked head;
        size_t frames; /* of steps, behind the head */
    } cases[] = {
        {{.kind = PEP_REVOKED_STEPS, .steps = 2}, 1}, {{.kind = PEP_REVOKED_STEPS, .steps = 1}, 2},
        {{.kind = PEP_REVOKED_STEPS, .steps = 0}, 0}, {{.kind = PEP_REVOKED_SET, .steps = 1}, 1},
        {{.kind = PEP_REVOKED_SET, .steps = 2}, 3},   {{.kind = PEP_REVOKED_SET, .steps = 0}, 1},
        {{.kind = PEP_REVOKED_SAME, .steps = 1}, 1},  {{.kind = PEP_REVOKED_NONE, .steps = 1}, 1},
        {{.kind = PEP_REVOKED_SAME, .keys = 1}, 0},   {{.kind = PEP_REVOKED_SAME}, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = {.count = 0};
        ask_for(w.lists[5]);
        put_head(&a, cases[i].head, false);
        for (size_t n = 1; n <= cases[i].frames; n++)
            a.frames[a.count++] = pep_buffer_span(&w.steps[n]);
        assert_int_equal(give(&a), PEP_EFORMAT);
        assert_int_equal(number(), 0);
        assert_int_equal(give_steps(0, 5, w.steps, false),
                         PEP_OK); /* the right one may still come */
        assert_int_equal(number(), 5);
        pep_feeding_free(w.feeding);
    }
    ask_for(w.lists[5]);
    struct answer none = {.count = 0};
    assert_int_equal(give(&none), PEP_EFORMAT);
    pep_feeding_free(w.feeding);
}

/* Good steps before a bad one are kept, and keys beside a bad list. */
static void what_is_proved_is_taken(void **state)
{
    (void)state;
    ask_for(w.lists[3]);
    struct answer a = {.count = 0};
    put_head(&a, (struct pep_revoked){.kind = PEP_REVOKED_STEPS, .steps = 3, .keys = 1}, false);
    a.frames[a.count++] = pep_buffer_span(&w.steps[1]);
    a.frames[a.count++] = pep_buffer_span(&w.strange[2]);
    a.frames[a.count++] = pep_buffer_span(&w.steps[3]);
    put_keys(&a, 4, w.f.beacon_key, false);
    assert_int_equal(give(&a), PEP_ESIGNATURE);
    assert_int_equal(number(), 1);
    assert_int_equal(keys(), 4);
    assert_int_equal(pep_feeding_changed(w.feeding), PEP_FED_LIST | PEP_FED_KEYS);
    pep_feeding_free(w.feeding);
}

static struct pep_root *next_root(bool policy, bool beacon)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root_draft d = fixture_root_draft(&w.f);
    struct pep_root *next = NULL;
    const struct pep_private_key *signer = w.f.root_key;
    d.version = 2;
    for (size_t i = 0; i < d.key_count; i++) {
        if ((policy && d.keys[i].roles[PEP_ROLE_POLICY]) ||
            (beacon && d.keys[i].roles[PEP_ROLE_BEACON]))
            d.keys[i].key = *pep_private_key_public(w.stranger);
    }
    struct pep_buffer envelope = fixture_sign_root(&d, &signer, 1);
    assert_int_equal(pep_root_follow(w.f.root, pep_buffer_span(&envelope), &next, &err), PEP_OK);
    pep_buffer_free(&envelope);
    return next;
}

static void have_both(void)
{
    begin();
    pep_feeding_link(w.feeding, true);
    w.word.keys = 7;
    tell_list(w.lists[5]);
    assert_true(pep_feeding_ask(w.feeding, w.now, &w.question));
    assert_int_equal(give_keys(7, w.f.beacon_key, false), PEP_OK);
    w.now.boot_ms += 500;
    assert_true(pep_feeding_ask(w.feeding, w.now, &w.question));
    assert_int_equal(give_set(w.lists[5], pep_buffer_span(&w.steps[5])), PEP_OK);
    assert_int_equal(pep_feeding_changed(w.feeding), PEP_FED_LIST | PEP_FED_KEYS);
}

static void a_root_that_keeps_all_keys_changes_nothing(void **state)
{
    (void)state;
    have_both();
    struct pep_root *next = next_root(false, false);
    assert_int_equal(pep_feeding_trust(w.feeding, next), PEP_OK);
    assert_int_equal(pep_feeding_changed(w.feeding), 0);
    assert_int_equal(number(), 5);
    assert_int_equal(keys(), 7);
    pep_root_free(next);
    pep_feeding_free(w.feeding);
}

/* The way back from a number that a stolen key has signed. */
static void a_list_of_a_dropped_key_goes_on_denying(void **state)
{
    (void)state;
    have_both();
    struct pep_root *next = next_root(true, false);
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(pep_feeding_trust(w.feeding, next), PEP_OK);
    assert_int_equal(pep_feeding_changed(w.feeding), PEP_FED_LIST);
    assert_int_equal(number(), 0);
    struct pep_revocation e = entry("t", 4);
    assert_non_null(pep_revocations_find(pep_feeding_fed(w.feeding)->revocations, e.key));
    assert_int_equal(keys(), 7);
    /* The new key signs the second step of a list that begins anew: below the old number. */
    struct pep_buffer s = feeds_step(w.lists[1], FIXTURE_CREATED, NULL, 0, w.stranger);
    struct pep_revocations *anew = feeds_follow(w.lists[1], &s, next);
    tell_list(anew);
    assert_true(pep_feeding_ask(w.feeding, w.now, &w.question));
    assert_int_equal(w.question.revocations, 0);
    struct answer a = {.count = 0};
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    put_head(&a, (struct pep_revoked){.kind = PEP_REVOKED_SET, .steps = 1}, false);
    put_owned(&a, 1, s);
    pep_revocations_put_set(anew, &set);
    put_owned(&a, 2, set);
    assert_int_equal(pep_feeding_message(w.feeding, a.frames, a.count, next, &err), PEP_OK);
    assert_int_equal(number(), 2);
    assert_null(pep_revocations_find(pep_feeding_fed(w.feeding)->revocations, e.key));
    for (size_t i = 0; i < 3; i++)
        pep_buffer_free(&a.owned[i]);
    pep_revocations_free(anew);
    pep_root_free(next);
    pep_feeding_free(w.feeding);
}

static void keys_of_a_dropped_beacon_key_are_gone(void **state)
{
    (void)state;
    have_both();
    struct pep_root *next = next_root(false, true);
    assert_int_equal(pep_feeding_trust(w.feeding, next), PEP_OK);
    assert_int_equal(pep_feeding_changed(w.feeding), PEP_FED_KEYS);
    assert_int_equal(keys(), 0);
    assert_int_equal(number(), 5);
    assert_true(pep_feeding_ask(w.feeding, w.now, &w.question)); /* the word named some */
    assert_int_equal(w.question.keys, 0);
    pep_root_free(next);
    pep_feeding_free(w.feeding);
}

static void an_expired_root_brings_no_keys(void **state)
{
    (void)state;
    ask_for(w.lists[1]);
    struct pep_feed old = w.question;
    pep_feeding_link(w.feeding, false);
    pep_feeding_link(w.feeding, true);
    w.now.wall_ms = FIXTURE_EXPIRES * 1000;
    w.now.boot_ms += 500;
    assert_true(pep_feeding_ask(w.feeding, w.now, &w.question));
    assert_memory_not_equal(old.nonce, w.question.nonce, sizeof(old.nonce));
    assert_int_equal(give_keys(7, w.f.beacon_key, false), PEP_EEXPIRED);
    assert_int_equal(keys(), 0);
    pep_feeding_free(w.feeding);
}

/* The age of keys is by the server's clock, the moment of the question by ours. */
static void the_age_of_keys(void **state)
{
    (void)state;
    static const struct {
        int64_t issued, fetched, age;
    } cases[] = {{5000, 2000, 3000},
                 {5000, 5000, 0},
                 {5000, 9000, 0},
                 {5000, 0, 5000},
                 {INT64_C(1) << 53, 0, INT64_C(1) << 53}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pep_fed fed;
        struct pep_span jwks;
        struct pep_moment seen, asked = {FIXTURE_NOW * 1000, 77000};
        struct feeds_keys two[] = {{"https://a", "{}", cases[i].fetched}, {"https://b", "[]", 1}};
        struct feeds_keys_head head = {.seq = 1, .issued_at = cases[i].issued};
        struct pep_keys_origin origin = {w.f.root, "acme", head.nonce, asked};
        struct pep_buffer message = feeds_keys(&head, two, 2, w.f.beacon_key);
        assert_int_equal(pep_fed_new(&fed), PEP_OK);
        assert_int_equal(pep_fed_issuer(&fed, "https://a", &jwks, &seen), PEP_ENOTFOUND);
        assert_int_equal(pep_fed_take_keys(&fed, pep_buffer_span(&message), &origin), PEP_OK);
        pep_buffer_free(&message);
        assert_int_equal(pep_fed_issuer(&fed, "https://a", &jwks, &seen), PEP_OK);
        assert_true(pep_span_is(jwks, "{}"));
        assert_int_equal(asked.wall_ms - seen.wall_ms, cases[i].age);
        assert_int_equal(asked.boot_ms - seen.boot_ms, cases[i].age);
        assert_int_equal(pep_fed_issuer(&fed, "https://b", &jwks, &seen), PEP_OK);
        assert_true(pep_span_is(jwks, "[]"));
        assert_int_equal(pep_fed_issuer(&fed, "https://", &jwks, &seen), PEP_ENOTFOUND);
        pep_fed_clear(&fed);
    }
}

static void keys_for_another_bundle(void **state)
{
    (void)state;
    struct pep_fed fed;
    struct feeds_keys_head head = {.seq = 1, .issued_at = 1};
    struct pep_keys_origin origin = {w.f.root, "acm", head.nonce, {1, 1}};
    struct pep_buffer message = feeds_keys(&head, NULL, 0, w.f.beacon_key);
    assert_int_equal(pep_fed_new(&fed), PEP_OK);
    assert_int_equal(pep_fed_take_keys(&fed, pep_buffer_span(&message), &origin), PEP_EROLLBACK);
    assert_int_equal(pep_fed_take_keys(&fed, pep_span_of(NULL, 0), &origin), PEP_EFORMAT);
    assert_null(fed.keys);
    pep_buffer_free(&message);
    pep_fed_clear(&fed);
}

static struct pep_fed fed_of(struct pep_revocations *list, uint64_t seq, int64_t boot_ms)
{
    struct pep_fed fed = {pep_revocations_share(list), NULL};
    struct feeds_keys_head head = {.seq = seq, .issued_at = 1};
    struct pep_keys_origin origin = {w.f.root, "acme", NULL, {1, boot_ms}};
    struct pep_buffer message = feeds_keys(&head, NULL, 0, w.f.beacon_key);
    if (seq > 0)
        assert_int_equal(pep_fed_take_keys(&fed, pep_buffer_span(&message), &origin), PEP_OK);
    pep_buffer_free(&message);
    return fed;
}

/* What a forked child has from its parent, and from the cache. */
static void only_what_is_newer_raises(void **state)
{
    (void)state;
    static const struct {
        unsigned mine, theirs, list; /* numbers */
        uint64_t my_keys, their_keys, keys;
        int64_t my_time, their_time;
    } cases[] = {
        {3, 5, 5, 1, 2, 2, 10, 20}, {5, 3, 5, 2, 1, 2, 20, 10}, {3, 3, 3, 1, 2, 1, 10, 10},
        {0, 1, 1, 0, 4, 4, 0, 1},   {4, 0, 4, 9, 0, 9, 5, 6},   {4, 4, 4, 9, 2, 2, 5, 6},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pep_fed mine = fed_of(w.lists[cases[i].mine], cases[i].my_keys, cases[i].my_time);
        struct pep_fed theirs =
            fed_of(w.lists[cases[i].theirs], cases[i].their_keys, cases[i].their_time);
        pep_fed_raise(&mine, &theirs);
        pep_fed_clear(&theirs);
        assert_int_equal(pep_revocations_number(mine.revocations), cases[i].list);
        assert_int_equal(mine.keys == NULL ? 0 : mine.keys->keys.seq, cases[i].keys);
        pep_fed_clear(&mine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_alone_do_not_shorten_pauses),
        cmocka_unit_test(malformed_answers),
        cmocka_unit_test(what_is_proved_is_taken),
        cmocka_unit_test(a_root_that_keeps_all_keys_changes_nothing),
        cmocka_unit_test(a_list_of_a_dropped_key_goes_on_denying),
        cmocka_unit_test(keys_of_a_dropped_beacon_key_are_gone),
        cmocka_unit_test(an_expired_root_brings_no_keys),
        cmocka_unit_test(the_age_of_keys),
        cmocka_unit_test(keys_for_another_bundle),
        cmocka_unit_test(only_what_is_newer_raises),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
