/*
 * What is wrong with a policy, for its author: level, code, place, message, help; as many as there
 * are, up to a bound. Codes are stable ("E101"); diag.c holds the table of all of them with the
 * text that `policyctl explain CODE` prints.
 */
#ifndef PEP_CORE_DIAG_H
#define PEP_CORE_DIAG_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

#define PEP_DIAGS_MAX 1000 /* kept; twice as many if the others are errors */

enum pep_diag_level { PEP_DIAG_WARNING, PEP_DIAG_ERROR, PEP_DIAG_NOTE };

struct pep_diag {
    enum pep_diag_level level;
    char code[8];
    char *file; /* path inside the bundle, or NULL */
    int line;   /* from 1, or 0 */
    char *message;
    char *help; /* or NULL */
};

struct pep_diags {
    struct pep_diag *items;
    size_t count, capacity;
    size_t errors, warnings; /* notes are in neither */
    size_t
        lost; /* not kept: beyond the maximum, counted by their level; without memory, as errors */
    size_t starved; /* of these, without memory: what was asked is unknown, and ENOMEM */
};
#define PEP_DIAGS_INIT      \
    {                       \
        NULL, 0, 0, 0, 0, 0, 0 \
    }

/* The level comes from the code's first letter (E, W or N). Never fails: a lost one is counted.
 * `help` may be NULL. The same again, directly behind, is dropped. */
void pep_diag_add(struct pep_diags *d, const char *code, const char *file, int line,
                  const char *help, const char *format, ...) __attribute__((format(printf, 6, 7)));
void pep_diags_drop(struct pep_diags *d, size_t i); /* forgets one */
void pep_diags_free(struct pep_diags *d);

/* The table behind `policyctl explain`: NULL if there is no such code. */
struct pep_diag_text {
    const char *code, *title, *text;
};
const struct pep_diag_text *pep_diag_explain(const char *code);
const struct pep_diag_text *pep_diag_texts(size_t *ret_count);

/* The nearest of `count` names to `word` for a "did you mean", or NULL if none is near. */
const char *pep_did_you_mean(const char *word, const char *const *names, size_t count);

#endif
