/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a trust bundle: what is taken, what is refused, and when it is done.
 */
#include <stdlib.h>
#include <unistd.h>

#include "trust_unit.h"

static bool add(struct mutual_trust *trust, const char *pem, struct mutual_error *err)
{
    return mutual_trust_add_pem(trust, pem, strlen(pem), err);
}

static void case_empty(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("corp");
    assert_fails(mutual_trust_freeze(trust, &err), &err, MUTUAL_E_BUNDLE_EMPTY);
    assert_non_null(strstr(err.reason, "\"corp\""));
    assert_fails(add(trust, "", &err), &err, MUTUAL_E_BUNDLE_EMPTY);
    assert_fails(add(trust, "nothing here\n", &err), &err, MUTUAL_E_BUNDLE_EMPTY);
    assert_fails(add(trust, "-----BEGIN CERTIFICATE-----\nrubbish\n", &err), &err,
                 MUTUAL_E_PEM_MALFORMED);
    assert_string_equal(mutual_trust_name(trust), "corp");
    /* Only intermediates: nothing to trust. */
    struct pki *root = pki_root("Root");
    const char *pem = pki_pem(root);
    assert_ok(mutual_trust_add_intermediates_pem(trust, pem, strlen(pem), &err), &err);
    assert_fails(mutual_trust_freeze(trust, &err), &err, MUTUAL_E_BUNDLE_EMPTY);
}

static void case_unusable(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.cn = "web", .dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("corp");
    assert_fails(add(trust, pki_pem(leaf), &err), &err, MUTUAL_E_BUNDLE_UNUSABLE);
    assert_non_null(strstr(err.reason, "\"web\""));
    assert_fails(add(trust, pki_pem(pki_stranger("me")), &err), &err, MUTUAL_E_BUNDLE_UNUSABLE);
    assert_fails(add(trust, pki_pem(sub), &err), &err, MUTUAL_E_BUNDLE_UNUSABLE);
    mutual_trust_allow_intermediates(trust);
    assert_ok(add(trust, pki_pem(sub), &err), &err);
    assert_fails(add(trust, pki_pem(leaf), &err), &err, MUTUAL_E_BUNDLE_UNUSABLE);
}

static void case_counting(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *one = pki_root("One");
    struct pki *two = pki_root("Two");
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("corp");
    const char *pem = pki_pem(two);
    assert_ok(mutual_trust_add_intermediates_pem(trust, pem, strlen(pem), &err), &err);
    assert_ok(add(trust, pki_pem(one), &err), &err);
    assert_ok(add(trust, pki_pem(one), &err), &err);
    assert_ok(add(trust, pki_pem(two), &err), &err); /* promoted */
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    assert_int_equal(mutual_trust_anchor_count(trust), 2);
    assert_ptr_equal(mu_cert_facts(mu_trust_anchor(trust, 0))->self_issued, true);
    assert_memory_equal(mu_cert_facts(mu_trust_anchor(trust, 0))->fingerprint,
                        mu_cert_facts(one->cert)->fingerprint, 32);
    assert_memory_equal(mu_cert_facts(mu_trust_anchor(trust, 1))->fingerprint,
                        mu_cert_facts(two->cert)->fingerprint, 32);
    assert_null(mu_trust_anchor(trust, 2));
    struct mutual_trust *again = mutual_trust_ref(trust);
    mutual_trust_unref(again);
    mutual_trust_unref(NULL);
}

static void case_load(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_trust *trust = NULL;
    char path[] = "/tmp/mutual-bundle-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_fails(mutual_trust_load(path, &trust, &err), &err, MUTUAL_E_BUNDLE_EMPTY);
    const char *pem = pki_pem(pki_root("Root"));
    assert_true(mu_fd_write(fd, pem, strlen(pem)));
    assert_ok(mutual_trust_load(path, &trust, &err), &err);
    assert_string_equal(mutual_trust_name(trust), path);
    mutual_trust_unref(trust);
    (void)close(fd);
    (void)unlink(path);
    trust = NULL;
    assert_fails(mutual_trust_load(path, &trust, &err), &err, MUTUAL_E_FILE_MISSING);
    assert_null(trust);
}

static bool add_list(struct mutual_trust *trust, struct mu_slice der, struct mutual_error *err)
{
    return mutual_trust_add_crl(trust, (const char *)der.data, der.len, err);
}

static void case_lists(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Issuing");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("corp");
    trust_add(trust, NODES(root), NULL);
    assert_ok(add_list(trust, pki_crl(root, NULL), &err), &err);
    /* Nobody in the bundle has that name; then somebody has, with another key. */
    assert_fails(add_list(trust, pki_crl(sub, leaf, NULL), &err), &err, MUTUAL_E_CRL_SIGNATURE);
    trust_add(trust, NODES(pki_root("Issuing")), NULL);
    assert_fails(add_list(trust, pki_crl(sub, leaf, NULL), &err), &err, MUTUAL_E_CRL_SIGNATURE);
    trust_add(trust, NODES(root), NODES(sub));
    assert_ok(add_list(trust, pki_crl(sub, leaf, NULL), &err), &err);
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 1u << 20);
    mu_crl_to_pem(pki_crl(root, NULL), &pem);
    mu_crl_to_pem(pki_crl(sub, leaf, NULL), &pem);
    assert_ok(add_list(trust, mu_buf_slice(&pem), &err), &err);
    assert_fails(mutual_trust_add_crl(trust, "", 0, &err), &err, MUTUAL_E_PEM_MALFORMED);
    assert_fails(mutual_trust_add_crl(trust, "\x30\x82\x01", 3, &err), &err,
                 MUTUAL_E_CRL_MALFORMED);
}

static void case_list_signer_usage(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mu_rdn subject = {MU_ATTR_CN, "No Lists"};
    struct mu_cert_template t = {
        .subject = &subject, .subject_count = 1, .ca = true, .key_usage = MU_KU_KEY_CERT_SIGN};
    struct pki *root = pki_make(NULL, &t, MU_SPEC_EC_P256);
    MU_AUTO(trust) struct mutual_trust *trust = mutual_trust_new("corp");
    trust_add(trust, NODES(root), NULL);
    assert_fails(add_list(trust, pki_crl(root, NULL), &err), &err, MUTUAL_E_CRL_SIGNATURE);
    assert_non_null(strstr(err.reason, "cRLSign"));
}

UNIT_MAIN(UNIT_CASE(case_empty), UNIT_CASE(case_unusable), UNIT_CASE(case_counting),
          UNIT_CASE(case_load), UNIT_CASE(case_lists), UNIT_CASE(case_list_signer_usage))
