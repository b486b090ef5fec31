/* SPDX-License-Identifier: Apache-2.0
 *
 * PKCS#12 (RFC 7292): a key with its certificates for people's devices, made so that the reader
 * named takes it, and read back.
 */
#include "x509/ossl_internal.h"

#include <string.h>

/* Rounds of key derivation; the readers that take only 3DES and SHA-1 are slow enough at this. */
#define P12_ROUNDS        100000
#define P12_ROUNDS_COMPAT 20000
/* A hostile file may ask for more rounds than a lifetime holds. */
#define P12_ROUNDS_MAX 10000000

static const struct {
    const char *word;
    bool compat; /* 3DES and a SHA-1 MAC */
} presets[MU_P12_COUNT_] = {
    [MU_P12_APPLE] = {"apple", true},
    [MU_P12_WINDOWS] = {"windows", false},
    [MU_P12_ANDROID] = {"android", true},
    [MU_P12_MODERN] = {"modern", false},
};

const char *mu_p12_word(enum mu_p12_preset preset)
{
    mu_assert(preset < MU_P12_COUNT_);
    return presets[preset].word;
}

bool mu_p12_find(const char *word, enum mu_p12_preset *ret_preset)
{
    for (unsigned i = 0; i < MU_P12_COUNT_; i++) {
        if (strcmp(word, presets[i].word) == 0) {
            *ret_preset = (enum mu_p12_preset)i;
            return true;
        }
    }
    return false;
}

static void mu_x509_stack_auto(STACK_OF(X509) * *stack)
{
    sk_X509_free(*stack); /* holds borrowed certificates */
}

static PKCS12 *assemble(const struct mu_cert *cert, const struct mu_key *key,
                        STACK_OF(X509) * chain, const char *name, const char *password, bool compat)
{
    int method = compat ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : NID_aes_256_cbc;
    int rounds = compat ? P12_ROUNDS_COMPAT : P12_ROUNDS;
    /* -1: no MAC yet, because its digest must be chosen. */
    PKCS12 *p12 = PKCS12_create_ex(password, name, mu_key_evp(key), mu_cert_x509(cert), chain,
                                   method, method, rounds, -1, 0, NULL, NULL);
    const EVP_MD *digest = compat ? EVP_sha1() : EVP_sha256();
    if (p12 != NULL && PKCS12_set_mac(p12, password, -1, NULL, 16, rounds, digest) != 1) {
        PKCS12_free(p12);
        return NULL;
    }
    return p12;
}

bool mu_p12_build(const struct mu_cert *cert, const struct mu_key *key,
                  const struct mu_certs *chain, const char *friendly_name, const char *password,
                  enum mu_p12_preset preset, struct mu_buf *out, struct mutual_error *err)
{
    mu_assert(preset < MU_P12_COUNT_);
    mu_ossl_clear();
    if (!mu_key_matches(key, cert, err)) {
        return false;
    }
    MU_AUTO(x509_stack) STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 0; stack != NULL && chain != NULL && i < chain->count; i++) {
        X509 *above = mu_cert_x509(chain->items[i]);
        if (above == NULL || sk_X509_push(stack, above) <= 0) {
            return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not put a certificate into PKCS#12");
        }
    }
    MU_AUTO(pkcs12) PKCS12 *p12 = NULL;
    if (stack != NULL && mu_cert_x509(cert) != NULL) {
        p12 = assemble(cert, key, stack, friendly_name, password, presets[preset].compat);
    }
    unsigned char *der = NULL;
    int len = p12 == NULL ? -1 : i2d_PKCS12(p12, &der);
    if (len <= 0) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not make a PKCS#12 file for \"%s\"",
                            mu_cert_facts(cert)->display);
    }
    bool fits = mu_buf_append(out, der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    return fits || mu_fail_memory(err);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool check_mac(PKCS12 *p12, const char *password, struct mutual_error *err)
{
    const ASN1_INTEGER *rounds = NULL;
    if (PKCS12_mac_present(p12) != 1) {
        return mu_fail(err, MUTUAL_E_KEY_MALFORMED, "the PKCS#12 file has no MAC");
    }
    PKCS12_get0_mac(NULL, NULL, NULL, &rounds, p12);
    int64_t count = 1;
    if (rounds != NULL &&
        (ASN1_INTEGER_get_int64(&count, rounds) != 1 || count < 1 || count > P12_ROUNDS_MAX)) {
        return mu_fail(err, MUTUAL_E_KEY_MALFORMED,
                       "the PKCS#12 file asks for an absurd number of rounds");
    }
    mu_ossl_clear();
    if (PKCS12_verify_mac(p12, password, -1) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_PASSPHRASE,
                            password == NULL || password[0] == '\0'
                                ? "the PKCS#12 file needs its password"
                                : "the password does not open the PKCS#12 file");
    }
    return true;
}

static bool take_chain(STACK_OF(X509) * chain, struct mu_p12 *p12, struct mutual_error *err)
{
    int count = chain == NULL ? 0 : sk_X509_num(chain);
    for (int i = 0; i < count; i++) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        if (!mu_cert_from_x509(sk_X509_value(chain, i), &cert, err) ||
            !mu_certs_add(&p12->chain, cert, err)) {
            return false;
        }
    }
    return true;
}

static void mu_x509_owned_auto(STACK_OF(X509) * *stack)
{
    sk_X509_pop_free(*stack, X509_free);
}

static void mu_x509_auto(X509 **x509)
{
    X509_free(*x509);
}

bool mu_p12_read(struct mu_slice der, const char *password, struct mu_p12 *ret_p12,
                 struct mutual_error *err)
{
    mu_ossl_clear();
    const unsigned char *p = der.data;
    MU_AUTO(pkcs12) PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)der.len);
    if (p12 == NULL || p != der.data + der.len) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_MALFORMED, "the PKCS#12 file is not well-formed");
    }
    if (!check_mac(p12, password, err)) {
        return false;
    }
    MU_AUTO(pkey) EVP_PKEY *evp = NULL;
    MU_AUTO(x509) X509 *x509 = NULL;
    MU_AUTO(x509_owned) STACK_OF(X509) *chain = NULL;
    if (PKCS12_parse(p12, password, &evp, &x509, &chain) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_MALFORMED,
                            "the contents of the PKCS#12 file are not well-formed");
    }
    MU_AUTO(p12) struct mu_p12 read = {0};
    if ((evp != NULL && !mu_key_from_evp(evp, mu_slice_of(NULL, 0), &read.key, err)) ||
        (x509 != NULL && !mu_cert_from_x509(x509, &read.cert, err)) ||
        !take_chain(chain, &read, err)) {
        return false;
    }
    *ret_p12 = read;
    read = (struct mu_p12){0};
    return true;
}

void mu_p12_done(struct mu_p12 *p12)
{
    mu_cert_unref(p12->cert);
    mu_key_unref(p12->key);
    mu_certs_done(&p12->chain);
    *p12 = (struct mu_p12){0};
}

void mu_p12_auto(struct mu_p12 *p12)
{
    mu_p12_done(p12);
}
