/* Attacks on the engine that need more than one policy file (those are in tests/cases/hostile). */
#include "engine_kit.h"

#include <math.h>
#include <stdlib.h>

#define CHALLENGES 64
#define MERGED_MAX 1024 /* as in engine_oblige.c */

static bool refused(const char *schema, const char *rules, const char *code)
{
    struct kit_file files[] = {{"schema.lua", schema}, {"policies/a.lua", rules}};
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_policy *p = NULL;
    int rc = kit_try(files, 2, 1, &p, &diags);
    bool found = false;
    for (size_t i = 0; i < diags.count; i++)
        found = found || strcmp(diags.items[i].code, code) == 0;
    if (rc == PEP_OK)
        pep_policy_free(p);
    pep_diags_free(&diags);
    return rc == PEP_EPOLICY && found;
}

static const char *const plain = "allow \"x\" { action = \"do\", resource = \"thing\" }";

/* A text where the engine keeps a list would be read as one. */
static void no_claim_takes_the_place_of_the_raw_roles(void **state)
{
    (void)state;
    assert_true(
        refused("claims { token_roles = { from = \"sub\", type = \"string\" } }", plain, "E301"));
    assert_false(
        refused("claims { token_role = { from = \"sub\", type = \"string\" } }", plain, "E301"));
}

/* Each looks among the declared names for the one that was meant. */
static void many_mistakes_end_the_load(void **state)
{
    (void)state;
    const char *rules = "for i = 1, 900 do\n"
                        "  allow(\"r\" .. i) { action = \"do\", resource = \"thing\",\n"
                        "    roles = \"wrong\" .. i }\nend";
    struct kit_file files[] = {{"schema.lua", "roles { right = {} }"}, {"policies/a.lua", rules}};
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_policy *p = NULL;
    assert_int_equal(kit_try(files, 2, 1, &p, &diags), PEP_EPOLICY);
    assert_in_range(diags.errors, 200, 202);
    pep_diags_free(&diags);
}

static void same_names_a_few(void **state)
{
    (void)state;
    char text[512] = "allow \"x\" { action = \"do\", resource = \"thing\", same = { \"a0\"";
    for (int i = 1; i < 16; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ", \"a%d\"", i);
    size_t end = strlen(text);
    snprintf(text + end, sizeof(text) - end, " } }");
    assert_false(refused("", text, "E102"));
    snprintf(text + end, sizeof(text) - end, ", \"a16\" } }");
    assert_true(refused("", text, "E102"));
}

/* No comparison holds for it, so that a deny would not apply. */
static void a_number_is_one(void **state)
{
    (void)state;
    struct kit_file file = {"policies/a.lua",
                            "allow \"a\" { action = \"do\", resource = \"thing\" }\n"
                            "deny \"d\" { action = \"do\", resource = \"thing\",\n"
                            "  when = function(_, res) return res.amount > 10 end }\n"};
    struct pep_policy *p = kit_policy(&file, 1);
    struct pep_subject *subject = NULL;
    json_t *claims = kit_json("{\"sub\":\"ann\"}");
    assert_int_equal(pep_subject_from_claims(p, claims, &subject, NULL), PEP_OK);
    const double numbers[] = {5, 11, (double)NAN, (double)INFINITY};
    const pep_code codes[] = {PEP_CODE_ALLOWED, PEP_CODE_DENIED, PEP_CODE_BAD_REQUEST,
                              PEP_CODE_BAD_REQUEST};
    for (int i = 0; i < 4; i++) {
        pep_attr amount = pep_attr_number("amount", numbers[i]);
        struct pep_request q = {.subject = subject,
                                .action = "do",
                                .resource = "thing:1",
                                .attrs = &amount,
                                .attr_count = 1};
        struct pep_verdict v;
        pep_policy_decide(p, &q, &v);
        assert_int_equal(v.code, codes[i]);
    }
    pep_subject_free(subject);
    json_decref(claims);
    pep_policy_free(p);
}

/* Texts for several challenges at once are kept with the policy: a caller that walks through all
 * pairs must neither fill the memory nor ever be asked for less. */
