/*
 * The network side's life: open (identity and cache, no network), run (one thread that owns every
 * socket and waits in one place), close, and what becomes of it in a forked child.
 *
 * The loop knows nothing about policies: it turns what arrives into events for the pure state
 * machine (sync.c) and does what that asks for (client_act.c). One context of our own with one I/O
 * thread; the context of a host is never used, because it cannot be shared across our rules for
 * closing.
 *
 * After fork() the child has the parent's memory, caught at any point of the agent's work, and none
 * of its threads. So nothing of the inherited client is touched again: its sockets belong to the
 * parent, and its state machine may be half-way through a step. The child leaves all of it where it
 * is and begins anew from identity and cache, while decisions go on by the inherited policy.
 */
#include "pep/cache.h"
#include "pep/client_inside.h"
#include "pep/core/crypto.h"
#include "pep/disk.h"

#include <zmq.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define LIBRARY         "libpep"
#define SAVE_PROOF_MS   30000
#define MESSAGES_A_TURN 64 /* per socket, before the other duties are looked after */
#define ROOTS_TEXT_MAX  ((size_t)PEP_ROOT_CHAIN * (PEP_ROOT_MAX + 1))
#define ENROL_TRY_MS    10000
#define ENROL_PAUSE_MS  5000
#define TOKEN_FILE_MAX  8192

static void client_free(struct pep_client *c)
{
    if (c == NULL)
        return;
    pep_sync_free(c->sync);
    pep_feeding_free(c->feeding);
    pep_identity_free(c->id);
    pep_buffer_free(&c->roots);
    pep_buffer_free(&c->outgoing);
    pep_buffer_free(&c->question);
    pep_frames_free(&c->frames);
    free(c);
}

/* ---- opening ---- */

static uint32_t save_proof_ms(const struct pep *p)
{
    uint32_t s = p->settings.max_stale_s;
    return s > 0 && s < SAVE_PROOF_MS / 250 ? s * 250 : SAVE_PROOF_MS;
}

/* Decide by what the cache holds, unless the handle already does (a forked child). Takes the
 * bundle; gives it back only if it is what runs now. */
static struct pep_bundle *activate_cached(struct pep *p, struct pep_bundle *bundle,
                                          const struct pep_memory *memory)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_running now;
    pep_handle_running(p, &now);
    const struct pep_manifest *m = pep_bundle_manifest(bundle);
    if (now.version != 0) {
        if (memcmp(now.digest, pep_manifest_digest(m), sizeof(now.digest)) == 0)
            return bundle;
    } else if (pep_handle_activate(p, bundle, &memory->proof, false, &err) == PEP_OK) {
        return bundle;
    } else {
        pep_handle_failed(p, &err);
    }
    pep_bundle_free(bundle);
    return NULL;
}

/* What decisions went by before a fork is not given up for an older cache. */
static void keep_standing(const struct pep *p, struct pep_fed *fed)
{
    const struct pep_active *a = atomic_load(&p->active);
    const struct pep_standing *s = a == NULL ? NULL : atomic_load(&a->standing);
    if (s != NULL)
        pep_fed_raise(fed, &s->fed);
}

/* Before the first activation: it looks at what had come. */
static int start_feeding(struct pep_client *c, const struct pep_root *root, struct pep_error *err)
{
    struct pep_keys_origin origin = {
        root == NULL ? c->id->root : root, c->id->bundle, NULL, {0, 0}};
    struct pep_feeding_options o = {c->id->bundle, pep_random};
    struct pep_error damage = PEP_ERROR_INIT;
    struct pep_fed fed;
    int r = pep_cache_load_fed(c->p->settings.cache, &origin, pep_moment_now(), &fed, &damage);
    pep_feeding_free(c->feeding); /* of an attempt that failed later */
    c->feeding = NULL;
    if (fed.revocations != NULL) {
        if (r != PEP_OK)
            pep_handle_failed(c->p, &damage);
        keep_standing(c->p, &fed);
        r = pep_feeding_new(&o, &fed, &c->feeding);
    }
    if (c->feeding == NULL || pep_handle_feed(c->p, pep_feeding_fed(c->feeding)) != PEP_OK)
        return pep_error_set(err, PEP_ENOMEM, "no memory for the network side");
    return PEP_OK;
}

