/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages around a child's beginning: START, READY, LINK; and whom it becomes.
 */
#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "process/process_internal.h"

enum { START_DROP = 1u << 0, START_UNSAFE = 1u << 1 };

void process_start_write(struct mu_buf *buf, const struct process_start *start)
{
    ipc_put_u32(buf, (uint32_t)start->party);
    ipc_put_u32(buf, start->index);
    ipc_put_u64(buf, (uint64_t)start->parent);
    ipc_put_u32(buf,
                (start->drop ? START_DROP : 0u) | (start->unsafe_no_sandbox ? START_UNSAFE : 0u));
    ipc_put_u32(buf, start->uid);
    ipc_put_u32(buf, start->gid);
    ipc_put_u64(buf, start->nofile);
    ipc_put_bytes(buf, start->setup);
}

bool process_start_read(struct mu_slice payload, struct process_start *ret_start,
                        struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(payload);
    struct process_start start = {.party = (enum ipc_party)ipc_get_u32(&reader)};
    start.index = ipc_get_u32(&reader);
    start.parent = (pid_t)ipc_get_u64(&reader);
    uint32_t flags = ipc_get_u32(&reader);
    start.drop = (flags & START_DROP) != 0;
    start.unsafe_no_sandbox = (flags & START_UNSAFE) != 0;
    start.uid = ipc_get_u32(&reader);
    start.gid = ipc_get_u32(&reader);
    start.nofile = ipc_get_u64(&reader);
    start.setup = ipc_get_bytes(&reader, IPC_LARGE);
    if (!ipc_reader_end(&reader, "START", err)) {
        return false;
    }
    *ret_start = start;
    return true;
}

#define READY_VERSION 1u

void process_ready_write(struct mu_buf *buf, const struct sandbox_state *state)
{
    ipc_put_u32(buf, READY_VERSION);
    ipc_put_u32(buf, state->holds);
    ipc_put_u32(buf, state->landlock_abi);
}

bool process_ready_read(const struct ipc_message *message, struct sandbox_state *ret_state,
                        struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t version = ipc_get_u32(&reader);
    struct sandbox_state state = {.holds = ipc_get_u32(&reader)};
    state.landlock_abi = ipc_get_u32(&reader);
    if (!ipc_reader_end(&reader, "READY", err)) {
        return false;
    }
    if (message->type != IPC_MSG_READY || version != READY_VERSION) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "READY was expected, %s came",
                       ipc_type_name(message->type));
    }
    *ret_state = state;
    return true;
}

bool process_link_read(struct ipc_message *message, enum ipc_party *ret_peer, uint32_t *ret_index,
                       int *ret_fd, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t party = ipc_get_u32(&reader);
    uint32_t index = ipc_get_u32(&reader);
    if (!ipc_reader_end(&reader, "LINK", err)) {
        return false;
    }
    int fd = ipc_message_take_fd(message, 0);
    if (fd == -1) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "LINK has no descriptor");
    }
    *ret_peer = (enum ipc_party)party;
    *ret_index = index;
    *ret_fd = fd;
    return true;
}

bool process_user_find(const char *user, bool *ret_drop, uid_t *ret_uid, gid_t *ret_gid,
                       struct mutual_error *err)
{
    if (geteuid() != 0) {
        *ret_drop = false;
        return true;
    }
    errno = 0;
    const struct passwd *entry = getpwnam(user != NULL ? user : "mutual");
    if (entry == NULL && user == NULL) {
        entry = getpwnam("nobody");
    }
    if (entry == NULL) {
        (void)mu_fail_errno(err, MUTUAL_E_NOT_FOUND, errno, "there is no user \"%s\"",
                            user != NULL ? user : "mutual");
        return mu_error_hint(err, "Make the user, or name one that exists.");
    }
    if (entry->pw_uid == 0 || entry->pw_gid == 0) {
        (void)mu_fail(err, MUTUAL_E_CONFIG_UNSAFE, "user \"%s\" is root", entry->pw_name);
        return mu_error_hint(err, "Name a user without privileges, such as nobody.");
    }
    *ret_drop = true;
    *ret_uid = entry->pw_uid;
    *ret_gid = entry->pw_gid;
    return true;
}
