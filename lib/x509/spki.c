/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys handed to OpenSSL as numbers. Its own decoder tries every format it knows and takes
 * six to thirty times as long, which an intermediate sent in every handshake would cost each time.
 */
#include "x509/algorithms_internal.h"
#include "x509/ossl_internal.h"

#include <openssl/core_names.h>

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    MU_AUTO(pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        return NULL;
    }
    return key;
}

static char *unconst_text(const char *text)
{
    union {
        const char *in;
        char *out;
    } same = {text};
    return same.out;
}

static uint8_t *unconst_bytes(const uint8_t *bytes)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } same = {bytes};
    return same.out;
}

/* The library checks that the point is on the curve. */
static EVP_PKEY *from_point(struct mu_slice point, enum mu_curve curve)
{
    const char *group =
        curve == MU_CURVE_P256 ? "P-256" : (curve == MU_CURVE_P384 ? "P-384" : "P-521");
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, unconst_text(group), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, unconst_bytes(point.data),
                                          point.len),
        OSSL_PARAM_construct_end(),
    };
    return from_params("EC", params);
}

static EVP_PKEY *from_raw(struct mu_slice raw)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, unconst_bytes(raw.data),
                                          raw.len),
        OSSL_PARAM_construct_end(),
    };
    return from_params("ED25519", params);
}

static EVP_PKEY *from_modulus(struct mu_slice bits)
{
    struct mu_slice pair;
    struct mu_slice n;
    struct mu_slice e;
    if (!mu_der_only(bits, DER_SEQUENCE, &pair) || !mu_der_body(&pair, DER_INTEGER, &n) ||
        !mu_der_body(&pair, DER_INTEGER, &e)) {
        return NULL;
    }
    MU_AUTO(bignum) BIGNUM *modulus = BN_bin2bn(n.data, (int)n.len, NULL);
    MU_AUTO(bignum) BIGNUM *exponent = BN_bin2bn(e.data, (int)e.len, NULL);
    MU_AUTO(param_bld) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (modulus == NULL || exponent == NULL || build == NULL ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) != 1) {
        return NULL;
    }
    MU_AUTO(params) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    return params == NULL ? NULL : from_params("RSA", params);
}

/* Keys with restrictions of their own go the long way. */
static EVP_PKEY *from_anything(struct mu_slice spki)
{
    const unsigned char *p = spki.data;
    return d2i_PUBKEY(NULL, &p, (long)spki.len);
}

struct evp_pkey_st *mu_spki_load(struct mu_slice spki, const struct mu_key_info *info,
                                 struct mutual_error *err)
{
    struct spki_parts parts;
    bool good = mu_spki_split(spki, &parts);
    mu_assert(good); /* mu_spki_info has accepted it */
    mu_ossl_clear();
    EVP_PKEY *key = NULL;
    switch (info->kind) {
    case MU_KEY_EC:
        key = info->curve == MU_CURVE_OTHER ? NULL : from_point(parts.key, info->curve);
        break;
    case MU_KEY_RSA:
        key = from_modulus(parts.key);
        break;
    case MU_KEY_ED25519:
        key = from_raw(parts.key);
        break;
    case MU_KEY_RSA_PSS:
        key = from_anything(spki);
        break;
    case MU_KEY_OTHER:
        break;
    }
    if (key != NULL) {
        return key;
    }
    if (info->kind == MU_KEY_OTHER || info->curve == MU_CURVE_OTHER) {
        (void)mu_fail(err, MUTUAL_E_KEY_UNSUPPORTED, "the public key is %s", info->text);
    } else {
        (void)mu_fail_ossl(err, MUTUAL_E_KEY_MALFORMED, "the public key is not well-formed");
    }
    return NULL;
}
