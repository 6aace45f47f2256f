/*
 * The agent: libpep's one thread. Its body is pep_client_run() or pep_file_run(); this file gives
 * it what both share: the tick that delivers records, tells of changes and frees what was replaced,
 * and the last delivery when the handle is closed.
 */
#include "pep/handle.h"
#include "pep/record.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define BATCH_RECORDS 1024 /* per tick, so that sockets are not kept waiting */
#define LAST_MS       1000 /* for the records that are left at the end */
#define RECORD_JSON   (8 * PEP_EVENT_MAX)

/* ---- records ---- */

static void deliver(struct pep *p, struct pep_span packed, struct pep_buffer *json)
{
    json->size = 0;
    json->failed = false;
    const char *service = atomic_load(&p->notes)->service;
    if (pep_record_write(packed, service, json) != PEP_OK) {
        pep_events_drop(p->events, 1);
        return;
    }
    p->settings.on_record(p->settings.user, (const char *)json->data, json->size);
    atomic_fetch_add_explicit(&p->records_delivered, 1, memory_order_relaxed);
}

/* True: there are more. */
static bool deliver_some(struct pep *p, size_t most)
{
    if (p->events == NULL)
        return false;
    uint8_t packed[PEP_EVENT_MAX];
    struct pep_buffer json = pep_buffer_of(RECORD_JSON);
    size_t size = 1, n = 0;
    while (n < most && (size = pep_events_take(p->events, packed)) > 0) {
        deliver(p, pep_span_of(packed, size), &json);
        n++;
    }
    pep_buffer_free(&json);
    return size > 0;
}

/* What cannot be delivered in time is counted as dropped: the sums stay exact. */
static void deliver_last(struct pep *p)
{
    int64_t end = pep_moment_now().boot_ms + LAST_MS;
    bool more = p->events != NULL;
    while (more && pep_moment_now().boot_ms < end)
        more = deliver_some(p, 16);
    uint8_t packed[PEP_EVENT_MAX];
    while (more && pep_events_take(p->events, packed) > 0)
        pep_events_drop(p->events, 1);
}

/* ---- changes ---- */

static void note_state(struct pep *p, pep_state state, const struct pep_active *a,
                       const struct pep_moment *now)
{
    struct pep_notes notes = *atomic_load(&p->notes);
    if (notes.state == state)
        return;
    int64_t since = a == NULL ? 0 : pep_active_state_since_ms(a, state);
    notes.state = state;
    notes.state_since_ms = (uint64_t)(since > 0 && since < now->wall_ms ? since : now->wall_ms);
    pep_notes_publish(p, &notes);
}

static void tell_changes(struct pep *p)
{
    struct pep_moment now = pep_moment_now();
    const struct pep_active *a = atomic_load(&p->active);
    int64_t age;
    pep_state state = pep_handle_state(p, a, &now, &age);
    note_state(p, state, a, &now);
    uint32_t epoch = a == NULL ? 0 : a->epoch;
    uint64_t version = a == NULL ? 0 : a->version;
    int error = atomic_load(&p->notes)->last_error;
    if (p->told.state == state && p->told.epoch == epoch && p->told.version == version &&
        p->told.error == error)
        return;
    p->told.state = state;
    p->told.epoch = epoch;
    p->told.version = version;
    p->told.error = error;
    if (p->settings.on_status == NULL)
        return;
    pep_status status = PEP_STATUS_INIT;
    pep_get_status(p, &status);
    p->settings.on_status(p->settings.user, &status);
}

/* The last numbers, which nobody can ask for any more. */
static void tell_end(struct pep *p)
{
    pep_status status = PEP_STATUS_INIT;
    if (p->settings.on_status == NULL)
        return;
    pep_get_status(p, &status);
    status.state = PEP_CLOSED;
    p->settings.on_status(p->settings.user, &status);
}

static void free_retired(struct pep *p)
{
    struct pep_active *a = atomic_load(&p->active);
    struct pep_token_entry *list = a == NULL ? NULL : pep_token_cache_take_retired(a->tokens);
    if (list == NULL)
        return;
    pep_readers_wait(p->readers);
    pep_token_retired_free(a->tokens, list);
}

static void clear_wake(struct pep *p)
{
    uint64_t count;
    if (!atomic_load_explicit(&p->waking, memory_order_acquire))
        return;
    /* Read first: a wake between the two lines then only causes one more turn. */
    ssize_t n = read(p->wake_fd, &count, sizeof(count));
    (void)n;
    atomic_store_explicit(&p->waking, false, memory_order_release);
}

bool pep_handle_tick(struct pep *p)
{
    clear_wake(p);
    if (p->log_pending) {
        p->log_pending = false;
        pep_handle_log(p, LOG_WARNING, "%s", atomic_load(&p->notes)->last_error_text);
    }
    free_retired(p);
    tell_changes(p);
    return deliver_some(p, BATCH_RECORDS);
}

/* ---- the thread ---- */

static _Thread_local const struct pep *agent_of;

bool pep_agent_is_caller(const struct pep *p)
{
    return agent_of == p && !pep_handle_orphaned(p);
}

static void *agent_main(void *argument)
{
    struct pep *p = argument;
    agent_of = p;
    p->in_agent = true;
    if (p->settings.mode == PEP_FILE)
        pep_file_run(p);
    else
        pep_client_run(p);
    deliver_last(p);
    tell_end(p);
    return NULL;
}

int pep_agent_start(struct pep *p, struct pep_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int r = pthread_create(&p->thread, NULL, agent_main, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return pep_error_set(err, PEP_ENOMEM, "thread: %s", strerror(r));
    pthread_setname_np(p->thread, "pep"); /* for whoever looks with top */
    p->running = true;
    return PEP_OK;
}

void pep_agent_stop(struct pep *p)
{
    if (!p->running || pep_handle_orphaned(p))
        return;
    atomic_store_explicit(&p->stop, true, memory_order_release);
    pep_handle_wake(p);
    pthread_join(p->thread, NULL);
    p->running = false;
}
