/*
 * Rule heads: allow "id" { ... } read into struct pep_rule, in the first Lua state. The other
 * states take only the function, under the same number.
 *
 * Every name that the schema can know is checked here, because a head that names nothing real never
 * applies, and for a deny that is a hole. Mistakes become diagnoses and reading goes on.
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1000 /* names in one list of a head */
#define SAME_MAX 16   /* of `same`, each looked up twice per decision */

static const char *const effect_words[] = {"deny", "allow", "challenge"};

static const char *const keys[] = {"action", "resource", "roles",  "scopes", "clients", "issuers",
                                   "same",   "when",     "unless", "reason", "oblige",  "advise"};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

struct head {
    lua_State *L;
    struct pep_loader *ld;
    struct pep_policy *policy;
    struct pep_rule *rule;
    int table; /* stack index */
};

static void *need(struct head *h, void *p)
{
    if (p == NULL) {
        h->ld->out_of_memory = true;
        luaL_error(h->L, "no memory");
    }
    return p;
}

/* ---- lists of names ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool pep_table_is_list(lua_State *L, int table, size_t n)
{
    size_t count = 0;
    pep_load_charge_walk(L, table);
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        if (++count > n) {
            lua_pop(L, 2);
            return false;
        }
    }
    return count == n;
}

static bool is_name(const struct pep_value *v)
{
    struct pep_span text = pep_span_of(v->u.string, v->kind == PEP_V_STRING ? v->size : 0);
    return text.size > 0 && text.size <= 1024 && !pep_has_control(text) && pep_utf8_valid(text);
}

/* Each is copied, filed, sorted and later put into the index: all of them together are bounded. */
static void charge_names(struct head *h, size_t count)
{
    pep_charge(h->L, count * 4);
    h->ld->head_names += count;
    if (h->ld->head_names > PEP_HEAD_NAMES_MAX)
        luaL_error(h->L, "the heads of all rules have more than %d names in all",
                   PEP_HEAD_NAMES_MAX);
}

/* The member `key`: a text or a list of texts, copied in order. Count 0 if absent or wrong. */
static struct pep_strings texts_of(struct head *h, const char *key)
{
    lua_State *L = h->L;
    struct pep_strings none = {NULL, 0};
    struct pep_value whole;
    bool read_only = false;
    lua_settop(L, h->table);
    lua_pushstring(L, key);
    if (lua_rawget(L, h->table) == LUA_TNIL)
        return none;
    int at = lua_gettop(L);
    bool c_value = pep_get_value(L, at, &whole);
    bool one = c_value && whole.kind == PEP_V_STRING;
    bool list = c_value && (whole.kind == PEP_V_LIST || whole.kind == PEP_V_STRINGS);
    if (!c_value && pep_push_table(L, at, &read_only))
        at = lua_gettop(L);
    size_t n = one                                        ? 1
               : list                                     ? whole.size
               : c_value || lua_type(L, at) != LUA_TTABLE ? 0
                                                          : lua_rawlen(L, at);
    if (n == 0 || n > LIST_MAX) {
        pep_load_diag(L, "E102", NULL, "rule `%s`: `%s` must be a name or a list of names%s",
                      h->rule->id, key, n == 0 ? "" : ", at most 1000");
        return none;
    }
    charge_names(h, n);
    if (!c_value && !pep_table_is_list(L, at, n)) { /* what is left out of a deny is a hole */
        pep_load_diag(L, "E102", "{ \"one\", \"two\" }",
                      "rule `%s`: `%s` has members that are no list items", h->rule->id, key);
        return none;
    }
    const char **items = need(h, pep_pool_get(&h->policy->pool, n * sizeof(*items)));
    for (size_t i = 0; i < n; i++) {
        struct pep_value v = list ? pep_list_at(&whole, i) : whole;
        if (!c_value) {
            lua_rawgeti(L, at, (lua_Integer)i + 1);
            if (!pep_get_value(L, -1, &v))
                v.kind = PEP_V_NIL;
        }
        if (!is_name(&v)) {
            pep_load_diag(L, "E102", NULL, "rule `%s`: `%s`: item %d is not a name", h->rule->id,
                          key, (int)i + 1);
            return none;
        }
        pep_charge(L, v.size / 16);
        items[i] = need(h, pep_pool_copy(&h->policy->pool, v.u.string, v.size));
        lua_settop(L, at);
    }
    return (struct pep_strings){items, n};
}

