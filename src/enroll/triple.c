/* SPDX-License-Identifier: Apache-2.0
 *
 * The three files of a certificate: read as they belong together, written aside, exchanged.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca/ca.h"
#include "enroll/enroll_internal.h"

static const char *const files[] = {"tls.crt", "tls.key", "ca.crt"};
enum { CHAIN, KEY, ROOTS, FILES };

void enroll_triple_done(struct enroll_triple *triple)
{
    mu_certs_done(&triple->chain);
    mu_certs_done(&triple->roots);
    mu_key_unref(MU_TAKE(triple->key));
}

void mu_enroll_triple_auto(struct enroll_triple *triple)
{
    enroll_triple_done(triple);
}

struct enroll_life enroll_triple_life(const struct enroll_triple *triple)
{
    const struct mu_cert_facts *leaf = mu_cert_facts(triple->chain.items[0]);
    struct enroll_life life = {.from_s = leaf->not_before_s, .until_s = leaf->not_after_s};
    memcpy(life.salt, leaf->fingerprint, sizeof life.salt);
    return life;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static bool check_private(int fd, const char *name, struct mutual_error *err)
{
    struct stat info;
    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        return mu_fail(err, MUTUAL_E_FILE_UNREADABLE, "\"%s\" is not a regular file", name);
    }
    return (info.st_mode & 077) == 0 ||
           mu_fail(err, MUTUAL_E_FILE_EXPOSED,
                   "private key \"%s\" has mode %04o: others than its owner may use it", name,
                   (unsigned)(info.st_mode & 07777));
}

/* From the open directory, which stays the same one whatever becomes of its name. */
static bool read_one(int directory, const char *name, int which, struct mu_buf *text,
                     struct mutual_error *err)
{
    int fd = openat(directory, files[which], O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd == -1) {
        return mu_fail_errno(err,
                             errno == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_FILE_UNREADABLE,
                             errno, "could not open \"%s/%s\"", name, files[which]);
    }
    bool ok = (which != KEY || check_private(fd, files[which], err)) &&
              mu_fd_read(fd, files[which], which == KEY ? MU_LIMIT_KEY_BYTES : MU_LIMIT_PEM_BYTES,
                         text, err);
    (void)close(fd);
    return ok;
}

static bool parse(struct mu_buf texts[FILES], struct enroll_triple *triple,
                  struct mutual_error *err)
{
    return mu_certs_from_pem(mu_buf_slice(&texts[CHAIN]), files[CHAIN], &triple->chain, err) &&
           mu_certs_from_pem(mu_buf_slice(&texts[ROOTS]), files[ROOTS], &triple->roots, err) &&
           mu_key_from_pem(mu_buf_slice(&texts[KEY]), files[KEY], NULL, &triple->key, err) &&
           mu_key_matches(triple->key, triple->chain.items[0], err);
}

bool enroll_triple_load(const char *directory, struct enroll_triple *ret_triple,
                        struct mutual_error *err)
{
    struct mu_buf texts[FILES] = {0};
    struct enroll_triple triple = {0};
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_FILE_MISSING, errno, "could not open directory \"%s\"",
                             directory);
    }
    bool ok = true;
    for (int i = 0; i < FILES && ok; i++) {
        ok = read_one(fd, directory, i, &texts[i], err);
    }
    (void)close(fd);
    ok = ok && parse(texts, &triple, err);
    mu_wipe(texts[KEY].data, texts[KEY].len);
    for (int i = 0; i < FILES; i++) {
        mu_buf_done(&texts[i]);
    }
    if (!ok) {
        enroll_triple_done(&triple);
        return mu_error_context(err, "directory \"%s\"", directory);
    }
    *ret_triple = triple;
    return true;
}

/* ---- writing aside -----------------------------------------------------------------------------
 */

static char *join(const char *directory, const char *name)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8192);
    return mu_buf_printf(&text, "%s/%s", directory, name) ? mu_strdup(mu_buf_str(&text)) : NULL;
}

static bool put_text(const struct enroll_triple *triple, int which, struct mu_buf *out,
                     struct mutual_error *err)
{
    const struct mu_certs *certs = which == CHAIN ? &triple->chain : &triple->roots;
    mu_buf_init(out, 1u << 20);
    if (which == KEY) {
        return mu_key_to_pem(triple->key, NULL, out, err);
    }
    for (size_t i = 0; i < certs->count; i++) {
        mu_cert_to_pem(certs->items[i], out);
    }
    return !out->failed || mu_fail_memory(err);
}

