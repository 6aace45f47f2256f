/* The language by small policies: each row is one policy, one request and what must come of it. */
#include "engine_kit.h"

#include <pthread.h>
#include <stdlib.h>

struct row {
    const char *rules;
    struct kit_ask ask;
    pep_outcome outcome;
    pep_code code;
    const char *rule;
};

#define HEAD   "action = 'read', resource = 'doc'"
#define ALLOW  "allow 'a' { " HEAD " }\n"
#define NOBODY "{}"
#define DOC    "doc:1"

static void check(const struct row *r)
{
    struct kit_file files[] = {
        {"policies/p.lua", r->rules},
        {"data/ids.json", "{\"ann\":true,\"list\":[\"ann\",\"bob\"],\"n\":[1,2.5]}"}};
    struct pep_policy *p = kit_policy(files, 2);
    struct pep_verdict v = kit_decide(p, &r->ask);
    if (v.outcome != r->outcome || v.code != r->code || (r->rule == NULL) != (v.rule == NULL) ||
        (v.rule != NULL && strcmp(v.rule, r->rule) != 0))
        fail_msg("%s\nas %s: got %s %s by %s (%s)", r->rules, r->ask.claims,
                 pep_outcome_name(v.outcome), pep_code_name(v.code), v.rule == NULL ? "-" : v.rule,
                 v.fault_count > 0 ? v.faults[0].message : v.detail);
    assert_true(v.effort.visited <= v.effort.candidates);
    pep_policy_free(p);
}

#define YES(rules, claims)                                                                   \
    {                                                                                        \
        rules, {claims, "read", DOC, NULL, NULL, 0, false}, PEP_ALLOW, PEP_CODE_ALLOWED, "a" \
    }
