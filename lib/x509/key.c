/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: made, taken over, asked, used to sign. The object is a shell around OpenSSL's key, whose
 * private half may lie behind a provider and never enter this process.
 */
#include "x509/algorithms_internal.h"
#include "x509/cert_internal.h"
#include "x509/ossl_internal.h"

#include <stdatomic.h>
#include <string.h>

#include <openssl/rsa.h>

struct mu_key {
    atomic_uint refs;
    EVP_PKEY *evp;
    struct mu_key_info info;
    uint8_t hash[32];
    size_t spki_len;
    uint8_t spki[];
};

static const struct {
    const char *word;
    const char *type;
    const char *curve;
    unsigned bits;
} specs[MU_SPEC_COUNT_] = {
    [MU_SPEC_EC_P256] = {"ec-p256", "EC", "P-256", 0},
    [MU_SPEC_EC_P384] = {"ec-p384", "EC", "P-384", 0},
    [MU_SPEC_RSA_2048] = {"rsa-2048", "RSA", NULL, 2048},
    [MU_SPEC_RSA_3072] = {"rsa-3072", "RSA", NULL, 3072},
    [MU_SPEC_RSA_4096] = {"rsa-4096", "RSA", NULL, 4096},
    [MU_SPEC_ED25519] = {"ed25519", "ED25519", NULL, 0},
};

const char *mu_key_spec_word(enum mu_key_spec spec)
{
    mu_assert(spec < MU_SPEC_COUNT_);
    return specs[spec].word;
}

bool mu_key_spec_find(const char *word, enum mu_key_spec *ret_spec)
{
    for (unsigned i = 0; i < MU_SPEC_COUNT_; i++) {
        if (strcmp(word, specs[i].word) == 0) {
            *ret_spec = (enum mu_key_spec)i;
            return true;
        }
    }
    return false;
}

bool mu_key_spec_of(const struct mu_key_info *info, enum mu_key_spec *ret_spec)
{
    if (info->weak != NULL) {
        return false;
    }
    if (info->kind == MU_KEY_RSA || info->kind == MU_KEY_RSA_PSS) {
        *ret_spec = info->bits >= 4096   ? MU_SPEC_RSA_4096
                    : info->bits >= 3072 ? MU_SPEC_RSA_3072
                                         : MU_SPEC_RSA_2048;
        return true;
    }
    if (info->kind == MU_KEY_EC && info->curve == MU_CURVE_P256) {
        *ret_spec = MU_SPEC_EC_P256;
        return true;
    }
    if (info->kind == MU_KEY_EC && info->curve == MU_CURVE_P384) {
        *ret_spec = MU_SPEC_EC_P384;
        return true;
    }
    *ret_spec = MU_SPEC_ED25519;
    return info->kind == MU_KEY_ED25519;
}

/* ---- making ---------------------------------------------------------------------------------- */

static bool wrap(EVP_PKEY *evp, struct mu_slice spki, struct mu_key **ret_key,
                 struct mutual_error *err)
{
    struct mu_key_info info;
    if (!mu_spki_info(spki, &info)) {
        return mu_fail(err, MUTUAL_E_KEY_MALFORMED, "the public key is not well-formed");
    }
    if (info.kind == MU_KEY_OTHER || info.curve == MU_CURVE_OTHER) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "the key is %s: %s", info.text, info.weak);
    }
    struct mu_key *key = mu_alloc(1, sizeof *key + spki.len);
    if (key == NULL) {
        return mu_fail_memory(err);
    }
    if (!mu_sha256(spki, key->hash, err) || EVP_PKEY_up_ref(evp) != 1) {
        mu_free(key);
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not take over a key");
    }
    atomic_init(&key->refs, 1);
    key->evp = evp;
    key->info = info;
    key->spki_len = spki.len;
    memcpy(key->spki, spki.data, spki.len);
    *ret_key = key;
    return true;
}

