/*
 * Is the Lua that this process resolves the one that we were compiled against? A host that exports
 * LuaJIT or another 5.x would otherwise give us its functions under the same names, with other
 * structures behind them. Asked before the first state is made for policies, through calls whose
 * answers differ between versions; the way out is a build with -DPEP_LUA_SOURCE=DIR.
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

static void *plain_alloc(void *ud, void *old, size_t old_size, size_t size)
{
    (void)ud;
    (void)old_size;
    if (size == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, size);
}

static int try_language(lua_State *L)
{
    /* integer division, integers apart from floats, and a goto: 5.4 and nothing before 5.3 */
    static const char code[] = "local a <const> = 7 // 2; goto x; ::x:: return a, 1 << 62";
    if (luaL_loadbufferx(L, code, sizeof(code) - 1, "=self-test", "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 2);
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != 3 || lua_tointeger(L, -1) != 1ll << 62)
        return luaL_error(L, "arithmetic");
    void *extra = lua_getextraspace(L);
    memset(extra, 0, sizeof(void *));
    return 0;
}

int pep_engine_self_test(struct pep_error *err)
{
    static const char help[] = "this process exports another Lua (%s); build libpep with "
                               "-DPEP_LUA_SOURCE=DIR, which compiles one in and hides it";
    lua_State *L = lua_newstate(plain_alloc, NULL);
    if (L == NULL)
        return pep_error_set(err, PEP_ELUA, help, "it makes no state");
    if (lua_version(L) != LUA_VERSION_NUM) {
        lua_close(L);
        return pep_error_set(err, PEP_ELUA, help, "its version differs");
    }
    lua_pushcfunction(L, try_language);
    int status = lua_pcall(L, 0, 0, 0);
    lua_close(L);
    return status == LUA_OK ? PEP_OK : pep_error_set(err, PEP_ELUA, help, "its language differs");
}
