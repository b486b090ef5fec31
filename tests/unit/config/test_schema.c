/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/schema.c: the tables are whole, and blocks are completed as they say.
 */
#include "config/config_internal.h"
#include "config_support.h"

static void check_block(const struct block *block, unsigned depth);

static void check_setting(const struct block *block, const struct setting *s, unsigned depth)
{
    assert_true(depth < 6);
    assert_non_null(s->help);
    assert_true(s->help[0] != '\0' && s->help[strlen(s->help) - 1] != '.');
    assert_string_equal(s->since, "0.1");
    assert_true(s->offset + setting_element_size(s) <= block->size || s->shape != SETTING_ONE);
    assert_true((s->count_offset != 0) == (s->shape != SETTING_ONE));
    assert_true(s->type != SETTING_WORD ||
                (s->words != NULL && (s->dflt != NULL || s->required || s->shape != SETTING_ONE)));
    assert_false(s->required && s->dflt != NULL);
    assert_null(strchr(s->name, '_'));
    if (s->type == SETTING_BLOCK) {
        check_block(s->block, depth + 1);
    }
}

static void check_block(const struct block *block, unsigned depth)
{
    size_t count = 0;
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        check_setting(block, s, depth);
        for (const struct setting *other = block->settings; other != s; other++) {
            assert_string_not_equal(other->name, s->name);
        }
        count++;
    }
    assert_in_range(count, 1, 63); /* a bit each */
}

static void test_tables_are_whole(void **state)
{
    (void)state;
    check_block(&schema_root, 0);
    check_block(&schema_profiles, 0);
}

#define CERT(value_)                                                                \
    "version: 1\ninbound:\n  - name: a\n    listen: ':1'\n    forward: 'unix:/x'\n" \
    "    clients: {mode: none}\n    certificate: " value_ "\n"

static void test_certificates(void **state)
{
    (void)state;
    enum mutual_code code = MUTUAL_E_CONFIG_INVALID;
    assert_good(CERT("/dir"));
    assert_good(CERT("{directory: /dir, passphrase: file:/p}"));
    assert_good(CERT("[/dir, {chain: c, key: k}]"));
    assert_finding(CERT("{chain: c}"), code, 7, 18, "needs a chain and a key");
    assert_finding(CERT("{}"), code, 7, 18, "needs a chain and a key");
    assert_finding(CERT("{directory: d, key: k}"), code, 7, 18, "not both");
    assert_finding(CERT("{directory: {}}"), code, 7, 30, "takes a single value");
}

#define GRANT(rest_) "version: 1\npolicy:\n  - {grant: g, to: '*', owner: o, why: w, " rest_ "}\n"

static void test_grants(void **state)
{
    (void)state;
    enum mutual_code code = MUTUAL_E_CONFIG_INVALID;
    assert_good(GRANT("from: {dns: a}, since: 2026-01-01, until: 2026-01-02"));
    assert_good(GRANT("from: {dns: a}, since: always, until: never"));
    assert_good(GRANT("anonymous: true"));
    assert_good(GRANT("anyone: true"));
    assert_finding(GRANT("until: never"), code, 3, 5, "required setting \"from\" is missing");
    assert_finding(GRANT("from: {dns: a}, since: 2026-01-02, until: 2026-01-02"), code, 3, 85,
                   "the grant ends before it begins");
    assert_finding(GRANT("from: {dns: a}, until: soon"), MUTUAL_E_TIME_MALFORMED, 3, 66, "soon");
}

UNIT_MAIN(UNIT_CASE(test_tables_are_whole), UNIT_CASE(test_certificates), UNIT_CASE(test_grants))
