/* SPDX-License-Identifier: Apache-2.0
 *
 * The snapshot: named byte strings, and their form between processes:
 * "MUSNAP01", u32 count, then per entry u32 name length, u64 byte length, name, bytes; big-endian.
 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        "MUSNAP01"
#define MAGIC_LEN    8u
#define HEAD_LEN     12u /* of the whole, and of each entry */
#define NAME_MAX_LEN 4096u
#define ENTRIES_MAX  65536u
#define SNAPSHOT_MAX (UINT64_C(1) << 30) /* four revocation lists of the greatest size */
#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct entry {
    char *name; /* owned */
    struct mu_slice bytes;
    bool owned;
    bool list;     /* only revocation lists are in it                   */
    size_t let_go; /* of a list that was let go: how long it was ...    */
    uint64_t hash; /* ... and what it hashed to                         */
};

struct config_snapshot {
    struct entry *entries;
    size_t count;
    size_t cap;
    struct mu_map *by_name;
    uint64_t total;
    uint8_t key[16]; /* for hashes of what was let go; random once there is one */
    void *mapping;   /* of an import */
    size_t mapping_len;
};

struct config_snapshot *config_snapshot_new(void)
{
    struct config_snapshot *snapshot = mu_alloc(1, sizeof *snapshot);
    if (snapshot != NULL) {
        snapshot->by_name = mu_map_new();
        if (snapshot->by_name == NULL) {
            mu_free(snapshot);
            return NULL;
        }
    }
    return snapshot;
}

static void free_bytes(struct entry *entry)
{
    if (entry->owned) {
        union {
            const uint8_t *borrowed;
            uint8_t *own;
        } bytes = {entry->bytes.data};
        mu_free(bytes.own);
    }
    entry->bytes = mu_slice_of(NULL, 0);
    entry->owned = false;
}

void config_snapshot_free(struct config_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    for (size_t i = 0; i < snapshot->count; i++) {
        mu_free(snapshot->entries[i].name);
        free_bytes(&snapshot->entries[i]);
    }
    if (snapshot->mapping != NULL) {
        (void)munmap(snapshot->mapping, snapshot->mapping_len);
    }
    mu_map_free(snapshot->by_name);
    mu_free(snapshot->entries);
    mu_free(snapshot);
}

void mu_config_snapshot_auto(struct config_snapshot **snapshot)
{
    config_snapshot_free(*snapshot);
}

/* The map's values are positions, from 1. */
static size_t position_of(const struct config_snapshot *snapshot, const char *name)
{
    return (size_t)(uintptr_t)mu_map_get(snapshot->by_name, mu_slice_text(name));
}

static bool append(struct config_snapshot *snapshot, struct mu_slice name, struct mu_slice bytes,
                   bool owned, struct mutual_error *err)
{
    if (snapshot->total + name.len + bytes.len > SNAPSHOT_MAX || name.len > NAME_MAX_LEN) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the configuration and its files exceed 1 GiB in all");
    }
    void *entries = snapshot->entries;
    bool grown =
        mu_grow(&entries, &snapshot->cap, snapshot->count, sizeof(struct entry), ENTRIES_MAX);
    snapshot->entries = entries;
    if (!grown) {
        return snapshot->count >= ENTRIES_MAX
                   ? mu_fail(err, MUTUAL_E_LIMIT, "the configuration refers to more than %u files",
                             ENTRIES_MAX)
                   : mu_fail_memory(err);
    }
    char *copy = mu_slice_dup(name);
    void *position = (void *)(uintptr_t)(snapshot->count + 1); /* as a number */
    if (copy == NULL || !mu_map_put(snapshot->by_name, name, position)) {
        mu_free(copy);
        return mu_fail_memory(err);
    }
    snapshot->entries[snapshot->count++] =
        (struct entry){.name = copy, .bytes = bytes, .owned = owned};
    snapshot->total += name.len + bytes.len;
    return true;
}

