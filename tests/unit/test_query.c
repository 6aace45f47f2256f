/* What a caller may ask: each name once, valid values, JSON objects; trace context by the book. */
#include "pep/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask(const pep_query *q, const char *word)
{
    struct pep_asked a;
    struct pep_error why = PEP_ERROR_INIT;
    int r = pep_asked_read("read", "doc:1", q, &a, &why);
    if (word != NULL && strstr(why.text, word) == NULL)
        fail_msg("`%s` is not in `%s`", word, why.text);
    pep_asked_clear(&a);
    return r;
}

static void a_plain_question_needs_no_query(void **unused)
{
    (void)unused;
    struct pep_asked a;
    struct pep_error why = PEP_ERROR_INIT;
    assert_int_equal(ask(NULL, NULL), PEP_OK);
    assert_int_equal(pep_asked_read(NULL, "doc:1", NULL, &a, &why), PEP_EINVAL);
    assert_int_equal(pep_asked_read("", "doc:1", NULL, &a, &why), PEP_EINVAL);
    assert_int_equal(pep_asked_read("read", NULL, NULL, &a, &why), PEP_EINVAL);
    assert_int_equal(pep_asked_read("read", "", NULL, &a, &why), PEP_EINVAL);
}

static void a_name_may_be_given_once(void **unused)
{
    (void)unused;
    pep_query q = PEP_QUERY_INIT;
    pep_attr attrs[] = {pep_attr_int("amount", 1), pep_attr_string("tenant", "acme"),
                        pep_attr_int("amounu", 2)};
    q.attrs = attrs;
    q.attr_count = 3;
    assert_int_equal(ask(&q, NULL), PEP_OK);
    attrs[2].name = "amount";
    assert_int_equal(ask(&q, "twice: amount"), PEP_EINVAL);
    q.attr_count = 2;
    q.attrs_json = "{\"amount\": 3}";
    assert_int_equal(ask(&q, "twice: amount"), PEP_EINVAL);
    q.attrs_json = "{\"other\": 3}";
    assert_int_equal(ask(&q, NULL), PEP_OK);
    q.attrs_json = "{\"other\": 3, \"other\": 4}";
    assert_int_equal(ask(&q, "attrs_json"), PEP_EINVAL);
    /* The two lists have nothing to do with each other. */
    q.attrs_json = NULL;
    q.context_json = "{\"amount\": 3}";
    assert_int_equal(ask(&q, NULL), PEP_OK);
    q.context = attrs;
    q.context_count = 1;
    assert_int_equal(ask(&q, "twice: amount"), PEP_EINVAL);
}

static void the_most_attributes(void **unused)
{
    (void)unused;
    static char names[PEP_ATTRIBUTES_MAX + 1][8];
    static pep_attr attrs[PEP_ATTRIBUTES_MAX + 1];
    pep_query q = PEP_QUERY_INIT;
    for (unsigned i = 0; i <= PEP_ATTRIBUTES_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "n%u", i);
        attrs[i] = pep_attr_bool(names[i], true);
    }
    q.attrs = attrs;
    q.attr_count = PEP_ATTRIBUTES_MAX;
    assert_int_equal(ask(&q, NULL), PEP_OK);
    q.attr_count++;
    assert_int_equal(ask(&q, "too many"), PEP_EINVAL);
    q.attr_count = 2;
    attrs[1].name = names[0];
    assert_int_equal(ask(&q, "twice"), PEP_EINVAL);
}

