/* SPDX-License-Identifier: Apache-2.0
 *
 * The PROXY header, byte by byte.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "gateway/proxy_internal.h"

static struct sockaddr_storage in4(const char *ip, uint16_t port)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, ip, &in.sin_addr), 1);
    memcpy(&s, &in, sizeof in);
    return s;
}

static struct sockaddr_storage in6(const char *ip, uint16_t port)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET6, ip, &in.sin6_addr), 1);
    memcpy(&s, &in, sizeof in);
    return s;
}

static void write_ok(const struct proxy_facts *facts, struct mu_buf *out)
{
    struct mutual_error err = {0};
    mu_buf_init(out, PROXY_HEADER_MAX);
    assert_ok(proxy_header_write(facts, out, &err), &err);
    assert_int_equal(mu_get_be16(out->data + 14), out->len - 16);
}

/* The value of a TLV, or an empty slice. */
static struct mu_slice find(const uint8_t *data, size_t len, unsigned type)
{
    for (size_t at = 0; at + 3 <= len; at += 3u + mu_get_be16(data + at + 1)) {
        if (data[at] == type) {
            return mu_slice_of(data + at + 3, mu_get_be16(data + at + 1));
        }
    }
    return (struct mu_slice){0};
}

static void crc32c_is_castagnoli(void **state)
{
    (void)state; /* RFC 3720 appendix B.4 and the usual check value */
    uint8_t zero[32] = {0};
    assert_int_equal(proxy_crc32c(mu_slice_of(zero, 32)), 0x8a9136aau);
    assert_int_equal(proxy_crc32c(MU_SLICE_LIT("123456789")), 0xe3069283u);
}

static void ipv4_header(void **state)
{
    (void)state;
    struct sockaddr_storage from = in4("192.0.2.7", 40000);
    struct sockaddr_storage to = in4("192.0.2.1", 443);
    struct proxy_facts facts = {.source = &from, .destination = &to};
    MU_AUTO(buf) struct mu_buf out;
    write_ok(&facts, &out);
    assert_memory_equal(out.data, "\r\n\r\n\0\r\nQUIT\n\x21\x11", 14);
    assert_memory_equal(out.data + 16, "\xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\x40\x01\xbb", 12);
    assert_int_equal(out.len, 16 + 12 + 7); /* nothing but the checksum follows */
}

static void checksum_covers_the_header(void **state)
{
    (void)state;
    struct sockaddr_storage from = in6("2001:db8::7", 1);
    struct sockaddr_storage to = in6("2001:db8::1", 2);
    struct proxy_facts facts = {.source = &from, .destination = &to, .alpn = "h2"};
    MU_AUTO(buf) struct mu_buf out;
    write_ok(&facts, &out);
    assert_int_equal(out.data[13], 0x21);
    struct mu_slice crc = find(out.data + 16 + 36, out.len - 16 - 36, PROXY_TLV_CRC32C);
    assert_int_equal(crc.len, 4);
    uint32_t told = mu_get_be32(crc.data);
    memset(out.data + (crc.data - out.data), 0, 4);
    assert_int_equal(proxy_crc32c(mu_buf_slice(&out)), told);
}

static void mapped_addresses_are_told_as_ipv4(void **state)
{
    (void)state;
    struct sockaddr_storage from = in6("::ffff:192.0.2.7", 40000);
    struct sockaddr_storage to = in6("::ffff:192.0.2.1", 443);
    struct proxy_facts facts = {.source = &from, .destination = &to};
    MU_AUTO(buf) struct mu_buf out;
    write_ok(&facts, &out);
    assert_int_equal(out.data[13], 0x11);
    assert_memory_equal(out.data + 16, "\xc0\x00\x02\x07", 4);
}

