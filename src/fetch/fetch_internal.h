/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share.
 */
#ifndef FETCH_FETCH_INTERNAL_H
#define FETCH_FETCH_INTERNAL_H

#include "fetch/fetch.h"

#define FETCH_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Is `list` a good successor of `last` (empty: of nothing)? One list, signed under the material,
 * not past its next update; of the same issuer and scope as the last and not older, if the last is
 * good itself. CRL_MALFORMED, CRL_SIGNATURE, CRL_STALE, CRL_FOREIGN, CRL_ROLLBACK and what reading
 * says. */
bool fetch_judge_crl(const struct fetch_material *material, struct mu_slice last,
                     struct mu_slice list, int64_t now_s, int64_t *ret_this_update_s,
                     int64_t *ret_next_update_s, struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Is that the answer to a challenge? Blanks behind it are allowed (RFC 8555 section 8.3).
 * ACME_VALIDATION. */
bool fetch_judge_proof(struct mu_slice expected, struct mu_slice content,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Is the certificate one that proves `expected` for that host and for nothing else (RFC 8737
 * section 3)? ACME_VALIDATION. */
bool fetch_judge_proof_tls(struct mu_slice expected, const char *host, const char *alpn,
                           struct mu_slice leaf, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The name that a handshake with the host asks for: of an address the one it has in the reverse
 * tree (RFC 8738 section 6). Appends. */
#define FETCH_PROOF_ALPN "acme-tls/1"
bool fetch_proof_name(const char *host, struct mu_buf *out);
/* Is the response good for the certificate at now_s? Errors as mu_staple_check. */
bool fetch_judge_staple(const struct fetch_about *about, struct mu_slice response, int64_t now_s,
                        struct fetch_outcome *outcome, struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
