/* Settings: defaults, file, command line, and every way to get one wrong. */
#include "pdp/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/config-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

#define READ(c, e, ...) read_args(c, e, (char *[]){(char *)"pdpd", __VA_ARGS__, NULL})

static int read_args(struct config *c, struct pep_error *err, char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    memset(err, 0, sizeof(*err));
    return config_read(argc, argv, c, err);
}

static void command_line_before_file_before_default(void **state)
{
    (void)state;
    struct config c;
    struct pep_error err;
    write_file("[pdpd]\nport_base = 9000\nenrol_rate = 5\nlog_level = debug\n");
    assert_int_equal(READ(&c, &err, "--data", "/d", "--config", path, "--port-base", "9100"), 0);
    assert_int_equal(c.port_base, 9100);
    assert_int_equal(c.enrol_rate, 5);
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(c.io_threads, 2);
    assert_string_equal(c.data, "/d");
    assert_string_equal(c.listen, "127.0.0.1");
    assert_string_equal(c.advertise, "127.0.0.1");
    assert_int_equal(READ(&c, &err, "--listen", "*", "--advertise", "pdp.example"), 0);
    assert_string_equal(c.advertise, "pdp.example");
    setenv("XDG_STATE_HOME", "/state", 1);
    assert_int_equal(READ(&c, &err, "--log-level", "error"), 0);
    assert_string_equal(c.data, "/state/pdpd");
}

static void wrong_command_lines_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *option, *value, *text;
    } cases[] = {
        {"--port-base", "80", "from 1024 to 65530"},
        {"--port-base", "7610x", "must be a number"},
        {"--port-base", "", "must be a number"},
        {"--log-level", "loud", "error, warning"},
        {"--listen", "*", "--advertise"},
        {"--listen", "0.0.0.0", "--advertise"},
        {"--listen", "::", "--advertise"},
        {"--nonsense", "x", "no such option"},
        {"extra", "word", "unexpected argument"},
        {"--config", "/nowhere/x", "/nowhere/x"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config c;
        struct pep_error err;
        memset(&c, 0x55, sizeof(c));
        assert_true(READ(&c, &err, (char *)cases[i].option, (char *)cases[i].value) < 0);
        assert_non_null(strstr(err.text, cases[i].text));
        assert_int_equal((unsigned char)c.data[0], 0x55); /* untouched */
    }
}

static void wrong_files_name_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
    } cases[] = {
        {"[pdpd]\nport_base = 1\n", ":2: port_base = 1: must be"},
        {"[pdpd]\ncolour = red\n", ":2: unknown setting `colour`"},
        {"[other]\nx = 1\n", ":2: section [other]"},
        {"[pdpd]\nnonsense\n", ":2: not `name = value`"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config c;
        struct pep_error err;
        write_file(cases[i].file);
        assert_int_equal(READ(&c, &err, "--data", "/d", "--config", path), PEP_EINVAL);
        assert_non_null(strstr(err.text, cases[i].text));
    }
}

static void a_reload_takes_what_may_change(void **state)
{
    (void)state;
    struct config c;
    struct pep_error err;
    char *argv[] = {(char *)"pdpd", (char *)"--data", (char *)"/d", (char *)"--config", path, NULL};
    write_file("[pdpd]\nport_base = 9000\nlog_level = info\n");
    assert_int_equal(config_read(5, argv, &c, &err), 0);
    write_file("[pdpd]\nport_base = 9500\nlog_level = debug\n");
    assert_int_equal(config_reload(5, argv, &c, &err), 0);
    assert_int_equal(c.port_base, 9000);
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    write_file("[pdpd]\nlog_level = loud\n");
    memset(&err, 0, sizeof(err));
    assert_int_equal(config_reload(5, argv, &c, &err), PEP_EINVAL);
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
}

/* Every setting is in the manual, and every option in the daemon's page. */
static void the_manuals_name_every_setting(void **state)
{
    (void)state;
    size_t count;
    const struct setting *s = config_settings(&count);
    char *pages[2];
    static const char *const names[] = {PDP_SOURCE "/pdpd.conf.5", PDP_SOURCE "/pdpd.8"};
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(names[i], "r");
        assert_non_null(f);
        pages[i] = calloc(1, 65536);
        assert_true(fread(pages[i], 1, 65535, f) > 0);
        fclose(f);
    }
    for (size_t i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof(text), ".It Ic %s ", s[i].name);
        assert_non_null(strstr(pages[0], text));
        if (s[i].value != NULL && s[i].value[0] != '\0') {
            snprintf(text, sizeof(text), ".Ql %s ", s[i].value);
            assert_non_null(strstr(pages[0], text));
        }
        if (s[i].option != NULL) {
            snprintf(text, sizeof(text), ".It Fl -%s ", s[i].option);
            assert_non_null(strstr(pages[1], text));
        }
    }
    free(pages[0]);
    free(pages[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(command_line_before_file_before_default),
        TEST(wrong_command_lines_are_explained),
        TEST(wrong_files_name_the_line),
        TEST(a_reload_takes_what_may_change),
        TEST(the_manuals_name_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