static int start_sync(struct pep_client *c, struct pep_cached *cached, struct pep_error *err)
{
    struct pep *p = c->p;
    char library[32];
    struct pep_error ignored = PEP_ERROR_INIT;
    snprintf(library, sizeof(library), LIBRARY " %s", pep_version());
    struct pep_sync_options o = {
        .bundle = c->id->bundle,
        .client_key = c->id->key.public_key,
        .library = library,
        .subscribe = p->settings.mode == PEP_SUBSCRIBE,
        .poll_ms = p->settings.poll_interval_ms,
        .save_proof_ms = save_proof_ms(p),
        .random = pep_random,
    };
    if (cached->root == NULL &&
        pep_root_open(pep_root_envelope(c->id->root), NULL, &cached->root, &ignored) != PEP_OK)
        cached->root = NULL;
    if (cached->running != NULL)
        cached->running = activate_cached(p, cached->running, &cached->memory);
    if (cached->running == NULL) {
        pep_bundle_free(cached->fallback);
        cached->fallback = NULL;
    }
    int rc = pep_sync_new(&o, cached->root, cached->running, cached->fallback, &cached->memory,
                          &c->sync);
    if (rc != PEP_OK)
        return pep_error_set(err, rc, "the network side cannot be set up");
    uint8_t s = cached->memory.statement;
    pep_handle_set_revoked(p, s == PEP_STATEMENT_REVOKED || s == PEP_STATEMENT_SUSPENDED);
    return PEP_OK;
}

static int open_identity(struct pep_client *c, struct pep_error *err)
{
    struct pep *p = c->p;
    struct pep_cached cached;
    struct pep_error damage = PEP_ERROR_INIT;
    int rc = pep_identity_read(p->settings.identity, &c->id, err);
    if (rc != PEP_OK)
        return rc == PEP_ENOTFOUND ? PEP_EINVAL : rc;
    if (!pep_curve_key_fits(&c->id->key))
        return pep_error_set(err, PEP_EFORMAT,
                             "%s/curve.key: public and secret key do not belong "
                             "together",
                             p->settings.identity);
    rc = pep_handle_set_service(p, c->id->client, err);
    if (rc != PEP_OK)
        return rc;
    struct pep_cache_owner owner = {c->id->bundle, c->id->key.public_key, c->id->root};
    if (pep_cache_load(p->settings.cache, &owner, pep_moment_now(), &cached, &damage) != PEP_OK)
        pep_handle_failed(p, &damage);
    c->roots = pep_buffer_of(ROOTS_TEXT_MAX);
    pep_put_span(&c->roots, cached.roots);
    pep_disk_free(cached.roots);
    rc = start_feeding(c, cached.root, err);
    if (rc == PEP_OK)
        return start_sync(c, &cached, err);
    pep_root_free(cached.root);
    pep_bundle_free(cached.running);
    pep_bundle_free(cached.fallback);
    return rc;
}

int pep_client_open(struct pep *p, struct pep_error *err)
{
    if (!zmq_has("curve"))
        return pep_error_set(err, PEP_EINVAL, "this libzmq was built without CURVE");
    struct pep_client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for the network side");
    c->p = p;
    int rc = PEP_OK;
    if (pep_identity_exists(p->settings.identity) || p->settings.enrol_token_file == NULL)
        rc = open_identity(c, err);
    if (rc != PEP_OK) {
        client_free(c);
        return rc;
    }
    p->client = c;
    return PEP_OK;
}

/* ---- running ---- */

static void hear_feed(struct pep_client *c)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (pep_feeding_message(c->feeding, c->frames.spans, c->frames.count, pep_sync_root(c->sync),
                            &err) != PEP_OK)
        pep_handle_failed(c->p, &err);
}

