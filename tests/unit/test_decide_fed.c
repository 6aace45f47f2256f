/* What comes beside bundles, as decisions see it: a revoked token and a withdrawn key are denied at
 * once, known or not, across policies; what is not meant is left alone. */
#include "fed_scene.h"

#include <unistd.h>

static struct pep_counts counts(void)
{
    struct pep_counts c;
    pep_counters_sum(w.p->counters, &c);
    return c;
}

static bool ask(const char *token)
{
    return pep_allow(w.p, token, "read", "doc:1");
}

/* ---- revoked tokens ---- */

static void a_known_token_is_denied_when_a_list_names_it(void **state)
{
    (void)state;
    static const struct {
        enum pep_revocation_kind kind;
        const char *value, *meant, *spared;
        int64_t before;
    } cases[] = {
        {PEP_REVOKE_JTI, "j1", "{\"sub\":\"a\",\"jti\":\"j1\"}", "{\"sub\":\"a\",\"jti\":\"j2\"}",
         0},
        {PEP_REVOKE_SID, "s1", "{\"sub\":\"a\",\"sid\":\"s1\"}", "{\"sub\":\"a\",\"jti\":\"s1\"}",
         0},
        {PEP_REVOKE_SUBJECT, "bob", "{\"sub\":\"bob\",\"iat\":1000}",
         "{\"sub\":\"bob\",\"iat\":2000}", 2000},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *meant = scene_token(&w.scene, cases[i].meant);
        char *spared = scene_token(&w.scene, cases[i].spared);
        expect_token_reason(meant, PEP_JWT_OK);
        expect_token_reason(spared, PEP_JWT_OK);
        revoke_one(cases[i].kind, cases[i].value, cases[i].before);
        hand_over();
        expect_token_reason(meant, PEP_JWT_REVOKED);
        expect_token_reason(spared, PEP_JWT_OK);
        free(meant);
        free(spared);
    }
}

static void a_token_is_denied_at_first_sight(void **state)
{
    (void)state;
    char *token = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"j1\"}");
    revoke_one(PEP_REVOKE_JTI, "j1", 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_REVOKED);
    expect_token_reason(token, PEP_JWT_REVOKED);
    free(token);
}

static void a_new_policy_does_not_forget(void **state)
{
    (void)state;
    char *token = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"j1\"}");
    char *other = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"j2\"}");
    expect_token_reason(token, PEP_JWT_OK);
    revoke_one(PEP_REVOKE_JTI, "j1", 0);
    hand_over();
    activate_version(2);
    expect_token_reason(token, PEP_JWT_REVOKED);
    expect_token_reason(other, PEP_JWT_OK);
    revoke_one(PEP_REVOKE_JTI, "j2", 0);
    hand_over();
    activate_version(3);
    expect_token_reason(other, PEP_JWT_REVOKED);
    free(token);
    free(other);
}

/* The list that came with other things last is the one that counts, also if it means less. */
static void an_entry_that_is_over_is_over(void **state)
{
    (void)state;
    char *token = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"j1\"}");
    struct pep_fed empty;
    assert_int_equal(pep_fed_new(&empty), PEP_OK);
    revoke_one(PEP_REVOKE_JTI, "j1", 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_REVOKED);
    assert_int_equal(pep_handle_feed(w.p, &empty), PEP_OK);
    expect_token_reason(token, PEP_JWT_OK);
    pep_fed_clear(&empty);
    free(token);
}

static void many_questions_about_one_token(void **state)
{
    (void)state;
    char *token = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"j1\"}");
    pep_item items[3] = {{"read", "doc:1", NULL}, {"read", "doc:2", NULL}, {"read", "doc:3", NULL}};
    pep_decision d[3] = {PEP_DECISION_INIT, PEP_DECISION_INIT, PEP_DECISION_INIT};
    assert_int_equal(pep_check_many(w.p, token, items, 3, d), 3);
    revoke_one(PEP_REVOKE_JTI, "j1", 0);
    hand_over();
    struct pep_counts before = counts();
    assert_int_equal(pep_check_many(w.p, token, items, 3, d), 0);
    struct pep_counts after = counts();
    assert_int_equal(after.tokens[PEP_TOKEN_REVOKED] - before.tokens[PEP_TOKEN_REVOKED], 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(d[i].code, PEP_CODE_BAD_TOKEN);
        assert_string_equal(d[i].reason, pep_jwt_reason_text(PEP_JWT_REVOKED));
        pep_decision_clear(&d[i]);
    }
    free(token);
}

