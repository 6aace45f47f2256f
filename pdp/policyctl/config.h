/*
 * policyctl's own folder, $XDG_CONFIG_HOME/policyctl or ~/.config/policyctl (0700):
 *
 *     current                   the name of the current context
 *     contexts/NAME.json        where a pdpd is and the operator key for it (0600)
 *     contexts/NAME.root.json   the root document pinned for it
 *     contexts/NAME.heads.json  the newest versions seen there, see heads.h
 *     keys/NAME.key, NAME.pub   signing keys, see keyring.h
 *     root.json                 the local root, see keyring.h
 *
 * Nothing here is made by reading; the folder appears with the first thing that is stored.
 */
#ifndef POLICYCTL_CONFIG_H
#define POLICYCTL_CONFIG_H

#include "verbs.h"

#include "pep/core/error.h"
#include "pep/core/wire.h"

#define CONFIG_PATH  4096
#define NAME_LONGEST 63 /* of a context or a key: [a-z0-9][a-z0-9._-]* */
#define NAMES_MAX    256

struct context {
    char name[NAME_LONGEST + 1];
    char endpoints[PEP_ENDPOINTS][PEP_ENDPOINT_MAX + 1];
    size_t endpoint_count;
    char server_key[PEP_Z85_SIZE + 1];
    char public_key[PEP_Z85_SIZE + 1], secret_key[PEP_Z85_SIZE + 1];
    char operator_name[NAME_LONGEST + 1], role[16]; /* as the file says; pdpd decides */
};

struct name_list {
    char names[NAMES_MAX][NAME_LONGEST + 1];
    size_t count;
};

/* Not with ".root" or ".heads" at its end, which is how a context's other files are told from it. */
bool name_valid(const char *name);

/* The path of a file in the folder, as snprintf: "keys/%s.key". Errors: ESTATE (neither
 * XDG_CONFIG_HOME nor HOME is usable), ELIMIT. */
int config_path(char out[CONFIG_PATH], struct pep_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes the folder and, if not NULL, one below it. */
int config_make(const char *below, struct pep_error *err);
/* The names of the files below/NAME<suffix>, sorted; none if the folder is not there. */
int config_names(const char *below, const char *suffix, struct name_list *ret,
                 struct pep_error *err);

/* ---- contexts ---- */

/* From the bytes of an operator.json. Errors: EFORMAT, ELIMIT, ENOMEM. */
int context_read(struct pep_span bytes, const char *name, const char *what, struct context *ret,
                 struct pep_error *err);
/* Loads a stored one. Errors: ENOTFOUND, and as above. */
int context_load(const char *name, struct context *ret, struct pep_error *err);
/* The name of the current one; ENOTFOUND if there is none. */
int context_current(char out[NAME_LONGEST + 1], struct pep_error *err);
int context_make_current(const char *name, struct pep_error *err);
void context_wipe(struct context *c);

/* What a verb calls: the context of -c, $POLICYCTL_CONTEXT or the current one. On failure the
 * message has been printed and the exit code is returned. */
int session_context(struct session *s, struct context *ret);
/* True if there is one to take; prints nothing. */
bool session_has_context(const struct session *s);
/* Prints what went wrong with a local file or value, with `help` as what to type next (or ""), and
 * returns the exit code that fits. */
int session_failed(struct session *s, const struct pep_error *err, const char *help);

#endif
