/*
 * JSON from outside, read strictly into jansson's values: an object or array, no NUL bytes (raw or
 * escaped), no duplicate members, no text behind the value, bounded size and depth. jansson's own
 * reader accepts a raw NUL behind an integer, keeps the last of two equal members, nests to 2047, and
 * is not safe when memory runs out (see json_read.c).
 */
#ifndef PEP_CORE_JSON_H
#define PEP_CORE_JSON_H

#include "bytes.h"
#include "error.h"

#include <jansson.h>

#define PEP_JSON_DEPTH 64 /* arrays and objects inside each other */

/* The parsed value, owned by the caller (json_decref), or an error that names `what`, line and
 * column. Errors: ELIMIT (size, depth), EFORMAT, ENOMEM. */
int pep_json_parse(struct pep_span text, size_t max_size, const char *what, json_t **ret,
                   struct pep_error *err);

/* A member of an object that must be a string without NUL of at most `max` bytes; borrowed.
 * NULL and an error if it is not. */
const char *pep_json_text(const json_t *object, const char *name, size_t max, const char *what,
                          struct pep_error *err);

/* The same with the error as the return value; `*ret` untouched on failure. */
int pep_json_string(const json_t *object, const char *name, size_t max, const char *what,
                    const char **ret, struct pep_error *err);

/* A member that must be an integer within [min, max]; `*ret` untouched on failure. */
int pep_json_integer(const json_t *object, const char *name, json_int_t min, json_int_t max,
                     const char *what, json_int_t *ret, struct pep_error *err);

/* Refuses members that are not in the NULL-terminated list. */
int pep_json_only(const json_t *object, const char *const *names, const char *what,
                  struct pep_error *err);

#endif
