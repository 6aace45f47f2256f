/* The table of operator operations, and how a request becomes an answer: see operate.h. */
#include "operate.h"

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum role role;
    int (*handler)(struct operation *o);
    bool audited; /* writes its own audit line inside the transaction; refusals are noted here */
} table[] = {
    {"info", ROLE_VIEWER, operate_info, false},
    {"root.upload", ROLE_ADMIN, operate_root_upload, true},
    {"root.get", ROLE_VIEWER, operate_root_get, false},
    {"head", ROLE_VIEWER, operate_head, false},
    {"push", ROLE_ROLLOUT, operate_push, true},
    {"get", ROLE_VIEWER, operate_get, false},
    {"history", ROLE_VIEWER, operate_history, false},
    {"status", ROLE_VIEWER, operate_status, false},
    {"service.enrol", ROLE_ADMIN, operate_service_enrol, true},
    {"service.list", ROLE_VIEWER, operate_service_list, false},
    {"service.revoke", ROLE_ADMIN, operate_service_revoke, true},
    {"service.suspend", ROLE_ADMIN, operate_service_suspend, true},
    {"service.resume", ROLE_ADMIN, operate_service_resume, true},
    {"operator.add", ROLE_ADMIN, operate_operator_add, true},
    {"operator.list", ROLE_VIEWER, operate_operator_list, false},
    {"operator.revoke", ROLE_ADMIN, operate_operator_revoke, true},
    {"token.list", ROLE_VIEWER, operate_token_list, false},
    {"token.revoke", ROLE_ROLLOUT, operate_token_revoke, true},
    {"audit", ROLE_VIEWER, operate_audit_list, false},
};
#define OPERATIONS (sizeof(table) / sizeof(table[0]))

/* ---- answers ---- */

json_t *operate_refusal(const char *code, const char *message, const char *help)
{
    return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "code", code, "message", message, "help",
                     help);
}

static void put_late(struct server *s, struct late_answer *answer)
{
    struct late_answer **end = &s->late;
    while (*end != NULL)
        end = &(*end)->next;
    *end = answer;
}

void operate_answer(struct server *s, const struct ticket *ticket, json_t *answer,
                    struct pep_span bytes)
{
    struct late_answer *late = calloc(1, sizeof(*late));
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    struct pep_buffer *head = late == NULL ? NULL : message_frame(&late->message, PEP_ENROL_MAX);
    if (text == NULL || head == NULL) {
        log_error("operators: no memory for an answer");
        free(text);
        free(late);
        return;
    }
    memcpy(late->route, ticket->route, sizeof(late->route));
    pep_operate_write(PEP_MSG_OPERATED, ticket->nonce, head);
    message_copy(&late->message, pep_span_string(text));
    if (bytes.size > 0)
        message_copy(&late->message, bytes);
    free(text);
    put_late(s, late);
}

int operate_refuse(struct operation *o, const char *code, const char *help, const char *format, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(message, sizeof(message), format, ap);
    va_end(ap);
    pep_text_mend(message); /* a character that was cut would cost the whole answer */
    pep_buffer_free(&o->out);
    json_decref(o->answer);
    o->answer = operate_refusal(code, message, help);
    return PEP_EDENIED;
}

int operate_failed(struct operation *o, int rc, const struct pep_error *err)
{
    const char *text = err->code == 0 ? pep_strerror(rc) : pep_error_text(err);
    if (rc == PEP_ELIMIT)
        return operate_refuse(o, "full", "free disk space on the server; nothing was changed", "%s",
                              text);
    if (rc == PEP_ECONFLICT)
        return operate_refuse(o, "conflict", "", "%s", text);
    return operate_refuse(o, "failed", "see the server's log; nothing was changed", "%s", text);
}

int operate_set(struct operation *o, const char *name, json_t *value)
{
    if (json_object_set_new(o->answer, name, value) == 0)
        return 0;
    return operate_refuse(o, "failed", "", "no memory for the answer");
}

struct store_audit operate_audit(const struct operation *o, const char *result)
{
    const char *op = json_string_value(json_object_get(o->request, "op"));
    return (struct store_audit){o->now_ms / 1000, o->op->name, op == NULL ? "" : op, o->what,
                                result};
}

/* ---- members of the request ---- */

