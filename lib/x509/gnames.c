/* SPDX-License-Identifier: Apache-2.0
 *
 * General names (RFC 5280 section 4.2.1.6): read with their type and length, shown, written; and
 * distinguished names written from typed attributes.
 */
#include "x509/names_internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    uint8_t tag;
    enum mu_gname_type type;
    const char *word;
} gname_kinds[] = {
    {DER_CONSTRUCTED(0), MU_GNAME_OTHER, "other"},
    {DER_CONTEXT(1), MU_GNAME_EMAIL, "email"},
    {DER_CONTEXT(2), MU_GNAME_DNS, "DNS"},
    {DER_CONSTRUCTED(3), MU_GNAME_OTHER, "other"},
    {DER_CONSTRUCTED(4), MU_GNAME_DIRNAME, "directory"},
    {DER_CONSTRUCTED(5), MU_GNAME_OTHER, "other"},
    {DER_CONTEXT(6), MU_GNAME_URI, "URI"},
    {DER_CONTEXT(7), MU_GNAME_IP, "IP"},
    {DER_CONTEXT(8), MU_GNAME_OTHER, "other"},
};

static bool dirname_ok(struct mu_slice name)
{
    MU_AUTO(buf) struct mu_buf canon;
    mu_buf_init(&canon, 8u * MU_LIMIT_CERT_BYTES);
    return mu_name_canon(name, &canon);
}

/* Forbidden bytes are refused here and nowhere later: a name cut short by a NUL or dressed up by
 * control bytes must not reach a comparison or a log. */
static bool check_gname(const struct mu_gname *name, bool constraint, const char *where,
                        const char *word, struct mutual_error *err)
{
    size_t len = name->bytes.len;
    switch (name->type) {
    case MU_GNAME_DNS:
    case MU_GNAME_EMAIL:
    case MU_GNAME_URI: {
        if (mu_ascii_clean(name->bytes)) {
            return true;
        }
        char text[80];
        MU_AUTO(buf) struct mu_buf shown;
        mu_buf_init(&shown, MU_LIMIT_CERT_BYTES * 4u);
        mu_escape(&shown, name->bytes);
        snprintf(text, sizeof text, "%s", mu_buf_str(&shown));
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                       "the %s name \"%s\" in %s holds forbidden bytes", word, text, where);
    }
    case MU_GNAME_IP:
        if (constraint ? len == 8 || len == 32 : len == 4 || len == 16) {
            return true;
        }
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "an IP address in %s has %zu bytes", where,
                       len);
    case MU_GNAME_DIRNAME:
        return dirname_ok(name->bytes) ||
               mu_fail(err, MUTUAL_E_CERT_MALFORMED, "a directory name in %s is not well-formed",
                       where);
    case MU_GNAME_OTHER:
        break;
    }
    return true;
}

bool mu_gname_read(struct mu_slice *in, bool constraint, const char *where,
                   struct mu_gname *ret_name, struct mutual_error *err)
{
    struct der_item item;
    if (!mu_der_next(in, &item)) {
        return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "a name in %s is not in DER", where);
    }
    for (size_t i = 0; i < MU_COUNT(gname_kinds); i++) {
        if (gname_kinds[i].tag != item.tag) {
            continue;
        }
        struct mu_gname name = {gname_kinds[i].type, item.body};
        if (!check_gname(&name, constraint, where, gname_kinds[i].word, err)) {
            return false;
        }
        *ret_name = name;
        return true;
    }
    return mu_fail(err, MUTUAL_E_CERT_MALFORMED, "a name in %s is of no known form (tag %02x)",
                   where, item.tag);
}

/* ---- showing ------------------------------------------------------------------------------- */

