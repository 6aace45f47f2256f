/* The checks that need heads and schema only, and the entry: see engine_check.h. Each check is one
 * function over the compiled policy; the table at the end is their order in the output. */
#include "engine_check_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const effect_names[] = {
    [PEP_EFFECT_DENY] = "deny", [PEP_EFFECT_ALLOW] = "allow", [PEP_EFFECT_CHALLENGE] = "challenge"};

const char *check_name(const struct pep_names *names, uint32_t id)
{
    return id < names->count ? names->texts[id] : "?";
}

static bool has_id(const struct pep_ids *ids, uint32_t id)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (ids->ids[i] == id)
            return true;
    }
    return false;
}

bool check_covers(const struct pep_policy *policy, const struct pep_rule *rule, uint32_t type,
                  uint32_t action)
{
    (void)policy;
    if (!rule->every_action && !has_id(&rule->actions, action))
        return false;
    for (uint32_t i = 0; !rule->every_type && i < rule->pattern_count; i++) {
        if (rule->patterns[i].type == type || rule->patterns[i].type == PEP_NONE)
            return true;
    }
    return rule->every_type;
}

/* ---- schema and heads ---- */

static void check_schema(const struct check *c)
{
    if (!c->policy->schema.present)
        pep_diag_add(c->diags, "W301", NULL, 0,
                     "`policyctl init` writes a schema.lua to start from",
                     "there is no schema.lua, so misspelt names cannot be found");
}

static void check_reasons(const struct check *c)
{
    for (size_t i = 0; i < c->policy->rule_count; i++) {
        const struct pep_rule *r = &c->policy->rules[i];
        if (r->effect != PEP_EFFECT_ALLOW && (r->reason == NULL || r->reason[0] == '\0'))
            pep_diag_add(c->diags, "W302", r->file, r->line,
                         "reason = \"why, in words that the caller may read\"",
                         "%s `%s` has no reason", effect_names[r->effect], r->id);
    }
}

/* What a rule's `oblige` cannot do there. NULL: nothing is wrong with it. */
static const char *lost_obligation(const struct pep_rule *r, const char **ret_help)
{
    *ret_help = "write it as a challenge, which asks for it first";
    if (r->effect == PEP_EFFECT_ALLOW && r->steps_up)
        return "asks for a step-up of a caller who is allowed already";
    *ret_help = "leave it out, or write a challenge";
    if (r->effect == PEP_EFFECT_DENY && r->oblige_count > 0)
        return "has an obligation, which nobody gets with a deny";
    *ret_help = "oblige = step_up { max_age = 300 }, or write a deny";
    if (r->effect == PEP_EFFECT_CHALLENGE && r->oblige_count == 0)
        return "does not say what the caller must do: it has no `oblige`";
    return NULL;
}

static void check_obligations(const struct check *c)
{
    for (size_t i = 0; i < c->policy->rule_count; i++) {
        const struct pep_rule *r = &c->policy->rules[i];
        const char *help, *wrong = lost_obligation(r, &help);
        if (wrong != NULL)
            pep_diag_add(c->diags, "W312", r->file, r->line, help, "%s `%s` %s",
                         effect_names[r->effect], r->id, wrong);
    }
}

/* The role that includes `role`, or NULL. */
static const char *heir_of(const struct pep_policy *p, uint32_t role)
{
    for (uint32_t i = 0; i < p->schema.role_count; i++) {
        const struct pep_schema_role *r = &p->schema.roles[i];
        for (size_t k = 0; i != role && k < r->closure_count; k++) {
            if (r->closure[k] == role)
                return check_name(&p->roles, i);
        }
    }
    return NULL;
}

static void check_inherited(const struct check *c)
{
    for (size_t i = 0; i < c->policy->rule_count; i++) {
        const struct pep_rule *r = &c->policy->rules[i];
        for (uint32_t k = 0; r->effect != PEP_EFFECT_ALLOW && k < r->roles.count; k++) {
            const char *heir = heir_of(c->policy, r->roles.ids[k]);
            if (heir == NULL)
                continue;
            const char *name = check_name(&c->policy->roles, r->roles.ids[k]);
            pep_diag_add(c->diags, "W303", r->file, r->line,
                         "if only the role in the token counts: when = function(sub) return "
                         "has(sub.token_roles, \"...\") end",
                         "%s `%s` names the role `%s`, which `%s` includes: it applies to both",
                         effect_names[r->effect], r->id, name, heir);
        }
    }
}

static void check_wildcards(const struct check *c)
{
    for (size_t i = 0; i < c->policy->rule_count; i++) {
        const struct pep_rule *r = &c->policy->rules[i];
        if (r->every_type && r->every_action)
            pep_diag_add(
                c->diags, r->effect == PEP_EFFECT_ALLOW ? "W304" : "N304", r->file, r->line,
                r->effect == PEP_EFFECT_ALLOW ? "name the types and actions that it is for" : NULL,
                "%s `%s` is looked at for every request", effect_names[r->effect], r->id);
    }
}

static bool allowed_somewhere(const struct pep_policy *p, uint32_t type, uint32_t action)
{
    for (size_t i = 0; i < p->rule_count; i++) {
        if (p->rules[i].effect == PEP_EFFECT_ALLOW && check_covers(p, &p->rules[i], type, action))
            return true;
    }
    return false;
}

