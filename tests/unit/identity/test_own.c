/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own identity: pairs that belong together, pairs that do not, and key files that others read.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/identity.h"
#include "pki.h"
#include "unit.h"

static bool from_pem(const char *chain, const char *key, struct mutual_identity **ret_identity,
                     struct mutual_error *err)
{
    return mutual_identity_from_pem(chain, strlen(chain), key, strlen(key), NULL, ret_identity,
                                    err);
}

static struct pki *leaf_of(struct pki *parent)
{
    return pki_issue(parent, (struct pki_leaf){.cn = "web", .uri = "spiffe://example.org/web"});
}

static void case_pair(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *sub = pki_ca(pki_root("Root"), "Issuing");
    struct pki *leaf = leaf_of(sub);
    MU_AUTO(identity) struct mutual_identity *identity = NULL;
    assert_ok(from_pem(pki_chain_pem(leaf), pki_key_pem(leaf), &identity, &err), &err);
    size_t count = 0;
    const struct mutual_name *names = mutual_identity_names(identity, &count);
    assert_int_equal(count, 2);
    assert_string_equal(names[0].text, "spiffe://example.org/web");
    assert_string_equal(names[1].text, "web");
    assert_int_equal(mutual_identity_not_after_s(identity), mu_cert_facts(leaf->cert)->not_after_s);
    struct mu_cert *const *chain = mu_identity_chain(identity, &count);
    assert_int_equal(count, 2);
    assert_memory_equal(mu_cert_facts(chain[1])->fingerprint, mu_cert_facts(sub->cert)->fingerprint,
                        32);
    assert_memory_equal(mu_key_hash(mu_identity_key(identity)), mu_key_hash(leaf->key), 32);
    struct mutual_identity *again = mutual_identity_ref(identity);
    mutual_identity_unref(again);
    mutual_identity_unref(NULL);
}

static void case_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *leaf = leaf_of(root);
    struct pki *other = leaf_of(root);
    struct mutual_identity *identity = NULL;
    assert_fails(from_pem(pki_pem(leaf), pki_key_pem(other), &identity, &err), &err,
                 MUTUAL_E_KEY_MISMATCH);
    assert_fails(from_pem(pki_pem(root), pki_key_pem(leaf), &identity, &err), &err,
                 MUTUAL_E_KEY_MISMATCH);
    assert_fails(from_pem("", pki_key_pem(leaf), &identity, &err), &err, MUTUAL_E_PEM_MALFORMED);
    assert_fails(from_pem(pki_pem(leaf), "", &identity, &err), &err, MUTUAL_E_PEM_MALFORMED);
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 65536);
    mu_pem_write(&pem, "CERTIFICATE", MU_SLICE_LIT("rubbish"));
    assert_fails(from_pem(mu_buf_str(&pem), pki_key_pem(leaf), &identity, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
    mu_buf_clear(&pem);
    mu_pem_write(&pem, "PRIVATE KEY", MU_SLICE_LIT("rubbish"));
    assert_fails(from_pem(pki_pem(leaf), mu_buf_str(&pem), &identity, &err), &err,
                 MUTUAL_E_KEY_MALFORMED);
    mu_buf_clear(&pem);
    assert_ok(mu_key_to_pem(leaf->key, "right", &pem, &err), &err);
    const char *text = mu_buf_str(&pem);
    assert_fails(from_pem(pki_pem(leaf), text, &identity, &err), &err, MUTUAL_E_KEY_PASSPHRASE);
    assert_null(identity);
    assert_ok(mutual_identity_from_pem(pki_pem(leaf), strlen(pki_pem(leaf)), text, strlen(text),
                                       "right", &identity, &err),
              &err);
    mutual_identity_unref(identity);
}

static void case_long_chain(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *leaf = leaf_of(pki_root("Root"));
    struct mu_cert *chain[MU_LIMIT_CHAIN_DEPTH + 1];
    for (size_t i = 0; i < MU_COUNT(chain); i++) {
        chain[i] = leaf->cert;
    }
    struct mutual_identity *identity = NULL;
    assert_fails(mu_identity_new(chain, MU_COUNT(chain), leaf->key, &identity, &err), &err,
                 MUTUAL_E_CHAIN_TOO_LONG);
    assert_null(identity);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(mu_fd_write(fd, text, strlen(text)));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

static void case_files(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *leaf = leaf_of(pki_root("Root"));
    char directory[] = "/tmp/mutual-own-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char crt[64];
    char key[64];
    snprintf(crt, sizeof crt, "%s/tls.crt", directory);
    snprintf(key, sizeof key, "%s/tls.key", directory);
    struct mutual_identity *identity = NULL;
    assert_fails(mutual_identity_load(crt, key, &identity, &err), &err, MUTUAL_E_FILE_MISSING);
    write_file(crt, pki_chain_pem(leaf), 0644);
    assert_fails(mutual_identity_load(crt, key, &identity, &err), &err, MUTUAL_E_FILE_MISSING);
    static const mode_t exposed[] = {0640, 0604, 0660, 0602, 0644};
    for (size_t i = 0; i < MU_COUNT(exposed); i++) {
        write_file(key, pki_key_pem(leaf), exposed[i]);
        assert_fails(mutual_identity_load(crt, key, &identity, &err), &err, MUTUAL_E_FILE_EXPOSED);
        assert_non_null(strstr(err.hint, key));
    }
    assert_fails(mutual_identity_load(crt, directory, &identity, &err), &err,
                 MUTUAL_E_FILE_UNREADABLE);
    assert_null(identity);
    write_file(key, pki_key_pem(leaf), 0600);
    assert_ok(mutual_identity_load(crt, key, &identity, &err), &err);
    mutual_identity_unref(identity);
    write_file(key, pki_key_pem(leaf), 0400);
    identity = NULL;
    assert_ok(mutual_identity_load(crt, key, &identity, &err), &err);
    mutual_identity_unref(identity);
    char *large = mu_alloc(MU_LIMIT_KEY_BYTES + 2, 1);
    memset(large, 'x', MU_LIMIT_KEY_BYTES + 1);
    assert_int_equal(unlink(key), 0);
    write_file(key, large, 0600);
    mu_free(large);
    identity = NULL;
    assert_fails(mutual_identity_load(crt, key, &identity, &err), &err, MUTUAL_E_FILE_TOO_LARGE);
    (void)unlink(key);
    (void)unlink(crt);
    (void)rmdir(directory);
}

UNIT_MAIN(UNIT_CASE(case_pair), UNIT_CASE(case_refused), UNIT_CASE(case_long_chain),
          UNIT_CASE(case_files))
