/* SPDX-License-Identifier: Apache-2.0
 *
 * Name constraints (RFC 5280 sections 4.2.1.10 and 6.1.4 (g)): every name of a certificate must
 * lie in some permitted subtree of its type, if there is one, and in no excluded one. A subtree or
 * a name that we cannot read decides against the certificate.
 *
 * Certificates come here after their own names were checked, so texts are printable and in the
 * grammar of their type; letter case is as it came.
 */
#include <string.h>

#include "trust/trust_internal.h"

#define CANON_MAX (8u * MU_LIMIT_CERT_BYTES)

enum fit {
    FIT_NO,
    FIT_YES,
    FIT_UNREADABLE, /* the subtree or the name is malformed, or beyond us */
};

/* ---- text ------------------------------------------------------------------------------------ */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool equal_folded(struct mu_slice a, struct mu_slice b)
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

static bool ends_folded(struct mu_slice text, struct mu_slice end)
{
    return text.len >= end.len &&
           equal_folded(mu_slice_of(text.data + (text.len - end.len), end.len), end);
}

static struct mu_slice after(struct mu_slice text, size_t skip)
{
    return mu_slice_of(text.data + skip, text.len - skip);
}

/* `host` is `base` or has it as its last labels. */
static bool host_within(struct mu_slice base, struct mu_slice host)
{
    return equal_folded(base, host) ||
           (host.len > base.len && host.data[host.len - base.len - 1] == '.' &&
            ends_folded(host, base));
}

/* ---- one subtree, one name ------------------------------------------------------------------- */

/* "Any DNS name that can be constructed by simply adding zero or more labels to the left-hand side
 * of the name satisfies the name constraint." A wildcard name is permitted when all it stands for
 * is; it is excluded when anything it stands for is. */
static enum fit fit_dns(struct mu_slice base, struct mu_slice name, bool excluded)
{
    if (base.len == 0) {
        return FIT_YES;
    }
    if (!mu_name_is_host(base)) {
        return FIT_UNREADABLE;
    }
    bool wild = name.len > 2 && name.data[0] == '*';
    struct mu_slice host = wild ? after(name, 2) : name;
    if (host_within(base, host)) {
        return FIT_YES;
    }
    const uint8_t *dot = memchr(base.data, '.', base.len);
    bool touches = wild && excluded && dot != NULL &&
                   equal_folded(after(base, (size_t)(dot - base.data) + 1), host);
    return touches ? FIT_YES : FIT_NO;
}

/* "a particular mailbox, all addresses at a particular host, or all mailboxes in a domain". An
 * asterisk is a letter like any other. */
static enum fit fit_email(struct mu_slice base, struct mu_slice name, bool excluded)
{
    (void)excluded;
    if (base.len == 0) {
        return FIT_YES;
    }
    const uint8_t *at = memchr(name.data, '@', name.len);
    if (at == NULL || !mu_name_is_mailbox(name)) {
        return FIT_UNREADABLE;
    }
    struct mu_slice host = after(name, (size_t)(at - name.data) + 1);
    const uint8_t *base_at = memchr(base.data, '@', base.len);
    if (base_at != NULL) {
        size_t local = (size_t)(base_at - base.data);
        if (!mu_name_is_mailbox(base)) {
            return FIT_UNREADABLE;
        }
        bool same = mu_slice_equal(mu_slice_of(base.data, local),
                                   mu_slice_of(name.data, (size_t)(at - name.data)));
        return same && equal_folded(after(base, local + 1), host) ? FIT_YES : FIT_NO;
    }
    if (base.data[0] == '.') {
        if (!mu_name_is_host(after(base, 1))) {
            return FIT_UNREADABLE;
        }
        return host.len > base.len && ends_folded(host, base) ? FIT_YES : FIT_NO;
    }
    if (!mu_name_is_host(base)) {
        return FIT_UNREADABLE;
    }
    return equal_folded(base, host) ? FIT_YES : FIT_NO;
}

