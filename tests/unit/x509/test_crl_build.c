/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation lists made, with OpenSSL as the other reader.
 */
#include "pki.h"
#include "unit.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const char *const uris[] = {"http://ca.example/crl/3", NULL};

static void openssl_reads_the_list(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    const struct mu_revoked entries[] = {
        {.serial = MU_SLICE_LIT("\x7f\x01"),
         .time_s = PKI_NOW_S,
         .reason = MU_REASON_KEY_COMPROMISE},
        {.serial = MU_SLICE_LIT("\x05"), .time_s = PKI_NOW_S - 1},
        {.serial = MU_SLICE_LIT("\xff\x00\x01"), .time_s = PKI_NOW_S, .reason = MU_REASON_HOLD},
    };
    const struct mu_crl_idp idp = {.uris = uris, .only_user = true};
    struct mu_crl_template t = {.issuer = root->cert,
                                .this_update_s = PKI_NOW_S,
                                .next_update_s = PKI_NOW_S + PKI_DAY_S,
                                .number = 300,
                                .entries = entries,
                                .count = 3,
                                .idp = &idp};
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 10000);
    assert_ok(mu_crl_sign(&t, root->key, &der, &err), &err);
    const unsigned char *p = der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.len);
    assert_non_null(crl);
    assert_int_equal(X509_CRL_verify(crl, mu_key_evp(root->key)), 1);
    X509_REVOKED *entry = NULL;
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    assert_int_equal(ASN1_INTEGER_set(serial, 0x7f01), 1);
    assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
    assert_int_equal(ASN1_INTEGER_set(serial, 0xff0001), 1);
    assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 1);
    assert_int_equal(ASN1_INTEGER_set(serial, 6), 1);
    assert_int_equal(X509_CRL_get0_by_serial(crl, &entry, serial), 0);
    ASN1_INTEGER_free(serial);
    int critical = 0;
    ISSUING_DIST_POINT *point =
        X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
    assert_non_null(point);
    assert_int_equal(critical, 1);
    assert_true(point->onlyuser > 0);
    ISSUING_DIST_POINT_free(point);
    X509_CRL_free(crl);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *root = pki_root("Root");
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 10000);
    struct mu_crl_template t = {.issuer = root->cert, .this_update_s = 5, .next_update_s = 5};
    assert_fails(mu_crl_sign(&t, root->key, &der, &err), &err, MUTUAL_E_USAGE);
    t.next_update_s = 6;
    assert_fails(mu_crl_sign(&t, pki_root("Other")->key, &der, &err), &err, MUTUAL_E_KEY_MISMATCH);
    assert_fails(mu_crl_build_tbs(&t, MU_SCHEME_NONE, &der, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
    MU_AUTO(buf) struct mu_buf tiny;
    mu_buf_init(&tiny, 10);
    assert_fails(mu_crl_build_tbs(&t, MU_SCHEME_ED25519, &tiny, &err), &err, MUTUAL_E_LIMIT);
}

UNIT_MAIN(UNIT_CASE(openssl_reads_the_list), UNIT_CASE(contradictions_are_refused))
