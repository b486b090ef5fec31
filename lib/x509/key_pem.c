/* SPDX-License-Identifier: Apache-2.0
 *
 * Private keys as text: PKCS#8 (RFC 5958), plain and encrypted, SEC 1 and PKCS#1. Nobody is ever
 * asked for a passphrase here. Buffers that held a key are wiped.
 */
#include "x509/ossl_internal.h"

#include <string.h>

#include <openssl/pem.h>

/* PBKDF2 rounds with HMAC-SHA-256; OWASP's figure of 2023. */
#define KEY_ROUNDS 600000

void mu_secret_buf_auto(struct mu_buf *buf)
{
    mu_wipe(buf->data, buf->cap);
    mu_buf_done(buf);
}

/* What is being read, for messages. */
struct key_source {
    const char *what;
    const char *passphrase;
    const struct mu_pem_reader *reader;
    const struct mu_pem_block *block;
};

EVP_PKEY *mu_pkey_from_pkcs8(struct mu_slice der)
{
    const unsigned char *p = der.data;
    MU_AUTO(p8) PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len);
    return p8 == NULL || p != der.data + der.len ? NULL : EVP_PKCS82PKEY(p8);
}

static EVP_PKEY *from_encrypted(struct mu_slice der, const struct key_source *source,
                                struct mutual_error *err)
{
    const unsigned char *p = der.data;
    MU_AUTO(x509_sig) X509_SIG *sealed = d2i_X509_SIG(NULL, &p, (long)der.len);
    if (sealed == NULL || p != der.data + der.len) {
        (void)mu_fail_ossl(err, MUTUAL_E_KEY_MALFORMED,
                           "the encrypted private key in \"%s\" is not well-formed", source->what);
        return NULL;
    }
    if (source->passphrase == NULL) {
        (void)mu_fail(err, MUTUAL_E_KEY_PASSPHRASE,
                      "the private key in \"%s\" is encrypted and no passphrase was given",
                      source->what);
        return NULL;
    }
    MU_AUTO(p8)
    PKCS8_PRIV_KEY_INFO *p8 =
        PKCS8_decrypt(sealed, source->passphrase, (int)strlen(source->passphrase));
    if (p8 == NULL) {
        (void)mu_fail_ossl(err, MUTUAL_E_KEY_PASSPHRASE,
                           "the passphrase does not open the private key in \"%s\"", source->what);
        return NULL;
    }
    EVP_PKEY *evp = EVP_PKCS82PKEY(p8);
    if (evp == NULL) {
        (void)mu_fail_ossl(err, MUTUAL_E_KEY_MALFORMED,
                           "the private key in \"%s\" is not well-formed", source->what);
    }
    return evp;
}

static int give_passphrase(char *buf, int size, int writing, void *context)
{
    (void)writing;
    const char *passphrase = context;
    size_t len = passphrase == NULL ? 0 : strlen(passphrase);
    if (passphrase == NULL || size < 0 || len > (size_t)size) {
        return -1;
    }
    memcpy(buf, passphrase, len);
    return (int)len;
}

/* The old encryption by PEM headers (RFC 1421 as other tools write it), for files of ours from
 * before; read, never written. */
static EVP_PKEY *from_headers(const struct key_source *source, struct mutual_error *err)
{
    if (source->passphrase == NULL) {
        (void)mu_fail(err, MUTUAL_E_KEY_PASSPHRASE,
                      "the private key in \"%s\" is encrypted and no passphrase was given",
                      source->what);
        return NULL;
    }
    union {
        const char *in;
        void *out;
    } passphrase = {source->passphrase};
    MU_AUTO(bio)
    BIO *bio = BIO_new_mem_buf(source->block->whole.data, (int)source->block->whole.len);
    EVP_PKEY *evp =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, passphrase.out);
    if (evp == NULL) {
        (void)mu_fail_ossl(err, MUTUAL_E_KEY_PASSPHRASE,
                           "the passphrase does not open the private key in \"%s\"", source->what);
    }
    return evp;
}

static EVP_PKEY *from_old(int type, struct mu_slice der)
{
    const unsigned char *p = der.data;
    EVP_PKEY *evp = d2i_PrivateKey(type, NULL, &p, (long)der.len);
    if (evp != NULL && p != der.data + der.len) {
        EVP_PKEY_free(evp);
        return NULL;
    }
    return evp;
}

static EVP_PKEY *from_block(const struct key_source *source, struct mutual_error *err)
{
    const struct mu_pem_block *block = source->block;
    if (memmem(block->body.data, block->body.len, "Proc-Type:", 10) != NULL) {
        return from_headers(source, err);
    }
    MU_AUTO(secret_buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_KEY_BYTES);
    /* All at once, so that growing leaves no copy behind. */
    if (mu_buf_reserve(&der, block->body.len) == NULL) {
        (void)mu_fail_memory(err);
        return NULL;
    }
    if (!mu_pem_decode(source->reader, block, &der, err)) {
        return NULL;
    }
    struct mu_slice bytes = mu_buf_slice(&der);
    if (mu_slice_equal_text(block->label, "ENCRYPTED PRIVATE KEY")) {
        return from_encrypted(bytes, source, err);
    }
    EVP_PKEY *evp = NULL;
    if (mu_slice_equal_text(block->label, "PRIVATE KEY")) {
        evp = mu_pkey_from_pkcs8(bytes);
    } else if (mu_slice_equal_text(block->label, "EC PRIVATE KEY")) {
        evp = from_old(EVP_PKEY_EC, bytes);
    } else if (mu_slice_equal_text(block->label, "RSA PRIVATE KEY")) {
        evp = from_old(EVP_PKEY_RSA, bytes);
    } else {
        (void)mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "\"%s\" holds a key of the form \"%.*s\"",
                      source->what, (int)block->label.len, (const char *)block->label.data);
        return NULL;
    }
    if (evp == NULL) {
        (void)mu_fail_ossl(err, MUTUAL_E_KEY_MALFORMED,
                           "the private key in \"%s\" is not well-formed", source->what);
    }
    return evp;
}

