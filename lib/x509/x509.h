/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates, requests, revocation lists and keys: read, made, signed, verified; nothing is
 * decided here. Every parser takes bytes from strangers: it copies what it needs, refuses what is
 * hostile or not DER, and reports mere breaches of RFC 5280 as flaws for others to judge. Objects
 * are immutable once made; references may be taken and dropped from any thread.
 */
#ifndef MU_X509_X509_H
#define MU_X509_X509_H

#include "base/base.h"

/* OpenSSL's own types, for the rooms that may use it; nothing of it is included here. */
struct x509_st;
struct evp_pkey_st;

/* As mu_fail, with OpenSSL's words behind the reason: the first entry of its queue is the cause.
 * Clears the queue. Whoever calls OpenSSL begins with mu_ossl_clear. An entry of ERR_LIB_USER holds
 * a code of ours as its reason (a key in another process was asked): it takes code_'s place. */
#define mu_fail_ossl(err_, code_, ...) \
    (mu_ossl_fill((err_), (code_), __FILE__, __LINE__, __VA_ARGS__), false)
void mu_ossl_fill(struct mutual_error *err, enum mutual_code code, const char *file, int line,
                  const char *format, ...) MUTUAL_PRINTF(5, 6);
void mu_ossl_clear(void);
/* A dispatch table holds functions of any type as one type; so OpenSSL wants it. */
#define MU_OSSL_FUNCTION(f_) ((void (*)(void))(f_))
/* Sets the library up before a process locks itself down: its providers and random numbers are
 * ready afterwards, and no configuration file is looked for, now or later. LIBRARY. */
bool mu_ossl_start(struct mutual_error *err);
/* The same for a process that only speaks TLS and checks certificates: its default library context
 * is a lean one, and it knows digests and ciphers by name only where certificates need them. Only
 * as the first thing that is asked of the library. LIBRARY. */
bool mu_ossl_start_lean(struct mutual_error *err);
/* Puts into a context without providers (NULL: the default one) no more than TLS as we negotiate it
 * and signatures as we take them need; no key can be read from a file or written. LIBRARY. */
struct ossl_lib_ctx_st;
bool mu_ossl_lean(struct ossl_lib_ctx_st *context, struct mutual_error *err);
/* Frees a context that was made lean. NULL is accepted. */
void mu_ossl_lean_free(struct ossl_lib_ctx_st *context);
/* SHA-256. False only when the library has none (LIBRARY). */
bool mu_sha256(struct mu_slice bytes, uint8_t ret_digest[32], struct mutual_error *err);

/* ---- PEM (RFC 7468, strict; text between blocks is allowed) -------------------------------- */

struct mu_pem_reader {
    struct mu_slice text; /* what is left */
    const char *what;     /* names the text in messages: a path, "the request" */
    unsigned line, block; /* both from 1 once a block was read */
};
struct mu_pem_block {
    struct mu_slice label; /* "CERTIFICATE" */
    struct mu_slice whole; /* BEGIN line to END line */
    struct mu_slice body;  /* the base64 lines, headers included */
    unsigned line;         /* of the BEGIN line */
};
/* `text` and `what` are borrowed until the last call of mu_pem_next. */
void mu_pem_open(struct mu_pem_reader *reader, struct mu_slice text, const char *what);
/* True with *ret_end false: a block. True with *ret_end true: no more. False: PEM_MALFORMED. */
bool mu_pem_next(struct mu_pem_reader *reader, struct mu_pem_block *ret_block, bool *ret_end,
                 struct mutual_error *err);
/* Appends the block's bytes to out. Headers (RFC 1421), as in old encrypted keys, are malformed. */
bool mu_pem_decode(const struct mu_pem_reader *reader, const struct mu_pem_block *block,
                   struct mu_buf *out, struct mutual_error *err);
void mu_pem_write(struct mu_buf *out, const char *label, struct mu_slice der);

/* ---- names --------------------------------------------------------------------------------- */

enum mu_gname_type {
    MU_GNAME_OTHER, /* otherName, x400Address, ediPartyName, registeredID: the contents, raw      */
    MU_GNAME_DNS,   /* text: printable ASCII, case as it came                                     */
    MU_GNAME_EMAIL, /* likewise                                                                   */
    MU_GNAME_URI,   /* likewise                                                                   */
    MU_GNAME_IP,    /* 4 or 16 bytes; in constraints 8 or 32, address and mask                    */
    MU_GNAME_DIRNAME, /* a Name in DER */
};
struct mu_gname {
    enum mu_gname_type type;
    struct mu_slice bytes;
};
/* A name constraint (RFC 5280 section 4.2.1.10); `ranged`: it has a minimum or maximum, which
 * section 4.2.1.10 forbids. */
