/* Loading test files: see engine_suite.h. Each runs in the suite's own state, under the budget of a
 * policy that is being loaded, so that a test file cannot hang or eat the author's machine either.
 */
#include "engine_check.h"
#include "engine_suite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words that declare belong to policies; here they would do nothing, so they are not there. */
static const char *const withheld[] = {"allow",  "deny",  "challenge", "step_up",
                                       "claims", "roles", "resource"};

static int open_words(lua_State *L)
{
    struct pep_suite *s = lua_touserdata(L, 1);
    pep_words_open(L);
    pep_object_open(L); /* invariants read sub, res and ctx as rules do */
    for (size_t i = 0; i < sizeof(withheld) / sizeof(withheld[0]); i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, withheld[i]);
    }
    suite_words_open(s, L);
    s->environment = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static int run_file(lua_State *L)
{
    struct pep_suite *s = lua_touserdata(L, 1);
    char name[PEP_PATH_MAX + 2];
    snprintf(name, sizeof(name), "@%s", s->file->path);
    if (luaL_loadbufferx(L, (const char *)s->file->content.data, s->file->content.size, name,
                         "t") != LUA_OK)
        return lua_error(L);
    s->parsed = true;
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->environment);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 0);
    return 0;
}

/* "path:12: message" becomes line 12 and the message. */
static const char *split_place(const char *path, const char *text, int *ret_line)
{
    size_t n = strlen(path);
    if (strncmp(text, path, n) != 0 || text[n] != ':')
        return text;
    char *end;
    long line = strtol(text + n + 1, &end, 10);
    if (end == text + n + 1 || *end != ':')
        return text;
    *ret_line = (int)line;
    return end[1] == ' ' ? end + 2 : end + 1;
}

static void report(struct pep_suite *s, int status, struct pep_diags *diags)
{
    char text[512];
    int line = 0;
    pep_slot_error(&s->slot, status, text, sizeof(text));
    const char *message = split_place(s->file->path, text, &line);
    if (s->slot.exhausted == PEP_EXHAUSTED_STEPS)
        message = "runs too long; tests describe cases, they do not compute for long";
    else if (status == LUA_ERRMEM || s->slot.exhausted == PEP_EXHAUSTED_MEMORY)
        message = "needs too much memory";
    pep_diag_add(diags, s->parsed ? "E502" : "E501", s->file->path, line, NULL, "%s", message);
}

static void load_file(struct pep_suite *s, const struct pep_file *file, struct pep_diags *diags)
{
    s->file = file;
    s->pending[0] = '\0';
    s->parsed = false;
    pep_slot_begin(&s->slot, PEP_LOAD_STEPS, PEP_LOAD_MEMORY);
    pep_slot_count(&s->slot);
    int status = pep_slot_call(&s->slot, run_file, s);
    if (status != LUA_OK)
        report(s, status, diags);
    else if (s->pending[0] != '\0')
        pep_diag_add(diags, "E502", file->path, s->pending_line,
                     "a test is written: test \"name\" { as = ..., action = ... }",
                     "\"%s\" has no { ... }", s->pending);
    if (!s->slot.broken)
        pep_slot_end(&s->slot);
}

/* What other code sees of the cases borrows from what the suite owns. */
static void publish(struct pep_suite *s)
{
    for (size_t i = 0; i < s->case_count; i++) {
        struct suite_case *c = &s->cases[i];
        c->public.name = c->name;
        c->public.claims = c->claims;
        c->public.action = c->action;
        c->public.resource = c->resource;
        c->public.attrs = c->attrs;
        c->public.context = c->context;
        c->public.by = c->by;
    }
}

