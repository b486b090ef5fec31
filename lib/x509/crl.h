/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the door for revocation lists (RFC 5280 section 5); included by x509.h. A list is one
 * key's word about the certificates within its scope; complete, partitioned, delta and indirect
 * ones are read alike, and what follows from their words is decided elsewhere.
 */
#ifndef MU_X509_CRL_H
#define MU_X509_CRL_H

/* CRLReason, section 5.3.1. */
enum mu_reason {
    MU_REASON_UNSPECIFIED = 0,
    MU_REASON_KEY_COMPROMISE = 1,
    MU_REASON_CA_COMPROMISE = 2,
    MU_REASON_AFFILIATION = 3,
    MU_REASON_SUPERSEDED = 4,
    MU_REASON_CESSATION = 5,
    MU_REASON_HOLD = 6,
    MU_REASON_REMOVE = 8,
    MU_REASON_PRIVILEGE = 9,
    MU_REASON_AA_COMPROMISE = 10
};
/* "keyCompromise" ..., "unspecified" for what is none. Constant. */
const char *mu_reason_word(enum mu_reason reason);
bool mu_reason_find(const char *word, enum mu_reason *ret_reason);

struct mu_revoked {
    struct mu_slice serial; /* as mu_cert_facts.serial */
    int64_t time_s;
    enum mu_reason reason;
    const struct mu_cert *issuer; /* in writing an indirect list: whose; NULL: the list's own */
    const uint8_t *issuer_hash;   /* in reading: as for mu_crl_find_of */
};
struct mu_crl_idp {          /* issuingDistributionPoint, section 5.2.5 */
    const char *const *uris; /* NULL-terminated; may be NULL */
    bool has_point;          /* it names a distribution point, by address or otherwise */
    bool only_user, only_ca, only_attribute, some_reasons, indirect;
    unsigned reasons;             /* bits: those of some_reasons, else all */
    const struct mu_slice *names; /* as in struct mu_crl_point; not used in writing */
    size_t name_count;
    struct mu_slice der; /* the whole extension's value; not used in writing */
};
struct mu_crl_facts {
    struct mu_slice der, tbs, signature;
    struct mu_sig_info sig;
    struct mu_slice issuer, issuer_canon;
    const char *issuer_text;
    int64_t this_update_s, next_update_s; /* next: MU_TIME_NEVER_S when it names none */
    struct mu_slice number;               /* magnitude; data NULL: none */
    struct mu_slice delta_base;           /* base CRL number; data NULL: this is a complete list */
    struct mu_slice akid;
    const struct mu_crl_idp *idp; /* NULL: none */
    /* For how many issuers it speaks: its own, and in an indirect list those its entries name. */
    size_t issuer_count;
    /* NULL-terminated OIDs of critical extensions, of the list or an entry, not understood: such a
     * list says nothing (section 5.2). */
    const char *const *unknown_critical;
    size_t count; /* entries */
};
struct mu_crl;
/* Takes one pass; copies `der`. CRL_MALFORMED. */
bool mu_crl_from_der(struct mu_slice der, struct mu_crl **ret_crl, struct mutual_error *err);
/* The next list of the text: *ret_crl NULL at the end. */
bool mu_crl_from_pem(struct mu_pem_reader *reader, struct mu_crl **ret_crl,
                     struct mutual_error *err);

/* The list as a table: what it says, sorted, in one piece without pointers, so that it can be kept
 * in memory that several processes map. What was signed is not in it, and whoever is given a table
 * believes its giver: facts.der, tbs and signature are empty then. */
struct mu_slice mu_crl_table(const struct mu_crl *crl);
/* The list of a table within `owner`, of which it keeps a reference; nothing is copied. Costs no
 * more for a million entries than for one. MESSAGE_MALFORMED, whatever it is given: what was
 * accepted can be looked up in without reading beyond it, but only its maker sees to the order. */
bool mu_crl_from_table(struct mu_shared *owner, struct mu_slice table, struct mu_crl **ret_crl,
                       struct mutual_error *err);
/* A list that is read without being kept: for who is to sign it, or makes the next one of it. It
 * points into the DER that was given. */
struct mu_crl_outline {
    struct mu_crl_facts facts;
    struct mu_slice entries; /* as they are, one after the other */
    bool ordered;            /* each has a larger serial than the one before */
    struct mu_arena *arena;
};
/* CRL_MALFORMED, as mu_crl_from_der. */
bool mu_crl_outline_of(struct mu_slice der, struct mu_crl_outline *ret_outline,
                       struct mutual_error *err);
void mu_crl_outline_done(struct mu_crl_outline *outline);
void mu_crl_outline_auto(struct mu_crl_outline *outline);
/* As mu_crl_signed_by. */
bool mu_crl_outline_signed_by(const struct mu_crl_outline *outline, const struct mu_cert *issuer,
                              struct mutual_error *err);

/* Gives back the memory of what was signed, once that is verified. For the only holder. */
void mu_crl_forget_der(struct mu_crl *crl);

struct mu_crl *mu_crl_ref(const struct mu_crl *crl);
void mu_crl_unref(struct mu_crl *crl);
void mu_crl_auto(struct mu_crl **crl);
const struct mu_crl_facts *mu_crl_facts(const struct mu_crl *crl);
/* Looks up a serial of the list's own issuer, by bisection; ret_entry may be NULL. */
bool mu_crl_find(const struct mu_crl *crl, struct mu_slice serial, struct mu_revoked *ret_entry);
/* The same in the part of an indirect list that is about another issuer, or its own: SHA-256 of the
 * name as mu_name_canon. */
bool mu_crl_find_of(const struct mu_crl *crl, const uint8_t issuer_hash[32], struct mu_slice serial,
                    struct mu_revoked *ret_entry);
/* The i-th entry in the order of serials. */
struct mu_revoked mu_crl_at(const struct mu_crl *crl, size_t i);
/* CRL_SIGNATURE, WEAK_SIGNATURE, WEAK_KEY, KEY_UNSUPPORTED. Does not compare names. */
bool mu_crl_signed_by(const struct mu_crl *crl, const struct mu_cert *issuer,
                      struct mutual_error *err);

#endif
