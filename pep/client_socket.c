/*
 * Sockets with the options that keep a host process alive and honest:
 *
 *   RCVHWM 0, no heartbeats   libzmq can abort() the process when a reader with a finite high-water
 *                             mark stalls under heartbeats (libzmq issue 3937)
 *   LINGER 0                  or closing waits for ever on messages to a dead server
 *   IMMEDIATE 1               nothing queues up for a server that is not there
 *   reconnect 1..2 s, to 30 s libzmq's own jitter is only rand() % RECONNECT_IVL, so the interval
 *                             itself is random per socket: doubled, the clients spread apart
 *   a monitor                 libzmq never reconnects after a refused handshake; we must see it,
 *                             and the connection's descriptor (received.h says what for)
 */
#include "pep/client_inside.h"
#include "pep/core/crypto.h"
#include "pep/received.h"

#include <zmq.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECONNECT_MIN  1000
#define RECONNECT_SPAN 1000
#define RECONNECT_MAX  30000
#define HANDSHAKE_TIME 5000
#define CONNECT_TIME   3000
#define SEND_QUEUE     64
#define NOTICES_HELD   (256 * 1024)
#define ANSWERS_HELD   (4 * 1024 * 1024)
#define FORGIVEN       64 /* bytes of the server's heartbeats between two looks */

#define MONITORED                                                                   \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int reconnect_interval(void)
{
    uint16_t r = 0;
    if (pep_random(&r, sizeof(r)) != PEP_OK)
        r = 0;
    return RECONNECT_MIN + r % RECONNECT_SPAN;
}

static int configure(void *socket, const struct pep_link_options *o)
{
    static const int fixed[][2] = {
        {ZMQ_LINGER, 0},
        {ZMQ_RCVHWM, 0},
        {ZMQ_SNDHWM, SEND_QUEUE},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_TIME},
        {ZMQ_CONNECT_TIMEOUT, CONNECT_TIME},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX},
        {ZMQ_TCP_MAXRT, 20000},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 60},
        {ZMQ_TCP_KEEPALIVE_INTVL, 15},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
        {ZMQ_IMMEDIATE, 1},
        {ZMQ_IPV6, 1},
    };
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (set_int(socket, fixed[i][0], fixed[i][1]) != 0)
            return -1;
    }
    if (set_int(socket, ZMQ_RECONNECT_IVL, reconnect_interval()) != 0 ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &o->max_frame, sizeof(o->max_frame)) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, o->server_key, PEP_Z85_SIZE + 1) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, o->key->public_key, PEP_Z85_SIZE + 1) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, o->key->secret_key, PEP_Z85_SIZE + 1) != 0)
        return -1;
    if (o->topic != NULL)
        return zmq_setsockopt(socket, ZMQ_SUBSCRIBE, o->topic, strlen(o->topic) + 1);
    return 0;
}

static int watch(void *context, struct pep_link *link)
{
    char name[64];
    snprintf(name, sizeof(name), "inproc://pep.monitor.%p", link->socket);
    if (zmq_socket_monitor(link->socket, name, MONITORED) != 0)
        return -1;
    link->monitor = zmq_socket(context, ZMQ_PAIR);
    if (link->monitor == NULL || set_int(link->monitor, ZMQ_LINGER, 0) != 0)
        return -1;
    return zmq_connect(link->monitor, name);
}

int pep_link_open(void *context, const struct pep_link_options *options, struct pep_link *ret,
                  struct pep_error *err)
{
    struct pep_link link = {.socket = zmq_socket(context, options->type), .fd = -1};
    link.most = options->type == ZMQ_SUB ? NOTICES_HELD : PEP_RECEIVE_MAX + ANSWERS_HELD;
    if (link.socket == NULL)
        return pep_error_set(err, PEP_EIO, "no socket: %s", zmq_strerror(errno));
    if (configure(link.socket, options) != 0 || watch(context, &link) != 0 ||
        zmq_connect(link.socket, options->endpoint) != 0) {
        pep_error_set(err, PEP_EIO, "%s: cannot connect: %s", options->endpoint,
                      zmq_strerror(errno));
        pep_link_close(&link);
        return PEP_EIO;
    }
    *ret = link;
    return PEP_OK;
}

void pep_link_close(struct pep_link *link)
{
    if (link->socket != NULL) {
        zmq_socket_monitor(link->socket, NULL, 0);
        zmq_close(link->socket);
    }
    if (link->monitor != NULL)
        zmq_close(link->monitor);
    link->socket = NULL;
    link->monitor = NULL;
    link->fd = -1;
}

bool pep_link_overfull(struct pep_link *link)
{
    uint64_t received;
    if (link->socket == NULL || link->fd < 0 || pep_received_bytes(link->fd, &received) != 0)
        return false;
    if (received > link->taken + link->most)
        return true;
    link->taken += FORGIVEN;
    if (link->taken > received)
        link->taken = received;
    return false;
}