/* People's own keys must be strong ones; what strangers sent is judged elsewhere. */
static bool accept(EVP_PKEY *evp, const char *what, struct mu_key **ret_key,
                   struct mutual_error *err)
{
    MU_AUTO(key) struct mu_key *key = NULL;
    if (!mu_key_from_evp(evp, mu_slice_of(NULL, 0), &key, err)) {
        return mu_error_context(err, "private key \"%s\"", what);
    }
    if (mu_key_info(key)->weak != NULL) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "the private key in \"%s\" is too weak: %s",
                       what, mu_key_info(key)->weak);
    }
    *ret_key = MU_TAKE(key);
    return true;
}

static bool is_private(struct mu_slice label)
{
    static const char tail[] = "PRIVATE KEY";
    size_t len = sizeof tail - 1;
    return label.len >= len && memcmp(label.data + label.len - len, tail, len) == 0;
}

/* Finds the one block with a private key. */
static bool find_key(struct mu_pem_reader *reader, struct mu_pem_block *ret_block,
                     struct mutual_error *err)
{
    bool found = false;
    for (;;) {
        struct mu_pem_block block;
        bool end;
        if (!mu_pem_next(reader, &block, &end, err)) {
            return false;
        }
        if (end) {
            break;
        }
        if (!is_private(block.label)) {
            continue;
        }
        if (found) {
            return mu_fail(err, MUTUAL_E_KEY_MALFORMED,
                           "\"%s\" holds more than one private key (the second in line %u)",
                           reader->what, block.line);
        }
        *ret_block = block;
        found = true;
    }
    if (reader->block == 0) {
        return mu_fail(err, MUTUAL_E_PEM_MALFORMED, "\"%s\" holds no PEM block", reader->what);
    }
    return found ||
           mu_fail(err, MUTUAL_E_KEY_MALFORMED, "\"%s\" holds no private key", reader->what);
}

bool mu_key_from_pem(struct mu_slice text, const char *what, const char *passphrase,
                     struct mu_key **ret_key, struct mutual_error *err)
{
    mu_ossl_clear();
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    mu_pem_open(&reader, text, what);
    if (!find_key(&reader, &block, err)) {
        return false;
    }
    struct key_source source = {what, passphrase, &reader, &block};
    MU_AUTO(pkey) EVP_PKEY *evp = from_block(&source, err);
    return evp != NULL && accept(evp, what, ret_key, err);
}

bool mu_key_from_der(struct mu_slice pkcs8, struct mu_key **ret_key, struct mutual_error *err)
{
    mu_ossl_clear();
    MU_AUTO(pkey) EVP_PKEY *evp = mu_pkey_from_pkcs8(pkcs8);
    if (evp == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_MALFORMED,
                            "a private key in DER is not well-formed PKCS#8");
    }
    return accept(evp, "given", ret_key, err);
}

static X509_SIG *seal(PKCS8_PRIV_KEY_INFO *p8, const char *passphrase)
{
    X509_ALGOR *method =
        PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), KEY_ROUNDS, NULL, 16, NULL, NID_hmacWithSHA256);
    X509_SIG *sealed =
        method == NULL ? NULL : PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), p8, method);
    if (sealed == NULL) {
        X509_ALGOR_free(method);
    }
    return sealed;
}

bool mu_key_to_pem(const struct mu_key *key, const char *passphrase, struct mu_buf *out,
                   struct mutual_error *err)
{
    mu_ossl_clear();
    MU_AUTO(p8) PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(mu_key_evp(key));
    if (p8 == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_UNSUPPORTED,
                            "the private half of the key cannot be written");
    }
    unsigned char *der = NULL;
    int len;
    if (passphrase == NULL) {
        len = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
    } else {
        MU_AUTO(x509_sig) X509_SIG *sealed = seal(p8, passphrase);
        len = sealed == NULL ? -1 : i2d_X509_SIG(sealed, &der);
    }
    if (len <= 0) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not encode a private key");
    }
    /* All at once, so that growing leaves no copy of the key behind. */
    if (mu_buf_reserve(out, (size_t)len * 2 + 128) != NULL) {
        mu_pem_write(out, passphrase == NULL ? "PRIVATE KEY" : "ENCRYPTED PRIVATE KEY",
                     mu_slice_of(der, (size_t)len));
    }
    OPENSSL_clear_free(der, (size_t)len);
    return !out->failed || mu_fail_memory(err);
}
