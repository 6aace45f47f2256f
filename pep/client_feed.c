/*
 * What came beside bundles, between the machine that asks for it (feeding.h), the handle whose
 * decisions look at it, and the cache folder.
 */
#include "pep/cache.h"
#include "pep/client_inside.h"

#define AGAIN_MS 60000 /* relayed keys age: look at them again, also if a clock was set */

/* Whether tokens have to be held again against what is here: keys may have come to their end, or
 * there was no memory when something came. */
static bool is_standing_old(const struct pep_client *c, struct pep_moment now)
{
    const struct pep_active *a = atomic_load(&c->p->active);
    const struct pep_standing *s = a == NULL ? NULL : atomic_load(&a->standing);
    if (a == NULL || s == NULL)
        return a != NULL;
    return s->ends != INT64_MAX &&
           (s->ends <= now.wall_ms / 1000 || now.boot_ms - c->fed_at >= AGAIN_MS);
}

static void keep(struct pep_client *c, int64_t now)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_keys_origin origin = {pep_sync_root(c->sync), c->id->bundle, NULL, {0, 0}};
    if (pep_cache_store_fed(c->p->settings.cache, &origin, pep_feeding_fed(c->feeding), c->unkept,
                            &err) == PEP_OK) {
        c->unkept = 0;
        return;
    }
    c->keep_at = now + AGAIN_MS; /* a disk may have room again */
    pep_handle_failed(c->p, &err);
}

static void listen(struct pep_client *c)
{
    struct pep_error err = PEP_ERROR_INIT;
    int r = pep_feeding_trust(c->feeding, pep_sync_root(c->sync));
    if (r != PEP_OK) {
        pep_error_set(&err, r, "no memory to hold what came against the newest root");
        pep_handle_failed(c->p, &err);
    }
    pep_feeding_heard(c->feeding, pep_sync_feeds(c->sync));
    if (atomic_exchange_explicit(&c->p->look, false, memory_order_relaxed))
        pep_feeding_look(c->feeding);
}

void pep_client_feed(struct pep_client *c)
{
    struct pep_moment now = pep_moment_now();
    struct pep_feed question;
    listen(c);
    atomic_store_explicit(&c->p->behind, pep_feeding_behind(c->feeding), memory_order_relaxed);
    unsigned changed = pep_feeding_changed(c->feeding);
    if (changed != 0 || is_standing_old(c, now)) { /* first of all: a revoked token must not pass */
        c->fed_at = now.boot_ms;
        pep_handle_feed(c->p, pep_feeding_fed(c->feeding));
    }
    c->unkept |= changed;
    if (changed != 0 || (c->unkept != 0 && now.boot_ms >= c->keep_at))
        keep(c, now.boot_ms);
    if (!pep_feeding_ask(c->feeding, now, &question))
        return;
    pep_buffer_free(&c->question);
    c->question = pep_buffer_of(PEP_REQUEST_MAX);
    pep_feed_write(&question, &c->question);
}