/* The value of an event is the descriptor of the connection that it is about. */
static void follow(struct pep_link *link, uint16_t event, int32_t value)
{
    if (event != ZMQ_EVENT_CONNECTED && event != ZMQ_EVENT_DISCONNECTED)
        return;
    link->fd = event == ZMQ_EVENT_CONNECTED ? value : -1;
    link->taken = 0;
}

enum pep_link_news pep_link_news(struct pep_link *link)
{
    zmq_msg_t m;
    enum pep_link_news news = PEP_LINK_NOTHING;
    while (link->monitor != NULL && news == PEP_LINK_NOTHING) {
        uint16_t event = 0;
        int32_t value = -1;
        int more = 0;
        zmq_msg_init(&m);
        if (zmq_msg_recv(&m, link->monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&m);
            return PEP_LINK_NOTHING;
        }
        if (zmq_msg_size(&m) == sizeof(event) + sizeof(value)) {
            memcpy(&event, zmq_msg_data(&m), sizeof(event));
            memcpy(&value, (const char *)zmq_msg_data(&m) + sizeof(event), sizeof(value));
        }
        follow(link, event, value);
        more = zmq_msg_more(&m);
        zmq_msg_close(&m);
        if (more) { /* the address */
            zmq_msg_init(&m);
            zmq_msg_recv(&m, link->monitor, 0);
            zmq_msg_close(&m);
        }
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            news = PEP_LINK_UP;
        else if (event == ZMQ_EVENT_DISCONNECTED)
            news = PEP_LINK_DOWN;
        else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ||
                 event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
            news = PEP_LINK_REFUSED;
    }
    return news;
}

/* ---- messages ---- */

void pep_frames_clear(struct pep_frames *f)
{
    zmq_msg_t *messages = f->messages;
    for (size_t i = 0; i < f->count; i++)
        zmq_msg_close(&messages[i]);
    f->count = 0;
}

void pep_frames_free(struct pep_frames *f)
{
    pep_frames_clear(f);
    free(f->messages);
    free(f->spans);
    memset(f, 0, sizeof(*f));
}

static int grow(struct pep_frames *f)
{
    size_t capacity = f->capacity == 0 ? 8 : 2 * f->capacity;
    zmq_msg_t *messages = malloc(capacity * sizeof(*messages));
    struct pep_span *spans = calloc(capacity, sizeof(*spans));
    if (messages == NULL || spans == NULL) {
        free(messages);
        free(spans);
        return PEP_ENOMEM;
    }
    zmq_msg_t *old = f->messages;
    for (size_t i = 0; i < f->count; i++) { /* a zmq_msg_t must not be moved by memcpy */
        zmq_msg_init(&messages[i]);
        zmq_msg_move(&messages[i], &old[i]);
        zmq_msg_close(&old[i]);
    }
    free(f->messages);
    free(f->spans);
    f->messages = messages;
    f->spans = spans;
    f->capacity = capacity;
    return PEP_OK;
}

static void point_at_bytes(struct pep_frames *f)
{
    zmq_msg_t *messages = f->messages;
    for (size_t i = 0; i < f->count; i++)
        f->spans[i] = pep_span_of(zmq_msg_data(&messages[i]), zmq_msg_size(&messages[i]));
}

int pep_link_receive(struct pep_link *link, struct pep_frames *f)
{
    int rc = PEP_OK, more = 1;
    size_t total = 0;
    pep_frames_clear(f);
    while (more) {
        zmq_msg_t m;
        zmq_msg_init(&m);
        if (zmq_msg_recv(&m, link->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&m);
            return PEP_ENOTFOUND; /* only before the first frame: the rest comes with it */
        }
        more = zmq_msg_more(&m);
        total += zmq_msg_size(&m);
        link->taken += pep_received_part(zmq_msg_size(&m));
        if (rc == PEP_OK && (f->count == PEP_FRAMES_MAX || total > PEP_RECEIVE_MAX))
            rc = PEP_ELIMIT;
        if (rc == PEP_OK && f->count == f->capacity)
            rc = grow(f);
        if (rc == PEP_OK) {
            zmq_msg_t *slot = (zmq_msg_t *)f->messages + f->count++;
            zmq_msg_init(slot);
            zmq_msg_move(slot, &m);
        }
        zmq_msg_close(&m);
    }
    if (rc != PEP_OK)
        pep_frames_clear(f);
    else
        point_at_bytes(f);
    return rc;
}

int pep_link_send(struct pep_link *link, struct pep_span frame)
{
    return zmq_send(link->socket, frame.data, frame.size, ZMQ_DONTWAIT) < 0 ? PEP_ETIMEDOUT
                                                                            : PEP_OK;
}

/* ---- keys ---- */

int pep_curve_key_new(struct pep_curve_key *ret)
{
    return zmq_curve_keypair(ret->public_key, ret->secret_key) == 0 ? PEP_OK : PEP_EIO;
}

bool pep_curve_key_fits(const struct pep_curve_key *key)
{
    char public_key[PEP_Z85_SIZE + 1];
    return zmq_curve_public(public_key, key->secret_key) == 0 &&
           strcmp(public_key, key->public_key) == 0;
}
