/*
 * The life of a handle: open, wait, refresh, fork, close. Everything that can fail is made in
 * pep_open(), in the order in which it is taken down.
 */
#include "pep/handle.h"

#include "pep/decision_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* ---- the text of a failed open ---- */

static _Thread_local char open_error[PEP_ERROR_TEXT];

pep_err pep_open_failed(const struct pep_error *err)
{
    const char *text = pep_error_text(err);
    size_t n = strnlen(text, sizeof(open_error) - 1);
    memcpy(open_error, text, n);
    open_error[n] = '\0';
    return (pep_err)err->code;
}

const char *pep_open_error(void)
{
    return open_error;
}

/* ---- making ---- */

static void free_handle(struct pep *p)
{
    if (p->settings.mode == PEP_FILE)
        pep_file_close(p);
    else
        pep_client_close(p);
    pep_active_free(atomic_load(&p->active));
    free(atomic_load(&p->notes));
    free(p->audience);
    pep_fed_clear(&p->fed);
    pep_events_free(p->events);
    pep_counters_free(p->counters);
    pep_replay_free(p->replay);
    pep_readers_free(p->readers);
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    pthread_cond_destroy(&p->waiting.changed);
    pthread_mutex_destroy(&p->waiting.lock);
    pep_settings_clear(&p->settings);
    free(p);
}

/* Timeouts count by a clock that nobody sets. */
static int make_waiting(struct pep_waiting *w)
{
    pthread_condattr_t monotonic;
    memset(w, 0, sizeof(*w));
    if (pthread_condattr_init(&monotonic) != 0)
        return PEP_ENOMEM;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int r = pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (r != 0)
        return PEP_ENOMEM;
    if (pthread_mutex_init(&w->lock, NULL) != 0) {
        pthread_cond_destroy(&w->changed);
        return PEP_ENOMEM;
    }
    return PEP_OK;
}

static int make_parts(struct pep *p, struct pep_error *err)
{
    const struct pep_settings *s = &p->settings;
    struct pep_notes *notes = calloc(1, sizeof(*notes));
    if (notes != NULL)
        notes->state_since_ms = (uint64_t)pep_moment_now().wall_ms;
    atomic_store(&p->notes, notes);
    int fed = pep_fed_new(&p->fed);
    p->readers = pep_readers_new();
    p->counters = pep_counters_new();
    p->replay = pep_replay_new(s->proof_cache);
    size_t n = 0;
    while (s->audience != NULL && s->audience[n] != NULL)
        n++;
    if (n > 0)
        p->audience = pep_audience_new((const char *const *)s->audience, NULL, n);
    if (notes == NULL || fed != PEP_OK || p->readers == NULL || p->counters == NULL ||
        p->replay == NULL || (n > 0 && p->audience == NULL))
        return pep_error_set(err, PEP_ENOMEM, "handle: no memory");
    if (s->on_record != NULL && pep_events_new(s->event_queue, &p->events) != PEP_OK)
        return pep_error_set(err, PEP_ENOMEM, "event queue: no memory");
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->wake_fd < 0)
        return pep_error_set(err, PEP_EIO, "eventfd: %s", strerror(errno));
    return PEP_OK;
}

static int start_process_parts(struct pep_error *err)
{
    if (pep_engine_self_test(err) != PEP_OK)
        return err->code;
    if (pep_forks_watch() != PEP_OK)
        return pep_error_set(err, PEP_ENOMEM, "fork handler: no memory");
    if (pep_decision_ids_start() != PEP_OK || pep_token_hash_start() != PEP_OK)
        return pep_error_set(err, PEP_EIO, "the system gives no random bytes");
    return PEP_OK;
}

static int open_handle(struct pep *p, struct pep_error *err)
{
    int r = start_process_parts(err);
    r = r != PEP_OK ? r : make_parts(p, err);
    if (r != PEP_OK)
        return r;
    p->born = pep_forks();
    r = p->settings.mode == PEP_FILE ? pep_file_open(p, err) : pep_client_open(p, err);
    return r != PEP_OK ? r : pep_agent_start(p, err);
}

