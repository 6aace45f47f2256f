/* Reading a policy repository: see repository.h. One table says which folder holds what; the walk
 * is sorted by pep_files, so that the same folder gives the same bundle on every file system. */
#include "repository.h"

#include "pep/core/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE_JSON_MAX 4096

/* Where files live, how they must end, how large each may be, and whether they are shipped. */
static const struct room {
    const char *folder, *suffix;
    size_t max;
    bool shipped;
} rooms[] = {
    {"policies", ".lua", PEP_SOURCE_MAX, true},
    {"lib", ".lua", PEP_SOURCE_MAX, true},
    {"data", ".json", PEP_DATA_MAX, true},
    {"tests", "_test.lua", PEP_SOURCE_MAX, false},
};

/* Opens DIR/path for reading; -1 with errno. A link is not followed (ELOOP). */
static int open_below(const char *dir, const char *path)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    int fd = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int saved = errno;
    close(folder);
    errno = saved;
    return fd;
}

static int open_error(const char *dir, const char *path, struct pep_error *err)
{
    if (errno == ELOOP)
        return pep_error_set(err, PEP_EFORMAT,
                             "%s/%s: a symbolic link; put the file itself into the repository", dir,
                             path);
    int code = errno == ENOENT || errno == ENOTDIR ? PEP_ENOTFOUND : PEP_EIO;
    return pep_error_set(err, code, "%s/%s: %s", dir, path, strerror(errno));
}

/* The whole of an open file, at most `max` bytes. */
static int read_all(int fd, size_t max, struct pep_buffer *out)
{
    uint8_t chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return PEP_EIO;
        if (n == 0)
            return out->failed ? PEP_ENOMEM : PEP_OK;
        if (out->size + (size_t)n > max)
            return PEP_ELIMIT;
        pep_put_bytes(out, chunk, (size_t)n);
    }
}

/* Appends DIR/path to `out`. */
static int read_file(const char *dir, const char *path, size_t max, struct pep_buffer *out,
                     struct pep_error *err)
{
    struct stat st;
    int fd = open_below(dir, path);
    if (fd < 0)
        return open_error(dir, path, err);
    int rc = PEP_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = pep_error_set(err, PEP_EFORMAT, "%s/%s: not a regular file", dir, path);
    else
        rc = read_all(fd, max, out);
    if (rc == PEP_ELIMIT)
        pep_error_set(err, rc, "%s/%s: larger than %zu bytes; split it", dir, path, max);
    else if (rc == PEP_EIO)
        pep_error_set(err, rc, "%s/%s: %s", dir, path, strerror(errno));
    else if (rc != PEP_OK)
        pep_error_set(err, rc, "%s/%s: no memory", dir, path);
    close(fd);
    return rc;
}

static int add_file(struct repository *r, const char *path, size_t max, bool shipped,
                    struct pep_error *err)
{
    struct pep_buffer bytes = pep_buffer_of(PEP_DATA_MAX + 1);
    int rc = read_file(r->dir, path, max, &bytes, err);
    if (rc == PEP_OK)
        rc = pep_files_add(shipped ? r->files : r->tests, path, pep_buffer_span(&bytes), err);
    pep_buffer_free(&bytes);
    return rc;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), s = strlen(suffix);
    return n > s && strcmp(name + n - s, suffix) == 0;
}

