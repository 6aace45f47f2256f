/*
 * The client's state machine: one function per state, a table of them, and one queue of actions.
 * sync.h tells the story; sync_verify.c decides what is true, sync_fill.c collects files.
 *
 * Each step first hears what may come in any state (notices, statements), then hands the event to
 * the state's own function. A state function reacts to what it knows and ignores the rest, so a
 * late answer or a file of an earlier conversation is simply nobody's.
 */
#include "pep/sync_state.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- chance ---- */

/* Between low and high, both included. Without random bytes: high, which is late but never early.
 */
static int64_t between(struct pep_sync *s, int64_t low, int64_t high)
{
    uint32_t r = 0;
    if (high <= low || s->options.random(&r, sizeof(r)) != PEP_OK)
        return high;
    return low + (int64_t)(((uint64_t)r * (uint64_t)(high - low + 1)) >> 32);
}

/* Twice as long after each failure, and a random half of it taken off. */
static int64_t backoff(struct pep_sync *s)
{
    int64_t t = BACKOFF_FIRST;
    for (unsigned i = 1; i < s->failures && t < BACKOFF_MAX; i++)
        t *= 2;
    t = t > BACKOFF_MAX ? BACKOFF_MAX : t;
    if (s->memory.statement == PEP_STATEMENT_SUSPENDED && t > SUSPENDED_RETRY)
        t = SUSPENDED_RETRY;
    if (s->memory.statement == PEP_STATEMENT_REVOKED)
        t = REVOKED_RETRY;
    return between(s, t / 2, t);
}

static int64_t next_poll(struct pep_sync *s)
{
    int64_t t = s->options.poll_ms;
    return s->now.boot_ms + between(s, t - t / 4, t + t / 4);
}

/* ---- moving between states ---- */

struct pep_head pep_sync_head(const struct pep_sync *s)
{
    struct pep_head none = {0};
    return s->running == NULL ? none : pep_manifest_head(pep_bundle_manifest(s->running));
}

static void ask(struct pep_sync *s)
{
    struct pep_fetch f = {.flags = 0};
    if (s->rebuild) {
        s->rebuild = false;
        pep_sync_emit(s, PEP_ACTION_ROTATE, 0, NULL);
    }
    memcpy(f.reporter, s->fetch.reporter, sizeof(f.reporter));
    snprintf(f.bundle, sizeof(f.bundle), "%s", s->bundle);
    snprintf(f.library, sizeof(f.library), "%s", s->library);
    f.root = pep_root_version(s->root);
    f.have = pep_sync_head(s);
    f.rejected = s->rejected;
    const struct pep_error *why = pep_head_none(&s->rejected) ? &s->failure : &s->rejection;
    f.error = (int16_t)why->code;
    snprintf(f.reason, sizeof(f.reason), "%.*s", PEP_REASON_TEXT,
             why->code == PEP_OK ? "" : pep_error_text(why));
    s->asked = s->now;
    s->hint_seq_at_ask = s->hint_seq;
    s->seq_at_ask = s->memory.seq;
    s->issued_at_ask = s->memory.issued_at;
    s->phase_ends = s->now.boot_ms + ANSWER_TIMEOUT;
    if (s->options.random(f.nonce, sizeof(f.nonce)) != PEP_OK) {
        /* A guessable nonce would let an old answer pass for a new one. */
        s->phase = PEP_SYNC_WAITING;
        s->phase_ends = s->now.boot_ms + BACKOFF_MAX;
        pep_sync_emit(s, PEP_ACTION_DONE, PEP_EIO, "no random bytes for a nonce");
        return;
    }
    s->fetch = f;
    s->phase = PEP_SYNC_ASKING;
    pep_sync_emit(s, PEP_ACTION_FETCH, 0, NULL);
}

static void forget_conversation(struct pep_sync *s)
{
    pep_fill_clear(&s->fill);
    pep_bundle_free(s->incoming);
    s->incoming = NULL;
}

/* True if a notice newer than the last answer names a version that I don't run and that no
 * conversation has dealt with yet (refused here, or not meant for me). */
static bool hint_is_news(const struct pep_sync *s)
{
    struct pep_head mine = pep_sync_head(s);
    return s->hint_seq > s->heard_seq && !pep_head_none(&s->hint) &&
           !pep_head_equal(&s->hint, &mine) && !pep_head_equal(&s->hint, &s->settled);
}

static void finish(struct pep_sync *s, int64_t next_fetch, const struct pep_error *err)
{
    forget_conversation(s);
    s->failures = 0;
    s->phase = PEP_SYNC_IDLE;
    if (s->hint_seq <= s->heard_seq)
        s->settled = s->hint;
    s->last_answer = s->now.boot_ms;
    s->next_fetch = hint_is_news(s) ? s->now.boot_ms : next_fetch;
    pep_sync_emit(s, PEP_ACTION_DONE, err == NULL ? PEP_OK : err->code,
                  err == NULL ? NULL : pep_error_text(err));
}

