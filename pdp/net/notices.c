/*
 * The notice port (XPUB): subscriptions in, notices out.
 *
 * Whoever may connect may read every notice, so nothing here is secret and subscriptions are no
 * access control. They are looked at all the same: to know each subscriber's connection, and to cut
 * one that fills the server's memory with topics.
 */
#include "loop.h"

#include "pdp/log.h"

static void take(struct loop *l, struct incoming *in)
{
    struct server *s = l->server;
    struct pep_span body = incoming_part(in, 0);
    const char *user = incoming_user(in);
    const struct client *client = user == NULL ? NULL : registry_client(s->registry, user);
    bool fresh = false;
    struct peer *peer =
        user == NULL ? NULL : peers_note(l->peers, PORT_NOTICES, incoming_fd(in), user, &fresh);
    if (client == NULL || client->state != CLIENT_ACTIVE) {
        metrics_add(&s->metrics, METRIC_REFUSED_MESSAGES, 1);
        if (peer != NULL)
            peers_cut(l->peers, peer);
        return;
    }
    if (in->count != 1 || in->too_many || body.size == 0 || body.data[0] > 1) {
        metrics_add(&s->metrics, METRIC_MALFORMED_NOTICES, 1);
        return;
    }
    if (peer == NULL || body.data[0] == 0 || ++peer->subscriptions <= PEER_SUBSCRIPTIONS)
        return;
    metrics_add(&s->metrics, METRIC_FLOODS, 1);
    log_warning("notices: %s asked for more than %d topics and is cut", user, PEER_SUBSCRIPTIONS);
    peers_cut(l->peers, peer);
}

void notices_read(struct loop *l)
{
    struct incoming in;
    for (int i = 0; i < LOOP_BATCH && loop_receive(l, PORT_NOTICES, &in); i++) {
        take(l, &in);
        incoming_clear(&in);
    }
}

void notices_publish(struct loop *l)
{
    struct message m = {0};
    while (publisher_notice(l->server->publisher, server_now_ms(), &m)) {
        if (socket_send(l->sockets[PORT_NOTICES], NULL, &m) == 0)
            metrics_add(&l->server->metrics, METRIC_NOTICES, 1);
    }
    message_clear(&m);
}
