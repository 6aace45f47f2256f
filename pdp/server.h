/*
 * One running server: its parts, in the order in which a message meets them. main.c builds it,
 * pdp/net feeds it with messages, everything runs on the server's one thread but the ZAP handler
 * (registry_admits), the review of pushes (review.h) and HTTP (metrics and health).
 *
 *     operator --push--> operate -> review (verify, compile) -> publisher -> store, then notice
 *     a new head ------> relay (its issuers' keys) -> publisher, notice
 *     client   --fetch-> fetch -> fleet (its report), publisher (its answer)
 *     stranger --enrol-> enrol -> store, registry
 *     operator --revoke-> operate -> store, registry -> eviction -> pdp/net cuts the connections
 */
#ifndef PDP_SERVER_H
#define PDP_SERVER_H

#include "config.h"
#include "feeds.h"
#include "metrics.h"
#include "publisher.h"
#include "registry.h"
#include "relay.h"
#include "roots.h"
#include "store.h"

struct review;
struct limiter;

/* What /readyz asks. */
struct health {
    atomic_bool store, zap, root;
};

/* Where an operator's answer goes: its connection and its request. */
#define ROUTE_SIZE                                                                 \
    5 /* a routing id that libzmq made itself; ids that clients choose are refused \
       */
struct ticket {
    uint8_t route[ROUTE_SIZE];
    uint8_t nonce[PEP_NONCE_SIZE];
    char actor[PEP_NAME_MAX + 1];
};
struct late_answer {
    uint8_t route[ROUTE_SIZE];
    struct message message;
    struct late_answer *next;
};

/* Somebody whose connections have to be cut, and who waits for that. */
struct evicted {
    char user_id[REGISTRY_USER_ID];
    struct pep_buffer statement; /* signed; empty for operators */
};
struct eviction {
    bool operators; /* operators, not clients */
    struct evicted *who;
    size_t count;
    struct ticket ticket;
    json_t *answer; /* gets `cut`, then goes to the ticket */
    struct eviction *next;
};

struct server {
    struct config config;
    struct store *store;
    struct registry *registry;
    struct roots *roots;
    struct revoked *revoked;
    struct feeds feeds;
    struct relay *relay;
    struct publisher *publisher;
    struct review *review;
    struct limiter *enrol_limiter;
    struct pep_private_key *beacon;
    char curve_public[STORE_KEY_TEXT], curve_secret[STORE_KEY_TEXT];
    struct metrics metrics;
    struct health health;
    struct late_answer *late;   /* taken by pdp/net after each step */
    struct eviction *evictions; /* the same */
};

/* Unix time. */
int64_t server_now_ms(void);
/* What clients and operators connect to: "tcp://HOST:PORT". */
void server_endpoint(const struct server *s, enum port port, char out[PEP_ENDPOINT_MAX + 1]);
/* Notes whether a store write worked, for /readyz, and counts failures. Returns `rc`. */
int server_stored(struct server *s, int rc);
/* A signed statement about a client's state, to be sent to it. 0 or PEP_ENOMEM. */
int server_statement(const struct server *s, const struct client *client, int64_t now_ms,
                     struct pep_buffer *out);
/* The bundle's head is another one: its relayed issuers are followed from now on. */
void server_relay(struct server *s, const struct topic *topic);
/* The reason why this server is not ready, or NULL. Safe from any thread. */
const char *server_not_ready(const struct server *s);

#endif