/* The host of an authority-based URI; empty when there is none. */
static struct mu_slice uri_host(struct mu_slice uri)
{
    static const char mark[] = "://";
    struct mu_slice none = {uri.data, 0};
    const uint8_t *at = memmem(uri.data, uri.len, mark, sizeof mark - 1);
    const uint8_t *colon = memchr(uri.data, ':', uri.len);
    if (at == NULL || at != colon) {
        return none;
    }
    struct mu_slice rest = after(uri, (size_t)(at - uri.data) + sizeof mark - 1);
    size_t end = 0;
    while (end < rest.len && memchr("/?#", rest.data[end], 3) == NULL) {
        end++;
    }
    struct mu_slice authority = mu_slice_of(rest.data, end);
    const uint8_t *user = memrchr(authority.data, '@', authority.len);
    struct mu_slice host =
        user == NULL ? authority : after(authority, (size_t)(user - authority.data) + 1);
    const uint8_t *port = memchr(host.data, ':', host.len);
    host.len = port == NULL ? host.len : (size_t)(port - host.data);
    return host;
}

/* SPIFFE trust domains may hold underscores; that is the only licence here. */
static bool is_uri_host(struct mu_slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = lower(host.data[i]);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        bool inner_dot = c == '.' && i > 0 && i + 1 < host.len && host.data[i - 1] != '.';
        if (!plain && !inner_dot) {
            return false;
        }
    }
    return host.len > 0;
}

/* "The constraint MUST be specified as a fully qualified domain name and MAY specify a host or a
 * domain"; with a period in front it stands for everything below. "If a constraint is applied ...
 * and a subsequent certificate includes ... a URI that does not include an authority component with
 * a host name specified as a fully qualified domain name ..., then the application MUST reject the
 * certificate." */
static enum fit fit_uri(struct mu_slice base, struct mu_slice name, bool excluded)
{
    (void)excluded;
    struct mu_slice host = uri_host(name);
    bool address = is_uri_host(host) && !mu_name_is_host(host) && host.data[host.len - 1] >= '0' &&
                   host.data[host.len - 1] <= '9' && memchr(host.data, '_', host.len) == NULL;
    if (base.len == 0) {
        return FIT_YES;
    }
    if (!is_uri_host(host) || address) {
        return FIT_UNREADABLE;
    }
    if (base.data[0] == '.') {
        if (!is_uri_host(after(base, 1))) {
            return FIT_UNREADABLE;
        }
        return host.len > base.len && ends_folded(host, base) ? FIT_YES : FIT_NO;
    }
    if (!is_uri_host(base)) {
        return FIT_UNREADABLE;
    }
    return equal_folded(base, host) ? FIT_YES : FIT_NO;
}

static bool is_prefix_mask(struct mu_slice mask)
{
    bool ended = false;
    for (size_t bit = 0; bit < 8 * mask.len; bit++) {
        bool set = (mask.data[bit / 8] & (0x80u >> bit % 8)) != 0;
        if (set && ended) {
            return false;
        }
        ended = !set;
    }
    return true;
}

/* Address and mask, "encoded in the style of RFC 4632 (CIDR)". */
static enum fit fit_ip(struct mu_slice base, struct mu_slice name, bool excluded)
{
    (void)excluded;
    size_t half = base.len / 2;
    if ((base.len != 8 && base.len != 32) || !is_prefix_mask(after(base, half)) ||
        (name.len != 4 && name.len != 16)) {
        return FIT_UNREADABLE;
    }
    if (name.len != half) {
        return FIT_NO;
    }
    for (size_t i = 0; i < half; i++) {
        if (((base.data[i] ^ name.data[i]) & base.data[half + i]) != 0) {
            return FIT_NO;
        }
    }
    return FIT_YES;
}

static enum fit fit_directory(struct mu_slice base, struct mu_slice name, bool excluded)
{
    (void)excluded;
    /* Not mu_name_within: running out of memory must not look like lying outside. */
    MU_AUTO(buf) struct mu_buf tree;
    MU_AUTO(buf) struct mu_buf own;
    mu_buf_init(&tree, CANON_MAX);
    mu_buf_init(&own, CANON_MAX);
    if (!mu_name_canon(base, &tree) || !mu_name_canon(name, &own)) {
        return FIT_UNREADABLE;
    }
    bool within =
        own.len >= tree.len && mu_slice_equal(mu_slice_of(own.data, tree.len), mu_buf_slice(&tree));
    return within ? FIT_YES : FIT_NO;
}