static void fail(struct pep_sync *s, const struct pep_error *err)
{
    forget_conversation(s);
    s->failures++;
    s->failure = *err;
    if (s->failures % FAILURES_ROTATE == 0)
        s->rebuild = true;
    s->phase = PEP_SYNC_WAITING;
    s->phase_ends = s->now.boot_ms + backoff(s);
    pep_sync_emit(s, PEP_ACTION_DONE, err->code, pep_error_text(err));
}

void pep_sync_fail(struct pep_sync *s, int code, const char *text)
{
    struct pep_error err = PEP_ERROR_INIT;
    pep_error_set(&err, code, "%s", text);
    fail(s, &err);
}

static int64_t report_soon(struct pep_sync *s)
{
    return s->now.boot_ms + between(s, REPORT_SOON_MIN, REPORT_SOON_MIN + REPORT_SOON_SPAN);
}

/* The assigned version is no good: keep what runs, tell the server, don't fetch it again and again.
 */
static void reject(struct pep_sync *s, const struct pep_error *err)
{
    if (err->code == PEP_ENOMEM) {
        fail(s, err); /* says nothing about the version */
        return;
    }
    s->rejected = s->assigned;
    s->rejected_until = s->now.boot_ms + REJECTED_RETRY;
    s->rejection = *err;
    finish(s, report_soon(s), err);
}

void pep_sync_prove(struct pep_sync *s, struct pep_moment at)
{
    if (s->running == NULL)
        return;
    if (at.wall_ms <= s->memory.proof.wall_ms && at.boot_ms <= s->memory.proof.boot_ms)
        return;
    s->memory.proof = at;
    pep_sync_emit(s, PEP_ACTION_PROOF, 0, NULL);
    int64_t behind = at.wall_ms - s->proof_saved;
    int64_t most = (int64_t)pep_manifest_max_stale(pep_bundle_manifest(s->running)) * 250;
    if (most > s->options.save_proof_ms || most == 0)
        most = s->options.save_proof_ms;
    if (behind >= most || behind < 0) {
        s->proof_saved = at.wall_ms;
        pep_sync_emit(s, PEP_ACTION_SAVE, 0, NULL);
    }
}

/* What runs is what is assigned. */
static void all_is_well(struct pep_sync *s)
{
    memset(&s->rejected, 0, sizeof(s->rejected));
    memset(&s->rejection, 0, sizeof(s->rejection));
    memset(&s->failure, 0, sizeof(s->failure));
}

/* ---- messages inside a conversation ---- */

static void go_on_filling(struct pep_sync *s)
{
    struct pep_error err = PEP_ERROR_INIT;
    s->phase = PEP_SYNC_FILLING;
    s->phase_ends = s->now.boot_ms + FILE_TIMEOUT;
    if (s->fill.missing > 0) {
        if (s->fill.outstanding == 0) {
            memcpy(s->want.nonce, s->fetch.nonce, sizeof(s->want.nonce));
            snprintf(s->want.bundle, sizeof(s->want.bundle), "%s", s->bundle);
            pep_fill_want(&s->fill, &s->want);
            pep_sync_emit(s, PEP_ACTION_WANT, 0, NULL);
        }
        return;
    }
    if (pep_fill_end(&s->fill, &s->incoming, &err) != PEP_OK) {
        reject(s, &err);
        return;
    }
    s->phase = PEP_SYNC_ACTIVATING;
    pep_sync_emit(s, PEP_ACTION_ACTIVATE, 0, NULL);
}

static int add_file(struct pep_sync *s, struct pep_span frame)
{
    struct pep_file_frame file;
    bool is_new = false;
    if (pep_file_read(frame, &file) != PEP_OK)
        return PEP_EFORMAT;
    if (memcmp(file.nonce, s->fetch.nonce, sizeof(file.nonce)) != 0)
        return PEP_OK; /* of an earlier conversation */
    return pep_fill_add(&s->fill, &file, &is_new);
}

