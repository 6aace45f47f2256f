/* See release.h; waiting is in converge.c. */
#include "release.h"

#include "disk.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Who it says in `history`: a note for people. What proves authorship is the key. */
static const char *author(void)
{
    const struct passwd *user = getpwuid(geteuid());
    return user == NULL ? "unknown" : user->pw_name;
}

static void describe(const struct pep_manifest *m, struct release *r)
{
    snprintf(r->name, sizeof(r->name), "%s", pep_manifest_name(m));
    r->epoch = pep_manifest_epoch(m);
    r->version = pep_manifest_version(m);
    pep_digest_text(pep_manifest_digest(m), r->digest);
}

/* Fills in what the signed bytes say; refuses what a service would refuse. */
static int verify(const struct pep_root *root, struct release *r, struct pep_error *err)
{
    struct pep_bundle *b = NULL;
    int rc = pep_bundle_open(pep_buffer_span(&r->bytes), root, time(NULL), &b, err);
    if (rc == PEP_OK)
        describe(pep_bundle_manifest(b), r);
    if (rc == PEP_OK && pep_manifest_expired(pep_bundle_manifest(b), time(NULL)))
        rc = pep_error_set(err, PEP_EEXPIRED, "the bundle is expired: build it anew");
    pep_bundle_free(b);
    return rc;
}

static int sign(const struct pep_root *root, const struct release_plan *plan,
                const struct pep_private_key *key, struct release *ret, struct pep_error *err)
{
    int64_t now = time(NULL);
    struct pep_manifest_draft draft = {.name = plan->name,
                                       .epoch = pep_root_epoch(root),
                                       .version = plan->version,
                                       .created = now,
                                       .expires = now + plan->lifetime,
                                       .max_stale = plan->max_stale,
                                       .author = author(),
                                       .message = plan->message == NULL ? "" : plan->message,
                                       .base = plan->base};
    int rc = keyring_sign_bundle(key, &draft, plan->files, &ret->bytes, err);
    return rc != PEP_OK ? rc : verify(root, ret, err);
}

int release_make(struct session *s, const struct pep_root *root, const struct release_plan *plan,
                 struct release *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct pep_private_key *key = NULL;
    if (keyring_choose(root, plan->key, &key, &err) != PEP_OK)
        return session_failed(s, &err, "policyctl key list; policyctl root show");
    int rc = sign(root, plan, key, ret, &err);
    pep_private_key_free(key);
    return rc == PEP_OK ? EXIT_OK : session_failed(s, &err, "policyctl check");
}

int release_read(struct session *s, const struct pep_root *root, const char *path,
                 struct release *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (disk_read(path, PEP_BUNDLE_FILE_MAX, &bytes, &size, &err) != PEP_OK)
        return session_failed(s, &err,
                              "give a repository folder, or a file made by `policyctl build`");
    pep_put_bytes(&ret->bytes, bytes, size);
    free(bytes);
    if (verify(root, ret, &err) == PEP_OK)
        return EXIT_OK;
    return output_error(&s->out, EXIT_FAILED, "%s\n%s\nbuild it again: policyctl build DIR",
                        pep_error_text(&err), path);
}

void release_free(struct release *r)
{
    pep_buffer_free(&r->bytes);
}

json_t *release_json(const struct release *r, const char *state)
{
    json_t *o = json_pack("{s:s, s:I, s:I, s:s}", "bundle", r->name, "epoch", (json_int_t)r->epoch,
                          "version", (json_int_t)r->version, "digest", r->digest);
    if (o != NULL && state != NULL)
        json_object_set_new(o, "state", json_string(state));
    return o;
}

static int show(struct session *s, const struct release *r, const char *state)
{
    if (s->out.format == OUTPUT_JSON)
        return output_json(&s->out, release_json(r, state));
    output_line("%s version %llu %s  %s", r->name, (unsigned long long)r->version, state,
                r->digest);
    return EXIT_OK;
}

/* A push that was acknowledged counts as seen, at once. */
static int remember(struct session *s, const struct remote *r, const struct release *release)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct head head = {release->epoch, release->version, {0}};
    if (pep_digest_parse(pep_span_string(release->digest), head.digest) == PEP_OK &&
        heads_store(remote_context(r)->name, release->name, &head, &err) != PEP_OK)
        return session_failed(s, &err, "");
    return EXIT_OK;
}

int release_push(struct session *s, struct remote *r, const struct release *release)
{
    struct reply reply = REPLY_INIT;
    int rc =
        remote_ask(r, json_pack("{s:s}", "op", "push"), pep_buffer_span(&release->bytes), &reply);
    if (rc != EXIT_OK)
        return rc;
    const char *digest = json_string_value(json_object_get(reply.json, "digest"));
    if (!reply_good(&reply)) {
        if (s->out.format == OUTPUT_JSON)
            show(s, release, "refused");
        rc = reply_refused(r, &reply);
    } else if (digest == NULL || strcmp(digest, release->digest) != 0) {
        rc = reply_malformed(r, "digest");
    } else {
        rc = show(s, release, "live");
        if (rc == EXIT_OK)
            rc = remember(s, r, release);
    }
    reply_free(&reply);
    return rc;
}
