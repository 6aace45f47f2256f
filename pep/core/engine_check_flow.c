/*
 * What the conditions read, wherever they read it: in a rule's own function, in local functions and
 * in modules that its parameters are handed to. core/chunk_flow says what each function does with
 * its parameters; this file follows them from every rule and collects what is wrong.
 *
 * Code that several rules share is judged by all of them: a name is unknown only if it is for each
 * rule that comes by, and is said once. A function that no rule is seen to reach (it is kept in a
 * table, or handed on) is judged by the names of its parameters, if they are `sub` and `res`.
 */
#include "engine_check_internal.h"

#include "chunk_flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEP_MAX   16 /* calls inside each other */
#define VISITS_MAX 64 /* functions that one rule's parameters are followed into */
#define NO_OBJECT  UINT8_MAX

/* What was found out about one read or comparison. */
struct note {
    const struct pep_rule *rule; /* the first for which it is wrong */
    uint8_t object, other;
    bool wrong, right;
};
struct code { /* of one source */
    const struct pep_source *source;
    struct pep_flows flows;
    struct note *notes; /* one for each flow */
    bool *reached;      /* by function */
};
struct visit {
    uint32_t code, function;
    uint8_t objects[PEP_FLOW_PARAMS]; /* what each parameter is */
};
struct follow {
    const struct check *c;
    const struct pep_rule *rule; /* or NULL */
    struct code *codes;
    size_t count;
    struct visit visits[VISITS_MAX];
    size_t visit_count;
};

static const uint8_t no_objects[PEP_FLOW_PARAMS] = {NO_OBJECT, NO_OBJECT, NO_OBJECT, NO_OBJECT,
                                                    NO_OBJECT, NO_OBJECT, NO_OBJECT, NO_OBJECT};

/* ---- following ---- */

/* What a value is in this visit: one of the objects (or a field of it), or NO_OBJECT. */
static uint8_t object_of(const struct visit *v, const struct pep_flow_value *value)
{
    bool ours = (value->what == PEP_FLOW_PARAM || value->what == PEP_FLOW_FIELD) &&
                value->function == v->function;
    return ours ? v->objects[value->index] : NO_OBJECT;
}

static void judge_read(struct follow *f, const struct visit *v, const struct pep_flow *flow,
                       struct note *note)
{
    uint8_t object = object_of(v, &flow->values[0]);
    if (object == NO_OBJECT)
        return;
    if (check_name_known(f->c->policy, f->rule, (enum pep_object)object, flow->values[0].name))
        note->right = true;
    else if (!note->wrong)
        *note = (struct note){f->rule, object, NO_OBJECT, true, note->right};
}

static void judge_equal(struct follow *f, const struct visit *v, const struct pep_flow *flow,
                        struct note *note)
{
    const struct pep_policy *p = f->c->policy;
    uint8_t a = object_of(v, &flow->values[0]), b = object_of(v, &flow->values[1]);
    if (note->wrong || a == NO_OBJECT || b == NO_OBJECT ||
        check_name_present(p, f->rule, (enum pep_object)a, flow->values[0].name) ||
        check_name_present(p, f->rule, (enum pep_object)b, flow->values[1].name))
        return;
    *note = (struct note){f->rule, a, b, true, false};
}

static bool find_callee(const struct follow *f, uint32_t from, const struct pep_flow_value *callee,
                        struct visit *ret)
{
    ret->code = from;
    ret->function = callee->function;
    if (callee->what == PEP_FLOW_FUNCTION)
        return true;
    for (uint32_t i = 0; callee->module != NULL && i < f->count; i++) {
        const struct pep_source *s = f->codes[i].source;
        if (s->kind == PEP_SOURCE_MODULE && strcmp(s->module, callee->module) == 0)
            ret->code = i;
    }
    ret->function = pep_flows_export(&f->codes[ret->code].flows, callee->name);
    return ret->function != PEP_FLOW_NONE && (callee->module == NULL || ret->code != from);
}

