/*
 * The operator port's client: see remote.h. A DEALER with CURVE; its monitor says how far the
 * connection got, which is the only way to tell a wrong key from a missing server.
 *
 * Rejected: REQ, which cannot drop a late answer; a connection kept between runs.
 */
#include "remote.h"

#include "pep/core/crypto.h"
#include "pep/core/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

struct remote {
    struct session *session;
    struct context context;
    const char *endpoint; /* the one that answered */
    void *zmq, *socket, *monitor;
};

enum link_state { LINK_UP, LINK_REFUSED, LINK_SILENT, LINK_NO_AUTH, LINK_NO_HANDSHAKE };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- connecting ---- */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool configure(struct remote *r)
{
    const struct context *c = &r->context;
    int64_t most = PEP_BUNDLE_FILE_MAX > REMOTE_JSON_MAX ? PEP_BUNDLE_FILE_MAX : REMOTE_JSON_MAX;
    return set_int(r->socket, ZMQ_LINGER, 0) && set_int(r->socket, ZMQ_IPV6, 1) &&
           set_int(r->socket, ZMQ_HANDSHAKE_IVL, REMOTE_CONNECT_MS) &&
           set_int(r->socket, ZMQ_RECONNECT_IVL, 100) &&
           zmq_setsockopt(r->socket, ZMQ_MAXMSGSIZE, &most, sizeof(most)) == 0 &&
           zmq_setsockopt(r->socket, ZMQ_CURVE_SERVERKEY, c->server_key, PEP_Z85_SIZE + 1) == 0 &&
           zmq_setsockopt(r->socket, ZMQ_CURVE_PUBLICKEY, c->public_key, PEP_Z85_SIZE + 1) == 0 &&
           zmq_setsockopt(r->socket, ZMQ_CURVE_SECRETKEY, c->secret_key, PEP_Z85_SIZE + 1) == 0;
}

static void hang_up(struct remote *r)
{
    if (r->socket != NULL) {
        zmq_socket_monitor(r->socket, NULL, 0);
        zmq_close(r->socket);
    }
    if (r->monitor != NULL)
        zmq_close(r->monitor);
    r->socket = r->monitor = NULL;
}

static bool dial(struct remote *r, const char *endpoint)
{
    static const int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED |
                              ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    r->socket = zmq_socket(r->zmq, ZMQ_DEALER);
    r->monitor = zmq_socket(r->zmq, ZMQ_PAIR);
    return r->socket != NULL && r->monitor != NULL && configure(r) &&
           set_int(r->monitor, ZMQ_LINGER, 0) &&
           zmq_socket_monitor(r->socket, "inproc://monitor", events) == 0 &&
           zmq_connect(r->monitor, "inproc://monitor") == 0 &&
           zmq_connect(r->socket, endpoint) == 0;
}

/* The next event, or 0 after `wait_ms`. */
static int next_event(void *monitor, int64_t wait_ms)
{
    zmq_pollitem_t item = {monitor, 0, ZMQ_POLLIN, 0};
    if (wait_ms <= 0 || zmq_poll(&item, 1, (long)wait_ms) <= 0)
        return 0;
    uint8_t frame[6];
    uint16_t event;
    char address[PEP_ENDPOINT_MAX + 1];
    if (zmq_recv(monitor, frame, sizeof(frame), 0) < (int)sizeof(event))
        return 0;
    zmq_recv(monitor, address, sizeof(address), 0);
    memcpy(&event, frame, sizeof(event));
    return event;
}

static enum link_state await_link(struct remote *r)
{
    int64_t start = now_ms(), end = start + REMOTE_CONNECT_MS;
    bool connected = false, broken = false;
    for (int64_t now = start; now < end; now = now_ms()) {
        switch (next_event(r->monitor, end - now)) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            return LINK_UP;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            return LINK_NO_AUTH;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            broken = true;
            break;
        case ZMQ_EVENT_CONNECTED:
            connected = true;
            break;
        case ZMQ_EVENT_CONNECT_RETRIED:
            if (now - start > REMOTE_REFUSED_MS)
                return broken ? LINK_NO_HANDSHAKE : LINK_REFUSED;
            break;
        }
    }
    return connected || broken ? LINK_NO_HANDSHAKE : LINK_SILENT;
}