struct mu_subtree {
    struct mu_gname base;
    bool ranged;
};
/* Appends the form that two equal Names share (RFC 5280 section 7.1: case, white space and string
 * type folded). A Name lies within the subtree of another when the other's form begins its own.
 * False: not a well-formed Name, or no memory. */
bool mu_name_canon(struct mu_slice name, struct mu_buf *out);
/* Two DER Names are the same; a malformed one equals nothing. */
bool mu_name_equal(struct mu_slice a, struct mu_slice b);
/* `name` lies in the directoryName subtree `base`. */
bool mu_name_within(struct mu_slice base, struct mu_slice name);
/* Appends the one-line text in the order of RFC 4514, hostile bytes escaped. */
void mu_name_text(struct mu_buf *out, struct mu_slice name);
/* Reads such a text back: appends the DER of a Name that is equal to the one it was made of.
 * NAME_MALFORMED: not of the form of RFC 4514, which leaves no space before "=". */
bool mu_name_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err);
/* Appends a general name for people: "DNS:a.example", "IP:10.0.0.1", escaped. */
void mu_gname_text(struct mu_buf *out, const struct mu_gname *name);

/* ---- keys and signatures ------------------------------------------------------------------- */

enum mu_key_kind { MU_KEY_OTHER, MU_KEY_EC, MU_KEY_RSA, MU_KEY_RSA_PSS, MU_KEY_ED25519 };
enum mu_curve { MU_CURVE_NONE, MU_CURVE_P256, MU_CURVE_P384, MU_CURVE_P521, MU_CURVE_OTHER };
/* What a SubjectPublicKeyInfo says. `weak` names the reason, or is NULL when the key is strong
 * enough: RSA of 2048 to MU_LIMIT_RSA_BITS bits with a sane exponent, P-256/384/521, Ed25519. */
struct mu_key_info {
    enum mu_key_kind kind;
    enum mu_curve curve;
    unsigned bits;
    const char *weak;
    const char *text; /* "EC P-256", "RSA", constant */
};
bool mu_spki_info(struct mu_slice spki, struct mu_key_info *ret_info);

enum mu_digest {
    MU_DIGEST_NONE,
    MU_DIGEST_WEAK /* SHA-1, MD5 and older */,
    MU_DIGEST_SHA256,
    MU_DIGEST_SHA384,
    MU_DIGEST_SHA512,
    MU_DIGEST_OTHER
};
/* What an AlgorithmIdentifier of a signature says. kind OTHER: not understood. */
struct mu_sig_info {
    enum mu_key_kind kind; /* RSA: PKCS#1 v1.5; RSA_PSS: PSS, by either sort of RSA key */
    enum mu_digest digest; /* NONE for Ed25519 */
    unsigned salt;         /* PSS */
    const char *text;      /* "ECDSA with SHA-256", constant */
};

/* Signature schemes, by their TLS code points (RFC 8446 section 4.2.3); all serve in X.509 too. */
enum mu_scheme {
    MU_SCHEME_NONE = 0,
    MU_SCHEME_RSA_PKCS1_SHA256 = 0x0401,
    MU_SCHEME_RSA_PKCS1_SHA384 = 0x0501,
    MU_SCHEME_RSA_PKCS1_SHA512 = 0x0601,
    MU_SCHEME_ECDSA_P256_SHA256 = 0x0403,
    MU_SCHEME_ECDSA_P384_SHA384 = 0x0503,
    MU_SCHEME_ECDSA_P521_SHA512 = 0x0603,
    MU_SCHEME_RSA_PSS_RSAE_SHA256 = 0x0804,
    MU_SCHEME_RSA_PSS_RSAE_SHA384 = 0x0805,
    MU_SCHEME_RSA_PSS_RSAE_SHA512 = 0x0806,
    MU_SCHEME_ED25519 = 0x0807,
    MU_SCHEME_RSA_PSS_PSS_SHA256 = 0x0809,
    MU_SCHEME_RSA_PSS_PSS_SHA384 = 0x080a,
    MU_SCHEME_RSA_PSS_PSS_SHA512 = 0x080b,
};

/* A key pair, or only its public half. Wraps whatever OpenSSL key it was given, so the private
 * half may live behind a provider. */
