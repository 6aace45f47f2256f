/*
 * init: a folder to start from, and, on a machine that has none, the keys to sign with.
 *
 * What it writes passes `check --strict` and `test` as it is. It trusts one demo token key, made
 * here and now, so that the first token can be signed a minute later; its private half stays beside
 * the policy, mode 0600, out of git and out of bundles. Nothing that exists is ever overwritten:
 * all names are looked at before the first byte is written.
 */
#include "config.h"
#include "disk.h"
#include "editor.h"
#include "embedded.h"
#include "keyring.h"
#include "policy_source.h"

#include "pep/core/crypto.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INIT_TEXT_MAX (64 * 1024)
#define DEMO_KEY      "demo.jwk"

struct init {
    const char *dir;
    char name[PEP_NAME_MAX + 1];
    char *private_jwk, *jwks; /* of the demo key */
};

/* Files that a folder cannot carry under their own name in this repository. */
static const char *target_name(const char *path)
{
    return strcmp(path, "gitignore") == 0 ? ".gitignore" : path;
}

/* ---- the bundle's name: the folder's, in small letters ---- */

static void name_from(const char *folder, char out[PEP_NAME_MAX + 1])
{
    const char *base = strrchr(folder, '/');
    size_t n = 0;
    for (const char *c = base == NULL ? folder : base + 1; *c != '\0' && n < PEP_NAME_MAX; c++) {
        char low = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        bool letter = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
        if (letter || (n > 0 && (low == '.' || low == '_' || low == '-')))
            out[n++] = low;
        else if (n > 0)
            out[n++] = '-';
    }
    while (n > 0 && (out[n - 1] == '-' || out[n - 1] == '.'))
        n--;
    out[n] = '\0';
    if (n == 0)
        snprintf(out, PEP_NAME_MAX + 1, "policy");
}

/* ---- the demo key ---- */

/* Indented by four spaces behind its first line, to stand inside issuers.json. */
static char *indented(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    struct pep_buffer out = pep_buffer_of(INIT_TEXT_MAX);
    for (const char *c = text; c != NULL && *c != '\0'; c++) {
        pep_put_bytes(&out, c, 1);
        if (*c == '\n')
            pep_put_bytes(&out, "    ", 4);
    }
    free(text);
    return text == NULL ? NULL : (char *)pep_buffer_take(&out, NULL);
}

static int make_demo_key(struct init *in, struct pep_error *err)
{
    json_t *jwk = NULL;
    int rc = pep_jwk_generate(PEP_ALG_EDDSA, NULL, &jwk);
    if (rc != PEP_OK)
        return pep_error_set(err, rc, "no demo key could be made: %s", pep_strerror(rc));
    json_t *jwks = pep_jwk_public_set(jwk);
    in->private_jwk = json_dumps(jwk, JSON_INDENT(2));
    in->jwks = jwks == NULL ? NULL : indented(jwks);
    json_decref(jwk);
    json_decref(jwks);
    if (in->private_jwk == NULL || in->jwks == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for the demo key");
    return PEP_OK;
}

/* ---- writing ---- */

static int path_of(const struct init *in, const char *file, char out[CONFIG_PATH],
                   struct pep_error *err)
{
    int n = snprintf(out, CONFIG_PATH, "%s/%s", in->dir, target_name(file));
    if (n < 0 || n >= CONFIG_PATH)
        return pep_error_set(err, PEP_ELIMIT, "%s: the path is too long", in->dir);
    return PEP_OK;
}

static int must_be_free(const struct init *in, const char *file, struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = path_of(in, file, path, err);
    if (rc == PEP_OK && disk_exists(path))
        rc = pep_error_set(err, PEP_ECONFLICT, "%s is there already", path);
    return rc;
}

static int all_free(const struct init *in, struct pep_error *err)
{
    int rc = must_be_free(in, DEMO_KEY, err);
    for (size_t i = 0; rc == PEP_OK && init_templates[i].path != NULL; i++)
        rc = must_be_free(in, init_templates[i].path, err);
    for (size_t i = 0; rc == PEP_OK && init_editor[i].path != NULL; i++)
        rc = must_be_free(in, init_editor[i].path, err);
    if (rc == PEP_OK)
        rc = must_be_free(in, EDITOR_TYPES, err);
    return rc;
}

/* The template with @NAME@ and @JWKS@ filled in. */
static void fill(const struct init *in, const struct embedded_file *file, struct pep_buffer *out)
{
    const char *at = (const char *)file->data;
    while (*at != '\0') {
        const char *mark = strchr(at, '@');
        size_t plain = mark == NULL ? strlen(at) : (size_t)(mark - at);
        pep_put_bytes(out, at, plain);
        at += plain;
        if (strncmp(at, "@NAME@", 6) == 0) {
            pep_put_span(out, pep_span_string(in->name));
            at += 6;
        } else if (strncmp(at, "@JWKS@", 6) == 0) {
            pep_put_span(out, pep_span_string(in->jwks));
            at += 6;
        } else if (*at == '@') {
            pep_put_bytes(out, at++, 1);
        }
    }
}

static int make_parents(char *path, struct pep_error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0777) != 0 && errno != EEXIST;
        int saved = errno;
        if (failed)
            return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(saved));
        *slash = '/';
    }
    return PEP_OK;
}

