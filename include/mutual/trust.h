/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom we believe: trust bundles, and the validation of a peer's chain against one (RFC 5280
 * section 6). Path building is our own and bounded; signatures and parsing are the library's.
 *
 * There is no fallback: an empty bundle is an error, the system's roots are never consulted, and
 * nothing is fetched. A bundle is built, then frozen; a frozen bundle is immutable, safe to share
 * among threads and reference-counted.
 */
#ifndef MUTUAL_TRUST_H
#define MUTUAL_TRUST_H

#include <mutual/error.h>
#include <mutual/identity.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mutual_trust;

/* An empty bundle under construction; `name` is for messages and copied. NULL: out of memory. */
MUTUAL_API struct mutual_trust *mutual_trust_new(const char *name);
/* Adds every certificate of the PEM text as an anchor. A certificate that is no CA is refused
 * (BUNDLE_UNUSABLE); one that is no root too, unless mutual_trust_allow_intermediates. */
MUTUAL_API bool mutual_trust_add_pem(struct mutual_trust *trust, const char *pem, size_t len,
                                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Lets certificates that are not self-issued serve as anchors; call it before adding. */
MUTUAL_API void mutual_trust_allow_intermediates(struct mutual_trust *trust);
/* Tolerates breaches of RFC 5280 that weaken nothing: missing or critical key identifiers, odd
 * serial numbers, extensions that should be critical and are not. Without it they are CERT_PROFILE,
 * in a peer's certificate as well as in an anchor. */
MUTUAL_API void mutual_trust_allow_flaws(struct mutual_trust *trust);
/* Refuses names of a type that a constrained authority's name constraints do not mention. RFC 5280
 * lets them pass: an authority limited to DNS names of partner.example may then still issue any
 * SPIFFE ID. The common name of a certificate below such an authority is not taken either, unless
 * its constraints permit directory names. */
MUTUAL_API void mutual_trust_strict_constraints(struct mutual_trust *trust);
/* At most so many intermediates between leaf and anchor, self-issued ones not counted; the default,
 * and the most, is what MU_LIMIT_CHAIN_DEPTH leaves (CHAIN_TOO_LONG). */
MUTUAL_API void mutual_trust_set_depth(struct mutual_trust *trust, unsigned intermediates);
/* Adds certificates that may complete a path but are no anchors. */
MUTUAL_API bool mutual_trust_add_intermediates_pem(struct mutual_trust *trust, const char *pem,
                                                   size_t len,
                                                   struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Adds revocation lists: every PEM block (or one DER list) must be signed by a certificate of the
 * bundle, anchor or intermediate, so add those first. From then on every certificate of a path is
 * looked up in the lists of its issuer: those of its name revoke, those signed by its key or by
 * another key that is proved to be the same authority's also clear. Of two lists by one key with
 * one scope the one with the higher number is kept; a delta is combined with the complete list that
 * it fits (RFC 5280 section 5.2.4). A partition covers the certificates that name its distribution
 * point, and its reasons; an indirect list those that name its issuer as cRLIssuer, provided that
 * the bundle leads from the list's signer to an anchor. Fails with PEM_MALFORMED, CRL_MALFORMED,
 * CRL_SIGNATURE, CRL_UNSUPPORTED (an unknown critical extension), WEAK_SIGNATURE. */
MUTUAL_API bool mutual_trust_add_crl(struct mutual_trust *trust, const char *pem_or_der, size_t len,
                                     struct mutual_error *err) MUTUAL_MUST_CHECK;

enum mutual_crl_stale {
    MUTUAL_CRL_STALE_REFUSE, /* past its next update, a list judges nobody: all are refused    */
    MUTUAL_CRL_STALE_GRACE,  /* it is used for `grace_s` seconds more                          */
    MUTUAL_CRL_STALE_ACCEPT, /* it is used for ever                                            */
};
/* `required`: an issuer on the path without a list is CRL_MISSING. `leaf_only`: intermediates are
 * not looked up. The default: not required, whole chain, refuse when stale. */
MUTUAL_API void mutual_trust_set_revocation(struct mutual_trust *trust, bool required,
                                            bool leaf_only, enum mutual_crl_stale stale,
                                            int64_t grace_s);

/* What the OCSP response decides that a server sends along with its certificate (RFC 6066 section
 * 8). A certificate that demands one (RFC 7633) gets nowhere without, whatever is chosen here. */
enum mutual_staple_mode {
    MUTUAL_STAPLE_PREFER,  /* the default: one that is sent must be good, none need be sent */
    MUTUAL_STAPLE_REQUIRE, /* no server without a good one                                  */
    MUTUAL_STAPLE_IGNORE,  /* looked at only where the certificate demands it               */
};
MUTUAL_API void mutual_trust_set_staples(struct mutual_trust *trust, enum mutual_staple_mode mode);
/* Ends construction. Fails with BUNDLE_EMPTY when there is no anchor. */
MUTUAL_API bool mutual_trust_freeze(struct mutual_trust *trust,
                                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* new, add_pem from the file, freeze. */
MUTUAL_API bool mutual_trust_load(const char *path, struct mutual_trust **ret_trust,
                                  struct mutual_error *err) MUTUAL_MUST_CHECK;
MUTUAL_API struct mutual_trust *mutual_trust_ref(struct mutual_trust *trust);
MUTUAL_API void mutual_trust_unref(struct mutual_trust *trust);
MUTUAL_API const char *mutual_trust_name(const struct mutual_trust *trust);
MUTUAL_API size_t mutual_trust_anchor_count(const struct mutual_trust *trust);

enum mutual_purpose {
    MUTUAL_PURPOSE_SERVER, /* the certificate is to prove a server (serverAuth) */
    MUTUAL_PURPOSE_CLIENT, /* ... a client (clientAuth) */
};

/* Where a certificate's issuer says that lists about it are found (RFC 5280 section 4.2.1.13): one
 * name of a distribution point. */
struct mutual_point {
    uint8_t name[16];             /* the first bytes of SHA-256 of its comparable form         */
    uint8_t issuer_name_hash[32]; /* of who signs the list; zeros: the certificate's issuer    */
    uint16_t reasons;             /* bits as in ReasonFlags                                    */
};
#define MUTUAL_LINK_POINTS 4

/* One certificate of a validated path, as far as later decisions need it. */
struct mutual_link {
    uint8_t fingerprint[32]; /* SHA-256 of the certificate                                   */
    uint8_t key_hash[32];    /* SHA-256 of its SubjectPublicKeyInfo                          */
    uint8_t issuer_hash[32]; /* key_hash of the issuer (the anchor's: its own)               */
    uint8_t serial[20];      /* big-endian, serial_len bytes                                 */
    uint8_t serial_len;
    int64_t not_before_s;
    int64_t not_after_s;
    uint8_t issuer_name_hash[32]; /* SHA-256 of the issuer's name in its comparable form */
    /* The first names of its distribution points; a list for another point does not cover it. */
    struct mutual_point points[MUTUAL_LINK_POINTS];
    uint8_t point_count;
    bool must_staple; /* a server that presents it has to staple (RFC 7633) */
    bool lent;        /* an intermediate that the peer did not send: the bundle had it */
};

/* What an OCSP response says about one certificate, once its signature was verified. */
enum mutual_staple_status {
    MUTUAL_STAPLE_NONE,      /* there is none                             */
    MUTUAL_STAPLE_NO_ANSWER, /* the responder said that it has no answer  */
    MUTUAL_STAPLE_GOOD,
    MUTUAL_STAPLE_UNKNOWN,
    MUTUAL_STAPLE_REVOKED,
};
struct mutual_staple {
    enum mutual_staple_status status;
    uint8_t fingerprint[32]; /* of the certificate */
    int64_t this_update_s, next_update_s;
    int64_t revoked_at_s;
    uint8_t reason; /* CRLReason, RFC 5280 section 5.3.1 */
};
/* "none", "no-answer", "good", "unknown", "revoked". Constant. */
MUTUAL_API const char *mutual_staple_word(enum mutual_staple_status status);

/* What is known about a peer once its chain was validated: the facts that admission judges again
 * and again. Owns what it points to; reference-counted and immutable. */
struct mutual_chain;
MUTUAL_API struct mutual_chain *mutual_chain_ref(struct mutual_chain *chain);
MUTUAL_API void mutual_chain_unref(struct mutual_chain *chain);
/* The path, leaf first, anchor last; *ret_count links. */
MUTUAL_API const struct mutual_link *mutual_chain_links(const struct mutual_chain *chain,
                                                        size_t *ret_count);
/* The leaf's names in the order of the certificate; the common name, if any, comes last. */
MUTUAL_API const struct mutual_name *mutual_chain_names(const struct mutual_chain *chain,
                                                        size_t *ret_count);
/* Escaped one-line texts (RFC 4514 order) of the leaf's subject and its issuer. */
MUTUAL_API const char *mutual_chain_subject(const struct mutual_chain *chain);
MUTUAL_API const char *mutual_chain_issuer(const struct mutual_chain *chain);
/* The first moment at which some link of the path is no longer valid. */
MUTUAL_API int64_t mutual_chain_not_after_s(const struct mutual_chain *chain);

/* Validates what a peer sent: `certs` are DER, leaf first, the rest in any order. On success
 * *ret_chain holds the facts; on failure the error names the certificate and the check. `now_s` is
 * the time to judge by. Cost is bounded whatever is sent (CHAIN_TOO_COSTLY, CHAIN_TOO_LONG). Does
 * not look at names beyond name constraints: whom to expect is admission's.
 *
 * Every anchor is judged like an authority on the path: its dates, its path length, its name
 * constraints and its purposes hold. Only its own signature does not matter. An extended key usage
 * must name the role; a certificate without the extension may play any role (RFC 5280 section
 * 4.2.1.12), as SPIFFE certificates do; anyExtendedKeyUsage is honoured in authorities, never in a
 * leaf. A leaf that is itself an authority is refused even when it is an anchor. */
struct mutual_der {
    const uint8_t *data;
    size_t len;
};
MUTUAL_API bool mutual_trust_validate(const struct mutual_trust *trust,
                                      const struct mutual_der *certs, size_t count,
                                      enum mutual_purpose purpose, int64_t now_s,
                                      struct mutual_chain **ret_chain,
                                      struct mutual_error *err) MUTUAL_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
