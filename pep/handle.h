/*
 * What is behind a `pep *`, for the files of libpep alone.
 *
 * Two sides share it, and every member says who writes it:
 *
 *   the decision side  (decide, active, token_cache, events, status, pep): any number of threads of
 *                      the host, which never wait, lock or call the system beyond reading a clock;
 *   the agent          one thread of ours. It runs pep_client_run() (SUBSCRIBE, POLL) or
 *                      pep_file_run() (FILE), activates policies, delivers records and calls the
 *                      host's callbacks.
 *
 * What the agent changes while decisions run is published in one of two ways: a single atomic word
 * (proof times, revoked), or an immutable struct behind one atomic pointer (the active policy, the
 * notes for status), of which the old one is freed after its last reader has left (readers.h).
 * Rejected: a reader-writer lock around the handle, which makes every decision write the same cache
 * line and lets a writer be starved, or starve.
 */
#ifndef PEP_HANDLE_H
#define PEP_HANDLE_H

#include "pep/active.h"
#include "pep/audience.h"
#include "pep/clock.h"
#include "pep/core/bundle.h"
#include "pep/core/error.h"
#include "pep/counters.h"
#include "pep/events.h"
#include "pep/fork.h"
#include "pep/readers.h"
#include "pep/replay.h"
#include "pep/settings.h"

#include "pep.h"

#include <pthread.h>
#include <stdatomic.h>

#define PEP_TICK_MS 100 /* the longest that pep_handle_tick() may stay away */

struct pep_client;  /* the network side: client.c and sync.c */
struct pep_watched; /* PEP_FILE: file_mode.c */

/* ---- notes: what status tells beyond the active policy. Immutable once published. ---- */

struct pep_notes {
    pep_state state; /* as of the agent's last look */
    uint64_t state_since_ms;
    int last_error;
    char last_error_text[256];
    char service[80]; /* client id "NAME/k" */
};

/* ---- calls of the host that wait for the agent ---- */

struct pep_waiting {
    pthread_mutex_t lock; /* never taken by a decision */
    pthread_cond_t changed;
    uint64_t asked;    /* pep_refresh() calls so far */
    uint64_t answered; /* of these, answered */
    int answer;        /* of the last one */
    bool active;       /* a policy has been activated */
};

struct pep {
    struct pep_settings settings; /* constant after pep_open() */

    /* Written by the agent (before it starts: by the thread in pep_open), read by decisions. */
    struct pep_readers *readers;
    _Atomic(struct pep_active *) active; /* NULL: EMPTY */
    _Atomic(struct pep_notes *) notes;   /* never NULL */
    atomic_bool revoked;
    atomic_uint_fast64_t
        behind;       /* steps of the list of revoked tokens that the server has, we not */
    atomic_bool look; /* a decision saw a token key that is not here; the agent asks for it */

    /* Written by decisions. */
    struct pep_events *events; /* NULL without on_record */
    struct pep_counters *counters;
    struct pep_replay *replay;

    /* The agent. */
    pthread_t thread;
    bool running;       /* `thread` exists; written by pep_open, pep_close, pep_after_fork */
    int wake_fd;        /* eventfd: readable when there is something to do */
    atomic_bool stop;   /* set by pep_close() before it wakes the agent */
    atomic_bool waking; /* wake_fd has been written and not yet been read */
    unsigned born;      /* pep_forks() when the agent was started: differs in a forked child */
    bool in_agent; /* true once the agent runs; read by whoever may call the agent's functions */
    struct pep_waiting waiting;
    struct { /* what on_status has last been told; agent only */
        pep_state state;
        uint32_t epoch;
        uint64_t version;
        int error;
    } told;
    bool log_pending; /* an error from before the agent ran is still to be logged */

    struct pep_fed fed; /* what has come beside bundles, for the policies to come too; agent only */

    /* Each owned by one file; nobody else looks inside. */
    struct pep_client *client;    /* client.c */
    struct pep_watched *watched;  /* file_mode.c */
    struct pep_strings *audience; /* pep.c; set before the first activation, then constant */

    /* Agent only: counters for pep_metrics(), relaxed. */
    atomic_uint_fast64_t activations, rejections, records_delivered;
};

/* ---- for the agent: client.c, sync's caller and file_mode.c. Agent thread only, or the thread in
 * pep_open() / pep_after_fork() before the agent starts. ---- */

/* The client id ("billing-api/1"), as soon as it is known and before the first activation. Its NAME
 * becomes the audience unless the options name one. Errors: ENOMEM, EINVAL. */
int pep_handle_set_service(struct pep *p, const char *client_id, struct pep_error *err);

/* Compiles, self-checks and makes this bundle the one that decisions run by; returns after the
 * old one's last reader has left. `proof`: when this version was last proved to be the assigned one
 * ({0, 0}: never). `confirmed`: that proof was made in this process (FRESH), not read from the
 * cache (SYNCING). On failure the running policy stays. Says nothing about rollback: the caller has
 * judged that, and `expires`: a bundle past it is activated and denies. The bundle is borrowed.
 * Errors: EPOLICY, ENOMEM, ELIMIT, ELUA. */
