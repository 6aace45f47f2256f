/*
 * The words of test files: token, test, matrix, invariant. They collect and decide nothing.
 *
 * Mistakes raise a Lua error at the author's line. Nothing owned lives across a raise: JSON values
 * are put into the suite before anything else can fail, and text for messages is on the Lua stack.
 */
#include "engine_suite_internal.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_TYPE "pdp.token"

static struct pep_suite *suite_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int line_of(lua_State *L)
{
    lua_Debug where;
    if (lua_getstack(L, 1, &where) == 0 || lua_getinfo(L, "l", &where) == 0)
        return 0;
    return where.currentline;
}

static int no_memory(lua_State *L)
{
    suite_of(L)->starved = true;
    return luaL_error(L, "no memory");
}

static char *copy_text(lua_State *L, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        no_memory(L);
    return copy;
}

/* Grows an array by one zeroed entry; NULL and nothing changed on failure. */
static void *grow(void *items, size_t *count, size_t *capacity, size_t size, size_t max)
{
    if (*count == *capacity) {
        size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
        void *bigger = *count >= max ? NULL : realloc(items, wanted * size);
        if (bigger == NULL)
            return NULL;
        items = bigger;
        *capacity = wanted;
    }
    memset((char *)items + *count * size, 0, size);
    ++*count;
    return items;
}

/* ---- names ---- */

/* Raises unless every name in the table at `index` is in the list (entries of a list pass). */
static void only_names(lua_State *L, int index, const char *word, const char *const *names)
{
    size_t count = 0;
    while (names[count] != NULL)
        count++;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        const char *key = lua_tostring(L, -2);
        size_t i = 0;
        while (i < count && strcmp(names[i], key) != 0)
            i++;
        if (i < count)
            continue;
        const char *near = pep_did_you_mean(key, names, count);
        luaL_error(
            L, near == NULL ? "%s: unknown key `%s`" : "%s: unknown key `%s`; did you mean `%s`?",
            word, key, near);
    }
}

/* The text member `name` of the table at `index`, borrowed until that is changed; NULL if absent.
 */
