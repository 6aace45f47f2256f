/*
 * From a repository folder to a release: what build and push share. Nothing is signed that does not
 * compile; push also wants the folder's own tests to pass.
 */
#ifndef POLICYCTL_FOLDER_H
#define POLICYCTL_FOLDER_H

#include "policy_source.h"
#include "release.h"

struct folder_plan {
    const char *dir, *key, *message;
    bool test;
};

/* Reads, compiles and, if the plan says so, tests. Prints; returns the exit code. Close the source
 * with policy_source_close() in every case. */
int folder_open(struct session *s, const struct folder_plan *plan, struct policy_source *ret);
/* On top of the head that pdpd holds. */
int folder_release(struct session *s, struct remote *r, const struct pep_root *root,
                   const struct folder_plan *plan, const struct policy_source *source,
                   struct release *ret);
/* With a given number, on top of a given digest (32 bytes, or NULL for none). */
int folder_release_as(struct session *s, const struct pep_root *root,
                      const struct folder_plan *plan, const struct policy_source *source,
                      uint64_t version, const uint8_t *base, struct release *ret);

#endif
