/* SPDX-License-Identifier: Apache-2.0
 *
 * Further issuers: made under the root, found again, refused, and finished after a kill.
 */
#include "support.h"

static struct ca_issuer_options options_of(const char *word)
{
    return (struct ca_issuer_options){.word = word,
                                      .key = MU_SPEC_EC_P256,
                                      .life_s = 100 * DAY,
                                      .passphrase = HOME_PASSPHRASE,
                                      .owner = "tests",
                                      .place = "here",
                                      .now_s = NOW};
}

static void one_more_issues_and_revokes_by_itself(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_signer signer = local_signer();
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    MU_AUTO(ca_issued) struct ca_issued renewed = {0};
    {
        MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
        struct ca_issuer_options options = options_of("iot");
        options.shards = 8;
        assert_ok(ca_issuer_add(ca, &options, &err), &err);
        assert_string_equal(mu_cert_facts(ca_issuer(ca))->display, "example.org iot");
        assert_true(exists(at_home("authority/issuers/iot.crl")));
    }
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    assert_string_equal(ca_issuer_word(ca, 0), "issuer");
    assert_string_equal(ca_issuer_word(ca, 1), "iot");
    assert_null(ca_issuer_word(ca, 2));
    struct ca_request request = home_request("client", "meter");
    request.issuer = "iot";
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    const struct mu_cert *iot = ca_issuer(ca);
    assert_ok(mu_cert_signed_by(issued.cert, iot, &err), &err);
    assert_ok(mu_cert_signed_by(iot, ca_root(ca), &err), &err);
    MU_AUTO(buf) struct mu_buf chain = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    assert_ok(mu_file_read(at_home("tls/meter/tls.crt"), 1u << 20, &chain, &err), &err);
    assert_ok(mu_certs_from_pem(mu_buf_slice(&chain), "chain", &certs, &err), &err);
    assert_int_equal(certs.count, 2);
    assert_true(mu_slice_equal(mu_cert_facts(certs.items[1])->der, mu_cert_facts(iot)->der));

    /* Renewing and revoking mean the certificate's own issuer, whichever was meant before. */
    assert_ok(ca_select(ca, NULL, &err), &err);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    assert_ok(ca_find(ca, "meter", &records, &err), &err);
    request = home_request("client", "meter");
    request.replaces = &records.items[0];
    assert_ok(ca_issue(ca, &request, &signer, &renewed, &err), &err);
    assert_ok(mu_cert_signed_by(renewed.cert, ca_issuer(ca), &err), &err);
    assert_string_equal(mu_cert_facts(ca_issuer(ca))->display, "example.org iot");
    assert_ok(ca_select(ca, NULL, &err), &err);
    assert_ok(ca_revoke(ca, &records.items[0], MU_REASON_SUPERSEDED, &signer, NOW, &err), &err);
    MU_AUTO(buf) struct mu_buf pem = {0};
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    struct mu_pem_reader reader;
    assert_ok(mu_file_read(at_home("authority/issuers/iot.crl"), 1u << 20, &pem, &err), &err);
    mu_pem_open(&reader, mu_buf_slice(&pem), "list");
    assert_ok(mu_crl_from_pem(&reader, &crl, &err), &err);
    assert_ok(mu_crl_signed_by(crl, iot, &err), &err);
    assert_true(mu_crl_find(crl, records.items[0].serial, NULL));
}

static void refuse(struct ca *ca, const struct ca_issuer_options *options, enum mutual_code code)
{
    struct mutual_error err = {0};
    assert_fails(ca_issuer_add(ca, options, &err), &err, code);
    assert_non_null(strstr(err.context, "issuer \""));
}

static void what_cannot_be_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    static const char *const words[] = {"",    "root", "-a",  "A",
                                        "a b", "../x", "a.b", "abcdefghijklmnopqrstu"};
    for (size_t i = 0; i < MU_COUNT(words); i++) {
        struct ca_issuer_options options = options_of(words[i]);
        refuse(ca, &options, MUTUAL_E_NAME_MALFORMED);
    }
    struct ca_issuer_options options = options_of("issuer");
    refuse(ca, &options, MUTUAL_E_ALREADY_EXISTS);
    options = options_of("x");
    options.passphrase = "not this one at all";
    refuse(ca, &options, MUTUAL_E_KEY_PASSPHRASE);
    options.passphrase = NULL;
    refuse(ca, &options, MUTUAL_E_KEY_PASSPHRASE);
    options = options_of("x");
    options.root_dir = at_home("tls");
    refuse(ca, &options, MUTUAL_E_FILE_MISSING);
    options = options_of("x");
    options.life_s = 8000 * DAY;
    refuse(ca, &options, MUTUAL_E_OPTION_VALUE);
    options.life_s = 10;
    refuse(ca, &options, MUTUAL_E_OPTION_VALUE);
    options = options_of("x");
    options.shards = CA_SHARDS_MAX + 1;
    refuse(ca, &options, MUTUAL_E_OPTION_VALUE);
    options = options_of("x");
    options.permit = (const char *const[]){"nonsense"};
    options.permit_count = 1;
    refuse(ca, &options, MUTUAL_E_OPTION_VALUE);
    assert_false(exists(at_home("authority/issuers/x")));
}

static void the_key_must_be_the_roots(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, MU_LIMIT_KEY_BYTES);
    assert_ok(mu_key_generate(MU_SPEC_EC_P384, &key, &err), &err);
    assert_ok(mu_key_to_pem(key, NULL, &pem, &err), &err);
    assert_ok(mu_file_write(at_home("root.key"), mu_buf_slice(&pem), 0600, &err), &err);
    struct ca_issuer_options options = options_of("y");
    options.root_dir = home.dir;
    refuse(ca, &options, MUTUAL_E_KEY_MISMATCH);
}

/* Killed between the files and the store: nothing was told, and the name is free. */
static void leftovers_are_in_nobodys_way(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    assert_ok(ca_make_directories(at_home("authority/issuers/again"), 0700, &err), &err);
    assert_ok(mu_file_write(at_home("authority/issuers/again/issuer.key"), MU_SLICE_LIT("half"),
                            0600, &err),
              &err);
    struct ca_issuer_options options = options_of("again");
    assert_ok(ca_issuer_add(ca, &options, &err), &err);
    struct ca_signer signer = local_signer();
    assert_ok(ca_crl_publish(ca, &signer, DAY, NOW, &err), &err);
}

CA_UNIT_MAIN(home_init, cmocka_unit_test(one_more_issues_and_revokes_by_itself),
             cmocka_unit_test(what_cannot_be_is_refused_and_leaves_nothing),
             cmocka_unit_test(the_key_must_be_the_roots),
             cmocka_unit_test(leftovers_are_in_nobodys_way))
