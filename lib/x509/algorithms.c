/* SPDX-License-Identifier: Apache-2.0
 *
 * What algorithm identifiers and public keys say: tables of object identifiers, nothing computed.
 */
#include "x509/algorithms_internal.h"

#include <string.h>

#define OID(bytes_)                                   \
    {                                                 \
        (const uint8_t *)(bytes_), sizeof(bytes_) - 1 \
    }

/* ---- public keys ---------------------------------------------------------------------------- */

static const struct mu_slice oid_ec = OID("\x2a\x86\x48\xce\x3d\x02\x01");
static const struct mu_slice oid_rsa = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
static const struct mu_slice oid_rsa_pss = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");
static const struct mu_slice oid_ed25519 = OID("\x2b\x65\x70");
static const struct mu_slice oid_mgf1 = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08");

static const struct {
    struct mu_slice oid;
    enum mu_curve curve;
    unsigned bits;
    size_t point; /* octets of an uncompressed point */
    const char *text;
} curves[] = {
    {OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"), MU_CURVE_P256, 256, 65, "EC P-256"},
    {OID("\x2b\x81\x04\x00\x22"), MU_CURVE_P384, 384, 97, "EC P-384"},
    {OID("\x2b\x81\x04\x00\x23"), MU_CURVE_P521, 521, 133, "EC P-521"},
};

static void ec_info(struct mu_slice parameters, struct mu_slice point, struct mu_key_info *info)
{
    struct mu_slice oid;
    *info = (struct mu_key_info){.kind = MU_KEY_EC,
                                 .curve = MU_CURVE_OTHER,
                                 .weak = "its curve is none of P-256, P-384 and P-521",
                                 .text = "EC"};
    if (!mu_der_only(parameters, DER_OID, &oid)) {
        return; /* explicit parameters, which RFC 5480 section 2.1.1 forbids */
    }
    for (size_t i = 0; i < MU_COUNT(curves); i++) {
        if (!mu_slice_equal(oid, curves[i].oid)) {
            continue;
        }
        bool whole = point.len == curves[i].point && point.data[0] == 4;
        bool packed = point.len == curves[i].point / 2 + 1 && (point.data[0] & 0xfe) == 2;
        info->curve = curves[i].curve;
        info->bits = curves[i].bits;
        info->text = curves[i].text;
        info->weak = whole || packed ? NULL : "its point is not well-formed";
    }
}

static unsigned bit_length(struct mu_slice magnitude)
{
    if (magnitude.len == 0) {
        return 0;
    }
    unsigned bits = (unsigned)(magnitude.len - 1) * 8;
    for (uint8_t top = magnitude.data[0]; top != 0; top >>= 1) {
        bits++;
    }
    return bits;
}

static bool rsa_info(struct mu_slice key, enum mu_key_kind kind, struct mu_key_info *info)
{
    struct mu_slice pair;
    struct mu_slice modulus;
    struct mu_slice exponent;
    if (!mu_der_only(key, DER_SEQUENCE, &pair) || !mu_der_body(&pair, DER_INTEGER, &modulus) ||
        !mu_der_body(&pair, DER_INTEGER, &exponent) || pair.len != 0 ||
        !mu_der_unsigned(modulus, &modulus) || !mu_der_unsigned(exponent, &exponent)) {
        return false;
    }
    *info = (struct mu_key_info){
        .kind = kind, .bits = bit_length(modulus), .text = kind == MU_KEY_RSA ? "RSA" : "RSA-PSS"};
    unsigned exponent_bits = bit_length(exponent);
    bool odd = exponent_bits > 0 && (exponent.data[exponent.len - 1] & 1) != 0;
    if (info->bits < 2048) {
        info->weak = "its modulus is shorter than 2048 bits";
    } else if (info->bits > MU_LIMIT_RSA_BITS) {
        info->weak = "its modulus is longer than is accepted";
    } else if ((modulus.data[modulus.len - 1] & 1) == 0) {
        info->weak = "its modulus is even";
    } else if (!odd || exponent_bits < 2 || exponent_bits > 64) {
        info->weak = "its exponent is out of range";
    }
    return true;
}

bool mu_spki_split(struct mu_slice spki, struct spki_parts *ret_parts)
{
    struct mu_slice body;
    struct mu_slice bits;
    return mu_der_only(spki, DER_SEQUENCE, &body) &&
           mu_der_take(&body, DER_SEQUENCE, &ret_parts->algorithm) &&
           mu_der_body(&body, DER_BIT_STRING, &bits) && body.len == 0 &&
           mu_der_octets(bits, &ret_parts->key);
}

bool mu_spki_info(struct mu_slice spki, struct mu_key_info *ret_info)
{
    struct spki_parts parts;
    struct mu_slice oid;
    if (!mu_spki_split(spki, &parts) || !mu_der_body(&parts.algorithm.body, DER_OID, &oid)) {
        return false;
    }
    struct mu_slice algorithm = parts.algorithm.body;
    struct mu_slice key = parts.key;
    *ret_info = (struct mu_key_info){
        .kind = MU_KEY_OTHER, .weak = "its kind is not supported", .text = "a key of another kind"};
    if (mu_slice_equal(oid, oid_ec)) {
        ec_info(algorithm, key, ret_info);
        return true;
    }
    if (mu_slice_equal(oid, oid_rsa) || mu_slice_equal(oid, oid_rsa_pss)) {
        bool plain = mu_slice_equal(oid, oid_rsa);
        return rsa_info(key, plain ? MU_KEY_RSA : MU_KEY_RSA_PSS, ret_info);
    }
    if (mu_slice_equal(oid, oid_ed25519)) {
        *ret_info = (struct mu_key_info){
            .kind = MU_KEY_ED25519,
            .bits = 256,
            .weak = key.len == 32 && algorithm.len == 0 ? NULL : "it is not well-formed",
            .text = "Ed25519"};
    }
    return true;
}

/* ---- signature algorithms ------------------------------------------------------------------- */

enum params { PARAMS_NONE, PARAMS_NULL, PARAMS_PSS, PARAMS_ANY };

static const struct {
    struct mu_slice oid;
    struct mu_sig_info info;
    enum params params;
} signatures[] = {
    {OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"),
     {MU_KEY_EC, MU_DIGEST_SHA256, 0, "ECDSA with SHA-256"},
     PARAMS_NONE},
    {OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"),
     {MU_KEY_EC, MU_DIGEST_SHA384, 0, "ECDSA with SHA-384"},
     PARAMS_NONE},
    {OID("\x2a\x86\x48\xce\x3d\x04\x03\x04"),
     {MU_KEY_EC, MU_DIGEST_SHA512, 0, "ECDSA with SHA-512"},
     PARAMS_NONE},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
     {MU_KEY_RSA, MU_DIGEST_SHA256, 0, "RSA with SHA-256"},
     PARAMS_NULL},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),
     {MU_KEY_RSA, MU_DIGEST_SHA384, 0, "RSA with SHA-384"},
     PARAMS_NULL},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),
     {MU_KEY_RSA, MU_DIGEST_SHA512, 0, "RSA with SHA-512"},
     PARAMS_NULL},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
     {MU_KEY_RSA_PSS, MU_DIGEST_OTHER, 0, "RSA-PSS"},
     PARAMS_PSS},
    {OID("\x2b\x65\x70"), {MU_KEY_ED25519, MU_DIGEST_NONE, 0, "Ed25519"}, PARAMS_NONE},
    {OID("\x2a\x86\x48\xce\x3d\x04\x01"),
     {MU_KEY_EC, MU_DIGEST_WEAK, 0, "ECDSA with SHA-1"},
     PARAMS_ANY},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),
     {MU_KEY_RSA, MU_DIGEST_WEAK, 0, "RSA with SHA-1"},
     PARAMS_ANY},
    {OID("\x2b\x0e\x03\x02\x1d"), {MU_KEY_RSA, MU_DIGEST_WEAK, 0, "RSA with SHA-1"}, PARAMS_ANY},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"),
     {MU_KEY_RSA, MU_DIGEST_WEAK, 0, "RSA with MD5"},
     PARAMS_ANY},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02"),
     {MU_KEY_RSA, MU_DIGEST_WEAK, 0, "RSA with MD2"},
     PARAMS_ANY},
    {OID("\x2a\x86\x48\xce\x38\x04\x03"),
     {MU_KEY_OTHER, MU_DIGEST_WEAK, 0, "DSA with SHA-1"},
     PARAMS_ANY},
};

