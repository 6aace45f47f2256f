/*
 * The words that policies may use: the whole environment is here and in engine_text.c, by
 * allow-list. What is not in these tables does not exist for a policy: no pcall (it would swallow
 * the end of the budget), coroutines, metatables, raw access, load, os, io, debug, pairs (its order
 * differs from run to run), collectgarbage, print, patterns (exponential time), random numbers.
 *
 * Every function that loops takes its steps from the decision's budget. None owns anything across a
 * call that can raise: Lua errors jump over C.
 */
#include "engine_sort.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SORTING_MAX 4

/* ---- tables behind their read-only face ---- */

bool pep_push_table(lua_State *L, int index, bool *ret_read_only)
{
    index = lua_absindex(L, index);
    if (lua_type(L, index) != LUA_TTABLE)
        return false;
    *ret_read_only = lua_getmetatable(L, index) != 0;
    if (!*ret_read_only) {
        lua_pushvalue(L, index);
        return true;
    }
    lua_pushliteral(L, "__index");
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return true;
}

/* A set as the helpers take it: a C list, a table of the rule, or one scalar. */
struct set {
    struct pep_value value; /* unless `table` */
    int table;              /* stack index, or 0 */
    size_t size;
};

static struct set set_at(lua_State *L, int index)
{
    struct set s = {.table = 0, .size = 0};
    bool read_only;
    if (pep_get_value(L, index, &s.value)) {
        bool list = s.value.kind == PEP_V_LIST || s.value.kind == PEP_V_STRINGS;
        s.size = list ? s.value.size : s.value.kind == PEP_V_NIL ? 0 : 1;
        return s;
    }
    if (!pep_push_table(L, index, &read_only))
        return s;
    s.table = lua_gettop(L);
    s.size = lua_rawlen(L, s.table);
    return s;
}

/* Item i as a scalar; a nil kind for anything else. Pushes nothing. */
static struct pep_value set_item(lua_State *L, const struct set *s, size_t i)
{
    struct pep_value v = {.kind = PEP_V_NIL};
    if (s->table != 0) {
        lua_rawgeti(L, s->table, (lua_Integer)i + 1);
        if (!pep_get_value(L, -1, &v))
            v.kind = PEP_V_NIL;
        lua_pop(L, 1); /* its text stays: the table holds it */
        return v;
    }
    if (s->value.kind == PEP_V_LIST || s->value.kind == PEP_V_STRINGS)
        return pep_list_at(&s->value, i);
    return s->value;
}

/* ---- same, has, overlaps ---- */

static int word_same(lua_State *L)
{
    struct pep_value a, b;
    bool same = pep_get_value(L, 1, &a) && pep_get_value(L, 2, &b);
    if (same)
        pep_charge_equal(L, &a, &b);
    same = same && pep_value_same(&a, &b);
    lua_pushboolean(L, same);
    return 1;
}

/* Does the list, which lies in C, hold the value? Texts of other sizes are passed over at once:
 * most items of most lists. */
static bool list_holds(lua_State *L, const struct pep_value *list, const struct pep_value *wanted)
{
    for (uint32_t i = 0; i < list->size; i++) {
        const struct pep_value *item = &list->u.items[i];
        if (item->size != wanted->size && item->kind == PEP_V_STRING)
            continue;
        pep_charge_equal(L, item, wanted);
        if (pep_value_equal(item, wanted))
            return true;
    }
    return false;
}

static bool set_holds(lua_State *L, const struct set *s, const struct pep_value *wanted)
{
    if (s->table == 0 && s->value.kind == PEP_V_LIST)
        return list_holds(L, &s->value, wanted);
    for (size_t i = 0; i < s->size; i++) {
        struct pep_value item = set_item(L, s, i);
        pep_charge_equal(L, &item, wanted);
        if (pep_value_equal(&item, wanted))
            return true;
    }
    return false;
}

static int word_has(lua_State *L)
{
    struct pep_value wanted;
    bool found = false;
    lua_settop(L, 2);
    struct set s = set_at(L, 1);
    if (pep_get_value(L, 2, &wanted) && wanted.kind != PEP_V_NIL) {
        pep_charge(L, s.size / 4);
        if (s.table == 0 && s.value.kind == PEP_V_MAP)
            found = wanted.kind == PEP_V_STRING &&
                    pep_map_find(&s.value, pep_span_of(wanted.u.string, wanted.size)) != NULL;
        else
            found = set_holds(L, &s, &wanted);
    }
    lua_pushboolean(L, found);
    return 1;
}

