/*
 * Joining: a one-time token's secret against an identity. The client's key is the one that its
 * connection proved, never one from the message. The same key with the same token gets the same
 * answer again, since the first may have been lost; every refusal looks alike to the client, and
 * the log says under its reference which it was.
 */
#ifndef PDP_ENROL_H
#define PDP_ENROL_H

#include "server.h"

struct enrol_peer {
    const char *key;     /* Z85, proved by the handshake */
    const char *address; /* network address, for the rate limit and the log */
};

/* 0 with an answer (ENROLLED or REFUSED) in `out`; or PEP_EFORMAT (drop and count), PEP_ENOMEM. */
int enrol_handle(struct server *s, const struct enrol_peer *peer, struct pep_span frame,
                 int64_t now_ms, struct message *out);

#endif
