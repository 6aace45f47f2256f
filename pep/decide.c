/*
 * One decision, from the host's thread, in this order: may this handle decide at all (policy, age,
 * revocation); is the question well formed; whose token is it (known, or verified now); what do the
 * rules say. The first that fails is the answer. Every path ends in answer(), which counts the
 * decision, records it, and is the only place that turns a verdict into `true`.
 *
 * On the way of a known token nothing waits, locks or allocates; the clocks are read twice.
 */
#include "pep/answer.h"
#include "pep/identify.h"
#include "pep/query.h"

#include <string.h>

/* One call, about one token, against one policy. */
struct call {
    struct pep *p;
    unsigned stripe, reading;
    struct pep_moment now;
    int64_t since_ns; /* boot clock: begin of the call, then of each further item */
    const struct pep_active *active;
    pep_state state;
    int64_t age_ms;
    struct pep_bearer bearer;
    enum pep_jwt_reason refusal; /* of the token, for this item */
    struct pep_buffer *reads;    /* of this item, for its record; NULL: it gets none */
};

static void begin(struct call *c, struct pep *p, const char *token)
{
    c->p = p;
    c->now = pep_moment_quick(&c->since_ns);
    c->stripe = pep_thread_stripe();
    c->reading = pep_readers_enter(p->readers, c->stripe);
    c->active = atomic_load(&p->active);
    c->state = pep_handle_state(p, c->active, &c->now, &c->age_ms);
    c->bearer = (struct pep_bearer){
        .p = p,
        .stripe = c->stripe,
        .active = c->active,
        .standing = c->active == NULL ? NULL : atomic_load(&c->active->standing),
        .now = c->now.wall_ms / 1000,
        .token = token,
    };
}

static void end(struct call *c)
{
    pep_bearer_clear(&c->bearer);
    pep_readers_leave(c->p->readers, c->reading);
}

/* A verdict that no rule has made. */
static void deny(struct pep_verdict *v, pep_code code, const char *reason)
{
    v->outcome = PEP_DENY;
    v->code = code;
    v->rule = NULL;
    v->reason = reason;
    v->obligations = NULL;
    v->advice = NULL;
}

/* ---- the handle ---- */

/* EMPTY, EXPIRED and REVOKED deny; the other states decide. */
static bool handle_decides(const struct call *c, struct pep_verdict *v)
{
    switch (c->state) {
    case PEP_SYNCING:
    case PEP_FRESH:
    case PEP_STALE:
        if (c->active != NULL)
            return true;
        break;
    case PEP_EXPIRED:
        deny(v, PEP_CODE_EXPIRED, "the policy is too old to decide by");
        return false;
    case PEP_REVOKED:
        deny(v, PEP_CODE_REVOKED, "this service may not decide any more");
        return false;
    case PEP_EMPTY:
    case PEP_CLOSED:
        break;
    }
    deny(v, PEP_CODE_UNAVAILABLE, "no policy yet");
    return false;
}

/* ---- the token ---- */

static bool token_holds(struct call *c, const struct pep_asked *asked, struct pep_verdict *v)
{
    const struct pep_evidence evidence = {asked->peer_cert_sha256, asked->dpop};
    c->refusal = pep_identify(&c->bearer, &evidence);
    if (c->refusal == PEP_JWT_OK)
        return true;
    bool memory = c->refusal == PEP_JWT_MEMORY;
    deny(v, memory ? PEP_CODE_FAULT : PEP_CODE_BAD_TOKEN,
         memory ? "no memory" : pep_jwt_reason_text(c->refusal));
    return false;
}

/* ---- the record ---- */

/* Whether this decision gets a record: not if nobody could deliver it, or if there is no place. */
static bool wants_record(const struct call *c)
{
    return c->p->events != NULL && !pep_handle_orphaned(c->p) &&
           pep_events_room(c->p->events, c->stripe);
}

