/* Cutting off: revoke, suspend, resume, and that nobody else notices. */
#include "pdpd_kit.h"

#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct member {
    struct peer_keys keys;
    void *fetch, *notices;
    char id[PEP_CLIENT_ID_MAX + 1];
};

static int set_up(void **state)
{
    assert_int_equal(kit_site_up(state), 0);
    struct site *s = *state;
    struct pep_buffer b = kit_bundle(&s->d, 1, NULL, "x");
    json_t *answer = kit_push(&s->d, s->operator, pep_buffer_span(&b));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&b);
    return 0;
}

static struct member join(struct site *s, const char *service)
{
    struct member m = {.keys = kit_new_keys()};
    struct kit_token token = kit_token(&s->d, s->operator, service, 60, 1);
    struct kit_message first;
    assert_int_equal(kit_enrol(&s->d, &m.keys, &token, m.id), PEP_MSG_ENROLLED);
    m.fetch = kit_connect(&s->d, ZMQ_DEALER, FETCH, &m.keys);
    m.notices = kit_connect(&s->d, ZMQ_SUB, NOTICES, &m.keys);
    zmq_setsockopt(m.notices, ZMQ_SUBSCRIBE, "acme", 5);
    kit_fetch(m.fetch, "acme", NULL);
    assert_int_equal(kit_answer(&s->d, m.fetch, NULL).kind, PEP_ANSWER_VERSION);
    assert_true(kit_receive(m.notices, KIT_PATIENCE, &first));
    kit_clear(&first);
    return m;
}

static void leave(struct member *m)
{
    kit_close(m->fetch);
    kit_close(m->notices);
}

static json_t *set_state(struct site *s, const char *op, const char *service)
{
    return kit_operate(&s->d, s->operator, json_pack("{s:s, s:s}", "op", op, "service", service),
                       pep_span_of(NULL, 0), NULL);
}

static struct pep_statement statement(struct site *s, struct member *m)
{
    struct kit_message message;
    struct pep_statement st;
    assert_true(kit_receive(m->fetch, KIT_PATIENCE, &message));
    assert_int_equal(message.count, 1);
    struct pep_span body =
        kit_verified(&s->d, PEP_TYPE_STATEMENT, pep_buffer_span(&message.frames[0]));
    assert_int_equal(pep_statement_read(body, &st), 0);
    assert_string_equal(st.client, m->id);
    assert_string_equal(st.client_key, m->keys.public_key);
    kit_clear(&message);
    return st;
}

static void drain(void *socket)
{
    struct kit_message m;
    while (kit_receive(socket, 0, &m))
        kit_clear(&m);
}

static void push_next(struct site *s, uint64_t version, const char *note)
{
    json_t *head =
        kit_operate(&s->d, s->operator, json_pack("{s:s, s:s}", "op", "head", "bundle", "acme"),
                    pep_span_of(NULL, 0), NULL);
    uint8_t base[PEP_SHA256_SIZE];
    const char *digest = json_string_value(json_object_get(head, "digest"));
    assert_int_equal(pep_digest_parse(pep_span_string(digest), base), 0);
    json_decref(head);
    struct pep_buffer b = kit_bundle(&s->d, version, base, note);
    json_t *answer = kit_push(&s->d, s->operator, pep_buffer_span(&b));
    assert_true(kit_ok(answer));
    json_decref(answer);
    pep_buffer_free(&b);
}

/* The versions that a subscriber hears of until it hears of `last`; none may be missing in `seq`.
 */
static void hears_everything(struct site *s, struct member *m, uint64_t last)
{
    uint64_t seq = 0, version = 0;
    while (version != last) {
        struct kit_message message;
        struct pep_notice n;
        assert_true(kit_receive(m->notices, KIT_PATIENCE, &message));
        struct pep_span body =
            kit_verified(&s->d, PEP_TYPE_NOTICE, pep_buffer_span(&message.frames[1]));
        assert_int_equal(pep_notice_read(body, &n), 0);
        kit_clear(&message);
        if (seq != 0)
            assert_int_equal(n.seq, seq + 1);
        seq = n.seq;
        version = n.head.version;
    }
}

static void revoked_hears_only_that_and_the_other_misses_nothing(void **state)
{
    struct site *s = *state;
    struct kit_message m;
    struct member gone = join(s, "shop"), stays = join(s, "bank");
    drain(gone.notices);
    json_t *answer = set_state(s, "service.revoke", "shop");
    assert_true(kit_ok(answer));
    assert_int_equal(json_array_size(json_object_get(answer, "clients")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "cut")), 2);
    json_decref(answer);
    drain(gone.notices); /* what was on its way before */
    push_next(s, 2, "after");
    assert_int_equal(statement(s, &gone).kind, PEP_STATEMENT_REVOKED);
    kit_fetch(gone.fetch, "acme", NULL);
    assert_false(kit_receive(gone.fetch, KIT_QUIET, &m));
    assert_false(kit_receive(gone.notices, 1500, &m));
    hears_everything(s, &stays, 2);
    kit_fetch(stays.fetch, "acme", NULL);
    assert_int_equal(kit_answer(&s->d, stays.fetch, NULL).head.version, 2);
    /* Nor does a new connection help, nor a restart of the server. */
    leave(&gone);
    assert_int_equal(kit_stop(&s->d), 0);
    kit_up(&s->d);
    gone.fetch = kit_connect(&s->d, ZMQ_DEALER, FETCH, &gone.keys);
    kit_fetch(gone.fetch, "acme", NULL);
    assert_false(kit_receive(gone.fetch, KIT_QUIET, &m));
    kit_close(gone.fetch);
    leave(&stays);
}

