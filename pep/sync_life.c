/*
 * The parts of the sync state machine that have no states in them: making and freeing one, the
 * queue of actions, and looking in.
 */
#include "pep/sync_state.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pep_head_equal(const struct pep_head *a, const struct pep_head *b)
{
    return a->epoch == b->epoch && a->version == b->version &&
           memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

bool pep_head_none(const struct pep_head *a)
{
    return a->version == 0;
}

const char *pep_sync_phase_name(enum pep_sync_phase phase)
{
    static const char *const names[PEP_SYNC_PHASES] = {"IDLE", "ASKING", "FILLING", "ACTIVATING",
                                                       "WAITING"};
    return (unsigned)phase < PEP_SYNC_PHASES ? names[phase] : "?";
}

/* ---- actions ---- */

void pep_sync_emit(struct pep_sync *s, enum pep_sync_action_kind kind, int code, const char *text)
{
    if (s->action_count == ACTIONS_MAX) {
        /* The caller drains after each step, and no step makes so many. */
        return;
    }
    struct pep_sync_action *a = &s->actions[(s->action_first + s->action_count++) % ACTIONS_MAX];
    a->kind = kind;
    a->code = code;
    snprintf(a->text, sizeof(a->text), "%s", text == NULL ? "" : text);
}

void pep_sync_log(struct pep_sync *s, int level, const char *format, ...)
{
    char text[PEP_ERROR_TEXT];
    va_list ap;
    va_start(ap, format);
    if (vsnprintf(text, sizeof(text), format, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    pep_sync_emit(s, PEP_ACTION_LOG, level, text);
}

bool pep_sync_next(struct pep_sync *s, struct pep_sync_action *ret)
{
    if (s->action_count == 0)
        return false;
    *ret = s->actions[s->action_first];
    s->action_first = (s->action_first + 1) % ACTIONS_MAX;
    s->action_count--;
    return true;
}

/* ---- life ---- */

int pep_sync_new(const struct pep_sync_options *options, struct pep_root *root,
                 struct pep_bundle *running, struct pep_bundle *fallback,
                 const struct pep_memory *memory, struct pep_sync **ret)
{
    struct pep_sync *s = calloc(1, sizeof(*s));
    int rc = s == NULL ? PEP_ENOMEM : PEP_OK;
    if (rc == PEP_OK && (root == NULL || strlen(options->bundle) >= sizeof(s->bundle) ||
                         strlen(options->client_key) >= sizeof(s->client_key)))
        rc = PEP_EINVAL;
    if (rc == PEP_OK && options->random(s->fetch.reporter, sizeof(s->fetch.reporter)) != PEP_OK)
        rc = PEP_EIO;
    if (rc != PEP_OK) {
        pep_root_free(root);
        pep_bundle_free(running);
        pep_bundle_free(fallback);
        free(s);
        return rc;
    }
    s->options = *options;
    snprintf(s->bundle, sizeof(s->bundle), "%s", options->bundle);
    snprintf(s->client_key, sizeof(s->client_key), "%s", options->client_key);
    snprintf(s->library, sizeof(s->library), "%s", options->library);
    s->options.bundle = s->bundle;
    s->options.client_key = s->client_key;
    s->options.library = s->library;
    s->root = root;
    s->running = running;
    s->fallback = fallback;
    s->memory = *memory;
    s->proof_saved = memory->proof.wall_ms;
    s->resubscribe_after = RESUBSCRIBE_MIN;
    s->next_fetch = INT64_MIN / 2; /* at once */
    s->last_beacon = s->last_answer = s->last_resubscribe = INT64_MIN / 2;
    *ret = s;
    return PEP_OK;
}

void pep_sync_free(struct pep_sync *s)
{
    if (s == NULL)
        return;
    pep_fill_clear(&s->fill);
    pep_bundle_free(s->incoming);
    for (size_t i = 0; i < s->new_root_count; i++)
        free((void *)(uintptr_t)s->new_roots[i].data);
    free(s->new_roots);
    pep_root_free(s->root);
    pep_bundle_free(s->running);
    pep_bundle_free(s->fallback);
    free(s);
}

/* ---- looking in ---- */

const struct pep_fetch *pep_sync_fetch(const struct pep_sync *s)
{
    return &s->fetch;
}

const struct pep_want *pep_sync_want(const struct pep_sync *s)
{
    return &s->want;
}

const struct pep_bundle *pep_sync_incoming(const struct pep_sync *s)
{
    return s->incoming;
}

const struct pep_bundle *pep_sync_running(const struct pep_sync *s)
{
    return s->running;
}

const struct pep_bundle *pep_sync_fallback(const struct pep_sync *s)
{
    return s->fallback;
}

struct pep_moment pep_sync_asked(const struct pep_sync *s)
{
    return s->asked;
}

const struct pep_memory *pep_sync_memory(const struct pep_sync *s)
{
    return &s->memory;
}

const struct pep_root *pep_sync_root(const struct pep_sync *s)
{
    return s->root;
}

size_t pep_sync_root_count(const struct pep_sync *s)
{
    return s->new_root_count;
}

struct pep_span pep_sync_root_envelope(const struct pep_sync *s, size_t i)
{
    return s->new_roots[i];
}

const struct pep_feeds *pep_sync_feeds(const struct pep_sync *s)
{
    return &s->feeds;
}

enum pep_sync_phase pep_sync_phase(const struct pep_sync *s)
{
    return s->phase;
}

bool pep_sync_none(const struct pep_sync *s)
{
    return s->none;
}