static struct pep_ids ids_of(struct head *h, const struct pep_strings *texts,
                             struct pep_names *names)
{
    uint32_t *ids = need(h, pep_pool_get(&h->policy->pool, (texts->count + 1) * sizeof(*ids)));
    for (size_t i = 0; i < texts->count; i++) {
        if (names->count >= PEP_ROLES_MAX * 4)
            luaL_error(h->L, "too many different names");
        ids[i] = pep_names_add(names, &h->policy->pool, pep_span_string(texts->items[i]));
        if (ids[i] == PEP_NONE)
            need(h, NULL);
    }
    return (struct pep_ids){.ids = ids, .count = (uint32_t)texts->count};
}

static void sort_texts(struct pep_strings *s)
{
    if (s->count > 1) /* our own copy, still private */
        qsort((void *)(uintptr_t)s->items, s->count, sizeof(*s->items), compare_texts);
}

/* ---- resource and action ---- */

static void check_type(struct head *h, const char *text, struct pep_pattern *p,
                       struct pep_span type)
{
    struct pep_policy *policy = h->policy;
    size_t known = policy->types.count;
    p->type = pep_names_add(&policy->types, &policy->pool, type);
    if (p->type == PEP_NONE)
        need(h, NULL);
    const struct pep_resource_type *t = pep_schema_type(policy, p->type);
    if (t == NULL) {
        const char *name = policy->types.texts[p->type];
        pep_load_diag(h->L, "E110", PEP_NEAR(pep_did_you_mean(name, policy->types.texts, known)),
                      "rule `%s`: unknown resource type `%s`", h->rule->id, name);
    } else if (t->segments != NULL && !p->every && t->segment_count != p->segment_count) {
        pep_load_diag(h->L, "E107", NULL,
                      "rule `%s`: `%s` has %d segment%s, the id of this type has %d", h->rule->id,
                      text, (int)p->segment_count, p->segment_count == 1 ? "" : "s",
                      (int)t->segment_count);
    }
}

static void read_resource(struct head *h)
{
    struct pep_rule *rule = h->rule;
    struct pep_strings texts = texts_of(h, "resource");
    rule->resource_texts = texts;
    struct pep_pattern *patterns =
        need(h, pep_pool_get(&h->policy->pool, (texts.count + 1) * sizeof(*patterns)));
    rule->every_id = true;
    for (size_t i = 0; i < texts.count; i++) {
        struct pep_span type;
        const char *wrong =
            pep_pattern_parse(&h->policy->pool, texts.items[i], &patterns[i], &type);
        if (wrong != NULL) {
            pep_load_diag(h->L, "E107", NULL, "rule `%s`: resource `%s` %s", rule->id,
                          texts.items[i], wrong);
            continue;
        }
        if (type.data == NULL)
            rule->every_type = true;
        else
            check_type(h, texts.items[i], &patterns[i], type);
        rule->every_id = rule->every_id && patterns[i].every;
    }
    rule->patterns = patterns;
    rule->pattern_count = (uint32_t)texts.count;
}

/* Is there a type among the rule's that has this action? */
static bool action_exists(struct head *h, uint32_t action)
{
    const struct pep_rule *rule = h->rule;
    const struct pep_schema *schema = &h->policy->schema;
    if (rule->every_type)
        pep_charge(h->L, schema->type_count / 4);
    for (uint32_t t = 0; rule->every_type && t < schema->type_count; t++) {
        pep_charge(h->L, schema->types[t].action_count / 8);
        if (schema->types[t].declared && pep_schema_has_action(&schema->types[t], action))
            return true;
    }
    for (uint32_t i = 0; i < rule->pattern_count; i++) {
        const struct pep_resource_type *t = pep_schema_type(h->policy, rule->patterns[i].type);
        pep_charge(h->L, 1 + (t == NULL ? 0 : t->action_count / 8));
        if (t == NULL || pep_schema_has_action(t, action))
            return true; /* an unknown type has its own diagnosis */
    }
    return false;
}

