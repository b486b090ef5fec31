/* SPDX-License-Identifier: Apache-2.0
 *
 * What every forked helper of the parent does first: gives up what it inherited.
 */
#include "gateway/helper_internal.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"

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
