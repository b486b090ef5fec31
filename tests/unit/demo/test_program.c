/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that end, fail, become ready and are stopped.
 */
#include "demo/demo.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[64];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/mutual-demo-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/notify", directory);
    (void)unlink(path);
    snprintf(path, sizeof path, "%s/log", directory);
    (void)unlink(path);
    return rmdir(directory);
}

static void output_is_kept_and_failure_quoted(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf output;
    mu_buf_init(&output, 4096);
    const char *const good[] = {"/bin/sh", "-c", "echo one; echo two >&2", NULL};
    assert_ok(demo_run(good, &output, &err), &err);
    assert_string_equal(mu_buf_str(&output), "one\ntwo\n");
    const char *const bad[] = {"/bin/sh", "-c", "echo first; echo last; exit 3", NULL};
    assert_fails(demo_run(bad, &output, &err), &err, MUTUAL_E_PROCESS_DIED);
    assert_non_null(strstr(err.reason, "last"));
    const char *const none[] = {"/nonexistent", "x", NULL};
    assert_fails(demo_run(none, &output, &err), &err, MUTUAL_E_SYSTEM_CALL);
}

static void a_program_is_started_when_it_says_so(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char log[128];
    snprintf(log, sizeof log, "%s/log", directory);
    /* The shell cannot speak to a datagram socket; Python can. */
    if (access("/usr/bin/python3", X_OK) != 0) {
        skip();
    }
    const char *const ready[] = {"/usr/bin/python3", "-c",
                                 "import os,socket,time\n"
                                 "s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n"
                                 "s.sendto(b'STATUS=up\\nREADY=1',os.environ['NOTIFY_SOCKET'])\n"
                                 "time.sleep(60)",
                                 NULL};
    pid_t pid = -1;
    assert_ok(demo_start(ready, directory, log, &pid, &err), &err);
    assert_int_equal(kill(pid, 0), 0);
    demo_stop(pid);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void a_program_that_ends_early_is_quoted(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char log[128];
    snprintf(log, sizeof log, "%s/log", directory);
    const char *const bad[] = {"/bin/sh", "-c", "echo no port left; exit 1", NULL};
    pid_t pid = -1;
    assert_fails(demo_start(bad, directory, log, &pid, &err), &err, MUTUAL_E_PROCESS_DIED);
    assert_non_null(strstr(err.reason, "no port left"));
}

#define IN_DIRECTORY(name_) cmocka_unit_test_setup_teardown(name_, make_directory, remove_directory)
UNIT_MAIN(UNIT_CASE(output_is_kept_and_failure_quoted),
          IN_DIRECTORY(a_program_is_started_when_it_says_so),
          IN_DIRECTORY(a_program_that_ends_early_is_quoted))
