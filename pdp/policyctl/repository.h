/*
 * A policy repository on disk: the folder that authors edit, read whole and checked for shape
 * before anything looks at its contents. The only place that knows the folder's layout.
 *
 *     DIR/bundle.json            name, max_stale, expires_days: goes into the manifest, not the
 * files DIR/schema.lua issuers.json policies/NAME.lua lib/NAME.lua data/NAME.json   what the bundle
 * carries DIR/tests/NAME_test.lua    never shipped
 *
 * Anything else in DIR (README, .git, types/) is left alone. Refused, because it would surprise:
 * symbolic links (a link could carry a file from outside into a signed bundle), folders inside
 * policies/, lib/ and data/ (they would not be read), names that a bundle cannot hold, and files or
 * totals above the limits of bundle.h.
 */
#ifndef PDP_POLICYCTL_REPOSITORY_H
#define PDP_POLICYCTL_REPOSITORY_H

#include "pep/core/bundle.h"

#define REPOSITORY_MAX_STALE     86400 /* seconds, when bundle.json does not say */
#define REPOSITORY_EXPIRES_DAYS  90
#define REPOSITORY_STALE_LIMIT   (30 * 86400)
#define REPOSITORY_EXPIRES_LIMIT 3650

struct repository {
    char *dir;
    char name[PEP_NAME_MAX + 1];
    uint32_t max_stale; /* seconds */
    uint32_t expires_days;
    struct pep_files *files;         /* what the bundle carries */
    struct pep_files *tests;         /* tests/NAME_test.lua */
    char left_out[PEP_PATH_MAX + 1]; /* a Lua file in tests/ with another name; or empty */
};

/* Reads DIR. Errors: ENOTFOUND (no bundle.json: not a repository), EFORMAT, ELIMIT, EIO, ENOMEM;
 * the text names the file and what to do. */
int repository_read(const char *dir, struct repository **ret, struct pep_error *err);
void repository_free(struct repository *r);

/* Line `number` (from 1) of a file of the repository, without its end; empty if there is none. For
 * showing the source below a message. */
struct pep_span repository_line(const struct repository *r, const char *path, int number);

#endif