static void take_version(struct pep_sync *s, const struct pep_answer *answer,
                         const struct pep_span *frames, size_t count)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_manifest *manifest = NULL;
    if (pep_head_equal(&answer->head, &s->rejected) && s->now.boot_ms < s->rejected_until) {
        finish(s, next_poll(s), &s->rejection);
        return;
    }
    if (pep_sync_read_manifest(s, answer, frames[1], &manifest, &err) != PEP_OK) {
        reject(s, &err);
        return;
    }
    if (pep_fill_begin(&s->fill, manifest, s->running, s->fallback) != PEP_OK) {
        pep_sync_fail(s, PEP_ENOMEM, "no memory for a new version");
        return;
    }
    s->fill_ends = s->now.boot_ms + FILL_TIMEOUT;
    for (size_t i = pep_sync_files_at(answer); i < count; i++) {
        if (add_file(s, frames[i]) != PEP_OK) {
            pep_sync_fail(s, PEP_EFORMAT, "the server sent a file that is not what its hash says");
            return;
        }
    }
    go_on_filling(s);
}

static void take_answer(struct pep_sync *s, const struct pep_span *frames, size_t count)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_answer answer;
    struct pep_head mine = pep_sync_head(s);
    int rc = pep_sync_read_answer(s, frames, count, &answer, &err);
    if (rc == PEP_ENOTFOUND)
        return; /* to another question: perhaps a late one; ours may still come */
    if (rc != PEP_OK) {
        fail(s, &err);
        return;
    }
    bool none = answer.kind == PEP_ANSWER_NONE;
    bool resumed = s->memory.statement == PEP_STATEMENT_SUSPENDED;
    if (none != s->none || resumed) {
        s->none = none;
        if (resumed) /* the server answers no suspended client, and this question came after */
            s->memory.statement = PEP_STATEMENT_RESUMED;
        pep_sync_emit(s, PEP_ACTION_STATE, 0, NULL);
    }
    if (none) {
        pep_error_set(&err, PEP_ENOTFOUND, "the server has no version of %s for this client",
                      s->bundle);
        finish(s, next_poll(s), &err);
        return;
    }
    s->assigned = answer.head;
    if (s->running != NULL && pep_head_equal(&answer.head, &mine)) {
        all_is_well(s);
        pep_sync_prove(s, s->asked);
        finish(s, next_poll(s), NULL);
        return;
    }
    if (answer.kind != PEP_ANSWER_VERSION)
        pep_sync_fail(s, PEP_EFORMAT, "the server says \"same\" and names another version");
    else
        take_version(s, &answer, frames, count);
}

static void take_refusal(struct pep_sync *s, struct pep_span frame)
{
    struct pep_refused r;
    struct pep_error err = PEP_ERROR_INIT;
    if (pep_refused_read(frame, &r) != PEP_OK ||
        memcmp(r.nonce, s->fetch.nonce, sizeof(r.nonce)) != 0)
        return;
    pep_error_set(&err, PEP_EDENIED, "the server refused: %s (reference %s)", r.reason,
                  r.reference);
    fail(s, &err);
}

static void take_file(struct pep_sync *s, struct pep_span frame)
{
    struct pep_file_frame file;
    bool is_new = false;
    if (pep_file_read(frame, &file) != PEP_OK ||
        memcmp(file.nonce, s->fetch.nonce, sizeof(file.nonce)) != 0)
        return;
    int rc = pep_fill_add(&s->fill, &file, &is_new);
    if (rc != PEP_OK)
        pep_sync_fail(s, rc, "the server sent a file that is not what its hash says");
    else if (is_new)
        go_on_filling(s); /* only what was missing counts as progress */
}

/* ---- the states ---- */

static void on_idle(struct pep_sync *s, const struct pep_sync_event *e)
{
    (void)e;
    bool silent = s->options.subscribe && s->now.boot_ms - s->last_beacon >= SILENCE &&
                  s->now.boot_ms - s->last_answer >= SILENCE;
    bool clock_was_set = s->running != NULL && !s->anchored;
    if (e->kind == PEP_EVENT_REFRESH || e->kind == PEP_EVENT_LINK_UP || hint_is_news(s) || silent ||
        clock_was_set || s->now.boot_ms >= s->next_fetch)
        ask(s);
}

static void on_asking(struct pep_sync *s, const struct pep_sync_event *e)
{
    if (e->kind == PEP_EVENT_MESSAGE) {
        int type = pep_message_type(e->frames[0]);
        if (type == PEP_MSG_ANSWER)
            take_answer(s, e->frames, e->count);
        else if (type == PEP_MSG_REFUSED)
            take_refusal(s, e->frames[0]);
    } else if (e->kind == PEP_EVENT_LINK_UP) {
        ask(s); /* the question waited for the connection: its proof would be as old as that */
    } else if (e->kind == PEP_EVENT_LINK_DOWN) {
        pep_sync_fail(s, PEP_EIO, "the connection to the server was lost");
    } else if (s->now.boot_ms >= s->phase_ends) {
        pep_sync_fail(s, PEP_ETIMEDOUT, "the server does not answer");
    }
}

