/* What a caller asks, checked: see query.h. */
#include "pep/query.h"

#include "pep/core/json.h"

#include <math.h>
#include <string.h>

#define TRACEPARENT 55 /* "00-" 32 "-" 16 "-" 2 */

static int refuse(struct pep_error *why, const char *list, const char *what, const char *name)
{
    return pep_error_set(why, PEP_EINVAL, "%s: %s%s%.64s", list, what, name[0] != '\0' ? ": " : "",
                         name);
}

/* ---- attributes ---- */

/* Texts end up in decision records, which are JSON: UTF-8 or nothing. */
static bool text_valid(const char *text)
{
    return text != NULL && pep_utf8_valid(pep_span_string(text));
}

static bool value_valid(const pep_attr *a)
{
    switch (a->type) {
    case PEP_STRING:
        return text_valid(a->value.string);
    case PEP_NUMBER: /* no comparison holds for NaN, so a rule that denies would not apply */
        return isfinite(a->value.number);
    case PEP_INT:
    case PEP_BOOL:
        return true;
    case PEP_SET:
        break;
    default:
        return false;
    }
    if (a->value.set.count > PEP_ATTRIBUTES_MAX ||
        (a->value.set.items == NULL && a->value.set.count > 0))
        return false;
    for (size_t i = 0; i < a->value.set.count; i++) {
        if (!text_valid(a->value.set.items[i]))
            return false;
    }
    return true;
}

static bool named_before(const pep_attr *attrs, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (strcmp(attrs[j].name, attrs[i].name) == 0)
            return true;
    }
    return false;
}

/* A name given twice has two values, and which one a rule saw would depend on the engine. The mask
 * spares the comparison of each with each: most names differ in it. */
static int check_attrs(const char *list, const pep_attr *attrs, size_t count, const json_t *json,
                       struct pep_error *why)
{
    uint64_t seen = 0;
    if (count == 0)
        return PEP_OK;
    if (attrs == NULL || count > PEP_ATTRIBUTES_MAX)
        return refuse(why, list, attrs == NULL ? "no attributes" : "too many attributes", "");
    for (size_t i = 0; i < count; i++) {
        const char *name = attrs[i].name;
        if (name == NULL || name[0] == '\0')
            return refuse(why, list, "an attribute without a name", "");
        if (!value_valid(&attrs[i]))
            return refuse(why, list, "an attribute with an invalid value", name);
        size_t n = strlen(name);
        uint64_t bit = UINT64_C(1)
                       << ((n * 7 + (unsigned char)name[0] * 5 + (unsigned char)name[n - 1] * 3 +
                            (unsigned char)name[n / 2]) &
                           63);
        if (((seen & bit) != 0 && named_before(attrs, i)) ||
            (json != NULL && json_object_get(json, name) != NULL))
            return refuse(why, list, "an attribute given twice", name);
        seen |= bit;
    }
    return PEP_OK;
}

static int read_json(const char *list, const char *text, json_t **ret, struct pep_error *why)
{
    if (text == NULL)
        return PEP_OK;
    int r = pep_json_parse(pep_span_of(text, strnlen(text, PEP_QUERY_JSON_MAX + 1)),
                           PEP_QUERY_JSON_MAX, list, ret, why);
    if (r != PEP_OK)
        return r == PEP_ENOMEM ? r : PEP_EINVAL;
    if (!json_is_object(*ret))
        return refuse(why, list, "not a JSON object", "");
    if (json_object_size(*ret) > PEP_ATTRIBUTES_MAX)
        return refuse(why, list, "too many attributes", "");
    return PEP_OK;
}

/* Members that came later count only where the caller's header had them. */
#define QUERY_SIZE_1 offsetof(pep_query, dpop)

static int read_proof(const pep_query *q, struct pep_asked *a, struct pep_error *why)
{
    if (q->size < sizeof(*q) || q->dpop == NULL)
        return PEP_OK;
    if (q->http_method == NULL || q->http_uri == NULL)
        return refuse(why, "dpop", "needs http_method and http_uri", "");
    a->dpop = (struct pep_dpop_shown){q->dpop, q->http_method, q->http_uri};
    return PEP_OK;
}

static int read_query(const pep_query *q, struct pep_asked *a, struct pep_error *why)
{
    if (q->size < QUERY_SIZE_1)
        return refuse(why, "query", "begin with PEP_QUERY_INIT", "");
    int r = read_json("attrs_json", q->attrs_json, &a->attrs, why);
    r = r != PEP_OK ? r : read_json("context_json", q->context_json, &a->context, why);
    r = r != PEP_OK ? r : check_attrs("attrs", q->attrs, q->attr_count, a->attrs, why);
    r = r != PEP_OK ? r : check_attrs("context", q->context, q->context_count, a->context, why);
    if (r != PEP_OK)
        return r;
    a->request.attrs = q->attrs;
    a->request.attr_count = q->attr_count;
    a->request.context = q->context;
    a->request.context_count = q->context_count;
    a->request.attrs_json = a->attrs;
    a->request.context_json = a->context;
    a->request_id = q->request_id;
    a->peer_cert_sha256 = q->peer_cert_sha256;
    if (q->traceparent != NULL)
        pep_trace_id(q->traceparent, a->trace_id);
    return read_proof(q, a, why);
}

int pep_asked_read(const char *action, const char *resource, const pep_query *query,
                   struct pep_asked *ret, struct pep_error *ret_why)
{
    memset(ret, 0, sizeof(*ret));
    ret->request.action = action;
    ret->request.resource = resource;
    if (action == NULL || action[0] == '\0')
        return refuse(ret_why, "action", "missing", "");
    if (resource == NULL || resource[0] == '\0')
        return refuse(ret_why, "resource", "missing", "");
    return query == NULL ? PEP_OK : read_query(query, ret, ret_why);
}

/* ---- trace context (W3C Trace Context, section 3.2) ---- */

static bool lower_hex(const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(at[i] >= '0' && at[i] <= '9') && !(at[i] >= 'a' && at[i] <= 'f'))
            return false;
    }
    return true;
}

static bool all_zero(const char *at, size_t n)
{
    return strspn(at, "0") >= n;
}

void pep_trace_id(const char *traceparent, char out[PEP_TRACE_ID + 1])
{
    const char *t = traceparent;
    out[0] = '\0';
    size_t n = strnlen(t, TRACEPARENT + 1);
    if (n < TRACEPARENT || t[2] != '-' || t[35] != '-' || t[52] != '-')
        return;
    bool known = t[0] == '0' && t[1] == '0';
    /* Later versions may be longer, after another dash; ff is forbidden. */
    if (n > TRACEPARENT && (known || t[TRACEPARENT] != '-'))
        return;
    if (!lower_hex(t, 2) || (t[0] == 'f' && t[1] == 'f') || !lower_hex(t + 3, 32) ||
        !lower_hex(t + 36, 16) || !lower_hex(t + 53, 2))
        return;
    if (all_zero(t + 3, 32) || all_zero(t + 36, 16))
        return;
    memcpy(out, t + 3, PEP_TRACE_ID);
    out[PEP_TRACE_ID] = '\0';
}
