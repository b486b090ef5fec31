/* SPDX-License-Identifier: Apache-2.0
 *
 * What reading, checking and making OCSP messages share.
 */
#ifndef MU_X509_OCSP_INTERNAL_H
#define MU_X509_OCSP_INTERNAL_H

#include "x509/algorithms_internal.h"
#include "x509/cert_internal.h"

#define OID_OCSP_BASIC MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x01")
#define OID_OCSP_NONCE MU_SLICE_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x02")
#define OID_SHA1       MU_SLICE_LIT("\x2b\x0e\x03\x02\x1a")
#define OID_SHA256     MU_SLICE_LIT("\x60\x86\x48\x01\x65\x03\x04\x02\x01")

/* How many octets a digest of that sort has. */
static inline size_t mu_ocsp_hash_len(enum mu_ocsp_hash hash)
{
    return hash == MU_OCSP_SHA1 ? 20 : 32;
}

#endif
