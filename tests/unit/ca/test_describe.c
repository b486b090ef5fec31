/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kind of thing in words and as JSON; secrets and hostile bytes stay out.
 */
#include "support.h"

static void describe(struct mu_slice bytes, bool json, struct mu_buf *out)
{
    struct mutual_error err = {0};
    mu_buf_init(out, 1u << 20);
    assert_ok(ca_describe(bytes, "thing", NULL, NOW, json, out, &err), &err);
}

static void says(struct mu_slice bytes, const char *const *words)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    describe(bytes, false, &text);
    for (; *words != NULL; words++) {
        if (strstr(mu_buf_str(&text), *words) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", *words, mu_buf_str(&text));
        }
    }
}

static void authorities_certificates_and_lists(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf bytes = {0};
    MU_AUTO(buf) struct mu_buf crl = {0};
    assert_ok(mu_file_read(at_home("authority/issuer/issuer.crt"), 65536, &bytes, &err), &err);
    static const char *const authority[] = {"authority  example.org issuer",
                                            "issue certificates, but no further authorities",
                                            "DNS:example.org", "not after", NULL};
    says(mu_buf_slice(&bytes), authority);
    assert_ok(mu_file_read(at_home("authority/issuer.crl"), 65536, &crl, &err), &err);
    static const char *const list[] = {"revocation list", "number       01", "entries      0",
                                       NULL};
    says(mu_buf_slice(&crl), list);
}

static void requests_and_keys(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf public_pem;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&public_pem, 65536);
    mu_buf_init(&pem, 65536);
    const struct mu_gname name = {MU_GNAME_DNS, MU_SLICE_LIT("a.example.org")};
    MU_AUTO(csr) struct mu_csr *csr = home_csr(MU_SPEC_EC_P256, &name, 1);
    static const char *const request[] = {"request  whoever", "DNS:a.example.org", NULL};
    says(mu_csr_facts(csr)->der, request);
    assert_ok(mu_key_generate(MU_SPEC_RSA_2048, &key, &err), &err);
    mu_key_public_pem(key, &public_pem);
    static const char *const public_words[] = {"public key", "of 2048 bits", NULL};
    says(mu_buf_slice(&public_pem), public_words);
    says(mu_key_spki(key), public_words);
    assert_ok(mu_key_to_pem(key, NULL, &pem, &err), &err);
    static const char *const private_words[] = {"private key", "keep it secret", NULL};
    says(mu_buf_slice(&pem), private_words);
    MU_AUTO(buf) struct mu_buf text = {0};
    describe(mu_buf_slice(&pem), true, &text);
    assert_null(strstr(mu_buf_str(&text), "BEGIN"));
    assert_int_equal(mu_buf_str(&text)[0], '[');
}

static void what_is_nothing_we_know_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 65536);
    assert_fails(ca_describe(MU_SLICE_LIT("hello"), "x", NULL, NOW, false, &out, &err), &err,
                 MUTUAL_E_PEM_MALFORMED);
    assert_fails(ca_describe(MU_SLICE_LIT(""), "x", NULL, NOW, false, &out, &err), &err,
                 MUTUAL_E_PEM_MALFORMED);
    assert_fails(
        ca_describe(MU_SLICE_LIT("\x30\x03\x02\x01\x05"), "x", NULL, NOW, true, &out, &err), &err,
        MUTUAL_E_CERT_MALFORMED);
    static const char foreign[] = "-----BEGIN SSH KEY-----\nAAAA\n-----END SSH KEY-----\n";
    assert_fails(ca_describe(mu_slice_text(foreign), "x", NULL, NOW, true, &out, &err), &err,
                 MUTUAL_E_PEM_MALFORMED);
    assert_int_equal(out.len, 0);
}

static void ocsp_messages(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct ca_signer signer = local_signer();
    struct ca_request request = home_request("server", "stapled");
    request.must_staple = true;
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    const struct mu_cert *issuer = ca_issuer(ca);
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 65536);
    assert_ok(mu_ocsp_request_build(issued.cert, issuer, MU_OCSP_SHA256, MU_SLICE_LIT("\x0a\x0b"),
                                    &der, &err),
              &err);
    static const char *const asks[] = {"OCSP request  unsigned", "of the issuer with key",
                                       "(SHA-256)", "nonce        0a0b", NULL};
    says(mu_buf_slice(&der), asks);
    static const char *const demands[] = {"demands      a stapled OCSP response", NULL};
    says(mu_cert_facts(issued.cert)->der, demands);

    /* What a response says does not depend on who signed it. */
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf response;
    mu_buf_init(&tbs, 65536);
    mu_buf_init(&response, 65536);
    const struct mu_ocsp_answer answers[] = {
        {.id = {.serial = mu_cert_facts(issued.cert)->serial},
         .this_update_s = NOW,
         .next_update_s = NOW + DAY},
        {.id = {.serial = MU_SLICE_LIT("\x07")},
         .status = MU_OCSP_REVOKED,
         .revoked_at_s = NOW - DAY,
         .reason = MU_REASON_KEY_COMPROMISE,
         .this_update_s = NOW,
         .next_update_s = NOW + DAY},
    };
    const struct mu_ocsp_template t = {.issuer = issuer,
                                       .responder = issuer,
                                       .produced_at_s = NOW,
                                       .answers = answers,
                                       .count = 2};
    assert_ok(mu_ocsp_build_tbs(&t, &tbs, &err), &err);
    assert_ok(mu_ocsp_build(mu_buf_slice(&tbs), MU_SCHEME_ECDSA_P256_SHA256, MU_SLICE_LIT("x"),
                            NULL, &response, &err),
              &err);
    static const char *const words[] = {
        "OCSP response  key ",     "says         good", "keyCompromise",
        "serial 07 of the issuer", "in 1 day",          NULL};
    says(mu_buf_slice(&response), words);
    MU_AUTO(buf) struct mu_buf json = {0};
    describe(mu_buf_slice(&response), true, &json);
    assert_non_null(strstr(mu_buf_str(&json), "\"answers\":["));
    mu_buf_clear(&response);
    assert_true(mu_ocsp_build_failure(MU_OCSP_TRY_LATER, &response));
    static const char *const later[] = {"OCSP response  tryLater", NULL};
    says(mu_buf_slice(&response), later);
}

static void records(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    struct ca_signer signer = local_signer();
    struct ca_request request = home_request("user", "alice");
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    assert_ok(ca_find(ca, "alice", &records, &err), &err);
    for (int json = 0; json < 2; json++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 65536);
        assert_ok(ca_describe_record(&records.items[0], NOW, json == 1, &text, &err), &err);
        assert_non_null(strstr(mu_buf_str(&text), "web team"));
        assert_non_null(strstr(mu_buf_str(&text), "prove a client"));
        assert_false(text.failed);
    }
}

CA_UNIT_MAIN(home_init, UNIT_CASE(authorities_certificates_and_lists), UNIT_CASE(requests_and_keys),
             UNIT_CASE(what_is_nothing_we_know_is_refused), UNIT_CASE(records),
             UNIT_CASE(ocsp_messages))
