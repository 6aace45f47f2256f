/*
 * Cutting off: what happens on the wire when a client or operator may no longer be here.
 *
 * A client's notice connections are cut at once. Its fetch connections first get the signed
 * statement, which is what makes libpep deny; they are cut when the client has hung up by itself,
 * or after GRACE_MS: libzmq does not say when a message has left, and a cut right behind it would
 * lose it. In that time no request of it is answered. The operator's answer waits for the end of
 * all this.
 */
#include "loop.h"

#include "pdp/log.h"
#include "pdp/operate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GRACE_MS 300
#define STEP_MS  5

struct pending {
    struct eviction *eviction;
    int64_t until_ms; /* monotonic */
    uint64_t cut;
    struct pending *next;
};

static int64_t monotonic_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void send_statement(struct loop *l, const struct peer *peer, struct pep_span statement)
{
    struct message m = {0};
    struct pep_span route = pep_span_of(peer->route, ROUTE_SIZE);
    message_copy(&m, statement);
    if (statement.size > 0 && socket_send(l->sockets[PORT_FETCH], &route, &m) != 0)
        metrics_add(&l->server->metrics, METRIC_UNSENT, 1);
    message_clear(&m);
}

static uint64_t begin_one(struct loop *l, bool operators, struct evicted *who, int64_t until)
{
    static const enum port slow_ports[2] = {PORT_FETCH, PORT_OPERATORS};
    struct pep_span statement = pep_buffer_span(&who->statement);
    struct peer *peer;
    uint64_t cut = 0;
    size_t it = 0;
    while (!operators && (peer = peers_next(l->peers, PORT_NOTICES, who->user_id, &it)) != NULL)
        cut += peers_cut(l->peers, peer);
    it = 0;
    while ((peer = peers_next(l->peers, slow_ports[operators], who->user_id, &it)) != NULL) {
        if (!operators)
            send_statement(l, peer, statement);
        peers_doom(l->peers, peer, until);
        cut++;
    }
    return cut;
}

/* Puts a new eviction under way. */
static void begin(struct loop *l, struct eviction *e, int64_t now)
{
    struct pending *p = calloc(1, sizeof(*p));
    uint64_t cut = 0;
    if (!e->operators) /* one that has not subscribed yet may be theirs, and may do so any moment */
        peers_cut_nameless(l->peers, PORT_NOTICES);
    for (size_t i = 0; i < e->count; i++)
        cut += begin_one(l, e->operators, &e->who[i], now + GRACE_MS);
    log_info("evict: %zu identities, %llu connections", e->count, (unsigned long long)cut);
    if (p == NULL) { /* the connections are doomed all the same; only the waiting is lost */
        operate_evicted(l->server, e, cut);
        return;
    }
    p->eviction = e;
    p->until_ms = now + GRACE_MS;
    p->cut = cut;
    p->next = l->pending;
    l->pending = p;
}

static bool all_gone(struct loop *l, const struct eviction *e)
{
    for (size_t i = 0; i < e->count; i++) {
        size_t it = 0;
        enum port port = e->operators ? PORT_OPERATORS : PORT_FETCH;
        if (peers_next(l->peers, port, e->who[i].user_id, &it) != NULL)
            return false;
    }
    return true;
}

int64_t evict_step(struct loop *l, int64_t now_ms)
{
    struct pending **at = &l->pending;
    while (l->server->evictions != NULL) {
        struct eviction *e = l->server->evictions;
        l->server->evictions = e->next;
        e->next = NULL;
        begin(l, e, now_ms);
    }
    int64_t doomed = peers_cut_doomed(l->peers, now_ms);
    while (*at != NULL) {
        struct pending *p = *at;
        if (now_ms < p->until_ms && !all_gone(l, p->eviction)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        operate_evicted(l->server, p->eviction, p->cut);
        free(p);
    }
    return l->pending != NULL || doomed != 0 ? now_ms + STEP_MS : 0;
}

void evict_late(struct loop *l, struct peer *peer, const struct client *client, int64_t now_ms)
{
    struct pep_buffer statement = pep_buffer_of(PEP_ENROL_MAX);
    if (peer->doomed_ms == 0 && !peer->cut) {
        if (server_statement(l->server, client, now_ms, &statement) == 0)
            send_statement(l, peer, pep_buffer_span(&statement));
        peers_doom(l->peers, peer, monotonic_ms() + GRACE_MS);
    }
    pep_buffer_free(&statement);
}

void evict_forget(struct loop *l)
{
    while (l->pending != NULL) {
        struct pending *p = l->pending;
        l->pending = p->next;
        operate_evicted(l->server, p->eviction, p->cut);
        free(p);
    }
}
