/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuing: what comes out, what is refused, and what a failure half-way leaves.
 */
#include "support.h"

static void refuse(const struct ca_request *request, enum mutual_code code)
{
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_signer signer = local_signer();
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct inventory_counts before = {0};
    struct inventory_counts after = {0};
    assert_ok(inventory_count(ca_inventory(ca), NOW, &before, &err), &err);
    assert_fails(ca_issue(ca, request, &signer, &issued, &err), &err, code);
    assert_ok(inventory_count(ca_inventory(ca), NOW, &after, &err), &err);
    assert_int_equal(before.total, after.total);
    assert_int_equal(after.interrupted, 0);
}

static void issue(const struct ca_request *request, struct ca_issued *ret_issued)
{
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_signer signer = local_signer();
    assert_ok(ca_issue(ca, request, &signer, ret_issued, &err), &err);
}

static void a_server_may_demand_to_be_stapled(void **state)
{
    (void)state;
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    MU_AUTO(ca_issued) struct ca_issued renewed = {0};
    struct ca_request request = home_request("server", "stapled");
    request.must_staple = true;
    issue(&request, &issued);
    assert_true(mu_cert_facts(issued.cert)->must_staple);
    assert_int_equal(mu_cert_facts(issued.cert)->flaws, 0);
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    assert_ok(ca_find(ca, "stapled", &records, &err), &err);
    struct ca_request again = home_request("server", "stapled");
    struct ca_signer signer = local_signer();
    again.names = records.items[0].names;
    again.name_count = records.items[0].name_count;
    again.replaces = &records.items[0];
    assert_ok(ca_issue(ca, &again, &signer, &renewed, &err), &err);
    assert_true(mu_cert_facts(renewed.cert)->must_staple);
    ca_close(MU_TAKE(ca));
    struct ca_request client = home_request("client", "no-server");
    client.must_staple = true;
    refuse(&client, MUTUAL_E_PROFILE_DENIED);
}

