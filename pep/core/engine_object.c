/*
 * C values as Lua sees them: `sub`, `res`, `ctx`, sets, and data, read in place.
 *
 * Each is a light userdata: an address, and one metatable for all of that Lua type, so that handing
 * out a value allocates nothing and compares by identity. Policies can neither make a light
 * userdata nor keep one beyond the decision (nothing that outlives it can be assigned), so an
 * address is always one that we gave out in this decision, or of the policy itself.
 *
 * Rejected: tables filled per decision (0.5 us for ten fields) and full userdata (an allocation and
 * a collector mark for each read of a set).
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

static enum pep_object object_of(const struct pep_slot *slot, const void *p)
{
    uintptr_t i = (uintptr_t)p - (uintptr_t)slot->objects;
    return i < PEP_OBJECTS ? (enum pep_object)i : PEP_OBJECTS;
}

/* The id of a field name, by the address of Lua's own interned string where that is known. */
static uint32_t name_of(const struct pep_slot *slot, const char *key, size_t size)
{
    if (slot->by_pointer != NULL) {
        uint32_t i = (uint32_t)((uintptr_t)key >> 4) & slot->pointer_mask;
        for (; slot->by_pointer[i].key != NULL; i = (i + 1) & slot->pointer_mask) {
            if (slot->by_pointer[i].key == key)
                return slot->by_pointer[i].id;
        }
    }
    return pep_names_find(slot->names, pep_span_of(key, size));
}

/* Anchors every name in the state, so that its address stays, and files it by that address. */
bool pep_slot_intern(struct pep_slot *slot)
{
    lua_State *L = slot->L;
    const struct pep_names *n = slot->names;
    uint32_t capacity = 64;
    while (capacity < n->count * 4)
        capacity *= 2;
    free(slot->by_pointer);
    slot->by_pointer = calloc(capacity, sizeof(*slot->by_pointer));
    if (slot->by_pointer == NULL)
        return false;
    slot->pointer_mask = capacity - 1;
    lua_createtable(L, (int)n->count, 0);
    for (uint32_t id = 0; id < n->count; id++) {
        const char *key = lua_pushlstring(L, n->texts[id], n->sizes[id]);
        lua_rawseti(L, -2, (lua_Integer)id + 1);
        if (n->sizes[id] > 40)
            continue; /* Lua interns only short strings */
        uint32_t i = (uint32_t)((uintptr_t)key >> 4) & slot->pointer_mask;
        while (slot->by_pointer[i].key != NULL)
            i = (i + 1) & slot->pointer_mask;
        slot->by_pointer[i].key = key;
        slot->by_pointer[i].id = id;
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, PEP_KEY_NAMES);
    return true;
}

void pep_push_value(lua_State *L, const struct pep_value *v)
{
    switch (v == NULL ? PEP_V_NIL : v->kind) {
    case PEP_V_BOOL:
        lua_pushboolean(L, v->u.boolean);
        break;
    case PEP_V_INT:
        lua_pushinteger(L, v->u.integer);
        break;
    case PEP_V_NUMBER:
        lua_pushnumber(L, v->u.number);
        break;
    case PEP_V_STRING:
        if (v->size > PEP_STRING_MAX)
            luaL_error(L, "a text of %d bytes: at most %d are read", (int)v->size, PEP_STRING_MAX);
        lua_pushlstring(L, v->u.string, v->size);
        break;
    case PEP_V_LIST:
    case PEP_V_STRINGS:
    case PEP_V_MAP:
        lua_pushlightuserdata(L, (void *)(uintptr_t)v);
        break;
    default:
        lua_pushnil(L);
    }
}

bool pep_get_value(lua_State *L, int index, struct pep_value *ret)
{
    size_t size;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
        *ret = (struct pep_value){.kind = PEP_V_NIL};
        return true;
    case LUA_TBOOLEAN:
        *ret = (struct pep_value){.kind = PEP_V_BOOL, .u.boolean = lua_toboolean(L, index) != 0};
        return true;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            *ret = (struct pep_value){.kind = PEP_V_INT, .u.integer = lua_tointeger(L, index)};
        else
            *ret = (struct pep_value){.kind = PEP_V_NUMBER, .u.number = lua_tonumber(L, index)};
        return true;
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, index, &size);
        *ret = pep_value_text(text, size);
        return true;
    }
    case LUA_TLIGHTUSERDATA: {
        const void *p = lua_touserdata(L, index);
        if (object_of(pep_slot_of(L), p) != PEP_OBJECTS)
            return false;
        *ret = *(const struct pep_value *)p;
        return true;
    }
    default:
        return false;
    }
}

/* ---- the metatable ---- */

static const char *const object_words[PEP_OBJECTS] = {"the subject", "the resource", "the request"};

static int index_object(lua_State *L, struct pep_slot *slot, enum pep_object object)
{
    size_t size;
    if (lua_type(L, 2) != LUA_TSTRING || slot->eval == NULL) {
        lua_pushnil(L);
        return 1;
    }
    const char *key = lua_tolstring(L, 2, &size);
    if (size > 64)
        pep_charge(L, size / 32);
    uint32_t name = name_of(slot, key, size);
    const struct pep_value *v = pep_eval_get(slot->eval, object, name, pep_span_of(key, size));
    if (v == NULL && slot->policy->author && !pep_eval_declared(slot->eval, object, name))
        return luaL_error(L, "%s has no attribute `%s`", object_words[object], key);
    pep_push_value(L, v);
    return 1;
}

static int on_index(lua_State *L)
{
    struct pep_slot *slot = pep_slot_of(L);
    const void *p = lua_touserdata(L, 1);
    enum pep_object object = object_of(slot, p);
    if (object != PEP_OBJECTS)
        return index_object(L, slot, object);
    const struct pep_value *v = p;
    size_t size;
    if (v->kind == PEP_V_MAP && lua_type(L, 2) == LUA_TSTRING) {
        const char *key = lua_tolstring(L, 2, &size);
        if (size > 64)
            pep_charge(L, size / 2); /* as many comparisons as the map has bits */
        pep_push_value(L, pep_map_find(v, pep_span_of(key, size)));
        return 1;
    }
    int is_integer;
    lua_Integer i = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &is_integer) : 0;
    if (v->kind == PEP_V_LIST && i >= 1 && (lua_Unsigned)i <= v->size) {
        pep_push_value(L, &v->u.items[i - 1]);
        return 1;
    }
    struct pep_value item = {.kind = PEP_V_NIL};
    if (v->kind == PEP_V_STRINGS && i >= 1)
        item = pep_list_at(v, (size_t)i - 1);
    pep_push_value(L, &item);
    return 1;
}

static int on_newindex(lua_State *L)
{
    return luaL_error(L, "what a rule is given is read-only");
}

static int on_length(lua_State *L)
{
    struct pep_value v = {.kind = PEP_V_NIL};
    bool list = pep_get_value(L, 1, &v) && v.kind != PEP_V_MAP;
    lua_pushinteger(L, list ? (lua_Integer)v.size : 0);
    return 1;
}

void pep_object_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"__index", on_index}, {"__newindex", on_newindex}, {"__len", on_length}, {NULL, NULL}};
    lua_pushlightuserdata(L, NULL);
    luaL_newlib(L, methods);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
