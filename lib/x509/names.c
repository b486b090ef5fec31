/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names: walking, the folded form by which they are compared (RFC 5280 section 7.1),
 * and the text for people (RFC 4514).
 */
#include "x509/names_internal.h"

#include <string.h>
#include <strings.h>

/* A folded or written name is at most a few times its DER, which the certificate's size bounds. */
#define NAME_TEXT_MAX (8u * MU_LIMIT_CERT_BYTES)
/* Attributes in one RDN; more than two is a curiosity. */
#define RDN_ATTRS_MAX 16u

bool mu_name_walk(struct mu_slice *rdns, struct mu_slice *set, struct name_attr *ret_attr,
                  bool *ret_end)
{
    ret_attr->joined = set->len > 0;
    *ret_end = false;
    if (set->len == 0) {
        if (rdns->len == 0) {
            *ret_end = true;
            return true;
        }
        if (!mu_der_body(rdns, DER_SET, set) || set->len == 0) {
            return false;
        }
    }
    struct mu_slice pair;
    return mu_der_body(set, DER_SEQUENCE, &pair) && mu_der_body(&pair, DER_OID, &ret_attr->oid) &&
           ret_attr->oid.len > 0 && mu_der_next(&pair, &ret_attr->value) && pair.len == 0;
}

/* ---- strings ------------------------------------------------------------------------------- */

