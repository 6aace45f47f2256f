/*
 * The server's one thread: waits for messages on the four ports, hands them to the rooms of pdp/,
 * sends what comes back, publishes what is due, and cuts who has to go. One file per port beside
 * this.
 */
#ifndef PDP_NET_LOOP_H
#define PDP_NET_LOOP_H

#include "peers.h"
#include "socket.h"

#include "pdp/server.h"

#define LOOP_PORTS 4   /* the ports that serve: all but SELFTEST */
#define LOOP_BATCH 256 /* messages of one port before the others have their turn */

struct pending; /* evict.c: an eviction under way */
struct download;

struct loop {
    struct server *server;
    void *context;
    void *sockets[LOOP_PORTS];
    void *monitors[LOOP_PORTS];
    struct peers *peers;
    struct pending *pending;
    struct download *download; /* relaying.c's */
    int wake; /* eventfd */
    atomic_bool stop, reload;
    atomic_int_fast64_t ticked_ms; /* when the loop last went round, for /healthz */
    int argc;                      /* for a reload */
    char **argv;
};

/* Makes and binds the ports; the ZAP handler must be there. On failure everything is undone. */
int loop_open(struct loop *loop, struct pep_error *err);
void loop_close(struct loop *loop);
/* Runs until loop_stop(). For pthread_create(). */
void *loop_run(void *loop);
/* From any thread: go round once now; end; read the settings again. */
void loop_wake(void *loop);
void loop_stop(struct loop *loop);
void loop_reload(struct loop *loop);

/* ---- the ports ---- */

/* The next message of a port, once all is known about connections that began or ended before it;
 * false if none waits. Cleared by incoming_clear(). */
bool loop_receive(struct loop *loop, enum port port, struct incoming *in);
/* Each reads up to LOOP_BATCH messages. */
void notices_read(struct loop *loop);
void fetches_read(struct loop *loop);
void enrolments_read(struct loop *loop);
void operations_read(struct loop *loop);
/* Publishes every notice that is due. */
void notices_publish(struct loop *loop);
/* Sends what operate.h left in server->late. */
void operations_answer(struct loop *loop);

/* Fetching relayed token keys: before the loop runs; in each round; after its end. */
int relaying_open(struct loop *loop, struct pep_error *err);
void relaying_step(struct loop *loop);
void relaying_close(struct loop *loop);

/* Takes server->evictions on and brings those under way further; the time when it must be called
 * again, or 0. */
int64_t evict_step(struct loop *loop, int64_t now_ms);
void evict_forget(struct loop *loop); /* at the end */
/* A message came from a client that is no longer allowed: tell it why, and cut it soon. */
void evict_late(struct loop *loop, struct peer *peer, const struct client *client, int64_t now_ms);

/* True if the first part is a routing id that libzmq made: five bytes, the first of them zero. */
bool loop_route(const struct incoming *in, struct pep_span *ret);

#endif
