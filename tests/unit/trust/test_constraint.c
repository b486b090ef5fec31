/* SPDX-License-Identifier: Apache-2.0
 *
 * Name constraints, one subtree against one name, and the rules for several.
 */
#include "trust/trust_internal.h"
#include "trust_unit.h"

#define T(text_)                                    \
    {                                               \
        (const uint8_t *)(text_), sizeof(text_) - 1 \
    }

struct row {
    enum mu_gname_type type;
    struct mu_slice base, name;
    bool permitted; /* good when the subtree is a permitted one */
    bool excluded;  /* good when it is an excluded one          */
};

static const struct row rows[] = {
    {MU_GNAME_DNS, T("example.org"), T("example.org"), true, false},
    {MU_GNAME_DNS, T("example.org"), T("A.Example.ORG"), true, false},
    {MU_GNAME_DNS, T("Example.org"), T("a.b.example.org"), true, false},
    {MU_GNAME_DNS, T("example.org"), T("badexample.org"), false, true},
    {MU_GNAME_DNS, T("example.org"), T("example.org.evil.com"), false, true},
    {MU_GNAME_DNS, T("a.example.org"), T("example.org"), false, true},
    {MU_GNAME_DNS, T(""), T("anything.example"), true, false},
    {MU_GNAME_DNS, T("example.org"), T("*.example.org"), true, false},
    {MU_GNAME_DNS, T("a.example.org"), T("*.example.org"), false, false},
    {MU_GNAME_DNS, T("a.b.example.org"), T("*.example.org"), false, true},
    {MU_GNAME_DNS, T("b.example.com"), T("*.example.org"), false, true},
    {MU_GNAME_DNS, T("org"), T("*.example.org"), true, false},
    {MU_GNAME_DNS, T(".example.org"), T("a.example.org"), false, false},
    {MU_GNAME_DNS, T("*.example.org"), T("a.example.org"), false, false},
    {MU_GNAME_DNS, T("example.org."), T("a.example.org"), false, false},
    {MU_GNAME_DNS, T("exa mple.org"), T("a.example.org"), false, false},

    {MU_GNAME_EMAIL, T("example.org"), T("a@example.org"), true, false},
    {MU_GNAME_EMAIL, T("Example.org"), T("a@eXample.org"), true, false},
    {MU_GNAME_EMAIL, T("example.org"), T("a@b.example.org"), false, true},
    {MU_GNAME_EMAIL, T(".example.org"), T("a@b.example.org"), true, false},
    {MU_GNAME_EMAIL, T(".example.org"), T("a@example.org"), false, true},
    {MU_GNAME_EMAIL, T("a@example.org"), T("a@Example.org"), true, false},
    {MU_GNAME_EMAIL, T("a@example.org"), T("A@example.org"), false, true},
    {MU_GNAME_EMAIL, T("*@example.org"), T("a@example.org"), false, true},
    {MU_GNAME_EMAIL, T(""), T("a@example.org"), true, false},
    {MU_GNAME_EMAIL, T("a@b@example.org"), T("a@example.org"), false, false},
    {MU_GNAME_EMAIL, T("@example.org"), T("a@example.org"), false, false},
    {MU_GNAME_EMAIL, T(".."), T("a@example.org"), false, false},

    {MU_GNAME_URI, T("example.org"), T("spiffe://example.org/a"), true, false},
    {MU_GNAME_URI, T("example.org"), T("spiffe://a.example.org/a"), false, true},
    {MU_GNAME_URI, T(".example.org"), T("spiffe://a.example.org/a"), true, false},
    {MU_GNAME_URI, T(".example.org"), T("spiffe://example.org/a"), false, true},
    {MU_GNAME_URI, T("example.org"), T("spiffe://example.org.evil.com/a"), false, true},
    {MU_GNAME_URI, T("example.org"), T("https://user@EXAMPLE.org:443/a"), true, false},
    {MU_GNAME_URI, T("example.org"), T("https://evil.com/@example.org"), false, true},
    {MU_GNAME_URI, T("example.org"), T("https://evil.com?://example.org/"), false, true},
    {MU_GNAME_URI, T("my_domain"), T("spiffe://my_domain/a"), true, false},
    {MU_GNAME_URI, T(""), T("spiffe://example.org/a"), true, false},
    {MU_GNAME_URI, T("example.org"), T("urn:uuid:6e8bc430"), false, false},
    {MU_GNAME_URI, T("example.org"), T("https://10.0.0.1/a"), false, false},
    {MU_GNAME_URI, T("example.org"), T("https://[::1]/a"), false, false},
    {MU_GNAME_URI, T("example.org"), T("https:///a"), false, false},
    {MU_GNAME_URI, T("https://example.org"), T("https://example.org/"), false, false},

    {MU_GNAME_IP, T("\x0a\0\0\0\xff\0\0\0"), T("\x0a\x01\x02\x03"), true, false},
    {MU_GNAME_IP, T("\x0a\0\0\0\xff\0\0\0"), T("\x0b\x01\x02\x03"), false, true},
    {MU_GNAME_IP, T("\0\0\0\0\0\0\0\0"), T("\x0b\x01\x02\x03"), true, false},
    {MU_GNAME_IP, T("\x0a\0\0\0\xff\0\0\0"), T("\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"), false,
     true},
    {MU_GNAME_IP, T("\x0a\0\0\0\xff\0\xff\0"), T("\x0a\x01\x02\x03"), false, false},
    {MU_GNAME_IP, T("\x0a\0\0\0"), T("\x0a\x01\x02\x03"), false, false},

    {MU_GNAME_OTHER, T("x"), T("x"), false, false},
};

