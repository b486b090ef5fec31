/* SPDX-License-Identifier: Apache-2.0
 *
 * Channels: messages, descriptors, large payloads, the queue, and what a hostile sender gets.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/ipc_internal.h"
#include "unit.h"

static struct mutual_error err;
static struct ipc_channel *parent, *keys;
static const uint8_t load[100] = "enough bytes for KEY_LOAD";

static int setup(void **state)
{
    (void)state;
    int fds[2];
    return ipc_pair(fds, &err) && ipc_channel_new(fds[0], IPC_PARENT, IPC_KEYS, &parent, &err) &&
                   ipc_channel_new(fds[1], IPC_KEYS, IPC_PARENT, &keys, &err)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    ipc_channel_free(parent);
    ipc_channel_free(keys);
    return 0;
}

static void a_message_arrives_with_its_descriptors(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_ok(ipc_send(parent, IPC_MSG_KEY_LOAD, mu_slice_of(load, sizeof load), &ends[0], 1, &err),
              &err);
    (void)close(ends[0]);
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(keys, &message, &err), IPC_GOT);
    assert_int_equal(message.type, IPC_MSG_KEY_LOAD);
    assert_true(mu_slice_equal(message.payload, mu_slice_of(load, sizeof load)));
    assert_int_equal(message.fd_count, 1);
    int fd = ipc_message_take_fd(&message, 0);
    assert_int_equal(ipc_message_take_fd(&message, 0), -1);
    assert_int_equal(ipc_message_take_fd(&message, 1), -1);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ipc_message_done(&message);
    char byte = 0;
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(read(fd, &byte, 1), 1);
    (void)close(fd);
    (void)close(ends[1]);
    assert_int_equal(ipc_receive(keys, &message, &err), IPC_WAIT);
}

static void what_is_not_taken_is_closed(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    assert_ok(ipc_send(parent, IPC_MSG_KEY_LOAD, mu_slice_of(load, sizeof load), &ends[1], 1, &err),
              &err);
    (void)close(ends[1]);
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(keys, &message, &err), IPC_GOT);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), -1); /* the message still holds the write end */
    ipc_message_done(&message);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    (void)close(ends[0]);
}

static void a_large_message_goes_by_file(void **state)
{
    (void)state;
    int fds[2];
    struct ipc_channel *left = NULL;
    struct ipc_channel *right = NULL;
    assert_ok(ipc_pair(fds, &err), &err);
    assert_ok(ipc_channel_new(fds[0], IPC_PARENT, IPC_WORKER, &left, &err), &err);
    assert_ok(ipc_channel_new(fds[1], IPC_WORKER, IPC_PARENT, &right, &err), &err);
    size_t len = 5u << 20;
    uint8_t *bytes = mu_alloc(1, len);
    assert_non_null(bytes);
    bytes[len - 1] = 42;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_ok(ipc_send(left, IPC_MSG_GENERATION, mu_slice_of(bytes, len), &nothing, 1, &err), &err);
    (void)close(nothing);
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(right, &message, &err), IPC_GOT);
    assert_int_equal(message.payload.len, len);
    assert_int_equal(message.payload.data[len - 1], 42);
    assert_int_equal(message.fd_count, 1);
    ipc_message_done(&message);
    mu_free(bytes);
    ipc_channel_free(left);
    ipc_channel_free(right);
}

static void a_full_socket_queues_up_to_the_limit(void **state)
{
    (void)state;
    static uint8_t payload[60000];
    const struct mu_slice slice = mu_slice_of(payload, sizeof payload);
    size_t sent = 0;
    while (ipc_send(parent, IPC_MSG_KEY_LOAD, slice, NULL, 0, &err)) {
        sent++;
        assert_true(sent < 2000);
    }
    assert_int_equal(err.code, MUTUAL_E_LIMIT);
    assert_true(ipc_wants_write(parent));
    size_t got = 0;
    struct ipc_message message = {0};
    while (got < sent) {
        enum ipc_result result = ipc_receive(keys, &message, &err);
        if (result == IPC_WAIT) {
            assert_ok(ipc_flush(parent, &err), &err);
            assert_true(ipc_wait(keys, 1000));
            continue;
        }
        assert_int_equal(result, IPC_GOT);
        assert_int_equal(message.payload.len, sizeof payload);
        got++;
    }
    assert_ok(ipc_flush(parent, &err), &err);
    assert_false(ipc_wants_write(parent));
    assert_false(ipc_wait(keys, 0));
}