bool mu_ascii_clean(struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

bool mu_text_clean(struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

bool mu_utf8_valid(struct mu_slice text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < text.len;) {
        uint8_t lead = text.data[i++];
        size_t more = lead < 0x80 ? 0 : (lead >> 5 == 6 ? 1 : (lead >> 4 == 14 ? 2 : 3));
        if (more == 3 && lead >> 3 != 30) {
            return false;
        }
        uint32_t point = more == 0 ? lead : lead & (0x3fu >> more);
        for (size_t k = 0; k < more; k++, i++) {
            if (i == text.len || (text.data[i] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (text.data[i] & 0x3fu);
        }
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
    }
    return true;
}

static void put_utf8(struct mu_buf *out, uint32_t point)
{
    if (point < 0x80) {
        mu_buf_byte(out, (uint8_t)point);
    } else if (point < 0x800) {
        mu_buf_byte(out, (uint8_t)(0xc0 | point >> 6));
        mu_buf_byte(out, (uint8_t)(0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
        mu_buf_byte(out, (uint8_t)(0xe0 | point >> 12));
        mu_buf_byte(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
        mu_buf_byte(out, (uint8_t)(0x80 | (point & 0x3f)));
    } else {
        mu_buf_byte(out, (uint8_t)(0xf0 | point >> 18));
        mu_buf_byte(out, (uint8_t)(0x80 | (point >> 12 & 0x3f)));
        mu_buf_byte(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
        mu_buf_byte(out, (uint8_t)(0x80 | (point & 0x3f)));
    }
}

/* Fixed-width characters, big-endian: BMPString (2), UniversalString (4), Latin-1 (1). */
static bool put_wide(struct mu_buf *out, struct mu_slice bytes, size_t width)
{
    if (bytes.len % width != 0) {
        return false;
    }
    if (width == 1 && mu_ascii_clean(bytes)) {
        return mu_buf_append(out, bytes.data, bytes.len);
    }
    for (size_t i = 0; i < bytes.len; i += width) {
        uint32_t point = 0;
        for (size_t k = 0; k < width; k++) {
            point = point << 8 | bytes.data[i + k];
        }
        if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
        put_utf8(out, point);
    }
    return true;
}

bool mu_name_utf8(const struct der_item *value, struct mu_buf *out, bool *ret_string)
{
    *ret_string = true;
    switch (value->tag) {
    case DER_UTF8:
        return mu_utf8_valid(value->body) && mu_buf_append(out, value->body.data, value->body.len);
    case DER_PRINTABLE:
    case DER_IA5:
    case DER_VISIBLE:
    case DER_T61: /* by the word a set of its own, in practice Latin-1; ASCII is common to both */
        return put_wide(out, value->body, 1);
    case DER_BMP:
        return put_wide(out, value->body, 2);
    case DER_UNIVERSAL:
        return put_wide(out, value->body, 4);
    default:
        *ret_string = false;
        return true;
    }
}

/* ---- the folded form ----------------------------------------------------------------------- */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= 0x09 && c <= 0x0d);
}

/* Folds out->data[from..] in place: ASCII to lower case, runs of white space to one space, none at
 * either end (the insignificant-space handling of RFC 4518 section 2.6.1, as deployed). */
static void fold_text(struct mu_buf *out, size_t from)
{
    size_t to = from;
    bool gap = false;
    for (size_t i = from; i < out->len; i++) {
        uint8_t c = out->data[i];
        if (is_space(c)) {
            gap = to > from;
            continue;
        }
        if (gap) {
            out->data[to++] = ' ';
            gap = false;
        }
        out->data[to++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 0x20) : c;
    }
    out->len = to;
}

static void put_be32(struct mu_buf *out, size_t value)
{
    uint8_t octets[4];
    mu_put_be32(octets, (uint32_t)value);
    mu_buf_append(out, octets, sizeof octets);
}

/* Length of the OID, OID, tag (0 for folded strings), length of the value, value. */
static bool fold_attr(const struct name_attr *attr, struct mu_buf *out)
{
    put_be32(out, attr->oid.len);
    mu_buf_append(out, attr->oid.data, attr->oid.len);
    size_t head = out->len;
    mu_buf_byte(out, 0);
    put_be32(out, 0);
    bool string;
    if (!mu_name_utf8(&attr->value, out, &string) || out->failed) {
        return false;
    }
    if (string) {
        fold_text(out, head + 5);
    } else {
        mu_buf_append(out, attr->value.body.data, attr->value.body.len);
    }
    if (out->failed) {
        return false;
    }
    out->data[head] = string ? 0 : attr->value.tag;
    mu_put_be32(out->data + head + 1, (uint32_t)(out->len - head - 5));
    return true;
}

/* Orders the folded attributes of one RDN, which is a set: starts[i] is where the i-th begins. */
static bool sort_rdn(struct mu_buf *out, const size_t *starts, size_t count)
{
    struct mu_slice parts[RDN_ATTRS_MAX];
    size_t total = out->len - starts[0];
    MU_AUTO(buf) struct mu_buf copy;
    mu_buf_init(&copy, total);
    if (!mu_buf_append(&copy, out->data + starts[0], total)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t end = i + 1 < count ? starts[i + 1] : out->len;
        struct mu_slice part = mu_slice_of(copy.data + (starts[i] - starts[0]), end - starts[i]);
        size_t at = i;
        for (; at > 0 && mu_slice_compare(part, parts[at - 1]) < 0; at--) {
            parts[at] = parts[at - 1];
        }
        parts[at] = part;
    }
    out->len = starts[0];
    for (size_t i = 0; i < count; i++) {
        mu_buf_append(out, parts[i].data, parts[i].len);
    }
    return !out->failed;
}

/* Each RDN is its length and its folded attributes, so that whole RDNs are comparable prefixes. */
static bool fold_rdn(struct mu_slice set, struct mu_buf *out)
{
    struct mu_slice none = {0};
    struct name_attr attr;
    bool end;
    size_t starts[RDN_ATTRS_MAX];
    size_t count = 0;
    size_t head = out->len;
    put_be32(out, 0);
    while (set.len > 0) {
        if (count == RDN_ATTRS_MAX || !mu_name_walk(&none, &set, &attr, &end)) {
            return false;
        }
        starts[count++] = out->len;
        if (!fold_attr(&attr, out)) {
            return false;
        }
    }
    if (count == 0 || out->failed || (count > 1 && !sort_rdn(out, starts, count))) {
        return false;
    }
    mu_put_be32(out->data + head, (uint32_t)(out->len - head - 4));
    return true;
}

bool mu_name_canon(struct mu_slice name, struct mu_buf *out)
{
    struct mu_slice rdns;
    if (!mu_der_only(name, DER_SEQUENCE, &rdns)) {
        return false;
    }
    while (rdns.len > 0) {
        struct mu_slice set;
        if (!mu_der_body(&rdns, DER_SET, &set) || !fold_rdn(set, out)) {
            return false;
        }
    }
    return true;
}

bool mu_name_equal(struct mu_slice a, struct mu_slice b)
{
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf y;
    mu_buf_init(&x, NAME_TEXT_MAX);
    mu_buf_init(&y, NAME_TEXT_MAX);
    return mu_name_canon(a, &x) && mu_name_canon(b, &y) &&
           mu_slice_equal(mu_buf_slice(&x), mu_buf_slice(&y));
}

bool mu_name_within(struct mu_slice base, struct mu_slice name)
{
    MU_AUTO(buf) struct mu_buf x;
    MU_AUTO(buf) struct mu_buf y;
    mu_buf_init(&x, NAME_TEXT_MAX);
    mu_buf_init(&y, NAME_TEXT_MAX);
    return mu_name_canon(base, &x) && mu_name_canon(name, &y) && x.len <= y.len &&
           (x.len == 0 || memcmp(x.data, y.data, x.len) == 0);
}

/* ---- the text for people ------------------------------------------------------------------- */

static const struct {
    const char *text;
    struct mu_slice oid;
} attr_words[] = {
    {"CN", {(const uint8_t *)"\x55\x04\x03", 3}},
    {"O", {(const uint8_t *)"\x55\x04\x0a", 3}},
    {"OU", {(const uint8_t *)"\x55\x04\x0b", 3}},
    {"C", {(const uint8_t *)"\x55\x04\x06", 3}},
    {"ST", {(const uint8_t *)"\x55\x04\x08", 3}},
    {"L", {(const uint8_t *)"\x55\x04\x07", 3}},
    {"STREET", {(const uint8_t *)"\x55\x04\x09", 3}},
    {"serialNumber", {(const uint8_t *)"\x55\x04\x05", 3}},
    {"SN", {(const uint8_t *)"\x55\x04\x04", 3}},
    {"GN", {(const uint8_t *)"\x55\x04\x2a", 3}},
    {"title", {(const uint8_t *)"\x55\x04\x0c", 3}},
    {"DC", {(const uint8_t *)"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10}},
    {"UID", {(const uint8_t *)"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10}},
    {"emailAddress", {(const uint8_t *)"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9}},
};

bool mu_attr_find(struct mu_slice word, struct mu_slice *ret_oid)
{
    for (size_t i = 0; i < MU_COUNT(attr_words); i++) {
        if (strlen(attr_words[i].text) == word.len &&
            strncasecmp(attr_words[i].text, (const char *)word.data, word.len) == 0) {
            *ret_oid = attr_words[i].oid;
            return true;
        }
    }
    return false;
}

/* RFC 4514 section 2.4; bytes beyond printable ASCII become pairs of hexadecimal digits. */
static void escape_value(struct mu_buf *out, struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool edge = (i == 0 && (c == '#' || c == ' ')) || (i + 1 == text.len && c == ' ');
        if (c < 0x20 || c > 0x7e) {
            mu_buf_printf(out, "\\%02X", c);
            continue;
        }
        if (edge || strchr("\"+,;<>\\", c) != NULL) {
            mu_buf_byte(out, '\\');
        }
        mu_buf_byte(out, c);
    }
}

static void attr_text(struct mu_buf *out, const struct name_attr *attr)
{
    const char *word = NULL;
    for (size_t i = 0; i < MU_COUNT(attr_words) && word == NULL; i++) {
        word = mu_slice_equal(attr->oid, attr_words[i].oid) ? attr_words[i].text : NULL;
    }
    MU_AUTO(buf) struct mu_buf utf8;
    mu_buf_init(&utf8, NAME_TEXT_MAX);
    bool string = false;
    if (word != NULL) {
        mu_buf_text(out, word);
        mu_buf_byte(out, '=');
        if (mu_name_utf8(&attr->value, &utf8, &string) && string) {
            escape_value(out, mu_buf_slice(&utf8));
            return;
        }
    } else {
        if (!mu_der_oid_text(attr->oid, out)) {
            mu_buf_byte(out, '?');
        }
        mu_buf_byte(out, '=');
    }
    mu_buf_byte(out, '#');
    mu_hex(out, attr->value.whole);
}

/* How many attributes to show; a name with more is cut, which is said by "...". */
#define TEXT_ATTRS_MAX 32u

void mu_name_text(struct mu_buf *out, struct mu_slice name)
{
    struct name_attr attrs[TEXT_ATTRS_MAX];
    size_t count = 0;
    size_t start = out->len;
    struct mu_slice rdns;
    struct mu_slice set = {0};
    bool end = true;
    if (!mu_der_only(name, DER_SEQUENCE, &rdns)) {
        return;
    }
    while (count < TEXT_ATTRS_MAX && mu_name_walk(&rdns, &set, &attrs[count], &end) && !end) {
        count++;
    }
    if (!end && rdns.len + set.len > 0) {
        mu_buf_text(out, "...,");
    }
    while (count > 0) {
        /* RDNs run backwards, the attributes of one RDN forwards. */
        size_t first = count - 1;
        while (attrs[first].joined) {
            first--;
        }
        for (size_t i = first; i < count; i++) {
            attr_text(out, &attrs[i]);
            mu_buf_byte(out, i + 1 < count ? '+' : ',');
        }
        count = first;
    }
    if (out->len > start && out->data[out->len - 1] == ',') {
        out->len--;
    }
}