static bool visited(struct follow *f, const struct visit *v)
{
    for (size_t i = 0; i < f->visit_count; i++) {
        const struct visit *w = &f->visits[i];
        if (w->code == v->code && w->function == v->function &&
            memcmp(w->objects, v->objects, sizeof(w->objects)) == 0)
            return true;
    }
    if (f->visit_count == VISITS_MAX)
        return true;
    f->visits[f->visit_count++] = *v;
    return false;
}

static void visit_function(struct follow *f, const struct visit *v, int depth);

static void follow_call(struct follow *f, const struct visit *v, const struct pep_flow *flow,
                        int depth)
{
    struct visit next = {0};
    bool any = false;
    memcpy(next.objects, no_objects, sizeof(next.objects));
    for (int i = 0; i < PEP_FLOW_PARAMS; i++) {
        if (flow->values[i].what == PEP_FLOW_PARAM)
            next.objects[i] = object_of(v, &flow->values[i]);
        any = any || next.objects[i] != NO_OBJECT;
    }
    if (any && find_callee(f, v->code, &flow->callee, &next))
        visit_function(f, &next, depth + 1);
}

static void visit_function(struct follow *f, const struct visit *v, int depth)
{
    struct code *code = &f->codes[v->code];
    if (depth > DEEP_MAX || visited(f, v))
        return;
    code->reached[v->function] = true;
    for (size_t i = 0; i < code->flows.count; i++) {
        const struct pep_flow *flow = &code->flows.items[i];
        if (flow->kind == PEP_FLOW_READS)
            judge_read(f, v, flow, &code->notes[i]);
        else if (flow->kind == PEP_FLOW_EQUAL)
            judge_equal(f, v, flow, &code->notes[i]);
        else if (flow->kind == PEP_FLOW_CALLS)
            follow_call(f, v, flow, depth);
    }
}

/* ---- where to begin ---- */

/* The function of a rule: by the place of its text, which the loader kept. */
static bool find_function(const struct follow *f, const struct pep_rule *r, struct visit *ret)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct pep_source *s = f->codes[i].source;
        if (r->function_file == NULL || strcmp(s->path, r->function_file) != 0)
            continue;
        for (uint32_t k = 1; k < pep_chunk_function_count(s->chunk); k++) {
            const struct pep_chunk_function *function = pep_chunk_function(s->chunk, k);
            if (function->line == r->function_line &&
                function->last_line == r->function_last_line &&
                function->instructions == r->function_size) {
                ret->code = i;
                ret->function = k;
                return true;
            }
        }
    }
    return false;
}

static void follow_rule(struct follow *f, const struct pep_rule *r)
{
    struct visit v;
    memcpy(v.objects, no_objects, sizeof(v.objects));
    for (uint8_t i = 0; i < PEP_OBJECTS; i++)
        v.objects[i] = i;
    f->rule = r;
    f->visit_count = 0;
    if (find_function(f, r, &v))
        visit_function(f, &v, 0);
}

/* Functions that no rule was seen to reach. */
static void follow_rest(struct follow *f)
{
    f->rule = NULL;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct pep_chunk *chunk = f->codes[i].source->chunk;
        for (uint32_t k = 1; k < pep_chunk_function_count(chunk); k++) {
            struct visit v = {.code = i, .function = k};
            memcpy(v.objects, no_objects, sizeof(v.objects));
            for (uint8_t p = 0; p < PEP_FLOW_PARAMS; p++) {
                struct pep_span name = pep_flow_param_name(chunk, k, p);
                v.objects[p] = pep_span_is(name, "sub")   ? PEP_OBJECT_SUB
                               : pep_span_is(name, "res") ? PEP_OBJECT_RES
                                                          : NO_OBJECT;
            }
            f->visit_count = 0;
            if (!f->codes[i].reached[k])
                visit_function(f, &v, 0);
        }
    }
}

/* ---- saying it ---- */

