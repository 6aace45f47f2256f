/*
 * A token bucket: `burst` at once, `rate` per second after that. A bucket of all zeros is full.
 */
#ifndef PDP_BUCKET_H
#define PDP_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t used;  /* thousandths; 0: full */
    int64_t at_ms; /* when `used` was right */
};

struct bucket_limit {
    int64_t burst, rate;
};

/* Takes `amount` if there is so much; nothing if there is not. Time going backwards grants nothing.
 */
bool bucket_take(struct bucket *bucket, const struct bucket_limit *limit, int64_t amount,
                 int64_t now_ms);

#endif
