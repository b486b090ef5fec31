/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar of names, one type each. Everything that identity believes about a text is decided
 * here, once; a name that came through is printable ASCII in its one normalised form, so that
 * comparing names is comparing bytes.
 */
#include <arpa/inet.h>
#include <string.h>

#include "identity/identity_internal.h"

static const char *const type_words[MUTUAL_NAME_COUNT_] = {
    [MUTUAL_NAME_SPIFFE] = "spiffe", [MUTUAL_NAME_URI] = "uri", [MUTUAL_NAME_DNS] = "dns",
    [MUTUAL_NAME_EMAIL] = "email",   [MUTUAL_NAME_IP] = "ip",   [MUTUAL_NAME_CN] = "cn",
};

const char *mutual_name_type_word(enum mutual_name_type type)
{
    bool known = (unsigned)type < (unsigned)MUTUAL_NAME_COUNT_;
    mu_assert(known);
    return type_words[type];
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static uint8_t to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* What a stranger wrote, made safe to show and cut to a length that fits a reason. */
#define SHOWN_MAX 96u
struct shown {
    char text[SHOWN_MAX + 4];
};

static struct shown show(struct mu_slice text)
{
    struct shown shown = {{0}};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 4 * SHOWN_MAX + 1);
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
    mu_escape(&buf, mu_slice_of(text.data, len));
    size_t fits = buf.len < SHOWN_MAX ? buf.len : SHOWN_MAX;
    if (fits > 0) {
        memcpy(shown.text, buf.data, fits);
    }
    if (fits < buf.len || len < text.len) {
        memcpy(shown.text + fits, "...", 4);
    }
    return shown;
}

/* Bytes that no name may hold, whatever its type: they cut strings short, break lines of logs and
 * look like others. */
static bool check_printable(enum mutual_name_type type, struct mu_slice text,
                            struct mutual_error *err)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c > 0x7e) {
            return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                           "%s name \"%s\" holds the forbidden byte 0x%02x at position %zu",
                           type_words[type], show(text).text, c, i + 1);
        }
    }
    return true;
}

/* ---- DNS ------------------------------------------------------------------------------------- */

/* One label: letters, digits and inner hyphens (RFC 1034 section 3.5, the "preferred name syntax"
 * that RFC 5280 section 4.2.1.6 demands). So no underscore, although some resolvers know it. */
static const char *label_fault(struct mu_slice label)
{
    if (label.len == 0) {
        return "has an empty label";
    }
    if (label.len > NAME_LABEL_MAX) {
        return "has a label of more than 63 characters";
    }
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.data[i];
        if (!is_alpha(c) && !is_digit(c) && c != '-') {
            return c == '_'   ? "holds an underscore, which host names do not allow"
                   : c == '*' ? "holds an asterisk where none may stand"
                              : "holds a character other than a letter, digit or hyphen";
        }
    }
    if (label.data[0] == '-' || label.data[label.len - 1] == '-') {
        return "has a label that begins or ends with a hyphen";
    }
    return NULL;
}

static bool all_digits(struct mu_slice label)
{
    for (size_t i = 0; i < label.len; i++) {
        if (!is_digit(label.data[i])) {
            return false;
        }
    }
    return true;
}

/* NULL when `text` is a host name; else what is wrong with it. */
static const char *dns_fault(struct mu_slice text)
{
    if (text.len == 0) {
        return "is empty";
    }
    if (text.len > NAME_DNS_MAX) {
        return "is longer than 253 characters";
    }
    struct mu_slice label = {text.data, 0};
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != '.') {
            continue;
        }
        label.len = (size_t)(text.data + i - label.data);
        const char *fault = label_fault(label);
        if (fault != NULL) {
            return fault;
        }
        if (i < text.len) {
            label.data = text.data + i + 1;
        }
    }
    /* An all-numeric last label would read as an IP address elsewhere (RFC 1123 section 2.1). */
    return all_digits(label) ? "ends in a number, as only an IP address does" : NULL;
}

static void append_lower(struct mu_buf *out, struct mu_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        mu_buf_byte(out, to_lower(text.data[i]));
    }
}

