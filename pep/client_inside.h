/*
 * The inside of the network side, shared by its files: client.c (life and loop), client_act.c (what
 * the state machine asks for), client_socket.c (sockets, monitors, messages), client_enrol.c
 * (joining). These are libpep's only users of ZeroMQ.
 */
#ifndef PEP_CLIENT_INSIDE_H
#define PEP_CLIENT_INSIDE_H

#include "pep/feeding.h"
#include "pep/handle.h"
#include "pep/identity.h"
#include "pep/sync.h"

/* ---- one connection and its monitor (client_socket.c) ---- */

struct pep_link {
    void *socket;   /* NULL: none */
    void *monitor;  /* PAIR end of the socket's monitor */
    int fd;         /* of the connection, as libzmq's events tell; -1: none */
    uint64_t taken; /* bytes of the parts that it brought */
    uint64_t most;  /* that may come without making a whole message */
};

struct pep_link_options {
    int type; /* ZMQ_SUB, ZMQ_DEALER */
    const char *endpoint;
    const char *server_key;
    const struct pep_curve_key *key;
    int64_t max_frame; /* larger ones end the connection */
    const char *topic; /* ZMQ_SUB: with its NUL; or NULL */
};

/* True if the other side sends a message that does not end. For every 100 ms or so. */
bool pep_link_overfull(struct pep_link *link);

enum pep_link_news { PEP_LINK_NOTHING, PEP_LINK_UP, PEP_LINK_DOWN, PEP_LINK_REFUSED };

/* Errors: EIO with the reason. */
int pep_link_open(void *context, const struct pep_link_options *options, struct pep_link *ret,
                  struct pep_error *err);
void pep_link_close(struct pep_link *link);
/* The next news of the monitor; NOTHING when there is none. */
enum pep_link_news pep_link_news(struct pep_link *link);

/* One multipart message. Bounded: a server cannot make a client hold more than that. */
#define PEP_FRAMES_MAX  (2 + PEP_ROOT_CHAIN + PEP_BUNDLE_FILES)
#define PEP_RECEIVE_MAX (16 * 1024 * 1024)
struct pep_frames {
    struct pep_span *spans;
    size_t count;
    void *messages; /* the zmq_msg_t that own the bytes */
    size_t capacity;
};
/* PEP_OK; PEP_ENOTFOUND: none is waiting; PEP_ELIMIT: over the bounds, dropped; PEP_ENOMEM. */
int pep_link_receive(struct pep_link *link, struct pep_frames *frames);
void pep_frames_clear(struct pep_frames *frames);
void pep_frames_free(struct pep_frames *frames);
/* One frame, without waiting. PEP_OK, or PEP_ETIMEDOUT: not now. */
int pep_link_send(struct pep_link *link, struct pep_span frame);

/* ---- the client ---- */

struct pep_client {
    struct pep *p;
    struct pep_identity *id; /* NULL: still to be enrolled */
    struct pep_sync *sync;   /* NULL as long as id */
    void *context;
    struct pep_link notices, fetch;
    struct pep_frames frames;
    size_t endpoint, server;     /* which of the several are in use */
    struct pep_feeding *feeding; /* NULL as long as id */
    struct pep_buffer question;  /* a FEED that waits for the fetch connection */
    int64_t fed_at;              /* boot time: when the handle was last given what has come */
    unsigned unkept;             /* PEP_FED_*: what of it is not on disk yet */
    int64_t keep_at;             /* boot time: when to try that again */
    struct pep_buffer outgoing;  /* the one frame that waits for the fetch connection */
    struct pep_buffer roots;     /* text of the cache's root chain */
    size_t roots_taken;          /* of those that the sync machine followed */
    bool held;                  /* a policy waits for the list of revoked tokens */
    int64_t held_until;         /* boot time */
    uint64_t refresh;            /* pep_refresh() that the running conversation answers; 0: none */
};

/* Hands an event to the state machine and does what it asks for. */
void pep_client_step(struct pep_client *c, const struct pep_sync_event *event);
/* What came beside bundles: asks for more, hands what is new to the handle, keeps it on disk. */
void pep_client_feed(struct pep_client *c);
/* Puts a policy into force that waited for the list of revoked tokens, once it is there or late. */
void pep_client_release(struct pep_client *c);
/* Both sockets anew. Failures are reported and tried again by the state machine's time-outs. */
void pep_client_connect(struct pep_client *c);
void pep_client_disconnect(struct pep_client *c);
/* Proof, roots and statement to disk. */
void pep_client_save(struct pep_client *c, bool changed);
/* Pairs of keys: only ZeroMQ knows how. */
int pep_curve_key_new(struct pep_curve_key *ret);
bool pep_curve_key_fits(const struct pep_curve_key *key);

/* ---- joining (client_enrol.c); enrol.c has the order of things ---- */

/* Asks each endpoint of the token in turn until one answers. On success *ret_roots are the frames
 * of root envelopes, in `frames`. Errors: EDENIED, ETIMEDOUT, EFORMAT, EIO, ENOMEM. `stop` may be
 * NULL. */
int pep_enrol_ask(const struct pep_enrol_token *token, const struct pep_curve_key *key,
                  uint32_t timeout_ms, const atomic_bool *stop, struct pep_enrolled *ret,
                  struct pep_frames *frames, struct pep_error *err);
/* pep_enrol() that gives up when `stop` becomes true. */
int pep_enrol_until(const char *token, const char *folder, uint32_t timeout_ms,
                    const atomic_bool *stop, struct pep_error *err);

#endif
