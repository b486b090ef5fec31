/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/secret.c: secrets by reference, and keys that belong to other certificates.
 */
#include "world_support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/test_secret.XXXXXX";

static void put(const char *name, const char *text, mode_t mode)
{
    struct mutual_error err = {0};
    assert_ok(mu_file_write(name, mu_slice_text(text), mode, &err), &err);
}

static int enter(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL || chdir(directory) != 0 || mkdir("tls", 0700) != 0;
}

static int leave(void **state)
{
    (void)state;
    (void)unlink("secret");
    (void)unlink("tls/tls.key");
    (void)rmdir("tls");
    return chdir("/") != 0 || rmdir(directory) != 0;
}

static void assert_secret(enum config_secret_kind kind, const char *value, const char *expected)
{
    struct mutual_error err = {0};
    const struct config_secret secret = {kind, value};
    char *text = NULL;
    size_t len = 0;
    assert_ok(world_secret_read(&secret, &text, &len, &err), &err);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    mu_secret_free(text);
}

static void assert_no_secret(enum config_secret_kind kind, const char *value, enum mutual_code code)
{
    struct mutual_error err = {0};
    const struct config_secret secret = {kind, value};
    char *text = NULL;
    size_t len = 0;
    assert_fails(world_secret_read(&secret, &text, &len, &err), &err, code);
}

static void test_references(void **state)
{
    (void)state;
    put("secret", "one line\n", 0600);
    assert_secret(CONFIG_SECRET_FILE, "secret", "one line");
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
    assert_secret(CONFIG_SECRET_CREDENTIAL, "secret", "one line");
    assert_int_equal(setenv("TEST_SECRET", "word", 1), 0);
    assert_secret(CONFIG_SECRET_ENV, "TEST_SECRET", "word");
    put("secret", "", 0600);
    assert_secret(CONFIG_SECRET_FILE, "secret", "");

    assert_int_equal(chmod("secret", 0604), 0);
    assert_no_secret(CONFIG_SECRET_FILE, "secret", MUTUAL_E_FILE_EXPOSED);
    assert_no_secret(CONFIG_SECRET_FILE, "gone", MUTUAL_E_FILE_MISSING);
    assert_no_secret(CONFIG_SECRET_FILE, "tls", MUTUAL_E_FILE_UNREADABLE);
    assert_no_secret(CONFIG_SECRET_ENV, "TEST_NONE", MUTUAL_E_FILE_MISSING);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_no_secret(CONFIG_SECRET_CREDENTIAL, "secret", MUTUAL_E_FILE_MISSING);
    assert_no_secret(CONFIG_SECRET_NONE, NULL, MUTUAL_E_FILE_MISSING);
}

static struct scene checked(const char *chain)
{
    struct scene s = {0};
    scene_add(&s, "m", TRUST INBOUND "policy:\n" GRANT("g", "to: db, from: {dns: a.b}"));
    scene_add(&s, "ca.pem", pki_pem(pki_root("Root")));
    scene_add(&s, "tls/tls.crt", chain);
    (void)world_check(s.snapshot, PKI_NOW_S, &s.findings, &s.world);
    return s;
}

static void test_pairs(void **state)
{
    (void)state;
    struct pki *root = pki_root("Root");
    struct pki *one = pki_issue(root, (struct pki_leaf){.dns = "one.example"});
    struct pki *two = pki_issue(root, (struct pki_leaf){.dns = "two.example"});
    put("tls/tls.key", pki_key_pem(one), 0600);
    struct scene s = checked(pki_pem(one));
    assert_non_null(s.world);
    assert_int_equal(s.findings.warnings, 0);
    scene_done(&s);

    s = checked(pki_pem(two));
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_KEY_MISMATCH, "tls/tls.key");
    scene_done(&s);

    put("tls/tls.key", "garbage", 0600);
    s = checked(pki_pem(one));
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 1);
    scene_done(&s);

    assert_int_equal(unlink("tls/tls.key"), 0);
    s = checked(pki_pem(one));
    assert_non_null(s.world);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_FILE_MISSING, "could not be compared");
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT_CASE(test_references), UNIT_CASE(test_pairs)};
    return cmocka_run_group_tests(tests, enter, leave);
}
