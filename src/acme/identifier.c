/* SPDX-License-Identifier: Apache-2.0
 *
 * Identifiers: what clients write, who may have them, and whether a certificate request asks for
 * just those of its order.
 */
#include "acme/acme_internal.h"

#include <arpa/inet.h>
#include <string.h>

static bool read_name(struct acme_call *call, enum mutual_name_type type, const char *text,
                      struct mutual_name *ret_name, struct mutual_error *err)
{
    char storage[MU_LIMIT_NAME_BYTES + 1];
    struct mutual_name name;
    if (!mutual_name_parse(type, text, strlen(text), storage, sizeof storage, &name, err)) {
        return false;
    }
    name.text = acme_keep(call->arena, mu_slice_of(name.text, name.len));
    if (name.text == NULL) {
        return mu_fail_memory(err);
    }
    *ret_name = name;
    return true;
}

bool acme_identifier_read(struct acme_call *call, const json_t *object,
                          struct acme_identifier *ret_identifier, struct mutual_error *err)
{
    const char *type = acme_json_text(object, "type");
    const char *value = acme_json_text(object, "value");
    struct acme_identifier identifier = {0};
    if (type == NULL || value == NULL) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "an identifier has \"type\" and \"value\"");
    }
    bool dns = strcmp(type, "dns") == 0;
    if (!dns && strcmp(type, "ip") != 0) {
        return acme_fail(call, 400, "unsupportedIdentifier", err, MUTUAL_E_ACME_IDENTIFIER,
                         "identifiers are of type dns or ip");
    }
    identifier.wildcard = dns && strncmp(value, "*.", 2) == 0;
    if (!read_name(call, dns ? MUTUAL_NAME_DNS : MUTUAL_NAME_IP, value + 2 * identifier.wildcard,
                   &identifier.name, err)) {
        return false;
    }
    /* RFC 8738 section 3: the canonical form and no other. */
    if (!dns && strcmp(identifier.name.text, value) != 0) {
        return mu_fail(err, MUTUAL_E_ACME_MALFORMED, "an address is written \"%s\"",
                       identifier.name.text);
    }
    *ret_identifier = identifier;
    return true;
}

const char *acme_identifier_text(struct mu_arena *arena, const struct mutual_name *name,
                                 bool wildcard)
{
    if (!wildcard) {
        return name->text;
    }
    char *text = mu_arena_alloc(arena, name->len + 3);
    if (text != NULL) {
        (void)snprintf(text, name->len + 3, "*.%s", name->text);
    }
    return text;
}

bool acme_identifier_allowed(struct acme_call *call, const struct acme_identifier *identifier,
                             struct mutual_error *err)
{
    bool allowed = false;
    if (call->account.binding_id == 0) {
        allowed = call->settings->open;
    } else if (!acme_binding_allows(call, identifier, &allowed, err)) {
        return false;
    }
    return allowed ||
           mu_fail(err, MUTUAL_E_ACME_IDENTIFIER, "the account's key gives no right to %s \"%s%s\"",
                   mutual_name_type_word(identifier->name.type), identifier->wildcard ? "*." : "",
                   identifier->name.text);
}

/* ---- what a request asks for ------------------------------------------------------------------
 */

/* Which of the order's identifiers is that? */
static bool mark(struct acme_call *call, const struct acme_order *order, enum mutual_name_type type,
                 const char *text, size_t len, bool *seen)
{
    char storage[MU_LIMIT_NAME_BYTES + 1];
    struct mutual_name name;
    struct mutual_error lost = {0};
    (void)call;
    bool wildcard = type == MUTUAL_NAME_DNS && len > 2 && memcmp(text, "*.", 2) == 0;
    if (!mutual_name_parse(type, text + 2 * wildcard, len - 2 * (size_t)wildcard, storage,
                           sizeof storage, &name, &lost)) {
        return false;
    }
    for (size_t i = 0; i < order->authz_count; i++) {
        const struct acme_authz *authz = &order->authzs[i];
        if (authz->name.type == type && authz->wildcard == wildcard &&
            strcmp(authz->name.text, name.text) == 0) {
            seen[i] = true;
            return true;
        }
    }
    return false;
}

static bool mark_general(struct acme_call *call, const struct acme_order *order,
                         const struct mu_gname *name, bool *seen)
{
    char text[INET6_ADDRSTRLEN];
    if (name->type == MU_GNAME_DNS) {
        return mark(call, order, MUTUAL_NAME_DNS, (const char *)name->bytes.data, name->bytes.len,
                    seen);
    }
    int family = name->bytes.len == 4 ? AF_INET : AF_INET6;
    return name->type == MU_GNAME_IP && (name->bytes.len == 4 || name->bytes.len == 16) &&
           inet_ntop(family, name->bytes.data, text, sizeof text) != NULL &&
           mark(call, order, MUTUAL_NAME_IP, text, strlen(text), seen);
}

static bool bad_csr(struct acme_call *call, struct mutual_error *err, const char *why)
{
    return acme_fail(call, 400, "badCSR", err, MUTUAL_E_ACME_MALFORMED,
                     "the certificate request %s", why);
}

bool acme_csr_check(struct acme_call *call, const struct mu_csr *csr,
                    const struct acme_order *order, struct mutual_error *err)
{
    const struct mu_csr_facts *facts = mu_csr_facts(csr);
    bool seen[MU_LIMIT_ACME_NAMES] = {false};
    mu_assert(order->authz_count <= MU_LIMIT_ACME_NAMES);
    if (facts->wants_ca) {
        return bad_csr(call, err, "asks to become an authority");
    }
    if (facts->unknown_critical != NULL) {
        return bad_csr(call, err, "asks for a critical extension that no profile grants");
    }
    if (mu_slice_equal(facts->spki, call->account.key)) { /* RFC 8555 section 11.1 */
        return bad_csr(call, err, "is for the account's own key");
    }
    if (facts->key.weak != NULL) {
        return acme_fail(call, 400, "badCSR", err, MUTUAL_E_WEAK_KEY,
                         "the key of the request is too weak: %s", facts->key.weak);
    }
    for (size_t i = 0; i < facts->name_count; i++) {
        if (!mark_general(call, order, &facts->names[i], seen)) {
            return bad_csr(call, err, "holds a name that the order does not");
        }
    }
    for (size_t i = 0; i < facts->common_name_count; i++) {
        const char *text = (const char *)facts->common_names[i].data;
        size_t len = facts->common_names[i].len;
        if (!mark(call, order, MUTUAL_NAME_DNS, text, len, seen) &&
            !mark(call, order, MUTUAL_NAME_IP, text, len, seen)) {
            return bad_csr(call, err, "holds a common name that is none of the order's");
        }
    }
    for (size_t i = 0; i < order->authz_count; i++) {
        if (!seen[i]) {
            return bad_csr(call, err, "lacks a name of the order");
        }
    }
    return true;
}