static int word_overlaps(lua_State *L)
{
    lua_settop(L, 2);
    struct set a = set_at(L, 1), b = set_at(L, 2);
    bool found = false;
    for (size_t i = 0; i < a.size && !found; i++) {
        struct pep_value x = set_item(L, &a, i);
        pep_charge(L, 1 + b.size / 4);
        found = x.kind != PEP_V_NIL && set_holds(L, &b, &x);
    }
    lua_pushboolean(L, found);
    return 1;
}

/* low <= x and x < high, for numbers or texts; false where one is absent. */
static int word_between(lua_State *L)
{
    lua_settop(L, 3);
    int type = lua_type(L, 1);
    bool holds = type == LUA_TNUMBER || type == LUA_TSTRING;
    for (int i = 2; i <= 3; i++) {
        if (lua_type(L, i) != LUA_TNUMBER && lua_type(L, i) != LUA_TSTRING)
            return luaL_error(L, "between: the bounds are two numbers or two texts");
        holds = holds && lua_type(L, i) == type;
    }
    if (holds && type == LUA_TSTRING)
        pep_charge(L, lua_rawlen(L, 1) / 16);
    lua_pushboolean(L, holds && lua_compare(L, 2, 1, LUA_OPLE) && lua_compare(L, 1, 3, LUA_OPLT));
    return 1;
}

/* ---- loops: ipairs, sorted, select ---- */

static int next_index(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, 2) + 1;
    bool read_only;
    pep_charge(L, 1);
    lua_settop(L, 1);
    lua_pushinteger(L, i);
    if (pep_push_table(L, 1, &read_only)) {
        lua_rawgeti(L, -1, i);
        lua_remove(L, -2);
    } else {
        lua_pushinteger(L, i);
        lua_gettable(L, 1); /* a C list: its metatable is ours */
    }
    return lua_isnil(L, -1) ? 1 : 2;
}

static int word_ipairs(lua_State *L)
{
    int type = lua_type(L, 1);
    if (type != LUA_TTABLE && type != LUA_TLIGHTUSERDATA && type != LUA_TNIL)
        return luaL_error(L, "ipairs: needs a list");
    lua_settop(L, 1);
    lua_pushcfunction(L, next_index);
    if (type == LUA_TNIL)
        lua_newtable(L); /* absent: no items */
    else
        lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

/* ---- sorted ---- */

/* Upvalues: sorted keys, the table, position. */
static int next_sorted(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3)) + 1;
    pep_charge(L, 1);
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(3));
    if (lua_rawgeti(L, lua_upvalueindex(1), i) == LUA_TNIL)
        return 1;
    lua_pushvalue(L, -1);
    lua_rawget(L, lua_upvalueindex(2));
    return 2;
}

/* Upvalues: a C map, position. Its members are sorted by name. */
static int next_member(lua_State *L)
{
    const struct pep_value *map = lua_touserdata(L, lua_upvalueindex(1));
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    pep_charge(L, 1);
    if (map == NULL || i >= (lua_Integer)map->size) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, i + 1);
    lua_replace(L, lua_upvalueindex(2));
    lua_pushlstring(L, map->u.members[i].name, map->u.members[i].size);
    pep_push_value(L, &map->u.members[i].value);
    return 2;
}

static int word_sorted(lua_State *L)
{
    struct pep_value v;
    bool read_only;
    lua_settop(L, 1);
    if (pep_get_value(L, 1, &v)) {
        if (v.kind == PEP_V_LIST || v.kind == PEP_V_STRINGS)
            return word_ipairs(L);
        if (v.kind != PEP_V_MAP && v.kind != PEP_V_NIL)
            return luaL_error(L, "sorted: needs a list or a table");
        lua_pushlightuserdata(L, v.kind == PEP_V_NIL ? NULL : lua_touserdata(L, 1));
        lua_pushinteger(L, 0);
        lua_pushcclosure(L, next_member, 2);
        return 1;
    }
    if (!pep_push_table(L, 1, &read_only))
        return luaL_error(L, "sorted: needs a list or a table");
    lua_newtable(L);
    lua_Integer n = 0;
    pep_charge_walk(L);
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        pep_charge(L, 1);
        if (lua_type(L, -2) != LUA_TNUMBER && lua_type(L, -2) != LUA_TSTRING)
            return luaL_error(L, "sorted: a key is neither a number nor a text");
        lua_pushvalue(L, -2);
        lua_rawseti(L, 3, ++n);
    }
    pep_heap_sort(L, 3, (size_t)n, pep_less_by_key);
    lua_pushvalue(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_sorted, 3);
    return 1;
}

