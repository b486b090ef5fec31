/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts of a chain: read, judged again, written into a ticket and read back.
 */
#include "trust_unit.h"

struct world {
    struct pki *root, *sub, *leaf;
};

static struct world world_new(void)
{
    struct world world = {.root = pki_root("Root")};
    world.sub = pki_ca(world.root, "Issuing");
    world.leaf = pki_issue(
        world.sub,
        (struct pki_leaf){.cn = "web", .dns = "a.example.org", .uri = "spiffe://example.org/web"});
    return world;
}

static struct mutual_chain *chain_of(const struct mutual_trust *trust, const struct world *world)
{
    struct mutual_error err = {0};
    struct mutual_chain *chain = NULL;
    assert_ok(validate_as(trust, NODES(world->leaf, world->sub), MUTUAL_PURPOSE_CLIENT, PKI_NOW_S,
                          &chain, &err),
              &err);
    return chain;
}

static void case_facts(void **state)
{
    (void)state;
    struct world world = world_new();
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(world.root), NULL);
    MU_AUTO(chain) struct mutual_chain *chain = chain_of(trust, &world);
    struct pki *const path[] = {world.leaf, world.sub, world.root};
    size_t count = 0;
    const struct mutual_link *links = mutual_chain_links(chain, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct mu_cert_facts *facts = mu_cert_facts(path[i]->cert);
        const struct mu_cert_facts *issuer = mu_cert_facts(path[i < 2 ? i + 1 : 2]->cert);
        assert_memory_equal(links[i].fingerprint, facts->fingerprint, 32);
        assert_memory_equal(links[i].key_hash, facts->key_hash, 32);
        assert_memory_equal(links[i].issuer_hash, issuer->key_hash, 32);
        assert_int_equal(links[i].serial_len, facts->serial.len);
        assert_memory_equal(links[i].serial, facts->serial.data, facts->serial.len);
        assert_int_equal(links[i].not_before_s, facts->not_before_s);
        assert_int_equal(links[i].not_after_s, facts->not_after_s);
    }
    size_t name_count = 0;
    const struct mutual_name *names = mutual_chain_names(chain, &name_count);
    assert_int_equal(name_count, 3);
    assert_string_equal(names[name_count - 1].text, "web");
    assert_int_equal(names[name_count - 1].type, MUTUAL_NAME_CN);
    assert_string_equal(mutual_chain_subject(chain), "CN=web");
    assert_string_equal(mutual_chain_issuer(chain), "CN=Issuing");
    assert_int_equal(mutual_chain_not_after_s(chain), mu_cert_facts(world.leaf->cert)->not_after_s);
    struct mutual_chain *again = mutual_chain_ref(chain);
    mutual_chain_unref(again);
    mutual_chain_unref(NULL);
}

static void case_recheck(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(world.root), NULL);
    MU_AUTO(chain) struct mutual_chain *chain = chain_of(trust, &world);
    int64_t end_s = mutual_chain_not_after_s(chain);
    int64_t until_s = 0;
    assert_ok(mu_trust_recheck(trust, chain, PKI_NOW_S, &until_s, &err), &err);
    assert_int_equal(until_s, end_s + 1);
    assert_ok(mu_trust_recheck(trust, chain, end_s, NULL, &err), &err);
    assert_fails(mu_trust_recheck(trust, chain, end_s + 1, NULL, &err), &err,
                 MUTUAL_E_CERT_EXPIRED);
    assert_non_null(strstr(err.reason, "\"CN=web\""));
    assert_string_equal(err.context, "certificate 1 of the chain of 3");
    assert_fails(mu_trust_recheck(trust, chain, 0, NULL, &err), &err, MUTUAL_E_CERT_NOT_YET_VALID);

    /* Another bundle without the anchor, and one with a root of the same name. */
    MU_AUTO(trust) struct mutual_trust *other = trust_of(NODES(pki_root("Root")), NODES(world.sub));
    assert_fails(mu_trust_recheck(other, chain, PKI_NOW_S, NULL, &err), &err,
                 MUTUAL_E_UNKNOWN_ISSUER);
}