static bool judge_one(const struct mutual_trust *trust, const struct row *row, bool permitted,
                      struct mutual_error *err)
{
    struct judge judge = {.trust = trust, .constraint_work = 1000};
    struct mu_subtree tree = {.base = {row->type, row->base}};
    struct mu_gname name = {row->type, row->name};
    struct mu_cert_facts ca = {.display = "Sub", .has_nc = true};
    struct mu_cert_facts cert = {.display = "web", .names = &name, .name_count = 1};
    ca.permitted = ca.excluded = &tree;
    ca.permitted_count = permitted;
    ca.excluded_count = !permitted;
    return mu_check_constraints(&judge, &ca, &cert, err);
}

static void case_one(void **state)
{
    (void)state;
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(pki_root("Root")), NULL);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        for (int permitted = 0; permitted < 2; permitted++) {
            struct mutual_error err = {0};
            bool want = permitted ? rows[i].permitted : rows[i].excluded;
            bool got = judge_one(trust, &rows[i], permitted, &err);
            if (got != want) {
                fail_msg("row %zu, %s \"%.*s\": expected %d: %s", i,
                         permitted ? "permitted" : "excluded", (int)rows[i].base.len,
                         (const char *)rows[i].base.data, want, err.reason);
            }
            assert_true(got || err.code == MUTUAL_E_NAME_CONSTRAINT);
        }
    }
}

/* ---- with real certificates ------------------------------------------------------------------ */

struct world {
    struct pki *root, *sub;
    struct mutual_trust *trust;
};

static struct world world_of(const struct mu_subtree *permitted, size_t permitted_count,
                             const struct mu_subtree *excluded, size_t excluded_count)
{
    struct mu_rdn subject = {MU_ATTR_CN, "Constrained"};
    struct mu_cert_template t = {.subject = &subject,
                                 .subject_count = 1,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN,
                                 .permitted = permitted,
                                 .permitted_count = permitted_count,
                                 .excluded = excluded,
                                 .excluded_count = excluded_count};
    struct world world = {.root = pki_root("Root")};
    world.sub = pki_make(world.root, &t, MU_SPEC_EC_P256);
    world.trust = mutual_trust_new("test");
    trust_add(world.trust, NODES(world.root), NODES(world.sub));
    return world;
}

static bool passes(const struct world *world, struct pki_leaf leaf, struct mutual_error *err)
{
    return validates(world->trust, NODES(pki_issue(world->sub, leaf)), err);
}

static void freeze(struct world *world)
{
    struct mutual_error err = {0};
    assert_ok(mutual_trust_freeze(world->trust, &err), &err);
}

static void case_unmentioned_types(void **state)
{
    (void)state;
    static const struct mu_subtree dns[] = {{.base = {MU_GNAME_DNS, T("example.org")}}};
    struct mutual_error err = {0};
    struct world lax = world_of(dns, 1, NULL, 0);
    struct world strict = world_of(dns, 1, NULL, 0);
    mutual_trust_strict_constraints(strict.trust);
    freeze(&lax);
    freeze(&strict);
    struct pki_leaf inside = {.dns = "a.example.org"};
    struct pki_leaf both = {.dns = "a.example.org", .uri = "spiffe://other.org/admin"};
    struct pki_leaf outside = {.dns = "a.example.org", .dns2 = "a.example.com"};
    assert_ok(passes(&lax, inside, &err), &err);
    assert_ok(passes(&strict, inside, &err), &err);
    assert_ok(passes(&lax, both, &err), &err);
    assert_fails(passes(&strict, both, &err), &err, MUTUAL_E_NAME_CONSTRAINT);
    assert_fails(passes(&lax, outside, &err), &err, MUTUAL_E_NAME_CONSTRAINT);
    assert_non_null(strstr(err.reason, "a.example.com"));
    assert_non_null(strstr(err.reason, "\"Constrained\""));
    mutual_trust_unref(lax.trust);
    mutual_trust_unref(strict.trust);
}

