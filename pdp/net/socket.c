/*
 * Server sockets: see socket.h.
 *
 * Options that are not obvious: HANDSHAKE_IVL 3 s against peers that connect and say nothing;
 * BACKLOG for a herd of clients after a restart; HANDOVER stays off and MANDATORY on, so that a
 * routing id can neither be taken over nor swallow an answer silently; XPUB_VERBOSE shows every
 * subscription and so every subscriber's connection; XPUB_MANUAL never (a use after free in 4.3.4).
 * LINGER 0: an answer is worth nothing after the end. The high-water marks bound what one slow peer
 * can hold in memory.
 */
#include "socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93 /* a draft in zmq.h 4.3, but in every built library */
#endif

#define BACKLOG 4096

static const struct {
    int type;
    int64_t
        max_message; /* incoming, also of the handshake (about 500); larger ends the connection */
    int send_mark, receive_mark;
} ports[PORTS] = {
    [PORT_NOTICES] = {ZMQ_XPUB, 1024, 1000, 64},
    [PORT_FETCH] = {ZMQ_ROUTER, PEP_REQUEST_MAX, 2 * PEP_WANT_MAX, 64},
    [PORT_ENROL] = {ZMQ_ROUTER, PEP_ENROL_MAX, 16, 16},
    [PORT_OPERATORS] = {ZMQ_ROUTER, PEP_BUNDLE_FILE_MAX, 64, 4},
    [PORT_SELFTEST] = {ZMQ_ROUTER, 1024, 4, 4},
};

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_common(void *socket, enum port port)
{
    static const struct {
        int option, value;
    } common[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_HANDSHAKE_IVL, 3000},
        {ZMQ_BACKLOG, BACKLOG},
        {ZMQ_IPV6, 1},
        {ZMQ_HEARTBEAT_IVL, 5000},
        {ZMQ_HEARTBEAT_TIMEOUT, 15000},
        {ZMQ_HEARTBEAT_TTL, 15000},
        {ZMQ_TCP_MAXRT, 20000},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 60},
        {ZMQ_TCP_KEEPALIVE_INTVL, 15},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof(common) / sizeof(common[0]); i++)
        ok = set_int(socket, common[i].option, common[i].value);
    int64_t max = ports[port].max_message;
    return ok && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof(max)) == 0 &&
           set_int(socket, ZMQ_SNDHWM, ports[port].send_mark) &&
           set_int(socket, ZMQ_RCVHWM, ports[port].receive_mark);
}

/* CURVE, the port's own ZAP domain, and "no handler means no": without the last one, libzmq lets
 * everybody in when the handler is missing. */
static bool set_security(void *socket, enum port port, const char *curve_secret)
{
    const char *domain = port_names[port];
    return set_int(socket, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, curve_secret, strlen(curve_secret) + 1) ==
               0 &&
           zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) == 0 &&
           set_int(socket, ZMQ_ZAP_ENFORCE_DOMAIN, 1);
}

static bool set_kind(void *socket, int type)
{
    if (type == ZMQ_XPUB)
        return set_int(socket, ZMQ_XPUB_VERBOSE, 1);
    return set_int(socket, ZMQ_ROUTER_MANDATORY, 1) && set_int(socket, ZMQ_ROUTER_HANDOVER, 0);
}

int socket_new(void *context, enum port port, const char *curve_secret, void **ret,
               struct pep_error *err)
{
    void *socket = zmq_socket(context, ports[port].type);
    if (socket == NULL)
        return pep_error_set(err, PEP_EIO, "%s port: %s", port_names[port], zmq_strerror(errno));
    if (!set_common(socket, port) || !set_security(socket, port, curve_secret) ||
        !set_kind(socket, ports[port].type)) {
        int rc = pep_error_set(err, PEP_EIO,
                               "%s port: this libzmq lacks an option that security "
                               "needs: %s",
                               port_names[port], zmq_strerror(errno));
        zmq_close(socket);
        return rc;
    }
    *ret = socket;
    return 0;
}

int socket_bind(void *socket, const char *host, long port, struct pep_error *err)
{
    char endpoint[PEP_ENDPOINT_MAX + 64];
    bool v6 = strchr(host, ':') != NULL && host[0] != '[';
    snprintf(endpoint, sizeof(endpoint), v6 ? "tcp://[%s]:%ld" : "tcp://%s:%ld", host, port);
    if (zmq_bind(socket, endpoint) == 0)
        return 0;
    return pep_error_set(err, PEP_EIO,
                         "cannot listen on %s: %s; choose other ports with --port-base, or another "
                         "address with --listen",
                         endpoint, zmq_strerror(errno));
}

/* ---- connections that begin and end ---- */

