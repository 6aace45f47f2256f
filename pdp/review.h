/*
 * The review of a push: its signature, its files, and that it compiles and passes its self-check;
 * on a thread of its own, because a large policy takes long enough to delay the beacons.
 *
 * A review takes bytes and gives a verdict; it knows neither store nor heads. One at a time, few
 * waiting: operators are few.
 */
#ifndef PDP_REVIEW_H
#define PDP_REVIEW_H

#include "server.h"

#define REVIEW_WAITING 4

struct review_job {
    struct ticket ticket;
    uint8_t *bytes; /* the bundle file; owned */
    size_t size;
    uint8_t *root; /* envelope of the root that it is judged by; owned */
    size_t root_size;
    uint32_t root_version;
    int64_t now;
    /* the verdict */
    struct pep_bundle *bundle; /* NULL if refused */
    struct pep_error err;
    struct review_job *next;
};

/* `done` is called on the review's thread after each job, to wake the server's. */
int review_start(void (*done)(void *context), void *context, struct review **ret);
void review_stop(struct review *review); /* waits for the job under way */
/* Takes the job; ELIMIT if too many are waiting (the job stays the caller's). */
int review_put(struct review *review, struct review_job *job);
/* The next finished job, the caller's, or NULL. Never waits. */
struct review_job *review_take(struct review *review);
void review_job_free(struct review_job *job);

#endif
