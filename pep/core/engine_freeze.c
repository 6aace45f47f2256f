/*
 * Read-only after load: no decision can leave anything behind for the next one.
 *
 * After the policy files ran, every table that a rule's function can reach (as an outer variable,
 * or through tables and functions held there) gets an empty table with a metatable in its place:
 * reads go through a table `__index`, which Lua follows without calling anything, writes raise.
 * Functions that assign outer variables or globals were refused from their bytecode before they
 * ran, so nothing is left to change. Rejected: copying module tables for each decision; a check per
 * write, which Lua cannot do for plain tables.
 */
#include "engine_internal.h"

#include <stdio.h>

static int on_write(lua_State *L)
{
    return luaL_error(L, "this table is read-only: what is made while loading stays as it is");
}

static int on_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)));
    return 1;
}

void pep_push_read_only(lua_State *L)
{
    lua_createtable(L, 0, 0); /* table, face */
    lua_createtable(L, 0, 4); /* table, face, metatable */
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, on_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, on_length, 1);
    lua_setfield(L, -2, "__len");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

/* Seen tables and functions, at stack index `seen`: table -> its face, function -> true. */
static void freeze_value(lua_State *L, int seen, int depth);

static void freeze_function(lua_State *L, int seen, int depth)
{
    int f = lua_gettop(L);
    if (lua_iscfunction(L, f)) {
        if (lua_getupvalue(L, f, 1) != NULL) /* it counts on where it is: a decision would see it */
            luaL_error(L, "a started loop or an unfinished rule is kept for later: call sorted(), "
                          "allow() and so on where they are used");
        return;
    }
    lua_pushvalue(L, f);
    if (lua_rawget(L, seen) != LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, f);
    lua_pushboolean(L, 1);
    lua_rawset(L, seen);
    const char *name;
    for (int i = 1; (name = lua_getupvalue(L, f, i)) != NULL; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        bool environment = lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
        if (environment) { /* its names cannot be assigned, and its tables are read-only already */
            lua_pop(L, 1);
            continue;
        }
        freeze_value(L, seen, depth + 1);
        lua_setupvalue(L, f, i);
    }
}

/* Raises, with the place of the function that is looked at. */
static void refuse(lua_State *L, const char *format, int limit)
{
    const struct pep_loader *ld = pep_slot_of(L)->loader;
    char what[256], text[PEP_PATH_MAX + sizeof(what) + 64];
    snprintf(what, sizeof(what), format, limit);
    snprintf(text, sizeof(text), "%s:%d: this function %s",
             ld == NULL || ld->file == NULL ? "" : ld->file, ld == NULL ? 0 : ld->line, what);
    lua_pushstring(L, text);
    lua_error(L);
}

/* Texts, and integers from 1 on, lie apart from each other in a table; other keys can be chosen so
 * that they do not. */
static bool is_odd(lua_State *L, int key, size_t n)
{
    if (lua_isinteger(L, key))
        return lua_tointeger(L, key) < 1 || (lua_Unsigned)lua_tointeger(L, key) > n;
    return lua_type(L, key) != LUA_TSTRING;
}

/* Replaces the table on top by a copy without the slots that became empty while loading: walking
 * over those takes time that no budget counts. */
static void compact(lua_State *L)
{
    size_t n = lua_rawlen(L, -1);
    int odd = 0;
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3) != 0;) { /* t, copy, key, value */
        odd += is_odd(L, -2, n);
        if (odd > PEP_KEYS_ODD)
            refuse(L,
                   "keeps a table with more than %d keys that are neither texts nor 1, 2, 3 and "
                   "so on: write them as texts, or put the table into data/*.json",
                   PEP_KEYS_ODD);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_remove(L, -2);
}

/* Replaces the table on top by its face, after freezing what it holds. */
static void freeze_table(lua_State *L, int seen, int depth)
{
    int t = lua_gettop(L);
    lua_pushvalue(L, t);
    if (lua_rawget(L, seen) != LUA_TNIL) {
        lua_replace(L, t);
        return;
    }
    lua_pop(L, 1);
    if (lua_getmetatable(L, t) != 0) { /* read-only already */
        lua_pop(L, 1);
        return;
    }
    lua_pushvalue(L, t);
    compact(L);
    pep_push_read_only(L); /* t, face */
    lua_pushvalue(L, t);
    lua_pushvalue(L, t + 1);
    lua_rawset(L, seen);
    lua_getmetatable(L, t + 1);
    lua_getfield(L, -1, "__index");
    lua_replace(L, t); /* the copy is what is walked now */
    lua_settop(L, t + 1);
    lua_pushnil(L);
    while (lua_next(L, t) != 0) { /* t, face, key, value */
        freeze_value(L, seen, depth + 1);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, t); /* assigning an existing key is allowed while walking */
    }
    lua_replace(L, t);
}

static void freeze_value(lua_State *L, int seen, int depth)
{
    if (depth > PEP_FREEZE_DEPTH)
        refuse(L, "keeps tables and functions inside each other, more than %d deep",
               PEP_FREEZE_DEPTH);
    luaL_checkstack(L, 12, "read-only tables");
    if (lua_type(L, -1) == LUA_TTABLE)
        freeze_table(L, seen, depth);
    else if (lua_type(L, -1) == LUA_TFUNCTION)
        freeze_function(L, seen, depth);
}

/* Where the function on top is written, for what may be wrong with it. */
static void note_place(lua_State *L)
{
    struct pep_slot *slot = pep_slot_of(L);
    lua_Debug ar;
    lua_pushvalue(L, -1);
    if (slot->loader == NULL || lua_getinfo(L, ">S", &ar) == 0 || ar.source[0] != '@')
        return;
    const struct pep_source *s = pep_source_at(slot->policy, pep_span_string(ar.source + 1));
    slot->loader->file = s == NULL ? NULL : s->path;
    slot->loader->line = ar.linedefined;
}

void pep_freeze_functions(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_newtable(L);
    int seen = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        note_place(L);
        freeze_value(L, seen, 0);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}
