/* See token_cache.h. A tag is only a hint at what its slot holds: the two are written one after the
 * other, and the entry's own hash and bytes decide. */
#include "pep/token_cache.h"

#include "pep/core/crypto.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BUCKET_SLOTS  8
#define PUT_ATTEMPTS  4
#define USED_INTERVAL 1  /* seconds between two writes of `used` */
#define HASHED        64 /* the last bytes of a token: most or all of a signature */

struct bucket {
    _Alignas(64) atomic_uint_fast64_t tags[BUCKET_SLOTS];
    _Alignas(64) _Atomic(struct pep_token_entry *) entries[BUCKET_SLOTS];
};

struct pep_token_cache {
    struct bucket *buckets;
    size_t mask; /* buckets - 1; buckets is a power of two, at least 2 */
    _Alignas(64) _Atomic(struct pep_token_entry *) retired;
    atomic_size_t retired_count;
};

static struct {
    pthread_once_t once;
    int result;
    uint8_t bytes[XXH3_SECRET_SIZE_MIN];
} secret = {.once = PTHREAD_ONCE_INIT, .result = PEP_EIO};

static void draw_secret(void)
{
    secret.result = pep_random(secret.bytes, sizeof(secret.bytes));
}

int pep_token_hash_start(void)
{
    if (pthread_once(&secret.once, draw_secret) != 0)
        return PEP_EIO;
    return secret.result;
}

uint64_t pep_token_hash(struct pep_span token)
{
    size_t n = token.size < HASHED ? token.size : HASHED;
    const uint8_t *end = token.data + token.size;
    return XXH3_64bits_withSecret(end - n, n, secret.bytes, sizeof(secret.bytes)) ^ token.size;
}

/* ---- entries ---- */

struct pep_token_entry *pep_token_entry_new(struct pep_span token, uint64_t hash,
                                            struct pep_jwt *jwt, struct pep_subject *subject)
{
    struct pep_token_entry *e = malloc(sizeof(*e) + token.size);
    const struct pep_issuer *issuer = pep_jwt_issuer(jwt);
    if (e == NULL || pep_token_marks_read(issuer->name, pep_jwt_claims(jwt), &e->marks) != PEP_OK) {
        free(e);
        pep_jwt_free(jwt);
        pep_subject_free(subject);
        return NULL;
    }
    e->hash = hash;
    e->expires = pep_jwt_expires(jwt);
    atomic_init(&e->used, 0);
    atomic_init(&e->stood, 0);
    e->relayed = issuer->keys == NULL ? issuer : NULL;
    memcpy(e->key, pep_jwt_key(jwt), sizeof(e->key));
    e->alg = pep_jwt_algorithm(jwt);
    e->subject = subject;
    e->next_retired = NULL;
    e->size = token.size;
    memcpy(e->token, token.data, token.size);
    e->bound = pep_jwt_bound(jwt) ? jwt : NULL; /* else its claims need not stay */
    if (e->bound == NULL)
        pep_jwt_free(jwt);
    return e;
}

void pep_token_entry_free(struct pep_token_entry *e)
{
    if (e == NULL)
        return;
    pep_subject_free(e->subject);
    pep_jwt_free(e->bound);
    free(e);
}

static bool entry_is(const struct pep_token_entry *e, struct pep_span token, uint64_t hash)
{
    return e->hash == hash && e->size == token.size &&
           memcmp(e->token, token.data, token.size) == 0;
}

/* ---- the table ---- */

struct pep_token_cache *pep_token_cache_new(size_t capacity)
{
    size_t buckets = 2;
    while (buckets * BUCKET_SLOTS < capacity)
        buckets *= 2;
    struct pep_token_cache *c = aligned_alloc(_Alignof(struct pep_token_cache), sizeof(*c));
    struct bucket *table = aligned_alloc(_Alignof(struct bucket), buckets * sizeof(*table));
    if (c == NULL || table == NULL) {
        free(c);
        free(table);
        return NULL;
    }
    memset(table, 0, buckets * sizeof(*table));
    c->buckets = table;
    c->mask = buckets - 1;
    atomic_init(&c->retired, NULL);
    atomic_init(&c->retired_count, 0);
    return c;
}

void pep_token_cache_free(struct pep_token_cache *c)
{
    if (c == NULL)
        return;
    for (size_t b = 0; b <= c->mask; b++) {
        for (unsigned i = 0; i < BUCKET_SLOTS; i++)
            pep_token_entry_free(atomic_load(&c->buckets[b].entries[i]));
    }
    pep_token_retired_free(c, pep_token_cache_take_retired(c));
    free(c->buckets);
    free(c);
}

/* The two buckets of a hash are neighbours, so that the pair is four consecutive cache lines. */
static struct bucket *bucket_of(struct pep_token_cache *c, uint64_t hash, unsigned which)
{
    return &c->buckets[((hash >> 32) & c->mask) ^ which];
}

