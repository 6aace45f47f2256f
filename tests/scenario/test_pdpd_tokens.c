/*
 * Revoked tokens on the server: what becomes a step, what a client gets that says what it holds,
 * and what is left after a restart. Raw peers send what policyctl never would.
 */
#include "token_steps.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* ---- what becomes a step ---- */

static void steps_follow_each_other(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = kit_no_list(), *start = kit_no_list();
    struct kit_plan p = {time(NULL), 0, 1, s->d.keys.policy_key};
    struct pep_buffer first = kit_make_step(list, &p);
    kit_add_step(s, &list, 2);
    assert_true(
        kit_code(kit_send_step(s, s->operator, start, pep_buffer_span(&first)), "conflict"));
    assert_true(kit_code(kit_send_step(s, s->operator, list, pep_buffer_span(&first)), "conflict"));
    /* Exactly the newest again: its answer may have been lost. */
    json_t *again = kit_send_step(s, s->operator, start, pep_revocations_step(list));
    assert_true(kit_ok(again));
    json_decref(again);
    struct pep_buffer replayed = pep_buffer_of(PEP_REVOCATION_STEP_SIZE);
    pep_put_span(&replayed, pep_revocations_step(list));
    kit_add_step(s, &list, 1);
    assert_true(
        kit_code(kit_send_step(s, s->operator, list, pep_buffer_span(&replayed)), "conflict"));
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_number"), 2);
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_entries"), 3);
    pep_buffer_free(&first);
    pep_buffer_free(&replayed);
    pep_revocations_free(start);
    pep_revocations_free(list);
}

static void only_named_keys_and_the_present_count(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = kit_no_list();
    struct pep_private_key *stranger = fixture_key("stranger");
    struct kit_plan wrong_key = {time(NULL), 0, 1, stranger},
                    beacon = {time(NULL), 0, 1, s->d.keys.beacon_key},
                    past = {time(NULL) - 660, 0, 1, s->d.keys.policy_key},
                    future = {time(NULL) + 660, 0, 1, s->d.keys.policy_key};
    assert_true(kit_step_refused(s, list, &wrong_key, "refused"));
    assert_true(kit_step_refused(s, list, &beacon, "refused"));
    assert_true(kit_step_refused(s, list, &past, "refused"));
    assert_true(kit_step_refused(s, list, &future, "refused"));
    struct pep_span nothing = pep_span_of(NULL, 0), junk = pep_span_string("junk");
    assert_true(kit_code(kit_send_step(s, s->operator, list, nothing), "usage"));
    assert_true(kit_code(kit_send_step(s, s->operator, list, junk), "refused"));
    json_t *request =
        json_pack("{s:s, s:i, s:s}", "op", "token.revoke", "number", 3, "digest", "x");
    assert_true(kit_code(kit_operate(&s->d, s->operator, request, junk, NULL), "usage"));
    uint8_t *large = calloc(1, PEP_REVOCATION_STEP_SIZE + 1);
    assert_true(kit_code(
        kit_send_step(s, s->operator, list, pep_span_of(large, PEP_REVOCATION_STEP_SIZE + 1)),
        "too_large"));
    struct pep_revocations *far = kit_no_list();
    struct kit_plan now = {time(NULL), 0, 1, s->d.keys.policy_key};
    pep_revocations_skip(far, 1000000);
    assert_true(kit_step_refused(s, far, &now, "refused"));
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_number"), 0);
    pep_revocations_free(far);
    past.created = time(NULL) - 540; /* within the ten minutes */
    struct pep_buffer step = kit_make_step(list, &past);
    json_t *answer = kit_send_step(s, s->operator, list, pep_buffer_span(&step));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&step);
    free(large);
    pep_private_key_free(stranger);
    pep_revocations_free(list);
}

static void *operator_of(struct site *s, const char *name, const char *role)
{
    struct peer_keys keys = kit_new_keys();
    json_t *added = kit_operate(&s->d, s->operator,
                                json_pack("{s:s, s:s, s:s, s:s}", "op", "operator.add", "name",
                                          name, "role", role, "public_key", keys.public_key),
                                pep_span_of(NULL, 0), NULL);
    assert_true(kit_ok(added));
    json_decref(added);
    return kit_connect(&s->d, ZMQ_DEALER, OPERATORS, &keys);
}

