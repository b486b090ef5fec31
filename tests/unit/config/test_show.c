/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/show.c: what is shown can be read again and means the same.
 */
#include "config_support.h"

static void test_round_trip(void **state)
{
    (void)state;
    struct built first = build_text(SAMPLE);
    assert_non_null(first.config);
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 65536);
    config_show(first.config, &shown);
    assert_false(shown.failed);
    struct built second = build_text(mu_buf_str(&shown));
    if (second.config == NULL) {
        fail_msg("%s\n%s", second.findings.items[0].text, mu_buf_str(&shown));
    }
    MU_AUTO(buf) struct mu_buf again;
    mu_buf_init(&again, 65536);
    config_show(second.config, &again);
    assert_string_equal(mu_buf_str(&shown), mu_buf_str(&again));
    assert_non_null(strstr(mu_buf_str(&shown), "when-stale: grace 36h\n"));
    assert_non_null(strstr(mu_buf_str(&shown), "passphrase: \"env:PW\"\n"));
    assert_non_null(strstr(mu_buf_str(&shown), "- directory: /tls/db\n"));
    assert_null(strstr(mu_buf_str(&shown), "tls.crt"));
    built_done(&first);
    built_done(&second);
}

static void test_text_that_looks_like_something_else(void **state)
{
    (void)state;
    struct built b =
        build_text("version: 1\nauthority: {url: 'a: #b \"c\" {d}', directory: 'null'}\n");
    assert_non_null(b.config);
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 65536);
    config_show(b.config, &shown);
    struct built again = build_text(mu_buf_str(&shown));
    assert_non_null(again.config);
    assert_string_equal(again.config->authority.url, "a: #b \"c\" {d}");
    assert_string_equal(again.config->authority.directory, "null");
    built_done(&b);
    built_done(&again);
}

static void test_json(void **state)
{
    (void)state;
    struct built b = build_text(SAMPLE);
    assert_non_null(b.config);
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 65536);
    config_show_json(b.config, &shown);
    assert_false(shown.failed);
    static const char *const parts[] = {
        "{\"version\":1,",           "\"when-stale\":\"grace 36h\"",
        "\"passphrase\":\"env:PW\"", "{\"directory\":\"/tls/db\"",
        "\"required\":true",         "\"from\":[{\"spiffe\":",
    };
    for (size_t i = 0; i < MU_COUNT(parts); i++) {
        if (strstr(mu_buf_str(&shown), parts[i]) == NULL) {
            fail_msg("%s is not in %s", parts[i], mu_buf_str(&shown));
        }
    }
    built_done(&b);
}

UNIT_MAIN(UNIT_CASE(test_round_trip), UNIT_CASE(test_json),
          UNIT_CASE(test_text_that_looks_like_something_else))
