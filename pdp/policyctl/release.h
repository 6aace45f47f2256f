/*
 * A bundle on its way out: signed here, verified once more as a service would verify it, then
 * written to a file or uploaded. What build, push and rollback share.
 */
#ifndef POLICYCTL_RELEASE_H
#define POLICYCTL_RELEASE_H

#include "trust.h"

#include "pep/core/bundle.h"

struct release {
    struct pep_buffer bytes; /* the bundle file */
    char name[PEP_NAME_MAX + 1];
    uint32_t epoch;
    uint64_t version;
    char digest[PEP_DIGEST_TEXT];
};
#define RELEASE_INIT                                         \
    {                                                        \
        {NULL, 0, 0, PEP_BUNDLE_FILE_MAX, false}, {0}, 0, 0, \
        {                                                    \
            0                                                \
        }                                                    \
    }

struct release_plan {
    const struct pep_files *files;
    const char *name, *key, *message; /* key: NULL to choose; message: NULL for none */
    uint64_t version;
    const uint8_t *base; /* 32 bytes or NULL */
    uint32_t max_stale;
    int64_t lifetime; /* seconds until it expires */
};

/* Signs. On failure the message has been printed; returns the exit code. */
int release_make(struct session *s, const struct pep_root *root, const struct release_plan *plan,
                 struct release *ret);
/* From the bytes of a bundle file that was built before, verified against `root`. Prints. */
int release_read(struct session *s, const struct pep_root *root, const char *path,
                 struct release *ret);
void release_free(struct release *r);

/* Uploads and prints the result as `push` prints it. */
int release_push(struct session *s, struct remote *r, const struct release *release);
/* Waits until every live service of the bundle runs it; EXIT_NOT_CONVERGED names those that do not.
 */
int release_wait(struct session *s, struct remote *r, const struct release *release,
                 int64_t seconds);
/* {"bundle","epoch","version","digest"} and, if not NULL, "state". */
json_t *release_json(const struct release *release, const char *state);

#endif