static void roles_and_audit(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = kit_no_list();
    struct kit_plan p = {time(NULL), 0, 3, s->d.keys.policy_key};
    struct pep_buffer step = kit_make_step(list, &p), bytes = pep_buffer_of(0);
    void *viewer = operator_of(s, "vera", "viewer"), *rollout = operator_of(s, "rolf", "rollout");
    assert_true(kit_code(kit_send_step(s, viewer, list, pep_buffer_span(&step)), "not_authorised"));
    json_t *done = kit_send_step(s, rollout, list, pep_buffer_span(&step));
    assert_true(kit_ok(done));
    json_decref(done);
    json_t *seen = kit_operate(&s->d, viewer, json_pack("{s:s}", "op", "token.list"),
                               pep_span_of(NULL, 0), &bytes);
    assert_int_equal(json_integer_value(json_object_get(seen, "number")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(seen, "kinds"), "jti")), 3);
    assert_int_equal(json_integer_value(json_object_get(seen, "step")), step.size);
    assert_int_equal(bytes.size, step.size + 3 * (size_t)PEP_REVOCATION_ENTRY);
    assert_memory_equal(bytes.data, step.data, step.size);
    json_t *audit =
        kit_operate(&s->d, viewer, json_pack("{s:s}", "op", "audit"), pep_span_of(NULL, 0), NULL);
    const json_t *line = json_array_get(json_object_get(audit, "entries"), 0);
    assert_string_equal(json_string_value(json_object_get(line, "operator")), "rolf");
    assert_string_equal(json_string_value(json_object_get(line, "what")),
                        "step 1, 3 entries, 3 in all");
    line = json_array_get(json_object_get(audit, "entries"), 1);
    assert_string_equal(json_string_value(json_object_get(line, "result")), "not_authorised");
    json_decref(seen);
    json_decref(audit);
    pep_buffer_free(&bytes);
    pep_buffer_free(&step);
    pep_revocations_free(list);
    kit_close(viewer);
    kit_close(rollout);
}

/* ---- what clients get ---- */

static void steps_or_the_whole(void **state)
{
    struct site *s = *state;
    void *client = kit_join(s, "shop");
    struct pep_revocations *list = kit_no_list(), *old = kit_no_list();
    struct kit_message m;
    uint8_t other[PEP_SHA256_SIZE] = {1};
    assert_int_equal(kit_told(client, list), PEP_REVOKED_NONE);
    kit_add_step(s, &list, 1);
    struct pep_revocations *first = pep_revocations_share(list);
    for (int i = 0; i < 3; i++)
        kit_add_step(s, &list, 1);
    assert_int_equal(kit_told(client, list), PEP_REVOKED_SAME);
    assert_int_equal(kit_told(client, old), PEP_REVOKED_SET); /* who has nothing */
    kit_ask_feed(client, "acme", 1, pep_revocations_digest(first));
    assert_int_equal(kit_hear_feed(client, &m).kind, PEP_REVOKED_STEPS);
    assert_int_equal(m.count, 4);
    assert_true(pep_span_equal(pep_buffer_span(&m.frames[3]), pep_revocations_step(list)));
    kit_clear(&m);
    kit_ask_feed(client, "acme", 2, other); /* another past */
    assert_int_equal(kit_hear_feed(client, &m).kind, PEP_REVOKED_SET);
    kit_clear(&m);
    kit_ask_feed(client, "other", 0, NULL); /* out of scope */
    assert_int_equal(kit_hear_feed(client, &m).kind, PEP_REVOKED_NONE);
    kit_clear(&m);
    struct pep_revocations *got = kit_whole_list(s, client);
    assert_true(kit_same_list(got, list));
    assert_int_equal(kit_metric(&s->d, "pdpd_feeds_total{answer=\"set\"}"), 3);
    pep_revocations_free(got);
    pep_revocations_free(first);
    pep_revocations_free(old);
    pep_revocations_free(list);
    kit_close(client);
}

