/* SPDX-License-Identifier: Apache-2.0
 *
 * What was chosen is told, and the peer's certificate handed on.
 */
#include "tls_pair.h"

static void choices_are_told(void **state)
{
    (void)state;
    static const struct {
        enum mu_key_spec spec;
        bool tls12;
        const char *cipher, *signature;
    } rows[] = {
        {MU_SPEC_EC_P256, false, "TLS_AES_128_GCM_SHA256", "ecdsa_secp256r1_sha256"},
        {MU_SPEC_EC_P384, false, "TLS_AES_128_GCM_SHA256", "ecdsa_secp384r1_sha384"},
        {MU_SPEC_RSA_2048, false, "TLS_AES_128_GCM_SHA256", "rsa_pss_rsae_sha256"},
        {MU_SPEC_ED25519, false, "TLS_AES_128_GCM_SHA256", "ed25519"},
        {MU_SPEC_RSA_2048, true, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "rsa_pss_rsae_sha256"},
        {MU_SPEC_ED25519, true, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ed25519"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_session_info info;
        struct tls_pair pair;
        tls_pair_init_with(&pair, rows[i].spec, MU_SPEC_EC_P256);
        pair.client.tls12 = rows[i].tls12;
        tls_pair_open(&pair);
        mutual_session_info(pair.client.session, &info);
        assert_string_equal(info.cipher, rows[i].cipher);
        assert_string_equal(info.peer_signature, rows[i].signature);
        assert_string_equal(info.version, rows[i].tls12 ? "TLS 1.2" : "TLS 1.3");
        assert_int_equal(info.alert_sent, -1);
        assert_int_equal(info.alert_received, -1);
        tls_pair_done(&pair);
    }
}

static void nothing_is_told_too_early(void **state)
{
    (void)state;
    struct mutual_session_info info;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    mutual_session_info(pair.server.session, &info);
    assert_true(info.version == NULL && info.cipher == NULL && info.group == NULL);
    assert_true(info.sni == NULL && info.alpn == NULL && info.peer_signature == NULL);
    assert_false(info.mutual);
    assert_int_equal(mu_session_peer_cert(pair.server.session).len, 0);
    tls_pair_done(&pair);
}

/* TLS 1.2 takes its cipher into use at the end only; what was agreed on is told before that. */
static void a_refused_handshake_tells_what_was_agreed(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct mutual_session_info info;
        struct tls_pair pair;
        tls_pair_init(&pair);
        mutual_identity_unref(pair.client.identities[0]); /* shows none */
        pair.client.identity_count = 0;
        pair.client.tls12 = tls12 == 1;
        tls_pair_shake(&pair);
        assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
        mutual_session_info(pair.server.session, &info);
        assert_string_equal(info.version, tls12 == 1 ? "TLS 1.2" : "TLS 1.3");
        assert_non_null(info.cipher);
        assert_false(info.mutual);
        tls_pair_done(&pair);
    }
}

static void the_certificate_is_handed_on(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    struct mu_slice der = mu_session_peer_cert(pair.server.session);
    assert_true(mu_slice_equal(der, pki_der(pair.client_leaf)));
    assert_ptr_equal(mu_session_peer_cert(pair.server.session).data, der.data);
    tls_pair_done(&pair);
}

/* A name from the wire is escaped before anybody prints it. */
static void names_from_the_wire_are_escaped(void **state)
{
    (void)state;
    struct mutual_session_info info;
    struct tls_pair pair;
    struct tls_raw raw;
    tls_pair_init(&pair);
    tls_raw_init(&raw, false);
    tls_raw_show(&raw, pair.client_leaf);
    tls_raw_shake(&raw, &pair, &pair.server);
    mutual_session_info(pair.server.session, &info);
    assert_null(info.sni);
    tls_pair_hang_up(&pair);
    SSL_free(raw.ssl);
    raw.ssl = SSL_new(raw.ctx);
    char name[] = "a\x1b[31m.org";
    assert_int_equal(SSL_set_tlsext_host_name(raw.ssl, name), 1);
    tls_raw_attach(&raw);
    tls_raw_shake(&raw, &pair, &pair.server);
    mutual_session_info(pair.server.session, &info);
    assert_string_equal(info.sni, "a\\x1b[31m.org");
    tls_raw_done(&raw);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(choices_are_told), UNIT_CASE(nothing_is_told_too_early),
          UNIT_CASE(a_refused_handshake_tells_what_was_agreed),
          UNIT_CASE(the_certificate_is_handed_on), UNIT_CASE(names_from_the_wire_are_escaped))