static void put_record(const struct call *c, const struct pep_asked *asked,
                       const struct pep_verdict *v, struct pep_record *record)
{
    struct pep_events *events = c->p->events;
    if (c->reads == NULL) {
        pep_events_drop(events, 1);
        return;
    }
    struct pep_span reads = pep_buffer_span(c->reads);
    const struct pep_subject *subject = asked->request.subject;
    const struct pep_active *a = c->active;
    record->wall_ms = c->now.wall_ms;
    record->epoch = a == NULL ? 0 : a->epoch;
    record->version = a == NULL ? 0 : a->version;
    record->age_ms = (uint64_t)c->age_ms;
    record->outcome = (uint8_t)v->outcome;
    record->code = (uint8_t)v->code;
    record->trace_id = asked->trace_id;
    record->request_id = asked->request_id;
    record->subject = subject == NULL ? NULL : pep_subject_id(subject);
    record->action = asked->request.action;
    record->resource = asked->request.resource;
    record->rule = v->rule;
    record->reason = v->reason;
    const struct pep_span *kept = c->reads->failed ? NULL : &reads;
    if (pep_record_put(record, kept, events, c->stripe) == PEP_PUT_CROWDED)
        pep_handle_wake(c->p);
}

/* ---- the answer ---- */

static bool uses_dpop(const struct call *c, const struct pep_asked *asked)
{
    const struct pep_token_entry *e = c->bearer.entry;
    return asked->dpop.proof != NULL ||
           (e != NULL && e->bound != NULL && pep_jwt_jkt(e->bound)[0] != '\0');
}

static void fill_token(pep_decision *d, const struct call *c, const struct pep_asked *asked)
{
    const char *error = c->refusal == PEP_JWT_OK ? NULL : pep_jwt_reason_name(c->refusal);
    pep_decision_put_token(d, error, uses_dpop(c, asked));
}

static void fill_rest(pep_decision *d, const struct call *c, bool allowed)
{
    d->allowed = allowed;
    d->state = c->state;
    d->stale = c->active != NULL && !c->active->ageless && c->age_ms > c->active->stale_after_ms;
    d->epoch = c->active == NULL ? 0 : c->active->epoch;
    d->version = c->active == NULL ? 0 : c->active->version;
    d->age_ms = (uint64_t)c->age_ms;
}

static bool answer(struct call *c, const struct pep_asked *asked, struct pep_verdict *v,
                   pep_decision *d)
{
    if (v->outcome == PEP_ALLOW && v->obligations != NULL && d == NULL)
        deny(v, PEP_CODE_OBLIGATION, "allowed only with an obligation");
    if (d != NULL && !pep_decision_fill(d, v))
        deny(v, PEP_CODE_FAULT, "no memory");
    bool allowed = v->outcome == PEP_ALLOW && v->code == PEP_CODE_ALLOWED;
    pep_count_decision(c->p->counters, c->stripe, v->code);
    if (d == NULL && c->p->events == NULL)
        return allowed;
    struct pep_record record;
    char id[PEP_DECISION_ID];
    pep_decision_id(c->now.wall_ms, id);
    record.id = id;
    int64_t now_ns = pep_boot_ns();
    record.eval_ns = now_ns > c->since_ns ? (uint64_t)(now_ns - c->since_ns) : 0;
    c->since_ns = now_ns;
    if (d != NULL) {
        fill_rest(d, c, allowed);
        memcpy(d->id, id, sizeof(id));
        d->eval_ns = record.eval_ns;
    }
    if (c->p->events != NULL)
        put_record(c, asked, v, &record);
    return allowed;
}

/* What this caller can fulfil. Whoever gets no decision (pep_allow(), a check with NULL) is told of
 * no obligation, so can fulfil none: it would be dropped without a word. */
static const char *const *fulfils(const struct call *c, const pep_decision *d)
{
    static const char *const nothing[] = {NULL};
    return d == NULL ? nothing : (const char *const *)c->p->settings.can_oblige;
}

