/* SPDX-License-Identifier: Apache-2.0
 *
 * What the grammars of RFC 9110, RFC 9112 and RFC 3986 call characters, tokens and authorities.
 */
#include <arpa/inet.h>
#include <string.h>

#include "http/http_internal.h"

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_alnum(uint8_t byte)
{
    return is_digit(byte) || (lower(byte) >= 'a' && lower(byte) <= 'z');
}

static bool is_one_of(uint8_t byte, const char *bytes)
{
    return byte != '\0' && strchr(bytes, byte) != NULL;
}

static bool is_hex(uint8_t byte)
{
    return is_digit(byte) || (lower(byte) >= 'a' && lower(byte) <= 'f');
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool http_is_tchar(uint8_t byte)
{
    return is_alnum(byte) || is_one_of(byte, "!#$%&'*+-.^_`|~");
}

bool http_is_text(uint8_t byte)
{
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

bool http_is_target(uint8_t byte)
{
    return is_alnum(byte) || is_one_of(byte, "-._~!$&'()*+,;=:@/?%");
}

static bool all_are(struct mu_slice text, bool (*is)(uint8_t))
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is(text.data[i])) {
            return false;
        }
    }
    return true;
}

bool http_is_token(struct mu_slice text)
{
    return text.len > 0 && all_are(text, http_is_tchar);
}

bool http_is_value(struct mu_slice text)
{
    return all_are(text, http_is_text) &&
           (text.len == 0 || (!is_blank(text.data[0]) && !is_blank(text.data[text.len - 1])));
}

bool http_is_path(struct mu_slice text)
{
    if (text.len == 0 || text.data[0] != '/' || !all_are(text, http_is_target)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' &&
            (text.len - i < 3 || !is_hex(text.data[i + 1]) || !is_hex(text.data[i + 2]))) {
            return false;
        }
    }
    return true;
}

bool http_equal_nocase(struct mu_slice a, struct mu_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool http_number(struct mu_slice text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 18) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_value = value;
    return true;
}

/* ---- authorities -------------------------------------------------------------------------------
 */

static bool is_v6(struct mu_slice text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

/* Letters, digits, "-", "." and "_": a host name or an IPv4 address; what else RFC 3986 lets a
 * registered name hold leads nowhere. */
static bool is_name(struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_alnum(text.data[i]) && !is_one_of(text.data[i], "-._")) {
            return false;
        }
    }
    return text.len > 0 && text.len <= 253 && text.data[0] != '-' && text.data[0] != '.';
}

bool http_authority(struct mu_slice text, struct mu_slice *ret_host, bool *ret_v6,
                    uint16_t *ret_port)
{
    bool v6 = text.len > 0 && text.data[0] == '[';
    const uint8_t *end = text.len == 0 ? NULL : memchr(text.data, v6 ? ']' : ':', text.len);
    struct mu_slice host = text;
    struct mu_slice rest = {text.data + text.len, 0};
    uint64_t port = 0;
    if (v6 && end == NULL) {
        return false;
    }
    if (end != NULL) {
        host = mu_slice_of(text.data + v6, (size_t)(end - text.data) - v6);
        rest = mu_slice_of(end + v6, text.len - (size_t)(end - text.data) - v6);
    }
    if (!(v6 ? is_v6(host) : is_name(host))) {
        return false;
    }
    if (rest.len > 0) {
        struct mu_slice digits = {rest.data + 1, rest.len - 1};
        if (rest.data[0] != ':' || digits.len > 5 || !http_number(digits, &port) || port == 0 ||
            port > UINT16_MAX) {
            return false;
        }
    }
    *ret_host = host;
    *ret_v6 = v6;
    *ret_port = (uint16_t)port;
    return true;
}
