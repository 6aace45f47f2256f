/* Straight functions run in C must say what Lua says, fault by fault: each of many bodies on each
 * pair of many values, once as the engine likes it and once with Lua alone. */
#include "engine_kit.h"

#include "pep/core/engine_internal.h"

#include <float.h>

#define HEAD "action = 'read', resource = 'doc'"

static const char *const in_c[] = {
    "return res.a == res.b",
    "return res.a ~= res.b",
    "return res.a < res.b",
    "return res.a <= res.b",
    "return res.a > res.b",
    "return res.a >= res.b",
    "return res.a == 5",
    "return res.a == 5.0",
    "return res.a == 'x'",
    "return res.a == true",
    "return res.a == nil",
    "return res.a ~= nil and res.a < 100",
    "return res.a < -3 or res.a >= 7",
    "return res.a > 7 or res.a <= -3",
    "return res.a < 1.5",
    "return res.a <= 9007199254740993",
    "return not res.a",
    "return not not res.a",
    "return res.a",
    "return (res.a or res.b) == 5",
    "return (res.a and res.b) == 'x'",
    "local v = res.a or 'x' return v == res.b",
    "local v if res.a then v = res.b end return v == nil",
    "local a, b = res.a, res.b if a == nil then return false end return a + b > 3",
    "return res.a - res.b == 0",
    "return res.a * res.b == 0",
    "return res.a * 2 - 1 == res.b",
    "return res.a + 1 > res.a",
    "return -res.a < res.b",
    "local x = res.a + 1 local y = x x = x + 1 return y < x and y == res.a + 1",
    "local s = 1 if res.a == 5 then s = s + 2 elseif res.b == 5 then s = s - 2 end return s > 1",
    "return sub.id == 'ann' and ctx.action == 'read' and res.type == 'doc'",
    "if res.a == 5 then return true end",
    "return 5",
    "return sub.none == ctx.none and res.id == '1'",
};
static const char *const in_lua[] = {
    "return has(res.a, res.b)",
    "return res.a .. '' == 'x'",
    "return #res.a > 0",
    "return res.a / 2 == 1",
    "return res.a[1] == 5",
    "local s = sub return s.id == 'ann'",
    "for i = 1, 2 do if res.a == i then return true end end return false",
};

static const char *const items[] = {"x", "y"};
static const pep_attr values[] = {
    {"a", PEP_STRING, {.string = "x"}},
    {"a", PEP_STRING, {.string = ""}},
    {"a", PEP_STRING, {.string = "5"}},
    {"a", PEP_INT, {.integer = 5}},
    {"a", PEP_INT, {.integer = -4}},
    {"a", PEP_INT, {.integer = 0}},
    {"a", PEP_INT, {.integer = INT64_MAX}},
    {"a", PEP_INT, {.integer = INT64_MIN}},
    {"a", PEP_INT, {.integer = (INT64_C(1) << 53) + 1}},
    {"a", PEP_NUMBER, {.number = 5}},
    {"a", PEP_NUMBER, {.number = 1.25}},
    {"a", PEP_NUMBER, {.number = -0.0}},
    {"a", PEP_NUMBER, {.number = 9007199254740992.0}},
    {"a", PEP_NUMBER, {.number = DBL_MAX}},
    {"a", PEP_BOOL, {.boolean = true}},
    {"a", PEP_BOOL, {.boolean = false}},
    {"a", PEP_SET, {.set = {items, 2}}},
};
#define VALUES (sizeof(values) / sizeof(values[0]))

static struct pep_policy *policy_of(const char *body)
{
    char text[512];
    snprintf(text, sizeof(text),
             "deny 'd' { " HEAD ", unless = function(sub, res, ctx) %s end }\n"
             "allow 'a' { " HEAD ", when = function(sub, res, ctx) %s end }\n",
             body, body);
    struct kit_file file = {"policies/p.lua", text};
    return kit_policy(&file, 1);
}

static void leave_to_lua(struct pep_policy *p)
{
    for (size_t i = 0; i < p->rule_count; i++)
        p->rules[i].native = NULL;
}

static void expect_same(const char *body, const struct pep_verdict *c,
                        const struct pep_verdict *lua)
{
    bool same =
        c->outcome == lua->outcome && c->code == lua->code && c->rule == lua->rule &&
        c->effort.calls == lua->effort.calls && c->fault_count == lua->fault_count &&
        (c->fault_count == 0 || (strcmp(c->faults[0].kind, lua->faults[0].kind) == 0 &&
                                 strcmp(c->faults[0].message, lua->faults[0].message) == 0));
    if (!same)
        fail_msg("%s: %s and, by Lua, %s", body, pep_code_name(c->code), pep_code_name(lua->code));
}

/* Value VALUES stands for an absent one. */
static void ask(const struct pep_policy *p, const struct pep_subject *s, size_t i, size_t k,
                struct pep_verdict *ret)
{
    pep_attr attrs[2];
    size_t n = 0;
    if (i < VALUES)
        attrs[n++] = values[i];
    if (k < VALUES) {
        attrs[n] = values[k];
        attrs[n++].name = "b";
    }
    struct pep_request q = {
        .subject = s, .action = "read", .resource = "doc:1", .attrs = attrs, .attr_count = n};
    pep_policy_decide(p, &q, ret);
}

