/* What a decision costs: heads alone, one function and three, beside a bare lua_pcall of the same
 * condition on prebuilt tables, which is what nobody who embeds Lua can avoid; and how that grows
 * with the number of rules, beside itself at ten rules. */
#include "measure.h"

#include "pep/core/engine.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 200000

static const char schema[] =
    "claims { id = { from = 'sub' }, tenant = {}, roles = { type = 'set' } }\n";

static const char condition[] =
    "res.amount ~= nil and res.amount <= 10000 and sub.tenant == 'acme' and res.owner ~= sub.id";

struct subject_of {
    struct pep_policy *policy;
    struct pep_subject *subject;
    struct pep_request request;
    const char *resource;
    pep_attr attrs[2];
};

static void must(int rc, const struct pep_error *err)
{
    if (rc == PEP_OK)
        return;
    fprintf(stderr, "%s\n", pep_error_text(err));
    exit(1);
}

static void open_policy(struct subject_of *s, const char *rules, const char *action,
                        const char *resource)
{
    struct pep_engine_options options = {.lua_states = 1};
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_files *files;
    must(pep_files_new(&files), &err);
    must(pep_files_add(files, "schema.lua", pep_span_string(schema), &err), &err);
    for (size_t part = 0; *rules != '\0'; part++) { /* a file's constants are limited */
        const char *end = rules;
        for (int lines = 0; lines < 100 && *end != '\0'; lines++)
            end += strcspn(end, "\n") + 1;
        char path[64];
        snprintf(path, sizeof(path), "policies/p%03zu.lua", part);
        must(pep_files_add(files, path, pep_span_of(rules, (size_t)(end - rules)), &err), &err);
        rules = end;
    }
    must(pep_policy_compile_unsigned(files, &options, &s->policy, NULL, &err), &err);
    pep_files_free(files);
    json_t *claims =
        json_pack("{s:s,s:s,s:[s,s]}", "sub", "ann", "tenant", "acme", "roles", "role5", "reader");
    must(pep_subject_from_claims(s->policy, claims, &s->subject, &err), &err);
    json_decref(claims);
    s->attrs[0] = pep_attr_int("amount", 500);
    s->attrs[1] = pep_attr_string("owner", "bob");
    s->request = (struct pep_request){.subject = s->subject,
                                      .action = action,
                                      .resource = resource,
                                      .attrs = s->attrs,
                                      .attr_count = 2,
                                      .now = 1772452800};
}

static void close_policy(struct subject_of *s)
{
    pep_subject_free(s->subject);
    pep_policy_free(s->policy);
}

static void decide(void *context, size_t times)
{
    struct subject_of *s = context;
    struct pep_verdict v;
    for (size_t i = 0; i < times; i++) {
        pep_policy_decide(s->policy, &s->request, &v);
        if (v.outcome != PEP_ALLOW) {
            fprintf(stderr, "denied: %s %s\n", pep_code_name(v.code), v.detail);
            exit(1);
        }
    }
}

/* ---- bare Lua ---- */

static lua_State *bare_state(void)
{
    char code[1024];
    lua_State *L = luaL_newstate();
    snprintf(
        code, sizeof(code),
        "sub = { id = 'ann', tenant = 'acme' }; res = { amount = 500, owner = 'bob' }; ctx = {}\n"
        "return function(sub, res, ctx) return %s end",
        condition);
    if (L == NULL || luaL_dostring(L, code) != LUA_OK)
        exit(1);
    lua_getglobal(L, "sub");
    lua_getglobal(L, "res");
    lua_getglobal(L, "ctx");
    return L;
}

static void bare_call(void *context, size_t times)
{
    lua_State *L = context;
    for (size_t i = 0; i < times; i++) {
        for (int k = 1; k <= 4; k++)
            lua_pushvalue(L, k);
        if (lua_pcall(L, 3, 1, 0) != LUA_OK || !lua_toboolean(L, -1))
            exit(1);
        lua_pop(L, 1);
    }
}

/* ---- policies ---- */

/* `apart`: five actions for each of many types; else one (type, action) with a role for each rule.
 */
