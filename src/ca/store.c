/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an authority's store is, and taking it elsewhere. It is the file ca.db in the authority's
 * directory, unless the file "store" there holds an address; that file is what a move changes, at
 * once and last.
 */
#include "ca/ca_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WHERE_BYTES_MAX = 8192 };

static char *part_of(const char *dir, const char *part)
{
    return ca_text("%s/" CA_PART "/%s", dir, part);
}

bool ca_store_where(const char *dir, char **ret_where, struct mutual_error *err)
{
    MU_AUTO(free) char *pointer = part_of(dir, CA_PART_WHERE);
    MU_AUTO(buf) struct mu_buf text;
    struct mutual_error why = {0};
    mu_buf_init(&text, WHERE_BYTES_MAX);
    if (pointer == NULL) {
        return mu_fail_memory(err);
    }
    if (!mu_file_read(pointer, WHERE_BYTES_MAX - 1, &text, &why)) {
        if (why.code != MUTUAL_E_FILE_MISSING) {
            if (err != NULL) {
                *err = why;
            }
            return false;
        }
        *ret_where = part_of(dir, CA_PART_STORE);
        return *ret_where != NULL ? true : mu_fail_memory(err);
    }
    const char *line = mu_buf_str(&text);
    size_t len = strcspn(line, "\n");
    if (len == 0 || strlen(line) > len + 1 || strlen(line) != text.len) {
        return mu_fail(err, MUTUAL_E_STORE_CORRUPT,
                       "\"%s\" does not hold the address of a store on one line", pointer);
    }
    *ret_where = mu_strndup(line, len);
    return *ret_where != NULL ? true : mu_fail_memory(err);
}

bool ca_store_point(const char *part_dir, const char *where, struct mutual_error *err)
{
    MU_AUTO(free) char *pointer = ca_text("%s/" CA_PART_WHERE, part_dir);
    MU_AUTO(buf) struct mu_buf line;
    mu_buf_init(&line, WHERE_BYTES_MAX);
    mu_buf_printf(&line, "%s\n", where);
    if (pointer == NULL || line.failed) {
        return mu_fail_memory(err);
    }
    return mu_file_write(pointer, mu_buf_slice(&line), 0600, err);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static bool has_scheme(const char *where)
{
    return strstr(where, "://") != NULL;
}

/* From here on the old file is only a memory, under a name by which nothing finds it. */
static bool put_old_file_away(const struct ca *ca, struct mutual_error *err)
{
    static const char *const tails[] = {"-wal", "-shm"};
    MU_AUTO(free) char *file = part_of(ca->dir, CA_PART_STORE);
    MU_AUTO(free) char *away = part_of(ca->dir, CA_PART_STORE ".moved");
    if (file == NULL || away == NULL) {
        return mu_fail_memory(err);
    }
    if (rename(file, away) == -1 && errno != ENOENT) {
        return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not rename \"%s\"", file);
    }
    for (size_t i = 0; i < MU_COUNT(tails); i++) {
        MU_AUTO(free) char *from = ca_text("%s%s", file, tails[i]);
        MU_AUTO(free) char *to = ca_text("%s%s", away, tails[i]);
        if (from != NULL && to != NULL) {
            (void)rename(from, to);
        }
    }
    return true;
}

bool ca_store_move(struct ca *ca, const char *where, struct inventory_copied *ret_copied,
                   struct mutual_error *err)
{
    MU_AUTO(inventory) struct inventory *to = NULL;
    MU_AUTO(free) char *part = ca_text("%s/" CA_PART, ca->dir);
    if (part == NULL) {
        return mu_fail_memory(err);
    }
    if (!has_scheme(where)) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%s\" is not the address of a database server",
                       where) ||
               mu_error_hint(err, "Write postgres://USER@HOST/DATABASE.");
    }
    return inventory_open(where, STORE_CREATE, STORE_WAIT_MS, &to, err) &&
           inventory_copy(ca->inventory, to, ret_copied, err) && ca_store_point(part, where, err) &&
           put_old_file_away(ca, err) && ca_sync_directory(part, err);
}

bool ca_store_backup(struct ca *ca, const char *path, struct inventory_copied *ret_copied,
                     struct mutual_error *err)
{
    MU_AUTO(inventory) struct inventory *to = NULL;
    if (access(path, F_OK) == 0) {
        return mu_fail(err, MUTUAL_E_FILE_EXISTS, "\"%s\" exists already", path);
    }
    MU_AUTO(free) char *where = ca_text("sqlite:%s", path);
    if (where == NULL) {
        return mu_fail_memory(err);
    }
    return inventory_open(where, STORE_CREATE, STORE_WAIT_MS, &to, err) &&
           inventory_copy(ca->inventory, to, ret_copied, err);
}

/* What was noted belongs to the store that was lost. */
static bool forget_head(const char *dir, struct mutual_error *err)
{
    MU_AUTO(free) char *head = part_of(dir, CA_PART_HEAD);
    if (head == NULL) {
        return mu_fail_memory(err);
    }
    return unlink(head) == 0 || errno == ENOENT ||
           mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not remove \"%s\"", head);
}

bool ca_store_restore(const char *dir, const char *path, struct inventory_copied *ret_copied,
                      struct mutual_error *err)
{
    MU_AUTO(inventory) struct inventory *from = NULL;
    MU_AUTO(inventory) struct inventory *to = NULL;
    MU_AUTO(free) char *source = ca_text("sqlite:%s", path);
    MU_AUTO(free) char *where = NULL;
    if (source == NULL) {
        return mu_fail_memory(err);
    }
    return ca_store_where(dir, &where, err) &&
           inventory_open(source, STORE_READ, STORE_WAIT_MS, &from, err) &&
           inventory_open(where, STORE_CREATE, STORE_WAIT_MS, &to, err) &&
           store_lock(inventory_store(to), err) && inventory_copy(from, to, ret_copied, err) &&
           forget_head(dir, err);
}
