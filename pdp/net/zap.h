/*
 * The ZAP handler (rfc.zeromq.org/spec/27): answers for every handshake of this process whether the
 * key may use the port. On a thread of its own, a look into the registry's memory and nothing else.
 * It must be bound before any port is, and it never ends before the context does.
 */
#ifndef PDP_NET_ZAP_H
#define PDP_NET_ZAP_H

#include "pdp/server.h"

struct zap;

int zap_start(void *context, struct server *server, struct zap **ret, struct pep_error *err);
/* Waits for the thread, which ends when the context is shut down. */
void zap_join(struct zap *zap);

#endif
