/* SPDX-License-Identifier: Apache-2.0
 *
 * The first configuration: what it says, and that odd directories do not break out of their quotes.
 */
#include "support.h"

static void it_names_what_was_made(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 65536);
    assert_ok(ca_starter_config("/srv/ca", "example.org", "alice", &text, &err), &err);
    const char *yaml = mu_buf_str(&text);
    static const char *const parts[] = {
        "\nversion: 1\n",
        "directory: \"/srv/ca\"",
        "bundle: \"/srv/ca/authority/ca.crt\"",
        "intermediates: \"/srv/ca/authority/issuer/issuer.crt\"",
        "crl: \"/srv/ca/authority/issuer.crl\"",
        "certificate: \"/srv/ca/tls/web\"",
        "spiffe: \"spiffe://example.org/alice\"",
        "owner: \"alice\"",
    };
    for (size_t i = 0; i < MU_COUNT(parts); i++) {
        assert_non_null(strstr(yaml, parts[i]));
    }
}

static void quotes_and_backslashes_are_escaped(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 65536);
    assert_ok(ca_starter_config("/a\"b\\c", "example.org", "o", &text, &err), &err);
    assert_non_null(strstr(mu_buf_str(&text), "\"/a\\\"b\\\\c/tls/web\""));
    MU_AUTO(buf) struct mu_buf small;
    mu_buf_init(&small, 100);
    assert_fails(ca_starter_config("/a", "example.org", "o", &small, &err), &err,
                 MUTUAL_E_NO_MEMORY);
}

UNIT_MAIN(UNIT_CASE(it_names_what_was_made), UNIT_CASE(quotes_and_backslashes_are_escaped))
