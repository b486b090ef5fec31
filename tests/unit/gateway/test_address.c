/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses from the configuration to the kernel and to text.
 */
#include "unit.h"

#include <sys/un.h>

#include "gateway/address_internal.h"

static void tcp_as(const char *host, unsigned port, const char *text, bool local)
{
    struct config_address written = {.kind = CONFIG_ADDRESS_TCP, .host = host, .port = port};
    struct address address;
    char shown[ADDRESS_TEXT];
    assert_true(address_literal(&written, &address));
    assert_string_equal(address_format(&address.socket, shown), text);
    assert_int_equal(address_is_local(&address.socket), local);
}

static void literals(void **state)
{
    (void)state;
    tcp_as("127.0.0.1", 80, "127.0.0.1:80", true);
    tcp_as("127.9.9.9", 80, "127.9.9.9:80", true);
    tcp_as("192.0.2.1", 443, "192.0.2.1:443", false);
    tcp_as("::1", 443, "[::1]:443", true);
    tcp_as("2001:db8::1", 443, "[2001:db8::1]:443", false);
    tcp_as("::ffff:127.0.0.1", 1, "127.0.0.1:1", true);
    tcp_as("", 8443, "[::]:8443", false);
    tcp_as("*", 8443, "[::]:8443", false);
}

static void names_are_left_to_the_resolver(void **state)
{
    (void)state;
    struct address address;
    struct config_address name = {.kind = CONFIG_ADDRESS_TCP, .host = "db.example.org", .port = 1};
    struct config_address inherited = {.kind = CONFIG_ADDRESS_SYSTEMD, .path = "web"};
    assert_false(address_literal(&name, &address));
    assert_false(address_literal(&inherited, &address));
}

static void unix_paths(void **state)
{
    (void)state;
    char longest[200];
    char text[ADDRESS_TEXT];
    struct address address;
    struct config_address written = {.kind = CONFIG_ADDRESS_UNIX, .path = "/run/x.sock"};
    assert_true(address_literal(&written, &address));
    assert_string_equal(address_format(&address.socket, text), "unix:/run/x.sock");
    assert_true(address_is_local(&address.socket));
    memset(longest, 'p', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    written.path = longest;
    assert_false(address_literal(&written, &address));
    struct sockaddr_storage unnamed = {.ss_family = AF_UNIX};
    assert_string_equal(address_format(&unnamed, text), "unix");
    struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
    assert_string_equal(address_format(&none, text), "?");
    assert_false(address_is_local(&none));
}

UNIT_MAIN(UNIT_CASE(literals), UNIT_CASE(names_are_left_to_the_resolver), UNIT_CASE(unix_paths))
