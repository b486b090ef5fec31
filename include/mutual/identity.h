/* SPDX-License-Identifier: Apache-2.0
 *
 * Who somebody is: typed names read from certificates, patterns over them, and our own identity
 * (a certificate chain with something that can sign for it).
 *
 * Names carry their type from the certificate to the decision; a DNS name never matches a URI.
 * Their bytes carry a length; a NUL, a control byte or a byte beyond ASCII is refused when a name
 * is read, never later. Everything here is immutable once made and safe to share among threads,
 * reference counts included.
 */
#ifndef MUTUAL_IDENTITY_H
#define MUTUAL_IDENTITY_H

#include <mutual/error.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mutual_name_type {
    MUTUAL_NAME_SPIFFE, /* a URI subject alternative name that is a SPIFFE ID                  */
    MUTUAL_NAME_URI,    /* any other URI subject alternative name (RFC 5280 section 4.2.1.6)   */
    MUTUAL_NAME_DNS,    /* dNSName, lower case, without trailing dot                           */
    MUTUAL_NAME_EMAIL,  /* rfc822Name, host part in lower case                                 */
    MUTUAL_NAME_IP,     /* iPAddress, in its canonical text form (RFC 5952 for IPv6)           */
    MUTUAL_NAME_CN,     /* the subject's common name: used only where a rule names it          */
    MUTUAL_NAME_COUNT_
};

/* "spiffe", "uri", "dns", "email", "ip", "cn". Constant. */
MUTUAL_API const char *mutual_name_type_word(enum mutual_name_type type);

/* One name of somebody. `text` is NUL-terminated for convenience, its length is `len`; it holds
 * printable ASCII only, in the normalised form given above. Owned by what it was read from. */
struct mutual_name {
    enum mutual_name_type type;
    const char *text;
    size_t len;
};

/* Reads a name as people write it, such as type "dns" and text "db.example.org", into the
 * normalised form: *ret_name points into `storage`, of which 2049 bytes always suffice (LIMIT). A
 * wildcard is not a name.
 * Fails with NAME_MALFORMED or SPIFFE_MALFORMED. */
MUTUAL_API bool mutual_name_parse(enum mutual_name_type type, const char *text, size_t len,
                                  char *storage, size_t storage_size, struct mutual_name *ret_name,
                                  struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Checks a SPIFFE ID by the strict grammar: "spiffe://" in lower case, a trust domain of
 * [a-z0-9._-] up to 255 bytes, path segments of [A-Za-z0-9._-] that are neither empty, "." nor
 * "..", no trailing slash, query, fragment, port, user or percent-encoding, 2048 bytes in all. */
MUTUAL_API bool mutual_spiffe_check(const char *text, size_t len,
                                    struct mutual_error *err) MUTUAL_MUST_CHECK;

/* A pattern over names of one type:
 *   spiffe  exact; a path segment "*" stands for one whole segment, "**" as the last segment for
 * one or more; the trust domain is never a wildcard dns     exact, or "*.example.org" for exactly
 * one more label email   exact, or "@example.org" for every mailbox of that host ip      exact, or
 * CIDR "10.0.0.0/8" uri, cn exact Fails with POLICY_INVALID, NAME_MALFORMED or SPIFFE_MALFORMED. */
struct mutual_pattern;
MUTUAL_API bool mutual_pattern_parse(enum mutual_name_type type, const char *text,
                                     struct mutual_pattern **ret_pattern,
                                     struct mutual_error *err) MUTUAL_MUST_CHECK;
MUTUAL_API void mutual_pattern_free(struct mutual_pattern *pattern);
MUTUAL_API bool mutual_pattern_matches(const struct mutual_pattern *pattern,
                                       const struct mutual_name *name);
/* True when no wildcard is in it, so that it can be looked up rather than tried. */
MUTUAL_API bool mutual_pattern_is_exact(const struct mutual_pattern *pattern);
MUTUAL_API enum mutual_name_type mutual_pattern_type(const struct mutual_pattern *pattern);
/* As it was written, normalised. Owned by the pattern. */
MUTUAL_API const char *mutual_pattern_text(const struct mutual_pattern *pattern);

/* ---- our own identity ------------------------------------------------------------------------ */

/* A certificate chain, leaf first, and the key that proves it. Reference-counted, immutable. */
struct mutual_identity;

/* From PEM text: the chain (leaf, then intermediates) and its private key, which is held in this
 * process. The passphrase may be NULL. Fails with PEM_MALFORMED, CERT_MALFORMED, KEY_MALFORMED,
 * KEY_PASSPHRASE, KEY_UNSUPPORTED or KEY_MISMATCH. */
MUTUAL_API bool mutual_identity_from_pem(const char *chain, size_t chain_len, const char *key,
                                         size_t key_len, const char *passphrase,
                                         struct mutual_identity **ret_identity,
                                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The same from two files; a key file that group or others can read is refused (FILE_EXPOSED). */
MUTUAL_API bool mutual_identity_load(const char *chain_path, const char *key_path,
                                     struct mutual_identity **ret_identity,
                                     struct mutual_error *err) MUTUAL_MUST_CHECK;
MUTUAL_API struct mutual_identity *mutual_identity_ref(struct mutual_identity *identity);
MUTUAL_API void mutual_identity_unref(struct mutual_identity *identity);
/* Gives the identity the OCSP response about its leaf, in DER, that a server sends to clients who
 * ask (RFC 6066 section 8), from thisUpdate until nextUpdate. Before any context has the identity.
 * The response must be good at now_s, by the leaf's issuer, which is `issuer` in PEM or, when that
 * is NULL, the second of the chain. Fails with OCSP_MALFORMED, OCSP_OTHER_CERT, OCSP_SIGNER,
 * OCSP_SIGNATURE, OCSP_STALE, OCSP_UNKNOWN, OCSP_UNSUCCESSFUL, CERT_REVOKED, CHAIN_INCOMPLETE. */
MUTUAL_API bool mutual_identity_staple(struct mutual_identity *identity, const uint8_t *response,
                                       size_t len, const char *issuer, int64_t now_s,
                                       struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The leaf's names; *ret_count of them, owned by the identity. */
MUTUAL_API const struct mutual_name *mutual_identity_names(const struct mutual_identity *identity,
                                                           size_t *ret_count);
/* When the leaf ends, seconds since 1970. */
MUTUAL_API int64_t mutual_identity_not_after_s(const struct mutual_identity *identity);

#ifdef __cplusplus
}
#endif
#endif