static bool decide(struct call *c, const pep_item *item, pep_decision *d)
{
    uint8_t storage[PEP_EVENT_MAX / 2];
    struct pep_buffer reads = pep_buffer_over(storage, sizeof(storage));
    c->reads = wants_record(c) ? &reads : NULL;
    struct pep_verdict v;
    struct pep_asked asked;
    struct pep_error why;
    why.code = PEP_OK;
    c->refusal = PEP_JWT_OK;
    why.text[0] = '\0'; /* not the whole text: this is the hot path */
    int r = pep_asked_read(item->action, item->resource, item->query, &asked, &why);
    if (!handle_decides(c, &v)) {
        /* The question does not matter. */
    } else if (r != PEP_OK) {
        deny(&v, r == PEP_ENOMEM ? PEP_CODE_FAULT : PEP_CODE_BAD_REQUEST, pep_error_text(&why));
    } else if (token_holds(c, &asked, &v)) {
        asked.request.subject = c->bearer.entry->subject;
        asked.request.now = (double)(c->now.wall_ms / 1000); /* whole: easy to replay */
        asked.request.can_oblige = fulfils(c, d);
        if (c->reads != NULL)
            pep_policy_decide_reading(c->active->policy, &asked.request, &v, c->reads);
        else
            pep_policy_decide(c->active->policy, &asked.request, &v);
    }
    bool allowed = answer(c, &asked, &v, d);
    if (d != NULL)
        fill_token(d, c, &asked);
    pep_asked_clear(&asked);
    return allowed;
}

/* ---- without a handle ---- */

static bool no_handle(pep_decision *d)
{
    struct pep_verdict v;
    if (d == NULL)
        return false;
    deny(&v, PEP_CODE_UNAVAILABLE, "no handle");
    pep_decision_fill(d, &v);
    d->allowed = false;
    d->state = PEP_CLOSED;
    d->stale = false;
    d->epoch = d->version = d->age_ms = d->eval_ns = 0;
    d->id[0] = '\0';
    pep_decision_put_token(d, NULL, false);
    return false;
}

/* ---- the public functions ---- */

static bool check_one(pep *p, const char *token, const pep_item *item, pep_decision *d)
{
    struct call c;
    begin(&c, p, token);
    bool allowed = decide(&c, item, d);
    end(&c);
    return allowed;
}

bool pep_allow(pep *p, const char *token, const char *action, const char *resource)
{
    pep_item item = {action, resource, NULL};
    return p != NULL && check_one(p, token, &item, NULL);
}

bool pep_check(pep *p, const char *token, const char *action, const char *resource,
               const pep_query *query, pep_decision *decision)
{
    pep_item item = {action, resource, query};
    if (decision != NULL && !pep_decision_usable(decision))
        return false; /* not initialised: there is no place to say why */
    if (p == NULL)
        return no_handle(decision);
    return check_one(p, token, &item, decision);
}

static size_t check_each(struct call *c, const pep_item *items, size_t count,
                         pep_decision *decisions)
{
    size_t allowed = 0;
    for (size_t i = 0; i < count; i++) {
        pep_decision *d = pep_decision_at(decisions, i);
        if (d == NULL || pep_decision_usable(d))
            allowed += decide(c, &items[i], d);
    }
    return allowed;
}

size_t pep_check_many(pep *p, const char *token, const pep_item *items, size_t count,
                      pep_decision *decisions)
{
    struct call c;
    if (p == NULL || items == NULL) {
        for (size_t i = 0; decisions != NULL && i < count; i++) {
            pep_decision *d = pep_decision_at(decisions, i);
            if (pep_decision_usable(d))
                no_handle(d);
        }
        return 0;
    }
    begin(&c, p, token);
    size_t allowed = check_each(&c, items, count, decisions);
    end(&c);
    return allowed;
}
