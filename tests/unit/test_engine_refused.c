/* What loading refuses in heads and in schema.lua, each beside its neighbour that it takes; and
 * what must not be lost on the way: a step-up, a list in a set, the text of a fault. */
#include "engine_kit.h"

struct row {
    const char *schema, *rules;
    const char *code; /* NULL: it loads */
    const char *part; /* of the message */
};

#define TYPE              "resource 'doc' { actions = { 'read' } }\n"
#define HEAD              "action = 'read', resource = 'doc'"
#define ALLOW             "allow 'a' { " HEAD " }\n"
#define RULE(members)     "allow 'a' { " HEAD ", " members " }\n"
#define CHALLENGE(oblige) "challenge 'c' { " HEAD ", oblige = " oblige " }\n"
#define CLAIMS(members)   "claims { " members " }\n" TYPE

static const struct row rows[] = {
    /* a list and nothing beside it */
    {TYPE, RULE("roles = { 'x', 'y' }"), NULL, NULL},
    {TYPE, RULE("roles = { 'x', y = 'z' }"), "E102", "members that are no list items"},
    {TYPE, RULE("same = { 'x', [3] = 'z' }"), "E102", "members that are no list items"},
    {TYPE, RULE("roles = {}"), "E102", "a list of names"},
    {TYPE, RULE("roles = 'caf\xc3\xa9'"), NULL, NULL},
    {TYPE, RULE("roles = '\\xff'"), "E102", "item 1 is not a name"},
    {TYPE, RULE("roles = 'a\\nb'"), "E102", "item 1 is not a name"},
    {"resource 'doc' { actions = { 'read', x = 'write' } }", "", "E301", "list of actions"},
    {"roles { v = {}, m = { 'v' } }\n" TYPE, ALLOW, NULL, NULL},
    {"roles { v = {}, m = { x = 'v' } }\n" TYPE, ALLOW, "E301", "list of the roles"},
    /* what terminals, headers and JSON are shown */
    {TYPE, "allow 'caf\xc3\xa9/x' { " HEAD " }", NULL, NULL},
    {TYPE, "allow 'a\\u{9b}31m' { " HEAD " }", "E211", "control characters"},
    {TYPE, RULE("reason = 'one line'"), NULL, NULL},
    {TYPE, RULE("reason = 'two\\nlines'"), "E102", "one line"},
    {TYPE, RULE("reason = 'a\\u{9b}31m'"), "E102", "one line"},
    {TYPE, "allow 'a' { action = 'read', resource = 'doc:\\xff' }", "E102", "item 1 is not a name"},
    {TYPE, "allow 'a' { action = 'read', resource = 'doc:a*' }", "E107", "one whole segment"},
    /* step-ups */
    {TYPE, CHALLENGE("step_up { acr_values = { 'x' }, max_age = 2147483647 }"), NULL, NULL},
    {TYPE, CHALLENGE("step_up { max_age = 2147483648 }"), "E211", "whole number"},
    {TYPE, CHALLENGE("step_up { max_age = 1.5 }"), "E211", "whole number"},
    {TYPE, CHALLENGE("step_up { acr_values = {} }"), "E211", "list of texts"},
    {TYPE, CHALLENGE("step_up { acr_values = { 1 } }"), "E211", "list of texts"},
    {TYPE, CHALLENGE("step_up { acr_values = { 'x', y = 'z' } }"), "E211", "list of texts"},
    {TYPE, CHALLENGE("{ type = 'step-up', max_age = 5, amr_values = { 'x' } }"), NULL, NULL},
    {TYPE, CHALLENGE("{ type = 'step-up', max_age = '5' }"), "E109", ""},
    {TYPE, CHALLENGE("{ type = 'step-up', max_age = 60.5 }"), "E109", ""},
    {TYPE, CHALLENGE("{ type = 'step-up', acr_values = 'x' }"), "E109", ""},
    {TYPE, CHALLENGE("{ step_up { max_age = 5 }, { type = 'log' } }"), NULL, NULL},
    {TYPE, CHALLENGE("{ step_up { max_age = 5 }, step_up { max_age = 6 } }"), "E109", ""},
    {TYPE, RULE("oblige = { type = '' }"), "E109", ""},
    /* claims that heads read */
    {CLAIMS("roles = {}, scopes = {}, client = {}, id = { from = 'sub' }"), ALLOW, NULL, NULL},
    {CLAIMS("scopes = { type = 'set' }, chain = { type = 'set' }"), ALLOW, NULL, NULL},
    {CLAIMS("scopes = { type = 'string' }"), ALLOW, "E301", "must be of type scopes"},
    {CLAIMS("scopes = { type = 'any' }"), ALLOW, "E301", "must be of type scopes"},
    {CLAIMS("client = { type = 'set' }"), ALLOW, "E301", "must be of type string"},
    {CLAIMS("issuer = { type = 'any' }"), ALLOW, "E301", "must be of type string"},
    {CLAIMS("roles = { type = 'string' }"), ALLOW, "E301", "must be of type set"},
    {CLAIMS("t = { required = true }"), ALLOW, NULL, NULL},
    {CLAIMS("t = { required = 'false' }"), ALLOW, "E301", "true or false"},
    {CLAIMS("t = { from = '' }"), ALLOW, "E301", "`from` must name"},
    {CLAIMS("[''] = {}"), ALLOW, "E301", "empty name"},
    {CLAIMS("t = { type = 'strng' }, u = {}"), ALLOW, "E302", "`strng` is no type"},
    /* resource types */
    {"resource 'doc' { id = '{a}/{b}', actions = { 'read' }, attrs = { c = 'set?' } }", ALLOW, NULL,
     NULL},
    {"resource 'doc' { id = '{a}/{a}', actions = { 'read' } }", ALLOW, "E303", "each once"},
    {"resource 'doc' { id = '{a}/{b}', actions = { 'read' }, attrs = { a = 'set?' } }", ALLOW,
     "E301", "res.a comes from"},
    {"resource 'doc' { actions = { 'read' }, attrs = { a = 'scopes?' } }", ALLOW, "E302",
     "a type of claims"},
    /* data and modules that are not there, also where loading does not come by */
    {TYPE, RULE("when = function() return data('there').x == 1 end"), NULL, NULL},
    {TYPE, RULE("when = function() return data('theer').x == 1 end"), "E206", "no data/theer.json"},
    {TYPE, RULE("when = function() return require('lib.x').y end"), "E206", "no module `lib.x`"},
};