static void check_action(struct head *h, const char *text, uint32_t action)
{
    const struct pep_rule *rule = h->rule;
    struct pep_policy *policy = h->policy;
    const char *near[64];
    size_t n = 0;
    if (!policy->schema.has_types || rule->pattern_count == 0 || action_exists(h, action))
        return;
    const struct pep_resource_type *t =
        rule->every_type ? NULL : pep_schema_type(policy, rule->patterns[0].type);
    for (size_t i = 0; t != NULL && i < t->action_count && n < 64; i++)
        near[n++] = policy->actions.texts[t->actions[i]];
    const char *best = t == NULL
                           ? pep_did_you_mean(text, policy->actions.texts, policy->actions.count)
                           : pep_did_you_mean(text, near, n);
    if (best != NULL && strcmp(best, text) == 0)
        best = NULL;
    if (rule->every_type)
        pep_load_diag(h->L, "E111", PEP_NEAR(best), "rule `%s`: no type has the action `%s`",
                      rule->id, text);
    else
        pep_load_diag(h->L, "E111", PEP_NEAR(best), "rule `%s`: `%s` has no action `%s`", rule->id,
                      policy->types.texts[rule->patterns[0].type], text);
}

static void read_action(struct head *h)
{
    struct pep_rule *rule = h->rule;
    struct pep_strings texts = texts_of(h, "action");
    rule->action_texts = texts;
    for (size_t i = 0; i < texts.count; i++)
        rule->every_action = rule->every_action || strcmp(texts.items[i], "*") == 0;
    if (rule->every_action)
        return;
    rule->actions = ids_of(h, &texts, &h->policy->actions);
    for (size_t i = 0; i < texts.count; i++)
        check_action(h, texts.items[i], rule->actions.ids[i]);
}

/* ---- who ---- */

static void read_roles(struct head *h)
{
    struct pep_policy *policy = h->policy;
    struct pep_rule *rule = h->rule;
    size_t known = policy->roles.count;
    rule->role_texts = texts_of(h, "roles");
    rule->roles = ids_of(h, &rule->role_texts, &policy->roles);
    for (uint32_t i = 0; policy->schema.has_roles && i < rule->roles.count; i++) {
        uint32_t id = rule->roles.ids[i];
        if (id < policy->schema.role_count && policy->schema.roles[id].declared)
            continue;
        pep_load_diag(
            h->L, "E112",
            PEP_NEAR(pep_did_you_mean(rule->role_texts.items[i], policy->roles.texts, known)),
            "rule `%s`: unknown role `%s`", rule->id, rule->role_texts.items[i]);
    }
    sort_texts(&rule->role_texts);
}

static bool subject_declares(const struct pep_policy *policy, uint32_t name)
{
    if (!policy->schema.has_claims || name <= PEP_NAME_ISSUER)
        return true;
    for (size_t i = 0; i < policy->schema.claim_count; i++) {
        if (policy->schema.claims[i].name == name)
            return true;
    }
    return false;
}

static void check_same(struct head *h, uint32_t name, const char *text)
{
    const struct pep_policy *policy = h->policy;
    const char *near[256];
    size_t n = 0;
    for (size_t i = 0; i < policy->schema.claim_count && n < 256; i++)
        near[n++] = policy->names.texts[policy->schema.claims[i].name];
    pep_charge(h->L, 1 + policy->schema.claim_count / 8);
    if (!subject_declares(policy, name))
        pep_load_diag(h->L, "E113", PEP_NEAR(pep_did_you_mean(text, near, n)),
                      "rule `%s`: same: the subject has no attribute `%s`", h->rule->id, text);
    for (uint32_t i = 0; policy->schema.has_types && i < h->rule->pattern_count; i++) {
        uint32_t type = h->rule->patterns[i].type;
        const struct pep_resource_type *t = type == PEP_NONE ? NULL : pep_schema_type(policy, type);
        pep_charge(h->L, 1 + (t == NULL ? 0 : t->attribute_count / 8));
        if (t != NULL && !pep_type_declares(t, name))
            pep_load_diag(h->L, "E114", NULL, "rule `%s`: same: `%s` has no attribute `%s`",
                          h->rule->id, policy->types.texts[type], text);
    }
}

