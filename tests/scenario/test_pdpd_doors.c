/* Strangers and enrolment: who gets an identity, who does not, and that bad frames on any port
 * change nothing. */
#include "pdpd_kit.h"

#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool logged(const struct site *s, const char *text)
{
    char *log = kit_log(&s->d);
    bool found = strstr(log, text) != NULL;
    free(log);
    return found;
}

static void a_token_works_once_and_for_its_key_again(void **state)
{
    struct site *s = *state;
    char id[PEP_CLIENT_ID_MAX + 1], again[PEP_CLIENT_ID_MAX + 1];
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    struct peer_keys first = kit_new_keys(), second = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &first, &token, id), PEP_MSG_ENROLLED);
    assert_string_equal(id, "shop/1");
    /* The answer may have been lost: the same key gets it again, and no second identity. */
    assert_int_equal(kit_enrol(&s->d, &first, &token, again), PEP_MSG_ENROLLED);
    assert_string_equal(again, "shop/1");
    assert_int_equal(kit_enrol(&s->d, &second, &token, NULL), PEP_MSG_REFUSED);
    assert_true(logged(s, "the token is used up"));
    assert_int_equal(kit_metric(&s->d, "pdpd_enrolled_total"), 1);
    assert_int_equal(kit_metric(&s->d, "pdpd_clients"), 1);
}

static void numbers_count_up_and_are_not_used_again(void **state)
{
    struct site *s = *state;
    char id[PEP_CLIENT_ID_MAX + 1];
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 3);
    struct peer_keys keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &token, id), PEP_MSG_ENROLLED);
    json_decref(kit_operate(&s->d, s->operator,
                            json_pack("{s:s, s:s}", "op", "service.revoke", "service", "shop/1"),
                            pep_span_of(NULL, 0), NULL));
    /* A revoked key stays out, whatever its token says; the next key is the next number. */
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_REFUSED);
    keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &token, id), PEP_MSG_ENROLLED);
    assert_string_equal(id, "shop/2");
    assert_int_equal(kit_stop(&s->d), 0);
    kit_up(&s->d);
    keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &token, id), PEP_MSG_ENROLLED);
    assert_string_equal(id, "shop/3");
    keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_REFUSED);
}

static struct pep_refused refusal(struct site *s, const struct kit_token *token)
{
    struct peer_keys keys = kit_new_keys();
    struct pep_enrol m;
    struct kit_message answer;
    struct pep_refused r;
    struct pep_buffer frame = pep_buffer_of(PEP_ENROL_MAX);
    memset(&m, 0, sizeof(m));
    memcpy(m.token_id, token->id, sizeof(m.token_id));
    memcpy(m.secret, token->secret, sizeof(m.secret));
    pep_enrol_write(&m, &frame);
    void *socket = kit_connect(&s->d, ZMQ_DEALER, ENROL, &keys);
    struct pep_span span = pep_buffer_span(&frame);
    kit_send(socket, &span, 1);
    assert_true(kit_receive(socket, KIT_PATIENCE, &answer));
    assert_int_equal(answer.count, 1);
    assert_int_equal(pep_refused_read(pep_buffer_span(&answer.frames[0]), &r), 0);
    kit_clear(&answer);
    kit_close(socket);
    pep_buffer_free(&frame);
    assert_true(logged(s, r.reference));
    return r;
}

static void refusals_look_alike(void **state)
{
    struct site *s = *state;
    struct kit_token used = kit_token(&s->d, s->operator, "shop", 60, 1);
    struct kit_token late = kit_token(&s->d, s->operator, "shop", 1, 1);
    struct kit_token wrong = kit_token(&s->d, s->operator, "shop", 60, 1), unknown = wrong;
    struct peer_keys keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &used, NULL), PEP_MSG_ENROLLED);
    wrong.secret[5] ^= 1;
    memset(unknown.id, 'a', 32);
    struct timespec wait = {1, 200000000};
    nanosleep(&wait, NULL);
    struct pep_refused r[4] = {refusal(s, &used), refusal(s, &late), refusal(s, &wrong),
                               refusal(s, &unknown)};
    for (int i = 1; i < 4; i++) {
        assert_string_equal(r[0].reason, r[i].reason);
        assert_int_equal(strlen(r[0].reference), strlen(r[i].reference));
        assert_string_not_equal(r[0].reference, r[i].reference);
    }
    assert_true(logged(s, "the token is used up") && logged(s, "the token has expired"));
    assert_true(logged(s, "wrong secret") && logged(s, "unknown token"));
}

