/* Reports to status: see fleet.h. */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES (PEP_CLOSED + 1)

struct report {
    uint8_t reporter[PEP_REPORTER_SIZE];
    int64_t seen_ms;
    struct pep_head have, rejected;
    uint8_t state;
    uint64_t age_ms;
    uint64_t revocations;
    char reason[PEP_REASON_TEXT + 1];
    char library[32];
};
struct fleet_reports { /* most clients have one process: grown one by one */
    size_t count;
    struct report items[];
};

/* The reporter's own slot, or the one silent longest among as many as there may be, or NULL. */
static struct report *find_slot(struct fleet_reports *all, const uint8_t *reporter)
{
    struct report *oldest = NULL;
    for (size_t i = 0; all != NULL && i < all->count; i++) {
        struct report *r = &all->items[i];
        if (memcmp(r->reporter, reporter, PEP_REPORTER_SIZE) == 0)
            return r;
        if (oldest == NULL || r->seen_ms < oldest->seen_ms)
            oldest = r;
    }
    return all != NULL && all->count == FLEET_REPORTERS ? oldest : NULL;
}

static struct report *new_slot(struct client *client)
{
    size_t count = client->reports == NULL ? 0 : client->reports->count;
    struct fleet_reports *all =
        realloc(client->reports, sizeof(*all) + (count + 1) * sizeof(all->items[0]));
    if (all == NULL)
        return NULL;
    all->count = count + 1;
    client->reports = all;
    return &all->items[count];
}

int fleet_report(struct client *client, const struct pep_fetch *f, int64_t now_ms)
{
    struct report *r = find_slot(client->reports, f->reporter);
    if (r == NULL && (r = new_slot(client)) == NULL)
        return PEP_ENOMEM;
    memcpy(r->reporter, f->reporter, sizeof(r->reporter));
    r->seen_ms = now_ms;
    r->have = f->have;
    r->rejected = f->rejected;
    r->state = f->state;
    r->age_ms = f->age_ms;
    r->revocations = f->revocations;
    snprintf(r->reason, sizeof(r->reason), "%s", f->reason);
    snprintf(r->library, sizeof(r->library), "%s", f->library);
    return 0;
}

void fleet_forget(struct client *client)
{
    free(client->reports);
    client->reports = NULL;
}

/* What a report says, or nothing known. The registry's word goes before the client's. */
static const char *state_of(const struct client *client, const struct report *r)
{
    if (client->state == CLIENT_REVOKED)
        return "REVOKED";
    if (client->state == CLIENT_SUSPENDED)
        return "SUSPENDED";
    return r == NULL ? "UNSEEN" : pep_state_name(r->state < STATES ? r->state : PEP_EMPTY);
}

static json_t *describe(const struct client *client, const struct report *r, int64_t now_ms)
{
    static const struct pep_head none;
    const struct pep_head *have = r == NULL ? &none : &r->have;
    char digest[PEP_DIGEST_TEXT] = "";
    if (have->version != 0)
        pep_digest_text(have->digest, digest);
    /* What the client said, plus the time since it said it: it has not been proved current since.
     */
    int64_t silent = r == NULL || r->seen_ms > now_ms ? 0 : now_ms - r->seen_ms;
    json_t *o =
        json_pack("{s:s, s:i, s:s, s:s, s:I, s:I, s:s, s:s, s:o, s:s, s:O}", "name",
                  client->service, "instance", (int)client->instance, "client", client->id,
                  "bundle", client->bundle, "epoch", (json_int_t)have->epoch, "version",
                  (json_int_t)have->version, "digest", digest, "state", state_of(client, r),
                  "revocations", r == NULL ? json_null() : json_integer((json_int_t)r->revocations),
                  "reason", r == NULL ? "" : r->reason, "labels", client->labels);
    if (o == NULL)
        return NULL;
    int bad = 0;
    if (r == NULL) {
        bad |= json_object_set_new(o, "age_ms", json_null());
        bad |= json_object_set_new(o, "last_seen", json_null());
    } else {
        char reporter[2 * PEP_REPORTER_SIZE + 1];
        pep_hex_encode(r->reporter, PEP_REPORTER_SIZE, reporter);
        bad |= json_object_set_new(o, "age_ms", json_integer((json_int_t)r->age_ms + silent));
        bad |= json_object_set_new(o, "last_seen", json_integer(r->seen_ms / 1000));
        bad |= json_object_set_new(o, "rejected", json_integer((json_int_t)r->rejected.version));
        bad |= json_object_set_new(o, "reporter", json_string(reporter));
        bad |= json_object_set_new(o, "library", json_string(r->library));
    }
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

/* Whether this process counts: see fleet_put_status(). */
static bool is_alive(const struct report *r, int64_t latest, int64_t now_ms)
{
    return r->seen_ms >= latest || now_ms - r->seen_ms <= FLEET_SILENT_MS;
}

static int64_t latest_of(const struct fleet_reports *all)
{
    int64_t latest = INT64_MIN;
    for (size_t i = 0; all != NULL && i < all->count; i++) {
        if (all->items[i].seen_ms > latest)
            latest = all->items[i].seen_ms;
    }
    return latest;
}

size_t fleet_behind(const struct client *client, uint64_t revocations, int64_t since_ms,
                    int64_t now_ms)
{
    const struct fleet_reports *all = client->reports;
    int64_t latest = latest_of(all);
    size_t n = 0;
    for (size_t i = 0; all != NULL && i < all->count; i++) {
        const struct report *r = &all->items[i];
        n += r->revocations < revocations && r->seen_ms > since_ms && is_alive(r, latest, now_ms);
    }
    return n;
}

int fleet_put_status(const struct client *client, int64_t now_ms, json_t *services)
{
    size_t count = client->reports == NULL ? 0 : client->reports->count;
    if (count == 0)
        return json_array_append_new(services, describe(client, NULL, now_ms)) == 0 ? 0
                                                                                    : PEP_ENOMEM;
    int64_t latest = latest_of(client->reports);
    for (size_t i = 0; i < count; i++) {
        const struct report *r = &client->reports->items[i];
        if (!is_alive(r, latest, now_ms))
            continue;
        json_t *o = describe(client, r, now_ms);
        if (json_array_append_new(services, o) != 0)
            return PEP_ENOMEM;
    }
    return 0;
}