static int link_failed(struct session *s, const struct context *c, const char *endpoint,
                       enum link_state state)
{
    switch (state) {
    case LINK_NO_AUTH:
        return output_error(&s->out, EXIT_NOT_AUTHORISED,
                            "pdpd does not accept the operator key of context `%s`\n%s\n"
                            "the key was revoked, or belongs to another pdpd: an admin makes a new "
                            "one with `policyctl operator add NAME --role ROLE`",
                            c->name, endpoint);
    case LINK_NO_HANDSHAKE:
        return output_error(&s->out, EXIT_FAILED,
                            "something answers there, but not the pdpd of context `%s`\n%s\n"
                            "another server key, another port or another program: compare with "
                            "pdpd's operator.json",
                            c->name, endpoint);
    case LINK_REFUSED:
        return output_error(&s->out, EXIT_FAILED,
                            "cannot reach pdpd: nothing listens there\n%s (context %s)\n"
                            "start pdpd, or choose another context with -c",
                            endpoint, c->name);
    default:
        return output_error(&s->out, EXIT_FAILED,
                            "cannot reach pdpd within %d s\n%s (context %s)\n"
                            "is the host up, and the port open in the firewall?",
                            REMOTE_CONNECT_MS / 1000, endpoint, c->name);
    }
}

static int connect_any(struct remote *r)
{
    enum link_state state = LINK_SILENT;
    for (size_t i = 0; i < r->context.endpoint_count; i++) {
        r->endpoint = r->context.endpoints[i];
        if (!dial(r, r->endpoint)) {
            hang_up(r);
            return output_error(&r->session->out, EXIT_FAILED,
                                "cannot connect: %s\n%s (context %s)", zmq_strerror(errno),
                                r->endpoint, r->context.name);
        }
        state = await_link(r);
        if (state == LINK_UP)
            return EXIT_OK;
        hang_up(r);
    }
    return link_failed(r->session, &r->context, r->endpoint, state);
}

int remote_open(struct session *s, struct remote **ret)
{
    struct remote *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return output_error(&s->out, EXIT_FAILED, "no memory");
    r->session = s;
    int rc = session_context(s, &r->context);
    if (rc == EXIT_OK) {
        r->zmq = zmq_ctx_new();
        rc = r->zmq == NULL ? output_error(&s->out, EXIT_FAILED, "no memory") : connect_any(r);
    }
    if (rc != EXIT_OK) {
        remote_close(r);
        return rc;
    }
    *ret = r;
    return EXIT_OK;
}

void remote_close(struct remote *r)
{
    if (r == NULL)
        return;
    hang_up(r);
    if (r->zmq != NULL)
        zmq_ctx_term(r->zmq);
    context_wipe(&r->context);
    free(r);
}

const struct context *remote_context(const struct remote *r)
{
    return &r->context;
}

const char *remote_endpoint(const struct remote *r)
{
    return r->endpoint;
}

struct output *remote_output(const struct remote *r)
{
    return &r->session->out;
}

int remote_new_keys(char public_key[PEP_Z85_SIZE + 1], char secret_key[PEP_Z85_SIZE + 1])
{
    return zmq_curve_keypair(public_key, secret_key) == 0 ? PEP_OK : PEP_EIO;
}

/* ---- asking ---- */

