/* SPDX-License-Identifier: Apache-2.0
 *
 * What is fetched: networks as people write them, and where it is kept.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"
#include "unit.h"

static struct mutual_error err;

static void networks_are_read(void **state)
{
    (void)state;
    struct config_network network;
    assert_ok(config_network_parse("10.1.0.0/16", &network, &err), &err);
    assert_int_equal(network.family, AF_INET);
    assert_int_equal(network.bits, 16);
    assert_int_equal(network.bytes[1], 1);
    assert_ok(config_network_parse("192.0.2.7", &network, &err), &err);
    assert_int_equal(network.bits, 32);
    assert_ok(config_network_parse("fd00::/8", &network, &err), &err);
    assert_int_equal(network.family, AF_INET6);
    assert_ok(config_network_parse("::/0", &network, &err), &err);
    assert_int_equal(network.bits, 0);
    assert_ok(config_network_parse("::1", &network, &err), &err);
    assert_int_equal(network.bits, 128);
}

static void other_texts_are_no_networks(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "a",           "10.0.0.1/8",  "10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/8x",
        "10.0.0/8",   "10.0.0.0/-1", "fd00::1/8",   "::/129",      "10.0.0.0/8/8", " 10.0.0.0/8",
        "fe80::1%lo", "localhost",   "010.0.0.0/8",
    };
    struct config_network network;
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_fails(config_network_parse(bad[i], &network, &err), &err,
                     MUTUAL_E_ADDRESS_MALFORMED);
    }
}

static void path_of(const struct config_fetch *fetch, const char *trust, const char *url,
                    char path[1024])
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1023);
    assert_true(config_fetched_path(fetch, trust, url, &out));
    memcpy(path, mu_buf_str(&out), out.len + 1);
}

static void what_is_different_is_kept_apart(void **state)
{
    (void)state;
    const struct config_fetch fetch = {.directory = "/kept"};
    char first[1024];
    char other[1024];
    path_of(&fetch, "corp", "http://crl.example.org/../../ca.crl?x", first);
    assert_true(mu_text_starts(first, "/kept/corp-crl.example.org_.._.._ca.crl_x-"));
    assert_null(strchr(first + strlen("/kept/"), '/'));
    path_of(&fetch, "corp", "http://crl.example.org/../../ca.crl?y", other);
    assert_string_not_equal(first, other);
    path_of(&fetch, "corp", "https://crl.example.org/../../ca.crl?x", other);
    assert_string_not_equal(first, other);
    path_of(&fetch, "corp2", "http://crl.example.org/../../ca.crl?x", other);
    assert_string_not_equal(first, other);
    path_of(&fetch, "corp", "http://crl.example.org/../../ca.crl?x", other);
    assert_string_equal(first, other);
}

static void without_a_directory_it_is_the_users(void **state)
{
    (void)state;
    const struct config_fetch fetch = {0};
    char path[1024];
    if (geteuid() == 0) {
        path_of(&fetch, "corp", "http://a/b", path);
        assert_true(mu_text_starts(path, "/var/lib/mutual/fetched/corp-a_b-"));
        return;
    }
    assert_int_equal(setenv("XDG_STATE_HOME", "/state", 1), 0);
    path_of(&fetch, "corp", "http://a/b", path);
    assert_true(mu_text_starts(path, "/state/mutual/fetched/corp-a_b-"));
}

static void responses_are_kept_by_their_chain(void **state)
{
    (void)state;
    const struct config_fetch fetch = {.directory = "/kept"};
    MU_AUTO(buf) struct mu_buf one;
    MU_AUTO(buf) struct mu_buf other;
    mu_buf_init(&one, 1023);
    mu_buf_init(&other, 1023);
    assert_true(config_staple_path(&fetch, "/etc/mutual/tls/web/tls.crt", &one));
    assert_true(config_staple_path(&fetch, "/etc/mutual/tls/web_tls.crt", &other));
    assert_true(mu_text_starts(mu_buf_str(&one), "/kept/staple-etc_mutual_tls_web_tls.crt-"));
    assert_string_not_equal(mu_buf_str(&one), mu_buf_str(&other));
    mu_buf_clear(&other);
    assert_true(config_staple_path(
        &fetch, "/a/very/long/path/that/nobody/would/like/to/read/in/a/name/of/a/file/web/tls.crt",
        &other));
    assert_non_null(strstr(mu_buf_str(&other), "tls.crt-"));
    assert_true(other.len < 160);
}

static bool allows(const char *one, const char *host)
{
    const char *items[] = {one, "192.0.2.7"};
    const struct config_fetch fetch = {.allow = {.items = items, .count = 2}};
    return config_fetch_allows(&fetch, mu_slice_text(host));
}

static void hosts_are_allowed_by_name(void **state)
{
    (void)state;
    const struct config_fetch any = {0};
    assert_true(config_fetch_allows(&any, mu_slice_text("a.example.org")));
    assert_true(allows("a.example.org", "A.Example.ORG"));
    assert_true(allows("a.example.org", "192.0.2.7"));
    assert_true(allows("*.example.org", "a.example.org"));
    static const char *const others[] = {"example.org",    ".example.org", "b.a.example.org",
                                         "a.example.orgx", "xexample.org", "",
                                         "*.example.com"};
    for (size_t i = 0; i < MU_COUNT(others); i++) {
        assert_false(allows("*.example.org", others[i]));
        assert_false(allows("a.example.org", others[i]));
    }
}

UNIT_MAIN(UNIT_CASE(responses_are_kept_by_their_chain), UNIT_CASE(hosts_are_allowed_by_name),
          UNIT_CASE(networks_are_read), UNIT_CASE(other_texts_are_no_networks),
          UNIT_CASE(what_is_different_is_kept_apart),
          UNIT_CASE(without_a_directory_it_is_the_users))
