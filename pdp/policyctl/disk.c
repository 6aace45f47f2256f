/* See disk.h. Rejected: O_TMPFILE, which not every file system has. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LONGEST 4096
#define READ_STEP    65536

static int read_all(int fd, const char *path, size_t max, uint8_t **ret, size_t *ret_size,
                    struct pep_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0, room = 0;
    for (;;) {
        if (room - size < READ_STEP) {
            room = size + 2 * READ_STEP;
            uint8_t *more = realloc(data, room + 1);
            if (more == NULL) {
                free(data);
                return pep_error_set(err, PEP_ENOMEM, "%s: no memory", path);
            }
            data = more;
        }
        ssize_t n = read(fd, data + size, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            free(data);
            return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
        }
        if (n == 0)
            break;
        size += (size_t)n;
        if (size > max) {
            free(data);
            return pep_error_set(err, PEP_ELIMIT, "%s: larger than %zu bytes", path, max);
        }
    }
    data[size] = 0;
    *ret = data;
    *ret_size = size;
    return PEP_OK;
}

int disk_read(const char *path, size_t max, uint8_t **ret, size_t *ret_size, struct pep_error *err)
{
    /* Not blocking: a FIFO in the place of a file must not hang the program. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return pep_error_set(err, errno == ENOENT ? PEP_ENOTFOUND : PEP_EIO, "%s: %s", path,
                             strerror(errno));
    struct stat st;
    int rc;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = pep_error_set(err, PEP_EIO, "%s: not a regular file", path);
    else
        rc = read_all(fd, path, max, ret, ret_size, err);
    close(fd);
    return rc;
}

int disk_read_stdin(size_t max, uint8_t **ret, size_t *ret_size, struct pep_error *err)
{
    return read_all(STDIN_FILENO, "standard input", max, ret, ret_size, err);
}

static int write_all(int fd, struct pep_span bytes)
{
    size_t done = 0;
    while (done < bytes.size) {
        ssize_t n = write(fd, bytes.data + done, bytes.size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return fsync(fd);
}

/* A whole, synced file beside `path`; its name in `temporary`. */
static int write_beside(const char *path, mode_t mode, struct pep_span bytes, char *temporary,
                        size_t size, struct pep_error *err)
{
    if (snprintf(temporary, size, "%s.XXXXXX", path) >= (int)size)
        return pep_error_set(err, PEP_ELIMIT, "%.128s...: path too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
    int failed = fchmod(fd, mode) != 0 || write_all(fd, bytes) != 0 ? errno : 0;
    if (close(fd) != 0 && failed == 0)
        failed = errno;
    if (failed == 0)
        return PEP_OK;
    unlink(temporary);
    return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(failed));
}

/* The name itself must survive a crash, so its folder is synced too. */
static void sync_folder(const char *path)
{
    char folder[PATH_LONGEST];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof(folder), ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

int disk_create(const char *path, mode_t mode, struct pep_span bytes, struct pep_error *err)
{
    char temporary[PATH_LONGEST];
    int rc = write_beside(path, mode, bytes, temporary, sizeof(temporary), err);
    if (rc != PEP_OK)
        return rc;
    int failed = link(temporary, path) == 0 ? 0 : errno;
    unlink(temporary);
    if (failed == EEXIST)
        return pep_error_set(err, PEP_ECONFLICT, "%s: exists already and stays as it is", path);
    if (failed != 0)
        return pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(failed));
    sync_folder(path);
    return PEP_OK;
}

int disk_replace(const char *path, mode_t mode, struct pep_span bytes, struct pep_error *err)
{
    char temporary[PATH_LONGEST];
    int rc = write_beside(path, mode, bytes, temporary, sizeof(temporary), err);
    if (rc != PEP_OK)
        return rc;
    if (rename(temporary, path) != 0) {
        rc = pep_error_set(err, PEP_EIO, "%s: %s", path, strerror(errno));
        unlink(temporary);
        return rc;
    }
    sync_folder(path);
    return PEP_OK;
}

int disk_folder(const char *path, struct pep_error *err)
{
    char part[PATH_LONGEST];
    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
        return pep_error_set(err, PEP_ELIMIT, "%.128s...: path too long", path);
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return pep_error_set(err, PEP_EIO, "%s: %s", part, strerror(errno));
        if (kept == '\0')
            break;
        *at = kept;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return pep_error_set(err, PEP_EIO, "%s: not a folder", path);
    return PEP_OK;
}

bool disk_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}