static void case_a_chain_follows_its_anchor(void **state)
{
    (void)state;
    struct world world = world_new();
    MU_AUTO(trust) struct mutual_trust *before = trust_of(NODES(world.root), NULL);
    MU_AUTO(chain) struct mutual_chain *chain = chain_of(before, &world);
    MU_AUTO(trust) struct mutual_trust *more = trust_of(NODES(world.root, pki_root("More")), NULL);
    MU_AUTO(trust) struct mutual_trust *twin = trust_of(NODES(pki_root("Root")), NULL);
    assert_true(mu_trust_follows(before, before, chain));
    assert_true(mu_trust_follows(more, before, chain));
    assert_false(mu_trust_follows(twin, before, chain)); /* of the same name, and another */

    /* Paths have to meet other demands now: it has to be built again. */
    MU_AUTO(trust) struct mutual_trust *strict = mutual_trust_new("strict");
    struct mutual_error err = {0};
    const char *pem = pki_pem(world.root);
    mutual_trust_strict_constraints(strict);
    assert_ok(mutual_trust_add_pem(strict, pem, strlen(pem), &err), &err);
    assert_ok(mutual_trust_freeze(strict, &err), &err);
    assert_false(mu_trust_follows(strict, before, chain));
}

/* Who sent an intermediate brings it along; who did not lives by the bundle's. */
static void case_a_chain_follows_what_it_was_lent(void **state)
{
    (void)state;
    struct world world = world_new();
    struct mutual_error err = {0};
    struct mu_slice leaf = pki_der(world.leaf);
    struct mu_slice sub = pki_der(world.sub);
    const struct mutual_der sent[] = {{leaf.data, leaf.len}, {sub.data, sub.len}};
    MU_AUTO(trust)
    struct mutual_trust *lends = trust_of(NODES(world.root), NODES(world.sub));
    MU_AUTO(trust) struct mutual_trust *bare = trust_of(NODES(world.root, pki_root("More")), NULL);
    for (size_t count = 1; count <= 2; count++) {
        MU_AUTO(chain) struct mutual_chain *chain = NULL;
        MU_AUTO(chain) struct mutual_chain *again = NULL;
        MU_AUTO(buf) struct mu_buf bytes;
        mu_buf_init(&bytes, 4096);
        assert_ok(mutual_trust_validate(lends, sent, count, MUTUAL_PURPOSE_SERVER, PKI_NOW_S,
                                        &chain, &err),
                  &err);
        size_t links = 0;
        assert_int_equal(mutual_chain_links(chain, &links)[1].lent, count == 1);
        assert_int_equal(links, 3);
        assert_true(mu_trust_follows(lends, lends, chain));
        assert_int_equal(mu_trust_follows(bare, lends, chain), count == 2);
        assert_ok(mu_chain_serialise(chain, &bytes, &err), &err);
        assert_ok(mu_chain_parse(mu_buf_slice(&bytes), &again, &err), &err);
        assert_int_equal(mu_trust_follows(bare, lends, again), count == 2);
    }
}

static struct mutual_trust *with_lists(const struct world *world, struct mu_slice first,
                                       struct mu_slice second)
{
    struct mutual_error err = {0};
    struct mutual_trust *trust = mutual_trust_new("test");
    trust_add(trust, NODES(world->root), NODES(world->sub));
    mutual_trust_set_revocation(trust, true, false, MUTUAL_CRL_STALE_REFUSE, 0);
    assert_ok(mutual_trust_add_crl(trust, (const char *)first.data, first.len, &err), &err);
    if (second.len > 0) {
        assert_ok(mutual_trust_add_crl(trust, (const char *)second.data, second.len, &err), &err);
    }
    assert_ok(mutual_trust_freeze(trust, &err), &err);
    return trust;
}

static void case_recheck_revocation(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    struct mu_slice none = {NULL, 0};
    struct mu_slice root_list = pki_crl(world.root, NULL);
    MU_AUTO(trust) struct mutual_trust *before = trust_of(NODES(world.root), NULL);
    MU_AUTO(chain) struct mutual_chain *chain = chain_of(before, &world);
    MU_AUTO(trust)
    struct mutual_trust *good = with_lists(&world, root_list, pki_crl(world.sub, NULL));
    MU_AUTO(trust)
    struct mutual_trust *leaf = with_lists(&world, root_list, pki_crl(world.sub, world.leaf, NULL));
    MU_AUTO(trust)
    struct mutual_trust *sub =
        with_lists(&world, pki_crl(world.root, world.sub, NULL), pki_crl(world.sub, NULL));
    MU_AUTO(trust) struct mutual_trust *missing = with_lists(&world, root_list, none);
    int64_t until_s = 0;
    assert_ok(mu_trust_recheck(good, chain, PKI_NOW_S, &until_s, &err), &err);
    assert_int_equal(until_s, PKI_NOW_S + 7 * PKI_DAY_S);
    assert_fails(mu_trust_recheck(good, chain, until_s, NULL, &err), &err, MUTUAL_E_CRL_STALE);
    assert_fails(mu_trust_recheck(leaf, chain, PKI_NOW_S, NULL, &err), &err, MUTUAL_E_CERT_REVOKED);
    assert_fails(mu_trust_recheck(sub, chain, PKI_NOW_S, NULL, &err), &err, MUTUAL_E_CERT_REVOKED);
    assert_string_equal(err.context, "certificate 2 of the chain of 3");
    assert_fails(mu_trust_recheck(missing, chain, PKI_NOW_S, NULL, &err), &err,
                 MUTUAL_E_CRL_MISSING);
}

