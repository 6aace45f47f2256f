/*
 * One request as rules see it: the resource's name and attributes, the context, checked and filed
 * by name id. Everything borrowed stays where it is; JSON attributes alone are copied (into a pool
 * that ends with the decision).
 *
 * Fields are found by walking an array of ids: with the handful of attributes that a request has,
 * this beats a hash and needs no clearing between decisions. What a caller must not say (res.type,
 * res.id, segments, ctx.now, ctx.action) is refused here, and so is an attribute of another type
 * than the schema's: read as absent it could pass a deny rule.
 */
#include "engine_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(struct pep_eval *e, const char *format, const char *what, const char *name)
{
    snprintf(e->verdict->detail, sizeof(e->verdict->detail), format, what, name);
    pep_text_mend(e->verdict->detail);
    return PEP_CODE_BAD_REQUEST;
}

static void add(struct pep_fields *f, uint32_t name, struct pep_span text, struct pep_value value)
{
    f->names[f->count] = name;
    f->texts[f->count] = text;
    f->values[f->count] = value;
    f->count++;
    uint8_t *hint = &f->hints[name & 63];
    if (*hint == 0)
        *hint = pep_hint(f->count);
}

static const struct pep_value *find_text(const struct pep_fields *f, struct pep_span text)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->names[i] == PEP_NONE && pep_span_equal(f->texts[i], text))
            return &f->values[i];
    }
    return NULL;
}

static const struct pep_value *find(const struct pep_fields *f, uint32_t name, struct pep_span text)
{
    return name != PEP_NONE ? pep_fields_get(f, name) : find_text(f, text);
}

/* ---- attributes ---- */

static bool from_attr(const pep_attr *a, struct pep_value *ret)
{
    struct pep_value v = {.kind = PEP_V_NIL};
    switch (a->type) {
    case PEP_STRING:
        if (a->value.string != NULL)
            v = pep_value_text(a->value.string, strlen(a->value.string));
        break;
    case PEP_INT:
        v.kind = PEP_V_INT;
        v.u.integer = a->value.integer;
        break;
    case PEP_NUMBER:
        if (!isfinite(a->value.number)) /* no comparison holds for NaN: a deny would not apply */
            return false;
        v.kind = PEP_V_NUMBER;
        v.u.number = a->value.number;
        break;
    case PEP_BOOL:
        v.kind = PEP_V_BOOL;
        v.u.boolean = a->value.boolean;
        break;
    case PEP_SET:
        v.kind = PEP_V_STRINGS;
        v.size = (uint32_t)a->value.set.count;
        v.u.strings = a->value.set.items;
        if (a->value.set.count > UINT32_MAX / 2 ||
            (a->value.set.items == NULL && a->value.set.count > 0))
            return false;
        for (size_t i = 0; i < a->value.set.count; i++) {
            if (a->value.set.items[i] == NULL)
                return false;
        }
        break;
    default:
        return false;
    }
    *ret = v;
    return true;
}

/* A list of scalars: what stands deeper, no helper sees, and a deny would not find it. */
static bool is_set(const struct pep_value *v)
{
    bool ok = v->kind == PEP_V_LIST || v->kind == PEP_V_STRINGS;
    for (uint32_t i = 0; ok && v->kind == PEP_V_LIST && i < v->size; i++)
        ok = v->u.items[i].kind != PEP_V_LIST && v->u.items[i].kind != PEP_V_MAP;
    return ok;
}

static bool fits(const struct pep_value *v, enum pep_shape shape)
{
    switch (shape) {
    case PEP_SHAPE_STRING:
        return v->kind == PEP_V_STRING;
    case PEP_SHAPE_NUMBER:
        return v->kind == PEP_V_INT || v->kind == PEP_V_NUMBER;
    case PEP_SHAPE_INTEGER:
        return v->kind == PEP_V_INT ||
               (v->kind == PEP_V_NUMBER && floor(v->u.number) == v->u.number);
    case PEP_SHAPE_BOOLEAN:
        return v->kind == PEP_V_BOOL;
    case PEP_SHAPE_SET:
    case PEP_SHAPE_SCOPES:
        return is_set(v);
    default:
        return true;
    }
}

/* Where an attribute goes, and what may not be passed there. */
struct place {
    struct pep_fields *fields;
    const char *word;                     /* "res" or "ctx" */
    const struct pep_resource_type *type; /* of resource attributes; NULL for the context */
};

static const struct pep_attribute *declared(const struct pep_resource_type *type, uint32_t name)
{
    for (size_t i = 0; i < type->attribute_count; i++) {
        if (type->attributes[i].name == name)
            return &type->attributes[i];
    }
    return NULL;
}

static bool reserved(const struct place *p, uint32_t name)
{
    if (p->type == NULL)
        return name == PEP_NAME_NOW || name == PEP_NAME_ACTION;
    if (name == PEP_NAME_TYPE || name == PEP_NAME_ID)
        return true;
    for (size_t i = 0; i < p->type->segment_count; i++) {
        if (p->type->segments[i] == name)
            return true;
    }
    return false;
}