static void check_actions(const struct check *c)
{
    const struct pep_policy *p = c->policy;
    for (uint32_t t = 0; t < p->schema.type_count; t++) {
        const struct pep_resource_type *type = &p->schema.types[t];
        char list[256] = "";
        size_t used = 0;
        for (size_t k = 0; type->declared && k < type->action_count; k++) {
            if (allowed_somewhere(p, t, type->actions[k]))
                continue;
            int n = snprintf(list + used, sizeof(list) - used, "%s%s", used == 0 ? "" : ", ",
                             check_name(&p->actions, type->actions[k]));
            used = n < 0 || used + (size_t)n >= sizeof(list) ? sizeof(list) - 1 : used + (size_t)n;
        }
        if (used > 0)
            pep_diag_add(c->diags, "N305", "schema.lua", type->line, NULL,
                         "no rule can ever allow on `%s`: %s", check_name(&p->types, t), list);
    }
}

/* ---- whose tokens count ---- */

/* A rule for an issuer whose tokens nobody accepts never applies. */
static void check_issuers(const struct check *c, const struct pep_rule *r)
{
    const struct pep_issuers *known = c->policy->issuers;
    const char *near[PEP_ISSUERS_MAX];
    size_t n = pep_issuers_count(known);
    for (size_t i = 0; i < n; i++)
        near[i] = pep_issuers_at(known, i)->name;
    for (size_t i = 0; n > 0 && i < r->issuer_texts.count; i++) {
        const char *name = r->issuer_texts.items[i];
        if (pep_issuers_find(known, pep_span_string(name)) == NULL)
            pep_diag_add(c->diags, "W308", r->file, r->line,
                         PEP_NEAR(pep_did_you_mean(name, near, n)),
                         "rule `%s`: issuers.json has no issuer `%s`", r->id, name);
    }
}

static void check_callers(const struct check *c)
{
    for (size_t i = 0; i < c->policy->rule_count; i++)
        check_issuers(c, &c->policy->rules[i]);
    if (pep_issuers_count(c->policy->issuers) == 0)
        pep_diag_add(c->diags, "N405", "issuers.json", 0,
                     "name your identity provider, its audiences and its keys in issuers.json",
                     "no issuer: services refuse every token");
}

/* ---- what nobody uses ---- */

static bool is_used(const struct pep_policy *p, enum pep_use_kind kind, const char *name)
{
    for (size_t i = 0; i < p->source_count; i++) {
        size_t count;
        if (p->sources[i].chunk == NULL ||
            (p->sources[i].module != NULL && strcmp(p->sources[i].module, name) == 0))
            continue;
        const struct pep_use *uses = pep_chunk_uses(p->sources[i].chunk, &count);
        for (size_t k = 0; k < count; k++) {
            if (uses[k].kind == kind && uses[k].name != NULL && strcmp(uses[k].name, name) == 0)
                return true;
        }
    }
    return false;
}

static void check_unused(const struct check *c)
{
    const struct pep_policy *p = c->policy;
    for (size_t i = 0; i < p->data_count; i++) {
        char path[PEP_PATH_MAX + 16];
        if (is_used(p, PEP_USE_DATA, p->data[i].name))
            continue;
        snprintf(path, sizeof(path), "data/%s.json", p->data[i].name);
        pep_diag_add(c->diags, "W306", path, 0, "delete it, or read it with data \"name\"",
                     "no rule reads `%s`", path);
    }
    for (size_t i = 0; i < p->source_count; i++) {
        const struct pep_source *s = &p->sources[i];
        if (s->kind == PEP_SOURCE_MODULE && s->module != NULL &&
            !is_used(p, PEP_USE_REQUIRE, s->module))
            pep_diag_add(c->diags, "W307", s->path, 0, "delete it, or use it with require",
                         "no rule requires the module `%s`", s->module);
    }
}

bool pep_check_role_includes(const struct pep_policy *policy, const char *role,
                             const char *included)
{
    uint32_t a = pep_names_find(&policy->roles, pep_span_string(role));
    uint32_t b = pep_names_find(&policy->roles, pep_span_string(included));
    if (a == PEP_NONE || b == PEP_NONE || a >= policy->schema.role_count)
        return strcmp(role, included) == 0;
    for (size_t i = 0; i < policy->schema.roles[a].closure_count; i++) {
        if (policy->schema.roles[a].closure[i] == b)
            return true;
    }
    return a == b;
}

/* A misspelt name also makes the rule fail in the trial run (W330). Said once is enough. */
static bool is_named(const struct pep_diags *d, const char *message)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct pep_diag *e = &d->items[i];
        const char *what = strstr(e->message, "the subject has no ");
        if (strcmp(e->code, "E120") != 0 && strcmp(e->code, "E121") != 0)
            continue;
        what = what == NULL ? strstr(e->message, "the resource has no ") : what;
        if (what != NULL && strstr(message, what) != NULL)
            return true;
    }
    return false;
}

static void drop_echoes(const struct check *c)
{
    struct pep_diags *d = c->diags;
    for (size_t i = d->count; i > 0; i--) {
        if (strcmp(d->items[i - 1].code, "W330") == 0 && is_named(d, d->items[i - 1].message))
            pep_diags_drop(d, i - 1);
    }
}

/* ---- the entry ---- */

static void (*const checks[])(const struct check *) = {
    check_schema,    check_attributes, check_reasons,  check_obligations,
    check_inherited, check_wildcards,  check_shadowed, check_unused,
    check_actions,   check_callers,    drop_echoes,
};

int pep_check_policy(const struct pep_policy *policy, const struct pep_files *files,
                     struct pep_diags *diags, struct pep_error *err)
{
    struct check c = {policy, files, diags};
    size_t before = diags->errors, starved = diags->starved;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        checks[i](&c);
    if (diags->starved > starved)
        return pep_error_set(err, PEP_ENOMEM, "check: no memory");
    if (diags->errors == before)
        return PEP_OK;
    return pep_error_set(err, PEP_EPOLICY, "%s", "the policy names things that do not exist");
}
