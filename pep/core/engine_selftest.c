/*
 * Is the Lua that this process resolves the one that we were compiled against? A host that exports
 * LuaJIT or another Lua gives us its functions under the same names, with other structures behind
 * them. It gives us a mixture even: what it lacks comes from the system's liblua5.4, which would
 * then take the other's states for its own.
 *
 * So nothing of Lua is called before it is known where all of it comes from. First the addresses:
 * every function that the engine uses must lie in one object (a library or the program), and those
 * of lauxlib in one too. Since the engine uses functions that came with 5.4, no older Lua has them
 * all. A name is asked for once more as the loader would find it now, because liblua5.4 finds its
 * own functions at their first call, and another Lua may have been loaded in between. Then the
 * version, which needs no state; then a state, its layout as far as we touch it, and the language.
 *
 * Names with a version (Debian's liblua5.1 and 5.3 have them) are never mixed up, so such a host is
 * none of our business. The way out for the others is a build with -DPEP_LUA_SOURCE=DIR.
 *
 * Rejected: asking lua_version() first, which LuaJIT and 5.3 answer with a pointer in a register
 * that we would not read; loading liblua5.4 once more for ourselves, which a library must not do
 * behind its host's back.
 */
#include "engine_internal.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#if LUA_VERSION_NUM != 504
#error "the engine needs the headers of Lua 5.4"
#endif

/* ---- where Lua comes from ---- */

struct door {
    const char *name;
    void (*function)(void);
};
#define DOOR(name)                     \
    {                                  \
#name, (void (*)(void))(name), \
    }

/* All that libpep uses; tests/package/foreign.sh compares. */
static const struct door core_doors[] = {
    DOOR(lua_absindex),     DOOR(lua_atpanic),     DOOR(lua_callk),
    DOOR(lua_checkstack),   DOOR(lua_close),       DOOR(lua_compare),
    DOOR(lua_concat),       DOOR(lua_copy),        DOOR(lua_createtable),
    DOOR(lua_dump),         DOOR(lua_error),       DOOR(lua_gc),
    DOOR(lua_getfield),     DOOR(lua_getinfo),     DOOR(lua_getmetatable),
    DOOR(lua_getstack),     DOOR(lua_gettable),    DOOR(lua_gettop),
    DOOR(lua_getupvalue),   DOOR(lua_iscfunction), DOOR(lua_isinteger),
    DOOR(lua_load),         DOOR(lua_newstate),    DOOR(lua_newuserdatauv),
    DOOR(lua_next),         DOOR(lua_pcallk),      DOOR(lua_pushboolean),
    DOOR(lua_pushcclosure), DOOR(lua_pushinteger), DOOR(lua_pushlightuserdata),
    DOOR(lua_pushlstring),  DOOR(lua_pushnil),     DOOR(lua_pushnumber),
    DOOR(lua_pushstring),   DOOR(lua_pushvalue),   DOOR(lua_rawequal),
    DOOR(lua_rawget),       DOOR(lua_rawgeti),     DOOR(lua_rawlen),
    DOOR(lua_rawset),       DOOR(lua_rawseti),     DOOR(lua_rotate),
    DOOR(lua_setfield),     DOOR(lua_sethook),     DOOR(lua_setmetatable),
    DOOR(lua_settop),       DOOR(lua_setupvalue),  DOOR(lua_stringtonumber),
    DOOR(lua_toboolean),    DOOR(lua_tointegerx),  DOOR(lua_tolstring),
    DOOR(lua_tonumberx),    DOOR(lua_topointer),   DOOR(lua_touserdata),
    DOOR(lua_type),         DOOR(lua_typename),    DOOR(lua_version),
};
static const struct door auxiliary_doors[] = {
    DOOR(luaL_addlstring),  DOOR(luaL_addvalue),      DOOR(luaL_buffinit),
    DOOR(luaL_checkany),    DOOR(luaL_checklstring),  DOOR(luaL_checkstack),
    DOOR(luaL_checktype),   DOOR(luaL_checkversion_), DOOR(luaL_error),
    DOOR(luaL_loadbufferx), DOOR(luaL_prepbuffsize),  DOOR(luaL_pushresult),
    DOOR(luaL_setfuncs),    DOOR(luaL_where),
};

/* A library or program in memory. `base` is NULL where the address says nothing: a program that is
 * not position-independent lends the functions whose address it takes entries of its own. */
struct object {
    const void *base;
    char name[48];
};

