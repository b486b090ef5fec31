/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/decode.c: blocks, lists, short forms, defaults, several files.
 */
#include "config_support.h"

static void test_everything_said(void **state)
{
    (void)state;
    struct built b = build_text(SAMPLE);
    assert_non_null(b.config);
    const struct config *c = b.config;
    assert_int_equal(c->version, 1);
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->log.format, CONFIG_LOG_JSON);
    assert_int_equal(c->log.level, CONFIG_LOG_DEBUG);
    assert_int_equal(c->status.listen.port, 9000);

    const struct config_trust *t = &c->trusts[0];
    assert_int_equal(t->bundle.count, 2);
    assert_string_equal(t->bundle.items[0], "/t/corp.pem");
    assert_string_equal(t->bundle.items[1], "more.pem");
    assert_int_equal(t->intermediates.count, 1);
    assert_true(t->allow_intermediate_anchors);
    assert_true(t->revocation.required);
    assert_int_equal(t->revocation.scope, CONFIG_SCOPE_LEAF);
    assert_int_equal(t->revocation.when_stale.mode, CONFIG_STALE_GRACE);
    assert_int_equal(t->revocation.when_stale.grace_s, 36 * 3600);

    const struct config_inbound *in = &c->inbounds[0];
    assert_int_equal(in->listen_count, 5);
    assert_int_equal(in->listen[4].kind, CONFIG_ADDRESS_FD);
    assert_string_equal(in->certificates[0].chain, "/tls/db/tls.crt");
    assert_string_equal(in->certificates[0].key, "/tls/db/tls.key");
    assert_string_equal(in->certificates[1].chain, "/tls/c.pem");
    assert_int_equal(in->certificates[1].passphrase.kind, CONFIG_SECRET_ENV);
    assert_int_equal(in->clients.mode, CONFIG_MODE_REQUEST);
    assert_false(in->clients.send_ca_names);
    assert_int_equal(in->alpn.count, 2);
    assert_int_equal(in->proxy_protocol, CONFIG_PROXY_V2);
    assert_int_equal(in->timeouts.handshake_ns, 3 * MU_NS_PER_S);
    assert_int_equal(in->timeouts.connect_ns, 5 * MU_NS_PER_S);
    assert_int_equal(in->timeouts.idle_ns, 0);
    assert_int_equal(in->connections.max, 50);
    assert_int_equal(in->tls.min, CONFIG_TLS_1_3);
    assert_false(in->tls.resumption);

    const struct config_outbound *out = &c->outbounds[0];
    assert_string_equal(out->server_name, "ledger.internal");
    assert_int_equal(out->expect_count, 2);
    assert_int_equal(out->expect[1].type, CONFIG_NAME_SPIFFE);
    assert_int_equal(out->timeouts.idle_ns, 600 * MU_NS_PER_S);

    const struct config_grant *g = &c->grants[0];
    assert_string_equal(g->to.items[0], "db");
    assert_int_equal(g->from_count, 2);
    assert_string_equal(g->from[1].text, "@example.org");
    assert_true(g->anonymous);
    assert_true(g->since_s < g->until_s);
    assert_string_equal(g->why, "HR-1234");
    built_done(&b);
}

static void test_defaults(void **state)
{
    (void)state;
    struct built b = build_text("version: 1\n");
    assert_non_null(b.config);
    assert_int_equal(b.config->workers, 0);
    assert_int_equal(b.config->log.level, CONFIG_LOG_INFO);
    assert_int_equal(b.config->status.listen.kind, CONFIG_ADDRESS_NONE);
    assert_null(b.config->user);
    assert_null(b.config->log.mark.node);
    built_done(&b);
}

