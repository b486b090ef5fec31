/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/trial.c, context.c: what is to be tried, once each, and what comes of it.
 */
#include "world_support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/test_trial.XXXXXX";
static struct pki *root, *web, *edward, *wild;

static void put(const char *name, const char *text, mode_t mode)
{
    struct mutual_error err = {0};
    assert_ok(mu_file_write(name, mu_slice_text(text), mode, &err), &err);
}

static int enter(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL || chdir(directory) != 0 || mkdir("tls", 0700) != 0 ||
        mkdir("ed", 0700) != 0 || mkdir("wild", 0700) != 0) {
        return -1;
    }
    root = pki_root("Root");
    web = pki_issue(root, (struct pki_leaf){.cn = "web", .dns = "web.example.org"});
    edward = pki_issue(root, (struct pki_leaf){.dns = "web.example.org", .spec = MU_SPEC_ED25519});
    wild = pki_issue(root, (struct pki_leaf){.dns = "*.wild.example"});
    put("tls/tls.key", pki_key_pem(web), 0600);
    put("ed/tls.key", pki_key_pem(edward), 0600);
    put("wild/tls.key", pki_key_pem(wild), 0600);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    return system("rm -rf tls ed wild") != 0 || chdir("/") != 0 || rmdir(directory) != 0;
}

#define GRANTS "policy:\n" GRANT("g", "to: '*', from: {dns: a.b}")

static struct scene files(const char *config)
{
    struct scene s = {0};
    scene_add(&s, "m", config);
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add(&s, "tls/tls.crt", pki_pem(web));
    scene_add(&s, "ed/tls.crt", pki_pem(edward));
    scene_add(&s, "wild/tls.crt", pki_pem(wild));
    return s;
}

static struct scene checked(const char *config)
{
    struct scene s = files(config);
    (void)world_check(s.snapshot, PKI_NOW_S, &s.findings, &s.world);
    return s;
}

static void is_good(const char *config)
{
    struct scene s = checked(config);
    if (s.world == NULL || s.findings.count > 0) {
        scene_show(&s);
    }
    scene_done(&s);
}

static size_t count_trials(const char *config)
{
    struct scene s = files(config);
    struct mutual_error err = {0};
    struct world_trial *trials = NULL;
    size_t count = 0;
    scene_build(&s);
    if (s.world == NULL) {
        scene_show(&s);
    }
    assert_ok(world_trials(s.world, &trials, &count, &err), &err);
    mu_free(trials);
    scene_done(&s);
    return count;
}

/* A thousand listeners that share a certificate are one trial; other settings are another. */
static void once_each(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 1u << 20);
    mu_buf_text(&text, TRUST "inbound:\n");
    for (int i = 0; i < 1000; i++) {
        mu_buf_printf(&text,
                      "  - {name: s%d, listen: '127.0.0.1:%d', forward: 'unix:/x', certificate: "
                      "tls, clients: {trust: corp}}\n",
                      i, 1000 + i);
    }
    mu_buf_text(&text, GRANTS);
    assert_int_equal(count_trials(mu_buf_str(&text)), 1);
    static const char *const others[] = {
        "certificate: tls, clients: {trust: corp}, tls: {min: 1.3}",
        "certificate: tls, clients: {trust: corp, send-ca-names: false}",
        "certificate: tls, clients: {mode: none}",
        "certificate: tls, clients: {trust: corp}, alpn: [h2]",
        "certificate: tls, clients: {trust: corp}, tls: {record-layer: library}",
        "certificate: ed, clients: {trust: corp}",
    };
    mu_buf_clear(&text);
    mu_buf_text(&text, TRUST "inbound:\n");
    for (size_t i = 0; i < MU_COUNT(others) * 2; i++) {
        mu_buf_printf(&text, "  - {name: s%zu, listen: '127.0.0.1:%zu', forward: 'unix:/x', %s}\n",
                      i, 1000 + i, others[i / 2]);
    }
    mu_buf_text(&text, OUTBOUND GRANTS);
    assert_int_equal(count_trials(mu_buf_str(&text)), MU_COUNT(others) + 1);
}

static void what_works(void **state)
{
    (void)state;
    is_good(TRUST INBOUND OUTBOUND GRANTS);
    is_good(TRUST
            "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', certificate: "
            "[tls, ed], clients: {trust: corp}, tls: {min: 1.3, strict-sni: true}}\n" GRANTS);
    is_good(TRUST
            "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', certificate: "
            "ed, clients: {mode: request, trust: corp}, alpn: [h2, http/1.1]}\n" GRANTS);
    is_good(TRUST "inbound:\n  - name: db\n    listen: '127.0.0.1:1'\n    forward: 'unix:/x'\n"
                  "    certificate: tls\n    clients: {trust: corp}\n    hosts:\n"
                  "      - {names: ['*.wild.example'], certificate: wild}\n" GRANTS);
}

