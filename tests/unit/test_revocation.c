/*
 * The list of revoked tokens: what a step may do, what a list knows, and that two roads to the same
 * number end in the same list. The random walk compares it with a plain table of names.
 */
#include "pep/core/revocation.h"
#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ISSUER "https://idp.example"
#define T0     INT64_C(1700000000)

struct world {
    struct fixture f;
    struct pep_private_key *other;
    struct pep_signers signers;
};
static struct world w;

static int setup(void **state)
{
    (void)state;
    w.f = fixture_new();
    w.other = fixture_key("other");
    w.signers = pep_root_revokers(w.f.root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pep_private_key_free(w.other);
    fixture_free(&w.f);
    return 0;
}

static struct pep_revocation entry(enum pep_revocation_kind kind, const char *value, int64_t until)
{
    struct pep_revocation e = {.kind = (uint8_t)kind, .until = until};
    assert_int_equal(
        pep_revocation_key(kind, pep_span_string(ISSUER), pep_span_string(value), e.key), PEP_OK);
    return e;
}

static struct pep_revocation subject(const char *value, int64_t before, int64_t until)
{
    struct pep_revocation e = entry(PEP_REVOKE_SUBJECT, value, until);
    e.before = before;
    return e;
}

static struct pep_buffer sign_body(struct pep_span body, const struct pep_private_key *key)
{
    struct pep_buffer out = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    assert_int_equal(pep_compact_sign(PEP_TYPE_REVOKED, body, key, &out), PEP_OK);
    return out;
}

/* The signed step that adds these. */
static struct pep_buffer step(const struct pep_revocations *current, int64_t created,
                              const struct pep_revocation *entries, size_t count)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    assert_int_equal(pep_revocation_step_write(current, created, entries, count, &body, &err),
                     PEP_OK);
    struct pep_buffer out = sign_body(pep_buffer_span(&body), w.f.policy_key);
    pep_buffer_free(&body);
    return out;
}

static struct pep_revocations *none(void)
{
    struct pep_revocations *r = NULL;
    assert_int_equal(pep_revocations_none(&r), PEP_OK);
    return r;
}

static int follow(const struct pep_revocations *r, struct pep_span message,
                  struct pep_revocations **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    return pep_revocations_follow(r, message, &w.signers, ret, &err);
}

/* Replaces *r by the list after one more step. */
static void advance(struct pep_revocations **r, int64_t created,
                    const struct pep_revocation *entries, size_t count)
{
    struct pep_revocations *next = NULL;
    struct pep_buffer s = step(*r, created, entries, count);
    assert_int_equal(follow(*r, pep_buffer_span(&s), &next), PEP_OK);
    pep_buffer_free(&s);
    pep_revocations_free(*r);
    *r = next;
}

static struct pep_token_marks marks(const char *claims)
{
    struct pep_token_marks m;
    json_t *json = json_loads(claims, 0, NULL);
    assert_non_null(json);
    assert_int_equal(pep_token_marks_read(ISSUER, json, &m), PEP_OK);
    json_decref(json);
    return m;
}

static int revoked(const struct pep_revocations *r, const char *claims)
{
    struct pep_token_marks m = marks(claims);
    return pep_token_revoked(r, &m);
}

/* ---- what an entry means ---- */

