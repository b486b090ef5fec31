/* SPDX-License-Identifier: Apache-2.0
 *
 * What certificate, request and revocation list building share: extensions, and the signing of a
 * finished TBS.
 */
#ifndef MU_X509_BUILD_INTERNAL_H
#define MU_X509_BUILD_INTERNAL_H

#include "x509/algorithms_internal.h"
#include "x509/cert_internal.h"

/* An Extension under construction: its value is appended between begin and end. */
struct ext_mark {
    size_t extension, value;
};
struct ext_mark mu_ext_begin(struct mu_buf *out, struct mu_slice oid, bool critical);
void mu_ext_end(struct mu_buf *out, struct ext_mark mark);
/* subjectAltName of these names. */
bool mu_ext_names(struct mu_buf *out, const struct mu_gname *names, size_t count, bool critical,
                  struct mutual_error *err);
/* The key identifier of a SubjectPublicKeyInfo: the leftmost 160 bits of the SHA-256 of its bits
 * (RFC 7093 section 2, method 1). */
#define KEY_ID_BYTES 20
bool mu_key_id(struct mu_slice spki, uint8_t ret_id[KEY_ID_BYTES], struct mutual_error *err);
/* authorityKeyIdentifier naming the issuer's key: its subject key identifier, else mu_key_id. */
bool mu_ext_aki(struct mu_buf *out, const struct mu_cert *issuer, struct mutual_error *err);
/* DistributionPointName: [0] { [0] fullName { URIs } }. NAME_MALFORMED. */
bool mu_point_write(struct mu_buf *out, const char *const *uris, struct mutual_error *err);
/* cRLDistributionPoints or freshestCRL: one point with these addresses. */
bool mu_ext_points(struct mu_buf *out, struct mu_slice oid, const char *const *uris,
                   struct mutual_error *err);
bool mu_uri_write(struct mu_buf *out, const char *uri, struct mutual_error *err);

/* Signs `tbs` by mu_key_scheme(key) and appends the whole signed object. */
bool mu_sign_whole(struct mu_slice tbs, const struct mu_key *key, struct mu_buf *out,
                   struct mutual_error *err);
/* KEY_MISMATCH unless the key is the issuer's. */
bool mu_issuer_key_check(const struct mu_cert *issuer, const struct mu_key *key,
                         struct mutual_error *err);

#endif
