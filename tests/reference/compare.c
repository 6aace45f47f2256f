/*
 * The engine against the reference evaluator (reference.lua) on random policies and requests
 * (generate.lua): outcome, code, rule and obligations must be the same.
 *
 *     compare_reference [COMPARISONS [FIRST-SEED]]
 *
 * Each seed gives one policy, asked REQUESTS times; each request goes to the engine with attributes
 * as JSON and, the other time, with C types. The first differences are printed with their policy.
 */
#include "pep/core/engine.h"
#include "pep/core/json.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS    50
#define SHOW        3
#define ABLE_MAX    8
#define ITEMS_MAX   16
#define DEFAULT_RUN 50000

enum { AT_GENERATE = 1, AT_REFERENCE, AT_WORLD, AT_POLICY, AT_ASK };

struct run {
    lua_State *L;
    struct pep_policy *policy;
    unsigned long seed, compared, differ, outcomes[16];
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(2);
}

static void run_script(lua_State *L, const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", PEP_REFERENCE_DIR, name);
    if (luaL_dofile(L, path) != LUA_OK)
        die(name, lua_tostring(L, -1));
}

static void call(lua_State *L, int arguments, int results)
{
    if (lua_pcall(L, arguments, results, 0) != LUA_OK)
        die("reference", lua_tostring(L, -1));
}

/* ---- one policy ---- */

static void print_files(lua_State *L)
{
    lua_getfield(L, AT_WORLD, "files");
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        fprintf(stderr, "---- %s\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
    lua_pop(L, 1);
}

static void add_file(struct pep_files *files, const char *path, const char *text)
{
    if (pep_files_add(files, path, pep_span_string(text), NULL) != PEP_OK)
        die(path, "cannot be added");
}

static void compile(struct run *r)
{
    lua_State *L = r->L;
    struct pep_engine_options options = {.lua_states = 1};
    struct pep_diags diags = PEP_DIAGS_INIT;
    struct pep_files *files = NULL;
    if (pep_files_new(&files) != PEP_OK)
        die("files", "no memory");
    lua_getfield(L, AT_WORLD, "files");
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        add_file(files, lua_tostring(L, -2), lua_tostring(L, -1));
    lua_getfield(L, AT_WORLD, "limits");
    add_file(files, "data/limits.json", lua_tostring(L, -1));
    lua_pop(L, 2);
    r->policy = NULL;
    if (pep_policy_compile_unsigned(files, &options, &r->policy, &diags, NULL) != PEP_OK) {
        print_files(L);
        for (size_t i = 0; i < diags.count; i++)
            fprintf(stderr, "%s %s\n", diags.items[i].code, diags.items[i].message);
        fprintf(stderr, "seed %lu: does not load\n", r->seed);
        exit(2);
    }
    pep_diags_free(&diags);
    pep_files_free(files);
}

static void open_world(struct run *r)
{
    lua_State *L = r->L;
    lua_settop(L, AT_REFERENCE);
    lua_getfield(L, AT_GENERATE, "world");
    lua_pushinteger(L, (lua_Integer)r->seed);
    call(L, 1, 1);
    lua_getfield(L, AT_REFERENCE, "load");
    lua_getfield(L, AT_WORLD, "files");
    lua_getfield(L, AT_WORLD, "data");
    call(L, 2, 1);
    compile(r);
}

/* ---- one request ---- */

/* Attributes of C types in place of JSON. */
struct typed {
    pep_attr attrs[ITEMS_MAX];
    const char *items[ITEMS_MAX][ITEMS_MAX];
    size_t count;
};

static void to_typed(const json_t *json, struct typed *out)
{
    const char *name;
    json_t *v;
    out->count = 0;
    json_object_foreach((json_t *)(uintptr_t)json, name, v)
    {
        size_t k = out->count++;
        if (json_is_string(v))
            out->attrs[k] = pep_attr_string(name, json_string_value(v));
        else if (json_is_integer(v))
            out->attrs[k] = pep_attr_int(name, json_integer_value(v));
        else if (json_is_real(v))
            out->attrs[k] = pep_attr_number(name, json_real_value(v));
        else if (json_is_boolean(v))
            out->attrs[k] = pep_attr_bool(name, json_is_true(v));
        else {
            out->attrs[k] = (pep_attr){.name = name, .type = PEP_SET};
            out->attrs[k].value.set.items = out->items[k];
            out->attrs[k].value.set.count = json_array_size(v);
            for (size_t i = 0; i < json_array_size(v); i++)
                out->items[k][i] = json_string_value(json_array_get(v, i));
        }
    }
}

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    if (pep_json_parse(pep_span_string(text), 1 << 20, "request", &json, NULL) != PEP_OK)
        die("request", text);
    return json;
}

static void split_able(char *text, const char **out)
{
    size_t n = 0;
    char *rest = NULL;
    for (char *w = strtok_r(text, " ", &rest); w != NULL && n + 1 < ABLE_MAX;
         w = strtok_r(NULL, " ", &rest))
        out[n++] = w;
    out[n] = NULL;
}

