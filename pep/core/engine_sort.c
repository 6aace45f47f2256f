/* A heap sort over a Lua table: see engine_sort.h. Only raw access; what raises leaves no owner. */
#include "engine_sort.h"

bool pep_less_by_comparator(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    bool less = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return less;
}

bool pep_less_by_value(lua_State *L)
{
    return lua_compare(L, -2, -1, LUA_OPLT);
}

bool pep_less_by_key(lua_State *L)
{
    int a = lua_type(L, -2), b = lua_type(L, -1);
    return a == b ? lua_compare(L, -2, -1, LUA_OPLT) : a == LUA_TNUMBER;
}

/* Is t[a] less than t[b]? */
static bool less_at(lua_State *L, int t, size_t a, size_t b, pep_less less)
{
    pep_charge(L, 4);
    lua_rawgeti(L, t, (lua_Integer)a);
    lua_rawgeti(L, t, (lua_Integer)b);
    if (lua_type(L, -1) == LUA_TSTRING && lua_type(L, -2) == LUA_TSTRING)
        pep_charge(L, lua_rawlen(L, -1) / 32);
    bool yes = less(L);
    lua_pop(L, 2);
    return yes;
}

static void swap_at(lua_State *L, int t, size_t a, size_t b)
{
    lua_rawgeti(L, t, (lua_Integer)a);
    lua_rawgeti(L, t, (lua_Integer)b);
    lua_rawseti(L, t, (lua_Integer)a);
    lua_rawseti(L, t, (lua_Integer)b);
}

static void sift(lua_State *L, int t, size_t root, size_t n, pep_less less)
{
    for (size_t child; (child = 2 * root) <= n; root = child) {
        if (child < n && less_at(L, t, child, child + 1, less))
            child++;
        if (!less_at(L, t, root, child, less))
            return;
        swap_at(L, t, root, child);
    }
}

void pep_heap_sort(lua_State *L, int t, size_t n, pep_less less)
{
    luaL_checkstack(L, 8, "sort");
    for (size_t i = n / 2; i >= 1; i--)
        sift(L, t, i, n, less);
    for (size_t i = n; i > 1; i--) {
        swap_at(L, t, 1, i);
        sift(L, t, 1, i - 1, less);
    }
}
