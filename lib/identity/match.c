/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the names of a server's certificate cover the host we meant to reach (RFC 9525). This is
 * the only place where a wildcard in a certificate has a meaning.
 */
#include <string.h>

#include "identity/identity_internal.h"

bool mu_name_is_wildcard(const struct mutual_name *name)
{
    return name->type == MUTUAL_NAME_DNS && name->len > 2 && name->text[0] == '*' &&
           name->text[1] == '.';
}

/* RFC 9525 section 6.3: the wildcard is the complete left-most label and "matches only one label".
 * A wildcard above a single label ("*.org") covers a whole public suffix and matches nothing. */
static bool covers(const struct mutual_name *name, struct mu_slice host)
{
    struct mu_slice own = mu_slice_of(name->text, name->len);
    if (!mu_name_is_wildcard(name)) {
        return mu_slice_equal(own, host);
    }
    struct mu_slice parent = {own.data + 1, own.len - 1};
    const uint8_t *dot = memchr(host.data, '.', host.len);
    if (dot == NULL || dot == host.data || memchr(parent.data + 1, '.', parent.len - 1) == NULL) {
        return false;
    }
    return mu_slice_equal(parent, mu_slice_of(dot, host.len - (size_t)(dot - host.data)));
}

static const struct mutual_name *find_covering(const struct mutual_name *names, size_t count,
                                               enum mutual_name_type type, struct mu_slice host)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].type == type && covers(&names[i], host)) {
            return &names[i];
        }
    }
    return NULL;
}

bool mu_names_match_host(const struct mutual_name *names, size_t count, const char *host)
{
    uint8_t address[16];
    size_t address_len = 0;
    struct mu_slice text = mu_slice_text(host);
    enum mutual_name_type type =
        mu_ip_parse(text, address, &address_len) ? MUTUAL_NAME_IP : MUTUAL_NAME_DNS;
    MU_AUTO(buf) struct mu_buf wanted;
    mu_buf_init(&wanted, MU_LIMIT_NAME_BYTES);
    return mu_name_normalise(type, NAME_FROM_PEOPLE, text, &wanted, NULL) &&
           find_covering(names, count, type, mu_buf_slice(&wanted)) != NULL;
}

const struct mutual_name *mu_names_match_pattern(const struct mutual_name *names, size_t count,
                                                 const struct mutual_pattern *pattern)
{
    if (mutual_pattern_type(pattern) == MUTUAL_NAME_DNS && mutual_pattern_is_exact(pattern)) {
        return find_covering(names, count, MUTUAL_NAME_DNS,
                             mu_slice_text(mutual_pattern_text(pattern)));
    }
    for (size_t i = 0; i < count; i++) {
        if (mutual_pattern_matches(pattern, &names[i])) {
            return &names[i];
        }
    }
    return NULL;
}
