/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for the online certificate status protocol (RFC 6960); included by x509.h.
 * A response is read from the very bytes it came in and authenticated against the issuer; what
 * follows from its words, and whether they are still of this time, is decided elsewhere.
 */
#ifndef MU_X509_OCSP_H
#define MU_X509_OCSP_H

/* How a response names a certificate: by digests of its issuer's name and key. SHA-1 is what
 * responders speak (RFC 9654 section 3.1 keeps it for that); nothing is signed with it. */
enum mu_ocsp_hash { MU_OCSP_SHA1, MU_OCSP_SHA256, MU_OCSP_HASH_OTHER };
struct mu_ocsp_id { /* CertID, section 4.1.1 */
    enum mu_ocsp_hash hash;
    struct mu_slice name_hash, key_hash;
    struct mu_slice serial; /* as mu_cert_facts.serial */
};
/* The digests by which an issuer is named, for each of the hashes. */
struct mu_ocsp_issuer {
    uint8_t name[MU_OCSP_HASH_OTHER][32];
    uint8_t key[MU_OCSP_HASH_OTHER][32];
};
bool mu_ocsp_issuer_of(const struct mu_cert *issuer, struct mu_ocsp_issuer *ret_issuer,
                       struct mutual_error *err);
/* The identifier is of a certificate of that issuer. */
bool mu_ocsp_id_of(const struct mu_ocsp_id *id, const struct mu_ocsp_issuer *issuer);

enum mu_ocsp_status { MU_OCSP_GOOD, MU_OCSP_UNKNOWN, MU_OCSP_REVOKED }; /* from good to bad */
const char *mu_ocsp_status_word(enum mu_ocsp_status status);            /* "good"; constant */

/* ---- responses --------------------------------------------------------------------------------
 */

struct mu_ocsp_answer { /* SingleResponse, section 4.2.1 */
    struct mu_ocsp_id id;
    enum mu_ocsp_status status;
    int64_t revoked_at_s; /* REVOKED */
    enum mu_reason reason;
    int64_t this_update_s;
    int64_t next_update_s; /* MU_TIME_NEVER_S when it names none */
};
struct mu_ocsp_facts {
    struct mu_slice der;
    const char *failure; /* "tryLater" ...: no answer, and no other field; NULL: there is one */
    struct mu_slice tbs, signature; /* tbs: the ResponseData */
    struct mu_sig_info sig;
    struct mu_slice by_name, by_key; /* who signed: a DER Name, or the SHA-1 of a key */
    const char *responder_text;      /* the one or the other for people, escaped */
    int64_t produced_at_s;
    const struct mu_ocsp_answer *answers;
    size_t count;          /* at least one */
    struct mu_slice nonce; /* data NULL: none */
    struct mu_certs certs; /* that came with it; those that can be read */
    /* NULL-terminated OIDs of critical extensions that are not understood, of the response or of
     * an answer: such a response says nothing. */
    const char *const *unknown_critical;
};
struct mu_ocsp;
/* Copies `der`. OCSP_MALFORMED, also of one larger than MU_LIMIT_OCSP_BYTES. */
bool mu_ocsp_from_der(struct mu_slice der, struct mu_ocsp **ret_ocsp, struct mutual_error *err);
void mu_ocsp_free(struct mu_ocsp *ocsp);
void mu_ocsp_auto(struct mu_ocsp **ocsp);
const struct mu_ocsp_facts *mu_ocsp_facts(const struct mu_ocsp *ocsp);
/* What it says about the certificate; where it says several things, the worst. OCSP_UNSUCCESSFUL,
 * OCSP_OTHER_CERT. */
bool mu_ocsp_find(const struct mu_ocsp *ocsp, const struct mu_cert *cert,
                  const struct mu_cert *issuer, const struct mu_ocsp_answer **ret_answer,
                  struct mutual_error *err);
