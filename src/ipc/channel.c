/* SPDX-License-Identifier: Apache-2.0
 *
 * Channels: sending with a bounded queue, receiving with every check, descriptors both ways.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/ipc_internal.h"

struct queued {
    struct queued *next;
    int fds[MU_LIMIT_MESSAGE_FDS]; /* ours: duplicates */
    size_t fd_count;
    size_t len;
    uint8_t bytes[]; /* frame and inline payload */
};

struct ipc_channel {
    int fd;
    bool broken; /* shut; the descriptor stays until the end, since it may be watched */
    enum ipc_party self, peer;
    struct queued *first, **last;
    size_t queue_count, queue_bytes;
    struct mu_buf large; /* the payload of the last message, when it came in a file */
    uint8_t buffer[IPC_FRAME_SIZE + IPC_INLINE_MAX];
};

/* Room for the descriptors of one message. */
union control {
    struct cmsghdr head; /* alignment */
    uint8_t bytes[CMSG_SPACE(sizeof(int) * MU_LIMIT_MESSAGE_FDS)];
};

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] != -1) {
            (void)close(fds[i]);
        }
    }
}

bool ipc_pair(int ret_fds[2], struct mutual_error *err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make a channel");
    }
    memcpy(ret_fds, fds, sizeof fds);
    return true;
}

bool ipc_channel_new(int take_fd, enum ipc_party self, enum ipc_party peer,
                     struct ipc_channel **ret_channel, struct mutual_error *err)
{
    struct ipc_channel *channel = mu_alloc(1, sizeof *channel);
    if (channel == NULL) {
        (void)close(take_fd);
        return mu_fail_memory(err);
    }
    channel->fd = take_fd;
    channel->self = self;
    channel->peer = peer;
    channel->last = &channel->first;
    *ret_channel = channel;
    return true;
}

static void queue_drop_first(struct ipc_channel *channel)
{
    struct queued *item = channel->first;
    channel->first = item->next;
    if (channel->first == NULL) {
        channel->last = &channel->first;
    }
    channel->queue_count--;
    channel->queue_bytes -= item->len;
    close_all(item->fds, item->fd_count);
    mu_free(item);
}

void ipc_channel_free(struct ipc_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    while (channel->first != NULL) {
        queue_drop_first(channel);
    }
    (void)close(channel->fd);
    mu_buf_done(&channel->large);
    mu_free(channel);
}

void mu_ipc_channel_auto(struct ipc_channel **channel)
{
    ipc_channel_free(*channel);
}

void ipc_channel_break(struct ipc_channel *channel)
{
    while (channel->first != NULL) {
        queue_drop_first(channel);
    }
    channel->broken = true;
    (void)shutdown(channel->fd, SHUT_RDWR);
}

int ipc_channel_fd(const struct ipc_channel *channel)
{
    return channel->fd;
}

bool ipc_wants_write(const struct ipc_channel *channel)
{
    return channel->first != NULL;
}

bool ipc_wait(const struct ipc_channel *channel, int timeout_ms)
{
    struct pollfd wanted = {.fd = channel->fd,
                            .events = (short)(POLLIN | (channel->first != NULL ? POLLOUT : 0))};
    int ready = poll(&wanted, 1, timeout_ms);
    return ready == 1;
}

/* ---- sending --------------------------------------------------------------------------------- */

enum sent { SENT_ALL, SENT_LATER, SENT_NEVER };

static enum sent send_now(int fd, struct iovec *parts, size_t part_count, const int *fds,
                          size_t fd_count, int *ret_errno)
{
    union control control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = part_count};
    if (fd_count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        mu_assert(head != NULL);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * fd_count);
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n == -1 && errno == EINTR);
    if (n != -1) {
        return SENT_ALL;
    }
    *ret_errno = errno;
    /* ETOOMANYREFS: too many descriptors under way; the receiver will take some. */
    return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? SENT_LATER : SENT_NEVER;
}

