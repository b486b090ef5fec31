/* SPDX-License-Identifier: Apache-2.0
 *
 * The strict DER reader.
 */
#include "x509/der_internal.h"

#include <string.h>

/* Reads the length octets behind the tag (X.690 sections 8.1.3 and 10.1): definite, shortest. */
static bool read_length(struct mu_slice in, size_t *ret_head, size_t *ret_len)
{
    if (in.len < 2) {
        return false;
    }
    uint8_t first = in.data[1];
    if (first < 0x80) {
        *ret_head = 2;
        *ret_len = first;
        return true;
    }
    size_t octets = first & 0x7fu;
    if (octets == 0 || octets > 4 || in.len < 2 + octets || in.data[2] == 0) {
        return false;
    }
    size_t len = 0;
    for (size_t i = 0; i < octets; i++) {
        len = len << 8 | in.data[2 + i];
    }
    if (len < 0x80) {
        return false;
    }
    *ret_head = 2 + octets;
    *ret_len = len;
    return true;
}

bool mu_der_next(struct mu_slice *in, struct der_item *ret_item)
{
    size_t head;
    size_t len;
    if (!read_length(*in, &head, &len) || (in->data[0] & 0x1f) == 0x1f || len > in->len - head) {
        return false;
    }
    ret_item->tag = in->data[0];
    ret_item->body = mu_slice_of(in->data + head, len);
    ret_item->whole = mu_slice_of(in->data, head + len);
    *in = mu_slice_of(in->data + head + len, in->len - head - len);
    return true;
}

bool mu_der_take(struct mu_slice *in, uint8_t tag, struct der_item *ret_item)
{
    return in->len > 0 && in->data[0] == tag && mu_der_next(in, ret_item);
}

bool mu_der_body(struct mu_slice *in, uint8_t tag, struct mu_slice *ret_body)
{
    struct der_item item;
    if (!mu_der_take(in, tag, &item)) {
        return false;
    }
    *ret_body = item.body;
    return true;
}

bool mu_der_optional(struct mu_slice *in, uint8_t tag, struct mu_slice *ret_body)
{
    if (in->len == 0 || in->data[0] != tag) {
        *ret_body = mu_slice_of(NULL, 0);
        return true;
    }
    return mu_der_body(in, tag, ret_body);
}

bool mu_der_only(struct mu_slice in, uint8_t tag, struct mu_slice *ret_body)
{
    return mu_der_body(&in, tag, ret_body) && in.len == 0;
}

bool mu_der_bool(struct mu_slice body, bool *ret_value, bool *ret_strict)
{
    if (body.len != 1) {
        return false;
    }
    *ret_value = body.data[0] != 0;
    *ret_strict = body.data[0] == 0 || body.data[0] == 0xff;
    return true;
}

bool mu_der_integer_ok(struct mu_slice body)
{
    if (body.len == 0) {
        return false;
    }
    if (body.len == 1) {
        return true;
    }
    bool idle_zero = body.data[0] == 0 && (body.data[1] & 0x80) == 0;
    bool idle_ones = body.data[0] == 0xff && (body.data[1] & 0x80) != 0;
    return !idle_zero && !idle_ones;
}

bool mu_der_unsigned(struct mu_slice body, struct mu_slice *ret_magnitude)
{
    if (!mu_der_integer_ok(body) || (body.data[0] & 0x80) != 0) {
        return false;
    }
    size_t skip = body.data[0] == 0 ? 1 : 0;
    *ret_magnitude = mu_slice_of(body.data + skip, body.len - skip);
    return true;
}

bool mu_der_small(struct mu_slice body, uint32_t max, uint32_t *ret_value)
{
    struct mu_slice magnitude;
    if (!mu_der_unsigned(body, &magnitude)) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < magnitude.len && value <= max; i++) {
        value = value << 8 | magnitude.data[i];
    }
    *ret_value = value > max ? max : (uint32_t)value;
    return true;
}

bool mu_der_octets(struct mu_slice body, struct mu_slice *ret_octets)
{
    if (body.len == 0 || body.data[0] != 0) {
        return false;
    }
    *ret_octets = mu_slice_of(body.data + 1, body.len - 1);
    return true;
}

/* Two digits at p, or a number too large for any field. */
static unsigned two_digits(const uint8_t *p)
{
    unsigned tens = (unsigned)p[0] - '0';
    unsigned ones = (unsigned)p[1] - '0';
    return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

static bool civil_time(unsigned year, const uint8_t *p, int64_t *ret_s)
{
    static const uint8_t days_of[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned month = two_digits(p);
    unsigned day = two_digits(p + 2);
    unsigned hour = two_digits(p + 4);
    unsigned minute = two_digits(p + 6);
    unsigned second = two_digits(p + 8);
    if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    unsigned days = days_of[month - 1] + (month == 2 && leap ? 1u : 0u);
    if (day > days) {
        return false;
    }
    *ret_s = mu_days_from_civil(year, month, day) * 86400 + (int64_t)hour * 3600 +
             (int64_t)minute * 60 + second;
    return true;
}

bool mu_der_time(const struct der_item *item, int64_t *ret_s, bool *ret_early_generalized)
{
    size_t year_digits = item->tag == DER_UTC_TIME ? 2 : 4;
    if (item->tag != DER_UTC_TIME && item->tag != DER_GENERALIZED_TIME) {
        return false;
    }
    const uint8_t *p = item->body.data;
    if (item->body.len != year_digits + 11 || p[year_digits + 10] != 'Z') {
        return false;
    }
    unsigned high = two_digits(p);
    unsigned low = year_digits == 4 ? two_digits(p + 2) : high;
    if (high > 99 || low > 99) {
        return false;
    }
    unsigned year = high * 100 + low;
    if (year_digits == 2) {
        year = low >= 50 ? 1900 + low : 2000 + low;
    }
    if (!civil_time(year, p + year_digits, ret_s)) {
        return false;
    }
    *ret_early_generalized = year_digits == 4 && year < 2050;
    return true;
}

bool mu_der_oid_text(struct mu_slice body, struct mu_buf *out)
{
    size_t start = out->len;
    size_t at = 0;
    while (at < body.len) {
        uint64_t arc = 0;
        if (body.data[at] == 0x80) {
            return false; /* a leading zero group (X.690 section 8.19.2) */
        }
        bool more = true;
        for (; more && at < body.len; at++) {
            if (arc >> 57 != 0) {
                return false;
            }
            arc = arc << 7 | (body.data[at] & 0x7fu);
            more = (body.data[at] & 0x80) != 0;
        }
        if (more) {
            return false;
        }
        if (out->len == start) {
            unsigned root = arc < 40 ? 0 : (arc < 80 ? 1 : 2);
            mu_buf_printf(out, "%u.%llu", root, (unsigned long long)(arc - root * 40u));
        } else {
            mu_buf_printf(out, ".%llu", (unsigned long long)arc);
        }
    }
    return out->len > start && !out->failed;
}
