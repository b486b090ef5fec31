/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/snapshot.c: what goes in comes out, here and in another process.
 */
#include "config_support.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct config_snapshot *sample(void)
{
    struct mutual_error err = {0};
    struct config_snapshot *s = config_snapshot_new();
    assert_ok(config_snapshot_add(s, "main", mu_slice_text("version: 1"), &err), &err);
    assert_ok(config_snapshot_add(s, "/empty", mu_slice_of(NULL, 0), &err), &err);
    assert_ok(config_snapshot_add(s, "/bin", MU_SLICE_LIT("a\0b"), &err), &err);
    return s;
}

static void assert_sample(const struct config_snapshot *s)
{
    struct mu_slice bytes;
    assert_int_equal(config_snapshot_count(s), 3);
    assert_string_equal(config_snapshot_main(s), "main");
    assert_string_equal(config_snapshot_name(s, 1), "/empty");
    assert_true(config_snapshot_find(s, "/bin", &bytes));
    assert_true(mu_slice_equal(bytes, MU_SLICE_LIT("a\0b")));
    assert_true(config_snapshot_find(s, "/empty", &bytes));
    assert_int_equal(bytes.len, 0);
    assert_false(config_snapshot_find(s, "/none", &bytes));
}

static void test_add_and_find(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct config_snapshot *s = sample();
    assert_sample(s);
    assert_ok(config_snapshot_add(s, "main", mu_slice_text("other"), &err), &err);
    assert_sample(s);
    struct mu_slice bytes;
    assert_true(config_snapshot_find(s, "main", &bytes));
    assert_true(mu_slice_equal_text(bytes, "version: 1"));
    config_snapshot_free(s);
    config_snapshot_free(NULL);
}

static void test_export_and_import(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct config_snapshot *s = sample();
    int fd = -1;
    assert_ok(config_snapshot_export(s, &fd, &err), &err);
    config_snapshot_free(s);
    assert_int_equal(write(fd, "x", 1), -1); /* sealed */
    struct config_snapshot *copy = NULL;
    assert_ok(config_snapshot_import(fd, &copy, &err), &err);
    assert_int_equal(close(fd), 0);
    assert_sample(copy);
    config_snapshot_free(copy);
}

static void test_unsealed_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct config_snapshot *s = sample();
    struct config_snapshot *copy = NULL;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_ok(config_snapshot_write(s, fd, &err), &err);
    assert_fails(config_snapshot_import(fd, &copy, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    assert_ok(config_snapshot_import(fd, &copy, &err), &err);
    config_snapshot_free(copy);
    config_snapshot_free(s);
    assert_int_equal(close(fd), 0);
    assert_fails(config_snapshot_import(-1, &copy, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
}

/* Every prefix of a good one is bad, and so is every good one with something behind. */
static void test_cut_short(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct config_snapshot *s = sample();
    struct config_snapshot *copy = NULL;
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_ok(config_snapshot_write(s, fd, &err), &err);
    config_snapshot_free(s);
    uint8_t bytes[512];
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    ssize_t len = read(fd, bytes, sizeof bytes - 1);
    assert_true(len > 0);
    for (size_t i = 0; i < (size_t)len; i++) {
        assert_fails(config_snapshot_parse(mu_slice_of(bytes, i), &copy, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
    assert_ok(config_snapshot_parse(mu_slice_of(bytes, (size_t)len), &copy, &err), &err);
    assert_sample(copy);
    config_snapshot_free(copy);
    bytes[len] = 0;
    assert_fails(config_snapshot_parse(mu_slice_of(bytes, (size_t)len + 1), &copy, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    assert_int_equal(close(fd), 0);
}

static void test_names_that_cannot_be(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct config_snapshot *copy = NULL;
#define HEAD    "MUSNAP01\0\0\0"
#define ENTRY_A "\0\0\0\1\0\0\0\0\0\0\0\1ax"
    struct mu_slice twice = MU_SLICE_LIT(HEAD "\2" ENTRY_A ENTRY_A);
    assert_fails(config_snapshot_parse(twice, &copy, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    struct mu_slice unnamed = MU_SLICE_LIT(HEAD "\1\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_fails(config_snapshot_parse(unnamed, &copy, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    struct mu_slice nul = MU_SLICE_LIT(HEAD "\1\0\0\0\2\0\0\0\0\0\0\0\0a\0");
    assert_fails(config_snapshot_parse(nul, &copy, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    struct mu_slice huge = MU_SLICE_LIT(HEAD "\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_fails(config_snapshot_parse(huge, &copy, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
}

static void test_limits(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct config_snapshot *s = config_snapshot_new();
    char name[5000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_fails(config_snapshot_add(s, name, mu_slice_text(""), &err), &err, MUTUAL_E_LIMIT);
    assert_null(config_snapshot_main(s));
    config_snapshot_free(s);
}

/* A list that was let go is still known: it is the same as itself and as nothing else. */
static void test_lists_are_let_go(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(config_snapshot) struct config_snapshot *a = config_snapshot_new();
    MU_AUTO(config_snapshot) struct config_snapshot *b = config_snapshot_new();
    struct config_snapshot *both[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        MU_AUTO(buf) struct mu_buf bytes;
        mu_buf_init(&bytes, 100);
        mu_buf_text(&bytes, "the list");
        assert_ok(config_snapshot_add(both[i], "main", mu_slice_text("x"), &err), &err);
        assert_ok(config_snapshot_take(both[i], "crl", &bytes, &err), &err);
        assert_null(bytes.data);
    }
    assert_false(config_snapshot_has_lists(a));
    config_snapshot_set_list(a, "crl", true);
    assert_true(config_snapshot_has_lists(a));
    assert_true(config_snapshot_is_same(a, b));
    assert_ok(config_snapshot_let_lists_go(a, &err), &err);
    struct mu_slice left;
    assert_true(config_snapshot_find(a, "crl", &left));
    assert_int_equal(left.len, 0);
    assert_true(config_snapshot_find(a, "main", &left));
    assert_true(mu_slice_equal_text(left, "x"));
    assert_true(config_snapshot_is_same(a, b));
    MU_AUTO(config_snapshot) struct config_snapshot *c = config_snapshot_new();
    assert_ok(config_snapshot_add(c, "main", mu_slice_text("x"), &err), &err);
    assert_ok(config_snapshot_add(c, "crl", mu_slice_text("the lisp"), &err), &err);
    assert_false(config_snapshot_is_same(a, c));
    assert_false(config_snapshot_is_same(b, c));
}

UNIT_MAIN(UNIT_CASE(test_lists_are_let_go), UNIT_CASE(test_add_and_find),
          UNIT_CASE(test_export_and_import), UNIT_CASE(test_unsealed_is_refused),
          UNIT_CASE(test_cut_short), UNIT_CASE(test_names_that_cannot_be), UNIT_CASE(test_limits))
