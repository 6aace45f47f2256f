/*
 * What each bundle's clients should run, and the signed words that say so: notices (at once on
 * publish, and every second as the beacon) and answers to fetches.
 *
 * A topic is one bundle's head with all its files in memory; it is at most 8 MiB, and a restart
 * herd is served without touching the disk. Sequence numbers are reserved in the store in blocks
 * ahead of use, so that they never go back, whenever the process dies.
 */
#ifndef PDP_PUBLISHER_H
#define PDP_PUBLISHER_H

#include "feeds.h"
#include "message.h"
#include "metrics.h"
#include "roots.h"

#include "pep/core/sign.h"
#include "pep/core/wire.h"

#define PUBLISHER_CHANNEL "main"

struct topic;
struct publisher;

struct publisher_parts { /* all borrowed, and must outlive the publisher */
    struct store *store;
    const struct roots *roots;
    const struct feeds *feeds;
    const struct pep_private_key *beacon;
    struct metrics *metrics;
};

/* Loads every bundle's head. Errors: as the store's; EFORMAT if content does not match its hash. */
int publisher_open(const struct publisher_parts *parts, struct publisher **ret,
                   struct pep_error *err);
void publisher_close(struct publisher *p);

/* Makes a verified bundle the head: in memory, then in the store with `row` and `audit`, then due
 * for its notice. Nothing has changed on failure. `row->manifest` and digest are taken from the
 * bundle. */
int publisher_publish(struct publisher *p, const struct pep_bundle *bundle,
                      struct store_version *row, const struct store_audit *audit,
                      struct pep_error *err);

/* ---- heads ---- */
struct topic *publisher_topic(const struct publisher *p, const char *bundle); /* NULL: no version */
struct topic *publisher_first(const struct publisher *p);
struct topic *topic_next(const struct topic *topic);
const char *topic_name(const struct topic *topic);
const struct pep_head *topic_head(const struct topic *topic);
struct pep_span topic_manifest(const struct topic *topic); /* envelope */
/* The head's file of this path; empty if it has none. Errors: EFORMAT, ENOMEM. */
int topic_path(const struct topic *topic, const char *path, struct pep_span *ret,
               struct pep_error *err);

/* ---- words ---- */

/* This bundle becomes due for a notice. */
void publisher_due(struct publisher *p, const char *bundle);
/* Every topic becomes due for a notice: called each second. */
void publisher_beacon(struct publisher *p);
/* Writes the notice of a topic that is due, as the frames of one message, and clears that; false if
 * none is due. A notice that cannot be made (no memory, store) is left to the next beacon. */
bool publisher_notice(struct publisher *p, int64_t now_ms, struct message *out);
/* Writes the answer to a fetch: about `topic`, or "nothing for you" if that is NULL. Errors:
 * ENOMEM, and the store's. */
int publisher_answer(struct publisher *p, struct topic *topic, const struct pep_fetch *fetch,
                     int64_t now_ms, struct message *out);
/* The bytes of a file of the head, or of the head before it; empty if there is none. */
struct pep_span topic_file(const struct topic *topic, const uint8_t hash[PEP_SHA256_SIZE]);

#endif
