/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns over names. A pattern is of one type and matches names of that type only. What each
 * type allows is a table row: how to read it, how to compare.
 */
#include <string.h>

#include "identity/identity_internal.h"

enum pattern_kind {
    PATTERN_EXACT,    /* the bytes of the name                                                */
    PATTERN_SEGMENTS, /* spiffe: "*" and a final "**" stand for path segments                 */
    PATTERN_LABEL,    /* dns: "*.example.org", one label more                                 */
    PATTERN_MAILBOX,  /* email: "@example.org", every mailbox of the host                     */
    PATTERN_RANGE,    /* ip: an address range in CIDR form                                    */
};

struct mutual_pattern {
    enum mutual_name_type type;
    enum pattern_kind kind;
    char *text; /* normalised */
    size_t len;
    uint8_t address[16]; /* PATTERN_RANGE */
    size_t address_len;
    unsigned prefix;
};

static struct mu_slice text_of(const struct mutual_pattern *pattern)
{
    return mu_slice_of(pattern->text, pattern->len);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool invalid(struct mutual_error *err, struct mu_slice text, const char *fault)
{
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 512);
    mu_escape(&shown, mu_slice_of(text.data, text.len < 96 ? text.len : 96));
    return mu_fail(err, MUTUAL_E_POLICY_INVALID, "pattern \"%s\" %s", mu_buf_str(&shown), fault);
}

/* The path segment that begins at `from`; SIZE_MAX len is never returned. */
static struct mu_slice segment_at(struct mu_slice text, size_t from)
{
    struct mu_slice segment = {text.data + from, 0};
    while (from + segment.len < text.len && segment.data[segment.len] != '/') {
        segment.len++;
    }
    return segment;
}

static size_t path_start(struct mu_slice id)
{
    size_t at = sizeof "spiffe://" - 1;
    while (at < id.len && id.data[at] != '/') {
        at++;
    }
    return at;
}

/* A pattern is a correct SPIFFE ID once its wildcards are replaced by an ordinary segment. */
static bool read_spiffe(struct mutual_pattern *pattern, struct mu_slice text, struct mu_buf *out,
                        struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf plain;
    mu_buf_init(&plain, MU_LIMIT_NAME_BYTES + 1);
    size_t at = text.len < sizeof "spiffe://" ? text.len : path_start(text);
    mu_buf_append(&plain, text.data, at);
    while (at < text.len) {
        struct mu_slice segment = segment_at(text, at + 1);
        bool one = mu_slice_equal_text(segment, "*");
        bool many = mu_slice_equal_text(segment, "**");
        if (many && at + 1 + segment.len != text.len) {
            return invalid(err, text, "has \"**\" before its last segment");
        }
        if (!one && !many && segment.len > 0 && memchr(segment.data, '*', segment.len) != NULL) {
            return invalid(err, text, "has an asterisk that is not a whole segment");
        }
        pattern->kind = one || many ? PATTERN_SEGMENTS : pattern->kind;
        mu_buf_byte(&plain, '/');
        if (one || many) {
            mu_buf_byte(&plain, '-');
        } else {
            mu_buf_append(&plain, segment.data, segment.len);
        }
        at += 1 + segment.len;
    }
    if (plain.failed) {
        return invalid(err, text, "is longer than 2048 bytes");
    }
    const char *fault = mu_spiffe_fault(mu_buf_slice(&plain));
    if (fault != NULL) {
        return mu_spiffe_fail(text, fault, err); /* as it was written, wildcards and all */
    }
    return mu_buf_append(out, text.data, text.len) || mu_fail_memory(err);
}

static bool read_dns(struct mutual_pattern *pattern, struct mu_slice text, struct mu_buf *out,
                     struct mutual_error *err)
{
    if (text.len > 2 && text.data[0] == '*' && text.data[1] == '.') {
        pattern->kind = PATTERN_LABEL;
        mu_buf_text(out, "*.");
        text = mu_slice_of(text.data + 2, text.len - 2);
    }
    return mu_name_normalise(MUTUAL_NAME_DNS, NAME_FROM_PEOPLE, text, out, err);
}

