/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/load.c: files on disk into a snapshot, and who may read them.
 */
#include "config_support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAIN                                                                                   \
    "version: 1\ninclude: conf.d/*.yaml\ntrust: [{name: t, bundle: ca.pem, revocation: {crl: " \
    "t.crl}}]\ninbound:\n"                                                                     \
    "  - {name: a, listen: ':1', forward: 'unix:/x', clients: {trust: t}, certificate: tls}\n"

static void put(const char *path, const char *text, mode_t mode)
{
    struct mutual_error err = {0};
    assert_ok(mu_file_write(path, mu_slice_text(text), mode, &err), &err);
}

/* Each case in a directory of its own, entered, so that names are short. */
static int enter(void **state)
{
    (void)state;
    char path[] = "/tmp/test_load.XXXXXX";
    if (mkdtemp(path) == NULL || chdir(path) != 0 || mkdir("tls", 0700) != 0 ||
        mkdir("conf.d", 0700) != 0) {
        return -1;
    }
    put("m.yaml", MAIN, 0600);
    put("ca.pem", "CA", 0644);
    put("t.crl", "CRL", 0644);
    put("tls/tls.crt", "CHAIN", 0644);
    put("tls/tls.key", "KEY", 0600);
    put("conf.d/p.yaml",
        "policy:\n  - {grant: g, to: a, from: {dns: x}, owner: o, why: w}\n"
        "trust: [{name: u, bundle: u.pem}]\n",
        0644);
    put("conf.d/u.pem", "U", 0644);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    static const char *const files[] = {
        "m.yaml", "ca.pem", "t.crl", "tls/tls.crt", "tls/tls.key", "conf.d/p.yaml", "conf.d/u.pem"};
    for (size_t i = 0; i < MU_COUNT(files); i++) {
        (void)unlink(files[i]);
    }
    (void)rmdir("tls");
    (void)rmdir("conf.d");
    char path[256];
    return getcwd(path, sizeof path) == NULL || chdir("/") != 0 ? -1 : rmdir(path);
}

static void test_all_files(void **state)
{
    (void)state;
    struct built b = {0};
    assert_true(config_snapshot_load("m.yaml", &b.findings, &b.snapshot));
    static const char *const names[] = {"m.yaml", "conf.d/p.yaml", "ca.pem",
                                        "t.crl",  "conf.d/u.pem",  "tls/tls.crt"};
    assert_int_equal(config_snapshot_count(b.snapshot), MU_COUNT(names));
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        struct mu_slice bytes;
        assert_true(config_snapshot_find(b.snapshot, names[i], &bytes));
        assert_null(memmem(bytes.data, bytes.len, "KEY", 3)); /* never a private key */
    }
    assert_string_equal(config_snapshot_main(b.snapshot), "m.yaml");
    built_run(&b);
    assert_int_equal(b.config->grant_count, 1);
    built_done(&b);
}

static void assert_load_fails(enum mutual_code code, const char *part, const char *hint)
{
    struct built b = {0};
    assert_false(config_snapshot_load("m.yaml", &b.findings, &b.snapshot));
    assert_int_equal(b.findings.errors, 1);
    const struct config_finding *f = &b.findings.items[0];
    assert_string_equal(mutual_code_name(f->code), mutual_code_name(code));
    if (strstr(f->text, part) == NULL || (hint != NULL && strcmp(f->hint, hint) != 0)) {
        fail_msg("got: %s (%s)", f->text, f->hint);
    }
    built_done(&b);
}

static void test_exposed_key(void **state)
{
    (void)state;
    assert_int_equal(chmod("tls/tls.key", 0640), 0);
    assert_load_fails(MUTUAL_E_FILE_EXPOSED, "can be read by others (mode 0640)",
                      "run: chmod 600 tls/tls.key");
}

static void test_missing_files(void **state)
{
    (void)state;
    assert_int_equal(unlink("tls/tls.key"), 0);
    assert_load_fails(MUTUAL_E_FILE_MISSING, "private key \"tls/tls.key\"", NULL);
    put("tls/tls.key", "KEY", 0600);
    assert_int_equal(unlink("t.crl"), 0);
    assert_load_fails(MUTUAL_E_FILE_MISSING, "t.crl", NULL);
    assert_int_equal(mkdir("t.crl", 0700), 0);
    assert_load_fails(MUTUAL_E_FILE_UNREADABLE, "not a regular file", NULL);
    assert_int_equal(rmdir("t.crl"), 0);
    assert_int_equal(unlink("m.yaml"), 0);
    assert_load_fails(MUTUAL_E_FILE_MISSING, "m.yaml", NULL);
}

/* What is wrong in the configuration is told by config_build, once, and what it refers to is read
 * all the same. */
static void test_broken_configuration(void **state)
{
    (void)state;
    put("m.yaml", MAIN "lgo: {}\n", 0600);
    struct built b = {0};
    assert_true(config_snapshot_load("m.yaml", &b.findings, &b.snapshot));
    struct mu_slice bytes;
    assert_true(config_snapshot_find(b.snapshot, "tls/tls.crt", &bytes));
    assert_false(config_build(b.snapshot, NULL, &b.findings, &b.config));
    assert_int_equal(b.findings.errors, 1);
    built_done(&b);
}

static void test_text_instead_of_a_file(void **state)
{
    (void)state;
    struct built b = {0};
    assert_true(config_snapshot_load_text("flags", mu_slice_text(MAIN), &b.findings, &b.snapshot));
    assert_string_equal(config_snapshot_main(b.snapshot), "flags");
    struct mu_slice bytes;
    assert_true(config_snapshot_find(b.snapshot, "ca.pem", &bytes));
    built_done(&b);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, enter, leave)
UNIT_MAIN(CASE(test_all_files), CASE(test_exposed_key), CASE(test_missing_files),
          CASE(test_broken_configuration), CASE(test_text_instead_of_a_file))
