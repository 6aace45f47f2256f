/*
 * When to fetch a key set again, as arithmetic over milliseconds: no clock, no state.
 *
 * A set is fetched again after a quarter of the time that its keys may be used without having been
 * seen, so that three attempts can fail before a good token is refused; five minutes at most, so that
 * a withdrawn key does not live long. An issuer that says that its set changes sooner (Cache-Control)
 * is followed, down to `pause`, which keeps a strange header from making this server a nuisance.
 */
#ifndef PDP_RELAY_SCHEDULE_H
#define PDP_RELAY_SCHEDULE_H

#include "pep/core/bytes.h"

#define RELAY_INTERVAL_MAX 300000 /* ms */
#define RELAY_INTERVAL_MIN 1000

/* The seconds of the directive `max-age` in a Cache-Control header's value; -1: there is none that
 * is well formed. */
int64_t relay_max_age(struct pep_span value);

/* Until the next fetch after one that worked. `max_age_s`: of relay_max_age(). */
int64_t relay_interval(int64_t keys_max_age_s, int64_t max_age_s, int64_t pause);
/* Until the next after `failures` in a row (at least 1): doubling from a second up to `interval`,
 * less up to half of it by `random`, so that many servers do not come back together. */
int64_t relay_retry(unsigned failures, int64_t interval, uint32_t random);

#endif