static void an_unknown_key_gets_nowhere(void **state)
{
    struct site *s = *state;
    static const int ports[] = {NOTICES, FETCH, OPERATORS};
    struct kit_message m;
    for (int i = 0; i < 3; i++) {
        struct peer_keys keys = kit_new_keys();
        void *socket = kit_connect(&s->d, i == 0 ? ZMQ_SUB : ZMQ_DEALER, ports[i], &keys);
        if (i == 0)
            zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
        else
            kit_fetch(socket, "acme", NULL);
        assert_false(kit_receive(socket, KIT_QUIET, &m));
        kit_close(socket);
    }
    /* An operator's key is nothing on the fetch port, nor a service's on the operator port. */
    struct peer_keys operator, service = kit_new_keys();
    memcpy(operator.public_key, s->d.public_key, KIT_KEY);
    memcpy(operator.secret_key, s->d.secret_key, KIT_KEY);
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    assert_int_equal(kit_enrol(&s->d, &service, &token, NULL), PEP_MSG_ENROLLED);
    void *a = kit_connect(&s->d, ZMQ_DEALER, FETCH, &operator);
    void *b = kit_connect(&s->d, ZMQ_DEALER, OPERATORS, &service);
    kit_fetch(a, "acme", NULL);
    kit_fetch(b, "acme", NULL);
    assert_false(kit_receive(a, KIT_QUIET, &m));
    assert_false(kit_receive(b, KIT_QUIET, &m));
    assert_int_equal(kit_metric(&s->d, "pdpd_fetches_total"), 0);
    kit_close(a);
    kit_close(b);
}

/* Sends each of these as one frame, two frames, and behind a good one. */
static long send_nonsense(void *socket, struct pep_span good)
{
    uint8_t byte = 0xff, large[1000];
    memset(large, 'P', sizeof(large));
    struct pep_span bad[] = {pep_span_of("\xff", 1),
                             pep_span_string("PD"),
                             pep_span_of("PD\1\2", 4),
                             pep_span_of("PD\2\2aaaa", 8),
                             pep_span_of("PD\1\177", 4),
                             pep_span_of(large, sizeof(large)),
                             pep_span_of(good.data, good.size - 1)};
    long sent = 0;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pep_span pair[3] = {bad[i], good, bad[i]};
        kit_send(socket, &bad[i], 1);
        kit_send(socket, pair, 3);
        sent += 2;
    }
    struct pep_buffer longer = pep_buffer_of(4096);
    pep_put_span(&longer, good);
    pep_put_u8(&longer, byte);
    struct pep_span span = pep_buffer_span(&longer);
    struct pep_span many[9] = {good, good, good, good, good, good, good, good, good};
    kit_send(socket, &span, 1);
    kit_send(socket, many, 9);
    pep_buffer_free(&longer);
    return sent + 2;
}

static void wait_for_metric(struct site *s, const char *name, long value)
{
    for (int i = 0; i < 500 && kit_metric(&s->d, name) < value; i++) {
        struct timespec wait = {0, 10000000};
        nanosleep(&wait, NULL);
    }
    assert_int_equal(kit_metric(&s->d, name), value);
}

static void nonsense_on_every_port_is_counted_and_dropped(void **state)
{
    struct site *s = *state;
    struct kit_message m;
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    struct peer_keys keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    struct pep_fetch f = {.bundle = "acme", .library = "kit"};
    struct pep_enrol e = {.host = "h"};
    struct pep_buffer fetch = pep_buffer_of(4096), enrol = pep_buffer_of(4096),
                      operate = pep_buffer_of(64);
    uint8_t nonce[PEP_NONCE_SIZE] = {0};
    memset(e.token_id, 'a', 32);
    pep_fetch_write(&f, &fetch);
    pep_enrol_write(&e, &enrol);
    pep_operate_write(PEP_MSG_OPERATE, nonce, &operate);

    void *client = kit_connect(&s->d, ZMQ_DEALER, FETCH, &keys);
    wait_for_metric(s, "pdpd_malformed_total{port=\"fetch\"}", 0);
    long sent = send_nonsense(client, pep_buffer_span(&fetch));
    wait_for_metric(s, "pdpd_malformed_total{port=\"fetch\"}", sent);
    kit_fetch(client, "acme", NULL);
    assert_int_equal(kit_answer(&s->d, client, NULL).kind, PEP_ANSWER_NONE);

    void *stranger = kit_connect(&s->d, ZMQ_DEALER, ENROL, &keys);
    sent = send_nonsense(stranger, pep_buffer_span(&enrol));
    wait_for_metric(s, "pdpd_malformed_total{port=\"enrol\"}", sent);
    assert_false(kit_receive(stranger, KIT_QUIET, &m));

    struct pep_span alone = pep_buffer_span(&operate);
    struct pep_span many[6] = {alone, alone, alone, alone, alone, alone};
    kit_send(s->operator, & alone, 1);
    kit_send(s->operator, many, 6);
    kit_send(s->operator,(struct pep_span[]){pep_span_string("x"), pep_span_string("{}")}, 2);
    wait_for_metric(s, "pdpd_malformed_total{port=\"operators\"}", 3);

    void *sub = kit_connect(&s->d, ZMQ_XSUB, NOTICES, &keys);
    kit_send(sub, (struct pep_span[]){pep_span_string("hello")}, 1);
    wait_for_metric(s, "pdpd_malformed_total{port=\"notices\"}", 1);
    pep_buffer_free(&fetch);
    pep_buffer_free(&enrol);
    pep_buffer_free(&operate);
    kit_close(client);
    kit_close(stranger);
    kit_close(sub);
}