static bool normalise_dns(enum name_source source, struct mu_slice text, struct mu_buf *out,
                          struct mutual_error *err)
{
    struct mu_slice host = text;
    if (source == NAME_FROM_PEOPLE && host.len > 1 && host.data[host.len - 1] == '.') {
        host.len--;
    }
    struct mu_slice fixed = host;
    if (source == NAME_FROM_CERT && host.len > 2 && host.data[0] == '*' && host.data[1] == '.') {
        fixed = mu_slice_of(host.data + 2, host.len - 2);
    }
    const char *fault = dns_fault(fixed);
    if (fault == NULL && host.len > NAME_DNS_MAX) {
        fault = "is longer than 253 characters";
    }
    if (fault != NULL) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "DNS name \"%s\" %s", show(text).text, fault);
    }
    append_lower(out, host);
    return true;
}

/* ---- e-mail ---------------------------------------------------------------------------------- */

/* A dot-atom (RFC 5321 section 4.1.2). Quoted local parts are refused: they can hold anything, and
 * two ways to write one mailbox are one too many. */
static const char *local_fault(struct mu_slice local)
{
    static const char atom[] = "!#$%&'*+-/=?^_`{|}~.";
    if (local.len == 0 || local.len > NAME_EMAIL_LOCAL_MAX) {
        return "has a local part that is empty or longer than 64 characters";
    }
    for (size_t i = 0; i < local.len; i++) {
        uint8_t c = local.data[i];
        if (!is_alpha(c) && !is_digit(c) && memchr(atom, c, sizeof atom - 1) == NULL) {
            return "has a local part with a character that is not allowed";
        }
        bool edge = i == 0 || i + 1 == local.len || local.data[i - 1] == '.';
        if (c == '.' && edge) {
            return "has a misplaced dot in its local part";
        }
    }
    return NULL;
}

static bool normalise_email(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    const uint8_t *at = text.len > 0 ? memchr(text.data, '@', text.len) : NULL;
    if (at == NULL) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "e-mail name \"%s\" has no \"@\"",
                       show(text).text);
    }
    struct mu_slice local = {text.data, (size_t)(at - text.data)};
    struct mu_slice host = {at + 1, text.len - local.len - 1};
    const char *fault = local_fault(local);
    if (fault == NULL && (fault = dns_fault(host)) != NULL) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "e-mail name \"%s\": its host %s",
                       show(text).text, fault);
    }
    if (fault != NULL) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "e-mail name \"%s\" %s", show(text).text,
                       fault);
    }
    mu_buf_append(out, text.data, local.len + 1);
    append_lower(out, host);
    return true;
}

bool mu_name_is_host(struct mu_slice text)
{
    return dns_fault(text) == NULL;
}

bool mu_name_is_mailbox(struct mu_slice text)
{
    const uint8_t *at = text.len > 0 ? memchr(text.data, '@', text.len) : NULL;
    if (at == NULL) {
        return false;
    }
    size_t local = (size_t)(at - text.data);
    return local_fault(mu_slice_of(text.data, local)) == NULL &&
           dns_fault(mu_slice_of(at + 1, text.len - local - 1)) == NULL;
}

/* ---- IP -------------------------------------------------------------------------------------- */

bool mu_ip_format(struct mu_slice address, struct mu_buf *out)
{
    char text[NAME_IP_TEXT];
    if ((address.len != 4 && address.len != 16) ||
        inet_ntop(address.len == 4 ? AF_INET : AF_INET6, address.data, text, sizeof text) == NULL) {
        return false;
    }
    return mu_buf_text(out, text);
}

bool mu_ip_parse(struct mu_slice text, uint8_t ret_address[16], size_t *ret_len)
{
    char copy[NAME_IP_TEXT];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, ret_address) == 1) {
        *ret_len = 4;
        return true;
    }
    if (inet_pton(AF_INET6, copy, ret_address) == 1) {
        *ret_len = 16;
        return true;
    }
    return false;
}