/* ---- table.* ---- */

lua_Integer pep_need_integer(lua_State *L, int index, const char *word)
{
    int is_integer = 0;
    lua_Integer i = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &is_integer) : 0;
    if (!is_integer)
        luaL_error(L, "%s: argument %d must be an integer", word, index);
    return i;
}

lua_Integer pep_integer_or(lua_State *L, int index, const char *word, lua_Integer otherwise)
{
    return lua_isnoneornil(L, index) ? otherwise : pep_need_integer(L, index, word);
}

/* Raises unless argument 1 is a table that the rule made itself. */
static size_t own_table(lua_State *L, const char *word)
{
    if (lua_type(L, 1) != LUA_TTABLE)
        luaL_error(L, "table.%s: needs a table", word);
    if (lua_getmetatable(L, 1) != 0)
        luaL_error(L, "table.%s: this table is read-only", word);
    return lua_rawlen(L, 1);
}

static int table_insert(lua_State *L)
{
    lua_Integer n = (lua_Integer)own_table(L, "insert");
    int count = lua_gettop(L);
    if (count == 2) {
        lua_rawseti(L, 1, n + 1);
        return 0;
    }
    lua_Integer at = pep_need_integer(L, 2, "table.insert");
    if (count != 3 || at < 1 || at > n + 1)
        return luaL_error(L, "table.insert: position out of bounds");
    pep_charge(L, (size_t)(n + 1 - at));
    for (lua_Integer i = n; i >= at; i--) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 1, i + 1);
    }
    lua_rawseti(L, 1, at);
    return 0;
}

static int table_remove(lua_State *L)
{
    lua_Integer n = (lua_Integer)own_table(L, "remove");
    lua_Integer at = pep_integer_or(L, 2, "table.remove", n);
    if (n == 0 && lua_isnoneornil(L, 2))
        return 0;
    if (at < 1 || at > n)
        return luaL_error(L, "table.remove: position out of bounds");
    pep_charge(L, (size_t)(n - at));
    lua_rawgeti(L, 1, at);
    for (lua_Integer i = at; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        lua_rawseti(L, 1, i);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, n);
    return 1;
}

static int table_sort(lua_State *L)
{
    struct pep_slot *slot = pep_slot_of(L);
    size_t n = own_table(L, "sort");
    bool comparator = !lua_isnoneornil(L, 2);
    lua_settop(L, 2);
    if (comparator && lua_type(L, 2) != LUA_TFUNCTION)
        return luaL_error(L, "table.sort: the comparator must be a function");
    if (slot->sorting >= SORTING_MAX) /* each level takes C stack from the caller's thread */
        return luaL_error(L, "table.sort: sorts inside comparators, more than %d deep",
                          SORTING_MAX);
    slot->sorting++;
    pep_heap_sort(L, 1, n, comparator ? pep_less_by_comparator : pep_less_by_value);
    slot->sorting--;
    return 0;
}

static int table_unpack(lua_State *L)
{
    bool read_only;
    lua_settop(L, 3);
    if (!pep_push_table(L, 1, &read_only))
        return luaL_error(L, "table.unpack: needs a table");
    lua_Integer from = pep_integer_or(L, 2, "table.unpack", 1);
    lua_Integer to = pep_integer_or(L, 3, "table.unpack", (lua_Integer)lua_rawlen(L, 4));
    if (from > to)
        return 0;
    if ((lua_Unsigned)to - (lua_Unsigned)from >= PEP_ARGUMENTS_MAX)
        pep_need_few(L, INT_MAX, "table.unpack");
    int n = (int)(to - from) + 1;
    luaL_checkstack(L, n, "table.unpack");
    pep_charge(L, (size_t)n);
    for (int i = 0; i < n; i++)
        lua_rawgeti(L, 4, from + i);
    return n;
}

