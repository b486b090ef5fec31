/* SPDX-License-Identifier: Apache-2.0
 *
 * Two roles for the tests of children. What a child does is in its setup bytes:
 *   serve      answers pings until drained or left alone
 *   deaf       as serve, but is not moved by DRAIN
 *   files      opens a file at the first ping
 *   garbage    sends the parent a message that is not permitted
 *   leave      ends at once with status 5
 *   tell       says in LOG what it is
 *   accuse     tells the parent that whoever links with it is broken
 */
#ifndef ROLES_H
#define ROLES_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/process_internal.h"
#include "unit.h"

static char prepared[32];

static bool does(const struct child *child, const char *what)
{
    return mu_slice_equal_text(child->setup, what);
}

static bool test_prepare(struct child *child, struct mutual_error *err)
{
    if (does(child, "unprepared")) {
        return mu_fail(err, MUTUAL_E_FILE_MISSING, "the test wants it so");
    }
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* files can still be opened here */
    (void)snprintf(prepared, sizeof prepared, "%s", fd != -1 ? "files" : "no files");
    (void)close(fd);
    return true;
}

static void tell(struct child *child)
{
    struct rlimit core = {1, 1};
    (void)core;
    char line[256];
    char name = 0;
    long got = child->fd_count > 0 ? read(child->fds[0], &name, 1) : -1;
    (void)snprintf(line, sizeof line, "index %u, before %s, fd %ld %c, seccomp %d, root %d",
                   child->index, prepared, got, got == 1 ? name : '-',
                   (child->sandbox.holds & SANDBOX_SECCOMP) != 0,
                   (child->sandbox.holds & SANDBOX_USER) == 0);
    process_log(child, line);
}

/* 0: go on; else the exit status plus one. */
static int test_answer(struct child *child, struct ipc_message *message, int *links)
{
    struct mutual_error err = {0};
    enum ipc_party peer;
    uint32_t index;
    int fd;
    if (message->type == IPC_MSG_DRAIN) {
        return does(child, "deaf") ? 0 : 1;
    }
    if (message->type == IPC_MSG_PING) {
        if (does(child, "files")) {
            (void)open("/etc/passwd", O_RDONLY);
        }
        uint8_t answer[8];
        mu_put_be64(answer, (uint64_t)*links);
        return ipc_send(child->parent, IPC_MSG_PONG, mu_slice_of(answer, 8), NULL, 0, &err) ? 0 : 2;
    }
    if (message->type == IPC_MSG_LINK) {
        if (!process_link_read(message, &peer, &index, &fd, &err)) {
            return 2;
        }
        ++*links; /* the descriptor stays open: a link is used by somebody else's test */
        if (does(child, "accuse")) {
            (void)mu_fail(&err, MUTUAL_E_MESSAGE_MALFORMED, "it said nonsense");
            process_report_broken(child, peer, index, &err);
        }
    }
    return 0;
}

static int test_main(struct child *child)
{
    int links = 0;
    if (does(child, "leave")) {
        return 5;
    }
    if (does(child, "tell")) {
        tell(child);
    }
    if (does(child, "garbage")) {
        (void)send(ipc_channel_fd(child->parent), "garbage", 7, 0);
    }
    for (;;) {
        struct ipc_message message = {0};
        struct mutual_error err = {0};
        (void)ipc_wait(child->parent, -1);
        enum ipc_result result = ipc_receive(child->parent, &message, &err);
        if (result == IPC_END || result == IPC_BROKEN) {
            return 0;
        }
        int end = result == IPC_GOT ? test_answer(child, &message, &links) : 0;
        ipc_message_done(&message);
        if (end != 0) {
            return end - 1;
        }
    }
}

static const struct role worker_role = {.name = "worker",
                                        .party = IPC_WORKER,
                                        .links = IPC_KEYS,
                                        .sandbox = &sandbox_worker,
                                        .nofile = 200,
                                        .prepare = test_prepare,
                                        .main = test_main};
static const struct role keys_test_role = {
    .name = "keys", .party = IPC_KEYS, .sandbox = &sandbox_keys, .main = test_main};
static const struct role *const test_roles[] = {&worker_role, &keys_test_role, NULL};

/* In place of UNIT_MAIN: the program is its own children's. */
#define ROLES_MAIN(...)                                          \
    int main(int argc, char **argv)                              \
    {                                                            \
        int status = process_child_main(test_roles, argc, argv); \
        if (status != -1) {                                      \
            _exit(status);                                       \
        }                                                        \
        const struct CMUnitTest tests[] = {__VA_ARGS__};         \
        return cmocka_run_group_tests(tests, NULL, NULL);        \
    }

#endif
