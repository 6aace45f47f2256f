/*
 * The engine against the reference evaluator (reference.lua) on random policies and requests
 * (generate.lua): outcome, code, rule, obligations, reason and
 * advice must be the same.
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
enum { /* what generate.lua's ask() returns, from AT_ASK on */
       CLAIMS,
       ACTION,
       RESOURCE,
       ATTRS,
       CONTEXT,
       ABLE,
       NOW,
       OUTCOME,
       CODE,
       RULE,
       OBLIGATIONS,
       REASON,
       ADVICE,
       ANSWERS
};

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
    lua_pop(L, 1);
    lua_getfield(L, AT_WORLD, "json");
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        add_file(files, lua_tostring(L, -2), lua_tostring(L, -1));
    lua_pop(L, 1);
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

static bool set_of(struct typed *t, size_t k, const char *name, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++) {
        t->items[k][i] = json_string_value(json_array_get(v, i));
        if (t->items[k][i] == NULL)
            return false;
    }
    t->attrs[k] = pep_attr_set(name, t->items[k], json_array_size(v));
    return json_is_array(v);
}

/* False if one of the values has no C type. */
static bool to_typed(const json_t *json, struct typed *out)
{
    const char *name;
    json_t *v;
    out->count = 0;
    json_object_foreach((json_t *)(uintptr_t)json, name, v)
    {
        size_t k = out->count++;
        if (json_is_null(v))
            out->attrs[k] = pep_attr_string(name, NULL);
        else if (json_is_string(v))
            out->attrs[k] = pep_attr_string(name, json_string_value(v));
        else if (json_is_integer(v))
            out->attrs[k] = pep_attr_int(name, json_integer_value(v));
        else if (json_is_real(v))
            out->attrs[k] = pep_attr_number(name, json_real_value(v));
        else if (json_is_boolean(v))
            out->attrs[k] = pep_attr_bool(name, json_is_true(v));
        else if (!set_of(out, k, name, v))
            return false;
    }
    return true;
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

static const char *text_of(struct run *r, int which)
{
    return lua_tostring(r->L, AT_ASK + which);
}

static void no_line(void *context, const struct pep_explanation *line)
{
    (void)context;
    (void)line;
}

/* Every third request is explained, which runs the rules that a plain decision leaves out. */
static void ask_engine(struct run *r, const struct pep_request *q, struct pep_verdict *v)
{
    if (r->compared % 3 == 0)
        pep_policy_explain(r->policy, q, v, no_line, NULL);
    else
        pep_policy_decide(r->policy, q, v);
}

static void decide(struct run *r, bool typed, struct pep_verdict *v)
{
    struct pep_subject *subject = NULL;
    struct typed attrs_typed, context_typed;
    char able[256];
    const char *can[ABLE_MAX];
    json_t *claims = parse(text_of(r, CLAIMS)), *attrs = parse(text_of(r, ATTRS));
    json_t *context = parse(text_of(r, CONTEXT));
    snprintf(able, sizeof(able), "%s", text_of(r, ABLE));
    split_able(able, can);
    *v = (struct pep_verdict){.outcome = PEP_DENY, .code = PEP_CODE_BAD_TOKEN};
    if (pep_subject_from_claims(r->policy, claims, &subject, NULL) == PEP_OK) {
        struct pep_request q = {.subject = subject,
                                .action = text_of(r, ACTION),
                                .resource = text_of(r, RESOURCE),
                                .attrs_json = attrs,
                                .context_json = context,
                                .now = lua_tonumber(r->L, AT_ASK + NOW),
                                .can_oblige = can};
        if (typed && to_typed(attrs, &attrs_typed)) {
            q.attrs = attrs_typed.attrs;
            q.attr_count = attrs_typed.count;
            q.attrs_json = NULL;
        }
        if (typed && to_typed(context, &context_typed)) {
            q.context = context_typed.attrs;
            q.context_count = context_typed.count;
            q.context_json = NULL;
        }
        ask_engine(r, &q, v);
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

static const char *or_none(const char *text)
{
    return text == NULL ? "" : text;
}

static void tell(struct run *r, const struct pep_verdict *v)
{
    if (++r->differ > SHOW)
        return;
    print_files(r->L);
    fprintf(stderr, "seed %lu\n  claims    %s\n  action    %s\n  resource  %s\n  attrs     %s\n",
            r->seed, text_of(r, CLAIMS), text_of(r, ACTION), text_of(r, RESOURCE),
            text_of(r, ATTRS));
    fprintf(stderr, "  context   %s\n  able      %s\n  reference %s %s %s %s %s %s\n",
            text_of(r, CONTEXT), text_of(r, ABLE), text_of(r, OUTCOME), text_of(r, CODE),
            text_of(r, RULE), text_of(r, OBLIGATIONS), text_of(r, REASON), text_of(r, ADVICE));
    fprintf(stderr, "  engine    %s %s %s %s %s %s\n", pep_outcome_name(v->outcome),
            pep_code_name(v->code), or_none(v->rule), or_none(v->obligations), or_none(v->reason),
            or_none(v->advice));
    for (size_t i = 0; i < v->fault_count && i < PEP_FAULTS_MAX; i++)
        fprintf(stderr, "  fault     %s: %s\n", v->faults[i].rule, v->faults[i].message);
}

static void compare(struct run *r, bool typed)
{
    struct pep_verdict v;
    decide(r, typed, &v);
    r->compared++;
    if ((size_t)v.code < sizeof(r->outcomes) / sizeof(r->outcomes[0]))
        r->outcomes[v.code]++;
    if (!is(pep_outcome_name(v.outcome), text_of(r, OUTCOME)) ||
        !is(pep_code_name(v.code), text_of(r, CODE)) || !is(v.rule, text_of(r, RULE)) ||
        !is(v.obligations, text_of(r, OBLIGATIONS)) || !is(v.advice, text_of(r, ADVICE)) ||
        (v.rule != NULL && !is(v.reason, text_of(r, REASON))))
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
    call(L, 3, ANSWERS);
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
