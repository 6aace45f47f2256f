/* Keys on disk: see keyfiles.h. */
#include "keyfiles.h"

#include "net/curve.h"

#include "pep/core/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM     4096
#define KEY_FILE_MAX  4096
#define OPERATOR_NAME "admin"

static int path_in(const char *folder, const char *name, char out[PATH_ROOM], struct pep_error *err)
{
    if ((size_t)snprintf(out, PATH_ROOM, "%s/%s", folder, name) >= PATH_ROOM)
        return pep_error_set(err, PEP_EINVAL, "%s: the path is too long", folder);
    return 0;
}

static int make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = mkdir(path, 0700);
        *slash = '/';
        if (rc != 0 && errno != EEXIST)
            return -1;
    }
    return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

int keyfiles_folder(const char *folder, struct pep_error *err)
{
    char path[PATH_ROOM];
    struct stat st;
    if ((size_t)snprintf(path, sizeof(path), "%s", folder) >= sizeof(path))
        return pep_error_set(err, PEP_EINVAL, "%s: the path is too long", folder);
    if (make_parents(path) != 0 || stat(path, &st) != 0)
        return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return pep_error_set(err, PEP_EINVAL, "%s is not a folder", path);
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return pep_error_set(err, PEP_EINVAL,
                             "%s holds secret keys and is open to others; chmod 700 it and give it "
                             "to the user that runs pdpd",
                             path);
    return 0;
}

/* ---- files ---- */

/* Whole small file; PEP_ENOTFOUND if there is none. Refuses one that others may read. */
static int read_secret(const char *path, struct pep_buffer *out, struct pep_error *err)
{
    char chunk[KEY_FILE_MAX];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return PEP_ENOTFOUND;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    ssize_t n = (st.st_mode & 077) == 0 ? read(fd, chunk, sizeof(chunk)) : -2;
    close(fd);
    if (n == -2)
        return pep_error_set(err, PEP_EINVAL, "%s: others may read this key; chmod 600 it", path);
    if (n < 0)
        return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
    pep_put_bytes(out, chunk, (size_t)n);
    pep_wipe(chunk, sizeof(chunk));
    return out->failed ? PEP_ENOMEM : 0;
}

static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Durable and whole or not at all: a new file, fsync, rename, fsync of the folder. */
static int write_secret(const char *folder, const char *name, struct pep_span bytes,
                        struct pep_error *err)
{
    char path[PATH_ROOM], fresh[PATH_ROOM + 8];
    int rc = path_in(folder, name, path, err);
    if (rc != 0)
        return rc;
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size && fsync(fd) == 0;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (ok && (rename(fresh, path) != 0 || sync_folder(folder) != 0)) {
        saved = errno;
        ok = false;
    }
    if (ok)
        return 0;
    unlink(fresh);
    return pep_error_set(err, saved == ENOSPC ? PEP_ELIMIT : PEP_EIO, "%s: %s", path,
                         strerror(saved));
}

/* ---- the two keys ---- */

static int load_curve(struct server *s, struct pep_error *err)
{
    char path[PATH_ROOM], text[STORE_KEY_TEXT + 1];
    struct pep_buffer b = pep_buffer_of(KEY_FILE_MAX);
    int rc = path_in(s->config.data, "curve.key", path, err);
    if (rc == 0)
        rc = read_secret(path, &b, err);
    if (rc == 0) {
        size_t size = b.size > 0 && b.data[b.size - 1] == '\n' ? b.size - 1 : b.size;
        if (size == STORE_KEY_TEXT - 1)
            memcpy(s->curve_secret, b.data, size);
        if (size != STORE_KEY_TEXT - 1 || curve_public(s->curve_secret, s->curve_public) != 0)
            rc = pep_error_set(err, PEP_EFORMAT, "%s: not a CURVE secret key in Z85", path);
    } else if (rc == PEP_ENOTFOUND) {
        rc = curve_generate(s->curve_public, s->curve_secret);
        snprintf(text, sizeof(text), "%s\n", s->curve_secret);
        if (rc == 0)
            rc = write_secret(s->config.data, "curve.key", pep_span_string(text), err);
        pep_wipe(text, sizeof(text));
    }
    if (b.data != NULL)
        pep_wipe(b.data, b.size);
    pep_buffer_free(&b);
    return rc;
}

static int load_beacon(struct server *s, struct pep_error *err)
{
    char path[PATH_ROOM];
    struct pep_buffer b = pep_buffer_of(KEY_FILE_MAX);
    int rc = path_in(s->config.data, "beacon.key", path, err);
    if (rc == 0)
        rc = read_secret(path, &b, err);
    if (rc == 0) {
        rc = pep_private_key_from_pem(pep_buffer_span(&b), &s->beacon, err);
    } else if (rc == PEP_ENOTFOUND) {
        rc = pep_private_key_generate(&s->beacon);
        if (rc == 0)
            rc = pep_private_key_to_pem(s->beacon, &b);
        if (rc == 0)
            rc = write_secret(s->config.data, "beacon.key", pep_buffer_span(&b), err);
    }
    if (b.data != NULL)
        pep_wipe(b.data, b.size);
    pep_buffer_free(&b);
    return rc;
}

int keyfiles_load(struct server *s, struct pep_error *err)
{
    int rc = load_curve(s, err);
    if (rc == 0)
        rc = load_beacon(s, err);
    return rc == 0 ? 0 : pep_error_set(err, rc, "keys: %s", pep_strerror(rc));
}

/* ---- the first operator ---- */

static int write_context(struct server *s, const char *public, const char *secret,
                         struct pep_error *err)
{
    char endpoint[PEP_ENDPOINT_MAX + 1];
    server_endpoint(s, PORT_OPERATORS, endpoint);
    json_t *o = json_pack("{s:[s], s:s, s:s, s:s, s:s, s:s}", "endpoints", endpoint, "server_key",
                          s->curve_public, "name", OPERATOR_NAME, "role", role_names[ROLE_ADMIN],
                          "public_key", public, "secret_key", secret);
    char *text = o == NULL ? NULL : json_dumps(o, JSON_INDENT(2));
    json_decref(o);
    if (text == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory");
    int rc = write_secret(s->config.data, "operator.json", pep_span_string(text), err);
    pep_wipe(text, strlen(text));
    free(text);
    return rc;
}

int keyfiles_first_operator(struct server *s, struct pep_error *err)
{
    char public[STORE_KEY_TEXT], secret[STORE_KEY_TEXT];
    int64_t now = server_now_ms() / 1000;
    if (registry_operators(s->registry) != NULL)
        return 0;
    int rc = curve_generate(public, secret);
    if (rc == 0)
        rc = write_context(s, public, secret, err);
    pep_wipe(secret, sizeof(secret));
    struct store_operator row = {OPERATOR_NAME, role_names[ROLE_ADMIN], public, true, now};
    struct store_audit audit = {now, "(first start)", "operator.add", OPERATOR_NAME " as admin",
                                "ok"};
    if (rc == 0)
        rc = store_put_operator(s->store, &row, &audit, err);
    if (rc == 0)
        rc = registry_add_operator(s->registry, &row);
    if (rc != 0)
        return pep_error_set(err, rc, "the first operator: %s", pep_strerror(rc));
    log_info("first start: %s/operator.json lets you in: policyctl context add NAME "
             "%s/operator.json",
             s->config.data, s->config.data);
    return 0;
}