static void revoking_twice_or_one_instance(void **state)
{
    struct site *s = *state;
    struct kit_message m;
    struct member one = join(s, "shop"), two = join(s, "shop");
    json_t *answer = set_state(s, "service.revoke", "shop/1");
    assert_int_equal(json_array_size(json_object_get(answer, "clients")), 1);
    json_decref(answer);
    answer = set_state(s, "service.revoke", "shop/1");
    assert_true(kit_ok(answer));
    assert_int_equal(json_array_size(json_object_get(answer, "clients")), 0);
    json_decref(answer);
    kit_fetch(two.fetch, "acme", NULL);
    assert_int_equal(kit_answer(&s->d, two.fetch, NULL).kind, PEP_ANSWER_VERSION);
    assert_int_equal(statement(s, &one).kind, PEP_STATEMENT_REVOKED);
    assert_false(kit_receive(one.fetch, KIT_QUIET, &m));
    /* Revoked is for ever: resume takes nobody back. */
    answer = set_state(s, "service.resume", "shop/1");
    assert_int_equal(json_array_size(json_object_get(answer, "clients")), 0);
    json_decref(answer);
    leave(&one);
    leave(&two);
}

static void suspended_comes_back_after_resume(void **state)
{
    struct site *s = *state;
    struct kit_message m;
    struct member one = join(s, "shop");
    json_decref(set_state(s, "service.suspend", "shop"));
    struct pep_statement away = statement(s, &one);
    assert_int_equal(away.kind, PEP_STATEMENT_SUSPENDED);
    leave(&one);
    one.fetch = kit_connect(&s->d, ZMQ_DEALER, FETCH, &one.keys);
    kit_fetch(one.fetch, "acme", NULL);
    assert_false(kit_receive(one.fetch, KIT_QUIET, &m));
    kit_close(one.fetch);
    json_decref(set_state(s, "service.resume", "shop"));
    one.fetch = kit_connect(&s->d, ZMQ_DEALER, FETCH, &one.keys);
    kit_fetch(one.fetch, "acme", NULL);
    struct pep_statement back = statement(s, &one);
    assert_int_equal(back.kind, PEP_STATEMENT_RESUMED);
    assert_true(back.seq > away.seq);
    assert_int_equal(kit_answer(&s->d, one.fetch, NULL).kind, PEP_ANSWER_VERSION);
    kit_close(one.fetch);
}

static void a_revoked_operator_is_cut(void **state)
{
    struct site *s = *state;
    struct pep_span none = pep_span_of(NULL, 0);
    struct peer_keys keys = kit_new_keys();
    json_decref(kit_operate(&s->d, s->operator,
                            json_pack("{s:s, s:s, s:s, s:s}", "op", "operator.add", "name", "bo",
                                      "role", "admin", "public_key", keys.public_key),
                            none, NULL));
    void *bo = kit_connect(&s->d, ZMQ_DEALER, OPERATORS, &keys);
    json_t *answer = kit_operate(&s->d, bo, json_pack("{s:s}", "op", "info"), none, NULL);
    assert_true(kit_ok(answer));
    json_decref(answer);
    answer =
        kit_operate(&s->d, s->operator,
                    json_pack("{s:s, s:s}", "op", "operator.revoke", "name", "bo"), none, NULL);
    assert_true(kit_ok(answer));
    json_decref(answer);
    uint8_t nonce[PEP_NONCE_SIZE] = {2};
    struct pep_buffer head = pep_buffer_of(64);
    struct kit_message m;
    pep_operate_write(PEP_MSG_OPERATE, nonce, &head);
    kit_send(bo, (struct pep_span[]){pep_buffer_span(&head), pep_span_string("{\"op\":\"info\"}")},
             2);
    assert_false(kit_receive(bo, KIT_QUIET, &m));
    pep_buffer_free(&head);
    kit_close(bo);
}

static void status_shows_what_services_say(void **state)
{
    struct site *s = *state;
    struct member one = join(s, "shop");
    struct pep_head have = {1, 1, {0}};
    kit_fetch(one.fetch, "acme", &have);
    kit_answer(&s->d, one.fetch, NULL);
    json_t *answer = kit_operate(&s->d, s->operator, json_pack("{s:s}", "op", "status"),
                                 pep_span_of(NULL, 0), NULL);
    json_t *service = json_array_get(json_object_get(answer, "services"), 0);
    json_t *bundle = json_array_get(json_object_get(answer, "bundles"), 0);
    assert_string_equal(json_string_value(json_object_get(service, "name")), "shop");
    assert_string_equal(json_string_value(json_object_get(service, "state")), "FRESH");
    assert_int_equal(json_integer_value(json_object_get(service, "version")), 1);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(service, "labels"), "zone")), "a");
    assert_true(json_integer_value(json_object_get(service, "last_seen")) >= time(NULL) - 5);
    assert_string_equal(json_string_value(json_object_get(bundle, "name")), "acme");
    assert_int_equal(json_integer_value(json_object_get(bundle, "version")), 1);
    json_decref(answer);
    leave(&one);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, kit_site_down)
    const struct CMUnitTest tests[] = {
        TEST(revoked_hears_only_that_and_the_other_misses_nothing),
        TEST(revoking_twice_or_one_instance),
        TEST(suspended_comes_back_after_resume),
        TEST(a_revoked_operator_is_cut),
        TEST(status_shows_what_services_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
