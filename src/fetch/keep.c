/* SPDX-License-Identifier: Apache-2.0
 *
 * What was fetched, on disk: the bytes as they came, and beside them what is known of them. The
 * bytes are replaced first; a note that belongs to others is not believed, and all that costs is
 * one more answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/fetch_internal.h"
#include "x509/x509.h"

enum { META_MAX = 4096, HASH_HEX = 64 };

static bool hash_hex(struct mu_slice bytes, char text[HASH_HEX + 1])
{
    uint8_t digest[32];
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, HASH_HEX + 1);
    if (!mu_sha256(bytes, digest, NULL)) {
        return false;
    }
    mu_hex(&hex, mu_slice_of(digest, sizeof digest));
    (void)snprintf(text, HASH_HEX + 1, "%s", mu_buf_str(&hex));
    return !hex.failed;
}

/* ---- the note ----------------------------------------------------------------------------------
 */

static bool take_line(struct mu_slice *rest, struct mu_slice *ret_line)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    if (end == NULL) {
        return false;
    }
    *ret_line = mu_slice_of(rest->data, (size_t)(end - rest->data));
    *rest = mu_slice_of(end + 1, rest->len - ret_line->len - 1);
    return true;
}

static void take_text(struct mu_slice line, const char *name, char *text, size_t size)
{
    size_t len = strlen(name);
    if (line.len >= len && memcmp(line.data, name, len) == 0 && line.len - len < size) {
        memcpy(text, line.data + len, line.len - len);
        text[line.len - len] = '\0';
    }
}

static void take_time(struct mu_slice line, const char *name, int64_t *time_s)
{
    char text[24] = "";
    uint64_t value = 0;
    take_text(line, name, text, sizeof text);
    if (text[0] != '\0' && mu_text_uint(text, INT64_MAX, &value)) {
        *time_s = (int64_t)value;
    }
}

bool fetch_kept_load(const char *path, struct fetch_kept *ret_kept)
{
    MU_AUTO(buf) struct mu_buf bytes = {0};
    MU_AUTO(buf) struct mu_buf note = {0};
    MU_AUTO(buf) struct mu_buf name;
    struct fetch_kept kept = {0};
    char hash[HASH_HEX + 1];
    char noted[HASH_HEX + 1] = "";
    mu_buf_init(&name, 4096);
    (void)mu_buf_printf(&name, "%s.meta", path);
    if (!mu_file_read(path, MU_LIMIT_CRL_BYTES, &bytes, NULL) ||
        !hash_hex(mu_buf_slice(&bytes), hash) ||
        !mu_file_read(mu_buf_str(&name), META_MAX, &note, NULL)) {
        return false;
    }
    struct mu_slice rest = mu_buf_slice(&note);
    struct mu_slice line;
    while (take_line(&rest, &line)) {
        take_text(line, "sha256 ", noted, sizeof noted);
        take_text(line, "etag ", kept.etag, sizeof kept.etag);
        take_text(line, "modified ", kept.modified, sizeof kept.modified);
        take_time(line, "fetched ", &kept.fetched_s);
        take_time(line, "this-update ", &kept.this_update_s);
        take_time(line, "next-update ", &kept.next_update_s);
        take_time(line, "produced ", &kept.produced_s);
        take_text(line, "about ", kept.about, sizeof kept.about);
    }
    *ret_kept = kept;
    return strcmp(hash, noted) == 0;
}

static bool save_note(const char *path, struct mu_slice bytes, const struct fetch_kept *kept,
                      struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf note;
    MU_AUTO(buf) struct mu_buf name;
    char hash[HASH_HEX + 1];
    mu_buf_init(&note, META_MAX);
    mu_buf_init(&name, 4096);
    (void)mu_buf_printf(&name, "%s.meta", path);
    if (!hash_hex(bytes, hash)) {
        return mu_fail(err, MUTUAL_E_LIBRARY, "could not hash what was fetched");
    }
    (void)mu_buf_printf(&note,
                        "sha256 %s\netag %s\nmodified %s\nfetched %lld\nthis-update %lld\n"
                        "next-update %lld\nproduced %lld\nabout %s\n",
                        hash, kept->etag, kept->modified, (long long)kept->fetched_s,
                        (long long)kept->this_update_s, (long long)kept->next_update_s,
                        (long long)kept->produced_s, kept->about);
    return (!note.failed || mu_fail_memory(err)) &&
           mu_file_write(mu_buf_str(&name), mu_buf_slice(&note), 0640, err);
}

/* ---- the file ----------------------------------------------------------------------------------
 */

static bool make_directory(const char *path, struct mutual_error *err)
{
    char name[4096];
    (void)snprintf(name, sizeof name, "%s", path);
    for (char *slash = strchr(name + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(name, 0750) == -1 && errno != EEXIST) {
            return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno,
                                 "could not make the directory \"%s\"", name);
        }
        *slash = '/';
    }
    return true;
}

static bool is_same(const char *path, struct mu_slice bytes)
{
    MU_AUTO(buf) struct mu_buf before = {0};
    return mu_file_read(path, MU_LIMIT_CRL_BYTES, &before, NULL) &&
           mu_slice_equal(mu_buf_slice(&before), bytes);
}

bool fetch_kept_save(const char *path, int fd, const struct fetch_kept *kept, bool *ret_changed,
                     struct mutual_error *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat info;
    if (seals == -1 || (seals & FETCH_SEALS) != FETCH_SEALS || fstat(fd, &info) == -1 ||
        info.st_size <= 0 || info.st_size > (off_t)MU_LIMIT_CRL_BYTES) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "what was fetched is no sealed file");
    }
    size_t len = (size_t)info.st_size;
    void *mapping = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not map what was fetched");
    }
    struct mu_slice bytes = {mapping, len};
    bool same = is_same(path, bytes);
    bool done = make_directory(path, err) && (same || mu_file_write(path, bytes, 0640, err)) &&
                save_note(path, bytes, kept, err);
    *ret_changed = !same;
    (void)munmap(mapping, len);
    return done;
}
