/*
 * The HTTP port: GET /healthz, /readyz, /metrics. Read-only, on loopback unless told otherwise; it
 * knows counters and health, no policies and no keys.
 */
#ifndef PDP_NET_HTTP_H
#define PDP_NET_HTTP_H

#include "loop.h"

#include <event2/event.h>

struct http;

/* Serves on the base's thread. */
int http_open(struct event_base *base, struct loop *loop, struct http **ret, struct pep_error *err);
void http_close(struct http *http);

#endif