/* As what it replaces, as far as we may. */
static bool take_after(const char *old, const char *fresh, mode_t mask, struct mutual_error *err)
{
    struct stat info;
    if (stat(old, &info) == -1) {
        return true;
    }
    return (geteuid() != 0 || lchown(fresh, info.st_uid, info.st_gid) == 0) &&
                   chmod(fresh, info.st_mode & mask) == 0
               ? true
               : mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno,
                               "could not give \"%s\" the owner and mode of \"%s\"", fresh, old);
}

static bool write_one(const struct enroll_swap *swap, const struct enroll_triple *triple, int which,
                      struct mutual_error *err)
{
    struct mu_buf text = {0};
    MU_AUTO(free) char *old = join(swap->path, files[which]);
    MU_AUTO(free) char *fresh = join(swap->aside, files[which]);
    bool ok =
        old != NULL && fresh != NULL ? put_text(triple, which, &text, err) : mu_fail_memory(err);
    ok = ok && mu_file_write(fresh, mu_buf_slice(&text), which == KEY ? 0600 : 0644, err) &&
         take_after(old, fresh, which == KEY ? 0700 : 0755, err);
    mu_wipe(text.data, text.len);
    mu_buf_done(&text);
    return ok;
}

/* Where to renew stays with what is renewed. */
static bool carry_along(const struct enroll_swap *swap, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(free) char *old = join(swap->path, ENROLL_SETTINGS);
    MU_AUTO(free) char *fresh = join(swap->aside, ENROLL_SETTINGS);
    struct mutual_error why = {0};
    if (old == NULL || fresh == NULL) {
        return mu_fail_memory(err);
    }
    if (!mu_file_read(old, ENROLL_SETTINGS_MAX, &text, &why)) {
        *err = why.code == MUTUAL_E_FILE_MISSING ? *err : why;
        return why.code == MUTUAL_E_FILE_MISSING;
    }
    return mu_file_write(fresh, mu_buf_slice(&text), 0644, err) &&
           take_after(old, fresh, 0755, err);
}

char *enroll_real_path(const char *path)
{
    char real[PATH_MAX];
    return realpath(path, real) == NULL ? NULL : mu_strdup(real);
}

bool enroll_swap_prepare(struct enroll_swap *swap, const char *directory,
                         const struct enroll_triple *triple, struct mutual_error *err)
{
    *swap = (struct enroll_swap){.path = enroll_real_path(directory)};
    if (swap->path == NULL) {
        return mu_fail_errno(err, MUTUAL_E_FILE_MISSING, errno, "could not find directory \"%s\"",
                             directory);
    }
    swap->aside = ca_aside_name(swap->path, err);
    bool ok = swap->aside != NULL && ca_make_directory(swap->aside, 0700, err);
    for (int i = 0; i < FILES && ok; i++) {
        ok = write_one(swap, triple, i, err);
    }
    ok = ok && carry_along(swap, err) && take_after(swap->path, swap->aside, 07777, err);
    if (!ok) {
        enroll_swap_done(swap);
    }
    return ok;
}

/* ---- exchanging --------------------------------------------------------------------------------
 */

bool enroll_swap_do(struct enroll_swap *swap, struct mutual_error *err)
{
    mu_assert(!swap->swapped);
    swap->swapped = ca_put_in_place(swap->aside, swap->path, true, err);
    return swap->swapped;
}

bool enroll_swap_undo(struct enroll_swap *swap, struct mutual_error *err)
{
    mu_assert(swap->swapped);
    swap->swapped = !ca_put_in_place(swap->aside, swap->path, true, err);
    return !swap->swapped;
}

void enroll_swap_done(struct enroll_swap *swap)
{
    if (swap->aside != NULL) {
        ca_remove_aside(swap->aside);
    }
    mu_free(swap->aside);
    mu_free(swap->path);
    *swap = (struct enroll_swap){0};
}

/* Is it a name that ca_aside_name makes for this directory? ".NAME.", 16 digits, ".new" */
static bool is_aside(const char *name, const char *of)
{
    size_t len = strlen(of);
    return name[0] == '.' && strncmp(name + 1, of, len) == 0 && name[1 + len] == '.' &&
           strspn(name + 2 + len, "0123456789abcdef") == 16 &&
           strcmp(name + 2 + len + 16, ".new") == 0;
}

void enroll_swap_recover(const char *directory)
{
    MU_AUTO(free) char *path = enroll_real_path(directory);
    char *slash = path == NULL ? NULL : strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return;
    }
    *slash = '\0';
    DIR *parent = opendir(path);
    for (struct dirent *entry; parent != NULL && (entry = readdir(parent)) != NULL;) {
        MU_AUTO(free)
        char *aside = is_aside(entry->d_name, slash + 1) ? join(path, entry->d_name) : NULL;
        if (aside != NULL) {
            ca_remove_aside(aside);
        }
    }
    if (parent != NULL) {
        (void)closedir(parent);
    }
}
