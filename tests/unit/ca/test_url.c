/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an authority publishes: noted for every command, refused when it cannot be.
 */
#include "support.h"

static void it_is_noted_and_forgotten(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    {
        MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
        assert_null(ca_url(ca));
        assert_null(ca_list_url(ca, "issuer", 0, false));
        assert_ok(ca_set_url(ca, "http://ca.example.org:8080/pki", &err), &err);
    }
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    assert_string_equal(ca_url(ca), "http://ca.example.org:8080/pki");
    struct ca_request request = home_request("server", "web");
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    const struct mu_cert_facts *facts = mu_cert_facts(issued.cert);
    assert_string_equal(facts->ocsp_uris[0], "http://ca.example.org:8080/pki/ocsp");
    assert_string_equal(facts->issuer_uris[0], "http://ca.example.org:8080/pki/issuer/issuer.cer");
    unsigned shard = 1 + mu_get_be32(facts->serial.data + facts->serial.len - 4) % CA_SHARDS;
    MU_AUTO(free) char *expected = ca_list_url(ca, "issuer", shard, false);
    assert_string_equal(facts->crl_uris[0], expected);
    assert_null(facts->crl_uris[1]);
    assert_ok(ca_set_url(ca, NULL, &err), &err);
    assert_false(exists(at_home("authority/url")));
    MU_AUTO(ca_issued) struct ca_issued plain = {0};
    request = home_request("server", "plain");
    assert_ok(ca_issue(ca, &request, &signer, &plain, &err), &err);
    assert_true(mu_cert_facts(plain.cert)->crl_uris == NULL ||
                mu_cert_facts(plain.cert)->crl_uris[0] == NULL);
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "ca.example.org", "ftp://a",
                                      "http://",    "http:///x",      "http://a/",
                                      "http://a?b", "http://a#b",     "http://a b",
                                      "http://u@a", "http://a\n",     "http://\xc3\xa4"};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        struct mutual_error err = {0};
        assert_fails(ca_set_url(ca, bad[i], &err), &err, MUTUAL_E_HTTP_URL_INVALID);
    }
    struct mutual_error err = {0};
    struct ca *other = NULL;
    assert_ok(mu_file_write(at_home("authority/url"), MU_SLICE_LIT("nonsense\n"), 0644, &err),
              &err);
    assert_fails(ca_open(home.dir, CA_LOOK, "tester", NOW, NULL, &other, &err), &err,
                 MUTUAL_E_HTTP_URL_INVALID);
}

CA_UNIT_MAIN(home_init, cmocka_unit_test(it_is_noted_and_forgotten),
             cmocka_unit_test(what_is_no_address_is_refused))
