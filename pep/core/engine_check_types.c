/*
 * The schema as annotations for an editor's language server (LuaLS): see engine_check.h. One class
 * for each resource type, one for the caller, and the names of actions, roles and types as texts to
 * choose from. What a rule gets as `res` is any of the types: the language cannot tie a function's
 * parameter to the text of `resource` beside it, but a name that no type has is underlined.
 *
 * Names come out of hash tables, so everything without an order of its own is sorted: the same
 * schema gives the same bytes. Names that cannot stand in a comment (control characters) are left
 * out.
 */
#include "engine_internal.h"

#include "engine_check.h"

#include <stdlib.h>
#include <string.h>

struct member {
    const char *name, *type, *note; /* note: or NULL */
    bool optional;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static bool can_stand(const char *text)
{
    struct pep_span s = pep_span_string(text);
    return s.size > 0 && pep_utf8_valid(s) && !pep_has_control(s);
}

static void put_literal(struct pep_buffer *out, const char *text)
{
    pep_put_u8(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            pep_put_u8(out, '\\');
        pep_put_bytes(out, text, 1);
    }
    pep_put_u8(out, '"');
}

/* ---- texts to choose from ---- */

/* Sorts `texts` and writes them as an alias, each once; `string` if there are none. */
static void put_choice(struct pep_buffer *out, const char *name, const char **texts, size_t count)
{
    bool any = false;
    if (count > 1)
        qsort(texts, count, sizeof(*texts), by_text);
    pep_put_format(out, "\n---@alias %s", name);
    for (size_t i = 0; i < count; i++) {
        if (!can_stand(texts[i]) || (i > 0 && strcmp(texts[i - 1], texts[i]) == 0))
            continue;
        pep_put_chars(out, "\n---| ");
        put_literal(out, texts[i]);
        any = true;
    }
    pep_put_chars(out, any ? "\n" : " string\n");
}

static size_t collect_actions(const struct pep_policy *policy, const char **texts)
{
    const struct pep_schema *s = &policy->schema;
    size_t n = 0;
    for (uint32_t t = 0; t < s->type_count; t++) {
        for (size_t i = 0; s->types[t].declared && i < s->types[t].action_count; i++) {
            if (texts != NULL)
                texts[n] = policy->actions.texts[s->types[t].actions[i]];
            n++;
        }
    }
    return n;
}

static size_t collect_roles(const struct pep_policy *policy, const char **texts)
{
    const struct pep_schema *s = &policy->schema;
    size_t n = 0;
    for (uint32_t r = 0; r < s->role_count; r++) {
        if (s->roles[r].declared && texts != NULL)
            texts[n] = policy->roles.texts[r];
        n += s->roles[r].declared;
    }
    return n;
}

static size_t collect_types(const struct pep_policy *policy, const char **texts)
{
    const struct pep_schema *s = &policy->schema;
    size_t n = 0;
    for (uint32_t t = 0; t < s->type_count; t++) {
        if (s->types[t].declared && texts != NULL)
            texts[n] = policy->types.texts[t];
        n += s->types[t].declared;
    }
    return n;
}

/* ---- classes ---- */

static const char *lua_type_of(enum pep_shape shape)
{
    static const char *const types[PEP_SHAPE_COUNT] = {
        [PEP_SHAPE_STRING] = "string",   [PEP_SHAPE_NUMBER] = "number",
        [PEP_SHAPE_INTEGER] = "integer", [PEP_SHAPE_BOOLEAN] = "boolean",
        [PEP_SHAPE_SET] = "string[]",    [PEP_SHAPE_SCOPES] = "string[]",
        [PEP_SHAPE_ANY] = "any"};
    return types[shape];
}

static bool is_identifier(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        if (!letter && (c == text || *c < '0' || *c > '9'))
            return false;
    }
    return true;
}

static void put_member(struct pep_buffer *out, const struct member *m)
{
    if (!can_stand(m->name))
        return;
    pep_put_chars(out, "---@field ");
    if (is_identifier(m->name)) {
        pep_put_chars(out, m->name);
    } else {
        pep_put_u8(out, '[');
        put_literal(out, m->name);
        pep_put_u8(out, ']');
    }
    pep_put_format(out, "%s %s%s%s\n", m->optional ? "?" : "", m->type, m->note == NULL ? "" : " ",
                   m->note == NULL ? "" : m->note);
}

