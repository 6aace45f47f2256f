/*
 * What operators may ask, as one table {name, role, handler} (operate.c); docs/protocol.md has the
 * same table in words. The role is checked before the handler is reached. A handler fills the
 * answer, refuses, or takes the ticket along and answers later.
 */
#ifndef PDP_OPERATE_H
#define PDP_OPERATE_H

#include "review.h"
#include "server.h"

#include "pep/core/json.h"

#define OPERATE_JSON_MAX (64 * 1024)
#define OPERATE_LATER    1

struct operation {
    struct server *server;
    const struct operator* op; /* who asks */
    json_t *request;
    struct pep_span bytes; /* what came along */
    int64_t now_ms;
    struct ticket ticket;
    json_t *answer;        /* an object to fill */
    struct pep_buffer out; /* bytes to send along */
    char what[256];        /* for the audit: what it was about */
};

/* Handles one request of an authenticated, active operator: frames are [OPERATE][JSON][bytes]?. The
 * answer goes to server->late, at once or later. 0, or PEP_EFORMAT (drop and count). */
struct operate_frames {
    struct pep_span head, json, bytes;
    const uint8_t *route; /* ROUTE_SIZE bytes */
};
int operate_handle(struct server *s, const struct operator* op, const struct operate_frames *frames,
                   int64_t now_ms);
/* Finishes pushes whose review is done. */
void operate_reviewed(struct server *s);
/* Finishes an eviction after its connections are cut; frees it. */
void operate_evicted(struct server *s, struct eviction *e, uint64_t cut);

/* ---- for the handlers ---- */

/* Makes the answer {"ok":false,...}; returns a negative number for the handler to return. */
int operate_refuse(struct operation *o, const char *code, const char *help, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for a failed store write or an internal error: code `full`, `conflict` or `failed`. */
int operate_failed(struct operation *o, int rc, const struct pep_error *err);
/* A required or (fallback not NULL) optional text member of the request; NULL after a refusal. */
const char *operate_text(struct operation *o, const char *name, size_t max, const char *fallback);
/* An integer member within [min, max], or `fallback` if it is missing; refuses and returns -1. */
int operate_integer(struct operation *o, const char *name, json_int_t max, json_int_t *ret);
int operate_set(struct operation *o, const char *name, json_t *value); /* takes the value */
struct store_audit operate_audit(const struct operation *o, const char *result);
/* Sends {..., ok: true} or what a refusal made to the ticket; takes `answer`. */
void operate_answer(struct server *s, const struct ticket *ticket, json_t *answer,
                    struct pep_span bytes);
/* A refusal to a ticket whose operation is over. */
json_t *operate_refusal(const char *code, const char *message, const char *help);

/* The handlers, by room. */
int operate_info(struct operation *o);
int operate_root_upload(struct operation *o);
int operate_root_get(struct operation *o);
int operate_head(struct operation *o);
int operate_push(struct operation *o);
int operate_get(struct operation *o);
int operate_history(struct operation *o);
int operate_status(struct operation *o);
int operate_service_enrol(struct operation *o);
int operate_service_list(struct operation *o);
int operate_service_revoke(struct operation *o);
int operate_service_suspend(struct operation *o);
int operate_service_resume(struct operation *o);
int operate_operator_add(struct operation *o);
int operate_operator_list(struct operation *o);
int operate_operator_revoke(struct operation *o);
int operate_token_list(struct operation *o);
int operate_token_revoke(struct operation *o);
int operate_audit_list(struct operation *o);

/* The answer to a reviewed push; also stores and publishes it. */
void operate_push_reviewed(struct server *s, struct review_job *job);

#endif
