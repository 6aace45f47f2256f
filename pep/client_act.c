/*
 * What the state machine asks for, done: frames sent, policies activated, files written, sockets
 * rebuilt. One table from action to function; the machine decides, this file obeys.
 */
#include "pep/cache.h"
#include "pep/client_inside.h"
#include "pep/disk.h"

#include <zmq.h>

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define OUTGOING_MAX PEP_REQUEST_MAX
#define NOTICE_FRAME 1024 /* a topic or a notice */
#define HOLD_MS      3000 /* that a first policy waits for the list of revoked tokens */

/* ---- sockets ---- */

static const char *server_key(const struct pep_client *c)
{
    const struct pep_root *root = pep_sync_root(c->sync);
    size_t n = pep_root_server_count(root);
    if (c->server == 0 && (n == 0 || pep_root_has_server(root, c->id->server_key)))
        return c->id->server_key;
    /* The pinned key has left the root, or does not work: any other that the root names. */
    return n == 0 ? c->id->server_key : pep_root_server(root, c->server % n);
}

static void connect_notices(struct pep_client *c)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_link_options o = {
        .type = ZMQ_SUB,
        .endpoint = c->id->notices[c->endpoint],
        .server_key = server_key(c),
        .key = &c->id->key,
        .max_frame = NOTICE_FRAME,
        .topic = c->id->bundle,
    };
    if (c->p->settings.mode == PEP_SUBSCRIBE &&
        pep_link_open(c->context, &o, &c->notices, &err) != PEP_OK)
        pep_handle_failed(c->p, &err);
}

void pep_client_connect(struct pep_client *c)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_link_options o = {
        .type = ZMQ_DEALER,
        .endpoint = c->id->fetch[c->endpoint],
        .server_key = server_key(c),
        .key = &c->id->key,
        .max_frame = PEP_REPLY_MAX,
    };
    connect_notices(c);
    if (pep_link_open(c->context, &o, &c->fetch, &err) != PEP_OK)
        pep_handle_failed(c->p, &err);
}

void pep_client_disconnect(struct pep_client *c)
{
    pep_link_close(&c->notices);
    pep_link_close(&c->fetch);
    pep_buffer_free(&c->outgoing);
    pep_buffer_free(&c->question);
    pep_feeding_link(c->feeding, false);
}

/* ---- disk ---- */

/* The cache keeps the whole chain; the machine tells of what it followed since the start. */
static void take_roots(struct pep_client *c)
{
    for (; c->roots_taken < pep_sync_root_count(c->sync); c->roots_taken++) {
        pep_put_span(&c->roots, pep_sync_root_envelope(c->sync, c->roots_taken));
        pep_put_u8(&c->roots, '\n');
    }
}

void pep_client_save(struct pep_client *c, bool changed)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_cache_owner owner = {c->id->bundle, c->id->key.public_key, c->id->root};
    take_roots(c);
    struct pep_cache_content content = {
        .memory = pep_sync_memory(c->sync),
        .roots = pep_buffer_span(&c->roots),
        .running = pep_sync_running(c->sync),
        .fallback = pep_sync_fallback(c->sync),
        .changed = changed,
    };
    /* A full disk must not keep a service from a new policy: it decides by it all the same. */
    if (c->roots.failed)
        pep_error_set(&err, PEP_ENOMEM, "no memory to cache the root documents");
    else
        pep_cache_store(c->p->settings.cache, &owner, &content, &err);
    if (err.code != PEP_OK)
        pep_handle_failed(c->p, &err);
}

/* ---- the actions ---- */

static void replace_outgoing(struct pep_client *c)
{
    pep_buffer_free(&c->outgoing);
    c->outgoing = pep_buffer_of(OUTGOING_MAX);
}

static void send_fetch(struct pep_client *c, const struct pep_sync_action *a)
{
    struct pep_running now;
    struct pep_fetch f = *pep_sync_fetch(c->sync);
    (void)a;
    pep_handle_running(c->p, &now);
    f.state = (uint8_t)now.state;
    f.age_ms = now.age_ms;
    f.revocations = pep_revocations_number(pep_feeding_fed(c->feeding)->revocations);
    replace_outgoing(c);
    pep_fetch_write(&f, &c->outgoing);
}

static void send_want(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    replace_outgoing(c);
    pep_want_write(pep_sync_want(c->sync), &c->outgoing);
}