#define NO(rules, claims)                                                                        \
    {                                                                                            \
        rules, {claims, "read", DOC, NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_NOT_GRANTED, NULL \
    }
#define HOLDS(condition, claims) \
    YES("allow 'a' { " HEAD ", when = function(sub, res, ctx) return " condition " end }", claims)
#define FAILS(condition, claims) \
    NO("allow 'a' { " HEAD ", when = function(sub, res, ctx) return " condition " end }", claims)

static const struct row heads[] = {
    YES(ALLOW, NOBODY),
    NO("", NOBODY),
    {ALLOW, {NOBODY, "write", DOC, NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_NOT_GRANTED, NULL},
    YES("allow 'a' { action = '*', resource = '*' }", NOBODY),
    YES("allow 'a' { action = { 'x', 'read' }, resource = { 'y', 'doc' } }", NOBODY),
    YES("allow 'a' { action = 'read', resource = '*' }\nallow 'b' { action = '*', resource = 'doc' "
        "}",
        NOBODY),
    YES("allow 'a' { " HEAD ", roles = 'r' }", "{\"roles\":[\"q\",\"r\"]}"),
    YES("allow 'a' { " HEAD ", roles = 'r' }", "{\"roles\":\"r\"}"),
    NO("allow 'a' { " HEAD ", roles = 'r' }", "{\"roles\":[\"R\"]}"),
    NO("allow 'a' { " HEAD ", roles = 'r' }", NOBODY),
    YES("allow 'a' { " HEAD ", roles = { 'q', 'r' } }", "{\"roles\":[\"q\"]}"),
    YES("allow 'a' { " HEAD ", scopes = { 'x', 'y' } }", "{\"scope\":\"y z x\"}"),
    NO("allow 'a' { " HEAD ", scopes = { 'x', 'y' } }", "{\"scope\":\"y z\"}"),
    YES("allow 'a' { " HEAD ", scopes = 'x' }", "{\"scp\":[\"x\"]}"),
    NO("allow 'a' { " HEAD ", scopes = 'x' }", "{\"scope\":\"\",\"scp\":[\"x\"]}"),
    YES("allow 'a' { " HEAD ", clients = { 'c', 'd' } }", "{\"azp\":\"d\"}"),
    YES("allow 'a' { " HEAD ", clients = 'c' }", "{\"client_id\":\"c\"}"),
    NO("allow 'a' { " HEAD ", clients = 'c' }", "{\"azp\":\"e\"}"),
    NO("allow 'a' { " HEAD ", clients = 'c' }", NOBODY),
    YES("allow 'a' { " HEAD ", issuers = 'https://i' }", "{\"iss\":\"https://i\"}"),
    NO("allow 'a' { " HEAD ", issuers = 'https://i' }", "{\"iss\":\"https://i/\"}"),
    YES("allow 'a' { action = 'read', resource = 'doc:1' }", NOBODY),
    YES("allow 'a' { action = 'read', resource = 'doc:*' }", NOBODY),
    NO("allow 'a' { action = 'read', resource = 'doc:*/1' }", NOBODY),
    NO("allow 'a' { action = 'read', resource = 'doc:2' }", NOBODY),
    NO("allow 'a' { " HEAD ", same = 'tenant' }", "{\"tenant\":\"t\"}"),
};

static const struct row functions[] = {
    HOLDS("sub.id == 'ann'", "{\"sub\":\"ann\"}"),
    HOLDS("sub.id == nil and sub.roles == nil and sub.scopes == nil",
          "{\"id\":\"x\",\"scopes\":[\"x\"]}"),
    HOLDS("sub.actor == 'x' and sub.chain[2] == 'y' and #sub.chain == 2",
          "{\"act\":{\"sub\":\"x\",\"act\":{\"sub\":\"y\"}}}"),
    HOLDS(
        "sub.actor == 'a' and sub.chain[1] == 'a' and sub.chain[3] == 'c' and sub.chain[4] == nil "
        "and sub.id == 'ann' and sub.roles == nil and sub.client == nil and sub.scopes == nil",
        "{\"sub\":\"ann\",\"act\":{\"sub\":\"a\",\"roles\":[\"r\"],\"exp\":1,\"azp\":\"x\","
        "\"scope\":\"s\","
        "\"act\":{\"sub\":\"b\",\"act\":{\"sub\":\"c\"}}}}"),
    HOLDS("sub.actor == nil and sub.chain == nil",
          "{\"actor\":\"x\",\"chain\":[\"x\"],\"may_act\":{\"sub\":\"x\"}}"),
    HOLDS("has(sub.roles, 'r') and has(sub.token_roles, 'r') and not has(sub.roles, 's')",
          "{\"roles\":[\"r\"]}"),
    HOLDS("sub.address.city == 'x' and sub.address.none == nil", "{\"address\":{\"city\":\"x\"}}"),
    HOLDS("sub.gone == nil", "{\"gone\":null}"),
    HOLDS("sub.n == 9007199254740993 and math.type(sub.n) == 'integer'",
          "{\"n\":9007199254740993}"),
    HOLDS("res.type == 'doc' and res.id == '1' and ctx.action == 'read' and ctx.now == 0", NOBODY),
    HOLDS("overlaps(sub.a, sub.b) and not overlaps(sub.a, sub.c) and not overlaps(sub.a, nil)",
          "{\"a\":[1,\"x\"],\"b\":[\"x\"],\"c\":[\"1\"]}"),
    HOLDS(
        "multi_factor(sub.amr) and multi_factor(sub.word) and multi_factor { 'face', 'x', 'otp' }",
        "{\"amr\":[\"pwd\",\"hwk\"],\"word\":\"mfa\"}"),
    HOLDS("not multi_factor(sub.amr) and not multi_factor(sub.same) and not multi_factor(sub.odd) "
          "and "
          "not multi_factor(sub.map) and not multi_factor(nil) and not multi_factor {} and "
          "not multi_factor(5) and not multi_factor(sub.mca) and not multi_factor('pwd')",
          "{\"amr\":[\"pwd\"],\"same\":[\"pwd\",\"pin\",\"kba\"],\"odd\":[\"PWD\",\"OTP\",5],"
          "\"map\":{\"pwd\":\"otp\"},\"mca\":[\"mca\",\"geo\",\"pop\",\"user\",\"rba\",\"wia\","
          "\"pwd\"]}"),
    HOLDS("multi_factor { 'kba', 'tel' } and multi_factor { 'iris', 'pin' } and multi_factor { "
          "'sc', 'vbm' } "
          "and multi_factor { 'swk', 'fpt' } and multi_factor { 'retina', 'sms' }",
          NOBODY),
    HOLDS("not multi_factor { 'hwk', 'swk', 'otp', 'sms', 'sc', 'tel' } and "
          "not multi_factor { 'face', 'fpt', 'iris', 'retina', 'vbm' }",
          NOBODY),
    HOLDS("has({ 'x', 'y' }, 'y') and not has(nil, 'y') and not has({}, nil)", NOBODY),
    HOLDS("not same(nil, nil) and not same('', '') and not same(1, '1') and same(1, 1.0)", NOBODY),
    HOLDS("not same(sub.r, sub.r) and same(true, true) and not same(true, false)", "{\"r\":[1]}"),
    HOLDS("between('09:00', '08:00', '18:00') and not between('18:00', '08:00', '18:00')", NOBODY),
    HOLDS("between(5, 5, 6) and not between(6, 5, 6) and not between(nil, 5, 6)", NOBODY),
    HOLDS("clock(0).hhmm == '00:00' and clock(0).wday == 4 and clock(0, '-01:30').hhmm == '22:30'",
          NOBODY),
    HOLDS("clock(951782400).day == 29 and clock(951782400).month == 2 and clock(-1).year == 1969",
          NOBODY),
    HOLDS("cidr('10.1.2.3', '10.0.0.0/8') and not cidr('11.0.0.1', '10.0.0.0/8') and not cidr(nil, "
          "'::/0')",
          NOBODY),
    HOLDS("cidr('::ffff:10.1.2.3', '10.0.0.0/8') and cidr('2001:db8::1', '2001:db8::/32') and not "
          "cidr('010.0.0.1', '0.0.0.0/0')",
          NOBODY),
    HOLDS("starts_with('abc', 'ab') and ends_with('abc', 'bc') and contains('a.c', '.') and not "
          "contains(nil, 'x')",
          NOBODY),
    HOLDS("#split('a,b,,c', ',') == 4 and split('', ',')[1] == '' and table.concat(split('a/b', "
          "'/'), '-') == 'a-b'",
          NOBODY),
    HOLDS("lower('AbC') == 'abc' and upper('abC') == 'ABC' and ('x'):upper() == 'X'", NOBODY),
    HOLDS("tostring(12) == '12' and tonumber('0x10') == 16 and tonumber('x') == nil and "
          "tostring(nil) == 'nil'",
          NOBODY),
    YES("local ids = data 'ids'\nallow 'a' { " HEAD
        ", when = function() return ids.ann and has(ids.list, 'bob')\n"
        " and ids.n[2] == 2.5 and has(ids, 'ann') and #ids.list == 2 end }",
        NOBODY),
    YES("local ids = data 'ids'\nallow 'a' { " HEAD ", when = function()\n"
        " local s = '' for k, v in sorted(ids) do s = s .. k end for i, v in ipairs(ids.list) do s "
        "= s .. i .. v end\n"
        " for k, v in sorted({ b = 1, a = 2, [3] = 3 }) do s = s .. k .. v end\n"
        " return s == 'annlistn1ann2bob33a2b1' end }",
        NOBODY),
    FAILS("sub.id == 'bob'", "{\"sub\":\"ann\"}"),
    FAILS("res.owner ~= nil", NOBODY),
};

static const struct row combining[] = {
    {ALLOW "deny 'd' { " HEAD " }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_DENIED,
     "d"},
    {"deny 'z' { " HEAD " }\ndeny 'b' { " HEAD " }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_DENIED,
     "b"},
    {ALLOW "deny 'd' { " HEAD ", when = function() error('x') end }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_FAULT,
     "d"},
    {ALLOW "challenge 'c' { " HEAD ", when = function() error('x') end }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_FAULT,
     "c"},
    {"allow 'e' { " HEAD ", when = function() error('x') end }\n" ALLOW,
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_ALLOW,
     PEP_CODE_ALLOWED,
     "a"},
    {"challenge 'c' { " HEAD " }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_NOT_GRANTED,
     NULL},
    {ALLOW "challenge 'c' { " HEAD " }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_CHALLENGE,
     PEP_CODE_CHALLENGE,
     "c"},
    {"allow 'o' { " HEAD ", oblige = { type = 'log' } }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_OBLIGATION,
     "o"},
    {"allow 'o' { " HEAD ", oblige = { type = 'log' } }",
     {NOBODY, "read", DOC, NULL, NULL, 0, true},
     PEP_ALLOW,
     PEP_CODE_ALLOWED,
     "o"},
    {"allow 'Z' { " HEAD ", oblige = { type = 'log' } }\n" ALLOW,
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_ALLOW,
     PEP_CODE_ALLOWED,
     "Z"},
    {ALLOW "deny 'd' { " HEAD ", unless = function() return true end }",
     {NOBODY, "read", DOC, NULL, NULL, 0, false},
     PEP_ALLOW,
     PEP_CODE_ALLOWED,
     "a"},
};

static const struct row requests[] = {
    {ALLOW, {NOBODY, "read", "doc", NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_BAD_REQUEST, NULL},
    {ALLOW, {NOBODY, "read", "doc:", NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_BAD_REQUEST, NULL},
    {ALLOW,
     {NOBODY, "read", "doc:a//b", NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_BAD_REQUEST,
     NULL},
    {ALLOW, {NOBODY, "read", "doc:a/", NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_BAD_REQUEST, NULL},
    {ALLOW, {NOBODY, "read", "Doc:a", NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_BAD_REQUEST, NULL},
    {ALLOW,
     {NOBODY, "read", "doc:a\x01", NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_BAD_REQUEST,
     NULL},
    {ALLOW,
     {NOBODY, "read", "doc:\xc0\xaf", NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_BAD_REQUEST,
     NULL},
    {ALLOW,
     {NOBODY, "read", "doc:%2f", NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_BAD_REQUEST,
     NULL},
    {ALLOW, {NOBODY, "read", "doc:%", NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_BAD_REQUEST, NULL},
    {ALLOW,
     {NOBODY, "read", "doc:%2F%3A%2A%25", NULL, NULL, 0, false},
     PEP_ALLOW,
     PEP_CODE_ALLOWED,
     "a"},
    {ALLOW, {NOBODY, "read", "doc:a:b", NULL, NULL, 0, false}, PEP_ALLOW, PEP_CODE_ALLOWED, "a"},
    {ALLOW,
     {NOBODY, "read", DOC, "{\"id\":\"2\"}", NULL, 0, false},
     PEP_DENY,
     PEP_CODE_BAD_REQUEST,
     NULL},
    {ALLOW, {NOBODY, "", DOC, NULL, NULL, 0, false}, PEP_DENY, PEP_CODE_BAD_REQUEST, NULL},
    {"allow 'a' { action = 'read', resource = 'doc:x%2Fy' }",
     {NOBODY, "read", "doc:x%2Fy", NULL, NULL, 0, false},
     PEP_ALLOW,
     PEP_CODE_ALLOWED,
     "a"},
    {"allow 'a' { action = 'read', resource = 'doc:x%2Fy' }",
     {NOBODY, "read", "doc:x/y", NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_NOT_GRANTED,
     NULL},
    {"allow 'a' { action = 'read', resource = 'doc:%2A' }",
     {NOBODY, "read", "doc:q", NULL, NULL, 0, false},
     PEP_DENY,
     PEP_CODE_NOT_GRANTED,
     NULL},
};

#define TABLE(name)                                                 \
    static void name##_mean_what_they_say(void **state)             \
    {                                                               \
        (void)state;                                                \
        for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) \
            check(&name[i]);                                        \
    }
TABLE(heads)
TABLE(functions)
TABLE(combining)
TABLE(requests)

/* ---- subjects that are refused ---- */

static void subjects_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"azp\":\"a\",\"client_id\":\"b\"}",
        "{\"roles\":[1]}",
        "{\"roles\":{}}",
        "{\"scope\":5}",
        "{\"sub\":5}",
        "{\"act\":\"x\"}",
        "{\"act\":{\"sub\":5}}",
        "{\"act\":{}}",
        "{\"act\":{\"sub\":\"a\",\"act\":{\"act\":{\"sub\":\"b\"}}}}",
        "{\"act\":[{\"sub\":\"a\"}]}",
        "{\"azp\":[\"a\"]}",
    };
    struct kit_file files[] = {{"policies/p.lua", ALLOW}};
    struct pep_policy *p = kit_policy(files, 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *claims = kit_json(bad[i]);
        struct pep_subject *s = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        assert_int_equal(pep_subject_from_claims(p, claims, &s, &err), PEP_ETOKEN);
        assert_null(s);
        assert_true(err.text[0] != '\0');
        json_decref(claims);
    }
    pep_policy_free(p);
}

/* Sixteen actors, and one more. */
static void chains_are_bounded(void **state)
{
    (void)state;
    struct kit_file files[] = {{"policies/p.lua", ALLOW}};
    struct pep_policy *p = kit_policy(files, 1);
    json_t *act = NULL;
    for (int n = 1; n <= 17; n++) {
        struct pep_subject *s = NULL;
        struct pep_error err = PEP_ERROR_INIT;
        act = act == NULL ? json_pack("{s:s}", "sub", "a")
                          : json_pack("{s:s, s:o}", "sub", "a", "act", act);
        json_t *claims = json_pack("{s:s, s:O}", "sub", "ann", "act", act);
        assert_int_equal(pep_subject_from_claims(p, claims, &s, &err),
                         n <= 16 ? PEP_OK : PEP_ETOKEN);
        pep_subject_free(s);
        json_decref(claims);
    }
    json_decref(act);
    pep_policy_free(p);
}

/* ---- several challenges ---- */

static void challenges_ask_for_the_smallest_age(void **state)
{
    (void)state;
    struct kit_file files[] = {
        {"policies/p.lua", ALLOW
         "challenge 'c1' { " HEAD ", oblige = step_up { acr_values = { 'x' }, max_age = 300 } }\n"
         "challenge 'c2' { " HEAD ", oblige = step_up { acr_values = { 'y' }, max_age = 60 } }\n"}};
    struct pep_policy *p = kit_policy(files, 1);
    struct kit_ask ask = {NOBODY, "read", DOC, NULL, NULL, 0, false};
    for (int i = 0; i < 2; i++) {
        struct pep_verdict v = kit_decide(p, &ask);
        assert_string_equal(v.rule, "c1");
        assert_string_equal(v.obligations,
                            "[{\"acr_values\":[\"x\"],\"max_age\":60,\"type\":\"step-up\"}]");
    }
    pep_policy_free(p);
}

/* ---- effort ---- */

static void effort_does_not_grow_with_rules(void **state)
{
    (void)state;
    enum { FILES = 100, PER_FILE = 100 };
    struct kit_file files[FILES];
    for (size_t i = 0; i < FILES; i++) {
        char *path = malloc(64), *text = malloc(16384), *at = text;
        sprintf(path, "policies/p%03zu.lua", i);
        for (size_t k = i * PER_FILE; k < (i + 1) * PER_FILE; k++)
            at += sprintf(at,
                          "allow 'r%zu' { action = 'read', resource = 'doc', roles = 'role%zu' }\n",
                          k, k);
        files[i] = (struct kit_file){path, text};
    }
    struct pep_policy *p = kit_policy(files, FILES);
    struct kit_ask ask = {
        "{\"roles\":[\"role77\",\"role9000\"]}", "read", DOC, NULL, NULL, 0, false};
    struct pep_verdict v = kit_decide(p, &ask);
    assert_int_equal(v.outcome, PEP_ALLOW);
    assert_int_equal(v.effort.candidates, FILES * PER_FILE);
    assert_true(v.effort.visited <= 2);
    assert_int_equal(v.effort.calls, 0);
    pep_policy_free(p);
    for (size_t i = 0; i < FILES; i++) {
        free((void *)(uintptr_t)files[i].path);
        free((void *)(uintptr_t)files[i].text);
    }
}

/* ---- threads ---- */

struct worker {
    const struct pep_policy *policy;
    size_t wrong;
};

static void *work(void *context)
{
    struct worker *w = context;
    json_t *claims = json_pack("{s:s}", "sub", "ann");
    struct pep_subject *s = NULL;
    if (pep_subject_from_claims(w->policy, claims, &s, NULL) != PEP_OK)
        w->wrong++;
    for (int i = 0; s != NULL && i < 2000; i++) {
        pep_attr owner = pep_attr_string("owner", i % 2 == 0 ? "ann" : "bob");
        struct pep_request q = {
            .subject = s, .action = "read", .resource = DOC, .attrs = &owner, .attr_count = 1};
        struct pep_verdict v;
        pep_policy_decide(w->policy, &q, &v);
        w->wrong += v.code != PEP_CODE_BUSY && (v.outcome == PEP_ALLOW) != (i % 2 == 0);
    }
    pep_subject_free(s);
    json_decref(claims);
    return NULL;
}

static void threads_share_a_policy(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    struct kit_file files[] = {{"policies/p.lua",
                                "allow 'a' { " HEAD ", when = function(sub, res)\n"
                                "  return sub.id == res.owner end }\n"}};
    struct pep_policy *p = kit_policy(files, 1);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){p, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    struct pep_rule_count n;
    pep_policy_rule_counts(p, 0, &n);
    assert_true(n.applied > 0 && n.faults < THREADS * 2000);
    pep_policy_free(p);
}

/* ---- reads ---- */

static void reads_are_known(void **state)
{
    (void)state;
    struct kit_file files[] = {
        {"lib/m.lua", "local M = {}\nfunction M.f(s) return s.team == 'x' end\nreturn M\n"},
        {"policies/p.lua", "local m = require 'lib.m'\n"
                           "allow 'a' { " HEAD ", roles = 'r', same = 'tenant',\n"
                           "  when = function(sub, res, ctx) return res.amount ~= nil and m.f(sub) "
                           "and ctx.ip ~= nil end }\n"}};
    static const char *const expected[] = {"ctx.ip", "res.amount", "res.tenant", "sub.amount",
                                           "sub.ip", "sub.roles",  "sub.team",   "sub.tenant"};
    struct pep_policy *p = kit_policy(files, 2);
    size_t n;
    const char *const *names = pep_policy_reads(p, "doc", "read", &n);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(names[i], expected[i]);
    json_t *claims = kit_json("{\"tenant\":\"t\",\"team\":\"x\"}"),
           *attrs = kit_json("{\"amount\":5}");
    struct pep_subject *s = NULL;
    assert_int_equal(pep_subject_from_claims(p, claims, &s, NULL), PEP_OK);
    struct pep_request q = {.subject = s, .action = "read", .resource = DOC, .attrs_json = attrs};
    struct pep_buffer out = pep_buffer_of(4096);
    pep_policy_put_reads(p, &q, &out);
    assert_string_equal(
        (const char *)out.data,
        "{\"ctx.ip\":null,\"res.amount\":5,\"res.tenant\":null,\"sub.amount\":null,"
        "\"sub.ip\":null,\"sub.roles\":null,\"sub.team\":\"x\",\"sub.tenant\":\"t\"}");
    pep_buffer_free(&out);
    pep_subject_free(s);
    json_decref(claims);
    json_decref(attrs);
    pep_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_mean_what_they_say),
        cmocka_unit_test(functions_mean_what_they_say),
        cmocka_unit_test(combining_mean_what_they_say),
        cmocka_unit_test(requests_mean_what_they_say),
        cmocka_unit_test(subjects_are_refused),
        cmocka_unit_test(chains_are_bounded),
        cmocka_unit_test(challenges_ask_for_the_smallest_age),
        cmocka_unit_test(effort_does_not_grow_with_rules),
        cmocka_unit_test(threads_share_a_policy),
        cmocka_unit_test(reads_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
