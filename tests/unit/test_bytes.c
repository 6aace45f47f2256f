/* Cursor, buffer and text forms: exact values, and every refusal next to its accepted neighbour. */
#include "pep/core/bytes.h"
#include "pep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void integers_are_big_endian(void **state)
{
    (void)state;
    struct pep_buffer b = pep_buffer_of(64);
    pep_put_u8(&b, 1);
    pep_put_u16(&b, 0x0203);
    pep_put_u32(&b, 0x04050607);
    pep_put_u64(&b, 0x08090a0b0c0d0e0f);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(b.data[i], i + 1);
    struct pep_cursor c = pep_cursor_of(pep_buffer_span(&b));
    assert_int_equal(pep_get_u8(&c), 1);
    assert_int_equal(pep_get_u16(&c), 0x0203);
    assert_int_equal(pep_get_u32(&c), 0x04050607);
    assert_false(pep_cursor_done(&c));
    assert_true(pep_get_u64(&c) == 0x08090a0b0c0d0e0f);
    assert_true(pep_cursor_done(&c));
    assert_int_equal(pep_get_u8(&c), 0);
    assert_false(pep_cursor_done(&c));
    pep_buffer_free(&b);
}

static void buffer_fails_for_good_at_its_maximum(void **state)
{
    (void)state;
    struct pep_buffer b = pep_buffer_of(4);
    pep_put_bytes(&b, "abcd", 4);
    assert_false(b.failed);
    pep_put_u8(&b, 'e');
    assert_true(b.failed);
    assert_int_equal(pep_buffer_span(&b).size, 0);
    assert_null(pep_buffer_take(&b, NULL));
}

static void a_buffer_over_storage_stays_inside(void **unused)
{
    (void)unused;
    uint8_t storage[9];
    memset(storage, 'x', sizeof(storage));
    struct pep_buffer b = pep_buffer_over(storage, 8);
    pep_put_bytes(&b, "1234567", 7);
    assert_false(b.failed);
    assert_string_equal((const char *)storage, "1234567");
    pep_put_u8(&b, '8');
    assert_true(b.failed);
    assert_int_equal(b.size, 7);
    assert_int_equal(storage[8], 'x');
    b = pep_buffer_over(NULL, 0);
    pep_put_u8(&b, 1);
    assert_true(b.failed);
}

static void text_refuses_control_bytes(void **state)
{
    (void)state;
    char out[8];
    const struct {
        const char *bytes;
        size_t size;
        bool good;
    } cases[] = {{"\0\3abc", 5, true},     {"\0\3a\nc", 5, false},       {"\0\3a\0c", 5, false},
                 {"\0\7abcdefg", 9, true}, {"\0\10abcdefgh", 10, false}, {"\0\4abc", 5, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pep_cursor c = pep_cursor_of(pep_span_of(cases[i].bytes, cases[i].size));
        pep_get_text(&c, out, sizeof(out));
        assert_int_equal(pep_cursor_done(&c), cases[i].good);
    }
}

static void base64url_is_strict(void **state)
{
    (void)state;
    uint8_t out[16];
    size_t n = 0;
    const char *good[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "-_8"};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pep_base64url_decode(pep_span_string(good[i]), out, &n), PEP_OK);
    const char *bad[] = {"Z", "Zh", "Zm9", "Zg==", "Zm 8", "Zm+v", "Zm/v", "Zm9v\n", "Zm9vZ"};
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(pep_base64url_decode(pep_span_string(bad[i]), out, &n), PEP_EFORMAT);
}

static void base64_needs_its_padding(void **state)
{
    (void)state;
    uint8_t out[16];
    size_t n = 0;
    assert_int_equal(pep_base64_decode(pep_span_string("Zg=="), out, &n), PEP_OK);
    assert_int_equal(n, 1);
    assert_int_equal(pep_base64_decode(pep_span_string("Zg"), out, &n), PEP_EFORMAT);
    assert_int_equal(pep_base64_decode(pep_span_string("Zg="), out, &n), PEP_EFORMAT);
    assert_int_equal(pep_base64_decode(pep_span_string("Zh=="), out, &n), PEP_EFORMAT);
    assert_int_equal(pep_base64_decode(pep_span_string("===="), out, &n), PEP_EFORMAT);
    assert_int_equal(pep_base64_decode(pep_span_string("Z==="), out, &n), PEP_EFORMAT);
}

static void every_byte_string_survives_both_alphabets(void **state)
{
    (void)state;
    uint8_t in[32], out[64];
    for (size_t size = 0; size <= sizeof(in); size++) {
        for (size_t i = 0; i < size; i++)
            in[i] = (uint8_t)(size * 37 + i * 101);
        struct pep_buffer url = pep_buffer_of(100), std = pep_buffer_of(100);
        pep_put_base64url(&url, pep_span_of(in, size));
        pep_put_base64(&std, pep_span_of(in, size));
        size_t n = 99;
        assert_int_equal(pep_base64url_decode(pep_buffer_span(&url), out, &n), PEP_OK);
        assert_true(n == size && memcmp(in, out, n) == 0);
        assert_int_equal(pep_base64_decode(pep_buffer_span(&std), out, &n), PEP_OK);
        assert_true(n == size && memcmp(in, out, n) == 0);
        pep_buffer_free(&url);
        pep_buffer_free(&std);
    }
}

static void utf8_follows_rfc3629(void **state)
{
    (void)state;
    const char *good[] = {
        "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
    const char *bad[] = {"\x80",
                         "\xc0\x80",
                         "\xc3",
                         "\xe0\x9f\xbf",
                         "\xed\xa0\x80",
                         "\xf0\x8f\xbf\xbf",
                         "\xf4\x90\x80\x80",
                         "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < 6; i++)
        assert_true(pep_utf8_valid(pep_span_string(good[i])));
    for (size_t i = 0; i < 8; i++)
        assert_false(pep_utf8_valid(pep_span_string(bad[i])));
}

static void hex_is_lower_case_and_exact(void **state)
{
    (void)state;
    uint8_t out[2];
    char text[5];
    assert_int_equal(pep_hex_decode(pep_span_string("0aff"), out, 2), PEP_OK);
    pep_hex_encode(out, 2, text);
    assert_string_equal(text, "0aff");
    assert_int_equal(pep_hex_decode(pep_span_string("0AFF"), out, 2), PEP_EFORMAT);
    assert_int_equal(pep_hex_decode(pep_span_string("0aff0"), out, 2), PEP_EFORMAT);
}

static void mending_keeps_what_is_good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *mended;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"Gr\xc3\xb6\xc3\x9f", "Gr\xc3\xb6\xc3\x9f"},
        {"two\nlines\x1b[2J\x7f", "two?lines?[2J?"},
        {"cut \xc3", "cut ?"},
        {"Gr\xc3\xb6\xc3", "Gr\xc3\xb6?"},
        {"\xff\xc2\x9b\xc2\xa0\xed\xa0\x80", "???\xc2\xa0???"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[32];
        strcpy(text, cases[i].text);
        pep_text_mend(text);
        assert_string_equal(text, cases[i].mended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(buffer_fails_for_good_at_its_maximum),
        cmocka_unit_test(a_buffer_over_storage_stays_inside),
        cmocka_unit_test(text_refuses_control_bytes),
        cmocka_unit_test(base64url_is_strict),
        cmocka_unit_test(base64_needs_its_padding),
        cmocka_unit_test(every_byte_string_survives_both_alphabets),
        cmocka_unit_test(utf8_follows_rfc3629),
        cmocka_unit_test(hex_is_lower_case_and_exact),
        cmocka_unit_test(mending_keeps_what_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
