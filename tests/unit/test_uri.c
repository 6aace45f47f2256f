/* Which URIs are the same for a proof: RFC 9449 section 4.3 and RFC 3986 section 6.2.2, 6.2.3. */
#include "pep/core/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    bool there = pep_uri_same(pep_span_string(a), pep_span_string(b));
    assert_int_equal(pep_uri_same(pep_span_string(b), pep_span_string(a)), there);
    return there;
}

static void what_is_the_same(void **unused)
{
    (void)unused;
    static const char *const pairs[][2] = {
        {"https://api.acme/a", "https://api.acme/a"},
        {"https://api.acme/a", "HTTPS://API.Acme/a"},
        {"https://api.acme/a", "https://api.acme:443/a"},
        {"https://api.acme/a", "https://api.acme:/a"},
        {"http://api.acme/a", "http://api.acme:080/a"},
        {"https://api.acme", "https://api.acme/"},
        {"https://api.acme", "https://api.acme?x=1"},
        {"https://api.acme/a", "https://api.acme/a?x=/b#c"},
        {"https://api.acme/a", "https://api.acme/a#b?c"},
        {"https://api.acme/~a", "https://api.acme/%7Ea"},
        {"https://api.acme/a%2fb", "https://api.acme/a%2Fb"},
        {"https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (!same(pairs[i][0], pairs[i][1]))
            fail_msg("%s is not %s", pairs[i][0], pairs[i][1]);
    }
}

static void what_is_not(void **unused)
{
    (void)unused;
    static const char *const others[] = {
        "http://api.acme/a",
        "https://api.acme/A",
        "https://api.acme/a/",
        "https://api.acme/a/../a",
        "https://api.acme/./a",
        "https://api.acme//a",
        "https://api.acme:8443/a",
        "https://api.acme:80/a",
        "https://api.acme./a",
        "https://api.acme.evil/a",
        "https://u@api.acme/a",
        "https://api.acme:99999/a",
        "https://api.acme:4a/a",
        "https://api.acme\\a",
        "https:/api.acme/a",
        "https:api.acme/a",
        "//api.acme/a",
        "/a",
        "",
        "https://",
        "https:///a",
        "ftp://api.acme/a",
        "https://api.acme/a ",
        " https://api.acme/a",
        "https://api.acme/%61%zz",
        "https://api.acme/a%",
        "https://api.acme/a%2",
        "https://api.acme/\xc3\xa4",
        "https://api.acme/a\n",
        "https://[api.acme]/a",
        "https://[]/a",
        "https://[::1/a",
        "https://api%2eacme/a",
        "https://api.acme/%2561",
        "https://api.acme\t/a",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (same("https://api.acme/a", others[i]))
            fail_msg("%s", others[i]);
    }
    assert_false(same("https://api.acme/a%2Fb", "https://api.acme/a/b"));
    assert_false(same("https://[::1]/", "https://[::2]/"));
    assert_false(same("/a", "/a"));
    assert_false(same("https://a/\"", "https://a/\""));
}

static void the_longest(void **unused)
{
    (void)unused;
    char text[PEP_URI_MAX + 2];
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://a/", 10);
    text[PEP_URI_MAX] = '\0';
    assert_true(same(text, text));
    text[PEP_URI_MAX] = 'a';
    text[PEP_URI_MAX + 1] = '\0';
    assert_false(same(text, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_same),
        cmocka_unit_test(what_is_not),
        cmocka_unit_test(the_longest),
    };
    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