static void values_must_be_there(void **unused)
{
    (void)unused;
    const char *items[] = {"a", NULL};
    pep_query q = PEP_QUERY_INIT;
    pep_attr a = pep_attr_string("x", NULL);
    q.attrs = &a;
    q.attr_count = 1;
    assert_int_equal(ask(&q, "invalid value: x"), PEP_EINVAL);
    a = pep_attr_string("x", "J\xc3\xa4ger");
    assert_int_equal(ask(&q, NULL), PEP_OK);
    a = pep_attr_string("x", "J\xe4ger");
    assert_int_equal(ask(&q, "invalid value: x"), PEP_EINVAL);
    a = pep_attr_set("x", items, 2);
    assert_int_equal(ask(&q, "invalid value"), PEP_EINVAL);
    a = pep_attr_set("x", items, 1);
    assert_int_equal(ask(&q, NULL), PEP_OK);
    a = pep_attr_set("x", NULL, 0);
    assert_int_equal(ask(&q, NULL), PEP_OK);
    a = pep_attr_set("x", NULL, 1);
    assert_int_equal(ask(&q, "invalid value"), PEP_EINVAL);
    a.type = (pep_type)5;
    assert_int_equal(ask(&q, "invalid value"), PEP_EINVAL);
    a = pep_attr_int(NULL, 1);
    assert_int_equal(ask(&q, "without a name"), PEP_EINVAL);
    a = pep_attr_int("", 1);
    assert_int_equal(ask(&q, "without a name"), PEP_EINVAL);
    q.attrs = NULL;
    assert_int_equal(ask(&q, "no attributes"), PEP_EINVAL);
}

static void numbers_must_be_finite(void **unused)
{
    (void)unused;
    pep_query q = PEP_QUERY_INIT;
    pep_attr a = pep_attr_number("amount", 1e308);
    q.attrs = &a;
    q.attr_count = 1;
    assert_int_equal(ask(&q, NULL), PEP_OK);
    a = pep_attr_number("amount", NAN);
    assert_int_equal(ask(&q, "amount"), PEP_EINVAL);
    a = pep_attr_number("amount", -INFINITY);
    assert_int_equal(ask(&q, "amount"), PEP_EINVAL);
}

static void json_must_be_a_bounded_object(void **unused)
{
    (void)unused;
    pep_query q = PEP_QUERY_INIT;
    static const char *const bad[] = {"", "[]", "1", "{", "{} x", "{\"a\":}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        q.attrs_json = bad[i];
        assert_int_equal(ask(&q, "attrs_json"), PEP_EINVAL);
    }
    char *big = malloc(PEP_QUERY_JSON_MAX + 2);
    assert_non_null(big);
    memset(big, ' ', PEP_QUERY_JSON_MAX + 1);
    memcpy(big, "{}", 2);
    big[PEP_QUERY_JSON_MAX + 1] = '\0';
    q.attrs_json = big;
    assert_int_equal(ask(&q, "attrs_json"), PEP_EINVAL);
    big[PEP_QUERY_JSON_MAX] = '\0';
    assert_int_equal(ask(&q, NULL), PEP_OK);
    free(big);
}

static void a_query_must_be_initialised(void **unused)
{
    (void)unused;
    pep_query q = PEP_QUERY_INIT;
    q.size = offsetof(pep_query, dpop) - 1;
    assert_int_equal(ask(&q, "PEP_QUERY_INIT"), PEP_EINVAL);
    q.size = offsetof(pep_query, dpop); /* of an earlier version */
    assert_int_equal(ask(&q, NULL), PEP_OK);
    q.size = sizeof(q) + 8; /* of a later version of the header */
    assert_int_equal(ask(&q, NULL), PEP_OK);
}

static void trace_ids_follow_the_recommendation(void **unused)
{
    (void)unused;
    char id[PEP_TRACE_ID + 1];
    pep_trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", id);
    assert_string_equal(id, "4bf92f3577b34da6a3ce929d0e0e4736");
    pep_trace_id("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later", id);
    assert_string_equal(id, "4bf92f3577b34da6a3ce929d0e0e4736");
    static const char *const bad[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pep_trace_id(bad[i], id);
        assert_string_equal(id, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_question_needs_no_query),
        cmocka_unit_test(a_name_may_be_given_once),
        cmocka_unit_test(the_most_attributes),
        cmocka_unit_test(values_must_be_there),
        cmocka_unit_test(numbers_must_be_finite),
        cmocka_unit_test(json_must_be_a_bounded_object),
        cmocka_unit_test(a_query_must_be_initialised),
        cmocka_unit_test(trace_ids_follow_the_recommendation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
