/* Decision records: delivered plus dropped equal the decisions made, counted on the other side, and
 * each one says what was asked, read and decided. */
#include "tests/support/scene.h"

#include "pep/core/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 3
#define EACH    4000

static const char policy[] =
    "allow 'doc.pay' { action = 'pay', resource = 'doc', roles = 'payer',\n"
    "  when = function(sub, res, ctx) return res.amount <= 100 and sub.tenant == 'acme' end }\n";

static struct scene world;
static char *token;

static int set_up(void **unused)
{
    (void)unused;
    world = scene_new();
    scene_put_version(&world, 7, policy);
    token = scene_token(&world, "{\"sub\":\"ann\",\"roles\":[\"payer\"],\"tenant\":\"acme\"}");
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    free(token);
    scene_free(&world);
    return 0;
}

struct received {
    atomic_uint_fast64_t records, allowed, broken, dropped, decisions;
    atomic_uint delay_us;
    char last[4096];
};

static void on_record(void *user, const char *json, size_t length)
{
    struct received *r = user;
    json_t *value = NULL;
    if (pep_json_parse(pep_span_of(json, length), 1 << 20, "record", &value, NULL) != PEP_OK ||
        json_string_value(json_object_get(value, "id")) == NULL) {
        atomic_fetch_add(&r->broken, 1);
    } else {
        const char *outcome = json_string_value(json_object_get(value, "outcome"));
        atomic_fetch_add(&r->allowed, outcome != NULL && strcmp(outcome, "allow") == 0);
    }
    json_decref(value);
    size_t n = length < sizeof(r->last) - 1 ? length : sizeof(r->last) - 1;
    memcpy(r->last, json, n);
    r->last[n] = '\0';
    atomic_fetch_add(&r->records, 1);
    unsigned delay = atomic_load(&r->delay_us);
    if (delay > 0)
        usleep(delay);
}

static void on_status(void *user, const pep_status *s)
{
    struct received *r = user;
    if (s->state != PEP_CLOSED)
        return;
    atomic_store(&r->dropped, s->events_dropped);
    atomic_store(&r->decisions, s->decisions);
}

static pep *open_with(struct received *r, size_t queue)
{
    pep_options o = scene_options(&world);
    pep *p = NULL;
    o.on_record = on_record;
    o.on_status = on_status;
    o.user = r;
    o.event_queue = queue;
    assert_int_equal(pep_open(&o, &p), PEP_OK);
    return p;
}

static void a_record_tells_the_whole_decision(void **unused)
{
    (void)unused;
    static struct received r;
    pep *p = open_with(&r, 0);
    pep_attr amount = pep_attr_int("amount", 55);
    pep_query q = PEP_QUERY_INIT;
    pep_decision d = PEP_DECISION_INIT;
    q.attrs = &amount;
    q.attr_count = 1;
    q.request_id = "req-9";
    q.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_true(pep_check(p, token, "pay", "doc:1", &q, &d));
    pep_close(p);
    assert_int_equal(atomic_load(&r.records), 1);
    json_t *v = NULL;
    assert_int_equal(pep_json_parse(pep_span_string(r.last), 4096, "record", &v, NULL), PEP_OK);
    assert_string_equal(json_string_value(json_object_get(v, "id")), d.id);
    assert_string_equal(json_string_value(json_object_get(v, "subject")), "ann");
    assert_string_equal(json_string_value(json_object_get(v, "rule")), "doc.pay");
    assert_string_equal(json_string_value(json_object_get(v, "request_id")), "req-9");
    assert_string_equal(json_string_value(json_object_get(v, "trace_id")),
                        "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_int_equal(json_integer_value(json_object_get(v, "version")), 7);
    const json_t *reads = json_object_get(v, "reads");
    assert_true(json_number_value(json_object_get(reads, "res.amount")) == 55);
    assert_string_equal(json_string_value(json_object_get(reads, "sub.tenant")), "acme");
    json_decref(v);
}

static void denials_without_a_subject_are_recorded_too(void **unused)
{
    (void)unused;
    static struct received r;
    pep *p = open_with(&r, 0);
    assert_false(pep_allow(p, "bad", "pay", "doc:1"));
    assert_false(pep_allow(p, token, NULL, NULL));
    pep_close(p);
    assert_int_equal(atomic_load(&r.records), 2);
    assert_int_equal(atomic_load(&r.broken), 0);
    assert_int_equal(atomic_load(&r.allowed), 0);
}

struct asker {
    pep *p;
    unsigned allowed;
};

static void *ask(void *argument)
{
    struct asker *a = argument;
    pep_query q = PEP_QUERY_INIT;
    pep_attr amount = pep_attr_int("amount", 0);
    q.attrs = &amount;
    q.attr_count = 1;
    for (int i = 0; i < EACH; i++) {
        amount.value.integer = i % 200;
        a->allowed += pep_check(a->p, token, "pay", "doc:1", &q, NULL);
    }
    return NULL;
}

static void received_and_dropped_are_all(size_t queue, unsigned delay_us, bool may_drop)
{
    struct received *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    atomic_store(&r->delay_us, delay_us);
    pep *p = open_with(r, queue);
    struct asker askers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){p, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    unsigned allowed = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        allowed += askers[i].allowed;
    }
    /* Closing delivers for a second only; the slow machine gets its time before. */
    for (int i = 0; !may_drop && i < 6000 && atomic_load(&r->records) < THREADS * EACH; i++)
        usleep(10000);
    pep_close(p);
    assert_int_equal(allowed, THREADS * EACH * 101 / 200);
    assert_int_equal(atomic_load(&r->broken), 0);
    assert_int_equal(atomic_load(&r->decisions), THREADS * EACH);
    assert_int_equal(atomic_load(&r->records) + atomic_load(&r->dropped), THREADS * EACH);
    assert_int_equal(atomic_load(&r->dropped) > 0, may_drop);
    if (!may_drop)
        assert_int_equal(atomic_load(&r->allowed), allowed);
    free(r);
}

static void all_are_delivered_when_there_is_room(void **unused)
{
    (void)unused;
    received_and_dropped_are_all(4 * THREADS * EACH, 0, false);
}

static void the_rest_is_counted_when_there_is_not(void **unused)
{
    (void)unused;
    received_and_dropped_are_all(64, 200, true);
}

static void without_on_record_nothing_is_dropped(void **unused)
{
    (void)unused;
    pep *p = scene_open(&world);
    for (int i = 0; i < 200; i++)
        assert_false(pep_allow(p, token, "pay", "doc:1")); /* no amount */
    pep_status s = PEP_STATUS_INIT;
    pep_get_status(p, &s);
    assert_int_equal(s.events_dropped, 0);
    assert_int_equal(s.decisions, 200);
    pep_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_tells_the_whole_decision),
        cmocka_unit_test(denials_without_a_subject_are_recorded_too),
        cmocka_unit_test(all_are_delivered_when_there_is_room),
        cmocka_unit_test(the_rest_is_counted_when_there_is_not),
        cmocka_unit_test(without_on_record_nothing_is_dropped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
