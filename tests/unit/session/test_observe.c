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

UNIT_MAIN(UNIT_CASE(offers_are_recorded_on_both_sides), UNIT_CASE(a_refused_chain_is_recorded),
          UNIT_CASE(nothing_is_recorded_unasked), UNIT_CASE(a_hello_may_be_cut_off_anywhere),
          UNIT_CASE(code_points_have_names))