static bool normalise_ip(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    uint8_t address[16];
    size_t len = 0;
    if (!mu_ip_parse(text, address, &len)) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "\"%s\" is not an IP address",
                       show(text).text);
    }
    (void)mu_ip_format(mu_slice_of(address, len), out);
    return true;
}

/* ---- URI ------------------------------------------------------------------------------------- */

bool mu_name_claims_spiffe(struct mu_slice text)
{
    static const char scheme[] = "spiffe:";
    if (text.len < sizeof scheme - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof scheme - 1; i++) {
        if (to_lower(text.data[i]) != (uint8_t)scheme[i]) {
            return false;
        }
    }
    return true;
}

/* RFC 3986 section 2 and 3.1, and RFC 5280 section 4.2.1.6: the URI "MUST NOT be relative" and
 * "MUST include both a scheme and a scheme-specific-part". Nothing is decoded or folded: two URIs
 * are the same when their bytes are. */
static const char *uri_fault(struct mu_slice text)
{
    static const char others[] = "-._~:/?#[]@!$&'()*+,;=%";
    size_t scheme = 0;
    while (scheme < text.len && (is_alpha(text.data[scheme]) || is_digit(text.data[scheme]) ||
                                 memchr("+-.", text.data[scheme], 3) != NULL)) {
        scheme++;
    }
    if (scheme == 0 || !is_alpha(text.data[0]) || scheme == text.len || text.data[scheme] != ':') {
        return "has no scheme";
    }
    if (scheme + 1 == text.len) {
        return "has nothing after its scheme";
    }
    for (size_t i = scheme + 1; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (!is_alpha(c) && !is_digit(c) && memchr(others, c, sizeof others - 1) == NULL) {
            return "holds a character that URIs do not allow";
        }
        if (c == '%' &&
            (text.len - i < 3 || !is_hex(text.data[i + 1]) || !is_hex(text.data[i + 2]))) {
            return "has a broken percent-encoding";
        }
    }
    return NULL;
}

static bool normalise_uri(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    if (mu_name_claims_spiffe(text)) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                       "\"%s\" is a SPIFFE ID, not a name of type \"uri\"", show(text).text);
    }
    const char *fault = text.len > MU_LIMIT_NAME_BYTES ? "is longer than 2048 bytes" : NULL;
    if (fault == NULL) {
        fault = uri_fault(text);
    }
    if (fault != NULL) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "URI \"%s\" %s", show(text).text, fault);
    }
    mu_buf_append(out, text.data, text.len);
    return true;
}

/* ---- SPIFFE ---------------------------------------------------------------------------------- */

static const char *domain_fault(struct mu_slice domain)
{
    if (domain.len == 0) {
        return "has no trust domain";
    }
    if (domain.len > 255) {
        return "has a trust domain of more than 255 characters";
    }
    for (size_t i = 0; i < domain.len; i++) {
        uint8_t c = domain.data[i];
        if ((c >= 'a' && c <= 'z') || is_digit(c) || c == '.' || c == '-' || c == '_') {
            continue;
        }
        return c == '@'   ? "has a user in it"
               : c == ':' ? "has a port in it"
               : c == '%' ? "is percent-encoded"
               : c == '*' ? "has a wildcard for a trust domain"
               : is_alpha(c)
                   ? "has upper-case letters in its trust domain"
                   : "has a trust domain with a character other than a-z, 0-9, \".\", \"-\", \"_\"";
    }
    return NULL;
}

static const char *segment_fault(struct mu_slice segment)
{
    if (segment.len == 0) {
        return "has an empty path segment or ends with a slash";
    }
    if (mu_slice_equal_text(segment, ".") || mu_slice_equal_text(segment, "..")) {
        return "has a path segment \".\" or \"..\"";
    }
    for (size_t i = 0; i < segment.len; i++) {
        uint8_t c = segment.data[i];
        if (is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_') {
            continue;
        }
        return c == '?'   ? "has a query"
               : c == '#' ? "has a fragment"
               : c == '%' ? "is percent-encoded"
                          : "has a path with a character other than A-Z, a-z, 0-9, \".\", \"-\", "
                            "\"_\"";
    }
    return NULL;
}