/* Two of one kind with the same names: the second is never shown. */
static void what_nobody_is_shown(void **state)
{
    (void)state;
    struct pki *again = pki_issue(root, (struct pki_leaf){.dns = "web.example.org"});
    struct scene s = {0};
    scene_add(&s, "m",
              TRUST "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', "
                    "certificate: [tls, ed], clients: {trust: corp}}\n" GRANTS);
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add(&s, "tls/tls.crt", pki_pem(web));
    scene_add(&s, "ed/tls.crt", pki_pem(again));
    put("ed/tls.key", pki_key_pem(again), 0600);
    (void)world_check(s.snapshot, PKI_NOW_S, &s.findings, &s.world);
    assert_non_null(s.world);
    assert_int_equal(s.findings.warnings, 1);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_CONFIG_INVALID, "no client is shown");
    scene_done(&s);
    put("ed/tls.key", pki_key_pem(edward), 0600);
}

/* ---- by hand: what a gateway does ------------------------------------------------------------ */

struct hand {
    struct mutual_context *context;
    const struct pki *leaf;
};

static bool take_key(void *owner, const struct world_chain *chain, struct mu_key **ret_key,
                     struct mutual_error *err)
{
    const struct hand *hand = owner;
    (void)chain;
    (void)err;
    *ret_key = mu_key_ref(hand->leaf->key);
    return true;
}

static struct mutual_context *context_of(void *owner, size_t service)
{
    (void)service;
    return ((struct hand *)owner)->context;
}

static void explain(void *owner, struct mutual_error *err)
{
    (void)owner;
    *err = (struct mutual_error){0};
    (void)mu_fail(err, MUTUAL_E_KEY_UNAVAILABLE, "the key process did not sign");
}

/* The world says what is served; the context is of another one, so that some versions fail. */
static enum mutual_io try_by(const char *said, const char *served, bool no_key,
                             size_t *ret_warnings, struct mutual_error *ret_err)
{
    struct scene s = files(said);
    struct scene other = files(served);
    struct mutual_error err = {0};
    struct hand hand = {.leaf = web};
    struct world_trial *trials = NULL;
    struct world_tryout *tryout = NULL;
    size_t count = 0;
    scene_build(&s);
    scene_build(&other);
    const struct world_maker maker = {.key = take_key, .made = context_of, .owner = &hand};
    struct mutual_context *context = NULL;
    assert_ok(world_context_new(other.world, 0, &maker, &context, &err), &err);
    hand.context = context;
    const struct world_tryout_hooks hooks = {
        .context = context_of, .explain = no_key ? explain : NULL, .owner = &hand};
    assert_ok(world_trials(s.world, &trials, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_ok(world_tryout_new(s.world, trials, count, &hooks, &tryout, &err), &err);
    enum mutual_io io = MUTUAL_IO_WANT_READ;
    while (io == MUTUAL_IO_WANT_READ) {
        io = world_tryout_step(tryout, ret_err);
    }
    const struct mutual_error *warnings = world_tryout_warnings(tryout, ret_warnings);
    if (*ret_warnings > 0) {
        assert_non_null(strstr(warnings[0].context, "\"tls/tls.crt\" for \"db\", TLS 1.2"));
    }
    assert_int_equal(world_tryout_at(tryout) == NULL, io == MUTUAL_IO_DONE);
    world_tryout_free(tryout);
    mu_free(trials);
    mutual_context_unref(context);
    scene_done(&s);
    scene_done(&other);
    return io;
}

#define BOTH TRUST INBOUND GRANTS
#define ONLY_13                                                                               \
    TRUST "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', certificate: " \
          "tls, clients: {trust: corp}, tls: {min: 1.3}}\n" GRANTS
#define CLIENT TRUST OUTBOUND

static void what_comes_of_it(void **state)
{
    (void)state;
    size_t warnings = 0;
    struct mutual_error err = {0};
    assert_int_equal(try_by(BOTH, BOTH, false, &warnings, &err), MUTUAL_IO_DONE);
    assert_int_equal(warnings, 0);
    assert_int_equal(try_by(CLIENT, CLIENT, false, &warnings, &err), MUTUAL_IO_DONE);
    assert_int_equal(warnings, 0);
    /* works with one of two versions */
    assert_int_equal(try_by(BOTH, ONLY_13, false, &warnings, &err), MUTUAL_IO_DONE);
    assert_int_equal(warnings, 1);
    /* a key that does not answer says nothing of the certificate, and is no warning */
    assert_int_equal(try_by(BOTH, ONLY_13, true, &warnings, &err), MUTUAL_IO_FAILED);
    assert_int_equal(err.code, MUTUAL_E_KEY_UNAVAILABLE);
    assert_non_null(strstr(err.context, "\"tls/tls.crt\" for \"db\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_each),
        cmocka_unit_test(what_works),
        cmocka_unit_test(what_nobody_is_shown),
        cmocka_unit_test(what_comes_of_it),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