static bool send_request(struct remote *r, const uint8_t nonce[PEP_NONCE_SIZE], const char *text,
                         struct pep_span bytes)
{
    struct pep_buffer head = pep_buffer_of(64);
    pep_operate_write(PEP_MSG_OPERATE, nonce, &head);
    bool good =
        !head.failed &&
        zmq_send(r->socket, head.data, head.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
        zmq_send(r->socket, text, strlen(text),
                 ZMQ_DONTWAIT | (bytes.data == NULL ? 0 : ZMQ_SNDMORE)) >= 0 &&
        (bytes.data == NULL || zmq_send(r->socket, bytes.data, bytes.size, ZMQ_DONTWAIT) >= 0);
    pep_buffer_free(&head);
    return good;
}

struct message {
    zmq_msg_t frames[3];
    size_t count;
};

static void message_free(struct message *m)
{
    for (size_t i = 0; i < m->count; i++)
        zmq_msg_close(&m->frames[i]);
    m->count = 0;
}

static struct pep_span frame_span(struct message *m, size_t i)
{
    return pep_span_of(zmq_msg_data(&m->frames[i]), zmq_msg_size(&m->frames[i]));
}

/* Reads one message whole; frames beyond the third make it unusable (count 0). */
static void receive(void *socket, struct message *m)
{
    bool more = true, extra = false;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, 0) < 0) {
            zmq_msg_close(&frame);
            extra = true;
            break;
        }
        more = zmq_msg_more(&frame) != 0;
        if (m->count < 3) {
            zmq_msg_init(&m->frames[m->count]);
            zmq_msg_move(&m->frames[m->count++], &frame);
        } else {
            extra = true;
        }
        zmq_msg_close(&frame);
    }
    if (extra)
        message_free(m);
}

/* The message that answers `nonce`; false if none came in time. */
static bool await_answer(struct remote *r, const uint8_t nonce[PEP_NONCE_SIZE], struct message *m)
{
    int64_t end = now_ms() + REMOTE_ANSWER_MS;
    for (int64_t now = now_ms(); now < end; now = now_ms()) {
        zmq_pollitem_t item = {r->socket, 0, ZMQ_POLLIN, 0};
        if (zmq_poll(&item, 1, (long)(end - now)) <= 0)
            continue;
        receive(r->socket, m);
        uint8_t got[PEP_NONCE_SIZE];
        if (m->count >= 2 && pep_operate_read(frame_span(m, 0), got) == PEP_OK &&
            pep_message_type(frame_span(m, 0)) == PEP_MSG_OPERATED &&
            memcmp(got, nonce, sizeof(got)) == 0)
            return true;
        message_free(m);
    }
    return false;
}

static int take_answer(struct remote *r, struct message *m, struct reply *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct reply reply = REPLY_INIT;
    if (pep_json_parse(frame_span(m, 1), REMOTE_JSON_MAX, "pdpd's answer", &reply.json, &err) !=
        PEP_OK)
        return output_error(&r->session->out, EXIT_FAILED, "%s\n%s", pep_error_text(&err),
                            r->endpoint);
    if (!json_is_boolean(json_object_get(reply.json, "ok"))) {
        json_decref(reply.json);
        return reply_malformed(r, "ok");
    }
    if (m->count == 3) {
        struct pep_span bytes = frame_span(m, 2);
        reply.bytes = malloc(bytes.size + 1);
        if (reply.bytes == NULL) {
            json_decref(reply.json);
            return output_error(&r->session->out, EXIT_FAILED, "no memory");
        }
        memcpy(reply.bytes, bytes.data, bytes.size);
        reply.size = bytes.size;
    }
    *ret = reply;
    return EXIT_OK;
}

int remote_ask(struct remote *r, json_t *request, struct pep_span bytes, struct reply *ret)
{
    struct output *out = &r->session->out;
    uint8_t nonce[PEP_NONCE_SIZE];
    struct message m = {.count = 0};
    char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    char op[32] = "";
    snprintf(op, sizeof(op), "%s",
             request == NULL ? "" : json_string_value(json_object_get(request, "op")));
    json_decref(request);
    if (text == NULL || pep_random(nonce, sizeof(nonce)) != PEP_OK) {
        free(text);
        return output_error(out, EXIT_FAILED, "no memory for the request");
    }
    bool sent = send_request(r, nonce, text, bytes);
    free(text);
    if (!sent)
        return output_error(out, EXIT_FAILED, "the request could not be sent: %s\n%s",
                            zmq_strerror(errno), r->endpoint);
    if (!await_answer(r, nonce, &m))
        return output_error(
            out, EXIT_FAILED,
            "pdpd did not answer `%s` within %d s; it may have been done or not\n%s\n"
            "look with `policyctl history` and `policyctl status`; sending the same "
            "bundle again is safe",
            op, REMOTE_ANSWER_MS / 1000, r->endpoint);
    int rc = take_answer(r, &m, ret);
    message_free(&m);
    return rc;
}
