/* Command lines: durations, times and numbers with their refused neighbours, and the table parser.
 */
#include "pdp/policyctl/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"0", 0},
                {"90", 90},
                {"90s", 90},
                {"5m", 300},
                {"1h", 3600},
                {"7d", 604800},
                {"36600d", 3162240000},
                {"0s", 0},
                {"007m", 420}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t seconds = -1;
        assert_true(duration_read(good[i].text, &seconds));
        assert_true(seconds == good[i].seconds);
    }
    static const char *const bad[] = {"",     "s",     "-1s", "+1s",    "1.5h",
                                      "5 m",  " 5m",   "5m ", "36601d", "5M",
                                      "5min", "1h30m", "1w",  "0x5",    "99999999999999999s"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t seconds = -7;
        assert_false(duration_read(bad[i], &seconds));
        assert_true(seconds == -7);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at;
    } good[] = {{"0", 0},
                {"1772442000", 1772442000},
                {"2026-03-02T09:00:00Z", 1772442000},
                {"2026-03-02T10:00:00+01:00", 1772442000},
                {"2026-03-02T03:30:00-05:30", 1772442000},
                {"2024-02-29T00:00:00Z", 1709164800},
                {"1970-01-01T00:00:00Z", 0}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t at = -1;
        assert_true(time_read(good[i].text, &at));
        assert_true(at == good[i].at);
    }
    static const char *const bad[] = {"",
                                      "-1",
                                      "2026-03-02",
                                      "2026-03-02T09:00Z",
                                      "2026-03-02 09:00:00Z",
                                      "2026-03-02T09:00:00",
                                      "2026-03-02T09:00:00+0100",
                                      "2026-03-02T09:00:00+24:00",
                                      "2026-03-02T09:00:00Zx",
                                      "2026-02-29T00:00:00Z",
                                      "2026-04-31T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-01-00T00:00:00Z",
                                      "2026-03-02T24:00:00Z",
                                      "2026-03-02T09:60:00Z",
                                      "1970-01-01T00:00:00+01:00",
                                      "1969-12-31T23:59:59Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t at = -7;
        assert_false(time_read(bad[i], &at));
    }
}

static void numbers(void **state)
{
    (void)state;
    int64_t n = -1;
    assert_true(number_read("0", &n) && n == 0);
    assert_true(number_read("9007199254740992", &n) && n == (int64_t)1 << 53);
    assert_false(number_read("9007199254740993", &n));
    assert_false(number_read("", &n));
    assert_false(number_read("-1", &n));
    assert_false(number_read("1 ", &n));
    assert_false(number_read("1e3", &n));
    assert_true(n == (int64_t)1 << 53);
}

static void ages(void **state)
{
    (void)state;
    char out[TIME_TEXT];
    assert_string_equal(age_text(-5, out), "0s");
    assert_string_equal(age_text(119, out), "119s");
    assert_string_equal(age_text(120, out), "2m");
    assert_string_equal(age_text(7200, out), "2h");
    assert_string_equal(age_text(172800, out), "2d");
    assert_string_equal(time_text(0, out), "-");
}

/* ---- the parser ---- */

struct settings {
    const char *key, *file;
    struct option_list labels;
    struct option_number wait, count, at;
    bool strict;
};

static const struct option_row rows[] = {
    {"key", 'k', "NAME", OPTION_TEXT, offsetof(struct settings, key), "a key"},
    {"file", 'o', "FILE", OPTION_TEXT, offsetof(struct settings, file), "hides the common -o"},
    {"label", 0, "K=V", OPTION_LIST, offsetof(struct settings, labels), "labels"},
    {"wait", 0, "D", OPTION_DURATION, offsetof(struct settings, wait), "wait"},
    {"count", 'n', "N", OPTION_NUMBER, offsetof(struct settings, count), "count"},
    {"at", 0, "TIME", OPTION_TIME, offsetof(struct settings, at), "time"},
    {"strict", 0, NULL, OPTION_FLAG, offsetof(struct settings, strict), "strict"},
    OPTION_END,
};
static const struct option_set set = {sizeof(struct settings), rows};

struct outcome {
    int rc;
    struct settings own;
    struct common_settings common;
    struct parsed parsed;
    char said[2048];
};