static bool fail_gone(const struct ipc_channel *channel, int sys, struct mutual_error *err)
{
    return mu_fail_errno(err, MUTUAL_E_PROCESS_DIED, sys, "could not send to process \"%s\"",
                         ipc_party_name(channel->peer));
}

bool ipc_flush(struct ipc_channel *channel, struct mutual_error *err)
{
    while (channel->first != NULL) {
        struct queued *item = channel->first;
        struct iovec part = {.iov_base = item->bytes, .iov_len = item->len};
        int sys = 0;
        enum sent sent = send_now(channel->fd, &part, 1, item->fds, item->fd_count, &sys);
        if (sent == SENT_LATER) {
            return true;
        }
        if (sent == SENT_NEVER) {
            return fail_gone(channel, sys, err);
        }
        queue_drop_first(channel);
    }
    return true;
}

static bool enqueue(struct ipc_channel *channel, const uint8_t frame[IPC_FRAME_SIZE],
                    struct mu_slice inline_payload, const int *fds, size_t fd_count,
                    struct mutual_error *err)
{
    size_t len = IPC_FRAME_SIZE + inline_payload.len;
    if (channel->queue_count >= IPC_QUEUE_MAX || channel->queue_bytes + len > IPC_QUEUE_BYTES) {
        return mu_fail(err, MUTUAL_E_LIMIT, "%zu messages wait for process \"%s\" already",
                       channel->queue_count, ipc_party_name(channel->peer));
    }
    struct queued *item = mu_alloc(1, sizeof *item + len);
    if (item == NULL) {
        return mu_fail_memory(err);
    }
    for (; item->fd_count < fd_count; item->fd_count++) {
        int copy = fcntl(fds[item->fd_count], F_DUPFD_CLOEXEC, 0);
        if (copy == -1) {
            int sys = errno;
            close_all(item->fds, item->fd_count);
            mu_free(item);
            return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys,
                                 "could not keep a descriptor for process \"%s\"",
                                 ipc_party_name(channel->peer));
        }
        item->fds[item->fd_count] = copy;
    }
    item->len = len;
    memcpy(item->bytes, frame, IPC_FRAME_SIZE);
    if (inline_payload.len > 0) {
        memcpy(item->bytes + IPC_FRAME_SIZE, inline_payload.data, inline_payload.len);
    }
    *channel->last = item;
    channel->last = &item->next;
    channel->queue_count++;
    channel->queue_bytes += len;
    return true;
}

static bool send_or_queue(struct ipc_channel *channel, const struct ipc_frame *frame,
                          struct mu_slice inline_payload, const int *fds, size_t fd_count,
                          struct mutual_error *err)
{
    uint8_t head[IPC_FRAME_SIZE];
    ipc_frame_write(head, frame);
    if (!ipc_flush(channel, err)) {
        return false;
    }
    if (channel->first == NULL) {
        union {
            const uint8_t *in;
            void *out;
        } payload = {.in = inline_payload.data}; /* sendmsg only reads */
        struct iovec parts[2] = {{.iov_base = head, .iov_len = sizeof head},
                                 {.iov_base = payload.out, .iov_len = inline_payload.len}};
        int sys = 0;
        enum sent sent = send_now(channel->fd, parts, 2, fds, fd_count, &sys);
        if (sent != SENT_LATER) {
            return sent == SENT_ALL ? true : fail_gone(channel, sys, err);
        }
    }
    return enqueue(channel, head, inline_payload, fds, fd_count, err);
}

