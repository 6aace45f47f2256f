/* Options, checked and copied: see settings.h. */
#include "pep/settings.h"

#include "pep/core/dpop.h"
#include "pep/core/engine.h"
#include "pep/events.h"
#include "pep/replay.h"
#include "pep/token_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS   86400000
#define DECADE_S 315360000
#define POLL_MS  15000
#define STALE_MS 60000
/* The struct of the first release; a caller with that one gets the later members' defaults. */
#define OPTIONS_SIZE_1 offsetof(pep_options, proof_cache)
#define PER_STALE      3 /* poll intervals within stale_after, at least */

struct number {
    const char *name;
    uint64_t value, fallback, min, max;
};

/* 0 stands for the default. */
static int choose(struct number *n, struct pep_error *err)
{
    if (n->value == 0) {
        n->value = n->fallback;
        return PEP_OK;
    }
    if (n->value < n->min || n->value > n->max)
        return pep_error_set(err, PEP_EINVAL, "option %s: %llu is not within %llu and %llu",
                             n->name, (unsigned long long)n->value, (unsigned long long)n->min,
                             (unsigned long long)n->max);
    return PEP_OK;
}

static int copy_numbers(const pep_options *o, struct pep_settings *s, struct pep_error *err)
{
    enum { POLL, STALE, MAX_STALE, LUA, TOKENS, EVENTS, PROOFS, WINDOW, COUNT };
    uint64_t poll = o->poll_interval_ms != 0 ? o->poll_interval_ms : POLL_MS;
    uint64_t stale =
        o->mode == PEP_POLL && poll * PER_STALE > STALE_MS ? poll * PER_STALE : STALE_MS;
    struct number table[COUNT] = {
        [POLL] = {"poll_interval_ms", o->poll_interval_ms, POLL_MS, 100, DAY_MS},
        [STALE] = {"stale_after_ms", o->stale_after_ms, stale, 100, UINT32_MAX},
        [MAX_STALE] = {"max_stale_s", o->max_stale_s, 0, 1, DECADE_S},
        [LUA] = {"lua_states", o->lua_states, 0, 1, PEP_LUA_STATES_MAX},
        [TOKENS] = {"token_cache", o->token_cache, PEP_TOKEN_CACHE_DEFAULT, PEP_TOKEN_CACHE_MIN,
                    PEP_TOKEN_CACHE_MAX},
        [EVENTS] = {"event_queue", o->event_queue, PEP_EVENTS_DEFAULT, PEP_EVENTS_MIN,
                    PEP_EVENTS_MAX},
        [PROOFS] = {"proof_cache", o->proof_cache, PEP_REPLAY_DEFAULT, PEP_REPLAY_MIN,
                    PEP_REPLAY_MAX},
        [WINDOW] = {"proof_window_s", o->proof_window_s, PEP_DPOP_WINDOW_DEFAULT, 1,
                    PEP_DPOP_WINDOW_MAX},
    };
    for (size_t i = 0; i < COUNT; i++) {
        if (choose(&table[i], err) != PEP_OK)
            return PEP_EINVAL;
    }
    if (o->mode == PEP_POLL && table[STALE].value < PER_STALE * table[POLL].value)
        return pep_error_set(err, PEP_EINVAL,
                             "option stale_after_ms: %llu is less than three times "
                             "poll_interval_ms (%llu); raise it, or poll more often",
                             (unsigned long long)table[STALE].value,
                             (unsigned long long)table[POLL].value);
    s->poll_interval_ms = (uint32_t)table[POLL].value;
    s->stale_after_ms = (uint32_t)table[STALE].value;
    s->max_stale_s = (uint32_t)table[MAX_STALE].value;
    s->lua_states = (unsigned)table[LUA].value;
    s->token_cache = (size_t)table[TOKENS].value;
    s->event_queue = (size_t)table[EVENTS].value;
    s->proof_cache = (size_t)table[PROOFS].value;
    s->proof_window_s = (uint32_t)table[WINDOW].value;
    return PEP_OK;
}

/* NULL and "" both mean "not given". */
static int copy_text(const char *name, const char *text, char **ret, struct pep_error *err)
{
    if (text == NULL || text[0] == '\0')
        return PEP_OK;
    if (strnlen(text, PEP_TEXT_MAX + 1) > PEP_TEXT_MAX)
        return pep_error_set(err, PEP_EINVAL, "option %s: longer than %d bytes", name,
                             PEP_TEXT_MAX);
    *ret = strdup(text);
    return *ret != NULL ? PEP_OK : pep_error_set(err, PEP_ENOMEM, "option %s: no memory", name);
}

