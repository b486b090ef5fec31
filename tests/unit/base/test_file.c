/* SPDX-License-Identifier: Apache-2.0
 *
 * Files: limits, kinds, atomic writing.
 */
#include "base/base.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64];
static char path[128];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/mutual-file-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory); /* fails, and so does the test, when anything was left behind */
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(mu_file_write(path, MU_SLICE_LIT("one"), 0600, &err), &err);
    assert_ok(mu_file_write(path, MU_SLICE_LIT("two"), 0640, &err), &err);
    MU_AUTO(buf) struct mu_buf buf = {0};
    assert_ok(mu_file_read(path, 3, &buf, &err), &err);
    assert_string_equal(mu_buf_str(&buf), "two");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void creating_never_replaces(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_ok(mu_file_create(path, MU_SLICE_LIT("first"), 0600, &err), &err);
    assert_fails(mu_file_create(path, MU_SLICE_LIT("second"), 0600, &err), &err,
                 MUTUAL_E_FILE_EXISTS);
    MU_AUTO(buf) struct mu_buf buf = {0};
    assert_ok(mu_file_read(path, 100, &buf, &err), &err);
    assert_string_equal(mu_buf_str(&buf), "first");
}

static void limits_and_kinds_are_kept(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mu_buf buf;
    assert_fails(mu_file_read(path, 10, &buf, &err), &err, MUTUAL_E_FILE_MISSING);
    assert_fails(mu_file_read(directory, 10, &buf, &err), &err, MUTUAL_E_FILE_UNREADABLE);
    assert_fails(mu_file_read("/dev/zero", 10, &buf, &err), &err, MUTUAL_E_FILE_UNREADABLE);
    assert_ok(mu_file_write(path, MU_SLICE_LIT("12345678901"), 0600, &err), &err);
    assert_fails(mu_file_read(path, 10, &buf, &err), &err, MUTUAL_E_FILE_TOO_LARGE);
    assert_non_null(strstr(err.reason, "10 bytes"));
}

/* Puts the word behind what is there; "no" refuses. */
static bool put_behind(void *context, struct mu_slice old, struct mu_buf *out,
                       struct mutual_error *err)
{
    const char *word = context;
    if (strcmp(word, "no") == 0) {
        return mu_fail(err, MUTUAL_E_USAGE, "no");
    }
    mu_buf_append(out, old.data, old.len);
    mu_buf_text(out, word);
    return true;
}

static void a_change_keeps_what_the_file_is(void **state)
{
    (void)state;
    char link_path[160];
    char lock[160];
    struct stat before;
    struct stat after;
    struct mutual_error err = {0};
    char one[] = "one";
    char two[] = " two";
    char no[] = "no";
    snprintf(link_path, sizeof link_path, "%s/link", directory);
    snprintf(lock, sizeof lock, "%s.lock", path);
    assert_ok(mu_file_change(path, 100, 0640, put_behind, one, &err), &err);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(before.st_mode & 07777, 0640);
    assert_int_equal(chmod(path, 0604), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12, 34), 0);
    }
    assert_int_equal(symlink(path, link_path), 0);
    assert_ok(mu_file_change(link_path, 100, 0640, put_behind, two, &err), &err);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_mode & 07777, 0604);
    assert_true(geteuid() != 0 || (after.st_uid == 12 && after.st_gid == 34));
    assert_true(after.st_ino != before.st_ino); /* replaced whole */
    assert_int_equal(lstat(link_path, &after), 0);
    assert_true(S_ISLNK(after.st_mode));
    assert_fails(mu_file_change(path, 100, 0640, put_behind, no, &err), &err, MUTUAL_E_USAGE);
    assert_fails(mu_file_change(path, 8, 0640, put_behind, two, &err), &err,
                 MUTUAL_E_FILE_TOO_LARGE);
    MU_AUTO(buf) struct mu_buf buf = {0};
    assert_ok(mu_file_read(path, 100, &buf, &err), &err);
    assert_string_equal(mu_buf_str(&buf), "one two");
    assert_int_equal(stat(lock, &after), 0);
    assert_int_equal(after.st_mode & 07777, 0600);
    assert_int_equal(unlink(lock) | unlink(link_path), 0);
}

