/* SPDX-License-Identifier: Apache-2.0
 *
 * What is run after a renewal. There is no shell: a program by its absolute path and words, split
 * at blanks and nowhere else; nothing in them is expanded, and its environment is made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enroll/enroll_internal.h"

enum { WORDS_MAX = 64, HOOK_S = 60 };

static bool split(char *text, char *words[WORDS_MAX + 1], struct mutual_error *err)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (count == WORDS_MAX) {
            return mu_fail(err, MUTUAL_E_LIMIT, "the command has more than %d words", WORDS_MAX);
        }
        words[count++] = word;
    }
    words[count] = NULL;
    return (count > 0 && words[0][0] == '/') ||
           mu_fail(err, MUTUAL_E_OPTION_VALUE,
                   "the command must begin with the absolute path of a program");
}

/* Waits for its end, HOOK_S seconds at the most. */
static bool await(pid_t pid, const char *program, struct mutual_error *err)
{
    int status = 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    int ready = fd == -1 ? -1 : poll(&ended, 1, HOOK_S * 1000);
    if (ready != 1) {
        (void)kill(pid, SIGKILL);
    }
    if (fd != -1) {
        (void)close(fd);
    }
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
    }
    if (ready != 1) {
        return mu_fail(err, MUTUAL_E_HOOK_FAILED, "\"%s\" did not end within %d seconds", program,
                       HOOK_S);
    }
    if (WIFSIGNALED(status)) {
        return mu_fail(err, MUTUAL_E_HOOK_FAILED, "\"%s\" was ended by signal %d", program,
                       WTERMSIG(status));
    }
    return WEXITSTATUS(status) == 0 ||
           mu_fail(err, MUTUAL_E_HOOK_FAILED, "\"%s\" ended with status %d", program,
                   WEXITSTATUS(status));
}

static bool run(const char *command, const char *directory, const char *what,
                struct mutual_error *err)
{
    char *words[WORDS_MAX + 1];
    char place[4200];
    char renewal[32];
    pid_t pid = 0;
    MU_AUTO(free) char *text = mu_strdup(command);
    if (text == NULL) {
        return mu_fail_memory(err);
    }
    (void)snprintf(place, sizeof place, "MUTUAL_DIRECTORY=%s", directory);
    (void)snprintf(renewal, sizeof renewal, "MUTUAL_RENEWAL=%s", what);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = {path, place, renewal, NULL};
    if (!split(text, words, err)) {
        return false;
    }
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return mu_fail_memory(err);
    }
    int failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    failed = failed != 0 ? failed : posix_spawn(&pid, words[0], &actions, NULL, words, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        return mu_fail_errno(err, MUTUAL_E_HOOK_FAILED, failed, "could not run \"%s\"", words[0]);
    }
    return await(pid, words[0], err);
}

/* By a descriptor of the process, so that nobody else gets the signal who has its number later. */
static bool hang_up(const char *pid_file, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    uint64_t pid = 0;
    if (!mu_file_read(pid_file, 64, &text, err)) {
        return false;
    }
    while (text.len > 0 && strchr(" \r\n\t", text.data[text.len - 1]) != NULL) {
        text.len--;
    }
    if (!mu_text_uint(mu_buf_str(&text), INT32_MAX, &pid) || pid < 2) {
        return mu_fail(err, MUTUAL_E_HOOK_FAILED, "\"%s\" holds no process number", pid_file);
    }
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    bool sent = fd != -1 && pidfd_send_signal(fd, SIGHUP, NULL, 0) == 0;
    int sys = errno;
    if (fd != -1) {
        (void)close(fd);
    }
    return sent ||
           mu_fail_errno(err, MUTUAL_E_HOOK_FAILED, sys, "could not signal process %llu of \"%s\"",
                         (unsigned long long)pid, pid_file);
}

bool enroll_hook_run(const struct enroll_hook *hook, const char *directory, const char *what,
                     struct mutual_error *err)
{
    return (hook->command == NULL || run(hook->command, directory, what, err)) &&
           (hook->pid_file == NULL || hang_up(hook->pid_file, err));
}
