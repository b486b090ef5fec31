/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading whole files with a limit, and writing them so that a crash leaves the old or the new.
 */
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool fail_read(struct mutual_error *err, int sys, const char *path)
{
    enum mutual_code code = sys == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_FILE_UNREADABLE;
    return mu_fail_errno(err, code, sys, "could not read file \"%s\"", path);
}

static bool fail_write(struct mutual_error *err, int sys, const char *path)
{
    enum mutual_code code = sys == ENOSPC || sys == EDQUOT ? MUTUAL_E_DISK_FULL
                            : sys == EEXIST                ? MUTUAL_E_FILE_EXISTS
                                                           : MUTUAL_E_FILE_UNWRITABLE;
    return mu_fail_errno(err, code, sys, "could not write file \"%s\"", path);
}

static void fd_auto(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
    }
}

bool mu_fd_read(int fd, const char *name, size_t max, struct mu_buf *ret_buf,
                struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, max + 1); /* one more byte tells a file that is too large */
    for (;;) {
        size_t step = buf.max - buf.len < 65536 ? buf.max - buf.len : 65536;
        if (step == 0) {
            return mu_fail(err, MUTUAL_E_FILE_TOO_LARGE,
                           "file \"%s\" is larger than the limit of %zu bytes", name, max);
        }
        uint8_t *room = mu_buf_reserve(&buf, step);
        if (room == NULL) {
            return mu_fail_memory(err);
        }
        ssize_t n = read(fd, room, step);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n == -1) {
            return fail_read(err, errno, name);
        }
        if (n == 0) {
            break;
        }
        buf.len += (size_t)n;
    }
    *ret_buf = buf;
    buf = (struct mu_buf){0};
    return true;
}

bool mu_file_read(const char *path, size_t max, struct mu_buf *ret_buf, struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1) {
        return fail_read(err, errno, path);
    }
    struct stat info;
    if (fstat(fd, &info) == -1) {
        return fail_read(err, errno, path);
    }
    if (!S_ISREG(info.st_mode)) {
        return mu_fail(err, MUTUAL_E_FILE_UNREADABLE, "\"%s\" is not a regular file", path);
    }
    return mu_fd_read(fd, path, max, ret_buf, err);
}

bool mu_fd_write(int fd, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n == -1) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    MU_AUTO(free)
    char *directory = slash == NULL   ? mu_strdup(".")
                      : slash == path ? mu_strdup("/")
                                      : mu_strndup(path, (size_t)(slash - path));
    if (directory == NULL) {
        return false;
    }
    __attribute__((cleanup(fd_auto))) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd != -1 && fsync(fd) == 0;
}

/* How a file is to be; owner -1: whoever makes it. */
struct form {
    mode_t mode;
    uid_t owner;
    gid_t group;
};

static bool write_new(const char *path, struct mu_slice bytes, const struct form *form)
{
    __attribute__((cleanup(fd_auto))) int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, form->mode & 0600);
    return fd != -1 && (form->owner == (uid_t)-1 || fchown(fd, form->owner, form->group) == 0) &&
           fchmod(fd, form->mode) == 0 && mu_fd_write(fd, bytes.data, bytes.len) && fsync(fd) == 0;
}

/* Both writers make the whole file under a name of its own first; they differ in how the name
 * becomes the wanted one: rename replaces, link refuses. */
static bool write_aside(const char *path, struct mu_slice bytes, const struct form *form,
                        bool replace, struct mutual_error *err)
{
    uint32_t salt;
    if (!mu_random(&salt, sizeof salt, err)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, 4096);
    mu_buf_printf(&name, "%s.%08x.new", path, salt);
    if (name.failed) {
        return fail_write(err, ENAMETOOLONG, path);
    }
    const char *aside = mu_buf_str(&name);
    bool done = write_new(aside, bytes, form);
    int sys = errno;
    if (done) {
        done = (replace ? rename(aside, path) : link(aside, path)) == 0;
        sys = errno;
    }
    if (!done || !replace) {
        (void)unlink(aside);
    }
    if (!done) {
        return fail_write(err, sys, path);
    }
    return sync_directory(path) ? true : fail_write(err, errno, path);
}

/* A device, a pipe or a socket: /dev/null must not become a file because root wrote to it. */
static bool is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

static bool write_through(const char *path, struct mu_slice bytes, struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return (fd != -1 && mu_fd_write(fd, bytes.data, bytes.len)) || fail_write(err, errno, path);
}

