/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/profiles.c: what a file of profiles says, and everything that is wrong with one, told
 * at once and in its place.
 */
#include "config/config_internal.h"

#include <string.h>

#include "unit.h"

static struct config_profiles *build(const char *text, struct config_findings *findings)
{
    struct config_profiles *profiles = NULL;
    config_findings_init(findings);
    bool good = config_profiles_build("profiles.yaml", mu_slice_text(text), findings, &profiles);
    assert_int_equal(good, findings->errors == 0);
    assert_int_equal(good, profiles != NULL);
    return profiles;
}

static void a_whole_file(void **state)
{
    (void)state;
    struct config_findings findings;
    MU_AUTO(config_profiles)
    struct config_profiles *profiles =
        build("version: 1\n"
              "profiles:\n"
              "  - name: printer\n"
              "    text: prints\n"
              "    purposes: [server, client]\n"
              "    life: 30d\n"
              "    max-life: 60d\n"
              "    keys: [ed25519, ec-p256]\n"
              "    names: [spiffe, dns]\n"
              "    required: dns\n"
              "    made: spiffe\n"
              "    only: [{dns: '*.print.example.org'}]\n"
              "    must-staple: require\n"
              "    spiffe-prefix: print/\n"
              "    owner: print team\n"
              "  - {name: b, purposes: client, life: 1d, names: ip}\n",
              &findings);
    assert_non_null(profiles);
    assert_int_equal(profiles->count, 2);
    const struct config_profile *p = &profiles->items[0];
    assert_string_equal(p->name, "printer");
    assert_int_equal(p->purposes.count, 2);
    assert_true(p->life_ns == 30 * 86400 * MU_NS_PER_S && p->life_max_ns == 2 * p->life_ns);
    assert_int_equal(p->keys.items[0], 5);
    assert_int_equal(p->names.items[1], CONFIG_NAME_DNS);
    assert_int_equal(p->required.items[0], CONFIG_NAME_DNS);
    assert_int_equal(p->only[0].type, CONFIG_NAME_DNS);
    assert_int_equal(p->staple, CONFIG_DEMAND_REQUIRE);
    assert_string_equal(p->owner, "print team");
    p = &profiles->items[1];
    assert_true(p->life_max_ns == 0 && p->keys.count == 0 && p->owner == NULL);
    assert_int_equal(p->staple, CONFIG_DEMAND_ALLOW);
    config_findings_done(&findings);
}

#define P(rest_) "version: 1\nprofiles:\n  - " rest_ "\n"
#define GOOD     "name: a, purposes: server, life: 1d, names: [dns]"

/* Each row: a file, and the beginning of each of its findings in their order. */
static const struct {
    const char *text;
    const char *findings[5];
} rows[] = {
    {"", {"a file of profiles is a block"}},
    {"- a\n", {"a file of profiles is a block"}},
    {"version: 1\nprofile: []\n", {"unknown setting \"profile\""}},
    {"profiles: []\n", {"required setting \"version\""}},
    {"version: 2\n", {"2 is not possible here"}},
    {P("{}"),
     {"required setting \"name\"", "required setting \"purposes\"", "required setting \"life\"",
      "required setting \"names\""}},
    {P("{" GOOD ", lief: 3}"), {"unknown setting \"lief\""}},
    {P("{name: a, purposes: sever, life: 1d, names: dns}"), {"\"sever\" is not a valid value"}},
    {P("{name: a, purposes: server, life: 5s, names: dns}"), {""}},
    {P("{" GOOD ", max-life: 1h}"), {"the longest life is shorter"}},
    {P("{" GOOD ", keys: [rsa-1024]}"), {"\"rsa-1024\" is not a valid value"}},
    {P("{" GOOD ", keys: [ec-p256, ec-p256]}"), {"\"ec-p256\" is named twice"}},
    {P("{name: a, purposes: server, life: 1d, names: [cn, uri]}"),
     {"no certificate is made with a name of type \"cn\"",
      "no certificate is made with a name of type \"uri\""}},
    {P("{" GOOD ", required: email}"), {"\"required\" names type \"email\""}},
    {P("{" GOOD ", made: spiffe}"), {"\"made\" names type \"spiffe\""}},
    {P("{name: a, purposes: server, life: 1d, names: ip, made: ip}"),
     {"an address cannot be made"}},
    {P("{" GOOD ", only: [{email: '@a'}]}"), {"a pattern of type \"email\""}},
    {P("{" GOOD ", only: [{dns: a, ip: b}]}"), {""}},
    {P("{name: a, purposes: client, life: 1d, names: dns, must-staple: require}"),
     {"only servers staple"}},
    {P("{" GOOD ", spiffe-prefix: /x/}"), {"\"/x/\" cannot begin a path"}},
    {P("{" GOOD ", spiffe-prefix: x}"), {"\"x\" cannot begin a path"}},
    {P("{" GOOD "}\n  - {" GOOD "}"), {"there are two profiles \"a\""}},
    {P("{" GOOD ", made: ip, required: [spiffe], keys: [x]}"),
     {"\"x\" is not a valid value", "\"required\" names type \"spiffe\"",
      "\"made\" names type \"ip\"", "an address cannot be made"}},
    {"version: 1\nprofiles: [*a]\n", {""}},
    {"version: 1\nprofiles: [\n", {""}},
};

static void everything_wrong_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct config_findings findings;
        assert_null(build(rows[i].text, &findings));
        size_t expected = 0;
        while (expected < 5 && rows[i].findings[expected] != NULL) {
            expected++;
        }
        if (findings.count != expected) {
            fail_msg("row %zu: %zu findings, first \"%s\"", i, findings.count,
                     findings.items[0].text);
        }
        for (size_t k = 0; k < expected; k++) {
            if (!mu_text_starts(findings.items[k].text, rows[i].findings[k])) {
                fail_msg("row %zu: \"%s\"", i, findings.items[k].text);
            }
            assert_string_equal(findings.items[k].file, "profiles.yaml");
        }
        config_findings_done(&findings);
    }
}

static void so_many_and_no_more(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1u << 20);
    struct config_findings findings;
    mu_buf_text(&text, "version: 1\nprofiles:\n");
    for (unsigned i = 0; i < CONFIG_PROFILES_MAX; i++) {
        mu_buf_printf(&text, "  - {name: p%u, purposes: client, life: 1d, names: dns}\n", i);
    }
    MU_AUTO(config_profiles) struct config_profiles *most = build(mu_buf_str(&text), &findings);
    assert_int_equal(most->count, CONFIG_PROFILES_MAX);
    config_findings_done(&findings);
    mu_buf_text(&text, "  - {name: one-more, purposes: client, life: 1d, names: dns}\n");
    assert_null(build(mu_buf_str(&text), &findings));
    assert_true(mu_text_starts(findings.items[0].text, "there are more than"));
    config_findings_done(&findings);
}

UNIT_MAIN(UNIT_CASE(a_whole_file), UNIT_CASE(everything_wrong_is_told),
          UNIT_CASE(so_many_and_no_more))