static const char *const objects[] = {"sub", "res", "ctx"};

static void say_unknown(const struct follow *f, const struct code *code,
                        const struct pep_flow *flow, const struct note *n)
{
    char help[CHECK_HELP_MAX], who[160] = "";
    bool subject = n->object == PEP_OBJECT_SUB;
    const char *name = flow->values[0].name;
    check_name_help(f->c->policy, n->rule, (enum pep_object)n->object, name, help);
    if (n->rule != NULL)
        snprintf(who, sizeof(who), "rule `%.100s`: ", n->rule->id);
    pep_diag_add(f->c->diags, subject ? "E120" : "E121", code->source->path, flow->line, help,
                 "%s%s has no attribute `%s`", who, subject ? "the subject" : "the resource", name);
}

/* Which of the two operators stands in the line: bytecode has one for both. */
static const char *operator_of(const struct follow *f, const char *path, int line)
{
    const struct pep_file *file = pep_files_find(f->c->files, path);
    const char *at = file == NULL ? NULL : (const char *)file->content.data;
    const char *end = at == NULL ? NULL : at + file->content.size;
    for (int i = 1; at < end && i < line; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at == NULL ? end : at + 1;
    }
    for (; at < end && *at != '\n'; at++) {
        if (end - at >= 2 && at[1] == '=' && (at[0] == '=' || at[0] == '~'))
            return at[0] == '=' ? "==" : "~=";
    }
    return "==";
}

static void say_equal(const struct follow *f, const struct code *code, const struct pep_flow *flow,
                      const struct note *n)
{
    char help[320], a[128], b[128], who[160] = "";
    const char *sign = operator_of(f, code->source->path, flow->line);
    bool equal = sign[0] == '=';
    snprintf(a, sizeof(a), "%s.%.100s", objects[n->object], flow->values[0].name);
    snprintf(b, sizeof(b), "%s.%.100s", objects[n->other], flow->values[1].name);
    snprintf(help, sizeof(help), "use %ssame(%.110s, %.110s), which is %s when either is absent",
             equal ? "" : "not ", a, b, equal ? "false" : "true");
    if (n->rule != NULL)
        snprintf(who, sizeof(who), "rule `%.100s`: ", n->rule->id);
    pep_diag_add(f->c->diags, "W310", code->source->path, flow->line, help,
                 "%s`%s %s %s` is %s when both are absent", who, a, sign, b,
                 equal ? "true" : "false");
}

static void say_all(const struct follow *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct code *code = &f->codes[i];
        for (size_t k = 0; k < code->flows.count; k++) {
            const struct pep_flow *flow = &code->flows.items[k];
            const struct note *n = &code->notes[k];
            if (flow->kind == PEP_FLOW_READS && n->wrong && !n->right)
                say_unknown(f, code, flow, n);
            else if (flow->kind == PEP_FLOW_EQUAL && n->wrong)
                say_equal(f, code, flow, n);
            else if (flow->kind == PEP_FLOW_NO_LIST)
                pep_diag_add(f->c->diags, "W313", code->source->path, flow->line,
                             strcmp(flow->name, "has") == 0 ? "the list comes first: has(list, x)"
                                                            : "write has(list, x)",
                             "%s gets a text where a list belongs, so it is always false",
                             flow->name);
        }
    }
}

/* ---- keys of a head whose value is nil ---- */

/* The only rule of that line, or NULL. */
static const struct pep_rule *rule_at(const struct pep_policy *p, const char *file, int line)
{
    const struct pep_rule *found = NULL;
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct pep_rule *r = &p->rules[i];
        if (r->line != line || strcmp(r->file, file) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = r;
    }
    return found;
}

static bool key_missing(const struct pep_rule *r, const char *key)
{
    const struct {
        const char *key;
        bool missing;
    } keys[] = {{"roles", r->roles.count == 0},     {"scopes", r->scopes.count == 0},
                {"clients", r->clients.count == 0}, {"issuers", r->issuers.count == 0},
                {"same", r->same.count == 0},       {"oblige", r->oblige == NULL},
                {"when", r->function == 0},         {"unless", r->function == 0}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(keys[i].key, key) == 0)
            return keys[i].missing;
    }
    return false;
}

