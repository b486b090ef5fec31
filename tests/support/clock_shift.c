/* SPDX-License-Identifier: Apache-2.0
 *
 * A wall clock that a test sets while the program runs: preloaded, it adds the seconds that stand
 * in the file CLOCK_SHIFT (eight bytes, mapped once, so that a sandbox does not mind) to the time
 * of day, and hands itself on to children, which are begun with an empty environment. The monotonic
 * clock stays what it is, as when somebody sets the time.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CLOCK_SHIFT");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return;
    }
    void *mapped = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    (void)close(fd);
    shift = mapped == MAP_FAILED ? NULL : mapped;
}

/* As the kernel says it; a vdso is of no use to a test. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && shift != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += *shift;
    }
    return result;
}

__attribute__((visibility("default"))) time_t time(time_t *out)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict out,
                                                        void *restrict zone)
{
    struct timespec now = {0};
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return result;
}

typedef int spawn_fn(pid_t *restrict, const char *restrict, const posix_spawn_file_actions_t *,
                     const posix_spawnattr_t *restrict, char *const[restrict],
                     char *const[restrict]);

__attribute__((visibility("default"))) int
posix_spawn(pid_t *restrict pid, const char *restrict path,
            const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *restrict attributes,
            char *const argv[restrict], char *const envp[restrict])
{
    static char preload[4096];
    static char file[4096];
    static char zone[] = "TZ=UTC0";
    char *with[] = {zone, preload, file, NULL};
    union {
        void *object;
        spawn_fn *function;
    } found = {.object = dlsym(RTLD_NEXT, "posix_spawn")};
    spawn_fn *real = found.function;
    const char *own = getenv("LD_PRELOAD");
    const char *where = getenv("CLOCK_SHIFT");
    if (own == NULL || where == NULL) {
        return real(pid, path, actions, attributes, argv, envp);
    }
    (void)snprintf(preload, sizeof preload, "LD_PRELOAD=%s", own);
    (void)snprintf(file, sizeof file, "CLOCK_SHIFT=%s", where);
    return real(pid, path, actions, attributes, argv, with);
}
