/* SPDX-License-Identifier: Apache-2.0
 *
 * Which addresses we may be sent to.
 */
#include <arpa/inet.h>
#include <string.h>

#include "fetch/fetch.h"
#include "unit.h"

static struct mutual_error err;

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&address, &v4, sizeof v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&address, &v6, sizeof v6);
    }
    return address;
}

static void the_public_internet_is_allowed(void **state)
{
    (void)state;
    static const char *const texts[] = {"1.1.1.1",         "172.15.0.1",    "172.32.0.1",
                                        "100.63.0.1",      "100.128.0.1",   "223.255.1.1",
                                        "2606:4700::1111", "2a00:1450::8a", "::ffff:1.1.1.1"};
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct sockaddr_storage address = address_of(texts[i]);
        assert_ok(fetch_address_check(&address, NULL, 0, &err), &err);
    }
}

static void nothing_near_us_is(void **state)
{
    (void)state;
    static const char *const texts[] = {"0.0.0.0",
                                        "10.1.2.3",
                                        "100.64.0.1",
                                        "127.0.0.1",
                                        "127.255.255.254",
                                        "169.254.169.254",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.0.0.8",
                                        "192.168.1.1",
                                        "198.18.0.1",
                                        "224.0.0.1",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "fe80::1",
                                        "fc00::1",
                                        "fdff::1",
                                        "ff02::1",
                                        "::ffff:127.0.0.1",
                                        "::ffff:10.0.0.1",
                                        "64:ff9b::7f00:1",
                                        "2002:7f00:1::",
                                        "2001:db8::1",
                                        "2001::1",
                                        "::127.0.0.1",
                                        "fec0::1"};
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        struct sockaddr_storage address = address_of(texts[i]);
        assert_fails(fetch_address_check(&address, NULL, 0, &err), &err, MUTUAL_E_FETCH_FORBIDDEN);
    }
    struct sockaddr_storage unix_socket = {.ss_family = AF_UNIX};
    assert_fails(fetch_address_check(&unix_socket, NULL, 0, &err), &err, MUTUAL_E_FETCH_FORBIDDEN);
}

static void networks_that_are_named_are_and_no_more(void **state)
{
    (void)state;
    struct config_network networks[3];
    assert_ok(config_network_parse("10.1.0.0/20", &networks[0], &err), &err);
    assert_ok(config_network_parse("127.0.0.1", &networks[1], &err), &err);
    assert_ok(config_network_parse("fd00::/8", &networks[2], &err), &err);
    static const char *const in[] = {"10.1.0.1", "10.1.15.255", "127.0.0.1", "fd12::1",
                                     "::ffff:127.0.0.1"};
    static const char *const out[] = {"10.1.16.0", "10.0.255.255", "127.0.0.2", "fc00::1", "::1"};
    for (size_t i = 0; i < MU_COUNT(in); i++) {
        struct sockaddr_storage address = address_of(in[i]);
        assert_ok(fetch_address_check(&address, networks, 3, &err), &err);
        address = address_of(out[i]);
        assert_fails(fetch_address_check(&address, networks, 3, &err), &err,
                     MUTUAL_E_FETCH_FORBIDDEN);
    }
}

UNIT_MAIN(UNIT_CASE(the_public_internet_is_allowed), UNIT_CASE(nothing_near_us_is),
          UNIT_CASE(networks_that_are_named_are_and_no_more))
