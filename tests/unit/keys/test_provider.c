/* SPDX-License-Identifier: Apache-2.0
 *
 * The provider as a whole: key objects of every kind, and that the default library context does not
 * notice it.
 */
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "fixture.h"

static struct mutual_error err;

static void every_kind_becomes_a_key(void **state)
{
    (void)state;
    const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                      MU_SPEC_ED25519};
    struct keys_client *client = NULL;
    assert_ok(keys_client_new(NULL, &client, &err), &err);
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        MU_AUTO(key) struct mu_key *near = new_key(specs[i]);
        MU_AUTO(key) struct mu_key *far = NULL;
        assert_ok(keys_client_key(client, mu_key_spki(near), &far, &err), &err);
        assert_int_equal(mu_key_info(far)->kind, mu_key_info(near)->kind);
        assert_int_equal(EVP_PKEY_get_size(mu_key_evp(far)), EVP_PKEY_get_size(mu_key_evp(near)));
        assert_int_equal(EVP_PKEY_eq(mu_key_evp(far), mu_key_evp(near)), 1);
        MU_AUTO(buf) struct mu_buf pem;
        mu_buf_init(&pem, 100000);
        assert_fails(mu_key_to_pem(far, NULL, &pem, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
    }
    assert_false(keys_client_is_attached(client));
    keys_client_free(client);
}

static void other_keys_are_refused(void **state)
{
    (void)state;
    struct keys_client *client = NULL;
    struct mu_key *key = NULL;
    assert_ok(keys_client_new(NULL, &client, &err), &err);
    assert_fails(keys_client_key(client, MU_SLICE_LIT("no key"), &key, &err), &err,
                 MUTUAL_E_KEY_MALFORMED);
    EVP_PKEY *odd = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(odd, &der);
    assert_true(len > 0);
    assert_fails(keys_client_key(client, mu_slice_of(der, (size_t)len), &key, &err), &err,
                 MUTUAL_E_KEY_UNSUPPORTED);
    OPENSSL_free(der);
    EVP_PKEY_free(odd);
    keys_client_free(client);
}

/* In a shared context, one signature made TLS lose its groups on OpenSSL 3.0. */
static void the_default_context_stays_as_it_was(void **state)
{
    (void)state;
    struct keys_client *client = NULL;
    assert_ok(keys_client_new(NULL, &client, &err), &err);
    MU_AUTO(key) struct mu_key *near = new_key(MU_SPEC_EC_P256);
    MU_AUTO(key) struct mu_key *far = NULL;
    assert_ok(keys_client_key(client, mu_key_spki(near), &far, &err), &err);
    MU_AUTO(cert) struct mu_cert *cert = self_signed(near, false);
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    assert_int_equal(SSL_CTX_use_certificate(ctx, mu_cert_x509(cert)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, mu_key_evp(far)), 1);
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&signature, 1000);
    assert_false(
        mu_key_sign(far, MU_SCHEME_ECDSA_P256_SHA256, MU_SLICE_LIT("x"), &signature, &err));
    EVP_KEYMGMT *manager = EVP_KEYMGMT_fetch(NULL, "EC", NULL);
    assert_non_null(manager);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(manager)), "default");
    EVP_KEYMGMT_free(manager);
    char groups[] = "P-256:P-384:X25519";
    assert_int_equal(SSL_CTX_set1_groups_list(ctx, groups), 1);
    SSL_CTX_free(ctx);
    keys_client_free(client);
}

UNIT_MAIN(UNIT_CASE(every_kind_becomes_a_key), UNIT_CASE(other_keys_are_refused),
          UNIT_CASE(the_default_context_stays_as_it_was))
