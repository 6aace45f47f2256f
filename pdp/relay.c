/* Fetching relayed token keys: when, and what becomes of what comes. See relay.h. */
#include "relay_inside.h"
#include "relay_schedule.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct relay_time relay_now(void)
{
    return (struct relay_time){read_clock(CLOCK_REALTIME), read_clock(CLOCK_BOOTTIME)};
}

/* ---- documents ---- */

int document_new(struct pep_span bytes, struct document **ret)
{
    struct document *d = malloc(sizeof(*d) + bytes.size);
    if (d == NULL)
        return PEP_ENOMEM;
    d->users = 1;
    d->size = bytes.size;
    if (bytes.size > 0)
        memcpy(d->bytes, bytes.data, bytes.size);
    *ret = d;
    return 0;
}

struct document *document_share(struct document *d)
{
    if (d != NULL)
        d->users++;
    return d;
}

void document_free(struct document *d)
{
    if (d != NULL && --d->users == 0)
        free(d);
}

bool document_is(const struct document *d, struct pep_span bytes)
{
    return d != NULL && pep_span_equal(pep_span_of(d->bytes, d->size), bytes);
}

/* ---- entries ---- */

int entry_take(struct entry *e, struct document *d, struct relay_time seen)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_jwks *keys = NULL;
    int rc = pep_issuer_read_relayed(e->issuer, pep_span_of(d->bytes, d->size), &keys, &err);
    if (rc != 0) {
        snprintf(e->error, sizeof(e->error), "%s", pep_error_text(&err));
        pep_text_mend(e->error);
        return rc;
    }
    e->keys = pep_jwks_count(keys);
    pep_jwks_free(keys);
    struct document *before = e->good;
    e->good = document_share(d);
    document_free(before);
    e->seen = seen;
    e->error[0] = '\0';
    return 0;
}

int64_t entry_age(const struct entry *e, struct relay_time now)
{
    int64_t wall = now.wall - e->seen.wall, steady = now.steady - e->seen.steady;
    int64_t age = wall > steady ? wall : steady;
    return age > 0 ? age : 0;
}

uint64_t relay_stamp(struct relay *r, struct relay_time now)
{
    uint64_t wall = now.wall > 0 ? (uint64_t)now.wall : 0;
    r->stamp = wall > r->stamp ? wall : r->stamp + 1;
    return r->stamp;
}

/* ---- when ---- */

static int64_t interval_of(const struct relay *r, const struct source *s)
{
    int64_t shortest = INT64_MAX;
    for (const struct holding *h = r->holdings; h != NULL; h = h->following) {
        for (size_t i = 0; i < h->count; i++) {
            const struct entry *e = &h->entries[i];
            if (e->source == s && e->issuer->keys_max_age < shortest)
                shortest = e->issuer->keys_max_age;
        }
    }
    return relay_interval(shortest, s->max_age_s, *r->parts.pause_s * 1000);
}

/* Brings the next fetch forward, but not too close to the last one. */
static void hurry(const struct relay *r, struct source *s, struct relay_time now)
{
    int64_t soonest = s->begun + *r->parts.pause_s * 1000;
    soonest = soonest < now.steady || !s->tried ? now.steady : soonest;
    if (soonest < s->next)
        s->next = soonest;
}

void relay_look(struct relay *r, const char *bundle, struct relay_time now)
{
    struct holding *h = relay_holding(r, bundle);
    for (size_t i = 0; h != NULL && i < h->count; i++) {
        struct source *s = h->entries[i].source;
        if (s->busy)
            s->looked = true; /* what is on its way may be older than the key */
        else
            hurry(r, s, now);
    }
}

void relay_refresh(struct relay *r, struct relay_time now)
{
    for (struct source *s = r->sources; s != NULL; s = s->following) {
        s->looked |= s->busy;
        s->next = now.steady;
    }
}

/* Only when everybody has what the address had last may it answer "the same". */
static bool all_have_latest(const struct relay *r, const struct source *s)
{
    for (const struct holding *h = r->holdings; h != NULL; h = h->following) {
        for (size_t i = 0; i < h->count; i++) {
            if (h->entries[i].source == s && h->entries[i].good != s->latest)
                return false;
        }
    }
    return s->latest != NULL;
}

bool relay_next(struct relay *r, struct relay_time now, struct relay_order *ret)
{
    struct source *s = r->sources;
    if (r->busy >= RELAY_PARALLEL)
        return false;
    while (s != NULL && (s->busy || s->next > now.steady))
        s = s->following;
    if (s == NULL)
        return false;
    s->busy = s->tried = true;
    s->begun = now.steady;
    r->busy++;
    ret->source = s->id;
    ret->url = s->url;
    ret->etag = all_have_latest(r, s) ? s->etag : "";
    return true;
}

/* ---- what came ---- */

struct taking {
    struct relay *relay;
    struct source *source;
    struct document *document;
    struct relay_time now;
    struct store_relayed *rows;
    size_t count, good;
    char error[RELAY_ERROR]; /* of the first that could not use it */
};

