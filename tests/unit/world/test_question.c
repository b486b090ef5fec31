/* SPDX-License-Identifier: Apache-2.0
 *
 * src/world/question.c: would it work, why not, and what would change that.
 */
#include "world_support.h"

static void assert_name(const char *text, enum mutual_name_type type, const char *want)
{
    char storage[MU_LIMIT_NAME_BYTES + 1];
    struct mutual_name name;
    struct mutual_error err = {0};
    assert_ok(world_name_parse(text, storage, sizeof storage, &name, &err), &err);
    assert_int_equal(name.type, type);
    assert_string_equal(name.text, want);
}

static void names_are_read_as_people_write_them(void **state)
{
    (void)state;
    char storage[MU_LIMIT_NAME_BYTES + 1];
    struct mutual_name name;
    struct mutual_error err = {0};
    assert_name("spiffe://example.org/a", MUTUAL_NAME_SPIFFE, "spiffe://example.org/a");
    assert_name("spiffe:spiffe://example.org/a", MUTUAL_NAME_SPIFFE, "spiffe://example.org/a");
    assert_name("dns:DB.example.org.", MUTUAL_NAME_DNS, "db.example.org");
    assert_name("db.example.org", MUTUAL_NAME_DNS, "db.example.org");
    assert_name("henry@example.org", MUTUAL_NAME_EMAIL, "henry@example.org");
    assert_name("10.0.0.1", MUTUAL_NAME_IP, "10.0.0.1");
    assert_name("2001:db8::1", MUTUAL_NAME_IP, "2001:db8::1");
    assert_name("cn:Henry", MUTUAL_NAME_CN, "Henry");
    assert_name("https://example.org/x", MUTUAL_NAME_URI, "https://example.org/x");
    assert_fails(world_name_parse("spiffe:a", storage, sizeof storage, &name, &err), &err,
                 MUTUAL_E_SPIFFE_MALFORMED);
    assert_fails(world_name_parse("dns:a b", storage, sizeof storage, &name, &err), &err,
                 MUTUAL_E_NAME_MALFORMED);
}

struct stage {
    struct pki *root, *sub, *stranger;
    struct scene scene;
    const struct world_service *db;
};

static struct stage stage_of(const char *config)
{
    struct stage stage = {.root = pki_root("Root"), .stranger = pki_root("Stranger")};
    stage.sub = pki_ca(stage.root, "Issuing");
    struct scene *s = &stage.scene;
    scene_add(s, "m", config);
    scene_add(s, "ca.pem", pki_pem(stage.root));
    scene_add(s, "tls/tls.crt",
              pki_pem(pki_issue(stage.root, (struct pki_leaf){.dns = "me.example"})));
    scene_add_bytes(s, "sub.crl", pki_crl(stage.root, NULL));
    scene_build(s);
    if (s->world == NULL) {
        scene_show(s);
    }
    stage.db = world_service_find(s->world, "db");
    return stage;
}

#define POLICY                                                                             \
    "policy:\n" GRANT("hr", "to: db, from: {spiffe: 'spiffe://example.org/hr/*'}, until: " \
                            "2027-02-01") GRANT("temp", "to: db, from: {dns: "             \
                                                        "temp.example.org}, until: "       \
                                                        "2027-01-10")

static struct world_answer ask_of(const struct world_service *service, struct pki *leaf,
                                  struct mu_slice response, int64_t now_s)
{
    struct mutual_error err = {0};
    struct mu_certs certs = {0};
    struct world_answer answer;
    for (struct pki *node = leaf; node->parent != NULL; node = node->parent) {
        assert_ok(mu_certs_add(&certs, node->cert, &err), &err);
    }
    world_ask_certs(service, &certs, response, now_s, &answer);
    mu_certs_done(&certs); /* the test's nodes keep the certificates */
    return answer;
}

static struct world_answer ask(const struct stage *stage, struct pki *leaf, int64_t now_s)
{
    return ask_of(stage->db, leaf, mu_slice_of(NULL, 0), now_s);
}

