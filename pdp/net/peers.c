/* Connections and their descriptors: see peers.h. */
#include "peers.h"

#include "received.h"

#include "pdp/log.h"
#include "pep/core/crypto.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FD_MAX      (1024 * 1024)
#define FD_RESERVE  64 /* kept free: without one, libzmq's accept loop spins */
#define WATCH_MS    250
#define FORGIVEN    64    /* bytes of heartbeats in that time, which are in no message */
#define COUNTERS    65536 /* identities share one only by chance, and seldom */
#define HASTE_ABOVE 256   /* connections to the enrol port */
#define HASTE_MS    5000  /* ... which then have only so long */
#define KIB         1024ULL

/* What one connection may hold of messages that are not whole, and how long it may stay without
 * saying who it is; who joins says so in its only message. */
static const struct {
    uint64_t held;
    int64_t nameless_ms;
} bounds[PORTS] = {
    [PORT_NOTICES] = {128 * KIB, 60000},
    [PORT_FETCH] = {1024 * KIB, 60000},
    [PORT_ENROL] = {128 * KIB, 60000},
    [PORT_OPERATORS] = {3ULL * PEP_BUNDLE_FILE_MAX, 60000},
};

struct peers {
    struct peer *by_fd;
    size_t size;
    struct metrics *metrics;
    uint64_t named, joining; /* connections that said who they are; to the enrol port */
    int64_t next_doom;       /* the earliest doomed_ms, or 0: no need to look */
    int64_t next_watch;
    uint64_t seed;
    int fd_limit;
    uint16_t counters[COUNTERS]; /* connections per identity and port */
};

int peers_new(struct metrics *metrics, struct peers **ret)
{
    struct rlimit files;
    struct peers *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return PEP_ENOMEM;
    if (pep_random(&p->seed, sizeof(p->seed)) != 0) {
        free(p);
        return PEP_EIO;
    }
    p->metrics = metrics;
    p->fd_limit = FD_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FD_MAX)
        p->fd_limit = (int)files.rlim_cur - FD_RESERVE;
    *ret = p;
    return 0;
}

void peers_free(struct peers *p)
{
    if (p == NULL)
        return;
    free(p->by_fd);
    free(p);
}

/* ---- places ---- */

static int make_room(struct peers *p, size_t fd)
{
    size_t size = p->size == 0 ? 256 : p->size;
    while (size <= fd)
        size *= 2;
    if (size == p->size)
        return 0;
    struct peer *by_fd = realloc(p->by_fd, size * sizeof(*by_fd));
    if (by_fd == NULL)
        return PEP_ENOMEM;
    memset(by_fd + p->size, 0, (size - p->size) * sizeof(*by_fd));
    p->by_fd = by_fd;
    p->size = size;
    return 0;
}

static struct peer *place(struct peers *p, int fd)
{
    if (fd < 0 || fd >= FD_MAX || make_room(p, (size_t)fd) != 0)
        return NULL;
    return &p->by_fd[fd];
}

/* The connection that uses this descriptor on this port, or NULL. */
static struct peer *find(struct peers *p, enum port port, int fd)
{
    if (fd < 0 || (size_t)fd >= p->size)
        return NULL;
    struct peer *peer = &p->by_fd[fd];
    return peer->used && peer->port == port ? peer : NULL;
}

static uint16_t *counter(struct peers *p, const struct peer *peer)
{
    uint64_t seed = p->seed + (uint64_t)peer->port;
    return &p->counters[XXH3_64bits_withSeed(peer->user_id, strlen(peer->user_id), seed) %
                        COUNTERS];
}

static void forget(struct peers *p, struct peer *peer)
{
    if (peer->user_id[0] != '\0') {
        --*counter(p, peer);
        metrics_set(p->metrics, METRIC_PEERS, --p->named);
    }
    p->joining -= peer->port == PORT_ENROL;
    peer->used = false;
}

static void begin(struct peers *p, struct peer *peer, enum port port, int64_t now_ms)
{
    int fd = (int)(peer - p->by_fd);
    socklen_t length = sizeof(peer->remote);
    memset(peer, 0, sizeof(*peer));
    if (getpeername(fd, (struct sockaddr *)&peer->remote, &length) != 0)
        memset(&peer->remote, 0, sizeof(peer->remote));
    peer->used = true;
    peer->port = port;
    peer->since_ms = now_ms;
    p->joining += port == PORT_ENROL;
}

/* Is this descriptor still the connection that was noted? */
static bool same_connection(int fd, const struct peer *peer)
{
    struct sockaddr_storage remote;
    socklen_t length = sizeof(remote);
    int listening = 1;
    socklen_t size = sizeof(listening);
    memset(&remote, 0, sizeof(remote));
    return peer->remote.ss_family != AF_UNSPEC &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening == 0 &&
           getpeername(fd, (struct sockaddr *)&remote, &length) == 0 &&
           memcmp(&remote, &peer->remote, sizeof(remote)) == 0;
}

/* ---- a connection's life ---- */

