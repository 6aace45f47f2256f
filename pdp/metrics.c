/* The table of counters and gauges: see metrics.h. */
#include "metrics.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *name, *labels, *type, *help;
} table[METRICS] = {
    [METRIC_NOTICES] = {"pdpd_notices_total", "", "counter", "Notices published."},
    [METRIC_FETCHES] = {"pdpd_fetches_total", "", "counter", "Fetch requests of clients."},
    [METRIC_ANSWERS_SAME] = {"pdpd_answers_total", "{kind=\"same\"}", "counter",
                             "Answers to fetches."},
    [METRIC_ANSWERS_VERSION] = {"pdpd_answers_total", "{kind=\"version\"}", "counter", NULL},
    [METRIC_FILES] = {"pdpd_files_total", "", "counter", "Files sent to clients."},
    [METRIC_ENROLLED] = {"pdpd_enrolled_total", "", "counter", "Clients enrolled."},
    [METRIC_ENROL_REFUSED] = {"pdpd_enrol_refused_total", "", "counter", "Enrolments refused."},
    [METRIC_PUSHES] = {"pdpd_pushes_total", "", "counter", "Versions published."},
    [METRIC_PUSHES_REFUSED] = {"pdpd_pushes_refused_total", "", "counter", "Pushes refused."},
    [METRIC_OPERATIONS] = {"pdpd_operations_total", "", "counter", "Requests of operators."},
    [METRIC_MALFORMED_NOTICES] = {"pdpd_malformed_total", "{port=\"notices\"}", "counter",
                                  "Messages dropped because they are not well formed."},
    [METRIC_MALFORMED_FETCH] = {"pdpd_malformed_total", "{port=\"fetch\"}", "counter", NULL},
    [METRIC_MALFORMED_ENROL] = {"pdpd_malformed_total", "{port=\"enrol\"}", "counter", NULL},
    [METRIC_MALFORMED_OPERATORS] = {"pdpd_malformed_total", "{port=\"operators\"}", "counter",
                                    NULL},
    [METRIC_REFUSED_MESSAGES] = {"pdpd_refused_messages_total", "", "counter",
                                 "Messages of keys that are not, or no longer, allowed."},
    [METRIC_LIMITED] = {"pdpd_limited_total", "", "counter", "Requests over a client's limit."},
    [METRIC_ZAP_ACCEPTED] = {"pdpd_handshakes_total", "{result=\"accepted\"}", "counter",
                             "Authenticated connections."},
    [METRIC_ZAP_DENIED] = {"pdpd_handshakes_total", "{result=\"denied\"}", "counter", NULL},
    [METRIC_CUT] = {"pdpd_cut_total", "", "counter", "Connections cut by a revocation."},
    [METRIC_FLOODS] = {"pdpd_floods_total", "", "counter",
                       "Connections cut because they took too much room."},
    [METRIC_UNSENT] = {"pdpd_unsent_total", "", "counter",
                       "Answers dropped because the peer was gone or did not read."},
    [METRIC_CLIENTS] = {"pdpd_clients", "", "gauge", "Clients enrolled, in any state."},
    [METRIC_PEERS] = {"pdpd_peers", "", "gauge", "Authenticated connections seen now."},
    [METRIC_BUNDLES] = {"pdpd_bundles", "", "gauge", "Bundles with a version."},
    [METRIC_ROOT] = {"pdpd_root_version", "", "gauge", "Version of the newest root document."},
    [METRIC_STORE_ERRORS] = {"pdpd_store_errors_total", "", "counter", "Failed store writes."},
    [METRIC_FEEDS_SAME] = {"pdpd_feeds_total", "{answer=\"same\"}", "counter",
                           "Questions for revoked tokens and relayed keys, by what was answered."},
    [METRIC_FEEDS_STEPS] = {"pdpd_feeds_total", "{answer=\"steps\"}", "counter", NULL},
    [METRIC_FEEDS_SET] = {"pdpd_feeds_total", "{answer=\"set\"}", "counter", NULL},
    [METRIC_FEEDS_NONE] = {"pdpd_feeds_total", "{answer=\"none\"}", "counter", NULL},
    [METRIC_REVOCATIONS_NUMBER] = {"pdpd_revocations_number", "", "gauge",
                                   "Number of the newest list of revoked tokens."},
    [METRIC_REVOCATIONS_ENTRIES] = {"pdpd_revocations_entries", "", "gauge",
                                    "Entries in the list of revoked tokens."},
    [METRIC_RELAY_FETCHED] = {"pdpd_relay_fetches_total", "{result=\"fetched\"}", "counter",
                              "Attempts to fetch an issuer's token keys."},
    [METRIC_RELAY_SAME] = {"pdpd_relay_fetches_total", "{result=\"same\"}", "counter", NULL},
    [METRIC_RELAY_FAILED] = {"pdpd_relay_fetches_total", "{result=\"failed\"}", "counter", NULL},
    [METRIC_RELAYED_GOOD] = {"pdpd_relayed_issuers", "{state=\"good\"}", "gauge",
                             "Issuers whose keys are relayed, by state."},
    [METRIC_RELAYED_FAILING] = {"pdpd_relayed_issuers", "{state=\"failing\"}", "gauge", NULL},
    [METRIC_RELAYED_EXPIRED] = {"pdpd_relayed_issuers", "{state=\"expired\"}", "gauge", NULL},
    [METRIC_RELAYED_ABSENT] = {"pdpd_relayed_issuers", "{state=\"absent\"}", "gauge", NULL},
    [METRIC_RELAYED_WAITING] = {"pdpd_relayed_issuers", "{state=\"waiting\"}", "gauge", NULL},
    [METRIC_RELAYED_OLDEST] = {"pdpd_relayed_oldest_seconds", "", "gauge",
                               "Age of the relayed keys that were seen longest ago."},
};

void metrics_add(struct metrics *m, enum metric which, uint64_t n)
{
    atomic_fetch_add_explicit(&m->values[which], n, memory_order_relaxed);
}

void metrics_set(struct metrics *m, enum metric which, uint64_t value)
{
    atomic_store_explicit(&m->values[which], value, memory_order_relaxed);
}

void metrics_write(struct metrics *m, struct pep_buffer *out)
{
    for (int i = 0; i < METRICS; i++) {
        uint64_t v = atomic_load_explicit(&m->values[i], memory_order_relaxed);
        if (table[i].help != NULL)
            pep_put_format(out, "# HELP %s %s\n# TYPE %s %s\n", table[i].name, table[i].help,
                           table[i].name, table[i].type);
        pep_put_format(out, "%s%s %" PRIu64 "\n", table[i].name, table[i].labels, v);
    }
}
