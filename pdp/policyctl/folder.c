/* See folder.h. */
#include "folder.h"

#include <stdio.h>
#include <unistd.h>

/* What `policyctl test` prints on stdout is a message here: stdout carries what was published. */
static int test_aside(struct session *s, struct policy_source *source)
{
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    if (saved < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return output_error(&s->out, EXIT_FAILED, "no more file descriptors");
    int rc = policy_source_test(s, source);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    return rc;
}

int folder_open(struct session *s, const struct folder_plan *plan, struct policy_source *ret)
{
    int rc = policy_source_open(s, plan->dir, ret);
    if (rc == EXIT_OK && ret->repository == NULL)
        rc = output_error(&s->out, EXIT_USAGE,
                          "this is a file, not a repository\n%s\npolicyctl push FILE uploads a "
                          "bundle that is signed already",
                          plan->dir);
    if (rc == EXIT_OK)
        rc = policy_source_compile(s, ret);
    if (rc == EXIT_OK)
        rc = policy_source_check(s, ret);
    if (rc == EXIT_OK && plan->test)
        rc = test_aside(s, ret);
    return rc;
}

int folder_release_as(struct session *s, const struct pep_root *root,
                      const struct folder_plan *plan, const struct policy_source *source,
                      uint64_t version, const uint8_t *base, struct release *ret)
{
    const struct repository *repository = source->repository;
    struct release_plan release = {.files = repository->files,
                                   .name = repository->name,
                                   .key = plan->key,
                                   .message = plan->message,
                                   .version = version,
                                   .base = base,
                                   .max_stale = repository->max_stale,
                                   .lifetime = (int64_t)repository->expires_days * 86400};
    return release_make(s, root, &release, ret);
}

int folder_release(struct session *s, struct remote *r, const struct pep_root *root,
                   const struct folder_plan *plan, const struct policy_source *source,
                   struct release *ret)
{
    struct head head;
    int rc = trust_head(s, r, root, source->name, &head);
    if (rc != EXIT_OK)
        return rc;
    return folder_release_as(s, root, plan, source, head.version + 1,
                             head.version == 0 ? NULL : head.digest, ret);
}
