/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment by token and by the certificate before: who gets what, and who gets nothing.
 */
#include "support.h"

static struct ca *ca;
static struct ca_signer signer;

static void token_for(const char *profile, const char *name, bool approval, struct mu_buf *out,
                      int64_t *ret_id)
{
    struct mutual_error err = {0};
    struct ca_token_wish wish = {.name = name,
                                 .ttl_s = 3600,
                                 .url = "https://ca.example.org",
                                 .owner = "o",
                                 .place = "p",
                                 .approval = approval,
                                 .now_s = NOW};
    assert_ok(ca_profile_find(profile, &wish.profile, &err), &err);
    mu_buf_init(out, 2048);
    assert_ok(ca_token_new(ca, &wish, out, ret_id, &err), &err);
}

static struct mu_csr *csr_of(const struct mu_key *key, const struct mu_rdn *subject, size_t count,
                             const struct mu_gname *names, size_t name_count)
{
    struct mutual_error err = {0};
    struct mu_csr *csr = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1 << 16);
    assert_ok(mu_csr_build(key, subject, count, names, name_count, &der, &err), &err);
    assert_ok(mu_csr_from_der(mu_buf_slice(&der), &csr, &err), &err);
    return csr;
}

static struct mu_key *new_key(void)
{
    struct mutual_error err = {0};
    struct mu_key *key = NULL;
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    return key;
}

static bool enroll(const struct mu_buf *token, const struct mu_csr *csr, int64_t now_s,
                   enum ca_enrolled *how, struct ca_issued *issued, struct mutual_error *err)
{
    const struct ca_enrolment wish = {.csr = csr, .signer = &signer, .now_s = now_s};
    return ca_enroll_by_token(ca, mu_buf_slice(token), &wish, how, issued, err);
}

static void a_token_gives_one_certificate_to_one_key(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    enum ca_enrolled how;
    int64_t id;
    MU_AUTO(buf) struct mu_buf token;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(key) struct mu_key *other = new_key();
    MU_AUTO(csr) struct mu_csr *csr = csr_of(key, NULL, 0, NULL, 0);
    MU_AUTO(csr) struct mu_csr *theirs = csr_of(other, NULL, 0, NULL, 0);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    MU_AUTO(ca_issued) struct ca_issued again = {0};
    token_for("server", "web", false, &token, &id);
    assert_ok(enroll(&token, csr, NOW, &how, &issued, &err), &err);
    assert_int_equal(how, CA_ENROLLED);
    assert_true(mu_slice_equal(mu_cert_facts(issued.cert)->spki, mu_key_spki(key)));
    assert_ok(enroll(&token, csr, NOW + 1, &how, &again, &err), &err);
    assert_true(mu_slice_equal(mu_cert_facts(issued.cert)->der, mu_cert_facts(again.cert)->der));
    struct ca_issued none = {0};
    assert_fails(enroll(&token, theirs, NOW + 1, &how, &none, &err), &err, MUTUAL_E_TOKEN_USED);
}

static void a_token_that_is_not_good_gives_nothing(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    enum ca_enrolled how;
    int64_t id;
    struct ca_issued none = {0};
    MU_AUTO(buf) struct mu_buf token;
    MU_AUTO(buf) struct mu_buf unknown;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(csr) struct mu_csr *csr = csr_of(key, NULL, 0, NULL, 0);
    token_for("server", "late", false, &token, &id);
    assert_fails(enroll(&token, csr, NOW + 3600, &how, &none, &err), &err, MUTUAL_E_TOKEN_EXPIRED);
    assert_ok(ca_token_withdraw(ca, id, NOW, &err), &err);
    assert_fails(enroll(&token, csr, NOW, &how, &none, &err), &err, MUTUAL_E_TOKEN_UNKNOWN);
    mu_buf_init(&unknown, 64);
    (void)mu_buf_text(&unknown, "mutual-AAAA");
    assert_fails(enroll(&unknown, csr, NOW, &how, &none, &err), &err, MUTUAL_E_TOKEN_MALFORMED);
}

