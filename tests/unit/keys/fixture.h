/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of keys share: keys in memory files, a certificate template, the role in our own main.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keys/keys_internal.h"
#include "unit.h"

#define ISSUER_CN "Test Authority"
#define NOW_S     INT64_C(1800000000)
#define DAY_S     INT64_C(86400)

__attribute__((unused)) static int text_fd(const char *text, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    return fd;
}

/* The key as an open file, encrypted when there is a passphrase. */
__attribute__((unused)) static int key_fd(const struct mu_key *key, const char *passphrase)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, MU_LIMIT_KEY_BYTES);
    assert_ok(mu_key_to_pem(key, passphrase, &pem, &err), &err);
    return text_fd((const char *)pem.data, pem.len);
}

__attribute__((unused)) static struct mu_key *new_key(enum mu_key_spec spec)
{
    struct mutual_error err = {0};
    struct mu_key *key = NULL;
    assert_ok(mu_key_generate(spec, &key, &err), &err);
    return key;
}

/* A certificate of that key, signed by itself. */
__attribute__((unused)) static struct mu_cert *self_signed(const struct mu_key *key, bool ca)
{
    struct mutual_error err = {0};
    const struct mu_rdn subject = {MU_ATTR_CN, ISSUER_CN};
    const struct mu_gname name = {MU_GNAME_DNS, MU_SLICE_LIT("localhost")};
    const struct mu_cert_template template = {.subject = &subject,
                                              .subject_count = 1,
                                              .not_before_s = NOW_S,
                                              .not_after_s = NOW_S + 365 * DAY_S,
                                              .names = ca ? NULL : &name,
                                              .name_count = ca ? 0 : 1,
                                              .ca = ca,
                                              .key_usage = ca ? MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN
                                                              : MU_KU_DIGITAL_SIGNATURE,
                                              .eku = ca ? 0 : MU_EKU_SERVER | MU_EKU_CLIENT};
    struct mu_cert *cert = NULL;
    assert_ok(mu_cert_sign(&template, key, &cert, &err), &err);
    return cert;
}

/* A client's certificate for 30 days, to be changed by the test. */
static const struct mu_rdn leaf_subject = {MU_ATTR_CN, "client"};
static const struct mu_gname leaf_name = {MU_GNAME_DNS, {(const uint8_t *)"client.test", 11}};
__attribute__((unused)) static struct mu_cert_template leaf(const struct mu_cert *issuer,
                                                            const struct mu_key *key)
{
    return (struct mu_cert_template){.subject = &leaf_subject,
                                     .subject_count = 1,
                                     .issuer = issuer,
                                     .not_before_s = NOW_S,
                                     .not_after_s = NOW_S + 30 * DAY_S,
                                     .spki = mu_key_spki(key),
                                     .names = &leaf_name,
                                     .name_count = 1,
                                     .key_usage = MU_KU_DIGITAL_SIGNATURE,
                                     .eku = MU_EKU_CLIENT};
}

__attribute__((unused)) static struct keys_rules ca_rules(const struct mu_cert *issuer)
{
    struct keys_rules rules = {.purposes = KEYS_CERTIFICATES | KEYS_CRLS,
                               .ca = {.issuer = mu_cert_facts(issuer)->subject,
                                      .max_lifetime_s = 90 * DAY_S,
                                      .serial_min_bytes = 16,
                                      .serial_max_bytes = 20,
                                      .ekus = MU_EKU_CLIENT | MU_EKU_SERVER,
                                      .eku_required = true,
                                      .max_answer_s = 7 * DAY_S}};
    assert_true(mu_ocsp_issuer_of(issuer, &rules.ca.ocsp_issuer, NULL));
    return rules;
}

/* A response by the issuer about two serial numbers; `answers` are kept by the caller. */
__attribute__((unused)) static struct mu_ocsp_template ocsp_about(const struct mu_cert *issuer,
                                                                  struct mu_ocsp_answer answers[2])
{
    answers[0] = (struct mu_ocsp_answer){.id = {.serial = MU_SLICE_LIT("\1\2")},
                                         .this_update_s = NOW_S,
                                         .next_update_s = NOW_S + 7 * DAY_S};
    answers[1] = answers[0];
    answers[1].id = (struct mu_ocsp_id){.hash = MU_OCSP_SHA256, .serial = MU_SLICE_LIT("\1\3")};
    answers[1].status = MU_OCSP_REVOKED;
    return (struct mu_ocsp_template){.issuer = issuer,
                                     .responder = issuer,
                                     .produced_at_s = NOW_S,
                                     .answers = answers,
                                     .count = 2};
}

/* In place of UNIT_MAIN, for tests that start a key process. */
#define KEYS_MAIN(...)                                                \
    int main(int argc, char **argv)                                   \
    {                                                                 \
        static const struct role *const roles[] = {&keys_role, NULL}; \
        int status = process_child_main(roles, argc, argv);           \
        if (status != -1) {                                           \
            _exit(status);                                            \
        }                                                             \
        const struct CMUnitTest tests[] = {__VA_ARGS__};              \
        return cmocka_run_group_tests(tests, NULL, NULL);             \
    }

#endif