static void entries_mean_tokens(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    assert_int_equal(revoked(r, "{\"jti\":\"a\"}"), 0);
    struct pep_revocation some[] = {entry(PEP_REVOKE_JTI, "a", T0 + 100),
                                    entry(PEP_REVOKE_SID, "s", T0 + 100),
                                    subject("ann", T0, T0 + 100)};
    advance(&r, T0, some, 3);
    static const struct {
        const char *claims;
        int kind;
    } cases[] = {
        {"{\"jti\":\"a\"}", PEP_REVOKE_JTI},
        {"{\"jti\":\"b\"}", 0},
        {"{\"jti\":\"s\"}", 0}, /* a sid's name is no jti */
        {"{\"sid\":\"a\"}", 0},
        {"{\"sid\":\"s\"}", PEP_REVOKE_SID},
        {"{\"jti\":\"b\",\"sid\":\"s\"}", PEP_REVOKE_SID},
        {"{\"sub\":\"ann\",\"iat\":1699999999}", PEP_REVOKE_SUBJECT},
        {"{\"sub\":\"ann\",\"iat\":1699999999.9}", PEP_REVOKE_SUBJECT},
        {"{\"sub\":\"ann\",\"iat\":1700000000}", 0}, /* issued at, not before */
        {"{\"sub\":\"ann\"}", PEP_REVOKE_SUBJECT},   /* nobody knows when */
        {"{\"sub\":\"bob\",\"iat\":1}", 0},
        {"{\"jti\":7}", 0},
        {"{}", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(revoked(r, cases[i].claims), cases[i].kind);
    pep_revocations_free(r);
}

static void issuers_do_not_meet(void **state)
{
    (void)state;
    uint8_t a[PEP_REVOCATION_KEY], b[PEP_REVOCATION_KEY];
    assert_int_equal(
        pep_revocation_key(PEP_REVOKE_JTI, pep_span_string("ab"), pep_span_string("c"), a), PEP_OK);
    assert_int_equal(
        pep_revocation_key(PEP_REVOKE_JTI, pep_span_string("a"), pep_span_string("bc"), b), PEP_OK);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void entries_end_by_themselves(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 10);
    struct pep_revocation b = entry(PEP_REVOKE_JTI, "b", T0 + 1000);
    advance(&r, T0, &a, 1);
    advance(&r, T0 + 9, &b, 1);
    assert_int_equal(pep_revocations_count(r), 2);
    advance(&r, T0 + 10, NULL, 0); /* the same list, newly signed: what is over goes */
    assert_int_equal(pep_revocations_count(r), 1);
    assert_int_equal(pep_revocations_number(r), 3);
    assert_int_equal(revoked(r, "{\"jti\":\"a\"}"), 0);
    assert_int_equal(revoked(r, "{\"jti\":\"b\"}"), PEP_REVOKE_JTI);
    pep_revocations_free(r);
}

static void the_wider_of_two_counts(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    struct pep_revocation twice[] = {subject("ann", T0 + 5, T0 + 100),
                                     subject("ann", T0 + 9, T0 + 50)};
    advance(&r, T0, twice, 2);
    assert_int_equal(pep_revocations_count(r), 1);
    struct pep_revocation narrower = subject("ann", T0 + 1, T0 + 200);
    advance(&r, T0, &narrower, 1);
    assert_int_equal(pep_revocations_count(r), 1);
    assert_true(pep_revocations_at(r, 0)->before == T0 + 9);
    assert_true(pep_revocations_at(r, 0)->until == T0 + 200);
    assert_null(pep_revocations_at(r, 1));
    pep_revocations_free(r);
}

/* ---- what a step may do ---- */

static void refused_follow(const struct pep_revocations *r, struct pep_span message, int code)
{
    struct pep_revocations *next = NULL;
    assert_int_equal(follow(r, message, &next), code);
    assert_null(next);
}

static void steps_follow_in_order(void **state)
{
    (void)state;
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 100);
    struct pep_revocation b = entry(PEP_REVOKE_JTI, "b", T0 + 100);
    struct pep_revocations *r = none(), *fork = none();
    struct pep_buffer first = step(r, T0, &a, 1);
    advance(&r, T0, &a, 1);
    advance(&fork, T0, &b, 1);
    struct pep_buffer second = step(r, T0 + 1, &b, 1), foreign = step(fork, T0 + 1, &a, 1);
    struct pep_revocations *start = none();
    refused_follow(r, pep_buffer_span(&first), PEP_EROLLBACK);      /* again */
    refused_follow(start, pep_buffer_span(&second), PEP_EROLLBACK); /* one is missing */
    refused_follow(r, pep_buffer_span(&foreign), PEP_EROLLBACK);    /* another past */
    struct pep_revocations *next = NULL;
    assert_int_equal(follow(r, pep_buffer_span(&second), &next), PEP_OK);
    assert_true(pep_span_equal(pep_revocations_step(next), pep_buffer_span(&second)));
    pep_buffer_free(&first);
    pep_buffer_free(&second);
    pep_buffer_free(&foreign);
    pep_revocations_free(next);
    pep_revocations_free(start);
    pep_revocations_free(r);
    pep_revocations_free(fork);
}

static void only_named_keys_sign(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 100);
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    assert_int_equal(pep_revocation_step_write(r, T0, &a, 1, &body, &err), PEP_OK);
    const struct pep_private_key *wrong[] = {w.other, w.f.root_key, w.f.beacon_key};
    for (size_t i = 0; i < 3; i++) {
        struct pep_buffer s = sign_body(pep_buffer_span(&body), wrong[i]);
        refused_follow(r, pep_buffer_span(&s), PEP_ESIGNATURE);
        pep_buffer_free(&s);
    }
    struct pep_buffer as_notice = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    assert_int_equal(
        pep_compact_sign(PEP_TYPE_NOTICE, pep_buffer_span(&body), w.f.policy_key, &as_notice),
        PEP_OK);
    refused_follow(r, pep_buffer_span(&as_notice), PEP_ESIGNATURE);
    pep_buffer_free(&as_notice);
    pep_buffer_free(&body);
    pep_revocations_free(r);
}

