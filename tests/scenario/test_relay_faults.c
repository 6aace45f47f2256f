/*
 * Issuers that misbehave: whatever comes from their address, or does not, the last good keys stay, for
 * as long as the policy allows, in everybody's sight; and they survive a restart.
 */
#include "relay_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_AGE 8 /* seconds; they are renewed every two */

static const struct fault {
    const char *name, *path;
    int server;
    const char *error; /* part of what is said of it */
} faults[] = {
    {"https://error.test", "error", SERVER_GOOD, "HTTP status 500"},
    {"https://redirect.test", "redirect", SERVER_GOOD, "redirects are not followed"},
    {"https://text.test", "text", SERVER_GOOD, "1:1"},
    {"https://none.test", "none", SERVER_GOOD, "none of the 0 keys may be used"},
    {"https://huge.test", "huge", SERVER_GOOD, "longer than 65536 bytes"},
    {"https://endless.test", "endless", SERVER_GOOD, "longer than 65536 bytes"},
    {"https://heads.test", "heads", SERVER_GOOD, "head is longer than"},
    {"https://slow.test", "slow", SERVER_GOOD, "relay_timeout"},
    {"https://expired.test", "ok", SERVER_EXPIRED, "relay_ca"},
    {"https://stranger.test", "ok", SERVER_STRANGER, "relay_ca"},
    {"https://othername.test", "ok", SERVER_OTHER_NAME, "127.0.0.1"},
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

struct story {
    char *tokens[FAULTS];
};

static const char *text_in(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text == NULL ? "" : text;
}

static bool all_allowed(struct relay_scene *s, const void *story)
{
    const struct story *t = story;
    for (size_t i = 0; i < FAULTS; i++) {
        if (!relay_allows(s->client, t->tokens[i]))
            return false;
    }
    return true;
}

static bool all_refused(struct relay_scene *s, const void *story)
{
    const struct story *t = story;
    for (size_t i = 0; i < FAULTS; i++) {
        if (relay_allows(s->client, t->tokens[i]))
            return false;
    }
    return true;
}

static bool says_error(struct relay_scene *s, const void *fault)
{
    const struct fault *f = fault;
    json_t *o = relay_status(s, f->name);
    bool says = strstr(text_in(o, "error"), f->error) != NULL;
    json_decref(o);
    return says;
}

static void misbehave(struct relay_scene *s, const struct story *t)
{
    relay_set(s, "phase", "bad");
    for (size_t i = 0; i < FAULTS; i++)
        relay_until(s, says_error, &faults[i], faults[i].error);
    assert_true(all_allowed(s, t));
    for (size_t i = 0; i < FAULTS; i++) {
        json_t *o = relay_status(s, faults[i].name);
        assert_string_equal(text_in(o, "state"), "failing");
        assert_in_range(json_integer_value(json_object_get(o, "age")), 0, MAX_AGE);
        assert_int_equal(json_integer_value(json_object_get(o, "keys")), 1);
        assert_true(json_integer_value(json_object_get(o, "failures")) > 0);
        assert_true(json_is_integer(json_object_get(o, "next_try")));
        json_decref(o);
    }
    assert_int_equal(kit_metric(&s->site.d, "pdpd_relayed_issuers{state=\"failing\"}"), FAULTS);
}

static void grow_old(struct relay_scene *s, const struct story *t)
{
    char why[PEP_REASON_MAX];
    relay_until(s, all_refused, t, "keys that are too old are not used");
    for (size_t i = 0; i < FAULTS; i++)
        assert_string_equal(relay_reason(s->client, t->tokens[i], why),
                            "the issuer's keys have not arrived or are too old");
    json_t *o = relay_status(s, faults[0].name);
    assert_true(json_integer_value(json_object_get(o, "age")) >= MAX_AGE - 1);
    json_decref(o);
}

static bool log_says_all(struct relay_scene *s, const void *with)
{
    char *log = kit_log(&s->site.d);
    bool says = true;
    (void)with;
    for (size_t i = 0; i < FAULTS; i++) {
        char line[128];
        snprintf(line, sizeof(line), "keys of %s for acme are ", faults[i].name);
        says &= strstr(log, line) != NULL;
    }
    free(log);
    return says;
}

static void the_last_good_keys_stay_until_they_are_too_old(void **state)
{
    struct relay_scene *s = *state;
    struct relay_key key = relay_key_new("k1");
    const struct relay_key *const keys[] = {&key};
    struct story t;
    json_t *issuers = json_array();
    for (size_t i = 0; i < FAULTS; i++) {
        struct relay_issuer entry = {faults[i].name, faults[i].path, NULL, faults[i].server,
                                     MAX_AGE};
        json_array_append_new(issuers, relay_entry(s, &entry));
        t.tokens[i] = relay_token(&key, faults[i].name);
    }
    relay_publish(s, keys, 1);
    relay_push(s, issuers);
    s->client = relay_client(s, "one");
    relay_until(s, all_allowed, &t, "the first keys arrive");
    misbehave(s, &t);
    grow_old(s, &t);
    relay_until(s, log_says_all, NULL, "the log tells of each");
    relay_set(s, "phase", "good");
    relay_until(s, all_allowed, &t, "all is well again");
    for (size_t i = 0; i < FAULTS; i++)
        free(t.tokens[i]);
    relay_key_free(&key);
}

#define ISSUER "https://idp.test"

static bool is_failing(struct relay_scene *s, const void *with)
{
    json_t *o = relay_status(s, ISSUER);
    bool is = strcmp(text_in(o, "state"), "failing") == 0;
    (void)with;
    json_decref(o);
    return is;
}

static bool is_allowed(struct relay_scene *s, const void *token)
{
    return relay_allows(s->client, token);
}

static bool asked_with_etag(struct relay_scene *s, const void *with)
{
    (void)with;
    return relay_requests(s, "ok /ok \"") > 0;
}

static void they_survive_a_restart(void **state)
{
    struct relay_scene *s = *state;
    struct relay_key key = relay_key_new("k1");
    const struct relay_key *const keys[] = {&key};
    struct relay_issuer entry = {ISSUER, "ok", NULL, SERVER_GOOD, 3600};
    char *token = relay_token(&key, ISSUER);
    relay_publish(s, keys, 1);
    relay_push(s, json_pack("[o]", relay_entry(s, &entry)));
    s->client = relay_client(s, "one");
    relay_until(s, is_allowed, token, "the first keys arrive");
    pep_close(s->client);
    s->client = NULL;
    relay_stop_server(s);
    kit_close(s->site.operator);
    assert_int_equal(kit_stop(&s->site.d), 0);
    kit_up(&s->site.d);
    s->site.operator= kit_operator(&s->site.d);
    /* The issuer is gone; the keys are not. A service that joins now gets them. */
    relay_until(s, is_failing, NULL, "pdpd tried in vain");
    s->client = relay_client(s, "two");
    relay_until(s, is_allowed, token, "the kept keys arrive");
    free(token);
    relay_key_free(&key);
}

static void an_unchanged_document_is_not_sent_again(void **state)
{
    struct relay_scene *s = *state;
    struct relay_key key = relay_key_new("k1");
    const struct relay_key *const keys[] = {&key};
    struct relay_issuer entry = {ISSUER, "ok", NULL, SERVER_GOOD, MAX_AGE};
    char *token = relay_token(&key, ISSUER);
    relay_publish(s, keys, 1);
    relay_push(s, json_pack("[o]", relay_entry(s, &entry)));
    s->client = relay_client(s, "one");
    relay_until(s, is_allowed, token, "the first keys arrive");
    relay_until(s, asked_with_etag, NULL, "the next question names the ETag");
    json_t *o = relay_status(s, ISSUER);
    assert_string_equal(text_in(o, "state"), "good");
    json_decref(o);
    assert_true(kit_metric(&s->site.d, "pdpd_relay_fetches_total{result=\"fetched\"}") == 1);
    free(token);
    relay_key_free(&key);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, relay_up, relay_down)
    const struct CMUnitTest tests[] = {
        TEST(the_last_good_keys_stay_until_they_are_too_old),
        TEST(they_survive_a_restart),
        TEST(an_unchanged_document_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
