/* What is said of relayed keys: to clients (KEYS), to operators (status, log, gauges). Of a document
 * only counts and ages are told; the rest of it goes to clients alone. See relay.h. */
#include "relay_inside.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX (PEP_KEYS_ISSUERS * (PEP_JWKS_MAX + 64) + 512)

static const char *const state_names[] = {
    [ENTRY_WAITING] = "waiting", [ENTRY_GOOD] = "good",     [ENTRY_FAILING] = "failing",
    [ENTRY_EXPIRED] = "expired", [ENTRY_ABSENT] = "absent",
};
#define STATES (sizeof(state_names) / sizeof(state_names[0]))

static bool is_pinned(const struct entry *e)
{
    return e->issuer->key_thumbprints.count > 0;
}

static const char *error_of(const struct entry *e)
{
    return e->error[0] != '\0' ? e->error : e->source->error;
}

enum entry_state entry_state(const struct entry *e, struct relay_time now)
{
    bool trouble = error_of(e)[0] != '\0';
    if (e->good == NULL)
        return trouble ? ENTRY_ABSENT : ENTRY_WAITING;
    if (!is_pinned(e) && entry_age(e, now) >= e->issuer->keys_max_age * 1000)
        return ENTRY_EXPIRED;
    return trouble ? ENTRY_FAILING : ENTRY_GOOD;
}

/* ---- KEYS ---- */

bool relay_has(const struct relay *r, const struct pep_feed *feed)
{
    const struct holding *h = relay_holding(r, feed->bundle);
    return h != NULL && h->seq != 0 && (h->seq > feed->keys || feed->look != 0);
}

static void fill(struct pep_keys *m, const struct holding *h, const struct pep_feed *feed,
                 struct relay_time now)
{
    memset(m, 0, sizeof(*m));
    memcpy(m->nonce, feed->nonce, sizeof(m->nonce));
    memcpy(m->bundle, h->bundle, sizeof(m->bundle));
    m->seq = h->seq;
    m->issued_at = now.wall;
    for (size_t i = 0; i < h->count; i++) {
        const struct entry *e = &h->entries[i];
        if (e->good == NULL)
            continue;
        struct pep_relayed_keys *k = &m->issuers[m->count++];
        memcpy(k->issuer, e->hash, sizeof(k->issuer));
        k->fetched_at = now.wall - entry_age(e, now);
        k->jwks = pep_span_of(e->good->bytes, e->good->size);
    }
}

int relay_write(const struct relay *r, const struct pep_feed *feed, struct relay_time now,
                struct pep_buffer *out)
{
    const struct holding *h = relay_holding(r, feed->bundle);
    if (h == NULL || h->seq == 0)
        return PEP_ENOTFOUND;
    struct pep_keys *m = malloc(sizeof(*m));
    if (m == NULL)
        return PEP_ENOMEM;
    struct pep_buffer body = pep_buffer_of(KEYS_MAX);
    fill(m, h, feed, now);
    pep_keys_write(m, &body);
    int rc = body.failed
                 ? PEP_ENOMEM
                 : pep_compact_sign(PEP_TYPE_KEYS, pep_buffer_span(&body), r->parts.beacon, out);
    pep_buffer_free(&body);
    free(m);
    return rc;
}

/* ---- log and gauges ---- */

static void tell(const struct holding *h, const struct entry *e, struct relay_time now)
{
    const char *name = e->issuer->name;
    long long age = (long long)entry_age(e, now) / 1000, max = (long long)e->issuer->keys_max_age;
    switch (e->state) {
    case ENTRY_GOOD:
        log_info("keys of %s for %s: all is well, %zu keys", name, h->bundle, e->keys);
        break;
    case ENTRY_FAILING:
        log_warning("keys of %s for %s cannot be renewed from %s: %s; those of %lld s ago stay in "
                    "use%s",
                    name, h->bundle, e->source->url, error_of(e), age,
                    is_pinned(e) ? "" : ", until they reach `keys_max_age`");
        break;
    case ENTRY_EXPIRED:
        log_error("keys of %s for %s are %lld s old, `keys_max_age` is %lld: its tokens are refused "
                  "until %s can be fetched again: %s",
                  name, h->bundle, age, max, e->source->url, error_of(e));
        break;
    case ENTRY_ABSENT:
        log_error("keys of %s for %s cannot be fetched from %s: %s; its tokens are refused until "
                  "then",
                  name, h->bundle, e->source->url, error_of(e));
        break;
    case ENTRY_WAITING:
        break;
    }
}

void relay_watch(struct relay *r, struct relay_time now)
{
    static const enum metric gauges[STATES] = {
        [ENTRY_WAITING] = METRIC_RELAYED_WAITING, [ENTRY_GOOD] = METRIC_RELAYED_GOOD,
        [ENTRY_FAILING] = METRIC_RELAYED_FAILING, [ENTRY_EXPIRED] = METRIC_RELAYED_EXPIRED,
        [ENTRY_ABSENT] = METRIC_RELAYED_ABSENT,
    };
    uint64_t counts[STATES] = {0}, oldest = 0;
    for (struct holding *h = r->holdings; h != NULL; h = h->following) {
        for (size_t i = 0; i < h->count; i++) {
            struct entry *e = &h->entries[i];
            enum entry_state state = entry_state(e, now);
            uint64_t age = e->good == NULL ? 0 : (uint64_t)entry_age(e, now) / 1000;
            oldest = age > oldest ? age : oldest;
            counts[state]++;
            if (state == e->state)
                continue;
            e->state = state;
            tell(h, e, now);
        }
    }
    for (size_t i = 0; i < STATES; i++)
        metrics_set(r->parts.metrics, gauges[i], counts[i]);
    metrics_set(r->parts.metrics, METRIC_RELAYED_OLDEST, oldest);
}

/* ---- status ---- */

static json_t *seconds_or_null(bool known, int64_t ms)
{
    return known ? json_integer(ms / 1000) : json_null();
}

static json_t *describe(const struct holding *h, const struct entry *e, struct relay_time now)
{
    const struct source *s = e->source;
    bool has = e->good != NULL;
    int64_t due = s->busy || s->next < now.steady ? 0 : s->next - now.steady;
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:s}", "bundle", h->bundle, "issuer",
        e->issuer->name, "jwks_uri", s->url, "state", state_names[entry_state(e, now)], "pinned",
        is_pinned(e), "keys", (json_int_t)e->keys, "keys_max_age",
        (json_int_t)e->issuer->keys_max_age, "failures", (json_int_t)s->failures, "error",
        error_of(e));
    if (o == NULL)
        return NULL;
    int bad = json_object_set_new(o, "age", seconds_or_null(has, entry_age(e, now)));
    bad |= json_object_set_new(o, "fetched", seconds_or_null(has, now.wall - entry_age(e, now)));
    bad |= json_object_set_new(o, "failed", seconds_or_null(s->failed != 0, s->failed));
    bad |= json_object_set_new(o, "next_try", json_integer((now.wall + due) / 1000));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

int relay_put_status(const struct relay *r, const char *bundle, struct relay_time now,
                     json_t *issuers)
{
    for (const struct holding *h = r->holdings; h != NULL; h = h->following) {
        if (bundle[0] != '\0' && strcmp(bundle, h->bundle) != 0)
            continue;
        for (size_t i = 0; i < h->count; i++) {
            json_t *o = describe(h, &h->entries[i], now);
            if (o == NULL || json_array_append_new(issuers, o) != 0)
                return PEP_ENOMEM;
        }
    }
    return 0;
}