static void decide(struct run *r, bool typed, struct pep_verdict *v)
{
    lua_State *L = r->L;
    struct pep_subject *subject = NULL;
    struct typed t = {.count = 0};
    char able[256];
    const char *can[ABLE_MAX];
    json_t *claims = parse(lua_tostring(L, AT_ASK)), *attrs = parse(lua_tostring(L, AT_ASK + 3));
    json_t *context = parse(lua_tostring(L, AT_ASK + 4));
    snprintf(able, sizeof(able), "%s", lua_tostring(L, AT_ASK + 5));
    split_able(able, can);
    *v = (struct pep_verdict){.outcome = PEP_DENY, .code = PEP_CODE_BAD_TOKEN};
    if (pep_subject_from_claims(r->policy, claims, &subject, NULL) == PEP_OK) {
        struct pep_request q = {.subject = subject,
                                .action = lua_tostring(L, AT_ASK + 1),
                                .resource = lua_tostring(L, AT_ASK + 2),
                                .context_json = context,
                                .now = lua_tonumber(L, AT_ASK + 6),
                                .can_oblige = can};
        if (typed)
            to_typed(attrs, &t);
        q.attrs = typed ? t.attrs : NULL;
        q.attr_count = t.count;
        q.attrs_json = typed ? NULL : attrs;
        pep_policy_decide(r->policy, &q, v);
    }
    pep_subject_free(subject);
    json_decref(claims);
    json_decref(attrs);
    json_decref(context);
}

static bool is(const char *got, const char *expected)
{
    return strcmp(got == NULL ? "" : got, expected) == 0;
}

static void tell(struct run *r, const struct pep_verdict *v)
{
    lua_State *L = r->L;
    if (++r->differ > SHOW)
        return;
    print_files(L);
    fprintf(stderr, "seed %lu\n  claims    %s\n  action    %s\n  resource  %s\n  attrs     %s\n",
            r->seed, lua_tostring(L, AT_ASK), lua_tostring(L, AT_ASK + 1),
            lua_tostring(L, AT_ASK + 2), lua_tostring(L, AT_ASK + 3));
    fprintf(stderr, "  context   %s\n  able      %s\n  reference %s %s %s %s\n",
            lua_tostring(L, AT_ASK + 4), lua_tostring(L, AT_ASK + 5), lua_tostring(L, AT_ASK + 7),
            lua_tostring(L, AT_ASK + 8), lua_tostring(L, AT_ASK + 9), lua_tostring(L, AT_ASK + 10));
    fprintf(stderr, "  engine    %s %s %s %s\n", pep_outcome_name(v->outcome),
            pep_code_name(v->code), v->rule == NULL ? "" : v->rule,
            v->obligations == NULL ? "" : v->obligations);
    for (size_t i = 0; i < v->fault_count && i < PEP_FAULTS_MAX; i++)
        fprintf(stderr, "  fault     %s: %s\n", v->faults[i].rule, v->faults[i].message);
}

static void compare(struct run *r, bool typed)
{
    lua_State *L = r->L;
    struct pep_verdict v;
    decide(r, typed, &v);
    r->compared++;
    if ((size_t)v.code < sizeof(r->outcomes) / sizeof(r->outcomes[0]))
        r->outcomes[v.code]++;
    if (!is(pep_outcome_name(v.outcome), lua_tostring(L, AT_ASK + 7)) ||
        !is(pep_code_name(v.code), lua_tostring(L, AT_ASK + 8)) ||
        !is(v.rule, lua_tostring(L, AT_ASK + 9)) ||
        !is(v.obligations, lua_tostring(L, AT_ASK + 10)))
        tell(r, &v);
}

static void ask(struct run *r, int turn)
{
    lua_State *L = r->L;
    lua_settop(L, AT_POLICY);
    lua_getfield(L, AT_GENERATE, "ask");
    lua_pushvalue(L, AT_WORLD);
    lua_pushvalue(L, AT_POLICY);
    lua_pushvalue(L, AT_REFERENCE);
    call(L, 3, 11);
    compare(r, turn % 2 != 0);
}

/* A run that never comes to some answer compares little. */
static bool all_seen(const struct run *r)
{
    static const pep_code codes[] = {PEP_CODE_ALLOWED,     PEP_CODE_NOT_GRANTED, PEP_CODE_DENIED,
                                     PEP_CODE_CHALLENGE,   PEP_CODE_OBLIGATION,  PEP_CODE_BAD_TOKEN,
                                     PEP_CODE_BAD_REQUEST, PEP_CODE_UNKNOWN,     PEP_CODE_FAULT};
    bool all = true;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        printf("%-12s %lu\n", pep_code_name(codes[i]), r->outcomes[codes[i]]);
        all = all && r->outcomes[codes[i]] > 0;
    }
    return all;
}

int main(int argc, char **argv)
{
    struct run r = {.L = luaL_newstate()};
    unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_RUN;
    r.seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (r.L == NULL)
        die("Lua", "no memory");
    luaL_openlibs(r.L);
    run_script(r.L, "generate.lua");
    run_script(r.L, "reference.lua");
    for (; r.compared < wanted; r.seed++) {
        open_world(&r);
        for (int i = 0; i < REQUESTS && r.compared < wanted; i++)
            ask(&r, i);
        pep_policy_free(r.policy);
    }
    bool all = all_seen(&r);
    printf("%lu comparisons, %lu differ\n", r.compared, r.differ);
    lua_close(r.L);
    return r.differ == 0 && all ? 0 : 1;
}
