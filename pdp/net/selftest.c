/* The start-up test of the doors: see selftest.h. */
#include "selftest.h"

#include "curve.h"

#include "pdp/log.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 5000

struct visitor {
    void *context, *socket, *monitor;
};

static void leave(struct visitor *v)
{
    if (v->monitor != NULL)
        zmq_close(v->monitor);
    if (v->socket != NULL) {
        zmq_socket_monitor(v->socket, NULL, 0);
        zmq_close(v->socket);
    }
    if (v->context != NULL)
        zmq_ctx_term(v->context);
}

/* A client of this kind with this key pair on its way to the endpoint. */
static int visit(struct visitor *v, int type, const char *endpoint, const char *server_key,
                 const char *const keys[2])
{
    int zero = 0, one = 1,
        events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    memset(v, 0, sizeof(*v));
    v->context = zmq_ctx_new();
    if (v->context == NULL || (v->socket = zmq_socket(v->context, type)) == NULL)
        return PEP_EIO;
    bool ok = zmq_setsockopt(v->socket, ZMQ_LINGER, &zero, sizeof(zero)) == 0 &&
              zmq_setsockopt(v->socket, ZMQ_IPV6, &one, sizeof(one)) == 0 &&
              zmq_setsockopt(v->socket, ZMQ_CURVE_SERVERKEY, server_key, CURVE_TEXT) == 0 &&
              zmq_setsockopt(v->socket, ZMQ_CURVE_PUBLICKEY, keys[0], CURVE_TEXT) == 0 &&
              zmq_setsockopt(v->socket, ZMQ_CURVE_SECRETKEY, keys[1], CURVE_TEXT) == 0 &&
              zmq_socket_monitor(v->socket, "inproc://handshake", events) == 0 &&
              (v->monitor = zmq_socket(v->context, ZMQ_PAIR)) != NULL &&
              zmq_setsockopt(v->monitor, ZMQ_LINGER, &zero, sizeof(zero)) == 0 &&
              zmq_connect(v->monitor, "inproc://handshake") == 0 &&
              zmq_connect(v->socket, endpoint) == 0;
    return ok ? 0 : PEP_EIO;
}

/* How the handshake ended: the event, and its value (the ZAP status of a refusal); 0 for neither.
 */
static int outcome(struct visitor *v, uint32_t *ret_value)
{
    struct incoming in;
    uint16_t event = 0;
    zmq_pollitem_t item = {v->monitor, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, WAIT_MS) <= 0 || incoming_receive(v->monitor, &in) != 0)
        return 0;
    struct pep_span body = incoming_part(&in, 0);
    if (body.size == 6) {
        memcpy(&event, body.data, sizeof(event));
        memcpy(ret_value, body.data + 2, sizeof(*ret_value));
    }
    incoming_clear(&in);
    return event;
}

static int last_endpoint(void *socket, char out[PEP_ENDPOINT_MAX + 1])
{
    size_t size = PEP_ENDPOINT_MAX + 1;
    char text[PEP_ENDPOINT_MAX + 1];
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text, &size) != 0)
        return PEP_EIO;
    const char *port = strrchr(text, ':');
    bool any = strncmp(text, "tcp://0.0.0.0:", 14) == 0 || strncmp(text, "tcp://[::]:", 11) == 0;
    if (port == NULL)
        return PEP_EIO;
    if (any)
        snprintf(out, PEP_ENDPOINT_MAX + 1, "tcp://127.0.0.1%.16s", port);
    else
        memcpy(out, text, sizeof(text));
    return 0;
}

