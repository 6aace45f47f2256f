/* The ZAP handler: see zap.h. */
#include "zap.h"

#include "curve.h"
#include "socket.h"

#include "pdp/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZAP_ENDPOINT  "inproc://zeromq.zap.01"
#define ZAP_PARTS     7 /* version, request id, domain, address, routing id, mechanism, key */
#define EXIT_SOFTWARE 70

struct zap {
    pthread_t thread;
    void *socket;
    struct server *server;
};

struct request {
    zmq_msg_t parts[ZAP_PARTS];
    size_t count; /* received, also beyond ZAP_PARTS */
};

static void clear(struct request *r)
{
    for (size_t i = 0; i < r->count && i < ZAP_PARTS; i++)
        zmq_msg_close(&r->parts[i]);
    r->count = 0;
}

static int receive(void *socket, struct request *r)
{
    int more = 1;
    r->count = 0;
    while (more) {
        zmq_msg_t surplus;
        zmq_msg_t *part = r->count < ZAP_PARTS ? &r->parts[r->count] : &surplus;
        zmq_msg_init(part);
        if (zmq_msg_recv(part, socket, 0) < 0) {
            int saved = errno;
            zmq_msg_close(part);
            clear(r);
            errno = saved;
            return -1;
        }
        more = zmq_msg_more(part);
        if (part == &surplus)
            zmq_msg_close(part);
        r->count++;
    }
    return 0;
}

static struct pep_span part_of(struct request *r, size_t i)
{
    return pep_span_of(zmq_msg_data(&r->parts[i]), zmq_msg_size(&r->parts[i]));
}

static enum port find_port(struct pep_span domain)
{
    int i = 0;
    while (i < PORTS && !pep_span_is(domain, port_names[i]))
        i++;
    return (enum port)i;
}

static bool judge(struct zap *z, struct request *r, char user_id[REGISTRY_USER_ID])
{
    char key[CURVE_TEXT];
    if (r->count != ZAP_PARTS || !pep_span_is(part_of(r, 0), "1.0") ||
        !pep_span_is(part_of(r, 5), "CURVE") || part_of(r, 6).size != 32)
        return false;
    enum port port = find_port(part_of(r, 2));
    curve_text(part_of(r, 6).data, key);
    return port != PORTS && registry_admits(z->server->registry, port, key, user_id);
}

/* 400 makes libzmq's client give up; libpep then goes on by itself, slowly. */
static int answer(struct zap *z, struct request *r, bool ok, const char *user_id)
{
    struct pep_span id = r->count > 1 ? part_of(r, 1) : pep_span_of("", 0);
    const char *status = ok ? "200" : "400";
    size_t size = ok ? strlen(user_id) : 0;
    if (zmq_send(z->socket, "1.0", 3, ZMQ_SNDMORE) < 0 ||
        zmq_send(z->socket, id.data, id.size, ZMQ_SNDMORE) < 0 ||
        zmq_send(z->socket, status, 3, ZMQ_SNDMORE) < 0 ||
        zmq_send(z->socket, "", 0, ZMQ_SNDMORE) < 0 ||
        zmq_send(z->socket, user_id, size, ZMQ_SNDMORE) < 0 || zmq_send(z->socket, "", 0, 0) < 0)
        return -1;
    return 0;
}

static void *run(void *context)
{
    struct zap *z = context;
    struct request r;
    int rc = 0;
    while (rc == 0 && (rc = receive(z->socket, &r)) == 0) {
        char user_id[REGISTRY_USER_ID] = "";
        bool ok = judge(z, &r, user_id);
        metrics_add(&z->server->metrics, ok ? METRIC_ZAP_ACCEPTED : METRIC_ZAP_DENIED, 1);
        rc = answer(z, &r, ok, user_id);
        clear(&r);
    }
    if (errno != ETERM) {
        /* Without a handler nobody can connect any more; a restart is better than that. */
        log_error("zap: the handler failed: %s", zmq_strerror(errno));
        _exit(EXIT_SOFTWARE);
    }
    zmq_close(z->socket);
    return NULL;
}

int zap_start(void *context, struct server *server, struct zap **ret, struct pep_error *err)
{
    int linger = 0;
    sigset_t all, before;
    struct zap *z = calloc(1, sizeof(*z));
    if (z == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    z->server = server;
    z->socket = zmq_socket(context, ZMQ_REP);
    if (z->socket == NULL || zmq_setsockopt(z->socket, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
        zmq_bind(z->socket, ZAP_ENDPOINT) != 0) {
        int rc = pep_error_set(err, PEP_EIO, "zap: %s", zmq_strerror(errno));
        if (z->socket != NULL)
            zmq_close(z->socket);
        free(z);
        return rc;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&z->thread, NULL, run, z);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        zmq_close(z->socket);
        free(z);
        return pep_error_set(err, PEP_EIO, "zap: %s", strerror(rc));
    }
    *ret = z;
    return 0;
}

void zap_join(struct zap *z)
{
    if (z == NULL)
        return;
    pthread_join(z->thread, NULL);
    free(z);
}
