/*
 * A generator of seeds is seeds() in seed_<target>.c: it calls seed_write() for each. They are
 * made, not stored, so that they stay valid when a format gains a field.
 */
#ifndef PEP_TESTS_FUZZ_SEEDS_H
#define PEP_TESTS_FUZZ_SEEDS_H

#include "pep/core/bytes.h"

/* Written by the target: makes all seeds. */
void seeds(void);
/* Writes one file. Ends the program with a message on failure. */
void seed_write(const char *name, struct pep_span bytes);

#endif