static void hear(struct pep_client *c, struct pep_link *link, enum pep_sync_event_kind kind)
{
    for (int i = 0; i < MESSAGES_A_TURN && link->socket != NULL; i++) {
        int rc = pep_link_receive(link, &c->frames);
        if (rc == PEP_ENOTFOUND)
            return;
        if (rc != PEP_OK) {
            pep_handle_log(c->p, LOG_WARNING, "a message from the server is over the limits");
            continue;
        }
        struct pep_sync_event e = {
            .kind = kind, .frames = c->frames.spans, .count = c->frames.count};
        if (e.count > 0 && pep_message_type(e.frames[0]) == PEP_MSG_REVOKED)
            hear_feed(c);
        else
            pep_client_step(c, &e);
        pep_frames_clear(&c->frames);
    }
}

static void hear_news(struct pep_client *c)
{
    static const enum pep_sync_event_kind kinds[] = {
        [PEP_LINK_UP] = PEP_EVENT_LINK_UP,
        [PEP_LINK_DOWN] = PEP_EVENT_LINK_DOWN,
        [PEP_LINK_REFUSED] = PEP_EVENT_LINK_REFUSED,
    };
    enum pep_link_news news;
    while ((news = pep_link_news(&c->fetch)) != PEP_LINK_NOTHING) {
        struct pep_sync_event e = {.kind = kinds[news]};
        pep_feeding_link(c->feeding, news == PEP_LINK_UP);
        pep_client_step(c, &e);
    }
    while ((news = pep_link_news(&c->notices)) != PEP_LINK_NOTHING) {
        struct pep_sync_event e = {.kind = PEP_EVENT_LINK_REFUSED};
        if (news == PEP_LINK_REFUSED)
            pep_client_step(c, &e);
    }
}

/* One message without end would fill the host's memory: see received.h. */
static void watch_memory(struct pep_client *c)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_sync_event e = {.kind = PEP_EVENT_LINK_REFUSED};
    if (!pep_link_overfull(&c->fetch) && !pep_link_overfull(&c->notices))
        return;
    pep_client_disconnect(c);
    pep_client_step(c, &e); /* both sockets anew, after a pause */
    pep_error_set(&err, PEP_ELIMIT, "the server sent a message without end: the connection is cut");
    pep_handle_failed(c->p, &err);
}

static void send_outgoing(struct pep_client *c, struct pep_buffer *frame)
{
    if (frame->size == 0 || c->fetch.socket == NULL)
        return;
    if (frame->failed || pep_link_send(&c->fetch, pep_buffer_span(frame)) == PEP_OK)
        pep_buffer_free(frame);
}

/* A refresh is answered by a conversation that began after it was asked for. */
static void look_for_refresh(struct pep_client *c)
{
    enum pep_sync_phase phase = pep_sync_phase(c->sync);
    uint64_t wanted = pep_handle_refresh_wanted(c->p);
    if (wanted == 0 || c->refresh != 0 || (phase != PEP_SYNC_IDLE && phase != PEP_SYNC_WAITING))
        return;
    struct pep_sync_event e = {.kind = PEP_EVENT_REFRESH};
    c->refresh = wanted;
    pep_client_step(c, &e);
}

static long time_to_wait(const struct pep_client *c, bool busy)
{
    int64_t sync = pep_sync_deadline(c->sync), feed = pep_feeding_deadline(c->feeding);
    int64_t due = (feed < sync ? feed : sync) - pep_moment_now().boot_ms;
    if (busy || due <= 0)
        return 0;
    return due < PEP_TICK_MS ? (long)due : PEP_TICK_MS;
}

static void wait_for_something(struct pep_client *c, bool busy)
{
    zmq_pollitem_t items[5];
    int n = 0;
    items[n++] = (zmq_pollitem_t){NULL, c->p->wake_fd, ZMQ_POLLIN, 0};
    if (c->fetch.socket != NULL) {
        short out = c->outgoing.size + c->question.size > 0 ? ZMQ_POLLOUT : 0;
        items[n++] = (zmq_pollitem_t){c->fetch.socket, 0, (short)(ZMQ_POLLIN | out), 0};
        items[n++] = (zmq_pollitem_t){c->fetch.monitor, 0, ZMQ_POLLIN, 0};
    }
    if (c->notices.socket != NULL) {
        items[n++] = (zmq_pollitem_t){c->notices.socket, 0, ZMQ_POLLIN, 0};
        items[n++] = (zmq_pollitem_t){c->notices.monitor, 0, ZMQ_POLLIN, 0};
    }
    zmq_poll(items, n, time_to_wait(c, busy));
}

