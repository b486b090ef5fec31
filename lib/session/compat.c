/* SPDX-License-Identifier: Apache-2.0
 *
 * The one file that knows which OpenSSL it is built against.
 */
#include "session/compat_internal.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

/* Certificate compression (OpenSSL 3.2): a compressed chain is work that a stranger sets us before
 * we know who it is, and the certificates of mutual TLS hardly shrink. */
#if defined(SSL_OP_NO_TX_CERTIFICATE_COMPRESSION) && defined(SSL_OP_NO_RX_CERTIFICATE_COMPRESSION)
static const uint64_t no_compressed_certificates =
    SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | SSL_OP_NO_RX_CERTIFICATE_COMPRESSION;
#else
static const uint64_t no_compressed_certificates = 0;
#endif

uint64_t mu_compat_options(void)
{
    return no_compressed_certificates;
}

/* From the newest syntax to the oldest: 3.5 knows the hybrid group and the key shares to send
 * (marked with an asterisk), 3.0 neither. */
static const char group_lists[][40] = {
    "*X25519MLKEM768 / *X25519:P-256:P-384",
    "X25519MLKEM768:X25519:P-256:P-384",
    "X25519:P-256:P-384",
};

bool mu_compat_groups(SSL_CTX *ctx)
{
    for (size_t i = 0; i < sizeof group_lists / sizeof group_lists[0]; i++) {
        char list[sizeof group_lists[0]]; /* the macro of old takes no const */
        memcpy(list, group_lists[i], sizeof list);
        if (SSL_CTX_set1_groups_list(ctx, list) == 1) {
            ERR_clear_error();
            return true;
        }
    }
    return false;
}

/* The library answers with a NID where it has one, with a marked code point where not. */
static const struct {
    int nid;
    uint16_t group;
} group_nids[] = {
    {NID_X25519, 0x001d},    {NID_X9_62_prime256v1, 0x0017},
    {NID_secp384r1, 0x0018}, {NID_secp521r1, 0x0019},
    {NID_X448, 0x001e},
};

uint16_t mu_compat_group(SSL *ssl)
{
    long answer = SSL_get_negotiated_group(ssl);
    if (answer == NID_undef) {
        return 0;
    }
    for (size_t i = 0; i < sizeof group_nids / sizeof group_nids[0]; i++) {
        if (answer == group_nids[i].nid) {
            return group_nids[i].group;
        }
    }
    return (uint16_t)(answer & 0xffff);
}
