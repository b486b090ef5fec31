/* SPDX-License-Identifier: Apache-2.0
 *
 * What an operator reads: every tests/golden/config/NAME.yaml gives the findings in NAME.txt, to
 * the byte. With GOLDEN_UPDATE=1 the texts are written anew, for review.
 */
#include "config_support.h"

#include <glob.h>

#include "golden.h"

static void check(const char *path)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf bytes = {0};
    assert_ok(mu_file_read(path, 1u << 20, &bytes, &err), &err);
    const char *name = strrchr(path, '/') + 1;
    struct built b = {0};
    built_add(&b, name, "");
    config_snapshot_free(b.snapshot);
    b.snapshot = config_snapshot_new();
    assert_ok(config_snapshot_add(b.snapshot, name, mu_buf_slice(&bytes), &err), &err);
    built_run(&b);
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 1u << 20);
    config_findings_text(&b.findings, name, false, &shown);
    char golden[128];
    (void)snprintf(golden, sizeof golden, "%.*stxt", (int)(strlen(name) - strlen("yaml")), name);
    assert_golden(golden, mu_buf_slice(&shown));
    built_done(&b);
}

static void test_golden(void **state)
{
    (void)state;
    const char *directory = getenv("GOLDEN_DIR");
    assert_non_null(directory);
    MU_AUTO(buf) struct mu_buf pattern;
    mu_buf_init(&pattern, 4096);
    mu_buf_printf(&pattern, "%s/*.yaml", directory);
    glob_t found = {0};
    assert_int_equal(glob(mu_buf_str(&pattern), 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        check(found.gl_pathv[i]);
    }
    assert_true(found.gl_pathc >= 5);
    globfree(&found);
}

UNIT_MAIN(UNIT_CASE(test_golden))