/* Many at once: nothing that one wrote is lost. */
static void changes_wait_for_each_other(void **state)
{
    (void)state;
    enum { CHILDREN = 8, EACH = 10 };
    char lock[160];
    snprintf(lock, sizeof lock, "%s.lock", path);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        assert_true(child != -1);
        if (child == 0) {
            char word[] = "x";
            bool good = true;
            for (int n = 0; n < EACH; n++) {
                good = good && mu_file_change(path, 1000, 0600, put_behind, word, NULL);
            }
            _exit(good ? 0 : 1);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf buf = {0};
    assert_ok(mu_file_read(path, 1000, &buf, &err), &err);
    assert_int_equal(buf.len, CHILDREN * EACH);
    assert_int_equal(unlink(lock), 0);
}

static void a_change_does_not_wait_for_ever(void **state)
{
    (void)state;
    char lock[160];
    char word[] = "x";
    struct mutual_error err = {0};
    snprintf(lock, sizeof lock, "%s.lock", path);
    int holder = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(holder != -1);
    assert_int_equal(flock(holder, LOCK_EX), 0);
    assert_fails(mu_file_change(path, 1000, 0600, put_behind, word, &err), &err,
                 MUTUAL_E_FILE_BUSY);
    close(holder);
    assert_int_equal(unlink(lock), 0);
}

static void a_pipe_is_written_to_and_stays(void **state)
{
    (void)state;
    char got[4] = "";
    struct stat info;
    struct mutual_error err = {0};
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_ok(mu_file_write(path, MU_SLICE_LIT("one"), 0600, &err), &err);
    assert_int_equal(read(reader, got, sizeof got), 3);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(close(reader), 0);
}

static void what_cannot_be_written_is_said(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_fails(mu_file_write("/nonexistent/file", MU_SLICE_LIT("x"), 0600, &err), &err,
                 MUTUAL_E_FILE_UNWRITABLE);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full != -1);
    assert_false(mu_fd_write(full, "x", 1));
    assert_int_equal(close(full), 0);
}

/* What a killed writer left goes; what only looks like it stays. */
static void strays_are_cleared(void **state)
{
    static const char *const stray[] = {"a.0123abcd.new", "a.ffffffff.new"};
    static const char *const other[] = {"a", "a.0123abc.new", "a.0123abcD.new", "b.0123abcd.new",
                                        "a.0123abcd.newer"};
    (void)state;
    struct mutual_error err = {0};
    char file[256];
    for (size_t i = 0; i < MU_COUNT(stray) + MU_COUNT(other); i++) {
        const char *name = i < MU_COUNT(stray) ? stray[i] : other[i - MU_COUNT(stray)];
        (void)snprintf(file, sizeof file, "%s/%s", directory, name);
        assert_ok(mu_file_write(file, MU_SLICE_LIT("x"), 0600, &err), &err);
    }
    (void)snprintf(file, sizeof file, "%s/a", directory);
    mu_file_clear_strays(file);
    mu_file_clear_strays("/nonexistent/a");
    for (size_t i = 0; i < MU_COUNT(stray); i++) {
        (void)snprintf(file, sizeof file, "%s/%s", directory, stray[i]);
        assert_int_equal(access(file, F_OK), -1);
    }
    for (size_t i = 0; i < MU_COUNT(other); i++) {
        (void)snprintf(file, sizeof file, "%s/%s", directory, other[i]);
        assert_int_equal(unlink(file), 0);
    }
}

#define FILE_CASE(name_) cmocka_unit_test_setup_teardown(name_, make_directory, remove_directory)
UNIT_MAIN(FILE_CASE(what_is_written_is_read), FILE_CASE(creating_never_replaces),
          FILE_CASE(limits_and_kinds_are_kept), FILE_CASE(a_pipe_is_written_to_and_stays),
          FILE_CASE(a_change_keeps_what_the_file_is), FILE_CASE(changes_wait_for_each_other),
          FILE_CASE(a_change_does_not_wait_for_ever), FILE_CASE(what_cannot_be_written_is_said),
          FILE_CASE(strays_are_cleared))
