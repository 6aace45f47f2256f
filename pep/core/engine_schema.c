/*
 * The words of schema.lua: claims, roles, resource types. They fill struct pep_schema while the
 * file runs in the first Lua state; engine_hierarchy.c then closes the role hierarchy.
 *
 * Mistakes become diagnoses and reading goes on, so that an author sees all of them at once. Tables
 * are read raw; nothing owned lives across a call that can raise, because everything is in the
 * policy's pool. What is read from a list is charged by the item, because reading takes longer than
 * making the list did.
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 1024 /* as in rule heads */

static const char *const shapes[PEP_SHAPE_COUNT] = {"string", "number", "integer", "boolean",
                                                    "set",    "scopes", "any"};

const char *pep_shape_name(enum pep_shape shape)
{
    return shapes[shape];
}

static struct pep_loader *loader_of(lua_State *L, const char *word)
{
    struct pep_loader *ld = pep_slot_of(L)->loader;
    if (ld == NULL || !ld->first || ld->phase != PEP_SOURCE_SCHEMA)
        luaL_error(L, "%s: belongs in schema.lua", word);
    return ld;
}

static void charge_items(lua_State *L, size_t count)
{
    pep_charge(L, count * 8);
}

static void *need(lua_State *L, void *p)
{
    if (p == NULL) {
        pep_slot_of(L)->loader->out_of_memory = true;
        luaL_error(L, "no memory");
    }
    return p;
}

static uint32_t intern(lua_State *L, struct pep_names *names, const char *text, size_t size)
{
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    if (names->count >= PEP_ROLES_MAX)
        luaL_error(L, "more than %d names of one kind", PEP_ROLES_MAX);
    if (size > NAME_MAX_BYTES)
        luaL_error(L, "a name of %d bytes: at most %d", (int)size, NAME_MAX_BYTES);
    uint32_t id = pep_names_add(names, &policy->pool, pep_span_of(text, size));
    if (id == PEP_NONE)
        need(L, NULL);
    return id;
}

/* Room for `count` items and one more, doubling; the old items are copied. */
static void *grown(lua_State *L, void *items, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    struct pep_pool *pool = &pep_slot_of(L)->loader->policy->pool;
    void *bigger = need(L, pep_pool_get(pool, (count == 0 ? 1 : count * 2) * size));
    if (count > 0)
        memcpy(bigger, items, count * size);
    return bigger;
}

/* The string member `name` of the table at `t`, left on the stack; NULL if absent. */
static const char *member_text(lua_State *L, int t, const char *name)
{
    lua_pushstring(L, name);
    int type = lua_rawget(L, t);
    if (type == LUA_TNIL)
        return NULL;
    if (type != LUA_TSTRING) {
        pep_load_diag(L, "E301", NULL, "`%s` must be a text", name);
        return NULL;
    }
    return lua_tostring(L, -1);
}

static void only_keys(lua_State *L, int t, const char *what, const char *const *keys, size_t count)
{
    pep_load_charge_walk(L, t);
    for (lua_pushnil(L); lua_next(L, t) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "a list item";
        size_t i = 0;
        while (i < count && strcmp(keys[i], key) != 0)
            i++;
        if (i == count) {
            const char *near = pep_did_you_mean(key, keys, count);
            pep_load_diag(L, "E301", PEP_NEAR(near), "%s: unknown key `%s`", what, key);
        }
    }
}

/* "number?" -> shape and optional. */
static bool read_shape(lua_State *L, const char *text, enum pep_shape *ret, bool *ret_optional)
{
    size_t n = strlen(text);
    bool optional = n > 0 && text[n - 1] == '?';
    struct pep_span word = pep_span_of(text, optional ? n - 1 : n);
    for (int i = 0; i < PEP_SHAPE_COUNT; i++) {
        if (pep_span_is(word, shapes[i])) {
            *ret = (enum pep_shape)i;
            *ret_optional = optional;
            return true;
        }
    }
    pep_load_diag(L, "E302", PEP_NEAR(pep_did_you_mean(text, shapes, PEP_SHAPE_COUNT)),
                  "`%s` is no type: string, number, integer, boolean, set, scopes or any", text);
    return false;
}

/* ---- claims ---- */

/* What rule heads read must have the form that they read. The first type is the one meant where
 * none is given. */
static const struct {
    const char *name;
    enum pep_shape usual, other;
} usual_shapes[] = {
    {"id", PEP_SHAPE_STRING, PEP_SHAPE_STRING},     {"client", PEP_SHAPE_STRING, PEP_SHAPE_STRING},
    {"issuer", PEP_SHAPE_STRING, PEP_SHAPE_STRING}, {"actor", PEP_SHAPE_STRING, PEP_SHAPE_STRING},
    {"chain", PEP_SHAPE_SET, PEP_SHAPE_SET},        {"roles", PEP_SHAPE_SET, PEP_SHAPE_SET},
    {"scopes", PEP_SHAPE_SCOPES, PEP_SHAPE_SET}};

