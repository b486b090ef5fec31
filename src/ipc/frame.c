/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame around a payload, and the memory file that carries a large one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/ipc_internal.h"

void ipc_frame_write(uint8_t bytes[IPC_FRAME_SIZE], const struct ipc_frame *frame)
{
    bytes[0] = 'm';
    bytes[1] = 'u';
    bytes[2] = IPC_FRAME_VERSION;
    bytes[3] = frame->in_file ? IPC_FRAME_FILE : 0;
    mu_put_be16(bytes + 4, frame->type);
    mu_put_be16(bytes + 6, 0);
    mu_put_be32(bytes + 8, (uint32_t)frame->len);
}

bool ipc_frame_read(struct mu_slice datagram, struct ipc_frame *ret_frame, struct mutual_error *err)
{
    const uint8_t *bytes = datagram.data;
    if (datagram.len < IPC_FRAME_SIZE || bytes[0] != 'm' || bytes[1] != 'u' ||
        bytes[2] != IPC_FRAME_VERSION || (bytes[3] & ~IPC_FRAME_FILE) != 0 ||
        mu_get_be16(bytes + 6) != 0) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a message of %zu bytes has no frame",
                       datagram.len);
    }
    struct ipc_frame frame = {.type = mu_get_be16(bytes + 4),
                              .in_file = bytes[3] == IPC_FRAME_FILE,
                              .len = mu_get_be32(bytes + 8)};
    size_t inline_len = datagram.len - IPC_FRAME_SIZE;
    if (inline_len != (frame.in_file ? 0 : frame.len)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a message says %zu bytes and has %zu",
                       frame.len, inline_len);
    }
    if (frame.in_file && frame.len <= IPC_INLINE_MAX) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a message of %zu bytes came in a file",
                       frame.len);
    }
    *ret_frame = frame;
    return true;
}

#define FILE_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int ipc_file_make(struct mu_slice payload, struct mutual_error *err)
{
    int fd = memfd_create("mutual message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd != -1 && mu_fd_write(fd, payload.data, payload.len) &&
        fcntl(fd, F_ADD_SEALS, FILE_SEALS) == 0) {
        return fd;
    }
    (void)mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno,
                        "could not put %zu bytes into a memory file", payload.len);
    if (fd != -1) {
        (void)close(fd);
    }
    return -1;
}

/* Only a memory file has seals: anything else a sender might pass (a device, a file on a dead
 * server) could make us wait. */
bool ipc_file_read(int fd, size_t len, struct mu_buf *ret_buf, struct mutual_error *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals == -1 || (seals & FILE_SEALS) != FILE_SEALS) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "a message came in something that is no sealed memory file");
    }
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, len);
    uint8_t *room = mu_buf_reserve(&buf, len);
    if (room == NULL) {
        return mu_fail_memory(err);
    }
    while (buf.len < len) {
        ssize_t n = pread(fd, room + buf.len, len - buf.len, (off_t)buf.len);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                           "a message says %zu bytes and its file has %zu", len, buf.len);
        }
        buf.len += (size_t)n;
    }
    *ret_buf = buf;
    buf = (struct mu_buf){0};
    return true;
}