static void compare(const char *body, bool native)
{
    static struct pep_verdict c[VALUES + 1][VALUES + 1];
    struct pep_policy *p = policy_of(body);
    struct pep_subject *s = NULL;
    struct pep_verdict lua;
    json_t *claims = kit_json("{\"sub\":\"ann\"}");
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    if ((p->rules[0].native != NULL) != native)
        fail_msg("%s: %s", body, native ? "left to Lua" : "not left to Lua");
    for (size_t i = 0; i <= VALUES; i++) {
        for (size_t k = 0; k <= VALUES; k++)
            ask(p, s, i, k, &c[i][k]);
    }
    leave_to_lua(p);
    for (size_t i = 0; i <= VALUES; i++) {
        for (size_t k = 0; k <= VALUES; k++) {
            ask(p, s, i, k, &lua);
            expect_same(body, &c[i][k], &lua);
        }
    }
    pep_subject_free(s);
    json_decref(claims);
    pep_policy_free(p);
}

static void c_says_what_lua_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(in_c) / sizeof(in_c[0]); i++)
        compare(in_c[i], true);
}

static void what_needs_lua_is_left_to_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(in_lua) / sizeof(in_lua[0]); i++)
        compare(in_lua[i], false);
}

/* A text that Lua refuses to read is refused here, too, and only where it is read. */
static void long_texts_are_left_to_lua(void **state)
{
    (void)state;
    struct pep_policy *p = policy_of("return res.b == 5 or res.a == 'x'");
    struct pep_subject *s = NULL;
    struct pep_verdict c, lua;
    json_t *claims = kit_json("{\"sub\":\"ann\"}");
    char *text = malloc(PEP_STRING_MAX + 2);
    assert_non_null(text);
    memset(text, 'x', PEP_STRING_MAX + 1);
    text[PEP_STRING_MAX + 1] = '\0';
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    for (int b = 4; b <= 5; b++) {
        pep_attr attrs[2] = {pep_attr_string("a", text), pep_attr_int("b", b)};
        struct pep_request q = {
            .subject = s, .action = "read", .resource = "doc:1", .attrs = attrs, .attr_count = 2};
        const struct pep_native *kept[2] = {p->rules[0].native, p->rules[1].native};
        pep_policy_decide(p, &q, &c);
        leave_to_lua(p);
        pep_policy_decide(p, &q, &lua);
        expect_same("a long text", &c, &lua);
        assert_int_equal(c.code, b == 5 ? PEP_CODE_ALLOWED : PEP_CODE_FAULT);
        p->rules[0].native = kept[0];
        p->rules[1].native = kept[1];
    }
    free(text);
    pep_subject_free(s);
    json_decref(claims);
    pep_policy_free(p);
}

/* No Lua state is needed, so none is claimed. */
static void no_state_is_claimed(void **state)
{
    (void)state;
    struct pep_policy *p = policy_of("return sub.id == 'ann'");
    struct pep_subject *s = NULL;
    struct pep_verdict v;
    json_t *claims = kit_json("{\"sub\":\"ann\"}");
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    for (unsigned i = 0; i < p->slot_count; i++)
        p->slots[i].busy = 1;
    ask(p, s, VALUES, VALUES, &v);
    assert_int_equal(v.code, PEP_CODE_ALLOWED);
    assert_int_equal(v.effort.calls, 2);
    for (unsigned i = 0; i < p->slot_count; i++)
        p->slots[i].busy = 0;
    pep_subject_free(s);
    json_decref(claims);
    pep_policy_free(p);
}

/* Several functions in one line, and one function of several rules: each rule has its own. */
static void each_rule_has_its_function(void **state)
{
    (void)state;
    static const pep_code expected[] = {PEP_CODE_ALLOWED, PEP_CODE_DENIED, PEP_CODE_DENIED,
                                        PEP_CODE_NOT_GRANTED};
    struct kit_file file = {"policies/p.lua",
                            "local three = function(_, res) return res.a == 3 end\n"
                            "allow 'a' { " HEAD ", when = function(_, res) return res.a == 1 end } "
                            "deny 'd' { " HEAD ", when = function(_, res) return res.a == 2 end }\n"
                            "deny 'e' { " HEAD ", when = three } allow 'b' { " HEAD
                            ", when = three }\n"};
    struct pep_policy *p = kit_policy(&file, 1);
    struct pep_subject *s = NULL;
    struct pep_verdict v;
    json_t *claims = kit_json("{\"sub\":\"ann\"}");
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    for (size_t i = 0; i < p->rule_count; i++)
        assert_non_null(p->rules[i].native);
    for (int a = 1; a <= 4; a++) {
        pep_attr attr = pep_attr_int("a", a);
        struct pep_request q = {
            .subject = s, .action = "read", .resource = "doc:1", .attrs = &attr, .attr_count = 1};
        pep_policy_decide(p, &q, &v);
        assert_int_equal(v.code, expected[a - 1]);
    }
    pep_subject_free(s);
    json_decref(claims);
    pep_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_says_what_lua_says),
        cmocka_unit_test(what_needs_lua_is_left_to_it),
        cmocka_unit_test(long_texts_are_left_to_lua),
        cmocka_unit_test(no_state_is_claimed),
        cmocka_unit_test(each_rule_has_its_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
