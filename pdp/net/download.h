/*
 * Fetches small documents over HTTPS, on a thread of its own: orders in, outcomes out. It knows
 * nothing of token keys; what to fetch and when is relay.h's affair.
 *
 * https only, the server's certificate and name verified, TLS 1.2 or later. Nothing is followed: no
 * redirect, no proxy but the configured one (not the environment's), no .netrc, no cookies, no
 * compression that could unfold. More than the allowed bytes, in head or body, end the transfer
 * while it comes; so does the time.
 */
#ifndef PDP_NET_DOWNLOAD_H
#define PDP_NET_DOWNLOAD_H

#include "pep/core/bytes.h"
#include "pep/core/error.h"

struct download;

struct download_settings {
    const char *ca;    /* file of certificates; "": the system's */
    const char *proxy; /* URL; "": none */
    size_t max;        /* bytes of a document */
    void (*done)(void *context); /* on the thread, after each outcome */
    void *context;
};

struct download_order {
    uint64_t id;
    const char *url;
    const char *etag; /* "": unconditional */
    long timeout_ms;
};

struct download_outcome {
    uint64_t id;
    bool good, same; /* 200; 304 */
    struct pep_buffer body;
    char etag[256];
    int64_t max_age_s; /* of Cache-Control; -1: none */
    char error[256];   /* if not good: what, and what to do */
};

/* Copies the settings. Errors: EIO (the CA file, libcurl), ENOMEM. */
int download_start(const struct download_settings *settings, struct download **ret,
                   struct pep_error *err);
void download_stop(struct download *d); /* ends transfers under way */
/* Errors: ENOMEM. */
int download_put(struct download *d, const struct download_order *order);
/* The next outcome, freed by the caller, or NULL. Never waits. */
struct download_outcome *download_take(struct download *d);
void download_free(struct download_outcome *o);

#endif