static void put_members(struct pep_buffer *out, struct member *members, size_t count)
{
    if (count > 1)
        qsort(members, count, sizeof(*members), by_name);
    for (size_t i = 0; i < count; i++)
        put_member(out, &members[i]);
}

static bool put_subject(const struct pep_policy *policy, struct pep_buffer *out)
{
    const struct pep_schema *s = &policy->schema;
    static const char closed[] = "closed over the role hierarchy";
    static const struct member usual[] = {
        {"id", "string", NULL, false},         {"tenant", "string", NULL, true},
        {"roles", "pdp.Role[]", closed, true}, {"scopes", "string[]", NULL, true},
        {"client", "string", NULL, true},      {"actor", "string", NULL, true},
        {"chain", "string[]", NULL, true},     {"issuer", "string", NULL, true}};
    size_t count = s->has_claims ? s->claim_count : sizeof(usual) / sizeof(usual[0]);
    struct member *members = calloc(count + 1, sizeof(*members));
    if (members == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!s->has_claims) {
            members[i] = usual[i];
            continue;
        }
        const struct pep_claim *c = &s->claims[i];
        bool roles = strcmp(policy->names.texts[c->name], "roles") == 0;
        members[i] = (struct member){policy->names.texts[c->name],
                                     roles ? "pdp.Role[]" : lua_type_of(c->shape),
                                     roles ? closed : NULL, !c->required};
    }
    members[count] = (struct member){"token_roles", "string[]", "as the token has them", true};
    pep_put_chars(out, "\n---The caller, as the claims of the token describe it.\n"
                       "---@class pdp.Subject\n");
    put_members(out, members, count + 1);
    if (!s->has_claims)
        pep_put_chars(out, "---@field [string] any every other claim\n");
    free(members);
    return true;
}

static bool put_type(const struct pep_policy *policy, const char *name, struct pep_buffer *out)
{
    uint32_t id = pep_names_find(&policy->types, pep_span_string(name));
    const struct pep_resource_type *type = &policy->schema.types[id];
    struct member *members = calloc(type->attribute_count + 1, sizeof(*members));
    if (members == NULL)
        return false;
    for (size_t i = 0; i < type->attribute_count; i++) {
        const struct pep_attribute *a = &type->attributes[i];
        members[i] =
            (struct member){policy->names.texts[a->name], lua_type_of(a->shape), NULL, a->optional};
    }
    pep_put_format(out, "\n---@class pdp.Resource.%s\n---@field type \"%s\"\n", name, name);
    pep_put_chars(out, "---@field id string what stands behind the colon\n");
    for (size_t i = 0; i < type->segment_count; i++) {
        struct member segment = {policy->names.texts[type->segments[i]], "string", NULL, false};
        put_member(out, &segment);
    }
    put_members(out, members, type->attribute_count);
    free(members);
    return true;
}

/* `types` are sorted by now. */
static bool put_resources(const struct pep_policy *policy, const char *const *types, size_t count,
                          struct pep_buffer *out)
{
    bool ok = true;
    if (count == 0)
        pep_put_chars(out,
                      "\n---What is asked for.\n---@class pdp.Resource\n---@field type string\n"
                      "---@field id string what stands behind the colon\n"
                      "---@field [string] any segments and attributes\n");
    for (size_t i = 0; ok && i < count; i++)
        ok = put_type(policy, types[i], out);
    if (count > 0)
        pep_put_chars(out, "\n---What is asked for: one of the types of schema.lua.\n"
                           "---@alias pdp.Resource\n");
    for (size_t i = 0; i < count; i++)
        pep_put_format(out, "---| pdp.Resource.%s\n", types[i]);
    return ok;
}

int pep_check_types(const struct pep_policy *policy, struct pep_buffer *out)
{
    size_t actions = collect_actions(policy, NULL), roles = collect_roles(policy, NULL);
    size_t types = collect_types(policy, NULL);
    const char **texts = calloc(actions + roles + types + 1, sizeof(*texts));
    if (texts == NULL)
        return PEP_ENOMEM;
    put_choice(out, "pdp.Action", texts, collect_actions(policy, texts));
    put_choice(out, "pdp.Role", texts, collect_roles(policy, texts));
    put_choice(out, "pdp.ResourceType", texts, collect_types(policy, texts));
    bool ok = put_resources(policy, texts, types, out) && put_subject(policy, out) && !out->failed;
    free(texts);
    return ok ? PEP_OK : PEP_ENOMEM;
}
