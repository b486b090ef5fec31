/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names as people write them (RFC 4514), read into DER. Values that are text become
 * UTF8String: two Names that differ only in the type of their strings are equal (names.c).
 */
#include "x509/names_internal.h"

#include <ctype.h>
#include <string.h>

/* One name in a text is at most as long as the certificate that it stands in. */
#define VALUE_MAX MU_LIMIT_CERT_BYTES
/* Names of more attributes are cut when they are written, so no text has more. */
#define RDNS_MAX 32u

static bool fail_dn(struct mutual_error *err, struct mu_slice text, const char *why)
{
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 512);
    mu_escape(&shown, mu_slice_of(text.data, text.len < 80 ? text.len : 80));
    return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "\"%s\" is no distinguished name: %s",
                   mu_buf_str(&shown), why) ||
           mu_error_hint(err, "Write it as mutual show does: CN=Example Issuer,O=Example.");
}

static struct mu_slice cut(struct mu_slice *rest, size_t len)
{
    struct mu_slice piece = mu_slice_of(rest->data, len);
    *rest = mu_slice_of(rest->data + len, rest->len - len);
    return piece;
}

/* "CN" or "2.5.4.3", up to the equals sign, which is taken too. */
static const char *read_type(struct mu_slice *rest, struct mu_buf *oid)
{
    const uint8_t *equals = rest->len == 0 ? NULL : memchr(rest->data, '=', rest->len);
    char dotted[80];
    if (equals == NULL) {
        return "an attribute has no \"=\"";
    }
    struct mu_slice word = cut(rest, (size_t)(equals - rest->data));
    struct mu_slice known;
    (void)cut(rest, 1);
    if (mu_attr_find(word, &known)) {
        return mu_buf_append(oid, known.data, known.len) ? NULL : "it is too long";
    }
    if (word.len == 0 || word.len >= sizeof dotted) {
        return "an attribute has a name that is not known";
    }
    memcpy(dotted, word.data, word.len);
    dotted[word.len] = '\0';
    return mu_oid_encode(dotted, oid) ? NULL : "an attribute has a name that is not known";
}

static int digit(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? (tolower(c) - 'a') + 10 : -1;
}

/* What a backslash stands for: one of the special characters, or two hexadecimal digits. */
static bool read_escape(struct mu_slice *rest, struct mu_buf *value)
{
    if (rest->len >= 1 && strchr(" \"#+,;<=>\\", rest->data[0]) != NULL && rest->data[0] != '\0') {
        return mu_buf_byte(value, cut(rest, 1).data[0]);
    }
    if (rest->len < 2 || digit(rest->data[0]) < 0 || digit(rest->data[1]) < 0) {
        return false;
    }
    struct mu_slice pair = cut(rest, 2);
    return mu_buf_byte(value, (uint8_t)(digit(pair.data[0]) * 16 + digit(pair.data[1])));
}

/* Up to the next comma or plus sign, which stays. */
static const char *read_text(struct mu_slice *rest, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf value;
    mu_buf_init(&value, VALUE_MAX);
    while (rest->len > 0 && rest->data[0] != ',' && rest->data[0] != '+') {
        uint8_t c = cut(rest, 1).data[0];
        if (c == '\\') {
            if (!read_escape(rest, &value)) {
                return "a backslash stands before nothing that it could stand for";
            }
        } else if (c == '"' || c == ';' || c == '<' || c == '>' || c < 0x20 || c == 0x7f) {
            return "a character needs a backslash before it";
        } else {
            mu_buf_byte(&value, c);
        }
    }
    if (value.failed) {
        return "it is too long";
    }
    if (value.len == 0 || !mu_utf8_valid(mu_buf_slice(&value))) {
        return "a value is empty or not UTF-8";
    }
    mu_der_put(out, DER_UTF8, mu_buf_slice(&value));
    return NULL;
}

/* "#" and the DER of the value in hexadecimal digits. */
static const char *read_der(struct mu_slice *rest, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf value;
    struct der_item item;
    size_t len = 1;
    mu_buf_init(&value, VALUE_MAX);
    while (len < rest->len && rest->data[len] != ',' && rest->data[len] != '+') {
        len++;
    }
    struct mu_slice digits = cut(rest, len);
    struct mu_slice der = {0};
    bool good = mu_hex_parse(mu_slice_of(digits.data + 1, digits.len - 1), &value, NULL);
    der = mu_buf_slice(&value);
    if (!good || !mu_der_next(&der, &item) || der.len > 0) {
        return "the digits behind \"#\" are not one value in DER";
    }
    mu_buf_append(out, value.data, value.len);
    return NULL;
}

/* One RDN: its attributes with "+" between them. */
static const char *read_rdn(struct mu_slice *rest, struct mu_buf *out)
{
    size_t set = mu_der_begin(out, DER_SET);
    for (bool more = true; more;) {
        MU_AUTO(buf) struct mu_buf oid;
        mu_buf_init(&oid, 512);
        while (rest->len > 0 && rest->data[0] == ' ') {
            (void)cut(rest, 1);
        }
        const char *why = read_type(rest, &oid);
        size_t pair = mu_der_begin(out, DER_SEQUENCE);
        mu_der_put_oid(out, mu_buf_slice(&oid));
        if (why == NULL) {
            why =
                rest->len > 0 && rest->data[0] == '#' ? read_der(rest, out) : read_text(rest, out);
        }
        if (why != NULL) {
            return why;
        }
        mu_der_end(out, pair);
        more = rest->len > 0 && rest->data[0] == '+';
        if (more) {
            (void)cut(rest, 1);
        }
    }
    mu_der_end(out, set);
    return out->failed ? "it is too long" : NULL;
}

/* The text begins with the last RDN (RFC 4514 section 2.1). */
static const char *read_all(struct mu_slice rest, struct mu_buf *sets, size_t *starts,
                            size_t *ret_count)
{
    size_t count = 0;
    for (bool more = true; more;) {
        if (count == RDNS_MAX) {
            return "it has too many parts";
        }
        starts[count++] = sets->len;
        const char *why = read_rdn(&rest, sets);
        if (why != NULL) {
            return why;
        }
        more = rest.len > 0;
        if (more) {
            (void)cut(&rest, 1); /* the comma: nothing else ends a value */
        }
    }
    *ret_count = count;
    return NULL;
}

bool mu_name_parse(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    size_t starts[RDNS_MAX];
    size_t count = 0;
    MU_AUTO(buf) struct mu_buf sets;
    mu_buf_init(&sets, VALUE_MAX);
    const char *why = read_all(text, &sets, starts, &count);
    if (why != NULL) {
        return fail_dn(err, text, why);
    }
    size_t name = mu_der_begin(out, DER_SEQUENCE);
    for (size_t end = sets.len; count-- > 0; end = starts[count]) {
        mu_buf_append(out, sets.data + starts[count], end - starts[count]);
    }
    mu_der_end(out, name);
    return !out->failed || mu_fail_memory(err);
}