int pep_handle_activate(struct pep *p, const struct pep_bundle *bundle,
                        const struct pep_moment *proof, bool confirmed, struct pep_error *err);
/* The running version was proved at `when` to be the assigned one. Never moves a proof back. */
void pep_handle_prove(struct pep *p, const struct pep_moment *when);
/* What has come beside bundles is now this (borrowed); also for the policies to come. When it
 * returns, no decision goes by what was there before. A key set that is no good counts as absent
 * and is reported. Errors: ENOMEM; then all tokens are refused until a later call succeeds. */
int pep_handle_feed(struct pep *p, const struct pep_fed *fed);
/* This service's key is revoked or suspended (deny `revoked`), or resumed. */
void pep_handle_set_revoked(struct pep *p, bool revoked);
/* What a fetch reports: all zero without a policy. */
struct pep_running {
    uint32_t epoch;
    uint64_t version;
    uint8_t digest[PEP_SHA256_SIZE];
    pep_state state;
    uint64_t age_ms;
};
void pep_handle_running(struct pep *p, struct pep_running *ret);

/* Keeps the failure for status, counts it, and logs it once per change of text. */
void pep_handle_failed(struct pep *p, const struct pep_error *err);
/* To on_log, when there is one. Levels are syslog's. */
void pep_handle_log(struct pep *p, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The number of the newest pep_refresh() that is not answered, or 0. */
uint64_t pep_handle_refresh_wanted(struct pep *p);
/* Answers all of them up to `number`. */
void pep_handle_refresh_done(struct pep *p, uint64_t number, int answer);

/* Delivers records, notices changes of state (on_status), frees what readers have left. Call it
 * after each round of events and at least every PEP_TICK_MS. True: there is more to do, call again
 * soon. Poll `wake_fd` for reading beside the sockets; the tick clears it. */
bool pep_handle_tick(struct pep *p);
static inline bool pep_handle_stopping(const struct pep *p)
{
    return atomic_load_explicit(&((struct pep *)p)->stop, memory_order_acquire);
}

/* ---- for the decision side ---- */

/* True in a child of fork() that has not called pep_after_fork(): no agent, no sockets. */
static inline bool pep_handle_orphaned(const struct pep *p)
{
    return p->born != pep_forks();
}
/* Between pep_readers_enter() and leave(): the state by policy, proof and revocation at `now`, and
 * the age (0 without a policy). `a` is what p->active held. */
pep_state pep_handle_state(struct pep *p, const struct pep_active *a, const struct pep_moment *now,
                           int64_t *ret_age_ms);

/* Wakes the agent; once until it has seen it. Safe from any thread. */
void pep_handle_wake(struct pep *p);

/* ---- the network side's part (client.c): SUBSCRIBE and POLL ---- */

/* In pep_open(), on the caller's thread, without the network: reads identity and cache, calls
 * pep_handle_set_service(), and pep_handle_activate() if the cache holds a good bundle. Sets
 * p->client. Errors as pep_open(). A broken cache is no error: reported by pep_handle_failed(). */
int pep_client_open(struct pep *p, struct pep_error *err);
/* The agent's body: makes the sockets, returns when pep_handle_stopping(). Errors end up in
 * pep_handle_failed(); it goes on trying. */
void pep_client_run(struct pep *p);
/* After the agent has ended. NULL client is fine. When pep_handle_orphaned(), the sockets are the
 * parent's and are not closed. */
void pep_client_close(struct pep *p);
/* In a forked child, where the agent does not exist: gives up the inherited sockets without closing
 * them (they are the parent's), takes a new reporter id, and activates the running version anew
 * from the cache if it can: Lua states that other threads of the parent were using at the fork are
 * lost in the old one. Then pep_client_run() is started. */
int pep_client_after_fork(struct pep *p, struct pep_error *err);

/* ---- PEP_FILE (file_mode.c) ---- */

int pep_file_open(struct pep *p, struct pep_error *err);
void pep_file_run(struct pep *p);
void pep_file_close(struct pep *p);
int pep_file_after_fork(struct pep *p, struct pep_error *err);

/* ---- between pep.c, handle.c and agent.c ---- */

/* Publishes changed notes. False: no memory, the old ones stay. */
bool pep_notes_publish(struct pep *p, const struct pep_notes *notes);
/* Starts the agent's thread with all signals blocked. Errors: ENOMEM (no thread). */
int pep_agent_start(struct pep *p, struct pep_error *err);
/* Tells it to end, waits. */
void pep_agent_stop(struct pep *p);
/* True on the agent's own thread, that is inside a callback. */
bool pep_agent_is_caller(const struct pep *p);

/* ---- pep_open_error(): used by pep_open() and pep_enrol() ---- */

/* Keeps the text for this thread; returns the error's code. */
pep_err pep_open_failed(const struct pep_error *err);

#endif
