/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of trust to the other rooms of the library: the anchors to announce, the facts of a
 * validated chain to carry through a session ticket, and the checks that are made again and again.
 */
#ifndef MU_TRUST_TRUST_H
#define MU_TRUST_TRUST_H

#include <mutual/trust.h>

#include "base/base.h"
#include "identity/identity.h"

struct x509_st;

/* The anchors in the order they were added; owned by the bundle. NULL past the end. */
const struct mu_cert *mu_trust_anchor(const struct mutual_trust *trust, size_t index);
void mu_trust_auto(struct mutual_trust **trust);
/* Only then may anything be validated by it. */
bool mu_trust_is_frozen(const struct mutual_trust *trust);

/* As mutual_trust_validate, of certificates that OpenSSL has parsed already (and bounded in size),
 * so that no public key is decoded twice. With a table (or NULL) no authority's signature on
 * another is verified twice either, whoever shows them; the answer is the same. */
struct mu_known;
bool mu_trust_validate_x509(const struct mutual_trust *trust, struct x509_st *const *certs,
                            size_t count, enum mutual_purpose purpose, int64_t now_s,
                            struct mu_known *known, struct mutual_chain **ret_chain,
                            struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Judges a chain that was validated before, of this bundle or an older generation of it, by what
 * may have changed: every link's time (CERT_EXPIRED, CERT_NOT_YET_VALID), the anchor (still in the
 * bundle, else UNKNOWN_ISSUER) and revocation (CERT_REVOKED, CRL_STALE, CRL_MISSING). Signatures,
 * purposes and constraints are facts that do not change. On success *ret_until_s (may be NULL) is
 * the first second at which the answer may become another one without any change to the bundle:
 * a link ends, or a list goes stale. */
