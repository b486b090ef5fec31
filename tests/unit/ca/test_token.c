/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens as text, made and withdrawn.
 */
#include "support.h"

static struct ca_token_wish wish_for(const char *profile, const char *name)
{
    struct mutual_error err = {0};
    struct ca_token_wish wish = {.name = name,
                                 .ttl_s = 3600,
                                 .url = "https://ca.example.org:8443",
                                 .owner = "o",
                                 .place = "p",
                                 .now_s = NOW};
    assert_ok(ca_profile_find(profile, &wish.profile, &err), &err);
    return wish;
}

static void text_goes_and_comes_and_every_character_counts(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_token_text token = {.url = "https://ca.example.org:8443"};
    struct ca_token_text got;
    memset(token.secret, 0xa5, sizeof token.secret);
    memset(token.root, 0x5a, sizeof token.root);
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 2048);
    assert_ok(ca_token_format(&token, &text, &err), &err);
    for (size_t i = 0; i < text.len; i++) {
        assert_true(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                           text.data[i]) != NULL);
    }
    assert_ok(ca_token_parse(mu_buf_slice(&text), &got, &err), &err);
    assert_string_equal(got.url, token.url);
    assert_memory_equal(got.secret, token.secret, sizeof token.secret);
    assert_memory_equal(got.root, token.root, sizeof token.root);
    for (size_t len = 0; len < text.len; len++) {
        assert_fails(ca_token_parse(mu_slice_of(text.data, len), &got, &err), &err,
                     MUTUAL_E_TOKEN_MALFORMED);
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t kept = text.data[i];
        text.data[i] = kept == 'A' ? 'B' : 'A';
        assert_fails(ca_token_parse(mu_buf_slice(&text), &got, &err), &err,
                     MUTUAL_E_TOKEN_MALFORMED);
        text.data[i] = kept;
    }
    assert_true(mu_buf_text(&text, "AAAA"));
    assert_fails(ca_token_parse(mu_buf_slice(&text), &got, &err), &err, MUTUAL_E_TOKEN_MALFORMED);
}

static void a_token_leads_to_this_authority(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    int64_t id = 0;
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 2048);
    struct ca_token_wish wish = wish_for("server", "web");
    struct ca_token_text got;
    assert_ok(ca_token_new(ca, &wish, &text, &id, &err), &err);
    assert_ok(ca_token_parse(mu_buf_slice(&text), &got, &err), &err);
    assert_memory_equal(got.root, mu_cert_facts(ca_root(ca))->fingerprint, 32);
    /* the secret is not in the store, its hash is */
    uint8_t hash[32];
    assert_true(mu_sha256(mu_slice_of(got.secret, sizeof got.secret), hash, &err));
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    const struct inventory_token_filter filter = {.id = id};
    assert_ok(inventory_tokens_get(ca_inventory(ca), &filter, &tokens, &err), &err);
    assert_memory_equal(tokens.items[0].hash.data, hash, 32);
    assert_ok(ca_token_withdraw(ca, id, NOW, &err), &err);
    assert_fails(ca_token_withdraw(ca, id, NOW, &err), &err, MUTUAL_E_NOT_FOUND);
}

static void what_could_not_be_issued_has_no_token(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    int64_t id = 0;
    MU_AUTO(ca) struct ca *ca = home_open(CA_SERVE);
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 2048);
    const struct mutual_name foreign = {MUTUAL_NAME_DNS, "web.example.com", 15};
    struct ca_token_wish wish = wish_for("server", "web");
    wish.names = &foreign;
    wish.name_count = 1;
    assert_fails(ca_token_new(ca, &wish, &text, &id, &err), &err, MUTUAL_E_ISSUER_CONSTRAINT);
    wish = wish_for("server", "web\n");
    assert_fails(ca_token_new(ca, &wish, &text, &id, &err), &err, MUTUAL_E_NAME_MALFORMED);
    wish = wish_for("server", "web");
    wish.url = "http://ca.example.org";
    assert_fails(ca_token_new(ca, &wish, &text, &id, &err), &err, MUTUAL_E_OPTION_VALUE);
    wish = wish_for("server", "web");
    wish.ttl_s = 0;
    assert_fails(ca_token_new(ca, &wish, &text, &id, &err), &err, MUTUAL_E_OPTION_VALUE);
    wish = wish_for("server", "web");
    wish.life_s = 399 * DAY;
    assert_fails(ca_token_new(ca, &wish, &text, &id, &err), &err, MUTUAL_E_PROFILE_DENIED);
    assert_int_equal(text.len, 0);
}

CA_UNIT_MAIN(home_init, UNIT_CASE(text_goes_and_comes_and_every_character_counts),
             UNIT_CASE(a_token_leads_to_this_authority),
             UNIT_CASE(what_could_not_be_issued_has_no_token))
