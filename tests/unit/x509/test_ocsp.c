/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose word a response is, and about whom.
 */
#include "odd.h"

static struct mutual_error err;
static struct pki *root;
static struct pki *leaf;

static int setup(void **state)
{
    (void)state;
    root = pki_root("Root");
    leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
    return 0;
}

/* What the response says about the leaf, when it is to be believed. */
static bool ask(struct mu_slice der, struct mu_ocsp_answer *ret_answer)
{
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    const struct mu_ocsp_answer *answer = NULL;
    const struct mu_cert *delegate = NULL;
    if (!mu_ocsp_from_der(der, &ocsp, &err) ||
        !mu_ocsp_find(ocsp, leaf->cert, root->cert, &answer, &err) ||
        !mu_ocsp_signed_by(ocsp, root->cert, PKI_NOW_S, &delegate, &err)) {
        return false;
    }
    *ret_answer = *answer;
    return true;
}

static void assert_refused(struct mu_slice der, enum mutual_code code)
{
    struct mu_ocsp_answer answer;
    memset(&err, 0, sizeof err);
    assert_fails(ask(der, &answer), &err, code);
}

static void by_the_issuer(void **state)
{
    (void)state;
    struct mu_ocsp_answer answer;
    for (unsigned hash = 0; hash < MU_OCSP_HASH_OTHER; hash++) {
        assert_ok(ask(pki_ocsp(leaf, (struct pki_answer){.hash = hash}), &answer), &err);
        assert_int_equal(answer.status, MU_OCSP_GOOD);
    }
}

static void by_a_delegate(void **state)
{
    (void)state;
    struct pki *responder = pki_responder(root, "responder");
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    const struct mu_cert *delegate = NULL;
    struct mu_slice der = pki_ocsp(leaf, (struct pki_answer){.responder = responder});
    assert_ok(mu_ocsp_from_der(der, &ocsp, &err), &err);
    assert_ok(mu_ocsp_signed_by(ocsp, root->cert, PKI_NOW_S, &delegate, &err), &err);
    assert_true(mu_slice_equal(mu_cert_facts(delegate)->der, pki_der(responder)));
    assert_false(mu_cert_facts(delegate)->ocsp_nocheck);
}

static void no_check_is_read(void **state)
{
    (void)state;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(cert) struct mu_cert *broken = NULL;
    struct mu_raw_extension ext = {.oid = "1.3.6.1.5.5.7.48.1.5", .value = HEX("\x05\x00")};
    assert_ok(odd_extended(false, &ext, 1, &cert, &err), &err);
    assert_true(mu_cert_facts(cert)->ocsp_nocheck);
    ext.value = HEX("\x01\x01\xff");
    assert_fails(odd_extended(false, &ext, 1, &broken, &err), &err, MUTUAL_E_CERT_MALFORMED);
}

static void another_certificate(void **state)
{
    (void)state;
    struct pki *other = pki_issue(root, (struct pki_leaf){.cn = "other"});
    assert_refused(pki_ocsp(other, (struct pki_answer){0}), MUTUAL_E_OCSP_OTHER_CERT);
}

/* The same name and serial number, but another key: it is not our issuer. */
static void another_issuer_of_the_name(void **state)
{
    (void)state;
    struct pki *twin = pki_root("Root");
    assert_refused(pki_ocsp(leaf, (struct pki_answer){.issuer = twin}), MUTUAL_E_OCSP_OTHER_CERT);
}

static void other_signers(void **state)
{
    (void)state;
    struct pki *strange = pki_root("Strange");
    struct pki *without = pki_issue(root, (struct pki_leaf){.cn = "without"});
    struct mu_cert_template any = {.eku = MU_EKU_ANY};
    struct mu_cert_template encrypts = {.eku = MU_EKU_OCSP, .key_usage = MU_KU_KEY_ENCIPHERMENT};
    struct mu_cert_template expired = {.eku = MU_EKU_OCSP};
    struct mu_raw_extension odd = {.oid = "1.2.3.4", .critical = true, .value = HEX("\x05\x00")};
    struct mu_cert_template critical = {.eku = MU_EKU_OCSP, .extra = &odd, .extra_count = 1};
    struct pki *const signers[] = {
        without,                                                    /* of the same authority */
        pki_responder(strange, "responder"),                        /* of another one        */
        pki_responder(pki_ca(root, "Sub"), "responder"),            /* not directly          */
        pki_responder(pki_root("Root"), "responder"),               /* of one of that name   */
        pki_issue(root, (struct pki_leaf){.cn = "any", .t = &any}), /* not for all purposes  */
        pki_issue(root, (struct pki_leaf){.cn = "not a signer", .t = &encrypts}),
        pki_issue(root, (struct pki_leaf){.cn = "odd", .t = &critical}),
        pki_issue(root, (struct pki_leaf){.cn = "old",
                                          .t = &expired,
                                          .not_before = PKI_NOW_S - 9 * PKI_DAY_S,
                                          .not_after = PKI_NOW_S - 1}),
        pki_issue(root, (struct pki_leaf){.cn = "new",
                                          .t = &expired,
                                          .not_before = PKI_NOW_S + 1,
                                          .not_after = PKI_NOW_S + PKI_DAY_S}),
    };
    for (size_t i = 0; i < MU_COUNT(signers); i++) {
        assert_refused(pki_ocsp(leaf, (struct pki_answer){.responder = signers[i]}),
                       MUTUAL_E_OCSP_SIGNER);
    }
    /* Itself, about itself. */
    assert_refused(pki_ocsp(leaf, (struct pki_answer){.responder = leaf}), MUTUAL_E_OCSP_SIGNER);
}

