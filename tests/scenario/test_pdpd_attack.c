/*
 * Attacks on a running pdpd: what one peer does to all the others. Each shows that the attacker
 * gets nothing and that an honest neighbour is still served.
 */
#include "curve_raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Resident memory of pdpd, in KiB. */
static long memory(const struct site *s)
{
    char path[64], line[256];
    long kib = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)s->d.pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    }
    fclose(f);
    return kib;
}

/* Somebody joins as if nothing were. */
static struct peer_keys joins(struct site *s, const char *service)
{
    struct peer_keys keys = kit_new_keys();
    struct kit_token token = kit_token(&s->d, s->operator, service, 60, 1);
    assert_int_equal(kit_enrol(&s->d, &keys, &token, NULL), PEP_MSG_ENROLLED);
    return keys;
}

static void answers(struct site *s, void *fetch)
{
    kit_fetch(fetch, "acme", NULL);
    assert_int_equal(kit_answer(&s->d, fetch, NULL).kind, PEP_ANSWER_NONE);
}

/* Sends parts of one message until the server hangs up; false if it still listens after `ms`. */
static bool stopped_in(struct curve_raw *c, size_t part, long ms)
{
    static const uint8_t bytes[60000];
    int64_t until = now_ms() + ms;
    while (now_ms() < until) {
        if (!curve_raw_send(c, pep_span_of(bytes, part), true))
            return true;
    }
    return false;
}

/* Any key may connect to the enrol port; a message of endless parts is under every limit of
 * libzmq. */
static void endless_messages_are_cut(void **state)
{
    struct site *s = *state;
    struct peer_keys stranger = kit_new_keys(), enrolled = joins(s, "shop");
    struct peer_keys neighbour = joins(s, "bank");
    void *fetch = kit_connect(&s->d, ZMQ_DEALER, FETCH, &neighbour);
    struct curve_raw c;
    answers(s, fetch);
    long before = memory(s);
    for (int i = 0; i < 3; i++) {
        assert_true(curve_raw_open(&s->d, ENROL, &stranger, &c));
        assert_true(stopped_in(&c, 4000, 3000));
        curve_raw_close(&c);
        assert_true(curve_raw_open(&s->d, FETCH, &enrolled, &c));
        assert_true(stopped_in(&c, 60000, 3000));
        curve_raw_close(&c);
    }
    /* What a fast sender brings between two looks, and what AddressSanitizer keeps of it. */
    assert_in_range(memory(s) - before, 0, 600 * 1024);
    assert_true(kit_metric(&s->d, "pdpd_floods_total") >= 6);
    answers(s, fetch);
    joins(s, "late");
    kit_close(fetch);
}

/* The neighbour: long whole messages, many of them, are no attack. */
static void long_honest_conversations_are_not_cut(void **state)
{
    struct site *s = *state;
    struct peer_keys keys = joins(s, "shop");
    void *fetch = kit_connect(&s->d, ZMQ_DEALER, FETCH, &keys);
    char *filler = calloc(1, 60000);
    for (int i = 0; i < 100; i++) { /* 6 MB, malformed but whole */
        kit_send(fetch, (struct pep_span[]){pep_span_of(filler, 60000)}, 1);
        if (i % 20 == 19)
            answers(s, fetch);
    }
    free(filler);
    assert_int_equal(kit_metric(&s->d, "pdpd_floods_total"), 0);
    assert_int_equal(kit_metric(&s->d, "pdpd_malformed_total{port=\"fetch\"}"), 100);
    kit_close(fetch);
}

/* What a client says about itself is cut to fit; cut inside a character, it must not make the list
 * of audit entries unreadable for ever. */