static void a_request_can_only_ask_for_less(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    enum ca_enrolled how;
    int64_t id;
    MU_AUTO(buf) struct mu_buf token;
    MU_AUTO(key) struct mu_key *key = new_key();
    struct ca_issued none = {0};
    static const struct {
        const char *cn;
        struct mu_gname name; /* type OTHER: none */
    } bad[] = {
        {"other", {MU_GNAME_OTHER, {0}}},
        {"shop.example.org", {MU_GNAME_OTHER, {0}}},
        {"web/../admin", {MU_GNAME_OTHER, {0}}},
        {"web", {MU_GNAME_DNS, {(const uint8_t *)"shop.example.org", 16}}},
        {"web", {MU_GNAME_DNS, {(const uint8_t *)"*.example.org", 13}}},
        {"web", {MU_GNAME_URI, {(const uint8_t *)"spiffe://example.org/admin", 26}}},
        {"web", {MU_GNAME_IP, {(const uint8_t *)"\x7f\0\0\1", 4}}},
        {"web", {MU_GNAME_EMAIL, {(const uint8_t *)"web@example.org", 15}}},
    };
    token_for("server", "web", false, &token, &id);
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        const struct mu_rdn subject = {MU_ATTR_CN, bad[i].cn};
        size_t count = bad[i].name.type == MU_GNAME_OTHER ? 0 : 1;
        MU_AUTO(csr) struct mu_csr *csr = csr_of(key, &subject, 1, &bad[i].name, count);
        memset(&err, 0, sizeof err);
        assert_false(enroll(&token, csr, NOW, &how, &none, &err));
        assert_true(err.code == MUTUAL_E_REQUEST_NAMES || err.code == MUTUAL_E_NAME_MALFORMED ||
                    err.code == MUTUAL_E_PROFILE_DENIED);
    }
    const struct mu_gname good = {MU_GNAME_DNS, {(const uint8_t *)"web.example.org", 15}};
    const struct mu_rdn subject = {MU_ATTR_CN, "web.example.org"};
    MU_AUTO(csr) struct mu_csr *csr = csr_of(key, &subject, 1, &good, 1);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    assert_ok(enroll(&token, csr, NOW, &how, &issued, &err), &err);
    assert_int_equal(mu_cert_facts(issued.cert)->name_count, 2);
}

static void a_token_comes_back_when_nothing_was_signed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    enum ca_enrolled how;
    int64_t id;
    struct ca_issued none = {0};
    MU_AUTO(buf) struct mu_buf token;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(csr) struct mu_csr *csr = csr_of(key, NULL, 0, NULL, 0);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    token_for("server", "retry", false, &token, &id);
    home.refuse_signing = true;
    assert_fails(enroll(&token, csr, NOW, &how, &none, &err), &err, MUTUAL_E_KEY_UNAVAILABLE);
    home.refuse_signing = false;
    assert_ok(enroll(&token, csr, NOW, &how, &issued, &err), &err);
}

static void a_person_decides_where_the_token_says_so(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    enum ca_enrolled how;
    int64_t id;
    struct ca_issued none = {0};
    MU_AUTO(buf) struct mu_buf token;
    MU_AUTO(buf) struct mu_buf second;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(key) struct mu_key *other = new_key();
    MU_AUTO(csr) struct mu_csr *csr = csr_of(key, NULL, 0, NULL, 0);
    MU_AUTO(csr) struct mu_csr *theirs = csr_of(other, NULL, 0, NULL, 0);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    token_for("device", "sensor", true, &token, &id);
    assert_fails(ca_token_decide(ca, id, true, NOW, &err), &err, MUTUAL_E_NOT_FOUND);
    assert_ok(enroll(&token, csr, NOW, &how, &none, &err), &err);
    assert_int_equal(how, CA_ENROLL_WAITS);
    assert_ok(enroll(&token, csr, NOW + 9000, &how, &none, &err), &err);
    assert_int_equal(how, CA_ENROLL_WAITS);
    assert_fails(enroll(&token, theirs, NOW, &how, &none, &err), &err, MUTUAL_E_TOKEN_USED);
    assert_ok(ca_token_decide(ca, id, true, NOW, &err), &err);
    assert_ok(enroll(&token, csr, NOW + 9000, &how, &issued, &err), &err);
    assert_int_equal(how, CA_ENROLLED);
    token_for("device", "intruder", true, &second, &id);
    assert_ok(enroll(&second, csr, NOW, &how, &none, &err), &err);
    assert_ok(ca_token_decide(ca, id, false, NOW, &err), &err);
    assert_fails(enroll(&second, csr, NOW, &how, &none, &err), &err, MUTUAL_E_REQUEST_DENIED);
}