void peers_accepted(struct peers *p, enum port port, int fd, int64_t now_ms)
{
    struct peer *peer = place(p, fd);
    if (peer == NULL)
        return;
    if (peer->used && peer->port == port && same_connection(fd, peer))
        return; /* its first message was quicker than this event */
    if (peer->used)
        forget(p, peer);
    begin(p, peer, port, now_ms);
    if (fd < p->fd_limit)
        return;
    metrics_add(p->metrics, METRIC_FLOODS, 1);
    log_warning("%s port: out of file descriptors; a new connection is cut (LimitNOFILE)",
                port_names[port]);
    peers_cut(p, peer);
}

void peers_ended(struct peers *p, enum port port, int fd)
{
    struct peer *peer = find(p, port, fd);
    if (peer != NULL)
        forget(p, peer);
}

void peers_took(struct peers *p, enum port port, int fd, size_t size)
{
    struct peer *peer = find(p, port, fd);
    if (peer != NULL)
        peer->taken += size;
}

struct peer *peers_note(struct peers *p, enum port port, int fd, const char *user_id, bool *ret_new)
{
    struct peer *peer = place(p, fd);
    if (peer == NULL)
        return NULL;
    bool there = peer->used && peer->port == port;
    *ret_new = !there || strcmp(peer->user_id, user_id) != 0;
    if (!*ret_new)
        return peer;
    if (peer->used && (!there || peer->user_id[0] != '\0'))
        forget(p, peer);
    if (!peer->used)
        begin(p, peer, port, 0);
    snprintf(peer->user_id, sizeof(peer->user_id), "%s", user_id);
    metrics_set(p->metrics, METRIC_PEERS, ++p->named);
    if (++*counter(p, peer) <= PEER_CONNECTIONS)
        return peer;
    metrics_add(p->metrics, METRIC_FLOODS, 1);
    log_warning("%s port: %s has more than %d connections; the newest is cut", port_names[port],
                user_id, PEER_CONNECTIONS);
    peers_cut(p, peer);
    return NULL;
}

/* ---- cutting ---- */

bool peers_cut(struct peers *p, struct peer *peer)
{
    int fd = (int)(peer - p->by_fd);
    peer->doomed_ms = 0;
    if (!peer->used || peer->cut || !same_connection(fd, peer))
        return false;
    peer->cut = true;
    return shutdown(fd, SHUT_RDWR) == 0;
}

void peers_cut_nameless(struct peers *p, enum port port)
{
    for (size_t i = 0; i < p->size; i++) {
        struct peer *peer = &p->by_fd[i];
        if (peer->used && peer->port == port && peer->user_id[0] == '\0')
            peers_cut(p, peer);
    }
}

void peers_doom(struct peers *p, struct peer *peer, int64_t at_ms)
{
    peer->doomed_ms = at_ms;
    if (p->next_doom == 0 || at_ms < p->next_doom)
        p->next_doom = at_ms;
}

int64_t peers_cut_doomed(struct peers *p, int64_t now_ms)
{
    if (p->next_doom == 0 || now_ms < p->next_doom)
        return p->next_doom;
    p->next_doom = 0;
    for (size_t i = 0; i < p->size; i++) {
        struct peer *peer = &p->by_fd[i];
        if (!peer->used || peer->doomed_ms == 0)
            continue;
        if (peer->doomed_ms <= now_ms)
            peers_cut(p, peer);
        else
            peers_doom(p, peer, peer->doomed_ms);
    }
    return p->next_doom;
}

/* ---- watching ---- */

/* Why this connection may not go on, or NULL. */
static const char *guilt(const struct peers *p, struct peer *peer, int64_t now_ms)
{
    uint64_t received = 0;
    int64_t patience = bounds[peer->port].nameless_ms;
    if (peer->port == PORT_ENROL && p->joining > HASTE_ABOVE)
        patience = HASTE_MS;
    if (peer->user_id[0] == '\0' && now_ms - peer->since_ms > patience)
        return "it only takes up a place";
    if (received_bytes((int)(peer - p->by_fd), &received) != 0)
        return NULL; /* it is just ending */
    if (received > peer->taken + bounds[peer->port].held)
        return "its messages do not end";
    peer->taken += FORGIVEN;
    if (peer->taken > received)
        peer->taken = received;
    return NULL;
}

int64_t peers_watch(struct peers *p, int64_t now_ms)
{
    if (now_ms < p->next_watch)
        return p->next_watch;
    p->next_watch = now_ms + WATCH_MS;
    for (size_t i = 0; i < p->size; i++) {
        struct peer *peer = &p->by_fd[i];
        const char *why = peer->used && !peer->cut ? guilt(p, peer, now_ms) : NULL;
        if (why == NULL || !peers_cut(p, peer))
            continue;
        metrics_add(p->metrics, METRIC_FLOODS, 1);
        log_warning("%s port: a connection of %s is cut: %s", port_names[peer->port],
                    peer->user_id[0] == '\0' ? "nobody known" : peer->user_id, why);
    }
    return p->next_watch;
}

struct peer *peers_next(struct peers *p, enum port port, const char *user_id, size_t *it)
{
    while (*it < p->size) {
        struct peer *peer = &p->by_fd[(*it)++];
        if (peer->used && !peer->cut && peer->port == port && strcmp(peer->user_id, user_id) == 0)
            return peer;
    }
    return NULL;
}
