/* SPDX-License-Identifier: Apache-2.0
 *
 * From the handle that people use to the names that are certified.
 */
#include "ca/ca_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#define HANDLE_MAX  64u /* ub-common-name of RFC 5280 appendix A */
#define NAMES_BYTES (MU_LIMIT_CERT_NAMES * (MU_LIMIT_NAME_BYTES + 64))

bool ca_handle_check(const char *name, struct mutual_error *err)
{
    size_t len = strlen(name);
    bool good = len >= 1 && len <= HANDLE_MAX && name[0] != '.' && name[0] != '-';
    for (size_t i = 0; good && i < len; i++) {
        good = isalnum((unsigned char)name[i]) || strchr("@._-", name[i]) != NULL;
    }
    if (good) {
        return true;
    }
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 4096);
    mu_escape(&safe, mu_slice_of(name, len < 100 ? len : 100));
    return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "\"%s\" cannot name a certificate",
                   mu_buf_str(&safe)) ||
           mu_error_hint(err,
                         "Use 1 to %u of A-Z a-z 0-9 @ . _ - and begin with a letter, digit "
                         "or underscore.",
                         HANDLE_MAX);
}

bool ca_name_guess(const char *text, char *storage, size_t storage_size,
                   struct mutual_name *ret_name, struct mutual_error *err)
{
    uint8_t address[16];
    enum mutual_name_type type = MUTUAL_NAME_DNS;
    if (strncasecmp(text, "spiffe:", 7) == 0) {
        type = MUTUAL_NAME_SPIFFE;
    } else if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1) {
        type = MUTUAL_NAME_IP;
    } else if (strchr(text, '@') != NULL) {
        type = MUTUAL_NAME_EMAIL;
    }
    return mutual_name_parse(type, text, strlen(text), storage, storage_size, ret_name, err);
}

bool ca_names_init(struct ca_names *names, struct mutual_error *err)
{
    *names = (struct ca_names){.arena = mu_arena_new(NAMES_BYTES)};
    if (names->arena != NULL) {
        names->items = mu_arena_alloc(names->arena, MU_LIMIT_CERT_NAMES * sizeof *names->items);
    }
    return names->items != NULL || mu_fail_memory(err);
}

bool ca_names_add(struct ca_names *names, const struct mutual_name *name, struct mutual_error *err)
{
    if (names->count == MU_LIMIT_CERT_NAMES) {
        return mu_fail(err, MUTUAL_E_LIMIT, "a certificate holds at most %u names",
                       MU_LIMIT_CERT_NAMES);
    }
    const char *text = mu_arena_strndup(names->arena, name->text, name->len);
    if (text == NULL) {
        return mu_fail_memory(err);
    }
    names->items[names->count++] = (struct mutual_name){name->type, text, name->len};
    return true;
}

void ca_names_done(struct ca_names *names)
{
    mu_arena_free(names->arena);
    *names = (struct ca_names){0};
}

void mu_ca_names_auto(struct ca_names *names)
{
    ca_names_done(names);
}

static bool has_name(const struct ca_names *names, enum mutual_name_type type, const char *text)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].type == type &&
            (text == NULL || strcmp(names->items[i].text, text) == 0)) {
            return true;
        }
    }
    return false;
}

static bool add_name(struct ca_names *names, enum mutual_name_type type, const char *text,
                     size_t len, struct mutual_error *err)
{
    struct mutual_name name;
    char storage[MU_LIMIT_NAME_BYTES + 3] = "*.";
    size_t front =
        names->wildcards && type == MUTUAL_NAME_DNS && len > 2 && memcmp(text, "*.", 2) == 0 ? 2
                                                                                             : 0;
    if (!mutual_name_parse(type, text + front, len - front, storage + front, sizeof storage - front,
                           &name, err)) {
        return false;
    }
    name.text -= front;
    name.len += front;
    return has_name(names, type, name.text) || ca_names_add(names, &name, err);
}

/* ---- out of a request ------------------------------------------------------------------------ */

static bool add_address(struct ca_names *names, struct mu_slice bytes, struct mutual_error *err)
{
    char text[INET6_ADDRSTRLEN];
    int family = bytes.len == 4 ? AF_INET : AF_INET6;
    if ((bytes.len != 4 && bytes.len != 16) ||
        inet_ntop(family, bytes.data, text, sizeof text) == NULL) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "the request holds an address of %zu bytes",
                       bytes.len);
    }
    return add_name(names, MUTUAL_NAME_IP, text, strlen(text), err);
}

static bool add_general(struct ca_names *names, const struct mu_gname *name,
                        struct mutual_error *err)
{
    const char *text = (const char *)name->bytes.data;
    switch (name->type) {
    case MU_GNAME_DNS:
        return add_name(names, MUTUAL_NAME_DNS, text, name->bytes.len, err);
    case MU_GNAME_EMAIL:
        return add_name(names, MUTUAL_NAME_EMAIL, text, name->bytes.len, err);
    case MU_GNAME_URI: /* no other URI means anything to us, so none is certified */
        return add_name(names, MUTUAL_NAME_SPIFFE, text, name->bytes.len, err);
    case MU_GNAME_IP:
        return add_address(names, name->bytes, err);
    case MU_GNAME_OTHER:
    case MU_GNAME_DIRNAME:
        break;
    }
    return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                   "the request holds a name of a type that no profile certifies");
}

