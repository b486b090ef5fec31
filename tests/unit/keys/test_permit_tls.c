/* SPDX-License-Identifier: Apache-2.0
 *
 * The three shapes that a TLS key signs, and that a change of any byte of their frame is refused.
 */
#include "fixture.h"

static const struct keys_scheme pss = {MU_DIGEST_SHA256, KEYS_PADDING_PSS};
static const struct keys_scheme pkcs1 = {MU_DIGEST_SHA256, KEYS_PADDING_PKCS1};

static size_t verify_content(uint8_t *bytes, bool server, size_t hash)
{
    const char *context =
        server ? "TLS 1.3, server CertificateVerify" : "TLS 1.3, client CertificateVerify";
    memset(bytes, ' ', 64);
    memcpy(bytes + 64, context, 34);
    memset(bytes + 98, 0xaa, hash);
    return 98 + hash;
}

static void tls13_is_known_by_every_byte(void **state)
{
    (void)state;
    uint8_t bytes[200];
    for (int server = 0; server < 2; server++) {
        for (size_t hash = 32; hash <= 48; hash += 16) {
            struct mu_slice tbs = mu_slice_of(bytes, verify_content(bytes, server == 1, hash));
            assert_int_equal(keys_judge_tls13(server == 1, &pss, tbs), KEYS_PERMITTED);
            assert_int_equal(keys_judge_tls13(server == 0, &pss, tbs), KEYS_NOT_THIS);
            /* RFC 8446 section 4.2.3: no PKCS#1 in CertificateVerify. */
            assert_int_equal(keys_judge_tls13(server == 1, &pkcs1, tbs), KEYS_NOT_THIS);
            for (size_t i = 0; i < 98; i++) {
                bytes[i] ^= 1;
                assert_int_equal(keys_judge_tls13(server == 1, &pss, tbs), KEYS_NOT_THIS);
                bytes[i] ^= 1;
            }
        }
    }
    for (size_t hash = 0; hash < 80; hash++) {
        struct mu_slice tbs = mu_slice_of(bytes, verify_content(bytes, true, hash));
        assert_int_equal(keys_judge_tls13(true, &pss, tbs),
                         hash == 32 || hash == 48 ? KEYS_PERMITTED : KEYS_NOT_THIS);
    }
}

static size_t exchange(uint8_t *bytes, uint8_t group, uint8_t len)
{
    memset(bytes, 0x55, 64);
    bytes[64] = 3;
    bytes[65] = 0;
    bytes[66] = group;
    bytes[67] = len;
    memset(bytes + 68, 4, len);
    return (size_t)68 + len;
}

static void tls12_server_is_a_named_curve_and_its_point(void **state)
{
    (void)state;
    uint8_t bytes[400];
    const uint8_t good[][2] = {{23, 65}, {24, 97}, {25, 133}, {29, 32}, {30, 56}};
    for (size_t i = 0; i < MU_COUNT(good); i++) {
        size_t len = exchange(bytes, good[i][0], good[i][1]);
        assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len)), KEYS_PERMITTED);
        assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len + 1)), KEYS_NOT_THIS);
        assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len - 1)), KEYS_NOT_THIS);
        for (size_t at = 64; at < 68; at++) {
            bytes[at] ^= 0x80;
            assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len)), KEYS_NOT_THIS);
            bytes[at] ^= 0x80;
        }
    }
    size_t len = exchange(bytes, 23, 65);
    bytes[68] = 2; /* a compressed point */
    assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len)), KEYS_NOT_THIS);
    len = exchange(bytes, 99, 32);
    assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len)), KEYS_NOT_THIS);
    assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, 10)), KEYS_NOT_THIS);
}

/* Bytes that a taken-over worker might have signed to have a certificate of its own. */
static void tls12_server_is_no_certificate(void **state)
{
    (void)state;
    uint8_t bytes[400];
    static const uint8_t firsts[] = {0xa0, 0x02};
    static const uint8_t points[][2] = {{23, 65}, {25, 133}, {29, 32}};
    for (size_t p = 0; p < MU_COUNT(points); p++) {
        for (size_t i = 0; i < MU_COUNT(firsts); i++) {
            size_t len = exchange(bytes, points[p][0], points[p][1]);
            bool is_short = len < 2 + 0x80;
            bytes[0] = 0x30;
            bytes[1] = is_short ? (uint8_t)(len - 2) : 0x81;
            bytes[is_short ? 2 : 3] = firsts[i];
            if (!is_short) {
                bytes[2] = (uint8_t)(len - 3);
            }
            assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len)), KEYS_NOT_THIS);
            bytes[1] ^= 1;
            assert_int_equal(keys_judge_tls12_server(mu_slice_of(bytes, len)), KEYS_PERMITTED);
        }
    }
}

static enum keys_judgement transcript(const uint8_t *types, size_t count, size_t extra)
{
    uint8_t bytes[256] = {0};
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        bytes[at] = types[i];
        bytes[at + 3] = (uint8_t)i; /* length */
        at += 4 + i;
    }
    return keys_judge_tls12_client(mu_slice_of(bytes, at + extra));
}

static void tls12_client_is_a_transcript(void **state)
{
    (void)state;
    const uint8_t good[] = {1, 2, 11, 12, 13, 14, 11, 16};
    assert_int_equal(transcript(good, sizeof good, 0), KEYS_PERMITTED);
    assert_int_equal(transcript(good, sizeof good, 3), KEYS_NOT_THIS);     /* rest            */
    assert_int_equal(transcript(good, sizeof good - 1, 0), KEYS_NOT_THIS); /* no key exchange */
    const uint8_t wrong[][4] = {{2, 1, 11, 16}, {1, 11, 2, 16}, {1, 2, 1, 16},  {1, 2, 20, 16},
                                {1, 2, 2, 16},  {0, 2, 11, 16}, {48, 2, 11, 16}};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        assert_int_equal(transcript(wrong[i], 4, 0), KEYS_NOT_THIS);
    }
    const uint8_t overrun[] = {1, 0xff, 0xff, 0xff};
    assert_int_equal(keys_judge_tls12_client(mu_slice_of(overrun, 4)), KEYS_NOT_THIS);
    assert_int_equal(keys_judge_tls12_client(mu_slice_of(overrun, 2)), KEYS_NOT_THIS);
    assert_int_equal(keys_judge_tls12_client(mu_slice_of(NULL, 0)), KEYS_NOT_THIS);
}

UNIT_MAIN(UNIT_CASE(tls13_is_known_by_every_byte),
          UNIT_CASE(tls12_server_is_a_named_curve_and_its_point),
          UNIT_CASE(tls12_server_is_no_certificate), UNIT_CASE(tls12_client_is_a_transcript))