static void touch(struct pep_token_entry *e, int64_t now)
{
    uint_fast32_t used = atomic_load_explicit(&e->used, memory_order_relaxed);
    if ((uint32_t)now - (uint32_t)used >= USED_INTERVAL)
        atomic_store_explicit(&e->used, (uint32_t)now, memory_order_relaxed);
}

struct pep_token_entry *pep_token_cache_find(struct pep_token_cache *c, struct pep_span token,
                                             uint64_t hash, int64_t now)
{
    for (unsigned which = 0; which < 2; which++) {
        struct bucket *b = bucket_of(c, hash, which);
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            if (atomic_load_explicit(&b->tags[i], memory_order_relaxed) != hash)
                continue;
            /* Sequentially consistent, as readers.h asks of what may be replaced. */
            struct pep_token_entry *e = atomic_load(&b->entries[i]);
            if (e == NULL || !entry_is(e, token, hash) || now >= e->expires)
                continue;
            touch(e, now);
            return e;
        }
    }
    return NULL;
}

/* ---- putting ---- */

struct slot {
    struct bucket *bucket;
    unsigned i;
    struct pep_token_entry *holds; /* NULL: empty */
};

/* Where `e` should go: an empty slot, one past its time, or the one used longest ago. False if the
 * same token is there already and still good. */
static bool choose_slot(struct pep_token_cache *c, const struct pep_token_entry *e, int64_t now,
                        struct slot *ret)
{
    uint32_t best = 0;
    ret->bucket = NULL;
    for (unsigned n = 0; n < 2 * BUCKET_SLOTS; n++) {
        struct slot s = {bucket_of(c, e->hash, n / BUCKET_SLOTS), n % BUCKET_SLOTS, NULL};
        s.holds = atomic_load(&s.bucket->entries[s.i]);
        uint32_t worth = 0; /* UINT32_MAX: take it; else seconds since it was used */
        if (s.holds == NULL || now >= s.holds->expires) {
            worth = UINT32_MAX;
        } else if (entry_is(s.holds, pep_span_of(e->token, e->size), e->hash)) {
            atomic_store_explicit(&s.bucket->tags[s.i], e->hash, memory_order_relaxed);
            return false;
        } else {
            uint_fast32_t used = atomic_load_explicit(&s.holds->used, memory_order_relaxed);
            worth = (uint32_t)now - (uint32_t)used;
        }
        if (ret->bucket == NULL || worth > best) {
            best = worth;
            *ret = s;
        }
    }
    return true;
}

static void retire(struct pep_token_cache *c, struct pep_token_entry *e)
{
    struct pep_token_entry *head = atomic_load_explicit(&c->retired, memory_order_relaxed);
    do {
        e->next_retired = head;
    } while (!atomic_compare_exchange_weak(&c->retired, &head, e));
}

bool pep_token_cache_put(struct pep_token_cache *c, struct pep_token_entry *e, int64_t now)
{
    atomic_store_explicit(&e->used, (uint32_t)now, memory_order_relaxed);
    if (now >= e->expires)
        return false;
    for (unsigned attempt = 0; attempt < PUT_ATTEMPTS; attempt++) {
        struct slot s = {NULL, 0, NULL};
        if (!choose_slot(c, e, now, &s))
            return false;
        if (s.holds != NULL && atomic_fetch_add(&c->retired_count, 1) >= PEP_TOKEN_RETIRED_MAX) {
            atomic_fetch_sub(&c->retired_count, 1);
            return false;
        }
        struct pep_token_entry *expected = s.holds;
        if (atomic_compare_exchange_strong(&s.bucket->entries[s.i], &expected, e)) {
            atomic_store_explicit(&s.bucket->tags[s.i], e->hash, memory_order_relaxed);
            if (s.holds != NULL)
                retire(c, s.holds);
            return true;
        }
        if (s.holds != NULL)
            atomic_fetch_sub(&c->retired_count, 1);
    }
    return false;
}

/* ---- for the agent ---- */

struct pep_token_entry *pep_token_cache_take_retired(struct pep_token_cache *c)
{
    if (atomic_load_explicit(&c->retired, memory_order_relaxed) == NULL)
        return NULL;
    return atomic_exchange(&c->retired, NULL);
}

void pep_token_retired_free(struct pep_token_cache *c, struct pep_token_entry *list)
{
    while (list != NULL) {
        struct pep_token_entry *next = list->next_retired;
        pep_token_entry_free(list);
        atomic_fetch_sub(&c->retired_count, 1);
        list = next;
    }
}

bool pep_token_cache_crowded(const struct pep_token_cache *c)
{
    return atomic_load_explicit(&((struct pep_token_cache *)c)->retired_count,
                                memory_order_relaxed) > PEP_TOKEN_RETIRED_MAX / 2;
}

size_t pep_token_cache_count(const struct pep_token_cache *c)
{
    size_t count = 0;
    for (size_t b = 0; b <= c->mask; b++) {
        for (unsigned i = 0; i < BUCKET_SLOTS; i++)
            count += atomic_load_explicit(&c->buckets[b].entries[i], memory_order_relaxed) != NULL;
    }
    return count;
}
