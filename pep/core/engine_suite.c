/*
 * Running the collected cases: see engine_suite.h. Each case is decided by pep_policy_explain(),
 * which runs every candidate, also those behind the first deny: that gives the reasons of a failure
 * and the coverage in one pass. Then every invariant looks at the same request and its verdict.
 */
#include "engine_suite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX    PEP_RULES_MAX
#define MESSAGE_ROOM 320
#define BROKEN_SHOWN 3 /* cases shown for one broken invariant */

struct suite_run {
    struct pep_suite *suite;
    void (*each)(void *context, const struct pep_case_result *result);
    void *context;
    struct pep_suite_totals totals;
    const struct pep_rule **by_id; /* rules sorted by id */
    struct pep_explanation *lines; /* of the running case */
    size_t line_count, line_capacity;
    unsigned broken[PEP_SUITE_INVARIANTS_MAX];
    struct pep_eval *eval;
};

/* ---- candidates and coverage ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(const struct pep_rule *const *)a)->id,
                  (*(const struct pep_rule *const *)b)->id);
}

static int find_id(const void *key, const void *item)
{
    return strcmp(key, (*(const struct pep_rule *const *)item)->id);
}

static void count_line(struct suite_run *r, const struct pep_explanation *line)
{
    const struct pep_rule **found =
        bsearch(line->rule, r->by_id, r->totals.rule_count, sizeof(*r->by_id), find_id);
    if (found == NULL)
        return;
    struct pep_rule_seen *seen = &r->totals.rules[*found - r->suite->policy->rules];
    seen->tried++;
    if (line->applied)
        seen->yes++;
    else
        seen->no++;
}

static void take_line(void *context, const struct pep_explanation *line)
{
    struct suite_run *r = context;
    count_line(r, line);
    if (r->line_count == r->line_capacity) {
        size_t capacity = r->line_capacity == 0 ? 64 : 2 * r->line_capacity;
        void *lines = capacity > 2 * LINES_MAX ? NULL : realloc(r->lines, capacity * sizeof(*line));
        if (lines == NULL)
            return; /* shown only: the verdict stands */
        r->lines = lines;
        r->line_capacity = capacity;
    }
    r->lines[r->line_count++] = *line;
}

/* ---- invariants ---- */

struct invariant_call {
    struct suite_run *run;
    const struct suite_invariant *invariant;
    const struct pep_verdict *verdict;
    bool holds;
};

static void set_text(lua_State *L, const char *name, const char *text)
{
    if (text != NULL)
        lua_pushstring(L, text);
    else
        lua_pushnil(L);
    lua_setfield(L, -2, name);
}

static void push_decision(lua_State *L, const struct pep_verdict *v)
{
    lua_createtable(L, 0, 5);
    lua_pushboolean(L, v->outcome == PEP_ALLOW);
    lua_setfield(L, -2, "allowed");
    set_text(L, "outcome", pep_outcome_name(v->outcome));
    set_text(L, "code", pep_code_name(v->code));
    set_text(L, "rule", v->rule);
    set_text(L, "reason", v->reason);
}

static int call_invariant(lua_State *L)
{
    struct invariant_call *call = lua_touserdata(L, 1);
    struct pep_slot *slot = &call->run->suite->slot;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->invariant->function);
    for (int object = PEP_OBJECT_SUB; object < PEP_OBJECTS; object++)
        lua_pushlightuserdata(L, &slot->objects[object]);
    push_decision(L, call->verdict);
    lua_call(L, 4, 1);
    if (!lua_isboolean(L, -1))
        return luaL_error(L, "must return true or false, not %s", luaL_typename(L, -1));
    call->holds = lua_toboolean(L, -1);
    return 0;
}

/* False if it does not hold or fails; the message says which. */
static bool invariant_holds(struct suite_run *r, size_t i, const struct pep_verdict *verdict,
                            char message[MESSAGE_ROOM])
{
    struct invariant_call call = {r, &r->suite->invariants[i], verdict, false};
    struct pep_slot *slot = &r->suite->slot;
    char text[256];
    if (slot->broken) { /* its state is not to be entered again */
        snprintf(message, MESSAGE_ROOM, "not asked: an invariant before ran out of memory");
        return false;
    }
    pep_slot_begin(slot, PEP_BUDGET_STEPS, PEP_LOAD_MEMORY);
    pep_slot_count(slot);
    int status = pep_slot_call(slot, call_invariant, &call);
    if (status != LUA_OK) {
        pep_slot_error(slot, status, text, sizeof(text));
        snprintf(message, MESSAGE_ROOM, "the invariant failed: %s", text);
    } else if (!call.holds) {
        snprintf(message, MESSAGE_ROOM, "the invariant does not hold for this decision");
    }
    if (!slot->broken)
        pep_slot_end(slot);
    return status == LUA_OK && call.holds;
}

