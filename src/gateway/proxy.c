/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the PROXY protocol, version 2. The header is built with a zero checksum, which is then
 * filled in, as the specification asks (section 2.2.3).
 */
#include "gateway/proxy_internal.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum {
    COMMAND_PROXY = 0x21,
    FAMILY_UNSPEC = 0x00,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,
    FAMILY_UNIX = 0x31
};
enum { CLIENT_SSL = 0x01, CLIENT_CERT_CONN = 0x02, CLIENT_CERT_SESS = 0x04 };
enum { HEADER_FIXED = 16, UNIX_PATH = 108, UNIQUE_MAX = 128, TLV_HEAD = 3 };

uint32_t proxy_crc32c(struct mu_slice bytes)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static void put_tlv(struct mu_buf *out, enum proxy_tlv type, struct mu_slice value)
{
    if (value.len > UINT16_MAX) {
        out->failed = true;
        return;
    }
    uint8_t head[TLV_HEAD] = {(uint8_t)type};
    mu_put_be16(head + 1, (uint16_t)value.len);
    (void)mu_buf_append(out, head, sizeof head);
    (void)mu_buf_append(out, value.data, value.len);
}

static void put_text(struct mu_buf *out, enum proxy_tlv type, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        put_tlv(out, type, mu_slice_text(text));
    }
}

/* An IPv4 address that came in through an IPv6 socket is told as what it is. */
static struct sockaddr_storage unmapped(const struct sockaddr_storage *address)
{
    struct sockaddr_storage plain = *address;
    if (address->ss_family != AF_INET6) {
        return plain;
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof in6);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6.sin6_port};
        memcpy(&in.sin_addr, in6.sin6_addr.s6_addr + 12, 4);
        memset(&plain, 0, sizeof plain);
        memcpy(&plain, &in, sizeof in);
    }
    return plain;
}

static void put_tcp4(struct mu_buf *out, const struct sockaddr_storage *from,
                     const struct sockaddr_storage *to)
{
    struct sockaddr_in a;
    struct sockaddr_in b;
    memcpy(&a, from, sizeof a);
    memcpy(&b, to, sizeof b);
    (void)mu_buf_append(out, &a.sin_addr, 4);
    (void)mu_buf_append(out, &b.sin_addr, 4);
    (void)mu_buf_append(out, &a.sin_port, 2);
    (void)mu_buf_append(out, &b.sin_port, 2);
}

static void put_tcp6(struct mu_buf *out, const struct sockaddr_storage *from,
                     const struct sockaddr_storage *to)
{
    struct sockaddr_in6 a;
    struct sockaddr_in6 b;
    memcpy(&a, from, sizeof a);
    memcpy(&b, to, sizeof b);
    (void)mu_buf_append(out, &a.sin6_addr, 16);
    (void)mu_buf_append(out, &b.sin6_addr, 16);
    (void)mu_buf_append(out, &a.sin6_port, 2);
    (void)mu_buf_append(out, &b.sin6_port, 2);
}

static void put_unix(struct mu_buf *out, const struct sockaddr_storage *from,
                     const struct sockaddr_storage *to)
{
    const struct sockaddr_storage *ends[] = {from, to};
    for (size_t i = 0; i < MU_COUNT(ends); i++) {
        struct sockaddr_un un;
        memcpy(&un, ends[i], sizeof un);
        (void)mu_buf_append(out, un.sun_path, UNIX_PATH);
    }
}

/* Writes the addresses and returns the family byte; two ends of different families cannot be
 * told, and are told as unknown. */
static uint8_t put_addresses(struct mu_buf *out, const struct proxy_facts *facts)
{
    static const struct {
        sa_family_t family;
        uint8_t byte;
        void (*put)(struct mu_buf *, const struct sockaddr_storage *,
                    const struct sockaddr_storage *);
    } kinds[] = {{AF_INET, FAMILY_TCP4, put_tcp4},
                 {AF_INET6, FAMILY_TCP6, put_tcp6},
                 {AF_UNIX, FAMILY_UNIX, put_unix}};
    if (facts->source == NULL || facts->destination == NULL) {
        return FAMILY_UNSPEC;
    }
    struct sockaddr_storage from = unmapped(facts->source);
    struct sockaddr_storage to = unmapped(facts->destination);
    for (size_t i = 0; i < MU_COUNT(kinds); i++) {
        if (from.ss_family == kinds[i].family && to.ss_family == kinds[i].family) {
            kinds[i].put(out, &from, &to);
            return kinds[i].byte;
        }
    }
    return FAMILY_UNSPEC;
}