/* As `mkdir -p` does, with the umask's modes: others may read policies. */
static int make_folder(const char *dir, struct pep_error *err)
{
    char path[CONFIG_PATH];
    int n = snprintf(path, sizeof(path), "%s/", dir);
    if (n < 0 || n >= CONFIG_PATH)
        return pep_error_set(err, PEP_ELIMIT, "%s: the path is too long", dir);
    return make_parents(path, err);
}

static int write_file(const struct init *in, const char *file, mode_t mode, struct pep_span bytes,
                      struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = path_of(in, file, path, err);
    if (rc == PEP_OK)
        rc = make_parents(path, err);
    return rc == PEP_OK ? disk_create(path, mode, bytes, err) : rc;
}

static int write_all(const struct init *in, const struct embedded_file *files,
                     struct pep_error *err)
{
    int rc = PEP_OK;
    for (size_t i = 0; rc == PEP_OK && files[i].path != NULL; i++) {
        struct pep_buffer text = pep_buffer_of(INIT_TEXT_MAX);
        fill(in, &files[i], &text);
        rc = text.failed ? pep_error_set(err, PEP_ENOMEM, "no memory")
                         : write_file(in, files[i].path, 0644, pep_buffer_span(&text), err);
        pep_buffer_free(&text);
    }
    return rc;
}

/* From the schema as it is on disk: errors of other files are not ours to tell. */
static int write_editor(const char *dir, struct pep_error *err)
{
    struct policy_source p;
    int rc = policy_source_examine(dir, &p, err);
    if (rc == PEP_OK && p.policy == NULL)
        rc = pep_error_set(err, PEP_EPOLICY, "%s: the policy has errors", dir);
    if (rc == PEP_OK)
        rc = editor_write(dir, p.policy, err);
    policy_source_close(&p);
    return rc;
}

static int write_repository(struct init *in, struct pep_error *err)
{
    int rc = all_free(in, err);
    if (rc == PEP_OK)
        rc = make_demo_key(in, err);
    if (rc == PEP_OK)
        rc = write_all(in, init_templates, err);
    if (rc == PEP_OK)
        rc = write_editor(in->dir, err);
    if (rc == PEP_OK)
        rc = write_file(in, DEMO_KEY, 0600, pep_span_string(in->private_jwk), err);
    return rc;
}

struct init_settings {
    bool types;
};

static const struct option_row rows[] = {
    {"types", 0, NULL, OPTION_FLAG, offsetof(struct init_settings, types),
     "only write " EDITOR_TYPES " anew, from the schema of the repository that is there"},
    OPTION_END,
};
const struct option_set init_options = {sizeof(struct init_settings), rows};

static int refresh_types(struct session *s, const char *dir)
{
    struct pep_error err = PEP_ERROR_INIT;
    int rc = write_editor(dir, &err);
    if (rc == PEP_EPOLICY)
        return output_error(&s->out, EXIT_CHECK, "%s\n\npolicyctl check %s", pep_error_text(&err),
                            dir);
    if (rc == PEP_ECONFLICT)
        return output_error(&s->out, EXIT_FAILED, "%s", pep_error_text(&err));
    if (rc != PEP_OK)
        return session_failed(s, &err, "");
    output_note(&s->out, "%s/%s follows the schema", dir, EDITOR_TYPES);
    return EXIT_OK;
}

static int init_failed(struct session *s, const struct pep_error *err)
{
    if (err->code == PEP_ECONFLICT)
        return output_error(&s->out, EXIT_FAILED,
                            "%s\n\nchoose another folder; nothing was changed",
                            pep_error_text(err));
    return session_failed(s, err, "");
}

/* Makes the folder, the files and the keys. */
static int make_all(struct init *in, bool *ret_made, struct pep_error *err)
{
    char real[PATH_MAX];
    int rc = make_folder(in->dir, err);
    if (rc == PEP_OK && realpath(in->dir, real) == NULL)
        rc = pep_error_set(err, PEP_EIO, "%s: %s", in->dir, strerror(errno));
    if (rc == PEP_OK) {
        name_from(real, in->name);
        rc = write_repository(in, err);
    }
    if (rc == PEP_OK)
        rc = keyring_ensure(KEYRING_POLICY, ret_made, err);
    if (in->private_jwk != NULL)
        pep_wipe(in->private_jwk, strlen(in->private_jwk));
    free(in->private_jwk);
    free(in->jwks);
    return rc;
}

int init_run(struct session *s, const void *settings)
{
    const struct init_settings *set = settings;
    struct init in = {.dir = s->operands[0]};
    struct pep_error err = PEP_ERROR_INIT;
    bool made = false;
    if (set->types)
        return refresh_types(s, in.dir);
    if (make_all(&in, &made, &err) != PEP_OK)
        return init_failed(s, &err);
    output_note(&s->out, "%s: policy `%s`, ready to check and test", in.dir, in.name);
    if (made)
        output_note(&s->out,
                    "made a root key and the policy key `%s`; `policyctl key list` shows "
                    "them",
                    KEYRING_POLICY);
    output_note(&s->out,
                "issuers.json trusts %s/%s, a demo key: replace it before others rely on "
                "this policy",
                in.dir, DEMO_KEY);
    output_note(&s->out, "next: policyctl check %s && policyctl test %s", in.dir, in.dir);
    return EXIT_OK;
}