static void activate_now(struct pep_client *c)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_moment asked = pep_sync_asked(c->sync);
    c->held = false;
    int rc = pep_handle_activate(c->p, pep_sync_incoming(c->sync), &asked, true, &err);
    if (rc != PEP_OK)
        pep_error_set(&err, rc, "%s", pep_strerror(rc));
    struct pep_sync_event e = {
        .kind = rc == PEP_OK ? PEP_EVENT_ACTIVATED : PEP_EVENT_REJECTED,
        .error = &err,
    };
    pep_sync_step(c->sync, &e, pep_moment_now());
}

/* Whether decisions would begin without the list of revoked tokens that the server has. */
static bool lacks_list(struct pep_client *c)
{
    pep_feeding_heard(c->feeding, pep_sync_feeds(c->sync));
    return atomic_load(&c->p->active) == NULL && pep_feeding_behind(c->feeding) > 0 &&
           pep_revocations_number(pep_feeding_fed(c->feeding)->revocations) == 0;
}

/* The first policy of a client that has nothing in its cache waits for the list, which is under way
 * already: a process that opens, asks one question and ends would never have it. */
static void activate(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    if (!lacks_list(c)) {
        activate_now(c);
        return;
    }
    c->held = true;
    c->held_until = pep_moment_now().boot_ms + HOLD_MS;
}

void pep_client_release(struct pep_client *c)
{
    struct pep_sync_event tick = {.kind = PEP_EVENT_TICK};
    if (!c->held || (lacks_list(c) && pep_moment_now().boot_ms < c->held_until))
        return;
    activate_now(c);
    pep_client_step(c, &tick); /* does what follows from it */
}

static void store(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    pep_client_save(c, true);
}

static void save(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    pep_client_save(c, false);
}

static void prove(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    pep_handle_prove(c->p, &pep_sync_memory(c->sync)->proof);
}

static void set_state(struct pep_client *c, const struct pep_sync_action *a)
{
    uint8_t s = pep_sync_memory(c->sync)->statement;
    (void)a;
    pep_handle_set_revoked(c->p, s == PEP_STATEMENT_REVOKED || s == PEP_STATEMENT_SUSPENDED);
}

static void rotate(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    c->endpoint = (c->endpoint + 1) % c->id->endpoint_count;
    if (c->endpoint == 0) {
        size_t n = pep_root_server_count(pep_sync_root(c->sync));
        c->server = n == 0 ? 0 : (c->server + 1) % (n + 1);
    }
    pep_client_disconnect(c);
    pep_client_connect(c);
}

static void hang_up(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    pep_client_disconnect(c);
}

static void resubscribe(struct pep_client *c, const struct pep_sync_action *a)
{
    (void)a;
    pep_link_close(&c->notices);
    connect_notices(c);
}

static void done(struct pep_client *c, const struct pep_sync_action *a)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (a->code != PEP_OK) {
        pep_error_set(&err, a->code, "%s", a->text);
        pep_handle_failed(c->p, &err);
    }
    if (c->refresh != 0) {
        pep_handle_refresh_done(c->p, c->refresh, a->code);
        c->refresh = 0;
    }
}

static void tell(struct pep_client *c, const struct pep_sync_action *a)
{
    pep_handle_log(c->p, a->code, "%s", a->text);
}

typedef void (*action_function)(struct pep_client *c, const struct pep_sync_action *a);
static const action_function actions[] = {
    [PEP_ACTION_FETCH] = send_fetch,  [PEP_ACTION_WANT] = send_want,
    [PEP_ACTION_ACTIVATE] = activate, [PEP_ACTION_STORE] = store,
    [PEP_ACTION_SAVE] = save,         [PEP_ACTION_PROOF] = prove,
    [PEP_ACTION_STATE] = set_state,   [PEP_ACTION_ROTATE] = rotate,
    [PEP_ACTION_HANGUP] = hang_up,    [PEP_ACTION_RESUBSCRIBE] = resubscribe,
    [PEP_ACTION_DONE] = done,         [PEP_ACTION_LOG] = tell,
};

void pep_client_step(struct pep_client *c, const struct pep_sync_event *event)
{
    struct pep_sync_action a;
    pep_sync_step(c->sync, event, pep_moment_now());
    while (pep_sync_next(c->sync, &a))
        actions[a.kind](c, &a);
}
