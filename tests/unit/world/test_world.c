/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/world.c: from a snapshot to rules that admission can judge by.
 */
#include "world_support.h"

#include "trust/trust.h"

#define ALL TRUST INBOUND OUTBOUND "policy:\n" GRANT("g", "to: db, from: {dns: x.example.org}")

static void test_services(void **state)
{
    (void)state;
    struct scene s = scene_of(ALL);
    scene_build(&s);
    if (s.world == NULL || s.findings.warnings > 0) {
        scene_show(&s);
        return;
    }
    const struct world *w = s.world;
    assert_int_equal(w->service_count, 2);
    const struct world_service *in = world_service_find(w, "db");
    assert_string_equal(in->rules.service, "db");
    assert_int_equal(in->rules.side, MUTUAL_SIDE_SERVER);
    assert_int_equal(in->rules.mode, MUTUAL_MODE_REQUIRE);
    assert_ptr_equal(in->rules.trust, world_trust_find(w, "corp")->trust);
    assert_ptr_equal(in->rules.policy, w->policy);
    assert_int_equal(in->chain_count, 1);
    assert_int_equal(in->chains[0].count, 1);
    assert_string_equal(in->chains[0].config->key, "tls/tls.key");
    assert_memory_equal(in->chains[0].key_hash, mu_cert_facts(in->chains[0].certs[0])->key_hash,
                        32);
    const struct world_service *out = world_service_find(w, "up");
    assert_int_equal(out->rules.side, MUTUAL_SIDE_CLIENT);
    assert_int_equal(out->rules.expect_count, 2);
    assert_string_equal(mutual_pattern_text(out->rules.expect[0]), "h.example.org");
    assert_null(world_service_find(w, "x"));
    assert_null(world_trust_find(w, "x"));
    scene_done(&s);
}

/* The snapshot is not needed afterwards, and a reference keeps everything. */
static void test_life(void **state)
{
    (void)state;
    struct scene s = scene_of(ALL);
    scene_build(&s);
    const struct world *kept = world_ref(s.world);
    scene_done(&s);
    assert_string_equal(world_service_find(kept, "db")->inbound->forward.path, "/x");
    const struct mutual_evidence nobody = {.side = MUTUAL_SIDE_SERVER, .service = "db"};
    struct mutual_verdict verdict =
        mutual_admit(&nobody, &world_service_find(kept, "db")->rules, PKI_NOW_S);
    assert_false(verdict.allowed);
    mutual_pass_free(verdict.pass);
    world_unref(kept);
    world_unref(NULL);
}

static void test_admits_whom_the_grant_names(void **state)
{
    (void)state;
    struct pki *root = pki_root("Client Root");
    struct pki *client = pki_issue(root, (struct pki_leaf){.dns = "x.example.org"});
    struct scene s = {0};
    scene_add(&s, "m", ALL);
    scene_add(&s, "ca.pem", pki_pem(root));
    scene_add(&s, "tls/tls.crt", pki_pem(pki_issue(root, (struct pki_leaf){.dns = "me.example"})));
    scene_build(&s);
    const struct mutual_rules *rules = &world_service_find(s.world, "db")->rules;
    struct mutual_error err = {0};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    struct mu_slice der = pki_der(client);
    const struct mutual_der sent = {der.data, der.len};
    assert_ok(mutual_trust_validate(rules->trust, &sent, 1, MUTUAL_PURPOSE_CLIENT, PKI_NOW_S,
                                    &chain, &err),
              &err);
    const struct mutual_evidence evidence = {.side = MUTUAL_SIDE_SERVER,
                                             .chain = chain,
                                             .proved = true,
                                             .proved_at_s = PKI_NOW_S,
                                             .trust_generation = rules->trust_generation,
                                             .service = "db"};
    struct mutual_verdict verdict = mutual_admit(&evidence, rules, PKI_NOW_S);
    assert_true(verdict.allowed);
    assert_string_equal(verdict.grant->name, "g");
    assert_string_equal(verdict.grant->file, "m");
    mutual_pass_free(verdict.pass);
    scene_done(&s);
}

static void generations(const char *config, const char *bundle, uint64_t ret[3])
{
    struct scene s = scene_of(config);
    scene_add(&s, "other.pem", bundle);
    scene_build(&s);
    assert_non_null(s.world);
    ret[0] = s.world->trusts[0].trust_generation;
    ret[1] = s.world->trusts[0].revocation_generation;
    ret[2] = s.world->policy_generation;
    scene_done(&s);
}

/* Equal content, equal generations, in every process; what changes moves its own and no other. */
static void test_generations(void **state)
{
    (void)state;
    const char *other = pki_pem(pki_root("Other"));
    uint64_t first[3];
    uint64_t again[3];
    uint64_t changed[3];
    generations(ALL, other, first);
    generations("# a remark\n" ALL, other, again);
    assert_memory_equal(first, again, sizeof first);
    generations(
        "version: 1\ntrust:\n  - {name: corp, bundle: [ca.pem, other.pem]}\n" INBOUND OUTBOUND
        "policy:\n" GRANT("g", "to: db, from: {dns: x.example.org}"),
        other, changed);
    assert_true(changed[0] != first[0] && changed[1] == first[1] && changed[2] == first[2]);
    generations("version: 1\ntrust:\n  - {name: corp, bundle: ca.pem, revocation: {required: "
                "true}}\n" INBOUND OUTBOUND
                "policy:\n" GRANT("g", "to: db, from: {dns: x.example.org}"),
                other, changed);
    assert_true(changed[0] == first[0] && changed[1] != first[1] && changed[2] == first[2]);
    generations(TRUST INBOUND OUTBOUND "policy:\n" GRANT("g", "to: db, from: {dns: y.example.org}"),
                other, changed);
    assert_true(changed[0] == first[0] && changed[1] == first[1] && changed[2] != first[2]);
}

