/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs: run to their end with their output, or started until they say that they are ready.
 */
#include "demo/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_NS (20 * MU_NS_PER_S)
#define STOP_NS  (8 * MU_NS_PER_S)

extern char **environ;

/* posix_spawn takes char *const * and promises not to write. */
static char *const *unconst(const char *const *argv)
{
    union {
        const char *const *in;
        char *const *out;
    } both = {.in = argv};
    return both.out;
}

static bool spawn(const char *const *argv, const posix_spawn_file_actions_t *actions, char **env,
                  pid_t *ret_pid, struct mutual_error *err)
{
    int sys = posix_spawn(ret_pid, argv[0], actions, NULL, unconst(argv), env);
    if (sys != 0) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not start \"%s\"", argv[0]);
    }
    return true;
}

static void fd_done(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
        *fd = -1;
    }
}
#define FD __attribute__((cleanup(fd_done))) int

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
    }
    return status;
}

/* What the program said went wrong: the first line with "error", else the last line. */
static bool fail_died(const char *const *argv, const char *output, struct mutual_error *err)
{
    const char *line = strstr(output, "error");
    if (line == NULL) {
        line = output;
        for (const char *at = output; *at != '\0'; at++) {
            line = *at == '\n' && at[1] != '\0' ? at + 1 : line;
        }
    }
    return mu_fail(err, MUTUAL_E_PROCESS_DIED, "\"mutual %s\" failed: %.*s", argv[1],
                   (int)strcspn(line, "\n"), line);
}

bool demo_run(const char *const *argv, struct mu_buf *output, struct mutual_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make a pipe");
    }
    FD from = ends[0];
    FD to = ends[1];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, to, STDERR_FILENO);
    pid_t pid = -1;
    bool started = spawn(argv, &actions, environ, &pid, err);
    posix_spawn_file_actions_destroy(&actions);
    if (!started) {
        return false;
    }
    fd_done(&to);
    MU_AUTO(buf) struct mu_buf said = {0};
    bool read_all = mu_fd_read(from, argv[1], output->max, &said, err);
    int status = wait_for(pid);
    if (!read_all) {
        return false;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail_died(argv, mu_buf_str(&said), err);
    }
    return mu_buf_append(output, said.data, said.len) || mu_fail_memory(err);
}

static bool notify_open(const char *directory, char *ret_variable, size_t size, int *ret_fd,
                        struct mutual_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", directory);
    if (n < 0 || (size_t)n >= sizeof address.sun_path) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the path \"%.60s\" is too long for a socket",
                       directory);
    }
    FD fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)unlink(address.sun_path);
    if (fd == -1 || bind(fd, (const struct sockaddr *)&address, sizeof address) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make socket \"%s\"",
                             address.sun_path);
    }
    snprintf(ret_variable, size, "NOTIFY_SOCKET=%s", address.sun_path);
    *ret_fd = fd;
    fd = -1;
    return true;
}

/* True once a datagram holds the line READY=1. */
static bool notify_is_ready(int fd, int64_t wait_ns)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    char text[512];
    if (poll(&watched, 1, (int)(wait_ns / MU_NS_PER_MS)) != 1) {
        return false;
    }
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, "READY=1") != NULL;
}

static bool wait_until_ready(const char *const *argv, pid_t pid, int notify, const char *log_path,
                             struct mutual_error *err)
{
    int64_t end = mu_clock_mono_ns() + READY_NS;
    while (mu_clock_mono_ns() < end) {
        if (notify_is_ready(notify, 100 * MU_NS_PER_MS)) {
            return true;
        }
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            MU_AUTO(buf) struct mu_buf said = {0};
            bool read = mu_file_read(log_path, 1u << 20, &said, NULL);
            return fail_died(argv, read ? mu_buf_str(&said) : "", err);
        }
    }
    demo_stop(pid);
    return mu_fail(err, MUTUAL_E_PROCESS_DIED, "\"mutual %s\" was not ready in time", argv[1]);
}

bool demo_start(const char *const *argv, const char *directory, const char *log_path,
                pid_t *ret_pid, struct mutual_error *err)
{
    char variable[160];
    FD notify = -1;
    if (!notify_open(directory, variable, sizeof variable, &notify, err)) {
        return false;
    }
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *env[] = {path, variable, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_path,
                                     O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    pid_t pid = -1;
    bool started = spawn(argv, &actions, env, &pid, err);
    posix_spawn_file_actions_destroy(&actions);
    if (!started || !wait_until_ready(argv, pid, notify, log_path, err)) {
        return false;
    }
    *ret_pid = pid;
    return true;
}

void demo_stop(pid_t pid)
{
    const struct timespec step = {.tv_nsec = 20 * (long)MU_NS_PER_MS};
    int64_t end = mu_clock_mono_ns() + STOP_NS;
    (void)kill(pid, SIGTERM);
    while (mu_clock_mono_ns() < end) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return;
        }
        (void)nanosleep(&step, NULL);
    }
    (void)kill(pid, SIGKILL);
    (void)wait_for(pid);
}