static bool read_email(struct mutual_pattern *pattern, struct mu_slice text, struct mu_buf *out,
                       struct mutual_error *err)
{
    if (text.len > 1 && text.data[0] == '@') {
        pattern->kind = PATTERN_MAILBOX;
        mu_buf_byte(out, '@');
        return mu_name_normalise(MUTUAL_NAME_DNS, NAME_FROM_PEOPLE,
                                 mu_slice_of(text.data + 1, text.len - 1), out, err);
    }
    return mu_name_normalise(MUTUAL_NAME_EMAIL, NAME_FROM_PEOPLE, text, out, err);
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    if (memcmp(a, b, whole) != 0) {
        return false;
    }
    unsigned rest = bits % 8;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool has_bits_beyond(const uint8_t *address, size_t len, unsigned prefix)
{
    for (unsigned bit = prefix; bit < 8 * len; bit++) {
        if ((address[bit / 8] & (0x80u >> bit % 8)) != 0) {
            return true;
        }
    }
    return false;
}

static bool read_range(struct mutual_pattern *pattern, struct mu_slice text, size_t slash,
                       struct mu_buf *out, struct mutual_error *err)
{
    struct mu_slice base = {text.data, slash};
    char digits[4] = {0};
    size_t count = text.len - slash - 1;
    uint64_t prefix = 0;
    if (!mu_ip_parse(base, pattern->address, &pattern->address_len)) {
        return mu_name_normalise(MUTUAL_NAME_IP, NAME_FROM_PEOPLE, base, out, err);
    }
    if (count == 0 || count >= sizeof digits) {
        return invalid(err, text, "has a prefix length that is not a number");
    }
    memcpy(digits, text.data + slash + 1, count);
    if (!mu_text_uint(digits, 8 * pattern->address_len, &prefix)) {
        return invalid(err, text, "has a prefix length that is not a number or is too large");
    }
    pattern->prefix = (unsigned)prefix;
    if (has_bits_beyond(pattern->address, pattern->address_len, pattern->prefix)) {
        return invalid(err, text, "has an address with bits beyond its prefix length");
    }
    pattern->kind = PATTERN_RANGE;
    (void)mu_ip_format(mu_slice_of(pattern->address, pattern->address_len), out);
    return mu_buf_printf(out, "/%u", pattern->prefix) || mu_fail_memory(err);
}

static bool read_ip(struct mutual_pattern *pattern, struct mu_slice text, struct mu_buf *out,
                    struct mutual_error *err)
{
    const uint8_t *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
    if (slash != NULL) {
        return read_range(pattern, text, (size_t)(slash - text.data), out, err);
    }
    return mu_name_normalise(MUTUAL_NAME_IP, NAME_FROM_PEOPLE, text, out, err);
}

static bool read_exact(struct mutual_pattern *pattern, struct mu_slice text, struct mu_buf *out,
                       struct mutual_error *err)
{
    return mu_name_normalise(pattern->type, NAME_FROM_PEOPLE, text, out, err);
}

typedef bool (*pattern_reader)(struct mutual_pattern *pattern, struct mu_slice text,
                               struct mu_buf *out, struct mutual_error *err);

static const pattern_reader readers[MUTUAL_NAME_COUNT_] = {
    [MUTUAL_NAME_SPIFFE] = read_spiffe, [MUTUAL_NAME_URI] = read_exact,
    [MUTUAL_NAME_DNS] = read_dns,       [MUTUAL_NAME_EMAIL] = read_email,
    [MUTUAL_NAME_IP] = read_ip,         [MUTUAL_NAME_CN] = read_exact,
};

static void pattern_auto(struct mutual_pattern **pattern)
{
    mutual_pattern_free(*pattern);
}

bool mutual_pattern_parse(enum mutual_name_type type, const char *text,
                          struct mutual_pattern **ret_pattern, struct mutual_error *err)
{
    bool known = (unsigned)type < (unsigned)MUTUAL_NAME_COUNT_;
    mu_assert(known);
    struct mutual_pattern *pattern __attribute__((cleanup(pattern_auto))) =
        mu_alloc(1, sizeof *pattern);
    if (pattern == NULL) {
        return mu_fail_memory(err);
    }
    pattern->type = type;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, MU_LIMIT_NAME_BYTES);
    if (!readers[type](pattern, mu_slice_text(text), &out, err)) {
        return false;
    }
    pattern->text = mu_slice_dup(mu_buf_slice(&out));
    pattern->len = out.len;
    if (pattern->text == NULL || out.failed) {
        return mu_fail_memory(err);
    }
    *ret_pattern = MU_TAKE(pattern);
    return true;
}