/* It was signed by the issuer, or by whom the issuer itself certified for that purpose, who holds
 * the certificate at now_s (section 4.2.2.2). *ret_delegate is that certificate, borrowed, or NULL:
 * whether it was revoked in its turn is left to the caller. OCSP_SIGNER, OCSP_SIGNATURE,
 * CRITICAL_EXTENSION, WEAK_SIGNATURE, WEAK_KEY, KEY_UNSUPPORTED. */
bool mu_ocsp_signed_by(const struct mu_ocsp *ocsp, const struct mu_cert *issuer, int64_t now_s,
                       const struct mu_cert **ret_delegate, struct mutual_error *err);
/* It repeats this nonce. OCSP_NONCE. */
bool mu_ocsp_check_nonce(const struct mu_ocsp *ocsp, struct mu_slice nonce,
                         struct mutual_error *err);
/* How far the clock of a responder may be ahead of ours. */
#define MU_OCSP_SKEW_S INT64_C(300)
/* The answer holds at now_s: from thisUpdate, with that skew, to nextUpdate, without. One that
 * names no end is never taken (RFC 5019 section 2.2.4). OCSP_STALE; `who` names the certificate. */
bool mu_ocsp_check_fresh(int64_t this_update_s, int64_t next_update_s, int64_t now_s,
                         const char *who, struct mutual_error *err);

/* ---- requests ---------------------------------------------------------------------------------
 */

struct mu_ocsp_request_facts {
    const struct mu_ocsp_id *ids;
    size_t count;          /* at least one */
    struct mu_slice nonce; /* data NULL: none */
    bool is_signed;        /* nobody looks at the signature */
};
struct mu_ocsp_request;
/* OCSP_MALFORMED. */
bool mu_ocsp_request_from_der(struct mu_slice der, struct mu_ocsp_request **ret_request,
                              struct mutual_error *err);
void mu_ocsp_request_free(struct mu_ocsp_request *request);
void mu_ocsp_request_auto(struct mu_ocsp_request **request);
const struct mu_ocsp_request_facts *mu_ocsp_request_facts(const struct mu_ocsp_request *request);
/* Appends an unsigned request about one certificate; `nonce` may be empty. */
bool mu_ocsp_request_build(const struct mu_cert *cert, const struct mu_cert *issuer,
                           enum mu_ocsp_hash hash, struct mu_slice nonce, struct mu_buf *out,
                           struct mutual_error *err);

/* ---- responses made ---------------------------------------------------------------------------
 */

/* What a response is to say. Of an answer's id the serial and the hash are looked at: the rest is
 * the issuer's. */
struct mu_ocsp_template {
    const struct mu_cert *issuer;    /* of the certificates that it is about   */
    const struct mu_cert *responder; /* who signs: the issuer, or its delegate */
    int64_t produced_at_s;
    const struct mu_ocsp_answer *answers;
    size_t count;
    struct mu_slice nonce; /* empty: none */
};
/* Appends the ResponseData. USAGE: the template contradicts itself. */
bool mu_ocsp_build_tbs(const struct mu_ocsp_template *template, struct mu_buf *out,
                       struct mutual_error *err);
/* Appends the OCSPResponse around it; `delegate` goes along when it is not NULL. */
bool mu_ocsp_build(struct mu_slice tbs, enum mu_scheme scheme, struct mu_slice signature,
                   const struct mu_cert *delegate, struct mu_buf *out, struct mutual_error *err);
/* Builds and signs by mu_key_scheme(key). Errors as mu_cert_sign. */
bool mu_ocsp_sign(const struct mu_ocsp_template *template, const struct mu_key *key,
                  struct mu_buf *out, struct mutual_error *err);
/* The answers of a responder that has none (section 4.2.1). */
enum mu_ocsp_failure {
    MU_OCSP_MALFORMED_REQUEST = 1,
    MU_OCSP_INTERNAL_ERROR = 2,
    MU_OCSP_TRY_LATER = 3,
    MU_OCSP_SIG_REQUIRED = 5,
    MU_OCSP_UNAUTHORIZED = 6
};
bool mu_ocsp_build_failure(enum mu_ocsp_failure failure, struct mu_buf *out);

#endif
