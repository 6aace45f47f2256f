/*
 * Obligations and advice: tables of a rule head as JSON text, made once at load.
 *
 * An obligation is an object with a `type`; step_up { acr_values, max_age } makes the one of RFC
 * 9470. Where several challenges apply, the answer asks for the smallest max_age with the first
 * rule's acr_values: such a text is made on first use and kept with the policy, found by (rule,
 * age), so that a warm decision allocates nothing. The list only grows; a policy with more such
 * pairs than MERGED_MAX gets no further ones and denies.
 */
#include "engine_internal.h"

#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OBLIGE_DEPTH 8
#define OBLIGE_MAX   16
#define OBLIGE_TEXT  (16 * 1024)
#define MERGED_MAX   1024
#define AGE_MAX      INT32_MAX /* seconds of a step-up */
#define OBLIGE_ITEMS 2000      /* in all: a table that stands in many places counts each time */

/* ---- Lua to JSON: raw access only, so that nothing raises while a value is owned ---- */

struct room {
    int depth, items;
    bool starved; /* a value could not be made for lack of memory */
};
static json_t *to_json(lua_State *L, int index, struct room *room);

static json_t *made(json_t *json, struct room *room)
{
    room->starved = room->starved || json == NULL;
    return json;
}

static json_t *table_to_json(lua_State *L, int index, struct room *room)
{
    size_t n = lua_rawlen(L, index);
    if (!pep_load_afford_walk(L, index))
        return NULL;
    json_t *out = made(n > 0 ? json_array() : json_object(), room);
    for (size_t i = 1; out != NULL && i <= n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        json_t *item = to_json(L, lua_gettop(L), room);
        lua_pop(L, 1);
        if (item == NULL || json_array_append_new(out, item) != 0) {
            room->starved = room->starved || item != NULL;
            json_decref(out);
            out = NULL;
        }
    }
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        json_t *item = NULL;
        if (out != NULL && n > 0 && lua_isinteger(L, -2))
            continue;
        if (out != NULL && n == 0 && lua_type(L, -2) == LUA_TSTRING)
            item = to_json(L, lua_gettop(L), room);
        if (item == NULL || json_object_set_new(out, lua_tostring(L, -2), item) != 0) {
            room->starved = room->starved || (item != NULL && out != NULL);
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static json_t *to_json(lua_State *L, int index, struct room *room)
{
    size_t size;
    double d;
    if (room->depth > OBLIGE_DEPTH || --room->items < 0 || !lua_checkstack(L, 8))
        return NULL;
    switch (lua_type(L, index)) {
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, index, &size);
        room->items -= (int)(size / 16);
        if (memchr(text, 0, size) != NULL || !pep_utf8_valid(pep_span_of(text, size)))
            return NULL;
        return made(json_stringn(text, size), room);
    }
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        d = lua_tonumber(L, index);
        if (lua_isinteger(L, index))
            return made(json_integer(lua_tointeger(L, index)), room);
        return isfinite(d) ? made(json_real(d), room) : NULL;
    case LUA_TTABLE: {
        room->depth++;
        json_t *table = table_to_json(L, index, room);
        room->depth--;
        return table;
    }
    default:
        return NULL;
    }
}

/* ---- step_up ---- */

/* The value on top: a list of texts, of which there is one at least. */
static bool is_text_list(lua_State *L)
{
    int t = lua_gettop(L);
    lua_Integer n = lua_type(L, t) == LUA_TTABLE ? (lua_Integer)lua_rawlen(L, t) : 0, count = 0;
    if (n > 0)
        pep_load_charge_walk(L, t);
    for (lua_pushnil(L); n > 0 && lua_next(L, t) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) > 0)
            count++;
        else
            count = n + 1;
    }
    lua_settop(L, t);
    return n > 0 && count == n;
}

static bool is_age(lua_State *L)
{
    return lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 0 && lua_tointeger(L, -1) <= AGE_MAX;
}

