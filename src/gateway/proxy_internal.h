/* SPDX-License-Identifier: Apache-2.0
 *
 * The PROXY protocol, version 2 (HAProxy's specification, sections 2.2 to 2.2.8): tells the
 * service behind the gateway who connected and how it was proved. Only written, never read.
 */
#ifndef GATEWAY_PROXY_INTERNAL_H
#define GATEWAY_PROXY_INTERNAL_H

#include <sys/socket.h>

#include "base/base.h"

/* The types of the specification; 0xE0 is of the range that it leaves to applications and holds
 * the client's SPIFFE ID as it stands in the certificate. */
enum proxy_tlv {
    PROXY_TLV_ALPN = 0x01,
    PROXY_TLV_AUTHORITY = 0x02,
    PROXY_TLV_CRC32C = 0x03,
    PROXY_TLV_UNIQUE_ID = 0x05,
    PROXY_TLV_SSL = 0x20,
    PROXY_TLV_SSL_VERSION = 0x21,
    PROXY_TLV_SSL_CN = 0x22,
    PROXY_TLV_SSL_CIPHER = 0x23,
    PROXY_TLV_SSL_SIG_ALG = 0x24,
    PROXY_TLV_SSL_KEY_ALG = 0x25,
    PROXY_TLV_SSL_GROUP = 0x26,
    PROXY_TLV_SSL_SIG_SCHEME = 0x27,
    PROXY_TLV_SSL_CLIENT_CERT = 0x28,
    PROXY_TLV_SPIFFE = 0xE0,
};

/* What is known of a connection. Every text may be NULL and every slice empty: its TLV is left
 * out then. */
struct proxy_facts {
    const struct sockaddr_storage *source;      /* the peer; NULL or another family: unknown      */
    const struct sockaddr_storage *destination; /* what it connected to                           */
    const char *alpn;
    const char *authority;  /* the host name asked for (SNI)                                      */
    struct mu_slice unique; /* at most 128 bytes                                                  */
    bool tls;               /* the SSL TLV is written                                             */
    bool cert;              /* the client presented a certificate and it was verified             */
    bool resumed;           /* it did so in an earlier handshake of the session                   */
    const char *version;
    const char *common_name;
    const char *cipher;
    const char *cert_signature; /* how our certificate is signed, such as "ecdsa-with-SHA256"     */
    const char *cert_key;       /* the kind of our key, such as "EC256"                           */
    const char *group;
    const char *scheme; /* the signature scheme of the client's proof                             */
    struct mu_slice client_cert; /* DER                                                           */
    const char *spiffe;
};

/* The largest header: the specification counts its length in 16 bits. */
#define PROXY_HEADER_MAX (16u + 65535u)

/* Appends the header to `out`. Fails with LIMIT when the facts do not fit. */
bool proxy_header_write(const struct proxy_facts *facts, struct mu_buf *out,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;

/* CRC-32C (Castagnoli; RFC 3720 appendix B.4). */
uint32_t proxy_crc32c(struct mu_slice bytes);

#endif
