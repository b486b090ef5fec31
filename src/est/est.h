/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment over secure transport, EST (RFC 7030, RFC 8951): /.well-known/est/[PROFILE/]OPERATION.
 * A caller is known by a token (the password of HTTP Basic), by the certificate that he proved, or,
 * where that is allowed, by the key of a certificate that ended not long ago. A label in the path
 * is the profile that the token or the certificate must be of.
 */
#ifndef EST_EST_H
#define EST_EST_H

#include "api/api.h"

extern const struct api_table est_table;

#endif
