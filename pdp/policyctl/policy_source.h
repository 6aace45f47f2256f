/*
 * What an author's verb works on: a repository folder, or a signed bundle file, as one thing with
 * files, a compiled policy and the findings about it. A bundle counts only if it verifies against
 * the local root, as a service would verify it.
 *
 *     struct policy_source p;
 *     int rc = policy_source_open(s, path, &p);         messages are printed
 *     if (rc == EXIT_OK)
 *         rc = policy_source_compile(s, &p);
 *     ...
 *     policy_source_close(&p);                          fine after a failure, too
 */
#ifndef PDP_POLICYCTL_POLICY_SOURCE_H
#define PDP_POLICYCTL_POLICY_SOURCE_H

#include "repository.h"
#include "verbs.h"

#include "pep/core/engine.h"

struct policy_source {
    struct repository *repository; /* of a folder */
    struct pep_bundle *bundle;     /* of a bundle file */
    const struct pep_files *files; /* of either; borrowed */
    const char *name;              /* of the bundle; borrowed */
    uint32_t epoch;                /* 0 for a folder */
    uint64_t version;              /* 0 for a folder */
    struct pep_policy *policy;
    bool as_service; /* set before compiling: without the checks that make rules slower */
    struct pep_diags diags;
};

/* A folder, or a bundle file. On failure the message has been printed and the exit code is
 * returned; *ret can be closed in every case. */
int policy_source_open(struct session *s, const char *path, struct policy_source *ret);
/* From the bytes of a bundle that came from elsewhere; `what` names it in messages. */
int policy_source_open_bytes(struct session *s, const char *what, struct pep_span bytes,
                             struct policy_source *ret);
/* Compiles; EXIT_CHECK after printing the errors. Warnings are left in `diags`. */
int policy_source_compile(struct session *s, struct policy_source *p);
/* What `check` says about a compiled policy: EXIT_CHECK after printing the findings if one of them
 * is an error that compiling does not see (a claim that the schema does not declare); warnings are
 * only counted. */
int policy_source_check(struct session *s, struct policy_source *p);
/* Reads a folder, compiles and examines it as `check` does. PEP_OK with all findings in `diags`,
 * also where the repository cannot be read or does not compile; *ret can be closed in every case.
 * Errors: ENOTFOUND (no repository), EIO, ENOMEM, ELUA. */
int policy_source_examine(const char *dir, struct policy_source *ret, struct pep_error *err);
void policy_source_close(struct policy_source *p);

/* Runs the tests of an open, compiled folder and prints failures and the closing line (on stdout).
 * EXIT_TESTS if one fails, EXIT_CHECK if test files do not load. */
int policy_source_test(struct session *s, struct policy_source *p);

/* Prints findings, with the source line below each. */
void policy_source_show(struct session *s, const struct policy_source *p,
                        const struct pep_diags *diags);
/* The same, and of each code only the first SOURCE_SHOWN, then how many more there are. */
#define SOURCE_SHOWN 10
void policy_source_show_some(struct session *s, const struct policy_source *p,
                             const struct pep_diags *diags);
/* A finding as the JSON of `check`: {"code","file","line","message","help"}; NULL without memory.
 */
json_t *policy_source_finding(const struct pep_diag *d);

#endif