bool mu_trust_recheck(const struct mutual_trust *trust, const struct mutual_chain *chain,
                      int64_t now_s, int64_t *ret_until_s,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;

/* What a file of revocation lists says, read and verified once for everybody: a table without
 * pointers, for memory that several processes map. The bundle holds the certificates already and is
 * not frozen. Appends to `out` (its limit: MU_LIMIT_CRL_BYTES). Fails as mutual_trust_add_crl. */
bool mu_trust_table_make(const struct mutual_trust *trust, struct mu_slice file, struct mu_buf *out,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Adds the lists of a table that was made for a bundle of the same certificates, by somebody who is
 * believed: signatures are not verified again, nothing is copied, and a million entries cost no
 * more than one. MESSAGE_MALFORMED. */
bool mu_trust_table_add(struct mutual_trust *trust, struct mu_shared *table,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* SHA-256 of the file that the table was made of; false: it is no table. */
bool mu_trust_table_digest(struct mu_slice table, uint8_t ret_digest[32]);

/* What is known of one list of a bundle; borrowed from it. */
struct mu_trust_list {
    const char *issuer;     /* as text */
    struct mu_slice number; /* magnitude */
    bool delta;             /* goes with the complete list before it */
    int64_t this_update_s;
    int64_t next_update_s;
    int64_t stale_from_s; /* when it is used no more; MU_TIME_NEVER_S: never */
    size_t entries;
    uint8_t key_hash[32]; /* of who signed it */
    struct mu_slice issuer_canon,
        scope; /* whose, and about whom (the encoded distribution point) */
};
/* The lists one after the other; false past the last. */
bool mu_trust_list(const struct mutual_trust *trust, size_t index, struct mu_trust_list *ret_list);

/* Is it the same list (issuer, key, scope) as one in use, but older: by its number (RFC 5280
 * section 5.2.3: "CRL numbers ... monotonically increasing") or by its date? */
bool mu_trust_list_is_behind(const struct mu_trust_list *list, const struct mu_trust_list *used);
/* Its number in decimal, or in hexadecimal where it is long. */
#define MU_NUMBER_TEXT 64
const char *mu_trust_list_number(const struct mu_trust_list *list, char text[MU_NUMBER_TEXT]);

/* What the lists say of one link of a chain, its place counted from the leaf: MUTUAL_OK,
 * CERT_REVOKED, CRL_STALE or CRL_MISSING. A look-up, no more. */
enum mutual_code mu_trust_link_status(const struct mutual_trust *trust,
                                      const struct mutual_link *link, size_t index, int64_t now_s);
/* Do two bundles, one perhaps the other's successor, say different things of any link of the chain
 * but its anchor? */
bool mu_trust_status_differs(const struct mutual_trust *a, const struct mutual_trust *b,
                             const struct mutual_chain *chain, int64_t now_s);

/* Would a chain that `before` validated be validated by `trust`, too, as far as anchors and demands
 * go? Its path is a fact; so it would when its anchor is an anchor there, byte for byte, when what
 * the bundle lent to the path is there, and when paths have to meet the demands that they had to
 * meet before. Time and revocation are no part of the answer: mu_trust_recheck. */
bool mu_trust_follows(const struct mutual_trust *trust, const struct mutual_trust *before,
                      const struct mutual_chain *chain);

/* Reads the OCSP response that a server sent about the leaf of the chain, signature and signer
 * verified; `certs` are what else it sent, for the issuer may be among them. The staple is NONE
 * when nobody wants it here, and NO_ANSWER when the responder had none. OCSP_MALFORMED,
 * OCSP_OTHER_CERT, OCSP_SIGNER, OCSP_SIGNATURE, OCSP_STALE (made in a time to come), CERT_REVOKED
 * (its signer was), and as mu_ocsp_signed_by. What it says is judged by mu_trust_check_staple. */
bool mu_trust_read_staple(const struct mutual_trust *trust, const struct mutual_chain *chain,
                          struct x509_st *const *certs, size_t count, struct mu_slice response,
                          int64_t now_s, struct mutual_staple *ret_staple,
                          struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Judges a server's chain by the staple that came with it at proved_at_s: CERT_REVOKED, OCSP_STALE,
 * OCSP_UNKNOWN; OCSP_MISSING and OCSP_UNSUCCESSFUL where one is needed. One that was good when it
 * came and is past its next update does not clear any more: it counts as none. *ret_until_s is
 * lowered to the moment at which the answer changes by itself. */
bool mu_trust_check_staple(const struct mutual_trust *trust, const struct mutual_chain *chain,
                           const struct mutual_staple *staple, int64_t proved_at_s, int64_t now_s,
                           int64_t *ret_until_s, struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- chains that were validated before ----------------------------------------------------------
 *
 * A table of chains by what they were found from, so that no signature is verified twice. Several
 * contexts of one thread may share one. It answers only as mu_trust_validate_x509 would, and what
 * may change (time, revocation) is asked anew each time; it never holds a refusal. */

/* Holds the chains of at most `max`, about 2 KiB each; 0: nothing is kept. NULL: no memory. */
struct mu_known *mu_known_new(size_t max);
struct mu_known *mu_known_ref(struct mu_known *known);
void mu_known_unref(struct mu_known *known);
void mu_known_auto(struct mu_known **known);
size_t mu_known_count(const struct mu_known *known);
/* What a chain is found by: the bundle but for its lists, the role and all that was presented, in
 * whatever unambiguous form. LIBRARY. */
bool mu_known_key(const struct mutual_trust *trust, enum mutual_purpose purpose,
                  struct mu_slice presented, uint8_t ret_key[32],
                  struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A reference to the chain that validating anew would yield, or NULL: then validate. */
struct mutual_chain *mu_known_find(struct mu_known *known, const uint8_t key[32],
                                   const struct mutual_trust *trust, int64_t now_s);
/* Keeps a chain that was validated from what the key was made of. Only for a peer that has proved
 * its key, for whoever else can show a certificate could fill the table with it. */
void mu_known_put(struct mu_known *known, const uint8_t key[32], struct mutual_chain *chain);

/* Makes a chain from its parts, which are copied: for what comes out of a session ticket, and for
 * tests. `links` leaf first; `subject` and `issuer` are the leaf's. Fails with LIMIT,
 * NAME_MALFORMED, SPIFFE_MALFORMED or NO_MEMORY. */
bool mu_chain_new(const struct mutual_link *links, size_t link_count,
                  const struct mutual_name *names, size_t name_count, const char *subject,
                  const char *issuer, struct mutual_chain **ret_chain,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;
void mu_chain_auto(struct mutual_chain **chain);

/* The chain as bytes for a session ticket, and back. The form is ours and versioned; parsing is
 * strict (MESSAGE_MALFORMED) and authenticates nothing: the ticket does that. Writing fails with
 * LIMIT when the buffer is too small. */
bool mu_chain_serialise(const struct mutual_chain *chain, struct mu_buf *out,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
bool mu_chain_parse(struct mu_slice bytes, struct mutual_chain **ret_chain,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- what would change the answer; for people, no part of a decision --------------------------
 */

/* The bundle's own certificate with that fingerprint, anchor or intermediate, or NULL. */
const struct mu_cert *mu_trust_cert(const struct mutual_trust *trust,
                                    const uint8_t fingerprint[32]);
/* When a revocation list that clears this link of the chain goes stale, MU_TIME_NEVER_S when none
 * does; now_s when the link is not good at that time. `index` counts from the leaf. */
int64_t mu_trust_lists_until(const struct mutual_trust *trust, const struct mutual_chain *chain,
                             size_t index, int64_t now_s);
/* Would such an authority be of use as an anchor of the bundle, for peers of that purpose and with
 * that name (NULL: whatever name)? Its dates, key, usage, extensions and name constraints are
 * judged as on a path, and its own signature, which no path asks for. As mutual_trust_validate. */
bool mu_trust_judge_anchor(const struct mutual_trust *trust, const struct mu_cert *anchor,
                           enum mutual_purpose purpose, const struct mutual_name *name,
                           int64_t now_s, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A frozen bundle like this one but without the anchor of that fingerprint, and without the lists
 * that only it vouched for. BUNDLE_EMPTY when it is the only one, NO_MEMORY. */
bool mu_trust_without(const struct mutual_trust *trust, const uint8_t fingerprint[32],
                      struct mutual_trust **ret_trust, struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
