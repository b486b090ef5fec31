/* SPDX-License-Identifier: Apache-2.0
 *
 * Which addresses we may be sent to. Names are judged by what they resolve to, at the moment of the
 * connection, so that no name leads to what is near us and trusts us.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "fetch/fetch_internal.h"

/* Not of the public internet: IANA's special-purpose registries (RFC 6890), and multicast. */
static const struct config_network special_v4[] = {
    {AF_INET, {0}, 8},
    {AF_INET, {10}, 8},
    {AF_INET, {100, 64}, 10},
    {AF_INET, {127}, 8},
    {AF_INET, {169, 254}, 16},
    {AF_INET, {172, 16}, 12},
    {AF_INET, {192, 0, 0}, 24},
    {AF_INET, {192, 0, 2}, 24},
    {AF_INET, {192, 88, 99}, 24},
    {AF_INET, {192, 168}, 16},
    {AF_INET, {198, 18}, 15},
    {AF_INET, {198, 51, 100}, 24},
    {AF_INET, {203, 0, 113}, 24},
    {AF_INET, {224}, 3},
};
/* Within 2000::/3, which is all that is public: tunnels that hide an IPv4 address, documentation.
 */
static const struct config_network special_v6[] = {
    {AF_INET6, {0x20, 0x01, 0x00}, 23},
    {AF_INET6, {0x20, 0x01, 0x0d, 0xb8}, 32},
    {AF_INET6, {0x20, 0x02}, 16},
    {AF_INET6, {0x3f, 0xff, 0x00}, 20},
};
static const struct config_network global_v6 = {AF_INET6, {0x20}, 3};

static bool is_in(const uint8_t *bytes, int family, const struct config_network *network)
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (family != network->family || memcmp(bytes, network->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || ((bytes[whole] ^ network->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_in_any(const uint8_t *bytes, int family, const struct config_network *networks,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_in(bytes, family, &networks[i])) {
            return true;
        }
    }
    return false;
}

static bool is_public(const uint8_t *bytes, int family)
{
    if (family == AF_INET) {
        return !is_in_any(bytes, family, special_v4, MU_COUNT(special_v4));
    }
    return is_in(bytes, family, &global_v6) &&
           !is_in_any(bytes, family, special_v6, MU_COUNT(special_v6));
}

bool fetch_address_check(const struct sockaddr_storage *address,
                         const struct config_network *networks, size_t count,
                         struct mutual_error *err)
{
    uint8_t bytes[16] = {0};
    char text[INET6_ADDRSTRLEN] = "?";
    int family = address->ss_family;
    if (family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        memcpy(bytes, &v4.sin_addr, 4);
    } else if (family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        memcpy(bytes, &v6.sin6_addr, 16);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) { /* it is the IPv4 address that is reached */
            memmove(bytes, bytes + 12, 4);
            family = AF_INET;
        }
    } else {
        return mu_fail(err, MUTUAL_E_FETCH_FORBIDDEN, "an address is of no known family");
    }
    if (is_public(bytes, family) || is_in_any(bytes, family, networks, count)) {
        return true;
    }
    (void)inet_ntop(family, bytes, text, sizeof text);
    return mu_fail(err, MUTUAL_E_FETCH_FORBIDDEN,
                   "\"%s\" is no address of the public internet, and the configuration's "
                   "fetch.private does not name its network",
                   text);
}
