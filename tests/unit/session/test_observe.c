/* SPDX-License-Identifier: Apache-2.0
 *
 * The record for `mutual explain`: offers on both sides, chains even when refused, and hellos that
 * are cut off anywhere.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

static bool holds(const struct mu_observed_list *list, uint16_t item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == item) {
            return true;
        }
    }
    return false;
}

static void offers_are_recorded_on_both_sides(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.observe = pair.client.observe = true;
    tls_pair_open(&pair);
    const struct mu_observed *seen[] = {mu_session_observed(pair.server.session),
                                        mu_session_observed(pair.client.session)};
    for (size_t i = 0; i < 2; i++) {
        assert_true(holds(&seen[i]->versions, 0x0304) && holds(&seen[i]->versions, 0x0303));
        assert_false(holds(&seen[i]->versions, 0x0302));
        assert_true(holds(&seen[i]->groups, 0x001d));
        assert_true(holds(&seen[i]->ciphers, 0x1301) && holds(&seen[i]->ciphers, 0xc02b));
        assert_true(holds(&seen[i]->signatures, 0x0403));
        assert_false(holds(&seen[i]->signatures, 0x0203));
        assert_int_equal(seen[i]->cert_count, 2);
        assert_true(seen[i]->cert_requested && seen[i]->cert_sent);
    }
    struct mu_slice leaf = mu_slice_of(seen[0]->certs[0].data, seen[0]->certs[0].len);
    struct mu_slice issuer = mu_slice_of(seen[1]->certs[1].data, seen[1]->certs[1].len);
    assert_true(mu_slice_equal(leaf, pki_der(pair.client_leaf)));
    assert_true(mu_slice_equal(issuer, pki_der(pair.issuer)));
    tls_pair_done(&pair);
}

static void a_refused_chain_is_recorded(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct pki *mallory = pki_stranger("Mallory");
    tls_end_show(&pair.server, mallory);
    pair.client.observe = true;
    tls_pair_shake(&pair);
    assert_int_equal(pair.client.io, MUTUAL_IO_FAILED);
    const struct mu_observed *seen = mu_session_observed(pair.client.session);
    assert_int_equal(seen->cert_count, 1);
    assert_true(
        mu_slice_equal(mu_slice_of(seen->certs[0].data, seen->certs[0].len), pki_der(mallory)));
    assert_false(seen->cert_sent);
    tls_pair_done(&pair);
}

static void nothing_is_recorded_unasked(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    assert_null(mu_session_observed(pair.client.session));
    tls_pair_done(&pair);
}

static void a_hello_may_be_cut_off_anywhere(void **state)
{
    (void)state;
    static uint8_t hello[2048];
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.observe = true;
    tls_pair_start(&pair);
    (void)tls_step(&pair, &pair.client, &pair.server);
    size_t len = pair.client.out.len - 5;
    assert_true(len < sizeof hello);
    memcpy(hello, pair.client.out.data + 5, len);
    for (size_t i = 4; i <= len; i++) {
        uint8_t *copy = mu_alloc(i, 1);
        memcpy(copy, hello, i);
        mu_observe_hello(pair.server.session, mu_slice_of(copy, i));
        mu_free(copy);
    }
    assert_true(holds(&mu_session_observed(pair.server.session)->groups, 0x001d));
    tls_pair_done(&pair);
}

static void code_points_have_names(void **state)
{
    (void)state;
    assert_string_equal(mu_version_name(0x0304), "TLS 1.3");
    assert_string_equal(mu_cipher_name(0x1301), "TLS_AES_128_GCM_SHA256");
    assert_string_equal(mu_group_name(0x11ec), "X25519MLKEM768");
    assert_string_equal(mu_signature_name(0x0807), "ed25519");
    assert_null(mu_version_name(0x0a0a));
    assert_null(mu_cipher_name(0x002f));
    assert_null(mu_group_name(0));
    assert_null(mu_signature_name(0));
}

/* ---- sessions that look at everything and let nothing through ---------------------------------
 */

static enum mutual_io listen_once(struct tls_pair *pair)
{
    static uint8_t out[MUTUAL_WIRE_RECORD];
    struct mutual_wire wire = {.in = pair->server.out.data,
                               .in_len = pair->server.out.len,
                               .out = out,
                               .out_cap = sizeof out};
    size_t before = wire.in_len;
    enum mutual_io io = mu_session_listen(pair->client.session, &wire, &pair->client.err);
    mu_buf_consume(&pair->server.out, before - wire.in_len);
    return io;
}