/* Each lookup is one of known, verified, refused; the revoked are among the refused. */
static void lookups_are_counted_once(void **state)
{
    (void)state;
    char *token = scene_token(&w.scene, "{\"sub\":\"a\",\"jti\":\"j1\"}");
    char text[16384];
    assert_true(ask(token));
    assert_true(ask(token));
    revoke_one(PEP_REVOKE_JTI, "j1", 0);
    hand_over();
    assert_false(ask(token));
    assert_false(ask("nonsense"));
    struct pep_counts c = counts();
    assert_int_equal(c.tokens[PEP_TOKEN_VERIFIED], 1);
    assert_int_equal(c.tokens[PEP_TOKEN_HIT], 1);
    assert_int_equal(c.tokens[PEP_TOKEN_REFUSED], 2);
    assert_int_equal(c.tokens[PEP_TOKEN_REVOKED], 1);
    pep_metrics(w.p, text, sizeof(text));
    assert_non_null(strstr(text, "pep_tokens_total{result=\"revoked\"} 1\n"));
    assert_non_null(strstr(text, "\npep_revocations 1\n"));
    assert_non_null(strstr(text, "\npep_revocations_step 1\n"));
    assert_non_null(strstr(text, "\npep_revocations_behind 0\n"));
    free(token);
}

/* ---- relayed keys ---- */

static void keys_come_and_go(void **state)
{
    (void)state;
    char *first = relayed_token(w.key[0], "a"), *second = relayed_token(w.key[1], "a");
    expect_token_reason(first, PEP_JWT_KEYS_ABSENT);
    take_keys(1, 0);
    hand_over();
    expect_token_reason(first, PEP_JWT_OK);
    expect_token_reason(second, PEP_JWT_KEY);
    take_keys(3, 0); /* the new key beside the old */
    hand_over();
    expect_token_reason(first, PEP_JWT_OK);
    expect_token_reason(second, PEP_JWT_OK);
    take_keys(2, 0); /* the old key is withdrawn: its tokens were known */
    hand_over();
    expect_token_reason(first, PEP_JWT_KEY);
    expect_token_reason(second, PEP_JWT_OK);
    take_keys(3, 0);
    hand_over();
    expect_token_reason(first, PEP_JWT_OK);
    free(first);
    free(second);
}

static void a_new_policy_keeps_the_keys(void **state)
{
    (void)state;
    char *token = relayed_token(w.key[0], "a");
    take_keys(1, 0);
    hand_over();
    activate_version(2);
    expect_token_reason(token, PEP_JWT_OK);
    free(token);
}

static void keys_that_are_too_old_are_absent(void **state)
{
    (void)state;
    char *token = relayed_token(w.key[0], "a");
    take_keys(1, 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_OK);
    take_keys(1, MAX_AGE + 1);
    hand_over();
    expect_token_reason(token, PEP_JWT_KEYS_ABSENT);
    take_keys(1, MAX_AGE - 60);
    hand_over();
    expect_token_reason(token, PEP_JWT_OK);
    free(token);
}

/* A known token ends with its keys by the clock alone: nobody has to come and look. */
static void keys_end_under_a_known_token(void **state)
{
    (void)state;
    char *token = relayed_token(w.key[0], "a");
    take_keys(1, MAX_AGE - 3);
    hand_over();
    expect_token_reason(token, PEP_JWT_OK);
    sleep(4);
    expect_token_reason(token, PEP_JWT_KEYS_ABSENT);
    free(token);
}

