/* Durable small files; disk.h says why. Everything is done by descriptors opened with O_CLOEXEC, so
 * that a host that forks and executes leaks none. */
#include "pep/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct pep_error *err, const char *what, const char *path)
{
    int code = errno == ENOENT ? PEP_ENOTFOUND : PEP_EIO;
    return pep_error_set(err, code, "%s: %s: %s", path, what, strerror(errno));
}

int pep_disk_path(const char *folder, const char *name, char *out, struct pep_error *err)
{
    int n = snprintf(out, PEP_DISK_PATH, "%s/%s", folder, name);
    if (n < 0 || n >= PEP_DISK_PATH)
        return pep_error_set(err, PEP_ELIMIT, "the path of %s is too long", name);
    return PEP_OK;
}

static int read_all(int fd, uint8_t *out, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, out + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return PEP_EIO; /* shorter than its size: being written, by somebody else's rules */
        done += (size_t)n;
    }
    return PEP_OK;
}

static int read_open(int fd, const char *path, size_t max, struct pep_span *ret,
                     struct pep_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return failed(err, "cannot look at it", path);
    if (!S_ISREG(st.st_mode))
        return pep_error_set(err, PEP_EIO, "%s: not a regular file", path);
    if ((uint64_t)st.st_size > max)
        return pep_error_set(err, PEP_ELIMIT, "%s: %lld bytes, at most %zu are allowed", path,
                             (long long)st.st_size, max);
    size_t size = (size_t)st.st_size;
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        return pep_error_set(err, PEP_ENOMEM, "no memory for %s", path);
    if (read_all(fd, bytes, size) != PEP_OK) {
        free(bytes);
        return pep_error_set(err, PEP_EIO, "%s: cannot be read to its end", path);
    }
    bytes[size] = '\0';
    *ret = pep_span_of(bytes, size);
    return PEP_OK;
}

int pep_disk_read(const char *folder, const char *name, size_t max, struct pep_span *ret,
                  struct pep_error *err)
{
    char path[PEP_DISK_PATH];
    int rc = pep_disk_path(folder, name, path, err);
    if (rc != PEP_OK)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return failed(err, "cannot be opened", path);
    rc = read_open(fd, path, max, ret, err);
    close(fd);
    return rc;
}

void pep_disk_free(struct pep_span bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static int write_all(int fd, struct pep_span content)
{
    size_t done = 0;
    while (done < content.size) {
        ssize_t n = write(fd, content.data + done, content.size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    return fsync(fd);
}

static int sync_folder(const char *folder, struct pep_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(err, "cannot be opened", folder);
    int rc = fsync(fd);
    if (rc != 0)
        rc = failed(err, "cannot be made durable", folder);
    close(fd);
    return rc == 0 ? PEP_OK : PEP_EIO;
}

int pep_disk_write(const char *folder, const char *name, struct pep_span content, mode_t mode,
                   struct pep_error *err)
{
    char path[PEP_DISK_PATH], beside[PEP_DISK_PATH];
    char temporary[300];
    snprintf(temporary, sizeof(temporary), ".%s.%ld.tmp", name, (long)getpid());
    int rc = pep_disk_path(folder, name, path, err);
    if (rc == PEP_OK)
        rc = pep_disk_path(folder, temporary, beside, err);
    if (rc != PEP_OK)
        return rc;
    unlink(beside); /* left by a crash */
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        failed(err, "cannot be made", beside);
        return PEP_EIO;
    }
    if (write_all(fd, content) != 0) {
        failed(err, "cannot be written", beside);
        close(fd);
        unlink(beside);
        return PEP_EIO;
    }
    close(fd);
    if (rename(beside, path) != 0) {
        failed(err, "cannot be replaced", path);
        unlink(beside);
        return PEP_EIO;
    }
    return sync_folder(folder, err);
}

int pep_disk_folder(const char *path, mode_t mode, struct pep_error *err)
{
    char part[PEP_DISK_PATH];
    size_t n = strlen(path);
    if (n >= sizeof(part))
        return pep_error_set(err, PEP_ELIMIT, "the path of a folder is too long");
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST && i == n) {
            failed(err, "cannot be made", path);
            return PEP_EIO;
        }
        if (i < n)
            part[i] = '/';
    }
    return PEP_OK;
}

int pep_disk_lock(const char *folder, bool exclusive, struct pep_error *err)
{
    char path[PEP_DISK_PATH];
    if (pep_disk_path(folder, "lock", path, err) != PEP_OK)
        return PEP_EIO;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        failed(err, "cannot be opened", path);
        return PEP_EIO;
    }
    while (flock(fd, exclusive ? LOCK_EX : LOCK_SH) != 0) {
        if (errno == EINTR)
            continue;
        failed(err, "cannot be locked", path);
        close(fd);
        return PEP_EIO;
    }
    return fd;
}

int pep_disk_private(const char *folder, const char *name, struct pep_error *err)
{
    char path[PEP_DISK_PATH];
    struct stat st;
    int rc = pep_disk_path(folder, name, path, err);
    if (rc != PEP_OK)
        return rc;
    if (stat(path, &st) != 0)
        return failed(err, "cannot be read", path);
    uid_t me = geteuid();
    if (st.st_uid != me && st.st_uid != 0)
        return pep_error_set(err, PEP_EINVAL, "%s: belongs to user %ld, not to %ld: chown it", path,
                             (long)st.st_uid, (long)me);
    /* A secret mounted by a container runtime belongs to root and is read through the group. */
    mode_t forbidden = st.st_uid == 0 && me != 0 ? 0037 : 0077;
    if ((st.st_mode & forbidden) != 0)
        return pep_error_set(err, PEP_EINVAL,
                             "%s: other users can use this key (mode %04o): chmod 600 it", path,
                             (unsigned)(st.st_mode & 07777));
    return PEP_OK;
}
