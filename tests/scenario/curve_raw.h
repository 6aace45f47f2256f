/*
 * A CURVE client on a plain TCP socket, for what libzmq's own sockets never do: messages that do
 * not end, frames that are cut, connections that say nothing. ZMTP 3.0 (RFC 23), CurveZMQ (RFC 26).
 */
#ifndef PEP_TESTS_CURVE_RAW_H
#define PEP_TESTS_CURVE_RAW_H

#include "pdpd_kit.h"

struct curve_raw {
    int fd;
    uint64_t nonce;
    uint8_t shared[32]; /* of this session */
};

/* A TCP connection to a port, nothing sent. -1 if it is not accepted. */
int curve_raw_tcp(const struct daemon *d, int port);
/* The handshake of a DEALER with these keys. False if the server hangs up or refuses. */
bool curve_raw_open(const struct daemon *d, int port, const struct peer_keys *keys,
                    struct curve_raw *ret);
/* One part, encrypted; `more` says that another follows. False once the server has hung up. */
bool curve_raw_send(struct curve_raw *c, struct pep_span part, bool more);
/* True if the server has hung up, within `ms`. */
bool curve_raw_closed(int fd, long ms);
void curve_raw_close(struct curve_raw *c);

#endif
