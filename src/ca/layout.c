/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories: made, built aside, put in place at once, cleared away.
 */
#include "ca/ca_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fd_auto(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
    }
}

static bool fail_path(struct mutual_error *err, const char *what, const char *path)
{
    int sys = errno;
    enum mutual_code code = sys == ENOSPC || sys == EDQUOT      ? MUTUAL_E_DISK_FULL
                            : sys == EEXIST || sys == ENOTEMPTY ? MUTUAL_E_FILE_EXISTS
                                                                : MUTUAL_E_FILE_UNWRITABLE;
    return mu_fail_errno(err, code, sys, "could not %s directory \"%s\"", what, path);
}

char *ca_text(const char *format, ...)
{
    char text[4096 + 512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return len < 0 || (size_t)len >= sizeof text ? NULL : mu_strdup(text);
}

const char *ca_machine(void)
{
    static char name[128];
    if (name[0] == '\0' && (gethostname(name, sizeof name - 1) == -1 || name[0] == '\0')) {
        (void)snprintf(name, sizeof name, "localhost");
    }
    return name;
}

bool ca_make_directory(const char *path, mode_t mode, struct mutual_error *err)
{
    if (mkdir(path, mode) == -1 || chmod(path, mode) == -1) {
        return fail_path(err, "make", path);
    }
    return true;
}

bool ca_make_directories(const char *path, mode_t mode, struct mutual_error *err)
{
    MU_AUTO(free) char *part = mu_strdup(path);
    if (part == NULL) {
        return mu_fail_memory(err);
    }
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char kept = *p;
        *p = '\0';
        if (mkdir(part, mode) == -1 && errno != EEXIST) {
            return fail_path(err, "make", part);
        }
        *p = kept;
        if (kept == '\0') {
            break;
        }
    }
    struct stat info;
    if (stat(path, &info) == -1 || !S_ISDIR(info.st_mode)) {
        errno = ENOTDIR;
        return fail_path(err, "make", path);
    }
    return true;
}

bool ca_write_file(const char *directory, const char *name, const struct mu_buf *text, mode_t mode,
                   struct mutual_error *err)
{
    MU_AUTO(free) char *path = ca_text("%s/%s", directory, name);
    return path != NULL && !text->failed ? mu_file_write(path, mu_buf_slice(text), mode, err)
                                         : mu_fail_memory(err);
}

bool ca_sync_directory(const char *path, struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd != -1 && fsync(fd) == 0 ? true : fail_path(err, "sync", path);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void remove_entries(int parent, const char *name, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1) {
        return;
    }
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        (void)close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (is_dots(entry->d_name)) {
            continue;
        }
        if (unlinkat(fd, entry->d_name, 0) == -1 && errno == EISDIR && depth > 0) {
            remove_entries(fd, entry->d_name, depth - 1);
        }
    }
    (void)closedir(directory);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

void ca_remove_aside(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash[1] != '.' || is_dots(slash + 1)) {
        return; /* never anything that was not built aside */
    }
    remove_entries(AT_FDCWD, path, 2);
}

char *ca_aside_name(const char *path, struct mutual_error *err)
{
    uint64_t salt;
    if (!mu_random(&salt, sizeof salt, err)) {
        return NULL;
    }
    const char *slash = strrchr(path, '/');
    mu_assert(slash != NULL);
    char *aside = ca_text("%.*s/.%s.%016llx.new", (int)(slash - path), path, slash + 1,
                          (unsigned long long)salt);
    if (aside == NULL) {
        (void)mu_fail_memory(err);
    }
    return aside;
}

/* ---- into place ------------------------------------------------------------------------------ */

static bool is_ours(const char *name)
{
    static const char *const files[] = {"tls.crt", "tls.key", "ca.crt", "enroll.json"};
    for (size_t i = 0; i < MU_COUNT(files); i++) {
        if (strcmp(name, files[i]) == 0) {
            return true;
        }
    }
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".p12") == 0;
}

void ca_clear_strays(const char *aside)
{
    DIR *directory = opendir(aside);
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (!is_dots(entry->d_name) && !is_ours(entry->d_name)) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    (void)closedir(directory);
}

/* What somebody else put there would be lost. */
static bool check_only_ours(const char *path, struct mutual_error *err)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return fail_path(err, "read", path);
    }
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(directory)) != NULL;) {
        good = is_dots(entry->d_name) || is_ours(entry->d_name);
        if (!good) {
            (void)mu_fail(err, MUTUAL_E_FILE_EXISTS,
                          "directory \"%s\" holds \"%s\", which is not ours to replace", path,
                          entry->d_name);
        }
    }
    (void)closedir(directory);
    return good;
}

/* Where the file system cannot exchange, the old directory steps aside first: for a moment there is
 * none, but never a mixed one. */
static bool exchange(const char *aside, const char *path)
{
    if (renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    MU_AUTO(free) char *old = ca_text("%s.old", aside);
    return old != NULL && rename(path, old) == 0 && rename(aside, path) == 0 &&
           rename(old, aside) == 0;
}

bool ca_put_in_place(const char *aside, const char *path, bool replace, struct mutual_error *err)
{
    struct stat info;
    bool there = lstat(path, &info) == 0;
    if (there && !replace) {
        errno = EEXIST;
        return fail_path(err, "make", path);
    }
    if (there && !check_only_ours(path, err)) {
        return false;
    }
    bool done = there ? exchange(aside, path)
                      : renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ||
                            (errno == EINVAL && rename(aside, path) == 0);
    if (!done) {
        return fail_path(err, "put into place", path);
    }
    MU_AUTO(free) char *parent = mu_strndup(path, (size_t)(strrchr(path, '/') - path));
    if (parent == NULL) {
        return mu_fail_memory(err);
    }
    return ca_sync_directory(parent[0] == '\0' ? "/" : parent, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

bool ca_read_certificate(const char *path, struct mu_cert **ret_cert, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    if (!mu_file_read(path, MU_LIMIT_PEM_BYTES, &text, err)) {
        return false;
    }
    /* DER begins with the tag of a SEQUENCE, which no PEM text does. */
    if (text.len > 0 && text.data[0] == 0x30) {
        return mu_cert_from_der(mu_buf_slice(&text), ret_cert, err);
    }
    if (!mu_certs_from_pem(mu_buf_slice(&text), path, &certs, err)) {
        return false;
    }
    *ret_cert = mu_cert_ref(certs.items[0]);
    return true;
}

bool ca_delivered_fingerprint(const char *path, uint8_t ret_fingerprint[32])
{
    MU_AUTO(free) char *file = ca_text("%s/tls.crt", path);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    if (file == NULL || !ca_read_certificate(file, &cert, NULL)) {
        return false;
    }
    memcpy(ret_fingerprint, mu_cert_facts(cert)->fingerprint, 32);
    return true;
}
