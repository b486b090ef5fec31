/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TLS key may sign: the three shapes that handshakes have, recognised byte by byte. No shape
 * can be read as another, nor as anything that is DER.
 */
#include <string.h>

#include "keys/keys_internal.h"

/* RFC 8446 section 4.4.3: 64 spaces, a context string, a zero, the transcript's hash. RSA signs
 * only with PSS there (section 4.2.3). */
enum keys_judgement keys_judge_tls13(bool server, const struct keys_scheme *scheme,
                                     struct mu_slice tbs)
{
    static const char context_server[] = "TLS 1.3, server CertificateVerify";
    static const char context_client[] = "TLS 1.3, client CertificateVerify";
    const char *context = server ? context_server : context_client;
    const size_t context_len = sizeof context_server; /* both; the zero is of the format */
    const size_t head = 64 + context_len;
    if (tbs.len != head + 32 && tbs.len != head + 48) {
        return KEYS_NOT_THIS;
    }
    for (size_t i = 0; i < 64; i++) {
        if (tbs.data[i] != ' ') {
            return KEYS_NOT_THIS;
        }
    }
    if (memcmp(tbs.data + 64, context, context_len) != 0 || scheme->padding == KEYS_PADDING_PKCS1) {
        return KEYS_NOT_THIS;
    }
    return KEYS_PERMITTED;
}

/* Groups by code point (RFC 8422 section 5.1.1) and the length of their points; X25519 and X448
 * have no form byte. */
static const struct {
    uint16_t group;
    uint8_t len;
    bool form;
} groups[] = {{23, 65, true}, {24, 97, true}, {25, 133, true}, {29, 32, false}, {30, 56, false}};

/* Whoever asks chooses the randoms, and a point is as good as random: the whole could be made a
 * TBSCertificate, which is one SEQUENCE whose first element is a version or a serial number. A
 * handshake that looks so by chance is one in sixteen million. */
static bool looks_like_der(struct mu_slice tbs)
{
    enum { SEQUENCE = 0x30, VERSION = 0xa0, INTEGER = 0x02 };
    const uint8_t *b = tbs.data;
    bool short_form = b[1] < 0x80 && tbs.len == 2u + b[1];
    bool long_form = b[1] == 0x81 && tbs.len == 3u + b[2];
    uint8_t first = b[short_form ? 2 : 3];
    return b[0] == SEQUENCE && (short_form || long_form) && (first == VERSION || first == INTEGER);
}

/* RFC 8422 section 5.4: client random, server random, then ServerECDHParams: named_curve (3), the
 * group, the point. No other key exchange is offered. */
enum keys_judgement keys_judge_tls12_server(struct mu_slice tbs)
{
    const size_t randoms = 64;
    if (tbs.len < randoms + 4 || tbs.data[randoms] != 3 || looks_like_der(tbs)) {
        return KEYS_NOT_THIS;
    }
    uint16_t group = mu_get_be16(tbs.data + randoms + 1);
    uint8_t len = tbs.data[randoms + 3];
    for (size_t i = 0; i < MU_COUNT(groups); i++) {
        if (groups[i].group == group) {
            bool whole = len == groups[i].len && tbs.len == randoms + 4 + len;
            return whole && (!groups[i].form || tbs.data[randoms + 4] == 4) ? KEYS_PERMITTED
                                                                            : KEYS_NOT_THIS;
        }
    }
    return KEYS_NOT_THIS;
}

/* RFC 5246 section 7.4.8: all handshake messages so far, each with type and length: they begin with
 * ClientHello and ServerHello and end with ClientKeyExchange, and Finished is not among them. */
enum keys_judgement keys_judge_tls12_client(struct mu_slice tbs)
{
    enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CLIENT_KEY_EXCHANGE = 16, FINISHED = 20 };
    uint8_t type = 0;
    size_t at = 0;
    for (unsigned count = 0; at < tbs.len; count++) {
        if (tbs.len - at < 4) {
            return KEYS_NOT_THIS;
        }
        type = tbs.data[at];
        size_t len =
            (size_t)tbs.data[at + 1] << 16 | (size_t)tbs.data[at + 2] << 8 | tbs.data[at + 3];
        bool in_place = (count == 0) == (type == CLIENT_HELLO) &&
                        (count == 1) == (type == SERVER_HELLO) && type != FINISHED;
        if (!in_place || len > tbs.len - at - 4) {
            return KEYS_NOT_THIS;
        }
        at += 4 + len;
    }
    return type == CLIENT_KEY_EXCHANGE ? KEYS_PERMITTED : KEYS_NOT_THIS;
}
