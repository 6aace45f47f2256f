/*
 * Which issuers are relayed: the bundles' heads say so. See relay.h.
 *
 * A new head changes the table of its bundle as a whole: the new one is built beside the old one,
 * takes over what is still right (the same issuer at the same address, and keys that the new entry
 * can use), and then the old one goes. An issuer that moved to another address keeps nothing: whoever
 * signed the policy no longer trusts the old one.
 */
#include "relay_inside.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int relay_open(const struct relay_parts *parts, struct relay **ret, struct pep_error *err)
{
    struct relay *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    r->parts = *parts;
    int rc = store_relay_stamp(parts->store, &r->stamp, err);
    if (rc != 0) {
        free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

static void entries_free(struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        document_free(entries[i].good);
    free(entries);
}

static void holding_free(struct holding *h)
{
    if (h == NULL)
        return;
    entries_free(h->entries, h->count);
    pep_issuers_free(h->issuers);
    free(h);
}

static void source_free(struct source *s)
{
    document_free(s->latest);
    free(s->url);
    free(s);
}

void relay_close(struct relay *r)
{
    if (r == NULL)
        return;
    for (struct holding *h = r->holdings, *next; h != NULL; h = next) {
        next = h->following;
        holding_free(h);
    }
    for (struct source *s = r->sources, *next; s != NULL; s = next) {
        next = s->following;
        source_free(s);
    }
    free(r);
}

struct holding *relay_holding(const struct relay *r, const char *bundle)
{
    struct holding *h = r->holdings;
    while (h != NULL && strcmp(h->bundle, bundle) != 0)
        h = h->following;
    return h;
}

uint64_t relay_seq(const struct relay *r, const char *bundle)
{
    const struct holding *h = relay_holding(r, bundle);
    return h == NULL ? 0 : h->seq;
}

const char *relay_changed(struct relay *r)
{
    for (struct holding *h = r->holdings; h != NULL; h = h->following) {
        if (h->changed) {
            h->changed = false;
            return h->bundle;
        }
    }
    return NULL;
}

/* ---- sources ---- */

static struct source *source_of(struct relay *r, const char *url)
{
    struct source *s = r->sources;
    while (s != NULL && strcmp(s->url, url) != 0)
        s = s->following;
    if (s != NULL || (s = calloc(1, sizeof(*s))) == NULL)
        return s;
    s->url = strdup(url);
    if (s->url == NULL) {
        free(s);
        return NULL;
    }
    s->id = ++r->ids;
    s->max_age_s = -1;
    s->following = r->sources;
    r->sources = s;
    return s;
}

static void drop_unused_sources(struct relay *r)
{
    for (struct source **at = &r->sources; *at != NULL;) {
        struct source *s = *at;
        if (s->entries > 0) {
            at = &s->following;
            continue;
        }
        *at = s->following;
        source_free(s);
    }
}

/* ---- what an entry begins with ---- */

struct recall {
    struct entry *entry;
    struct relay_time now;
};

/* A row of the store: kept over a restart. */
static int recall_row(void *context, const struct store_relayed *row)
{
    struct recall *c = context;
    struct entry *e = c->entry;
    struct document *d = NULL;
    struct relay_time seen = {row->fetched, c->now.steady - (c->now.wall - row->fetched)};
    if (strcmp(row->url, e->source->url) != 0)
        return 0;
    if (row->fetched > c->now.wall) {
        log_warning("keys of %s: stored at a time that is still to come, so not used; is this "
                    "machine's clock right?",
                    e->issuer->name);
        return 0;
    }
    bool same = document_is(e->source->latest, row->jwks);
    if (same)
        d = document_share(e->source->latest);
    else if (document_new(row->jwks, &d) != 0)
        return PEP_ENOMEM;
    int rc = entry_take(e, d, seen);
    if (rc == 0 && e->source->latest == NULL) {
        e->source->latest = document_share(d);
        e->source->seen = seen;
        snprintf(e->source->etag, sizeof(e->source->etag), "%s", row->etag);
    }
    document_free(d);
    return rc == PEP_ENOMEM ? rc : 0;
}

static const struct entry *find_before(const struct holding *before, const struct entry *e)
{
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        const struct entry *old = &before->entries[i];
        if (old->source == e->source && strcmp(old->issuer->name, e->issuer->name) == 0)
            return old;
    }
    return NULL;
}

/* The keys of this entry's predecessor, or those that another bundle's entry has of this address,
 * or those in the store: the first that this policy can use. */
static int begin_entry(struct relay *r, const struct holding *before, const char *bundle,
                       struct entry *e, struct relay_time now)
{
    const struct entry *old = find_before(before, e);
    struct source *s = e->source;
    if (old != NULL)
        e->state = old->state;
    if (old != NULL && old->good != NULL && entry_take(e, old->good, old->seen) == 0)
        return 0;
    if (s->latest != NULL && entry_take(e, s->latest, s->seen) == 0)
        return 0;
    struct recall recall = {e, now};
    struct pep_error err = PEP_ERROR_INIT;
    int rc = old != NULL ? 0
                         : store_get_relayed(r->parts.store, bundle, e->issuer->name, recall_row,
                                             &recall, &err);
    if (rc != 0 && rc != PEP_ENOMEM) {
        log_error("keys of %s: cannot be read from the store (%s); they are fetched again",
                  e->issuer->name, pep_error_text(&err));
        rc = 0;
    }
    if (e->good == NULL)
        s->next = 0; /* at once */
    return rc;
}

static bool is_relayed(const struct pep_issuer *issuer)
{
    return issuer->keys == NULL && issuer->jwks_uri != NULL;
}

static int fill(struct relay *r, struct holding *h, const struct holding *before,
                struct relay_time now)
{
    for (size_t i = 0; i < pep_issuers_count(h->issuers); i++) {
        const struct pep_issuer *issuer = pep_issuers_at(h->issuers, i);
        if (!is_relayed(issuer))
            continue;
        if (h->count == PEP_KEYS_ISSUERS) {
            log_error("%s: more than %d relayed issuers; the keys of %s are not fetched", h->bundle,
                      PEP_KEYS_ISSUERS, issuer->name);
            continue;
        }
        struct entry *e = &h->entries[h->count];
        e->issuer = issuer;
        e->source = source_of(r, issuer->jwks_uri);
        if (e->source == NULL || pep_sha256(pep_span_string(issuer->name), e->hash) != 0)
            return PEP_ENOMEM;
        h->count++;
        int rc = begin_entry(r, before, h->bundle, e, now);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- a new head ---- */

static int holding_new(const char *bundle, struct pep_span issuers, struct holding **ret,
                       struct pep_error *err)
{
    struct holding *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    snprintf(h->bundle, sizeof(h->bundle), "%s", bundle);
    int rc = pep_issuers_read(issuers, "issuers.json", &h->issuers, NULL, err);
    if (rc == 0 && (h->entries = calloc(PEP_KEYS_ISSUERS, sizeof(*h->entries))) == NULL)
        rc = pep_error_set(err, PEP_ENOMEM, "no memory");
    if (rc != 0) {
        holding_free(h);
        return rc;
    }
    *ret = h;
    return 0;
}

static void count_entries(struct holding *h, bool more)
{
    for (size_t i = 0; h != NULL && i < h->count; i++)
        h->entries[i].source->entries += more ? 1 : (size_t)-1;
}

/* Keys of issuers that are no longer relayed need not be kept. */
static void forget_gone(struct relay *r, const struct holding *before, const struct holding *after)
{
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        const char *name = before->entries[i].issuer->name;
        bool stays = false;
        for (size_t k = 0; k < after->count; k++)
            stays |= strcmp(after->entries[k].issuer->name, name) == 0;
        if (!stays && store_forget_relayed(r->parts.store, before->bundle, name, NULL) != 0)
            log_warning("keys of %s, no longer used, stay in the store", name);
    }
}

/* A number for what this bundle's clients should hold now; 0 if that is nothing. */
static void number(struct relay *r, struct holding *h, struct relay_time now)
{
    struct pep_error err = PEP_ERROR_INIT;
    bool any = false;
    for (size_t i = 0; i < h->count; i++)
        any |= h->entries[i].good != NULL;
    if (!any)
        return;
    h->seq = relay_stamp(r, now);
    if (store_put_relayed(r->parts.store, NULL, 0, r->stamp, &err) != 0)
        log_warning("relayed keys: their number could not be stored: %s", pep_error_text(&err));
}

int relay_policy(struct relay *r, const char *bundle, struct pep_span issuers,
                 struct relay_time now, struct pep_error *err)
{
    struct holding *h = NULL, **at = &r->holdings;
    while (*at != NULL && strcmp((*at)->bundle, bundle) != 0)
        at = &(*at)->following;
    struct holding *before = *at;
    int rc = holding_new(bundle, issuers, &h, err);
    if (rc == 0)
        rc = fill(r, h, before, now);
    if (rc != 0) {
        holding_free(h);
        drop_unused_sources(r);
        return pep_error_set(err, rc, "%s", pep_strerror(rc));
    }
    count_entries(h, true);
    count_entries(before, false);
    forget_gone(r, before, h);
    h->changed = true;
    h->following = before == NULL ? NULL : before->following;
    *at = h;
    holding_free(before);
    drop_unused_sources(r);
    number(r, h, now);
    relay_watch(r, now);
    return 0;
}
