/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/files.c: every file that a configuration names.
 */
#include "config_support.h"

struct seen {
    struct mu_buf text;
};

static void see(void *context, const char *path)
{
    struct seen *seen = context;
    (void)mu_buf_printf(&seen->text, "%s\n", path);
}

static void is_seen(const struct seen *seen, const char *path)
{
    char line[256];
    (void)snprintf(line, sizeof line, "%s\n", path);
    if (strstr(seen->text.len > 0 ? (const char *)seen->text.data : "", line) == NULL) {
        fail_msg("%s is not among %.*s", path, (int)seen->text.len, (const char *)seen->text.data);
    }
}

static void every_file_is_found_sound_or_not(void **state)
{
    (void)state;
    static const char text[] =
        "version: 1\ninclude: [a.d/*.yaml, /etc/b.yaml]\nnonsense: 1\n"
        "trust:\n  - {name: t, bundle: [/ca1.pem, /ca2.pem], intermediates: /sub.pem,\n"
        "     revocation: {crl: /t.crl}}\n"
        "inbound:\n"
        "  - name: a\n    listen: ':1'\n    forward: 'unix:/not-a-file'\n"
        "    certificate: {chain: /a.pem, key: /a.key, passphrase: 'file:/a.pass'}\n"
        "    clients: {trust: nobody}\n"
        "outbound:\n"
        "  - {name: o, listen: '127.0.0.1:2', connect: 'h:3', certificate: /tls}\n";
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = config_snapshot_new();
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(config) struct config *config = NULL;
    struct mutual_error err = {0};
    struct seen seen = {.text = {0}};
    mu_buf_init(&seen.text, 65536);
    config_findings_init(&findings);
    assert_ok(config_snapshot_add(snapshot, "/m.yaml", mu_slice_text(text), &err), &err);
    assert_false(config_build_partial(snapshot, NULL, &findings, &config));
    assert_non_null(config);
    config_files(config, see, &seen);
    (void)mu_buf_byte(&seen.text, '\0');
    static const char *const paths[] = {"/a.d/*.yaml", "/etc/b.yaml",  "/ca1.pem",    "/ca2.pem",
                                        "/sub.pem",    "/t.crl",       "/a.pem",      "/a.key",
                                        "/a.pass",     "/tls/tls.crt", "/tls/tls.key"};
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        is_seen(&seen, paths[i]);
    }
    assert_null(strstr((const char *)seen.text.data, "not-a-file"));
    mu_buf_done(&seen.text);
}

UNIT_MAIN(UNIT_CASE(every_file_is_found_sound_or_not))
