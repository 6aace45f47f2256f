/* How pdpd starts, refuses to start, and stops. */
#include "pdpd_kit.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool logged(const struct daemon *d, const char *text)
{
    char *log = kit_log(d);
    bool found = strstr(log, text) != NULL;
    if (!found)
        fprintf(stderr, "not in the log: %s\n%s\n", text, log);
    free(log);
    return found;
}

static int page(const struct daemon *d, const char *path)
{
    char *body = NULL;
    int status = kit_get(d, path, &body);
    free(body);
    return status;
}

static void first_start_makes_keys_and_a_way_in(void **state)
{
    (void)state;
    static const char *const files[] = {"curve.key", "beacon.key", "operator.json", "pdpd.db"};
    struct daemon d = kit_daemon();
    kit_up(&d);
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", d.folder, files[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    void *operator= kit_operator(&d);
    json_t *info =
        kit_operate(&d, operator, json_pack("{s:s}", "op", "info"), pep_span_of(NULL, 0), NULL);
    assert_true(kit_ok(info));
    assert_string_equal(json_string_value(json_object_get(info, "server_key")), d.server_key);
    assert_true(json_is_null(json_object_get(info, "installation")));
    json_decref(info);
    kit_close(operator);
    assert_int_equal(kit_stop(&d), 0);
    /* The same keys after a restart: clients have pinned them. */
    char before[KIT_KEY];
    memcpy(before, d.server_key, KIT_KEY);
    kit_up(&d);
    assert_string_equal(before, d.server_key);
    assert_int_equal(kit_stop(&d), 0);
    char *log = kit_log(&d);
    assert_null(strstr(log, d.secret_key));
    free(log);
    kit_free(&d);
}

static void ready_only_with_a_root(void **state)
{
    (void)state;
    struct daemon d = kit_daemon();
    kit_up(&d);
    assert_int_equal(page(&d, "/healthz"), 200);
    assert_int_equal(page(&d, "/readyz"), 503);
    assert_int_equal(page(&d, "/nothing"), 404);
    void *operator= kit_operator(&d);
    kit_upload_root(&d, operator);
    assert_int_equal(page(&d, "/readyz"), 200);
    assert_int_equal(kit_metric(&d, "pdpd_root_version"), 1);
    kit_close(operator);
    assert_int_equal(kit_stop(&d), 0);
    kit_free(&d);
}

static void second_daemon_on_the_folder_is_refused(void **state)
{
    (void)state;
    struct daemon d = kit_daemon(), other = kit_daemon();
    char own[64];
    kit_up(&d);
    memcpy(own, other.folder, sizeof(own));
    memcpy(other.folder, d.folder, sizeof(own));
    kit_start(&other, PDPD_PROGRAM, NULL);
    assert_int_equal(kit_wait_end(&other), 1);
    assert_true(logged(&d, "is in use by another pdpd"));
    assert_int_equal(page(&d, "/healthz"), 200);
    memcpy(other.folder, own, sizeof(own));
    assert_int_equal(kit_stop(&d), 0);
    kit_free(&d);
    kit_free(&other);
}

static void does_not_start_without_zap_handler(void **state)
{
    (void)state;
    static const char *const held_back[] = {"PDPD_TEST_NO_ZAP=1", NULL};
    struct daemon d = kit_daemon();
    kit_start(&d, PDPD_FAULTS_PROGRAM, held_back);
    assert_int_equal(kit_wait_end(&d), 1);
    assert_true(logged(&d, "self-test: the ZAP handler does not answer"));
    /* Its neighbour: the same program with the handler starts, and the shipped one ignores the
     * switch. */
    kit_start(&d, PDPD_FAULTS_PROGRAM, NULL);
    assert_true(kit_wait_up(&d));
    assert_int_equal(kit_stop(&d), 0);
    kit_start(&d, PDPD_PROGRAM, held_back);
    assert_true(kit_wait_up(&d));
    assert_int_equal(kit_stop(&d), 0);
    kit_free(&d);
}

