/*
 * What of a message is true: roots, answers, manifests, notices, statements. Each function either
 * hands out a fact that a signature vouches for, or an error; a message that fails changes nothing,
 * except that root documents count by themselves, each being signed by the one before.
 */
#include "pep/sync_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pep_head pep_manifest_head(const struct pep_manifest *m)
{
    struct pep_head h = {pep_manifest_epoch(m), pep_manifest_version(m), {0}};
    memcpy(h.digest, pep_manifest_digest(m), sizeof(h.digest));
    return h;
}

/* ---- roots ---- */

static int keep_root(struct pep_sync *s, struct pep_span envelope)
{
    struct pep_span *list =
        realloc(s->new_roots, (s->new_root_count + 1) * sizeof(s->new_roots[0]));
    if (list == NULL)
        return PEP_ENOMEM;
    s->new_roots = list;
    uint8_t *copy = malloc(envelope.size);
    if (copy == NULL)
        return PEP_ENOMEM;
    memcpy(copy, envelope.data, envelope.size);
    s->new_roots[s->new_root_count++] = pep_span_of(copy, envelope.size);
    return PEP_OK;
}

/* Frames [from, to) are root envelopes, each the successor of the one before. */
static int follow_roots(struct pep_sync *s, const struct pep_span *frames, size_t from, size_t to,
                        struct pep_error *err)
{
    if (to - from > PEP_ROOT_CHAIN)
        return pep_error_set(err, PEP_ELIMIT, "the server sent %zu root documents", to - from);
    for (size_t i = from; i < to; i++) {
        struct pep_root *next;
        int rc = pep_root_follow(s->root, frames[i], &next, err);
        if (rc == PEP_OK && keep_root(s, frames[i]) != PEP_OK) {
            pep_root_free(next);
            rc = pep_error_set(err, PEP_ENOMEM, "no memory for a root document");
        }
        if (rc != PEP_OK)
            return rc;
        pep_root_free(s->root);
        s->root = next;
    }
    if (to > from)
        pep_sync_emit(s, PEP_ACTION_SAVE, 0, NULL);
    if (pep_root_expired(s->root, s->now.wall_ms / 1000))
        return pep_error_set(err, PEP_EEXPIRED,
                             "root document %u is expired: its owner must sign and upload "
                             "the next one",
                             pep_root_version(s->root));
    return PEP_OK;
}

/* ---- answers ---- */

/* A server whose sequence fell behind what we knew when asking has lost its past; the fresh nonce
 * says that this is nevertheless the truth now. Otherwise notices may have overtaken the answer. */
static void continue_sequence(struct pep_sync *s, const struct pep_answer *a)
{
    struct pep_memory *m = &s->memory;
    bool fell = a->seq < s->seq_at_ask || a->issued_at < s->issued_at_ask;
    if (fell || a->root > m->root || (a->root == m->root && a->seq > m->seq)) {
        m->root = a->root;
        m->seq = a->seq;
        m->issued_at = a->issued_at;
    }
    /* An answer of the same beacon turn was made after it, so knows no less. */
    if (a->root == m->root && a->seq == m->seq)
        s->feeds = a->feeds;
    s->heard_seq = fell || a->seq > s->hint_seq_at_ask ? a->seq : s->hint_seq_at_ask;
    if (fell)
        s->hint_seq = 0;
}

static int hold_against_us(struct pep_sync *s, const struct pep_answer *a, size_t count,
                           struct pep_error *err)
{
    if (strcmp(a->bundle, s->bundle) != 0)
        return pep_error_set(err, PEP_EFORMAT, "the answer is about bundle %s, not %s", a->bundle,
                             s->bundle);
    if (a->root < pep_root_version(s->root))
        return pep_error_set(err, PEP_EROLLBACK,
                             "the server is at root document %u, this client at %u", a->root,
                             pep_root_version(s->root));
    if (a->root > pep_root_version(s->root) || (size_t)a->roots + a->files + 2 != count)
        return pep_error_set(err, PEP_EFORMAT, "the answer is not complete");
    return PEP_OK;
}

int pep_sync_read_answer(struct pep_sync *s, const struct pep_span *frames, size_t count,
                         struct pep_answer *ret, struct pep_error *err)
{
    struct pep_span body;
    struct pep_answer a;
    size_t roots_end = 2;
    if (count < 2)
        return pep_error_set(err, PEP_EFORMAT, "the answer is not complete");
    while (roots_end < count && pep_message_type(frames[roots_end]) != PEP_MSG_FILE)
        roots_end++;
    int rc = follow_roots(s, frames, 2, roots_end, err);
    if (rc != PEP_OK)
        return rc;
    struct pep_signers beacon = pep_root_signers(s->root, PEP_ROLE_BEACON);
    rc = pep_compact_verify(frames[0], PEP_TYPE_ANSWER, &beacon, &body);
    if (rc != PEP_OK)
        return pep_error_set(err, rc,
                             "the server's answer is not signed by a beacon key of root "
                             "document %u",
                             pep_root_version(s->root));
    if (pep_answer_read(body, &a) != PEP_OK)
        return pep_error_set(err, PEP_EFORMAT, "the server's answer is malformed");
    if (memcmp(a.nonce, s->fetch.nonce, sizeof(a.nonce)) != 0)
        return PEP_ENOTFOUND;
    rc = hold_against_us(s, &a, count, err);
    if (rc != PEP_OK)
        return rc;
    s->anchored = true;
    s->anchor = s->asked;
    s->anchor_issued_at = a.issued_at;
    snprintf(s->channel, sizeof(s->channel), "%s", a.channel);
    continue_sequence(s, &a);
    *ret = a;
    return PEP_OK;
}

