/*
 * Counters and gauges, one table: metrics.c says each one's name and help, /metrics prints the
 * table. Any thread may count.
 */
#ifndef PDP_METRICS_H
#define PDP_METRICS_H

#include "pep/core/bytes.h"

#include <stdatomic.h>

enum metric {
    METRIC_NOTICES,
    METRIC_FETCHES,
    METRIC_ANSWERS_SAME,
    METRIC_ANSWERS_VERSION,
    METRIC_FILES,
    METRIC_ENROLLED,
    METRIC_ENROL_REFUSED,
    METRIC_PUSHES,
    METRIC_PUSHES_REFUSED,
    METRIC_OPERATIONS,
    METRIC_MALFORMED_NOTICES,
    METRIC_MALFORMED_FETCH,
    METRIC_MALFORMED_ENROL,
    METRIC_MALFORMED_OPERATORS,
    METRIC_REFUSED_MESSAGES,
    METRIC_LIMITED,
    METRIC_ZAP_ACCEPTED,
    METRIC_ZAP_DENIED,
    METRIC_CUT,
    METRIC_FLOODS,
    METRIC_UNSENT,
    METRIC_CLIENTS,
    METRIC_PEERS,
    METRIC_BUNDLES,
    METRIC_ROOT,
    METRIC_STORE_ERRORS,
    METRIC_FEEDS_SAME, /* in the order of enum pep_revoked_kind */
    METRIC_FEEDS_STEPS,
    METRIC_FEEDS_SET,
    METRIC_FEEDS_NONE,
    METRIC_REVOCATIONS_NUMBER,
    METRIC_REVOCATIONS_ENTRIES,
    METRIC_RELAY_FETCHED,
    METRIC_RELAY_SAME,
    METRIC_RELAY_FAILED,
    METRIC_RELAYED_GOOD,
    METRIC_RELAYED_FAILING,
    METRIC_RELAYED_EXPIRED,
    METRIC_RELAYED_ABSENT,
    METRIC_RELAYED_WAITING,
    METRIC_RELAYED_OLDEST,
    METRICS
};

struct metrics {
    atomic_uint_fast64_t values[METRICS];
};

void metrics_add(struct metrics *m, enum metric which, uint64_t n);
void metrics_set(struct metrics *m, enum metric which, uint64_t value);
/* Appends the Prometheus text format. */
void metrics_write(struct metrics *m, struct pep_buffer *out);

#endif