static void a_yes_says_until_when_and_through_whom(void **state)
{
    (void)state;
    struct stage stage = stage_of(TRUST INBOUND OUTBOUND POLICY);
    struct pki *henry =
        pki_issue(stage.sub, (struct pki_leaf){.uri = "spiffe://example.org/hr/henry"});
    MU_AUTO(world_answer) struct world_answer answer = ask(&stage, henry, PKI_NOW_S);
    assert_true(answer.answer.allowed);
    assert_string_equal(answer.answer.grant->name, "hr");
    assert_int_equal(answer.answer.until_s, answer.answer.grant->until_s);
    assert_int_equal(answer.link_count, 3);
    assert_string_equal(answer.links[0].role, "certificate");
    assert_string_equal(answer.links[1].role, "intermediate");
    assert_string_equal(answer.links[2].name, "CN=Root");
    assert_int_equal(answer.links[0].not_after_s, mu_cert_facts(henry->cert)->not_after_s);
    assert_int_equal(answer.links[0].lists_until_s, MU_TIME_NEVER_S);
    assert_true(answer.needs_anchor);
    assert_int_equal(answer.without.code, MUTUAL_E_BUNDLE_EMPTY);
    scene_done(&stage.scene);
}

static void a_no_says_when_it_would_be_a_yes(void **state)
{
    (void)state;
    struct stage stage = stage_of(TRUST INBOUND OUTBOUND POLICY);
    struct pki *henry =
        pki_issue(stage.sub, (struct pki_leaf){.uri = "spiffe://example.org/hr/henry",
                                               .not_before = PKI_NOW_S + PKI_DAY_S,
                                               .not_after = PKI_NOW_S + 2 * PKI_DAY_S});
    MU_AUTO(world_answer) struct world_answer early = ask(&stage, henry, PKI_NOW_S);
    assert_int_equal(early.answer.why.code, MUTUAL_E_CERT_NOT_YET_VALID);
    assert_int_equal(early.other_s, PKI_NOW_S + PKI_DAY_S);
    MU_AUTO(world_answer)
    struct world_answer late = ask(&stage, henry, PKI_NOW_S + 3 * PKI_DAY_S);
    assert_int_equal(late.answer.why.code, MUTUAL_E_CERT_EXPIRED);
    assert_int_equal(late.other_s, PKI_NOW_S + 2 * PKI_DAY_S + 1);
    struct pki *temp =
        pki_issue(stage.root, (struct pki_leaf){.dns = "temp.example.org",
                                                .not_before = PKI_NOW_S - 30 * PKI_DAY_S});
    MU_AUTO(world_answer) struct world_answer ended = ask(&stage, temp, PKI_NOW_S);
    assert_int_equal(ended.answer.why.code, MUTUAL_E_GRANT_ENDED);
    assert_string_equal(ended.answer.grant->name, "temp");
    assert_int_equal(ended.other_s, ended.answer.grant->until_s);
    scene_done(&stage.scene);
}

static void a_no_for_ever_names_no_time(void **state)
{
    (void)state;
    struct stage stage = stage_of(TRUST INBOUND OUTBOUND POLICY);
    struct pki *other =
        pki_issue(stage.stranger, (struct pki_leaf){.uri = "spiffe://example.org/hr/henry"});
    MU_AUTO(world_answer) struct world_answer never = ask(&stage, other, PKI_NOW_S);
    assert_int_equal(never.answer.why.code, MUTUAL_E_UNKNOWN_ISSUER);
    assert_int_equal(never.other_s, MU_TIME_NEVER_S);
    assert_int_equal(never.link_count, 0);
    scene_done(&stage.scene);
}

static void lists_have_their_date(void **state)
{
    (void)state;
    struct stage stage = stage_of("version: 1\ntrust:\n  - {name: corp, bundle: ca.pem, "
                                  "revocation: {crl: sub.crl}}\n" INBOUND OUTBOUND POLICY);
    struct pki *henry =
        pki_issue(stage.root, (struct pki_leaf){.uri = "spiffe://example.org/hr/henry"});
    MU_AUTO(world_answer) struct world_answer answer = ask(&stage, henry, PKI_NOW_S);
    assert_true(answer.answer.allowed);
    assert_int_equal(answer.links[0].lists_until_s, PKI_NOW_S + 7 * PKI_DAY_S);
    assert_int_equal(answer.answer.until_s, PKI_NOW_S + 7 * PKI_DAY_S);
    scene_done(&stage.scene);
}

/* Where no certificate is asked for, everybody gets in, with whatever they have. */
static void nobody_is_asked(void **state)
{
    (void)state;
    struct stage stage = stage_of(
        TRUST "inbound:\n  - {name: db, listen: '127.0.0.1:1', forward: 'unix:/x', certificate: "
              "tls, clients: {mode: none}}\n");
    struct pki *other = pki_issue(stage.stranger, (struct pki_leaf){.dns = "a.example.org"});
    MU_AUTO(world_answer) struct world_answer answer = ask(&stage, other, PKI_NOW_S);
    assert_true(answer.answer.allowed);
    assert_null(answer.chain);
    assert_false(answer.needs_anchor);
    scene_done(&stage.scene);
}

