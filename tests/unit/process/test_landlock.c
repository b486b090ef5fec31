/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock by itself, without the system call filter: files stay shut even so. Passes over what the
 * kernel does not have, as the program does.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/landlock_internal.h"
#include "process/process_internal.h"
#include "unit.h"

static bool refused(long result)
{
    return result == -1 && (errno == EACCES || errno == EPERM);
}

static bool network_is_shut(bool connect_too)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool shut = refused(bind(fd, (struct sockaddr *)&here, sizeof here));
    here.sin_port = htons(9);
    long connected = connect(fd, (struct sockaddr *)&here, sizeof here);
    return shut && refused(connected) == connect_too;
}

/* The number of the first thing that is not as it should be; 0: all is well. */
static int look_around(const struct sandbox_profile *profile, int open_before)
{
    struct sandbox_state state = {0};
    struct mutual_error err = {0};
    char name[] = "/bin/true";
    char *argv[] = {name, NULL};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        !landlock_apply(profile, NULL, 0, &state, &err)) {
        return 1;
    }
    if ((state.holds & SANDBOX_LANDLOCK_FILES) == 0) {
        return state.landlock_abi == 0 ? 0 : 2;
    }
    if (!refused(open("/etc/passwd", O_RDONLY)) || !refused(open("/", O_RDONLY | O_DIRECTORY)) ||
        !refused(open("/tmp/mutual-must-not-exist", O_WRONLY | O_CREAT, 0600))) {
        return 3;
    }
    if (!refused(execv(name, argv))) {
        return 4;
    }
    char byte;
    if (read(open_before, &byte, 1) != 1) {
        return 5; /* what was open stays open */
    }
    if ((state.holds & SANDBOX_LANDLOCK_NETWORK) != 0 &&
        !network_is_shut((profile->landlock_network & LANDLOCK_CONNECT_TCP) != 0)) {
        return 6;
    }
    if ((state.holds & SANDBOX_LANDLOCK_SCOPE) != 0 && !refused(kill(getppid(), 0))) {
        return 7;
    }
    return 0;
}

static void files_are_shut(void **state)
{
    (void)state;
    const struct sandbox_profile *const profiles[] = {&sandbox_worker, &sandbox_keys,
                                                      &sandbox_lists};
    for (size_t i = 0; i < MU_COUNT(profiles); i++) {
        int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(look_around(profiles[i], fd));
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status >> 8, 0);
        assert_int_equal(status, 0);
        (void)close(fd);
    }
}

/* Without the promise of no new privileges the kernel refuses an unprivileged process. */
static void a_refusal_is_told(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_state held = {0};
        struct mutual_error err = {0};
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
            _exit(99);
        }
        bool done = landlock_apply(&sandbox_worker, NULL, 0, &held, &err);
        _exit((done && held.landlock_abi == 0) || (!done && err.code == MUTUAL_E_SANDBOX) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

UNIT_MAIN(UNIT_CASE(files_are_shut), UNIT_CASE(a_refusal_is_told))