/* One entry of a room. Files of another kind (README, editor backups) are left alone. */
static int add_entry(struct repository *r, const struct room *room, const char *name,
                     struct pep_error *err)
{
    char path[PEP_PATH_MAX + 1];
    struct stat st;
    if (name[0] == '.')
        return PEP_OK;
    int n = snprintf(path, sizeof(path), "%s/%s", room->folder, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return pep_error_set(err, PEP_ELIMIT, "%s/%s/%.40s...: the name is too long", r->dir,
                             room->folder, name);
    int fd = open_below(r->dir, path);
    bool folder = fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    if (fd >= 0)
        close(fd);
    if (folder)
        return pep_error_set(err, PEP_EFORMAT,
                             "%s/%s: folders inside %s/ are not read; move its files up", r->dir,
                             path, room->folder);
    if (!ends_with(name, room->suffix)) {
        if (!room->shipped && ends_with(name, ".lua") &&
            (r->left_out[0] == '\0' || strcmp(path, r->left_out) < 0))
            memcpy(r->left_out, path, (size_t)n + 1);
        return PEP_OK;
    }
    if (!pep_bundle_path_valid(pep_span_string(path)))
        return pep_error_set(err, PEP_EFORMAT,
                             "%s/%s: a file name may hold letters, digits, '.', '_' and '-' only",
                             r->dir, path);
    return add_file(r, path, room->max, room->shipped, err);
}

static int add_room(struct repository *r, const struct room *room, struct pep_error *err)
{
    int fd = open_below(r->dir, room->folder);
    if (fd < 0 && errno == ENOENT)
        return PEP_OK;
    if (fd < 0)
        return open_error(r->dir, room->folder, err);
    DIR *d = fdopendir(fd);
    if (d == NULL) {
        int rc = open_error(r->dir, room->folder, err);
        close(fd);
        return rc;
    }
    int rc = PEP_OK;
    const struct dirent *e;
    while (rc == PEP_OK && (e = readdir(d)) != NULL)
        rc = add_entry(r, room, e->d_name, err);
    closedir(d);
    return rc;
}

static int read_number(const json_t *o, const char *name, json_int_t max, uint32_t *ret,
                       struct pep_error *err)
{
    json_int_t value;
    if (json_object_get(o, name) == NULL)
        return PEP_OK;
    int rc = pep_json_integer(o, name, 1, max, "bundle.json", &value, err);
    if (rc == PEP_OK)
        *ret = (uint32_t)value;
    return rc;
}

static int read_settings(struct repository *r, const json_t *o, struct pep_error *err)
{
    static const char *const members[] = {"name", "max_stale", "expires_days", NULL};
    int rc = pep_json_only(o, members, "bundle.json", err);
    if (rc != PEP_OK)
        return rc;
    const char *name = pep_json_text(o, "name", 4096, "bundle.json", err);
    if (name == NULL)
        return err != NULL && err->code != PEP_OK ? err->code : PEP_EFORMAT;
    if (!pep_bundle_name_valid(pep_span_string(name)))
        return pep_error_set(err, PEP_EFORMAT,
                             "bundle.json: name \"%.80s\": use 1 to %d of a-z 0-9 . _ -, starting "
                             "with a letter or digit",
                             name, PEP_NAME_MAX);
    memcpy(r->name, name, strlen(name) + 1);
    rc = read_number(o, "max_stale", REPOSITORY_STALE_LIMIT, &r->max_stale, err);
    if (rc == PEP_OK)
        rc = read_number(o, "expires_days", REPOSITORY_EXPIRES_LIMIT, &r->expires_days, err);
    return rc;
}

static int read_bundle_json(struct repository *r, struct pep_error *err)
{
    struct pep_buffer text = pep_buffer_of(BUNDLE_JSON_MAX);
    struct pep_error why = PEP_ERROR_INIT;
    json_t *o = NULL;
    int rc = read_file(r->dir, "bundle.json", BUNDLE_JSON_MAX, &text, &why);
    if (rc == PEP_ENOTFOUND)
        pep_error_set(err, rc,
                      "%s is not a policy repository: it has no bundle.json; make one with "
                      "`policyctl init %s`",
                      r->dir, r->dir);
    else if (rc != PEP_OK)
        pep_error_set(err, rc, "%s", why.text);
    if (rc == PEP_OK)
        rc = pep_json_parse(pep_buffer_span(&text), BUNDLE_JSON_MAX, "bundle.json", &o, err);
    if (rc == PEP_OK)
        rc = read_settings(r, o, err);
    json_decref(o);
    pep_buffer_free(&text);
    return rc;
}

/* A file of the top folder that need not be there. */
static int add_optional(struct repository *r, const char *path, size_t max, struct pep_error *err)
{
    int fd = open_below(r->dir, path);
    if (fd < 0 && errno == ENOENT)
        return PEP_OK;
    if (fd >= 0)
        close(fd);
    return add_file(r, path, max, true, err);
}

int repository_read(const char *dir, struct repository **ret, struct pep_error *err)
{
    struct repository *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return pep_error_set(err, PEP_ENOMEM, "%s: no memory", dir);
    r->dir = strdup(dir);
    r->max_stale = REPOSITORY_MAX_STALE;
    r->expires_days = REPOSITORY_EXPIRES_DAYS;
    int rc = r->dir == NULL ? PEP_ENOMEM : pep_files_new(&r->files);
    if (rc == PEP_OK)
        rc = pep_files_new(&r->tests);
    if (rc == PEP_OK)
        rc = read_bundle_json(r, err);
    if (rc == PEP_OK)
        rc = add_optional(r, "schema.lua", PEP_SOURCE_MAX, err);
    if (rc == PEP_OK)
        rc = add_optional(r, "issuers.json", PEP_DATA_MAX, err);
    for (size_t i = 0; rc == PEP_OK && i < sizeof(rooms) / sizeof(rooms[0]); i++)
        rc = add_room(r, &rooms[i], err);
    if (rc != PEP_OK) {
        repository_free(r);
        return pep_error_set(err, rc, "%s: %s", dir, pep_strerror(rc));
    }
    *ret = r;
    return PEP_OK;
}

void repository_free(struct repository *r)
{
    if (r == NULL)
        return;
    pep_files_free(r->files);
    pep_files_free(r->tests);
    free(r->dir);
    free(r);
}

struct pep_span repository_line(const struct repository *r, const char *path, int number)
{
    const struct pep_file *file = path == NULL ? NULL : pep_files_find(r->files, path);
    if (file == NULL && path != NULL)
        file = pep_files_find(r->tests, path);
    if (file == NULL || number < 1)
        return pep_span_of(NULL, 0);
    const uint8_t *at = file->content.data, *end = at + file->content.size;
    for (int i = 1; at != NULL && i < number; i++) {
        at = at == end ? NULL : memchr(at, '\n', (size_t)(end - at));
        at = at == NULL ? NULL : at + 1;
    }
    if (at == NULL || at == end)
        return pep_span_of(NULL, 0);
    const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
    return pep_span_of(at, (size_t)((stop == NULL ? end : stop) - at));
}
