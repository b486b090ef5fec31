/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept on disk: whole or not at all, and a note that is believed of its own bytes only.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/fetch_internal.h"
#include "unit.h"

static struct mutual_error err;
static char directory[] = "/tmp/mutual-keep-XXXXXX";
static char path[128];

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/a/b/list", directory);
    return 0;
}

static int teardown(void **state)
{
    char name[160];
    static const char *const names[] = {"a/b/list.meta", "a/b/list", "a/b", "a", ""};
    (void)state;
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        (void)snprintf(name, sizeof name, "%s/%s", directory, names[i]);
        (void)remove(name);
    }
    return 0;
}

static int memory_file(const char *text, int seals)
{
    int fd = memfd_create("t", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    assert_true(mu_fd_write(fd, text, strlen(text)));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static const struct fetch_kept noted = {.etag = "\"v1\"",
                                        .modified = "Sun, 06 Nov 1994 08:49:37 GMT",
                                        .fetched_s = 10,
                                        .this_update_s = 20,
                                        .next_update_s = 30,
                                        .produced_s = 40,
                                        .about = "00ff"};

static bool changed;

static void save(const char *text)
{
    int fd = memory_file(text, FETCH_SEALS);
    assert_ok(fetch_kept_save(path, fd, &noted, &changed, &err), &err);
    (void)close(fd);
}

static void what_is_kept_is_found_again(void **state)
{
    (void)state;
    struct fetch_kept kept;
    struct stat info;
    MU_AUTO(buf) struct mu_buf bytes = {0};
    assert_false(fetch_kept_load(path, &kept));
    save("first");
    assert_true(changed);
    save("first");
    assert_false(changed);
    save("second");
    assert_true(changed);
    assert_ok(mu_file_read(path, 100, &bytes, &err), &err);
    assert_string_equal(mu_buf_str(&bytes), "second");
    assert_true(fetch_kept_load(path, &kept));
    assert_string_equal(kept.etag, noted.etag);
    assert_string_equal(kept.modified, noted.modified);
    assert_int_equal(kept.fetched_s, 10);
    assert_int_equal(kept.this_update_s, 20);
    assert_int_equal(kept.next_update_s, 30);
    assert_int_equal(kept.produced_s, 40);
    assert_string_equal(kept.about, "00ff");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void a_note_of_other_bytes_is_not_believed(void **state)
{
    (void)state;
    struct fetch_kept kept;
    save("first");
    assert_ok(mu_file_write(path, MU_SLICE_LIT("other"), 0640, &err), &err);
    assert_false(fetch_kept_load(path, &kept));
}

static void only_sealed_files_are_kept(void **state)
{
    (void)state;
    int open_one = memory_file("x", 0);
    int empty = memory_file("", FETCH_SEALS);
    assert_fails(fetch_kept_save(path, open_one, &noted, &changed, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    assert_fails(fetch_kept_save(path, empty, &noted, &changed, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    assert_fails(fetch_kept_save(path, STDIN_FILENO, &noted, &changed, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    (void)close(open_one);
    (void)close(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_found_again),
        cmocka_unit_test(a_note_of_other_bytes_is_not_believed),
        cmocka_unit_test(only_sealed_files_are_kept),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
