/*
 * What came beside bundles, between the machine that asks for it (feeding.h), the handle whose
 * decisions look at it, and the cache folder.
 */
#include "pep/cache.h"
#include "pep/client_inside.h"

#define AGAIN_MS 60000 /* relayed keys age: look at them again, also if a clock was set */

static void hand_over(struct pep_client *c, int64_t now)
{
    struct pep_error err = PEP_ERROR_INIT;
    c->fed_at = now;
    pep_handle_feed(c->p, pep_feeding_fed(c->feeding), &err);
    if (err.code != PEP_OK)
        pep_handle_failed(c->p, &err);
}

static void keep(struct pep_client *c)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (pep_cache_store_fed(c->p->settings.cache, pep_feeding_fed(c->feeding), &err) != PEP_OK)
        pep_handle_failed(c->p, &err);
}

/* Whether keys that decisions use may have come to their end. */
static bool are_ageing(const struct pep_client *c, struct pep_moment now)
{
    const struct pep_active *a = atomic_load(&c->p->active);
    int64_t ends = a == NULL ? INT64_MAX : atomic_load(&a->standing)->ends;
    return ends != INT64_MAX && (ends <= now.wall_ms / 1000 || now.boot_ms - c->fed_at >= AGAIN_MS);
}

void pep_client_feed(struct pep_client *c)
{
    struct pep_moment now = pep_moment_now();
    struct pep_feed question;
    pep_feeding_heard(c->feeding, pep_sync_feeds(c->sync));
    if (atomic_exchange_explicit(&c->p->look, false, memory_order_relaxed))
        pep_feeding_look(c->feeding);
    if (pep_feeding_changed(c->feeding)) {
        hand_over(c, now.boot_ms); /* first of all: a revoked token must not pass */
        keep(c);
    } else if (are_ageing(c, now)) {
        hand_over(c, now.boot_ms);
    }
    if (!pep_feeding_ask(c->feeding, now, &question))
        return;
    pep_buffer_free(&c->question);
    c->question = pep_buffer_of(PEP_REQUEST_MAX);
    pep_feed_write(&question, &c->question);
}