static void check_invariants(struct suite_run *r, const struct pep_request *request,
                             struct pep_case_result *result)
{
    struct pep_verdict scratch;
    char message[MESSAGE_ROOM];
    struct pep_slot *slot = &r->suite->slot;
    memset(&scratch, 0, sizeof(scratch));
    if (r->suite->invariant_count == 0)
        return;
    if (pep_eval_open(r->eval, r->suite->policy, request, &scratch) == 0) {
        slot->eval = r->eval;
        r->eval->slot = slot;
        for (size_t i = 0; i < r->suite->invariant_count; i++) {
            if (invariant_holds(r, i, result->verdict, message))
                continue;
            result->passed = false;
            result->invariant = r->suite->invariants[i].name;
            result->message = message;
            if (r->broken[i]++ < BROKEN_SHOWN)
                r->each(r->context, result);
        }
        slot->eval = NULL;
        r->eval->slot = NULL;
    }
    pep_eval_close(r->eval);
}

/* ---- one case ---- */

static bool as_expected(const struct pep_case *c, const struct pep_verdict *v)
{
    if (v->outcome != c->expect)
        return false;
    return c->by == NULL || strcmp(c->by, pep_code_name(v->code)) == 0 ||
           (v->rule != NULL && strcmp(c->by, v->rule) == 0);
}

static void decide(struct suite_run *r, const struct pep_case *c, const struct pep_subject *subject)
{
    struct pep_verdict verdict;
    struct pep_request request = {.subject = subject,
                                  .action = c->action,
                                  .resource = c->resource,
                                  .attrs_json = c->attrs,
                                  .context_json = c->context,
                                  .now = c->now,
                                  .any_obligation = true};
    r->line_count = 0;
    pep_policy_explain(r->suite->policy, &request, &verdict, take_line, r);
    struct pep_case_result result = {.test = c,
                                     .passed = as_expected(c, &verdict),
                                     .verdict = &verdict,
                                     .lines = r->lines,
                                     .line_count = r->line_count};
    r->totals.passed += result.passed;
    r->totals.failed += !result.passed;
    r->each(r->context, &result);
    check_invariants(r, &request, &result);
}

/* Claims that make no subject are what a service would call a bad token. */
static void refuse(struct suite_run *r, const struct pep_case *c, const struct pep_error *why)
{
    struct pep_verdict verdict = {.outcome = PEP_DENY, .code = PEP_CODE_BAD_TOKEN};
    snprintf(verdict.detail, sizeof(verdict.detail), "%s", pep_error_text(why));
    struct pep_case_result result = {
        .test = c, .passed = as_expected(c, &verdict), .verdict = &verdict};
    r->totals.passed += result.passed;
    r->totals.failed += !result.passed;
    r->each(r->context, &result);
}

static int run_case(struct suite_run *r, const struct pep_case *c, struct pep_error *err)
{
    struct pep_subject *subject = NULL;
    struct pep_error why = PEP_ERROR_INIT;
    int rc = pep_subject_from_claims(r->suite->policy, c->claims, &subject, &why);
    if (rc == PEP_OK)
        decide(r, c, subject);
    else if (rc == PEP_ETOKEN)
        refuse(r, c, &why);
    else
        return pep_error_set(err, rc, "%s:%d: %s", c->file, c->line, pep_error_text(&why));
    pep_subject_free(subject);
    return PEP_OK;
}

static int prepare(struct suite_run *r)
{
    const struct pep_policy *policy = r->suite->policy;
    size_t n = policy->rule_count;
    r->totals.rule_count = n;
    r->totals.rules = calloc(n == 0 ? 1 : n, sizeof(*r->totals.rules));
    r->by_id = calloc(n == 0 ? 1 : n, sizeof(*r->by_id));
    r->eval = calloc(1, sizeof(*r->eval));
    if (r->totals.rules == NULL || r->by_id == NULL || r->eval == NULL)
        return PEP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        r->by_id[i] = &policy->rules[i];
    qsort(r->by_id, n, sizeof(*r->by_id), compare_ids);
    return PEP_OK;
}

static void count_up(struct suite_run *r)
{
    for (size_t i = 0; i < r->suite->invariant_count; i++) {
        r->totals.passed += r->broken[i] == 0;
        r->totals.failed += r->broken[i] != 0;
    }
    for (size_t i = 0; i < r->totals.rule_count; i++)
        r->totals.both_ways += r->totals.rules[i].yes > 0 && r->totals.rules[i].no > 0;
}

int pep_suite_run(struct pep_suite *suite,
                  void (*each)(void *context, const struct pep_case_result *result), void *context,
                  struct pep_suite_totals *ret, struct pep_error *err)
{
    struct suite_run r = {.suite = suite, .each = each, .context = context};
    int rc = prepare(&r);
    if (rc != PEP_OK)
        pep_error_set(err, rc, "tests: no memory");
    for (size_t i = 0; rc == PEP_OK && i < suite->case_count; i++)
        rc = run_case(&r, &suite->cases[i].public, err);
    if (rc == PEP_OK) {
        count_up(&r);
        *ret = r.totals;
        r.totals.rules = NULL;
    }
    free(r.totals.rules);
    free(r.by_id);
    free(r.lines);
    free(r.eval);
    return rc;
}