int socket_monitor(void *context, void *socket, enum port port, void **ret, struct pep_error *err)
{
    char endpoint[64];
    snprintf(endpoint, sizeof(endpoint), "inproc://connections.%s", port_names[port]);
    int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED;
    void *monitor = NULL;
    if (zmq_socket_monitor(socket, endpoint, events) == 0)
        monitor = zmq_socket(context, ZMQ_PAIR);
    /* No mark: a full monitor would make libzmq's network thread wait for us. */
    if (monitor == NULL || !set_int(monitor, ZMQ_RCVHWM, 0) || !set_int(monitor, ZMQ_LINGER, 0) ||
        zmq_connect(monitor, endpoint) != 0) {
        int rc = pep_error_set(err, PEP_EIO, "%s port: %s", port_names[port], zmq_strerror(errno));
        if (monitor != NULL)
            zmq_close(monitor);
        return rc;
    }
    *ret = monitor;
    return 0;
}

int socket_monitor_read(void *monitor, bool *ret_began)
{
    struct incoming in;
    int32_t fd = -1;
    while (fd < 0 && incoming_receive(monitor, &in) == 0) {
        struct pep_span event = incoming_part(&in, 0);
        uint16_t kind;
        if (event.size == sizeof(kind) + sizeof(fd)) { /* in the host's byte order */
            memcpy(&kind, event.data, sizeof(kind));
            memcpy(&fd, event.data + sizeof(kind), sizeof(fd));
            *ret_began = kind == ZMQ_EVENT_ACCEPTED;
        }
        incoming_clear(&in);
    }
    return fd;
}

/* ---- in ---- */

/* A part inside the frame that CURVE makes of it (RFC 26: a name, a nonce, a MAC and flags). */
static size_t wire_size(size_t part)
{
    size_t frame = 33 + part;
    return frame + (frame > 255 ? 9 : 2);
}

int incoming_receive(void *socket, struct incoming *in)
{
    int more = 1;
    memset(in, 0, sizeof(*in));
    while (more) {
        zmq_msg_t surplus;
        zmq_msg_t *part = in->count < PARTS_MAX ? &in->parts[in->count] : &surplus;
        zmq_msg_init(part);
        if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0) {
            int waiting = errno == EAGAIN || errno == EINTR;
            zmq_msg_close(part);
            incoming_clear(in);
            return waiting ? 1 : PEP_EIO;
        }
        more = zmq_msg_more(part);
        in->wire_size += wire_size(zmq_msg_size(part));
        if (part == &surplus) {
            in->too_many = true;
            zmq_msg_close(part);
        } else {
            in->count++;
        }
    }
    return 0;
}

void incoming_clear(struct incoming *in)
{
    for (size_t i = 0; i < in->count; i++)
        zmq_msg_close(&in->parts[i]);
    in->count = 0;
}

struct pep_span incoming_part(const struct incoming *in, size_t i)
{
    if (i >= in->count)
        return pep_span_of(NULL, 0);
    zmq_msg_t *part = (zmq_msg_t *)&in->parts[i]; /* libzmq's readers are not const */
    return pep_span_of(zmq_msg_data(part), zmq_msg_size(part));
}

const char *incoming_user(struct incoming *in)
{
    return zmq_msg_gets(&in->parts[in->count - 1], "User-Id");
}

const char *incoming_address(struct incoming *in)
{
    const char *address = zmq_msg_gets(&in->parts[in->count - 1], "Peer-Address");
    return address == NULL ? "unknown" : address;
}

int incoming_fd(struct incoming *in)
{
    return zmq_msg_get(&in->parts[in->count - 1], ZMQ_SRCFD);
}

/* ---- out ---- */

static void free_bytes(void *data, void *hint)
{
    (void)hint;
    free(data);
}

/* Hands the frame's bytes to libzmq, without a copy. */
static int send_frame(void *socket, struct pep_buffer *frame, int flags)
{
    zmq_msg_t part;
    size_t size = 0;
    uint8_t *data = pep_buffer_take(frame, &size);
    if (data == NULL)
        return -1;
    if (zmq_msg_init_data(&part, data, size, free_bytes, NULL) != 0) {
        free(data);
        return -1;
    }
    int rc = zmq_msg_send(&part, socket, flags | ZMQ_DONTWAIT);
    if (rc < 0)
        zmq_msg_close(&part);
    return rc;
}

int socket_send(void *socket, const struct pep_span *route, struct message *m)
{
    int rc = message_good(m) ? 0 : PEP_ENOMEM;
    if (rc == 0 && route != NULL &&
        zmq_send(socket, route->data, route->size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        rc = PEP_EIO;
    for (size_t i = 0; rc == 0 && i < m->count; i++) {
        if (send_frame(socket, &m->frames[i], i + 1 < m->count ? ZMQ_SNDMORE : 0) < 0)
            rc = PEP_EIO;
    }
    message_clear(m);
    return rc;
}
