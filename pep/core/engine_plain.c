/*
 * Plain tables for functions that provably only read.
 *
 * A read through the metatable of light userdata costs some 50 ns, a read from a table 6. A
 * function whose bytecode does nothing with sub, res and ctx but read constant fields (no write, no
 * computed name, not handed on, not captured for more than reads) cannot tell or change what it was
 * given, so it gets three tables of the Lua state, and just the fields that it names are put there
 * before the call, once per decision; those of the subject stay while the subject is the same, and
 * so does a field that an earlier decision has left with the very text or number it needs now. All
 * other functions get the read-only objects. Rejected: such tables for every function, because a
 * table that can be written to, or handed on, would carry one rule's doings to the next.
 */
#include "engine_internal.h"

#include <stdlib.h>

#define AT_FUNCTIONS 1 /* stack indices, for the life of a state */
#define AT_NAMES     2
#define AT_TABLES    3
#define TEXT_HEAD    64 /* more than Lua puts before a text */

bool pep_plain_open(struct pep_slot *slot)
{
    lua_State *L = slot->L;
    size_t n = slot->names->count;
    for (int i = 0; i < PEP_OBJECTS; i++) {
        free(slot->filled[i]);
        slot->filled[i] = calloc(n + 1, sizeof(*slot->filled[i]));
        slot->turn[i] = 1;
        if (slot->filled[i] == NULL)
            return false;
        lua_createtable(L, 0, 8);
        lua_rawseti(L, LUA_REGISTRYINDEX, PEP_KEY_TABLES + i);
    }
    slot->subject = 0;
    slot->kept_long = false;
    return true;
}

static void next_turn(struct pep_slot *slot, enum pep_object object)
{
    if (++slot->turn[object] != 0)
        return;
    for (uint32_t i = 0; i < slot->names->count; i++) /* after four thousand million decisions */
        slot->filled[object][i].turn = 0;
    slot->turn[object] = 1;
}

void pep_plain_begin(struct pep_slot *slot, const struct pep_subject *subject)
{
    next_turn(slot, PEP_OBJECT_RES);
    next_turn(slot, PEP_OBJECT_CTX);
    if (slot->subject != subject->serial)
        next_turn(slot, PEP_OBJECT_SUB);
    slot->subject = subject->serial;
}

/* Short texts and integers, as words that are compared at once. */
static struct pep_filled describe(const struct pep_value *v)
{
    struct pep_filled f = {.kind = PEP_V_NIL};
    if (v != NULL && v->kind == PEP_V_INT) {
        f.kind = PEP_V_INT;
        f.first = (uint64_t)v->u.integer;
    } else if (v != NULL && v->kind == PEP_V_STRING && v->size <= PEP_NAME_SHORT) {
        struct pep_name_key key = pep_name_key(v->u.string, v->size);
        f.kind = PEP_V_STRING;
        f.size = v->size;
        f.first = key.first;
        f.last = key.last;
    } else if (v != NULL && v->kind == PEP_V_STRING) {
        f.size = v->size; /* the kind says that it is not compared */
    }
    return f;
}

static bool holds(const struct pep_filled *field, const struct pep_filled *now)
{
    return field->kind == now->kind && field->size == now->size && field->first == now->first &&
           field->last == now->last;
}

/* False if a value is too long for a text of Lua: then the objects are handed over, and reading it
 * raises. For want of memory this panics, into the setjmp of the caller. */
static bool fill(struct pep_slot *slot, const struct pep_rule *rule)
{
    static const struct pep_span none;
    lua_State *L = slot->L;
    for (uint32_t i = 0; i < rule->fill_count; i++) {
        struct pep_read r = rule->fills[i];
        struct pep_filled *filled = &slot->filled[r.object][r.name];
        if (filled->turn == slot->turn[r.object])
            continue;
        const struct pep_value *v =
            pep_eval_get(slot->eval, (enum pep_object)r.object, r.name, none);
        if (v != NULL && v->kind == PEP_V_STRING && v->size > PEP_STRING_MAX)
            return false;
        struct pep_filled now = describe(v);
        if (now.kind == PEP_V_NIL || !holds(filled, &now)) {
            filled->kind = PEP_V_NIL; /* should what follows raise */
            lua_rawgeti(L, AT_NAMES, (lua_Integer)r.name + 1);
            pep_push_value(L, v);
            lua_rawset(L, AT_TABLES + r.object);
            *filled = now;
            slot->kept_long = slot->kept_long || now.size >= PEP_TEXT_SHORT;
        }
        filled->turn = slot->turn[r.object];
    }
    return true;
}

/* Long texts in the plain tables cost the same whether this decision put them there or one before.
 */
static void note_texts(struct pep_slot *slot, const struct pep_rule *rule)
{
    for (uint32_t i = 0; i < rule->fill_count; i++) {
        uint32_t size = slot->filled[rule->fills[i].object][rule->fills[i].name].size;
        if (size >= PEP_TEXT_SHORT)
            pep_text_noted(slot, size + TEXT_HEAD);
    }
}

/* False if the budget does not reach for a function that is charged as a whole. */
static bool charge(struct pep_slot *slot, const struct pep_rule *rule)
{
    if (rule->steps == 0)
        pep_slot_count(slot);
    if (slot->counting)
        return true;
    slot->steps -= rule->steps;
    if (slot->steps >= 0)
        return true;
    slot->steps = 0;
    slot->exhausted = PEP_EXHAUSTED_STEPS;
    return false;
}

int pep_plain_call(struct pep_slot *slot, const struct pep_rule *rule)
{
    lua_State *L = slot->L;
    if (!charge(slot, rule)) {
        lua_pushnil(L); /* in place of the error */
        return LUA_ERRRUN;
    }
    if (_setjmp(slot->panic) != 0)
        return LUA_ERRMEM;
    bool plain = rule->plain && fill(slot, rule);
    if (plain && slot->kept_long)
        note_texts(slot, rule);
    lua_rawgeti(L, AT_FUNCTIONS, (lua_Integer)rule->function);
    for (int i = 0; i < PEP_OBJECTS; i++) {
        if (plain)
            lua_pushvalue(L, AT_TABLES + i);
        else
            lua_pushlightuserdata(L, &slot->objects[i]);
    }
    int status = lua_pcall(L, PEP_OBJECTS, 1, 0);
    if (slot->weight > 1 && !slot->counting)
        pep_charge_straight(slot, rule->steps);
    return status;
}

void pep_plain_push(struct pep_slot *slot)
{
    lua_State *L = slot->L;
    lua_settop(L, 0);
    for (int key = PEP_KEY_FUNCTIONS; key < PEP_KEY_TABLES + PEP_OBJECTS; key++) {
        if (key != PEP_KEY_MODULES)
            lua_rawgeti(L, LUA_REGISTRYINDEX, key);
    }
    slot->base = lua_gettop(L);
}
