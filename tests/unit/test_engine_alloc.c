/*
 * The scenarios of failing.h for the engine: compiling, deciding, explaining, checking and testing
 * a policy that uses all there is. Without memory a policy is not refused for what it says: the
 * error is ENOMEM, so that whoever asked tries again. A decision is the right one or a denial,
 * never an allow that is not due, and the next one is right.
 *
 * Inside a warm Lua state nothing comes from malloc(): there the memory of one decision is made
 * smaller, 16 bytes at a time from none to enough, so that each of its allocations fails once.
 */
#include "failing.h"

#include "pep/core/engine_check.h"
#include "pep/core/engine_internal.h"
#include "pep/core/engine_suite.h"

#include "engine_kit.h"

#define KEYS                                                                        \
    "\"jwks\":{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":" \
    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

static const struct kit_file policy_files[] = {
    {"data/limits.json", "{\"acme\":{\"max\":100.5,\"names\":[\"a\",\"b\"]}}"},
    {"issuers.json",
     "[{\"issuer\":\"https://a\",\"audiences\":[\"b\"],\"algorithms\":[\"EdDSA\"]," KEYS
     ",\"allow\":{\"roles\":[\"viewer\"],\"claims\":{\"tenant\":[\"acme\"]}}}]"},
    {"lib/text.lua", "local M = {}\n"
                     "function M.long(s) return s .. ' and ' .. s .. string.rep('x', 300) end\n"
                     "return M\n"},
    {"policies/p.lua",
     "local limits, text = data 'limits', require 'lib.text'\n"
     "deny 'a.isolation' { action = '*', resource = '*',\n"
     "  unless = function(sub, res) return same(sub.tenant, res.tenant) end, reason = 'no' }\n"
     "allow 'b.approve' { action = 'approve', resource = 'invoice:acme/*', roles = 'manager',\n"
     "  same = 'tenant', when = function(sub, res, ctx)\n"
     "    local t = { sub.tenant, text.long(res.owner), tostring(res.amount) }\n"
     "    table.sort(t)\n"
     "    return #table.concat(t, ',') > 300 and res.amount <= limits[res.tenant].max\n"
     "      and clock(ctx.now, '+01:00').year > 2000 and #split(t[1], 'c') > 0 end }\n"
     "allow 'c.read' { action = 'read', resource = { 'invoice', 'doc' }, roles = 'viewer',\n"
     "  scopes = 'r', clients = { 'app', 'web' }, issuers = 'https://a' }\n"
     "challenge 'd.mfa' { action = 'approve', resource = 'invoice',\n"
     "  unless = function(sub) return has(sub.amr, text.long('mfa')) or has(sub.amr, 'mfa') end,\n"
     "  oblige = step_up { acr_values = { 'mfa' }, max_age = 300 }, reason = 'mfa' }\n"
     "challenge 'e.fresh' { action = 'approve', resource = 'invoice',\n"
     "  unless = function(sub) return has(sub.amr, 'mfa') end,\n"
     "  oblige = step_up { acr_values = { 'mfa' }, max_age = 60 }, reason = 'mfa' }\n"},
    {"schema.lua",
     "claims { id = { from = 'sub', type = 'string' }, tenant = { from = 'tenant', type = 'string' "
     "},\n"
     "  roles = { from = 'roles', type = 'set' }, amr = { from = 'amr', type = 'set' },\n"
     "  client = { from = 'azp', type = 'string' }, scopes = { from = 'scope', type = 'scopes' } "
     "}\n"
     "roles { viewer = {}, manager = { 'viewer' } }\n"
     "resource 'invoice' { id = '{tenant}/{number}', actions = { 'read', 'approve' },\n"
     "  attrs = { owner = 'string?', amount = 'number?', tags = 'set?' } }\n"
     "resource 'doc' { actions = { 'read' } }\n"},
};
#define POLICY_FILES (sizeof(policy_files) / sizeof(policy_files[0]))

static const struct kit_file test_files[] = {
    {"tests/p_test.lua",
     "local max = token { sub = 'max', tenant = 'acme', roles = { 'manager' }, amr = { 'mfa' },\n"
     "  auth_age = 60, more = { a = { 1, 2.5, 'x' }, b = {} } }\n"
     "local vic = token { sub = 'vic', tenant = 'acme', roles = { 'viewer' } }\n"
     "test 'small' { as = max, action = 'approve', resource = 'invoice:acme/1', expect = 'allow',\n"
     "  with = { amount = 5, owner = 'bob', tags = { 'a', 'b' } }, context = { x = 1 },\n"
     "  by = 'b.approve', at = '2026-03-02T09:00:00Z' }\n"
     "test 'other' { as = max, action = 'read', resource = 'invoice:other/1', expect = 'deny',\n"
     "  by = 'a.isolation' }\n"
     "matrix 'm' { resource = 'invoice:acme/1', with = { amount = 1000, owner = 'bob' },\n"
     "  { 'as', 'approve', 'read' }, { max, 'deny', 'deny' }, { vic, 'deny', 'deny' } }\n"
     "invariant 'tenants' { when = function(sub, res, ctx, decision)\n"
     "  return not (decision.allowed and sub.tenant ~= res.tenant) end }\n"},
};

