/*
 * Every connection, from its accept to its end: whose it is, what it holds of our memory, and its
 * file descriptor, so that it can be cut.
 *
 * libzmq has no call to end one peer's connection; what there is: each message says which
 * descriptor it came by (ZMQ_SRCFD), and shutdown(2) on that ends the connection cleanly. A
 * descriptor may have been closed and given to somebody else meanwhile; so entries begin and end
 * with libzmq's own "accepted" and "disconnected" events, and before a cut the socket must still
 * have the same remote address as when it was noted. At worst an innocent client reconnects once.
 * Never close(2): that would crash libzmq.
 *
 * libzmq's high-water marks count whole messages and its size limit counts single parts, so a
 * message of endless parts is bounded by neither: any key could fill the server's memory through
 * the enrol port. Here the kernel's count of a connection's bytes is held against those of the
 * messages that arrived whole; the difference is what libzmq holds for it.
 */
#ifndef PDP_NET_PEERS_H
#define PDP_NET_PEERS_H

#include "pdp/server.h"

#include <sys/socket.h>

#define PEER_SUBSCRIPTIONS 64  /* of one connection; libpep has one */
#define PEER_CONNECTIONS   256 /* of one identity to one port: its processes share it */

struct peer {
    bool used;
    bool cut;
    enum port port;
    char user_id[REGISTRY_USER_ID]; /* empty until a message came, and always on the enrol port */
    uint8_t route[ROUTE_SIZE];      /* on ROUTER ports */
    unsigned subscriptions;
    int64_t since_ms;
    uint64_t taken;    /* bytes of the messages that arrived whole */
    int64_t doomed_ms; /* cut at this time; 0: never */
    struct sockaddr_storage remote;
};
struct peers;

int peers_new(struct metrics *metrics, struct peers **ret);
void peers_free(struct peers *peers);
/* A connection begins, and ends. Times are monotonic milliseconds. */
void peers_accepted(struct peers *peers, enum port port, int fd, int64_t now_ms);
void peers_ended(struct peers *peers, enum port port, int fd);
/* A message of so many bytes arrived whole. */
void peers_took(struct peers *peers, enum port port, int fd, size_t size);
/* Notes that a message of this user came by this descriptor; *ret_new tells whether that is the
 * first one. NULL without memory, if libzmq named no descriptor, or if the user has too many
 * connections: then this one is cut. */
struct peer *peers_note(struct peers *peers, enum port port, int fd, const char *user_id,
                        bool *ret_new);
/* Ends the connection now; true if it was still that peer's. */
bool peers_cut(struct peers *peers, struct peer *peer);
/* Ends those of a port of which nobody knows yet whose they are. */
void peers_cut_nameless(struct peers *peers, enum port port);
/* Has this connection cut at `at_ms`. */
void peers_doom(struct peers *peers, struct peer *peer, int64_t at_ms);
/* Cuts those whose time has come; the next such time, or 0. */
int64_t peers_cut_doomed(struct peers *peers, int64_t now_ms);
/* Now and then: cuts those that hold too much memory, or a place for nothing. The next time. */
int64_t peers_watch(struct peers *peers, int64_t now_ms);
/* The next connection of this user on this port, from *it (start with 0); NULL at the end. */
struct peer *peers_next(struct peers *peers, enum port port, const char *user_id, size_t *it);

#endif
