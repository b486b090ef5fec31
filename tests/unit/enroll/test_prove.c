/* SPDX-License-Identifier: Apache-2.0
 *
 * Which certificate may take another one's place.
 */
#include "enroll/enroll.h"
#include "pki.h"
#include "unit.h"

static struct mutual_error err;
static struct pki *root, *issuer, *other;
static struct mutual_trust *live;

static int setup(void **state)
{
    (void)state;
    root = pki_root("Root");
    issuer = pki_ca(root, "Issuer");
    other = pki_ca(pki_root("Other"), "Other issuer");
    live = mutual_trust_new("live");
    return live != NULL && mutual_trust_add_pem(live, pki_pem(root), strlen(pki_pem(root)), &err) &&
                   mutual_trust_freeze(live, &err)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    mutual_trust_unref(live);
    return 0;
}

static struct enroll_triple triple_of(struct pki *by, struct pki_leaf leaf)
{
    const struct pki *made = pki_issue(by, leaf);
    struct enroll_triple triple = {.key = mu_key_ref(made->key)};
    assert_ok(mu_certs_add(&triple.chain, made->cert, &err), &err);
    assert_ok(mu_certs_add(&triple.chain, by->cert, &err), &err);
    return triple;
}

static bool prove(struct pki_leaf old, struct pki *by, struct pki_leaf fresh)
{
    MU_AUTO(enroll_triple) struct enroll_triple before = triple_of(issuer, old);
    MU_AUTO(enroll_triple) struct enroll_triple after = triple_of(by, fresh);
    err = (struct mutual_error){0};
    return enroll_prove(&before, &after, live, true, PKI_NOW_S, &err);
}

#define LATER (PKI_NOW_S + 100 * 86400)

static void the_same_with_a_later_end(void **state)
{
    (void)state;
    static const struct pki_leaf leaves[] = {
        {.dns = "web.example.org", .server = true},
        {.uri = "spiffe://example.org/a", .client = true},
        {.dns = "web.example.org", .uri = "spiffe://example.org/a"},
        {.ip = "10.0.0.1", .server = true, .spec = MU_SPEC_ED25519},
        {.cn = "web", .dns = "*.example.org", .server = true, .spec = MU_SPEC_RSA_2048},
        {.email = "joe@example.org", .client = true},
        {.dns = "web.example.org", .no_eku = true},
    };
    for (size_t i = 0; i < MU_COUNT(leaves); i++) {
        struct pki_leaf fresh = leaves[i];
        fresh.not_after = LATER;
        assert_ok(prove(leaves[i], issuer, fresh), &err);
    }
}

static void what_is_not_as_good(void **state)
{
    (void)state;
    const struct pki_leaf old = {.cn = "web", .dns = "a.example.org", .dns2 = "b.example.org"};
    const struct {
        struct pki_leaf fresh;
        const char *why;
    } rows[] = {
        {{.cn = "web", .dns = "a.example.org", .not_after = LATER}, "lacks a name"},
        {{.cn = "web", .dns = "a.example.org", .dns2 = "c.example.org", .not_after = LATER},
         "lacks a name"},
        {{.cn = "web",
          .dns = "a.example.org",
          .dns2 = "b.example.org",
          .uri = "spiffe://example.org/root",
          .not_after = LATER},
         "a name that the old one has not"},
        {{.cn = "root", .dns = "a.example.org", .dns2 = "b.example.org", .not_after = LATER},
         "another subject"},
        {{.cn = "web", .dns = "a.example.org", .dns2 = "b.example.org"}, "end later"},
        {{.cn = "web",
          .dns = "a.example.org",
          .dns2 = "b.example.org",
          .not_before = LATER - 60,
          .not_after = LATER},
         "not valid yet"},
        {{.cn = "web",
          .dns = "a.example.org",
          .dns2 = "b.example.org",
          .client = true,
          .not_after = LATER},
         "lacks a purpose"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_fails(prove(old, issuer, rows[i].fresh), &err, MUTUAL_E_RENEWAL_UNFIT);
        assert_non_null(strstr(err.reason, rows[i].why));
    }
}

static void what_peers_do_not_believe(void **state)
{
    (void)state;
    const struct pki_leaf old = {.dns = "a.example.org"};
    struct pki_leaf fresh = old;
    fresh.not_after = LATER;
    assert_fails(prove(old, other, fresh), &err, MUTUAL_E_UNKNOWN_ISSUER);
    assert_non_null(strstr(err.context, "a handshake in memory"));
}

/* Who renews at once by hand gets one that ends in the same second. */
static void as_late_when_it_is_wished(void **state)
{
    (void)state;
    const struct pki_leaf leaf = {.dns = "a.example.org"};
    MU_AUTO(enroll_triple) struct enroll_triple before = triple_of(issuer, leaf);
    MU_AUTO(enroll_triple) struct enroll_triple after = triple_of(issuer, leaf);
    assert_ok(enroll_prove(&before, &after, live, false, PKI_NOW_S, &err), &err);
    assert_fails(enroll_prove(&before, &after, live, true, PKI_NOW_S, &err), &err,
                 MUTUAL_E_RENEWAL_UNFIT);
}

static void a_key_that_is_not_its_own(void **state)
{
    (void)state;
    const struct pki_leaf leaf = {.dns = "a.example.org", .not_after = LATER};
    MU_AUTO(enroll_triple)
    struct enroll_triple before = triple_of(issuer, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(enroll_triple) struct enroll_triple after = triple_of(issuer, leaf);
    mu_key_unref(after.key);
    after.key = mu_key_ref(before.key);
    assert_fails(enroll_prove(&before, &after, live, true, PKI_NOW_S, &err), &err,
                 MUTUAL_E_KEY_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_with_a_later_end), cmocka_unit_test(what_is_not_as_good),
        cmocka_unit_test(what_peers_do_not_believe), cmocka_unit_test(as_late_when_it_is_wished),
        cmocka_unit_test(a_key_that_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
