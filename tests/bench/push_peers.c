/*
 * Generated peers and the bare notice: see push_stage.h. A peer is libpep's state machine, its
 * sockets and all of its signature checks; it only does not compile and does not write to disk. All
 * peers share one context and one thread, so their work is on the same cores as everything else.
 */
#include "push_stage.h"
#include "measure.h"

#include <zmq.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 50

struct peer {
    struct pep_identity *id;
    struct pep_sync *sync;
    struct pep_link notices, fetch;
    struct pep_buffer outgoing;
};

struct peers {
    struct peer *all;
    size_t count;
    void *context;
    struct pep_frames frames;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint_fast64_t *versions; /* what each of them runs */
};

/* ---- one peer ---- */

static void do_action(struct peer *peer, const struct pep_sync_action *a)
{
    struct pep_sync_event activated = {.kind = PEP_EVENT_ACTIVATED};
    if (a->kind == PEP_ACTION_FETCH || a->kind == PEP_ACTION_WANT) {
        pep_buffer_free(&peer->outgoing);
        peer->outgoing = pep_buffer_of(PEP_REQUEST_MAX);
    }
    if (a->kind == PEP_ACTION_FETCH)
        pep_fetch_write(pep_sync_fetch(peer->sync), &peer->outgoing);
    else if (a->kind == PEP_ACTION_WANT)
        pep_want_write(pep_sync_want(peer->sync), &peer->outgoing);
    else if (a->kind == PEP_ACTION_ACTIVATE)
        pep_sync_step(peer->sync, &activated, pep_moment_now());
}

static void step(struct peer *peer, enum pep_sync_event_kind kind, const struct pep_frames *frames)
{
    struct pep_sync_action a;
    struct pep_sync_event e = {.kind = kind};
    if (frames != NULL) {
        e.frames = frames->spans;
        e.count = frames->count;
    }
    pep_sync_step(peer->sync, &e, pep_moment_now());
    while (pep_sync_next(peer->sync, &a))
        do_action(peer, &a);
    if (peer->outgoing.size > 0 &&
        pep_link_send(&peer->fetch, pep_buffer_span(&peer->outgoing)) == PEP_OK)
        pep_buffer_free(&peer->outgoing);
}

static void hear(struct peers *p, struct peer *peer, struct pep_link *link,
                 enum pep_sync_event_kind kind)
{
    while (pep_link_receive(link, &p->frames) == PEP_OK)
        step(peer, kind, &p->frames);
}

static void turn(struct peers *p, zmq_pollitem_t *items)
{
    for (size_t i = 0; i < p->count; i++) {
        items[2 * i] = (zmq_pollitem_t){p->all[i].notices.socket, 0, ZMQ_POLLIN, 0};
        items[2 * i + 1] = (zmq_pollitem_t){
            p->all[i].fetch.socket, 0,
            (short)(p->all[i].outgoing.size > 0 ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN), 0};
    }
    zmq_poll(items, (int)(2 * p->count), TURN_MS);
    for (size_t i = 0; i < p->count; i++) {
        struct peer *peer = &p->all[i];
        if (items[2 * i].revents != 0)
            hear(p, peer, &peer->notices, PEP_EVENT_NOTICE);
        if (items[2 * i + 1].revents != 0)
            hear(p, peer, &peer->fetch, PEP_EVENT_MESSAGE);
        step(peer, PEP_EVENT_TICK, NULL);
        const struct pep_bundle *b = pep_sync_running(peer->sync);
        if (b != NULL)
            atomic_store(&p->versions[i], pep_manifest_version(pep_bundle_manifest(b)));
    }
}

static void *run(void *argument)
{
    struct peers *p = argument;
    zmq_pollitem_t *items = calloc(2 * p->count, sizeof(*items));
    if (items == NULL)
        stage_die("peers", "no memory");
    while (!atomic_load(&p->stop))
        turn(p, items);
    free(items);
    return NULL;
}

static void open_peer(struct peers *p, struct stage *s, size_t i)
{
    static const struct pep_memory fresh;
    struct peer *peer = &p->all[i];
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_root *root = NULL;
    char name[32], folder[128];
    snprintf(name, sizeof(name), "peer%zu", i);
    stage_join(s, name, folder, sizeof(folder));
    if (pep_identity_read(folder, &peer->id, &err) != PEP_OK ||
        pep_root_open(pep_root_envelope(peer->id->root), NULL, &root, &err) != PEP_OK)
        stage_die(folder, err.text);
    struct pep_sync_options o = {.bundle = peer->id->bundle,
                                 .client_key = peer->id->key.public_key,
                                 .library = "generated peer",
                                 .subscribe = true,
                                 .poll_ms = 15000,
                                 .save_proof_ms = 30000,
                                 .random = pep_random};
    if (pep_sync_new(&o, root, NULL, NULL, &fresh, &peer->sync) != PEP_OK)
        stage_die("peer", "no state machine");
    struct pep_link_options l = {.type = ZMQ_SUB,
                                 .endpoint = peer->id->notices[0],
                                 .server_key = peer->id->server_key,
                                 .key = &peer->id->key,
                                 .max_frame = 1024,
                                 .topic = peer->id->bundle};
    if (pep_link_open(p->context, &l, &peer->notices, &err) != PEP_OK)
        stage_die("peer", err.text);
    l.type = ZMQ_DEALER;
    l.endpoint = peer->id->fetch[0];
    l.max_frame = PEP_REPLY_MAX;
    l.topic = NULL;
    if (pep_link_open(p->context, &l, &peer->fetch, &err) != PEP_OK)
        stage_die("peer", err.text);
}