static bool says(const struct pep_diag *d, const struct row *r)
{
    return d != NULL && pep_span_is(pep_span_string(d->code), r->code) &&
           strstr(d->message, r->part) != NULL;
}

static void rows_are_refused_or_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct kit_file files[] = {{"schema.lua", r->schema},
                                   {"policies/p.lua", r->rules},
                                   {"data/there.json", "{\"x\":1}"}};
        struct pep_diags diags = PEP_DIAGS_INIT;
        struct pep_policy *p = NULL;
        int rc = kit_try(files, 3, 1, &p, &diags);
        const struct pep_diag *d = diags.count == 0 ? NULL : &diags.items[0];
        bool as_said =
            r->code == NULL ? rc == PEP_OK : rc == PEP_EPOLICY && diags.errors == 1 && says(d, r);
        if (!as_said)
            fail_msg("%s%s: %d, %zu errors, %s %s", r->schema, r->rules, rc, diags.errors,
                     d == NULL ? "" : d->code, d == NULL ? "" : d->message);
        pep_diags_free(&diags);
        pep_policy_free(p);
    }
}

/* Data says where it is wrong, as code does. */
static void data_has_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *message;
    } cases[] = {{"{\n \"a\": 1,\n}", 3, "column 1: expected"},
                 {"{ \"a\": 1, \"a\": 2 }", 1, "column 14: the same member twice"},
                 {"", 0, "empty"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kit_file files[] = {{"policies/p.lua", ALLOW}, {"data/d.json", cases[i].text}};
        struct pep_diags diags = PEP_DIAGS_INIT;
        struct pep_policy *p = NULL;
        assert_int_equal(kit_try(files, 2, 1, &p, &diags), PEP_EPOLICY);
        assert_string_equal(diags.items[0].code, "E207");
        assert_string_equal(diags.items[0].file, "data/d.json");
        if (cases[i].line > 0)
            assert_int_equal(diags.items[0].line, cases[i].line);
        assert_non_null(strstr(diags.items[0].message, cases[i].message));
        pep_diags_free(&diags);
    }
}

