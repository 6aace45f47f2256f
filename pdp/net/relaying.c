/* Between relay.h, which says what to fetch and judges what came, and download.h, which fetches. */
#include "loop.h"

#include "download.h"

#include "pdp/log.h"
#include "pdp/relay.h"

int relaying_open(struct loop *l, struct pep_error *err)
{
    struct download_settings settings = {.ca = l->server->config.relay_ca,
                                         .proxy = l->server->config.relay_proxy,
                                         .max = PEP_JWKS_MAX,
                                         .done = loop_wake,
                                         .context = l};
    return download_start(&settings, &l->download, err);
}

void relaying_close(struct loop *l)
{
    download_stop(l->download);
    l->download = NULL;
}

static void take_outcomes(struct loop *l)
{
    struct server *s = l->server;
    struct download_outcome *o;
    while ((o = download_take(l->download)) != NULL) {
        struct relay_outcome outcome = {.source = o->id,
                                        .kind = o->good   ? RELAY_FETCHED
                                                : o->same ? RELAY_SAME
                                                          : RELAY_FAILED,
                                        .body = pep_buffer_span(&o->body),
                                        .etag = o->etag,
                                        .max_age_s = o->max_age_s,
                                        .error = o->error};
        server_stored(s, relay_done(s->relay, &outcome, relay_now()));
        download_free(o);
    }
}

static void give_orders(struct loop *l)
{
    struct relay *r = l->server->relay;
    struct relay_order next;
    while (relay_next(r, relay_now(), &next)) {
        struct download_order order = {next.source, next.url, next.etag,
                                       l->server->config.relay_timeout * 1000};
        struct relay_outcome failed = {
            .source = next.source, .kind = RELAY_FAILED, .etag = "", .error = "no memory"};
        if (download_put(l->download, &order) != 0)
            relay_done(r, &failed, relay_now());
    }
}

void relaying_step(struct loop *l)
{
    const char *bundle;
    take_outcomes(l);
    give_orders(l);
    while ((bundle = relay_changed(l->server->relay)) != NULL)
        publisher_due(l->server->publisher, bundle);
}
