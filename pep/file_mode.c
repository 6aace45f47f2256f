/*
 * PEP_FILE: a signed bundle and a root document on disk. Read at pep_open(), and again whenever one
 * of them is another file than before: replaced by rename, or behind another symbolic link. For air
 * gaps, tests, and hosts that bring policies with their own means.
 *
 * The files are looked at four times a second by stat(). Rejected: inotify, which is silent on
 * network and overlay file systems, where such files often are.
 *
 * A new bundle must be the same bundle and not older; a new root must continue the one in use. What
 * fails is reported and leaves the running policy alone.
 */
#include "pep/disk.h"
#include "pep/handle.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS 250

struct seen {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct pep_watched {
    struct seen bundle, root_file;
    struct pep_root *root;
};

/* ---- reading ---- */

static bool see(const char *path, struct seen *ret)
{
    struct stat st;
    memset(ret, 0, sizeof(*ret));
    if (stat(path, &st) != 0)
        return false;
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    ret->size = st.st_size;
    ret->changed = st.st_mtim;
    return true;
}

static bool same(const struct seen *a, const struct seen *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int read_file(const char *path, size_t max, struct pep_span *ret, struct pep_error *err)
{
    char folder[PEP_DISK_PATH];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    if (slash == NULL)
        return pep_disk_read(".", path, max, ret, err);
    if (n == 0)
        return pep_disk_read("/", slash + 1, max, ret, err);
    if (n >= sizeof(folder))
        return pep_error_set(err, PEP_ELIMIT, "%.64s...: a longer path than %zu bytes", path,
                             sizeof(folder) - 1);
    memcpy(folder, path, n);
    folder[n] = '\0';
    return pep_disk_read(folder, slash + 1, max, ret, err);
}

/* Says which file a message of the core is about. */
static int about(const char *path, const struct pep_error *inner, struct pep_error *err)
{
    return pep_error_set(err, inner->code, "%s: %s", path, pep_error_text(inner));
}

/* ---- the root ---- */

static bool continues(const struct pep_root *old, const struct pep_root *next)
{
    return strcmp(pep_root_installation(old), pep_root_installation(next)) == 0 &&
           pep_root_version(next) >= pep_root_version(old) &&
           pep_root_epoch(next) >= pep_root_epoch(old);
}

static int load_root(struct pep *p, struct pep_error *err)
{
    const char *path = p->settings.root_file;
    struct pep_span bytes;
    struct pep_root *next = NULL;
    struct pep_error inner = PEP_ERROR_INIT;
    int r = read_file(path, PEP_ROOT_MAX, &bytes, err);
    if (r != PEP_OK)
        return r;
    r = pep_root_open(bytes, NULL, &next, &inner);
    pep_disk_free(bytes);
    if (r != PEP_OK)
        return about(path, &inner, err);
    struct pep_root *old = p->watched->root;
    if (old != NULL && !continues(old, next)) {
        r = pep_error_set(err, PEP_EROLLBACK,
                          "%s: root version %u does not continue the one in use (version %u)", path,
                          pep_root_version(next), pep_root_version(old));
        pep_root_free(next);
        return r;
    }
    pep_root_free(old);
    p->watched->root = next;
    return PEP_OK;
}

/* ---- the bundle ---- */

/* PEP_OK, or why this manifest may not follow the running policy. */
static int may_follow(const struct pep_active *a, const struct pep_manifest *m, const char *path,
                      struct pep_error *err)
{
    if (a == NULL)
        return PEP_OK;
    unsigned long long version = pep_manifest_version(m), running = a->version;
    if (strcmp(pep_manifest_name(m), a->name) != 0)
        return pep_error_set(err, PEP_ECONFLICT, "%s: bundle `%s`, but `%s` is running", path,
                             pep_manifest_name(m), a->name);
    int order = pep_version_compare(pep_manifest_epoch(m), version, a->epoch, running);
    if (order < 0)
        return pep_error_set(err, PEP_EROLLBACK, "%s: version %llu is older than the running %llu",
                             path, version, running);
    if (order == 0)
        return pep_error_set(err, PEP_EROLLBACK,
                             "%s: version %llu has other content than the running one", path,
                             version);
    if (pep_manifest_expired(m, pep_moment_now().wall_ms / 1000))
        return pep_error_set(err, PEP_EEXPIRED, "%s: version %llu has expired", path, version);
    return PEP_OK;
}

static int load_bundle(struct pep *p, bool anew, struct pep_error *err)
{
    const char *path = p->settings.bundle_file;
    struct pep_moment now = pep_moment_now();
    struct pep_error inner = PEP_ERROR_INIT;
    struct pep_span bytes;
    struct pep_bundle *bundle = NULL;
    int r = read_file(path, PEP_BUNDLE_FILE_MAX, &bytes, err);
    if (r != PEP_OK)
        return r;
    r = pep_bundle_open(bytes, p->watched->root, now.wall_ms / 1000, &bundle, &inner);
    pep_disk_free(bytes);
    if (r != PEP_OK)
        return about(path, &inner, err);
    const struct pep_manifest *m = pep_bundle_manifest(bundle);
    const struct pep_active *a = atomic_load(&p->active);
    bool running = a != NULL && memcmp(a->digest, pep_manifest_digest(m), PEP_SHA256_SIZE) == 0;
    if (!running)
        r = may_follow(a, m, path, err);
    if (r == PEP_OK && (!running || anew)) {
        r = pep_handle_activate(p, bundle, &now, true, &inner);
        if (r != PEP_OK)
            r = about(path, &inner, err);
    }
    pep_bundle_free(bundle);
    return r;
}

/* Remembers what it looked at before it reads: a replacement in between is seen at the next look.
 */
static int load(struct pep *p, bool anew, struct pep_error *err)
{
    struct seen root_file;
    see(p->settings.bundle_file, &p->watched->bundle);
    int r = PEP_OK;
    see(p->settings.root_file, &root_file);
    if (p->watched->root == NULL || !same(&root_file, &p->watched->root_file)) {
        p->watched->root_file = root_file;
        r = load_root(p, err);
    }
    return r != PEP_OK ? r : load_bundle(p, anew, err);
}

/* ---- the mode ---- */

int pep_file_open(struct pep *p, struct pep_error *err)
{
    p->watched = calloc(1, sizeof(*p->watched));
    if (p->watched == NULL)
        return pep_error_set(err, PEP_ENOMEM, "handle: no memory");
    return load(p, false, err);
}

static int reload(struct pep *p, bool anew)
{
    struct pep_error err = PEP_ERROR_INIT;
    int r = load(p, anew, &err);
    if (r != PEP_OK)
        pep_handle_failed(p, &err);
    return r;
}

static bool replaced(const struct pep *p)
{
    struct seen bundle, root_file;
    see(p->settings.bundle_file, &bundle);
    see(p->settings.root_file, &root_file);
    return !same(&bundle, &p->watched->bundle) || !same(&root_file, &p->watched->root_file);
}

void pep_file_run(struct pep *p)
{
    int64_t look = pep_moment_now().boot_ms + LOOK_MS;
    bool more = false;
    while (!pep_handle_stopping(p)) {
        struct pollfd wake = {.fd = p->wake_fd, .events = POLLIN};
        poll(&wake, 1, more ? 0 : PEP_TICK_MS);
        uint64_t asked = pep_handle_refresh_wanted(p);
        if (asked != 0) {
            pep_handle_refresh_done(p, asked, reload(p, false));
        } else if (pep_moment_now().boot_ms >= look) {
            look = pep_moment_now().boot_ms + LOOK_MS;
            if (replaced(p))
                reload(p, false);
        }
        more = pep_handle_tick(p);
    }
}

void pep_file_close(struct pep *p)
{
    if (p->watched == NULL)
        return;
    pep_root_free(p->watched->root);
    free(p->watched);
    p->watched = NULL;
}

int pep_file_after_fork(struct pep *p, struct pep_error *err)
{
    (void)err; /* a file that cannot be read now is reported; the inherited policy decides on */
    reload(p, true);
    return PEP_OK;
}
