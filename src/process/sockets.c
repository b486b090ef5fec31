/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets for backends: made by the parent in batches, since a worker may not make any, and only
 * connected by the worker.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/process_internal.h"

enum { UNREAD_MAX = 8 }; /* batches under way; there are three families */

static struct mu_slice sockets_payload(uint8_t bytes[6], int family, uint32_t count)
{
    mu_put_be16(bytes, (uint16_t)family);
    mu_put_be32(bytes + 2, count);
    return mu_slice_of(bytes, 6);
}

static bool read_payload(const struct ipc_message *message, int *ret_family, uint32_t *ret_count,
                         struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    int family = ipc_get_u16(&reader);
    uint32_t count = ipc_get_u32(&reader);
    if (!ipc_reader_end(&reader, ipc_type_name(message->type), err)) {
        return false;
    }
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "%s names address family %d",
                       ipc_type_name(message->type), family);
    }
    *ret_family = family;
    *ret_count = count;
    return true;
}

bool process_sockets_ask(struct ipc_channel *parent, int family, uint32_t count,
                         struct mutual_error *err)
{
    uint8_t bytes[6];
    return ipc_send(parent, IPC_MSG_SOCKETS_WANTED, sockets_payload(bytes, family, count), NULL, 0,
                    err);
}

bool process_sockets_read(const struct ipc_message *message, int *ret_family, uint32_t *ret_count,
                          struct mutual_error *err)
{
    int family;
    uint32_t count;
    if (!read_payload(message, &family, &count, err)) {
        return false;
    }
    if (count != message->fd_count) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "SOCKETS says %u and has %zu", count,
                       message->fd_count);
    }
    *ret_family = family;
    *ret_count = count;
    return true;
}

/* A worker asks for a batch of a family when it has read the last one. Who asks on without reading
 * gets none, or all descriptors there may be would lie between us. */
static bool is_greedy(const struct ipc_channel *worker, unsigned *unread)
{
    int bytes = 0;
    if (!ipc_wants_write(worker) && ioctl(ipc_channel_fd(worker), SIOCOUTQ, &bytes) == 0 &&
        bytes == 0) {
        *unread = 0;
    }
    return ++*unread > UNREAD_MAX;
}

/* Running out of descriptors yields a smaller batch, down to none: the worker asks again a
 * little later, and the time its clients have to be connected goes on. */
bool process_sockets_answer(struct ipc_channel *worker, const struct ipc_message *message,
                            unsigned *unread, struct mutual_error *err)
{
    int family;
    uint32_t wanted;
    if (!read_payload(message, &family, &wanted, err)) {
        return false;
    }
    int fds[MU_LIMIT_MESSAGE_FDS];
    uint32_t count = 0;
    wanted = is_greedy(worker, unread) ? 0 : wanted;
    while (count < wanted && count < MU_COUNT(fds)) {
        int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd == -1) {
            break;
        }
        fds[count++] = fd;
    }
    uint8_t bytes[6];
    bool done =
        ipc_send(worker, IPC_MSG_SOCKETS, sockets_payload(bytes, family, count), fds, count, err);
    for (uint32_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
    return done;
}
