/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures of every kind, verified by the x509 room.
 */
#include "fixture.h"

static struct mutual_error err;

static void assert_signs(struct keys_held *held, const struct keys_scheme *scheme, const char *text)
{
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&signature, KEYS_SIG_MAX);
    assert_ok(keys_sign(held, scheme, mu_slice_text(text), &signature, &err), &err);
    assert_ok(mu_key_verify(held->key, keys_x509_scheme(mu_key_info(held->key), scheme),
                            mu_slice_text(text), mu_buf_slice(&signature), &err),
              &err);
}

static void every_kind_verifies(void **state)
{
    (void)state;
    const struct {
        enum mu_key_spec spec;
        struct keys_scheme scheme;
    } rows[] = {{MU_SPEC_EC_P256, {MU_DIGEST_SHA256, KEYS_PADDING_NONE}},
                {MU_SPEC_EC_P384, {MU_DIGEST_SHA384, KEYS_PADDING_NONE}},
                {MU_SPEC_RSA_2048, {MU_DIGEST_SHA256, KEYS_PADDING_PKCS1}},
                {MU_SPEC_RSA_2048, {MU_DIGEST_SHA384, KEYS_PADDING_PSS}},
                {MU_SPEC_ED25519, {MU_DIGEST_NONE, KEYS_PADDING_NONE}}};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(key) struct mu_key *key = new_key(rows[i].spec);
        struct keys_held held = {.key = key, .name = "test"};
        assert_signs(&held, &rows[i].scheme, "to be signed");
        assert_signs(&held, &rows[i].scheme, "something else, once everything is set up");
        keys_held_forget(&held);
    }
}

/* What is ready for one scheme is not taken for another. */
static void schemes_of_one_key_may_alternate(void **state)
{
    (void)state;
    static const struct keys_scheme schemes[] = {{MU_DIGEST_SHA256, KEYS_PADDING_PKCS1},
                                                 {MU_DIGEST_SHA256, KEYS_PADDING_PSS},
                                                 {MU_DIGEST_SHA384, KEYS_PADDING_PSS},
                                                 {MU_DIGEST_SHA384, KEYS_PADDING_PKCS1}};
    MU_AUTO(key) struct mu_key *key = new_key(MU_SPEC_RSA_2048);
    struct keys_held held = {.key = key, .name = "test"};
    for (size_t i = 0; i < 3 * MU_COUNT(schemes); i++) {
        assert_signs(&held, &schemes[i % MU_COUNT(schemes)], "to be signed");
    }
    keys_held_forget(&held);
}

static void a_scheme_that_does_not_fit_fails(void **state)
{
    (void)state;
    MU_AUTO(key) struct mu_key *key = new_key(MU_SPEC_ED25519);
    struct keys_held held = {.key = key, .name = "test"};
    const struct keys_scheme scheme = {MU_DIGEST_SHA256, KEYS_PADDING_PSS};
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&signature, KEYS_SIG_MAX);
    assert_fails(keys_sign(&held, &scheme, MU_SLICE_LIT("x"), &signature, &err), &err,
                 MUTUAL_E_KEY_UNAVAILABLE);
    assert_int_equal(signature.len, 0);
}

UNIT_MAIN(UNIT_CASE(every_kind_verifies), UNIT_CASE(schemes_of_one_key_may_alternate),
          UNIT_CASE(a_scheme_that_does_not_fit_fails))