static void on_filling(struct pep_sync *s, const struct pep_sync_event *e)
{
    if (e->kind == PEP_EVENT_MESSAGE) {
        int type = pep_message_type(e->frames[0]);
        if (type == PEP_MSG_FILE)
            take_file(s, e->frames[0]);
        else if (type == PEP_MSG_REFUSED)
            take_refusal(s, e->frames[0]);
    } else if (e->kind == PEP_EVENT_LINK_DOWN) {
        pep_sync_fail(s, PEP_EIO, "the connection to the server was lost");
    } else if (s->now.boot_ms >= s->phase_ends || s->now.boot_ms >= s->fill_ends) {
        pep_sync_fail(s, PEP_ETIMEDOUT, "the server does not send the files of a version");
    }
}

static void become(struct pep_sync *s)
{
    struct pep_bundle *old = s->running;
    const struct pep_manifest *m = pep_bundle_manifest(s->incoming);
    struct pep_head head = pep_manifest_head(m);
    bool old_final = old != NULL && !pep_manifest_provisional(pep_bundle_manifest(old));
    s->running = s->incoming;
    s->incoming = NULL;
    if (!pep_manifest_provisional(m)) {
        pep_bundle_free(s->fallback);
        s->fallback = NULL;
        if (pep_version_compare(head.epoch, head.version, s->memory.floor.epoch,
                                s->memory.floor.version) > 0)
            s->memory.floor = head;
    } else if (old_final) {
        s->fallback = old; /* a canary may be called off */
        old = NULL;
    }
    pep_bundle_free(old);
}

static void on_activating(struct pep_sync *s, const struct pep_sync_event *e)
{
    if (e->kind == PEP_EVENT_REJECTED) {
        struct pep_error err = *e->error;
        if (err.code == PEP_OK)
            pep_error_set(&err, PEP_EPOLICY, "the policy was refused");
        reject(s, &err);
    } else if (e->kind == PEP_EVENT_ACTIVATED) {
        become(s);
        all_is_well(s);
        s->proof_saved = s->asked.wall_ms;
        s->memory.proof = s->asked;
        pep_sync_emit(s, PEP_ACTION_PROOF, 0, NULL);
        pep_sync_emit(s, PEP_ACTION_STORE, 0, NULL);
        finish(s, report_soon(s), NULL);
    }
}

static void on_waiting(struct pep_sync *s, const struct pep_sync_event *e)
{
    if (e->kind == PEP_EVENT_LINK_UP)
        s->rebuild = false; /* this socket is alive */
    if (e->kind == PEP_EVENT_LINK_UP || e->kind == PEP_EVENT_REFRESH ||
        s->now.boot_ms >= s->phase_ends)
        ask(s);
}

typedef void (*state_function)(struct pep_sync *s, const struct pep_sync_event *e);
static const state_function states[PEP_SYNC_PHASES] = {
    [PEP_SYNC_IDLE] = on_idle,       [PEP_SYNC_ASKING] = on_asking,
    [PEP_SYNC_FILLING] = on_filling, [PEP_SYNC_ACTIVATING] = on_activating,
    [PEP_SYNC_WAITING] = on_waiting,
};

/* ---- one step ---- */

void pep_sync_step(struct pep_sync *s, const struct pep_sync_event *event, struct pep_moment now)
{
    bool has_frames = event->kind == PEP_EVENT_NOTICE || event->kind == PEP_EVENT_MESSAGE;
    if (!s->begun) {
        s->begun = true;
        s->last_beacon = s->last_resubscribe = now.boot_ms;
    }
    s->now = now;
    pep_sync_watch_clocks(s);
    if (has_frames && event->count == 0)
        return;
    if (event->kind == PEP_EVENT_NOTICE)
        pep_sync_on_notice(s, event);
    else if (event->kind == PEP_EVENT_LINK_REFUSED)
        pep_sync_on_link_refused(s);
    else if (event->kind == PEP_EVENT_MESSAGE &&
             pep_message_type(event->frames[0]) == PEP_MSG_STATEMENT)
        pep_sync_on_statement(s, event);
    states[s->phase](s, event);
    pep_sync_watch_silence(s);
}

int64_t pep_sync_deadline(const struct pep_sync *s)
{
    int64_t due = s->phase_ends;
    if (s->phase == PEP_SYNC_ACTIVATING)
        return INT64_MAX;
    if (s->phase == PEP_SYNC_FILLING && s->fill_ends < due)
        due = s->fill_ends;
    if (s->phase != PEP_SYNC_IDLE)
        return due;
    due = s->next_fetch;
    if (s->options.subscribe) {
        int64_t heard = s->last_beacon > s->last_answer ? s->last_beacon : s->last_answer;
        if (heard + SILENCE < due)
            due = heard + SILENCE;
    }
    return due;
}
