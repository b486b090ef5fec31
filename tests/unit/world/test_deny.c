/* SPDX-License-Identifier: Apache-2.0
 *
 * The deny list in a world: its findings, its generation, and that every service judges by it.
 */
#include "world_support.h"

#include "policy/policy.h"

#define RECORD " time=2026-11-28T15:00:00Z owner=ops reason=stolen\n"
#define ALL                               \
    TRUST "deny: deny\n" INBOUND OUTBOUND \
          "policy:\n" GRANT("g", "to: db, from: {dns: x.example.org}")

static struct scene scene_with(const char *list)
{
    struct scene s = scene_of(ALL);
    if (list != NULL) {
        scene_add(&s, "deny", list);
    }
    scene_build(&s);
    return s;
}

static void test_every_service_judges_by_it(void **state)
{
    (void)state;
    struct scene s = scene_with("mutual-deny 1\nserial=0a" RECORD);
    assert_non_null(s.world);
    assert_int_equal(mutual_deny_count(s.world->deny), 1);
    for (size_t i = 0; i < s.world->service_count; i++) {
        assert_ptr_equal(s.world->services[i].rules.deny, s.world->deny);
    }
    scene_done(&s);
    struct scene none = scene_of(TRUST INBOUND OUTBOUND);
    scene_build(&none);
    assert_null(none.world->deny);
    assert_null(none.world->services[0].rules.deny);
    scene_done(&none);
}

/* Every line that is wrong is told with its place, and there is no world. */
static void test_findings(void **state)
{
    (void)state;
    struct scene s = scene_with("mutual-deny 1\nserial=0a" RECORD "garbage\n"
                                "dns=*" RECORD);
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 2);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_DENY_INVALID, "no \"=\"");
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_NAME_MALFORMED, "*");
    assert_string_equal(s.findings.items[0].file, "deny");
    assert_int_equal(s.findings.items[0].line, 3);
    assert_string_equal(s.findings.items[0].excerpt, "garbage");
    assert_int_equal(s.findings.items[1].line, 4);
    scene_done(&s);
    s = scene_with("");
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_DENY_INVALID, "empty");
    scene_done(&s);
    s = scene_with(NULL);
    assert_null(s.world);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_FILE_MISSING, "deny");
    scene_done(&s);
}

/* Another list is another generation of revocation, for all services that judge anybody. */
static void test_generation(void **state)
{
    (void)state;
    struct scene a = scene_with("mutual-deny 1\nserial=0a" RECORD);
    struct scene b = scene_with("mutual-deny 1\nserial=0b" RECORD);
    struct scene again = scene_with("mutual-deny 1\nserial=0a" RECORD);
    for (size_t i = 0; i < a.world->service_count; i++) {
        uint64_t first = a.world->services[i].rules.revocation_generation;
        assert_true(first != b.world->services[i].rules.revocation_generation);
        assert_true(first == again.world->services[i].rules.revocation_generation);
        assert_true(first == world_revocation_generation(a.world, &a.world->trusts[0]));
        assert_true(first != a.world->trusts[0].revocation_generation);
    }
    assert_true(a.world->deny_generation != b.world->deny_generation);
    scene_done(&a);
    scene_done(&b);
    scene_done(&again);
}

/* Reading a long list takes a while: one of the same text is taken over. */
static void test_the_same_list_is_not_read_again(void **state)
{
    (void)state;
    struct scene a = scene_with("mutual-deny 1\nserial=0a" RECORD);
    struct scene b = scene_with("mutual-deny 1\nserial=0b" RECORD);
    struct scene again = scene_with("mutual-deny 1\nserial=0a" RECORD);
    const struct mutual_deny *list = a.world->deny;
    const struct world *world = NULL;
    assert_true(again.world->deny != list);
    assert_true(world_build_with(b.snapshot, NULL, a.world, PKI_NOW_S, &b.findings, &world));
    assert_true(world->deny != list);
    assert_string_equal(mutual_deny_get(world->deny, 0)->value, "0b");
    world_unref(world);
    assert_true(
        world_build_with(again.snapshot, NULL, a.world, PKI_NOW_S, &again.findings, &world));
    assert_ptr_equal(world->deny, list);
    scene_done(&a);
    assert_string_equal(mutual_deny_get(world->deny, 0)->value, "0a"); /* it outlives the other */
    world_unref(world);
    scene_done(&b);
    scene_done(&again);
}