static bool add_requested(struct ca_names *names, const struct mu_csr *csr,
                          struct mutual_error *err)
{
    const struct mu_csr_facts *facts = mu_csr_facts(csr);
    if (facts->wants_ca) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "the request \"%s\" asks to become an authority", facts->display);
    }
    if (facts->unknown_critical != NULL) {
        return mu_fail(err, MUTUAL_E_PROFILE_DENIED,
                       "the request \"%s\" asks for the critical extension %s, which no profile "
                       "grants",
                       facts->display, facts->unknown_critical);
    }
    for (size_t i = 0; i < facts->name_count; i++) {
        if (!add_general(names, &facts->names[i], err)) {
            return mu_error_context(err, "certificate request \"%s\"", facts->display);
        }
    }
    return true;
}

/* ---- made from the handle -------------------------------------------------------------------- */

/* The handle without the part that only repeats the domain: "web" of "web.example.org", "alice" of
 * "alice@example.org". */
static size_t label_len(const char *handle, const char *domain)
{
    size_t len = strlen(handle);
    size_t tail = strlen(domain);
    const char *at = strchr(handle, '@');
    if (at != NULL) {
        return (size_t)(at - handle);
    }
    bool under = len > tail + 1 && handle[len - tail - 1] == '.' &&
                 strcasecmp(handle + len - tail, domain) == 0;
    return under ? len - tail - 1 : len;
}

static bool add_made(struct ca_names *names, const struct ca_rule *rule, const char *handle,
                     enum mutual_name_type type, struct mutual_error *err)
{
    const char *domain = rule->domain;
    int label = (int)label_len(handle, domain);
    MU_AUTO(free) char *text = NULL;
    if (type == MUTUAL_NAME_SPIFFE) {
        text = ca_text("spiffe://%s/%s%.*s", domain, rule->spiffe_prefix, label, handle);
    } else if (type == MUTUAL_NAME_DNS) {
        text = strchr(handle, '.') != NULL ? mu_strdup(handle) : ca_text("%s.%s", handle, domain);
    } else if (type == MUTUAL_NAME_EMAIL) {
        text = strchr(handle, '@') != NULL ? mu_strdup(handle) : ca_text("%s@%s", handle, domain);
    }
    if (text == NULL) {
        return mu_fail_memory(err);
    }
    return add_name(names, type, text, strlen(text), err)
               ? true
               : mu_error_context(err, "the %s name made from \"%s\"", mutual_name_type_word(type),
                                  handle);
}

bool ca_names_build(const struct ca_rule *rule, const struct ca_request *request,
                    struct ca_names *ret_names, struct mutual_error *err)
{
    MU_AUTO(ca_names) struct ca_names names = {0};
    if (!ca_names_init(&names, err)) {
        return false;
    }
    names.wildcards = request->exact;
    for (size_t i = 0; i < request->name_count; i++) {
        const struct mutual_name *name = &request->names[i];
        if (!add_name(&names, name->type, name->text, name->len, err)) {
            return false;
        }
    }
    if (!request->exact && request->csr != NULL && !add_requested(&names, request->csr, err)) {
        return false;
    }
    for (int type = 0; type < MUTUAL_NAME_COUNT_ && !request->exact; type++) {
        bool made = (rule->made_types & (1u << type)) != 0;
        if (made && !has_name(&names, (enum mutual_name_type)type, NULL) &&
            !add_made(&names, rule, request->name, (enum mutual_name_type)type, err)) {
            return false;
        }
    }
    *ret_names = names;
    names = (struct ca_names){0};
    return true;
}

bool ca_names_general(const struct ca_names *names, struct mu_gname *out, uint8_t (*addresses)[16])
{
    static const enum mu_gname_type types[MUTUAL_NAME_COUNT_] = {
        [MUTUAL_NAME_SPIFFE] = MU_GNAME_URI, [MUTUAL_NAME_URI] = MU_GNAME_URI,
        [MUTUAL_NAME_DNS] = MU_GNAME_DNS,    [MUTUAL_NAME_EMAIL] = MU_GNAME_EMAIL,
        [MUTUAL_NAME_IP] = MU_GNAME_IP,      [MUTUAL_NAME_CN] = MU_GNAME_OTHER,
    };
    for (size_t i = 0; i < names->count; i++) {
        const struct mutual_name *name = &names->items[i];
        out[i] = (struct mu_gname){types[name->type], mu_slice_of(name->text, name->len)};
        if (name->type != MUTUAL_NAME_IP) {
            continue;
        }
        bool v6 = strchr(name->text, ':') != NULL;
        if (inet_pton(v6 ? AF_INET6 : AF_INET, name->text, addresses[i]) != 1) {
            return false;
        }
        out[i].bytes = mu_slice_of(addresses[i], v6 ? 16 : 4);
    }
    return true;
}
