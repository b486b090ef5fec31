/* SPDX-License-Identifier: Apache-2.0
 *
 * Name constraints of every type, as people write them and as they end up in a certificate.
 */
#include "support.h"

static const char *shown(const struct mu_subtree *trees, size_t count, struct mu_buf *out)
{
    mu_buf_clear(out);
    for (size_t i = 0; i < count; i++) {
        mu_buf_text(out, i == 0 ? "" : " ");
        mu_gname_text(out, &trees[i].base);
    }
    return mu_buf_str(out);
}

static void every_type_is_read(void **state)
{
    (void)state;
    static const char *const permit[] = {
        "dns:example.org",        "uri:example.org", "uri:.example.org", "email:example.org",
        "email:Root@Example.org", "ip:10.1.2.3/8",   "ip:2001:db8::/32", "dir:O=Example,OU=Dev"};
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8192);
    struct ca_subtrees *trees = ca_subtrees_new();
    assert_non_null(trees);
    for (size_t i = 0; i < MU_COUNT(permit); i++) {
        assert_ok(ca_subtrees_parse(trees, false, permit[i], &err), &err);
    }
    assert_ok(ca_subtrees_parse(trees, true, "dns:secret.example.org", &err), &err);
    assert_ok(ca_subtrees_close(trees, &err), &err);
    assert_string_equal(shown(trees->permitted, trees->permitted_count, &text),
                        "DNS:example.org URI:example.org URI:.example.org email:example.org "
                        "email:Root@example.org IP:10.0.0.0/8 IP:2001:db8::/32 "
                        "directory:OU=Dev,O=Example");
    assert_string_equal(shown(trees->excluded, trees->excluded_count, &text),
                        "DNS:secret.example.org");
    ca_subtrees_free(trees);
}

static void what_is_not_mentioned_is_closed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8192);
    struct ca_subtrees *trees = ca_subtrees_new();
    assert_ok(ca_subtrees_close(trees, &err), &err);
    assert_string_equal(shown(trees->permitted, trees->permitted_count, &text),
                        "DNS:none.invalid URI:none.invalid email:none.invalid");
    assert_string_equal(shown(trees->excluded, trees->excluded_count, &text),
                        "IP:0.0.0.0/0 IP:::/0");
    ca_subtrees_free(trees);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum mutual_code code;
    } rows[] = {
        {"example.org", MUTUAL_E_OPTION_VALUE},
        {"DNS:example.org", MUTUAL_E_OPTION_VALUE},
        {"", MUTUAL_E_OPTION_VALUE},
        {"dns:", MUTUAL_E_NAME_MALFORMED},
        {"dns:*.example.org", MUTUAL_E_NAME_MALFORMED},
        {"dns:.example.org", MUTUAL_E_NAME_MALFORMED},
        {"uri:https://example.org", MUTUAL_E_NAME_MALFORMED},
        {"email:a@b@c", MUTUAL_E_NAME_MALFORMED},
        {"ip:10.0.0.0/33", MUTUAL_E_OPTION_VALUE},
        {"ip:example.org", MUTUAL_E_OPTION_VALUE},
        {"ip:::/129", MUTUAL_E_OPTION_VALUE},
        {"dir:", MUTUAL_E_OPTION_VALUE},
        {"dir:O", MUTUAL_E_OPTION_VALUE},
        {"dir:O=", MUTUAL_E_OPTION_VALUE},
        {"dir:X=a", MUTUAL_E_OPTION_VALUE},
        {"dir:C=Germany", MUTUAL_E_NAME_MALFORMED},
        {"dir:O=a,O=a,O=a,O=a,O=a,O=a,O=a,O=a,O=a", MUTUAL_E_OPTION_VALUE},
    };
    struct ca_subtrees *trees = ca_subtrees_new();
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        assert_fails(ca_subtrees_parse(trees, false, rows[i].text, &err), &err, rows[i].code);
    }
    assert_int_equal(trees->permitted_count, 0);
    for (int i = 0; i < CA_SUBTREES_MAX; i++) {
        assert_true(ca_subtrees_parse(trees, false, "dns:a.example", NULL));
    }
    struct mutual_error err = {0};
    assert_fails(ca_subtrees_parse(trees, false, "dns:a.example", &err), &err, MUTUAL_E_LIMIT);
    ca_subtrees_free(trees);
}

UNIT_MAIN(UNIT_CASE(every_type_is_read), UNIT_CASE(what_is_not_mentioned_is_closed),
          UNIT_CASE(nonsense_is_refused))