/* Parses words; what was written to stderr is kept. */
static struct outcome parse(bool stop, char **words)
{
    struct outcome o = {.rc = -1};
    struct output out;
    int argc = 0;
    while (words[argc] != NULL)
        argc++;
    output_init(&out, true);
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    o.rc =
        options_parse(&out, "policyctl try", argc, words, &set, &o.own, &o.common, stop, &o.parsed);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    o.said[fread(o.said, 1, sizeof(o.said) - 1, file)] = '\0';
    fclose(file);
    return o;
}

#define PARSE(stop, ...) parse(stop, (char *[]){"try", __VA_ARGS__, NULL})

static void rows_are_filled(void **state)
{
    (void)state;
    struct outcome o =
        PARSE(false, "first", "-k", "ops", "--label", "a=1", "--label=b=2", "--wait", "5m",
              "second", "-n3", "--strict", "-o", "x.bundle", "--at", "2026-03-02T09:00:00Z",
              "--output", "json", "-c", "prod", "--", "--third");
    assert_int_equal(o.rc, EXIT_OK);
    assert_string_equal(o.own.key, "ops");
    assert_string_equal(o.own.file, "x.bundle");
    assert_int_equal(o.own.labels.count, 2);
    assert_string_equal(o.own.labels.items[1], "b=2");
    assert_true(o.own.wait.given && o.own.wait.value == 300);
    assert_true(o.own.count.given && o.own.count.value == 3);
    assert_true(o.own.at.given && o.own.at.value == 1772442000);
    assert_true(o.own.strict);
    assert_string_equal(o.common.format, "json");
    assert_string_equal(o.common.context, "prod");
    assert_int_equal(o.parsed.operand_count, 3);
    assert_string_equal(o.parsed.operands[0], "first");
    assert_string_equal(o.parsed.operands[2], "--third");
}

static void nothing_given_is_zero(void **state)
{
    (void)state;
    struct outcome o = PARSE(false, "only");
    assert_int_equal(o.rc, EXIT_OK);
    assert_null(o.own.key);
    assert_false(o.own.wait.given || o.own.strict || o.common.help);
    assert_int_equal(o.own.labels.count, 0);
}

static void stops_at_the_first_word(void **state)
{
    (void)state;
    struct outcome o = PARSE(true, "-c", "prod", "push", "--strict");
    assert_int_equal(o.rc, EXIT_OK);
    assert_int_equal(o.parsed.operand_count, 2);
    assert_string_equal(o.parsed.operands[0], "push");
    assert_false(o.own.strict);
}

static void refusals_say_what_and_what_next(void **state)
{
    (void)state;
    struct outcome o = PARSE(false, "--strct");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "unknown option `--strct`"));
    assert_non_null(strstr(o.said, "did you mean `--strict`?"));
    o = PARSE(false, "-z");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "unknown option `-z`"));
    o = PARSE(false, "--key");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "`--key` needs a value: NAME"));
    o = PARSE(false, "-k");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "`--key` needs a value: NAME"));
    o = PARSE(false, "--strict=yes");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "`--strict` takes no value"));
    o = PARSE(false, "--wait", "soon");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "`--wait soon`: expected a duration"));
    o = PARSE(false, "-n", "many");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "`--count many`: expected a whole number"));
    o = PARSE(false, "--at", "noon");
    assert_int_equal(o.rc, EXIT_USAGE);
    assert_non_null(strstr(o.said, "policyctl try --help"));
}

static void a_list_has_an_end(void **state)
{
    (void)state;
    char *words[OPTION_LIST_MAX + 3] = {"try"};
    for (size_t i = 1; i <= OPTION_LIST_MAX; i++)
        words[i] = "--label=a=1";
    struct outcome o = parse(false, words);
    assert_int_equal(o.rc, EXIT_OK);
    assert_int_equal(o.own.labels.count, OPTION_LIST_MAX);
    words[OPTION_LIST_MAX + 1] = "--label=a=1";
    o = parse(false, words);
    assert_int_equal(o.rc, EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(times),
        cmocka_unit_test(numbers),
        cmocka_unit_test(ages),
        cmocka_unit_test(rows_are_filled),
        cmocka_unit_test(nothing_given_is_zero),
        cmocka_unit_test(stops_at_the_first_word),
        cmocka_unit_test(refusals_say_what_and_what_next),
        cmocka_unit_test(a_list_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