static char *many(size_t rules, int apart)
{
    char *text = malloc(rules * 160 + 1), *at = text;
    if (text == NULL)
        exit(1);
    *at = '\0';
    for (size_t i = 0; i < rules; i++)
        at +=
            apart
                ? sprintf(at, "allow 'r%zu' { action = 'a%zu', resource = 't%zu' }\n", i, i % 5,
                          i / 5)
                : sprintf(at,
                          "allow 'r%zu' { action = 'read', resource = 'doc', roles = 'role%zu' }\n",
                          i, i);
    return text;
}

static void functions(int count, unsigned rounds, lua_State *L)
{
    char text[4096] = "allow 'head' { action = 'read', resource = 'doc', roles = 'reader' }\n";
    char figure[64];
    for (int i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "deny 'f%d' { action = 'read', resource = 'doc',\n"
                 "  unless = function(sub, res, ctx) return %s end }\n",
                 i, condition);
    struct subject_of s;
    open_policy(&s, text, "read", "doc:acme/1");
    snprintf(figure, sizeof(figure), "%d functions and one head", count);
    struct measure_side ours = {decide, &s}, bare = {bare_call, L};
    struct measure_figure f = {"engine", figure, "one bare lua_pcall of the condition",
                               count == 1 ? "p50 <= 0.5 us with the token known" : NULL};
    measure_ratio(&f, &ours, &bare, rounds);
    close_policy(&s);
}

static void scaling(const char *name, int apart, unsigned rounds)
{
    static const size_t sizes[] = {100, 1000, 10000};
    const char *resource = apart ? "t1:x" : "doc:x";
    struct subject_of ten;
    char *text = many(10, apart);
    open_policy(&ten, text, apart ? "a0" : "read", resource);
    free(text);
    for (size_t i = 0; i < 3; i++) {
        struct subject_of s;
        char figure[96];
        text = many(sizes[i], apart);
        open_policy(&s, text, apart ? "a0" : "read", resource);
        free(text);
        snprintf(figure, sizeof(figure), "%s: %zu rules", name, sizes[i]);
        struct measure_side ours = {decide, &s}, bare = {decide, &ten};
        struct measure_figure f = {"engine", figure, "itself at 10 rules", "ratio <= 1.25"};
        measure_ratio(&f, &ours, &bare, rounds);
        close_policy(&s);
    }
    close_policy(&ten);
}

/* Single decisions by the clock, which costs some 20 ns itself. */
static void quantiles(unsigned rounds)
{
    static double ns[SAMPLES], p50[MEASURE_ROUNDS_MAX], p99[MEASURE_ROUNDS_MAX],
        base[MEASURE_ROUNDS_MAX];
    char text[1024];
    snprintf(text, sizeof(text),
             "allow 'f' { action = 'read', resource = 'doc', roles = 'reader',\n"
             "  when = function(sub, res, ctx) return %s end }\n",
             condition);
    struct subject_of s;
    open_policy(&s, text, "read", "doc:acme/1");
    decide(&s, 10000);
    for (unsigned r = 0; r < rounds; r++) {
        for (size_t i = 0; i < SAMPLES; i++) {
            uint64_t from = measure_now_ns();
            decide(&s, 1);
            ns[i] = (double)(measure_now_ns() - from);
        }
        p50[r] = measure_quantile(ns, SAMPLES, 0.50);
        p99[r] = measure_quantile(ns, SAMPLES, 0.99);
        base[r] = p50[r];
    }
    struct measure_figure f50 = {"engine", "one function, p50", "itself", "p50 <= 500 ns"};
    struct measure_figure f99 = {"engine", "one function, p99", "its p50", "p99 <= 1500 ns"};
    measure_print(&f50, "ns", p50, base, rounds);
    measure_print(&f99, "ns", p99, base, rounds);
    close_policy(&s);
}

int main(int argc, char **argv)
{
    unsigned rounds = measure_rounds(argc, argv);
    lua_State *L = bare_state();
    functions(0, rounds, L);
    functions(1, rounds, L);
    functions(3, rounds, L);
    quantiles(rounds);
    scaling("types apart", 1, rounds);
    scaling("roles apart", 0, rounds);
    lua_close(L);
    return 0;
}
