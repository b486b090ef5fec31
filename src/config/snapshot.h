/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for snapshots; included by config.h.
 */
#ifndef CONFIG_SNAPSHOT_H
#define CONFIG_SNAPSHOT_H

struct config_snapshot;
struct config_snapshot *config_snapshot_new(void); /* NULL: out of memory */
void config_snapshot_free(struct config_snapshot *snapshot);
void mu_config_snapshot_auto(struct config_snapshot **snapshot); /* for MU_AUTO(config_snapshot) */
/* Adds a copy of the bytes under a name; a name is a path as the configuration resolves it. Adding
 * a name again changes nothing. Fails with LIMIT or NO_MEMORY. */
bool config_snapshot_add(struct config_snapshot *snapshot, const char *name, struct mu_slice bytes,
                         struct mutual_error *err);
/* The same without a copy; on success the buffer is empty. */
bool config_snapshot_take(struct config_snapshot *snapshot, const char *name,
                          struct mu_buf *take_bytes, struct mutual_error *err);
/* The bytes of that name, borrowed from the snapshot; false when there are none. */
bool config_snapshot_find(const struct config_snapshot *snapshot, const char *name,
                          struct mu_slice *ret_bytes);
size_t config_snapshot_count(const struct config_snapshot *snapshot);
const char *config_snapshot_name(const struct config_snapshot *snapshot, size_t index);
struct mu_slice config_snapshot_bytes(const struct config_snapshot *snapshot, size_t index);
/* The main file: what was added first. NULL when the snapshot is empty. */
const char *config_snapshot_main(const struct config_snapshot *snapshot);

/* Files of revocation lists may be large, and once they are verified (world_lists) nobody needs
 * them: said of one by the loader; is there any; empties them all; are b's files, whole, those that
 * `a` was made of, lists that were let go included? */
void config_snapshot_set_list(struct config_snapshot *snapshot, const char *name, bool list);
bool config_snapshot_has_lists(const struct config_snapshot *snapshot);
bool config_snapshot_let_lists_go(struct config_snapshot *snapshot, struct mutual_error *err);
bool config_snapshot_is_same(const struct config_snapshot *a, const struct config_snapshot *b);

/* As bytes for another process. A parsed snapshot borrows from the bytes, which must outlive it.
 * parse fails with MESSAGE_MALFORMED, whatever it is given. */
bool config_snapshot_write(const struct config_snapshot *snapshot, int fd,
                           struct mutual_error *err);
bool config_snapshot_parse(struct mu_slice bytes, struct config_snapshot **ret_snapshot,
                           struct mutual_error *err);
/* A sealed memfd that holds the snapshot, to be sent and closed by the caller; and the receiving
 * side, which maps it (the descriptor may be closed afterwards) and refuses one that is not
 * sealed, because its sender could change it under our hands. */
bool config_snapshot_export(const struct config_snapshot *snapshot, int *ret_fd,
                            struct mutual_error *err);
bool config_snapshot_import(int fd, struct config_snapshot **ret_snapshot,
                            struct mutual_error *err);

#endif