static int copy_list(const char *name, const char *const *list, char ***ret, struct pep_error *err)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL && n <= PEP_LIST_MAX)
        n++;
    if (n > PEP_LIST_MAX)
        return pep_error_set(err, PEP_EINVAL, "option %s: more than %d values", name, PEP_LIST_MAX);
    char **copy = calloc(n + 1, sizeof(*copy));
    if (copy == NULL)
        return pep_error_set(err, PEP_ENOMEM, "option %s: no memory", name);
    *ret = copy; /* owned by the settings, also when half filled */
    for (size_t i = 0; i < n; i++) {
        int r = copy_text(name, list[i], &copy[i], err);
        if (r != PEP_OK)
            return r;
        if (copy[i] == NULL)
            return pep_error_set(err, PEP_EINVAL, "option %s: an empty value", name);
    }
    return PEP_OK;
}

static int require(const char *name, const char *mode, const char *value, struct pep_error *err)
{
    if (value != NULL)
        return PEP_OK;
    return pep_error_set(err, PEP_EINVAL, "option %s: needed in %s mode", name, mode);
}

static int default_cache(struct pep_settings *s, struct pep_error *err)
{
    if (s->cache != NULL)
        return PEP_OK;
    if (asprintf(&s->cache, "%s/cache", s->identity) < 0) {
        s->cache = NULL;
        return pep_error_set(err, PEP_ENOMEM, "option cache: no memory");
    }
    return PEP_OK;
}

static int copy_paths(const pep_options *o, struct pep_settings *s, struct pep_error *err)
{
    int r;
    if (o->mode == PEP_FILE) {
        r = copy_text("bundle_file", o->bundle_file, &s->bundle_file, err);
        r = r != PEP_OK ? r : copy_text("root_file", o->root_file, &s->root_file, err);
        r = r != PEP_OK ? r : require("bundle_file", "PEP_FILE", s->bundle_file, err);
        return r != PEP_OK ? r : require("root_file", "PEP_FILE", s->root_file, err);
    }
    if (o->bundle_file != NULL || o->root_file != NULL)
        return pep_error_set(err, PEP_EINVAL,
                             "options bundle_file and root_file: only for mode PEP_FILE");
    const char *token = o->enrol_token_file;
    if (token == NULL || token[0] == '\0')
        token = getenv("PEP_ENROL_TOKEN_FILE");
    r = copy_text("identity", o->identity, &s->identity, err);
    r = r != PEP_OK ? r : copy_text("cache", o->cache, &s->cache, err);
    r = r != PEP_OK ? r : copy_text("enrol_token_file", token, &s->enrol_token_file, err);
    r = r != PEP_OK ? r : require("identity", "PEP_SUBSCRIBE and PEP_POLL", s->identity, err);
    return r != PEP_OK ? r : default_cache(s, err);
}

static int copy_all(const pep_options *o, struct pep_settings *s, struct pep_error *err)
{
    if (o->mode != PEP_SUBSCRIBE && o->mode != PEP_POLL && o->mode != PEP_FILE)
        return pep_error_set(err, PEP_EINVAL,
                             "option mode: %d is none of PEP_SUBSCRIBE, PEP_POLL, PEP_FILE",
                             (int)o->mode);
    s->mode = o->mode;
    s->on_status = o->on_status;
    s->on_log = o->on_log;
    s->on_record = o->on_record;
    s->user = o->user;
    int r = copy_numbers(o, s, err);
    r = r != PEP_OK ? r : copy_paths(o, s, err);
    if (r == PEP_OK && o->audience != NULL)
        r = copy_list("audience", o->audience, &s->audience, err);
    if (r == PEP_OK && s->audience != NULL && s->audience[0] == NULL)
        r = pep_error_set(err, PEP_EINVAL,
                          "option audience: an empty list; leave it NULL for "
                          "the default");
    return r != PEP_OK ? r : copy_list("can_oblige", o->can_oblige, &s->can_oblige, err);
}

int pep_settings_copy(const pep_options *options, struct pep_settings *ret, struct pep_error *err)
{
    if (options == NULL)
        return pep_error_set(err, PEP_EINVAL, "options: NULL");
    if (options->size < OPTIONS_SIZE_1)
        return pep_error_set(err, PEP_EINVAL, "options: begin with PEP_OPTIONS_INIT");
    pep_options o = PEP_OPTIONS_INIT;
    memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
    struct pep_settings s;
    memset(&s, 0, sizeof(s));
    int r = copy_all(&o, &s, err);
    if (r != PEP_OK) {
        pep_settings_clear(&s);
        return r;
    }
    *ret = s;
    return PEP_OK;
}

static void free_list(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

void pep_settings_clear(struct pep_settings *s)
{
    free(s->identity);
    free(s->enrol_token_file);
    free(s->cache);
    free(s->bundle_file);
    free(s->root_file);
    free_list(s->audience);
    free_list(s->can_oblige);
    memset(s, 0, sizeof(*s));
}