static size_t count_taken(const struct world *world, struct pki_leaf leaf)
{
    struct mutual_error err = {0};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    assert_ok(validate_as(world->trust, NODES(pki_issue(world->sub, leaf)), MUTUAL_PURPOSE_CLIENT,
                          PKI_NOW_S, &chain, &err),
              &err);
    size_t count = 0;
    (void)mutual_chain_names(chain, &count);
    return count;
}

/* A partner's authority, held to its own DNS names, must not be anybody by a common name. */
static void case_common_names(void **state)
{
    (void)state;
    static const struct mu_subtree dns[] = {{.base = {MU_GNAME_DNS, T("example.org")}}};
    struct pki_leaf leaf = {.cn = "admin", .dns = "a.example.org"};
    struct world lax = world_of(dns, 1, NULL, 0);
    struct world strict = world_of(dns, 1, NULL, 0);
    MU_AUTO(buf) struct mu_buf name;
    struct mutual_error err = {0};
    mu_buf_init(&name, 256);
    assert_ok(mu_name_build(&(struct mu_rdn){MU_ATTR_CN, "admin"}, 1, &name, &err), &err);
    struct mu_subtree both[] = {{.base = {MU_GNAME_DNS, T("example.org")}},
                                {.base = {MU_GNAME_DIRNAME, mu_buf_slice(&name)}}};
    struct world named = world_of(both, 2, NULL, 0);
    mutual_trust_strict_constraints(strict.trust);
    mutual_trust_strict_constraints(named.trust);
    freeze(&lax);
    freeze(&strict);
    freeze(&named);
    assert_int_equal(count_taken(&lax, leaf), 2);
    assert_int_equal(count_taken(&strict, leaf), 1);
    assert_int_equal(count_taken(&named, leaf), 2);
    mutual_trust_unref(lax.trust);
    mutual_trust_unref(strict.trust);
    mutual_trust_unref(named.trust);
}

static void case_directory(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf name;
    mu_buf_init(&name, 256);
    struct mu_rdn house = {MU_ATTR_O, "Example"};
    assert_ok(mu_name_build(&house, 1, &name, &err), &err);
    struct mu_subtree tree = {.base = {MU_GNAME_DIRNAME, mu_buf_slice(&name)}};
    struct world only = world_of(&tree, 1, NULL, 0);
    struct world never = world_of(NULL, 0, &tree, 1);
    freeze(&only);
    freeze(&never);
    struct mu_rdn inside[] = {{MU_ATTR_O, "EXAMPLE"}, {MU_ATTR_CN, "web"}};
    struct mu_rdn outside[] = {{MU_ATTR_O, "Other"}, {MU_ATTR_CN, "web"}};
    struct mu_cert_template in = {.subject = inside, .subject_count = 2};
    struct mu_cert_template out = {.subject = outside, .subject_count = 2};
    struct pki_leaf good = {.dns = "a.example.org", .t = &in};
    struct pki_leaf bad = {.dns = "a.example.org", .t = &out};
    assert_ok(passes(&only, good, &err), &err);
    assert_fails(passes(&only, bad, &err), &err, MUTUAL_E_NAME_CONSTRAINT);
    assert_ok(passes(&never, bad, &err), &err);
    assert_fails(passes(&never, good, &err), &err, MUTUAL_E_NAME_CONSTRAINT);
    /* Running out of memory at any point opens nothing. */
    struct pki *leaf = pki_issue(never.sub, good);
    for (unsigned long n = 1; n < 200; n++) {
        mu_alloc_fail_after(n);
        bool ok = validates(never.trust, NODES(leaf), &err);
        mu_alloc_fail_after(0);
        assert_false(ok);
    }
    mutual_trust_unref(only.trust);
    mutual_trust_unref(never.trust);
}

