/*
 * See replay.h. Why two callers with one proof never both get NEW: each writes its word first and
 * then looks at all sixteen again, all in one order that every thread agrees on. Whoever wrote
 * later sees what the other wrote, because a live word is never overwritten.
 */
#include "pep/replay.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LINE      64
#define BUCKET    8
#define PROBED    (2 * BUCKET)
#define ATTEMPTS  8 /* to take a word while others take theirs */
#define TIME_BITS 24
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1) /* of seconds: half a year */

struct pep_replay {
    void *block;
    atomic_uint_fast64_t *words; /* begin with a cache line; 0: empty */
    uint64_t mask;               /* buckets - 1 */
};

struct pep_replay *pep_replay_new(size_t capacity)
{
    size_t buckets = 2;
    while (buckets * BUCKET < capacity)
        buckets *= 2;
    struct pep_replay *r = malloc(sizeof(*r));
    /* From calloc, which gives pages that exist only once they are written. */
    void *block = calloc(buckets * BUCKET + LINE / sizeof(uint64_t), sizeof(*r->words));
    if (r == NULL || block == NULL) {
        free(r);
        free(block);
        return NULL;
    }
    r->block = block;
    r->words = (atomic_uint_fast64_t *)(((uintptr_t)block + LINE - 1) & ~(uintptr_t)(LINE - 1));
    r->mask = buckets - 1;
    return r;
}

void pep_replay_free(struct pep_replay *r)
{
    if (r == NULL)
        return;
    free(r->block);
    free(r);
}

/* Times go round; what ends within the next half of a round is alive. */
static bool alive(uint64_t word, int64_t now)
{
    uint64_t left = (word - (uint64_t)now) & TIME_MASK;
    return word != 0 && left > 0 && left <= TIME_MASK / 2;
}

struct place {
    atomic_uint_fast64_t *buckets[2];
    uint64_t word;
    int64_t now;
};

static atomic_uint_fast64_t *at(const struct place *p, unsigned i)
{
    return p->buckets[i / BUCKET] + i % BUCKET;
}

static struct place find_place(const struct pep_replay *r, const uint8_t id[PEP_SHA256_SIZE],
                               int64_t ends, int64_t now)
{
    uint64_t where = 0, mark = 0;
    for (unsigned i = 0; i < 8; i++) {
        where = where << 8 | id[i];
        mark = mark << 8 | id[8 + i];
    }
    mark = (mark & ~TIME_MASK) == 0 ? TIME_MASK + 1 : mark & ~TIME_MASK; /* 0 means empty */
    where &= r->mask;
    return (struct place){{r->words + where * BUCKET, r->words + (where ^ 1) * BUCKET},
                          mark | ((uint64_t)ends & TIME_MASK),
                          now};
}

/* How many words hold this proof alive; *ret_free: one to take, or PROBED. */
static unsigned look(const struct place *p, unsigned *ret_free)
{
    unsigned same = 0;
    *ret_free = PROBED;
    for (unsigned i = 0; i < PROBED; i++) {
        uint64_t word = atomic_load(at(p, i));
        if (!alive(word, p->now))
            *ret_free = *ret_free == PROBED ? i : *ret_free;
        else if ((word & ~TIME_MASK) == (p->word & ~TIME_MASK))
            same++;
    }
    return same;
}

enum pep_replay_answer pep_replay_note(struct pep_replay *r, const uint8_t id[PEP_SHA256_SIZE],
                                       int64_t ends, int64_t now)
{
    const struct place p = find_place(r, id, ends, now);
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        unsigned i;
        if (look(&p, &i) > 0)
            return PEP_REPLAY_SEEN;
        if (i == PROBED)
            return PEP_REPLAY_FULL;
        uint_fast64_t before = atomic_load(at(&p, i));
        if (!alive(before, now) && atomic_compare_exchange_strong(at(&p, i), &before, p.word))
            return look(&p, &i) == 1 ? PEP_REPLAY_NEW : PEP_REPLAY_SEEN;
    }
    return PEP_REPLAY_FULL;
}
