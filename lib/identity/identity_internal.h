/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of identity: the grammar of each type of name.
 */
#ifndef MU_IDENTITY_IDENTITY_INTERNAL_H
#define MU_IDENTITY_IDENTITY_INTERNAL_H

#include "identity/identity.h"

/* Where a name comes from decides how forgiving its reading is. */
enum name_source {
    NAME_FROM_PEOPLE, /* a trailing dot is dropped; a wildcard is no name                        */
    NAME_FROM_CERT, /* RFC 5280 section 4.2.1.6 to the letter; "*.example.org" is kept           */
};

#define NAME_EMAIL_LOCAL_MAX 64u  /* RFC 5321 section 4.5.3.1.1  */
#define NAME_DNS_MAX         253u /* RFC 1035 section 3.1, as text                                */
#define NAME_LABEL_MAX       63u
#define NAME_CN_MAX          64u /* ub-common-name, RFC 5280 appendix A.1                        */
#define NAME_IP_TEXT         46u /* INET6_ADDRSTRLEN                                             */

/* Checks `text` by the grammar of `type` and appends its normalised form to `out`. */
bool mu_name_normalise(enum mutual_name_type type, enum name_source source, struct mu_slice text,
                       struct mu_buf *out, struct mutual_error *err) MUTUAL_MUST_CHECK;

/* What is wrong with a SPIFFE ID, or NULL. */
const char *mu_spiffe_fault(struct mu_slice id);
/* Fails with that, of the ID as it was written. */
bool mu_spiffe_fail(struct mu_slice shown, const char *fault, struct mutual_error *err);
/* Does the text begin as a SPIFFE ID would, in whatever case? */
bool mu_name_claims_spiffe(struct mu_slice text);

/* Appends the canonical text of an address of 4 or 16 bytes. */
bool mu_ip_format(struct mu_slice address, struct mu_buf *out);
/* Reads an address text strictly: no zone, no leading zeros, no brackets. */
bool mu_ip_parse(struct mu_slice text, uint8_t ret_address[16], size_t *ret_len);

#endif
