/* SPDX-License-Identifier: Apache-2.0
 *
 * The issuer's key in its own process: it signs what the authority issues, and no more.
 */
#include "support.h"

#include "keys/keys.h"

static void it_issues_and_revokes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct ca_signer signer;
    ca_signer_init_process(&signer);
    struct ca_request request = home_request("server", "web");
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    assert_ok(mu_cert_signed_by(issued.cert, ca_issuer(ca), &err), &err);
    assert_ok(ca_crl_publish(ca, &signer, DAY, NOW, &err), &err);
    assert_null(signer.state);
}

static void it_refuses_what_no_profile_would(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_LOOK);
    MU_AUTO(key) struct mu_key *key = NULL;
    struct mu_cert *cert = NULL;
    const struct mu_key *issuer_key = NULL;
    struct ca_signer signer;
    ca_signer_init_process(&signer);
    const struct mu_rdn subject = {MU_ATTR_CN, "sub"};
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    struct mu_cert_template template = {
        .subject = &subject,
        .subject_count = 1,
        .issuer = ca_issuer(ca),
        .not_before_s = NOW,
        .not_after_s = NOW + DAY,
        .spki = mu_key_spki(key),
        .ca = true,
        .key_usage = MU_KU_KEY_CERT_SIGN,
    };
    assert_ok(signer.start(&signer, ca, &issuer_key, &err), &err);
    assert_fails(mu_cert_sign(&template, issuer_key, &cert, &err), &err, MUTUAL_E_KEY_REFUSED);
    template.ca = false;
    template.key_usage = MU_KU_DIGITAL_SIGNATURE;
    template.eku = MU_EKU_CODE;
    assert_fails(mu_cert_sign(&template, issuer_key, &cert, &err), &err, MUTUAL_E_KEY_REFUSED);
    template.eku = MU_EKU_SERVER;
    template.not_after_s = NOW + ca_profile_life_max_s() + DAY;
    assert_fails(mu_cert_sign(&template, issuer_key, &cert, &err), &err, MUTUAL_E_KEY_REFUSED);
    signer.stop(&signer);
}

static void a_key_that_others_can_read_is_not_used(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_LOOK);
    const struct mu_key *key = NULL;
    struct ca_signer signer;
    ca_signer_init_process(&signer);
    const char *path = ca_issuer_key_path(ca);
    assert_int_equal(chmod(path, 0640), 0);
    assert_fails(signer.start(&signer, ca, &key, &err), &err, MUTUAL_E_FILE_EXPOSED);
    assert_int_equal(unlink(path), 0);
    assert_fails(signer.start(&signer, ca, &key, &err), &err, MUTUAL_E_FILE_MISSING);
}

/* The key process is this very program, executed again in another role. */
int main(int argc, char **argv)
{
    static const struct role *const roles[] = {&keys_role, NULL};
    int status = process_child_main(roles, argc, argv);
    if (status >= 0) {
        _exit(status);
    }
    const struct CMUnitTest tests[] = {UNIT_CASE(it_issues_and_revokes),
                                       UNIT_CASE(it_refuses_what_no_profile_would),
                                       UNIT_CASE(a_key_that_others_can_read_is_not_used)};
    return cmocka_run_group_tests(tests, home_init, home_remove);
}
