/*
 * push: a repository, or a bundle built and reviewed before, becomes the version that every service
 * of the bundle decides by. A folder is checked and tested first, and built on the verified head;
 * if somebody else was first, pdpd refuses, and nothing is lost on either side.
 */
#include "folder.h"

#include <string.h>
#include <sys/stat.h>

struct push_settings {
    const char *key, *message;
    struct option_number wait;
};

static const struct option_row rows[] = {
    {"key", 0, "NAME", OPTION_TEXT, offsetof(struct push_settings, key),
     "the policy key to sign with"},
    {"message", 'm', "TEXT", OPTION_TEXT, offsetof(struct push_settings, message),
     "what changed, for `history`"},
    {"wait", 0, "D", OPTION_DURATION, offsetof(struct push_settings, wait),
     "wait until every live service runs it, at most so long"},
    OPTION_END,
};
const struct option_set push_options = {sizeof(struct push_settings), rows};

static int from_folder(struct session *s, struct remote *r, const struct pep_root *root,
                       const struct folder_plan *plan, struct release *ret)
{
    struct policy_source source;
    int rc = folder_open(s, plan, &source);
    if (rc == EXIT_OK)
        rc = folder_release(s, r, root, plan, &source, ret);
    policy_source_close(&source);
    return rc;
}

int push_run(struct session *s, const void *settings)
{
    const struct push_settings *o = settings;
    const char *path = session_operand(s, 0) == NULL ? "." : session_operand(s, 0);
    struct stat st;
    bool file = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    if (file && (o->key != NULL || o->message != NULL))
        return output_error(&s->out, EXIT_USAGE,
                            "this bundle is signed already: --key and -m belong to `build`\n%s\n"
                            "policyctl push %s",
                            path, path);
    struct folder_plan plan = {.dir = path, .key = o->key, .message = o->message, .test = true};
    struct release release = RELEASE_INIT;
    struct pep_root *root = NULL;
    struct remote *r = NULL;
    int rc = remote_open(s, &r);
    if (rc == EXIT_OK)
        rc = trust_root(s, r, &root);
    if (rc == EXIT_OK)
        rc =
            file ? release_read(s, root, path, &release) : from_folder(s, r, root, &plan, &release);
    if (rc == EXIT_OK)
        rc = release_push(s, r, &release);
    if (rc == EXIT_OK && o->wait.given)
        rc = release_wait(s, r, &release, o->wait.value);
    release_free(&release);
    pep_root_free(root);
    remote_close(r);
    return rc;
}
