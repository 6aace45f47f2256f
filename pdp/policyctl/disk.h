/*
 * Files of policyctl: read whole within a limit, written whole or not at all. A new file is written
 * under a temporary name, synced, then linked or renamed to its name, so that nobody ever sees half
 * a key and an interrupted run leaves the old file in place. Modes are exact, whatever the umask.
 */
#ifndef POLICYCTL_DISK_H
#define POLICYCTL_DISK_H

#include "pep/core/bytes.h"
#include "pep/core/error.h"

#include <sys/types.h>

/* The bytes of a regular file, followed by a NUL that is not counted; free with free(). Errors:
 * ENOTFOUND, ELIMIT, EIO, ENOMEM. "-" is not special. */
int disk_read(const char *path, size_t max, uint8_t **ret, size_t *ret_size, struct pep_error *err);
/* The same of standard input. */
int disk_read_stdin(size_t max, uint8_t **ret, size_t *ret_size, struct pep_error *err);
/* ECONFLICT if the name is taken, which is left as it is. */
int disk_create(const char *path, mode_t mode, struct pep_span bytes, struct pep_error *err);
/* Creates or replaces. */
int disk_replace(const char *path, mode_t mode, struct pep_span bytes, struct pep_error *err);
/* The folder and its parents, 0700 those that were missing. */
int disk_folder(const char *path, struct pep_error *err);
bool disk_exists(const char *path);

#endif