static struct pep_files *policy_set, *test_set;

static int set_up(void **state)
{
    (void)state;
    policy_set = kit_files(policy_files, POLICY_FILES);
    test_set = kit_files(test_files, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pep_files_free(policy_set);
    pep_files_free(test_set);
    return 0;
}

/* ---- the memory of one decision ---- */

static size_t decision_memory = PEP_BUDGET_MEMORY;

void __real_pep_slot_begin(struct pep_slot *slot, int64_t steps, size_t memory);
void __wrap_pep_slot_begin(struct pep_slot *slot, int64_t steps, size_t memory);

void __wrap_pep_slot_begin(struct pep_slot *slot, int64_t steps, size_t memory)
{
    __real_pep_slot_begin(slot, steps, memory == PEP_BUDGET_MEMORY ? decision_memory : memory);
}

/* ---- the scenarios ---- */

static int compiled(struct pep_policy **ret)
{
    struct pep_engine_options options = {.lua_states = 2};
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_policy *p = NULL;
    int r = pep_policy_compile_unsigned(policy_set, &options, &p, &diags, &err);
    assert_true((p != NULL) == (r == PEP_OK));
    assert_int_equal(err.code, r);
    if (r != PEP_OK && r != PEP_ENOMEM)
        fail_msg("%d %s: %s", r, pep_error_text(&err),
                 diags.count > 0 ? diags.items[0].message : "-");
    if (r == PEP_OK && diags.lost == 0)
        assert_int_equal(diags.errors, 0);
    pep_diags_free(&diags);
    if (r == PEP_OK)
        *ret = p;
    return r;
}

struct question {
    const char *claims, *action, *resource;
    pep_outcome outcome;
};
#define MANAGER "\"sub\":\"max\",\"tenant\":\"acme\",\"roles\":[\"manager\"]"
static const struct question questions[] = {
    {"{" MANAGER ",\"amr\":[\"mfa\"]}", "approve", "invoice:acme/1", PEP_ALLOW},
    {"{" MANAGER ",\"amr\":[\"pwd\"]}", "approve", "invoice:acme/1", PEP_CHALLENGE},
    {"{" MANAGER ",\"amr\":[\"mfa\"]}", "approve", "invoice:other/1", PEP_DENY},
    {"{\"sub\":\"vic\",\"tenant\":\"acme\",\"roles\":[\"viewer\"]}", "approve", "invoice:acme/1",
     PEP_DENY},
};
static const struct question *asked; /* one of these */
static bool explained;

static void ignore_line(void *context, const struct pep_explanation *line)
{
    assert_non_null(line->rule);
    ++*(unsigned *)context;
}

/* ENOMEM if there is no answer, or one that blames a fault; anything else is the right answer. */
static int decided(const struct pep_policy *p)
{
    long countdown = failing_pause();
    json_t *claims = kit_json(asked->claims);
    json_t *attrs = kit_json("{\"amount\":5.5,\"owner\":\"bob\",\"tags\":[\"a\",\"b\"]}");
    struct pep_subject *subject = NULL;
    struct pep_verdict v;
    unsigned lines = 0;
    failing_resume(countdown);
    int r = pep_subject_from_claims(p, claims, &subject, NULL);
    assert_true(r == PEP_OK || r == PEP_ENOMEM);
    if (r == PEP_OK) {
        struct pep_request q = {.subject = subject,
                                .action = asked->action,
                                .resource = asked->resource,
                                .attrs_json = attrs,
                                .now = PEP_SUITE_NOW};
        if (explained)
            pep_policy_explain(p, &q, &v, ignore_line, &lines);
        else
            pep_policy_decide(p, &q, &v);
        bool failed = v.code == PEP_CODE_FAULT || v.code == PEP_CODE_BUSY || v.fault_count > 0;
        for (size_t i = 0; i < v.fault_count && i < PEP_FAULTS_MAX; i++)
            assert_string_equal(v.faults[i].kind, "memory");
        if (v.outcome != asked->outcome && (v.outcome != PEP_DENY || !failed))
            fail_msg("%s for %s, code %s", pep_outcome_name(v.outcome), asked->claims,
                     pep_code_name(v.code));
        if (v.outcome == PEP_CHALLENGE) /* the stricter of the two */
            if (strstr(v.obligations, "\"max_age\":60") == NULL)
                fail_msg("%s", v.obligations);
        r = failed ? PEP_ENOMEM : PEP_OK;
    }
    countdown = failing_pause();
    pep_subject_free(subject);
    json_decref(claims);
    json_decref(attrs);
    failing_resume(countdown);
    return r;
}

static int compile(void)
{
    struct pep_policy *p = NULL;
    int r = compiled(&p);
    long countdown = failing_pause();
    if (r == PEP_OK) {
        for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
            asked = &questions[i];
            assert_int_equal(decided(p), PEP_OK);
        }
    }
    pep_policy_free(p);
    failing_resume(countdown);
    return r;
}

