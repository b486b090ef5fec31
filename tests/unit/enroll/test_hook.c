/* SPDX-License-Identifier: Apache-2.0
 *
 * What is run after a renewal, and what is refused. Environment and expansion, with a renewal
 * around: tests/scenario/test_renewing.py.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enroll/enroll_internal.h"
#include "unit.h"

static struct mutual_error err;

static bool run(const char *command)
{
    const struct enroll_hook hook = {.command = command};
    err = (struct mutual_error){0};
    return enroll_hook_run(&hook, "/somewhere", "renewed", &err);
}

static void programs_by_their_path(void **state)
{
    (void)state;
    assert_ok(run("/bin/true"), &err);
    assert_ok(run("  /usr/bin/test \t renewed = renewed "), &err);
    assert_fails(run("/bin/false"), &err, MUTUAL_E_HOOK_FAILED);
    assert_fails(run("/usr/bin/test $MUTUAL_RENEWAL = renewed"), &err, MUTUAL_E_HOOK_FAILED);
    assert_fails(run("/nonexistent/program"), &err, MUTUAL_E_HOOK_FAILED);
    assert_fails(run("true"), &err, MUTUAL_E_OPTION_VALUE);
    assert_fails(run(" "), &err, MUTUAL_E_OPTION_VALUE);
    assert_fails(run("../../bin/true"), &err, MUTUAL_E_OPTION_VALUE);
    char many[400] = "/bin/true";
    for (size_t i = 9; i + 2 < sizeof many; i += 2) {
        memcpy(many + i, " x", 3);
    }
    assert_fails(run(many), &err, MUTUAL_E_LIMIT);
    assert_ok(enroll_hook_run(&(struct enroll_hook){0}, "/somewhere", "renewed", &err), &err);
}

static bool hang_up(const char *content)
{
    static const char path[] = "/tmp/mutual-hook.pid";
    const struct enroll_hook hook = {.pid_file = path};
    assert_ok(mu_file_write(path, mu_slice_text(content), 0600, &err), &err);
    err = (struct mutual_error){0};
    bool ok = enroll_hook_run(&hook, "/somewhere", "renewed", &err);
    (void)unlink(path);
    return ok;
}

static void a_signal_to_a_process(void **state)
{
    (void)state;
    int status = 0;
    char text[32];
    assert_true(signal(SIGHUP, SIG_DFL) != SIG_ERR); /* nohup has it ignored */
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    (void)snprintf(text, sizeof text, "%d\n", (int)child);
    assert_ok(hang_up(text), &err);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
    static const char *const wrong[] = {"",    "1\n",          "0",           "-5",
                                        "12x", "999999999999", "2147483646\n"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_fails(hang_up(wrong[i]), &err, MUTUAL_E_HOOK_FAILED);
    }
}

UNIT_MAIN(UNIT_CASE(programs_by_their_path), UNIT_CASE(a_signal_to_a_process))