/* A certificate for the key, by a token. */
static struct mu_cert *certified(const char *name, const struct mu_key *key, int64_t now_s)
{
    struct mutual_error err = {0};
    enum ca_enrolled how;
    int64_t id;
    MU_AUTO(buf) struct mu_buf token;
    MU_AUTO(csr) struct mu_csr *csr = csr_of(key, NULL, 0, NULL, 0);
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    token_for("client", name, false, &token, &id);
    assert_ok(enroll(&token, csr, now_s, &how, &issued, &err), &err);
    return mu_cert_ref(issued.cert);
}

static struct mu_csr *csr_again(const struct mu_key *key, const char *name)
{
    const struct mu_rdn subject[] = {{MU_ATTR_O, "example.org"}, {MU_ATTR_CN, name}};
    return csr_of(key, subject, 2, NULL, 0);
}

static void who_has_a_certificate_gets_the_next_one(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(key) struct mu_key *next = new_key();
    MU_AUTO(cert) struct mu_cert *old = certified("joe", key, NOW);
    MU_AUTO(csr) struct mu_csr *csr = csr_again(next, "joe");
    MU_AUTO(csr) struct mu_csr *wrong = csr_again(next, "admin");
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    struct ca_issued none = {0};
    struct ca_enrolment wish = {.csr = csr, .signer = &signer, .now_s = NOW + 10 * DAY};
    assert_ok(ca_enroll_again(ca, old, &wish, &issued, &err), &err);
    assert_true(mu_slice_equal(mu_cert_facts(issued.cert)->subject, mu_cert_facts(old)->subject));
    assert_int_equal(mu_cert_facts(issued.cert)->name_count, mu_cert_facts(old)->name_count);
    wish.csr = wrong;
    assert_fails(ca_enroll_again(ca, old, &wish, &none, &err), &err, MUTUAL_E_REQUEST_NAMES);
    wish.csr = csr;
    wish.now_s = NOW + 91 * DAY;
    assert_fails(ca_enroll_again(ca, old, &wish, &none, &err), &err, MUTUAL_E_CERT_EXPIRED);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    assert_ok(ca_find(ca, "joe", &records, &err), &err);
    for (size_t i = 0; i < records.count; i++) {
        assert_ok(ca_revoke(ca, &records.items[i], MU_REASON_KEY_COMPROMISE, &signer, NOW, &err),
                  &err);
    }
    wish.now_s = NOW;
    assert_fails(ca_enroll_again(ca, old, &wish, &none, &err), &err, MUTUAL_E_CERT_REVOKED);
    wish.csr = csr_again(next, "example.org issuer");
    assert_fails(ca_enroll_again(ca, ca_issuer(ca), &wish, &none, &err), &err,
                 MUTUAL_E_PROFILE_DENIED);
    union {
        const struct mu_csr *in;
        struct mu_csr *out;
    } cast = {wish.csr};
    mu_csr_free(cast.out);
}