static void bad_requests_of_operators_are_explained(void **state)
{
    struct site *s = *state;
    struct pep_span none = pep_span_of(NULL, 0);
    static const struct {
        const char *json, *code;
    } cases[] = {
        {"{\"op\":\"fly\"}", "usage"},
        {"{\"op\":7}", "usage"},
        {"{}", "usage"},
        {"[]", "usage"},
        {"{\"op\":\"head\"}", "usage"},
        {"{\"op\":\"head\",\"bundle\":\"../x\"}", "usage"},
        {"{\"op\":\"push\"}", "usage"},
        {"{\"op\":\"get\",\"bundle\":\"acme\",\"version\":-1}", "usage"},
        {"{\"op\":\"service.enrol\",\"name\":\"A B\",\"bundle\":\"acme\"}", "usage"},
        {"{\"op\":\"service.enrol\",\"name\":\"a\",\"bundle\":\"acme\",\"id\":\"xy\"}", "usage"},
        {"{\"op\":\"service.revoke\",\"service\":\"nobody\"}", "not_found"},
        {"{\"op\":\"operator.add\",\"name\":\"bo\",\"role\":\"king\",\"public_key\":\"x\"}",
         "usage"},
        {"{\"op\":\"operator.add\",\"name\":\"bo\",\"role\":\"viewer\",\"public_key\":\"x\"}",
         "usage"},
        {"{\"op\":\"operator.revoke\",\"name\":\"nobody\"}", "not_found"},
        {"{\"op\":\"operator.revoke\",\"name\":\"admin\"}", "refused"},
        {"{\"op\":\"root.get\",\"version\":9}", "not_found"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *request = json_loads(cases[i].json, 0, NULL);
        assert_true(kit_code(kit_operate(&s->d, s->operator, request, none, NULL), cases[i].code));
    }
}

static void a_role_is_a_limit(void **state)
{
    struct site *s = *state;
    struct pep_span none = pep_span_of(NULL, 0);
    struct peer_keys keys = kit_new_keys();
    json_t *answer = kit_operate(&s->d, s->operator,
                                 json_pack("{s:s, s:s, s:s, s:s}", "op", "operator.add", "name",
                                           "vera", "role", "viewer", "public_key", keys.public_key),
                                 none, NULL);
    assert_true(kit_ok(answer));
    json_decref(answer);
    void *viewer = kit_connect(&s->d, ZMQ_DEALER, OPERATORS, &keys);
    answer = kit_operate(&s->d, viewer, json_pack("{s:s}", "op", "status"), none, NULL);
    assert_true(kit_ok(answer));
    json_decref(answer);
    static const char *const forbidden[] = {"push",           "root.upload",    "service.enrol",
                                            "service.revoke", "operator.add",   "operator.revoke",
                                            "service.resume", "service.suspend"};
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        assert_true(
            kit_code(kit_operate(&s->d, viewer, json_pack("{s:s}", "op", forbidden[i]), none, NULL),
                     "not_authorised"));
    answer = kit_operate(&s->d, s->operator, json_pack("{s:s}", "op", "audit"), none, NULL);
    json_t *entry = json_array_get(json_object_get(answer, "entries"), 0);
    assert_string_equal(json_string_value(json_object_get(entry, "operator")), "vera");
    assert_string_equal(json_string_value(json_object_get(entry, "result")), "not_authorised");
    json_decref(answer);
    kit_close(viewer);
}

static void too_many_topics_cut_the_connection(void **state)
{
    struct site *s = *state;
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    struct peer_keys keys = kit_new_keys();
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    void *sub = kit_connect(&s->d, ZMQ_SUB, NOTICES, &keys);
    for (int i = 0; i < 64; i++)
        zmq_setsockopt(sub, ZMQ_SUBSCRIBE, &i, sizeof(i));
    wait_for_metric(s, "pdpd_peers", 2);
    assert_int_equal(kit_metric(&s->d, "pdpd_floods_total"), 0);
    int last = 64;
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, &last, sizeof(last));
    wait_for_metric(s, "pdpd_floods_total", 1);
    kit_close(sub);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_site_up, kit_site_down)
    const struct CMUnitTest tests[] = {
        TEST(a_token_works_once_and_for_its_key_again),
        TEST(numbers_count_up_and_are_not_used_again),
        TEST(refusals_look_alike),
        TEST(an_unknown_key_gets_nowhere),
        TEST(nonsense_on_every_port_is_counted_and_dropped),
        TEST(bad_requests_of_operators_are_explained),
        TEST(a_role_is_a_limit),
        TEST(too_many_topics_cut_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
