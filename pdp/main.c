/*
 * pdpd: stores signed policy versions and tells every enrolled service which one to run.
 *
 * main() builds the server from the inside out (folder, store, keys, registry, roots, publisher),
 * then opens the doors in the one safe order: ZAP handler, ports, self-test, and only then the
 * loop. After that this thread serves signals and HTTP. It holds no policy signing key and cannot
 * make a version.
 */
#include "fault.h"
#include "keyfiles.h"
#include "limiter.h"
#include "log.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/selftest.h"
#include "net/zap.h"
#include "notify.h"
#include "operate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct doors {
    struct loop loop;
    struct zap *zap;
    struct event_base *base;
    struct http *http;
    struct event *signals[3];
    pthread_t thread;
    bool running;
};

/* ---- the inside ---- */

static int open_store(struct server *s, struct pep_error *err)
{
    int rc = keyfiles_folder(s->config.data, err);
    if (rc == 0)
        rc = store_open(s->config.data, &s->store, err);
    if (rc == 0)
        atomic_store(&s->health.store, true);
    return rc;
}

static int open_parts(struct server *s, struct pep_error *err)
{
    int rc = keyfiles_load(s, err);
    if (rc == 0)
        rc = registry_new(&s->registry);
    if (rc == 0)
        rc = registry_load(s->registry, s->store, err);
    if (rc == 0)
        rc = roots_open(s->store, &s->roots, err);
    if (rc == 0)
        rc = revoked_open(s->store, s->roots, &s->revoked, err);
    struct relay_parts relay = {s->store, s->beacon, &s->metrics, &s->config.relay_pause,
                                pep_random};
    if (rc == 0)
        rc = relay_open(&relay, &s->relay, err);
    s->feeds = (struct feeds){.revoked = s->revoked, .relay = s->relay, .metrics = &s->metrics};
    struct publisher_parts parts = {s->store, s->roots, &s->feeds, s->beacon, &s->metrics};
    if (rc == 0)
        rc = publisher_open(&parts, &s->publisher, err);
    if (rc == 0)
        rc = limiter_new(&s->enrol_limiter);
    if (rc != 0)
        return pep_error_set(err, rc, "%s", pep_strerror(rc));
    for (struct topic *t = publisher_first(s->publisher); t != NULL; t = topic_next(t))
        server_relay(s, t);
    atomic_store(&s->health.root, roots_newest(s->roots) != NULL);
    metrics_set(&s->metrics, METRIC_ROOT, roots_version(s->roots));
    metrics_set(&s->metrics, METRIC_CLIENTS, registry_client_count(s->registry));
    revoked_measure(s->revoked, &s->metrics);
    return 0;
}

static void close_parts(struct server *s)
{
    limiter_free(s->enrol_limiter);
    publisher_close(s->publisher);
    revoked_close(s->revoked);
    relay_close(s->relay);
    roots_close(s->roots);
    registry_free(s->registry);
    pep_private_key_free(s->beacon);
    pep_wipe(s->curve_secret, sizeof(s->curve_secret));
    store_close(s->store);
}

/* ---- the doors ---- */

static int open_network(struct server *s, struct doors *d, struct pep_error *err)
{
    d->loop.server = s;
    d->loop.wake = -1;
    d->loop.context = zmq_ctx_new();
    if (d->loop.context == NULL)
        return pep_error_set(err, PEP_EIO, "libzmq: %s", zmq_strerror(errno));
    zmq_ctx_set(d->loop.context, ZMQ_IO_THREADS, (int)s->config.io_threads);
    int rc = 0;
    if (!fault_without_zap())
        rc = zap_start(d->loop.context, s, &d->zap, err);
    if (rc == 0)
        rc = loop_open(&d->loop, err);
    if (rc == 0)
        rc = selftest_run(&d->loop, err);
    if (rc == 0)
        rc = relaying_open(&d->loop, err);
    if (rc == 0)
        atomic_store(&s->health.zap, true);
    return rc;
}

static void on_stop(evutil_socket_t number, short what, void *context)
{
    struct doors *d = context;
    (void)what;
    log_info("signal %d: stopping", (int)number);
    event_base_loopbreak(d->base);
}

static void on_reload(evutil_socket_t number, short what, void *context)
{
    struct doors *d = context;
    (void)number;
    (void)what;
    loop_reload(&d->loop);
}