bool config_snapshot_add(struct config_snapshot *snapshot, const char *name, struct mu_slice bytes,
                         struct mutual_error *err)
{
    if (position_of(snapshot, name) != 0) {
        return true;
    }
    MU_AUTO(free) uint8_t *copy = mu_alloc(bytes.len + 1, 1);
    if (copy == NULL) {
        return mu_fail_memory(err);
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    if (!append(snapshot, mu_slice_text(name), mu_slice_of(copy, bytes.len), true, err)) {
        return false;
    }
    copy = NULL; /* the entry's now */
    return true;
}

bool config_snapshot_take(struct config_snapshot *snapshot, const char *name,
                          struct mu_buf *take_bytes, struct mutual_error *err)
{
    if (position_of(snapshot, name) != 0) {
        return true;
    }
    if (!append(snapshot, mu_slice_text(name), mu_buf_slice(take_bytes), true, err)) {
        return false;
    }
    mu_buf_init(take_bytes, 0); /* the entry's now */
    return true;
}

/* ---- revocation lists --------------------------------------------------------------------------
 */

void config_snapshot_set_list(struct config_snapshot *snapshot, const char *name, bool list)
{
    size_t position = position_of(snapshot, name);
    mu_assert(position != 0);
    snapshot->entries[position - 1].list = list;
}

bool config_snapshot_has_lists(const struct config_snapshot *snapshot)
{
    bool any = false;
    for (size_t i = 0; i < snapshot->count; i++) {
        any = any || snapshot->entries[i].list;
    }
    return any;
}

bool config_snapshot_let_lists_go(struct config_snapshot *snapshot, struct mutual_error *err)
{
    if (!mu_random(snapshot->key, sizeof snapshot->key, err)) {
        return false;
    }
    for (size_t i = 0; i < snapshot->count; i++) {
        struct entry *entry = &snapshot->entries[i];
        if (entry->list && entry->bytes.len > 0) {
            entry->let_go = entry->bytes.len;
            entry->hash = mu_siphash(snapshot->key, entry->bytes);
            free_bytes(entry);
        }
    }
    return true;
}

static bool same_entry(const struct config_snapshot *a, const struct entry *x,
                       const struct entry *y)
{
    if (strcmp(x->name, y->name) != 0) {
        return false;
    }
    return x->let_go > 0 ? x->let_go == y->bytes.len && x->hash == mu_siphash(a->key, y->bytes)
                         : mu_slice_equal(x->bytes, y->bytes);
}

bool config_snapshot_is_same(const struct config_snapshot *a, const struct config_snapshot *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; i < a->count && same; i++) {
        same = same_entry(a, &a->entries[i], &b->entries[i]);
    }
    return same;
}

bool config_snapshot_find(const struct config_snapshot *snapshot, const char *name,
                          struct mu_slice *ret_bytes)
{
    size_t position = position_of(snapshot, name);
    if (position == 0) {
        return false;
    }
    *ret_bytes = snapshot->entries[position - 1].bytes;
    return true;
}

size_t config_snapshot_count(const struct config_snapshot *snapshot)
{
    return snapshot->count;
}

const char *config_snapshot_name(const struct config_snapshot *snapshot, size_t index)
{
    mu_assert(index < snapshot->count);
    return snapshot->entries[index].name;
}

struct mu_slice config_snapshot_bytes(const struct config_snapshot *snapshot, size_t index)
{
    mu_assert(index < snapshot->count);
    return snapshot->entries[index].bytes;
}

const char *config_snapshot_main(const struct config_snapshot *snapshot)
{
    return snapshot->count > 0 ? snapshot->entries[0].name : NULL;
}

/* ---- between processes -------------------------------------------------------------------------
 */

bool config_snapshot_write(const struct config_snapshot *snapshot, int fd, struct mutual_error *err)
{
    uint8_t head[HEAD_LEN];
    memcpy(head, MAGIC, MAGIC_LEN);
    mu_put_be32(head + MAGIC_LEN, (uint32_t)snapshot->count);
    bool written = mu_fd_write(fd, head, sizeof head);
    for (size_t i = 0; written && i < snapshot->count; i++) {
        const struct entry *entry = &snapshot->entries[i];
        size_t name_len = strlen(entry->name);
        mu_put_be32(head, (uint32_t)name_len);
        mu_put_be64(head + 4, entry->bytes.len);
        written = mu_fd_write(fd, head, sizeof head) && mu_fd_write(fd, entry->name, name_len) &&
                  mu_fd_write(fd, entry->bytes.data, entry->bytes.len);
    }
    return written ? true
                   : mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno,
                                   "could not write the configuration's snapshot");
}

