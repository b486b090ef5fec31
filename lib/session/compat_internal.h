/* SPDX-License-Identifier: Apache-2.0
 *
 * The differences between OpenSSL 3.0 and 4.x that matter to a session, all of them.
 */
#ifndef MU_SESSION_COMPAT_INTERNAL_H
#define MU_SESSION_COMPAT_INTERNAL_H

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdint.h>

/* Options that an older library does not know are 0. */
uint64_t mu_compat_options(void);
/* Sets the groups in our order, with the hybrid of ML-KEM where the library has it. */
bool mu_compat_groups(SSL_CTX *ctx);
/* The code point of the group that was negotiated, or 0. */
uint16_t mu_compat_group(SSL *ssl);

#endif