int pep_word_step_up(lua_State *L)
{
    static const char *const names[] = {"acr_values", "max_age", "amr_values"};
    if (pep_slot_of(L)->loader == NULL)
        return luaL_error(L, "step_up: only in a rule's `oblige`");
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    pep_load_charge_walk(L, 1);
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        bool age = strcmp(key, "max_age") == 0;
        if (!age && strcmp(key, "acr_values") != 0 && strcmp(key, "amr_values") != 0) {
            const char *near = pep_did_you_mean(key, names, 3);
            return luaL_error(L, "step_up: unknown key `%s`%s%s", key,
                              near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
        }
        if (age ? !is_age(L) : !is_text_list(L))
            return luaL_error(L,
                              age ? "step_up: %s is a whole number of seconds, at most 2147483647"
                                  : "step_up: %s is a list of texts: { \"...\" }",
                              key);
    }
    lua_createtable(L, 0, 4);
    lua_pushliteral(L, "step-up");
    lua_setfield(L, 2, "type");
    for (int i = 0; i < 3; i++) {
        lua_pushstring(L, names[i]);
        lua_rawget(L, 1);
        lua_setfield(L, 2, names[i]);
    }
    return 1;
}

/* ---- reading ---- */

/* Without memory jansson may leave a byte out and say nothing: what does not read back is no text.
 */
static char *dump_text(const json_t *json)
{
    json_t *again = NULL;
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    if (text != NULL && (pep_json_parse(pep_span_string(text), strlen(text), "obligations", &again,
                                        NULL) != PEP_OK ||
                         !json_equal(again, json))) {
        free(text);
        text = NULL;
    }
    json_decref(again);
    return text;
}

static char *dump_json(struct pep_pool *pool, const json_t *json)
{
    char *text = dump_text(json);
    char *copy = text == NULL ? NULL : pep_pool_copy(pool, text, strlen(text));
    free(text);
    return copy;
}

static bool lists_texts(const json_t *list)
{
    bool ok = list == NULL || (json_is_array(list) && json_array_size(list) > 0);
    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = json_string_length(json_array_get(list, i)) > 0;
    return ok;
}

/* A step-up that was written by hand is held to what step_up() makes: an age that is no number of
 * seconds would be lost when several are merged, and with it the demand. One to a rule. */
static bool note_step_up(struct pep_rule *rule, const json_t *o)
{
    const json_t *age = json_object_get(o, "max_age");
    json_int_t seconds = json_integer_value(age);
    if (rule->steps_up || (age != NULL && !json_is_integer(age)) || seconds < 0 ||
        seconds > AGE_MAX || !lists_texts(json_object_get(o, "acr_values")) ||
        !lists_texts(json_object_get(o, "amr_values")))
        return false;
    rule->steps_up = true;
    rule->max_age = age == NULL ? -1 : (double)seconds;
    return true;
}

/* Types and the step-up age, from the array; false if one has no type, or is no step-up. */
static bool note_types(struct pep_pool *pool, struct pep_rule *rule)
{
    size_t n = json_array_size(rule->oblige);
    const char **types = pep_pool_get(pool, (n + 1) * sizeof(*types));
    if (types == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(rule->oblige, i);
        types[i] = json_string_value(json_object_get(o, "type"));
        if (types[i] == NULL || *types[i] == '\0')
            return false;
        if (strcmp(types[i], "step-up") == 0 && !note_step_up(rule, o))
            return false;
    }
    rule->oblige_types = types;
    rule->oblige_count = n;
    return true;
}