static bool fail_malformed(struct mutual_error *err, const char *why)
{
    return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "the configuration's snapshot %s", why);
}

static struct mu_slice cut(struct mu_slice *rest, size_t len)
{
    struct mu_slice piece = {rest->data, len};
    rest->data += len;
    rest->len -= len;
    return piece;
}

static bool parse_entry(struct config_snapshot *snapshot, struct mu_slice *rest,
                        struct mutual_error *err)
{
    if (rest->len < HEAD_LEN) {
        return fail_malformed(err, "is cut short");
    }
    struct mu_slice head = cut(rest, HEAD_LEN);
    uint32_t name_len = mu_get_be32(head.data);
    uint64_t bytes_len = mu_get_be64(head.data + 4);
    if (name_len > NAME_MAX_LEN || name_len > rest->len || bytes_len > rest->len - name_len) {
        return fail_malformed(err, "is cut short");
    }
    struct mu_slice name = cut(rest, name_len);
    struct mu_slice bytes = cut(rest, (size_t)bytes_len);
    if (name.len == 0 || memchr(name.data, '\0', name.len) != NULL) {
        return fail_malformed(err, "holds a name that is none");
    }
    if (mu_map_get(snapshot->by_name, name) != NULL) {
        return fail_malformed(err, "holds a name twice");
    }
    return append(snapshot, name, bytes, false, err);
}

bool config_snapshot_parse(struct mu_slice bytes, struct config_snapshot **ret_snapshot,
                           struct mutual_error *err)
{
    if (bytes.len < HEAD_LEN || memcmp(bytes.data, MAGIC, MAGIC_LEN) != 0) {
        return fail_malformed(err, "has no head");
    }
    uint32_t count = mu_get_be32(bytes.data + MAGIC_LEN);
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = config_snapshot_new();
    if (snapshot == NULL) {
        return mu_fail_memory(err);
    }
    (void)cut(&bytes, HEAD_LEN);
    for (uint32_t i = 0; i < count; i++) {
        if (!parse_entry(snapshot, &bytes, err)) {
            return false;
        }
    }
    if (bytes.len > 0) {
        return fail_malformed(err, "goes on behind its end");
    }
    *ret_snapshot = MU_TAKE(snapshot);
    return true;
}

static void fd_auto(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
    }
}

bool config_snapshot_export(const struct config_snapshot *snapshot, int *ret_fd,
                            struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int fd =
        memfd_create("mutual-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make a memory file");
    }
    if (!config_snapshot_write(snapshot, fd, err)) {
        return false;
    }
    if (fcntl(fd, F_ADD_SEALS, SEALS_NEEDED | F_SEAL_SEAL) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not seal a memory file");
    }
    *ret_fd = fd;
    fd = -1;
    return true;
}

bool config_snapshot_import(int fd, struct config_snapshot **ret_snapshot, struct mutual_error *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    off_t size = lseek(fd, 0, SEEK_END); /* a sandbox lets us seek, but not stat */
    if (seals == -1 || (seals & SEALS_NEEDED) != SEALS_NEEDED || size == -1) {
        return fail_malformed(err, "is no sealed memory file");
    }
    if (size < (off_t)HEAD_LEN || (uint64_t)size > 2 * SNAPSHOT_MAX) {
        return fail_malformed(err, "has a size that cannot be");
    }
    size_t len = (size_t)size;
    void *mapping = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not map the snapshot");
    }
    struct config_snapshot *snapshot = NULL;
    if (!config_snapshot_parse(mu_slice_of(mapping, len), &snapshot, err)) {
        (void)munmap(mapping, len);
        return false;
    }
    snapshot->mapping = mapping;
    snapshot->mapping_len = len;
    *ret_snapshot = snapshot;
    return true;
}
