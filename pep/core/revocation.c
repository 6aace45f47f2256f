/*
 * The list of revoked tokens: see revocation.h.
 *
 * Entries stand sorted by their key, which is a piece of a SHA-256 and therefore spread evenly: its
 * leading bits lead to the place in the array (an index with about one entry per slot), and a
 * binary search ends the way, so that made-up values, however chosen, cost no more than its steps.
 */
#include "revocation.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STEP_FORMAT 1
#define TIME_MAX    ((int64_t)1 << 53)

struct pep_revocations {
    atomic_uint owners;
    uint64_t number, above;
    uint8_t digest[PEP_SHA256_SIZE];
    int64_t created;
    size_t added;
    struct pep_revocation *entries;
    size_t count;
    uint32_t
        *first; /* by the leading `bits` of a key: where its entries begin; one more at the end */
    unsigned bits;
    uint8_t *step;
    size_t step_size;
};

/* A step's body, read. */
struct step {
    uint64_t number;
    uint8_t previous[PEP_SHA256_SIZE];
    int64_t created;
    uint32_t set_count;
    uint8_t set_digest[PEP_SHA256_SIZE];
    struct pep_revocation *added;
    size_t added_count;
    uint8_t digest[PEP_SHA256_SIZE]; /* of the body */
};

static int no_memory(struct pep_error *err)
{
    return pep_error_set(err, PEP_ENOMEM, "revoked tokens: no memory");
}

/* ---- entries ---- */

static void put_entry(struct pep_buffer *out, const struct pep_revocation *e)
{
    pep_put_u8(out, e->kind);
    pep_put_bytes(out, e->key, sizeof(e->key));
    pep_put_u64(out, (uint64_t)e->before);
    pep_put_u64(out, (uint64_t)e->until);
}

static bool entry_valid(const struct pep_revocation *e)
{
    return e->kind >= PEP_REVOKE_JTI && e->kind <= PEP_REVOCATION_KINDS && e->before >= 0 &&
           e->before <= TIME_MAX && e->until > 0 && e->until <= TIME_MAX &&
           (e->kind == PEP_REVOKE_SUBJECT || e->before == 0);
}

/* `count` entries, strictly sorted. NULL and a failed cursor where they are not; NULL too where
 * there is no memory. */
static struct pep_revocation *get_entries(struct pep_cursor *c, size_t count)
{
    if ((size_t)(c->end - c->at) / PEP_REVOCATION_ENTRY < count) {
        c->failed = true;
        return NULL;
    }
    struct pep_revocation *entries = calloc(count + 1, sizeof(*entries));
    for (size_t i = 0; entries != NULL && i < count && !c->failed; i++) {
        struct pep_revocation *e = &entries[i];
        e->kind = pep_get_u8(c);
        pep_get_copy(c, e->key, sizeof(e->key));
        e->before = (int64_t)pep_get_u64(c);
        e->until = (int64_t)pep_get_u64(c);
        c->failed |=
            !entry_valid(e) || (i > 0 && memcmp(entries[i - 1].key, e->key, sizeof(e->key)) >= 0);
    }
    if (c->failed) {
        free(entries);
        return NULL;
    }
    return entries;
}

static int by_key(const void *a, const void *b)
{
    return memcmp(((const struct pep_revocation *)a)->key, ((const struct pep_revocation *)b)->key,
                  PEP_REVOCATION_KEY);
}

/* Two entries for the same tokens: the one that means more of them, for longer. */
static void widen(struct pep_revocation *e, const struct pep_revocation *other)
{
    if (other->before > e->before)
        e->before = other->before;
    if (other->until > e->until)
        e->until = other->until;
}

/* Sorts, and makes one of those with the same key. */
static size_t normalise(struct pep_revocation *entries, size_t count)
{
    size_t kept = 0;
    qsort(entries, count, sizeof(*entries), by_key);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && by_key(&entries[kept - 1], &entries[i]) == 0)
            widen(&entries[kept - 1], &entries[i]);
        else
            entries[kept++] = entries[i];
    }
    return kept;
}

/* ---- the list ---- */

struct pep_revocations *pep_revocations_share(struct pep_revocations *r)
{
    atomic_fetch_add(&r->owners, 1);
    return r;
}