/* Sets the type of a claim without one; false if it has one that its name cannot have. */
static bool fit_shape(lua_State *L, const char *name, bool given, enum pep_shape *shape)
{
    for (size_t i = 0; i < sizeof(usual_shapes) / sizeof(usual_shapes[0]); i++) {
        if (strcmp(usual_shapes[i].name, name) != 0)
            continue;
        if (!given)
            *shape = usual_shapes[i].usual;
        if (*shape == usual_shapes[i].usual || *shape == usual_shapes[i].other)
            return true;
        pep_load_diag(L, "E301", NULL, "claim `%s` must be of type %s: rule heads read it so", name,
                      pep_shape_name(usual_shapes[i].usual));
        return false;
    }
    return true;
}

static void read_claim(lua_State *L, struct pep_schema *schema, const char *name, size_t size)
{
    static const char *const keys[] = {"from", "type", "required"};
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    int t = lua_gettop(L);
    bool optional;
    if (lua_type(L, t) != LUA_TTABLE) {
        pep_load_diag(L, "E301", "{ from = \"...\", type = \"string\" }",
                      "claim `%s` must be a table", name);
        return;
    }
    if (size == 0) {
        pep_load_diag(L, "E301", NULL, "a claim has an empty name");
        return;
    }
    if (strcmp(name, "token_roles") == 0) {
        pep_load_diag(L, "E301", "choose another name",
                      "claim `token_roles`: it is what the claim of `roles` says, and no other");
        return;
    }
    only_keys(L, t, "claim", keys, 3);
    struct pep_claim c = {.shape = PEP_SHAPE_STRING, .line = pep_load_line(L)};
    const char *from = member_text(L, t, "from");
    if (from == NULL)
        from = name;
    const char *shape = member_text(L, t, "type");
    if (shape != NULL && !read_shape(L, shape, &c.shape, &optional))
        return;
    if (!fit_shape(L, name, shape != NULL, &c.shape))
        return;
    lua_pushliteral(L, "required");
    int type = lua_rawget(L, t);
    c.required = lua_toboolean(L, -1) != 0;
    if ((type != LUA_TNIL && type != LUA_TBOOLEAN) || *from == '\0')
        pep_load_diag(L, "E301", NULL,
                      *from == '\0' ? "claim `%s`: `from` must name a claim of the token"
                                    : "claim `%s`: `required` must be true or false",
                      name);
    c.from = need(L, pep_pool_copy(&policy->pool, from, strlen(from)));
    c.name = intern(L, &policy->names, name, size);
    lua_settop(L, t);
    schema->claims = grown(L, schema->claims, schema->claim_count, sizeof(c));
    schema->claims[schema->claim_count++] = c;
}

static int word_claims(lua_State *L)
{
    struct pep_loader *ld = loader_of(L, "claims");
    struct pep_schema *schema = &ld->policy->schema;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (schema->has_claims)
        pep_load_diag(L, "E301", "put all claims into one", "`claims` stands twice");
    schema->has_claims = true;
    pep_load_charge_walk(L, 1);
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_settop(L, 2)) {
        size_t size;
        charge_items(L, 1);
        if (schema->claim_count >= PEP_CLAIMS_MAX)
            return luaL_error(L, "more than %d claims", PEP_CLAIMS_MAX);
        if (lua_type(L, -2) != LUA_TSTRING) {
            pep_load_diag(L, "E301", NULL, "claims have names: id = { from = \"sub\" }");
            continue;
        }
        const char *name = lua_tolstring(L, -2, &size);
        read_claim(L, schema, name, size);
    }
    return 0;
}

/* ---- roles ---- */

static struct pep_schema_role *role_at(lua_State *L, uint32_t id)
{
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    struct pep_schema *schema = &policy->schema;
    if (id >= schema->role_count) {
        uint32_t wanted = id < 32 ? 64 : id * 2;
        struct pep_schema_role *roles =
            need(L, pep_pool_get(&policy->pool, wanted * sizeof(*roles)));
        if (schema->role_count > 0)
            memcpy(roles, schema->roles, schema->role_count * sizeof(*roles));
        schema->roles = roles;
        schema->role_count = wanted;
    }
    return &schema->roles[id];
}