static int open_http(struct doors *d, struct pep_error *err)
{
    d->base = event_base_new();
    if (d->base == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    d->signals[0] = evsignal_new(d->base, SIGTERM, on_stop, d);
    d->signals[1] = evsignal_new(d->base, SIGINT, on_stop, d);
    d->signals[2] = evsignal_new(d->base, SIGHUP, on_reload, d);
    for (int i = 0; i < 3; i++) {
        if (d->signals[i] == NULL || event_add(d->signals[i], NULL) != 0)
            return pep_error_set(err, PEP_ENOMEM, "no memory");
    }
    return http_open(d->base, &d->loop, &d->http, err);
}

/* Signals go to the main thread only. */
static int start_loop(struct doors *d, struct pep_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&d->thread, NULL, loop_run, &d->loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return pep_error_set(err, PEP_EIO, "cannot start a thread: %s", strerror(rc));
    d->running = true;
    return 0;
}

static int open_doors(struct server *s, struct doors *d, struct pep_error *err)
{
    int rc = open_network(s, d, err);
    if (rc == 0)
        rc = review_start(loop_wake, &d->loop, &s->review);
    if (rc == 0)
        rc = open_http(d, err);
    /* Only now are the ports known to be ours, which the operator's file names. */
    if (rc == 0)
        rc = keyfiles_first_operator(s, err);
    if (rc == 0)
        rc = start_loop(d, err);
    return rc == 0 ? 0 : pep_error_set(err, rc, "%s", pep_strerror(rc));
}

static void close_doors(struct server *s, struct doors *d)
{
    if (d->running) {
        loop_stop(&d->loop);
        pthread_join(d->thread, NULL);
    }
    review_stop(s->review);
    relaying_close(&d->loop);
    http_close(d->http);
    for (int i = 0; i < 3; i++) {
        if (d->signals[i] != NULL)
            event_free(d->signals[i]);
    }
    if (d->base != NULL)
        event_base_free(d->base);
    if (d->loop.context == NULL)
        return;
    loop_close(&d->loop);
    while (s->late != NULL) {
        struct late_answer *answer = s->late;
        s->late = answer->next;
        message_clear(&answer->message);
        free(answer);
    }
    zmq_ctx_shutdown(d->loop.context);
    zap_join(d->zap);
    zmq_ctx_term(d->loop.context);
}

/* Each client takes two descriptors: as many as we may have. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        log_debug("descriptors: at most %llu", (unsigned long long)limit.rlim_cur);
}

static int serve(struct server *s, struct doors *d, struct pep_error *err)
{
    int rc = open_store(s, err);
    if (rc == 0)
        rc = open_parts(s, err);
    if (rc == 0)
        rc = open_doors(s, d, err);
    if (rc == 0) {
        const char *why = server_not_ready(s);
        log_info("listening on %s, ports %ld to %ld%s%s", s->config.listen, s->config.port_base,
                 s->config.port_base + 4,
                 why == NULL ? "" : "; not ready: ", why == NULL ? "" : why);
        notify("READY=1");
        event_base_dispatch(d->base);
        notify("STOPPING=1");
    }
    close_doors(s, d);
    close_parts(s);
    return rc;
}

/* Each instance holds two connections; the usual soft limit of 1024 files is for select(2). A file
 * size limit must look like a full disk, not end the process. */
static void lift_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGXFSZ, SIG_IGN);
}

int main(int argc, char **argv)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct server *s = calloc(1, sizeof(*s));
    struct doors *d = calloc(1, sizeof(*d));
    int rc = s == NULL || d == NULL ? PEP_ENOMEM : config_read(argc, argv, &s->config, &err);
    if (rc == 0) {
        umask(077);
        signal(SIGPIPE, SIG_IGN);
        lift_limits();
        signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error to report, like a full disk */
        log_set_level((enum log_level)s->config.log_level);
        raise_descriptors();
        d->loop.argc = argc;
        d->loop.argv = argv;
        rc = serve(s, d, &err) == 0 ? 0 : EXIT_FAILED;
    } else {
        rc = rc > 0 ? 0 : EXIT_USAGE;
    }
    if (rc != 0)
        log_error("%s", pep_error_text(&err));
    free(d);
    free(s);
    return rc;
}