void pep_revocations_free(struct pep_revocations *r)
{
    if (r == NULL || atomic_fetch_sub(&r->owners, 1) > 1)
        return;
    free(r->entries);
    free(r->first);
    free(r->step);
    free(r);
}

static uint32_t slot_of(const struct pep_revocations *r, const uint8_t *key)
{
    uint32_t lead =
        (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
    return lead >> (32 - r->bits);
}

static int build_index(struct pep_revocations *r)
{
    r->bits = 1;
    while (r->bits < 20 && (size_t)1 << r->bits < r->count)
        r->bits++;
    size_t slots = (size_t)1 << r->bits, next = 0;
    r->first = malloc((slots + 1) * sizeof(*r->first));
    if (r->first == NULL)
        return PEP_ENOMEM;
    for (size_t slot = 0; slot < slots; slot++) {
        while (next < r->count && slot_of(r, r->entries[next].key) < slot)
            next++;
        r->first[slot] = (uint32_t)next;
    }
    r->first[slots] = (uint32_t)r->count;
    return PEP_OK;
}

/* Takes the entries, also on failure. */
static int make(struct pep_revocation *entries, size_t count, struct pep_revocations **ret)
{
    struct pep_revocations *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        free(entries);
        return PEP_ENOMEM;
    }
    atomic_init(&r->owners, 1);
    r->entries = entries;
    r->count = count;
    if (build_index(r) != PEP_OK) {
        pep_revocations_free(r);
        return PEP_ENOMEM;
    }
    *ret = r;
    return PEP_OK;
}

int pep_revocations_none(struct pep_revocations **ret)
{
    return make(NULL, 0, ret);
}

uint64_t pep_revocations_number(const struct pep_revocations *r)
{
    return r->number;
}

const uint8_t *pep_revocations_digest(const struct pep_revocations *r)
{
    return r->digest;
}

int64_t pep_revocations_created(const struct pep_revocations *r)
{
    return r->created;
}

void pep_revocations_skip(struct pep_revocations *r, uint64_t above)
{
    r->above = above;
}

size_t pep_revocations_added(const struct pep_revocations *r)
{
    return r->added;
}

size_t pep_revocations_count(const struct pep_revocations *r)
{
    return r->count;
}

const struct pep_revocation *pep_revocations_at(const struct pep_revocations *r, size_t i)
{
    return i < r->count ? &r->entries[i] : NULL;
}

struct pep_span pep_revocations_step(const struct pep_revocations *r)
{
    return pep_span_of(r->step, r->step_size);
}

void pep_revocations_put_set(const struct pep_revocations *r, struct pep_buffer *out)
{
    for (size_t i = 0; i < r->count && !out->failed; i++)
        put_entry(out, &r->entries[i]);
}

