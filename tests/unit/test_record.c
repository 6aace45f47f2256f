/* Records: what was packed is written, as JSON that any reader takes, whatever the texts hold. */
#include "pep/record.h"

#include "pep/core/json.h"
#include "pep/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static const struct pep_span no_reads = {NULL, 0};

static struct pep_record sample(void)
{
    struct pep_record r;
    memset(&r, 0, sizeof(r));
    r.wall_ms = INT64_C(1772442000123); /* 2026-03-02T09:00:00.123Z */
    r.epoch = 1;
    r.version = 42;
    r.age_ms = 950;
    r.eval_ns = 431;
    r.outcome = PEP_DENY;
    r.code = PEP_CODE_NOT_GRANTED;
    r.id = "d_01ARYZ6S41TSV4RRFFQ69G5FAV";
    r.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    r.request_id = "req-1";
    r.subject = "ann";
    r.action = "approve";
    r.resource = "invoice:acme/1";
    return r;
}

/* What the queue holds of it, in `storage`. */
static struct pep_span packed_of(const struct pep_record *r, const struct pep_span *reads)
{
    static uint8_t storage[PEP_EVENT_MAX];
    struct pep_events *e = NULL;
    assert_int_equal(pep_events_new(PEP_EVENTS_MIN, &e), PEP_OK);
    assert_int_not_equal(pep_record_put(r, reads, e, 0), PEP_PUT_DROPPED);
    size_t size = pep_events_take(e, storage);
    assert_int_equal(pep_events_take(e, storage + size), 0);
    pep_events_free(e);
    return pep_span_of(storage, size);
}

static json_t *written(const struct pep_record *r, const char *service)
{
    struct pep_buffer line = pep_buffer_of(256 * 1024);
    json_t *json = NULL;
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(pep_record_write(packed_of(r, &no_reads), service, &line), PEP_OK);
    assert_null(memchr(line.data, '\n', line.size));
    if (pep_json_parse(pep_buffer_span(&line), 256 * 1024, "record", &json, &err) != PEP_OK)
        fail_msg("%s in %s", err.text, (const char *)line.data);
    pep_buffer_free(&line);
    return json;
}

static const char *text(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static json_int_t number(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static void every_member_is_there(void **unused)
{
    (void)unused;
    struct pep_record r = sample();
    json_t *json = written(&r, "billing-api/1");
    assert_string_equal(text(json, "id"), r.id);
    assert_string_equal(text(json, "time"), "2026-03-02T09:00:00.123Z");
    assert_string_equal(text(json, "service"), "billing-api/1");
    assert_string_equal(text(json, "trace_id"), r.trace_id);
    assert_string_equal(text(json, "request_id"), "req-1");
    assert_string_equal(text(json, "subject"), "ann");
    assert_string_equal(text(json, "action"), "approve");
    assert_string_equal(text(json, "resource"), "invoice:acme/1");
    assert_string_equal(text(json, "outcome"), "deny");
    assert_string_equal(text(json, "code"), "not_granted");
    assert_true(json_is_null(json_object_get(json, "rule")));
    assert_int_equal(number(json, "version"), 42);
    assert_int_equal(number(json, "epoch"), 1);
    assert_int_equal(number(json, "age_ms"), 950);
    assert_int_equal(number(json, "eval_ns"), 431);
    assert_true(json_is_object(json_object_get(json, "reads")));
    json_decref(json);
}

static void absent_texts_are_null(void **unused)
{
    (void)unused;
    struct pep_record r = sample();
    r.request_id = r.subject = r.action = r.resource = NULL;
    r.trace_id = "";
    json_t *json = written(&r, "");
    static const char *const names[] = {"service", "trace_id", "request_id",
                                        "subject", "action",   "resource"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(json_is_null(json_object_get(json, names[i])));
    json_decref(json);
}

static void hostile_texts_stay_texts(void **unused)
{
    (void)unused;
    struct pep_record r = sample();
    r.subject = "a\",\"outcome\":\"allow\"\n\\\x7f";
    r.action = "\xff\xc0\xaf\xed\xa0\x80J\xc3\xa4ger\xc3";
    json_t *json = written(&r, "s");
    assert_string_equal(text(json, "subject"), r.subject);
    assert_string_equal(text(json, "outcome"), "deny");
    assert_string_equal(text(json, "action"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                              "\xef\xbf\xbd\xef\xbf\xbdJ\xc3\xa4ger\xef\xbf\xbd");
    json_decref(json);
}

static void long_texts_are_cut(void **unused)
{
    (void)unused;
    char longer[3000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct pep_record r = sample();
    r.request_id = r.subject = r.action = r.resource = r.reason = longer;
    json_t *json = written(&r, "s");
    assert_int_equal(strlen(text(json, "request_id")), PEP_REQUEST_ID_MAX);
    assert_int_equal(strlen(text(json, "subject")), PEP_RECORD_TEXT_MAX);
    assert_int_equal(strlen(text(json, "resource")), PEP_RESOURCE_MAX);
    json_decref(json);
}

static void reads_that_were_too_long_are_said_to_be_lost(void **unused)
{
    (void)unused;
    struct pep_record r = sample();
    struct pep_buffer line = pep_buffer_of(256 * 1024);
    assert_int_equal(pep_record_write(packed_of(&r, NULL), "s", &line), PEP_OK);
    assert_non_null(strstr((const char *)line.data, "\"reads\":null,\"reads_lost\":true}"));
    pep_buffer_free(&line);
}

static void broken_bytes_are_refused(void **unused)
{
    (void)unused;
    struct pep_record r = sample();
    struct pep_buffer line = pep_buffer_of(256 * 1024);
    struct pep_span packed = packed_of(&r, &no_reads);
    for (size_t n = 0; n < packed.size; n++)
        assert_int_equal(pep_record_write(pep_span_of(packed.data, n), "s", &line), PEP_EFORMAT);
    assert_int_equal(line.size, 0);
    pep_buffer_free(&line);
}

/* Too long by its reads, or without a place: dropped, and counted each time. */
static void what_does_not_fit_is_dropped_and_counted(void **unused)
{
    (void)unused;
    static uint8_t large[PEP_EVENT_MAX], taken[PEP_EVENT_MAX];
    struct pep_record r = sample();
    struct pep_events *e = NULL;
    assert_int_equal(pep_events_new(PEP_EVENTS_MIN, &e), PEP_OK);
    assert_int_equal(pep_record_put(&r, &(struct pep_span){large, sizeof(large)}, e, 0),
                     PEP_PUT_DROPPED);
    unsigned queued = 0, dropped = 0, received = 0;
    for (unsigned i = 0; i < 2 * PEP_EVENTS_MIN + 100; i++) {
        if (pep_record_put(&r, &no_reads, e, i) == PEP_PUT_DROPPED)
            dropped++;
        else
            queued++;
    }
    while (pep_events_take(e, taken) > 0)
        received++;
    assert_int_equal(received, queued);
    assert_true(dropped > 0);
    assert_int_equal(pep_events_dropped(e), dropped + 1);
    pep_events_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_there),
        cmocka_unit_test(absent_texts_are_null),
        cmocka_unit_test(hostile_texts_stay_texts),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(reads_that_were_too_long_are_said_to_be_lost),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(what_does_not_fit_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
