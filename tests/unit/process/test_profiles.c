/* SPDX-License-Identifier: Apache-2.0
 *
 * The profile tables: nothing dangerous is listed, nothing twice.
 */
#include "process/process_internal.h"
#include "unit.h"

/* Each would undo the sandbox, or is a door to everything. */
static const int forbidden[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(creat),
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(ptrace),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(bpf),
    SCMP_SYS(mount),
    SCMP_SYS(setuid),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(prctl),
    SCMP_SYS(seccomp),
    SCMP_SYS(memfd_create),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(stat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(readlink),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(shmget),
    SCMP_SYS(msgget),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(keyctl),
    SCMP_SYS(unlink),
    SCMP_SYS(rename),
    SCMP_SYS(link),
    SCMP_SYS(chmod),
};

static void check(const struct sandbox_profile *profile)
{
    assert_non_null(profile->name);
    for (size_t s = 0; s < SANDBOX_SETS_MAX && profile->sets[s] != NULL; s++) {
        const struct sandbox_calls *calls = profile->sets[s];
        for (size_t i = 0; i < calls->count; i++) {
            for (size_t f = 0; f < MU_COUNT(forbidden); f++) {
                bool lists_answer =
                    profile == &sandbox_lists && forbidden[f] == SCMP_SYS(memfd_create);
                assert_true(lists_answer || calls->items[i].number != forbidden[f]);
            }
            for (size_t j = 0; j < i; j++) {
                assert_true(calls->items[j].number != calls->items[i].number ||
                            calls->items[i].conditional);
            }
        }
    }
}

static void nothing_dangerous_is_listed(void **state)
{
    (void)state;
    check(&sandbox_worker);
    check(&sandbox_keys);
    check(&sandbox_lists);
}

/* The one role with files may do nothing else that the others may not. */
static void the_authority_has_files_and_no_more(void **state)
{
    (void)state;
    static const int files[] = {SCMP_SYS(open),       SCMP_SYS(openat),      SCMP_SYS(stat),
                                SCMP_SYS(newfstatat), SCMP_SYS(readlink),    SCMP_SYS(unlink),
                                SCMP_SYS(rename),     SCMP_SYS(memfd_create)};
    for (size_t s = 0; s < SANDBOX_SETS_MAX && sandbox_authority.sets[s] != NULL; s++) {
        const struct sandbox_calls *calls = sandbox_authority.sets[s];
        for (size_t i = 0; i < calls->count; i++) {
            bool file = false;
            bool bad = false;
            for (size_t f = 0; f < MU_COUNT(files); f++) {
                file = file || calls->items[i].number == files[f];
            }
            for (size_t f = 0; f < MU_COUNT(forbidden); f++) {
                bad = bad || calls->items[i].number == forbidden[f];
            }
            assert_true(file || !bad);
        }
    }
}

static void keys_may_less_than_a_worker(void **state)
{
    (void)state;
    for (size_t s = 0; s < SANDBOX_SETS_MAX && sandbox_keys.sets[s] != NULL; s++) {
        assert_ptr_equal(sandbox_keys.sets[s], sandbox_worker.sets[s]);
    }
    assert_true((sandbox_worker.landlock_network & ~sandbox_keys.landlock_network) == 0);
}

UNIT_MAIN(UNIT_CASE(nothing_dangerous_is_listed), UNIT_CASE(the_authority_has_files_and_no_more),
          UNIT_CASE(keys_may_less_than_a_worker))