static void ipv4_text(struct mu_buf *out, const uint8_t *p)
{
    mu_buf_printf(out, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

/* RFC 5952: lower case, the longest run of two or more zero groups becomes "::". */
static void ipv6_text(struct mu_buf *out, const uint8_t *p)
{
    size_t best = 8;
    size_t best_len = 1;
    for (size_t i = 0; i < 8;) {
        size_t run = 0;
        while (i + run < 8 && mu_get_be16(p + 2 * (i + run)) == 0) {
            run++;
        }
        if (run > best_len) {
            best = i;
            best_len = run;
        }
        i += run + 1;
    }
    for (size_t i = 0; i < 8; i++) {
        if (i == best) {
            mu_buf_text(out, i == 0 ? "::" : ":");
            i += best_len - 1;
            continue;
        }
        mu_buf_printf(out, i < 7 ? "%x:" : "%x", mu_get_be16(p + 2 * i));
    }
}

/* The length of a mask of ones and then zeros; -1 when it is another. */
static int prefix_length(const uint8_t *mask, size_t len)
{
    int ones = 0;
    while ((size_t)ones < 8 * len && (mask[ones / 8] & (0x80 >> (ones % 8))) != 0) {
        ones++;
    }
    for (size_t bit = (size_t)ones; bit < 8 * len; bit++) {
        if ((mask[bit / 8] & (0x80 >> (bit % 8))) != 0) {
            return -1;
        }
    }
    return ones;
}

static void ip_text(struct mu_buf *out, struct mu_slice bytes)
{
    bool v6 = bytes.len >= 16;
    if (v6) {
        ipv6_text(out, bytes.data);
    } else {
        ipv4_text(out, bytes.data);
    }
    if (bytes.len == 8 || bytes.len == 32) {
        mu_buf_byte(out, '/');
        const uint8_t *mask = bytes.data + bytes.len / 2;
        int length = prefix_length(mask, bytes.len / 2);
        if (length >= 0) {
            mu_buf_printf(out, "%d", length);
        } else if (v6) {
            ipv6_text(out, mask);
        } else {
            ipv4_text(out, mask);
        }
    }
}

void mu_gname_text(struct mu_buf *out, const struct mu_gname *name)
{
    size_t len = name->bytes.len;
    switch (name->type) {
    case MU_GNAME_DNS:
        mu_buf_text(out, "DNS:");
        mu_escape(out, name->bytes);
        return;
    case MU_GNAME_EMAIL:
        mu_buf_text(out, "email:");
        mu_escape(out, name->bytes);
        return;
    case MU_GNAME_URI:
        mu_buf_text(out, "URI:");
        mu_escape(out, name->bytes);
        return;
    case MU_GNAME_IP:
        mu_buf_text(out, "IP:");
        if (len == 4 || len == 8 || len == 16 || len == 32) {
            ip_text(out, name->bytes);
        }
        return;
    case MU_GNAME_DIRNAME:
        mu_buf_text(out, "directory:");
        mu_name_text(out, name->bytes);
        return;
    case MU_GNAME_OTHER:
        mu_buf_text(out, "other:#");
        mu_hex(out, name->bytes);
        return;
    }
}

/* ---- writing ------------------------------------------------------------------------------- */

bool mu_gname_write(struct mu_buf *out, const struct mu_gname *name, bool constraint,
                    struct mutual_error *err)
{
    if (name->type == MU_GNAME_OTHER) {
        return mu_fail(err, MUTUAL_E_USAGE, "a name of type \"other\" cannot be written");
    }
    if (name->bytes.len == 0 && !constraint) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "an alternative name is empty");
    }
    for (size_t i = 0; i < MU_COUNT(gname_kinds); i++) {
        if (gname_kinds[i].type == name->type) {
            mu_der_put(out, gname_kinds[i].tag, name->bytes);
            return check_gname(name, constraint, "the template", gname_kinds[i].word, err);
        }
    }
    return mu_fail(err, MUTUAL_E_USAGE, "a name has no known type");
}