/* Section 2.2.6: the flags and the outcome, then TLVs inside the TLV. `verify` is zero only when
 * a certificate was presented and verified. */
static void put_ssl(struct mu_buf *out, const struct proxy_facts *facts)
{
    if (!facts->tls) {
        return;
    }
    MU_AUTO(buf) struct mu_buf inner;
    mu_buf_init(&inner, UINT16_MAX);
    uint8_t flags = CLIENT_SSL;
    if (facts->cert) {
        flags |= (uint8_t)(facts->resumed ? CLIENT_CERT_SESS : CLIENT_CERT_CONN | CLIENT_CERT_SESS);
    }
    uint8_t verify[4];
    mu_put_be32(verify, facts->cert ? 0 : 1);
    (void)mu_buf_byte(&inner, flags);
    (void)mu_buf_append(&inner, verify, sizeof verify);
    put_text(&inner, PROXY_TLV_SSL_VERSION, facts->version);
    put_text(&inner, PROXY_TLV_SSL_CN, facts->common_name);
    put_text(&inner, PROXY_TLV_SSL_CIPHER, facts->cipher);
    put_text(&inner, PROXY_TLV_SSL_SIG_ALG, facts->cert_signature);
    put_text(&inner, PROXY_TLV_SSL_KEY_ALG, facts->cert_key);
    put_text(&inner, PROXY_TLV_SSL_GROUP, facts->group);
    put_text(&inner, PROXY_TLV_SSL_SIG_SCHEME, facts->scheme);
    if (facts->client_cert.len > 0) {
        put_tlv(&inner, PROXY_TLV_SSL_CLIENT_CERT, facts->client_cert);
    }
    out->failed = out->failed || inner.failed;
    put_tlv(out, PROXY_TLV_SSL, mu_buf_slice(&inner));
}

bool proxy_header_write(const struct proxy_facts *facts, struct mu_buf *out,
                        struct mutual_error *err)
{
    static const uint8_t no_checksum[4] = {0};
    MU_AUTO(buf) struct mu_buf header;
    mu_buf_init(&header, PROXY_HEADER_MAX);
    mu_assert(facts->unique.len <= UNIQUE_MAX);
    (void)mu_buf_append(&header, signature, sizeof signature);
    (void)mu_buf_byte(&header, COMMAND_PROXY);
    (void)mu_buf_append(&header, "\0\0", 3); /* family and length follow below */
    uint8_t family = put_addresses(&header, facts);
    put_text(&header, PROXY_TLV_ALPN, facts->alpn);
    put_text(&header, PROXY_TLV_AUTHORITY, facts->authority);
    size_t checksum_at = header.len + TLV_HEAD;
    put_tlv(&header, PROXY_TLV_CRC32C, mu_slice_of(no_checksum, sizeof no_checksum));
    if (facts->unique.len > 0) {
        put_tlv(&header, PROXY_TLV_UNIQUE_ID, facts->unique);
    }
    put_ssl(&header, facts);
    put_text(&header, PROXY_TLV_SPIFFE, facts->spiffe);
    if (header.failed) {
        return mu_fail(err, MUTUAL_E_LIMIT,
                       "could not write the PROXY header: the client's certificate and names take "
                       "more than %u bytes",
                       PROXY_HEADER_MAX);
    }
    header.data[13] = family;
    mu_put_be16(header.data + 14, (uint16_t)(header.len - HEADER_FIXED));
    mu_put_be32(header.data + checksum_at, proxy_crc32c(mu_buf_slice(&header)));
    return mu_buf_append(out, header.data, header.len) || mu_fail_memory(err);
}
