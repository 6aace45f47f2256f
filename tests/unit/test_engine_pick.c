/*
 * Picking candidates by role: what is found, in which order, and what is asked of what was found.
 */
#include "engine_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "action = 'read', resource = 'doc'"
#define DOC  "doc:1"

/* Among 40 rules that each name a role nobody has, so that the candidates are filed by role. */
static struct pep_verdict decide_among(const char *rules, const char *claims)
{
    char text[4096], *at = text;
    for (int i = 0; i < 40; i++)
        at += sprintf(at, "allow 'n%d' { " HEAD ", roles = 'nobody%d' }\n", i, i);
    struct kit_file files[] = {{"policies/p.lua", rules}, {"policies/q.lua", text}};
    struct pep_policy *p = kit_policy(files, 2);
    struct kit_ask ask = {claims, "read", DOC, NULL, NULL, 0, false};
    static struct pep_verdict v;
    v = kit_decide(p, &ask);
    v.rule = v.rule == NULL ? NULL : strcpy(calloc(1, strlen(v.rule) + 1), v.rule);
    pep_policy_free(p);
    return v;
}

static void roles_find_every_candidate(void **state)
{
    static const struct {
        const char *rules, *claims, *rule; /* NULL: none applies */
        size_t visited;
    } rows[] = {
        {"allow 'a' { " HEAD ", roles = 'r' }", "{\"roles\":[\"q\",\"r\"]}", "a", 1},
        {"allow 'a' { " HEAD ", roles = 'r' }", "{\"roles\":[\"q\"]}", NULL, 0},
        /* found by two roles, looked at once */
        {"allow 'a' { " HEAD ", roles = { 'q', 'r' }, same = 'x' }", "{\"roles\":[\"q\",\"r\"]}",
         NULL, 1},
        {"allow 'a' { " HEAD ", roles = { 'q', 'r' } }", "{\"roles\":[\"r\"]}", "a", 1},
        /* whichever role comes first, in evaluation order */
        {"allow 'b' { " HEAD ", roles = 'q' } allow 'a' { " HEAD ", roles = 'r' }",
         "{\"roles\":[\"q\",\"r\"]}", "a", 1},
        {"allow 'a' { " HEAD ", roles = 'q' } deny 'z' { " HEAD ", roles = 'r' }",
         "{\"roles\":[\"q\",\"r\"]}", "z", 1},
        {"allow 'a' { " HEAD ", roles = 'q' } deny 'z' { " HEAD " }", "{\"roles\":[\"q\"]}", "z",
         1},
        /* two rules for one role */
        {"allow 'a' { " HEAD ", roles = 'q', scopes = 's' } allow 'b' { " HEAD ", roles = 'q' }",
         "{\"roles\":[\"q\"]}", "b", 2},
        {"allow 'a' { " HEAD ", roles = 'q', clients = 'c' }", "{\"roles\":[\"q\"]}", NULL, 1},
        {"allow 'a' { " HEAD ", roles = 'q', scopes = { 's', 't' } }",
         "{\"roles\":[\"q\"],\"scope\":\"s\"}", NULL, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pep_verdict v = decide_among(rows[i].rules, rows[i].claims);
        if (rows[i].rule == NULL)
            assert_null(v.rule);
        else
            assert_string_equal(v.rule, rows[i].rule);
        assert_int_equal(v.effort.visited, rows[i].visited);
        free((void *)(uintptr_t)v.rule);
    }
}

/* More candidates than a decision picks: it walks all of them, and asks each for its roles. */
static void roles_are_asked_where_too_many_share_one(void **state)
{
    enum { FILES = 10, PER_FILE = 30, SIZE = PER_FILE * 96 };
    static char texts[FILES][SIZE];
    struct kit_file files[FILES + 1] = {{"policies/x.lua",
                                         "allow 'a' { " HEAD ", roles = 'r' }\n"
                                         "allow 'b' { " HEAD ", roles = { 'q', 's' } }\n"}};
    static char paths[FILES][32];
    (void)state;
    for (int f = 0; f < FILES; f++) {
        char *at = texts[f];
        for (int i = 0; i < PER_FILE; i++)
            at += sprintf(at, "allow 'm%d_%d' { " HEAD ", roles = %s, same = 'x' }\n", f, i,
                          i % 2 == 0 ? "'all'" : "{ 'all', 'y' }");
        sprintf(paths[f], "policies/p%d.lua", f);
        files[f + 1] = (struct kit_file){paths[f], texts[f]};
    }
    struct pep_policy *p = kit_policy(files, FILES + 1);
    static const char *const claims[] = {"{\"roles\":[\"all\"]}", "{\"roles\":[\"all\",\"r\"]}",
                                         "{\"roles\":[\"all\",\"s\"]}"};
    static const char *const rules[] = {NULL, "a", "b"};
    for (int i = 0; i < 3; i++) {
        struct kit_ask ask = {claims[i], "read", DOC, NULL, NULL, 0, false};
        struct pep_verdict v = kit_decide(p, &ask);
        assert_int_equal(v.effort.candidates, FILES * PER_FILE + 2);
        if (rules[i] == NULL)
            assert_null(v.rule);
        else
            assert_string_equal(v.rule, rules[i]);
    }
    pep_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_find_every_candidate),
        cmocka_unit_test(roles_are_asked_where_too_many_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
