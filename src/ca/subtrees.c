/* SPDX-License-Identifier: Apache-2.0
 *
 * An issuer's name constraints in the making (RFC 5280 section 4.2.1.10), of every type that it
 * has.
 */
#include "ca/ca_internal.h"

#include <arpa/inet.h>
#include <string.h>

#define TREES_BYTES (1u << 20)

struct ca_subtrees *ca_subtrees_new(void)
{
    struct ca_subtrees *trees = mu_alloc(1, sizeof *trees);
    if (trees != NULL) {
        trees->arena = mu_arena_new(TREES_BYTES);
    }
    if (trees != NULL && trees->arena == NULL) {
        mu_free(trees);
        return NULL;
    }
    return trees;
}

void ca_subtrees_free(struct ca_subtrees *trees)
{
    if (trees != NULL) {
        mu_arena_free(trees->arena);
        mu_free(trees);
    }
}

static bool put(struct ca_subtrees *trees, bool excluded, enum mu_gname_type type,
                struct mu_slice bytes, struct mutual_error *err)
{
    size_t *count = excluded ? &trees->excluded_count : &trees->permitted_count;
    if (*count == CA_SUBTREES_MAX) {
        return mu_fail(err, MUTUAL_E_LIMIT, "an issuer has at most %d %s names", CA_SUBTREES_MAX,
                       excluded ? "excluded" : "permitted");
    }
    (excluded ? trees->excluded : trees->permitted)[(*count)++] =
        (struct mu_subtree){.base = {type, bytes}};
    return true;
}

static bool put_copy(struct ca_subtrees *trees, bool excluded, enum mu_gname_type type,
                     struct mu_slice bytes, struct mutual_error *err)
{
    const char *copy = mu_arena_strndup(trees->arena, bytes.data, bytes.len);
    return copy != NULL ? put(trees, excluded, type, mu_slice_of(copy, bytes.len), err)
                        : mu_fail_memory(err);
}

/* Address and mask. */
static bool parse_range(const char *text, uint8_t out[32], size_t *ret_len,
                        struct mutual_error *err)
{
    char host[64] = {0};
    const char *slash = strchr(text, '/');
    size_t host_len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    memcpy(host, text, host_len < sizeof host ? host_len : sizeof host - 1);
    bool v6 = strchr(host, ':') != NULL;
    size_t len = v6 ? 16 : 4;
    uint64_t bits = 8 * len;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host, out) != 1 ||
        (slash != NULL && !mu_text_uint(slash + 1, 8 * len, &bits))) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.100s\" is not an address range", text) ||
               mu_error_hint(err, "Ranges read 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32.");
    }
    for (size_t i = 0; i < len; i++) {
        uint64_t in_byte = bits > 8 * i ? bits - 8 * i : 0;
        out[len + i] = (uint8_t)(in_byte >= 8 ? 0xff : 0xff << (8 - in_byte));
        out[i] &= out[len + i];
    }
    *ret_len = 2 * len;
    return true;
}

static bool add_range(struct ca_subtrees *trees, bool excluded, const char *text,
                      struct mutual_error *err)
{
    size_t len = 0;
    if (trees->range_count == MU_COUNT(trees->ranges)) {
        return mu_fail(err, MUTUAL_E_LIMIT, "an issuer has at most %d address ranges",
                       CA_SUBTREES_MAX);
    }
    uint8_t *range = trees->ranges[trees->range_count++];
    return parse_range(text, range, &len, err) &&
           put(trees, excluded, MU_GNAME_IP, mu_slice_of(range, len), err);
}

/* A host in lower case, or below it where the text begins with a dot. */
static bool check_host(const char *text, bool dot, struct mutual_error *err)
{
    struct mutual_name parsed;
    char storage[256];
    const char *host = dot && text[0] == '.' ? text + 1 : text;
    return mutual_name_parse(MUTUAL_NAME_DNS, host, strlen(host), storage, sizeof storage, &parsed,
                             err) ||
           mu_error_context(err, "name \"%.100s\" of a constraint", text);
}

bool ca_subtrees_add(struct ca_subtrees *trees, bool excluded, enum mu_gname_type type,
                     const char *text, struct mutual_error *err)
{
    if (type == MU_GNAME_IP) {
        return add_range(trees, excluded, text, err);
    }
    if (type == MU_GNAME_EMAIL && strchr(text, '@') != NULL) {
        struct mutual_name name;
        char storage[512];
        return (mutual_name_parse(MUTUAL_NAME_EMAIL, text, strlen(text), storage, sizeof storage,
                                  &name, err) ||
                mu_error_context(err, "name \"%.100s\" of a constraint", text)) &&
               put_copy(trees, excluded, type, mu_slice_of(name.text, name.len), err);
    }
    return check_host(text, type != MU_GNAME_DNS, err) &&
           put_copy(trees, excluded, type, mu_slice_text(text), err);
}