struct peers *peers_open(struct stage *s, size_t count)
{
    struct peers *p = calloc(1, sizeof(*p));
    if (p == NULL || (p->all = calloc(count + 1, sizeof(*p->all))) == NULL ||
        (p->versions = calloc(count + 1, sizeof(*p->versions))) == NULL)
        stage_die("peers", "no memory");
    p->count = count;
    p->context = zmq_ctx_new();
    zmq_ctx_set(p->context, ZMQ_MAX_SOCKETS, (int)(8 * count + 64));
    for (size_t i = 0; i < count; i++)
        open_peer(p, s, i);
    if (pthread_create(&p->thread, NULL, run, p) != 0)
        stage_die("peers", "no thread");
    return p;
}

void peers_close(struct peers *p)
{
    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < p->count; i++) {
        pep_link_close(&p->all[i].notices);
        pep_link_close(&p->all[i].fetch);
        pep_buffer_free(&p->all[i].outgoing);
        pep_sync_free(p->all[i].sync);
        pep_identity_free(p->all[i].id);
    }
    zmq_ctx_term(p->context);
    pep_frames_free(&p->frames);
    free(p->all);
    free(p->versions);
    free(p);
}

size_t peers_at(struct peers *p, uint64_t version)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        n += atomic_load(&p->versions[i]) >= version;
    return n;
}

/* ---- the bare notice ---- */

struct bare {
    void *context, *publisher;
    struct pep_link *links;
    zmq_pollitem_t *items;
    size_t count;
    struct pep_frames frames;
};

static void wait_for_subscribers(struct bare *b)
{
    char frame[64];
    size_t came = 0;
    uint64_t end = measure_now_ns() + UINT64_C(1000000) * STAGE_TIMEOUT_MS;
    while (came < b->count) {
        if (measure_now_ns() > end)
            stage_die("bare notice", "a subscriber does not come");
        zmq_poll(b->items, (int)b->count, 10); /* a SUB subscribes when its own thread is in it */
        while (zmq_recv(b->publisher, frame, sizeof(frame), ZMQ_DONTWAIT) >= 0)
            came++;
    }
}

struct bare *bare_open(size_t subscribers)
{
    static const int one = 1, backlog = 4096, none = 0;
    struct pep_curve_key server, client;
    struct pep_error err = PEP_ERROR_INIT;
    char endpoint[128];
    size_t size = sizeof(endpoint);
    struct bare *b = calloc(1, sizeof(*b));
    if (b == NULL || (b->links = calloc(subscribers, sizeof(*b->links))) == NULL ||
        (b->items = calloc(subscribers, sizeof(*b->items))) == NULL)
        stage_die("bare notice", "no memory");
    b->count = subscribers;
    b->context = zmq_ctx_new();
    zmq_ctx_set(b->context, ZMQ_MAX_SOCKETS, (int)(4 * subscribers + 64));
    b->publisher = zmq_socket(b->context, ZMQ_XPUB);
    if (pep_curve_key_new(&server) != PEP_OK || pep_curve_key_new(&client) != PEP_OK)
        stage_die("bare notice", "no keys");
    zmq_setsockopt(b->publisher, ZMQ_CURVE_SERVER, &one, sizeof(one));
    zmq_setsockopt(b->publisher, ZMQ_CURVE_SECRETKEY, server.secret_key, PEP_Z85_SIZE + 1);
    zmq_setsockopt(b->publisher, ZMQ_BACKLOG, &backlog, sizeof(backlog));
    zmq_setsockopt(b->publisher, ZMQ_XPUB_VERBOSE, &one, sizeof(one));
    zmq_setsockopt(b->publisher, ZMQ_LINGER, &none, sizeof(none));
    if (zmq_bind(b->publisher, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(b->publisher, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        stage_die("bare notice", "cannot bind");
    struct pep_link_options o = {.type = ZMQ_SUB,
                                 .endpoint = endpoint,
                                 .server_key = server.public_key,
                                 .key = &client,
                                 .max_frame = 1024,
                                 .topic = STAGE_BUNDLE};
    for (size_t i = 0; i < subscribers; i++) {
        if (pep_link_open(b->context, &o, &b->links[i], &err) != PEP_OK)
            stage_die("bare notice", err.text);
        b->items[i] = (zmq_pollitem_t){b->links[i].socket, 0, ZMQ_POLLIN, 0};
    }
    wait_for_subscribers(b);
    return b;
}

void bare_close(struct bare *b)
{
    for (size_t i = 0; i < b->count; i++)
        pep_link_close(&b->links[i]);
    zmq_close(b->publisher);
    zmq_ctx_term(b->context);
    pep_frames_free(&b->frames);
    free(b->links);
    free(b->items);
    free(b);
}

void bare_round(struct bare *b, double *ret_ns)
{
    char notice[300];
    size_t got = 0;
    memset(notice, 'n', sizeof(notice));
    uint64_t begin = measure_now_ns();
    zmq_send(b->publisher, STAGE_BUNDLE, sizeof(STAGE_BUNDLE), ZMQ_SNDMORE);
    zmq_send(b->publisher, notice, sizeof(notice), 0);
    while (got < b->count) {
        if (zmq_poll(b->items, (int)b->count, STAGE_TIMEOUT_MS) <= 0)
            stage_die("bare notice", "lost");
        for (size_t i = 0; i < b->count; i++) {
            if (b->items[i].revents != 0 && pep_link_receive(&b->links[i], &b->frames) == PEP_OK)
                ret_ns[got++] = (double)(measure_now_ns() - begin);
        }
    }
}