/* A fresh policy each time, because a state that ran out of memory is made anew. */
static int decide_fresh(void)
{
    long countdown = failing_pause();
    struct pep_policy *p = NULL;
    assert_int_equal(compiled(&p), PEP_OK);
    failing_resume(countdown);
    int r = decided(p);
    countdown = failing_pause();
    assert_int_equal(decided(p), PEP_OK); /* and the next one is right */
    pep_policy_free(p);
    failing_resume(countdown);
    return r;
}

static int check(void)
{
    long countdown = failing_pause();
    struct pep_policy *p = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    assert_int_equal(compiled(&p), PEP_OK);
    failing_resume(countdown);
    int r = pep_check_policy(p, policy_set, &diags, &err);
    countdown = failing_pause();
    assert_int_equal(err.code, r);
    assert_true(r == PEP_OK || r == PEP_ENOMEM);
    assert_int_equal(r == PEP_ENOMEM, diags.starved > 0);
    pep_diags_free(&diags);
    pep_policy_free(p);
    failing_resume(countdown);
    return r;
}

static void count_case(void *context, const struct pep_case_result *result)
{
    (void)result;
    ++*(unsigned *)context;
}

static int suite_on(const struct pep_policy *p)
{
    struct pep_suite *suite = NULL;
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_suite_totals totals = {0, 0, NULL, 0, 0};
    unsigned cases = 0;
    int r = pep_suite_load(test_set, p, &suite, &diags, &err);
    assert_true((suite != NULL) == (r == PEP_OK));
    if (r != PEP_OK && r != PEP_ENOMEM)
        fail_msg("%d %s: %s", r, pep_error_text(&err),
                 diags.count > 0 ? diags.items[0].message : "-");
    if (r == PEP_OK)
        r = pep_suite_run(suite, count_case, &cases, &totals, &err);
    assert_int_equal(err.code, r);
    assert_true(r == PEP_OK || r == PEP_ENOMEM);
    if (r == PEP_OK) {
        assert_int_equal(totals.passed + totals.failed, 7);
        if (alloc.countdown < 0)
            assert_int_equal(totals.failed, 0);
        else if (alloc.countdown == 0 && totals.failed > 0)
            r = PEP_ENOMEM; /* a decision without memory fails its test */
    } else {
        assert_null(totals.rules);
    }
    free(totals.rules);
    pep_suite_free(suite);
    pep_diags_free(&diags);
    return r;
}

static int suite(void)
{
    long countdown = failing_pause();
    struct pep_policy *p = NULL;
    assert_int_equal(compiled(&p), PEP_OK);
    failing_resume(countdown);
    int r = suite_on(p);
    countdown = failing_pause();
    assert_int_equal(suite_on(p), PEP_OK);
    pep_policy_free(p);
    failing_resume(countdown);
    return r;
}

static int allow_fresh(void)
{
    asked = &questions[0];
    explained = false;
    return decide_fresh();
}

static int challenge_fresh(void)
{
    asked = &questions[1];
    explained = false;
    return decide_fresh();
}

static int explain_fresh(void)
{
    asked = &questions[1];
    explained = true;
    return decide_fresh();
}

SCENARIO(compile)
SCENARIO(check)
SCENARIO(suite)
SCENARIO(allow_fresh)
SCENARIO(challenge_fresh)
SCENARIO(explain_fresh)

/* ---- inside the Lua state ---- */

static void a_state_without_memory_denies(void **state)
{
    (void)state;
    struct pep_policy *p = NULL;
    assert_int_equal(compiled(&p), PEP_OK);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        for (int way = 0; way < 2; way++) {
            unsigned failed = 0;
            asked = &questions[i];
            explained = way == 1;
            int r = PEP_ENOMEM;
            size_t memory = 0;
            for (; r != PEP_OK && memory < 64 * 1024; memory += 16) {
                decision_memory = memory;
                r = decided(p);
                decision_memory = PEP_BUDGET_MEMORY;
                failed += r != PEP_OK;
                assert_int_equal(decided(p), PEP_OK);
            }
            assert_int_equal(r, PEP_OK);
            assert_true(failed > 0 || i > 1); /* where functions allocate */
        }
    }
    pep_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compile),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_suite),
        cmocka_unit_test(test_allow_fresh),
        cmocka_unit_test(test_challenge_fresh),
        cmocka_unit_test(test_explain_fresh),
        cmocka_unit_test(a_state_without_memory_denies),
    };
    if (!failing_install())
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