static void our_own_mistakes_are_not_sent(void **state)
{
    (void)state;
    assert_fails(ipc_send(keys, IPC_MSG_KEY_LOAD, mu_slice_of(load, sizeof load), NULL, 0, &err),
                 &err, MUTUAL_E_MESSAGE_MALFORMED);
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_WAIT);
}

/* Sends raw bytes as a keys process that has been taken over would. */
static void hostile(const void *bytes, size_t len, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(sizeof(int) * 80)];
    } control;
    memset(&control, 0, sizeof control);
    uint8_t copy[256];
    assert_true(len <= sizeof copy);
    memcpy(copy, bytes, len);
    struct iovec part = {.iov_base = copy, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * fd_count);
    }
    assert_int_equal(sendmsg(ipc_channel_fd(keys), &message, 0), (ssize_t)len);
}

static void assert_broken(void)
{
    struct ipc_message message = {0};
    memset(&err, 0, sizeof err);
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_BROKEN);
    assert_int_equal(err.code, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(message.fd_count, 0);
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_BROKEN);
    assert_fails(ipc_send(parent, IPC_MSG_PING, MU_SLICE_LIT("12345678"), NULL, 0, &err), &err,
                 MUTUAL_E_PROCESS_DIED);
    /* The sender finds its channel ended. */
    assert_int_equal(ipc_receive(keys, &message, &err), IPC_END);
}

static void garbage_breaks_the_channel(void **state)
{
    (void)state;
    hostile("garbage", 7, NULL, 0);
    assert_broken();
}

static void a_message_of_another_role_breaks_the_channel(void **state)
{
    (void)state;
    uint8_t bytes[IPC_FRAME_SIZE + 6] = {0};
    struct ipc_frame frame = {.type = IPC_MSG_SOCKETS_WANTED, .len = 6};
    ipc_frame_write(bytes, &frame);
    hostile(bytes, sizeof bytes, NULL, 0);
    assert_broken();
}

static void descriptors_that_nobody_asked_for_are_closed(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    uint8_t bytes[IPC_FRAME_SIZE + 8] = {0};
    struct ipc_frame frame = {.type = IPC_MSG_PONG, .len = 8};
    ipc_frame_write(bytes, &frame);
    int many[80];
    for (size_t i = 0; i < MU_COUNT(many); i++) {
        many[i] = ends[1];
    }
    hostile(bytes, sizeof bytes, many, MU_COUNT(many)); /* more than fit: MSG_CTRUNC */
    (void)close(ends[1]);
    assert_broken();
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); /* no copy is left anywhere */
    (void)close(ends[0]);
}

static void descriptors_of_an_empty_datagram_are_closed(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    hostile((const uint8_t *)"", 0, &ends[1], 1);
    (void)close(ends[1]);
    assert_broken();
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    (void)close(ends[0]);
}

static void an_end_is_an_end(void **state)
{
    (void)state;
    assert_ok(ipc_send(keys, IPC_MSG_PONG, MU_SLICE_LIT("12345678"), NULL, 0, &err), &err);
    ipc_channel_free(keys);
    keys = NULL;
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_GOT);
    assert_int_equal(ipc_receive(parent, &message, &err), IPC_END);
    assert_fails(ipc_send(parent, IPC_MSG_PING, MU_SLICE_LIT("12345678"), NULL, 0, &err), &err,
                 MUTUAL_E_PROCESS_DIED);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    struct ipc_channel *none = NULL;
    int fds[2];
    assert_ok(ipc_pair(fds, &err), &err);
    mu_alloc_fail_after(1);
    assert_fails(ipc_channel_new(fds[0], IPC_PARENT, IPC_KEYS, &none, &err), &err,
                 MUTUAL_E_NO_MEMORY);
    (void)close(fds[1]);
    assert_null(none);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
UNIT_MAIN(CASE(a_message_arrives_with_its_descriptors), CASE(what_is_not_taken_is_closed),
          CASE(a_large_message_goes_by_file), CASE(a_full_socket_queues_up_to_the_limit),
          CASE(our_own_mistakes_are_not_sent), CASE(garbage_breaks_the_channel),
          CASE(a_message_of_another_role_breaks_the_channel),
          CASE(descriptors_that_nobody_asked_for_are_closed),
          CASE(descriptors_of_an_empty_datagram_are_closed), CASE(an_end_is_an_end),
          CASE(no_memory_is_reported))
