/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/explain.h"
#include "unit.h"

static void words_are_unique_and_lead_back(void **state)
{
    (void)state;
    for (unsigned i = 1; i < (unsigned)MUTUAL_E_COUNT_; i++) {
        enum mutual_code code = (enum mutual_code)i;
        char word[MU_REASON_TEXT];
        mu_explain_reason_word(code, word);
        assert_int_equal(mu_explain_reason_find(word), code);
        assert_int_equal(mu_explain_reason_find(mutual_code_name(code)), code);
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(word));
    }
    assert_int_equal(mu_explain_reason_find("nonsense"), MUTUAL_OK);
}

/* These are promised to whoever reads the log. */
static void established_words_stay(void **state)
{
    (void)state;
    static const struct {
        enum mutual_code code;
        const char *word;
    } promised[] = {
        {MUTUAL_E_NOT_TLS, "not_tls"},
        {MUTUAL_E_NO_CLIENT_CERT, "no_client_cert"},
        {MUTUAL_E_UNKNOWN_ISSUER, "unknown_issuer"},
        {MUTUAL_E_CERT_EXPIRED, "expired"},
        {MUTUAL_E_CERT_NOT_YET_VALID, "not_yet_valid"},
        {MUTUAL_E_CERT_REVOKED, "revoked"},
        {MUTUAL_E_CRL_STALE, "crl_stale"},
        {MUTUAL_E_PURPOSE_WRONG, "eku_missing"},
        {MUTUAL_E_NAME_CONSTRAINT, "name_constraint"},
        {MUTUAL_E_WEAK_KEY, "weak_key"},
        {MUTUAL_E_CHAIN_INCOMPLETE, "chain_incomplete"},
        {MUTUAL_E_CERT_SIGNATURE, "bad_signature"},
        {MUTUAL_E_NAME_MALFORMED, "identity_invalid"},
        {MUTUAL_E_POLICY_DENIED, "policy_denied"},
        {MUTUAL_E_PEER_DENIED, "peer_denied"},
        {MUTUAL_E_PROTOCOL_OLD, "protocol_version"},
        {MUTUAL_E_NO_SHARED_CIPHER, "no_shared_cipher"},
        {MUTUAL_E_NO_SHARED_GROUP, "no_shared_group"},
        {MUTUAL_E_HANDSHAKE_TIMEOUT, "timeout"},
        {MUTUAL_E_BACKEND_DOWN, "upstream_down"},
    };
    for (size_t i = 0; i < MU_COUNT(promised); i++) {
        char word[MU_REASON_TEXT];
        assert_string_equal(mu_explain_reason_word(promised[i].code, word), promised[i].word);
    }
}

UNIT_MAIN(UNIT_CASE(words_are_unique_and_lead_back), UNIT_CASE(established_words_stay))