static void a_server_certificate_has_what_its_profile_says(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct ca_request request = home_request("server", "web");
    issue(&request, &issued);
    const struct mu_cert_facts *facts = mu_cert_facts(issued.cert);
    assert_false(facts->ca);
    assert_int_equal(facts->eku, MU_EKU_SERVER);
    assert_int_equal(facts->key_usage, MU_KU_DIGITAL_SIGNATURE);
    assert_int_equal(facts->flaws, 0);
    assert_int_equal(facts->not_before_s, NOW - CA_BACKDATE_S);
    assert_int_equal(facts->not_after_s, NOW + 90 * DAY);
    assert_int_equal(facts->serial.len, MU_SERIAL_BYTES);
    assert_int_equal(facts->name_count, 2);
    assert_true(mu_slice_equal_text(facts->names[0].bytes, "spiffe://example.org/web"));
    assert_true(mu_slice_equal_text(facts->names[1].bytes, "web.example.org"));
    assert_true(exists(at_home("tls/web/tls.crt")) && exists(at_home("tls/web/ca.crt")));
    struct stat info;
    assert_int_equal(stat(at_home("tls/web/tls.key"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    /* The pair belongs together and the chain is whole. */
    MU_AUTO(buf) struct mu_buf pem = {0};
    MU_AUTO(buf) struct mu_buf key_pem = {0};
    MU_AUTO(certs) struct mu_certs chain = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    assert_ok(mu_file_read(at_home("tls/web/tls.crt"), 100000, &pem, &err), &err);
    assert_ok(mu_certs_from_pem(mu_buf_slice(&pem), "tls.crt", &chain, &err), &err);
    assert_int_equal(chain.count, 2);
    assert_ok(mu_file_read(at_home("tls/web/tls.key"), 100000, &key_pem, &err), &err);
    assert_ok(mu_key_from_pem(mu_buf_slice(&key_pem), "tls.key", NULL, &key, &err), &err);
    assert_ok(mu_key_matches(key, chain.items[0], &err), &err);
    assert_ok(mu_cert_signed_by(chain.items[0], chain.items[1], &err), &err);
}

static void every_profile_and_key_kind_can_be_had(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *name;
        enum mu_key_spec key;
        enum mu_key_kind kind;
        unsigned eku, usage;
    } cases[] = {
        {"client", "c1", MU_SPEC_EC_P384, MU_KEY_EC, MU_EKU_CLIENT, MU_KU_DIGITAL_SIGNATURE},
        {"device", "d1", MU_SPEC_ED25519, MU_KEY_ED25519, MU_EKU_CLIENT, MU_KU_DIGITAL_SIGNATURE},
        {"user", "alice@example.org", MU_SPEC_RSA_2048, MU_KEY_RSA, MU_EKU_CLIENT,
         MU_KU_DIGITAL_SIGNATURE},
        {"service", "s1", MU_SPEC_EC_P256, MU_KEY_EC, MU_EKU_CLIENT | MU_EKU_SERVER,
         MU_KU_DIGITAL_SIGNATURE},
        {"server", "r1", MU_SPEC_RSA_2048, MU_KEY_RSA, MU_EKU_SERVER,
         MU_KU_DIGITAL_SIGNATURE | MU_KU_KEY_ENCIPHERMENT}, /* NSS wants it */
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        MU_AUTO(ca_issued) struct ca_issued issued = {0};
        struct ca_request request = home_request(cases[i].profile, cases[i].name);
        request.key_given = true;
        request.key = cases[i].key;
        issue(&request, &issued);
        assert_int_equal(mu_cert_facts(issued.cert)->key.kind, cases[i].kind);
        assert_int_equal(mu_cert_facts(issued.cert)->eku, cases[i].eku);
        assert_int_equal(mu_cert_facts(issued.cert)->key_usage, cases[i].usage);
    }
}

static void names_outside_the_issuer_are_refused_before_anything_is_written(void **state)
{
    (void)state;
    struct ca_request request = home_request("server", "web.example.com");
    refuse(&request, MUTUAL_E_ISSUER_CONSTRAINT);
    const struct mutual_name address = {MUTUAL_NAME_IP, "192.0.2.1", 9};
    request = home_request("server", "other");
    request.names = &address;
    request.name_count = 1;
    refuse(&request, MUTUAL_E_ISSUER_CONSTRAINT);
    assert_false(exists(at_home("tls/other")));
}

static void a_profile_refuses_what_it_does_not_certify(void **state)
{
    (void)state;
    const struct mutual_name mail = {MUTUAL_NAME_EMAIL, "a@example.org", 13};
    struct ca_request request = home_request("server", "p1");
    request.names = &mail;
    request.name_count = 1;
    refuse(&request, MUTUAL_E_PROFILE_DENIED);
    request = home_request("server", "p2");
    request.life_s = 399 * DAY;
    refuse(&request, MUTUAL_E_PROFILE_DENIED);
    request.life_s = 1;
    refuse(&request, MUTUAL_E_PROFILE_DENIED);
    const struct mutual_name two[] = {{MUTUAL_NAME_SPIFFE, "spiffe://example.org/a", 22},
                                      {MUTUAL_NAME_SPIFFE, "spiffe://example.org/b", 22}};
    request = home_request("client", "p3");
    request.names = two;
    request.name_count = 2;
    refuse(&request, MUTUAL_E_PROFILE_DENIED);
    request = home_request("client", "../escape");
    refuse(&request, MUTUAL_E_NAME_MALFORMED);
}

static void a_life_is_cut_at_the_issuers_end_or_refused(void **state)
{
    (void)state;
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct ca_request request = home_request("server", "late");
    request.now_s = NOW + 1800 * DAY;
    issue(&request, &issued);
    assert_true(issued.life_cut);
    assert_int_equal(mu_cert_facts(issued.cert)->not_after_s, NOW + 1826 * DAY);
    request = home_request("server", "late2");
    request.now_s = NOW + 1800 * DAY;
    request.life_s = 90 * DAY;
    refuse(&request, MUTUAL_E_PROFILE_DENIED);
    request.now_s = NOW + 1827 * DAY;
    refuse(&request, MUTUAL_E_CLOCK);
}

static void a_request_gives_its_key_and_names_only(void **state)
{
    (void)state;
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    const struct mu_gname wanted = {MU_GNAME_DNS, MU_SLICE_LIT("Api.Example.ORG")};
    MU_AUTO(csr) struct mu_csr *csr = home_csr(MU_SPEC_EC_P256, &wanted, 1);
    struct ca_request request = home_request("server", "api");
    request.csr = csr;
    issue(&request, &issued);
    const struct mu_cert_facts *facts = mu_cert_facts(issued.cert);
    assert_true(mu_slice_equal(facts->spki, mu_csr_facts(csr)->spki));
    assert_int_equal(facts->name_count, 2);
    assert_true(mu_slice_equal_text(facts->names[0].bytes, "api.example.org"));
    assert_non_null(strstr(facts->subject_text, "CN=api"));
    assert_true(exists(at_home("tls/api/tls.crt")) && !exists(at_home("tls/api/tls.key")));

    const struct mu_gname foreign = {MU_GNAME_DNS, MU_SLICE_LIT("example.com")};
    MU_AUTO(csr) struct mu_csr *outside = home_csr(MU_SPEC_EC_P256, &foreign, 1);
    request = home_request("server", "api2");
    request.csr = outside;
    refuse(&request, MUTUAL_E_ISSUER_CONSTRAINT);
    const struct mu_gname uri = {MU_GNAME_URI, MU_SLICE_LIT("https://example.org/")};
    MU_AUTO(csr) struct mu_csr *unknown = home_csr(MU_SPEC_EC_P256, &uri, 1);
    request.csr = unknown;
    refuse(&request, MUTUAL_E_SPIFFE_MALFORMED);
}

static void a_directory_that_is_there_is_not_overwritten(void **state)
{
    (void)state;
    struct ca_request request = home_request("server", "web");
    refuse(&request, MUTUAL_E_FILE_EXISTS);
}

static void a_key_that_does_not_sign_leaves_nothing(void **state)
{
    (void)state;
    struct ca_request request = home_request("server", "unsigned");
    home.refuse_signing = true;
    refuse(&request, MUTUAL_E_KEY_UNAVAILABLE);
    home.refuse_signing = false;
    assert_false(exists(at_home("tls/unsigned")));
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    issue(&request, &issued);
}

static void renewing_replaces_the_files_and_links_the_rows(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_signer signer = local_signer();
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_record *old = NULL;
    assert_ok(ca_find(ca, "web", &records, &err), &err);
    assert_ok(ca_choose(&records, "web", CA_WISH_RENEW, NOW, &old, &err), &err);
    for (int keep = 0; keep < 2; keep++) {
        MU_AUTO(ca_issued) struct ca_issued issued = {0};
        struct ca_request request = home_request("server", "web");
        request.names = old->names;
        request.name_count = old->name_count;
        request.replaces = old;
        request.keep_key = keep == 1;
        request.now_s = NOW + 10 + keep;
        assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
        bool same =
            mu_slice_equal(mu_slice_of(mu_cert_facts(issued.cert)->key_hash, 32), old->key_hash);
        assert_int_equal(same, keep);
        uint8_t fingerprint[32];
        assert_true(ca_delivered_fingerprint(at_home("tls/web"), fingerprint));
        assert_memory_equal(fingerprint, mu_cert_facts(issued.cert)->fingerprint, 32);
        inventory_records_done(&records);
        assert_ok(ca_find(ca, "web", &records, &err), &err);
        assert_ok(ca_choose(&records, "web", CA_WISH_RENEW, NOW, &old, &err), &err);
        assert_int_equal(old->id, issued.id);
        assert_true(old->replaces_id != 0);
    }
    DIR *directory = opendir(at_home("tls"));
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        assert_null(strstr(entry->d_name, ".new"));
    }
    (void)closedir(directory);
}

static void a_p12_holds_the_key_and_nothing_else_does(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct ca_request request = home_request("user", "bob");
    request.p12 = true;
    request.preset = MU_P12_MODERN;
    issue(&request, &issued);
    assert_int_equal(strlen(issued.password), 23);
    assert_false(exists(at_home("tls/bob/tls.key")));
    MU_AUTO(buf) struct mu_buf der = {0};
    MU_AUTO(p12) struct mu_p12 p12 = {0};
    assert_ok(mu_file_read(at_home("tls/bob/bob.p12"), 100000, &der, &err), &err);
    assert_ok(mu_p12_read(mu_buf_slice(&der), issued.password, &p12, &err), &err);
    assert_non_null(p12.key);
    assert_ok(mu_key_matches(p12.key, issued.cert, &err), &err);
    struct mu_p12 other = {0};
    assert_fails(mu_p12_read(mu_buf_slice(&der), "wrong", &other, &err), &err,
                 MUTUAL_E_KEY_PASSPHRASE);
}

CA_UNIT_MAIN(home_init, UNIT_CASE(a_server_may_demand_to_be_stapled),
             UNIT_CASE(a_server_certificate_has_what_its_profile_says),
             UNIT_CASE(every_profile_and_key_kind_can_be_had),
             UNIT_CASE(names_outside_the_issuer_are_refused_before_anything_is_written),
             UNIT_CASE(a_profile_refuses_what_it_does_not_certify),
             UNIT_CASE(a_life_is_cut_at_the_issuers_end_or_refused),
             UNIT_CASE(a_request_gives_its_key_and_names_only),
             UNIT_CASE(a_directory_that_is_there_is_not_overwritten),
             UNIT_CASE(a_key_that_does_not_sign_leaves_nothing),
             UNIT_CASE(renewing_replaces_the_files_and_links_the_rows),
             UNIT_CASE(a_p12_holds_the_key_and_nothing_else_does))
