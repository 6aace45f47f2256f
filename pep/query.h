/*
 * What a caller asks, checked: names once, JSON parsed, trace context understood. Everything
 * borrowed stays the caller's; only parsed JSON is owned here.
 */
#ifndef PEP_QUERY_H
#define PEP_QUERY_H

#include "pep/core/engine.h"
#include "pep/core/jwt.h"
#include "pep/record.h"

#include "pep.h"

#define PEP_QUERY_JSON_MAX (64 * 1024) /* attrs_json, context_json: bytes each */

struct pep_asked {
    struct pep_request request; /* all but subject, now and can_oblige */
    json_t *attrs, *context;    /* owned; what request points at */
    const char *request_id;     /* or NULL */
    char trace_id[PEP_TRACE_ID + 1];
    const unsigned char *peer_cert_sha256;
    struct pep_dpop_shown dpop;
};

/* `query` may be NULL. PEP_OK; or PEP_EINVAL (a bad request) or PEP_ENOMEM with *ret_why set. *ret
 * is to be cleared in every case. */
int pep_asked_read(const char *action, const char *resource, const pep_query *query,
                   struct pep_asked *ret, struct pep_error *ret_why);
static inline void pep_asked_clear(struct pep_asked *a)
{
    if (a->attrs != NULL)
        json_decref(a->attrs);
    if (a->context != NULL)
        json_decref(a->context);
}

/* The trace id of a W3C traceparent, or an empty string if it is not valid (that is no error). */
void pep_trace_id(const char *traceparent, char out[PEP_TRACE_ID + 1]);

#endif
