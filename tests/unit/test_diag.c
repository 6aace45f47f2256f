/* Diagnoses: collected within bounds, explained without gaps, and the nearest name for a misspelt
 * one. */
#include "pep/core/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void levels_come_from_the_code(void **state)
{
    (void)state;
    struct pep_diags d = PEP_DIAGS_INIT;
    pep_diag_add(&d, "E401", "issuers.json", 3, "help", "wrong: %d", 7);
    pep_diag_add(&d, "W402", NULL, 0, NULL, "odd");
    assert_int_equal(d.count, 2);
    assert_int_equal(d.errors, 1);
    assert_int_equal(d.warnings, 1);
    assert_int_equal(d.items[0].level, PEP_DIAG_ERROR);
    assert_string_equal(d.items[0].message, "wrong: 7");
    assert_string_equal(d.items[0].file, "issuers.json");
    assert_string_equal(d.items[0].help, "help");
    assert_int_equal(d.items[1].level, PEP_DIAG_WARNING);
    assert_null(d.items[1].file);
    assert_null(d.items[1].help);
    pep_diags_free(&d);
    assert_int_equal(d.count, 0);
    pep_diag_add(NULL, "E401", NULL, 0, NULL, "nobody listens");
}

static void control_bytes_do_not_reach_a_terminal(void **state)
{
    (void)state;
    struct pep_diags d = PEP_DIAGS_INIT;
    pep_diag_add(&d, "E401", "a\033b", 1, "c\rd", "e\033[31m\nf");
    assert_string_equal(d.items[0].file, "a?b");
    assert_string_equal(d.items[0].help, "c?d");
    assert_string_equal(d.items[0].message, "e?[31m\nf");
    pep_diag_add(&d, "E401", NULL, 1, NULL,
                 "\xc2\x9b"
                 "31m\xff\n\xc3\xa9\n");
    assert_string_equal(d.items[1].message, "??31m?\n\xc3\xa9\n"); /* or it is lost as JSON */
    pep_diags_free(&d);
}

static void what_is_not_kept_is_counted(void **state)
{
    (void)state;
    struct pep_diags d = PEP_DIAGS_INIT;
    for (size_t i = 0; i < PEP_DIAGS_MAX; i++)
        pep_diag_add(&d, "W401", NULL, 0, NULL, "%zu", i);
    assert_int_equal(d.errors, 0);
    pep_diag_add(&d, "W401", NULL, 0, NULL, "one more");
    assert_int_equal(d.count, PEP_DIAGS_MAX);
    assert_int_equal(d.lost, 1);
    assert_int_equal(d.errors, 0);
    assert_int_equal(d.warnings, PEP_DIAGS_MAX + 1);
    for (size_t i = 0; i <= PEP_DIAGS_MAX; i++) /* warnings leave room for errors */
        pep_diag_add(&d, "E401", NULL, 0, NULL, "%zu", i);
    assert_int_equal(d.count, 2 * PEP_DIAGS_MAX);
    assert_int_equal(d.lost, 2);
    assert_int_equal(d.errors, PEP_DIAGS_MAX + 1);
    pep_diags_free(&d);
}

static void the_same_again_is_dropped(void **state)
{
    (void)state;
    struct pep_diags d = PEP_DIAGS_INIT;
    pep_diag_add(&d, "E121", "a.lua", 3, NULL, "x");
    pep_diag_add(&d, "E121", "a.lua", 3, NULL, "x");
    assert_int_equal(d.count, 1);
    pep_diag_add(&d, "E121", "a.lua", 3, NULL, "y");
    pep_diag_add(&d, "E121", "a.lua", 4, NULL, "y");
    pep_diag_add(&d, "E121", "b.lua", 4, NULL, "y");
    pep_diag_add(&d, "W310", "b.lua", 4, NULL, "y");
    assert_int_equal(d.count, 5);
    pep_diags_drop(&d, 1);
    assert_int_equal(d.count, 4);
    assert_int_equal(d.errors, 3);
    assert_int_equal(d.items[1].line, 4);
    pep_diags_free(&d);
}

static void every_code_is_explained_once(void **state)
{
    (void)state;
    size_t count = 0;
    const struct pep_diag_text *texts = pep_diag_texts(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(strchr("EWN", texts[i].code[0]));
        assert_int_equal(strlen(texts[i].code), 4);
        assert_int_equal(strspn(texts[i].code + 1, "0123456789"), 3);
        assert_true(strlen(texts[i].title) > 0 && strlen(texts[i].text) > 0);
        assert_ptr_equal(pep_diag_explain(texts[i].code), &texts[i]);
    }
    assert_ptr_equal(pep_diag_explain("e401"), pep_diag_explain("E401"));
    assert_null(pep_diag_explain("E999"));
    assert_null(pep_diag_explain(""));
}

static void near_names_are_suggested_and_far_ones_are_not(void **state)
{
    (void)state;
    static const char *const names[] = {"action", "resource", "roles", "scopes", "same", "when"};
    static const struct {
        const char *word, *near;
    } rows[] = {
        {"role", "roles"},
        {"rolse", "roles"},
        {"Roles", "roles"},
        {"ressource", "resource"},
        {"acton", "action"},
        {"wen", "when"},
        {"scpoes", "scopes"},
        {"x", NULL},
        {"", NULL},
        {"principal", NULL},
        {"completely-different", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *near = pep_did_you_mean(rows[i].word, names, 6);
        if (rows[i].near == NULL ? near != NULL : near == NULL || strcmp(near, rows[i].near) != 0)
            fail_msg("%s: %s", rows[i].word, near == NULL ? "nothing" : near);
    }
    assert_null(pep_did_you_mean("role", names, 0));
    char longest[300];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_null(pep_did_you_mean(longest, names, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_come_from_the_code),
        cmocka_unit_test(control_bytes_do_not_reach_a_terminal),
        cmocka_unit_test(what_is_not_kept_is_counted),
        cmocka_unit_test(the_same_again_is_dropped),
        cmocka_unit_test(every_code_is_explained_once),
        cmocka_unit_test(near_names_are_suggested_and_far_ones_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
