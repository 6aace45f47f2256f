/* The enrol port (ROUTER): anybody may connect; the key that the connection proved is the identity
 * that is asked for. */
#include "loop.h"

#include "pdp/enrol.h"
#include "pdp/log.h"

static void take(struct loop *l, struct incoming *in)
{
    struct server *s = l->server;
    struct message out = {0};
    struct pep_span route;
    const char *user = incoming_user(in);
    int rc = PEP_EFORMAT;
    if (user != NULL && in->count == 2 && !in->too_many && loop_route(in, &route)) {
        struct enrol_peer peer = {user, incoming_address(in)};
        rc = enrol_handle(s, &peer, incoming_part(in, 1), server_now_ms(), &out);
    }
    if (rc == PEP_EFORMAT)
        metrics_add(&s->metrics, METRIC_MALFORMED_ENROL, 1);
    else if (rc != 0)
        log_error("enrol: %s", pep_strerror(rc));
    else if (socket_send(l->sockets[PORT_ENROL], &route, &out) != 0)
        metrics_add(&s->metrics, METRIC_UNSENT, 1);
    message_clear(&out);
}

void enrolments_read(struct loop *l)
{
    struct incoming in;
    for (int i = 0; i < LOOP_BATCH && loop_receive(l, PORT_ENROL, &in); i++) {
        take(l, &in);
        incoming_clear(&in);
    }
}