bool ipc_send(struct ipc_channel *channel, enum ipc_type type, struct mu_slice payload,
              const int *fds, size_t fd_count, struct mutual_error *err)
{
    if (!ipc_row_check((uint16_t)type, channel->self, channel->peer, payload.len, fd_count, err)) {
        return false;
    }
    if (channel->broken) {
        return fail_gone(channel, EPIPE, err);
    }
    struct ipc_frame frame = {
        .type = (uint16_t)type, .in_file = payload.len > IPC_INLINE_MAX, .len = payload.len};
    if (!frame.in_file) {
        return send_or_queue(channel, &frame, payload, fds, fd_count, err);
    }
    int all[MU_LIMIT_MESSAGE_FDS];
    if (fd_count + 1 > MU_COUNT(all)) {
        return mu_fail(err, MUTUAL_E_LIMIT, "%s has too many descriptors beside its file",
                       ipc_type_name(type));
    }
    all[0] = ipc_file_make(payload, err);
    if (all[0] == -1) {
        return false;
    }
    if (fd_count > 0) {
        memcpy(all + 1, fds, fd_count * sizeof *fds);
    }
    bool done = send_or_queue(channel, &frame, (struct mu_slice){0}, all, fd_count + 1, err);
    (void)close(all[0]);
    return done;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Collects the descriptors of every control message; all of them are ours from here on. */
static bool take_fds(struct msghdr *from, struct ipc_message *message)
{
    bool fits = (from->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(from); head != NULL; head = CMSG_NXTHDR(from, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            if (message->fd_count < MU_COUNT(message->fds)) {
                message->fds[message->fd_count++] = fd;
            } else {
                (void)close(fd);
                fits = false;
            }
        }
    }
    return fits;
}

/* From the datagram in the buffer to a message that the table permits. */
static bool decode(struct ipc_channel *channel, size_t len, struct ipc_message *message,
                   struct mutual_error *err)
{
    struct ipc_frame frame;
    if (!ipc_frame_read(mu_slice_of(channel->buffer, len), &frame, err)) {
        return false;
    }
    size_t file_fds = frame.in_file ? 1 : 0;
    if (message->fd_count < file_fds) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a message's file is missing");
    }
    if (!ipc_row_check(frame.type, channel->peer, channel->self, frame.len,
                       message->fd_count - file_fds, err)) {
        return false;
    }
    message->type = (enum ipc_type)frame.type;
    if (!frame.in_file) {
        message->payload = mu_slice_of(channel->buffer + IPC_FRAME_SIZE, frame.len);
        return true;
    }
    if (!ipc_file_read(message->fds[0], frame.len, &channel->large, err)) {
        return false;
    }
    message->payload = mu_buf_slice(&channel->large);
    (void)close(message->fds[0]);
    message->fd_count--;
    memmove(message->fds, message->fds + 1, message->fd_count * sizeof message->fds[0]);
    return true;
}

enum ipc_result ipc_receive(struct ipc_channel *channel, struct ipc_message *ret_message,
                            struct mutual_error *err)
{
    if (channel->broken) {
        (void)mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "the channel to \"%s\" was ended",
                      ipc_party_name(channel->peer));
        return IPC_BROKEN;
    }
    mu_buf_done(&channel->large);
    union control control;
    struct iovec part = {.iov_base = channel->buffer, .iov_len = sizeof channel->buffer};
    struct msghdr from = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do {
        n = recvmsg(channel->fd, &from, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n == -1 && errno == EINTR);
    if (n == -1 && errno == EAGAIN) {
        return IPC_WAIT;
    }
    if (n == -1) {
        return IPC_END;
    }
    struct ipc_message message = {0};
    bool fits = take_fds(&from, &message);
    if (n == 0 && message.fd_count == 0 && fits) {
        return IPC_END; /* or a datagram of no bytes, which has no frame either */
    }
    if (!fits || (from.msg_flags & MSG_TRUNC) != 0) {
        (void)mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a message from \"%s\" is too large",
                      ipc_party_name(channel->peer));
    } else if (decode(channel, (size_t)n, &message, err)) {
        *ret_message = message;
        return IPC_GOT;
    }
    ipc_message_done(&message);
    ipc_channel_break(channel);
    return IPC_BROKEN;
}

void ipc_message_done(struct ipc_message *message)
{
    close_all(message->fds, message->fd_count);
    message->fd_count = 0;
}

int ipc_message_take_fd(struct ipc_message *message, size_t nth)
{
    if (nth >= message->fd_count) {
        return -1;
    }
    int fd = message->fds[nth];
    message->fds[nth] = -1;
    return fd;
}
