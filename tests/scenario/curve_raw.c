/* CurveZMQ by hand: see curve_raw.h. */
#include "curve_raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PART_MAX     (64 * 1024)
#define FLAG_MORE    1
#define FLAG_LONG    2
#define FLAG_COMMAND 4

int curve_raw_tcp(const struct daemon *d, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(d->base + port))};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* frames are written in pieces */
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* False as soon as the other side has hung up, also with data of ours still on the way. */
static bool put(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        struct pollfd p = {fd, POLLOUT | POLLRDHUP, 0};
        if (poll(&p, 1, KIT_PATIENCE) <= 0 || (p.revents & POLLRDHUP) != 0)
            return false;
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool get(int fd, void *data, size_t size)
{
    return size == 0 || recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

static bool put_frame(int fd, uint8_t flags, const uint8_t *body, size_t size)
{
    uint8_t head[9] = {flags};
    if (size < 256) {
        head[1] = (uint8_t)size;
        return put(fd, head, 2) && put(fd, body, size);
    }
    head[0] |= FLAG_LONG;
    for (int i = 0; i < 8; i++)
        head[1 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    return put(fd, head, 9) && put(fd, body, size);
}

/* A short frame; its size, or -1. */
static int get_frame(int fd, uint8_t body[256])
{
    uint8_t head[2];
    if (!get(fd, head, 2) || (head[0] & FLAG_LONG) != 0 || !get(fd, body, head[1]))
        return -1;
    return head[1];
}

static void nonce_of(uint8_t out[24], const char prefix[16], uint64_t number)
{
    memcpy(out, prefix, 16);
    for (int i = 0; i < 8; i++)
        out[16 + i] = (uint8_t)(number >> (56 - 8 * i));
}

struct handshake {
    uint8_t server[32], long_public[32], long_secret[32]; /* S, C, c */
    uint8_t short_public[32], short_secret[32];           /* C', c' */
    uint8_t server_short[32], cookie[96];                 /* S' */
};

static bool greet(int fd)
{
    uint8_t greeting[64] = {0xff, [9] = 0x7f, [10] = 3}, theirs[64];
    memcpy(greeting + 12, "CURVE", 5);
    return put(fd, greeting, sizeof(greeting)) && get(fd, theirs, sizeof(theirs));
}

static bool hello(int fd, const struct handshake *h)
{
    uint8_t body[200] = "\x05HELLO\1", nonce[24], zeros[64] = {0};
    nonce_of(nonce, "CurveZMQHELLO---", 1);
    memcpy(body + 80, h->short_public, 32);
    memcpy(body + 112, nonce + 16, 8);
    return crypto_box_easy(body + 120, zeros, sizeof(zeros), nonce, h->server, h->short_secret) ==
               0 &&
           put_frame(fd, FLAG_COMMAND, body, sizeof(body));
}

static bool welcome(int fd, struct handshake *h)
{
    uint8_t body[256], nonce[24], plain[128];
    if (get_frame(fd, body) != 168)
        return false;
    memcpy(nonce, "WELCOME-", 8);
    memcpy(nonce + 8, body + 8, 16);
    if (crypto_box_open_easy(plain, body + 24, 144, nonce, h->server, h->short_secret) != 0)
        return false;
    memcpy(h->server_short, plain, 32);
    memcpy(h->cookie, plain + 32, 96);
    return true;
}

static bool initiate(int fd, const struct handshake *h)
{
    static const char metadata[] = "\x0bSocket-Type\0\0\0\6DEALER\x08Identity\0\0\0";
    uint8_t body[113 + 16 + 128 + sizeof(metadata)] = "\x08INITIATE";
    uint8_t plain[128 + sizeof(metadata)], vouched[64], nonce[24];
    memcpy(nonce, "VOUCH---", 8);
    randombytes_buf(nonce + 8, 16);
    memcpy(vouched, h->short_public, 32);
    memcpy(vouched + 32, h->server, 32);
    memcpy(plain, h->long_public, 32);
    memcpy(plain + 32, nonce + 8, 16);
    memcpy(plain + 128, metadata, sizeof(metadata)); /* its NUL is the length's last byte */
    if (crypto_box_easy(plain + 48, vouched, sizeof(vouched), nonce, h->server_short,
                        h->long_secret) != 0)
        return false;
    nonce_of(nonce, "CurveZMQINITIATE", 2);
    memcpy(body + 9, h->cookie, 96);
    memcpy(body + 105, nonce + 16, 8);
    return crypto_box_easy(body + 113, plain, sizeof(plain), nonce, h->server_short,
                           h->short_secret) == 0 &&
           put_frame(fd, FLAG_COMMAND, body, 113 + 16 + sizeof(plain));
}

bool curve_raw_open(const struct daemon *d, int port, const struct peer_keys *keys,
                    struct curve_raw *ret)
{
    struct handshake h;
    struct curve_raw c = {.nonce = 2};
    uint8_t ready[256];
    zmq_z85_decode(h.server, d->server_key);
    zmq_z85_decode(h.long_public, keys->public_key);
    zmq_z85_decode(h.long_secret, keys->secret_key);
    crypto_box_keypair(h.short_public, h.short_secret);
    c.fd = curve_raw_tcp(d, port);
    if (c.fd < 0)
        return false;
    bool ok = greet(c.fd) && hello(c.fd, &h) && welcome(c.fd, &h) && initiate(c.fd, &h) &&
              get_frame(c.fd, ready) > 6 && memcmp(ready, "\x05READY", 6) == 0 &&
              crypto_box_beforenm(c.shared, h.server_short, h.short_secret) == 0;
    if (!ok) {
        close(c.fd);
        return false;
    }
    *ret = c;
    return true;
}

bool curve_raw_send(struct curve_raw *c, struct pep_span part, bool more)
{
    static uint8_t body[16 + 16 + 1 + PART_MAX] = "\x07MESSAGE", plain[1 + PART_MAX];
    uint8_t nonce[24];
    if (part.size > PART_MAX)
        return false;
    nonce_of(nonce, "CurveZMQMESSAGEC", ++c->nonce);
    memcpy(body + 8, nonce + 16, 8);
    plain[0] = more ? FLAG_MORE : 0;
    if (part.size > 0)
        memcpy(plain + 1, part.data, part.size);
    return crypto_box_easy_afternm(body + 16, plain, 1 + part.size, nonce, c->shared) == 0 &&
           put_frame(c->fd, 0, body, 16 + 16 + 1 + part.size);
}

bool curve_raw_closed(int fd, long ms)
{
    uint8_t sink[4096];
    struct pollfd p = {fd, POLLIN, 0};
    while (poll(&p, 1, (int)ms) > 0) {
        ssize_t n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

void curve_raw_close(struct curve_raw *c)
{
    close(c->fd);
    c->fd = -1;
}
