/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions in shared memory: found once, by anybody; dead after two turns of the key; and whoever
 * dies in the middle, or writes over another, leaves nothing that is found and nothing that is
 * stuck.
 */
#include "session/share_internal.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t secret[32] = {1, 2, 3};
static uint8_t *memory;
static struct mu_share *first, *second; /* as in two processes */
static uint8_t record[MU_SHARE_RECORD];

static struct mu_share *open_share(const uint8_t key[32], uint64_t epoch)
{
    struct mutual_error err = {0};
    struct mu_share *share = NULL;
    assert_ok(mu_share_new(memory, key, epoch, &share, &err), &err);
    return share;
}

static int set_up(void **state)
{
    (void)state;
    /* places are not laid out by pages: one of the first four crosses a border */
    memory = mmap(NULL, mu_share_bytes() + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                  -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    memory += 1024;
    first = open_share(secret, 7);
    second = open_share(secret, 7);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mu_share_free(first);
    mu_share_free(second);
    return munmap(memory - 1024, mu_share_bytes() + 4096);
}

/* The identifier of a number; `bucket` says where it goes. */
static const uint8_t *id_of(uint64_t number, uint64_t bucket)
{
    static uint8_t id[MU_SHARE_ID];
    memset(id, 0x5a, sizeof id);
    mu_put_be64(id, number);
    mu_put_be64(id + 8, bucket);
    return id;
}

static bool put(struct mu_share *share, uint64_t number, uint64_t bucket, int64_t until_s)
{
    char text[32];
    (void)snprintf(text, sizeof text, "session %llu", (unsigned long long)number);
    return mu_share_put(share, id_of(number, bucket), until_s, mu_slice_text(text));
}

static bool take(struct mu_share *share, uint64_t number, uint64_t bucket)
{
    char text[32];
    size_t len = mu_share_take(share, id_of(number, bucket), record);
    (void)snprintf(text, sizeof text, "session %llu", (unsigned long long)number);
    assert_true(len == 0 || mu_slice_equal_text(mu_slice_of(record, len), text));
    return len > 0;
}

static void a_session_is_found_once_by_anybody(void **state)
{
    (void)state;
    assert_true(put(first, 1, 1, 100));
    assert_true(put(second, 2, 1, 100));
    assert_false(take(first, 3, 1) || take(second, 1, 2));
    assert_true(take(second, 1, 1));
    assert_false(take(second, 1, 1) || take(first, 1, 1));
    assert_true(take(first, 2, 1));
    assert_false(take(first, 2, 1) || take(second, 2, 1));
}

static void what_does_not_fit_is_not_kept(void **state)
{
    (void)state;
    static const uint8_t much[MU_SHARE_RECORD] = {0};
    size_t most = sizeof much - MU_SHARE_ID;
    assert_false(mu_share_put(first, id_of(1, 1), 9, mu_slice_of(much, most + 1)));
    assert_int_equal(mu_share_take(first, id_of(1, 1), record), 0);
    assert_true(mu_share_put(first, id_of(1, 1), 9, mu_slice_of(much, most)));
    assert_int_equal(mu_share_take(second, id_of(1, 1), record), most);
}

static void the_key_goes_with_the_hour(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t next[32];
    assert_true(put(first, 1, 1, 100) && put(first, 2, 1, 100));
    assert_ok(mu_share_turn(second, 8, &err), &err);
    assert_true(take(second, 1, 1)); /* of the hour before */
    assert_true(put(second, 3, 1, 100));
    assert_false(take(first, 3, 1)); /* of an hour to come, for a moment: nothing happens */
    assert_ok(mu_share_turn(first, 8, &err), &err);
    assert_true(put(second, 4, 1, 100));
    assert_true(take(first, 4, 1)); /* both derive the same */
    assert_ok(mu_share_turn(first, 9, &err), &err);
    assert_false(take(first, 2, 1));   /* two hours old */
    memcpy(next, secret, sizeof next); /* whoever comes later is given a later secret */
    assert_ok(mu_share_next(next, &err) && mu_share_next(next, &err), &err);
    struct mu_share *late = open_share(next, 9);
    assert_true(put(first, 5, 1, 100));
    assert_true(take(late, 5, 1));
    mu_share_free(late);
    struct mu_share *other = open_share(next, 8); /* not the one of that hour */
    assert_true(put(first, 6, 1, 100));
    assert_ok(mu_share_turn(other, 9, &err), &err);
    assert_false(take(other, 6, 1));
    mu_share_free(other);
}

static void room_is_made_where_least_is_lost(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    for (uint64_t i = 0; i < MU_SHARE_WAYS; i++) {
        assert_true(put(first, i, 1, (int64_t)(100 + (i * 7) % 4)));
    }
    assert_true(put(first, 50, 1, 500)); /* in place of 0, which ends first */
    assert_false(take(first, 0, 1));
    assert_true(take(first, 1, 1)); /* leaves an empty place */
    assert_true(put(first, 51, 1, 50));
    assert_true(take(first, 2, 1) && take(first, 3, 1) && take(first, 50, 1) && take(first, 51, 1));
    assert_true(put(first, 60, 1, 1000));
    assert_ok(mu_share_turn(first, 9, &err), &err);
    for (uint64_t i = 61; i < 61 + MU_SHARE_WAYS; i++) {
        assert_true(put(first, i, 1, 10)); /* the dead one ends last and goes first */
    }
    for (uint64_t i = 61; i < 61 + MU_SHARE_WAYS; i++) {
        assert_true(take(first, i, 1));
    }
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

static void no_byte_may_be_another(void **state)
{
    (void)state;
    size_t changed = 0;
    for (size_t at = 8; at < 8 + 56 + MU_SHARE_ID + 9; at++) { /* behind the state */
        assert_true(put(first, 1, 0, 100));
        memory[at] ^= 1;
        changed += !take(second, 1, 0);
        memory[at] ^= 1;
        memset(memory, 0, 2048);
    }
    assert_int_equal(changed, 56 + MU_SHARE_ID + 9);
}

/* Two that write at once: one of them to the half, the other one behind it. */
static void a_mixture_is_nothing(void **state)
{
    (void)state;
    static uint8_t half[2048];
    assert_true(put(first, 1, 0, 100));
    memcpy(half, memory, sizeof half);
    memset(memory, 0, 2048);
    assert_true(put(second, 1, 0, 100)); /* the same session by another nonce */
    memcpy(memory, half, 70);
    assert_false(take(first, 1, 0));
    assert_true(put(first, 1, 0, 100)); /* and the place is free */
    assert_true(take(second, 1, 0));
}

static int end_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* The second place of the bucket crosses into a page that the child cannot write to, so it dies
 * with half of a session written. */
static void who_dies_in_the_middle_leaves_a_free_place(void **state)
{
    (void)state;
    uint64_t *place = (uint64_t *)(void *)(memory + 2048);
    assert_true(put(first, 1, 0, 100));
    pid_t child = fork();
    if (child == 0) {
        static const uint8_t much[1500] = {1};
        (void)signal(SIGSEGV, SIG_DFL);
        (void)mprotect(memory - 1024 + 4096, 4096, PROT_READ);
        (void)mu_share_put(second, id_of(2, 0), 100, mu_slice_of(much, sizeof much));
        _exit(0);
    }
    assert_int_equal(end_of(child), SIGSEGV);
    assert_int_equal(place[0], 0);     /* being written */
    assert_int_not_equal(place[1], 0); /* and it was */
    assert_false(take(first, 2, 0));
    assert_true(put(first, 3, 0, 100));
    assert_int_not_equal(place[0], 0); /* there */
    assert_true(take(second, 3, 0) && take(second, 1, 0));
}

static void whenever_somebody_is_killed_the_others_go_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (uint64_t n = 0;; n++) {
                (void)put(second, 1000 + n % 50, 3, 100);
                (void)mu_share_take(second, id_of(1000 + (n + 7) % 50, 3), record);
            }
        }
        (void)usleep(i * 37 % 1500);
        for (uint64_t n = 0; n < 20; n++) {
            (void)put(first, n, 3, 200);
            (void)take(first, n, 3); /* whatever is found is whole */
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(end_of(child), SIGKILL);
        assert_true(put(first, 5000 + i, 3, 1000));
        assert_true(take(first, 5000 + i, 3));
    }
}

