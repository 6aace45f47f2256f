/*
 * Relayed token keys: for each issuer that a live policy marks `relayed`, its JWKS is fetched from
 * its `jwks_uri` and handed to the clients of that bundle, signed by the beacon key.
 *
 *     a policy goes live -> relay_policy --order--> pdp/net/download.c (its own thread)
 *     a client asks      -> relay_look   <-outcome-        |
 *     the loop: relay_next, relay_done, relay_changed (-> a notice), relay_write (-> KEYS)
 *
 * No sockets and no threads here: orders go out, outcomes and a time come in, everything on the
 * server's one thread, so that a policy and its keys are always seen together and tests need no
 * network. One address is fetched once, however many bundles name it, and never twice at the same
 * time. A document takes the place of the last good one only for an issuer whose policy can use it:
 * well formed, with at least one key, and pinned ones where there are thumbprints. Whatever else
 * comes, or does not come, the last good one stays, and grows old in everybody's sight.
 *
 * Ages are counted by a clock that nobody sets and by the wall clock, and the larger one counts.
 */
#ifndef PDP_RELAY_H
#define PDP_RELAY_H

#include "metrics.h"
#include "store.h"

#include "pep/core/sign.h"
#include "pep/core/wire_feed.h"

#define RELAY_PARALLEL 4 /* fetches at the same time */
#define RELAY_ETAG     256
#define RELAY_ERROR    256

struct relay;

/* Milliseconds. */
struct relay_time {
    int64_t wall, steady;
};
struct relay_time relay_now(void);

struct relay_parts { /* borrowed, and must outlive it */
    struct store *store;
    const struct pep_private_key *beacon;
    struct metrics *metrics;
    const long *pause_s; /* between two fetches of one address that clients caused */
    int (*random)(void *out, size_t size);
};

int relay_open(const struct relay_parts *parts, struct relay **ret, struct pep_error *err);
void relay_close(struct relay *r);

/* ---- policies ---- */

/* The bundle's head has this issuers.json now (empty: none). Keys that are still right are taken
 * over, from memory or the store; others are fetched. Errors: EFORMAT, ENOMEM: all stays as it was.
 */
int relay_policy(struct relay *r, const char *bundle, struct pep_span issuers,
                 struct relay_time now, struct pep_error *err);
/* For notices and answers: rises with each change and each renewal of this bundle's keys, also over
 * restarts; 0: there are none. */
uint64_t relay_seq(const struct relay *r, const char *bundle);
/* The next bundle whose keys have changed since this was last asked; NULL: none. Borrowed. */
const char *relay_changed(struct relay *r);

/* ---- fetching ---- */

/* A client of this bundle met a token that names an unknown key: fetch soon. */
void relay_look(struct relay *r, const char *bundle, struct relay_time now);

/* An operator wants all of them fetched now. */
void relay_refresh(struct relay *r, struct relay_time now);

struct relay_order { /* borrowed until the next call of anything here */
    uint64_t source;
    const char *url;
    const char *etag; /* of what is here; "": ask for all of it */
};
/* True: fetch this now, and bring the outcome. */
bool relay_next(struct relay *r, struct relay_time now, struct relay_order *ret);

enum relay_kind { RELAY_FETCHED, RELAY_SAME, RELAY_FAILED };
struct relay_outcome {
    uint64_t source;
    enum relay_kind kind;
    struct pep_span body;
    const char *etag;  /* "": none */
    int64_t max_age_s; /* of Cache-Control; -1: none */
    const char *error; /* if it failed: what, and what to do */
};
/* 0, or the store's error: then the keys are used all the same, and not kept over a restart. */
int relay_done(struct relay *r, const struct relay_outcome *outcome, struct relay_time now);

/* ---- handing out (relay_report.c) ---- */

/* Whether an answer to this question brings keys. */
bool relay_has(const struct relay *r, const struct pep_feed *feed);
/* Appends the signed KEYS message for it. Errors: ENOTFOUND (there are none), ENOMEM. */
int relay_write(const struct relay *r, const struct pep_feed *feed, struct relay_time now,
                struct pep_buffer *out);

/* Logs what changed its state, and sets the gauges. Call it about once a second. */
void relay_watch(struct relay *r, struct relay_time now);
/* Appends an object per relayed issuer, of this bundle or ("") of all. Errors: ENOMEM. */
int relay_put_status(const struct relay *r, const char *bundle, struct relay_time now,
                     json_t *issuers);

#endif
