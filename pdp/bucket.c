/* A token bucket: see bucket.h. In thousandths, so that slow rates lose nothing to rounding. */
#include "bucket.h"

bool bucket_take(struct bucket *b, const struct bucket_limit *limit, int64_t amount, int64_t now_ms)
{
    int64_t elapsed = now_ms - b->at_ms;
    if (elapsed > 0) {
        /* An hour fills any bucket and keeps the product small. */
        int64_t back = (elapsed > 3600000 ? 3600000 : elapsed) * limit->rate;
        b->used = back >= b->used ? 0 : b->used - back;
    }
    b->at_ms = now_ms;
    if (b->used + 1000 * amount > 1000 * limit->burst)
        return false;
    b->used += 1000 * amount;
    return true;
}
