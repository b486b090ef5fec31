/* SPDX-License-Identifier: Apache-2.0
 *
 * The OCSP responder of an issuer: made, renewed with its key, and what it signs.
 */
#include "support.h"

static void refresh(struct ca *ca, int64_t now_s)
{
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    assert_ok(ca_crl_refresh(ca, &signer, now_s, &err), &err);
}

static void it_is_made_where_somebody_may_ask_and_renewed_with_its_key(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    refresh(ca, NOW);
    assert_null(ca->at->responder);
    assert_ok(ca_set_url(ca, "http://ca.example.org", &err), &err);
    refresh(ca, NOW);
    const struct mu_cert_facts *facts = mu_cert_facts(ca->at->responder);
    assert_true(facts->ocsp_nocheck && !facts->ca);
    assert_int_equal(facts->eku, MU_EKU_OCSP);
    assert_int_equal(facts->key_usage, MU_KU_DIGITAL_SIGNATURE);
    assert_true(facts->not_after_s == NOW + CA_RESPONDER_LIFE_S);
    assert_ok(mu_cert_signed_by(ca->at->responder, ca_issuer(ca), &err), &err);
    struct inventory_status status;
    assert_ok(ca_status(ca, facts->serial, &status, &err), &err);
    assert_true(status.issued);
    uint8_t key_hash[32];
    memcpy(key_hash, facts->key_hash, 32);
    refresh(ca, NOW + 14 * DAY);
    assert_true(mu_cert_facts(ca->at->responder)->not_after_s == NOW + CA_RESPONDER_LIFE_S);
    refresh(ca, NOW + 16 * DAY);
    facts = mu_cert_facts(ca->at->responder);
    assert_true(facts->not_after_s == NOW + 16 * DAY + CA_RESPONDER_LIFE_S);
    assert_memory_equal(facts->key_hash, key_hash, 32);
    struct inventory_audit audit;
    assert_ok(ca_audit(ca, NULL, &audit, &err), &err); /* an event tells of each of them */
    /* Another command finds it. */
    ca_close(MU_TAKE(ca));
    MU_AUTO(ca) struct ca *again = home_open(CA_LOOK);
    assert_memory_equal(mu_cert_facts(again->at->responder)->key_hash, key_hash, 32);
}

static const struct mu_cert *sign(struct ca *ca, int64_t now_s, struct mu_ocsp **ret_ocsp)
{
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    MU_AUTO(buf) struct mu_buf der;
    const struct mu_cert *delegate = NULL;
    const struct mu_ocsp_answer answer = {.id = {.serial = MU_SLICE_LIT("\1\2\3")},
                                          .status = MU_OCSP_UNKNOWN,
                                          .this_update_s = now_s,
                                          .next_update_s = now_s + 300};
    mu_buf_init(&der, MU_LIMIT_OCSP_BYTES);
    assert_ok(ca_ocsp_sign(ca, &signer, &answer, 1, MU_SLICE_LIT("nonce"), now_s, &der, &err),
              &err);
    assert_ok(mu_ocsp_from_der(mu_buf_slice(&der), ret_ocsp, &err), &err);
    assert_ok(mu_ocsp_signed_by(*ret_ocsp, ca_issuer(ca), now_s, &delegate, &err), &err);
    assert_ok(mu_ocsp_check_nonce(*ret_ocsp, MU_SLICE_LIT("nonce"), &err), &err);
    return delegate;
}

static void it_signs_and_the_issuer_where_it_cannot(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ocsp) struct mu_ocsp *first = NULL;
    MU_AUTO(ocsp) struct mu_ocsp *second = NULL;
    MU_AUTO(ocsp) struct mu_ocsp *third = NULL;
    assert_non_null(sign(ca, NOW + 17 * DAY, &first));
    assert_null(sign(ca, NOW + 100 * DAY, &second)); /* its certificate has ended */
    assert_int_equal(unlink(at_home("authority/issuer/ocsp.key")), 0);
    assert_null(sign(ca, NOW + 17 * DAY, &third));
    assert_false(ca->answering);
}

/* The key process lets it answer about its issuer's certificates, and nothing else. */
static void its_key_signs_answers_only(void **state)
{
    (void)state;
    struct ca_key key;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    ca_key_current(ca, &key);
    assert_true((key.rules.purposes & KEYS_CERTIFICATES) != 0 && !key.rules.ca.may_issue_ca);
    assert_true(key.rules.ca.shape_count > 5);
    ca->answering = true;
    ca_key_current(ca, &key);
    assert_int_equal(key.rules.purposes, KEYS_OCSP);
    assert_ptr_equal(key.cert, ca->at->responder);
    assert_int_equal(key.rules.ca.max_answer_s, CA_OCSP_LIFE_S);
}

CA_UNIT_MAIN(home_init,
             cmocka_unit_test(it_is_made_where_somebody_may_ask_and_renewed_with_its_key),
             cmocka_unit_test(it_signs_and_the_issuer_where_it_cannot),
             cmocka_unit_test(its_key_signs_answers_only))