bool ca_subtrees_add_name(struct ca_subtrees *trees, bool excluded, const struct mu_rdn *rdns,
                          size_t count, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, 4096);
    return mu_name_build(rdns, count, &name, err) &&
           put_copy(trees, excluded, MU_GNAME_DIRNAME, mu_buf_slice(&name), err);
}

/* ---- as people write it ---------------------------------------------------------------------- */

#define PARTS_MAX 8

static bool parse_part(char *part, struct mu_rdn *ret_rdn)
{
    static const struct {
        const char *word;
        enum mu_attr attr;
    } words[] = {{"C", MU_ATTR_C},   {"ST", MU_ATTR_ST}, {"L", MU_ATTR_L},  {"O", MU_ATTR_O},
                 {"OU", MU_ATTR_OU}, {"CN", MU_ATTR_CN}, {"DC", MU_ATTR_DC}};
    char *equals = strchr(part, '=');
    if (equals == NULL || equals[1] == '\0') {
        return false;
    }
    *equals = '\0';
    for (size_t i = 0; i < MU_COUNT(words); i++) {
        if (strcasecmp(words[i].word, part) == 0) {
            *ret_rdn = (struct mu_rdn){words[i].attr, equals + 1};
            return true;
        }
    }
    return false;
}

/* "O=Example,OU=Dev": in the order in which they are encoded; a value holds no comma. */
static bool parse_name(struct ca_subtrees *trees, bool excluded, const char *text,
                       struct mutual_error *err)
{
    struct mu_rdn rdns[PARTS_MAX];
    size_t count = 0;
    bool good = true;
    MU_AUTO(free) char *copy = mu_strdup(text);
    if (copy == NULL) {
        return mu_fail_memory(err);
    }
    char *rest = copy;
    for (char *part; good && (part = strsep(&rest, ",")) != NULL;) {
        good = count < PARTS_MAX && parse_part(part, &rdns[count]);
        count++;
    }
    if (!good) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.100s\" is not a directory name", text) ||
               mu_error_hint(err, "Such as O=Example,OU=Dev; parts are C, ST, L, O, OU, CN, DC.");
    }
    return ca_subtrees_add_name(trees, excluded, rdns, count, err);
}

bool ca_subtrees_parse(struct ca_subtrees *trees, bool excluded, const char *text,
                       struct mutual_error *err)
{
    static const struct {
        const char *prefix;
        enum mu_gname_type type;
    } types[] = {{"dns:", MU_GNAME_DNS},
                 {"email:", MU_GNAME_EMAIL},
                 {"uri:", MU_GNAME_URI},
                 {"ip:", MU_GNAME_IP}};
    for (size_t i = 0; i < MU_COUNT(types); i++) {
        if (mu_text_starts(text, types[i].prefix)) {
            return ca_subtrees_add(trees, excluded, types[i].type, text + strlen(types[i].prefix),
                                   err);
        }
    }
    if (mu_text_starts(text, "dir:")) {
        return parse_name(trees, excluded, text + 4, err);
    }
    return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.100s\" does not say what type it is of",
                   text) ||
           mu_error_hint(err, "Write dns:, email:, uri:, ip: or dir: before it.");
}

/* ---- closing --------------------------------------------------------------------------------- */

/* Addresses of a family that has no range are excluded one and all: a verifier that tells the
 * families apart would otherwise let them pass. */
static bool close_addresses(struct ca_subtrees *trees, struct mutual_error *err)
{
    bool some[2] = {false, false};
    for (size_t i = 0; i < trees->permitted_count; i++) {
        if (trees->permitted[i].base.type == MU_GNAME_IP) {
            some[trees->permitted[i].base.bytes.len == 32] = true;
        }
    }
    return (some[0] || ca_subtrees_add(trees, true, MU_GNAME_IP, "0.0.0.0/0", err)) &&
           (some[1] || ca_subtrees_add(trees, true, MU_GNAME_IP, "::/0", err));
}

bool ca_subtrees_close(struct ca_subtrees *trees, struct mutual_error *err)
{
    static const enum mu_gname_type types[] = {MU_GNAME_DNS, MU_GNAME_URI, MU_GNAME_EMAIL};
    for (size_t i = 0; i < MU_COUNT(types); i++) {
        bool some = false;
        for (size_t k = 0; k < trees->permitted_count; k++) {
            some = some || trees->permitted[k].base.type == types[i];
        }
        if (!some && !ca_subtrees_add(trees, false, types[i], CA_NOWHERE, err)) {
            return false;
        }
    }
    return close_addresses(trees, err);
}
