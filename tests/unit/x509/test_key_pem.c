/* SPDX-License-Identifier: Apache-2.0
 *
 * Private keys as text, in every form other tools write.
 */
#include "pki.h"
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

static bool read_key(const char *text, const char *passphrase, struct mu_key **key,
                     struct mutual_error *err)
{
    return mu_key_from_pem(mu_slice_text(text), "x.key", passphrase, key, err);
}

static void written_keys_are_read(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        struct mutual_error err;
        MU_AUTO(key) struct mu_key *key = NULL;
        MU_AUTO(key) struct mu_key *back = NULL;
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 10000);
        assert_ok(mu_key_generate(specs[i], &key, &err), &err);
        assert_ok(mu_key_to_pem(key, NULL, &text, &err), &err);
        assert_memory_equal(text.data, "-----BEGIN PRIVATE KEY-----", 27);
        assert_ok(read_key(mu_buf_str(&text), NULL, &back, &err), &err);
        assert_memory_equal(mu_key_hash(key), mu_key_hash(back), 32);
        MU_AUTO(buf) struct mu_buf sig;
        mu_buf_init(&sig, 1000);
        assert_ok(mu_key_sign(back, mu_key_scheme(back), MU_SLICE_LIT("x"), &sig, &err), &err);
    }
}

static void encrypted_keys_need_their_passphrase(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *node = pki_root("Root");
    MU_AUTO(key) struct mu_key *back = NULL;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 10000);
    assert_ok(mu_key_to_pem(node->key, "open sesame", &text, &err), &err);
    assert_memory_equal(text.data, "-----BEGIN ENCRYPTED PRIVATE KEY-----", 37);
    assert_fails(read_key(mu_buf_str(&text), NULL, &back, &err), &err, MUTUAL_E_KEY_PASSPHRASE);
    assert_fails(read_key(mu_buf_str(&text), "wrong", &back, &err), &err, MUTUAL_E_KEY_PASSPHRASE);
    assert_ok(read_key(mu_buf_str(&text), "open sesame", &back, &err), &err);
    assert_memory_equal(mu_key_hash(node->key), mu_key_hash(back), 32);
}

/* What OpenSSL's "traditional" writer makes, with or without its old encryption. */
static char *traditional(const struct mu_key *key, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int len = passphrase == NULL ? 0 : (int)strlen(passphrase);
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(
                         bio, mu_key_evp(key), passphrase == NULL ? NULL : EVP_aes_128_cbc(),
                         (const unsigned char *)passphrase, len, NULL, NULL),
                     1);
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);
    char *copy = mu_strndup(data, (size_t)size);
    BIO_free(bio);
    return copy;
}

static void older_forms_are_read(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_RSA_2048};
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        struct mutual_error err;
        MU_AUTO(key) struct mu_key *key = NULL;
        MU_AUTO(key) struct mu_key *plain = NULL;
        MU_AUTO(key) struct mu_key *sealed = NULL;
        assert_ok(mu_key_generate(specs[i], &key, &err), &err);
        MU_AUTO(free) char *text = traditional(key, NULL);
        assert_ok(read_key(text, NULL, &plain, &err), &err);
        assert_memory_equal(mu_key_hash(key), mu_key_hash(plain), 32);
        MU_AUTO(free) char *closed = traditional(key, "secret");
        assert_fails(read_key(closed, NULL, &sealed, &err), &err, MUTUAL_E_KEY_PASSPHRASE);
        assert_fails(read_key(closed, "wrong", &sealed, &err), &err, MUTUAL_E_KEY_PASSPHRASE);
        assert_ok(read_key(closed, "secret", &sealed, &err), &err);
        assert_memory_equal(mu_key_hash(key), mu_key_hash(sealed), 32);
    }
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_key *key = NULL;
    struct pki *node = pki_root("Root");
    assert_fails(read_key("", NULL, &key, &err), &err, MUTUAL_E_PEM_MALFORMED);
    assert_fails(read_key("garbage", NULL, &key, &err), &err, MUTUAL_E_PEM_MALFORMED);
    assert_fails(read_key(pki_pem(node), NULL, &key, &err), &err, MUTUAL_E_KEY_MALFORMED);
    assert_fails(read_key("-----BEGIN PRIVATE KEY-----\neA==\n-----END PRIVATE KEY-----\n", NULL,
                          &key, &err),
                 &err, MUTUAL_E_KEY_MALFORMED);
    assert_fails(read_key("-----BEGIN ENCRYPTED PRIVATE KEY-----\neA==\n"
                          "-----END ENCRYPTED PRIVATE KEY-----\n",
                          "x", &key, &err),
                 &err, MUTUAL_E_KEY_MALFORMED);
    assert_fails(read_key("-----BEGIN OPENSSH PRIVATE KEY-----\neA==\n"
                          "-----END OPENSSH PRIVATE KEY-----\n",
                          NULL, &key, &err),
                 &err, MUTUAL_E_KEY_UNSUPPORTED);
    MU_AUTO(buf) struct mu_buf two;
    mu_buf_init(&two, 10000);
    mu_buf_text(&two, pki_key_pem(node));
    mu_buf_text(&two, pki_key_pem(node));
    assert_fails(read_key(mu_buf_str(&two), NULL, &key, &err), &err, MUTUAL_E_KEY_MALFORMED);
    assert_fails(mu_key_from_der(MU_SLICE_LIT("x"), &key, &err), &err, MUTUAL_E_KEY_MALFORMED);
    assert_null(key);
}

static void weak_and_strange_keys_are_refused(void **state)
{
    (void)state;
    struct mutual_error err;
    struct mu_key *read = NULL;
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    MU_AUTO(key) struct mu_key *weak = NULL;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 10000);
    assert_ok(mu_key_from_evp(evp, mu_slice_of(NULL, 0), &weak, &err), &err);
    EVP_PKEY_free(evp);
    assert_ok(mu_key_to_pem(weak, NULL, &text, &err), &err);
    assert_fails(read_key(mu_buf_str(&text), NULL, &read, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
    assert_non_null(strstr(err.reason, "2048"));
}

static void a_public_half_cannot_be_written(void **state)
{
    (void)state;
    struct mutual_error err;
    struct pki *node = pki_root("Root");
    MU_AUTO(key) struct mu_key *half = NULL;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 10000);
    assert_ok(mu_key_from_spki(mu_key_spki(node->key), &half, &err), &err);
    assert_fails(mu_key_to_pem(half, NULL, &text, &err), &err, MUTUAL_E_KEY_UNSUPPORTED);
    mu_key_public_pem(half, &text);
    assert_memory_equal(text.data, "-----BEGIN PUBLIC KEY-----", 26);
}

UNIT_MAIN(UNIT_CASE(written_keys_are_read), UNIT_CASE(encrypted_keys_need_their_passphrase),
          UNIT_CASE(older_forms_are_read), UNIT_CASE(what_is_no_key_is_refused),
          UNIT_CASE(weak_and_strange_keys_are_refused), UNIT_CASE(a_public_half_cannot_be_written))
