/* SPDX-License-Identifier: Apache-2.0
 *
 * How deaths are told, and how long replacements wait.
 */
#include <signal.h>
#include <unistd.h>

#include "process/process_internal.h"
#include "unit.h"

static const struct role role = {.name = "worker", .party = IPC_WORKER};

static void it_is_said_in_words(void **state)
{
    (void)state;
    const struct supervised child = {.role = &role, .index = 1};
    struct process_death death = {.pid = 812, .signalled = true, .status = SIGSYS};
    process_death_words(&child, &death);
    assert_string_equal(death.words, "worker 1 (pid 812) was killed by SIGSYS: it made a system "
                                     "call that its sandbox forbids");
    const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGKILL, SIGTERM};
    for (size_t i = 0; i < MU_COUNT(signals); i++) {
        death.status = signals[i];
        process_death_words(&child, &death);
        assert_non_null(strstr(death.words, "was killed by SIG"));
    }
    death = (struct process_death){.pid = 7, .status = 71};
    process_death_words(&child, &death);
    assert_string_equal(death.words, "worker 1 (pid 7) ended with status 71");
}

static void it_is_reaped(void **state)
{
    (void)state;
    struct process_death death = {0};
    pid_t pid = fork();
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    assert_false(process_reap(pid, false, &death));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(process_reap(pid, true, &death));
    assert_true(death.signalled);
    assert_int_equal(death.status, SIGKILL);
    assert_false(process_reap(pid, true, &death));
}

static void replacements_wait_ever_longer(void **state)
{
    (void)state;
    assert_true(process_backoff_ns(0) == 0);
    assert_true(process_backoff_ns(1) == 100 * MU_NS_PER_MS);
    assert_true(process_backoff_ns(2) == 200 * MU_NS_PER_MS);
    assert_true(process_backoff_ns(6) == 3200 * MU_NS_PER_MS);
    assert_true(process_backoff_ns(7) == 5 * MU_NS_PER_S);
    assert_true(process_backoff_ns(UINT32_MAX) == 5 * MU_NS_PER_S);
}

UNIT_MAIN(UNIT_CASE(it_is_said_in_words), UNIT_CASE(it_is_reaped),
          UNIT_CASE(replacements_wait_ever_longer))
