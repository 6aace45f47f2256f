/*
 * rollback: the content of an older version, signed anew as the next one. Numbers only rise, so a
 * service that never saw the bad version and one that runs it take the same step, and nobody who
 * replays an old bundle gains anything.
 */
#include "release.h"
#include "versions.h"

#include <stdio.h>
#include <string.h>

struct rollback_settings {
    const char *bundle, *key, *message;
    struct option_number wait;
};

static const struct option_row rows[] = {
    {"bundle", 'b', "NAME", OPTION_TEXT, offsetof(struct rollback_settings, bundle),
     "which bundle, if pdpd has several"},
    {"key", 0, "NAME", OPTION_TEXT, offsetof(struct rollback_settings, key),
     "the policy key to sign with"},
    {"message", 'm', "TEXT", OPTION_TEXT, offsetof(struct rollback_settings, message),
     "why, for `history` (default \"rollback to N\")"},
    {"wait", 0, "D", OPTION_DURATION, offsetof(struct rollback_settings, wait),
     "wait until every live service runs it, at most so long"},
    OPTION_END,
};
const struct option_set rollback_options = {sizeof(struct rollback_settings), rows};

static int resign(struct session *s, const struct pep_root *root, const struct pep_bundle *old,
                  const struct head *head, const struct rollback_settings *o, struct release *ret)
{
    const struct pep_manifest *m = pep_bundle_manifest(old);
    char message[64];
    snprintf(message, sizeof(message), "rollback to %llu",
             (unsigned long long)pep_manifest_version(m));
    struct release_plan plan = {
        .files = pep_bundle_files(old),
        .name = pep_manifest_name(m),
        .key = o->key,
        .message = o->message == NULL ? message : o->message,
        .version = head->version + 1,
        .base = head->digest,
        .max_stale = pep_manifest_max_stale(m),
        .lifetime = pep_manifest_expires(m) - pep_manifest_created(m),
    };
    return release_make(s, root, &plan, ret);
}

/* Which version to go back to: the operand, or the one before the head. */
static int target(struct session *s, struct remote *r, const char *bundle, const struct head *head,
                  uint64_t *ret)
{
    const char *text = session_operand(s, 0);
    int64_t n = 0;
    if (head->version == 0)
        return output_error(&s->out, EXIT_FAILED,
                            "nothing is published as %s yet\n%s\npolicyctl push DIR", bundle,
                            remote_endpoint(r));
    if (text == NULL)
        return versions_before_head(s, r, bundle, head->version, ret);
    if (!number_read(text, &n) || n < 1)
        return output_error(&s->out, EXIT_USAGE, "`%s` is not a version\n\npolicyctl history",
                            text);
    if ((uint64_t)n >= head->version)
        return output_error(&s->out, EXIT_USAGE,
                            "%s is at %llu: %lld is not older\n\npolicyctl history", bundle,
                            (unsigned long long)head->version, (long long)n);
    *ret = (uint64_t)n;
    return EXIT_OK;
}

static int roll_back(struct session *s, struct remote *r, const struct pep_root *root,
                     const struct rollback_settings *o)
{
    char bundle[PEP_NAME_MAX + 1];
    struct head head;
    uint64_t version = 0;
    struct pep_bundle *old = NULL;
    struct release release = RELEASE_INIT;
    int rc = versions_bundle(s, r, o->bundle, bundle);
    if (rc == EXIT_OK)
        rc = trust_head(s, r, root, bundle, &head);
    if (rc == EXIT_OK)
        rc = target(s, r, bundle, &head, &version);
    if (rc == EXIT_OK)
        rc = trust_bundle(s, r, root, bundle, version, &old);
    if (rc == EXIT_OK)
        rc = resign(s, root, old, &head, o, &release);
    if (rc == EXIT_OK)
        rc = release_push(s, r, &release);
    if (rc == EXIT_OK)
        output_note(&s->out, "version %llu has the content of %llu",
                    (unsigned long long)release.version, (unsigned long long)version);
    if (rc == EXIT_OK && o->wait.given)
        rc = release_wait(s, r, &release, o->wait.value);
    pep_bundle_free(old);
    release_free(&release);
    return rc;
}

int rollback_run(struct session *s, const void *settings)
{
    struct remote *r = NULL;
    struct pep_root *root = NULL;
    int rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = trust_root(s, r, &root);
    if (rc == EXIT_OK)
        rc = roll_back(s, r, root, settings);
    pep_root_free(root);
    remote_close(r);
    return rc;
}
