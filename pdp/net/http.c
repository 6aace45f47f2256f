/*
 * Three pages over libevent's evhttp: see http.h. evhttp accepts some requests that proxies read in
 * other ways (two Content-Length, an unknown Transfer-Encoding, no Host); nothing here takes a
 * body, so any request that announces one, or lacks Host, is refused.
 */
#include "http.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HTTP_OFFSET 4 /* from the port base */
#define HEADERS_MAX 8192
#define BODY_MAX    0
#define TIMEOUT_S   10
#define METRICS_MAX (64 * 1024)
#define SILENT_MS   10000 /* a loop that did not go round for so long hangs */

struct http {
    struct evhttp *server;
    struct loop *loop;
};

static int64_t monotonic_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void reply(struct evhttp_request *request, int status, struct pep_span body)
{
    struct evbuffer *out = evbuffer_new();
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", "text/plain; charset=utf-8");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    if (out != NULL)
        evbuffer_add(out, body.data, body.size);
    evhttp_send_reply(request, status, NULL, out);
    if (out != NULL)
        evbuffer_free(out);
}

static void reply_text(struct evhttp_request *request, int status, const char *text)
{
    reply(request, status, pep_span_string(text));
}

static void serve_health(struct http *h, struct evhttp_request *request)
{
    bool alive = monotonic_ms() - atomic_load(&h->loop->ticked_ms) < SILENT_MS;
    reply_text(request, alive ? HTTP_OK : HTTP_SERVUNAVAIL,
               alive ? "ok\n" : "the server's loop hangs\n");
}

static void serve_ready(struct http *h, struct evhttp_request *request)
{
    const char *why = server_not_ready(h->loop->server);
    struct pep_buffer b = pep_buffer_of(1024);
    pep_put_format(&b, "%s\n", why == NULL ? "ready" : why);
    reply(request, why == NULL ? HTTP_OK : HTTP_SERVUNAVAIL, pep_buffer_span(&b));
    pep_buffer_free(&b);
}

static void serve_metrics(struct http *h, struct evhttp_request *request)
{
    struct pep_buffer b = pep_buffer_of(METRICS_MAX);
    metrics_write(&h->loop->server->metrics, &b);
    reply(request, b.failed ? HTTP_INTERNAL : HTTP_OK, pep_buffer_span(&b));
    pep_buffer_free(&b);
}

static const struct {
    const char *path;
    void (*serve)(struct http *h, struct evhttp_request *request);
} pages[] = {
    {"/healthz", serve_health},
    {"/readyz", serve_ready},
    {"/metrics", serve_metrics},
};

static size_t count_header(const struct evkeyvalq *headers, const char *name)
{
    size_t n = 0;
    const struct evkeyval *header;
    TAILQ_FOREACH(header, headers, next)
    {
        n += strcasecmp(header->key, name) == 0;
    }
    return n;
}

static bool well_formed(struct evhttp_request *request)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    return count_header(headers, "Host") == 1 && count_header(headers, "Content-Length") == 0 &&
           count_header(headers, "Transfer-Encoding") == 0;
}

static void serve(struct evhttp_request *request, void *context)
{
    struct http *h = context;
    const char *uri = evhttp_request_get_uri(request);
    if (!well_formed(request)) {
        reply_text(request, HTTP_BADREQUEST, "one Host, and no body\n");
        return;
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(uri, pages[i].path) == 0) {
            pages[i].serve(h, request);
            return;
        }
    }
    reply_text(request, HTTP_NOTFOUND, "/healthz, /readyz or /metrics\n");
}

int http_open(struct event_base *base, struct loop *loop, struct http **ret, struct pep_error *err)
{
    const struct config *c = &loop->server->config;
    const char *host = strcmp(c->http_listen, "*") == 0 ? "::" : c->http_listen;
    struct http *h = calloc(1, sizeof(*h));
    if (h == NULL || (h->server = evhttp_new(base)) == NULL) {
        free(h);
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    }
    h->loop = loop;
    evhttp_set_allowed_methods(h->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(h->server, HEADERS_MAX);
    evhttp_set_max_body_size(h->server, BODY_MAX);
    evhttp_set_timeout(h->server, TIMEOUT_S);
    evhttp_set_gencb(h->server, serve, h);
    if (evhttp_bind_socket(h->server, host, (uint16_t)(c->port_base + HTTP_OFFSET)) != 0) {
        http_close(h);
        return pep_error_set(err, PEP_EIO,
                             "cannot listen on %s port %ld for HTTP; choose other "
                             "ports with --port-base",
                             host, c->port_base + HTTP_OFFSET);
    }
    *ret = h;
    return 0;
}

void http_close(struct http *h)
{
    if (h == NULL)
        return;
    evhttp_free(h->server);
    free(h);
}