bool mu_key_from_evp(struct evp_pkey_st *pkey, struct mu_slice spki, struct mu_key **ret_key,
                     struct mutual_error *err)
{
    mu_ossl_clear();
    if (spki.len > 0) {
        return wrap(pkey, spki, ret_key, err);
    }
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    if (len <= 0) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_UNSUPPORTED, "the key does not tell its public half");
    }
    bool done = wrap(pkey, mu_slice_of(der, (size_t)len), ret_key, err);
    OPENSSL_free(der);
    return done;
}

bool mu_key_generate(enum mu_key_spec spec, struct mu_key **ret_key, struct mutual_error *err)
{
    mu_assert(spec < MU_SPEC_COUNT_);
    mu_ossl_clear();
    const char *type = specs[spec].type;
    MU_AUTO(pkey) EVP_PKEY *evp = NULL;
    if (specs[spec].curve != NULL) {
        evp = EVP_PKEY_Q_keygen(NULL, NULL, type, specs[spec].curve);
    } else if (specs[spec].bits != 0) {
        evp = EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)specs[spec].bits);
    } else {
        evp = EVP_PKEY_Q_keygen(NULL, NULL, type);
    }
    if (evp == NULL) {
        return mu_fail_ossl(err, MUTUAL_E_LIBRARY, "could not generate a key of kind \"%s\"",
                            specs[spec].word);
    }
    return mu_key_from_evp(evp, mu_slice_of(NULL, 0), ret_key, err);
}

bool mu_key_from_spki(struct mu_slice spki, struct mu_key **ret_key, struct mutual_error *err)
{
    struct mu_key_info info;
    if (!mu_spki_info(spki, &info)) {
        return mu_fail(err, MUTUAL_E_KEY_MALFORMED, "the public key is not well-formed");
    }
    MU_AUTO(pkey) EVP_PKEY *evp = mu_spki_load(spki, &info, err);
    return evp != NULL && wrap(evp, spki, ret_key, err);
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct evp_pkey_st *mu_key_evp(const struct mu_key *key)
{
    return key->evp;
}

struct mu_key *mu_key_ref(struct mu_key *key)
{
    if (key != NULL) {
        atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    }
    return key;
}

void mu_key_unref(struct mu_key *key)
{
    if (key != NULL && atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) == 1) {
        EVP_PKEY_free(key->evp);
        mu_free(key);
    }
}

void mu_key_auto(struct mu_key **key)
{
    mu_key_unref(*key);
}

const struct mu_key_info *mu_key_info(const struct mu_key *key)
{
    return &key->info;
}

struct mu_slice mu_key_spki(const struct mu_key *key)
{
    return mu_slice_of(key->spki, key->spki_len);
}

const uint8_t *mu_key_hash(const struct mu_key *key)
{
    return key->hash;
}

void mu_key_public_pem(const struct mu_key *key, struct mu_buf *out)
{
    mu_pem_write(out, "PUBLIC KEY", mu_key_spki(key));
}

bool mu_key_matches(const struct mu_key *key, const struct mu_cert *cert, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    if (mu_slice_equal(mu_key_spki(key), facts->spki)) {
        return true;
    }
    /* The same key may be written in two ways: a compressed point, parameters left out. */
    mu_ossl_clear();
    if (facts->key.kind == key->info.kind) {
        EVP_PKEY *other = mu_cert_key(cert, NULL);
        if (other != NULL && EVP_PKEY_eq(key->evp, other) == 1) {
            return true;
        }
        mu_ossl_clear();
    }
    return mu_fail(err, MUTUAL_E_KEY_MISMATCH, "the key does not belong to certificate \"%s\"",
                   facts->display);
}

/* ---- signing --------------------------------------------------------------------------------- */