static void note_row(struct taking *t, const struct holding *h, const struct entry *e, bool fresh)
{
    t->rows[t->count++] = (struct store_relayed){
        .bundle = h->bundle,
        .issuer = e->issuer->name,
        .url = t->source->url,
        .etag = t->source->etag,
        .jwks = fresh ? pep_span_of(e->good->bytes, e->good->size) : pep_span_of(NULL, 0),
        .fetched = e->seen.wall};
}

static void offer(struct taking *t, struct holding *h, struct entry *e)
{
    bool fresh = e->good != t->document;
    if (!fresh)
        e->seen = t->now;
    else if (entry_take(e, t->document, t->now) != 0) {
        if (t->error[0] == '\0')
            memcpy(t->error, e->error, sizeof(t->error));
        return;
    }
    if (fresh) {
        h->changed = true;
        log_info("keys of %s for %s: %zu usable, fetched from %s", e->issuer->name, h->bundle,
                 e->keys, t->source->url);
    }
    e->error[0] = '\0';
    h->seq = relay_stamp(t->relay, t->now);
    note_row(t, h, e, fresh);
    t->good++;
}

static void offer_all(struct taking *t)
{
    for (struct holding *h = t->relay->holdings; h != NULL; h = h->following) {
        for (size_t i = 0; i < h->count; i++) {
            if (h->entries[i].source == t->source)
                offer(t, h, &h->entries[i]);
        }
    }
}

static void failed(struct relay *r, struct source *s, const char *error, struct relay_time now)
{
    uint32_t random = 0;
    if (r->parts.random(&random, sizeof(random)) != 0)
        random = 0;
    s->failures++;
    s->failed = now.wall;
    s->next = now.steady + relay_retry(s->failures, interval_of(r, s), random);
    snprintf(s->error, sizeof(s->error), "%s", error);
    pep_text_mend(s->error);
    metrics_add(r->parts.metrics, METRIC_RELAY_FAILED, 1);
    log_debug("%s: attempt %u failed: %s", s->url, s->failures, s->error);
}

static void succeeded(struct taking *t, const struct relay_outcome *o)
{
    struct source *s = t->source;
    if (s->latest != t->document) {
        document_free(s->latest);
        s->latest = document_share(t->document);
    }
    s->seen = t->now;
    s->failures = 0;
    s->error[0] = '\0';
    s->max_age_s = o->max_age_s;
    s->next = t->now.steady + interval_of(t->relay, s);
    metrics_add(t->relay->parts.metrics,
                o->kind == RELAY_SAME ? METRIC_RELAY_SAME : METRIC_RELAY_FETCHED, 1);
}

/* The document in question is there: everybody who waits for it is offered it. */
static int take(struct taking *t, const struct relay_outcome *o)
{
    struct relay *r = t->relay;
    struct source *s = t->source;
    char etag[RELAY_ETAG];
    t->rows = calloc(s->entries + 1, sizeof(*t->rows));
    if (t->rows == NULL) {
        failed(r, s, "no memory", t->now);
        return PEP_ENOMEM;
    }
    memcpy(etag, s->etag, sizeof(etag));
    if (o->kind == RELAY_FETCHED)
        snprintf(s->etag, sizeof(s->etag), "%s", strlen(o->etag) < RELAY_ETAG ? o->etag : "");
    offer_all(t);
    int rc = 0;
    if (t->good == 0) {
        memcpy(s->etag, etag, sizeof(etag));
        failed(r, s, t->error, t->now);
    } else {
        struct pep_error err = PEP_ERROR_INIT;
        succeeded(t, o);
        rc = store_put_relayed(r->parts.store, t->rows, t->count, r->stamp, &err);
        if (rc != 0)
            log_error("relayed keys could not be stored: %s; they are used, but would be missing "
                      "after a restart",
                      pep_error_text(&err));
    }
    free(t->rows);
    return rc;
}

int relay_done(struct relay *r, const struct relay_outcome *o, struct relay_time now)
{
    struct source *s = r->sources;
    int rc = 0;
    r->busy--;
    while (s != NULL && s->id != o->source)
        s = s->following;
    if (s == NULL)
        return 0; /* nobody asks for this address any more */
    struct taking t = {.relay = r, .source = s, .now = now};
    s->busy = false;
    if (o->kind == RELAY_FAILED) {
        failed(r, s, o->error, now);
    } else if (o->kind == RELAY_SAME && s->latest == NULL) {
        failed(r, s, "answers 304 to a question without a condition", now);
    } else if (o->kind == RELAY_SAME || document_is(s->latest, o->body)) {
        t.document = document_share(s->latest);
        rc = take(&t, o);
    } else if (document_new(o->body, &t.document) != 0) {
        failed(r, s, "no memory", now);
        rc = PEP_ENOMEM;
    } else {
        rc = take(&t, o);
    }
    document_free(t.document);
    if (s->looked)
        hurry(r, s, now);
    s->looked = false;
    relay_watch(r, now);
    return rc;
}