static struct object object_of(const void *address)
{
    struct object o = {NULL, ""};
    Dl_info info;
    void *entry = NULL;
    if (address == NULL || dladdr1(address, &info, &entry, RTLD_DL_SYMENT) == 0)
        return o;
    const ElfW(Sym) *symbol = entry;
    if (symbol != NULL && symbol->st_shndx == SHN_UNDEF)
        return o;
    const char *path = info.dli_fname == NULL ? "" : info.dli_fname;
    const char *slash = strrchr(path, '/');
    strncpy(o.name, slash == NULL ? path : slash + 1, sizeof(o.name) - 1);
    o.base = info.dli_fbase;
    return o;
}

static int another(struct pep_error *err, const char *what)
{
    return pep_error_set(err, PEP_ELUA,
                         "this process exports another Lua: %s; build libpep with "
                         "-DPEP_LUA_SOURCE=DIR, which compiles Lua in and hides it",
                         what);
}

static int check_object(const struct object *home, const struct door *door, const void *address,
                        struct pep_error *err)
{
    char what[160];
    struct object here = object_of(address);
    if (home->base == NULL || here.base == NULL || here.base == home->base)
        return PEP_OK;
    snprintf(what, sizeof(what), "%s is in %s, other functions in %s", door->name, here.name,
             home->name);
    return another(err, what);
}

/* What the loader would give for this name today. A function that bears the version name of another
 * Lua is not for us, and no harm. */
static const void *found_today(const char *name)
{
    static const char *const others[] = {"LUA_5.1", "LUA_5.2", "LUA_5.3", "LUA_5.5"};
    const void *found = dlsym(RTLD_DEFAULT, name);
    if (object_of(found).base == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (dlvsym(RTLD_DEFAULT, name, others[i]) == found)
            return NULL;
    }
    return found;
}

static int check_doors(const struct door *doors, size_t count, struct pep_error *err)
{
    struct object home = {NULL, ""}, ours = object_of((const void *)(uintptr_t)check_doors);
    for (size_t i = 0; i < count && home.base == NULL; i++)
        home = object_of((const void *)(uintptr_t)doors[i].function);
    int rc = PEP_OK;
    for (size_t i = 0; rc == PEP_OK && i < count; i++) {
        rc = check_object(&home, &doors[i], (const void *)(uintptr_t)doors[i].function, err);
        if (rc == PEP_OK && home.base != ours.base && /* nobody else finds what is compiled in */
            dlsym(RTLD_DEFAULT, doors[i].name) != (const void *)(uintptr_t)doors[i].function)
            rc = check_object(&home, &doors[i], found_today(doors[i].name), err);
    }
    return rc;
}

/* ---- what it does ---- */

static void *plain_alloc(void *ud, void *old, size_t old_size, size_t size)
{
    const char **first = ud;
    (void)old_size;
    if (size == 0) {
        free(old);
        return NULL;
    }
    void *block = realloc(old, size);
    if (*first == NULL)
        *first = block; /* the state itself, behind its extra space */
    return block;
}

static int try_language(lua_State *L)
{
    /* integer division, integers apart from floats, and a goto: 5.4 and nothing before 5.3 */
    static const char code[] = "local a <const> = 7 // 2; goto x; ::x:: return a, 1 << 62";
    luaL_checkversion(L);
    if (luaL_loadbufferx(L, code, sizeof(code) - 1, "=self-test", "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 2);
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != 3 || lua_tointeger(L, -1) != 1ll << 62)
        return luaL_error(L, "arithmetic");
    return 0;
}

static int check_state(struct pep_error *err)
{
    const char *first = NULL;
    lua_State *L = lua_newstate(plain_alloc, &first);
    if (L == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for a Lua state");
    int status = LUA_OK;
    bool room = first + sizeof(void *) <= (const char *)L;
    if (room) {
        lua_pushcfunction(L, try_language);
        status = lua_pcall(L, 0, 0, 0);
    }
    lua_close(L);
    if (!room)
        return another(err, "its states have no extra space");
    if (status == LUA_ERRMEM)
        return pep_error_set(err, PEP_ENOMEM, "no memory for a Lua state");
    return status == LUA_OK ? PEP_OK : another(err, "its language differs");
}

int pep_engine_self_test(struct pep_error *err)
{
    int rc = check_doors(core_doors, sizeof(core_doors) / sizeof(core_doors[0]), err);
    if (rc == PEP_OK)
        rc =
            check_doors(auxiliary_doors, sizeof(auxiliary_doors) / sizeof(auxiliary_doors[0]), err);
    if (rc == PEP_OK && lua_version(NULL) != LUA_VERSION_NUM)
        rc = another(err, "its version differs");
    return rc == PEP_OK ? check_state(err) : rc;
}