static void one_turn(struct pep_client *c)
{
    struct pep_sync_event tick = {.kind = PEP_EVENT_TICK};
    hear_news(c);
    hear(c, &c->fetch, PEP_EVENT_MESSAGE);
    hear(c, &c->notices, PEP_EVENT_NOTICE);
    watch_memory(c);
    look_for_refresh(c);
    pep_client_step(c, &tick);
    pep_client_feed(c);
    pep_client_release(c);
    send_outgoing(c, &c->outgoing);
    send_outgoing(c, &c->question);
}

/* ---- enrolment on the way up: the only thing that may come before the loop ---- */

static int try_to_enrol(struct pep *p, struct pep_error *err)
{
    char folder[PEP_DISK_PATH];
    struct pep_span text;
    const char *file = p->settings.enrol_token_file;
    const char *slash = strrchr(file, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - file),
             slash == NULL ? "." : file);
    int rc = pep_disk_read(folder, slash == NULL ? file : slash + 1, TOKEN_FILE_MAX, &text, err);
    if (rc != PEP_OK)
        return rc;
    char *token = (char *)(uintptr_t)text.data;
    token[strcspn(token, " \t\r\n")] = '\0';
    rc = pep_enrol_until(token, p->settings.identity, ENROL_TRY_MS, &p->stop, err);
    pep_wipe(token, text.size);
    pep_disk_free(text);
    return rc;
}

static void pause_for(struct pep *p, int64_t ms)
{
    int64_t until = pep_moment_now().boot_ms + ms;
    while (!pep_handle_stopping(p)) {
        int64_t left = until - pep_moment_now().boot_ms;
        if (left <= 0)
            return;
        zmq_pollitem_t item = {NULL, p->wake_fd, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, left < PEP_TICK_MS ? (long)left : PEP_TICK_MS);
        pep_handle_tick(p);
    }
}

/* False when the handle is being closed. */
static bool get_identity(struct pep_client *c)
{
    while (c->sync == NULL && !pep_handle_stopping(c->p)) {
        struct pep_error err = PEP_ERROR_INIT;
        int rc = PEP_OK;
        if (!pep_identity_exists(c->p->settings.identity))
            rc = try_to_enrol(c->p, &err);
        if (rc == PEP_OK || rc == PEP_ECONFLICT) {
            pep_identity_free(c->id);
            pep_buffer_free(&c->roots);
            c->id = NULL;
            memset(&err, 0, sizeof(err));
            rc = open_identity(c, &err);
        }
        if (rc == PEP_OK)
            break;
        pep_handle_failed(c->p, &err);
        pause_for(c->p, ENROL_PAUSE_MS);
    }
    return c->sync != NULL;
}

void pep_client_run(struct pep *p)
{
    struct pep_client *c = p->client;
    bool busy = false;
    if (!get_identity(c))
        return;
    c->context = zmq_ctx_new();
    if (c->context == NULL) {
        struct pep_error err = PEP_ERROR_INIT;
        pep_error_set(&err, PEP_ENOMEM, "no ZeroMQ context: this handle stays off the network");
        pep_handle_failed(p, &err);
        while (!pep_handle_stopping(p))
            pause_for(p, PEP_TICK_MS);
        return;
    }
    uint16_t r = 0;
    (void)pep_random(&r, sizeof(r));
    c->endpoint = r % c->id->endpoint_count; /* clients spread over the servers */
    pep_client_connect(c);
    while (!pep_handle_stopping(p)) {
        wait_for_something(c, busy);
        one_turn(c);
        busy = pep_handle_tick(p);
    }
    if (pep_sync_running(c->sync) != NULL)
        pep_client_save(c, false);
    pep_client_disconnect(c);
    zmq_ctx_term(c->context);
    c->context = NULL;
}

/* ---- closing, forking ---- */

void pep_client_close(struct pep *p)
{
    client_free(p->client);
    p->client = NULL;
}

int pep_client_after_fork(struct pep *p, struct pep_error *err)
{
    p->client = NULL; /* the parent's; see above */
    p->fed = (struct pep_fed){NULL, NULL};
    return pep_client_open(p, err);
}
