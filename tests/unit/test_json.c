/* The JSON reader: what it accepts with which value, what it refuses and where it says so. */
#include "pep/core/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, json_t **ret, struct pep_error *err)
{
    return pep_json_parse(pep_span_string(text), 65536, "t", ret, err);
}

/* Parsed and written again by jansson, members sorted. */
static void texts_and_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{}", "{}"},
        {" \t\r\n[ ] ", "[]"},
        {"{\"b\":1,\"a\":[true,false,null]}", "{\"a\":[true,false,null],\"b\":1}"},
        {"[0,-0,1,-1,9223372036854775807,-9223372036854775808]",
         "[0,0,1,-1,9223372036854775807,-9223372036854775808]"},
        {"[0.5,-1.25e2,1E+2,5e-1]", "[0.5,-125.0,100.0,0.5]"},
        {"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\"\\\\/\\b\\f\\n\\r\\t\"]"},
        {"[\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"]",
         "[\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]"},
        {"[\"\xc3\xa9\x7f\"]", "[\"\xc3\xa9\x7f\"]"},
        {"{\"\":{\"\":\"\"}}", "{\"\":{\"\":\"\"}}"},
        {"{\"a\":{\"a\":1},\"ab\":2,\"A\":3}", "{\"A\":3,\"a\":{\"a\":1},\"ab\":2}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *value = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        if (parse(cases[i].in, &value, &err) != PEP_OK)
            fail_msg("%s: %s", cases[i].in, pep_error_text(&err));
        char *out = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(out, cases[i].out);
        free(out);
        json_decref(value);
    }
}

static const struct {
    const char *in, *text;
} refusals[] = {
    {"", "t: empty"},
    {" ", "t:1:2: expected { or ["},
    {"1", "t:1:1: expected { or ["},
    {"\"a\"", "t:1:1: expected { or ["},
    {"\xef\xbb\xbf{}", "t:1:1: expected { or ["},
    {"{} {}", "t:1:4: text behind the JSON value"},
    {"[1]]", "t:1:4: text behind the JSON value"},
    {"[", "t:1:2: the text ends too early"},
    {"[1", "t:1:3: expected , or ]"},
    {"[1,]", "t:1:4: not a JSON value"},
    {"[,1]", "t:1:2: not a JSON value"},
    {"[1 2]", "t:1:4: expected , or ]"},
    {"[1}", "t:1:3: expected , or ]"},
    {"{", "t:1:2: expected a member's name in quotes"},
    {"{a:1}", "t:1:2: expected a member's name in quotes"},
    {"{\"a\"}", "t:1:5: expected :"},
    {"{\"a\":}", "t:1:6: not a JSON value"},
    {"{\"a\":1,}", "t:1:8: expected a member's name in quotes"},
    {"{\"a\":1 \"b\":2}", "t:1:8: expected , or }"},
    {"{\"a\":1,\n \"a\":2}", "t:2:5: the same member twice"},
    {"{\"a\":1,\"\\u0061\":2}", "t:1:16: the same member twice"},
    {"{\"a\":{\"b\":1,\"b\":2}}", "t:1:16: the same member twice"},
    {"[\"a", "t:1:4: the text ends inside a string"},
    {"[\"a\n\"]", "t:1:4: control byte in a string"},
    {"[\"\\x\"]", "t:1:4: unknown escape"},
    {"[\"\\", "t:1:4: unknown escape"},
    {"[\"\\u00\"]", "t:1:7: bad \\u escape"},
    {"[\"\\u00zz\"]", "t:1:7: bad \\u escape"},
    {"[\"\\u0000\"]", "t:1:9: \\u0000 is not allowed"},
    {"{\"a\\u0000\":1}", "t:1:10: \\u0000 is not allowed"},
    {"[\"\\ud800\"]", "t:1:9: bad \\u escape"},
    {"[\"\\ud800\\u0041\"]", "t:1:15: bad \\u escape"},
    {"[\"\\udc00\"]", "t:1:9: bad \\u escape"},
    {"[\"\xc3\"]", "t:1:4: the string ending here is not UTF-8"},
    {"[\"\xc0\x80\"]", "t:1:5: the string ending here is not UTF-8"},
    {"[\"\xed\xa0\x80\"]", "t:1:6: the string ending here is not UTF-8"},
    {"[01]", "t:1:3: not a JSON value"},
    {"[-]", "t:1:3: not a JSON value"},
    {"[+1]", "t:1:2: not a JSON value"},
    {"[.5]", "t:1:2: not a JSON value"},
    {"[1.]", "t:1:4: not a JSON value"},
    {"[1e]", "t:1:4: not a JSON value"},
    {"[0x10]", "t:1:3: expected , or ]"},
    {"[NaN]", "t:1:2: not a JSON value"},
    {"[Infinity]", "t:1:2: not a JSON value"},
    {"[1e400]", "t:1:7: number out of range"},
    {"[9223372036854775808]", "t:1:21: integer out of range"},
    {"[-9223372036854775809]", "t:1:22: integer out of range"},
    {"[True]", "t:1:2: not a JSON value"},
    {"[tru]", "t:1:2: not a JSON value"},
    {"[nullx]", "t:1:6: expected , or ]"},
    {"// no\n{}", "t:1:1: expected { or ["},
    {"['a']", "t:1:2: not a JSON value"},
};

