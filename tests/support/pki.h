/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for tests in two or three lines. Everything is made afresh by the x509 room, with
 * the clock at PKI_NOW_S, lives until the process ends, and fails the test (by ending the process)
 * when it cannot be made. Link unit_pki_dep.
 *
 *     struct pki *root = pki_root("Root");
 *     struct pki *sub = pki_ca(root, "Issuing");
 *     struct pki *leaf = pki_issue(sub, (struct pki_leaf){.uri = "spiffe://example.org/a"});
 *     ... leaf->cert, leaf->key, pki_pem(leaf), pki_chain_pem(leaf), pki_key_pem(leaf)
 */
#ifndef TESTS_SUPPORT_PKI_H
#define TESTS_SUPPORT_PKI_H

#include "x509/x509.h"

#define PKI_NOW_S INT64_C(1800000000) /* 2027-01-15T08:00:00Z */
#define PKI_DAY_S INT64_C(86400)

struct pki {
    struct mu_cert *cert;
    struct mu_key *key;
    struct pki *parent; /* NULL: self-signed */
};

/* What a leaf is to be; all-zero is an EC P-256 leaf for both client and server, valid from a day
 * before PKI_NOW_S to 90 days after. */
struct pki_leaf {
    const char *cn;
    const char *dns, *dns2, *uri, *email; /* subject alternative names */
    const char *ip;                       /* "10.0.0.1" or "::1" */
    bool client, server;                  /* neither: both */
    bool no_eku;
    int64_t not_before, not_after; /* 0: the default */
    enum mu_key_spec spec;
    struct mu_key *key;         /* use this key instead of a new one */
    struct mu_cert_template *t; /* start from this; what is set above is written over it */
};

/* Self-signed authority, valid for ten years around PKI_NOW_S. */
struct pki *pki_root(const char *cn);
/* Subordinate authority without a path length. */
struct pki *pki_ca(struct pki *parent, const char *cn);
/* Anything else, from a template; issuer, key and times are filled in where it leaves them empty.
 * parent NULL: self-signed. */
struct pki *pki_make(struct pki *parent, const struct mu_cert_template *t, enum mu_key_spec spec);
/* The same with a key given. */
struct pki *pki_make_with(struct pki *parent, const struct mu_cert_template *t, struct mu_key *key);
struct pki *pki_issue(struct pki *parent, struct pki_leaf leaf);
/* A self-signed leaf (a stranger's). */
struct pki *pki_stranger(const char *cn);

/* PEM texts, NUL-terminated, living until the end. */
const char *pki_pem(const struct pki *node);       /* the certificate */
const char *pki_chain_pem(const struct pki *node); /* it and its issuers but the root */
const char *pki_key_pem(const struct pki *node);   /* its key, PKCS#8 */
/* A revocation list of `issuer` in DER, this update a day ago, next in seven; the nodes end with
 * NULL. */
struct mu_slice pki_crl(struct pki *issuer, ...) __attribute__((sentinel));
/* The same with times and number. */
struct mu_slice pki_crl_at(struct pki *issuer, int64_t this_s, int64_t next_s, uint64_t number,
                           struct pki *const *revoked, size_t count);
struct mu_slice pki_der(const struct pki *node);

/* An OCSP response about `leaf` in DER; all-zero is a good one by its issuer itself, of a day ago,
 * holding for seven, with a SHA-1 identifier. */
struct pki_answer {
    enum mu_ocsp_status status;
    enum mu_ocsp_hash hash;
    struct pki *issuer;     /* of whom the identifier is; NULL: the leaf's     */
    struct pki *responder;  /* who signs; NULL: the issuer                     */
    int64_t this_s, next_s; /* 0: the default                                  */
    int64_t produced_s;     /* 0: this_s                                       */
    struct mu_slice nonce;
    const struct pki_answer *more; /* a second answer in the same response           */
    struct pki *about;             /* of that second answer: whom it is about        */
};
struct mu_slice pki_ocsp(struct pki *leaf, struct pki_answer answer);
/* A certificate for signing responses on behalf of `issuer`, without OCSP no-check. */
struct pki *pki_responder(struct pki *issuer, const char *cn);

#endif
