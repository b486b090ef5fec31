/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share.
 */
#ifndef EST_EST_INTERNAL_H
#define EST_EST_INTERNAL_H

#include "est/est.h"

/* ---- body.c ------------------------------------------------------------------------------------
 */

/* The bytes of a body in base64 (RFC 8951 section 3.1): line ends and blanks are passed over,
 * whatever Content-Transfer-Encoding says; nothing else is. ENCODING_MALFORMED. */
bool est_body_decode(struct mu_slice body, struct mu_buf *out, struct mutual_error *err);

/* ---- path --------------------------------------------------------------------------------------
 */

/* "simpleenroll" or "LABEL/simpleenroll": *ret_label is empty for none. False: it is neither. */
bool est_path_read(struct mu_slice rest, struct mu_slice *ret_label,
                   struct mu_slice *ret_operation);

#endif
