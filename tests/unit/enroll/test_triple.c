/* SPDX-License-Identifier: Apache-2.0
 *
 * The three files: read together, exchanged at once, put back, cleared away.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enroll/enroll.h"
#include "pki.h"
#include "unit.h"

static struct mutual_error err;
static char place[] = "/tmp/mutual-triple-XXXXXX";
static char directory[64];
static struct pki *root, *issuer, *old, *fresh;

static void put(const char *name, const char *text, mode_t mode)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_ok(mu_file_write(path, mu_slice_text(text), mode, &err), &err);
}

static void put_triple(void)
{
    (void)mkdir(directory, 0755);
    put("tls.crt", pki_chain_pem(old), 0644);
    put("tls.key", pki_key_pem(old), 0600);
    put("ca.crt", pki_pem(root), 0644);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(place) == NULL) {
        return -1;
    }
    (void)snprintf(directory, sizeof directory, "%s/web", place);
    root = pki_root("Root");
    issuer = pki_ca(root, "Issuer");
    old = pki_issue(issuer, (struct pki_leaf){.dns = "web.example.org"});
    fresh = pki_issue(issuer, (struct pki_leaf){.dns = "web.example.org"});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command); /* the directory is ours alone */
}

static struct enroll_triple triple_of(const struct pki *leaf)
{
    struct enroll_triple triple = {.key = mu_key_ref(leaf->key)};
    assert_ok(mu_certs_add(&triple.chain, leaf->cert, &err), &err);
    assert_ok(mu_certs_add(&triple.chain, issuer->cert, &err), &err);
    assert_ok(mu_certs_add(&triple.roots, root->cert, &err), &err);
    return triple;
}

static const uint8_t *shown(void)
{
    static uint8_t print[32];
    MU_AUTO(enroll_triple) struct enroll_triple triple = {0};
    assert_ok(enroll_triple_load(directory, &triple, &err), &err);
    memcpy(print, mu_cert_facts(triple.chain.items[0])->fingerprint, sizeof print);
    return print;
}

static bool is(const struct pki *leaf)
{
    return memcmp(shown(), mu_cert_facts(leaf->cert)->fingerprint, 32) == 0;
}

static void it_is_exchanged_and_put_back(void **state)
{
    (void)state;
    struct enroll_swap swap = {0};
    struct stat info;
    MU_AUTO(enroll_triple) struct enroll_triple triple = triple_of(fresh);
    put_triple();
    assert_true(is(old));
    assert_ok(enroll_swap_prepare(&swap, directory, &triple, &err), &err);
    assert_true(is(old));
    assert_ok(enroll_swap_do(&swap, &err), &err);
    assert_true(is(fresh));
    assert_ok(enroll_swap_undo(&swap, &err), &err);
    assert_true(is(old));
    assert_ok(enroll_swap_do(&swap, &err), &err);
    char *aside = mu_strdup(swap.aside);
    enroll_swap_done(&swap);
    enroll_swap_done(&swap);
    assert_true(is(fresh));
    assert_int_equal(stat(aside, &info), -1);
    assert_int_equal(stat(directory, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0755);
    mu_free(aside);
    const struct enroll_life life = enroll_triple_life(&triple);
    assert_int_equal(life.until_s, mu_cert_facts(fresh->cert)->not_after_s);
}

static void by_a_link_the_directory_itself_is_exchanged(void **state)
{
    (void)state;
    char link[80];
    struct enroll_swap swap = {0};
    struct stat info;
    MU_AUTO(enroll_triple) struct enroll_triple triple = triple_of(fresh);
    put_triple();
    (void)snprintf(link, sizeof link, "%s/link", place);
    assert_int_equal(symlink("web", link), 0);
    assert_ok(enroll_swap_prepare(&swap, link, &triple, &err), &err);
    assert_ok(enroll_swap_do(&swap, &err), &err);
    enroll_swap_done(&swap);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_true(is(fresh));
    (void)unlink(link);
}

static void what_is_not_ours_is_not_thrown_away(void **state)
{
    (void)state;
    struct enroll_swap swap = {0};
    char path[128];
    MU_AUTO(enroll_triple) struct enroll_triple triple = triple_of(fresh);
    put_triple();
    put("notes.txt", "mine", 0644);
    assert_ok(enroll_swap_prepare(&swap, directory, &triple, &err), &err);
    assert_fails(enroll_swap_do(&swap, &err), &err, MUTUAL_E_FILE_EXISTS);
    enroll_swap_done(&swap);
    assert_true(is(old));
    (void)snprintf(path, sizeof path, "%s/notes.txt", directory);
    assert_int_equal(unlink(path), 0);
}

static void what_cannot_be_read_together(void **state)
{
    (void)state;
    struct enroll_triple triple;
    put_triple();
    put("tls.key", pki_key_pem(fresh), 0600);
    assert_fails(enroll_triple_load(directory, &triple, &err), &err, MUTUAL_E_KEY_MISMATCH);
    put("tls.key", pki_key_pem(old), 0644);
    assert_fails(enroll_triple_load(directory, &triple, &err), &err, MUTUAL_E_FILE_EXPOSED);
    put("tls.key", "nonsense", 0600);
    assert_false(enroll_triple_load(directory, &triple, &err));
    put("ca.crt", "", 0644);
    assert_fails(enroll_triple_load(directory, &triple, &err), &err, MUTUAL_E_PEM_MALFORMED);
    assert_fails(enroll_triple_load("/nonexistent", &triple, &err), &err, MUTUAL_E_FILE_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_exchanged_and_put_back),
        cmocka_unit_test(by_a_link_the_directory_itself_is_exchanged),
        cmocka_unit_test(what_is_not_ours_is_not_thrown_away),
        cmocka_unit_test(what_cannot_be_read_together),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