/* One run tells what is wrong with the text and with the files. */
static void test_all_errors_at_once(void **state)
{
    (void)state;
    struct scene s = scene_of("version: 1\nlgo: {}\ntrust:\n  - {name: corp, bundle: gone.pem}\n"
                              "  - {bundle: ca.pem}\n" INBOUND
                              "policy:\n" GRANT("g", "to: db, from: {spiffe: 'spiffe://A/b'}"));
    scene_build(&s);
    assert_null(s.world);
    assert_int_equal(s.findings.errors, 4);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, "unknown setting \"lgo\"");
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, "\"name\" is missing");
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_FILE_MISSING, "gone.pem");
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_SPIFFE_MALFORMED, "spiffe://A/b");
    scene_done(&s);
}

static void test_expectation_that_is_none(void **state)
{
    (void)state;
    struct scene s = scene_of(
        TRUST "outbound:\n  - {name: up, listen: 'unix:/x', connect: 'h:1', trust: corp, expect: "
              "{ip: 300.1.1.1}}\n");
    scene_build(&s);
    assert_int_equal(s.findings.errors, 1);
    assert_int_equal(s.findings.items[0].line, 5);
    scene_done(&s);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct scene s = scene_of(ALL);
    for (unsigned long n = 1; s.world == NULL; n += 7) {
        mu_alloc_fail_after(n);
        bool built = world_build(s.snapshot, PKI_NOW_S, &s.findings, &s.world);
        mu_alloc_fail_after(0);
        assert_true(built == (s.world != NULL) && (built || s.findings.errors > 0));
        config_findings_done(&s.findings);
    }
    scene_done(&s);
}

#define HOST_CONFIG(hosts_)                                                                 \
    TRUST "inbound:\n  - {name: api, listen: ':1', certificate: tls, forward: 'unix:/x', "  \
          "clients: {trust: corp}, hosts: [" hosts_                                         \
          "]}\npolicy:\n" GRANT("g", "to: api/web.example.org, from: {dns: x.example.org}") \
              GRANT("h", "to: api, from: {dns: y.example.org}")

/* A host is a service of its own: a grant to its listener is none to it. */
static void test_hosts_are_services(void **state)
{
    (void)state;
    struct scene s = scene_of(HOST_CONFIG("{names: [WEB.example.org., 'web.example.org.']}"));
    scene_build(&s);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID, "is that of \"api/web.example.org\"");
    scene_done(&s);
    s = scene_of(HOST_CONFIG("{names: WEB.example.org., clients: {mode: request}}"));
    scene_build(&s);
    if (s.world == NULL || s.findings.warnings > 0) {
        scene_show(&s);
        return;
    }
    assert_int_equal(s.world->service_count, 2);
    const struct world_service *host = world_service_find(s.world, "api/web.example.org");
    assert_ptr_equal(host->listener, world_service_find(s.world, "api"));
    assert_null(host->listener->listener);
    assert_int_equal(host->host_count, 1);
    assert_string_equal(mutual_pattern_text(host->hosts[0]), "web.example.org");
    assert_string_equal(host->rules.service, "api/web.example.org");
    assert_int_equal(host->rules.mode, MUTUAL_MODE_REQUEST);
    assert_int_equal(host->chain_count, 1);
    static const struct {
        const char *name;
        const char *service;
        bool allowed;
    } rows[] = {{"x.example.org", "api/web.example.org", true},
                {"x.example.org", "api", false},
                {"y.example.org", "api/web.example.org", false},
                {"y.example.org", "api", true}};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_name name = {MUTUAL_NAME_DNS, rows[i].name, strlen(rows[i].name)};
        struct mu_question question = {.names = &name, .name_count = 1};
        const struct world_service *service = world_service_find(s.world, rows[i].service);
        assert_int_equal(mu_admit_ask(&question, &service->rules, PKI_NOW_S).allowed,
                         rows[i].allowed);
    }
    scene_done(&s);
}

static void test_host_names_are_judged(void **state)
{
    (void)state;
    struct scene s = scene_of(HOST_CONFIG("{names: [web.example.org, 'a_b', '*.*.org']}"));
    scene_build(&s);
    assert_found(&s, CONFIG_ERROR, MUTUAL_E_NAME_MALFORMED, "a_b");
    scene_done(&s);
    s = scene_of(HOST_CONFIG("{names: [web.example.org, other.example.org]}"));
    scene_build(&s);
    assert_found(&s, CONFIG_WARNING, MUTUAL_E_NAME_MISMATCH,
                 "clients will refuse \"other.example.org\"");
    scene_done(&s);
}

UNIT_MAIN(UNIT_CASE(test_hosts_are_services), UNIT_CASE(test_host_names_are_judged),
          UNIT_CASE(test_services), UNIT_CASE(test_life),
          UNIT_CASE(test_admits_whom_the_grant_names), UNIT_CASE(test_generations),
          UNIT_CASE(test_all_errors_at_once), UNIT_CASE(test_expectation_that_is_none),
          UNIT_CASE(test_no_memory))