/* A stranger must get the handler's own "400", not just no connection. */
static int refuse_stranger(struct loop *l, enum port port, struct pep_error *err)
{
    char public[CURVE_TEXT], secret[CURVE_TEXT], endpoint[PEP_ENDPOINT_MAX + 1];
    const char *const keys[2] = {public, secret};
    struct visitor v;
    uint32_t status = 0;
    int event = 0;
    int rc = curve_generate(public, secret);
    if (rc == 0)
        rc = last_endpoint(l->sockets[port], endpoint);
    if (rc != 0)
        return pep_error_set(err, rc, "self-test: cannot make a client");
    rc = visit(&v, port == PORT_NOTICES ? ZMQ_SUB : ZMQ_DEALER, endpoint, l->server->curve_public,
               keys);
    if (rc == 0)
        event = outcome(&v, &status);
    leave(&v);
    if (rc == 0 && event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH && status == 400)
        return 0;
    return pep_error_set(err, PEP_EDENIED,
                         "self-test: the %s port %s an unknown key (event %d, status %u); not "
                         "starting",
                         port_names[port],
                         event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? "let in"
                                                                : "did not properly refuse",
                         event, status);
}

/* The other way round, on a port of its own: a known key gets in, its message carries its name, and
 * libzmq tells the descriptor that a revocation will need. */
static int meet_friend(struct visitor *v, void *door, struct pep_error *err)
{
    struct incoming in;
    uint32_t status = 0;
    zmq_pollitem_t item = {door, 0, ZMQ_POLLIN, 0};

    if (outcome(v, &status) != ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        return pep_error_set(err, PEP_EDENIED,
                             "self-test: the ZAP handler does not answer for a known key; not "
                             "starting");
    if (zmq_send(v->socket, "hello", 5, ZMQ_DONTWAIT) < 0 || zmq_poll(&item, 1, WAIT_MS) <= 0 ||
        incoming_receive(door, &in) != 0)
        return pep_error_set(err, PEP_EDENIED, "self-test: a known key's message was lost");
    const char *user = incoming_user(&in);
    bool named = user != NULL && strcmp(user, "selftest") == 0;
    bool fd = incoming_fd(&in) >= 0;
    incoming_clear(&in);
    if (!named)
        return pep_error_set(err, PEP_EDENIED, "self-test: messages do not carry who sent them");
    if (!fd)
        return pep_error_set(err, PEP_EDENIED,
                             "self-test: this libzmq does not tell a message's connection "
                             "(ZMQ_SRCFD), so revocations could not cut it");
    return 0;
}

static int admit_friend(struct loop *l, struct pep_error *err)
{
    char public[CURVE_TEXT], secret[CURVE_TEXT], endpoint[PEP_ENDPOINT_MAX + 1];
    const char *const keys[2] = {public, secret};
    struct visitor v = {NULL, NULL, NULL};
    void *door = NULL;
    int rc = curve_generate(public, secret);
    if (rc == 0)
        rc = socket_new(l->context, PORT_SELFTEST, l->server->curve_secret, &door, err);
    if (rc == 0 && zmq_bind(door, "tcp://127.0.0.1:*") != 0)
        rc = PEP_EIO;
    if (rc == 0)
        rc = last_endpoint(door, endpoint);
    if (rc == 0) {
        registry_set_selftest(l->server->registry, public);
        rc = visit(&v, ZMQ_DEALER, endpoint, l->server->curve_public, keys);
    }
    rc = rc == 0 ? meet_friend(&v, door, err)
                 : pep_error_set(err, rc, "self-test: cannot open a port on loopback");
    registry_set_selftest(l->server->registry, NULL);
    leave(&v);
    if (door != NULL)
        zmq_close(door);
    return rc;
}

int selftest_run(struct loop *l, struct pep_error *err)
{
    static const enum port listed[] = {PORT_NOTICES, PORT_FETCH, PORT_OPERATORS};
    int rc = admit_friend(l, err);
    for (size_t i = 0; rc == 0 && i < sizeof(listed) / sizeof(listed[0]); i++)
        rc = refuse_stranger(l, listed[i], err);
    if (rc == 0)
        log_info("self-test: unknown keys are refused, known ones are named");
    return rc;
}
