/* The fetch port (ROUTER): every message is judged by who its connection was authenticated as, and
 * by what the registry says about that client now. */
#include "loop.h"

#include "pdp/fetch.h"
#include "pdp/log.h"

#include <string.h>

static void send_all(struct loop *l, struct pep_span route, struct outbox *out)
{
    for (size_t i = 0; i < out->count; i++) {
        if (socket_send(l->sockets[PORT_FETCH], &route, &out->items[i]) != 0)
            metrics_add(&l->server->metrics, METRIC_UNSENT, 1);
    }
}

/* The first message of a connection: a client that was suspended once learns that it no longer is.
 */
static void greet(struct loop *l, struct pep_span route, const struct client *client,
                  int64_t now_ms)
{
    struct message m = {0};
    struct pep_buffer *b = client->statement == 0 ? NULL : message_frame(&m, PEP_ENROL_MAX);
    if (b != NULL && server_statement(l->server, client, now_ms, b) == 0)
        socket_send(l->sockets[PORT_FETCH], &route, &m);
    message_clear(&m);
}

static void answer(struct loop *l, struct client *client, struct pep_span route,
                   const struct incoming *in)
{
    struct server *s = l->server;
    struct outbox out = {0};
    struct pep_span body = incoming_part(in, 1);
    if (in->count == 2 && !in->too_many && body.size == 0)
        return; /* ZMQ_PROBE_ROUTER: a connection says hello */
    int rc = in->count != 2 || in->too_many ? PEP_EFORMAT
                                            : fetch_handle(s, client, body, server_now_ms(), &out);
    if (rc == 0)
        send_all(l, route, &out);
    else if (rc == PEP_EFORMAT)
        metrics_add(&s->metrics, METRIC_MALFORMED_FETCH, 1);
    else if (rc == PEP_ELIMIT)
        metrics_add(&s->metrics, METRIC_LIMITED, 1);
    else
        log_error("fetch: %s: %s", client->id, pep_strerror(rc));
    outbox_clear(&out);
}

static void take(struct loop *l, struct incoming *in)
{
    struct server *s = l->server;
    struct pep_span route;
    const char *user = incoming_user(in);
    struct client *client = user == NULL ? NULL : registry_client(s->registry, user);
    bool fresh = false;
    if (client == NULL) {
        metrics_add(&s->metrics, METRIC_REFUSED_MESSAGES, 1);
        return;
    }
    if (in->count < 2 || !loop_route(in, &route)) {
        metrics_add(&s->metrics, METRIC_MALFORMED_FETCH, 1);
        return;
    }
    struct peer *peer = peers_note(l->peers, PORT_FETCH, incoming_fd(in), user, &fresh);
    if (peer != NULL)
        memcpy(peer->route, route.data, ROUTE_SIZE);
    if (client->state != CLIENT_ACTIVE) {
        metrics_add(&s->metrics, METRIC_REFUSED_MESSAGES, 1);
        if (peer != NULL)
            evict_late(l, peer, client, server_now_ms());
        return;
    }
    if (fresh)
        greet(l, route, client, server_now_ms());
    answer(l, client, route, in);
}

void fetches_read(struct loop *l)
{
    struct incoming in;
    for (int i = 0; i < LOOP_BATCH && loop_receive(l, PORT_FETCH, &in); i++) {
        take(l, &in);
        incoming_clear(&in);
    }
}