pep_err pep_open(const pep_options *options, pep **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep *p = calloc(1, sizeof(*p));
    if (ret == NULL)
        pep_error_set(&err, PEP_EINVAL, "pep_open: no place for the handle");
    else if (p == NULL || make_waiting(&p->waiting) != PEP_OK)
        pep_error_set(&err, PEP_ENOMEM, "handle: no memory");
    if (err.code != PEP_OK) {
        free(p);
        return pep_open_failed(&err);
    }
    p->wake_fd = -1;
    p->born = pep_forks();
    p->told.state = (pep_state)-1; /* none yet: the first look is told */
    int r = pep_settings_copy(options, &p->settings, &err);
    if (r == PEP_OK)
        r = open_handle(p, &err);
    if (r != PEP_OK) {
        free_handle(p);
        return pep_open_failed(&err);
    }
    *ret = p;
    return PEP_OK;
}

/* ---- waiting ---- */

static struct timespec deadline(uint32_t timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* No agent that could bring what the caller waits for: it is not here, or it is the caller. */
static bool waiting_is_vain(const struct pep *p)
{
    return pep_handle_orphaned(p) || pep_agent_is_caller(p);
}

pep_err pep_wait_ready(pep *p, uint32_t timeout_ms)
{
    if (p == NULL)
        return PEP_EINVAL;
    if (waiting_is_vain(p))
        return atomic_load(&p->active) != NULL ? PEP_OK : PEP_ESTATE;
    struct timespec end = deadline(timeout_ms);
    int r = 0;
    pthread_mutex_lock(&p->waiting.lock);
    while (!p->waiting.active && r == 0)
        r = pthread_cond_timedwait(&p->waiting.changed, &p->waiting.lock, &end);
    bool active = p->waiting.active;
    pthread_mutex_unlock(&p->waiting.lock);
    return active ? PEP_OK : PEP_ETIMEDOUT;
}

pep_err pep_refresh(pep *p, uint32_t timeout_ms)
{
    if (p == NULL)
        return PEP_EINVAL;
    if (waiting_is_vain(p))
        return PEP_ESTATE;
    struct timespec end = deadline(timeout_ms);
    struct pep_waiting *w = &p->waiting;
    int r = 0;
    pthread_mutex_lock(&w->lock);
    uint64_t number = ++w->asked;
    pep_handle_wake(p);
    while (w->answered < number && r == 0)
        r = pthread_cond_timedwait(&w->changed, &w->lock, &end);
    int answer = w->answered >= number ? w->answer : PEP_ETIMEDOUT;
    pthread_mutex_unlock(&w->lock);
    return (pep_err)answer;
}

/* ---- fork ---- */

pep_err pep_after_fork(pep *p)
{
    struct pep_error err = PEP_ERROR_INIT;
    if (p == NULL)
        return PEP_EINVAL;
    if (!pep_handle_orphaned(p))
        return PEP_ESTATE;
    /* New ones first: on failure the child goes on deciding as it did. */
    struct pep_events *events = NULL;
    if (p->events != NULL && pep_events_new(p->settings.event_queue, &events) != PEP_OK)
        return PEP_ENOMEM;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0 || make_waiting(&p->waiting) != PEP_OK) {
        if (fd >= 0)
            close(fd);
        pep_events_free(events);
        return fd < 0 ? PEP_EIO : PEP_ENOMEM;
    }
    /* The parent's queue holds the parent's records; its eventfd and lock are shared or held. */
    pep_events_free(p->events);
    p->events = events;
    close(p->wake_fd);
    p->wake_fd = fd;
    p->waiting.active = atomic_load(&p->active) != NULL;
    atomic_store(&p->waking, false);
    p->in_agent = false;
    p->running = false;
    pep_readers_forget(p->readers);
    int r = p->settings.mode == PEP_FILE ? pep_file_after_fork(p, &err)
                                         : pep_client_after_fork(p, &err);
    if (r != PEP_OK)
        return (pep_err)r;
    p->born = pep_forks();
    return (pep_err)pep_agent_start(p, &err);
}

/* ---- the end ---- */

void pep_close(pep *p)
{
    /* From a callback it would wait for itself; the header forbids it, and this does no harm. */
    if (p == NULL ||
        (p->running && !pep_handle_orphaned(p) && pthread_equal(p->thread, pthread_self())))
        return;
    pep_agent_stop(p);
    free_handle(p);
}
