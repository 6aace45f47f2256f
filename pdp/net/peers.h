/*
 * Which authenticated connection has which file descriptor, so that a revocation can cut it.
 *
 * libzmq has no call to end one peer's connection; what there is: each message says which
 * descriptor it came by (ZMQ_SRCFD), and shutdown(2) on that ends the connection cleanly. A
 * descriptor may have been closed and given to somebody else meanwhile; so entries end with
 * libzmq's own "disconnected" events, and before a cut the socket must still have the same local
 * port and the same remote address as when it was noted. At worst an innocent client reconnects
 * once. Never close(2): that would crash libzmq.
 */
#ifndef PDP_NET_PEERS_H
#define PDP_NET_PEERS_H

#include "pdp/server.h"

#include <sys/socket.h>

#define PEER_SUBSCRIPTIONS 64 /* of one connection; libpep has one */

struct peer {
    bool used;
    bool cut;
    enum port port;
    char user_id[REGISTRY_USER_ID];
    uint8_t route[ROUTE_SIZE]; /* on ROUTER ports */
    unsigned subscriptions;
    int64_t doomed_ms; /* cut at this time; 0: never */
    struct sockaddr_storage remote;
};
struct peers;

int peers_new(struct metrics *metrics, struct peers **ret);
void peers_free(struct peers *peers);
/* Notes that a message of this user came by this descriptor; *ret_new tells whether that is the
 * first one. NULL without memory or if libzmq named no descriptor. */
struct peer *peers_note(struct peers *peers, enum port port, int fd, const char *user_id,
                        bool *ret_new);
void peers_ended(struct peers *peers, enum port port, int fd);
/* Ends the connection now; true if it was still that peer's. */
bool peers_cut(struct peers *peers, struct peer *peer);
/* Has this connection cut at `at_ms`. */
void peers_doom(struct peers *peers, struct peer *peer, int64_t at_ms);
/* Cuts those whose time has come; the next such time, or 0. */
int64_t peers_cut_doomed(struct peers *peers, int64_t now_ms);
/* The next connection of this user on this port, from *it (start with 0); NULL at the end. */
struct peer *peers_next(struct peers *peers, enum port port, const char *user_id, size_t *it);

#endif
