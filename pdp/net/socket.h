/*
 * Secured sockets, and multipart messages in and out. One table (socket.c) gives each port its
 * type, limits and options; nothing binds that was not made here, so no port can be without CURVE,
 * a ZAP domain, and the demand that ZAP really answers.
 */
#ifndef PDP_NET_SOCKET_H
#define PDP_NET_SOCKET_H

#include "pdp/message.h"
#include "pdp/registry.h"

#include <zmq.h>

#define PARTS_MAX 4 /* of an incoming message, with the routing id; more is malformed */

/* A server socket of this port, not bound yet. The ZAP handler must be bound before. */
int socket_new(void *context, enum port port, const char *curve_secret, void **ret,
               struct pep_error *err);
int socket_bind(void *socket, const char *host, long port, struct pep_error *err);
/* A PAIR that hears when connections of this socket begin and end. */
int socket_monitor(void *context, void *socket, enum port port, void **ret, struct pep_error *err);
/* The fd of the next connection that began or ended, or -1 if none is left. */
int socket_monitor_read(void *monitor, bool *ret_began);

struct incoming {
    zmq_msg_t parts[PARTS_MAX];
    size_t count;
    bool too_many;
    size_t wire_size; /* of all parts, as they travelled */
};
/* 0; 1 if none is waiting; negative when the context ends. Clear after 0. */
int incoming_receive(void *socket, struct incoming *in);
void incoming_clear(struct incoming *in);
struct pep_span incoming_part(const struct incoming *in, size_t i);
/* Who sent it, as the ZAP handler named it; NULL if nobody was authenticated. The last part is
 * asked: the routing id's part knows nothing in libzmq 4.3.4. */
const char *incoming_user(struct incoming *in);
const char *incoming_address(struct incoming *in); /* network address, never NULL */
int incoming_fd(struct incoming *in);              /* -1 if libzmq does not say */

/* Sends and clears the message; `route` NULL on a socket without routing ids. 0; PEP_EIO if the
 * peer is gone or does not read. Never waits. */
int socket_send(void *socket, const struct pep_span *route, struct message *message);

#endif