static void many_who_want_one_session_do_not_get_two(void **state)
{
    (void)state;
    enum { SESSIONS = 2000, TAKERS = 3 };
    for (uint64_t n = 0; n < SESSIONS; n++) {
        assert_true(put(first, n, n, 100));
    }
    uint64_t *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(counts, MAP_FAILED);
    for (int i = 0; i < TAKERS; i++) {
        if (fork() == 0) {
            for (uint64_t n = 0; n < SESSIONS; n++) {
                counts[i] += mu_share_take(second, id_of(n, n), record) > 0;
            }
            _exit(0);
        }
    }
    for (int i = 0; i < TAKERS; i++) {
        assert_true(wait(NULL) > 0);
    }
    assert_int_equal(counts[0] + counts[1] + counts[2], SESSIONS);
    assert_int_equal(munmap(counts, 4096), 0);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_session_is_found_once_by_anybody),
        CASE(what_does_not_fit_is_not_kept),
        CASE(the_key_goes_with_the_hour),
        CASE(room_is_made_where_least_is_lost),
        CASE(no_byte_may_be_another),
        CASE(a_mixture_is_nothing),
        CASE(who_dies_in_the_middle_leaves_a_free_place),
        CASE(whenever_somebody_is_killed_the_others_go_on),
        CASE(many_who_want_one_session_do_not_get_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
