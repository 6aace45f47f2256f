/*
 * What a client does about the network, without touching it: events and a time go in, actions come
 * out. client.c owns the sockets and the clock and does what is asked; a test replays a story as a
 * table of events; a load generator runs a thousand of these in one process.
 *
 * One conversation, walked through:
 *
 *     IDLE --poll, notice, link up--> ASKING --"you have it"-----------------------> IDLE (proof)
 *                                       |  \--"run 43", manifest verified--> FILLING
 *                                       |                                       | files by hash
 *                                       v failure, time-out                     v
 *                                    WAITING <------------------------------ ACTIVATING
 *                                  (back-off)                          compiled: IDLE (proof,
 * report) refused:  IDLE (report)
 *
 * Join, update, gap, reconnect and restart all walk this one path. Two things arrive beside it, in
 * any state: notices ("43 is the head": a proof if I run it, a reason to ask if I don't) and
 * statements about this client's own key.
 *
 * Nothing is believed but by signature: the root chain first, then the answer under the newest
 * root's beacon keys with the nonce of this very question, then the manifest under its policy keys,
 * then each file by its hash.
 *
 * When is a version proved current? An answer proves it for the moment of the question, because the
 * nonce did not exist earlier. A notice can be held back on the way, so it counts for the moment
 * when it was made: the server's clock is tied to ours by the last answer, and what the two clocks
 * show between answer and notice is subtracted. Rejected: counting from arrival, which lets whoever
 * delays a stream keep a client FRESH for as long as the delay; trusting the server's wall clock,
 * which makes clock skew an outage.
 */
#ifndef PEP_SYNC_H
#define PEP_SYNC_H

#include "pep/clock.h"
#include "pep/core/wire.h"

bool pep_head_equal(const struct pep_head *a, const struct pep_head *b);
bool pep_head_none(const struct pep_head *a);

/* What must survive a restart. All zero: a new client. */
struct pep_memory {
    struct pep_head floor;   /* the highest final version ever activated here */
    struct pep_moment proof; /* when `running` was last proved current; wall_ms 0: never */
    uint32_t root;           /* newest notice or answer seen: (root, seq, issued_at) must rise */
    uint64_t seq;
    int64_t issued_at;
    uint8_t statement; /* enum pep_statement_kind, 0: none */
    uint64_t statement_seq;
};

struct pep_sync_options {
    const char *bundle;     /* the only bundle name that is ever accepted */
    const char *client_key; /* this client's CURVE public key, Z85 */
    const char *library;    /* "libpep 0.1.0" */
    bool subscribe;         /* notices are expected */
    uint32_t poll_ms;       /* between two questions; jittered by a quarter */
    uint32_t save_proof_ms; /* the proof on disk is at most so much older than the real one */
    int (*random)(void *out, size_t size); /* pep_random(), or a fixed sequence in tests */
};

enum pep_sync_phase {
    PEP_SYNC_IDLE = 0,   /* nothing under way; the next question has its time */
    PEP_SYNC_ASKING,     /* FETCH is out; only an answer with its nonce counts */
    PEP_SYNC_FILLING,    /* a verified manifest is at hand; files arrive */
    PEP_SYNC_ACTIVATING, /* a verified bundle is at the compiler */
    PEP_SYNC_WAITING,    /* something failed; backing off */
    PEP_SYNC_PHASES
};
const char *pep_sync_phase_name(enum pep_sync_phase phase);

enum pep_sync_event_kind {
    PEP_EVENT_TICK,         /* time has passed */
    PEP_EVENT_NOTICE,       /* a message from the notice port */
    PEP_EVENT_MESSAGE,      /* a message from the fetch port */
    PEP_EVENT_LINK_UP,      /* the fetch connection finished its handshake */
    PEP_EVENT_LINK_DOWN,    /* ... was lost */
    PEP_EVENT_LINK_REFUSED, /* a handshake was refused: unauthenticated, so not a revocation */
    PEP_EVENT_REFRESH,      /* the application wants to know now */
    PEP_EVENT_ACTIVATED,    /* PEP_ACTION_ACTIVATE succeeded */
    PEP_EVENT_REJECTED,     /* ... failed with `error` */
};
struct pep_sync_event {
    enum pep_sync_event_kind kind;
    const struct pep_span *frames; /* NOTICE, MESSAGE */
    size_t count;
    const struct pep_error *error; /* REJECTED */
};

enum pep_sync_action_kind {
    PEP_ACTION_FETCH,    /* send pep_sync_fetch(), with state and age filled in */
    PEP_ACTION_WANT,     /* send pep_sync_want() */
    PEP_ACTION_ACTIVATE, /* compile and swap pep_sync_incoming(), then report ACTIVATED or REJECTED
                          */
    PEP_ACTION_STORE,    /* write the running bundles, roots and memory to the cache */
    PEP_ACTION_SAVE,     /* write roots and memory to the cache */
    PEP_ACTION_PROOF,    /* pep_sync_memory()->proof has moved */
    PEP_ACTION_STATE,    /* pep_sync_memory()->statement or pep_sync_none() has changed */
    PEP_ACTION_ROTATE,   /* rebuild both sockets, on the next endpoint */
    PEP_ACTION_HANGUP,   /* close both sockets; a ROTATE comes before the next question */
    PEP_ACTION_RESUBSCRIBE, /* rebuild the notice socket: it is silent and fetching works */
    PEP_ACTION_DONE,        /* a conversation ended with `code`; `text` says why it failed */
    PEP_ACTION_LOG,         /* syslog level in `code` */
};
struct pep_sync_action {
    enum pep_sync_action_kind kind;
    int code;
    char text[PEP_ERROR_TEXT];
};

struct pep_sync;

/* Takes root (the newest verified one), and running and fallback (NULL, or verified and active
 * already), also on failure. Errors: EINVAL, ENOMEM. */
int pep_sync_new(const struct pep_sync_options *options, struct pep_root *root,
                 struct pep_bundle *running, struct pep_bundle *fallback,
                 const struct pep_memory *memory, struct pep_sync **ret);
void pep_sync_free(struct pep_sync *s);

void pep_sync_step(struct pep_sync *s, const struct pep_sync_event *event, struct pep_moment now);
/* The next thing to do, in order; false when there is none. */
bool pep_sync_next(struct pep_sync *s, struct pep_sync_action *ret);
/* When (boot time) a TICK is due. */
int64_t pep_sync_deadline(const struct pep_sync *s);

/* Borrowed until the next step. */
const struct pep_fetch *pep_sync_fetch(const struct pep_sync *s);
const struct pep_want *pep_sync_want(const struct pep_sync *s);
const struct pep_bundle *pep_sync_incoming(const struct pep_sync *s);
const struct pep_bundle *pep_sync_running(const struct pep_sync *s);  /* NULL: none */
const struct pep_bundle *pep_sync_fallback(const struct pep_sync *s); /* the final bundle beside a
                                                                         provisional running one */
struct pep_moment pep_sync_asked(const struct pep_sync *s); /* when the last question was made */
const struct pep_memory *pep_sync_memory(const struct pep_sync *s);
const struct pep_root *pep_sync_root(const struct pep_sync *s);
/* Root documents followed since pep_sync_new(), oldest first, for the cache. */
size_t pep_sync_root_count(const struct pep_sync *s);
struct pep_span pep_sync_root_envelope(const struct pep_sync *s, size_t i);
const struct pep_feeds *pep_sync_feeds(const struct pep_sync *s);
enum pep_sync_phase pep_sync_phase(const struct pep_sync *s);
bool pep_sync_none(const struct pep_sync *s); /* the server has nothing for this client */

#endif