/* A server that demands a staple of itself is answered for what it staples. */
static void staples_decide_as_in_a_handshake(void **state)
{
    (void)state;
    struct stage stage = stage_of(TRUST INBOUND OUTBOUND POLICY);
    const struct world_service *up = world_service_find(stage.scene.world, "up");
    struct mu_cert_template t = {.must_staple = true};
    struct pki *must = pki_issue(stage.sub, (struct pki_leaf){.dns = "h.example.org", .t = &t});
    struct pki *plain = pki_issue(stage.sub, (struct pki_leaf){.dns = "h.example.org"});
    struct mu_slice none = mu_slice_of(NULL, 0);
    const struct {
        struct pki *leaf;
        struct mu_slice response;
        int64_t now_s;
        enum mutual_code code; /* MUTUAL_OK: yes */
        enum mutual_staple_status status;
    } rows[] = {
        {must, none, PKI_NOW_S, MUTUAL_E_OCSP_MISSING, MUTUAL_STAPLE_NONE},
        {must, pki_ocsp(must, (struct pki_answer){0}), PKI_NOW_S, MUTUAL_OK, MUTUAL_STAPLE_GOOD},
        {must, pki_ocsp(must, (struct pki_answer){0}), PKI_NOW_S + 8 * PKI_DAY_S,
         MUTUAL_E_OCSP_STALE, MUTUAL_STAPLE_GOOD},
        {must, pki_ocsp(plain, (struct pki_answer){0}), PKI_NOW_S, MUTUAL_E_OCSP_OTHER_CERT,
         MUTUAL_STAPLE_NONE},
        {plain, none, PKI_NOW_S, MUTUAL_OK, MUTUAL_STAPLE_NONE},
        {plain, pki_ocsp(plain, (struct pki_answer){.status = MU_OCSP_REVOKED}), PKI_NOW_S,
         MUTUAL_E_CERT_REVOKED, MUTUAL_STAPLE_REVOKED},
        {plain, mu_slice_of("junk", 4), PKI_NOW_S, MUTUAL_E_OCSP_MALFORMED, MUTUAL_STAPLE_NONE},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(world_answer)
        struct world_answer answer = ask_of(up, rows[i].leaf, rows[i].response, rows[i].now_s);
        assert_int_equal(answer.answer.allowed, rows[i].code == MUTUAL_OK);
        assert_int_equal(answer.answer.why.code, rows[i].code);
        assert_int_equal(answer.staple.status, rows[i].status);
        assert_int_equal(answer.staple_demanded, rows[i].leaf == must);
        if (i == 1) {
            assert_int_equal(answer.answer.until_s, PKI_NOW_S + 7 * PKI_DAY_S);
        }
    }
    scene_done(&stage.scene);
}

static void near_things_are_found(void **state)
{
    (void)state;
    struct stage stage = stage_of(TRUST INBOUND OUTBOUND POLICY);
    struct mutual_error err = {0};
    const struct mutual_grant *grant = NULL;
    static const char text[] = "tmp.example.org";
    const struct mutual_name name = {MUTUAL_NAME_DNS, text, sizeof text - 1};
    const struct mutual_pattern *near = world_near_miss(stage.scene.world, "db", &name, &grant);
    assert_non_null(near);
    assert_string_equal(mutual_pattern_text(near), "temp.example.org");
    assert_string_equal(grant->name, "temp");
    static const char far_text[] = "nothing.like.it";
    const struct mutual_name far = {MUTUAL_NAME_DNS, far_text, sizeof far_text - 1};
    assert_null(world_near_miss(stage.scene.world, "db", &far, &grant));
    assert_ptr_equal(world_ask_service(stage.scene.world, "db", &err), stage.db);
    assert_null(world_ask_service(stage.scene.world, "dbb", &err));
    assert_int_equal(err.code, MUTUAL_E_NOT_FOUND);
    assert_string_equal(err.hint, "Did you mean \"db\"?");
    scene_done(&stage.scene);
}

UNIT_MAIN(UNIT_CASE(names_are_read_as_people_write_them),
          UNIT_CASE(a_yes_says_until_when_and_through_whom),
          UNIT_CASE(a_no_says_when_it_would_be_a_yes), UNIT_CASE(a_no_for_ever_names_no_time),
          UNIT_CASE(lists_have_their_date), UNIT_CASE(nobody_is_asked),
          UNIT_CASE(near_things_are_found), UNIT_CASE(staples_decide_as_in_a_handshake))
