/* SPDX-License-Identifier: Apache-2.0
 *
 * Executing ourselves as a child: what it gets, and that it gets nothing else.
 */
#include <sys/wait.h>

#include "roles.h"

static struct mutual_error err;

static void receive(struct ipc_channel *channel, enum ipc_type type, struct ipc_message *message)
{
    assert_true(ipc_wait(channel, 5000));
    assert_int_equal(ipc_receive(channel, message, &err), IPC_GOT);
    assert_string_equal(ipc_type_name(message->type), ipc_type_name(type));
}

static void a_child_gets_what_it_was_given(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "y", 1), 1);
    pid_t pid = 0;
    struct ipc_channel *channel = NULL;
    const struct process_spawn what = {.role = &worker_role,
                                       .index = 7,
                                       .program = "mutual",
                                       .setup = MU_SLICE_LIT("tell"),
                                       .fds = &ends[0],
                                       .fd_count = 1};
    assert_ok(process_spawn(&what, &pid, &channel, &err), &err);
    struct ipc_message message = {0};
    struct sandbox_state held = {0};
    receive(channel, IPC_MSG_READY, &message);
    assert_ok(process_ready_read(&message, &held, &err), &err);
    assert_true(held.holds & SANDBOX_SECCOMP);
    assert_true(held.holds & SANDBOX_USER);
    receive(channel, IPC_MSG_LOG, &message);
    MU_AUTO(free) char *line = mu_slice_dup(message.payload);
    assert_string_equal(line, "index 7, before files, fd 1 y, seccomp 1, root 0");
    ipc_channel_free(channel);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void nobody_is_started_for_a_user_who_is_not(void **state)
{
    (void)state;
    pid_t pid = 0;
    struct ipc_channel *channel = NULL;
    const struct process_spawn what = {
        .role = &worker_role, .program = "mutual", .user = "no-such-user"};
    if (geteuid() == 0) {
        assert_fails(process_spawn(&what, &pid, &channel, &err), &err, MUTUAL_E_NOT_FOUND);
        assert_null(channel);
    }
}

ROLES_MAIN(UNIT_CASE(a_child_gets_what_it_was_given),
           UNIT_CASE(nobody_is_started_for_a_user_who_is_not))