/* As after an answer that was lost; another key is another wish. */
static void who_asks_again_with_the_same_key_gets_the_same_next_one(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(key) struct mu_key *next = new_key();
    MU_AUTO(cert) struct mu_cert *old = certified("lost", key, NOW);
    MU_AUTO(csr) struct mu_csr *same = csr_again(key, "lost"); /* a device may keep its key */
    MU_AUTO(csr) struct mu_csr *other = csr_again(next, "lost");
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    struct ca_issued got[5] = {0};
    struct ca_enrolment wish = {.csr = same, .signer = &signer, .now_s = NOW + DAY};
    assert_ok(ca_enroll_again(ca, old, &wish, &got[0], &err), &err);
    assert_ok(ca_enroll_again(ca, old, &wish, &got[1], &err), &err);
    assert_int_equal(got[0].id, got[1].id);
    assert_true(mu_slice_equal(mu_cert_facts(got[0].cert)->der, mu_cert_facts(got[1].cert)->der));
    wish.csr = other;
    assert_ok(ca_enroll_again(ca, old, &wish, &got[2], &err), &err);
    assert_true(got[2].id != got[0].id);
    wish.csr = same; /* with its successor it gets that one's */
    assert_ok(ca_enroll_again(ca, got[0].cert, &wish, &got[3], &err), &err);
    assert_true(got[3].id != got[0].id && got[3].id != got[2].id);
    const struct inventory_filter filter = {.id = got[3].id};
    assert_ok(inventory_records_get(ca->inventory, &filter, 1, &records, &err), &err);
    assert_ok(ca_revoke(ca, &records.items[0], MU_REASON_SUPERSEDED, &signer, NOW, &err), &err);
    assert_ok(ca_enroll_again(ca, got[0].cert, &wish, &got[4], &err), &err);
    assert_true(got[4].id != got[3].id); /* a revoked one helps nobody */
    for (size_t i = 0; i < MU_COUNT(got); i++) {
        ca_issued_done(&got[i]);
    }
}

static void a_key_whose_certificate_ended_is_known_for_a_while(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(key) struct mu_key *other = new_key();
    MU_AUTO(cert) struct mu_cert *old = certified("device7", key, NOW);
    MU_AUTO(csr) struct mu_csr *csr = csr_again(key, "device7");
    MU_AUTO(csr) struct mu_csr *theirs = csr_again(other, "device7");
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    MU_AUTO(ca_issued) struct ca_issued again = {0};
    struct ca_issued none = {0};
    struct ca_enrolment wish = {
        .csr = csr, .signer = &signer, .grace_s = 0, .now_s = NOW + 100 * DAY};
    assert_fails(ca_enroll_late(ca, &wish, &none, &err), &err, MUTUAL_E_NO_CLIENT_CERT);
    wish.grace_s = 5 * DAY;
    assert_fails(ca_enroll_late(ca, &wish, &none, &err), &err, MUTUAL_E_CERT_EXPIRED);
    wish.grace_s = 30 * DAY;
    wish.now_s = NOW + 50 * DAY; /* it has not ended: whoever has it can prove it */
    assert_fails(ca_enroll_late(ca, &wish, &none, &err), &err, MUTUAL_E_NO_CLIENT_CERT);
    wish.now_s = NOW + 100 * DAY;
    wish.csr = theirs;
    assert_fails(ca_enroll_late(ca, &wish, &none, &err), &err, MUTUAL_E_NO_CLIENT_CERT);
    wish.csr = csr;
    assert_ok(ca_enroll_late(ca, &wish, &issued, &err), &err);
    assert_ok(ca_enroll_late(ca, &wish, &again, &err), &err); /* the same request once more */
    assert_int_equal(issued.id, again.id);
    assert_non_null(old);
}

static int begin(void **state)
{
    if (home_init(state) != 0) {
        return 1;
    }
    ca = home_open(CA_SERVE);
    signer = local_signer();
    return 0;
}

static int end(void **state)
{
    ca_close(ca);
    return home_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(a_token_gives_one_certificate_to_one_key),
        UNIT_CASE(a_token_that_is_not_good_gives_nothing),
        UNIT_CASE(a_request_can_only_ask_for_less),
        UNIT_CASE(a_token_comes_back_when_nothing_was_signed),
        UNIT_CASE(a_person_decides_where_the_token_says_so),
        UNIT_CASE(who_has_a_certificate_gets_the_next_one),
        UNIT_CASE(who_asks_again_with_the_same_key_gets_the_same_next_one),
        UNIT_CASE(a_key_whose_certificate_ended_is_known_for_a_while),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
