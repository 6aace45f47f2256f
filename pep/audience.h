/*
 * The values of `aud` that mean this service: sorted once, then only read.
 */
#ifndef PEP_AUDIENCE_H
#define PEP_AUDIENCE_H

#include "pep/core/issuers.h"

/* Copies `count` texts of these lengths (NULL: all of each); NULL: no memory. Freed by free(). */
struct pep_strings *pep_audience_new(const char *const *values, const size_t *lengths,
                                     size_t count);

#endif
