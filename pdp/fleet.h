/*
 * What the services say about themselves: for each client the last report of each of its processes.
 * Kept in memory only; a restart asks nobody, the next fetch of each client fills it again. A
 * report is an untrusted claim by the client that sent it, about that client alone.
 */
#ifndef PDP_FLEET_H
#define PDP_FLEET_H

#include "registry.h"

#define FLEET_REPORTERS                                                       \
    16 /* processes that share one identity; the one silent longest gives way \
        */

#define FLEET_SILENT_MS 120000 /* a process this long silent is gone, if its client has others */

/* Takes the report that came with a fetch at `now_ms` (Unix milliseconds). Errors: ENOMEM. */
int fleet_report(struct client *client, const struct pep_fetch *fetch, int64_t now_ms);
/* How many of this client's processes said after `since_ms` that they hold an older list of revoked
 * tokens than this one. */
size_t fleet_behind(const struct client *client, uint64_t revocations, int64_t since_ms,
                    int64_t now_ms);
void fleet_forget(struct client *client);
/* Appends one object per reporter of this client to a JSON array, as `policyctl status` prints
 * them; a client that never reported is one object with state "UNSEEN". Processes that ended are
 * left out: those silent for FLEET_SILENT_MS, but never the one heard last. 0, or PEP_ENOMEM. */
int fleet_put_status(const struct client *client, int64_t now_ms, json_t *services);

#endif