static void a_blind_session_sees_but_is_never_admitted(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.client.rules.trust = NULL;
    pair.client.extras.insecure_blind = true;
    pair.client.observe = true;
    tls_pair_shake(&pair);
    assert_int_equal(pair.client.io, MUTUAL_IO_DONE);
    const struct mu_observed *seen = mu_session_observed(pair.client.session);
    assert_true(seen->cert_count > 0 && seen->cert_requested && seen->cert_sent);
    const struct mutual_evidence *evidence = mutual_session_evidence(pair.client.session);
    assert_null(evidence->chain);
    assert_false(evidence->proved);
    const struct mutual_journey *journey = mutual_session_journey(pair.client.session);
    assert_int_equal(journey->steps[MUTUAL_STEP_SERVER_CHECK].outcome, MUTUAL_OUTCOME_SKIPPED);
    /* Not by its own rules, and not by rules that have everything either. */
    assert_false(mutual_session_admit(pair.client.session, PKI_NOW_S)->allowed);
    struct mutual_rules whole = pair.client.rules;
    whole.trust = pair.trust;
    const struct mutual_verdict *verdict =
        mu_session_admit_by(pair.client.session, &whole, PKI_NOW_S);
    assert_int_equal(verdict->why.code, MUTUAL_E_NO_SERVER_CERT);
    uint8_t data[8];
    struct mutual_wire wire = {.out = data, .out_cap = sizeof data};
    size_t len = 0;
    struct mutual_error err = {0};
    assert_int_equal(
        mutual_session_write(pair.client.session, &wire, data, sizeof data, &len, &err),
        MUTUAL_IO_FAILED);
    tls_pair_done(&pair);
}

static void blindness_is_the_clients_only(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct mutual_context_options options = {
        .rules = &pair.server.rules, .identities = pair.server.identities, .identity_count = 1};
    const struct mu_context_extras extras = {.insecure_blind = true};
    struct mutual_context *context = NULL;
    pair.server.rules.trust = NULL;
    struct mutual_error err = {0};
    assert_fails(mu_context_new(&options, &extras, &context, &err), &err, MUTUAL_E_CONFIG_INVALID);
    pair.server.rules.trust = pair.trust;
    tls_pair_done(&pair);
}

static void listening_hears_data_and_throws_it_away(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.client.rules.trust = NULL;
    pair.client.extras.insecure_blind = true;
    tls_pair_shake(&pair);
    assert_int_equal(listen_once(&pair), MUTUAL_IO_WANT_READ);
    assert_true(mutual_session_admit(pair.server.session, PKI_NOW_S)->allowed);
    tls_write(&pair, &pair.server, "hello", 5);
    assert_int_equal(listen_once(&pair), MUTUAL_IO_DONE);
    const struct mutual_journey *journey = mutual_session_journey(pair.client.session);
    assert_int_equal(journey->steps[MUTUAL_STEP_CLIENT_CHECK].outcome, MUTUAL_OUTCOME_DONE);
    tls_close(&pair, &pair.server);
    assert_int_equal(listen_once(&pair), MUTUAL_IO_END);
    tls_pair_done(&pair);
}

static void listening_hears_the_late_refusal(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_end_show(&pair.client, pki_stranger("eve"));
    pair.client.rules.trust = NULL;
    pair.client.extras.insecure_blind = true;
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
    if (pair.client.io == MUTUAL_IO_DONE) {
        pair.client.io = listen_once(&pair);
    }
    assert_int_equal(pair.client.io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PEER_REFUSED_US);
    assert_int_equal(listen_once(&pair), MUTUAL_IO_FAILED);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(offers_are_recorded_on_both_sides), UNIT_CASE(a_refused_chain_is_recorded),
          UNIT_CASE(nothing_is_recorded_unasked), UNIT_CASE(a_hello_may_be_cut_off_anywhere),
          UNIT_CASE(code_points_have_names), UNIT_CASE(a_blind_session_sees_but_is_never_admitted),
          UNIT_CASE(blindness_is_the_clients_only),
          UNIT_CASE(listening_hears_data_and_throws_it_away),
          UNIT_CASE(listening_hears_the_late_refusal))
