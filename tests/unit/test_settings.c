/* Options: defaults, ranges, and what belongs to which mode. */
#include "pep/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct pep_settings good(const pep_options *o)
{
    struct pep_settings s;
    struct pep_error err = PEP_ERROR_INIT;
    if (pep_settings_copy(o, &s, &err) != PEP_OK)
        fail_msg("refused: %s", err.text);
    return s;
}

static void refused(const pep_options *o, const char *word)
{
    struct pep_settings s, untouched;
    struct pep_error err = PEP_ERROR_INIT;
    memset(&s, 0x5a, sizeof(s));
    memset(&untouched, 0x5a, sizeof(untouched));
    assert_int_equal(pep_settings_copy(o, &s, &err), PEP_EINVAL);
    assert_non_null(strstr(err.text, word));
    assert_memory_equal(&s, &untouched, sizeof(s));
}

static pep_options subscribe(void)
{
    pep_options o = PEP_OPTIONS_INIT;
    o.identity = "/etc/pep";
    return o;
}

static void defaults_are_filled_in(void **unused)
{
    (void)unused;
    unsetenv("PEP_ENROL_TOKEN_FILE");
    pep_options o = subscribe();
    struct pep_settings s = good(&o);
    assert_int_equal(s.mode, PEP_SUBSCRIBE);
    assert_string_equal(s.identity, "/etc/pep");
    assert_string_equal(s.cache, "/etc/pep/cache");
    assert_null(s.enrol_token_file);
    assert_null(s.audience);
    assert_non_null(s.can_oblige);
    assert_null(s.can_oblige[0]);
    assert_int_equal(s.poll_interval_ms, 15000);
    assert_int_equal(s.stale_after_ms, 60000);
    assert_int_equal(s.max_stale_s, 0);
    assert_int_equal(s.token_cache, 4096);
    assert_int_equal(s.event_queue, 8192);
    pep_settings_clear(&s);
}

static void strings_are_copied(void **unused)
{
    (void)unused;
    char path[] = "/a", audience[] = "billing", type[] = "step_up";
    const char *audiences[] = {audience, NULL}, *types[] = {type, NULL};
    pep_options o = subscribe();
    o.cache = path;
    o.audience = audiences;
    o.can_oblige = types;
    struct pep_settings s = good(&o);
    memset(path, 'x', 2);
    memset(audience, 'x', 7);
    memset(type, 'x', 7);
    assert_string_equal(s.cache, "/a");
    assert_string_equal(s.audience[0], "billing");
    assert_string_equal(s.can_oblige[0], "step_up");
    assert_null(s.can_oblige[1]);
    pep_settings_clear(&s);
}

static void the_token_file_may_come_from_the_environment(void **unused)
{
    (void)unused;
    pep_options o = subscribe();
    setenv("PEP_ENROL_TOKEN_FILE", "/run/token", 1);
    struct pep_settings s = good(&o);
    assert_string_equal(s.enrol_token_file, "/run/token");
    pep_settings_clear(&s);
    o.enrol_token_file = "/own";
    s = good(&o);
    assert_string_equal(s.enrol_token_file, "/own");
    pep_settings_clear(&s);
    unsetenv("PEP_ENROL_TOKEN_FILE");
}

static void numbers_keep_to_their_ranges(void **unused)
{
    (void)unused;
    pep_options o = subscribe();
    o.poll_interval_ms = 99;
    refused(&o, "poll_interval_ms");
    o.poll_interval_ms = 100;
    struct pep_settings s = good(&o);
    pep_settings_clear(&s);
    o = subscribe();
    o.lua_states = 65;
    refused(&o, "lua_states");
    o = subscribe();
    o.token_cache = 15;
    refused(&o, "token_cache");
    o = subscribe();
    o.event_queue = 1024 * 1024 + 1;
    refused(&o, "event_queue");
    o = subscribe();
    o.stale_after_ms = 99;
    refused(&o, "stale_after_ms");
}

static void stale_after_leaves_room_for_three_polls(void **unused)
{
    (void)unused;
    pep_options o = subscribe();
    o.mode = PEP_POLL;
    o.poll_interval_ms = 30000;
    struct pep_settings s = good(&o);
    assert_int_equal(s.stale_after_ms, 90000);
    pep_settings_clear(&s);
    o.stale_after_ms = 89999;
    refused(&o, "stale_after_ms");
    o.stale_after_ms = 90000;
    s = good(&o);
    pep_settings_clear(&s);
    o.mode = PEP_SUBSCRIBE; /* beacons come every second */
    o.stale_after_ms = 5000;
    s = good(&o);
    assert_int_equal(s.stale_after_ms, 5000);
    pep_settings_clear(&s);
}

static void each_mode_needs_its_files(void **unused)
{
    (void)unused;
    pep_options o = PEP_OPTIONS_INIT;
    refused(&o, "identity");
    o.identity = "";
    refused(&o, "identity");
    o = subscribe();
    o.bundle_file = "b";
    refused(&o, "bundle_file");
    pep_options f = PEP_OPTIONS_INIT;
    f.mode = PEP_FILE;
    refused(&f, "bundle_file");
    f.bundle_file = "b";
    refused(&f, "root_file");
    f.root_file = "r";
    struct pep_settings s = good(&f);
    assert_null(s.identity);
    assert_null(s.cache);
    pep_settings_clear(&s);
    f.mode = (pep_mode)3;
    refused(&f, "mode");
}

static void lists_are_bounded_and_without_gaps(void **unused)
{
    (void)unused;
    const char *many[66], *empty[] = {NULL}, *hole[] = {"a", "", NULL};
    for (int i = 0; i < 65; i++)
        many[i] = "x";
    many[65] = NULL;
    pep_options o = subscribe();
    o.audience = many;
    refused(&o, "audience");
    o.audience = many + 1;
    struct pep_settings s = good(&o);
    pep_settings_clear(&s);
    o.audience = empty;
    refused(&o, "audience");
    o.audience = NULL;
    o.can_oblige = hole;
    refused(&o, "can_oblige");
}

static void options_must_be_initialised(void **unused)
{
    (void)unused;
    refused(NULL, "NULL");
    pep_options o = subscribe();
    o.size = offsetof(pep_options, proof_cache) - 1;
    refused(&o, "PEP_OPTIONS_INIT");
    /* Compiled when the struct ended there: what is behind it is not looked at. */
    o.size = offsetof(pep_options, proof_cache);
    o.proof_cache = 1;
    struct pep_settings s = good(&o);
    assert_int_equal(s.proof_cache, 262144);
    assert_int_equal(s.proof_window_s, 60);
    pep_settings_clear(&s);
    o.size = sizeof(o);
    refused(&o, "proof_cache");
    o.proof_cache = 0;
    o.proof_window_s = 601;
    refused(&o, "proof_window_s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(the_token_file_may_come_from_the_environment),
        cmocka_unit_test(numbers_keep_to_their_ranges),
        cmocka_unit_test(stale_after_leaves_room_for_three_polls),
        cmocka_unit_test(each_mode_needs_its_files),
        cmocka_unit_test(lists_are_bounded_and_without_gaps),
        cmocka_unit_test(options_must_be_initialised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
