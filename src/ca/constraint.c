/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a name within the issuer's name constraints (RFC 5280 section 4.2.1.10)? Asked before anything
 * is reserved or signed, so that the answer names the rule instead of a useless certificate.
 */
#include "ca/ca_internal.h"

#include <arpa/inet.h>
#include <string.h>

/* "host" is `base` itself, or below it: always for DNS, for others only when base begins with a
 * dot, which then excludes the host itself. */
static bool host_within(struct mu_slice base, const char *host, size_t len, bool below)
{
    if (base.len == 0) {
        return true;
    }
    const char *text = (const char *)base.data;
    if (text[0] == '.') {
        return len > base.len && strncasecmp(host + len - base.len, text, base.len) == 0;
    }
    if (len == base.len) {
        return strncasecmp(host, text, len) == 0;
    }
    return below && len > base.len && host[len - base.len - 1] == '.' &&
           strncasecmp(host + len - base.len, text, base.len) == 0;
}

static bool email_within(struct mu_slice base, const struct mutual_name *name)
{
    if (memchr(base.data, '@', base.len) != NULL) {
        return base.len == name->len && memcmp(base.data, name->text, base.len) == 0;
    }
    const char *at = strrchr(name->text, '@');
    return at != NULL && host_within(base, at + 1, strlen(at + 1), false);
}

static bool uri_within(struct mu_slice base, const struct mutual_name *name)
{
    const char *host = strstr(name->text, "://");
    if (host == NULL) {
        return false;
    }
    host += 3;
    return host_within(base, host, strcspn(host, "/:?#"), false);
}

static bool ip_within(struct mu_slice base, const struct mutual_name *name)
{
    uint8_t address[16];
    bool v6 = strchr(name->text, ':') != NULL;
    size_t len = v6 ? 16 : 4;
    if (base.len != 2 * len || inet_pton(v6 ? AF_INET6 : AF_INET, name->text, address) != 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (((address[i] ^ base.data[i]) & base.data[len + i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool dns_within(struct mu_slice base, const struct mutual_name *name)
{
    return host_within(base, name->text, name->len, true);
}

/* CN and URI types come under the rule of what they are written as; a CN under none. */
static const struct {
    enum mu_gname_type type;
    bool (*within)(struct mu_slice base, const struct mutual_name *name);
} rules[MUTUAL_NAME_COUNT_] = {
    [MUTUAL_NAME_SPIFFE] = {MU_GNAME_URI, uri_within},
    [MUTUAL_NAME_URI] = {MU_GNAME_URI, uri_within},
    [MUTUAL_NAME_DNS] = {MU_GNAME_DNS, dns_within},
    [MUTUAL_NAME_EMAIL] = {MU_GNAME_EMAIL, email_within},
    [MUTUAL_NAME_IP] = {MU_GNAME_IP, ip_within},
};

static bool any_within(const struct mu_subtree *trees, size_t count, const struct mutual_name *name,
                       bool *ret_mentioned)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (trees[i].base.type == rules[name->type].type) {
            *ret_mentioned = true;
            found = found || rules[name->type].within(trees[i].base.bytes, name);
        }
    }
    return found;
}

/* A wildcard reaches every name one label below; an excluded one there excludes it. */
static bool wildcard_excluded(const struct ca_rule *rule, const struct mutual_name *name)
{
    if (name->type != MUTUAL_NAME_DNS || !mu_text_starts(name->text, "*.")) {
        return false;
    }
    const struct mu_slice parent = mu_slice_of(name->text + 2, name->len - 2);
    for (size_t i = 0; i < rule->excluded_count; i++) {
        const struct mu_gname *base = &rule->excluded[i].base;
        bool dot = base->bytes.len > 0 && base->bytes.data[0] == '.';
        if (base->type == MU_GNAME_DNS && host_within(parent, (const char *)base->bytes.data + dot,
                                                      base->bytes.len - dot, true)) {
            return true;
        }
    }
    return false;
}

enum mu_gname_type ca_general_type(enum mutual_name_type type)
{
    return rules[type].within != NULL ? rules[type].type : MU_GNAME_OTHER;
}

static void list_permitted(const struct ca_rule *rule, enum mu_gname_type type, struct mu_buf *out)
{
    for (size_t i = 0; i < rule->permitted_count; i++) {
        if (rule->permitted[i].base.type == type) {
            mu_buf_text(out, out->len == 0 ? "" : ", ");
            mu_gname_text(out, &rule->permitted[i].base);
        }
    }
}

bool ca_constraint_check(const struct ca_rule *rule, const struct mutual_name *name,
                         struct mutual_error *err)
{
    mu_assert(rules[name->type].within != NULL);
    if (!rule->constrained) {
        return true;
    }
    bool mentioned = false;
    bool excluded = any_within(rule->excluded, rule->excluded_count, name, &mentioned) ||
                    wildcard_excluded(rule, name);
    bool some_permitted = false;
    bool permitted = any_within(rule->permitted, rule->permitted_count, name, &some_permitted);
    if (!excluded && (permitted || (mentioned && !some_permitted))) {
        return true;
    }
    MU_AUTO(buf) struct mu_buf list;
    mu_buf_init(&list, 4096);
    list_permitted(rule, rules[name->type].type, &list);
    return mu_fail(err, MUTUAL_E_ISSUER_CONSTRAINT, "issuer \"%s\" may not certify %s \"%s\"",
                   rule->display, mutual_name_type_word(name->type), name->text) ||
           (list.len == 0 ? mu_error_hint(err, "It may certify no names of this type.")
                          : mu_error_hint(err, "It may certify under: %.140s.", mu_buf_str(&list)));
}

/* Only where directory names are mentioned: every subject of ours has one. */
bool ca_constraint_subject(const struct ca_rule *rule, struct mu_slice subject,
                           struct mutual_error *err)
{
    bool some = false;
    bool permitted = false;
    bool excluded = false;
    for (size_t i = 0; i < rule->permitted_count; i++) {
        if (rule->permitted[i].base.type == MU_GNAME_DIRNAME) {
            some = true;
            permitted = permitted || mu_name_within(rule->permitted[i].base.bytes, subject);
        }
    }
    for (size_t i = 0; i < rule->excluded_count; i++) {
        excluded = excluded || (rule->excluded[i].base.type == MU_GNAME_DIRNAME &&
                                mu_name_within(rule->excluded[i].base.bytes, subject));
    }
    if (!excluded && (permitted || !some)) {
        return true;
    }
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    mu_name_text(&text, subject);
    return mu_fail(err, MUTUAL_E_ISSUER_CONSTRAINT, "issuer \"%s\" may not certify the subject %s",
                   rule->display, mu_buf_str(&text));
}

bool ca_name_permitted(const struct ca *ca, const struct mutual_name *name,
                       struct mutual_error *err)
{
    struct ca_rule rule;
    ca_rule_of(ca, ca_profile_at(0), &rule);
    return ca_constraint_check(&rule, name, err);
}
