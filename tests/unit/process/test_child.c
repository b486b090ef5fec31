/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning of a child: when it is one, when it refuses to begin, and that it dies with its
 * parent.
 */
#include <signal.h>
#include <sys/wait.h>

#include "roles.h"

static struct mutual_error err;

static void only_with_the_argument_and_the_channel(void **state)
{
    (void)state;
    char program[] = "mutual";
    char known[] = "--role=worker";
    char unknown[] = "--role=nothing";
    char verb[] = "serve";
    char *as_child[] = {program, known, NULL};
    char *as_nothing[] = {program, unknown, NULL};
    char *as_verb[] = {program, verb, NULL};
    /* Nobody gave us a channel on PROCESS_FD. */
    int kept = fcntl(PROCESS_FD, F_DUPFD_CLOEXEC, 50);
    (void)close(PROCESS_FD);
    assert_int_equal(process_child_main(test_roles, 2, as_child), -1);
    if (kept != -1) {
        assert_int_equal(dup2(kept, PROCESS_FD), PROCESS_FD);
        (void)close(kept);
    }
    assert_int_equal(process_child_main(test_roles, 2, as_nothing), -1);
    assert_int_equal(process_child_main(test_roles, 2, as_verb), -1);
    assert_int_equal(process_child_main(test_roles, 1, as_verb), -1);
}

/* Standard error of the child is not the test's concern. */
static int status_of(const struct role *role, const char *setup)
{
    int keep = dup(STDERR_FILENO);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(dup2(nowhere, STDERR_FILENO), STDERR_FILENO);
    pid_t pid = 0;
    struct ipc_channel *channel = NULL;
    const struct process_spawn what = {
        .role = role, .program = "mutual", .setup = mu_slice_text(setup)};
    bool started = process_spawn(&what, &pid, &channel, &err);
    assert_int_equal(dup2(keep, STDERR_FILENO), STDERR_FILENO);
    (void)close(keep);
    (void)close(nowhere);
    assert_ok(started, &err);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    ipc_channel_free(channel);
    return status;
}

static void it_ends_with_its_role(void **state)
{
    (void)state;
    assert_int_equal(WEXITSTATUS(status_of(&worker_role, "leave")), 5);
}

static void it_does_not_begin_unprepared(void **state)
{
    (void)state;
    assert_int_equal(WEXITSTATUS(status_of(&worker_role, "unprepared")),
                     mutual_code_exit(MUTUAL_E_FILE_MISSING));
}

/* A START for another party, as a confused parent might send. */
static void it_refuses_another_ones_start(void **state)
{
    (void)state;
    static const struct role confused = {
        .name = "keys", .party = IPC_WORKER, .sandbox = &sandbox_worker};
    assert_int_equal(WEXITSTATUS(status_of(&confused, "serve")),
                     mutual_code_exit(MUTUAL_E_MESSAGE_MALFORMED));
}

static void it_dies_with_its_parent(void **state)
{
    (void)state;
    int report[2];
    assert_int_equal(pipe(report), 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t pid = 0;
        struct ipc_channel *channel = NULL;
        const struct process_spawn what = {
            .role = &worker_role, .program = "mutual", .setup = MU_SLICE_LIT("deaf")};
        bool good = process_spawn(&what, &pid, &channel, NULL) && ipc_wait(channel, 5000);
        /* The channel stays open elsewhere: the child does not end because of that. */
        int kept = good ? dup(ipc_channel_fd(channel)) : -1;
        (void)kept;
        _exit(write(report[1], &pid, sizeof pid) == (ssize_t)sizeof pid && good ? 0 : 1);
    }
    int status = -1;
    pid_t child = 0;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    assert_int_equal(read(report[0], &child, sizeof child), (ssize_t)sizeof child);
    for (int i = 0; i < 500 && kill(child, 0) == 0; i++) {
        char path[64];
        char stat[256] = {0};
        (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd == -1 ? 0 : read(fd, stat, sizeof stat - 1);
        (void)close(fd);
        if (n <= 0 || strstr(stat, ") Z") != NULL) {
            break; /* dead, whoever has to reap it */
        }
        (void)usleep(10000);
        assert_int_not_equal(i, 499);
    }
    (void)close(report[0]);
    (void)close(report[1]);
}

static unsigned heard;

static bool hear_one(void *owner, struct ipc_message *message, struct mutual_error *ret_err)
{
    assert_int_equal(message->type, IPC_MSG_DRAIN);
    heard++;
    return *(const bool *)owner || mu_fail(ret_err, MUTUAL_E_LIMIT, "enough");
}

/* Everything that is there is taken, PING is answered, and take's own failure ends it. */
static void what_the_parent_says_is_heard(void **state)
{
    (void)state;
    struct ipc_message message = {0};
    struct child child = {0};
    MU_AUTO(ipc_channel) struct ipc_channel *parent = NULL;
    int fds[2];
    bool good = true;
    heard = 0;
    assert_ok(ipc_pair(fds, &err), &err);
    assert_ok(ipc_channel_new(fds[0], IPC_PARENT, IPC_FETCH, &parent, &err), &err);
    assert_ok(ipc_channel_new(fds[1], IPC_FETCH, IPC_PARENT, &child.parent, &err), &err);
    assert_int_equal(process_hear(&child, EVENT_READ, hear_one, &good, &err), IPC_WAIT);
    const struct mu_slice wait = MU_SLICE_LIT("\0\0\0\1");
    for (int i = 0; i < 3; i++) {
        assert_ok(ipc_send(parent, IPC_MSG_DRAIN, wait, NULL, 0, &err), &err);
        assert_ok(ipc_send(parent, IPC_MSG_PING, MU_SLICE_LIT("12345678"), NULL, 0, &err), &err);
    }
    assert_int_equal(process_hear(&child, EVENT_READ | EVENT_WRITE, hear_one, &good, &err),
                     IPC_WAIT);
    assert_int_equal(heard, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ipc_receive(parent, &message, &err), IPC_GOT);
        assert_int_equal(message.type, IPC_MSG_PONG);
        assert_true(mu_slice_equal_text(message.payload, "12345678"));
    }
    good = false;
    assert_ok(ipc_send(parent, IPC_MSG_DRAIN, wait, NULL, 0, &err), &err);
    assert_ok(ipc_send(parent, IPC_MSG_DRAIN, wait, NULL, 0, &err), &err);
    assert_int_equal(process_hear(&child, EVENT_READ, hear_one, &good, &err), IPC_BROKEN);
    assert_int_equal(err.code, MUTUAL_E_LIMIT);
    assert_int_equal(heard, 4);
    good = true;
    ipc_channel_free(MU_TAKE(parent));
    assert_int_equal(process_hear(&child, EVENT_READ, hear_one, &good, &err), IPC_END);
    assert_int_equal(heard, 5);
    ipc_channel_free(child.parent);
}

ROLES_MAIN(UNIT_CASE(only_with_the_argument_and_the_channel), UNIT_CASE(it_ends_with_its_role),
           UNIT_CASE(it_does_not_begin_unprepared), UNIT_CASE(it_refuses_another_ones_start),
           UNIT_CASE(it_dies_with_its_parent), UNIT_CASE(what_the_parent_says_is_heard))