bool mu_gnames_write(struct mu_buf *out, const struct mu_gname *names, size_t count,
                     struct mutual_error *err)
{
    size_t mark = mu_der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < count; i++) {
        if (!mu_gname_write(out, &names[i], false, err)) {
            return false;
        }
    }
    mu_der_end(out, mark);
    return true;
}

/* The attributes of RFC 5280 appendix A.1 with their upper bounds in characters. */
static const struct {
    struct mu_slice oid;
    const char *word;
    uint8_t tag;
    size_t max;
} attr_kinds[MU_ATTR_COUNT_] = {
    [MU_ATTR_CN] = {{(const uint8_t *)"\x55\x04\x03", 3}, "common name", DER_UTF8, 64},
    [MU_ATTR_O] = {{(const uint8_t *)"\x55\x04\x0a", 3}, "organization", DER_UTF8, 64},
    [MU_ATTR_OU] = {{(const uint8_t *)"\x55\x04\x0b", 3}, "unit", DER_UTF8, 64},
    [MU_ATTR_C] = {{(const uint8_t *)"\x55\x04\x06", 3}, "country", DER_PRINTABLE, 2},
    [MU_ATTR_ST] = {{(const uint8_t *)"\x55\x04\x08", 3}, "state", DER_UTF8, 128},
    [MU_ATTR_L] = {{(const uint8_t *)"\x55\x04\x07", 3}, "locality", DER_UTF8, 128},
    [MU_ATTR_EMAIL] = {{(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9},
                       "e-mail address",
                       DER_IA5,
                       255},
    [MU_ATTR_UID] = {{(const uint8_t *)"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10},
                     "user ID",
                     DER_UTF8,
                     256},
    [MU_ATTR_DC] = {{(const uint8_t *)"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10},
                    "domain component",
                    DER_IA5,
                    63},
    [MU_ATTR_SERIAL_NUMBER] = {{(const uint8_t *)"\x55\x04\x05", 3},
                               "serial number",
                               DER_PRINTABLE,
                               64},
};

static bool printable(struct mu_slice text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  " '()+,-./:=?";
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr(allowed, text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static bool check_rdn(const struct mu_rdn *rdn, struct mutual_error *err)
{
    mu_assert(rdn->attr < MU_ATTR_COUNT_);
    const char *word = attr_kinds[rdn->attr].word;
    struct mu_slice value = mu_slice_text(rdn->value);
    size_t chars = 0;
    for (size_t i = 0; i < value.len; i++) {
        chars += (value.data[i] & 0xc0) != 0x80;
    }
    if (chars == 0 || chars > attr_kinds[rdn->attr].max ||
        (rdn->attr == MU_ATTR_C && value.len != 2)) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                       "the %s of a subject has %zu characters, allowed are 1 to %zu", word, chars,
                       attr_kinds[rdn->attr].max);
    }
    uint8_t tag = attr_kinds[rdn->attr].tag;
    bool good = tag == DER_UTF8  ? mu_text_clean(value) && mu_utf8_valid(value)
                : tag == DER_IA5 ? mu_ascii_clean(value)
                                 : printable(value);
    return good || mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                           "the %s of a subject holds bytes that are not allowed there", word);
}

bool mu_name_build(const struct mu_rdn *rdns, size_t count, struct mu_buf *out,
                   struct mutual_error *err)
{
    size_t name = mu_der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < count; i++) {
        if (!check_rdn(&rdns[i], err)) {
            return false;
        }
        size_t set = mu_der_begin(out, DER_SET);
        size_t pair = mu_der_begin(out, DER_SEQUENCE);
        mu_der_put_oid(out, attr_kinds[rdns[i].attr].oid);
        mu_der_put(out, attr_kinds[rdns[i].attr].tag, mu_slice_text(rdns[i].value));
        mu_der_end(out, pair);
        mu_der_end(out, set);
    }
    mu_der_end(out, name);
    return !out->failed || mu_fail_memory(err);
}