/* Too many constants is one mistake, and is called so. */
static void large_functions_have_one_diagnosis(void **state)
{
    (void)state;
    char text[8192] = "local t = {", item[16];
    for (int i = 0; i < 300; i++) {
        snprintf(item, sizeof(item), "'k%d',", i);
        strcat(text, item);
    }
    strcat(text, "}\n" ALLOW);
    struct kit_file files[] = {{"policies/p.lua", text}};
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_policy *p = NULL;
    assert_int_equal(kit_try(files, 1, 1, &p, &diags), PEP_EPOLICY);
    assert_int_equal(diags.errors, 1);
    assert_string_equal(diags.items[0].code, "E208");
    pep_diags_free(&diags);
}

static void a_step_up_is_not_lost_among_challenges(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *expected;
    } cases[] = {
        {"{ type = 'log' }", "step_up { max_age = 60 }", "[{\"max_age\":60,\"type\":\"step-up\"}]"},
        {"{ { type = 'log' }, step_up { acr_values = { 'x' } } }", "step_up { max_age = 60 }",
         "[{\"type\":\"log\"},{\"acr_values\":[\"x\"],\"max_age\":60,\"type\":\"step-up\"}]"},
        {"{ type = 'log' }", "{ type = 'call' }", "[{\"type\":\"log\"}]"},
        {"step_up { max_age = 2147483647 }", "step_up { acr_values = { 'x' } }",
         "[{\"max_age\":2147483647,\"type\":\"step-up\"}]"},
        {"step_up { acr_values = { 'x' } }", "step_up { max_age = 2147483647 }",
         "[{\"acr_values\":[\"x\"],\"max_age\":2147483647,\"type\":\"step-up\"}]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 ALLOW "challenge 'c1' { " HEAD ", oblige = %s }\n"
                       "challenge 'c2' { " HEAD ", oblige = %s }\n",
                 cases[i].first, cases[i].second);
        struct kit_file files[] = {{"policies/p.lua", text}};
        struct pep_policy *p = kit_policy(files, 1);
        struct pep_verdict v =
            kit_decide(p, &(struct kit_ask){"{}", "read", "doc:1", NULL, NULL, 0, false});
        assert_int_equal(v.outcome, PEP_CHALLENGE);
        assert_string_equal(v.rule, "c1");
        assert_string_equal(v.obligations, cases[i].expected);
        pep_policy_free(p);
    }
}

/* A deny that looks for a value must not be passed by hiding it one list deeper. */
static void sets_hold_no_lists(void **state)
{
    (void)state;
    static const struct {
        const char *attrs;
        pep_code code;
    } cases[] = {{"{\"tags\":[\"x\",1,true]}", PEP_CODE_ALLOWED},
                 {"{\"tags\":[]}", PEP_CODE_ALLOWED},
                 {"{\"tags\":[\"secret\"]}", PEP_CODE_DENIED},
                 {"{\"tags\":[[\"secret\"]]}", PEP_CODE_BAD_REQUEST},
                 {"{\"tags\":[{\"secret\":1}]}", PEP_CODE_BAD_REQUEST},
                 {"{\"tags\":\"secret\"}", PEP_CODE_BAD_REQUEST}};
    struct kit_file files[] = {
        {"schema.lua", "resource 'doc' { actions = { 'read' }, attrs = { tags = 'set' } }"},
        {"policies/p.lua", ALLOW "deny 'd' { " HEAD
                                 ", when = function(_, res) return has(res.tags, 'secret') end }"}};
    struct pep_policy *p = kit_policy(files, 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kit_ask ask = {"{}", "read", "doc:1", cases[i].attrs, NULL, 0, false};
        assert_int_equal(kit_decide(p, &ask).code, cases[i].code);
    }
    pep_policy_free(p);
}