static const char *text_member(lua_State *L, int index, const char *word, const char *name,
                               bool needed)
{
    lua_pushstring(L, name);
    int type = lua_rawget(L, index);
    if (type == LUA_TNIL && !needed) {
        lua_pop(L, 1);
        return NULL;
    }
    if (type != LUA_TSTRING)
        luaL_error(L, "%s: `%s` must be a text%s", word, name,
                   type == LUA_TNIL ? "; it is missing" : "");
    const char *text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

/* ---- token ---- */

static int word_token(lua_State *L)
{
    struct pep_suite *s = suite_of(L);
    const char *why;
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t *index = lua_newuserdatauv(L, sizeof(*index), 0);
    luaL_setmetatable(L, TOKEN_TYPE);
    void *tokens = grow(s->tokens, &s->token_count, &s->token_capacity, sizeof(*s->tokens),
                        PEP_SUITE_TOKENS_MAX);
    if (tokens == NULL && s->token_count < PEP_SUITE_TOKENS_MAX)
        return no_memory(L);
    if (tokens == NULL)
        return luaL_error(L, "token: more than %d tokens", PEP_SUITE_TOKENS_MAX);
    s->tokens = tokens;
    *index = s->token_count - 1;
    struct suite_token *t = &s->tokens[*index];
    t->claims = suite_value(L, 1, false, &why);
    if (t->claims == NULL && why == suite_no_memory)
        return no_memory(L);
    if (t->claims == NULL)
        return luaL_error(L, "token: %s", why);
    if (!json_is_object(t->claims))
        return luaL_error(L, "token: claims have names, as in token { sub = \"ann\" }");
    const json_t *age = json_object_get(t->claims, "auth_age");
    if (age != NULL && !json_is_number(age))
        return luaL_error(L, "token: `auth_age` is a number of seconds");
    t->has_age = age != NULL;
    t->auth_age = json_number_value(age);
    json_object_del(t->claims, "auth_age");
    return 1;
}

/* The token at `index` on the stack; raises if it is none. */
static const struct suite_token *token_at(lua_State *L, struct pep_suite *s, int index,
                                          const char *word)
{
    const size_t *i = luaL_testudata(L, index, TOKEN_TYPE);
    if (i == NULL)
        luaL_error(L, "%s: who asks must be a token, as in as = token { sub = \"ann\" }", word);
    return &s->tokens[*i];
}

/* ---- one case ---- */

/* The table member as a JSON object in *slot (owned by the case); nothing if it is absent. */
static void table_member(lua_State *L, int index, const char *word, const char *name, json_t **slot)
{
    const char *why = NULL;
    lua_pushstring(L, name);
    if (lua_rawget(L, index) != LUA_TNIL) {
        if (!lua_istable(L, -1))
            luaL_error(L, "%s: `%s` must be a table of names and values", word, name);
        *slot = suite_value(L, -1, false, &why);
        if (*slot == NULL && why == suite_no_memory)
            no_memory(L);
        if (*slot == NULL)
            luaL_error(L, "%s: `%s`: %s", word, name, why);
        if (!json_is_object(*slot))
            luaL_error(L, "%s: `%s` must be a table of names and values", word, name);
    }
    lua_pop(L, 1);
}

static double time_member(lua_State *L, int index, const char *word)
{
    double now = PEP_SUITE_NOW;
    lua_pushstring(L, "at");
    int type = lua_rawget(L, index);
    if (type == LUA_TNUMBER)
        now = lua_tonumber(L, -1);
    else if (type != LUA_TNIL &&
             (type != LUA_TSTRING || !pep_suite_time(lua_tostring(L, -1), &now)))
        luaL_error(L, "%s: `at` must be \"09:00Z\", \"2026-03-02T09:00:00+01:00\" or Unix seconds",
                   word);
    lua_pop(L, 1);
    return now;
}

static pep_outcome outcome_of(lua_State *L, const char *word, const char *text)
{
    for (int o = PEP_DENY; o <= PEP_CHALLENGE; o++) {
        if (strcmp(text, pep_outcome_name((pep_outcome)o)) == 0)
            return (pep_outcome)o;
    }
    luaL_error(L, "%s: `%s` is not an outcome; use \"allow\", \"deny\" or \"challenge\"", word,
               text);
    return PEP_DENY;
}

/* Everything of a case that a test and a matrix have in common. */
static struct suite_case *new_case(lua_State *L, struct pep_suite *s, int index, const char *word)
{
    void *cases =
        grow(s->cases, &s->case_count, &s->case_capacity, sizeof(*s->cases), PEP_SUITE_CASES_MAX);
    if (cases == NULL && s->case_count < PEP_SUITE_CASES_MAX)
        no_memory(L);
    if (cases == NULL)
        luaL_error(L, "%s: more than %d cases", word, PEP_SUITE_CASES_MAX);
    s->cases = cases;
    struct suite_case *c = &s->cases[s->case_count - 1];
    c->public.file = s->file->path;
    c->name = copy_text(L, lua_tostring(L, lua_upvalueindex(2)));
    c->public.line = (int)lua_tointeger(L, lua_upvalueindex(3));
    c->resource = copy_text(L, text_member(L, index, word, "resource", true));
    table_member(L, index, word, "with", &c->attrs);
    table_member(L, index, word, "context", &c->context);
    c->public.now = time_member(L, index, word);
    return c;
}

static void set_token(lua_State *L, struct suite_case *c, const struct suite_token *t)
{
    c->claims = json_copy(t->claims);
    if (c->claims == NULL ||
        (t->has_age &&
         json_object_set_new(c->claims, "auth_time", json_real(c->public.now - t->auth_age)) != 0))
        no_memory(L);
}

static int test_body(lua_State *L)
{
    static const char *const names[] = {"as", "action", "resource", "with", "context",
                                        "at", "expect", "by",       NULL};
    struct pep_suite *s = suite_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    s->pending[0] = '\0';
    only_names(L, 1, "test", names);
    struct suite_case *c = new_case(L, s, 1, "test");
    c->action = copy_text(L, text_member(L, 1, "test", "action", true));
    c->public.expect = outcome_of(L, "test", text_member(L, 1, "test", "expect", true));
    const char *by = text_member(L, 1, "test", "by", false);
    c->by = by == NULL ? NULL : copy_text(L, by);
    lua_pushstring(L, "as");
    lua_rawget(L, 1);
    set_token(L, c, token_at(L, s, -1, "test"));
    return 0;
}

/* ---- matrix ---- */

/* Row `row` of the matrix, pushed; raises unless it is a list of `columns` entries (0: any). */
static size_t push_row(lua_State *L, lua_Integer row, size_t columns)
{
    if (lua_rawgeti(L, 1, row) != LUA_TTABLE)
        luaL_error(L, "matrix: row %d is not a table", (int)row);
    size_t n = lua_rawlen(L, -1);
    if (n < 2 || (columns != 0 && n != columns))
        luaL_error(L, "matrix: row %d has %d entries, the first row %d", (int)row, (int)n,
                   (int)columns);
    return n;
}

/* One outcome of the row on top; the heading row is at `heads`. */
static void matrix_cell(lua_State *L, struct pep_suite *s, int heads, size_t column)
{
    int row = lua_gettop(L);
    struct suite_case *c = new_case(L, s, 1, "matrix");
    if (lua_rawgeti(L, heads, (lua_Integer)column) != LUA_TSTRING ||
        lua_rawgeti(L, row, (lua_Integer)column) != LUA_TSTRING)
        luaL_error(L, "matrix: actions and outcomes must be texts");
    c->action = copy_text(L, lua_tostring(L, -2));
    c->public.expect = outcome_of(L, "matrix", lua_tostring(L, -1));
    lua_rawgeti(L, row, 1);
    set_token(L, c, token_at(L, s, -1, "matrix"));
    lua_settop(L, row);
}

static int matrix_body(lua_State *L)
{
    static const char *const names[] = {"resource", "with", "context", "at", NULL};
    struct pep_suite *s = suite_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    s->pending[0] = '\0';
    only_names(L, 1, "matrix", names);
    lua_Integer rows = (lua_Integer)lua_rawlen(L, 1);
    if (rows < 2)
        return luaL_error(
            L, "matrix: needs a row { \"as\", actions... } and rows { token, outcomes... }");
    size_t columns = push_row(L, 1, 0);
    int heads = lua_gettop(L);
    lua_rawgeti(L, heads, 1);
    if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), "as") != 0)
        return luaL_error(L, "matrix: the first row starts with \"as\", then the actions");
    for (lua_Integer row = 2; row <= rows; row++) {
        push_row(L, row, columns);
        for (size_t column = 2; column <= columns; column++)
            matrix_cell(L, s, heads, column);
        lua_settop(L, heads);
    }
    return 0;
}