static const struct {
    struct mu_slice oid;
    enum mu_digest digest;
    const char *pss_text;
} digests[] = {
    {OID("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), MU_DIGEST_SHA256, "RSA-PSS with SHA-256"},
    {OID("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), MU_DIGEST_SHA384, "RSA-PSS with SHA-384"},
    {OID("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), MU_DIGEST_SHA512, "RSA-PSS with SHA-512"},
    {OID("\x2b\x0e\x03\x02\x1a"), MU_DIGEST_WEAK, "RSA-PSS with SHA-1"},
};

/* The row of a digest's AlgorithmIdentifier; MU_COUNT(digests) when it is another. Parameters are
 * absent or NULL, and both must be accepted (RFC 4055 section 2.1). */
static size_t digest_row(struct mu_slice identifier)
{
    struct mu_slice body;
    struct mu_slice oid;
    struct mu_slice null;
    if (!mu_der_only(identifier, DER_SEQUENCE, &body) || !mu_der_body(&body, DER_OID, &oid) ||
        !mu_der_optional(&body, DER_NULL, &null) || body.len != 0) {
        return MU_COUNT(digests);
    }
    size_t row = 0;
    while (row < MU_COUNT(digests) && !mu_slice_equal(oid, digests[row].oid)) {
        row++;
    }
    return row;
}

/* RSASSA-PSS-params (RFC 4055 section 3.1). Left-out fields mean SHA-1, which is weak here. What
 * is not one digest in both places is not understood. */
static bool pss_info(struct mu_slice parameters, struct mu_sig_info *info)
{
    struct mu_slice body;
    struct mu_slice hash;
    struct mu_slice mask;
    struct mu_slice salt;
    struct mu_slice trailer;
    uint32_t number = 20;
    if (!mu_der_only(parameters, DER_SEQUENCE, &body) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(0), &hash) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(1), &mask) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(2), &salt) ||
        !mu_der_optional(&body, DER_CONSTRUCTED(3), &trailer) || body.len != 0) {
        return false;
    }
    if (salt.data != NULL &&
        (!mu_der_only(salt, DER_INTEGER, &salt) || !mu_der_small(salt, 1024, &number))) {
        return false;
    }
    info->salt = number;
    if (hash.data == NULL || mask.data == NULL) {
        info->digest = MU_DIGEST_WEAK;
        return true;
    }
    size_t row = digest_row(hash);
    struct mu_slice mgf;
    struct mu_slice oid;
    if (!mu_der_only(mask, DER_SEQUENCE, &mgf) || !mu_der_body(&mgf, DER_OID, &oid)) {
        return false;
    }
    if (row < MU_COUNT(digests) && mu_slice_equal(oid, oid_mgf1) && digest_row(mgf) == row &&
        trailer.data == NULL) {
        info->digest = digests[row].digest;
        info->text = digests[row].pss_text;
    }
    return true;
}

bool mu_sig_read(struct mu_slice algorithm, struct mu_sig_info *ret_info, bool *ret_params_ok)
{
    struct mu_slice oid;
    if (!mu_der_body(&algorithm, DER_OID, &oid) || oid.len == 0) {
        return false;
    }
    struct mu_slice parameters = algorithm;
    struct der_item item;
    if (algorithm.len > 0 && (!mu_der_next(&algorithm, &item) || algorithm.len != 0)) {
        return false;
    }
    *ret_info =
        (struct mu_sig_info){MU_KEY_OTHER, MU_DIGEST_OTHER, 0, "an algorithm that is not known"};
    *ret_params_ok = true;
    for (size_t i = 0; i < MU_COUNT(signatures); i++) {
        if (!mu_slice_equal(oid, signatures[i].oid)) {
            continue;
        }
        struct mu_slice null;
        *ret_info = signatures[i].info;
        switch (signatures[i].params) {
        case PARAMS_NONE:
            *ret_params_ok = parameters.len == 0;
            break;
        case PARAMS_NULL:
            *ret_params_ok = mu_der_only(parameters, DER_NULL, &null) && null.len == 0;
            break;
        case PARAMS_PSS:
            *ret_params_ok = pss_info(parameters, ret_info);
            break;
        case PARAMS_ANY:
            break;
        }
        return true;
    }
    return true;
}

/* ---- schemes ----------------------------------------------------------------------------------
 */

static const struct {
    enum mu_scheme scheme;
    enum mu_key_kind kind;
    enum mu_digest digest;
    unsigned salt;
} schemes[] = {
    {MU_SCHEME_ECDSA_P256_SHA256, MU_KEY_EC, MU_DIGEST_SHA256, 0},
    {MU_SCHEME_ECDSA_P384_SHA384, MU_KEY_EC, MU_DIGEST_SHA384, 0},
    {MU_SCHEME_ECDSA_P521_SHA512, MU_KEY_EC, MU_DIGEST_SHA512, 0},
    {MU_SCHEME_RSA_PKCS1_SHA256, MU_KEY_RSA, MU_DIGEST_SHA256, 0},
    {MU_SCHEME_RSA_PKCS1_SHA384, MU_KEY_RSA, MU_DIGEST_SHA384, 0},
    {MU_SCHEME_RSA_PKCS1_SHA512, MU_KEY_RSA, MU_DIGEST_SHA512, 0},
    {MU_SCHEME_RSA_PSS_RSAE_SHA256, MU_KEY_RSA_PSS, MU_DIGEST_SHA256, 32},
    {MU_SCHEME_RSA_PSS_RSAE_SHA384, MU_KEY_RSA_PSS, MU_DIGEST_SHA384, 48},
    {MU_SCHEME_RSA_PSS_RSAE_SHA512, MU_KEY_RSA_PSS, MU_DIGEST_SHA512, 64},
    {MU_SCHEME_RSA_PSS_PSS_SHA256, MU_KEY_RSA_PSS, MU_DIGEST_SHA256, 32},
    {MU_SCHEME_RSA_PSS_PSS_SHA384, MU_KEY_RSA_PSS, MU_DIGEST_SHA384, 48},
    {MU_SCHEME_RSA_PSS_PSS_SHA512, MU_KEY_RSA_PSS, MU_DIGEST_SHA512, 64},
    {MU_SCHEME_ED25519, MU_KEY_ED25519, MU_DIGEST_NONE, 0},
};

struct mu_sig_info mu_scheme_info(enum mu_scheme scheme)
{
    for (size_t i = 0; i < MU_COUNT(schemes); i++) {
        if (schemes[i].scheme == scheme) {
            return (struct mu_sig_info){schemes[i].kind, schemes[i].digest, schemes[i].salt, ""};
        }
    }
    return (struct mu_sig_info){MU_KEY_OTHER, MU_DIGEST_OTHER, 0, ""};
}

static void put_digest(struct mu_buf *out, enum mu_digest digest)
{
    for (size_t i = 0; i < MU_COUNT(digests); i++) {
        if (digests[i].digest == digest) {
            size_t mark = mu_der_begin(out, DER_SEQUENCE);
            mu_der_put_oid(out, digests[i].oid);
            mu_der_put(out, DER_NULL, mu_slice_of(NULL, 0));
            mu_der_end(out, mark);
        }
    }
}

static void put_pss(struct mu_buf *out, const struct mu_sig_info *info)
{
    size_t parameters = mu_der_begin(out, DER_SEQUENCE);
    size_t hash = mu_der_begin(out, DER_CONSTRUCTED(0));
    put_digest(out, info->digest);
    mu_der_end(out, hash);
    size_t mask = mu_der_begin(out, DER_CONSTRUCTED(1));
    size_t mgf = mu_der_begin(out, DER_SEQUENCE);
    mu_der_put_oid(out, oid_mgf1);
    put_digest(out, info->digest);
    mu_der_end(out, mgf);
    mu_der_end(out, mask);
    size_t salt = mu_der_begin(out, DER_CONSTRUCTED(2));
    mu_der_put_uint(out, DER_INTEGER, info->salt);
    mu_der_end(out, salt);
    mu_der_end(out, parameters);
}

bool mu_sig_write(struct mu_buf *out, enum mu_scheme scheme)
{
    struct mu_sig_info info = mu_scheme_info(scheme);
    for (size_t i = 0; i < MU_COUNT(signatures); i++) {
        bool same = signatures[i].info.kind == info.kind &&
                    (signatures[i].info.digest == info.digest || info.kind == MU_KEY_RSA_PSS);
        if (!same || info.kind == MU_KEY_OTHER) {
            continue;
        }
        size_t mark = mu_der_begin(out, DER_SEQUENCE);
        mu_der_put_oid(out, signatures[i].oid);
        if (signatures[i].params == PARAMS_NULL) {
            mu_der_put(out, DER_NULL, mu_slice_of(NULL, 0));
        } else if (signatures[i].params == PARAMS_PSS) {
            put_pss(out, &info);
        }
        mu_der_end(out, mark);
        return !out->failed;
    }
    return false;
}

bool mu_signed_split(struct mu_slice der, struct signed_parts *ret_parts)
{
    struct mu_slice body;
    struct mu_slice bits;
    return mu_der_only(der, DER_SEQUENCE, &body) &&
           mu_der_take(&body, DER_SEQUENCE, &ret_parts->tbs) &&
           mu_der_body(&body, DER_SEQUENCE, &ret_parts->algorithm) &&
           mu_der_body(&body, DER_BIT_STRING, &bits) && body.len == 0 &&
           mu_der_octets(bits, &ret_parts->signature);
}