void mutual_pattern_free(struct mutual_pattern *pattern)
{
    if (pattern != NULL) {
        mu_free(pattern->text);
        mu_free(pattern);
    }
}

/* ---- matching -------------------------------------------------------------------------------- */

static bool match_exact(const struct mutual_pattern *pattern, struct mu_slice name)
{
    return mu_slice_equal(text_of(pattern), name);
}

/* Both sides are well-formed: "spiffe://domain" and then "/segment" again and again. */
static bool match_segments(const struct mutual_pattern *pattern, struct mu_slice name)
{
    struct mu_slice want = text_of(pattern);
    size_t want_at = path_start(want);
    size_t name_at = path_start(name);
    if (want_at != name_at || memcmp(want.data, name.data, want_at) != 0) {
        return false;
    }
    while (want_at < want.len && name_at < name.len) {
        struct mu_slice a = segment_at(want, want_at + 1);
        struct mu_slice b = segment_at(name, name_at + 1);
        if (mu_slice_equal_text(a, "**")) {
            return true;
        }
        if (!mu_slice_equal_text(a, "*") && !mu_slice_equal(a, b)) {
            return false;
        }
        want_at += 1 + a.len;
        name_at += 1 + b.len;
    }
    return want_at == want.len && name_at == name.len;
}

static bool match_label(const struct mutual_pattern *pattern, struct mu_slice name)
{
    const uint8_t *dot = name.len > 0 ? memchr(name.data, '.', name.len) : NULL;
    if (dot == NULL || dot == name.data) {
        return false;
    }
    struct mu_slice parent = {dot, name.len - (size_t)(dot - name.data)};
    return mu_slice_equal(parent, mu_slice_of(pattern->text + 1, pattern->len - 1));
}

static bool match_mailbox(const struct mutual_pattern *pattern, struct mu_slice name)
{
    const uint8_t *at = name.len > 0 ? memchr(name.data, '@', name.len) : NULL;
    return at != NULL &&
           mu_slice_equal(text_of(pattern), mu_slice_of(at, name.len - (size_t)(at - name.data)));
}

static bool match_range(const struct mutual_pattern *pattern, struct mu_slice name)
{
    uint8_t address[16];
    size_t len = 0;
    return mu_ip_parse(name, address, &len) && len == pattern->address_len &&
           bits_equal(address, pattern->address, pattern->prefix);
}

typedef bool (*pattern_matcher)(const struct mutual_pattern *pattern, struct mu_slice name);

static const pattern_matcher matchers[] = {
    [PATTERN_EXACT] = match_exact, [PATTERN_SEGMENTS] = match_segments,
    [PATTERN_LABEL] = match_label, [PATTERN_MAILBOX] = match_mailbox,
    [PATTERN_RANGE] = match_range,
};

bool mutual_pattern_matches(const struct mutual_pattern *pattern, const struct mutual_name *name)
{
    /* A wildcard certificate does not say who holds it, so no pattern knows it. */
    if (pattern->type != name->type || mu_name_is_wildcard(name)) {
        return false;
    }
    return matchers[pattern->kind](pattern, mu_slice_of(name->text, name->len));
}

bool mutual_pattern_is_exact(const struct mutual_pattern *pattern)
{
    return pattern->kind == PATTERN_EXACT;
}

enum mutual_name_type mutual_pattern_type(const struct mutual_pattern *pattern)
{
    return pattern->type;
}

const char *mutual_pattern_text(const struct mutual_pattern *pattern)
{
    return pattern->text;
}
