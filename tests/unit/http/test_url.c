/* SPDX-License-Identifier: Apache-2.0
 *
 * URLs, and what a Location field means beside one.
 */
#include <string.h>

#include "http/http.h"
#include "unit.h"

static struct mutual_error err;

static void urls_are_taken_apart(void **state)
{
    (void)state;
    struct http_url url;
    assert_ok(http_url_parse(MU_SLICE_LIT("http://a.example/x.crl?y"), &url, &err), &err);
    assert_false(url.secure);
    assert_int_equal(url.port, 80);
    assert_true(mu_slice_equal_text(url.host, "a.example"));
    assert_true(mu_slice_equal_text(url.target, "/x.crl?y"));
    assert_ok(http_url_parse(MU_SLICE_LIT("HTTPS://[2001:db8::1]:8443"), &url, &err), &err);
    assert_true(url.secure && url.host_is_v6);
    assert_int_equal(url.port, 8443);
    assert_true(mu_slice_equal_text(url.host, "2001:db8::1"));
    assert_true(mu_slice_equal_text(url.authority, "[2001:db8::1]:8443"));
    assert_true(mu_slice_equal_text(url.target, "/"));
}

static void other_texts_are_no_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "a.example/x",
        "//a.example/x",
        "ftp://a.example/x",
        "file:///etc/passwd",
        "ldap://a.example/cn=x",
        "http:/a.example/x",
        "http:///x",
        "http://",
        "http://u:p@a.example/",
        "http://a.example/#x",
        "http://a.example#x",
        "http://a.example?x",
        "http://a.example/a b",
        "http://a.example/\r\nX: y",
        "http://a.example\r\n/",
        "http://a.example:0/",
        "http://a.example:x/",
        "http://[::1/",
        "http://a.example\\b/",
        "http://a.example%2f/",
    };
    struct http_url url;
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_fails(http_url_parse(mu_slice_text(bad[i]), &url, &err), &err,
                     MUTUAL_E_HTTP_URL_INVALID);
        assert_null(strchr(err.reason, '\n'));
    }
    assert_fails(http_url_parse(mu_slice_of("http://a.example/\0x", 19), &url, &err), &err,
                 MUTUAL_E_HTTP_URL_INVALID);
}

static void locations_are_whole_or_a_path_of_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *location, *means; /* NULL: nothing */
    } cases[] = {
        {"/y", "https://a.example:8443/y"},
        {"http://b.example/z", "http://b.example/z"},
        {"//b.example/z", NULL},
        {"y", NULL},
        {"", NULL},
        {"?q", NULL},
        {"file:///etc/passwd", NULL},
        {"javascript:x", NULL},
    };
    struct http_url base;
    assert_ok(http_url_parse(MU_SLICE_LIT("https://a.example:8443/x"), &base, &err), &err);
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, MU_LIMIT_HTTP_URL);
        bool ok = http_url_resolve(&base, mu_slice_text(cases[i].location), &out, &err);
        assert_int_equal(ok, cases[i].means != NULL);
        if (ok) {
            assert_string_equal(mu_buf_str(&out), cases[i].means);
        }
    }
}

UNIT_MAIN(UNIT_CASE(urls_are_taken_apart), UNIT_CASE(other_texts_are_no_urls),
          UNIT_CASE(locations_are_whole_or_a_path_of_the_host))