static void merged_challenges_are_bounded(void **state)
{
    (void)state;
    char *rules = malloc(CHALLENGES * 256);
    int merged = 0, faults = 0;
    assert_non_null(rules);
    rules[0] = '\0';
    for (int i = 0; i < CHALLENGES; i++) /* the later its id, the smaller its age */
        snprintf(rules + strlen(rules), 256,
                 "challenge \"c%02d\" { action = \"do\", resource = \"thing\",\n"
                 "  oblige = step_up { acr_values = { \"a%d\" }, max_age = %d },\n"
                 "  when = function(_, r) return r.x == %d or r.y == %d end }\n",
                 i, i, 900 - i, i, i);
    struct kit_file files[] = {{"policies/a.lua", plain}, {"policies/b.lua", rules}};
    struct pep_policy *p = kit_policy(files, 2);
    for (int y = 1; y < CHALLENGES; y++) {
        for (int x = 0; x < y; x++) {
            char attrs[64], age[32];
            snprintf(attrs, sizeof(attrs), "{\"x\":%d,\"y\":%d}", x, y);
            snprintf(age, sizeof(age), "\"max_age\":%d,", 900 - y);
            struct kit_ask ask = {"{\"sub\":\"a\"}", "do", "thing:1", attrs, NULL, 0, true};
            struct pep_verdict v = kit_decide(p, &ask);
            faults += v.code == PEP_CODE_FAULT && v.outcome == PEP_DENY && v.obligations == NULL;
            merged += v.code == PEP_CODE_CHALLENGE && strstr(v.obligations, age) != NULL;
        }
    }
    assert_int_equal(merged, MERGED_MAX);
    assert_int_equal(merged + faults, CHALLENGES * (CHALLENGES - 1) / 2);
    pep_policy_free(p);
    free(rules);
}

/* A sort that ends in an error inside one rule takes nothing from the next rule. */
static void a_failed_sort_is_forgotten(void **state)
{
    (void)state;
    struct kit_file file = {
        "policies/a.lua", "for i = 1, 6 do allow(\"a\" .. i) { action = \"do\", resource = \"t\",\n"
                          "  when = function() table.sort({ 1, 2 }, function() error(\"x\") end)\n"
                          "    return true end } end\n"
                          "allow \"b\" { action = \"do\", resource = \"t\",\n"
                          "  when = function() local t = { 2, 1 }\n"
                          "    table.sort(t, function(x, y) return x < y end)\n"
                          "    return t[1] == 1 end }\n"};
    struct pep_policy *p = kit_policy(&file, 1);
    struct kit_ask ask = {"{\"sub\":\"a\"}", "do", "t:1", NULL, NULL, 0, false};
    struct pep_verdict v = kit_decide(p, &ask);
    assert_int_equal(v.fault_count, 6);
    assert_int_equal(v.code, PEP_CODE_ALLOWED);
    assert_string_equal(v.rule, "b");
    pep_policy_free(p);
}

/* Each module that loads another takes stack of the thread, and a decision may load them again. */
static int load_chain(int count)
{
    struct kit_file files[64];
    char paths[64][32], texts[64][64];
    struct pep_policy *p = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    files[0] = (struct kit_file){"policies/a.lua", "local m = require \"lib.m1\"\n"
                                                   "allow \"x\" { action = \"do\", resource = m }"};
    for (int i = 1; i <= count; i++) {
        snprintf(paths[i], sizeof(paths[i]), "lib/m%d.lua", i);
        if (i == count)
            snprintf(texts[i], sizeof(texts[i]), "return \"thing\"");
        else
            snprintf(texts[i], sizeof(texts[i]), "return require \"lib.m%d\"", i + 1);
        files[i] = (struct kit_file){paths[i], texts[i]};
    }
    int rc = kit_try(files, (size_t)count + 1, 1, &p, &diags);
    if (rc == PEP_OK)
        pep_policy_free(p);
    pep_diags_free(&diags);
    return rc;
}

static void modules_in_a_row_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(load_chain(32), PEP_OK);
    assert_int_equal(load_chain(33), PEP_EPOLICY);
}

/* Each is tried once while loading: thousands of endless ones must not add up. */
static void trying_the_functions_ends(void **state)
{
    (void)state;
    struct kit_file file = {"policies/a.lua",
                            "for i = 1, 2000 do allow(\"a\" .. i) { action = \"do\",\n"
                            "  resource = \"t\", when = function() while true do end end } end"};
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_policy *p = NULL;
    assert_int_equal(kit_try(&file, 1, 1, &p, &diags), PEP_OK);
    assert_in_range(diags.count, 2, 50); /* some that fail, and one for the rest */
    assert_non_null(strstr(diags.items[diags.count - 1].message, "were not tried"));
    pep_diags_free(&diags);
    pep_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_claim_takes_the_place_of_the_raw_roles),
        cmocka_unit_test(many_mistakes_end_the_load),
        cmocka_unit_test(same_names_a_few),
        cmocka_unit_test(a_number_is_one),
        cmocka_unit_test(merged_challenges_are_bounded),
        cmocka_unit_test(a_failed_sort_is_forgotten),
        cmocka_unit_test(modules_in_a_row_are_bounded),
        cmocka_unit_test(trying_the_functions_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