/* A `by` that names neither a rule nor a code can never match. */
static void check_by(const struct pep_suite *s, struct pep_diags *diags)
{
    for (size_t i = 0; i < s->case_count; i++) {
        const struct suite_case *c = &s->cases[i];
        bool known = c->by == NULL;
        for (int code = PEP_CODE_UNAVAILABLE; !known && code <= PEP_CODE_FAULT; code++)
            known = strcmp(c->by, pep_code_name((pep_code)code)) == 0;
        for (size_t r = 0; !known && r < s->policy->rule_count; r++)
            known = strcmp(c->by, s->policy->rules[r].id) == 0;
        if (!known)
            pep_diag_add(diags, "E503", c->public.file, c->public.line,
                         "`by` is the id of a rule, or a code such as not_granted",
                         "`%s`: no rule or code is called `%s`", c->name, c->by);
    }
}

struct strange {
    const struct suite_case *test;
    struct pep_diags *diags;
};

static void take_strange(void *context, const char *message, const char *near)
{
    const struct strange *s = context;
    char help[160] = "declare it in schema.lua, under `attrs`";
    if (near != NULL)
        snprintf(help, sizeof(help), "did you mean `%.100s`?", near);
    pep_diag_add(s->diags, "E504", s->test->public.file, s->test->public.line, help, "`%s`: %s",
                 s->test->name, message);
}

/* A misspelt attribute is absent for every rule: the test would ask another question. */
static void check_attributes(const struct pep_suite *s, struct pep_diags *diags)
{
    for (size_t i = 0; i < s->case_count; i++) {
        const struct suite_case *c = &s->cases[i];
        struct strange strange = {c, diags};
        if (c->resource != NULL)
            pep_check_request(s->policy, PEP_CHECK_ATTRIBUTE, c->resource, c->attrs, take_strange,
                              &strange);
    }
}

int pep_suite_load(const struct pep_files *tests, const struct pep_policy *policy,
                   struct pep_suite **ret, struct pep_diags *diags, struct pep_error *err)
{
    size_t errors = diags->errors, starved = diags->starved;
    struct pep_suite *s = aligned_alloc(PEP_CACHE_LINE, sizeof(*s));
    if (s == NULL)
        return pep_error_set(err, PEP_ENOMEM, "tests: no memory");
    memset(s, 0, sizeof(*s));
    s->policy = policy;
    int rc = pep_slot_open(&s->slot, policy, err);
    if (rc != PEP_OK) {
        free(s);
        return rc;
    }
    pep_slot_begin(&s->slot, PEP_LOAD_STEPS, PEP_LOAD_MEMORY);
    pep_slot_count(&s->slot);
    if (pep_slot_call(&s->slot, open_words, s) != LUA_OK)
        rc = pep_error_set(err, PEP_ENOMEM, "tests: no memory");
    else
        pep_slot_end(&s->slot);
    for (size_t i = 0; rc == PEP_OK && !s->slot.broken && i < pep_files_count(tests); i++)
        load_file(s, pep_files_at(tests, i), diags);
    check_by(s, diags);
    check_attributes(s, diags);
    if (s->starved || s->slot.starved || diags->starved > starved)
        rc = pep_error_set(err, PEP_ENOMEM, "tests: no memory");
    if (rc == PEP_OK && diags->errors > errors)
        rc = pep_error_set(err, PEP_EPOLICY, "test files have errors");
    if (rc != PEP_OK) {
        pep_suite_free(s);
        return rc;
    }
    publish(s);
    *ret = s;
    return PEP_OK;
}

void pep_suite_free(struct pep_suite *s)
{
    if (s == NULL)
        return;
    pep_slot_close(&s->slot);
    for (size_t i = 0; i < s->token_count; i++)
        json_decref(s->tokens[i].claims);
    for (size_t i = 0; i < s->case_count; i++) {
        struct suite_case *c = &s->cases[i];
        json_decref(c->claims);
        json_decref(c->attrs);
        json_decref(c->context);
        free(c->name);
        free(c->action);
        free(c->resource);
        free(c->by);
    }
    for (size_t i = 0; i < s->invariant_count; i++)
        free(s->invariants[i].name);
    free(s->tokens);
    free(s->cases);
    free(s);
}

size_t pep_suite_count(const struct pep_suite *suite)
{
    return suite->case_count;
}

const struct pep_case *pep_suite_at(const struct pep_suite *suite, size_t i)
{
    return &suite->cases[i].public;
}
