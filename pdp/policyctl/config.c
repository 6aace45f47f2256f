/* policyctl's folder and the contexts in it: see config.h. */
#include "config.h"

#include "disk.h"

#include "pep/core/crypto.h"
#include "pep/core/diag.h"
#include "pep/core/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT_FILE_MAX (64 * 1024)

bool name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    if (n == 0 || n > NAME_LONGEST || name[n] != '\0' || strchr("._-", name[0]) != NULL)
        return false;
    return (n < 5 || strcmp(name + n - 5, ".root") != 0) &&
           (n < 6 || strcmp(name + n - 6, ".heads") != 0);
}

int config_path(char out[CONFIG_PATH], struct pep_error *err, const char *format, ...)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n;
    if (xdg != NULL && xdg[0] == '/')
        n = snprintf(out, CONFIG_PATH, "%s/policyctl", xdg);
    else if (home != NULL && home[0] == '/')
        n = snprintf(out, CONFIG_PATH, "%s/.config/policyctl", home);
    else
        return pep_error_set(err, PEP_ESTATE,
                             "neither XDG_CONFIG_HOME nor HOME is an absolute path");
    if (n >= CONFIG_PATH)
        return pep_error_set(err, PEP_ELIMIT, "the path of the configuration folder is too long");
    if (format[0] == '\0')
        return PEP_OK;
    out[n++] = '/';
    va_list ap;
    va_start(ap, format);
    int m = vsnprintf(out + n, (size_t)(CONFIG_PATH - n), format, ap);
    va_end(ap);
    if (m < 0 || m >= CONFIG_PATH - n)
        return pep_error_set(err, PEP_ELIMIT, "the path of the configuration folder is too long");
    return PEP_OK;
}