/* The delegate's certificate is cut off: nobody goes and looks for it. */
static void a_signer_who_is_not_shown(void **state)
{
    (void)state;
    struct pki *responder = pki_responder(root, "responder");
    struct mu_slice whole = pki_ocsp(leaf, (struct pki_answer){.responder = responder});
    MU_AUTO(ocsp) struct mu_ocsp *ocsp = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 8192);
    assert_ok(mu_ocsp_from_der(whole, &ocsp, &err), &err);
    const struct mu_ocsp_facts *f = mu_ocsp_facts(ocsp);
    assert_ok(mu_ocsp_build(f->tbs, MU_SCHEME_ECDSA_P256_SHA256, f->signature, NULL, &der, &err),
              &err);
    assert_refused(mu_buf_slice(&der), MUTUAL_E_OCSP_SIGNER);
}

static void a_signature_of_another_body(void **state)
{
    (void)state;
    MU_AUTO(ocsp) struct mu_ocsp *good = NULL;
    MU_AUTO(ocsp) struct mu_ocsp *bad = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 8192);
    assert_ok(mu_ocsp_from_der(pki_ocsp(leaf, (struct pki_answer){0}), &good, &err), &err);
    assert_ok(mu_ocsp_from_der(pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_REVOKED}), &bad,
                               &err),
              &err);
    assert_ok(mu_ocsp_build(mu_ocsp_facts(good)->tbs, MU_SCHEME_ECDSA_P256_SHA256,
                            mu_ocsp_facts(bad)->signature, NULL, &der, &err),
              &err);
    assert_refused(mu_buf_slice(&der), MUTUAL_E_OCSP_SIGNATURE);
}

/* Of several answers the worst one counts, wherever it stands. */
static void the_worst_answer_counts(void **state)
{
    (void)state;
    struct mu_ocsp_answer answer;
    struct pki_answer revoked = {.status = MU_OCSP_REVOKED};
    struct pki_answer good = {.next_s = PKI_NOW_S + PKI_DAY_S};
    struct pki_answer other = {.about = pki_issue(root, (struct pki_leaf){.cn = "other"})};
    assert_ok(ask(pki_ocsp(leaf, (struct pki_answer){.more = &revoked}), &answer), &err);
    assert_int_equal(answer.status, MU_OCSP_REVOKED);
    assert_ok(
        ask(pki_ocsp(leaf, (struct pki_answer){.status = MU_OCSP_REVOKED, .more = &good}), &answer),
        &err);
    assert_int_equal(answer.status, MU_OCSP_REVOKED);
    assert_ok(ask(pki_ocsp(leaf, (struct pki_answer){.more = &good}), &answer), &err);
    assert_int_equal(answer.next_update_s, PKI_NOW_S + PKI_DAY_S);
    assert_ok(ask(pki_ocsp(leaf, (struct pki_answer){.more = &other}), &answer), &err);
    assert_int_equal(answer.status, MU_OCSP_GOOD);
}

static void nonces(void **state)
{
    (void)state;
    MU_AUTO(ocsp) struct mu_ocsp *with = NULL;
    MU_AUTO(ocsp) struct mu_ocsp *without = NULL;
    assert_ok(
        mu_ocsp_from_der(pki_ocsp(leaf, (struct pki_answer){.nonce = HEX("abc")}), &with, &err),
        &err);
    assert_ok(mu_ocsp_from_der(pki_ocsp(leaf, (struct pki_answer){0}), &without, &err), &err);
    assert_ok(mu_ocsp_check_nonce(with, HEX("abc"), &err), &err);
    assert_fails(mu_ocsp_check_nonce(with, HEX("abd"), &err), &err, MUTUAL_E_OCSP_NONCE);
    assert_fails(mu_ocsp_check_nonce(without, HEX("abc"), &err), &err, MUTUAL_E_OCSP_NONCE);
}

static void freshness(void **state)
{
    (void)state;
    const int64_t now = PKI_NOW_S;
    assert_ok(mu_ocsp_check_fresh(now, now + 1, now, "x", &err), &err);
    assert_ok(mu_ocsp_check_fresh(now + MU_OCSP_SKEW_S, now + 900, now, "x", &err), &err);
    assert_fails(mu_ocsp_check_fresh(now + MU_OCSP_SKEW_S + 1, now + 900, now, "x", &err), &err,
                 MUTUAL_E_OCSP_STALE);
    assert_fails(mu_ocsp_check_fresh(now - 9, now, now, "x", &err), &err, MUTUAL_E_OCSP_STALE);
    assert_fails(mu_ocsp_check_fresh(now - 9, MU_TIME_NEVER_S, now, "x", &err), &err,
                 MUTUAL_E_OCSP_STALE);
}

UNIT_MAIN(cmocka_unit_test_setup(by_the_issuer, setup), cmocka_unit_test(by_a_delegate),
          cmocka_unit_test(no_check_is_read), cmocka_unit_test(another_certificate),
          cmocka_unit_test(another_issuer_of_the_name), cmocka_unit_test(other_signers),
          cmocka_unit_test(a_signer_who_is_not_shown),
          cmocka_unit_test(a_signature_of_another_body), cmocka_unit_test(the_worst_answer_counts),
          cmocka_unit_test(nonces), cmocka_unit_test(freshness))
