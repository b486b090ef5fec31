/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of the key process: there and back, and cut short at every byte.
 */
#include "fixture.h"

static struct mutual_error err;

static void a_request_comes_back(void **state)
{
    (void)state;
    struct keys_request sent = {.number = 77,
                                .scheme = {MU_DIGEST_SHA384, KEYS_PADDING_PSS},
                                .tbs = MU_SLICE_LIT("to be signed")};
    sent.id[31] = 9;
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 1000);
    keys_request_write(&buf, &sent);
    assert_int_equal(buf.len, KEYS_SIGN_HEAD + sent.tbs.len);
    struct keys_request got = {0};
    assert_ok(keys_request_read(mu_buf_slice(&buf), &got, &err), &err);
    assert_int_equal(got.number, 77);
    assert_int_equal(got.id[31], 9);
    assert_int_equal(got.scheme.digest, MU_DIGEST_SHA384);
    assert_int_equal(got.scheme.padding, KEYS_PADDING_PSS);
    assert_true(mu_slice_equal(got.tbs, sent.tbs));
    struct mu_slice cut = mu_buf_slice(&buf);
    for (cut.len = 1; cut.len < buf.len; cut.len++) {
        assert_fails(keys_request_read(cut, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    }
}

static void weak_and_unknown_schemes_are_malformed(void **state)
{
    (void)state;
    const struct keys_scheme wrong[] = {{MU_DIGEST_WEAK, KEYS_PADDING_NONE},
                                        {MU_DIGEST_OTHER, KEYS_PADDING_NONE},
                                        {(enum mu_digest)77, KEYS_PADDING_NONE},
                                        {MU_DIGEST_SHA256, (enum keys_padding)3}};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        MU_AUTO(buf) struct mu_buf buf;
        mu_buf_init(&buf, 1000);
        struct keys_request request = {.scheme = wrong[i], .tbs = MU_SLICE_LIT("x")};
        keys_request_write(&buf, &request);
        assert_fails(keys_request_read(mu_buf_slice(&buf), &request, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
}

static void a_reply_comes_back(void **state)
{
    (void)state;
    const struct keys_reply sent = {
        .number = 5, .status = KEYS_SIGNED, .signature = MU_SLICE_LIT("signature")};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 1000);
    keys_reply_write(&buf, &sent);
    struct keys_reply got = {0};
    assert_ok(keys_reply_read(mu_buf_slice(&buf), &got, &err), &err);
    assert_int_equal(got.number, 5);
    assert_true(mu_slice_equal(got.signature, sent.signature));
    const struct keys_reply wrong[] = {
        {.status = KEYS_SIGNED},                                          /* but no signature */
        {.status = KEYS_REFUSED, .signature = MU_SLICE_LIT("signature")}, /* but a signature  */
        {.status = KEYS_STATUS_COUNT_, .signature = MU_SLICE_LIT("signature")},
    };
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        mu_buf_clear(&buf);
        keys_reply_write(&buf, &wrong[i]);
        assert_fails(keys_reply_read(mu_buf_slice(&buf), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
}

static bool load_back(const struct keys_load *sent, struct keys_load *got)
{
    static struct mu_buf buf;
    mu_buf_done(&buf);
    mu_buf_init(&buf, 10000);
    keys_load_write(&buf, sent);
    memset(&err, 0, sizeof err);
    return keys_load_read(mu_buf_slice(&buf), got, &err);
}

static void a_load_comes_back_if_its_rules_make_sense(void **state)
{
    (void)state;
    struct keys_load sent = {.number = 3,
                             .expected = true,
                             .name = "pay",
                             .rules = {.purposes = KEYS_CERTIFICATES | KEYS_OCSP,
                                       .ca = {.issuer = MU_SLICE_LIT("name"),
                                              .may_issue_ca = true,
                                              .max_lifetime_s = 86400,
                                              .serial_min_bytes = 16,
                                              .serial_max_bytes = 20,
                                              .ekus = MU_EKU_CLIENT,
                                              .eku_required = true,
                                              .ocsp_issuer = {.key = {{7}}},
                                              .not_after_max_s = 77,
                                              .shapes = {{.ekus = MU_EKU_CLIENT, .keys = 3},
                                                         {.name_types = 5,
                                                          .must_types = 4,
                                                          .key_usage = 1,
                                                          .max_lifetime_s = 9,
                                                          .staple_allowed = true,
                                                          .ocsp_nocheck = true}},
                                              .shape_count = 2,
                                              .max_answer_s = 604800}}};
    struct keys_load got = {0};
    assert_ok(load_back(&sent, &got), &err);
    assert_string_equal(got.name, "pay");
    assert_true(got.expected && got.rules.ca.may_issue_ca && got.rules.ca.eku_required);
    assert_int_equal(got.rules.purposes, sent.rules.purposes);
    assert_true(got.rules.ca.max_lifetime_s == 86400);
    assert_int_equal(got.rules.ca.serial_min_bytes, 16);
    assert_int_equal(got.rules.ca.serial_max_bytes, 20);
    assert_int_equal(got.rules.ca.ekus, MU_EKU_CLIENT);
    assert_true(mu_slice_equal(got.rules.ca.issuer, sent.rules.ca.issuer));
    assert_memory_equal(&got.rules.ca.ocsp_issuer, &sent.rules.ca.ocsp_issuer,
                        sizeof got.rules.ca.ocsp_issuer);
    assert_true(got.rules.ca.max_answer_s == 604800);
    assert_true(got.rules.ca.not_after_max_s == 77 && got.rules.ca.shape_count == 2);
    assert_int_equal(got.rules.ca.shapes[0].ekus, MU_EKU_CLIENT);
    assert_int_equal(got.rules.ca.shapes[0].keys, 3);
    assert_false(got.rules.ca.shapes[0].staple_allowed || got.rules.ca.shapes[0].ocsp_nocheck);
    const struct keys_shape *shape = &got.rules.ca.shapes[1];
    assert_true(shape->name_types == 5 && shape->must_types == 4 && shape->key_usage == 1);
    assert_true(shape->max_lifetime_s == 9 && shape->staple_allowed && shape->ocsp_nocheck);
    assert_false(shape->staple_required);

    const uint32_t senseless[] = {0, KEYS_TLS_SERVER | KEYS_CERTIFICATES,
                                  KEYS_TLS_CLIENT | KEYS_CRLS, KEYS_CERTIFICATES | 1u << 9};
    for (size_t i = 0; i < MU_COUNT(senseless); i++) {
        sent.rules.purposes = senseless[i];
        assert_false(load_back(&sent, &got));
        assert_int_equal(err.code, MUTUAL_E_MESSAGE_MALFORMED);
    }
    sent.rules = (struct keys_rules){.purposes = KEYS_CERTIFICATES}; /* of which issuer? */
    assert_false(load_back(&sent, &got));
    sent.rules = (struct keys_rules){.purposes = KEYS_OCSP, .ca = {.issuer = MU_SLICE_LIT("name")}};
    assert_false(load_back(&sent, &got)); /* holding for how long? */
    sent.rules.purposes = KEYS_TLS_SERVER;
    assert_ok(load_back(&sent, &got), &err);
}

static void an_answer_to_a_load_comes_back(void **state)
{
    (void)state;
    struct keys_loaded sent = {.number = 8};
    (void)mu_fail(&sent.why, MUTUAL_E_KEY_PASSPHRASE, "wrong");
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 10000);
    keys_loaded_write(&buf, &sent);
    struct keys_loaded got = {0};
    assert_ok(keys_loaded_read(mu_buf_slice(&buf), &got, &err), &err);
    assert_int_equal(got.number, 8);
    assert_int_equal(got.why.code, MUTUAL_E_KEY_PASSPHRASE);
    mu_buf_clear(&buf);
    sent.why = (struct mutual_error){0}; /* loaded, but what? */
    keys_loaded_write(&buf, &sent);
    assert_fails(keys_loaded_read(mu_buf_slice(&buf), &got, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

static void a_journal_entry_comes_back(void **state)
{
    (void)state;
    const struct keys_journal sent = {.refused = true,
                                      .asker = IPC_WORKER,
                                      .asker_index = 2,
                                      .code = MUTUAL_E_KEY_REFUSED,
                                      .text = "certificate"};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 10000);
    keys_journal_write(&buf, &sent);
    struct ipc_message message = {.type = IPC_MSG_KEY_JOURNAL, .payload = mu_buf_slice(&buf)};
    struct keys_journal got = {0};
    assert_ok(keys_journal_read(&message, &got, &err), &err);
    assert_true(got.refused);
    assert_int_equal(got.asker, IPC_WORKER);
    assert_int_equal(got.asker_index, 2);
    assert_int_equal(got.code, MUTUAL_E_KEY_REFUSED);
    assert_string_equal(got.text, "certificate");
    message.payload.len--;
    assert_fails(keys_journal_read(&message, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(a_request_comes_back), UNIT_CASE(weak_and_unknown_schemes_are_malformed),
          UNIT_CASE(a_reply_comes_back), UNIT_CASE(a_load_comes_back_if_its_rules_make_sense),
          UNIT_CASE(an_answer_to_a_load_comes_back), UNIT_CASE(a_journal_entry_comes_back))