static int add_attribute(struct pep_eval *e, const struct place *p, const char *name,
                         const struct pep_value *v)
{
    struct pep_span text = pep_span_string(name);
    uint32_t id = pep_names_find(&e->policy->names, text);
    if (text.size == 0)
        return bad(e, "%s: an attribute without a name%s", p->word, "");
    if (id != PEP_NONE && reserved(p, id))
        return bad(e, "%s.%s cannot be passed: it comes from the request itself", p->word, name);
    if (find(p->fields, id, text) != NULL)
        return bad(e, "%s.%s is given twice", p->word, name);
    if (p->fields->count >= PEP_ATTRIBUTES_MAX + PEP_SEGMENTS_MAX)
        return bad(e, "%s: too many attributes%s", p->word, "");
    if (v->kind == PEP_V_NIL)
        return 0;
    if (p->type != NULL && e->policy->schema.has_types) {
        const struct pep_attribute *a = declared(p->type, id);
        if (a == NULL)
            return 0; /* reads as nil */
        if (!fits(v, a->shape))
            return bad(e, "res.%s must be of type %s", name, pep_shape_name(a->shape));
    }
    add(p->fields, id, text, *v);
    return 0;
}

static int add_json(struct pep_eval *e, const struct place *p, const json_t *json)
{
    const char *name;
    json_t *value;
    if (!json_is_object(json))
        return bad(e, "%s: the attributes must be a JSON object%s", p->word, "");
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        struct pep_value v;
        int rc = pep_value_from_json(&e->pool, value, &v);
        if (rc != PEP_OK) {
            bad(e, rc == PEP_ENOMEM ? "%s.%s: no memory" : "%s.%s is too deep", p->word, name);
            return rc == PEP_ENOMEM ? PEP_CODE_FAULT : PEP_CODE_BAD_REQUEST;
        }
        int code = add_attribute(e, p, name, &v);
        if (code != 0)
            return code;
    }
    return 0;
}

static int add_attributes(struct pep_eval *e, const struct place *p, const pep_attr *attrs,
                          size_t count)
{
    if (count > PEP_ATTRIBUTES_MAX || (attrs == NULL && count > 0))
        return bad(e, "%s: more than 256 attributes%s", p->word, "");
    for (size_t i = 0; i < count; i++) {
        struct pep_value v;
        if (attrs[i].name == NULL || !from_attr(&attrs[i], &v))
            return bad(e, "%s.%s has no usable value", p->word,
                       attrs[i].name == NULL ? "?" : attrs[i].name);
        int code = add_attribute(e, p, attrs[i].name, &v);
        if (code != 0)
            return code;
    }
    return 0;
}

/* ---- the resource ---- */

static int add_resource(struct pep_eval *e, const struct pep_resource_type *type)
{
    const struct pep_resource_name *r = &e->resource;
    if (type->segments != NULL && type->segment_count != r->segment_count) {
        snprintf(e->verdict->detail, sizeof(e->verdict->detail),
                 "the id of `%.*s` has %zu segment%s, not %u", (int)r->type.size,
                 (const char *)r->type.data, type->segment_count,
                 type->segment_count == 1 ? "" : "s", r->segment_count);
        return PEP_CODE_BAD_REQUEST;
    }
    add(&e->res, PEP_NAME_TYPE, pep_span_string("type"),
        pep_value_text((const char *)r->type.data, r->type.size));
    add(&e->res, PEP_NAME_ID, pep_span_string("id"),
        pep_value_text((const char *)r->id.data, r->id.size));
    for (size_t i = 0; i < type->segment_count; i++) {
        uint32_t name = type->segments[i];
        add(&e->res, name, pep_span_of(e->policy->names.texts[name], e->policy->names.sizes[name]),
            pep_value_text((const char *)r->segments[i].data, r->segments[i].size));
    }
    return 0;
}

static int check_required(struct pep_eval *e, const struct pep_resource_type *type)
{
    for (size_t i = 0; i < type->attribute_count; i++) {
        const struct pep_attribute *a = &type->attributes[i];
        if (!a->optional && find(&e->res, a->name, (struct pep_span){NULL, 0}) == NULL)
            return bad(e, "%s`%s` is required: the schema does not mark it with ?",
                       "the resource attribute ", e->policy->names.texts[a->name]);
    }
    return 0;
}

static int unknown(struct pep_eval *e, const char *kind, struct pep_span name)
{
    snprintf(e->verdict->detail, sizeof(e->verdict->detail), "the policy declares no %s `%.*s`",
             kind, (int)(name.size < 100 ? name.size : 100), (const char *)name.data);
    pep_text_mend(e->verdict->detail);
    return PEP_CODE_UNKNOWN;
}