/* otherName and its like: we cannot tell whether the name is within. */
static enum fit fit_other(struct mu_slice base, struct mu_slice name, bool excluded)
{
    (void)base;
    (void)name;
    (void)excluded;
    return FIT_UNREADABLE;
}

typedef enum fit (*fitter)(struct mu_slice base, struct mu_slice name, bool excluded);

static const fitter fitters[] = {
    [MU_GNAME_OTHER] = fit_other, [MU_GNAME_DNS] = fit_dns, [MU_GNAME_EMAIL] = fit_email,
    [MU_GNAME_URI] = fit_uri,     [MU_GNAME_IP] = fit_ip,   [MU_GNAME_DIRNAME] = fit_directory,
};

/* ---- all subtrees, all names ----------------------------------------------------------------- */

/* One certificate under one authority. */
struct trial {
    struct judge *judge;
    const struct mu_cert_facts *ca, *cert;
};

struct shown {
    char text[112];
};

static struct shown show(const struct mu_gname *name)
{
    struct shown shown = {{0}};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 16384);
    mu_gname_text(&buf, name);
    size_t len = buf.len < sizeof shown.text - 4 ? buf.len : sizeof shown.text - 4;
    if (len > 0) {
        memcpy(shown.text, buf.data, len);
    }
    if (len < buf.len) {
        memcpy(shown.text + len, "...", 4);
    }
    return shown;
}

/* Long names cost more to compare than short ones, and directory names are parsed for it. */
static bool pay(const struct trial *trial, const struct mu_gname *base, struct mu_slice name)
{
    size_t len = base->bytes.len + name.len;
    size_t price = base->type == MU_GNAME_DIRNAME ? 16 + len / 8 : 1 + len / 64;
    if (price > trial->judge->constraint_work) {
        trial->judge->constraint_work = 0;
        return false;
    }
    trial->judge->constraint_work -= price;
    return true;
}

static bool fail_costly(const struct trial *trial, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_CHAIN_TOO_COSTLY,
                   "comparing the names of certificate \"%s\" with the name constraints of "
                   "\"%s\" would cost too much",
                   trial->cert->display, trial->ca->display);
}

static bool fail_name(const struct trial *trial, const struct mu_gname *name, const char *fault,
                      struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_NAME_CONSTRAINT,
                   "authority \"%s\" may not issue %s of certificate \"%s\": %s",
                   trial->ca->display, err == NULL ? "" : show(name).text, trial->cert->display,
                   fault);
}

static bool check_excluded(const struct trial *trial, const struct mu_gname *name, bool *mentioned,
                           struct mutual_error *err)
{
    for (size_t i = 0; i < trial->ca->excluded_count; i++) {
        const struct mu_gname *base = &trial->ca->excluded[i].base;
        if (base->type != name->type) {
            continue;
        }
        *mentioned = true;
        if (!pay(trial, base, name->bytes)) {
            return fail_costly(trial, err);
        }
        enum fit fit = fitters[name->type](base->bytes, name->bytes, true);
        if (fit != FIT_NO) {
            return fail_name(trial, name,
                             fit == FIT_YES ? "it is in an excluded subtree"
                                            : "it cannot be compared with an excluded subtree",
                             err);
        }
    }
    return true;
}

static bool check_permitted(const struct trial *trial, const struct mu_gname *name, bool *mentioned,
                            struct mutual_error *err)
{
    bool typed = false;
    for (size_t i = 0; i < trial->ca->permitted_count; i++) {
        const struct mu_gname *base = &trial->ca->permitted[i].base;
        if (base->type != name->type) {
            continue;
        }
        typed = true;
        *mentioned = true;
        if (!pay(trial, base, name->bytes)) {
            return fail_costly(trial, err);
        }
        enum fit fit = fitters[name->type](base->bytes, name->bytes, false);
        if (fit == FIT_UNREADABLE) {
            return fail_name(trial, name, "it cannot be compared with a permitted subtree", err);
        }
        if (fit == FIT_YES) {
            return true;
        }
    }
    return !typed || fail_name(trial, name, "it is in no permitted subtree", err);
}

static bool check_name(const struct trial *trial, const struct mu_gname *name,
                       struct mutual_error *err)
{
    bool mentioned = false;
    if (!check_excluded(trial, name, &mentioned, err) ||
        !check_permitted(trial, name, &mentioned, err)) {
        return false;
    }
    return mentioned || !trial->judge->trust->strict_constraints ||
           fail_name(trial, name,
                     "its constraints say nothing of this type of name, and the "
                     "bundle is strict",
                     err);
}

