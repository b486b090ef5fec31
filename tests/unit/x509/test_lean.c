/* SPDX-License-Identifier: Apache-2.0
 *
 * A lean library context: what it has, what it has not, and that signatures are checked in it as
 * they are in a full one.
 */
#include "lean.h"
#include "pki.h"
#include "unit.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

static bool has_cipher(OSSL_LIB_CTX *context, const char *name)
{
    EVP_CIPHER *found = EVP_CIPHER_fetch(context, name, NULL);
    EVP_CIPHER_free(found);
    return found != NULL;
}

static bool has_digest(OSSL_LIB_CTX *context, const char *name)
{
    EVP_MD *found = EVP_MD_fetch(context, name, NULL);
    EVP_MD_free(found);
    return found != NULL;
}

static bool has_key_manager(OSSL_LIB_CTX *context, const char *name)
{
    EVP_KEYMGMT *found = EVP_KEYMGMT_fetch(context, name, NULL);
    EVP_KEYMGMT_free(found);
    return found != NULL;
}

static void it_holds_what_is_negotiated_and_nothing_old(void **state)
{
    (void)state;
    OSSL_LIB_CTX *context = lean_context();
    uint8_t random[32];
    assert_true(has_cipher(context, "AES-128-GCM"));
    assert_true(has_cipher(context, "AES-256-GCM"));
    assert_true(has_cipher(context, "ChaCha20-Poly1305"));
    assert_false(has_cipher(context, "AES-128-CBC"));
    assert_false(has_cipher(context, "DES-EDE3-CBC"));
    assert_true(has_digest(context, "SHA2-256"));
    assert_false(has_digest(context, "MD5"));
    assert_true(has_key_manager(context, "X25519"));
    assert_true(has_key_manager(context, "EC"));
    assert_false(has_key_manager(context, "DH"));
    assert_false(has_key_manager(context, "DSA"));
    assert_int_equal(RAND_bytes_ex(context, random, sizeof random, 0), 1);
    mu_ossl_lean_free(context);
}

static bool verifies(OSSL_LIB_CTX *context, const struct pki *leaf, const struct pki *root)
{
    struct mu_slice leaf_der = pki_der(leaf);
    struct mu_slice root_der = pki_der(root);
    X509 *cert = X509_new_ex(context, NULL);
    X509 *issuer = X509_new_ex(context, NULL);
    assert_non_null(d2i_X509(&cert, &leaf_der.data, (long)leaf_der.len));
    assert_non_null(d2i_X509(&issuer, &root_der.data, (long)root_der.len));
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool good = key != NULL && X509_verify(cert, key) == 1;
    X509_free(cert);
    X509_free(issuer);
    mu_ossl_clear();
    return good;
}

static void signatures_of_every_key_are_told_from_wrong_ones(void **state)
{
    (void)state;
    static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                             MU_SPEC_ED25519};
    OSSL_LIB_CTX *context = lean_context();
    for (size_t i = 0; i < MU_COUNT(specs); i++) {
        struct mu_rdn cn = {MU_ATTR_CN, "CA"};
        struct mu_cert_template t = {
            .subject = &cn, .subject_count = 1, .ca = true, .key_usage = MU_KU_KEY_CERT_SIGN};
        struct pki *root = pki_make(NULL, &t, specs[i]);
        struct pki *other = pki_make(NULL, &t, specs[i]);
        struct pki *leaf = pki_issue(root, (struct pki_leaf){.cn = "leaf"});
        assert_true(verifies(context, leaf, root));
        assert_false(verifies(context, leaf, other));
    }
    mu_ossl_lean_free(context);
}

/* A key of a kind that nobody negotiates has no public half here, so it can prove nothing. */
static void other_keys_cannot_be_read(void **state)
{
    (void)state;
    OSSL_LIB_CTX *context = lean_context();
    EVP_PKEY *strange = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(strange, &der);
    assert_true(len > 0);
    const unsigned char *at = der;
    EVP_PKEY *read = d2i_PUBKEY_ex(NULL, &at, len, context, NULL);
    assert_null(read);
    mu_ossl_clear();
    OPENSSL_free(der);
    EVP_PKEY_free(strange);
    mu_ossl_lean_free(context);
}

static void contexts_come_and_go(void **state)
{
    (void)state;
    OSSL_LIB_CTX *first = lean_context();
    OSSL_LIB_CTX *second = lean_context();
    mu_ossl_lean_free(first);
    assert_true(has_digest(second, "SHA2-256"));
    mu_ossl_lean_free(second);
}

UNIT_MAIN(UNIT_CASE(it_holds_what_is_negotiated_and_nothing_old),
          UNIT_CASE(signatures_of_every_key_are_told_from_wrong_ones),
          UNIT_CASE(other_keys_cannot_be_read), UNIT_CASE(contexts_come_and_go))