static const struct {
    enum mu_scheme scheme;
    enum mu_key_kind kind;
    enum mu_curve curve;
} uses[] = {
    /* the first row that fits a key is the one it signs certificates with */
    {MU_SCHEME_ECDSA_P256_SHA256, MU_KEY_EC, MU_CURVE_P256},
    {MU_SCHEME_ECDSA_P384_SHA384, MU_KEY_EC, MU_CURVE_P384},
    {MU_SCHEME_ECDSA_P521_SHA512, MU_KEY_EC, MU_CURVE_P521},
    {MU_SCHEME_RSA_PKCS1_SHA256, MU_KEY_RSA, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PKCS1_SHA384, MU_KEY_RSA, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PKCS1_SHA512, MU_KEY_RSA, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PSS_RSAE_SHA256, MU_KEY_RSA, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PSS_RSAE_SHA384, MU_KEY_RSA, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PSS_RSAE_SHA512, MU_KEY_RSA, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PSS_PSS_SHA256, MU_KEY_RSA_PSS, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PSS_PSS_SHA384, MU_KEY_RSA_PSS, MU_CURVE_NONE},
    {MU_SCHEME_RSA_PSS_PSS_SHA512, MU_KEY_RSA_PSS, MU_CURVE_NONE},
    {MU_SCHEME_ED25519, MU_KEY_ED25519, MU_CURVE_NONE},
};

enum mu_scheme mu_key_scheme(const struct mu_key *key)
{
    for (size_t i = 0; i < MU_COUNT(uses); i++) {
        if (uses[i].kind == key->info.kind && uses[i].curve == key->info.curve) {
            return uses[i].scheme;
        }
    }
    return MU_SCHEME_NONE;
}

bool mu_key_can(const struct mu_key *key, enum mu_scheme scheme)
{
    for (size_t i = 0; i < MU_COUNT(uses); i++) {
        if (uses[i].scheme == scheme) {
            return uses[i].kind == key->info.kind && uses[i].curve == key->info.curve;
        }
    }
    return false;
}

const char *mu_digest_name(enum mu_digest digest)
{
    switch (digest) {
    case MU_DIGEST_SHA256:
        return "SHA256";
    case MU_DIGEST_SHA384:
        return "SHA384";
    case MU_DIGEST_SHA512:
        return "SHA512";
    case MU_DIGEST_NONE:
    case MU_DIGEST_WEAK:
    case MU_DIGEST_OTHER:
        break;
    }
    return NULL;
}

bool mu_sig_set_up(EVP_PKEY_CTX *ctx, const struct mu_sig_info *info)
{
    return info->kind != MU_KEY_RSA_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)info->salt) == 1);
}

bool mu_key_sign(const struct mu_key *key, enum mu_scheme scheme, struct mu_slice bytes,
                 struct mu_buf *out, struct mutual_error *err)
{
    mu_ossl_clear();
    if (!mu_key_can(key, scheme)) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED,
                       "a key of kind \"%s\" does not sign by scheme %04x", key->info.text,
                       (unsigned)scheme);
    }
    struct mu_sig_info info = mu_scheme_info(scheme);
    int size = EVP_PKEY_get_size(key->evp);
    size_t len = size > 0 ? (size_t)size : 0;
    uint8_t *room = mu_buf_reserve(out, len);
    if (room == NULL) {
        return mu_fail_memory(err);
    }
    MU_AUTO(md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL;
    if (ctx == NULL ||
        EVP_DigestSignInit_ex(ctx, &key_ctx, mu_digest_name(info.digest), NULL, NULL, key->evp,
                              NULL) != 1 ||
        !mu_sig_set_up(key_ctx, &info) ||
        EVP_DigestSign(ctx, room, &len, bytes.data, bytes.len) != 1) {
        return mu_fail_ossl(err, MUTUAL_E_KEY_UNAVAILABLE, "a key of kind \"%s\" did not sign",
                            key->info.text);
    }
    out->len += len;
    return true;
}

bool mu_key_verify(const struct mu_key *key, enum mu_scheme scheme, struct mu_slice bytes,
                   struct mu_slice signature, struct mutual_error *err)
{
    if (!mu_key_can(key, scheme)) {
        return mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED,
                       "a key of kind \"%s\" does not sign by scheme %04x", key->info.text,
                       (unsigned)scheme);
    }
    struct mu_signed object = {
        .tbs = bytes,
        .signature = signature,
        .sig = mu_scheme_info(scheme),
        .wrong = MUTUAL_E_CERT_SIGNATURE,
        .what = "text",
        .name = "given",
    };
    return mu_signed_check(&object, key->evp, &key->info, err);
}
