/*
 * What the agent may do to a handle: activate, prove, revoke, report. Each publishes first and
 * frees what it replaced after the last reader of it has left; callers are the agent, or the one
 * thread that exists before it.
 */
#include "pep/handle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* ---- notes ---- */

bool pep_notes_publish(struct pep *p, const struct pep_notes *notes)
{
    struct pep_notes *copy = malloc(sizeof(*copy));
    if (copy == NULL)
        return false;
    *copy = *notes;
    struct pep_notes *old = atomic_exchange(&p->notes, copy);
    pep_readers_wait(p->readers);
    free(old);
    return true;
}

int pep_handle_set_service(struct pep *p, const char *client_id, struct pep_error *err)
{
    struct pep_notes notes = *atomic_load(&p->notes);
    size_t n = strnlen(client_id, sizeof(notes.service));
    size_t name = strcspn(client_id, "/");
    if (n == sizeof(notes.service) || name == 0)
        return pep_error_set(err, PEP_EINVAL, "client id: `%.80s` is not NAME/k", client_id);
    memcpy(notes.service, client_id, n + 1);
    if (p->audience == NULL) {
        struct pep_strings *one = pep_audience_new(&(const char *){client_id}, &name, 1);
        if (one == NULL)
            return pep_error_set(err, PEP_ENOMEM, "audience: no memory");
        p->audience = one;
    }
    if (!pep_notes_publish(p, &notes))
        return pep_error_set(err, PEP_ENOMEM, "client id: no memory");
    return PEP_OK;
}

/* ---- the active policy ---- */

static void announce(struct pep *p, bool active)
{
    pthread_mutex_lock(&p->waiting.lock);
    p->waiting.active = active;
    pthread_cond_broadcast(&p->waiting.changed);
    pthread_mutex_unlock(&p->waiting.lock);
}

static void replace_active(struct pep *p, struct pep_active *next)
{
    struct pep_active *old = atomic_exchange(&p->active, next);
    announce(p, next != NULL);
    pep_readers_wait(p->readers);
    pep_active_free(old);
}

/* Tokens stand by what has come, or, without memory to say how, not at all. */
static int stand(struct pep *p, struct pep_active *a)
{
    struct pep_error why = PEP_ERROR_INIT;
    struct pep_moment now = pep_moment_now();
    struct pep_standing *next =
        pep_standing_new(pep_policy_issuers(a->policy), &p->fed, &now, &why);
    struct pep_standing *old = atomic_exchange(&a->standing, next);
    if (old != NULL)
        pep_readers_wait(p->readers);
    pep_standing_free(old);
    if (why.code != PEP_OK)
        pep_handle_failed(p, &why);
    return next == NULL ? PEP_ENOMEM : PEP_OK;
}

int pep_handle_activate(struct pep *p, const struct pep_bundle *bundle,
                        const struct pep_moment *proof, bool confirmed, struct pep_error *err)
{
    const struct pep_settings *s = &p->settings;
    struct pep_active_limits limits = {
        .engine = {.lua_states = s->lua_states, .author = false},
        .token_cache = s->token_cache,
        .ageless = s->mode == PEP_FILE,
        .max_stale_s = s->max_stale_s,
        .stale_after_ms = s->stale_after_ms,
    };
    struct pep_active *next;
    int r = pep_active_new(bundle, &limits, &next, err);
    if (r == PEP_OK && stand(p, next) != PEP_OK) {
        pep_active_free(next);
        r = pep_error_set(err, PEP_ENOMEM, "policy: no memory");
    }
    if (r != PEP_OK) {
        atomic_fetch_add_explicit(&p->rejections, 1, memory_order_relaxed);
        return r;
    }
    pep_active_prove(next, proof, confirmed);
    replace_active(p, next);
    atomic_fetch_add_explicit(&p->activations, 1, memory_order_relaxed);
    return PEP_OK;
}

void pep_handle_prove(struct pep *p, const struct pep_moment *when)
{
    struct pep_active *a = atomic_load(&p->active);
    if (a != NULL)
        pep_active_prove(a, when, true);
}

int pep_handle_feed(struct pep *p, const struct pep_fed *fed)
{
    struct pep_active *a = atomic_load(&p->active);
    struct pep_fed mine = pep_fed_share(fed);
    pep_fed_clear(&p->fed);
    p->fed = mine;
    return a == NULL ? PEP_OK : stand(p, a);
}

void pep_handle_set_revoked(struct pep *p, bool revoked)
{
    atomic_store(&p->revoked, revoked);
}

pep_state pep_handle_state(struct pep *p, const struct pep_active *a, const struct pep_moment *now,
                           int64_t *ret_age_ms)
{
    *ret_age_ms = a == NULL ? 0 : pep_active_age_ms(a, now);
    if (atomic_load_explicit(&p->revoked, memory_order_relaxed))
        return PEP_REVOKED;
    return a == NULL ? PEP_EMPTY : pep_active_state(a, *ret_age_ms, now);
}

void pep_handle_running(struct pep *p, struct pep_running *ret)
{
    struct pep_moment now = pep_moment_now();
    const struct pep_active *a = atomic_load(&p->active); /* the agent alone replaces it */
    int64_t age;
    memset(ret, 0, sizeof(*ret));
    ret->state = pep_handle_state(p, a, &now, &age);
    if (a == NULL)
        return;
    ret->epoch = a->epoch;
    ret->version = a->version;
    ret->age_ms = (uint64_t)age;
    memcpy(ret->digest, a->digest, sizeof(ret->digest));
}

/* ---- telling ---- */

void pep_handle_failed(struct pep *p, const struct pep_error *err)
{
    struct pep_notes notes = *atomic_load(&p->notes);
    const char *text = pep_error_text(err);
    bool same = notes.last_error == err->code && strcmp(notes.last_error_text, text) == 0;
    if (same)
        return;
    notes.last_error = err->code;
    snprintf(notes.last_error_text, sizeof(notes.last_error_text), "%s", text);
    pep_notes_publish(p, &notes);
    if (p->in_agent)
        pep_handle_log(p, LOG_WARNING, "%s", text);
    else
        p->log_pending = true;
}

void pep_handle_log(struct pep *p, int level, const char *format, ...)
{
    char text[512];
    if (p->settings.on_log == NULL || !p->in_agent)
        return;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (n >= 0)
        p->settings.on_log(p->settings.user, level, text);
}

/* ---- refresh ---- */

uint64_t pep_handle_refresh_wanted(struct pep *p)
{
    pthread_mutex_lock(&p->waiting.lock);
    uint64_t number = p->waiting.asked > p->waiting.answered ? p->waiting.asked : 0;
    pthread_mutex_unlock(&p->waiting.lock);
    return number;
}

void pep_handle_refresh_done(struct pep *p, uint64_t number, int answer)
{
    pthread_mutex_lock(&p->waiting.lock);
    if (number > p->waiting.answered) {
        p->waiting.answered = number;
        p->waiting.answer = answer;
        pthread_cond_broadcast(&p->waiting.changed);
    }
    pthread_mutex_unlock(&p->waiting.lock);
}

void pep_handle_wake(struct pep *p)
{
    const uint64_t one = 1;
    if (atomic_exchange_explicit(&p->waking, true, memory_order_acq_rel))
        return;
    /* Cannot block or fail for lack of room: the counter is at most one here. */
    ssize_t n = write(p->wake_fd, &one, sizeof(one));
    (void)n;
}
