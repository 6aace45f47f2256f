/*
 * The server's one thread: see loop.h.
 *
 * One thread for all four ports makes every message meet the registry as it is at that moment, with
 * no lock to forget. Encryption, the expensive part, is on libzmq's own threads; compiling a push
 * is on the review's. Monitors are read between a message's arrival and its handling, so that a
 * descriptor's old owner is always forgotten before its new one is noted.
 */
#include "loop.h"

#include "pdp/log.h"
#include "pdp/operate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BEACON_MS 1000
#define PROBE_MS  15000 /* a store that failed is tried again */

static void (*const readers[LOOP_PORTS])(struct loop *loop) = {
    [PORT_NOTICES] = notices_read,
    [PORT_FETCH] = fetches_read,
    [PORT_ENROL] = enrolments_read,
    [PORT_OPERATORS] = operations_read,
};

static int64_t monotonic_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- making ---- */

static int open_port(struct loop *l, enum port port, struct pep_error *err)
{
    struct server *s = l->server;
    int rc = socket_new(l->context, port, s->curve_secret, &l->sockets[port], err);
    if (rc == 0)
        rc = socket_monitor(l->context, l->sockets[port], port, &l->monitors[port], err);
    if (rc == 0)
        rc = socket_bind(l->sockets[port], s->config.listen, s->config.port_base + (long)port, err);
    return rc;
}

int loop_open(struct loop *l, struct pep_error *err)
{
    int rc = peers_new(&l->server->metrics, &l->peers);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (rc != 0 || l->wake < 0)
        rc = pep_error_set(err, PEP_EIO, "eventfd: %s", strerror(errno));
    for (int i = 0; rc == 0 && i < LOOP_PORTS; i++)
        rc = open_port(l, (enum port)i, err);
    if (rc != 0)
        loop_close(l);
    return rc;
}

void loop_close(struct loop *l)
{
    evict_forget(l);
    for (int i = 0; i < LOOP_PORTS; i++) {
        if (l->sockets[i] != NULL && l->monitors[i] != NULL)
            zmq_socket_monitor(l->sockets[i], NULL, 0);
        if (l->monitors[i] != NULL)
            zmq_close(l->monitors[i]);
        if (l->sockets[i] != NULL)
            zmq_close(l->sockets[i]);
        l->monitors[i] = NULL;
        l->sockets[i] = NULL;
    }
    peers_free(l->peers);
    l->peers = NULL;
    if (l->wake >= 0)
        close(l->wake);
    l->wake = -1;
}

/* ---- from other threads ---- */

void loop_wake(void *loop)
{
    struct loop *l = loop;
    uint64_t one = 1;
    /* It only fails when the counter is full, and then the loop is awake anyway. */
    if (write(l->wake, &one, sizeof(one)) < 0)
        return;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    loop_wake(l);
}

void loop_reload(struct loop *l)
{
    atomic_store(&l->reload, true);
    loop_wake(l);
}

static void reload_settings(struct loop *l)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (!atomic_exchange(&l->reload, false))
        return;
    if (config_reload(l->argc, l->argv, &l->server->config, &err) != 0) {
        log_error("reload: %s; nothing was changed", pep_error_text(&err));
        return;
    }
    log_set_level((enum log_level)l->server->config.log_level);
    relay_refresh(l->server->relay, relay_now());
    log_info("reload: settings read again; relayed token keys are fetched anew");
}

/* ---- going round ---- */

bool loop_route(const struct incoming *in, struct pep_span *ret)
{
    struct pep_span id = incoming_part(in, 0);
    if (id.size != ROUTE_SIZE || id.data[0] != 0)
        return false;
    *ret = id;
    return true;
}

static void read_monitor(struct loop *l, enum port port)
{
    int fd;
    bool began = false;
    while ((fd = socket_monitor_read(l->monitors[port], &began)) >= 0) {
        if (began)
            peers_accepted(l->peers, port, fd, monotonic_ms());
        else
            peers_ended(l->peers, port, fd);
    }
}

bool loop_receive(struct loop *l, enum port port, struct incoming *in)
{
    if (incoming_receive(l->sockets[port], in) != 0)
        return false;
    read_monitor(l, port);
    peers_took(l->peers, port, incoming_fd(in), in->wire_size);
    return true;
}

static void read_ports(struct loop *l)
{
    for (int i = 0; i < LOOP_PORTS; i++) {
        read_monitor(l, (enum port)i);
        readers[i](l);
    }
}

static void try_store(struct loop *l)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (atomic_load(&l->server->health.store))
        return;
    if (server_stored(l->server, store_probe(l->server->store, &err)) == 0)
        log_info("store: it can be written again");
    else
        log_error("store: %s", pep_error_text(&err));
}

/* Waits for anything to do, at most until `until`. */
static void wait_for(struct loop *l, int64_t until)
{
    zmq_pollitem_t items[2 * LOOP_PORTS + 1];
    int n = 0;
    int64_t left = until - monotonic_ms();
    for (int i = 0; i < LOOP_PORTS; i++) {
        items[n++] = (zmq_pollitem_t){l->sockets[i], 0, ZMQ_POLLIN, 0};
        items[n++] = (zmq_pollitem_t){l->monitors[i], 0, ZMQ_POLLIN, 0};
    }
    items[n++] = (zmq_pollitem_t){NULL, l->wake, ZMQ_POLLIN, 0};
    zmq_poll(items, n, left < 0 ? 0 : (long)left);
    if (items[n - 1].revents != 0) {
        uint64_t count;
        if (read(l->wake, &count, sizeof(count)) < 0)
            return;
    }
}

void *loop_run(void *loop)
{
    struct loop *l = loop;
    int64_t beacon = monotonic_ms(), probe = beacon + PROBE_MS;
    while (!atomic_load(&l->stop)) {
        int64_t now = monotonic_ms();
        if (now >= beacon) {
            publisher_beacon(l->server->publisher);
            relay_watch(l->server->relay, relay_now());
            beacon = now + BEACON_MS;
        }
        if (now >= probe) {
            try_store(l);
            probe = now + PROBE_MS;
        }
        reload_settings(l);
        read_ports(l);
        operate_reviewed(l->server);
        relaying_step(l);
        notices_publish(l);
        operations_answer(l);
        int64_t again = evict_step(l, now);
        operations_answer(l);
        int64_t watch = peers_watch(l->peers, now);
        atomic_store(&l->ticked_ms, monotonic_ms());
        again = again != 0 && again < watch ? again : watch;
        wait_for(l, again < beacon ? again : beacon);
    }
    return NULL;
}