const char *operate_text(struct operation *o, const char *name, size_t max, const char *fallback)
{
    struct pep_error err = PEP_ERROR_INIT;
    const json_t *v = json_object_get(o->request, name);
    if ((v == NULL || json_is_null(v)) && fallback != NULL)
        return fallback;
    const char *text = pep_json_text(o->request, name, max, "request", &err);
    if (text == NULL)
        operate_refuse(o, "usage", "", "%s", pep_error_text(&err));
    return text;
}

int operate_integer(struct operation *o, const char *name, json_int_t max, json_int_t *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    const json_t *v = json_object_get(o->request, name);
    if (v == NULL || json_is_null(v))
        return 0;
    if (pep_json_integer(o->request, name, 0, max, "request", ret, &err) == 0)
        return 0;
    return operate_refuse(o, "usage", "", "%s", pep_error_text(&err));
}

/* ---- dispatch ---- */

static void note_refusal(struct operation *o)
{
    struct pep_error err = PEP_ERROR_INIT;
    const char *code = json_string_value(json_object_get(o->answer, "code"));
    struct store_audit audit = operate_audit(o, code == NULL ? "failed" : code);
    if (server_stored(o->server, store_put_audit(o->server->store, &audit, &err)) != 0)
        log_error("audit: %s", pep_error_text(&err));
}

static int dispatch(struct operation *o, const char *name)
{
    size_t i = 0;
    while (i < OPERATIONS && strcmp(table[i].name, name) != 0)
        i++;
    if (i == OPERATIONS)
        return operate_refuse(o, "usage", "is policyctl newer than this pdpd?",
                              "unknown operation `%.64s`", name);
    int rc = 0;
    if (o->op->role < table[i].role)
        rc = operate_refuse(o, "not_authorised", "ask an operator with that role",
                            "`%s` needs the role %s; %s has %s", name, role_names[table[i].role],
                            o->op->name, role_names[o->op->role]);
    else
        rc = table[i].handler(o);
    if (rc < 0 && table[i].audited)
        note_refusal(o);
    return rc;
}

static void run(struct operation *o, struct pep_span json)
{
    struct pep_error err = PEP_ERROR_INIT;
    const char *name = NULL;
    o->answer = json_pack("{s:b}", "ok", 1);
    int rc = o->answer == NULL ? PEP_ENOMEM : 0;
    if (rc == 0 && pep_json_parse(json, OPERATE_JSON_MAX, "request", &o->request, &err) != 0)
        rc = operate_refuse(o, "usage", "", "%s", pep_error_text(&err));
    if (rc == 0)
        name = operate_text(o, "op", 64, NULL);
    if (rc == 0 && name != NULL)
        rc = dispatch(o, name);
    if (rc != OPERATE_LATER)
        operate_answer(o->server, &o->ticket, o->answer, pep_buffer_span(&o->out));
    else
        json_decref(o->answer);
    json_decref(o->request);
    pep_buffer_free(&o->out);
}

int operate_handle(struct server *s, const struct operator* op, const struct operate_frames *frames,
                   int64_t now_ms)
{
    struct operation o;
    memset(&o, 0, sizeof(o));
    if (pep_message_type(frames->head) != PEP_MSG_OPERATE ||
        pep_operate_read(frames->head, o.ticket.nonce) != 0)
        return PEP_EFORMAT;
    metrics_add(&s->metrics, METRIC_OPERATIONS, 1);
    o.server = s;
    o.op = op;
    o.bytes = frames->bytes;
    o.now_ms = now_ms;
    o.out = pep_buffer_of(PEP_BUNDLE_FILE_MAX);
    memcpy(o.ticket.route, frames->route, ROUTE_SIZE);
    memcpy(o.ticket.actor, op->name, sizeof(o.ticket.actor));
    run(&o, frames->json);
    return 0;
}

void operate_reviewed(struct server *s)
{
    struct review_job *job;
    while ((job = review_take(s->review)) != NULL) {
        operate_push_reviewed(s, job);
        review_job_free(job);
    }
}

void operate_evicted(struct server *s, struct eviction *e, uint64_t cut)
{
    metrics_add(&s->metrics, METRIC_CUT, cut);
    if (e->answer != NULL) {
        json_object_set_new(e->answer, "cut", json_integer((json_int_t)cut));
        operate_answer(s, &e->ticket, e->answer, pep_span_of(NULL, 0));
    }
    for (size_t i = 0; i < e->count; i++)
        pep_buffer_free(&e->who[i].statement);
    free(e->who);
    free(e);
}