size_t pep_sync_files_at(const struct pep_answer *answer)
{
    return 2 + (size_t)answer->roots;
}

/* ---- manifests ---- */

static int hold_against_floor(const struct pep_sync *s, const struct pep_answer *a,
                              struct pep_error *err)
{
    const struct pep_head *floor = &s->memory.floor, *h = &a->head;
    struct pep_head mine = pep_sync_head(s);
    int order = pep_version_compare(h->epoch, h->version, floor->epoch, floor->version);
    if (order < 0)
        return pep_error_set(err, PEP_EROLLBACK, "version %llu is below %llu, which ran here",
                             (unsigned long long)h->version, (unsigned long long)floor->version);
    if (h->version < a->floor)
        return pep_error_set(err, PEP_EROLLBACK, "version %llu is below the server's floor %llu",
                             (unsigned long long)h->version, (unsigned long long)a->floor);
    bool other = order == 0 && memcmp(h->digest, floor->digest, sizeof(h->digest)) != 0;
    other |= h->epoch == mine.epoch && h->version == mine.version &&
             memcmp(h->digest, mine.digest, sizeof(h->digest)) != 0;
    if (other)
        return pep_error_set(err, PEP_EROLLBACK, "version %llu exists twice with other content",
                             (unsigned long long)h->version);
    return PEP_OK;
}

static int hold_against_answer(const struct pep_sync *s, const struct pep_manifest *m,
                               const struct pep_answer *a, struct pep_error *err)
{
    struct pep_head h = pep_manifest_head(m);
    if (strcmp(pep_manifest_name(m), s->bundle) != 0)
        return pep_error_set(err, PEP_EFORMAT, "the manifest is of bundle %s, not %s",
                             pep_manifest_name(m), s->bundle);
    if (!pep_head_equal(&h, &a->head))
        return pep_error_set(err, PEP_EFORMAT, "the manifest is not the one that was assigned");
    if (pep_manifest_expired(m, s->now.wall_ms / 1000))
        return pep_error_set(err, PEP_EEXPIRED, "version %llu is expired: push a new one",
                             (unsigned long long)h.version);
    return PEP_OK;
}

int pep_sync_read_manifest(struct pep_sync *s, const struct pep_answer *answer,
                           struct pep_span envelope, struct pep_manifest **ret,
                           struct pep_error *err)
{
    struct pep_manifest *m;
    int rc = hold_against_floor(s, answer, err);
    if (rc == PEP_OK)
        rc = pep_manifest_open(envelope, s->root, s->now.wall_ms / 1000, &m, err);
    if (rc != PEP_OK)
        return rc;
    rc = hold_against_answer(s, m, answer, err);
    if (rc != PEP_OK) {
        pep_manifest_free(m);
        return rc;
    }
    *ret = m;
    return PEP_OK;
}

/* ---- notices ---- */

static bool is_topic(const struct pep_sync *s, struct pep_span frame)
{
    size_t n = strlen(s->bundle) + 1;
    return frame.size == n && memcmp(frame.data, s->bundle, n) == 0;
}

int pep_sync_read_notice(struct pep_sync *s, const struct pep_span *frames, size_t count,
                         struct pep_notice *ret)
{
    struct pep_span body;
    struct pep_notice n;
    struct pep_memory *m = &s->memory;
    if (count != 2 || !is_topic(s, frames[0]) || frames[1].size > PEP_NOTICE_MAX)
        return PEP_EFORMAT;
    if (pep_root_expired(s->root, s->now.wall_ms / 1000))
        return PEP_EEXPIRED;
    struct pep_signers beacon = pep_root_signers(s->root, PEP_ROLE_BEACON);
    int rc = pep_compact_verify(frames[1], PEP_TYPE_NOTICE, &beacon, &body);
    if (rc != PEP_OK)
        return rc;
    if (pep_notice_read(body, &n) != PEP_OK || strcmp(n.bundle, s->bundle) != 0)
        return PEP_EFORMAT;
    if (s->channel[0] != '\0' && strcmp(n.channel, s->channel) != 0)
        return PEP_ENOTFOUND;
    if (n.root < m->root || (n.root == m->root && n.seq <= m->seq) || n.issued_at < m->issued_at)
        return PEP_EROLLBACK; /* replayed, or overtaken by an answer */
    m->root = n.root;
    m->seq = n.seq;
    m->issued_at = n.issued_at;
    s->feeds = n.feeds;
    *ret = n;
    return PEP_OK;
}

/* ---- statements ---- */

int pep_sync_read_statement(struct pep_sync *s, struct pep_span frame, struct pep_statement *ret)
{
    struct pep_span body;
    struct pep_statement st;
    struct pep_signers beacon = pep_root_signers(s->root, PEP_ROLE_BEACON);
    int rc = pep_compact_verify(frame, PEP_TYPE_STATEMENT, &beacon, &body);
    if (rc != PEP_OK)
        return rc;
    if (pep_statement_read(body, &st) != PEP_OK || st.kind < PEP_STATEMENT_REVOKED ||
        st.kind > PEP_STATEMENT_RESUMED)
        return PEP_EFORMAT;
    if (strcmp(st.client_key, s->client_key) != 0)
        return PEP_ENOTFOUND;
    if (st.seq <= s->memory.statement_seq)
        return PEP_EROLLBACK;
    *ret = st;
    return PEP_OK;
}
