/* SPDX-License-Identifier: Apache-2.0
 *
 * START, READY and LINK there and back, malformed ones, and whom a child becomes.
 */
#include <unistd.h>

#include "process/process_internal.h"
#include "unit.h"

static struct mutual_error err;

static void start_comes_back(void **state)
{
    (void)state;
    const struct process_start sent = {.party = IPC_WORKER,
                                       .index = 3,
                                       .parent = 4242,
                                       .drop = true,
                                       .uid = 65534,
                                       .gid = 65533,
                                       .unsafe_no_sandbox = true,
                                       .nofile = 1000,
                                       .setup = MU_SLICE_LIT("setup")};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 1000);
    process_start_write(&buf, &sent);
    struct process_start got = {0};
    assert_ok(process_start_read(mu_buf_slice(&buf), &got, &err), &err);
    assert_int_equal(got.party, IPC_WORKER);
    assert_int_equal(got.index, 3);
    assert_int_equal(got.parent, 4242);
    assert_true(got.drop && got.unsafe_no_sandbox);
    assert_int_equal(got.uid, 65534);
    assert_int_equal(got.gid, 65533);
    assert_int_equal(got.nofile, 1000);
    assert_true(mu_slice_equal_text(got.setup, "setup"));
    struct mu_slice cut = mu_buf_slice(&buf);
    for (cut.len = 1; cut.len < buf.len; cut.len++) {
        assert_fails(process_start_read(cut, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    }
}

static void ready_comes_back(void **state)
{
    (void)state;
    const struct sandbox_state sent = {.holds = SANDBOX_SECCOMP, .landlock_abi = 6};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 100);
    process_ready_write(&buf, &sent);
    struct ipc_message message = {.type = IPC_MSG_READY, .payload = mu_buf_slice(&buf)};
    struct sandbox_state got = {0};
    assert_ok(process_ready_read(&message, &got, &err), &err);
    assert_int_equal(got.holds, sent.holds);
    assert_int_equal(got.landlock_abi, 6);
    message.type = IPC_MSG_PONG;
    assert_fails(process_ready_read(&message, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    message.payload.len = 5;
    assert_fails(process_ready_read(&message, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
}

static void a_link_has_a_descriptor(void **state)
{
    (void)state;
    enum ipc_party peer = IPC_PARENT;
    uint32_t index = 0;
    int fd = -1;
    struct ipc_message message = {.type = IPC_MSG_LINK,
                                  .payload = MU_SLICE_LIT("\0\0\0\2\0\0\0\1")};
    assert_fails(process_link_read(&message, &peer, &index, &fd, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    message.fds[0] = dup(0);
    message.fd_count = 1;
    assert_ok(process_link_read(&message, &peer, &index, &fd, &err), &err);
    assert_int_equal(peer, IPC_KEYS);
    assert_int_equal(index, 1);
    (void)close(fd);
    message.payload = MU_SLICE_LIT("short");
    assert_fails(process_link_read(&message, &peer, &index, &fd, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

static void only_root_becomes_another(void **state)
{
    (void)state;
    bool drop = true;
    uid_t uid = 0;
    gid_t gid = 0;
    if (geteuid() != 0) {
        assert_ok(process_user_find("no-such-user", &drop, &uid, &gid, &err), &err);
        assert_false(drop);
        return;
    }
    assert_ok(process_user_find(NULL, &drop, &uid, &gid, &err), &err);
    assert_true(drop && uid != 0 && gid != 0);
    assert_fails(process_user_find("no-such-user", &drop, &uid, &gid, &err), &err,
                 MUTUAL_E_NOT_FOUND);
    assert_fails(process_user_find("root", &drop, &uid, &gid, &err), &err, MUTUAL_E_CONFIG_UNSAFE);
}

UNIT_MAIN(UNIT_CASE(start_comes_back), UNIT_CASE(ready_comes_back),
          UNIT_CASE(a_link_has_a_descriptor), UNIT_CASE(only_root_becomes_another))
