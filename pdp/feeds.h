/*
 * What travels beside bundles: revoked tokens and relayed token keys.
 *
 * Notices and answers name how far it has come for a bundle (feeds_of); a FEED is answered with
 * what the client lacks (feeds_answer): one message, whose last frame may be a KEYS.
 */
#ifndef PDP_FEEDS_H
#define PDP_FEEDS_H

#include "message.h"
#include "metrics.h"
#include "relay.h"
#include "revoked.h"

#include "pep/core/wire_feed.h"

struct feeds {
    struct revoked *revoked; /* borrowed */
    struct relay *relay;     /* borrowed */
    struct metrics *metrics; /* borrowed */
    int64_t warned_ms;       /* when a client ahead of this server was last reported */
};

/* How far it has come for this bundle's clients. */
void feeds_of(const struct feeds *feeds, const char *bundle, struct pep_feeds *ret);
/* Writes the answer to a FEED of a client in scope, as the frames of one message; if a token named a
 * key that it does not know, looks for new ones. Errors: ENOMEM. */
int feeds_answer(struct feeds *feeds, const struct pep_feed *question, struct message *out);
/* The answer to one that is out of scope. */
int feeds_nothing(struct feeds *feeds, const struct pep_feed *question, struct message *out);
/* A client that has seen steps which this server does not know says that the server was restored
 * from a backup: reported at most once a minute. */
void feeds_watch(struct feeds *feeds, const struct pep_feed *question, const char *client,
                 int64_t now_ms);

#endif
