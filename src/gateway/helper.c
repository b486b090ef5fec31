/* SPDX-License-Identifier: Apache-2.0
 *
 * What every forked helper of the parent does first (gives up what it inherited), and those that
 * answer one question.
 */
#include "gateway/helper_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whom the helper becomes when we are root: as the other children, else nobody. */
static void drop_user(const char *user)
{
    if (geteuid() != 0) {
        return;
    }
    const struct passwd *entry = user != NULL ? getpwnam(user) : getpwnam("mutual");
    entry = entry != NULL ? entry : getpwnam("nobody");
    if (entry == NULL || setgroups(0, NULL) == -1 ||
        setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) == -1 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) == -1) {
        _exit(1);
    }
}

static void limit(int what, rlim_t most)
{
    const struct rlimit both = {most, most};
    (void)setrlimit((__rlimit_resource_t)what, &both);
}

void helper_begin(int fd, const char *user, unsigned cpu_s, size_t file_bytes)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (fd != HELPER_FD && dup2(fd, HELPER_FD) == -1) {
        _exit(1);
    }
    (void)close_range(HELPER_FD + 1, ~0u, 0);
    drop_user(user);
    limit(RLIMIT_FSIZE, file_bytes);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
    limit(RLIMIT_CPU, cpu_s);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) {
        _exit(1);
    }
}

/* ---- one question ------------------------------------------------------------------------------
 */

enum { READ_BYTES = 4096 };

struct helper_task {
    struct helper_work work;
    pid_t pid;
    int fd;
    event_watch watch;
    struct event_timer timer;
    struct mu_buf answer;
};

static _Noreturn void run(int fd, const struct helper_work *work)
{
    struct mu_buf out;
    mu_buf_init(&out, work->answer_max);
    helper_begin(fd, work->user, work->patience_s, 0);
    work->look(work->context, &out);
    _exit(!out.failed && mu_fd_write(HELPER_FD, out.data, out.len) ? 0 : 1);
}

void helper_task_stop(struct helper_task *task)
{
    if (task == NULL) {
        return;
    }
    reactor_unwatch(task->work.reactor, &task->watch);
    reactor_cancel(task->work.reactor, &task->timer);
    (void)close(task->fd);
    (void)kill(task->pid, SIGKILL);
    (void)waitpid(task->pid, NULL, 0);
    mu_buf_done(&task->answer);
    mu_free(task);
}

static void finish(struct helper_task *task)
{
    struct mu_buf answer = task->answer;
    const struct helper_work work = task->work;
    task->answer = (struct mu_buf){0};
    helper_task_stop(task);
    work.done(work.owner, mu_buf_slice(&answer));
    mu_buf_done(&answer);
}

static void on_late(void *owner)
{
    finish(owner);
}

static void on_answer(void *owner, uint32_t events)
{
    struct helper_task *task = owner;
    (void)events;
    uint8_t *room = mu_buf_reserve(&task->answer, READ_BYTES);
    ssize_t n = room == NULL ? 0 : read(task->fd, room, READ_BYTES);
    if (n > 0) {
        task->answer.len += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        finish(task);
    }
}

static bool start(struct helper_task *task, struct mutual_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make a pipe");
    }
    task->pid = fork();
    if (task->pid == 0) {
        run(ends[1], &task->work);
    }
    (void)close(ends[1]);
    task->fd = ends[0];
    if (task->pid == -1 || fcntl(ends[0], F_SETFL, O_NONBLOCK) == -1) {
        int sys = errno;
        (void)close(ends[0]);
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not start a helper");
    }
    return true;
}

bool helper_task_start(const struct helper_work *work, struct helper_task **ret_task,
                       struct mutual_error *err)
{
    struct helper_task *task = mu_alloc(1, sizeof *task);
    if (task == NULL) {
        return mu_fail_memory(err);
    }
    task->work = *work;
    mu_buf_init(&task->answer, work->answer_max + READ_BYTES);
    if (!start(task, err)) {
        mu_free(task);
        return false;
    }
    if (!reactor_watch(work->reactor, task->fd, EVENT_READ, on_answer, task, &task->watch, err)) {
        helper_task_stop(task);
        return false;
    }
    reactor_arm_in(work->reactor, &task->timer, work->patience_s * MU_NS_PER_S, on_late, task);
    *ret_task = task;
    return true;
}