static void read_role(lua_State *L, const char *name, size_t size)
{
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    int t = lua_gettop(L);
    if (lua_type(L, t) != LUA_TTABLE) {
        pep_load_diag(L, "E301", "viewer = {}, manager = { \"viewer\" }",
                      "role `%s` must be a list of the roles that it includes", name);
        return;
    }
    size_t n = lua_rawlen(L, t);
    if (size == 0 || !pep_table_is_list(L, t, n)) {
        pep_load_diag(L, "E301", "viewer = {}, manager = { \"viewer\" }",
                      size == 0 ? "a role has an empty name%s"
                                : "role `%s` must be a list of the roles that it includes",
                      name);
        return;
    }
    uint32_t id = intern(L, &policy->roles, name, size);
    uint32_t *inherits = need(L, pep_pool_get(&policy->pool, (n + 1) * sizeof(*inherits)));
    size_t count = 0;
    charge_items(L, n);
    for (size_t i = 1; i <= n; i++) {
        if (lua_rawgeti(L, t, (lua_Integer)i) == LUA_TSTRING) {
            size_t length;
            const char *text = lua_tolstring(L, -1, &length);
            inherits[count++] = intern(L, &policy->roles, text, length);
        } else {
            pep_load_diag(L, "E301", NULL, "role `%s`: an included role is not a text", name);
        }
        lua_pop(L, 1);
    }
    struct pep_schema_role *role = role_at(L, id);
    role->declared = true;
    role->line = pep_load_line(L);
    role->inherits = inherits;
    role->inherit_count = count;
}

static int word_roles(lua_State *L)
{
    struct pep_loader *ld = loader_of(L, "roles");
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (ld->policy->schema.has_roles)
        pep_load_diag(L, "E301", "put all roles into one", "`roles` stands twice");
    ld->policy->schema.has_roles = true;
    pep_load_charge_walk(L, 1);
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_settop(L, 2)) {
        size_t size;
        charge_items(L, 1);
        if (lua_type(L, -2) != LUA_TSTRING) {
            pep_load_diag(L, "E301", "viewer = {}", "roles have names");
            continue;
        }
        const char *name = lua_tolstring(L, -2, &size);
        read_role(L, name, size);
    }
    return 0;
}

/* ---- resource "type" { } ---- */

static struct pep_resource_type *type_at(lua_State *L, uint32_t id)
{
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    struct pep_schema *schema = &policy->schema;
    if (id >= schema->type_count) {
        uint32_t wanted = id < 8 ? 16 : id * 2;
        struct pep_resource_type *types =
            need(L, pep_pool_get(&policy->pool, wanted * sizeof(*types)));
        if (schema->type_count > 0)
            memcpy(types, schema->types, schema->type_count * sizeof(*types));
        schema->types = types;
        schema->type_count = wanted;
    }
    return &schema->types[id];
}