struct mu_key;
enum mu_key_spec {
    MU_SPEC_EC_P256,
    MU_SPEC_EC_P384,
    MU_SPEC_RSA_2048,
    MU_SPEC_RSA_3072,
    MU_SPEC_RSA_4096,
    MU_SPEC_ED25519,
    MU_SPEC_COUNT_
};
/* "ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519". Constant. */
const char *mu_key_spec_word(enum mu_key_spec spec);
bool mu_key_spec_find(const char *word, enum mu_key_spec *ret_spec);
/* Which of them a public key is: RSA by the greatest that is not above its bits. False: none. */
bool mu_key_spec_of(const struct mu_key_info *info, enum mu_key_spec *ret_spec);
bool mu_key_generate(enum mu_key_spec spec, struct mu_key **ret_key, struct mutual_error *err);
/* The one private key among the PEM blocks (PKCS#8 plain or encrypted, SEC 1, PKCS#1); certificates
 * and parameters beside it are passed over. Never asks anybody: `passphrase` may be NULL.
 * PEM_MALFORMED, KEY_MALFORMED, KEY_PASSPHRASE, KEY_UNSUPPORTED (kind, curve, size). */
bool mu_key_from_pem(struct mu_slice text, const char *what, const char *passphrase,
                     struct mu_key **ret_key, struct mutual_error *err);
/* The same from PKCS#8 PrivateKeyInfo in DER. */
bool mu_key_from_der(struct mu_slice pkcs8, struct mu_key **ret_key, struct mutual_error *err);
/* Public half only. KEY_MALFORMED, KEY_UNSUPPORTED. */
bool mu_key_from_spki(struct mu_slice spki, struct mu_key **ret_key, struct mutual_error *err);
/* Takes a reference of its own. `spki` is the public half in DER where the caller knows it, so that
 * a provider's key need not be able to encode itself; empty: the key is asked. */
bool mu_key_from_evp(struct evp_pkey_st *pkey, struct mu_slice spki, struct mu_key **ret_key,
                     struct mutual_error *err);
struct evp_pkey_st *mu_key_evp(const struct mu_key *key);
struct mu_key *mu_key_ref(struct mu_key *key);
void mu_key_unref(struct mu_key *key);
void mu_key_auto(struct mu_key **key);
const struct mu_key_info *mu_key_info(const struct mu_key *key);
struct mu_slice mu_key_spki(const struct mu_key *key);
const uint8_t *mu_key_hash(const struct mu_key *key); /* SHA-256 of the SPKI, 32 bytes */
/* Appends PKCS#8 PEM; with a passphrase AES-256-CBC, PBKDF2 (HMAC-SHA-256, 600,000 rounds). Wipe
 * the buffer afterwards (mu_wipe). KEY_UNSUPPORTED when the private half cannot leave its home. */
bool mu_key_to_pem(const struct mu_key *key, const char *passphrase, struct mu_buf *out,
                   struct mutual_error *err);
void mu_key_public_pem(const struct mu_key *key, struct mu_buf *out);
/* The scheme such a key signs certificates with, and whether it can sign by a scheme. */
enum mu_scheme mu_key_scheme(const struct mu_key *key);
bool mu_key_can(const struct mu_key *key, enum mu_scheme scheme);
/* Signs `bytes` whole (the digest is taken inside); appends the signature. KEY_UNSUPPORTED when
 * the scheme does not fit, KEY_UNAVAILABLE when the key did not sign. */
bool mu_key_sign(const struct mu_key *key, enum mu_scheme scheme, struct mu_slice bytes,
                 struct mu_buf *out, struct mutual_error *err);
/* CERT_SIGNATURE when the signature is wrong. */
bool mu_key_verify(const struct mu_key *key, enum mu_scheme scheme, struct mu_slice bytes,
                   struct mu_slice signature, struct mutual_error *err);

/* ---- certificates -------------------------------------------------------------------------- */

enum mu_key_usage { /* RFC 5280 section 4.2.1.3 */
                    MU_KU_DIGITAL_SIGNATURE = 1u << 0,
                    MU_KU_NON_REPUDIATION = 1u << 1,
                    MU_KU_KEY_ENCIPHERMENT = 1u << 2,
                    MU_KU_DATA_ENCIPHERMENT = 1u << 3,
                    MU_KU_KEY_AGREEMENT = 1u << 4,
                    MU_KU_KEY_CERT_SIGN = 1u << 5,
                    MU_KU_CRL_SIGN = 1u << 6,
                    MU_KU_ENCIPHER_ONLY = 1u << 7,
                    MU_KU_DECIPHER_ONLY = 1u << 8,
};
enum mu_eku { /* section 4.2.1.12 */
              MU_EKU_SERVER = 1u << 0,
              MU_EKU_CLIENT = 1u << 1,
              MU_EKU_CODE = 1u << 2,
              MU_EKU_EMAIL = 1u << 3,
              MU_EKU_TIME = 1u << 4,
              MU_EKU_OCSP = 1u << 5,
              MU_EKU_ANY = 1u << 6,
              MU_EKU_OTHER = 1u << 7,
};