/* An e-mail address in the subject counts when there is none in the alternative names. */
static void case_subject_email(void **state)
{
    (void)state;
    static const struct mu_subtree mail[] = {{.base = {MU_GNAME_EMAIL, T("example.org")}}};
    struct mutual_error err = {0};
    struct world world = world_of(mail, 1, NULL, 0);
    freeze(&world);
    struct mu_rdn subject[] = {{MU_ATTR_CN, "a"}, {MU_ATTR_EMAIL, "a@example.com"}};
    struct mu_cert_template t = {.subject = subject, .subject_count = 2};
    struct pki_leaf hidden = {.dns = "a.example.org", .t = &t};
    struct pki_leaf shown = {.email = "a@example.org", .t = &t};
    assert_fails(passes(&world, hidden, &err), &err, MUTUAL_E_NAME_CONSTRAINT);
    assert_ok(passes(&world, shown, &err), &err);
    mutual_trust_unref(world.trust);
}

/* Constraints hold for the names of authorities below, but not for a self-issued one. */
static void case_authorities_below(void **state)
{
    (void)state;
    static const struct mu_subtree dns[] = {{.base = {MU_GNAME_DNS, T("example.org")}}};
    static const struct mu_gname outside[] = {{MU_GNAME_DNS, T("ca.example.com")}};
    struct mutual_error err = {0};
    struct world world = world_of(dns, 1, NULL, 0);
    freeze(&world);
    struct mu_rdn names[] = {{MU_ATTR_CN, "Below"}, {MU_ATTR_CN, "Constrained"}};
    struct mu_cert_template t = {.subject_count = 1,
                                 .ca = true,
                                 .key_usage = MU_KU_KEY_CERT_SIGN,
                                 .names = outside,
                                 .name_count = 1};
    t.subject = &names[0];
    struct pki *below = pki_make(world.sub, &t, MU_SPEC_EC_P256);
    struct pki *leaf = pki_issue(below, (struct pki_leaf){.dns = "a.example.org"});
    assert_fails(validates(world.trust, NODES(leaf, below), &err), &err, MUTUAL_E_NAME_CONSTRAINT);
    t.subject = &names[1];
    struct pki *rollover = pki_make(world.sub, &t, MU_SPEC_EC_P256);
    leaf = pki_issue(rollover, (struct pki_leaf){.dns = "a.example.org"});
    assert_ok(validates(world.trust, NODES(leaf, rollover), &err), &err);
    mutual_trust_unref(world.trust);
}

static void case_ranged_and_malformed(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(pki_root("Root")), NULL);
    struct judge judge = {.trust = trust, .constraint_work = 1000};
    struct mu_subtree tree = {.base = {MU_GNAME_DNS, T("example.org")}, .ranged = true};
    struct mu_cert_facts ca = {
        .display = "Sub", .has_nc = true, .permitted = &tree, .permitted_count = 1};
    struct mu_cert_facts cert = {.display = "web"};
    assert_fails(mu_check_constraints(&judge, &ca, &cert, &err), &err, MUTUAL_E_NAME_CONSTRAINT);
    tree = (struct mu_subtree){.base = {MU_GNAME_DIRNAME, T("rubbish")}};
    assert_fails(mu_check_constraints(&judge, &ca, &cert, &err), &err, MUTUAL_E_NAME_CONSTRAINT);
}

static void case_cost(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(pki_root("Root")), NULL);
    struct judge judge = {.trust = trust, .constraint_work = 5};
    struct mu_subtree trees[10];
    struct mu_gname name = {MU_GNAME_DNS, T("a.example.org")};
    for (size_t i = 0; i < MU_COUNT(trees); i++) {
        trees[i] = (struct mu_subtree){.base = {MU_GNAME_DNS, T("example.com")}};
    }
    struct mu_cert_facts ca = {
        .display = "Sub", .has_nc = true, .excluded = trees, .excluded_count = MU_COUNT(trees)};
    struct mu_cert_facts cert = {.display = "web", .names = &name, .name_count = 1};
    assert_fails(mu_check_constraints(&judge, &ca, &cert, &err), &err, MUTUAL_E_CHAIN_TOO_COSTLY);
    assert_int_equal(judge.constraint_work, 0);
}

UNIT_MAIN(UNIT_CASE(case_one), UNIT_CASE(case_unmentioned_types), UNIT_CASE(case_common_names),
          UNIT_CASE(case_directory), UNIT_CASE(case_subject_email),
          UNIT_CASE(case_authorities_below), UNIT_CASE(case_ranged_and_malformed),
          UNIT_CASE(case_cost))