static int table_pack(lua_State *L)
{
    int n = lua_gettop(L);
    pep_need_few(L, n, "table.pack");
    pep_charge(L, (size_t)n);
    lua_createtable(L, n, 1);
    lua_insert(L, 1);
    for (int i = n; i >= 1; i--)
        lua_rawseti(L, 1, i);
    lua_pushinteger(L, n);
    lua_setfield(L, 1, "n");
    return 1;
}

/* ---- basics ---- */

static int word_type(lua_State *L)
{
    luaL_checkany(L, 1);
    /* what we give out behaves like a table and is called one */
    if (lua_type(L, 1) == LUA_TLIGHTUSERDATA)
        lua_pushliteral(L, "table");
    else
        lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

static int word_select(lua_State *L)
{
    int n = lua_gettop(L);
    pep_need_few(L, n - 1, "select");
    if (lua_type(L, 1) == LUA_TSTRING && *lua_tostring(L, 1) == '#') {
        lua_pushinteger(L, n - 1);
        return 1;
    }
    lua_Integer i = pep_need_integer(L, 1, "select");
    pep_charge(L, (size_t)n / 8);
    if (i < 0)
        i = n + i;
    else if (i > n)
        i = n;
    if (i < 1)
        return luaL_error(L, "select: position out of range");
    return n - (int)i;
}

static int word_error(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_pushvalue(L, 1);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int word_assert(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_toboolean(L, 1))
        return lua_gettop(L);
    if (lua_type(L, 2) == LUA_TSTRING)
        lua_settop(L, 2);
    else
        lua_pushliteral(L, "assertion failed");
    return lua_error(L);
}

static int word_data(lua_State *L)
{
    size_t size;
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L, "data: needs a name, as in data \"limits\"");
    const char *name = lua_tolstring(L, 1, &size);
    pep_charge(L, pep_slot_of(L)->policy->data_count / 4);
    const struct pep_value *v = pep_data_find(pep_slot_of(L)->policy, pep_span_of(name, size));
    if (v == NULL)
        return luaL_error(L, "data: there is no data/%s.json", name);
    pep_push_value(L, v);
    return 1;
}

/* ---- the environment ---- */

static const luaL_Reg words[] = {
    {"same", word_same},       {"has", word_has},       {"overlaps", word_overlaps},
    {"between", word_between}, {"ipairs", word_ipairs}, {"sorted", word_sorted},
    {"select", word_select},   {"type", word_type},     {"error", word_error},
    {"assert", word_assert},   {"data", word_data},     {NULL, NULL}};

static const luaL_Reg table_words[] = {{"insert", table_insert}, {"remove", table_remove},
                                       {"sort", table_sort},     {"unpack", table_unpack},
                                       {"pack", table_pack},     {NULL, NULL}};

void pep_words_open(lua_State *L)
{
    lua_createtable(L, 0, 48);
    luaL_setfuncs(L, words, 0);
    lua_pushcfunction(L, pep_word_multi_factor);
    lua_setfield(L, -2, "multi_factor");
    luaL_newlib(L, table_words);
    lua_setfield(L, -2, "table");
    pep_text_open(L);
    pep_numbers_open(L);
}

/* Every name of the environment; a test compares this list with a real state's. */
static const char *const word_names[] = {
    "allow",    "assert",   "between",      "challenge", "cidr",        "claims",   "clock",
    "contains", "data",     "deny",         "ends_with", "error",       "has",      "ipairs",
    "lower",    "math",     "multi_factor", "overlaps",  "require",     "resource", "roles",
    "same",     "select",   "sorted",       "split",     "starts_with", "step_up",  "string",
    "table",    "tonumber", "tostring",     "type",      "upper"};

const char *const *pep_word_names(size_t *ret_count)
{
    *ret_count = sizeof(word_names) / sizeof(word_names[0]);
    return word_names;
}

bool pep_word_exists(const char *name)
{
    for (size_t i = 0; i < sizeof(word_names) / sizeof(word_names[0]); i++) {
        if (strcmp(word_names[i], name) == 0)
            return true;
    }
    return false;
}
