/*
 * The fetch port's messages: FETCH, WANT and FEED of an authenticated client. Out of scope, unknown and
 * unpublished bundles all get the same answer, "nothing for you".
 */
#ifndef PDP_FETCH_H
#define PDP_FETCH_H

#include "server.h"

/* `client` is who the connection was authenticated as, and active. The answers are appended to
 * `out`. 0, or PEP_EFORMAT (drop and count), PEP_ELIMIT (over its limit: drop and count),
 * PEP_ENOMEM, PEP_EIO. */
int fetch_handle(struct server *s, struct client *client, struct pep_span frame, int64_t now_ms,
                 struct outbox *out);

#endif
