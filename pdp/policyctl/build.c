/*
 * build: a signed bundle file from a repository. With a context, the version is one above the head
 * that pdpd holds, verified, and the file says what it was based on, so that a push on top of
 * something else is refused. Without one, --version says the number.
 *
 * `-o` takes a file; the words table, wide and json remain formats, as everywhere else.
 */
#include "disk.h"
#include "folder.h"

#include <stdio.h>
#include <string.h>

struct build_settings {
    struct option_list out;
    const char *key, *message, *base;
    struct option_number version;
};

static const struct option_row rows[] = {
    {"file", 'o', "FILE", OPTION_LIST, offsetof(struct build_settings, out),
     "where to write it (default NAME-N.bundle); `-o json` is the format"},
    {"version", 0, "N", OPTION_NUMBER, offsetof(struct build_settings, version),
     "this number, without asking pdpd"},
    {"base", 0, "DIGEST", OPTION_TEXT, offsetof(struct build_settings, base),
     "with --version: the digest of the version before it"},
    {"key", 0, "NAME", OPTION_TEXT, offsetof(struct build_settings, key),
     "the policy key to sign with"},
    {"message", 'm', "TEXT", OPTION_TEXT, offsetof(struct build_settings, message),
     "what changed, for `history`"},
    OPTION_END,
};
const struct option_set build_options = {sizeof(struct build_settings), rows};

static int online(struct session *s, const struct folder_plan *plan,
                  const struct policy_source *source, struct release *ret)
{
    struct remote *r = NULL;
    struct pep_root *root = NULL;
    if (!session_has_context(s))
        return output_error(&s->out, EXIT_USAGE,
                            "which version? There is no pdpd to ask: no context is set up\n\n"
                            "without pdpd: policyctl build --version 1\n"
                            "with one: policyctl context add NAME OPERATOR_JSON");
    int rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = trust_root(s, r, &root);
    if (rc == EXIT_OK)
        rc = folder_release(s, r, root, plan, source, ret);
    pep_root_free(root);
    remote_close(r);
    return rc;
}

/* The root of the context if one is pinned there, else this machine's own. */
static int offline_root(struct session *s, struct pep_root **ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    struct context c;
    bool made = false;
    if (session_has_context(s)) {
        int rc = session_context(s, &c);
        if (rc != EXIT_OK)
            return rc;
        context_wipe(&c);
        rc = keyring_context_root(c.name, ret, &err);
        if (rc == PEP_OK)
            return EXIT_OK;
        if (rc != PEP_ENOTFOUND)
            return session_failed(s, &err, "");
        err = (struct pep_error)PEP_ERROR_INIT;
    }
    if (keyring_ensure(KEYRING_POLICY, &made, &err) != PEP_OK ||
        keyring_local_root(ret, &err) != PEP_OK)
        return session_failed(s, &err, "policyctl key list");
    if (made)
        output_note(&s->out, "made a root key and a policy key: policyctl key list");
    return EXIT_OK;
}

static int offline(struct session *s, const struct build_settings *o,
                   const struct folder_plan *plan, const struct policy_source *source,
                   struct release *ret)
{
    uint8_t base[PEP_SHA256_SIZE];
    struct pep_root *root = NULL;
    if (o->version.value == 0)
        return output_error(&s->out, EXIT_USAGE, "versions count from 1\n--version");
    if (o->base != NULL && pep_digest_parse(pep_span_string(o->base), base) != PEP_OK)
        return output_error(
            &s->out, EXIT_USAGE,
            "`%s` is not a digest\n--base\nsha256: and 64 hex digits, as `policyctl "
            "history -o wide` shows them",
            o->base);
    int rc = offline_root(s, &root);
    if (rc == EXIT_OK)
        rc = folder_release_as(s, root, plan, source, (uint64_t)o->version.value,
                               o->base == NULL ? NULL : base, ret);
    pep_root_free(root);
    return rc;
}

static int write_file(struct session *s, const char *file, const struct release *release)
{
    char name[PEP_NAME_MAX + 64];
    struct pep_error err = PEP_ERROR_INIT;
    if (release->epoch > 1)
        snprintf(name, sizeof(name), "%s-%lu.%llu.bundle", release->name,
                 (unsigned long)release->epoch, (unsigned long long)release->version);
    else
        snprintf(name, sizeof(name), "%s-%llu.bundle", release->name,
                 (unsigned long long)release->version);
    const char *path = file == NULL ? name : file;
    if (disk_replace(path, 0644, pep_buffer_span(&release->bytes), &err) != PEP_OK)
        return session_failed(s, &err, "policyctl build -o FILE");
    if (s->out.format == OUTPUT_JSON) {
        json_t *o = release_json(release, NULL);
        json_object_set_new(o, "file", json_string(path));
        return output_json(&s->out, o);
    }
    output_line("%s", path);
    output_note(&s->out, "%s version %llu, %s", release->name, (unsigned long long)release->version,
                release->digest);
    return EXIT_OK;
}

int build_run(struct session *s, const void *settings)
{
    const struct build_settings *o = settings;
    const char *file = NULL, *dir = session_operand(s, 0);
    for (size_t i = 0; i < o->out.count; i++) {
        if (!output_format_read(o->out.items[i], &s->out.format))
            file = o->out.items[i];
    }
    if (o->base != NULL && !o->version.given)
        return output_error(&s->out, EXIT_USAGE,
                            "--base goes with --version\n\npolicyctl build "
                            "--help");
    struct folder_plan plan = {
        .dir = dir == NULL ? "." : dir, .key = o->key, .message = o->message};
    struct policy_source source;
    struct release release = RELEASE_INIT;
    int rc = folder_open(s, &plan, &source);
    if (rc == EXIT_OK && o->version.given)
        rc = offline(s, o, &plan, &source, &release);
    else if (rc == EXIT_OK)
        rc = online(s, &plan, &source, &release);
    if (rc == EXIT_OK)
        rc = write_file(s, file, &release);
    release_free(&release);
    policy_source_close(&source);
    return rc;
}