static int open_context(struct pep_eval *e)
{
    const struct pep_request *q = e->request;
    struct place ctx = {&e->ctx, "ctx", NULL};
    struct pep_value now = {.kind = PEP_V_NUMBER, .u.number = q->now};
    if (floor(q->now) == q->now && fabs(q->now) < 9e15) {
        now.kind = PEP_V_INT; /* whole seconds print as such */
        now.u.integer = (int64_t)q->now;
    }
    add(&e->ctx, PEP_NAME_NOW, pep_span_string("now"), now);
    add(&e->ctx, PEP_NAME_ACTION, pep_span_string("action"),
        pep_value_text(q->action, strlen(q->action)));
    int code = add_attributes(e, &ctx, q->context, q->context_count);
    return code != 0 || q->context_json == NULL ? code : add_json(e, &ctx, q->context_json);
}

int pep_eval_name(struct pep_eval *e, const struct pep_policy *policy,
                  const struct pep_request *request, struct pep_verdict *verdict)
{
    e->policy = policy;
    e->request = request;
    e->subject = request->subject;
    e->verdict = verdict;
    e->slot = NULL;
    e->busy = false;
    e->charged = 0;
    e->pool = (struct pep_pool){NULL, 0, false};
    e->res.count = 0;
    memset(e->res.hints, 0, sizeof(e->res.hints));
    e->ctx.count = 0;
    memset(e->ctx.hints, 0, sizeof(e->ctx.hints));
    if (e->subject == NULL || request->action == NULL || *request->action == '\0')
        return bad(e, "%s%s", "the request has no subject or no action", "");
    const char *wrong = pep_resource_parse(request->resource, &e->resource);
    if (wrong != NULL)
        return bad(e, "%s%s", wrong, "");
    struct pep_span action = pep_span_string(request->action);
    e->type = pep_names_find(&policy->types, e->resource.type);
    e->action = pep_names_find(&policy->actions, action);
    const struct pep_resource_type *type = pep_schema_type(policy, e->type);
    if (type == NULL)
        return unknown(e, "resource type", e->resource.type);
    if (policy->schema.has_types && !pep_schema_has_action(type, e->action))
        return unknown(e, "action", action);
    return 0;
}

int pep_eval_fill(struct pep_eval *e)
{
    const struct pep_request *request = e->request;
    const struct pep_resource_type *type = pep_schema_type(e->policy, e->type);
    struct place res = {&e->res, "res", type};
    int code = add_resource(e, type);
    if (code == 0)
        code = add_attributes(e, &res, request->attrs, request->attr_count);
    if (code == 0 && request->attrs_json != NULL)
        code = add_json(e, &res, request->attrs_json);
    if (code == 0)
        code = check_required(e, type);
    return code == 0 ? open_context(e) : code;
}

int pep_eval_open(struct pep_eval *e, const struct pep_policy *policy,
                  const struct pep_request *request, struct pep_verdict *verdict)
{
    int code = pep_eval_name(e, policy, request, verdict);
    return code == 0 ? pep_eval_fill(e) : code;
}

void pep_eval_close(struct pep_eval *e)
{
    if (e->slot != NULL) {
        e->slot->eval = NULL;
        if (e->slot->broken)
            pep_slot_rebuild(e->slot);
        else
            pep_slot_end(e->slot);
        pep_slot_release(e->slot);
        uselocale(e->locale);
    }
    if (e->pool.blocks != NULL)
        pep_pool_free(&e->pool);
}

/* ---- reading ---- */

const struct pep_value *pep_eval_get_text(const struct pep_eval *e, enum pep_object object,
                                          struct pep_span text)
{
    const struct pep_subject *s = e->subject;
    if (object != PEP_OBJECT_SUB)
        return find_text(object == PEP_OBJECT_RES ? &e->res : &e->ctx, text);
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->names[i] == PEP_NONE && pep_span_equal(s->texts[i], text))
            return &s->values[i];
    }
    return NULL;
}

bool pep_eval_declared(const struct pep_eval *e, enum pep_object object, uint32_t name)
{
    const struct pep_schema *schema = &e->policy->schema;
    if (object == PEP_OBJECT_CTX)
        return true;
    if (object == PEP_OBJECT_RES) {
        const struct pep_resource_type *type = pep_schema_type(e->policy, e->type);
        if (!schema->has_types || (type != NULL && pep_type_declares(type, name)))
            return true;
        /* a rule for several types may ask for what another one has */
        for (uint32_t t = 0; t < schema->type_count; t++) {
            if (schema->types[t].declared && pep_type_declares(&schema->types[t], name))
                return true;
        }
        return false;
    }
    if (!schema->has_claims || name <= PEP_NAME_ISSUER)
        return true;
    for (size_t i = 0; i < schema->claim_count; i++) {
        if (schema->claims[i].name == name)
            return true;
    }
    return false;
}