static bool segment_name(struct pep_span s)
{
    bool ok = s.size > 0 && s.size < 64;
    for (size_t i = 0; ok && i < s.size; i++) {
        uint8_t c = s.data[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
             (i > 0 && c >= '0' && c <= '9');
    }
    return ok;
}

static bool is_segment(const struct pep_policy *policy, const uint32_t *ids, size_t count,
                       struct pep_span name)
{
    for (size_t i = 0; i < count; i++) {
        if (pep_span_is(name, policy->names.texts[ids[i]]))
            return true;
    }
    return false;
}

/* "{tenant}/{number}" */
static void read_template(lua_State *L, struct pep_resource_type *type, const char *text)
{
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    uint32_t *ids = need(L, pep_pool_get(&policy->pool, PEP_SEGMENTS_MAX * sizeof(*ids)));
    size_t n = 0;
    for (const char *at = text;; at++) {
        const char *close = *at == '{' ? strchr(at, '}') : NULL;
        struct pep_span name = pep_span_of(at + 1, close == NULL ? 0 : (size_t)(close - at - 1));
        if (close == NULL || !segment_name(name) || n == PEP_SEGMENTS_MAX ||
            pep_span_is(name, "type") || pep_span_is(name, "id") ||
            (close[1] != '/' && close[1] != '\0') || is_segment(policy, ids, n, name)) {
            pep_load_diag(L, "E303", "id = \"{tenant}/{number}\"",
                          "`%s` is no id template: names in braces, each once, separated by /",
                          text);
            return;
        }
        ids[n++] = intern(L, &policy->names, (const char *)name.data, name.size);
        at = close + 1;
        if (*at == '\0')
            break;
    }
    type->segments = ids;
    type->segment_count = n;
}

static void read_actions(lua_State *L, struct pep_resource_type *type, const char *name)
{
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    int t = lua_gettop(L);
    size_t n = lua_type(L, t) == LUA_TTABLE ? lua_rawlen(L, t) : 0;
    if (n == 0 || !pep_table_is_list(L, t, n)) {
        pep_load_diag(L, "E301", "actions = { \"read\" }", "resource `%s`: needs a list of actions",
                      name);
        return;
    }
    charge_items(L, n);
    type->actions = need(L, pep_pool_get(&policy->pool, n * sizeof(*type->actions)));
    for (size_t i = 1; i <= n; i++) {
        size_t size;
        if (lua_rawgeti(L, t, (lua_Integer)i) != LUA_TSTRING || lua_rawlen(L, -1) == 0 ||
            *lua_tostring(L, -1) == '*') {
            pep_load_diag(L, "E301", NULL, "resource `%s`: an action is not a name", name);
        } else {
            const char *text = lua_tolstring(L, -1, &size);
            type->actions[type->action_count++] = intern(L, &policy->actions, text, size);
        }
        lua_pop(L, 1);
    }
}

static void read_attributes(lua_State *L, struct pep_resource_type *type, const char *name)
{
    struct pep_policy *policy = pep_slot_of(L)->loader->policy;
    int t = lua_gettop(L);
    if (lua_type(L, t) != LUA_TTABLE) {
        pep_load_diag(L, "E301", "attrs = { owner = \"string?\" }",
                      "resource `%s`: `attrs` must be a table", name);
        return;
    }
    pep_load_charge_walk(L, t);
    for (lua_pushnil(L); lua_next(L, t) != 0; lua_settop(L, t + 1)) {
        struct pep_attribute a = {.line = pep_load_line(L)};
        charge_items(L, 1);
        if (type->attribute_count >= PEP_ATTRIBUTES_MAX)
            luaL_error(L, "resource `%s`: more than %d attributes", name, PEP_ATTRIBUTES_MAX);
        size_t size;
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
            pep_load_diag(L, "E301", "attrs = { owner = \"string?\" }",
                          "resource `%s`: an attribute is a name and a type", name);
            continue;
        }
        const char *key = lua_tolstring(L, -2, &size);
        struct pep_span text = pep_span_of(key, size);
        if (strcmp(key, "type") == 0 || strcmp(key, "id") == 0 || size == 0 ||
            is_segment(policy, type->segments, type->segment_count, text)) {
            pep_load_diag(L, "E301", "choose another name",
                          size == 0 ? "resource `%s`: an attribute has an empty name%s"
                                    : "resource `%s`: res.%s comes from the resource's name",
                          name, key);
            continue;
        }
        if (!read_shape(L, lua_tostring(L, -1), &a.shape, &a.optional))
            continue;
        if (a.shape == PEP_SHAPE_SCOPES) {
            pep_load_diag(L, "E302", "a list of texts is a set",
                          "resource `%s`: `%s`: scopes is a type of claims", name, key);
            continue;
        }
        a.name = intern(L, &policy->names, key, size);
        type->attributes = grown(L, type->attributes, type->attribute_count, sizeof(a));
        type->attributes[type->attribute_count++] = a;
    }
}

/* Upvalue: the type's name. */
static int declare_resource(lua_State *L)
{
    static const char *const keys[] = {"id", "actions", "attrs"};
    struct pep_loader *ld = loader_of(L, "resource");
    size_t size;
    const char *name = lua_tolstring(L, lua_upvalueindex(1), &size);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    only_keys(L, 1, "resource", keys, 3);
    uint32_t id = intern(L, &ld->policy->types, name, size);
    struct pep_resource_type *type = type_at(L, id);
    if (type->declared) {
        pep_load_diag(L, "E301", NULL, "resource `%s` stands twice", name);
        return 0;
    }
    type->declared = true;
    type->line = pep_load_line(L);
    ld->policy->schema.has_types = true;
    const char *template = member_text(L, 1, "id");
    if (template != NULL)
        read_template(L, type, template);
    lua_settop(L, 1);
    lua_getfield(L, 1, "actions");
    read_actions(L, type, name);
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "attrs") != LUA_TNIL)
        read_attributes(L, type, name);
    return 0;
}

static int word_resource(lua_State *L)
{
    loader_of(L, "resource");
    size_t size;
    const char *name = luaL_checklstring(L, 1, &size);
    lua_settop(L, 1);
    if (!pep_type_name_valid(pep_span_of(name, size)))
        return luaL_error(L, "resource: `%s` is no type name: [a-z][a-z0-9_.-]{0,62}", name);
    lua_pushcclosure(L, declare_resource, 1);
    return 1;
}

void pep_schema_open(lua_State *L)
{
    static const luaL_Reg schema_words[] = {
        {"claims", word_claims}, {"roles", word_roles}, {"resource", word_resource}, {NULL, NULL}};
    luaL_setfuncs(L, schema_words, 0);
}
