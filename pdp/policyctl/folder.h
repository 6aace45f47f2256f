/* From a repository folder to a release: what build and push share. */
#ifndef POLICYCTL_FOLDER_H
#define POLICYCTL_FOLDER_H

#include "release.h"
#include "repository.h"

struct folder_plan {
    const char *dir, *key, *message;
    bool test; /* run its tests, too */
};

/* Reads and checks the folder. Prints; returns the exit code. */
int folder_open(struct session *s, const struct folder_plan *plan, struct repository **ret);
/* On top of the head that pdpd holds. */
int folder_release(struct session *s, struct remote *r, const struct pep_root *root,
                   const struct folder_plan *plan, const struct repository *repository,
                   struct release *ret);
/* With a given number, on top of a given digest (32 bytes, or NULL for none). */
int folder_release_as(struct session *s, const struct pep_root *root,
                      const struct folder_plan *plan, const struct repository *repository,
                      uint64_t version, const uint8_t *base, struct release *ret);

#endif