const struct pep_revocation *pep_revocations_find(const struct pep_revocations *r,
                                                  const uint8_t key[PEP_REVOCATION_KEY])
{
    uint32_t slot = slot_of(r, key);
    size_t low = r->first[slot], high = r->first[slot + 1];
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(key, r->entries[middle].key, PEP_REVOCATION_KEY);
        if (order == 0)
            return &r->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- steps ---- */

/* On success the caller frees ret->added. */
static int read_step(struct pep_span body, struct step *ret, struct pep_error *err)
{
    struct pep_cursor c = pep_cursor_of(body);
    struct step s = {.added = NULL};
    bool known = pep_get_u8(&c) == STEP_FORMAT;
    s.number = pep_get_u64(&c);
    pep_get_copy(&c, s.previous, sizeof(s.previous));
    s.created = (int64_t)pep_get_u64(&c);
    s.set_count = pep_get_u32(&c);
    pep_get_copy(&c, s.set_digest, sizeof(s.set_digest));
    s.added_count = pep_get_u32(&c);
    if (c.failed || !known || s.number == 0 || s.number > (uint64_t)TIME_MAX || s.created < 0 ||
        s.created > TIME_MAX)
        return pep_error_set(err, PEP_EFORMAT, "revoked tokens: not a step");
    if (s.set_count > PEP_REVOCATIONS_MAX || s.added_count > PEP_REVOCATION_STEP)
        return pep_error_set(err, PEP_ELIMIT, "revoked tokens: at most %d, and %d in one step",
                             PEP_REVOCATIONS_MAX, PEP_REVOCATION_STEP);
    s.added = get_entries(&c, s.added_count);
    if (s.added == NULL && !c.failed)
        return no_memory(err);
    if (!pep_cursor_done(&c)) {
        free(s.added);
        return pep_error_set(err, PEP_EFORMAT, "revoked tokens: not a step");
    }
    if (pep_sha256(body, s.digest) != PEP_OK) {
        free(s.added);
        return no_memory(err);
    }
    *ret = s;
    return PEP_OK;
}

static int open_step(struct pep_span message, const struct pep_signers *signers, struct step *ret,
                     struct pep_error *err)
{
    struct pep_span body;
    int r = pep_compact_verify(message, PEP_TYPE_REVOKED, signers, &body);
    if (r == PEP_ENOMEM)
        return no_memory(err);
    if (r != PEP_OK)
        return pep_error_set(err, PEP_ESIGNATURE,
                             "revoked tokens: not signed by a key that the root names for it");
    return read_step(body, ret, err);
}

/* The entries after a step: those not yet over at its time, and the added ones. */
static int apply(const struct pep_revocations *old, int64_t created,
                 const struct pep_revocation *added, size_t added_count,
                 struct pep_revocations **ret, struct pep_error *err)
{
    struct pep_revocation *entries = calloc(old->count + added_count + 1, sizeof(*entries));
    size_t n = 0, i = 0, j = 0;
    if (entries == NULL)
        return no_memory(err);
    while (i < old->count || j < added_count) {
        int order = i == old->count    ? 1
                    : j == added_count ? -1
                                       : by_key(&old->entries[i], &added[j]);
        struct pep_revocation e = order <= 0 ? old->entries[i++] : added[j];
        if (order >= 0)
            widen(&e, &added[j++]);
        if (e.until > created)
            entries[n++] = e;
    }
    if (n > PEP_REVOCATIONS_MAX) {
        free(entries);
        return pep_error_set(err, PEP_ELIMIT,
                             "revoked tokens: the list is full (%d); revoke by subject, or wait "
                             "until tokens end",
                             PEP_REVOCATIONS_MAX);
    }
    return make(entries, n, ret) == PEP_OK ? PEP_OK : no_memory(err);
}

static int set_digest(const struct pep_revocations *r, uint8_t out[PEP_SHA256_SIZE])
{
    struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    pep_revocations_put_set(r, &set);
    int result = set.failed ? PEP_ENOMEM : pep_sha256(pep_buffer_span(&set), out);
    pep_buffer_free(&set);
    return result;
}

/* Makes the list into the one after `s`, if it is what was signed. */
static int seal(struct pep_revocations *r, const struct step *s, struct pep_span message,
                struct pep_error *err)
{
    uint8_t digest[PEP_SHA256_SIZE];
    if (set_digest(r, digest) != PEP_OK)
        return no_memory(err);
    if (r->count != s->set_count || memcmp(digest, s->set_digest, sizeof(digest)) != 0)
        return pep_error_set(err, PEP_EFORMAT,
                             "revoked tokens: step %llu does not make the list that it names",
                             (unsigned long long)s->number);
    r->step = malloc(message.size);
    if (r->step == NULL)
        return no_memory(err);
    memcpy(r->step, message.data, message.size);
    r->step_size = message.size;
    r->number = s->number;
    r->created = s->created;
    r->added = s->added_count;
    memcpy(r->digest, s->digest, sizeof(r->digest));
    return PEP_OK;
}

static int finish(int result, struct pep_revocations *candidate, struct pep_revocations **ret)
{
    if (result != PEP_OK) {
        pep_revocations_free(candidate);
        return result;
    }
    *ret = candidate;
    return PEP_OK;
}

int pep_revocations_follow(const struct pep_revocations *current, struct pep_span step,
                           const struct pep_signers *signers, struct pep_revocations **ret,
                           struct pep_error *err)
{
    struct pep_revocations *next = NULL;
    struct step s;
    int r = open_step(step, signers, &s, err);
    if (r != PEP_OK)
        return r;
    if (s.number <= current->number || s.created < current->created ||
        memcmp(s.previous, current->digest, sizeof(s.previous)) != 0)
        r = pep_error_set(err, PEP_EROLLBACK, "revoked tokens: step %llu does not follow step %llu",
                          (unsigned long long)s.number, (unsigned long long)current->number);
    if (r == PEP_OK)
        r = apply(current, s.created, s.added, s.added_count, &next, err);
    if (r == PEP_OK)
        r = seal(next, &s, step, err);
    free(s.added);
    return finish(r, next, ret);
}

static int read_set(struct pep_span set, struct pep_revocations **ret, struct pep_error *err)
{
    if (set.size % PEP_REVOCATION_ENTRY != 0 || set.size > PEP_REVOCATION_SET_MAX)
        return pep_error_set(err, PEP_EFORMAT, "revoked tokens: not a list");
    struct pep_cursor c = pep_cursor_of(set);
    size_t count = set.size / PEP_REVOCATION_ENTRY;
    struct pep_revocation *entries = get_entries(&c, count);
    if (c.failed)
        return pep_error_set(err, PEP_EFORMAT, "revoked tokens: not a list");
    if (entries == NULL)
        return no_memory(err);
    return make(entries, count, ret) == PEP_OK ? PEP_OK : no_memory(err);
}

int pep_revocations_adopt(struct pep_span step, struct pep_span set, uint64_t above,
                          const struct pep_signers *signers, struct pep_revocations **ret,
                          struct pep_error *err)
{
    struct pep_revocations *list = NULL;
    struct step s;
    int r = open_step(step, signers, &s, err);
    if (r != PEP_OK)
        return r;
    free(s.added);
    if (s.number <= above)
        return pep_error_set(err, PEP_EROLLBACK, "revoked tokens: step %llu is not above step %llu",
                             (unsigned long long)s.number, (unsigned long long)above);
    r = read_set(set, &list, err);
    if (r == PEP_OK)
        r = seal(list, &s, step, err);
    return finish(r, list, ret);
}

int pep_revocations_keep(struct pep_span set, struct pep_revocations **ret, struct pep_error *err)
{
    return read_set(set, ret, err);
}

/* Sorted, each valid at `created`; malloc'ed. */
static int prepare(const struct pep_revocation *entries, size_t *count, int64_t created,
                   struct pep_revocation **ret, struct pep_error *err)
{
    if (*count > PEP_REVOCATION_STEP)
        return pep_error_set(err, PEP_ELIMIT, "revoked tokens: at most %d in one step",
                             PEP_REVOCATION_STEP);
    for (size_t i = 0; i < *count; i++) {
        if (!entry_valid(&entries[i]) || entries[i].until <= created)
            return pep_error_set(err, PEP_EINVAL,
                                 "revoked tokens: entry %zu is not valid, or over already", i + 1);
    }
    struct pep_revocation *sorted = calloc(*count + 1, sizeof(*sorted));
    if (sorted == NULL)
        return no_memory(err);
    if (*count > 0)
        memcpy(sorted, entries, *count * sizeof(*sorted));
    *count = normalise(sorted, *count);
    *ret = sorted;
    return PEP_OK;
}

int pep_revocation_step_write(const struct pep_revocations *current, int64_t created,
                              const struct pep_revocation *entries, size_t count,
                              struct pep_buffer *out, struct pep_error *err)
{
    struct pep_revocation *added = NULL;
    struct pep_revocations *next = NULL;
    uint8_t digest[PEP_SHA256_SIZE];
    if (created < current->created)
        created = current->created; /* clocks may differ; steps may not go back */
    int r = prepare(entries, &count, created, &added, err);
    if (r == PEP_OK)
        r = apply(current, created, added, count, &next, err);
    if (r == PEP_OK && set_digest(next, digest) != PEP_OK)
        r = no_memory(err);
    if (r == PEP_OK) {
        pep_put_u8(out, STEP_FORMAT);
        pep_put_u64(out, (current->above > current->number ? current->above : current->number) + 1);
        pep_put_bytes(out, current->digest, sizeof(current->digest));
        pep_put_u64(out, (uint64_t)created);
        pep_put_u32(out, (uint32_t)next->count);
        pep_put_bytes(out, digest, sizeof(digest));
        pep_put_u32(out, (uint32_t)count);
        for (size_t i = 0; i < count; i++)
            put_entry(out, &added[i]);
        r = out->failed ? no_memory(err) : PEP_OK;
    }
    free(added);
    pep_revocations_free(next);
    return r;
}
