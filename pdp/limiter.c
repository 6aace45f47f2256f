/* A bucket per address: see limiter.h. Eight-way sets, like a cache: bounded work for each lookup.
 */
#include "limiter.h"

#include "pep/core/crypto.h"
#include "pep.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SETS 512
#define WAYS 8

struct entry {
    uint64_t hash; /* 0: free */
    struct bucket bucket;
};
struct limiter {
    uint64_t seed;
    struct entry entries[SETS][WAYS];
};

int limiter_new(struct limiter **ret)
{
    struct limiter *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return PEP_ENOMEM;
    if (pep_random(&l->seed, sizeof(l->seed)) != 0) {
        free(l);
        return PEP_EIO;
    }
    *ret = l;
    return 0;
}

void limiter_free(struct limiter *l)
{
    free(l);
}

bool limiter_take(struct limiter *l, const char *address, const struct bucket_limit *limit,
                  int64_t now_ms)
{
    uint64_t hash = XXH3_64bits_withSeed(address, strlen(address), l->seed) | 1;
    struct entry *set = l->entries[hash / 2 % SETS], *chosen = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return bucket_take(&set[i].bucket, limit, 1, now_ms);
        if (set[i].hash == 0 || set[i].bucket.at_ms < chosen->bucket.at_ms)
            chosen = &set[i];
    }
    *chosen = (struct entry){.hash = hash};
    return bucket_take(&chosen->bucket, limit, 1, now_ms);
}
