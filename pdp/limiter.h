/*
 * A bucket per network address, in a table of fixed size: strangers cannot make it grow. When it is
 * full, the address that was quiet longest among a few is forgotten.
 */
#ifndef PDP_LIMITER_H
#define PDP_LIMITER_H

#include "bucket.h"

struct limiter;

int limiter_new(struct limiter **ret);
void limiter_free(struct limiter *limiter);
/* True if this address may do one more thing now. */
bool limiter_take(struct limiter *limiter, const char *address, const struct bucket_limit *limit,
                  int64_t now_ms);

#endif