static void read_who(struct head *h)
{
    struct pep_rule *rule = h->rule;
    read_roles(h);
    rule->scope_texts = texts_of(h, "scopes");
    rule->scopes = ids_of(h, &rule->scope_texts, &h->policy->scopes);
    rule->client_texts = texts_of(h, "clients");
    rule->clients = ids_of(h, &rule->client_texts, &h->policy->clients);
    rule->issuer_texts = texts_of(h, "issuers");
    rule->issuers = ids_of(h, &rule->issuer_texts, &h->policy->issuer_names);
    rule->same_texts = texts_of(h, "same");
    if (rule->same_texts.count > SAME_MAX)
        pep_load_diag(h->L, "E102", NULL, "rule `%s`: `same` has %d names: at most %d", rule->id,
                      (int)rule->same_texts.count, SAME_MAX);
    rule->same = ids_of(h, &rule->same_texts, &h->policy->names);
    for (size_t i = 0; i < rule->same_texts.count; i++)
        check_same(h, rule->same.ids[i], rule->same_texts.items[i]);
}

/* ---- the rest ---- */

static void check_keys(struct head *h)
{
    lua_State *L = h->L;
    pep_load_charge_walk(L, h->table);
    for (lua_pushnil(L); lua_next(L, h->table) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "a list item";
        size_t i = 0;
        while (i < KEY_COUNT && strcmp(keys[i], key) != 0)
            i++;
        if (i < KEY_COUNT)
            continue;
        pep_load_diag(L, "E101", PEP_NEAR(pep_did_you_mean(key, keys, KEY_COUNT)),
                      "rule `%s`: unknown key `%s`", h->rule->id, key);
    }
    static const char *const needed[] = {"action", "resource"};
    for (int i = 0; i < 2; i++) {
        lua_pushstring(L, needed[i]);
        if (lua_rawget(L, h->table) == LUA_TNIL)
            pep_load_diag(L, "E103", "a name, a list of names, or \"*\"",
                          "rule `%s`: `%s` is missing", h->rule->id, needed[i]);
        lua_pop(L, 1);
    }
}

static void read_reason(struct head *h)
{
    lua_State *L = h->L;
    size_t size = 0;
    lua_settop(L, h->table);
    lua_pushliteral(L, "reason");
    int type = lua_rawget(L, h->table);
    if (type == LUA_TNIL)
        return;
    const char *text = type == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
    struct pep_span reason = pep_span_of(text, size);
    if (size == 0 || size >= PEP_REASON_MAX || pep_has_control(reason) || !pep_utf8_valid(reason))
        pep_load_diag(L, "E102", NULL,
                      "rule `%s`: `reason` must be one line of text, at most %d bytes", h->rule->id,
                      PEP_REASON_MAX - 1);
    else
        h->rule->reason = need(h, pep_pool_copy(&h->policy->pool, text, size));
}

/* Leaves the rule's function on the stack, or nil. */
static bool push_function(lua_State *L, int table, bool *ret_negated)
{
    lua_pushliteral(L, "when");
    bool when = lua_rawget(L, table) != LUA_TNIL;
    lua_pushliteral(L, "unless");
    bool unless = lua_rawget(L, table) != LUA_TNIL;
    *ret_negated = unless;
    if (!unless)
        lua_pop(L, 1);
    else
        lua_remove(L, -2);
    return !(when && unless);
}

static void read_function(struct head *h)
{
    lua_State *L = h->L;
    struct pep_error err = PEP_ERROR_INIT;
    lua_settop(L, h->table);
    if (!push_function(L, h->table, &h->rule->negated)) {
        pep_load_diag(L, "E106", "join them with `and not`",
                      "rule `%s`: either `when` or `unless`, not both", h->rule->id);
        return;
    }
    if (lua_isnil(L, -1))
        return;
    if (lua_type(L, -1) != LUA_TFUNCTION || lua_iscfunction(L, -1)) {
        pep_load_diag(L, "E108", "when = function(sub, res, ctx) return ... end",
                      "rule `%s`: `%s` must be a function of this policy", h->rule->id,
                      h->rule->negated ? "unless" : "when");
        return;
    }
    h->rule->function = (uint32_t)h->ld->functions;
    int rc = pep_rule_read_function(h->ld, h->rule, h->L, &err);
    if (rc == PEP_ENOMEM)
        h->ld->out_of_memory = true;
    else if (rc != PEP_OK)
        pep_load_diag(L, "E211", NULL, "rule `%s`: %s", h->rule->id, pep_error_text(&err));
}

