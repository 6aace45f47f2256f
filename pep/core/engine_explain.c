/* One line per candidate: the first part of its head that does not hold and what was missing, or
 * what its function said. Never per expression: that is more text than anyone reads. */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const effect_names[] = {"deny", "allow", "challenge"};

/* Appends as much as fits. */
static void append(struct pep_explanation *x, const char *text, size_t size)
{
    size_t used = strlen(x->why), room = sizeof(x->why) - 1 - used;
    if (size > room)
        size = room;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        x->why[used + i] = c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    x->why[used + size] = '\0';
}

static void put(struct pep_explanation *x, const char *text)
{
    append(x, text, strlen(text));
}

static void put_texts(struct pep_explanation *x, const struct pep_strings *s)
{
    for (size_t i = 0; i < s->count; i++) {
        put(x, i == 0 ? "" : ", ");
        put(x, s->items[i]);
    }
}

static void put_value(struct pep_explanation *x, const struct pep_value *v)
{
    char number[PEP_NUMBER_TEXT];
    switch (v == NULL ? PEP_V_NIL : v->kind) {
    case PEP_V_STRING:
        append(x, v->u.string, v->size);
        return;
    case PEP_V_BOOL:
        put(x, v->u.boolean ? "true" : "false");
        return;
    case PEP_V_INT:
        snprintf(number, sizeof(number), "%lld", (long long)v->u.integer);
        put(x, number);
        return;
    case PEP_V_NUMBER:
        pep_number_text(number, 14, v->u.number);
        put(x, number);
        return;
    case PEP_V_LIST:
    case PEP_V_STRINGS:
        put(x, v->size == 0 ? "none" : "");
        for (uint32_t i = 0; i < v->size; i++) {
            struct pep_value item = pep_list_at(v, i);
            put(x, i == 0 ? "" : ", ");
            put_value(x, &item);
        }
        return;
    case PEP_V_MAP:
        put(x, "a table");
        return;
    default:
        put(x, "none");
    }
}

static void needs(struct pep_explanation *x, const char *what, const struct pep_strings *wanted,
                  const struct pep_value *has)
{
    put(x, what);
    put(x, ": needs ");
    put_texts(x, wanted);
    put(x, ", has ");
    put_value(x, has);
}

/* Roles as the token says them: the closure would be long and is in the schema. Those that are not
 * there count for nothing, which is worth knowing. */
static void explain_roles(const struct pep_eval *e, const struct pep_rule *rule,
                          struct pep_explanation *x)
{
    char count[64];
    uint32_t dropped = pep_subject_dropped_roles(e->subject);
    needs(x, "roles", &rule->role_texts, pep_subject_get(e->subject, PEP_NAME_TOKEN_ROLES));
    if (dropped == 0)
        return;
    snprintf(count, sizeof(count), " (%u of these not in schema.lua)", (unsigned)dropped);
    put(x, count);
}

static void explain_same(const struct pep_eval *e, const struct pep_rule *rule,
                         struct pep_explanation *x)
{
    static const struct pep_span none;
    for (uint32_t i = 0; i < rule->same.count; i++) {
        const struct pep_value *s = pep_subject_get(e->subject, rule->same.ids[i]);
        const struct pep_value *r = pep_eval_get(e, PEP_OBJECT_RES, rule->same.ids[i], none);
        if (pep_value_same(s, r))
            continue;
        put(x, "same: ");
        put(x, e->policy->names.texts[rule->same.ids[i]]);
        put(x, " is ");
        put_value(x, s);
        put(x, " on the subject, ");
        put_value(x, r);
        put(x, " on the resource");
        return;
    }
}

static void explain_function(const struct pep_eval *e, const struct pep_rule *rule,
                             enum pep_applies applies, struct pep_explanation *x)
{
    const struct pep_verdict *v = e->verdict;
    const char *word = rule->negated ? "unless" : "when";
    bool holds = (applies == PEP_APPLIES_YES) != rule->negated;
    if (applies != PEP_APPLIES_FAULT) {
        put(x, word);
        put(x, holds ? " holds" : " does not hold");
        return;
    }
    put(x, "fails: ");
    size_t kept = v->fault_count < PEP_FAULTS_MAX ? v->fault_count : PEP_FAULTS_MAX;
    for (size_t i = kept; i > 0; i--) {
        if (v->faults[i - 1].rule == rule->id) {
            put(x, v->faults[i - 1].message);
            return;
        }
    }
    put(x, e->busy                       ? "no Lua state is free"
           : e->aside < PEP_BUDGET_STEPS ? "not run: the rules before took what explaining may take"
                                         : "not run: the decision's budget is gone");
}

void pep_explain_rule(const struct pep_eval *e, const struct pep_rule *rule,
                      enum pep_head_part part, enum pep_applies applies,
                      struct pep_explanation *ret)
{
    ret->effect = effect_names[rule->effect];
    ret->rule = rule->id;
    ret->applied = applies == PEP_APPLIES_YES ||
                   (applies == PEP_APPLIES_FAULT && rule->effect != PEP_EFFECT_ALLOW);
    ret->why[0] = '\0';
    switch (part) {
    case PEP_HEAD_RESOURCE:
        put(ret, "resource: not ");
        put_texts(ret, &rule->resource_texts);
        break;
    case PEP_HEAD_ROLES:
        explain_roles(e, rule, ret);
        break;
    case PEP_HEAD_SCOPES:
        needs(ret, "scopes", &rule->scope_texts, pep_subject_get(e->subject, PEP_NAME_SCOPES));
        break;
    case PEP_HEAD_CLIENTS:
        needs(ret, "clients", &rule->client_texts, pep_subject_get(e->subject, PEP_NAME_CLIENT));
        break;
    case PEP_HEAD_ISSUERS:
        needs(ret, "issuers", &rule->issuer_texts, pep_subject_get(e->subject, PEP_NAME_ISSUER));
        break;
    case PEP_HEAD_SAME:
        explain_same(e, rule, ret);
        break;
    default:
        if (rule->function != 0)
            explain_function(e, rule, applies, ret);
        else
            put(ret, "head matches");
    }
    pep_text_mend(ret->why); /* a token's words, perhaps cut: a terminal and JSON must take them */
}
