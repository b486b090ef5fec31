/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/model.c: places, names, trimming, models that are not sound.
 */
#include "config_support.h"

static void assert_place(struct config_place place, unsigned line, unsigned col)
{
    assert_string_equal(place.file, "m.yaml");
    assert_int_equal(place.line, line);
    assert_int_equal(place.col, col);
}

static void test_places(void **state)
{
    (void)state;
    struct built b = build_text(SAMPLE);
    const struct config_inbound *in = config_inbound_find(b.config, "db");
    assert_non_null(in);
    assert_place(config_place_of(&in->mark, NULL), 12, 5);
    assert_place(config_place_of(&in->mark, "forward"), 14, 14);
    assert_place(config_place_of(&in->mark, "connections"), 22, 18);
    assert_place(config_place_of(&in->mark, "not-written"), 12, 5);
    assert_place(config_place_at(&in->mark, "listen", 1), 13, 30);
    assert_place(config_place_at(&in->mark, "listen", 99), 13, 13);
    assert_place(config_place_at(&in->mark, "forward", 0), 14, 14);
    assert_place(config_place_at(&b.config->grants[0].mark, "from", 1), 35, 59);
    assert_true(config_is_set(&in->mark, "alpn"));
    assert_true(config_is_set(&in->mark, "proxy_protocol"));
    assert_false(config_is_set(&in->mark, "unsafe-forward"));
    assert_null(config_inbound_find(b.config, "x"));
    assert_non_null(config_trust_find(b.config, "corp"));
    assert_null(config_trust_find(b.config, "x"));
    built_done(&b);
}

static void test_trimmed(void **state)
{
    (void)state;
    struct built b = build_text(SAMPLE);
    config_trim(b.config);
    config_trim(b.config);
    const struct config_inbound *in = config_inbound_find(b.config, "db");
    assert_place(config_place_of(&in->mark, "forward"), 12, 0);
    assert_place(config_place_at(&in->certificates[0].mark, "chain", 0), 16, 0);
    assert_false(config_is_set(&in->mark, "alpn"));
    assert_string_equal(in->forward.host, "127.0.0.1");
    built_done(&b);
}

static void test_partial(void **state)
{
    (void)state;
    struct built b = {0};
    built_add(&b, "m.yaml", "version: 1\ntrust:\n  - {bundle: b}\n  - {name: c, bundle: c}\n");
    assert_false(config_build_partial(b.snapshot, NULL, &b.findings, &b.config));
    assert_non_null(b.config);
    assert_int_equal(b.config->trust_count, 2);
    assert_null(b.config->trusts[0].name);
    assert_non_null(config_trust_find(b.config, "c"));
    built_done(&b);
    config_free(NULL);
}

UNIT_MAIN(UNIT_CASE(test_places), UNIT_CASE(test_trimmed), UNIT_CASE(test_partial))
