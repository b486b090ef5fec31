/* SPDX-License-Identifier: Apache-2.0
 *
 * What an authority tells everybody, over plain HTTP too: its certificates, its revocation lists,
 * and whether a certificate is revoked (OCSP, RFC 6960 with the profile of RFC 5019).
 *
 *   GET  /issuer/NAME.cer       the certificate of issuer NAME, or of "root", DER
 *   GET  /crl/NAME.crl          its complete list, DER
 *   GET  /crl/NAME.delta.crl    the delta to it
 *   GET  /crl/NAME.17.crl       a part of it, as certificates name them
 *   GET  /ocsp/REQUEST          base64 in a path (RFC 6960 appendix A.1)
 *   POST /ocsp                  application/ocsp-request
 *
 * All of it is signed, so the way it came by does not matter.
 */
#ifndef PUBLISH_PUBLISH_H
#define PUBLISH_PUBLISH_H

#include "api/api.h"

extern const struct api_table publish_table;

#endif