/* ---- invariant ---- */

static int invariant_body(lua_State *L)
{
    static const char *const names[] = {"when", NULL};
    struct pep_suite *s = suite_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    s->pending[0] = '\0';
    only_names(L, 1, "invariant", names);
    lua_pushstring(L, "when");
    if (lua_rawget(L, 1) != LUA_TFUNCTION)
        return luaL_error(L, "invariant: needs when = function(sub, res, ctx, decision) ... end");
    if (s->invariant_count == PEP_SUITE_INVARIANTS_MAX)
        return luaL_error(L, "invariant: at most %d", PEP_SUITE_INVARIANTS_MAX);
    struct suite_invariant *v = &s->invariants[s->invariant_count];
    v->file = s->file->path;
    v->line = (int)lua_tointeger(L, lua_upvalueindex(3));
    v->function = luaL_ref(L, LUA_REGISTRYINDEX);
    v->name = copy_text(L, lua_tostring(L, lua_upvalueindex(2)));
    s->invariant_count++;
    return 0;
}

/* ---- `word "name" { ... }` ---- */

/* Upvalues: the suite, the body's function. Returns what takes the table. */
static int word_named(lua_State *L)
{
    struct pep_suite *s = suite_of(L);
    const char *name = luaL_checkstring(L, 1);
    if (s->pending[0] != '\0')
        return luaL_error(L, "\"%s\" in line %d has no { ... }", s->pending, s->pending_line);
    s->pending_line = line_of(L);
    strncpy(s->pending, name[0] == '\0' ? "?" : name, sizeof(s->pending) - 1);
    lua_pushlightuserdata(L, s);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, s->pending_line);
    lua_pushcclosure(L, lua_tocfunction(L, lua_upvalueindex(2)), 3);
    return 1;
}

void suite_words_open(struct pep_suite *s, lua_State *L)
{
    static const struct {
        const char *word;
        lua_CFunction body;
    } words[] = {{"test", test_body}, {"matrix", matrix_body}, {"invariant", invariant_body}};
    luaL_newmetatable(L, TOKEN_TYPE);
    lua_pushliteral(L, "token");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        lua_pushlightuserdata(L, s);
        lua_pushcfunction(L, words[i].body);
        lua_pushcclosure(L, word_named, 2);
        lua_setfield(L, -2, words[i].word);
    }
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, word_token, 1);
    lua_setfield(L, -2, "token");
}