/* Roles and scopes without a type are what heads read. */
static void usual_claims_have_their_types(void **state)
{
    (void)state;
    struct kit_file files[] = {
        {"schema.lua", CLAIMS("roles = { from = 'realm.roles' }, scopes = { from = 'scp' }")},
        {"policies/p.lua", RULE("roles = 'r', scopes = { 's', 't' }")}};
    struct pep_policy *p = kit_policy(files, 2);
    struct kit_ask ask = {.claims = "{\"realm\":{\"roles\":[\"q\",\"r\"]},\"scp\":\"t s\"}",
                          .action = "read",
                          .resource = "doc:1"};
    assert_int_equal(kit_decide(p, &ask).code, PEP_CODE_ALLOWED);
    ask.claims = "{\"realm\":{\"roles\":[\"q\",\"r\"]},\"scp\":\"t\"}";
    assert_int_equal(kit_decide(p, &ask).code, PEP_CODE_NOT_GRANTED);
    pep_policy_free(p);
}

static void texts_of_strangers_are_mended(void **state)
{
    (void)state;
    struct kit_file files[] = {
        {"schema.lua", TYPE},
        {"policies/p.lua",
         RULE("when = function() error('\\xff\\u{9b}31m' .. ('\xc3\xa9'):rep(300)) end")}};
    struct pep_policy *p = kit_policy(files, 2);
    struct pep_verdict v =
        kit_decide(p, &(struct kit_ask){"{}", "read", "doc:1", NULL, NULL, 0, false});
    assert_int_equal(v.fault_count, 1);
    assert_true(pep_utf8_valid(pep_span_string(v.faults[0].message)));
    assert_non_null(strstr(v.faults[0].message, "p.lua:1: ???31m\xc3\xa9"));
    v = kit_decide(p, &(struct kit_ask){"{}", "re\x1b\xff", "doc:1", NULL, NULL, 0, false});
    assert_int_equal(v.code, PEP_CODE_UNKNOWN);
    assert_string_equal(v.detail, "the policy declares no action `re??`");
    pep_policy_free(p);
}

struct lines {
    unsigned count;
    char why[512];
};

static void keep_line(void *context, const struct pep_explanation *line)
{
    struct lines *lines = context;
    lines->count++;
    snprintf(lines->why, sizeof(lines->why), "%s", line->why);
}

/* A token's words in an explanation: cut, coloured, and some of them nobody's. */
static void explanations_are_fit_to_show(void **state)
{
    (void)state;
    struct kit_file files[] = {{"schema.lua", "roles { v = {}, m = { 'v' } }\n" TYPE},
                               {"policies/p.lua", RULE("roles = 'm'")}};
    char claims[1024] = "{\"roles\":[\"v\",\"\\u001b[31m";
    for (int shift = 0; shift < 2; shift++) {
        struct pep_policy *p = kit_policy(files, 2);
        struct pep_subject *subject = NULL;
        struct lines lines = {0, ""};
        struct pep_verdict v;
        for (int i = 0; shift == 1 && i < 300; i++)
            strcat(claims, "\xc3\xa9");
        char text[1100];
        snprintf(text, sizeof(text), "%s\"]}", claims);
        json_t *json = kit_json(text);
        assert_int_equal(pep_subject_from_claims(p, json, &subject, NULL), PEP_OK);
        struct pep_request q = {.subject = subject, .action = "read", .resource = "doc:1"};
        pep_policy_explain(p, &q, &v, keep_line, &lines);
        assert_int_equal(lines.count, 1);
        assert_true(pep_utf8_valid(pep_span_string(lines.why)));
        assert_non_null(strstr(lines.why, "roles: needs m, has v, ?[31m"));
        if (shift == 0)
            assert_non_null(strstr(lines.why, "(1 of these not in schema.lua)"));
        json_decref(json);
        pep_subject_free(subject);
        pep_policy_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_refused_or_taken),
        cmocka_unit_test(data_has_lines),
        cmocka_unit_test(large_functions_have_one_diagnosis),
        cmocka_unit_test(a_step_up_is_not_lost_among_challenges),
        cmocka_unit_test(sets_hold_no_lists),
        cmocka_unit_test(usual_claims_have_their_types),
        cmocka_unit_test(texts_of_strangers_are_mended),
        cmocka_unit_test(explanations_are_fit_to_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
