/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding, choosing, revoking, publishing.
 */
#include "support.h"

static struct ca_issued issue(struct ca *ca, const char *name)
{
    struct mutual_error err = {0};
    struct ca_issued issued = {0};
    struct ca_signer signer = local_signer();
    struct ca_request request = home_request("server", name);
    assert_ok(ca_issue(ca, &request, &signer, &issued, &err), &err);
    return issued;
}

static struct mu_crl *published(const struct ca *ca)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf pem = {0};
    struct mu_pem_reader reader;
    struct mu_crl *crl = NULL;
    assert_ok(mu_file_read(ca_crl_path(ca), 1u << 20, &pem, &err), &err);
    mu_pem_open(&reader, mu_buf_slice(&pem), "crl");
    assert_ok(mu_crl_from_pem(&reader, &crl, &err), &err);
    assert_ok(mu_crl_signed_by(crl, ca_issuer(ca), &err), &err);
    return crl;
}

static unsigned number_of(const struct mu_crl *crl)
{
    struct mu_slice number = mu_crl_facts(crl)->number;
    assert_int_equal(number.len, 1);
    return number.data[0];
}

static void everything_that_names_it_finds_it(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = issue(ca, "found");
    const struct mu_cert_facts *facts = mu_cert_facts(issued.cert);
    MU_AUTO(buf) struct mu_buf serial;
    MU_AUTO(buf) struct mu_buf print;
    mu_buf_init(&serial, 256);
    mu_buf_init(&print, 256);
    mu_hex(&serial, facts->serial);
    mu_buf_text(&print, "sha256:");
    mu_hex(&print, mu_slice_of(facts->fingerprint, 32));
    MU_AUTO(free) char *file = ca_text("%s/tls.crt", issued.path);
    MU_AUTO(free) char *begin = mu_strndup(mu_buf_str(&serial), 12);
    const char *const who[] = {"found",
                               "found.example.org",
                               "spiffe://example.org/found",
                               mu_buf_str(&serial),
                               mu_buf_str(&print),
                               file,
                               begin};
    for (size_t i = 0; i < MU_COUNT(who); i++) {
        MU_AUTO(inventory_records) struct inventory_records records = {0};
        assert_ok(ca_find(ca, who[i], &records, &err), &err);
        assert_int_equal(records.count, 1);
        assert_int_equal(records.items[0].id, issued.id);
    }
    struct inventory_records none = {0};
    assert_fails(ca_find(ca, "nobody", &none, &err), &err, MUTUAL_E_NOT_FOUND);
    assert_fails(ca_find(ca, "00112233445566778899", &none, &err), &err, MUTUAL_E_NOT_FOUND);
}

static void the_living_come_before_the_dead(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct inventory_record items[3] = {
        {.id = 1, .name = "x", .profile = "server", .not_after_s = NOW + 9, .revoked = true},
        {.id = 2, .name = "x", .profile = "server", .not_after_s = NOW - 9},
        {.id = 3, .name = "x", .profile = "server", .not_after_s = NOW + 9, .serial = {NULL, 0}},
    };
    const struct inventory_records all = {items, 3, NULL};
    const struct inventory_record *chosen = NULL;
    assert_ok(ca_choose(&all, "x", CA_WISH_REVOKE, NOW, &chosen, &err), &err);
    assert_int_equal(chosen->id, 3);
    const struct inventory_records old = {items, 2, NULL};
    assert_ok(ca_choose(&old, "x", CA_WISH_RENEW, NOW, &chosen, &err), &err);
    assert_int_equal(chosen->id, 2);
    const struct inventory_records dead = {items, 1, NULL};
    assert_fails(ca_choose(&dead, "x", CA_WISH_REVOKE, NOW, &chosen, &err), &err,
                 MUTUAL_E_ALREADY_REVOKED);
    assert_fails(ca_choose(&dead, "x", CA_WISH_RENEW, NOW, &chosen, &err), &err,
                 MUTUAL_E_ALREADY_REVOKED);
    assert_ok(ca_choose(&dead, "x", CA_WISH_SHOW, NOW, &chosen, &err), &err);
    items[1].not_after_s = NOW + 9;
    assert_fails(ca_choose(&all, "x", CA_WISH_REVOKE, NOW, &chosen, &err), &err,
                 MUTUAL_E_AMBIGUOUS);
    items[1].replaced_by_id = 3;
    assert_ok(ca_choose(&all, "x", CA_WISH_RENEW, NOW, &chosen, &err), &err);
    assert_int_equal(chosen->id, 3);
    items[2].profile = "authority-issuer";
    assert_fails(ca_choose(&all, "x", CA_WISH_RENEW, NOW, &chosen, &err), &err,
                 MUTUAL_E_PROFILE_DENIED);
}

