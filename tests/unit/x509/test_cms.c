/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/x509.h"

#include "pki.h"
#include "unit.h"

static struct mu_cert *make(const char *name)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    struct mu_cert *cert = NULL;
    uint8_t serial[MU_SERIAL_BYTES];
    const struct mu_rdn subject = {MU_ATTR_CN, name};
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_serial_new(serial, &err), &err);
    const struct mu_cert_template template = {.serial = mu_slice_of(serial, sizeof serial),
                                              .subject = &subject,
                                              .subject_count = 1,
                                              .not_before_s = 1000000000,
                                              .not_after_s = 2000000000,
                                              .spki = mu_key_spki(key),
                                              .ca = true,
                                              .key_usage = MU_KU_KEY_CERT_SIGN};
    assert_ok(mu_cert_sign(&template, key, &cert, &err), &err);
    return cert;
}

static void certificates_come_back_as_they_went(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    MU_AUTO(certs) struct mu_certs again = {0};
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1 << 16);
    for (int i = 0; i < 3; i++) {
        MU_AUTO(cert) struct mu_cert *cert = make(i == 0 ? "a" : i == 1 ? "b" : "c");
        assert_ok(mu_certs_add(&certs, cert, &err), &err);
    }
    assert_ok(mu_cms_write(&certs, &der, &err), &err);
    assert_ok(mu_cms_read(mu_buf_slice(&der), &again, &err), &err);
    assert_int_equal(again.count, 3);
    for (size_t i = 0; i < 3; i++) {
        size_t found = 0;
        for (size_t k = 0; k < 3; k++) {
            found += mu_slice_equal(mu_cert_facts(certs.items[i])->der,
                                    mu_cert_facts(again.items[k])->der);
        }
        assert_int_equal(found, 1);
    }
}

static void what_is_no_such_message_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    MU_AUTO(certs) struct mu_certs again = {0};
    MU_AUTO(cert) struct mu_cert *cert = make("a");
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1 << 16);
    assert_ok(mu_certs_add(&certs, cert, &err), &err);
    assert_ok(mu_cms_write(&certs, &der, &err), &err);
    for (size_t len = 0; len < der.len; len += 7) {
        assert_fails(mu_cms_read(mu_slice_of(der.data, len), &again, &err), &err,
                     MUTUAL_E_CERT_MALFORMED);
    }
    assert_true(mu_buf_byte(&der, 0));
    assert_fails(mu_cms_read(mu_buf_slice(&der), &again, &err), &err, MUTUAL_E_CERT_MALFORMED);
    assert_fails(mu_cms_read(mu_cert_facts(cert)->der, &again, &err), &err,
                 MUTUAL_E_CERT_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(certificates_come_back_as_they_went),
          UNIT_CASE(what_is_no_such_message_is_refused))