static void every_changed_bit_is_seen(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 100);
    struct pep_buffer s = step(r, T0, &a, 1);
    for (size_t i = 0; i < s.size; i++) {
        s.data[i] ^= 1;
        refused_follow(r, pep_buffer_span(&s), PEP_ESIGNATURE);
        s.data[i] ^= 1;
    }
    for (size_t size = 0; size < s.size; size++)
        refused_follow(r, pep_span_of(s.data, size), PEP_ESIGNATURE);
    pep_buffer_free(&s);
    pep_revocations_free(r);
}

/* Numbers may leave some out, but the step before is named by its digest all the same. */
static void numbers_may_leave_some_out(void **state)
{
    (void)state;
    struct pep_revocations *r = none(), *ahead = none(), *next = NULL, *late = NULL;
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 100);
    pep_revocations_skip(ahead, 7);
    struct pep_buffer s = step(ahead, T0, &a, 1);
    assert_int_equal(follow(r, pep_buffer_span(&s), &next), PEP_OK);
    assert_int_equal(pep_revocations_number(next), 8);
    assert_int_equal(pep_revocations_added(next), 1);
    refused_follow(next, pep_buffer_span(&s), PEP_EROLLBACK);
    pep_revocations_skip(next, 3); /* below its own: no matter */
    struct pep_buffer t = step(next, T0 + 1, &a, 1);
    assert_int_equal(follow(next, pep_buffer_span(&t), &late), PEP_OK);
    assert_int_equal(pep_revocations_number(late), 9);
    refused_follow(r, pep_buffer_span(&t), PEP_EROLLBACK);
    pep_buffer_free(&s);
    pep_buffer_free(&t);
    pep_revocations_free(late);
    pep_revocations_free(next);
    pep_revocations_free(ahead);
    pep_revocations_free(r);
}

/* Signed nonsense: a signer's mistake must not become a list. */
static void signed_nonsense_is_refused(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 100);
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    assert_int_equal(pep_revocation_step_write(r, T0, &a, 1, &body, &err), PEP_OK);
    for (size_t i = 0; i < body.size; i++) {
        if (i >= 42 && i < 49)
            continue; /* the high bytes of `created`: another time is another valid step */
        uint8_t was = body.data[i];
        body.data[i] ^= 0x80;
        struct pep_buffer s = sign_body(pep_buffer_span(&body), w.f.policy_key);
        struct pep_revocations *next = NULL;
        int code = follow(r, pep_buffer_span(&s), &next);
        if (code == PEP_OK) /* created's lowest byte alone may differ, and the number be higher */
            assert_true(i == 48 || (i >= 3 && i <= 8));
        pep_revocations_free(next);
        pep_buffer_free(&s);
        body.data[i] = was;
    }
    pep_put_u8(&body, 0);
    struct pep_buffer s = sign_body(pep_buffer_span(&body), w.f.policy_key);
    refused_follow(r, pep_buffer_span(&s), PEP_EFORMAT);
    pep_buffer_free(&s);
    pep_buffer_free(&body);
    pep_revocations_free(r);
}

