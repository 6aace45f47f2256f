/*
 * Small files that must be whole or not there: read within a maximum, written so that a crash at
 * any moment leaves the old file or the new one (write beside, fsync, rename, fsync of the folder).
 */
#ifndef PEP_DISK_H
#define PEP_DISK_H

#include "pep/core/bytes.h"
#include "pep/core/error.h"

#include <sys/types.h>

#define PEP_DISK_PATH 4096

/* "FOLDER/NAME" into out[PEP_DISK_PATH]. Errors: ELIMIT. */
int pep_disk_path(const char *folder, const char *name, char *out, struct pep_error *err);
/* The whole regular file, malloc'ed and followed by a NUL that is not counted. Errors: ENOTFOUND
 * (no such file), ELIMIT (more than `max` bytes), EIO, ENOMEM. */
int pep_disk_read(const char *folder, const char *name, size_t max, struct pep_span *ret,
                  struct pep_error *err);
void pep_disk_free(struct pep_span bytes);
/* Replaces or makes the file. Errors: EIO, ELIMIT. */
int pep_disk_write(const char *folder, const char *name, struct pep_span content, mode_t mode,
                   struct pep_error *err);
/* Makes the folder, and those above it, unless it is there. Errors: EIO, ELIMIT. */
int pep_disk_folder(const char *path, mode_t mode, struct pep_error *err);
/* Waits for an advisory lock on FOLDER/lock; released by closing the descriptor, or by the process'
 * end. Returns it, or EIO. */
int pep_disk_lock(const char *folder, bool exclusive, struct pep_error *err);
/* PEP_OK if only this user (or root, for mounted secrets) can read the file. Errors: EINVAL with
 * what to do, ENOTFOUND, EIO. */
int pep_disk_private(const char *folder, const char *name, struct pep_error *err);

#endif
