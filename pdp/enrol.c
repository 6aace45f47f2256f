/* Joining: see enrol.h. */
#include "enrol.h"

#include "limiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE_SIZE 8
#define ROOTS_SENT_MAX 256 /* documents behind one ENROLLED */

/* Why this token does not give this key an identity, or NULL if it does. For the log only. */
static const char *why_not(const struct server *s, const struct token *t,
                           const struct client *known, const struct pep_enrol *m, int64_t now)
{
    static const uint8_t nothing[PEP_SHA256_SIZE];
    uint8_t hash[PEP_SHA256_SIZE];
    if (pep_sha256(pep_span_of(m->secret, sizeof(m->secret)), hash) != 0)
        return "no memory";
    /* Compared also for an unknown token, so that the time does not tell. */
    bool match =
        pep_equal_constant_time(hash, t == NULL ? nothing : t->secret_sha256, sizeof(hash));
    if (t == NULL)
        return "unknown token";
    if (!match)
        return "wrong secret";
    if (now >= t->expires)
        return "the token has expired";
    if (known != NULL && strcmp(known->token, t->id) != 0)
        return "this key is enrolled already, with another token";
    if (known != NULL && known->state != CLIENT_ACTIVE)
        return "this key is suspended or revoked";
    if (known == NULL && t->uses_left == 0)
        return "the token is used up";
    if (known == NULL && (long)registry_client_count(s->registry) >= s->config.max_clients)
        return "max_clients is reached";
    return NULL;
}

/* A new identity: in the store, then in the registry. */
static int admit(struct server *s, struct token *t, const struct enrol_peer *peer,
                 const struct pep_enrol *m, struct client **ret)
{
    char id[PEP_CLIENT_ID_MAX + 1], what[512];
    int64_t now = server_now_ms() / 1000;
    uint32_t instance = 0;
    struct pep_error err = PEP_ERROR_INIT;
    char *labels = json_dumps(t->labels, JSON_COMPACT);
    if (labels == NULL)
        return PEP_ENOMEM;
    snprintf(what, sizeof(what), "%s bundle %s token %s host %.60s at %.60s", t->service, t->bundle,
             t->id, m->host, peer->address);
    pep_text_mend(what); /* the host's name may have been cut inside a character */
    struct store_audit audit = {now, "(enrolment)", "enrol", what, "ok"};
    struct store_client row = {.service = t->service,
                               .bundle = t->bundle,
                               .key = peer->key,
                               .labels = labels,
                               .state = CLIENT_ACTIVE,
                               .ephemeral = t->ephemeral,
                               .enrolled = now,
                               .token = t->id,
                               .host = m->host};
    int rc = server_stored(s, store_enrol(s->store, &row, &audit, &instance, &err));
    if (rc == 0) {
        t->uses_left--;
        snprintf(id, sizeof(id), "%s/%u", t->service, instance);
        row.id = id;
        row.instance = instance;
        rc = registry_add_client(s->registry, &row, ret);
    } else {
        log_error("enrol: %s: %s", t->service, pep_error_text(&err));
    }
    free(labels);
    return rc;
}

static int put_enrolled(struct server *s, const struct token *t, const struct client *c,
                        const struct pep_enrol *m, struct message *out)
{
    struct pep_enrolled *a = calloc(1, sizeof(*a));
    struct pep_buffer *b = message_frame(out, PEP_REQUEST_MAX);
    if (a == NULL || b == NULL) {
        free(a);
        return PEP_ENOMEM;
    }
    memcpy(a->nonce, m->nonce, sizeof(a->nonce));
    memcpy(a->client, c->id, sizeof(a->client));
    memcpy(a->bundle, c->bundle, sizeof(c->bundle));
    a->endpoint_count = 1;
    server_endpoint(s, PORT_NOTICES, a->notices[0]);
    server_endpoint(s, PORT_FETCH, a->fetch[0]);
    pep_enrolled_write(a, b);
    free(a);
    uint32_t newest = roots_version(s->roots);
    for (uint32_t v = t->root; v <= newest && v - t->root < ROOTS_SENT_MAX; v++)
        message_copy(out, roots_envelope(s->roots, v));
    return message_good(out) ? 0 : PEP_ENOMEM;
}

static int put_refused(struct server *s, const struct pep_enrol *m, const struct enrol_peer *peer,
                       const char *why, struct message *out)
{
    uint8_t random[REFERENCE_SIZE];
    struct pep_refused r;
    memset(&r, 0, sizeof(r));
    memcpy(r.nonce, m->nonce, sizeof(r.nonce));
    if (pep_random(random, sizeof(random)) != 0)
        return PEP_EIO;
    pep_hex_encode(random, sizeof(random), r.reference);
    snprintf(r.reason, sizeof(r.reason),
             "this token was not accepted; ask the operator for a new one and name the reference");
    struct pep_buffer *b = message_frame(out, PEP_REQUEST_MAX);
    if (b == NULL)
        return PEP_ENOMEM;
    pep_refused_write(&r, b);
    metrics_add(&s->metrics, METRIC_ENROL_REFUSED, 1);
    log_warning("enrol: refused, reference %s: %s (token %.32s, host %.60s, address %.60s)",
                r.reference, why, m->token_id, m->host, peer->address);
    return b->failed ? PEP_ENOMEM : 0;
}

int enrol_handle(struct server *s, const struct enrol_peer *peer, struct pep_span frame,
                 int64_t now_ms, struct message *out)
{
    struct pep_enrol m;
    int rc = pep_enrol_read(frame, &m);
    if (rc != 0)
        return rc;
    struct bucket_limit limit = {s->config.enrol_rate, (s->config.enrol_rate + 59) / 60};
    if (!limiter_take(s->enrol_limiter, peer->address, &limit, now_ms)) {
        metrics_add(&s->metrics, METRIC_LIMITED, 1);
        rc = put_refused(s, &m, peer, "too many attempts from this address", out);
        goto done;
    }
    struct token *token = registry_token(s->registry, m.token_id);
    struct client *client = registry_client_by_key(s->registry, peer->key);
    const char *why = why_not(s, token, client, &m, now_ms / 1000);
    bool fresh = why == NULL && client == NULL;
    if (fresh && admit(s, token, peer, &m, &client) != 0)
        why = "it could not be stored";
    if (why != NULL) {
        rc = put_refused(s, &m, peer, why, out);
        goto done;
    }
    if (fresh) {
        metrics_add(&s->metrics, METRIC_ENROLLED, 1);
        metrics_set(&s->metrics, METRIC_CLIENTS, registry_client_count(s->registry));
        log_info("enrol: %s joined for bundle %s from %.60s", client->id, client->bundle,
                 peer->address);
    }
    rc = put_enrolled(s, token, client, &m, out);
done:
    pep_wipe(m.secret, sizeof(m.secret));
    return rc;
}
