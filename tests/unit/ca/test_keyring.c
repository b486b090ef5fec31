/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

struct seen {
    size_t count, responders;
    char path[512];
    uint32_t purposes;
    bool may_issue_ca;
};

static bool note(void *context, const char *path, const struct mu_cert *cert,
                 const struct keys_rules *rules, struct mutual_error *err)
{
    struct seen *seen = context;
    (void)err;
    seen->count++;
    (void)snprintf(seen->path, sizeof seen->path, "%s", path);
    seen->purposes = rules->purposes;
    seen->may_issue_ca = rules->ca.may_issue_ca;
    bool issuer = mu_cert_facts(cert)->ca;
    assert_true(mu_slice_equal(rules->ca.issuer, issuer ? mu_cert_facts(cert)->subject
                                                        : mu_cert_facts(cert)->issuer));
    seen->responders += !issuer && rules->purposes == KEYS_OCSP;
    return true;
}

static void the_issuers_key_is_found_and_the_roots_is_not(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct seen seen = {0};
    assert_ok(ca_keys_scan(home.dir, note, &seen, &err), &err);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.path, at_home("authority/issuer/issuer.key"));
    assert_int_equal(seen.purposes, KEYS_CERTIFICATES | KEYS_CRLS | KEYS_OCSP);
    assert_false(seen.may_issue_ca);
}

static void a_key_without_its_certificate_is_an_error(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct seen seen = {0};
    assert_ok(mu_file_write(at_home("authority/issuer/stray.key"), MU_SLICE_LIT("x"), 0600, &err),
              &err);
    assert_fails(ca_keys_scan(home.dir, note, &seen, &err), &err, MUTUAL_E_FILE_MISSING);
    assert_int_equal(unlink(at_home("authority/issuer/stray.key")), 0);
}

static void what_is_no_authority_has_no_rules(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct ca_request request = home_request("client", "leaf");
    struct seen seen = {0};
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    assert_int_equal(rename(at_home("tls/leaf/tls.key"), at_home("authority/issuer/odd.key")), 0);
    assert_int_equal(rename(at_home("tls/leaf/tls.crt"), at_home("authority/issuer/odd.crt")), 0);
    assert_fails(ca_keys_scan(home.dir, note, &seen, &err), &err, MUTUAL_E_NOT_A_CA);
    assert_int_equal(unlink(at_home("authority/issuer/odd.key")), 0);
}

static void further_issuers_and_responders_are_found(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct seen seen = {0};
    struct ca_signer signer = local_signer();
    {
        MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
        const struct ca_issuer_options options = {.word = "iot",
                                                  .key = MU_SPEC_EC_P256,
                                                  .life_s = 100 * DAY,
                                                  .passphrase = HOME_PASSPHRASE,
                                                  .owner = "tests",
                                                  .place = "here",
                                                  .now_s = NOW};
        assert_ok(ca_issuer_add(ca, &options, &err), &err);
        assert_ok(ca_set_url(ca, "http://ca.example.org", &err), &err);
        assert_ok(ca_crl_refresh(ca, &signer, NOW, &err), &err);
    }
    assert_ok(ca_keys_scan(home.dir, note, &seen, &err), &err);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.responders, 2);
    assert_int_equal(unlink(at_home("authority/issuer/ocsp.crt")), 0); /* killed in the middle */
    seen = (struct seen){0};
    assert_ok(ca_keys_scan(home.dir, note, &seen, &err), &err);
    assert_int_equal(seen.count, 3);
}

static void where_there_is_no_authority_it_says_so(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uid_t uid = 0;
    gid_t gid = 0;
    assert_fails(ca_keys_scan("/nonexistent", note, NULL, &err), &err, MUTUAL_E_FILE_MISSING);
    assert_false(ca_owner("/nonexistent", &uid, &gid));
    assert_true(ca_owner(home.dir, &uid, &gid));
    assert_int_equal(uid, geteuid());
}

CA_UNIT_MAIN(home_init, UNIT_CASE(the_issuers_key_is_found_and_the_roots_is_not),
             UNIT_CASE(a_key_without_its_certificate_is_an_error),
             UNIT_CASE(what_is_no_authority_has_no_rules),
             UNIT_CASE(further_issuers_and_responders_are_found),
             UNIT_CASE(where_there_is_no_authority_it_says_so))
