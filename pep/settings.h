/*
 * The options of pep_open(), checked and copied. One table holds each number's range and default,
 * so that the check, the default and the message cannot differ.
 */
#ifndef PEP_SETTINGS_H
#define PEP_SETTINGS_H

#include "pep/core/error.h"

#include "pep.h"

#define PEP_LIST_MAX 64   /* values of `audience`, types in `can_oblige` */
#define PEP_TEXT_MAX 4096 /* a path or a value in bytes */

struct pep_settings {
    pep_mode mode;
    char *identity;                /* NULL only in PEP_FILE mode */
    char *enrol_token_file;        /* from the option or $PEP_ENROL_TOKEN_FILE; or NULL */
    char *cache;                   /* default IDENTITY/cache; NULL in PEP_FILE mode */
    char *bundle_file, *root_file; /* PEP_FILE only */
    char **audience;               /* NULL at the end; or NULL: the enrolled name */
    char **can_oblige;             /* NULL at the end; never NULL */
    uint32_t poll_interval_ms;
    uint32_t stale_after_ms;
    uint32_t max_stale_s; /* 0: the bundle's */
    unsigned lua_states;  /* 0: the engine's default */
    size_t token_cache, event_queue, proof_cache;
    uint32_t proof_window_s;
    void (*on_status)(void *user, const struct pep_status *status);
    void (*on_log)(void *user, int level, const char *text);
    void (*on_record)(void *user, const char *json, size_t length);
    void *user;
};

/* Errors: EINVAL (the text names the option), ENOMEM. */
int pep_settings_copy(const pep_options *options, struct pep_settings *ret, struct pep_error *err);
void pep_settings_clear(struct pep_settings *s);

#endif
