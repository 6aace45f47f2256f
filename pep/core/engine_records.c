/*
 * What decision records carry of a request: the values of the names that the rules for its (type,
 * action) can read. Which names those are is known since load (engine_reads.c), and as ready JSON
 * text; what a subject's claims look like is known since its token was verified. So a record is
 * mostly copied together.
 *
 * Rejected: a JSON tree per decision, which costs more than the decision.
 */
#include "engine_internal.h"

#include <string.h>

const char *const *pep_policy_reads(const struct pep_policy *policy, const char *type,
                                    const char *action, size_t *ret_count)
{
    uint32_t t = pep_names_find(&policy->types, pep_span_string(type));
    uint32_t a = pep_names_find(&policy->actions, pep_span_string(action));
    const struct pep_bucket *b = pep_index_find(&policy->index, t, a);
    *ret_count = b == NULL ? 0 : b->read_count;
    return b == NULL ? NULL : b->reads;
}

/* A subject's values are written once, when its token is verified; see engine_subject.c. */
static struct pep_span known_json(const struct pep_subject *s, const struct pep_value *v)
{
    return v == NULL || s->json == NULL ? (struct pep_span){NULL, 0} : s->json[v - s->values];
}

bool pep_subject_put(const struct pep_subject *subject, struct pep_span name,
                     struct pep_buffer *out)
{
    for (uint32_t i = 0; i < subject->count; i++) {
        if (!pep_span_equal(subject->texts[i], name))
            continue;
        pep_put_json_value(out, &subject->values[i]);
        return true;
    }
    return false;
}

/* A name and its value, or as much of it as is known as text; with one look at the room. */
static void put_both(struct pep_buffer *out, struct pep_span name, struct pep_span value)
{
    uint8_t *at = pep_buffer_room(out, name.size + value.size);
    if (at == NULL) {
        pep_put_span(out, name);
        pep_put_span(out, value);
        return;
    }
    memcpy(at, name.data, name.size);
    if (value.size > 0)
        memcpy(at + name.size, value.data, value.size);
    pep_buffer_add(out, name.size + value.size);
}

void pep_eval_put_reads(struct pep_eval *e, const struct pep_bucket *b, struct pep_buffer *out)
{
    pep_put_u8(out, '{');
    for (size_t i = 0; b != NULL && i < b->read_count; i++) {
        const struct pep_read_name *r = &e->policy->read_names[b->read_ids[i]];
        enum pep_object object = (enum pep_object)r->object;
        const struct pep_value *v = pep_eval_get(e, object, r->name, r->text);
        struct pep_span name = {r->json.data + (i == 0), r->json.size - (i == 0)}; /* a comma */
        struct pep_span json = {NULL, 0};
        if (object == PEP_OBJECT_SUB)
            json = known_json(e->subject, v);
        put_both(out, name, json);
        if (json.size == 0)
            pep_put_json_value(out, v);
    }
    pep_put_u8(out, '}');
}

void pep_policy_put_reads(const struct pep_policy *policy, const struct pep_request *request,
                          struct pep_buffer *out)
{
    struct pep_verdict scratch;
    struct pep_eval e;
    scratch.detail[0] = '\0';
    const struct pep_bucket *b = NULL;
    if (pep_eval_open(&e, policy, request, &scratch) == 0)
        b = pep_index_find(&policy->index, e.type, e.action);
    pep_eval_put_reads(&e, b, out);
    pep_eval_close(&e);
}
