/* See folder.h. */
#include "folder.h"

int folder_open(struct session *s, const struct folder_plan *plan, struct repository **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    int rc = repository_read(plan->dir, ret, &err);
    if (rc == PEP_EFORMAT || rc == PEP_ELIMIT)
        return output_error(&s->out, EXIT_CHECK, "%s", pep_error_text(&err));
    return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "policyctl init DIR starts one");
}

int folder_release_as(struct session *s, const struct pep_root *root,
                      const struct folder_plan *plan, const struct repository *repository,
                      uint64_t version, const uint8_t *base, struct release *ret)
{
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
                   const struct folder_plan *plan, const struct repository *repository,
                   struct release *ret)
{
    struct head head;
    int rc = trust_head(s, r, root, repository->name, &head);
    if (rc != EXIT_OK)
        return rc;
    return folder_release_as(s, root, plan, repository, head.version + 1,
                             head.version == 0 ? NULL : head.digest, ret);
}