static void unix_and_mixed(void **state)
{
    (void)state;
    struct sockaddr_storage un = {0};
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    memcpy(&un, &path, sizeof path);
    struct sockaddr_storage ip = in4("192.0.2.7", 1);
    struct proxy_facts facts = {.source = &un, .destination = &un};
    MU_AUTO(buf) struct mu_buf out;
    write_ok(&facts, &out);
    assert_int_equal(out.data[13], 0x31);
    assert_string_equal((const char *)out.data + 16, "/run/x");
    facts.source = &ip;
    MU_AUTO(buf) struct mu_buf mixed;
    write_ok(&facts, &mixed);
    assert_int_equal(mixed.data[13], 0x00);
}

static void ssl_facts(void **state)
{
    (void)state;
    struct proxy_facts facts = {.tls = true,
                                .cert = true,
                                .version = "TLSv1.3",
                                .common_name = "hr",
                                .cipher = "TLS_AES_128_GCM_SHA256",
                                .cert_signature = "RSA-SHA256",
                                .cert_key = "RSA2048",
                                .client_cert = MU_SLICE_LIT("DER"),
                                .authority = "db.example.org",
                                .unique = MU_SLICE_LIT("id-1"),
                                .spiffe = "spiffe://example.org/hr"};
    MU_AUTO(buf) struct mu_buf out;
    write_ok(&facts, &out);
    const uint8_t *tlvs = out.data + 16;
    size_t len = out.len - 16;
    assert_true(mu_slice_equal_text(find(tlvs, len, PROXY_TLV_AUTHORITY), "db.example.org"));
    assert_true(mu_slice_equal_text(find(tlvs, len, PROXY_TLV_UNIQUE_ID), "id-1"));
    assert_true(mu_slice_equal_text(find(tlvs, len, PROXY_TLV_SPIFFE), "spiffe://example.org/hr"));
    struct mu_slice ssl = find(tlvs, len, PROXY_TLV_SSL);
    assert_memory_equal(ssl.data, "\x07\0\0\0\0", 5);
    static const struct {
        unsigned type;
        const char *text;
    } want[] = {{0x21, "TLSv1.3"},    {0x22, "hr"},      {0x23, "TLS_AES_128_GCM_SHA256"},
                {0x24, "RSA-SHA256"}, {0x25, "RSA2048"}, {0x28, "DER"}};
    for (size_t i = 0; i < MU_COUNT(want); i++) {
        assert_true(
            mu_slice_equal_text(find(ssl.data + 5, ssl.len - 5, want[i].type), want[i].text));
    }
}

static void flags_tell_resumed_and_anonymous(void **state)
{
    (void)state;
    static const struct {
        bool cert;
        bool resumed;
        const char *bytes;
    } cases[] = {{true, true, "\x05\0\0\0\0"}, {false, false, "\x01\0\0\0\x01"}};
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct proxy_facts facts = {
            .tls = true, .cert = cases[i].cert, .resumed = cases[i].resumed};
        MU_AUTO(buf) struct mu_buf out;
        write_ok(&facts, &out);
        struct mu_slice ssl = find(out.data + 16, out.len - 16, PROXY_TLV_SSL);
        assert_memory_equal(ssl.data, cases[i].bytes, 5);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state; /* MUTUAL_E_LIMIT */
    static uint8_t der[65535];
    struct mutual_error err;
    struct proxy_facts facts = {.tls = true, .client_cert = mu_slice_of(der, sizeof der)};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, PROXY_HEADER_MAX);
    assert_fails(proxy_header_write(&facts, &out, &err), &err, MUTUAL_E_LIMIT);
    assert_int_equal(out.len, 0);
}

UNIT_MAIN(UNIT_CASE(crc32c_is_castagnoli), UNIT_CASE(ipv4_header),
          UNIT_CASE(checksum_covers_the_header), UNIT_CASE(mapped_addresses_are_told_as_ipv4),
          UNIT_CASE(unix_and_mixed), UNIT_CASE(ssl_facts),
          UNIT_CASE(flags_tell_resumed_and_anonymous), UNIT_CASE(too_much_is_refused))