static void test_blocks(void **state)
{
    (void)state;
    enum mutual_code code = MUTUAL_E_CONFIG_INVALID;
    assert_finding("version: 1\nlgo: {}\n", code, 2, 1, "unknown setting \"lgo\"");
    assert_finding("version: 1\nlog: {level: info, level: info}\n", code, 2, 20, "is set twice");
    assert_finding("version: 1\nversion: 1\n", code, 2, 1, "is set twice");
    assert_finding("version: 1\nlog: [1]\n", code, 2, 6, "takes a block of settings");
    assert_finding("version: 1\ntrust: {name: a}\n", code, 2, 8, "\"trust\" takes a list");
    assert_finding("version: 1\ntrust:\n  - name: a\n", code, 3, 5,
                   "required setting \"bundle\" is missing from this trust block");
    assert_finding("version: 1\ntrust:\n  - {name: a, bundle: []}\n", code, 3, 23,
                   "\"bundle\" is an empty list");
    assert_finding("log: {}\n", code, 1, 1, "required setting \"version\" is missing");
    assert_finding("", code, 1, 1, "required setting \"version\" is missing");
    assert_finding("[1]", code, 1, 1, "a configuration is a block of settings");
    assert_finding("version: 2\n", code, 1, 10, "2 is not possible here: it must be 1");
}

/* A misspelt required setting is one error: it is not missing too. */
static void test_misspelt_is_not_missing(void **state)
{
    (void)state;
    assert_finding("version: 1\ntrust:\n  - {name: a, bundel: x}\n", MUTUAL_E_CONFIG_INVALID, 3, 15,
                   "unknown setting \"bundel\"");
}

static void add_includes(struct built *b, const char *one, const char *two)
{
    built_add(b, "/etc/m/mutual.yaml",
              "version: 1\ninclude: conf.d/*.yaml\ntrust:\n  - {name: a, bundle: a.pem}\n");
    built_add(b, "/etc/m/conf.d/two.yaml", two);
    built_add(b, "/etc/m/conf.d/one.yaml", one);
    built_add(b, "/etc/m/conf.d/.hidden.yaml", "nonsense: 1");
    built_add(b, "/etc/m/conf.d/deep/er.yaml", "nonsense: 1");
    built_add(b, "/etc/m/conf.d/note.txt", "nonsense: 1");
    built_run(b);
}

static void test_includes(void **state)
{
    (void)state;
    struct built b = {0};
    add_includes(&b, "trust:\n  - {name: b, bundle: b.pem}\nlog: {format: json}\n",
                 "version: 1\ntrust:\n  - {name: c, bundle: /c.pem}\n");
    assert_non_null(b.config);
    assert_int_equal(b.config->trust_count, 3);
    assert_string_equal(b.config->trusts[1].name, "b");
    assert_string_equal(b.config->trusts[2].name, "c");
    /* Paths are relative to the file that they are written in. */
    assert_string_equal(b.config->trusts[0].bundle.items[0], "/etc/m/a.pem");
    assert_string_equal(b.config->trusts[1].bundle.items[0], "/etc/m/conf.d/b.pem");
    assert_string_equal(b.config->trusts[2].bundle.items[0], "/c.pem");
    assert_int_equal(b.config->log.format, CONFIG_LOG_JSON);
    assert_string_equal(b.config->trusts[2].mark.file, "/etc/m/conf.d/two.yaml");
    built_done(&b);
}

static void test_included_twice(void **state)
{
    (void)state;
    struct built b = {0};
    add_includes(&b, "log: {format: json}\n", "log: {format: auto}\ninclude: x\nversion: 2\n");
    assert_null(b.config);
    assert_int_equal(b.findings.errors, 3);
    assert_non_null(
        strstr(b.findings.items[0].text, "was set already, in /etc/m/conf.d/one.yaml:1"));
    assert_non_null(strstr(b.findings.items[1].text, "only the main file may include"));
    assert_non_null(strstr(b.findings.items[2].text, "\"version\" was set already"));
    built_done(&b);
    assert_finding("version: 1\ninclude: gone.yaml\n", MUTUAL_E_FILE_MISSING, 2, 10, "gone.yaml");
    assert_good("version: 1\ninclude: [gone/*.yaml]\n");
}

static void test_main_file_missing(void **state)
{
    (void)state;
    struct built b = {0};
    built_add(&b, "a", "version: 1");
    assert_false(config_build(b.snapshot, "b", &b.findings, &b.config));
    assert_int_equal(b.findings.items[0].code, MUTUAL_E_FILE_MISSING);
    built_done(&b);
}

UNIT_MAIN(UNIT_CASE(test_everything_said), UNIT_CASE(test_defaults), UNIT_CASE(test_blocks),
          UNIT_CASE(test_misspelt_is_not_missing), UNIT_CASE(test_includes),
          UNIT_CASE(test_included_twice), UNIT_CASE(test_main_file_missing))
