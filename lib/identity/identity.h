/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of identity to the other rooms of the library: names of certificates, matching of
 * server names, and our own identity with a key that may live in another process.
 */
#ifndef MU_IDENTITY_IDENTITY_H
#define MU_IDENTITY_IDENTITY_H

#include <mutual/identity.h>

#include "base/base.h"

struct mu_cert;
struct mu_gname;
struct mu_key;

/* ---- the names of a certificate -------------------------------------------------------------- */

/* The names of one certificate, in one block of memory. Immutable. */
struct mu_names;

/* Reads the subject alternative names in the order of the certificate, then the common name, if
 * there is exactly one and it is printable. Types that we do not understand are left out. A name of
 * a type we understand that is malformed refuses the whole certificate (NAME_MALFORMED), so does a
 * URI that begins with "spiffe:" in any case and is no correct SPIFFE ID, and a second SPIFFE ID
 * (SPIFFE_MALFORMED); too many names are LIMIT.
 *
 * A dNSName of the form "*.example.org" is kept with its asterisk: see mu_name_is_wildcard. */
bool mu_names_from_cert(const struct mu_cert *cert, struct mu_names **ret_names,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A copy of names that were checked before, such as those of a session ticket; every name is
 * checked again. */
bool mu_names_new(const struct mutual_name *names, size_t count, struct mu_names **ret_names,
                  struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The same checks over raw general names, nothing kept. */
bool mu_names_check(const struct mu_gname *names, size_t count,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
void mu_names_free(struct mu_names *names);
void mu_names_auto(struct mu_names **names);
/* The names; *ret_count of them, owned by `names`. NULL is an empty list. */
const struct mutual_name *mu_names_list(const struct mu_names *names, size_t *ret_count);

/* A DNS name of a certificate that stands for many: "*.example.org". No pattern of a grant matches
 * it, because the certificate does not say who holds it; only mu_names_match_dns gives it meaning.
 */
bool mu_name_is_wildcard(const struct mutual_name *name);

/* Do these names of a server's certificate cover the host we meant to reach (RFC 9525 section 6)?
 * `host` is a DNS name as people write it, or an IP address, which is compared with IP names only.
 * "*" stands for exactly one whole left-most label; the common name is never looked at. A host that
 * is malformed matches nothing. This is what an outbound `expect: {dns: ...}` must use; SPIFFE,
 * e-mail and URI expectations use mutual_pattern_matches. */
bool mu_names_match_host(const struct mutual_name *names, size_t count, const char *host);
/* The same by a parsed pattern of any type: an exact DNS or IP pattern goes by
 * mu_names_match_host's rule, all else by mutual_pattern_matches over the names. Returns the name
 * that matched, or NULL. */
const struct mutual_name *mu_names_match_pattern(const struct mutual_name *names, size_t count,
                                                 const struct mutual_pattern *pattern);

/* Strict grammar of a host name (letters, digits, inner hyphens; neither wildcard, trailing dot
 * nor all-numeric last label) and of a mailbox, for those who compare names by rules of their
 * own. */
bool mu_name_is_host(struct mu_slice text);
bool mu_name_is_mailbox(struct mu_slice text);

/* ---- our own identity ------------------------------------------------------------------------ */

/* `chain` is the leaf, then its intermediates; `key` signs for the leaf and may live elsewhere.
 * Takes references of its own. Fails with KEY_MISMATCH when the key is not the leaf's, and as
 * mu_names_from_cert. */
bool mu_identity_new(struct mu_cert *const *chain, size_t count, struct mu_key *key,
                     struct mutual_identity **ret_identity,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The chain, leaf first; owned by the identity. */
struct mu_cert *const *mu_identity_chain(const struct mutual_identity *identity, size_t *ret_count);
/* Owned by the identity. */
struct mu_key *mu_identity_key(const struct mutual_identity *identity);
/* Is the OCSP response one that a client takes at now_s about `leaf`, and from when to when? Errors
 * as mutual_identity_staple. */
struct mu_staple_span {
    int64_t from_s, until_s;
};
bool mu_staple_check(struct mu_slice response, const struct mu_cert *leaf,
                     const struct mu_cert *issuer, int64_t now_s, struct mu_staple_span *ret_span,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Gives the identity a copy of a response that was checked so; before any context has it. */
bool mu_identity_keep_staple(struct mutual_identity *identity, struct mu_slice response,
                             struct mu_staple_span span,
                             struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The response to send at now_s; empty: none holds. Owned by the identity. */
struct mu_slice mu_identity_stapled(const struct mutual_identity *identity, int64_t now_s);
void mu_identity_auto(struct mutual_identity **identity);

#endif
