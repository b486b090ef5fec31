/* SPDX-License-Identifier: Apache-2.0
 *
 * PKCS#12 files for every reader, and what is refused.
 */
#include "pki.h"
#include "unit.h"

#include <openssl/pkcs12.h>

static void files_are_made_and_read(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    struct pki *sub = pki_ca(root, "Sub");
    struct pki *leaf = pki_issue(sub, (struct pki_leaf){.cn = "user", .email = "u@example.org"});
    MU_AUTO(certs) struct mu_certs chain = {0};
    assert_ok(mu_certs_add(&chain, sub->cert, &err), &err);
    assert_ok(mu_certs_add(&chain, root->cert, &err), &err);
    for (unsigned preset = 0; preset < MU_P12_COUNT_; preset++) {
        enum mu_p12_preset found;
        assert_true(mu_p12_find(mu_p12_word((enum mu_p12_preset)preset), &found));
        assert_int_equal(found, preset);
        MU_AUTO(buf) struct mu_buf der;
        mu_buf_init(&der, 100000);
        assert_ok(mu_p12_build(leaf->cert, leaf->key, &chain, "user", "pass", found, &der, &err),
                  &err);
        MU_AUTO(p12) struct mu_p12 back = {0};
        assert_fails(mu_p12_read(mu_buf_slice(&der), "wrong", &back, &err), &err,
                     MUTUAL_E_KEY_PASSPHRASE);
        assert_ok(mu_p12_read(mu_buf_slice(&der), "pass", &back, &err), &err);
        assert_memory_equal(mu_key_hash(back.key), mu_key_hash(leaf->key), 32);
        assert_true(mu_slice_equal(mu_cert_facts(back.cert)->der, pki_der(leaf)));
        assert_int_equal(back.chain.count, 2);
        /* The digest of the MAC is what old importers stumble over. */
        const unsigned char *p = der.data;
        PKCS12 *theirs = d2i_PKCS12(NULL, &p, (long)der.len);
        const X509_ALGOR *mac = NULL;
        const ASN1_OBJECT *digest = NULL;
        PKCS12_get0_mac(NULL, &mac, NULL, NULL, theirs);
        X509_ALGOR_get0(&digest, NULL, NULL, mac);
        bool compat = found == MU_P12_APPLE || found == MU_P12_ANDROID;
        assert_int_equal(OBJ_obj2nid(digest), compat ? NID_sha1 : NID_sha256);
        PKCS12_free(theirs);
    }
    enum mu_p12_preset none;
    assert_false(mu_p12_find("netscape", &none));
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *a = pki_root("A");
    struct pki *b = pki_root("B");
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(p12) struct mu_p12 back = {0};
    mu_buf_init(&der, 100000);
    assert_fails(mu_p12_build(a->cert, b->key, NULL, "x", "pass", MU_P12_MODERN, &der, &err), &err,
                 MUTUAL_E_KEY_MISMATCH);
    assert_fails(mu_p12_read(MU_SLICE_LIT("x"), "pass", &back, &err), &err, MUTUAL_E_KEY_MALFORMED);
    assert_ok(mu_p12_build(a->cert, a->key, NULL, "x", "pass", MU_P12_APPLE, &der, &err), &err);
    assert_fails(mu_p12_read(mu_slice_of(der.data, der.len - 1), "pass", &back, &err), &err,
                 MUTUAL_E_KEY_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(files_are_made_and_read), UNIT_CASE(mistakes_are_refused))
