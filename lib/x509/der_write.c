/* SPDX-License-Identifier: Apache-2.0
 *
 * The DER writer: contents are appended, then the header is put before them.
 */
#include "x509/der_internal.h"

#include <stdio.h>
#include <string.h>

static size_t write_length(uint8_t head[6], size_t len)
{
    if (len < 0x80) {
        head[1] = (uint8_t)len;
        return 2;
    }
    size_t octets = len > 0xffffff ? 4 : (len > 0xffff ? 3 : (len > 0xff ? 2 : 1));
    head[1] = (uint8_t)(0x80 | octets);
    for (size_t i = 0; i < octets; i++) {
        head[2 + i] = (uint8_t)(len >> (8 * (octets - 1 - i)));
    }
    return 2 + octets;
}

size_t mu_der_begin(struct mu_buf *out, uint8_t tag)
{
    size_t mark = out->len;
    mu_buf_byte(out, tag);
    mu_buf_byte(out, 0);
    return mark;
}

void mu_der_end(struct mu_buf *out, size_t mark)
{
    if (out->failed) {
        return;
    }
    mu_assert(out->len >= mark + 2);
    size_t len = out->len - mark - 2;
    if (len > UINT32_MAX) {
        out->failed = true;
        return;
    }
    uint8_t head[6] = {out->data[mark]};
    size_t head_len = write_length(head, len);
    size_t more = head_len - 2;
    if (more > 0) {
        if (mu_buf_reserve(out, more) == NULL) {
            return;
        }
        memmove(out->data + mark + head_len, out->data + mark + 2, len);
        out->len += more;
    }
    memcpy(out->data + mark, head, head_len);
}

void mu_der_put(struct mu_buf *out, uint8_t tag, struct mu_slice body)
{
    if (body.len > UINT32_MAX) {
        out->failed = true;
        return;
    }
    uint8_t head[6] = {tag};
    size_t head_len = write_length(head, body.len);
    mu_buf_append(out, head, head_len);
    mu_buf_append(out, body.data, body.len);
}

void mu_der_put_oid(struct mu_buf *out, struct mu_slice oid)
{
    mu_der_put(out, DER_OID, oid);
}

void mu_der_put_bool(struct mu_buf *out, bool value)
{
    uint8_t octet = value ? 0xff : 0;
    mu_der_put(out, DER_BOOLEAN, mu_slice_of(&octet, 1));
}

void mu_der_put_magnitude(struct mu_buf *out, uint8_t tag, struct mu_slice magnitude)
{
    while (magnitude.len > 0 && magnitude.data[0] == 0) {
        magnitude = mu_slice_of(magnitude.data + 1, magnitude.len - 1);
    }
    size_t mark = mu_der_begin(out, tag);
    if (magnitude.len == 0 || (magnitude.data[0] & 0x80) != 0) {
        mu_buf_byte(out, 0);
    }
    mu_buf_append(out, magnitude.data, magnitude.len);
    mu_der_end(out, mark);
}

void mu_der_put_uint(struct mu_buf *out, uint8_t tag, uint64_t value)
{
    uint8_t octets[8];
    mu_put_be64(octets, value);
    mu_der_put_magnitude(out, tag, mu_slice_of(octets, sizeof octets));
}

void mu_der_put_bits(struct mu_buf *out, struct mu_slice octets)
{
    size_t mark = mu_der_begin(out, DER_BIT_STRING);
    mu_buf_byte(out, 0);
    mu_buf_append(out, octets.data, octets.len);
    mu_der_end(out, mark);
}

void mu_der_put_named_bits(struct mu_buf *out, uint8_t tag, unsigned bits)
{
    uint8_t octets[5] = {0};
    size_t highest = 0;
    for (size_t bit = 0; bit < 32; bit++) {
        if ((bits >> bit & 1u) != 0) {
            octets[1 + bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
            highest = bit + 1;
        }
    }
    size_t used = (highest + 7) / 8;
    octets[0] = (uint8_t)(used * 8 - highest);
    mu_der_put(out, tag, mu_slice_of(octets, 1 + used));
}

static void put_time(struct mu_buf *out, int64_t time_s, bool may_be_utc)
{
    static const int64_t year_9999_s = INT64_C(253402300799);
    static const int64_t year_1950_s = INT64_C(-631152000);
    static const int64_t year_2050_s = INT64_C(2524608000);
    static const int64_t year_0_s = INT64_C(-62167219200);
    if (time_s > year_9999_s) {
        time_s = year_9999_s;
    }
    if (time_s < year_0_s) {
        out->failed = true;
        return;
    }
    char text[MU_TIME_TEXT];
    mu_time_format(time_s, text); /* 2026-11-20T22:57:07Z */
    bool utc = may_be_utc && time_s >= year_1950_s && time_s < year_2050_s;
    char digits[16];
    size_t len = 0;
    for (const char *p = utc ? text + 2 : text; *p != '\0' && len < sizeof digits; p++) {
        if ((*p >= '0' && *p <= '9') || *p == 'Z') {
            digits[len++] = *p;
        }
    }
    mu_der_put(out, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, mu_slice_of(digits, len));
}

void mu_der_put_time(struct mu_buf *out, int64_t time_s)
{
    put_time(out, time_s, true);
}

void mu_der_put_generalized(struct mu_buf *out, int64_t time_s)
{
    put_time(out, time_s, false);
}