static struct mutual_verdict judge(const struct world *world, struct pki *leaf, struct pki *above)
{
    const struct mutual_rules *rules = &world_service_find(world, "db")->rules;
    struct mutual_error err = {0};
    struct mutual_chain *chain = NULL;
    struct mu_slice one = pki_der(leaf);
    struct mu_slice two = pki_der(above);
    const struct mutual_der sent[] = {{one.data, one.len}, {two.data, two.len}};
    assert_ok(mutual_trust_validate(rules->trust, sent, 2, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S, &chain,
                                    &err),
              &err);
    const struct mutual_evidence evidence = {.side = MUTUAL_SIDE_SERVER,
                                             .chain = chain,
                                             .proved = true,
                                             .proved_at_s = PKI_NOW_S,
                                             .trust_generation = rules->trust_generation,
                                             .service = "db"};
    struct mutual_verdict verdict = mutual_admit(&evidence, rules, PKI_NOW_S);
    mutual_chain_unref(chain);
    return verdict;
}

static void put_serial(struct mu_buf *out, const struct pki *node, bool with_issuer)
{
    const struct mu_cert_facts *facts = mu_cert_facts(node->cert);
    mu_buf_text(out, "serial=");
    mu_hex(out, facts->serial);
    if (with_issuer) {
        mu_buf_printf(out, " issuer=\"%s\"", facts->issuer_text);
    }
    mu_buf_text(out, RECORD);
}

static void put_key(struct mu_buf *out, const struct pki *node)
{
    mu_buf_text(out, "key=");
    mu_hex(out, mu_slice_of(mu_cert_facts(node->cert)->key_hash, 32));
    mu_buf_text(out, RECORD);
}

/* Real certificates: the leaf, the authority above it and the anchor, each by all that it is known
 * by; and a namesake's serial number, which is nobody's here. */
static void test_certificates_of_a_path(void **state)
{
    (void)state;
    struct pki *root = pki_root("Client Root");
    struct pki *middle = pki_ca(root, "Client Issuer");
    struct pki *client = pki_issue(middle, (struct pki_leaf){.dns = "x.example.org"});
    struct pki *other = pki_issue(pki_root("Another"), (struct pki_leaf){.dns = "x.example.org"});
    struct pki *const path[] = {client, middle, root};
    for (size_t i = 0; i < 3 * 3 + 2; i++) {
        MU_AUTO(buf) struct mu_buf list;
        mu_buf_init(&list, 4096);
        mu_buf_text(&list, "mutual-deny 1\n");
        if (i < 9 && i % 3 == 2) {
            put_key(&list, path[i / 3]);
        } else if (i < 9) {
            put_serial(&list, path[i / 3], i % 3 == 1);
        } else if (i == 9) {
            put_serial(&list, other, true);
            put_key(&list, other);
        } else {
            mu_buf_text(&list, "dns=x.example.org" RECORD);
        }
        struct scene s = {0};
        scene_add(&s, "m", ALL);
        scene_add(&s, "ca.pem", pki_pem(root));
        scene_add(&s, "tls/tls.crt",
                  pki_pem(pki_issue(root, (struct pki_leaf){.dns = "me.example"})));
        scene_add(&s, "deny", mu_buf_str(&list));
        scene_build(&s);
        if (s.world == NULL) {
            scene_show(&s);
            return;
        }
        struct mutual_verdict verdict = judge(s.world, client, middle);
        assert_int_equal(verdict.allowed, i == 9);
        assert_int_equal(verdict.why.code, i == 9 ? MUTUAL_OK : MUTUAL_E_PEER_DENIED);
        assert_true(i == 9 || strstr(verdict.why.reason, "denied at deny:2 by ops: stolen"));
        mutual_pass_free(verdict.pass);
        scene_done(&s);
    }
}

UNIT_MAIN(UNIT_CASE(test_every_service_judges_by_it), UNIT_CASE(test_findings),
          UNIT_CASE(test_generation), UNIT_CASE(test_the_same_list_is_not_read_again),
          UNIT_CASE(test_certificates_of_a_path))