static void open_folder_and_open_key_are_refused(void **state)
{
    (void)state;
    struct daemon d = kit_daemon();
    char path[128];
    kit_up(&d);
    assert_int_equal(kit_stop(&d), 0);
    assert_int_equal(chmod(d.folder, 0755), 0);
    kit_start(&d, PDPD_PROGRAM, NULL);
    assert_int_equal(kit_wait_end(&d), 1);
    assert_true(logged(&d, "chmod 700"));
    assert_int_equal(chmod(d.folder, 0700), 0);
    snprintf(path, sizeof(path), "%s/beacon.key", d.folder);
    assert_int_equal(chmod(path, 0644), 0);
    kit_start(&d, PDPD_PROGRAM, NULL);
    assert_int_equal(kit_wait_end(&d), 1);
    assert_true(logged(&d, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    kit_up(&d);
    assert_int_equal(kit_stop(&d), 0);
    kit_free(&d);
}

static void damaged_database_is_refused(void **state)
{
    (void)state;
    struct daemon d = kit_daemon();
    char path[128];
    kit_up(&d);
    assert_int_equal(kit_stop(&d), 0);
    snprintf(path, sizeof(path), "%s/pdpd.db", d.folder);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, 4096, SEEK_SET);
    for (int i = 0; i < 8192; i++)
        fputc(0x5a, f);
    fclose(f);
    kit_start(&d, PDPD_PROGRAM, NULL);
    assert_int_equal(kit_wait_end(&d), 1);
    assert_true(logged(&d, "damaged") || logged(&d, "malformed"));
    kit_free(&d);
}

static void port_in_use_is_named(void **state)
{
    (void)state;
    struct daemon d = kit_daemon(), other = kit_daemon();
    kit_up(&d);
    other.base = d.base;
    kit_start(&other, PDPD_PROGRAM, NULL);
    assert_int_equal(kit_wait_end(&other), 1);
    assert_true(logged(&other, "cannot listen on tcp://127.0.0.1:"));
    assert_int_equal(kit_stop(&d), 0);
    kit_free(&d);
    kit_free(&other);
}

static void http_takes_plain_reads_only(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200},
        {"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\nConnection: "
         "close\r\n\r\n",
         400},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: "
         "0\r\nConnection: close\r\n\r\n",
         400},
        {"DELETE /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 501},
    };
    struct daemon d = kit_daemon();
    kit_up(&d);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *answer = NULL;
        assert_int_equal(kit_http(&d, cases[i].request, &answer), cases[i].status);
        free(answer);
    }
    assert_int_equal(kit_stop(&d), 0);
    kit_free(&d);
}

static void settings_are_read_again_on_hangup(void **state)
{
    (void)state;
    struct daemon d = kit_daemon();
    kit_up(&d);
    assert_int_equal(kill(d.pid, SIGHUP), 0);
    for (int i = 0; i < 300; i++) {
        char *log = kit_log(&d);
        bool done = strstr(log, "reload: settings read again") != NULL;
        free(log);
        if (done)
            break;
        usleep(10000);
    }
    assert_true(logged(&d, "reload: settings read again"));
    assert_int_equal(page(&d, "/healthz"), 200);
    assert_int_equal(kit_stop(&d), 0);
    kit_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_start_makes_keys_and_a_way_in),
        cmocka_unit_test(ready_only_with_a_root),
        cmocka_unit_test(second_daemon_on_the_folder_is_refused),
        cmocka_unit_test(does_not_start_without_zap_handler),
        cmocka_unit_test(open_folder_and_open_key_are_refused),
        cmocka_unit_test(damaged_database_is_refused),
        cmocka_unit_test(port_in_use_is_named),
        cmocka_unit_test(http_takes_plain_reads_only),
        cmocka_unit_test(settings_are_read_again_on_hangup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