static void a_host_name_cannot_hide_the_audit(void **state)
{
    struct site *s = *state;
    struct kit_token token = kit_token(&s->d, s->operator, "shop", 60, 1);
    struct peer_keys keys = kit_new_keys();
    struct pep_enrol m = {.host = "x"};
    struct pep_buffer frame = pep_buffer_of(PEP_ENROL_MAX);
    struct kit_message answer;
    for (int i = 0; i < 50; i++)
        memcpy(m.host + 1 + 2 * i, "\xc3\xa9", 3);
    memcpy(m.token_id, token.id, sizeof(m.token_id));
    memcpy(m.secret, token.secret, sizeof(m.secret));
    pep_enrol_write(&m, &frame);
    void *socket = kit_connect(&s->d, ZMQ_DEALER, ENROL, &keys);
    struct pep_span span = pep_buffer_span(&frame);
    kit_send(socket, &span, 1);
    assert_true(kit_receive(socket, KIT_PATIENCE, &answer));
    assert_int_equal(pep_message_type(pep_buffer_span(&answer.frames[0])), PEP_MSG_ENROLLED);
    kit_clear(&answer);
    kit_close(socket);
    pep_buffer_free(&frame);
    json_t *audit = kit_operate(&s->d, s->operator, json_pack("{s:s}", "op", "audit"),
                                pep_span_of(NULL, 0), NULL);
    assert_true(kit_ok(audit));
    const char *what = json_string_value(
        json_object_get(json_array_get(json_object_get(audit, "entries"), 0), "what"));
    assert_non_null(what);
    assert_non_null(strstr(what, "shop"));
    json_decref(audit);
}

#define CROWD 300

static size_t count_closed(struct curve_raw *crowd, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += curve_raw_closed(crowd[i].fd, 0);
    return n;
}

static void close_crowd(struct curve_raw *crowd, size_t count)
{
    for (size_t i = 0; i < count; i++)
        curve_raw_close(&crowd[i]);
}

/* Connections that only take up places on the port that is open to any key have to go soon, and
 * nobody else waits for that. */
static void a_crowd_at_the_enrol_port_is_sent_away(void **state)
{
    struct site *s = *state;
    struct peer_keys stranger = kit_new_keys();
    static struct curve_raw crowd[CROWD];
    for (size_t i = 0; i < CROWD; i++)
        assert_true(curve_raw_open(&s->d, ENROL, &stranger, &crowd[i]));
    joins(s, "shop");
    int64_t until = now_ms() + KIT_PATIENCE;
    while (count_closed(crowd, CROWD) < CROWD - 256)
        assert_true(now_ms() < until);
    joins(s, "bank");
    close_crowd(crowd, CROWD);
}

/* One identity has many processes, but not the whole server. */
static void one_identity_has_only_so_many_connections(void **state)
{
    struct site *s = *state;
    struct peer_keys greedy = joins(s, "shop"), neighbour = joins(s, "bank");
    static struct curve_raw crowd[257];
    for (size_t i = 0; i < 257; i++) {
        assert_true(curve_raw_open(&s->d, FETCH, &greedy, &crowd[i]));
        assert_true(curve_raw_send(&crowd[i], pep_span_of("", 0), false)); /* says hello */
    }
    assert_true(curve_raw_closed(crowd[256].fd, KIT_PATIENCE));
    assert_int_equal(count_closed(crowd, 256), 0);
    assert_int_equal(kit_metric(&s->d, "pdpd_floods_total"), 1);
    void *client = kit_connect(&s->d, ZMQ_DEALER, FETCH, &neighbour);
    answers(s, client);
    /* A place that became free is free again. */
    curve_raw_close(&crowd[0]);
    curve_raw_close(&crowd[256]);
    for (int64_t until = now_ms() + KIT_PATIENCE; kit_metric(&s->d, "pdpd_peers") > 255 + 2;)
        assert_true(now_ms() < until);
    void *last = kit_connect(&s->d, ZMQ_DEALER, FETCH, &greedy);
    answers(s, last);
    kit_close(client);
    kit_close(last);
    close_crowd(crowd + 1, 255);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_site_up, kit_site_down)
    const struct CMUnitTest tests[] = {
        TEST(endless_messages_are_cut),
        TEST(long_honest_conversations_are_not_cut),
        TEST(a_host_name_cannot_hide_the_audit),
        TEST(a_crowd_at_the_enrol_port_is_sent_away),
        TEST(one_identity_has_only_so_many_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