static void refused_with_a_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        json_t *value = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        assert_int_equal(parse(refusals[i].in, &value, &err), PEP_EFORMAT);
        assert_null(value);
        assert_string_equal(err.text, refusals[i].text);
    }
}

static void a_nul_byte_is_refused_anywhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\" : [1, \"b\"]}";
    for (size_t i = 0; i <= sizeof(text) - 1; i++) {
        char copy[sizeof(text) + 1];
        json_t *value = NULL;
        memcpy(copy, text, i);
        copy[i] = '\0';
        memcpy(copy + i + 1, text + i, sizeof(text) - 1 - i);
        assert_int_equal(pep_json_parse(pep_span_of(copy, sizeof(text)), 100, "t", &value, NULL),
                         PEP_EFORMAT);
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    for (int depth = PEP_JSON_DEPTH; depth <= PEP_JSON_DEPTH + 1; depth++) {
        char text[4 * PEP_JSON_DEPTH];
        json_t *value = NULL;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        int expect = depth == PEP_JSON_DEPTH ? PEP_OK : PEP_ELIMIT;
        assert_int_equal(parse(text, &value, NULL), expect);
        json_decref(value);
    }
    /* Brackets in strings are no depth, and neighbours don't add up. */
    char wide[1024] = "[\"";
    json_t *value = NULL;
    memset(wide + 2, '[', 100);
    strcpy(wide + 102, "\"");
    for (int i = 0; i < 100; i++)
        strcat(wide, ",[]");
    strcat(wide, "]");
    assert_int_equal(parse(wide, &value, NULL), PEP_OK);
    assert_int_equal(json_array_size(value), 101);
    json_decref(value);
}

static void size_and_numbers_are_bounded(void **state)
{
    (void)state;
    json_t *value = NULL;
    char text[600] = "[0.";
    assert_int_equal(pep_json_parse(pep_span_string("[10]"), 4, "t", &value, NULL), PEP_OK);
    json_decref(value);
    value = NULL;
    assert_int_equal(pep_json_parse(pep_span_string("[100]"), 4, "t", &value, NULL), PEP_ELIMIT);
    for (size_t digits = 510; digits <= 511; digits++) {
        memset(text + 3, '1', digits);
        strcpy(text + 3 + digits, "]");
        assert_int_equal(parse(text, &value, NULL), digits == 510 ? PEP_OK : PEP_ELIMIT);
        if (digits == 510)
            json_decref(value);
    }
}

static void members_are_checked(void **state)
{
    (void)state;
    static const char *const only_all[] = {"s", "n", "f", NULL}, *const only_two[] = {"s", "n",
                                                                                      NULL};
    json_t *value = NULL;
    json_int_t n = 7;
    const char *text = "untouched";
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(parse("{\"s\":\"abc\",\"n\":5,\"f\":5.0}", &value, NULL), PEP_OK);
    assert_int_equal(pep_json_string(value, "s", 2, "t", &text, NULL), PEP_ELIMIT);
    assert_int_equal(pep_json_string(value, "n", 9, "t", &text, NULL), PEP_EFORMAT);
    assert_int_equal(pep_json_string(value, "none", 9, "t", &text, NULL), PEP_EFORMAT);
    assert_string_equal(text, "untouched");
    assert_int_equal(pep_json_string(value, "s", 3, "t", &text, NULL), PEP_OK);
    assert_string_equal(text, "abc");
    assert_null(pep_json_text(value, "s", 2, "t", NULL));
    assert_string_equal(pep_json_text(value, "s", 3, "t", NULL), "abc");
    assert_int_equal(pep_json_integer(value, "n", 6, 9, "t", &n, NULL), PEP_ELIMIT);
    assert_int_equal(pep_json_integer(value, "n", 1, 4, "t", &n, NULL), PEP_ELIMIT);
    assert_int_equal(pep_json_integer(value, "f", 1, 9, "t", &n, NULL), PEP_EFORMAT);
    assert_int_equal(n, 7);
    assert_int_equal(pep_json_integer(value, "n", 5, 5, "t", &n, NULL), PEP_OK);
    assert_int_equal(n, 5);
    assert_int_equal(pep_json_only(value, only_all, "t", NULL), PEP_OK);
    assert_int_equal(pep_json_only(value, only_two, "t", &err), PEP_EFORMAT);
    assert_string_equal(err.text, "t: unknown member `f`");
    assert_int_equal(pep_json_only(json_null(), only_two, "t", NULL), PEP_EFORMAT);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_their_values),         cmocka_unit_test(refused_with_a_place),
        cmocka_unit_test(a_nul_byte_is_refused_anywhere), cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(size_and_numbers_are_bounded),   cmocka_unit_test(members_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