int config_make(const char *below, struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = config_path(path, err, "%s", below == NULL ? "" : below);
    return rc != PEP_OK ? rc : disk_folder(path, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int config_names(const char *below, const char *suffix, struct name_list *ret,
                 struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = config_path(path, err, "%s", below);
    if (rc != PEP_OK)
        return rc;
    ret->count = 0;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? PEP_OK
                               : pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
    for (const struct dirent *e; (e = readdir(folder)) != NULL && ret->count < NAMES_MAX;) {
        char name[sizeof(e->d_name)];
        size_t n = strlen(e->d_name), tail = strlen(suffix);
        if (n <= tail || strcmp(e->d_name + n - tail, suffix) != 0)
            continue;
        memcpy(name, e->d_name, n - tail);
        name[n - tail] = '\0';
        if (name_valid(name))
            memcpy(ret->names[ret->count++], name, strlen(name) + 1);
    }
    closedir(folder);
    qsort(ret->names, ret->count, sizeof(ret->names[0]), by_name);
    return PEP_OK;
}

/* ---- contexts ---- */

static int read_key(const json_t *object, const char *member, const char *what, char *out,
                    struct pep_error *err)
{
    const char *text = pep_json_text(object, member, PEP_Z85_SIZE, what, err);
    if (text == NULL)
        return err->code;
    if (!pep_z85_key_valid(pep_span_string(text)))
        return pep_error_set(err, PEP_EFORMAT, "%s: `%s` is not a CURVE key in Z85", what, member);
    memcpy(out, text, PEP_Z85_SIZE + 1);
    return PEP_OK;
}

static int read_endpoints(const json_t *object, const char *what, struct context *c,
                          struct pep_error *err)
{
    const json_t *list = json_object_get(object, "endpoints");
    c->endpoint_count = json_array_size(list);
    if (c->endpoint_count == 0 || c->endpoint_count > PEP_ENDPOINTS)
        return pep_error_set(err, PEP_EFORMAT, "%s: `endpoints` must list 1 to %d addresses", what,
                             PEP_ENDPOINTS);
    for (size_t i = 0; i < c->endpoint_count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL || strncmp(text, "tcp://", 6) != 0 || strlen(text) > PEP_ENDPOINT_MAX)
            return pep_error_set(err, PEP_EFORMAT,
                                 "%s: `endpoints` must be addresses such as tcp://127.0.0.1:7613",
                                 what);
        snprintf(c->endpoints[i], sizeof(c->endpoints[i]), "%s", text);
    }
    return PEP_OK;
}

static int read_object(const json_t *object, const char *what, struct context *c,
                       struct pep_error *err)
{
    if (!json_is_object(object))
        return pep_error_set(err, PEP_EFORMAT, "%s: not an operator file", what);
    const char *name = pep_json_text(object, "name", NAME_LONGEST, what, err);
    const char *role = pep_json_text(object, "role", sizeof(c->role) - 1, what, err);
    if (name == NULL || role == NULL)
        return err->code;
    snprintf(c->operator_name, sizeof(c->operator_name), "%s", name);
    snprintf(c->role, sizeof(c->role), "%s", role);
    int rc = read_endpoints(object, what, c, err);
    if (rc == PEP_OK)
        rc = read_key(object, "server_key", what, c->server_key, err);
    if (rc == PEP_OK)
        rc = read_key(object, "public_key", what, c->public_key, err);
    if (rc == PEP_OK)
        rc = read_key(object, "secret_key", what, c->secret_key, err);
    return rc;
}

int context_read(struct pep_span bytes, const char *name, const char *what, struct context *ret,
                 struct pep_error *err)
{
    struct pep_error local = PEP_ERROR_INIT;
    struct pep_error *e = err == NULL ? &local : err;
    json_t *object = NULL;
    int rc = pep_json_parse(bytes, CONTEXT_FILE_MAX, what, &object, e);
    if (rc != PEP_OK)
        return rc;
    struct context c = {.endpoint_count = 0};
    snprintf(c.name, sizeof(c.name), "%s", name);
    rc = read_object(object, what, &c, e);
    json_decref(object);
    if (rc == PEP_OK)
        *ret = c;
    context_wipe(&c);
    return rc;
}

int context_load(const char *name, struct context *ret, struct pep_error *err)
{
    char path[CONFIG_PATH];
    if (!name_valid(name))
        return pep_error_set(err, PEP_ENOTFOUND, "no context `%s`", name);
    int rc = config_path(path, err, "contexts/%s.json", name);
    if (rc != PEP_OK)
        return rc;
    if (!disk_exists(path))
        return pep_error_set(err, PEP_ENOTFOUND, "no context `%s`", name);
    uint8_t *bytes = NULL;
    size_t size = 0;
    rc = disk_read(path, CONTEXT_FILE_MAX, &bytes, &size, err);
    if (rc != PEP_OK)
        return rc;
    rc = context_read(pep_span_of(bytes, size), name, path, ret, err);
    pep_wipe(bytes, size);
    free(bytes);
    return rc;
}

int context_current(char out[NAME_LONGEST + 1], struct pep_error *err)
{
    char path[CONFIG_PATH];
    int rc = config_path(path, err, "current");
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (rc == PEP_OK && !disk_exists(path))
        return pep_error_set(err, PEP_ENOTFOUND, "no current context");
    if (rc == PEP_OK)
        rc = disk_read(path, NAME_LONGEST + 1, &bytes, &size, err);
    if (rc != PEP_OK)
        return rc;
    bytes[strcspn((char *)bytes, "\n")] = 0;
    if (name_valid((char *)bytes))
        snprintf(out, NAME_LONGEST + 1, "%s", (char *)bytes);
    else
        rc = pep_error_set(err, PEP_EFORMAT, "%s: not the name of a context", path);
    free(bytes);
    return rc;
}

int context_make_current(const char *name, struct pep_error *err)
{
    char path[CONFIG_PATH], line[NAME_LONGEST + 2];
    int rc = config_make(NULL, err);
    if (rc == PEP_OK)
        rc = config_path(path, err, "current");
    if (rc != PEP_OK)
        return rc;
    snprintf(line, sizeof(line), "%s\n", name);
    return disk_replace(path, 0600, pep_span_string(line), err);
}

void context_wipe(struct context *c)
{
    pep_wipe(c->secret_key, sizeof(c->secret_key));
}

/* ---- for verbs ---- */

int session_failed(struct session *s, const struct pep_error *err, const char *help)
{
    int code = err->code == PEP_EINVAL || err->code == PEP_ESTATE || err->code == PEP_ENOTFOUND
                   ? EXIT_USAGE
                   : EXIT_FAILED;
    return output_error(&s->out, code, "%s\n\n%s", pep_error_text(err), help);
}

bool session_has_context(const struct session *s)
{
    char name[NAME_LONGEST + 1];
    return s->context != NULL || context_current(name, NULL) == PEP_OK;
}

static int unknown_context(struct session *s, const char *name, const struct pep_error *err)
{
    struct name_list *all = calloc(1, sizeof(*all));
    const char *names[NAMES_MAX], *near = NULL;
    if (all != NULL && config_names("contexts", ".json", all, NULL) == PEP_OK) {
        for (size_t i = 0; i < all->count; i++)
            names[i] = all->names[i];
        near = pep_did_you_mean(name, names, all->count);
    }
    int rc;
    if (near != NULL)
        rc = output_error(&s->out, EXIT_USAGE, "%s\n\ndid you mean `-c %s`?", pep_error_text(err),
                          near);
    else
        rc = output_error(&s->out, EXIT_USAGE, "%s\n\npolicyctl context list", pep_error_text(err));
    free(all);
    return rc;
}

int session_context(struct session *s, struct context *ret)
{
    struct pep_error err = PEP_ERROR_INIT;
    char name[NAME_LONGEST + 1];
    if (s->context == NULL) {
        int rc = context_current(name, &err);
        if (rc == PEP_ENOTFOUND)
            return output_error(&s->out, EXIT_USAGE,
                                "no context: policyctl does not know a pdpd yet\n\n"
                                "policyctl context add NAME OPERATOR_JSON   "
                                "(pdpd writes operator.json into its data folder)");
        if (rc != PEP_OK)
            return session_failed(s, &err, "policyctl context use NAME");
    }
    const char *wanted = s->context != NULL ? s->context : name;
    int rc = context_load(wanted, ret, &err);
    if (rc == PEP_ENOTFOUND)
        return unknown_context(s, wanted, &err);
    if (rc != PEP_OK)
        return session_failed(s, &err, "policyctl context list");
    return EXIT_OK;
}