static void a_revocation_is_published_with_the_next_number(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = issue(ca, "revoked");
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(crl) struct mu_crl *before = published(ca);
    struct ca_signer signer = local_signer();
    assert_ok(ca_find(ca, "revoked", &records, &err), &err);
    assert_ok(ca_revoke(ca, &records.items[0], MU_REASON_KEY_COMPROMISE, &signer, NOW + 5, &err),
              &err);
    MU_AUTO(crl) struct mu_crl *after = published(ca);
    assert_int_equal(number_of(after), number_of(before) + 1);
    struct mu_revoked entry;
    assert_true(mu_crl_find(after, mu_cert_facts(issued.cert)->serial, &entry));
    assert_int_equal(entry.reason, MU_REASON_KEY_COMPROMISE);
    assert_int_equal(entry.time_s, NOW + 5);
    assert_fails(ca_revoke(ca, &records.items[0], MU_REASON_SUPERSEDED, &signer, NOW + 6, &err),
                 &err, MUTUAL_E_ALREADY_REVOKED);
}

static void a_list_that_could_not_be_signed_stays_due(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = issue(ca, "late");
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    struct ca_signer signer = local_signer();
    assert_ok(ca_find(ca, "late", &records, &err), &err);
    home.refuse_signing = true;
    assert_fails(ca_revoke(ca, &records.items[0], MU_REASON_UNSPECIFIED, &signer, NOW, &err), &err,
                 MUTUAL_E_KEY_UNAVAILABLE);
    assert_non_null(strstr(err.context, "is revoked, but the list was not published"));
    home.refuse_signing = false;
    ca_close(MU_TAKE(ca));
    ca = home_open(CA_CHANGE);
    assert_ok(ca_crl_refresh(ca, &signer, NOW, &err), &err);
    MU_AUTO(crl) struct mu_crl *crl = published(ca);
    assert_true(mu_crl_find(crl, mu_cert_facts(issued.cert)->serial, NULL));
}

static void a_list_is_renewed_at_half_its_life(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    struct ca_signer signer = local_signer();
    assert_ok(ca_crl_publish(ca, &signer, 100, NOW, &err), &err);
    MU_AUTO(crl) struct mu_crl *first = published(ca);
    assert_ok(ca_crl_refresh(ca, &signer, NOW + 49, &err), &err);
    MU_AUTO(crl) struct mu_crl *same = published(ca);
    assert_int_equal(number_of(same), number_of(first));
    assert_ok(ca_crl_refresh(ca, &signer, NOW + 50, &err), &err);
    MU_AUTO(crl) struct mu_crl *next = published(ca);
    assert_int_equal(number_of(next), number_of(first) + 1);
    assert_int_equal(mu_crl_facts(next)->next_update_s, NOW + 50 + CA_CRL_LIFE_S);
}

/* RFC 5280 section 3.3: an entry stays until it was on a list made after the certificate's end. */
static void an_entry_leaves_only_after_the_certificates_end(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = issue(ca, "leaving");
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    struct ca_signer signer = local_signer();
    assert_ok(ca_find(ca, "leaving", &records, &err), &err);
    assert_ok(ca_revoke(ca, &records.items[0], MU_REASON_UNSPECIFIED, &signer, NOW + 60, &err),
              &err);
    static const struct {
        int64_t day;
        bool listed;
    } times[] = {{89, true}, {91, true}, {92, false}};
    for (size_t i = 0; i < MU_COUNT(times); i++) {
        assert_ok(ca_crl_publish(ca, &signer, DAY, NOW + times[i].day * DAY, &err), &err);
        MU_AUTO(crl) struct mu_crl *crl = published(ca);
        assert_int_equal(mu_crl_find(crl, mu_cert_facts(issued.cert)->serial, NULL),
                         times[i].listed);
    }
}

/* A list made while the clock was a year ahead must not let the revoked back in when it is set. */
static void a_clock_that_was_ahead_brings_nobody_back(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = home_open(CA_CHANGE);
    MU_AUTO(ca_issued) struct ca_issued issued = issue(ca, "dismissed");
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    struct ca_signer signer = local_signer();
    assert_ok(ca_find(ca, "dismissed", &records, &err), &err);
    assert_ok(ca_revoke(ca, &records.items[0], MU_REASON_KEY_COMPROMISE, &signer, NOW + 60, &err),
              &err);
    assert_ok(ca_crl_publish(ca, &signer, DAY, NOW + 365 * DAY, &err), &err);
    MU_AUTO(crl) struct mu_crl *ahead = published(ca);
    assert_true(mu_crl_find(ahead, mu_cert_facts(issued.cert)->serial, NULL));
    assert_ok(ca_crl_refresh(ca, &signer, NOW + 120, &err), &err); /* nobody believes the other */
    MU_AUTO(crl) struct mu_crl *now = published(ca);
    assert_int_equal(mu_crl_facts(now)->this_update_s, NOW + 120);
    assert_int_equal(number_of(now), number_of(ahead) + 1);
    assert_true(mu_crl_find(now, mu_cert_facts(issued.cert)->serial, NULL));
}

CA_UNIT_MAIN(home_init, UNIT_CASE(everything_that_names_it_finds_it),
             UNIT_CASE(the_living_come_before_the_dead),
             UNIT_CASE(a_revocation_is_published_with_the_next_number),
             UNIT_CASE(a_list_that_could_not_be_signed_stays_due),
             UNIT_CASE(a_list_is_renewed_at_half_its_life),
             UNIT_CASE(a_clock_that_was_ahead_brings_nobody_back),
             UNIT_CASE(an_entry_leaves_only_after_the_certificates_end))