static struct pep_rule *new_rule(lua_State *L, struct pep_loader *ld)
{
    if (ld->rule_count >= PEP_RULES_MAX)
        luaL_error(L, "more than %d rules", PEP_RULES_MAX);
    if (ld->rule_count == ld->rule_capacity) {
        size_t capacity = ld->rule_capacity == 0 ? 64 : ld->rule_capacity * 2;
        struct pep_rule *rules = realloc(ld->rules, capacity * sizeof(*rules));
        if (rules == NULL) {
            ld->out_of_memory = true;
            luaL_error(L, "no memory");
        }
        ld->rules = rules;
        ld->rule_capacity = capacity;
    }
    struct pep_rule *rule = &ld->rules[ld->rule_count++];
    memset(rule, 0, sizeof(*rule));
    rule->max_age = -1;
    return rule;
}

static void read_head(lua_State *L, struct pep_loader *ld, int effect, const char *id)
{
    struct head h = {L, ld, ld->policy, new_rule(L, ld), 1};
    struct pep_rule *rule = h.rule;
    rule->effect = (uint8_t)effect;
    rule->line = pep_load_line(L);
    rule->file = ld->file;
    rule->id = "";
    rule->id = need(&h, pep_pool_copy(&ld->policy->pool, id, strlen(id)));
    check_keys(&h);
    read_resource(&h);
    read_action(&h);
    read_who(&h);
    read_reason(&h);
    read_function(&h);
    lua_settop(L, h.table);
    pep_oblige_read(L, h.table, ld, rule, true);
    pep_oblige_read(L, h.table, ld, rule, false);
}

/* Upvalues: effect, id. */
static int declare_rule(lua_State *L)
{
    struct pep_loader *ld = pep_slot_of(L)->loader;
    int effect = (int)lua_tointeger(L, lua_upvalueindex(1));
    const char *id = lua_tostring(L, lua_upvalueindex(2));
    bool negated;
    if (ld == NULL || ld->phase != PEP_SOURCE_POLICY)
        return luaL_error(L, "%s: rules belong at the top of a file in policies/",
                          effect_words[effect]);
    ld->pending_line = 0;
    if (lua_type(L, 1) != LUA_TTABLE || lua_getmetatable(L, 1) != 0)
        return luaL_error(L, "%s \"%s\": needs a table: { action = ..., resource = ... }",
                          effect_words[effect], id);
    lua_settop(L, 1);
    pep_push_functions(L);
    bool one = push_function(L, 1, &negated);
    struct pep_slot *slot = pep_slot_of(L);
    size_t largest = slot->largest;
    if (one && lua_type(L, -1) == LUA_TFUNCTION && !lua_iscfunction(L, -1))
        lua_rawseti(L, 2, (lua_Integer)++ld->functions);
    slot->largest = largest; /* no policy can walk over this table */
    lua_settop(L, 1);
    if (ld->first)
        read_head(L, ld, effect, id);
    return 0;
}

static bool id_valid(const char *id, size_t size)
{
    struct pep_span text = pep_span_of(id, size);
    return size > 0 && size < PEP_RULE_MAX && memchr(id, ' ', size) == NULL &&
           !pep_has_control(text) && pep_utf8_valid(text);
}

/* Upvalue: effect. */
static int word_rule(lua_State *L)
{
    int effect = (int)lua_tointeger(L, lua_upvalueindex(1));
    size_t size = 0;
    const char *id = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : NULL;
    struct pep_loader *ld = pep_slot_of(L)->loader;
    if (ld == NULL || ld->phase != PEP_SOURCE_POLICY)
        return luaL_error(L, "%s: rules belong at the top of a file in policies/",
                          effect_words[effect]);
    if (id == NULL || !id_valid(id, size))
        return luaL_error(
            L,
            "%s: a rule's id is a text without spaces and control characters, at most %d "
            "bytes",
            effect_words[effect], PEP_RULE_MAX - 1);
    pep_load_complete(L);
    memcpy(ld->pending, id, size + 1);
    ld->pending_line = pep_load_line(L);
    lua_pushinteger(L, effect);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, declare_rule, 2);
    return 1;
}

void pep_head_open(lua_State *L)
{
    for (int effect = PEP_EFFECT_DENY; effect <= PEP_EFFECT_CHALLENGE; effect++) {
        lua_pushinteger(L, effect);
        lua_pushcclosure(L, word_rule, 1);
        lua_setfield(L, -2, effect_words[effect]);
    }
    lua_pushcfunction(L, pep_word_step_up);
    lua_setfield(L, -2, "step_up");
}
