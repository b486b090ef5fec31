/* SPDX-License-Identifier: Apache-2.0
 *
 * QR codes on a terminal.
 */
#ifndef CLI_QR_INTERNAL_H
#define CLI_QR_INTERNAL_H

#include "base/base.h"

/* Appends the text as a QR code in UTF-8 blocks. FILE_MISSING when libqrencode is not installed. */
bool qr_draw(const char *text, struct mu_buf *out, struct mutual_error *err);

#endif
