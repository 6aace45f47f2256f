/* Names built from parts that users chose: no part can become two, a type or a pattern. */
#include "pep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static size_t build(char *out, size_t size, const char *type, const char *a, const char *b)
{
    const char *segments[] = {a, b};
    return pep_resource(out, size, type, segments, b == NULL ? 1 : 2);
}

static void segments_are_encoded(void **unused)
{
    (void)unused;
    char out[64];
    assert_int_equal(build(out, sizeof(out), "invoice", "acme", "4711"), 17);
    assert_string_equal(out, "invoice:acme/4711");
    build(out, sizeof(out), "doc", "a/b:c*d%e", NULL);
    assert_string_equal(out, "doc:a%2Fb%3Ac%2Ad%25e");
    build(out, sizeof(out), "doc", "J\xc3\xa4ger \"x\"", NULL);
    assert_string_equal(out, "doc:J\xc3\xa4ger \"x\"");
}

static void bad_parts_give_nothing(void **unused)
{
    (void)unused;
    static const char *const types[] = {"", "Invoice", "1x", "a b", "a/b", "a:b", NULL};
    static const char *const parts[] = {"", "a\nb", "\x7f", "\xff", "\xc0\xaf", NULL};
    char out[64];
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        strcpy(out, "x");
        assert_int_equal(build(out, sizeof(out), types[i], "a", NULL), 0);
        assert_string_equal(out, "");
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        strcpy(out, "x");
        const char *segments[] = {"a", parts[i]};
        assert_int_equal(pep_resource(out, sizeof(out), "doc", segments, 2), 0);
        assert_string_equal(out, "");
    }
    const char *one = "a";
    assert_int_equal(pep_resource(out, sizeof(out), "doc", &one, 0), 0);
    assert_int_equal(pep_resource(out, sizeof(out), "doc", NULL, 1), 0);
}

static void type_length_has_a_limit(void **unused)
{
    (void)unused;
    char out[256], type[65];
    memset(type, 'a', sizeof(type));
    type[63] = '\0';
    assert_int_equal(build(out, sizeof(out), type, "x", NULL), 65);
    type[63] = 'a';
    type[64] = '\0';
    assert_int_equal(build(out, sizeof(out), type, "x", NULL), 0);
}

static void a_name_that_does_not_fit_is_empty_not_shorter(void **unused)
{
    (void)unused;
    char out[18];
    memset(out, 'x', sizeof(out));
    assert_int_equal(build(out, 17, "invoice", "acme", "4711"), 17);
    assert_string_equal(out, "");
    assert_int_equal(out[17], 'x');
    assert_int_equal(build(out, 18, "invoice", "acme", "4711"), 17);
    assert_string_equal(out, "invoice:acme/4711");
    assert_int_equal(build(NULL, 0, "invoice", "acme", "4711"), 17);
}

static void the_whole_has_a_limit(void **unused)
{
    (void)unused;
    char out[2048], part[1100];
    memset(part, 'a', sizeof(part));
    part[1024 - 4] = '\0';
    assert_int_equal(build(out, sizeof(out), "doc", part, NULL), 1024);
    part[1024 - 4] = 'a';
    part[1024 - 3] = '\0';
    assert_int_equal(build(out, sizeof(out), "doc", part, NULL), 0);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_encoded),
        cmocka_unit_test(bad_parts_give_nothing),
        cmocka_unit_test(type_length_has_a_limit),
        cmocka_unit_test(a_name_that_does_not_fit_is_empty_not_shorter),
        cmocka_unit_test(the_whole_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