/* Rules of RFC 5280 that a certificate breaks: one bit each, in the order of the table. */
#define X(name_, text_) MU_FLAW_BIT_##name_,
enum mu_cert_flaw_bit {
#include "x509/flaw.def"
    MU_FLAW_COUNT_
};
#undef X
#define MU_FLAW(name_) (UINT64_C(1) << MU_FLAW_BIT_##name_)
/* The sentence of the lowest bit set, or NULL. */
const char *mu_cert_flaw_text(uint64_t flaws);

/* Reasons as bits, numbered as in ReasonFlags (section 4.2.1.13): keyCompromise to aACompromise. */
#define MU_REASONS_ALL 0x1feu
/* A distribution point (section 4.2.1.13), of a certificate. Names are in a form in which two that
 * are equal are so byte by byte; those of cRLIssuer are as mu_name_canon. */
struct mu_crl_point {
    const struct mu_slice *names;
    size_t name_count;
    const struct mu_slice *issuers; /* who signs the list, where it is not the issuer */
    size_t issuer_count;
    unsigned reasons; /* bits; without any word of reasons all */
};

/* Everything decisions need, read once. Slices and texts live as long as the certificate. */
struct mu_cert_facts {
    struct mu_slice der, tbs, signature, spki;
    uint8_t fingerprint[32]; /* SHA-256 of der */
    uint8_t key_hash[32];    /* SHA-256 of spki */
    struct mu_key_info key;
    struct mu_sig_info sig;
    uint64_t flaws;
    unsigned version;                /* 1, 2 or 3 */
    struct mu_slice serial;          /* magnitude, big-endian, no leading zero; see the flaws */
    struct mu_slice subject, issuer; /* DER Names */
    struct mu_slice subject_canon, issuer_canon; /* as mu_name_canon: equal when the Names are */
    const char *subject_text, *issuer_text;      /* escaped, RFC 4514 order */
    const char *display;                         /* common name or first name, escaped, short */
    bool self_issued;                            /* the two Names are equal */
    int64_t not_before_s, not_after_s;

    const struct mu_gname *names; /* subject alternative names, in order */
    size_t name_count;
    const struct mu_slice *common_names; /* UTF-8 without control bytes */
    size_t common_name_count;
    const struct mu_slice *subject_emails; /* emailAddress attributes of the subject */
    size_t subject_email_count;

    bool has_san, has_bc, has_ku, has_eku, has_nc, has_policies;
    bool bc_critical, ku_critical, eku_critical, nc_critical, san_critical;
    bool ca;
    bool must_staple;            /* its TLS features hold status_request (RFC 7633) */
    bool ocsp_nocheck;           /* id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1) */
    bool has_aki_issuer;         /* authorityCertIssuer and serial are there */
    int path_length;             /* -1: none */
    int require_explicit_policy; /* skip count of policyConstraints, -1: none */
    unsigned key_usage, eku;     /* bits; meaningful when has_ku, has_eku */
    struct mu_slice skid, akid;  /* data NULL: none */
    const struct mu_subtree *permitted, *excluded;
    size_t permitted_count, excluded_count;
    const char *const *crl_uris, *const *ocsp_uris, *const *issuer_uris; /* NULL-terminated; text */
    const struct mu_crl_point *crl_points;
    size_t crl_point_count;
    const char *const *policies;         /* NULL-terminated OIDs */
    const char *const *unknown_critical; /* NULL-terminated OIDs of extensions not understood */
};

struct mu_cert;
/* Copies `der`. CERT_MALFORMED: not one whole DER certificate, or larger than MU_LIMIT_CERT_BYTES,
 * or more than MU_LIMIT_CERT_NAMES names; NAME_MALFORMED: NUL, control or non-ASCII bytes in a
 * name. */
bool mu_cert_from_der(struct mu_slice der, struct mu_cert **ret_cert, struct mutual_error *err);
/* Keeps a reference to `x509`, so that nobody parses it again. */
bool mu_cert_from_x509(struct x509_st *x509, struct mu_cert **ret_cert, struct mutual_error *err);
/* The certificate as OpenSSL's object, made when first asked for; borrowed. NULL: OpenSSL does not
 * take it, or no memory. */
