/* The operator port (ROUTER): requests in, answers out, some of them later. */
#include "loop.h"

#include "pdp/operate.h"

#include <stdlib.h>
#include <string.h>

static void take(struct loop *l, struct incoming *in)
{
    struct server *s = l->server;
    struct pep_span route;
    const char *user = incoming_user(in);
    const struct operator* op = user == NULL ? NULL : registry_operator(s->registry, user);
    bool fresh = false;
    int rc = PEP_EFORMAT;
    if (op == NULL || !op->active) {
        metrics_add(&s->metrics, METRIC_REFUSED_MESSAGES, 1);
        return;
    }
    if (loop_route(in, &route)) {
        struct peer *peer = peers_note(l->peers, PORT_OPERATORS, incoming_fd(in), user, &fresh);
        if (peer != NULL)
            memcpy(peer->route, route.data, ROUTE_SIZE);
        struct operate_frames frames = {incoming_part(in, 1), incoming_part(in, 2),
                                        incoming_part(in, 3), route.data};
        if ((in->count == 3 || in->count == 4) && !in->too_many)
            rc = operate_handle(s, op, &frames, server_now_ms());
    }
    if (rc != 0)
        metrics_add(&s->metrics, METRIC_MALFORMED_OPERATORS, 1);
}

void operations_read(struct loop *l)
{
    struct incoming in;
    for (int i = 0; i < LOOP_BATCH && loop_receive(l, PORT_OPERATORS, &in); i++) {
        take(l, &in);
        incoming_clear(&in);
    }
}

void operations_answer(struct loop *l)
{
    struct server *s = l->server;
    while (s->late != NULL) {
        struct late_answer *answer = s->late;
        struct pep_span route = pep_span_of(answer->route, ROUTE_SIZE);
        s->late = answer->next;
        if (socket_send(l->sockets[PORT_OPERATORS], &route, &answer->message) != 0)
            metrics_add(&s->metrics, METRIC_UNSENT, 1);
        free(answer);
    }
}