static void check_head(const struct follow *f, const struct code *code, const struct pep_flow *flow)
{
    char help[CHECK_HELP_MAX] = "give it a value, or leave the key out";
    const char *names[CHECK_EXPORTS_MAX], *near = NULL;
    static const char *const keys[] = {"roles", "scopes", "clients", "issuers",
                                       "same",  "oblige", "when",    "unless"};
    bool ours = false;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        ours = ours || strcmp(keys[i], flow->name) == 0;
    const struct pep_rule *r = ours ? rule_at(f->c->policy, code->source->path, flow->line) : NULL;
    if (r == NULL || !key_missing(r, flow->name))
        return;
    struct visit v;
    if (flow->callee.what == PEP_FLOW_MEMBER && flow->callee.module != NULL) {
        find_callee(f, (uint32_t)(code - f->codes), &flow->callee, &v);
        const struct pep_flows *flows = &f->codes[v.code].flows;
        size_t n =
            flows->export_count < CHECK_EXPORTS_MAX ? flows->export_count : CHECK_EXPORTS_MAX;
        for (size_t i = 0; i < n; i++)
            names[i] = flows->exports[i].name;
        near = pep_did_you_mean(flow->callee.name, names, n);
        snprintf(help, sizeof(help),
                 near == NULL ? "the module %s has no `%s`"
                              : "the module %s has no `%s`: did you mean `%s`?",
                 flow->callee.module, flow->callee.name, near);
    }
    pep_diag_add(f->c->diags, "E115", code->source->path, flow->own_line, help,
                 "rule `%s`: the value of `%s` is nil, so the rule does not ask for it", r->id,
                 flow->name);
}

static void check_heads(const struct follow *f)
{
    for (size_t i = 0; i < f->count; i++) {
        for (size_t k = 0; k < f->codes[i].flows.count; k++) {
            if (f->codes[i].flows.items[k].kind == PEP_FLOW_HEAD)
                check_head(f, &f->codes[i], &f->codes[i].flows.items[k]);
        }
    }
}

/* ---- the entry ---- */

static bool open_code(struct code *code, const struct pep_source *source)
{
    code->source = source;
    if (pep_flows_read(source->chunk, &code->flows) != PEP_OK)
        return false;
    code->notes = calloc(code->flows.count + 1, sizeof(*code->notes));
    code->reached = calloc(pep_chunk_function_count(source->chunk) + 1, sizeof(*code->reached));
    return code->notes != NULL && code->reached != NULL;
}

static void close_codes(struct follow *f)
{
    for (size_t i = 0; i < f->count; i++) {
        pep_flows_free(&f->codes[i].flows);
        free(f->codes[i].notes);
        free(f->codes[i].reached);
    }
    free(f->codes);
}

void check_attributes(const struct check *c)
{
    const struct pep_policy *p = c->policy;
    struct follow f = {.c = c};
    bool ok = true;
    f.codes = calloc(p->source_count + 1, sizeof(*f.codes));
    for (size_t i = 0; f.codes != NULL && ok && i < p->source_count; i++) {
        if (p->sources[i].chunk == NULL || p->sources[i].kind == PEP_SOURCE_SCHEMA)
            continue;
        ok = open_code(&f.codes[f.count++], &p->sources[i]);
    }
    if (f.codes == NULL || !ok) {
        c->diags->starved++; /* what they say is unknown */
        close_codes(&f);
        return;
    }
    for (size_t i = 0; i < p->rule_count; i++) {
        if (p->rules[i].function != 0)
            follow_rule(&f, &p->rules[i]);
    }
    follow_rest(&f);
    check_heads(&f);
    say_all(&f);
    close_codes(&f);
}
