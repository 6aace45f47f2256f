/* The few things that every part of the server needs: see server.h. */
#include "server.h"

#include "log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t server_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void server_endpoint(const struct server *s, enum port port, char out[PEP_ENDPOINT_MAX + 1])
{
    const char *host = s->config.advertise;
    bool v6 = strchr(host, ':') != NULL && host[0] != '[';
    snprintf(out, PEP_ENDPOINT_MAX + 1, v6 ? "tcp://[%.200s]:%ld" : "tcp://%.200s:%ld", host,
             s->config.port_base + (long)port);
}

int server_stored(struct server *s, int rc)
{
    /* A conflict is an answer of a store that works. */
    bool failed = rc == PEP_EIO || rc == PEP_ELIMIT || rc == PEP_EFORMAT;
    if (failed)
        metrics_add(&s->metrics, METRIC_STORE_ERRORS, 1);
    if (failed || rc == 0)
        atomic_store(&s->health.store, !failed);
    return rc;
}

int server_statement(const struct server *s, const struct client *client, int64_t now_ms,
                     struct pep_buffer *out)
{
    static const uint8_t kinds[CLIENT_STATES] = {
        [CLIENT_ACTIVE] = PEP_STATEMENT_RESUMED,
        [CLIENT_SUSPENDED] = PEP_STATEMENT_SUSPENDED,
        [CLIENT_REVOKED] = PEP_STATEMENT_REVOKED,
    };
    struct pep_statement m;
    memset(&m, 0, sizeof(m));
    m.kind = kinds[client->state];
    memcpy(m.client_key, client->key, sizeof(m.client_key));
    memcpy(m.client, client->id, sizeof(m.client));
    m.seq = client->statement;
    m.issued_at = now_ms;
    struct pep_buffer frame = pep_buffer_of(PEP_ENROL_MAX);
    pep_statement_write(&m, &frame);
    int rc = frame.failed
                 ? PEP_ENOMEM
                 : pep_compact_sign(PEP_TYPE_STATEMENT, pep_buffer_span(&frame), s->beacon, out);
    pep_buffer_free(&frame);
    return rc;
}

void server_relay(struct server *s, const struct topic *topic)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_span issuers = pep_span_of(NULL, 0);
    int rc = topic_path(topic, "issuers.json", &issuers, &err);
    if (rc == 0)
        rc = relay_policy(s->relay, topic_name(topic), issuers, relay_now(), &err);
    if (rc != 0)
        log_error("%s: its relayed issuers cannot be followed: %s; push it again, or restart",
                  topic_name(topic), pep_error_text(&err));
}

const char *server_not_ready(const struct server *s)
{
    if (!atomic_load(&s->health.store))
        return "the store cannot be written";
    if (!atomic_load(&s->health.zap))
        return "the ZAP self-test has not passed";
    if (!atomic_load(&s->health.root))
        return "no root document yet: policyctl root init";
    return NULL;
}
