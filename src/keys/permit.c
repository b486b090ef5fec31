/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of permitted requests: what each purpose of a key lets it sign. Whatever no row
 * recognises is refused.
 */
#include <stdio.h>

#include "keys/keys_internal.h"

bool keys_scheme_fits(const struct mu_key_info *key, const struct keys_scheme *scheme)
{
    const bool digested = scheme->digest != MU_DIGEST_NONE;
    switch (key->kind) {
    case MU_KEY_EC:
        return digested && scheme->padding == KEYS_PADDING_NONE;
    case MU_KEY_RSA:
        return digested && scheme->padding != KEYS_PADDING_NONE;
    case MU_KEY_RSA_PSS:
        return digested && scheme->padding == KEYS_PADDING_PSS;
    case MU_KEY_ED25519:
        return !digested && scheme->padding == KEYS_PADDING_NONE;
    case MU_KEY_OTHER:
        break;
    }
    return false;
}

enum mu_scheme keys_x509_scheme(const struct mu_key_info *key, const struct keys_scheme *scheme)
{
    static const struct {
        enum mu_key_kind kind;
        enum mu_curve curve;
        enum keys_padding padding;
        enum mu_digest digest;
        enum mu_scheme scheme;
    } rows[] = {
        {MU_KEY_EC, MU_CURVE_P256, KEYS_PADDING_NONE, MU_DIGEST_SHA256,
         MU_SCHEME_ECDSA_P256_SHA256},
        {MU_KEY_EC, MU_CURVE_P384, KEYS_PADDING_NONE, MU_DIGEST_SHA384,
         MU_SCHEME_ECDSA_P384_SHA384},
        {MU_KEY_EC, MU_CURVE_P521, KEYS_PADDING_NONE, MU_DIGEST_SHA512,
         MU_SCHEME_ECDSA_P521_SHA512},
        {MU_KEY_RSA, MU_CURVE_NONE, KEYS_PADDING_PKCS1, MU_DIGEST_SHA256,
         MU_SCHEME_RSA_PKCS1_SHA256},
        {MU_KEY_RSA, MU_CURVE_NONE, KEYS_PADDING_PKCS1, MU_DIGEST_SHA384,
         MU_SCHEME_RSA_PKCS1_SHA384},
        {MU_KEY_RSA, MU_CURVE_NONE, KEYS_PADDING_PKCS1, MU_DIGEST_SHA512,
         MU_SCHEME_RSA_PKCS1_SHA512},
        {MU_KEY_RSA, MU_CURVE_NONE, KEYS_PADDING_PSS, MU_DIGEST_SHA256,
         MU_SCHEME_RSA_PSS_RSAE_SHA256},
        {MU_KEY_RSA, MU_CURVE_NONE, KEYS_PADDING_PSS, MU_DIGEST_SHA384,
         MU_SCHEME_RSA_PSS_RSAE_SHA384},
        {MU_KEY_RSA, MU_CURVE_NONE, KEYS_PADDING_PSS, MU_DIGEST_SHA512,
         MU_SCHEME_RSA_PSS_RSAE_SHA512},
        {MU_KEY_ED25519, MU_CURVE_NONE, KEYS_PADDING_NONE, MU_DIGEST_NONE, MU_SCHEME_ED25519},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        if (rows[i].kind == key->kind && rows[i].digest == scheme->digest &&
            rows[i].padding == scheme->padding &&
            (rows[i].curve == MU_CURVE_NONE || rows[i].curve == key->curve)) {
            return rows[i].scheme;
        }
    }
    return MU_SCHEME_NONE;
}

/* What a row is given. */
struct candidate {
    const struct keys_rules *rules;
    const struct keys_scheme *scheme;
    enum mu_scheme x509;
    struct mu_slice tbs;
    char *what;
};

static enum keys_judgement tls13_server(const struct candidate *c, struct mutual_error *err)
{
    (void)err;
    return keys_judge_tls13(true, c->scheme, c->tbs);
}

static enum keys_judgement tls13_client(const struct candidate *c, struct mutual_error *err)
{
    (void)err;
    return keys_judge_tls13(false, c->scheme, c->tbs);
}

static enum keys_judgement tls12_server(const struct candidate *c, struct mutual_error *err)
{
    (void)err;
    return keys_judge_tls12_server(c->tbs);
}

static enum keys_judgement tls12_client(const struct candidate *c, struct mutual_error *err)
{
    (void)err;
    return keys_judge_tls12_client(c->tbs);
}

static enum keys_judgement certificate(const struct candidate *c, struct mutual_error *err)
{
    return keys_judge_certificate(&c->rules->ca, c->x509, c->tbs, c->what, err);
}

static enum keys_judgement crl(const struct candidate *c, struct mutual_error *err)
{
    return keys_judge_crl(&c->rules->ca, c->x509, c->tbs, c->what, err);
}

static enum keys_judgement ocsp(const struct candidate *c, struct mutual_error *err)
{
    return keys_judge_ocsp(&c->rules->ca, c->x509, c->tbs, c->what, err);
}

static const struct {
    enum keys_purpose purpose;
    const char *what;
    enum keys_judgement (*judge)(const struct candidate *candidate, struct mutual_error *err);
} permitted[] = {
    {KEYS_TLS_SERVER, "TLS 1.3 handshake as server", tls13_server},
    {KEYS_TLS_CLIENT, "TLS 1.3 handshake as client", tls13_client},
    {KEYS_TLS_SERVER, "TLS 1.2 handshake as server", tls12_server},
    {KEYS_TLS_CLIENT, "TLS 1.2 handshake as client", tls12_client},
    {KEYS_CERTIFICATES, "certificate", certificate},
    {KEYS_CRLS, "revocation list", crl},
    {KEYS_OCSP, "OCSP response", ocsp},
};

bool keys_permit(const struct keys_rules *rules, const struct mu_key_info *key,
                 const struct keys_scheme *scheme, struct mu_slice tbs, char what[512],
                 enum keys_purpose *ret_purpose, struct mutual_error *err)
{
    (void)snprintf(what, 512, "%zu bytes of something else", tbs.len);
    if (!keys_scheme_fits(key, scheme)) {
        return mu_fail(err, MUTUAL_E_KEY_REFUSED, "a key of kind %s cannot sign that way",
                       key->text);
    }
    const struct candidate candidate = {.rules = rules,
                                        .scheme = scheme,
                                        .x509 = keys_x509_scheme(key, scheme),
                                        .tbs = tbs,
                                        .what = what};
    for (size_t i = 0; i < MU_COUNT(permitted); i++) {
        if ((rules->purposes & (uint32_t)permitted[i].purpose) == 0) {
            continue;
        }
        char kept[512];
        (void)snprintf(kept, sizeof kept, "%s", what);
        (void)snprintf(what, 512, "%s", permitted[i].what);
        enum keys_judgement judgement = permitted[i].judge(&candidate, err);
        if (judgement == KEYS_PERMITTED) {
            *ret_purpose = permitted[i].purpose;
            return true;
        }
        if (judgement == KEYS_FORBIDDEN) {
            return false;
        }
        (void)snprintf(what, 512, "%s", kept);
    }
    return mu_fail(err, MUTUAL_E_KEY_REFUSED, "%s is nothing that this key is for", what);
}