struct x509_st *mu_cert_x509(const struct mu_cert *cert);
struct mu_cert *mu_cert_ref(const struct mu_cert *cert);
void mu_cert_unref(struct mu_cert *cert);
void mu_cert_auto(struct mu_cert **cert);
const struct mu_cert_facts *mu_cert_facts(const struct mu_cert *cert);
void mu_cert_to_pem(const struct mu_cert *cert, struct mu_buf *out);
/* The content of the one extension of that OID ("1.3.6.1.5.5.7.1.31"), of a kind that the facts say
 * nothing of; a slice of the certificate. False: there is none. */
bool mu_cert_extension(const struct mu_cert *cert, const char *oid, struct mu_slice *ret_value,
                       bool *ret_critical);

/* A growing list of references. All-zero is empty. */
struct mu_certs {
    struct mu_cert **items;
    size_t count, cap;
};
/* Takes its own reference; at most MU_LIMIT_BUNDLE_CERTS (LIMIT). */
bool mu_certs_add(struct mu_certs *certs, const struct mu_cert *cert, struct mutual_error *err);
void mu_certs_done(struct mu_certs *certs);
void mu_certs_auto(struct mu_certs *certs);
/* Appends every certificate of the text; private keys, parameters and CRLs beside them are passed
 * over, other blocks refused. `what` names the text. No certificate at all: PEM_MALFORMED. */
bool mu_certs_from_pem(struct mu_slice text, const char *what, struct mu_certs *certs,
                       struct mutual_error *err);

/* The issuer's key made the signature. Looks at nothing else: not names, time or key usage.
 * WEAK_SIGNATURE, WEAK_KEY (the issuer's), KEY_UNSUPPORTED, CERT_SIGNATURE. */
bool mu_cert_signed_by(const struct mu_cert *cert, const struct mu_cert *issuer,
                       struct mutual_error *err);
/* Cheap: names agree, and key identifiers where both have one. Says nothing about signatures. */
bool mu_cert_may_issue(const struct mu_cert *issuer, const struct mu_cert *cert);
/* KEY_MISMATCH. */
bool mu_key_matches(const struct mu_key *key, const struct mu_cert *cert, struct mutual_error *err);

/* Certificates in a CMS message without content and signers, as EST carries them (RFC 8951 section
 * 3); appends DER. LIBRARY. */
struct mu_certs;
bool mu_cms_write(const struct mu_certs *certs, struct mu_buf *out, struct mutual_error *err);
/* CERT_MALFORMED, LIMIT (more than MU_LIMIT_CHAIN_SENT). */
bool mu_cms_read(struct mu_slice der, struct mu_certs *ret_certs, struct mutual_error *err);

/* ---- certificate requests (RFC 2986) ------------------------------------------------------- */

struct mu_csr_facts {
    struct mu_slice der, spki;
    struct mu_key_info key;
    struct mu_slice subject;             /* DER Name */
    const char *subject_text;            /* escaped */
    const char *display;                 /* common name or first name, escaped, short */
    const struct mu_slice *common_names; /* UTF-8 without control bytes */
    size_t common_name_count;
    const struct mu_gname *names; /* the requested subject alternative names */
    size_t name_count;
    bool wants_ca; /* it asks for basicConstraints with cA */
    /* The first extension that it marks critical and that is none of a leaf's (names, purposes, key
     * usage, staple), as an OID: whoever asks so wants it or nothing. NULL: none. */
    const char *unknown_critical;
};
struct mu_csr;
/* The request must be signed by its own key. CSR_MALFORMED, CSR_SIGNATURE, NAME_MALFORMED,
 * WEAK_SIGNATURE, KEY_UNSUPPORTED; the strength of its key is left to the caller. */
bool mu_csr_from_der(struct mu_slice der, struct mu_csr **ret_csr, struct mutual_error *err);
/* The one request among the PEM blocks. */
bool mu_csr_from_pem(struct mu_slice text, const char *what, struct mu_csr **ret_csr,
                     struct mutual_error *err);
void mu_csr_free(struct mu_csr *csr);
void mu_csr_auto(struct mu_csr **csr);
const struct mu_csr_facts *mu_csr_facts(const struct mu_csr *csr);

#include "x509/crl.h"

#include "x509/ocsp.h"

#include "x509/build.h"

#include "x509/hkdf.h"

#include "x509/jose.h"
#include "x509/turn.h"

#endif
