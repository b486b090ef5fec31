/* SPDX-License-Identifier: Apache-2.0
 *
 * The sandbox profiles as tables: every system call a role may make once it is locked down. What is
 * not here kills the process; so there is no socket, bind, listen, exec, fork, ptrace, kill, no
 * executable memory, and for all but one no open and no stat of a path.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "process/landlock_internal.h"
#include "process/process_internal.h"

#define CALL(name_)               \
    {                             \
        .number = SCMP_SYS(name_) \
    }
#define CALL_IF(name_, arg_, mask_, equals_)                                        \
    {                                                                               \
        .number = SCMP_SYS(name_), .conditional = true, .arg = arg_, .mask = mask_, \
        .equals = equals_                                                           \
    }
#define FCNTL(command_)         CALL_IF(fcntl, 1, UINT32_MAX, command_)
#define NEVER_EXECUTABLE(name_) CALL_IF(name_, 2, PROT_EXEC, 0)
#define SET(name_, ...)                                               \
    static const struct sandbox_call name_##_items[] = {__VA_ARGS__}; \
    static const struct sandbox_calls name_ = {name_##_items, MU_COUNT(name_##_items)}

/* Living: memory that is never executable, time, randomness, signals to oneself, an end. */
SET(living, CALL(brk), NEVER_EXECUTABLE(mmap), CALL(munmap), CALL(mremap), CALL(madvise),
    NEVER_EXECUTABLE(mprotect), CALL(mlock), CALL(mlock2), CALL(munlock), CALL(clock_gettime),
    CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(time), CALL(getrandom),
    CALL(getpid), CALL(gettid), CALL(futex), CALL(getrusage), CALL(sysinfo), CALL(sched_yield),
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack),
    CALL(restart_syscall), CALL(exit), CALL(exit_group));

/* Talking over descriptors it was given, and waiting for them. */
SET(talking, CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(lseek),
    CALL(recvmsg), CALL(sendmsg), CALL(recvfrom), CALL(sendto), CALL(shutdown), CALL(close),
    CALL(poll), CALL(ppoll), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait),
    CALL(epoll_pwait), CALL(epoll_pwait2), CALL(signalfd4), CALL(eventfd2), FCNTL(F_GETFD),
    FCNTL(F_SETFD), FCNTL(F_GETFL), FCNTL(F_SETFL), FCNTL(F_DUPFD_CLOEXEC), FCNTL(F_GET_SEALS));

/* Serving strangers: accepting, connecting sockets that the parent made, moving bytes. */
SET(serving, CALL(accept4), CALL(connect), CALL(getsockopt), CALL(setsockopt), CALL(getsockname),
    CALL(getpeername), CALL(pipe2), CALL(splice), CALL_IF(ioctl, 1, UINT32_MAX, FIONREAD));

/* Sockets that it was given and that connect already. */
SET(connected, CALL(getsockopt), CALL(setsockopt), CALL_IF(ioctl, 1, UINT32_MAX, FIONREAD));

/* Making memory files that nobody can change any more. */
SET(sealing, CALL(memfd_create), FCNTL(F_ADD_SEALS));

/* Fetching: asking how a connect ended that the parent began, sealing what came. */
SET(fetching, CALL(getsockopt), FCNTL(F_ADD_SEALS));

/* A database in a file and what lies beside it, beneath the directories that Landlock grants: what
 * SQLite and our own writing of files ask for. Nothing here makes a link or follows one out. */
SET(filing, CALL(open), CALL(openat), CALL(fstat), CALL(stat), CALL(lstat), CALL(newfstatat),
    CALL(statx), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(readlink), CALL(readlinkat),
    CALL(pwrite64), CALL(fsync), CALL(fdatasync), CALL(ftruncate), CALL(fallocate), CALL(fadvise64),
    CALL(flock), CALL(unlink), CALL(unlinkat), CALL(rename), CALL(renameat), CALL(renameat2),
    CALL(fchmod), CALL(fchown), CALL(getdents64), CALL(getcwd), CALL(geteuid), CALL(getuid),
    CALL(getegid), CALL(getgid), CALL(uname), FCNTL(F_GETLK), FCNTL(F_SETLK), FCNTL(F_SETLKW));

const struct sandbox_profile sandbox_authority = {
    .name = "authority",
    .sets = {&living, &talking, &connected, &filing, &sealing},
    .landlock_network = LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP,
};

const struct sandbox_profile sandbox_worker = {
    .name = "worker",
    .sets = {&living, &talking, &serving},
    .landlock_network = LANDLOCK_BIND_TCP,
};

const struct sandbox_profile sandbox_keys = {
    .name = "keys",
    .sets = {&living, &talking},
    .landlock_network = LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP,
};

const struct sandbox_profile sandbox_lists = {
    .name = "lists",
    .sets = {&living, &talking, &sealing},
    .landlock_network = LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP,
};

const struct sandbox_profile sandbox_fetch = {
    .name = "fetch",
    .sets = {&living, &talking, &fetching},
    .landlock_network = LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP,
};
