/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration from a text, and its findings as one text.
 */
#ifndef CONFIG_SUPPORT_H
#define CONFIG_SUPPORT_H

#include "config/config.h"
#include "unit.h"

struct built {
    struct config_snapshot *snapshot;
    struct config_findings findings;
    struct config *config; /* NULL when it was refused */
};

static inline void built_add(struct built *built, const char *name, const char *text)
{
    struct mutual_error err = {0};
    if (built->snapshot == NULL) {
        config_findings_init(&built->findings);
        built->snapshot = config_snapshot_new();
        assert_non_null(built->snapshot);
    }
    assert_ok(config_snapshot_add(built->snapshot, name, mu_slice_text(text), &err), &err);
}

static inline void built_run(struct built *built)
{
    bool sound = config_build(built->snapshot, NULL, &built->findings, &built->config);
    assert_int_equal(sound, built->config != NULL);
    assert_int_equal(sound, built->findings.errors == 0);
    config_findings_sort(&built->findings);
}

static inline struct built build_text(const char *text)
{
    struct built built = {0};
    built_add(&built, "m.yaml", text);
    built_run(&built);
    return built;
}

static inline void built_done(struct built *built)
{
    config_free(built->config);
    config_snapshot_free(built->snapshot);
    config_findings_done(&built->findings);
}

/* Exactly one error, with that code, at that place, whose text holds `part`. */
static inline void assert_finding(const char *text, enum mutual_code code, unsigned line,
                                  unsigned col, const char *part)
{
    struct built built = build_text(text);
    const struct config_finding *error = NULL;
    for (size_t i = 0; i < built.findings.count; i++) {
        if (built.findings.items[i].severity == CONFIG_ERROR) {
            error = &built.findings.items[i];
        }
    }
    if (built.findings.errors != 1 || error == NULL) {
        MU_AUTO(buf) struct mu_buf all;
        mu_buf_init(&all, 65536);
        config_findings_text(&built.findings, "m.yaml", false, &all);
        fail_msg("expected one error with \"%s\", got:\n%s", part, mu_buf_str(&all));
        return;
    }
    if (strstr(error->text, part) == NULL) {
        fail_msg("expected \"%s\", got: %s", part, error->text);
    }
    assert_string_equal(mutual_code_name(error->code), mutual_code_name(code));
    assert_int_equal(error->line, line);
    assert_int_equal(error->col, col);
    built_done(&built);
}

static inline void assert_good(const char *text)
{
    struct built built = build_text(text);
    if (built.config == NULL) {
        MU_AUTO(buf) struct mu_buf all;
        mu_buf_init(&all, 65536);
        config_findings_text(&built.findings, "m.yaml", false, &all);
        fail_msg("expected no error, got:\n%s", mu_buf_str(&all));
    }
    built_done(&built);
}

/* A whole configuration in which everything is said once. */
#define SAMPLE                                                                                 \
    "version: 1\n"                                                                             \
    "workers: 3\n"                                                                             \
    "log: {format: json, level: debug}\n"                                                      \
    "status: 127.0.0.1:9000\n"                                                                 \
    "trust:\n"                                                                                 \
    "  - name: corp\n"                                                                         \
    "    bundle: [/t/corp.pem, more.pem]\n"                                                    \
    "    intermediates: /t/mid.pem\n"                                                          \
    "    allow-intermediate-anchors: true\n"                                                   \
    "    revocation: {crl: /t/corp.crl, scope: leaf, required: true, when_stale: grace 36h}\n" \
    "inbound:\n"                                                                               \
    "  - name: db\n"                                                                           \
    "    listen: ['0.0.0.0:8443', '[::1]:8444', unix:/run/db.sock, systemd:db, fd:7]\n"        \
    "    forward: 127.0.0.1:5432\n"                                                            \
    "    certificate:\n"                                                                       \
    "      - /tls/db\n"                                                                        \
    "      - {chain: /tls/c.pem, key: /tls/k.pem, passphrase: env:PW}\n"                       \
    "    clients: {mode: request, trust: corp, send-ca-names: false}\n"                        \
    "    alpn: [h2, http/1.1]\n"                                                               \
    "    proxy-protocol: v2\n"                                                                 \
    "    timeouts: {handshake: 3s, idle: none, lifetime: 8h}\n"                                \
    "    connections: {max: 50}\n"                                                             \
    "    tls: {min: 1.3, resumption: false}\n"                                                 \
    "outbound:\n"                                                                              \
    "  - name: ledger\n"                                                                       \
    "    listen: 127.0.0.1:7001\n"                                                             \
    "    connect: ledger.example.org:8443\n"                                                   \
    "    server-name: ledger.internal\n"                                                       \
    "    certificate: /tls/web\n"                                                              \
    "    trust: corp\n"                                                                        \
    "    expect: [{dns: ledger.example.org}, {spiffe: 'spiffe://example.org/ledger'}]\n"       \
    "policy:\n"                                                                                \
    "  - grant: hr-reads\n"                                                                    \
    "    to: db\n"                                                                             \
    "    from: [{spiffe: 'spiffe://example.org/hr/*'}, {email: '@example.org'}]\n"             \
    "    anonymous: true\n"                                                                    \
    "    since: 2026-01-01\n"                                                                  \
    "    until: 2027-01-01T12:00:00Z\n"                                                        \
    "    owner: hr-platform\n"                                                                 \
    "    why: HR-1234\n"

#endif