static struct form form_of(mode_t mode)
{
    return (struct form){mode, (uid_t)-1, (gid_t)-1};
}

bool mu_file_write(const char *path, struct mu_slice bytes, mode_t mode, struct mutual_error *err)
{
    const struct form form = form_of(mode);
    return is_special(path) ? write_through(path, bytes, err)
                            : write_aside(path, bytes, &form, true, err);
}

/* "BASE.0123abcd.new", as write_aside names them. */
static bool is_stray(const char *name, const char *base)
{
    size_t len = strlen(base);
    return strncmp(name, base, len) == 0 && name[len] == '.' && strlen(name + len) == 13 &&
           strspn(name + len + 1, "0123456789abcdef") == 8 && strcmp(name + len + 9, ".new") == 0;
}

void mu_file_clear_strays(const char *path)
{
    const char *slash = strrchr(path, '/');
    MU_AUTO(free)
    char *directory = slash == NULL   ? mu_strdup(".")
                      : slash == path ? mu_strdup("/")
                                      : mu_strndup(path, (size_t)(slash - path));
    DIR *open = directory == NULL ? NULL : opendir(directory);
    for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) {
        if (is_stray(entry->d_name, slash == NULL ? path : slash + 1)) {
            (void)unlinkat(dirfd(open), entry->d_name, 0);
        }
    }
    if (open != NULL) {
        (void)closedir(open);
    }
}

bool mu_file_create(const char *path, struct mu_slice bytes, mode_t mode, struct mutual_error *err)
{
    const struct form form = form_of(mode);
    return write_aside(path, bytes, &form, false, err);
}

/* ---- changing ----------------------------------------------------------------------------------
 */

enum { LOCK_WAIT_MS = 5000, LOCK_STEP_MS = 20 };

/* A file of its own, which nobody but its owner can open: whoever may read the other one must not
 * be able to hold up those who change it. */
static bool lock_beside(const char *path, int *ret_fd, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, PATH_MAX + 8);
    mu_buf_printf(&name, "%s.lock", path);
    const char *lock = mu_buf_str(&name);
    __attribute__((cleanup(fd_auto))) int fd =
        open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd == -1) {
        return fail_write(err, errno, lock);
    }
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) == -1; waited += LOCK_STEP_MS) {
        const struct timespec step = {0, LOCK_STEP_MS * (long)MU_NS_PER_MS};
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail_write(err, errno, lock);
        }
        if (waited >= LOCK_WAIT_MS) {
            return mu_fail(err, MUTUAL_E_FILE_BUSY, "another process holds the lock \"%s\"", lock);
        }
        (void)nanosleep(&step, NULL);
    }
    *ret_fd = fd;
    fd = -1;
    return true;
}

static bool change(const char *path, size_t max, mode_t mode, mu_file_edit *edit, void *context,
                   struct mutual_error *err)
{
    struct stat info;
    struct form form = form_of(mode);
    MU_AUTO(buf) struct mu_buf old = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, max);
    if (stat(path, &info) == 0) {
        form = (struct form){info.st_mode & 07777u, info.st_uid, info.st_gid};
        if (!mu_file_read(path, max, &old, err)) {
            return false;
        }
    } else if (errno != ENOENT) {
        return fail_read(err, errno, path);
    }
    if (!edit(context, mu_buf_slice(&old), &text, err)) {
        return false;
    }
    if (text.failed) {
        return mu_fail(err, MUTUAL_E_FILE_TOO_LARGE,
                       "file \"%s\" would be larger than the limit of %zu bytes", path, max);
    }
    return write_aside(path, mu_buf_slice(&text), &form, true, err);
}

bool mu_file_change(const char *path, size_t max, mode_t mode, mu_file_edit *edit, void *context,
                    struct mutual_error *err)
{
    char whole[PATH_MAX];
    __attribute__((cleanup(fd_auto))) int lock = -1;
    if (realpath(path, whole) == NULL) {
        if (errno != ENOENT || strlen(path) >= sizeof whole) {
            return fail_read(err, errno, path);
        }
        memcpy(whole, path, strlen(path) + 1);
    }
    if (!lock_beside(whole, &lock, err)) {
        return false;
    }
    mu_file_clear_strays(whole); /* of commands that were killed */
    return change(whole, max, mode, edit, context, err);
}
