/*
 * What went wrong, in words: a code of pep.h and one line of text. The first error wins, so that a
 * caller further up adds nothing and hides nothing.
 *
 *     if (n > MAX)
 *         return pep_error_set(err, PEP_ELIMIT, "manifest: %zu files, at most %d", n, MAX);
 */
#ifndef PEP_CORE_ERROR_H
#define PEP_CORE_ERROR_H

#include "pep.h"

#define PEP_ERROR_TEXT 256

struct pep_error {
    int code; /* PEP_OK while nothing is set */
    char text[PEP_ERROR_TEXT];
};

#define PEP_ERROR_INIT {0, {0}}

/* Sets code and text if `err` is not NULL and holds no error yet; returns `code`. Control bytes in
 * the text become '?', so that input cannot write into a terminal or a log. */
int pep_error_set(struct pep_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The text, or the code's own text when there is none. Borrowed; never NULL. */
const char *pep_error_text(const struct pep_error *err);

#endif
