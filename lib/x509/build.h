/* SPDX-License-Identifier: Apache-2.0
 *
 * The making half of the room's door (include "x509/x509.h"): certificates, requests, revocation
 * lists and PKCS#12 files, from typed values only; no text is ever parsed into an extension. What
 * is signed is written first (…_tbs) so that the signing key may live anywhere.
 */
#ifndef MU_X509_BUILD_H
#define MU_X509_BUILD_H

/* One relative distinguished name of one attribute, to build with; `value` is UTF-8. */
enum mu_attr {
    MU_ATTR_CN,
    MU_ATTR_O,
    MU_ATTR_OU,
    MU_ATTR_C,
    MU_ATTR_ST,
    MU_ATTR_L,
    MU_ATTR_EMAIL,
    MU_ATTR_UID,
    MU_ATTR_DC,
    MU_ATTR_SERIAL_NUMBER,
    MU_ATTR_COUNT_
};
struct mu_rdn {
    enum mu_attr attr;
    const char *value;
};
/* Appends the DER Name. NAME_MALFORMED: empty, over-long, not UTF-8, control bytes, C not 2
 * letters. */
bool mu_name_build(const struct mu_rdn *rdns, size_t count, struct mu_buf *out,
                   struct mutual_error *err);
/* Appends the DER content of a dotted OID; false when it is not one. */
bool mu_oid_encode(const char *dotted, struct mu_buf *out);

/* 20 octets: positive, more than 128 random bits, first octet never zero. */
#define MU_SERIAL_BYTES 20
bool mu_serial_new(uint8_t ret_serial[MU_SERIAL_BYTES], struct mutual_error *err);

/* An extension given whole, for what the template has no word for. `value` is DER. */
struct mu_raw_extension {
    const char *oid;
    bool critical;
    struct mu_slice value;
};

/* What a certificate is to say. All-zero fields are left out. Extensions are written in this
 * order: basicConstraints (critical), keyUsage (critical), extKeyUsage, subjectKeyIdentifier,
 * authorityKeyIdentifier, subjectAltName (critical when the subject is empty), nameConstraints
 * (critical), policies, CRL and information access addresses, TLS feature, `extra`. */
struct mu_cert_template {
    struct mu_slice serial; /* 1 to 20 octets, big-endian; empty: a new one (mu_serial_new) */
    const struct mu_rdn *subject;
    size_t subject_count;
    struct mu_slice subject_der;       /* instead of `subject`, when not empty */
    const struct mu_cert *issuer;      /* NULL: self-issued */
    int64_t not_before_s, not_after_s; /* not_after_s MU_TIME_NEVER_S: 99991231235959Z */
    struct mu_slice spki; /* mu_key_spki; empty in a self-issued one: the signing key's */
    const struct mu_gname *names;
    size_t name_count;
    bool ca;
    bool path_limited; /* an authority with path length path_length */
    unsigned path_length;
    unsigned key_usage, eku; /* MU_KU_, MU_EKU_ bits; MU_EKU_OTHER cannot be written */
    const struct mu_subtree *permitted, *excluded;
    size_t permitted_count, excluded_count;
    const char *const *crl_uris, *const *ocsp_uris, *const *issuer_uris; /* NULL-terminated */
    const char *const *policies;                                         /* NULL-terminated OIDs */
    bool must_staple;
    bool bare; /* no extension by itself: only names and `extra` */
    const struct mu_raw_extension *extra;
    size_t extra_count;
};

/* Appends the TBSCertificate. USAGE: the template contradicts itself; NAME_MALFORMED. */
bool mu_cert_build_tbs(const struct mu_cert_template *template, enum mu_scheme scheme,
                       struct mu_buf *out, struct mutual_error *err);
/* Appends SEQUENCE { tbs, algorithm, signature }: a certificate, request or revocation list. */
bool mu_signed_build(struct mu_slice tbs, enum mu_scheme scheme, struct mu_slice signature,
                     struct mu_buf *out, struct mutual_error *err);
/* Builds, signs by mu_key_scheme(issuer_key) and reads back. KEY_MISMATCH when issuer_key is not
 * the issuer's; KEY_UNAVAILABLE, KEY_REFUSED from the key's home. */
