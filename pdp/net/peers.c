/* Connections and their descriptors: see peers.h. */
#include "peers.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FD_MAX (1024 * 1024)

struct peers {
    struct peer *by_fd;
    size_t size;
    struct metrics *metrics;
    uint64_t count;
    int64_t next_doom; /* the earliest doomed_ms, or 0: no need to look */
};

int peers_new(struct metrics *metrics, struct peers **ret)
{
    struct peers *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return PEP_ENOMEM;
    p->metrics = metrics;
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

static void set_count(struct peers *p, uint64_t count)
{
    p->count = count;
    metrics_set(p->metrics, METRIC_PEERS, count);
}

struct peer *peers_note(struct peers *p, enum port port, int fd, const char *user_id, bool *ret_new)
{
    if (fd < 0 || fd >= FD_MAX || make_room(p, (size_t)fd) != 0)
        return NULL;
    struct peer *peer = &p->by_fd[fd];
    bool known = peer->used && peer->port == port && strcmp(peer->user_id, user_id) == 0;
    *ret_new = !known;
    if (known)
        return peer;
    if (!peer->used)
        set_count(p, p->count + 1);
    memset(peer, 0, sizeof(*peer));
    socklen_t length = sizeof(peer->remote);
    if (getpeername(fd, (struct sockaddr *)&peer->remote, &length) != 0)
        memset(&peer->remote, 0, sizeof(peer->remote));
    peer->used = true;
    peer->port = port;
    snprintf(peer->user_id, sizeof(peer->user_id), "%s", user_id);
    return peer;
}

void peers_ended(struct peers *p, enum port port, int fd)
{
    if (fd < 0 || (size_t)fd >= p->size || !p->by_fd[fd].used || p->by_fd[fd].port != port)
        return;
    p->by_fd[fd].used = false;
    set_count(p, p->count - 1);
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

bool peers_cut(struct peers *p, struct peer *peer)
{
    int fd = (int)(peer - p->by_fd);
    peer->doomed_ms = 0;
    if (!peer->used || peer->cut || !same_connection(fd, peer))
        return false;
    peer->cut = true;
    return shutdown(fd, SHUT_RDWR) == 0;
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

struct peer *peers_next(struct peers *p, enum port port, const char *user_id, size_t *it)
{
    while (*it < p->size) {
        struct peer *peer = &p->by_fd[(*it)++];
        if (peer->used && !peer->cut && peer->port == port && strcmp(peer->user_id, user_id) == 0)
            return peer;
    }
    return NULL;
}