static void case_bytes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(world.root), NULL);
    MU_AUTO(chain) struct mutual_chain *chain = chain_of(trust, &world);
    MU_AUTO(buf) struct mu_buf once;
    MU_AUTO(buf) struct mu_buf twice;
    mu_buf_init(&once, 4096);
    mu_buf_init(&twice, 4096);
    assert_ok(mu_chain_serialise(chain, &once, &err), &err);
    MU_AUTO(chain) struct mutual_chain *again = NULL;
    assert_ok(mu_chain_parse(mu_buf_slice(&once), &again, &err), &err);
    assert_ok(mu_chain_serialise(again, &twice, &err), &err);
    assert_true(mu_slice_equal(mu_buf_slice(&once), mu_buf_slice(&twice)));
    assert_string_equal(mutual_chain_subject(again), "CN=web");
    assert_int_equal(mutual_chain_not_after_s(again), mutual_chain_not_after_s(chain));
    assert_ok(mu_trust_recheck(trust, again, PKI_NOW_S, NULL, &err), &err);

    MU_AUTO(buf) struct mu_buf small;
    mu_buf_init(&small, 100);
    assert_fails(mu_chain_serialise(chain, &small, &err), &err, MUTUAL_E_LIMIT);
    assert_int_equal(small.len, 0);
}

/* Every prefix, every byte changed: refused or well-formed, never more than was there. */
static void case_broken_bytes(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct world world = world_new();
    MU_AUTO(trust) struct mutual_trust *trust = trust_of(NODES(world.root), NULL);
    MU_AUTO(chain) struct mutual_chain *chain = chain_of(trust, &world);
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 4096);
    assert_ok(mu_chain_serialise(chain, &bytes, &err), &err);
    for (size_t len = 0; len < bytes.len; len++) {
        struct mutual_chain *parsed = NULL;
        assert_fails(mu_chain_parse(mu_slice_of(bytes.data, len), &parsed, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
        assert_null(parsed);
    }
    for (size_t i = 0; i < bytes.len; i++) {
        MU_AUTO(chain) struct mutual_chain *parsed = NULL;
        bytes.data[i] ^= 0xff;
        (void)!mu_chain_parse(mu_buf_slice(&bytes), &parsed, &err);
        bytes.data[i] ^= 0xff;
    }
    mu_buf_byte(&bytes, 0);
    struct mutual_chain *parsed = NULL;
    assert_fails(mu_chain_parse(mu_buf_slice(&bytes), &parsed, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
}

static void case_new(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct mutual_link links[MU_LIMIT_CHAIN_DEPTH + 1] = {0};
    struct mutual_chain *chain = NULL;
    static const struct mutual_name bad[] = {{MUTUAL_NAME_SPIFFE, "spiffe://X/", 11}};
    assert_fails(mu_chain_new(links, MU_COUNT(links), NULL, 0, "", "", &chain, &err), &err,
                 MUTUAL_E_LIMIT);
    assert_fails(mu_chain_new(links, 0, NULL, 0, "", "", &chain, &err), &err, MUTUAL_E_LIMIT);
    assert_fails(mu_chain_new(links, 1, bad, 1, "", "", &chain, &err), &err,
                 MUTUAL_E_SPIFFE_MALFORMED);
    for (unsigned long n = 1;; n++) {
        err = (struct mutual_error){0};
        mu_alloc_fail_after(n);
        bool ok = mu_chain_new(links, 2, NULL, 0, "CN=a", "CN=b", &chain, &err);
        mu_alloc_fail_after(0);
        if (ok) {
            break;
        }
        assert_int_equal(err.code, MUTUAL_E_NO_MEMORY);
        assert_true(n < 20);
    }
    mutual_chain_unref(chain);
}

UNIT_MAIN(UNIT_CASE(case_facts), UNIT_CASE(case_recheck), UNIT_CASE(case_recheck_revocation),
          UNIT_CASE(case_a_chain_follows_its_anchor),
          UNIT_CASE(case_a_chain_follows_what_it_was_lent), UNIT_CASE(case_bytes),
          UNIT_CASE(case_broken_bytes), UNIT_CASE(case_new))
