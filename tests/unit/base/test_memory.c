/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocation with its test hook, secrets, random bytes.
 */
#include "base/base.h"
#include "unit.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

static void the_nth_allocation_fails_once(void **state)
{
    (void)state;
    mu_alloc_fail_after(2);
    char *a = mu_alloc(1, 8);
    assert_non_null(a);
    assert_null(mu_strdup("x"));
    char *b = mu_strndup("xyz", 2);
    assert_string_equal(b, "xy");
    mu_free(a);
    mu_free(b);
    struct mutual_error err = {0};
    assert_fails(mu_fail_memory(&err), &err, MUTUAL_E_NO_MEMORY);
}

static void growing_stops_at_the_limit(void **state)
{
    (void)state;
    int *items = NULL;
    size_t cap = 0;
    size_t count = 0;
    while (mu_grow((void **)&items, &cap, count, sizeof *items, 20)) {
        items[count] = (int)count;
        count++;
    }
    assert_int_equal(count, 20);
    assert_int_equal(items[19], 19);
    mu_free(items);
}

static void an_overflowing_size_is_refused(void **state)
{
    (void)state;
    size_t huge = SIZE_MAX / 2;
    assert_null(mu_realloc(NULL, huge, 4));
}

static void secrets_are_zeroed_aligned_and_freed(void **state)
{
    (void)state;
    uint8_t *secret = mu_secret_alloc(10000);
    assert_non_null(secret);
    for (size_t i = 0; i < 10000; i++) {
        assert_int_equal(secret[i], 0);
    }
    memset(secret, 0x5a, 10000);
    mu_secret_free(secret);
    mu_secret_free(NULL);
    assert_null(mu_secret_alloc(SIZE_MAX));
    uint8_t bytes[4] = {1, 2, 3, 4};
    mu_wipe(bytes, sizeof bytes);
    assert_true(mu_equal_secret(bytes, "\0\0\0\0", 4));
    assert_false(mu_equal_secret(bytes, "\0\0\1\0", 4));
}

static void random_bytes_differ(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t a[32];
    uint8_t b[32];
    assert_ok(mu_random(a, sizeof a, &err), &err);
    assert_ok(mu_random(b, sizeof b, &err), &err);
    assert_memory_not_equal(a, b, sizeof a);
}

/* In a child of its own, because a filter is for good. */
static int ask_where_there_is_none(void)
{
    struct mutual_error err = {0};
    uint8_t bytes[8];
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(getrandom), 0) != 0 ||
        seccomp_load(filter) != 0) {
        return 2;
    }
    bool got = mu_random(bytes, sizeof bytes, &err);
    return !got && err.code == MUTUAL_E_NO_RANDOM && err.sys == EPERM ? 0 : 1;
}

static void no_random_bytes_is_an_error(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(ask_where_there_is_none());
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) {
        skip(); /* this machine filters no system calls */
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

UNIT_MAIN(UNIT_CASE(no_random_bytes_is_an_error), UNIT_CASE(the_nth_allocation_fails_once),
          UNIT_CASE(growing_stops_at_the_limit), UNIT_CASE(an_overflowing_size_is_refused),
          UNIT_CASE(secrets_are_zeroed_aligned_and_freed), UNIT_CASE(random_bytes_differ))
