/* What policyctl prints: error layout, cleaned texts, tables, JSON, progress without a terminal. */
#include "pdp/policyctl/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct capture {
    FILE *file;
    int fd, saved;
    char text[4096];
};

static struct capture capture(int fd)
{
    struct capture c = {tmpfile(), fd, -1, {0}};
    assert_non_null(c.file);
    fflush(NULL);
    c.saved = dup(fd);
    dup2(fileno(c.file), fd);
    return c;
}

static const char *captured(struct capture *c)
{
    fflush(NULL);
    dup2(c->saved, c->fd);
    close(c->saved);
    rewind(c->file);
    c->text[fread(c->text, 1, sizeof(c->text) - 1, c->file)] = '\0';
    fclose(c->file);
    return c->text;
}

static struct output plain(void)
{
    struct output out = {.format = OUTPUT_TABLE};
    return out;
}

static void errors_have_three_parts(void **state)
{
    (void)state;
    struct output out = plain();
    struct capture c = capture(STDERR_FILENO);
    int rc = output_error(&out, EXIT_NOT_AUTHORISED,
                          "no context `%s`\n%s\npolicyctl context list\nor so", "prd", "/home/ann");
    assert_string_equal(captured(&c), "error: no context `prd`\n"
                                      "  --> /home/ann\n"
                                      "   = help: policyctl context list\n"
                                      "   = help: or so\n");
    assert_int_equal(rc, 8);
    c = capture(STDERR_FILENO);
    output_error(&out, EXIT_FAILED, "short\n\ntry again");
    assert_string_equal(captured(&c), "error: short\n   = help: try again\n");
    c = capture(STDERR_FILENO);
    output_error(&out, EXIT_FAILED, "alone");
    assert_string_equal(captured(&c), "error: alone\n");
}

static void values_cannot_write_lines_or_escapes(void **state)
{
    (void)state;
    struct output out = plain();
    struct capture c = capture(STDERR_FILENO);
    output_error(&out, EXIT_FAILED, "%s\n%s", "a\nerror: forged\033[2J", "b\tc\x7f");
    assert_string_equal(captured(&c), "error: a?error: forged?[2J\n  --> b?c?\n");
    c = capture(STDERR_FILENO);
    output_note(&out, "%s", "x\r\ny");
    assert_string_equal(captured(&c), "x??y\n");
}

static void long_values_are_cut_not_overrun(void **state)
{
    (void)state;
    struct output out = plain();
    char *big = malloc(10000);
    assert_non_null(big);
    memset(big, 'x', 9999);
    big[9999] = '\0';
    struct capture c = capture(STDERR_FILENO);
    output_error(&out, EXIT_FAILED, "%s\n%s\n%s", big, big, big);
    assert_true(strlen(captured(&c)) < 3 * OUTPUT_LINE + 64);
    free(big);
}

static void findings_look_like_a_compiler(void **state)
{
    (void)state;
    struct output out = plain();
    struct output_finding f = {.level = "error",
                               .code = "E111",
                               .file = "policies/a.lua",
                               .line = 3,
                               .source = "  action = \"lsit\",",
                               .message = "no action `lsit`",
                               .help = "did you mean `list`?"};
    struct capture c = capture(STDERR_FILENO);
    output_finding(&out, &f);
    const char *text = captured(&c);
    assert_non_null(strstr(text, "error[E111]: no action `lsit`\n  --> policies/a.lua:3\n"));
    assert_non_null(strstr(text, "3 |   action = \"lsit\",\n"));
    assert_non_null(strstr(text, "   = help: did you mean `list`?\n"));
}

static const struct column columns[] = {
    {"NAME", false, false}, {"N", false, true}, {"MORE", true, false}, {NULL, false, false}};

static struct table *two_rows(void)
{
    struct table *t = table_new(columns);
    table_cell(t, "%s", "h\xc3\xa9");
    table_cell(t, "%d", 7);
    table_cell(t, "%s", "wide\nhere");
    table_cell(t, "%s", "longer");
    table_cell(t, "%d", 12345);
    table_cell(t, "%s", "");
    return t;
}

static void tables_align(void **state)
{
    (void)state;
    struct output out = plain();
    struct capture c = capture(STDOUT_FILENO);
    assert_int_equal(table_print(two_rows(), &out), EXIT_OK);
    assert_string_equal(captured(&c), "NAME        N\n"
                                      "h\xc3\xa9          7\n"
                                      "longer  12345\n");
    out.format = OUTPUT_WIDE;
    c = capture(STDOUT_FILENO);
    assert_int_equal(table_print(two_rows(), &out), EXIT_OK);
    assert_string_equal(captured(&c), "NAME        N  MORE\n"
                                      "h\xc3\xa9          7  wide?here\n"
                                      "longer  12345  -\n");
}

static void an_unfinished_row_is_an_error(void **state)
{
    (void)state;
    struct output out = plain();
    struct table *t = table_new(columns);
    table_cell(t, "%s", "only one");
    struct capture c = capture(STDERR_FILENO);
    assert_int_equal(table_print(t, &out), EXIT_FAILED);
    assert_int_equal(table_print(NULL, &out), EXIT_FAILED);
    captured(&c);
}

static void lists_print_one_of_the_two(void **state)
{
    (void)state;
    struct output out = plain();
    struct capture c = capture(STDOUT_FILENO);
    assert_int_equal(output_list(&out, two_rows(), json_pack("{s:i}", "n", 1)), EXIT_OK);
    assert_null(strstr(captured(&c), "{"));
    out.format = OUTPUT_JSON;
    c = capture(STDOUT_FILENO);
    assert_int_equal(output_list(&out, two_rows(), json_pack("{s:i}", "n", 1)), EXIT_OK);
    assert_string_equal(captured(&c), "{\"n\": 1}\n");
    c = capture(STDERR_FILENO);
    assert_int_equal(output_json(&out, NULL), EXIT_FAILED);
    captured(&c);
}

static void progress_is_one_line_per_change_without_a_terminal(void **state)
{
    (void)state;
    struct output out = plain();
    struct capture c = capture(STDERR_FILENO);
    output_progress(&out, "%d of 3", 1);
    output_progress(&out, "%d of 3", 1);
    output_progress(&out, "%d of 3", 2);
    output_progress_end(&out);
    assert_string_equal(captured(&c), "1 of 3\n2 of 3\n");
    out = plain();
    out.live = true;
    c = capture(STDERR_FILENO);
    output_progress(&out, "%d of 3", 1);
    output_note(&out, "done");
    assert_string_equal(captured(&c), "\r\033[K1 of 3\ndone\n");
}

static void formats_have_exact_names(void **state)
{
    (void)state;
    enum output_format f = OUTPUT_TABLE;
    assert_true(output_format_read("wide", &f) && f == OUTPUT_WIDE);
    assert_true(output_format_read("json", &f) && f == OUTPUT_JSON);
    assert_false(output_format_read("JSON", &f));
    assert_false(output_format_read("", &f));
    assert_int_equal(f, OUTPUT_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_three_parts),
        cmocka_unit_test(values_cannot_write_lines_or_escapes),
        cmocka_unit_test(long_values_are_cut_not_overrun),
        cmocka_unit_test(findings_look_like_a_compiler),
        cmocka_unit_test(tables_align),
        cmocka_unit_test(an_unfinished_row_is_an_error),
        cmocka_unit_test(lists_print_one_of_the_two),
        cmocka_unit_test(progress_is_one_line_per_change_without_a_terminal),
        cmocka_unit_test(formats_have_exact_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
