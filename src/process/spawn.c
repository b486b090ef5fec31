/* SPDX-License-Identifier: Apache-2.0
 *
 * Executing this program again as a child: one channel on PROCESS_FD, standard error, an empty
 * environment, no signal blocked or ignored. Re-execution gives every process its own address
 * layout.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/process_internal.h"

static void fd_auto(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
    }
}

static void actions_auto(posix_spawn_file_actions_t *actions)
{
    (void)posix_spawn_file_actions_destroy(actions);
}

static void attributes_auto(posix_spawnattr_t *attributes)
{
    (void)posix_spawnattr_destroy(attributes);
}

/* A process group of its own: the terminal's interrupt goes to the parent, which drains. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attributes, &none);
    rc = rc != 0 ? rc : posix_spawnattr_setsigdefault(attributes, &all);
    rc = rc != 0 ? rc : posix_spawnattr_setpgroup(attributes, 0);
    return rc != 0 ? rc
                   : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                              POSIX_SPAWN_SETSIGDEF |
                                                              POSIX_SPAWN_SETPGROUP);
}

static int set_actions(posix_spawn_file_actions_t *actions, int channel)
{
    int rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
    return rc != 0 ? rc : posix_spawn_file_actions_adddup2(actions, channel, PROCESS_FD);
}

static bool execute(const struct process_spawn *what, int channel, pid_t *ret_pid,
                    struct mutual_error *err)
{
    char title[64];
    char role[64];
    char zone[] = "TZ=UTC0"; /* so that no child ever looks for a time zone file */
    (void)snprintf(title, sizeof title, "%s: %s", what->program, what->role->name);
    (void)snprintf(role, sizeof role, "--role=%s", what->role->name);
    char *argv[] = {title, role, NULL};
    char *envp[] = {zone, NULL};
    __attribute__((cleanup(actions_auto))) posix_spawn_file_actions_t actions;
    __attribute__((cleanup(attributes_auto))) posix_spawnattr_t attributes;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    pid_t pid;
    int rc = set_actions(&actions, channel);
    rc = rc != 0 ? rc : set_attributes(&attributes);
    rc = rc != 0 ? rc : posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, envp);
    if (rc != 0) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, rc, "could not start process \"%s\"",
                             what->role->name);
    }
    *ret_pid = pid;
    return true;
}

static bool send_start(const struct process_spawn *what, struct ipc_channel *channel,
                       struct mutual_error *err)
{
    struct process_start start = {.party = what->role->party,
                                  .index = what->index,
                                  .parent = getpid(),
                                  .unsafe_no_sandbox = what->unsafe_no_sandbox,
                                  .nofile = what->role->nofile,
                                  .setup = what->setup};
    if (what->as != NULL && geteuid() == 0) {
        start.drop = true;
        start.uid = what->as->uid;
        start.gid = what->as->gid;
    } else if (!process_user_find(what->user, &start.drop, &start.uid, &start.gid, err)) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, what->setup.len + 64);
    process_start_write(&payload, &start);
    if (payload.failed) {
        return mu_fail_memory(err);
    }
    return ipc_send(channel, IPC_MSG_START, mu_buf_slice(&payload), what->fds, what->fd_count, err);
}

/* START waits in the socket before the child lives: nothing is left behind when it cannot be
 * made. */
bool process_spawn(const struct process_spawn *what, pid_t *ret_pid,
                   struct ipc_channel **ret_channel, struct mutual_error *err)
{
    int ends[2];
    if (!ipc_pair(ends, err)) {
        return false;
    }
    /* Above the numbers the child's own descriptors get. */
    __attribute__((cleanup(fd_auto))) int theirs = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    int sys = errno;
    (void)close(ends[1]);
    MU_AUTO(ipc_channel) struct ipc_channel *channel = NULL;
    if (!ipc_channel_new(ends[0], IPC_PARENT, what->role->party, &channel, err)) {
        return false;
    }
    if (theirs == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not keep a channel's end");
    }
    pid_t pid;
    if (!send_start(what, channel, err) || !execute(what, theirs, &pid, err)) {
        return false;
    }
    *ret_pid = pid;
    *ret_channel = MU_TAKE(channel);
    return true;
}