bool mu_cert_sign(const struct mu_cert_template *template, const struct mu_key *issuer_key,
                  struct mu_cert **ret_cert, struct mutual_error *err);

/* A request for the key, signed by it; `names` are the wanted subject alternative names.
 * Appends DER. */
bool mu_csr_build(const struct mu_key *key, const struct mu_rdn *subject, size_t subject_count,
                  const struct mu_gname *names, size_t name_count, struct mu_buf *out,
                  struct mutual_error *err);
/* A request for the key that asks for what a certificate has: its subject and its names. */
bool mu_csr_build_again(const struct mu_key *key, const struct mu_cert *cert, struct mu_buf *out,
                        struct mutual_error *err);

/* What a revocation list is to say; written in one pass, so a million entries are nothing special.
 */
struct mu_crl_template {
    const struct mu_cert *issuer;
    int64_t this_update_s, next_update_s;
    uint64_t number;
    const struct mu_revoked *entries; /* in any order */
    size_t count;
    /* Made of an earlier list, whose entries are `kept` (in their order, as mu_crl_outline has
     * them; it may have had none): `entries` come in between, an old one of the same serial makes
     * way, and so do those of the serials `gone` (in any order). Else `entries` are all. Not for an
     * indirect list. */
    bool follows;
    struct mu_slice kept;
    const struct mu_revoked *gone;
    size_t gone_count;
    size_t total; /* if it follows: how many there must be in the end, or it fails: CRL_MALFORMED */
    const struct mu_crl_idp *idp; /* NULL: none; written critical */
    bool delta;                   /* a delta to the complete list numbered delta_base */
    uint64_t delta_base;
    const char *const *freshest_uris; /* NULL-terminated: where its deltas are; NULL: not said */
};
bool mu_crl_build_tbs(const struct mu_crl_template *template, enum mu_scheme scheme,
                      struct mu_buf *out, struct mutual_error *err);
/* Builds and signs; appends DER. Errors as mu_cert_sign. */
bool mu_crl_sign(const struct mu_crl_template *template, const struct mu_key *issuer_key,
                 struct mu_buf *out, struct mutual_error *err);
void mu_crl_to_pem(struct mu_slice der, struct mu_buf *out);

/* ---- PKCS#12 (RFC 7292)
 * -------------------------------------------------------------------------- */

/* How a file must be made so that its reader takes it. APPLE, ANDROID: 3DES and a SHA-1 MAC, which
 * is all that their importers read reliably; choose the password well. WINDOWS, MODERN: AES-256,
 * PBKDF2, HMAC-SHA-256. */
enum mu_p12_preset { MU_P12_APPLE, MU_P12_WINDOWS, MU_P12_ANDROID, MU_P12_MODERN, MU_P12_COUNT_ };
/* "apple", "windows", "android", "modern". Constant. */
const char *mu_p12_word(enum mu_p12_preset preset);
bool mu_p12_find(const char *word, enum mu_p12_preset *ret_preset);
/* Appends DER. `chain` may be NULL. Wipe the buffer afterwards. */
bool mu_p12_build(const struct mu_cert *cert, const struct mu_key *key,
                  const struct mu_certs *chain, const char *friendly_name, const char *password,
                  enum mu_p12_preset preset, struct mu_buf *out, struct mutual_error *err);
struct mu_p12 {
    struct mu_cert *cert; /* the one that fits the key; may be NULL */
    struct mu_key *key;   /* may be NULL */
    struct mu_certs chain;
};
/* KEY_PASSPHRASE: the password does not open it; KEY_MALFORMED. */
bool mu_p12_read(struct mu_slice der, const char *password, struct mu_p12 *ret_p12,
                 struct mutual_error *err);
void mu_p12_done(struct mu_p12 *p12);
void mu_p12_auto(struct mu_p12 *p12);

/* ---- the library that we run with ------------------------------------------------------------ */

enum mu_library_feature {
    MU_LIBRARY_ML_KEM,
    MU_LIBRARY_ML_DSA,
    MU_LIBRARY_ED25519,
    MU_LIBRARY_FEATURE_COUNT_
};
const char *mu_library_version(void); /* its own words; constant */
bool mu_library_has(enum mu_library_feature feature);
const char *mu_library_feature_text(enum mu_library_feature feature); /* "ML-KEM" */

#endif
