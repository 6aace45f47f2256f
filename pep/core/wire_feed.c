/*
 * The messages of wire_feed.h: tables as in wire.c, and lists behind them.
 */
#include "wire_feed.h"

#include "wire_fields.h"

#include <string.h>

#define TIME_MAX_MS ((int64_t)1 << 53)

/* So that nothing that is reckoned from it can overflow. */
static bool is_time(int64_t ms)
{
    return ms >= 0 && ms <= TIME_MAX_MS;
}

static const struct pep_wire_field feed_fields[] = {
    FIELD(K_BYTES, struct pep_feed, nonce),     FIELD(K_NAME, struct pep_feed, bundle),
    FIELD(K_U64, struct pep_feed, revocations), FIELD(K_BYTES, struct pep_feed, revocations_digest),
    FIELD(K_U64, struct pep_feed, keys),        RANGE(K_U8, struct pep_feed, look, 0, 1),
};
static const struct pep_wire_layout feed_layout =
    LAYOUT(PEP_MSG_FEED, struct pep_feed, feed_fields);

static const struct pep_wire_field revoked_fields[] = {
    FIELD(K_BYTES, struct pep_revoked, nonce),
    RANGE(K_U8, struct pep_revoked, kind, PEP_REVOKED_SAME, PEP_REVOKED_NONE),
    RANGE(K_U16, struct pep_revoked, steps, 0, PEP_FEED_STEPS),
    RANGE(K_U8, struct pep_revoked, keys, 0, 1),
};
static const struct pep_wire_layout revoked_layout =
    LAYOUT(PEP_MSG_REVOKED, struct pep_revoked, revoked_fields);

static const struct pep_wire_field keys_fields[] = {
    FIELD(K_BYTES, struct pep_keys, nonce),
    FIELD(K_NAME, struct pep_keys, bundle),
    FIELD(K_U64, struct pep_keys, seq),
    FIELD(K_I64, struct pep_keys, issued_at),
    RANGE(K_U8, struct pep_keys, count, 0, PEP_KEYS_ISSUERS),
};
static const struct pep_wire_layout keys_layout =
    LAYOUT(PEP_MSG_KEYS, struct pep_keys, keys_fields);

PEP_WIRE_PLAIN(revoked)
PEP_WIRE_PLAIN(feed)

void pep_keys_write(const struct pep_keys *m, struct pep_buffer *out)
{
    pep_wire_put(out, &keys_layout, m);
    if (m->count > PEP_KEYS_ISSUERS)
        out->failed = true;
    for (size_t i = 0; i < m->count && !out->failed; i++) {
        const struct pep_relayed_keys *k = &m->issuers[i];
        pep_put_bytes(out, k->issuer, sizeof(k->issuer));
        pep_put_u64(out, (uint64_t)k->fetched_at);
        pep_put_u32(out, (uint32_t)k->jwks.size);
        if (k->jwks.size > PEP_JWKS_MAX)
            out->failed = true;
        else
            pep_put_span(out, k->jwks);
    }
}

int pep_keys_read(struct pep_span body, struct pep_keys *ret)
{
    struct pep_cursor c = pep_cursor_of(body);
    struct pep_keys m;
    pep_wire_get(&c, &keys_layout, &m);
    pep_wire_need(&c, is_time(m.issued_at));
    for (size_t i = 0; i < m.count && !c.failed; i++) {
        struct pep_relayed_keys *k = &m.issuers[i];
        pep_get_copy(&c, k->issuer, sizeof(k->issuer));
        k->fetched_at = (int64_t)pep_get_u64(&c);
        pep_wire_need(&c, is_time(k->fetched_at));
        uint32_t size = pep_get_u32(&c);
        pep_wire_need(&c, size <= PEP_JWKS_MAX);
        k->jwks = pep_get_bytes(&c, size);
    }
    if (!pep_cursor_done(&c))
        return PEP_EFORMAT;
    *ret = m;
    return PEP_OK;
}