/* Only as many steps are kept as one message may bring: who is further behind gets the whole. */
static void the_oldest_steps_give_way(void **state)
{
    struct site *s = *state;
    void *client = kit_join(s, "shop");
    struct pep_revocations *list = kit_no_list(), *kept[2] = {NULL, NULL};
    for (int i = 1; i <= PEP_FEED_STEPS + 3; i++) {
        kit_add_step(s, &list, 1);
        if (i == 2 || i == 3)
            kept[i - 2] = pep_revocations_share(list);
    }
    assert_int_equal(kit_told(client, kept[0]), PEP_REVOKED_SET);
    kit_ask_feed(client, "acme", 3, pep_revocations_digest(kept[1]));
    zmq_pollitem_t item = {client, 0, ZMQ_POLLIN, 0};
    assert_int_equal(zmq_poll(&item, 1, KIT_PATIENCE), 1);
    int frames = 0, more = 1;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        assert_true(zmq_msg_recv(&part, client, 0) >= 0);
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
        frames++;
    }
    assert_int_equal(frames, 1 + PEP_FEED_STEPS);
    assert_int_equal(kit_stop(&s->d), 0);
    kit_up(&s->d);
    assert_int_equal(kit_told(client, list), PEP_REVOKED_SAME);
    assert_int_equal(kit_told(client, kept[0]), PEP_REVOKED_SET);
    pep_revocations_free(kept[0]);
    pep_revocations_free(kept[1]);
    pep_revocations_free(list);
    kit_close(client);
}

static struct pep_notice next_notice(struct site *s, void *sub)
{
    struct pep_notice n;
    struct kit_message m;
    assert_true(kit_receive(sub, KIT_PATIENCE, &m));
    assert_int_equal(m.count, 2);
    struct pep_span body = kit_verified(&s->d, PEP_TYPE_NOTICE, pep_buffer_span(&m.frames[1]));
    assert_int_equal(pep_notice_read(body, &n), 0);
    kit_clear(&m);
    return n;
}

static void every_bundle_hears_and_nothing_is_lost(void **state)
{
    struct site *s = *state;
    struct pep_revocations *list = kit_no_list();
    struct peer_keys keys = kit_new_keys();
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    bool heard[2] = {false, false};
    kit_publish(s, "acme");
    kit_publish(s, "other");
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    void *sub = kit_connect(&s->d, ZMQ_SUB, NOTICES, &keys);
    void *client = kit_connect(&s->d, ZMQ_DEALER, FETCH, &keys);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0);
    assert_int_equal(next_notice(s, sub).feeds.revocations, 0);
    kit_add_step(s, &list, 1);
    while (!heard[0] || !heard[1]) {
        struct pep_notice n = next_notice(s, sub);
        if (n.feeds.revocations == 0)
            continue; /* from before */
        assert_memory_equal(n.feeds.revocations_digest, pep_revocations_digest(list),
                            PEP_SHA256_SIZE);
        heard[strcmp(n.bundle, "other") == 0] = true;
    }
    kill(s->d.pid, SIGKILL);
    assert_int_equal(kit_wait_end(&s->d), 128 + SIGKILL);
    kit_up(&s->d);
    kit_fetch(client, "acme", NULL);
    struct pep_answer a = kit_answer(&s->d, client, NULL);
    assert_int_equal(a.feeds.revocations, 1);
    assert_memory_equal(a.feeds.revocations_digest, pep_revocations_digest(list), PEP_SHA256_SIZE);
    struct pep_revocations *got = kit_whole_list(s, client);
    assert_true(kit_same_list(got, list));
    assert_int_equal(kit_metric(&s->d, "pdpd_revocations_entries"), 1);
    kit_add_step(s, &list, 1); /* the next step follows what was stored */
    pep_revocations_free(got);
    pep_revocations_free(list);
    kit_close(sub);
    kit_close(client);
}

static void a_client_ahead_is_reported_once(void **state)
{
    struct site *s = *state;
    void *client = kit_join(s, "shop");
    uint8_t digest[PEP_SHA256_SIZE] = {1};
    struct kit_message m;
    for (int i = 0; i < 3; i++) {
        kit_ask_feed(client, "acme", 40, digest);
        assert_int_equal(kit_hear_feed(client, &m).kind, PEP_REVOKED_NONE);
        kit_clear(&m);
    }
    char *log = kit_log(&s->d), *first = strstr(log, "holds step 40");
    assert_non_null(first);
    assert_null(strstr(first + 1, "holds step 40"));
    free(log);
    kit_close(client);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_site_up, kit_site_down)
    const struct CMUnitTest tests[] = {
        TEST(steps_follow_each_other),
        TEST(only_named_keys_and_the_present_count),
        TEST(roles_and_audit),
        TEST(steps_or_the_whole),
        TEST(the_oldest_steps_give_way),
        TEST(every_bundle_hears_and_nothing_is_lost),
        TEST(a_client_ahead_is_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