static void bad_entries_are_not_written(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_revocation cases[] = {
        entry(PEP_REVOKE_JTI, "over", T0), entry(PEP_REVOKE_JTI, "kind", T0 + 1),
        entry(PEP_REVOKE_JTI, "before", T0 + 1), subject("negative", -1, T0 + 1)};
    cases[1].kind = 4;
    cases[2].before = 1;
    for (size_t i = 0; i < 4; i++) {
        struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
        assert_int_equal(pep_revocation_step_write(r, T0, &cases[i], 1, &body, &err), PEP_EINVAL);
        assert_int_equal(body.size, 0);
        pep_buffer_free(&body);
    }
    pep_revocations_free(r);
}

/* ---- the whole list ---- */

static struct pep_buffer set_of(const struct pep_revocations *r)
{
    struct pep_buffer out = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    pep_revocations_put_set(r, &out);
    assert_false(out.failed);
    return out;
}

static int adopt(struct pep_span s, struct pep_span set, uint64_t above)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_revocations *r = NULL;
    int code = pep_revocations_adopt(s, set, above, &w.signers, &r, &err);
    assert_true((code == PEP_OK) == (r != NULL));
    pep_revocations_free(r);
    return code;
}

static void a_list_is_taken_whole_or_not(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 100);
    struct pep_revocation b = entry(PEP_REVOKE_SID, "b", T0 + 100);
    advance(&r, T0, &a, 1);
    struct pep_buffer old = set_of(r);
    advance(&r, T0, &b, 1);
    struct pep_buffer set = set_of(r);
    struct pep_span s = pep_revocations_step(r), list = pep_buffer_span(&set);
    assert_int_equal(adopt(s, list, 0), PEP_OK);
    assert_int_equal(adopt(s, list, 1), PEP_OK);
    assert_int_equal(adopt(s, list, 2), PEP_EROLLBACK);
    assert_int_equal(adopt(s, pep_buffer_span(&old), 0), PEP_EFORMAT); /* one left out */
    assert_int_equal(adopt(s, pep_span_of(NULL, 0), 0), PEP_EFORMAT);
    assert_int_equal(adopt(s, pep_span_of(set.data, set.size - 1), 0), PEP_EFORMAT);
    assert_int_equal(adopt(pep_span_of(s.data, s.size - 1), list, 0), PEP_ESIGNATURE);
    uint8_t first[PEP_REVOCATION_ENTRY];
    memcpy(first, set.data, sizeof(first)); /* another order */
    memmove(set.data, set.data + sizeof(first), sizeof(first));
    memcpy(set.data + sizeof(first), first, sizeof(first));
    assert_int_equal(adopt(s, list, 0), PEP_EFORMAT);
    pep_buffer_free(&old);
    pep_buffer_free(&set);
    pep_revocations_free(r);
}

static void a_kept_list_still_denies(void **state)
{
    (void)state;
    struct pep_revocations *r = none(), *kept = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_revocation a = entry(PEP_REVOKE_JTI, "a", T0 + 100);
    advance(&r, T0, &a, 1);
    struct pep_buffer set = set_of(r);
    assert_int_equal(pep_revocations_keep(pep_buffer_span(&set), &kept, &err), PEP_OK);
    assert_int_equal(pep_revocations_number(kept), 0);
    assert_int_equal(revoked(kept, "{\"jti\":\"a\"}"), PEP_REVOKE_JTI);
    pep_buffer_free(&set);
    pep_revocations_free(kept);
    pep_revocations_free(r);
}