static void keys_that_are_no_good_are_absent_and_reported(void **state)
{
    (void)state;
    char *token = relayed_token(w.key[0], "a");
    pep_status s = PEP_STATUS_INIT;
    take_keys(1, 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_OK);
    take_jwks("{\"keys\":[]}", 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_KEYS_ABSENT);
    pep_get_status(w.p, &s);
    assert_int_equal(s.last_error, PEP_EFORMAT);
    assert_non_null(strstr(s.last_error_text, RELAYED "/jwks"));
    activate_version(2); /* bad keys keep no policy out */
    expect_token_reason(token, PEP_JWT_KEYS_ABSENT);
    free(token);
}

/* One key, one algorithm: the issuer has changed its mind about a key that it keeps. */
static void a_key_that_changed_its_algorithm(void **state)
{
    (void)state;
    json_t *jwk = NULL;
    struct pep_jwk_private *key = NULL;
    assert_int_equal(pep_jwk_generate(PEP_ALG_RS256, "rsa", &jwk), PEP_OK);
    assert_int_equal(pep_jwk_private_read(jwk, &key, NULL), PEP_OK);
    char *token = relayed_token(key, "a");
    json_t *set = pep_jwk_public_set(jwk);
    char *text = json_dumps(set, 0);
    take_jwks(text, 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_OK);
    free(text);
    json_object_set_new(json_array_get(json_object_get(set, "keys"), 0), "alg",
                        json_string("PS256"));
    text = json_dumps(set, 0);
    take_jwks(text, 0);
    hand_over();
    expect_token_reason(token, PEP_JWT_KEY);
    free(text);
    free(token);
    json_decref(set);
    json_decref(jwk);
    pep_jwk_private_free(key);
}

/* ---- looking for keys ---- */

static bool looked(void)
{
    return atomic_exchange(&w.p->look, false);
}

static void an_unknown_key_is_looked_for(void **state)
{
    (void)state;
    char *first = relayed_token(w.key[0], "a"), *second = relayed_token(w.key[1], "a");
    char *forged = strdup(first);
    forged[strlen(forged) - 9] ^= 1;
    assert_false(looked());
    assert_false(ask(first)); /* none have come */
    assert_true(looked());
    take_keys(1, 0);
    hand_over();
    assert_true(ask(first));
    assert_false(ask(forged));
    assert_false(ask("nonsense"));
    assert_false(looked());
    assert_false(ask(second));
    assert_true(atomic_load(&w.p->waking)); /* the agent is told */
    assert_false(ask(second));
    assert_true(looked());
    take_keys(2, 0);
    hand_over();
    assert_false(ask(first)); /* known, and its key is gone */
    assert_true(looked());
    free(first);
    free(second);
    free(forged);
}

static void without_relayed_issuers_nobody_looks(void **state)
{
    (void)state;
    json_t *table = json_loads(w.scene.issuers, 0, NULL);
    json_array_remove(table, 1);
    free(w.scene.issuers);
    w.scene.issuers = json_dumps(table, 0);
    json_decref(table);
    activate_version(2);
    char *unknown = relayed_token(w.key[0], "a");
    assert_false(ask(unknown));
    assert_false(looked());
    free(unknown);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fed_set_up, fed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_known_token_is_denied_when_a_list_names_it),
        TEST(a_token_is_denied_at_first_sight),
        TEST(a_new_policy_does_not_forget),
        TEST(an_entry_that_is_over_is_over),
        TEST(many_questions_about_one_token),
        TEST(lookups_are_counted_once),
        TEST(keys_come_and_go),
        TEST(a_new_policy_keeps_the_keys),
        TEST(keys_that_are_too_old_are_absent),
        TEST(keys_end_under_a_known_token),
        TEST(keys_that_are_no_good_are_absent_and_reported),
        TEST(a_key_that_changed_its_algorithm),
        TEST(an_unknown_key_is_looked_for),
        TEST(without_relayed_issuers_nobody_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