/* A subtree that nobody could ever match is a mistake of the authority's; to go on as if it were
 * not there would widen what it may issue. */
static bool check_subtree(const struct trial *trial, const struct mu_subtree *subtree,
                          struct mutual_error *err)
{
    static const struct {
        const char *probe;
        size_t len;
    } probes[] = {
        [MU_GNAME_OTHER] = {NULL, 0},  [MU_GNAME_DNS] = {"a", 1},
        [MU_GNAME_EMAIL] = {"a@b", 3}, [MU_GNAME_URI] = {"a://b", 5},
        [MU_GNAME_IP] = {"\0\0\0", 4}, [MU_GNAME_DIRNAME] = {NULL, 0},
    };
    enum mu_gname_type type = subtree->base.type;
    bool bad = subtree->ranged;
    if (type == MU_GNAME_DIRNAME) {
        MU_AUTO(buf) struct mu_buf canon;
        mu_buf_init(&canon, CANON_MAX);
        bad = bad || !mu_name_canon(subtree->base.bytes, &canon);
    }
    if (probes[type].probe != NULL) {
        bad = bad ||
              fitters[type](subtree->base.bytes, mu_slice_of(probes[type].probe, probes[type].len),
                            true) == FIT_UNREADABLE;
    }
    return !bad || mu_fail(err, MUTUAL_E_NAME_CONSTRAINT,
                           "authority \"%s\" has a malformed name constraint: %s",
                           trial->ca->display, err == NULL ? "" : show(&subtree->base).text);
}

static bool check_subtrees(const struct trial *trial, struct mutual_error *err)
{
    size_t count = trial->ca->permitted_count + trial->ca->excluded_count;
    /* Reading a subtree is cheap beside comparing it, but there may be thousands. */
    if (count / 8 >= trial->judge->constraint_work) {
        trial->judge->constraint_work = 0;
        return fail_costly(trial, err);
    }
    trial->judge->constraint_work -= count / 8;
    for (size_t i = 0; i < trial->ca->permitted_count; i++) {
        if (!check_subtree(trial, &trial->ca->permitted[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < trial->ca->excluded_count; i++) {
        if (!check_subtree(trial, &trial->ca->excluded[i], err)) {
            return false;
        }
    }
    return true;
}

/* Section 4.2.1.10: "When a certificate contains no ... rfc822Name ..., the constraint MUST be
 * applied to the attribute of type emailAddress in the subject distinguished name." */
static bool check_subject_emails(const struct trial *trial, struct mutual_error *err)
{
    for (size_t i = 0; i < trial->cert->name_count; i++) {
        if (trial->cert->names[i].type == MU_GNAME_EMAIL) {
            return true;
        }
    }
    for (size_t i = 0; i < trial->cert->subject_email_count; i++) {
        struct mu_gname name = {MU_GNAME_EMAIL, trial->cert->subject_emails[i]};
        if (!check_name(trial, &name, err)) {
            return false;
        }
    }
    return true;
}

/* The subject counts as a name of type directoryName, unless it is empty. */
static bool check_subject(const struct trial *trial, struct mutual_error *err)
{
    struct mu_gname subject = {MU_GNAME_DIRNAME, trial->cert->subject};
    bool mentioned = true; /* every certificate has a subject: strictness would refuse them all */
    return trial->cert->subject_canon.len == 0 ||
           (check_excluded(trial, &subject, &mentioned, err) &&
            check_permitted(trial, &subject, &mentioned, err));
}

bool mu_check_constraints(struct judge *judge, const struct mu_cert_facts *ca,
                          const struct mu_cert_facts *cert, struct mutual_error *err)
{
    struct trial trial = {.judge = judge, .ca = ca, .cert = cert};
    if (!check_subtrees(&trial, err) || !check_subject(&trial, err) ||
        !check_subject_emails(&trial, err)) {
        return false;
    }
    for (size_t i = 0; i < cert->name_count; i++) {
        if (!check_name(&trial, &cert->names[i], err)) {
            return false;
        }
    }
    return true;
}