const char *mu_spiffe_fault(struct mu_slice id)
{
    static const char scheme[] = "spiffe://";
    if (id.len > MU_LIMIT_NAME_BYTES) {
        return "is longer than 2048 bytes";
    }
    if (id.len < sizeof scheme - 1 || memcmp(id.data, scheme, sizeof scheme - 1) != 0) {
        return "does not begin with \"spiffe://\" in lower case";
    }
    const uint8_t *end = id.data + id.len;
    struct mu_slice part = {id.data + sizeof scheme - 1, 0};
    while (part.data + part.len < end && part.data[part.len] != '/') {
        part.len++;
    }
    const char *fault = domain_fault(part);
    while (fault == NULL && part.data + part.len < end) {
        part = (struct mu_slice){part.data + part.len + 1, 0};
        while (part.data + part.len < end && part.data[part.len] != '/') {
            part.len++;
        }
        fault = segment_fault(part);
    }
    return fault;
}

bool mu_spiffe_fail(struct mu_slice shown, const char *fault, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_SPIFFE_MALFORMED, "SPIFFE ID \"%s\" %s", show(shown).text, fault);
}

bool mutual_spiffe_check(const char *text, size_t len, struct mutual_error *err)
{
    struct mu_slice id = mu_slice_of(text, len);
    const char *fault = mu_spiffe_fault(id);
    return fault == NULL || mu_spiffe_fail(id, fault, err);
}

static bool normalise_spiffe(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    if (!mutual_spiffe_check((const char *)text.data, text.len, err)) {
        return false;
    }
    mu_buf_append(out, text.data, text.len);
    return true;
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool normalise_cn(struct mu_slice text, struct mu_buf *out, struct mutual_error *err)
{
    if (text.len == 0 || text.len > NAME_CN_MAX) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED,
                       "common name \"%s\" is empty or longer than 64 characters", show(text).text);
    }
    mu_buf_append(out, text.data, text.len);
    return true;
}

bool mu_name_normalise(enum mutual_name_type type, enum name_source source, struct mu_slice text,
                       struct mu_buf *out, struct mutual_error *err)
{
    bool known = (unsigned)type < (unsigned)MUTUAL_NAME_COUNT_;
    mu_assert(known);
    if (!check_printable(type, text, err)) {
        return false;
    }
    bool ok = false;
    switch (type) {
    case MUTUAL_NAME_SPIFFE:
        ok = normalise_spiffe(text, out, err);
        break;
    case MUTUAL_NAME_URI:
        ok = normalise_uri(text, out, err);
        break;
    case MUTUAL_NAME_DNS:
        ok = normalise_dns(source, text, out, err);
        break;
    case MUTUAL_NAME_EMAIL:
        ok = normalise_email(text, out, err);
        break;
    case MUTUAL_NAME_IP:
        ok = normalise_ip(text, out, err);
        break;
    case MUTUAL_NAME_CN:
        ok = normalise_cn(text, out, err);
        break;
    case MUTUAL_NAME_COUNT_:
        break;
    }
    return ok && (!out->failed ||
                  mu_fail(err, MUTUAL_E_LIMIT, "%s name \"%s\" does not fit into %zu bytes",
                          type_words[type], show(text).text, out->max));
}

bool mutual_name_parse(enum mutual_name_type type, const char *text, size_t len, char *storage,
                       size_t storage_size, struct mutual_name *ret_name, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, MU_LIMIT_NAME_BYTES);
    if (!mu_name_normalise(type, NAME_FROM_PEOPLE, mu_slice_of(text, len), &buf, err)) {
        return false;
    }
    if (buf.len >= storage_size) {
        return mu_fail(err, MUTUAL_E_LIMIT, "%s name \"%s\" does not fit into %zu bytes",
                       type_words[type], show(mu_slice_of(text, len)).text, storage_size);
    }
    memcpy(storage, buf.data, buf.len);
    storage[buf.len] = '\0';
    *ret_name = (struct mutual_name){.type = type, .text = storage, .len = buf.len};
    return true;
}
