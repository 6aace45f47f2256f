/*
 * Running the policy files inside one Lua state. The first state reads rule heads and the schema;
 * the others run the same code in the same order and take only the functions, so that function n is
 * the same one everywhere (the counts are compared).
 *
 * The registry holds, by fixed numbers, the functions of rules and the values of modules.
 */
#include "engine_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WALK 16 /* steps */

int pep_load_line(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar) != 0; level++) {
        if (lua_getinfo(L, "l", &ar) != 0 && ar.currentline > 0)
            return ar.currentline;
    }
    return 0;
}

void pep_load_note_place(lua_State *L)
{
    const struct pep_slot *slot = pep_slot_of(L);
    lua_Debug ar;
    if (slot->loader->spent_line > 0)
        return;
    for (int level = 0; lua_getstack(L, level, &ar) != 0; level++) {
        if (lua_getinfo(L, "Sl", &ar) == 0 || ar.currentline <= 0 || ar.source[0] != '@')
            continue;
        const struct pep_source *s = pep_source_at(slot->policy, pep_span_string(ar.source + 1));
        if (s == NULL)
            continue;
        slot->loader->spent_file = s->path;
        slot->loader->spent_line = ar.currentline;
        return;
    }
}

void pep_load_complete(lua_State *L)
{
    char text[PEP_PATH_MAX + 2 * PEP_RULE_MAX + 128];
    const struct pep_loader *ld = pep_slot_of(L)->loader;
    if (ld == NULL || ld->pending_line == 0)
        return;
    snprintf(text, sizeof(text),
             "%s:%d: rule `%s` has no table: write \"%s\" { action = ... }, without brackets and "
             "comma",
             ld->file, ld->pending_line, ld->pending, ld->pending);
    lua_pushstring(L, text);
    lua_error(L);
}

const char *pep_near_text(char room[160], const char *near)
{
    if (near == NULL)
        return NULL;
    snprintf(room, 160, "did you mean `%s`?", near);
    return room;
}

void pep_load_diag(lua_State *L, const char *code, const char *help, const char *format, ...)
{
    struct pep_loader *ld = pep_slot_of(L)->loader;
    char text[400];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    pep_diag_add(ld->diags, code, ld->file, pep_load_line(L), help, "%s", text);
    if (ld->diags->errors >= PEP_MISTAKES_MAX) /* each looks for a name that was meant */
        luaL_error(L, "more than %d mistakes", PEP_MISTAKES_MAX);
}

/* ---- walking over tables ---- */

/* Empty slots of a table cost as much to walk over as full ones, and nothing tells how many there
 * are. The first walk is paid for by what made the table; the next one is charged as if the table
 * were the largest block. Tables are known by their addresses, which are not used twice, because
 * the collector stands still while a policy is loaded. */
static bool was_walked(struct pep_loader *ld, const void *table)
{
    if (ld->walked_count * 2 >= ld->walked_capacity) {
        size_t old = ld->walked_capacity, capacity = old == 0 ? 1024 : old * 2;
        const void **before = ld->walked, **after = calloc(capacity, sizeof(*after));
        if (after == NULL)
            return true; /* charges more */
        ld->walked = after;
        ld->walked_capacity = capacity;
        ld->walked_count = 0;
        for (size_t i = 0; i < old; i++) {
            if (before[i] != NULL)
                (void)was_walked(ld, before[i]);
        }
        free(before);
    }
    size_t at = (size_t)(((uintptr_t)table >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    for (at &= ld->walked_capacity - 1; ld->walked[at] != NULL;
         at = (at + 1) & (ld->walked_capacity - 1)) {
        if (ld->walked[at] == table)
            return true;
    }
    ld->walked[at] = table;
    ld->walked_count++;
    return false;
}

bool pep_load_afford_walk(lua_State *L, int table)
{
    struct pep_slot *slot = pep_slot_of(L);
    if (slot->loader == NULL || was_walked(slot->loader, lua_topointer(L, table)))
        return pep_afford_walk(L);
    slot->steps -= FIRST_WALK;
    return slot->steps >= 0;
}

void pep_load_charge_walk(lua_State *L, int table)
{
    if (!pep_load_afford_walk(L, table))
        pep_charge(L, 1);
}

/* ---- require ---- */

static int word_require(lua_State *L)
{
    struct pep_slot *slot = pep_slot_of(L);
    struct pep_loader *ld = slot->loader;
    if (ld == NULL)
        return luaL_error(L, "require: only while loading, at the top of the file");
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
    const struct pep_source *s = pep_source_module(slot->policy, name);
    if (s == NULL)
        return luaL_error(L, "require: there is no module `%s` in lib/", name);
    size_t i = (size_t)(s - slot->policy->sources);
    pep_reach_join(slot, s);
    lua_rawgeti(L, LUA_REGISTRYINDEX, PEP_KEY_MODULES);
    if (ld->module_state[i] == 2) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        return 1;
    }
    if (ld->module_state[i] == 1)
        return luaL_error(L, "require: `%s` needs itself, through other modules", name);
    if (ld->modules_deep >= PEP_MODULES_DEEP)
        return luaL_error(L, "require: more than %d modules that need each other in a row",
                          PEP_MODULES_DEEP);
    enum pep_source_kind phase = ld->phase;
    const char *file = ld->file;
    ld->modules_deep++;
    ld->module_state[i] = 1;
    ld->phase = PEP_SOURCE_MODULE;
    ld->file = s->path;
    pep_push_chunk(L, s);
    lua_call(L, 0, 1);
    ld->modules_deep--;
    ld->phase = phase;
    ld->file = file;
    ld->module_state[i] = 2;
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    return 1;
}

/* ---- the steps, each a protected call ---- */

static int set_up(lua_State *L)
{
    pep_words_open(L);
    pep_schema_open(L);
    pep_head_open(L);
    lua_pushcfunction(L, word_require);
    lua_setfield(L, -2, "require");
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    pep_object_open(L);
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, PEP_KEY_FUNCTIONS);
    lua_createtable(L, (int)pep_slot_of(L)->policy->source_count, 0); /* no file makes it */
    lua_rawseti(L, LUA_REGISTRYINDEX, PEP_KEY_MODULES);
    return 0;
}