bool pep_oblige_read(lua_State *L, int index, struct pep_loader *ld, struct pep_rule *rule,
                     bool oblige)
{
    const char *key = oblige ? "oblige" : "advise";
    lua_pushstring(L, key);
    if (lua_rawget(L, index) == LUA_TNIL) {
        lua_pop(L, 1);
        return true;
    }
    struct room room = {.depth = 0, .items = OBLIGE_ITEMS, .starved = false};
    json_t *json = lua_type(L, -1) == LUA_TTABLE ? to_json(L, lua_gettop(L), &room) : NULL;
    lua_pop(L, 1);
    if (json_is_object(json) && json_object_size(json) > 0)
        json = made(json_pack("[o]", json), &room);
    bool ok = json_is_array(json) && json_array_size(json) <= OBLIGE_MAX;
    for (size_t i = 0; ok && i < json_array_size(json); i++)
        ok = json_is_object(json_array_get(json, i));
    char *text = ok ? dump_json(&ld->policy->pool, json) : NULL;
    ld->out_of_memory = ld->out_of_memory || room.starved || (ok && text == NULL);
    ok = text != NULL && strlen(text) <= OBLIGE_TEXT;
    if (ok && oblige) {
        rule->oblige = json_incref(json);
        ok = note_types(&ld->policy->pool, rule);
    }
    json_decref(json);
    pep_charge(L, (size_t)(OBLIGE_ITEMS - room.items) * 8);
    if (!ok) {
        pep_load_diag(L, "E109", "oblige = step_up { max_age = 300 } or { type = \"log\", ... }",
                      "rule `%s`: `%s` must be an obligation, or a list of them, each with a type",
                      rule->id, key);
        return false;
    }
    if (oblige)
        rule->obligations = text;
    else
        rule->advice = text;
    return true;
}

/* ---- several challenges ---- */

struct pep_merged {
    struct pep_merged *next;
    const struct pep_rule *rule;
    double max_age;
    unsigned number; /* in the list, from 1 */
    char text[];
};

static struct pep_merged *make_merged(const struct pep_policy *policy, const struct pep_rule *rule,
                                      double max_age)
{
    json_t *copy = json_deep_copy(rule->oblige);
    bool ok = json_equal(copy, rule->oblige); /* without memory jansson leaves members out */
    for (size_t i = 0; ok && i < json_array_size(copy); i++) {
        json_t *o = json_array_get(copy, i);
        const char *type = json_string_value(json_object_get(o, "type"));
        if (type != NULL && strcmp(type, "step-up") == 0)
            ok = json_object_set_new(o, "max_age", json_integer((json_int_t)max_age)) == 0;
    }
    locale_t before =
        uselocale(policy->locale); /* numbers have a point, whatever the host has set */
    char *text = ok ? dump_text(copy) : NULL;
    uselocale(before);
    json_decref(copy);
    struct pep_merged *m = text == NULL ? NULL : malloc(sizeof(*m) + strlen(text) + 1);
    if (m != NULL) {
        m->rule = rule;
        m->max_age = max_age;
        memcpy(m->text, text, strlen(text) + 1);
    }
    free(text);
    return m;
}

const char *pep_oblige_merged(const struct pep_policy *policy, const struct pep_rule *rule,
                              double max_age)
{
    if (rule->oblige == NULL || max_age < 0 || rule->max_age == max_age)
        return rule->obligations;
    _Atomic(struct pep_merged *) *head = &((struct pep_policy *)(uintptr_t)policy)->merged;
    struct pep_merged *first = atomic_load_explicit(head, memory_order_acquire);
    for (const struct pep_merged *m = first; m != NULL; m = m->next) {
        if (m->rule == rule && m->max_age == max_age)
            return m->text;
    }
    bool full = first != NULL && first->number >= MERGED_MAX;
    struct pep_merged *m = full ? NULL : make_merged(policy, rule, max_age);
    if (m == NULL)
        return NULL;
    m->next = first; /* two threads may both add one: both stay valid */
    do
        m->number = m->next == NULL ? 1 : m->next->number + 1;
    while (!atomic_compare_exchange_weak_explicit(head, &m->next, m, memory_order_release,
                                                  memory_order_acquire));
    return m->text;
}

void pep_merged_free(struct pep_policy *policy)
{
    struct pep_merged *m = atomic_load(&policy->merged), *next;
    for (; m != NULL; m = next) {
        next = m->next;
        free(m);
    }
}