/* ---- many ---- */

#define NAMES 400

static void a_random_walk_agrees_with_a_table(void **state)
{
    (void)state;
    struct pep_revocations *r = none();
    int64_t until[NAMES] = {0}, now = T0;
    srand(7);
    for (int round = 0; round < 200; round++) {
        struct pep_revocation added[20];
        size_t count = (size_t)(rand() % 20);
        now += rand() % 30;
        for (size_t i = 0; i < count; i++) {
            int name = rand() % NAMES;
            char text[16];
            snprintf(text, sizeof(text), "t%d", name);
            added[i] = entry(PEP_REVOKE_JTI, text, now + 1 + rand() % 2000);
            if (added[i].until > until[name])
                until[name] = added[i].until;
        }
        advance(&r, now, added, count);
    }
    for (int name = 0; name < NAMES; name++) {
        char claims[32];
        snprintf(claims, sizeof(claims), "{\"jti\":\"t%d\"}", name);
        assert_int_equal(revoked(r, claims), until[name] > now ? PEP_REVOKE_JTI : 0);
    }
    struct pep_buffer set = set_of(r);
    assert_int_equal(adopt(pep_revocations_step(r), pep_buffer_span(&set), 0), PEP_OK);
    pep_buffer_free(&set);
    pep_revocations_free(r);
}

static void the_list_is_bounded(void **state)
{
    (void)state;
    static struct pep_revocation some[PEP_REVOCATION_STEP];
    struct pep_revocations *r = none();
    for (int n = 0; n < PEP_REVOCATIONS_MAX; n += PEP_REVOCATION_STEP) {
        size_t count = 0;
        for (; count < PEP_REVOCATION_STEP && n + (int)count < PEP_REVOCATIONS_MAX; count++) {
            char text[16];
            snprintf(text, sizeof(text), "t%d", n + (int)count);
            some[count] = entry(PEP_REVOKE_JTI, text, T0 + 100);
        }
        advance(&r, T0, some, count);
    }
    assert_int_equal(pep_revocations_count(r), PEP_REVOCATIONS_MAX);
    assert_int_equal(revoked(r, "{\"jti\":\"t99999\"}"), PEP_REVOKE_JTI);
    assert_int_equal(revoked(r, "{\"jti\":\"t100000\"}"), 0);
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_buffer body = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    struct pep_revocation more = entry(PEP_REVOKE_JTI, "more", T0 + 100);
    assert_int_equal(pep_revocation_step_write(r, T0, &more, 1, &body, &err), PEP_ELIMIT);
    assert_int_equal(pep_revocation_step_write(r, T0, some, PEP_REVOCATION_STEP + 1, &body, &err),
                     PEP_ELIMIT);
    assert_int_equal(pep_revocation_step_write(r, T0 + 100, &more, 0, &body, &err), PEP_OK);
    struct pep_buffer set = set_of(r);
    assert_int_equal(adopt(pep_revocations_step(r), pep_buffer_span(&set), 0), PEP_OK);
    pep_buffer_free(&set);
    pep_buffer_free(&body);
    pep_revocations_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_mean_tokens),
        cmocka_unit_test(issuers_do_not_meet),
        cmocka_unit_test(entries_end_by_themselves),
        cmocka_unit_test(the_wider_of_two_counts),
        cmocka_unit_test(steps_follow_in_order),
        cmocka_unit_test(only_named_keys_sign),
        cmocka_unit_test(every_changed_bit_is_seen),
        cmocka_unit_test(signed_nonsense_is_refused),
        cmocka_unit_test(numbers_may_leave_some_out),
        cmocka_unit_test(bad_entries_are_not_written),
        cmocka_unit_test(a_list_is_taken_whole_or_not),
        cmocka_unit_test(a_kept_list_still_denies),
        cmocka_unit_test(a_random_walk_agrees_with_a_table),
        cmocka_unit_test(the_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