static int run_source(lua_State *L)
{
    pep_push_chunk(L, lua_touserdata(L, 1));
    lua_call(L, 0, 0);
    pep_charge(L, 0); /* raises if its last words were too many */
    pep_load_complete(L);
    return 0;
}

static int finish(lua_State *L)
{
    struct pep_slot *slot = pep_slot_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, PEP_KEY_FUNCTIONS);
    slot->loader->file = NULL;
    pep_freeze_functions(L, -1);
    slot->loader->file = NULL; /* nothing that follows is about one file */
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, PEP_KEY_MODULES);
    if (!pep_slot_intern(slot) || !pep_plain_open(slot)) {
        slot->starved = true;
        return luaL_error(L, "no memory");
    }
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

void pep_push_functions(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, PEP_KEY_FUNCTIONS);
}

static int refuse(struct pep_slot *slot, struct pep_loader *ld, int status, const char *file,
                  struct pep_error *err)
{
    if (slot->broken && ld->diags == NULL)
        return PEP_ENOMEM;
    if (ld->diags != NULL)
        pep_source_error(slot, status, "E211", file, ld->diags);
    return pep_error_set(err, PEP_EPOLICY, "%s: does not load", file == NULL ? "policy" : file);
}

/* One file; a mistake in it does not hide those in the next. */
static int run_file(struct pep_slot *slot, struct pep_loader *ld, const struct pep_source *s)
{
    ld->modules_deep = 0;
    ld->file = s->path;
    ld->pending_line = 0; /* the last file may have failed in between */
    ld->phase = s->kind;
    pep_reach_begin(slot, s);
    int status = pep_slot_call(slot, run_source, (void *)(uintptr_t)s);
    if (status == LUA_OK)
        return PEP_OK;
    /* an error inside a module names the module's file */
    return refuse(slot, ld, status, ld->file, NULL);
}

static bool ended(const struct pep_slot *slot)
{
    return slot->broken || slot->exhausted != PEP_EXHAUSTED_NOT;
}

static int run_kind(struct pep_slot *slot, struct pep_loader *ld, enum pep_source_kind kind)
{
    int rc = PEP_OK;
    for (size_t i = 0; i < slot->policy->source_count && !ended(slot); i++) {
        const struct pep_source *s = &slot->policy->sources[i];
        if (s->kind == kind && !s->refused && run_file(slot, ld, s) != PEP_OK)
            rc = PEP_EPOLICY;
    }
    return ended(slot) ? PEP_EPOLICY : rc;
}

int pep_slot_load(struct pep_slot *slot, struct pep_loader *ld, struct pep_error *err)
{
    int rc, status;
    slot->loader = ld;
    pep_slot_begin(slot, PEP_LOAD_STEPS, PEP_LOAD_MEMORY);
    pep_slot_count(slot);
    ld->module_state = calloc(slot->policy->source_count + 1, 1);
    ld->reach = pep_reach_new(slot->policy);
    if (ld->module_state == NULL || ld->reach == NULL || !pep_stack_watch(slot) ||
        pep_slot_call(slot, set_up, NULL) != LUA_OK) {
        rc = pep_error_set(err, PEP_ENOMEM, "no memory for a Lua state");
        goto done;
    }
    rc = ld->first ? run_kind(slot, ld, PEP_SOURCE_SCHEMA) : PEP_OK;
    if (ld->first && rc == PEP_OK)
        rc = pep_schema_close(ld->policy, ld->diags);
    if (rc == PEP_OK)
        rc = run_kind(slot, ld, PEP_SOURCE_POLICY);
    if (ld->out_of_memory)
        rc = PEP_ENOMEM;
    ld->running = NULL;
    slot->steps = PEP_LOAD_STEPS * INT64_C(16); /* freezing has a large table of its own */
    if (rc == PEP_OK && (status = pep_slot_call(slot, finish, NULL)) != LUA_OK)
        rc = refuse(slot, ld, status, ld->file, err);
done:
    free(ld->module_state);
    ld->module_state = NULL;
    free(ld->reach);
    ld->reach = NULL;
    free(ld->walked);
    ld->walked = NULL;
    ld->walked_count = ld->walked_capacity = 0;
    slot->loader = NULL;
    if (rc != PEP_OK)
        return pep_error_set(err, rc, "the policy files do not load");
    if (ld->first)
        pep_policy_weigh(ld->policy, slot->longest);
    pep_plain_push(slot);
    if (!pep_stack_fix(slot))
        return pep_error_set(err, PEP_ENOMEM, "no memory for a Lua state");
    slot->collected = slot->arena.allocated;
    return PEP_OK;
}

/* A fresh state in place of one that ran out of memory, by the thread that caused it. */
int pep_slot_rebuild(struct pep_slot *slot)
{
    const struct pep_policy *policy = slot->policy;
    struct pep_loader ld = {.first = false};
    pep_slot_close(slot);
    locale_t before = uselocale(policy->locale); /* its top level must come out as the first time */
    int rc = pep_slot_open(slot, policy, NULL);
    if (rc == PEP_OK)
        rc = pep_slot_load(slot, &ld, NULL);
    if (rc == PEP_OK && ld.functions != policy->function_count)
        rc = PEP_EPOLICY;
    uselocale(before);
    slot->broken = rc != PEP_OK;
    return rc;
}
