/* SPDX-License-Identifier: Apache-2.0
 *
 * From handles and given names to what is certified.
 */
#include "support.h"

static void handles_are_file_names_and_nothing_worse(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static const char *const good[] = {"web", "web.example.org", "alice@example.org", "a_b-c", "9"};
    static const char *const bad[] = {"",    ".",   "..",   ".hidden",  "-x",
                                      "a/b", "a b", "a\nb", "\xc3\xa4", "../../etc/passwd"};
    for (size_t i = 0; i < MU_COUNT(good); i++) {
        assert_ok(ca_handle_check(good[i], &err), &err);
    }
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_fails(ca_handle_check(bad[i], &err), &err, MUTUAL_E_NAME_MALFORMED);
    }
    char longest[66];
    memset(longest, 'a', sizeof longest);
    longest[64] = '\0';
    assert_ok(ca_handle_check(longest, &err), &err);
    longest[64] = 'a';
    longest[65] = '\0';
    assert_fails(ca_handle_check(longest, &err), &err, MUTUAL_E_NAME_MALFORMED);
}

static void the_type_of_a_name_is_told_by_its_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normal;
        enum mutual_name_type type;
    } cases[] = {
        {"spiffe://example.org/a", "spiffe://example.org/a", MUTUAL_NAME_SPIFFE},
        {"192.0.2.1", "192.0.2.1", MUTUAL_NAME_IP},
        {"2001:DB8::0:1", "2001:db8::1", MUTUAL_NAME_IP},
        {"bob@Example.ORG", "bob@example.org", MUTUAL_NAME_EMAIL},
        {"Web.Example.org", "web.example.org", MUTUAL_NAME_DNS},
    };
    struct mutual_error err = {0};
    char storage[MU_LIMIT_NAME_BYTES + 1];
    struct mutual_name name;
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        assert_ok(ca_name_guess(cases[i].text, storage, sizeof storage, &name, &err), &err);
        assert_int_equal(name.type, cases[i].type);
        assert_string_equal(name.text, cases[i].normal);
    }
    assert_fails(ca_name_guess("SPIFFE://example.org/a", storage, sizeof storage, &name, &err),
                 &err, MUTUAL_E_SPIFFE_MALFORMED);
    assert_fails(ca_name_guess("*.example.org", storage, sizeof storage, &name, &err), &err,
                 MUTUAL_E_NAME_MALFORMED);
}

static struct ca_rule rule_for(const struct ca_request *request)
{
    struct ca_rule rule;
    ca_rule_bare(request->profile, &rule);
    rule.domain = "example.org";
    return rule;
}

static void expect_names(const struct ca_request *request, const char *const *expected)
{
    struct mutual_error err = {0};
    const struct ca_rule rule = rule_for(request);
    MU_AUTO(ca_names) struct ca_names names = {0};
    assert_ok(ca_names_build(&rule, request, &names, &err), &err);
    size_t count = 0;
    for (; expected[count] != NULL; count++) {
        assert_true(count < names.count);
        assert_string_equal(names.items[count].text, expected[count]);
    }
    assert_int_equal(names.count, count);
}

static void types_that_are_not_given_are_made_from_the_handle(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *name;
        const char *expected[4];
    } cases[] = {
        {"server", "web", {"spiffe://example.org/web", "web.example.org"}},
        {"server", "web.example.org", {"spiffe://example.org/web", "web.example.org"}},
        {"server", "a.b.example.org", {"spiffe://example.org/a.b", "a.b.example.org"}},
        {"server", "example.org", {"spiffe://example.org/example.org", "example.org"}},
        {"client", "job", {"spiffe://example.org/job"}},
        {"device", "cam-7", {"spiffe://example.org/device/cam-7"}},
        {"user", "alice", {"spiffe://example.org/user/alice", "alice@example.org"}},
        {"user", "bob@example.org", {"spiffe://example.org/user/bob", "bob@example.org"}},
    };
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct ca_request request = home_request(cases[i].profile, cases[i].name);
        expect_names(&request, cases[i].expected);
    }
    const struct mutual_name given[] = {{MUTUAL_NAME_DNS, "x.example.org", 13},
                                        {MUTUAL_NAME_DNS, "X.example.org", 13}};
    struct ca_request request = home_request("server", "web");
    request.names = given;
    request.name_count = 2;
    static const char *const once[] = {"x.example.org", "spiffe://example.org/web", NULL};
    expect_names(&request, once);
}

static void names_of_a_request_count_as_given(void **state)
{
    (void)state;
    static const uint8_t address[4] = {192, 0, 2, 7};
    const struct mu_gname wanted[] = {
        {MU_GNAME_URI, MU_SLICE_LIT("spiffe://example.org/theirs")},
        {MU_GNAME_DNS, MU_SLICE_LIT("Theirs.example.org")},
        {MU_GNAME_IP, {address, 4}},
    };
    MU_AUTO(csr) struct mu_csr *csr = home_csr(MU_SPEC_EC_P256, wanted, 3);
    struct ca_request request = home_request("server", "web");
    request.csr = csr;
    static const char *const expected[] = {"spiffe://example.org/theirs", "theirs.example.org",
                                           "192.0.2.7", NULL};
    expect_names(&request, expected);
}

static void what_no_profile_certifies_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct ca_names names = {0};
    const struct mu_gname directory = {MU_GNAME_DIRNAME, MU_SLICE_LIT("\x30\x00")};
    MU_AUTO(csr) struct mu_csr *csr = home_csr(MU_SPEC_EC_P256, &directory, 1);
    struct ca_request request = home_request("server", "web");
    request.csr = csr;
    const struct ca_rule rule = rule_for(&request);
    assert_fails(ca_names_build(&rule, &request, &names, &err), &err, MUTUAL_E_PROFILE_DENIED);
    request = home_request("server", "a@b");
    assert_fails(ca_names_build(&rule, &request, &names, &err), &err, MUTUAL_E_NAME_MALFORMED);
}

static void general_names_hold_addresses_as_bytes(void **state)
{
    (void)state;
    struct mutual_name items[] = {{MUTUAL_NAME_IP, "10.0.0.1", 8},
                                  {MUTUAL_NAME_IP, "2001:db8::1", 11},
                                  {MUTUAL_NAME_SPIFFE, "spiffe://a/b", 12}};
    const struct ca_names names = {.items = items, .count = 3};
    struct mu_gname out[3];
    uint8_t addresses[3][16];
    assert_true(ca_names_general(&names, out, addresses));
    assert_true(mu_slice_equal(out[0].bytes, MU_SLICE_LIT("\x0a\x00\x00\x01")));
    assert_int_equal(out[1].bytes.len, 16);
    assert_int_equal(out[2].type, MU_GNAME_URI);
}

UNIT_MAIN(UNIT_CASE(handles_are_file_names_and_nothing_worse),
          UNIT_CASE(the_type_of_a_name_is_told_by_its_form),
          UNIT_CASE(types_that_are_not_given_are_made_from_the_handle),
          UNIT_CASE(names_of_a_request_count_as_given),
          UNIT_CASE(what_no_profile_certifies_is_refused),
          UNIT_CASE(general_names_hold_addresses_as_bytes))
