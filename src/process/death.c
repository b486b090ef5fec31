/* SPDX-License-Identifier: Apache-2.0
 *
 * How children end: reaping, saying it in words, and how soon they are replaced.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "process/process_internal.h"

bool process_reap(pid_t pid, bool block, struct process_death *ret_death)
{
    siginfo_t info = {0};
    int rc;
    do {
        rc = waitid(P_PID, (id_t)pid, &info, WEXITED | (block ? 0 : WNOHANG));
    } while (rc == -1 && errno == EINTR);
    if (rc == -1 || info.si_pid != pid) {
        return false;
    }
    *ret_death = (struct process_death){
        .pid = pid, .signalled = info.si_code != CLD_EXITED, .status = info.si_status};
    return true;
}

/* What a signal says about a process that nobody asked to end. */
static const char *meaning(int signal)
{
    switch (signal) {
    case SIGSYS:
        return ": it made a system call that its sandbox forbids";
    case SIGABRT:
        return ": it found a mistake in itself";
    case SIGSEGV:
    case SIGBUS:
        return ": it touched memory that is not its own";
    case SIGKILL:
        return ": by somebody, or the system was out of memory";
    default:
        return "";
    }
}

void process_death_words(const struct supervised *child, struct process_death *death)
{
    char who[80];
    (void)snprintf(who, sizeof who, "%s %u (pid %d)", child->role->name, child->index,
                   (int)death->pid);
    if (!death->signalled) {
        (void)snprintf(death->words, sizeof death->words, "%s ended with status %d", who,
                       death->status);
        return;
    }
    const char *name = sigabbrev_np(death->status);
    (void)snprintf(death->words, sizeof death->words, "%s was killed by SIG%s%s", who,
                   name != NULL ? name : "?", death->expected ? "" : meaning(death->status));
}

int64_t process_backoff_ns(uint32_t nth)
{
    const int64_t most = 5 * MU_NS_PER_S;
    if (nth == 0) {
        return 0;
    }
    int64_t delay = nth < 10 ? (100 * MU_NS_PER_MS) << (nth - 1) : most;
    return delay < most ? delay : most;
}
