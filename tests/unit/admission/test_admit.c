/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission: every combination of facts against a second opinion, then each refusal by its code.
 */
#include "policy_fixture.h"
#include "trust_fake.h"

#include "admission/admission.h"

#define NOW         1000
#define CHAIN_UNTIL 5000
#define GRANT_UNTIL 4000
#define ALICE       "spiffe://e.org/alice"

static const struct grant_row rows[] = {
    {.name = "alice", .to = "db", .from = "spiffe " ALICE, .until_s = GRANT_UNTIL},
    {.name = "bob", .to = "db", .from = "dns bob.e.org", .until_s = NOW},
    {.name = "late", .to = "db", .from = "dns late.e.org", .since_s = NOW + 1},
};
static const struct grant_row rows_open[] = {
    {.name = "alice", .to = "db", .from = "spiffe " ALICE, .until_s = GRANT_UNTIL},
    {.name = "guests", .to = "db", .anonymous = true, .until_s = GRANT_UNTIL + 1},
};

static struct mutual_trust trust;

/* The choices of one combination; each is turned through all its values. */
struct combination {
    unsigned side, evidence_side, mode, chain, proved, resumed, service, generation, fault, names,
        policy, trust, expect;
};

static const struct {
    size_t field;
    unsigned values;
} dials[] = {
    {offsetof(struct combination, side), 2},    {offsetof(struct combination, evidence_side), 2},
    {offsetof(struct combination, mode), 4},    {offsetof(struct combination, chain), 2},
    {offsetof(struct combination, proved), 2},  {offsetof(struct combination, resumed), 2},
    {offsetof(struct combination, service), 2}, {offsetof(struct combination, generation), 2},
    {offsetof(struct combination, fault), 3},   {offsetof(struct combination, names), 4},
    {offsetof(struct combination, policy), 3},  {offsetof(struct combination, trust), 2},
    {offsetof(struct combination, expect), 3},
};

/* Goes on to the next combination, like the wheels of a counter; false after the last. */
static bool turn(struct combination *c)
{
    for (size_t i = 0; i < MU_COUNT(dials); i++) {
        unsigned *dial = (unsigned *)(void *)((char *)c + dials[i].field);
        if (++*dial < dials[i].values) {
            return true;
        }
        *dial = 0;
    }
    return false;
}

enum { NAMES_ALICE, NAMES_BOB, NAMES_MALLORY, NAMES_NONE };
enum { POLICY_CLOSED, POLICY_OPEN, POLICY_ABSENT };
enum { EXPECT_ALICE, EXPECT_OTHER, EXPECT_NONE };

/* The second opinion: when may data flow? */
static bool is_right(const struct combination *c)
{
    bool about_the_same = c->side == c->evidence_side && c->service == 0;
    bool proved = c->chain == 1 && c->proved == 1 && c->generation == 0 && c->fault == 0 &&
                  c->trust == 1 && c->names == NAMES_ALICE;
    if (c->side == MUTUAL_SIDE_CLIENT) {
        return about_the_same && proved && c->expect == EXPECT_ALICE;
    }
    bool by_grant = proved && c->policy != POLICY_ABSENT;
    bool as_guest = c->chain == 0 && c->trust == 1 && c->policy == POLICY_OPEN;
    switch (c->mode) {
    case MUTUAL_MODE_REQUIRE:
        return about_the_same && by_grant;
    case MUTUAL_MODE_REQUEST:
        return about_the_same && (by_grant || as_guest);
    case MUTUAL_MODE_OBSERVE:
        return about_the_same && c->trust == 1 && c->policy != POLICY_ABSENT &&
               (c->chain == 0 || c->proved == 1);
    default:
        return about_the_same && c->chain == 0;
    }
}

/* Is the certificate good, whatever the policy says? */
static bool is_believed(const struct combination *c)
{
    return c->chain == 1 && c->generation == 0 && c->fault == 0;
}

static int64_t right_until(const struct combination *c)
{
    if (c->side == MUTUAL_SIDE_SERVER && c->mode == MUTUAL_MODE_OBSERVE) {
        return !is_believed(c) ? INT64_MAX : c->names == NAMES_ALICE ? GRANT_UNTIL : CHAIN_UNTIL;
    }
    if (c->chain == 0) {
        return c->mode == MUTUAL_MODE_NONE ? INT64_MAX : GRANT_UNTIL + 1;
    }
    return c->side == MUTUAL_SIDE_CLIENT ? CHAIN_UNTIL : GRANT_UNTIL;
}

struct bench {
    struct mutual_policy *policies[3];
    struct mutual_pattern *expect[2];
    struct mutual_name names[3];
};

static struct bench bench_new(void)
{
    return (struct bench){
        .policies = {policy_of(rows, MU_COUNT(rows)), policy_of(rows_open, MU_COUNT(rows_open)),
                     NULL},
        .expect = {pattern_of("spiffe " ALICE), pattern_of("spiffe spiffe://e.org/other")},
        .names = {name_of("spiffe " ALICE), name_of("dns bob.e.org"), name_of("dns mallory.org")},
    };
}

static void bench_free(struct bench *bench)
{
    for (size_t i = 0; i < 2; i++) {
        mutual_policy_unref(bench->policies[i]);
        mutual_pattern_free(bench->expect[i]);
    }
}

/* What one combination says, in the form that admission takes. */
struct laid {
    struct mutual_chain chain;
    struct mutual_evidence evidence;
    struct mutual_rules rules;
};

static void lay_out(const struct bench *bench, const struct combination *c, struct laid *laid)
{
    static const enum mutual_code faults[] = {MUTUAL_OK, MUTUAL_E_CERT_EXPIRED,
                                              MUTUAL_E_CERT_REVOKED};
    laid->chain = (struct mutual_chain){.names = &bench->names[c->names % 3],
                                        .count = c->names == NAMES_NONE ? 0 : 1,
                                        .fault = faults[c->fault],
                                        .until_s = CHAIN_UNTIL};
    laid->evidence = (struct mutual_evidence){.side = (enum mutual_side)c->evidence_side,
                                              .chain = c->chain == 1 ? &laid->chain : NULL,
                                              .proved = c->proved == 1,
                                              .resumed = c->resumed == 1,
                                              .trust_generation = 7 + c->generation,
                                              .service = c->service == 0 ? "db" : "web"};
    laid->rules = (struct mutual_rules){
        .side = (enum mutual_side)c->side,
        .mode = (enum mutual_mode)c->mode,
        .service = "db",
        .trust = c->trust == 1 ? &trust : NULL,
        .policy = bench->policies[c->policy],
        .expect = &bench->expect[c->expect % 2],
        .expect_count = c->expect == EXPECT_NONE ? 0 : 1,
        .trust_generation = 7,
    };
}

static struct mutual_verdict judge(const struct bench *bench, const struct combination *c)
{
    struct laid laid;
    lay_out(bench, c, &laid);
    return mutual_admit(&laid.evidence, &laid.rules, NOW);
}

static void only_the_right_combination_yields_a_pass(void **state)
{
    (void)state;
    struct bench bench = bench_new();
    struct combination c = {0};
    unsigned passes = 0;
    unsigned combinations = 0;
    do {
        struct mutual_verdict verdict = judge(&bench, &c);
        bool right = is_right(&c);
        if (verdict.allowed != right) {
            fail_msg("side %u mode %u chain %u proved %u names %u: %s: %s", c.side, c.mode, c.chain,
                     c.proved, c.names, verdict.allowed ? "allowed" : "refused",
                     verdict.why.reason);
        }
        assert_int_equal(verdict.pass != NULL, right);
        assert_int_equal(verdict.why.code == MUTUAL_OK, right);
        assert_int_equal(mutual_pass_holds(verdict.pass, NOW), right);
        if (right) {
            assert_int_equal(verdict.until_s, right_until(&c));
            assert_int_equal(mutual_pass_until_s(verdict.pass), verdict.until_s);
            assert_false(mutual_pass_holds(verdict.pass, verdict.until_s));
            assert_true(mutual_pass_holds(verdict.pass, verdict.until_s - 1));
        } else {
            assert_true(verdict.why.reason[0] != '\0' && verdict.why.hint[0] != '\0');
            assert_true(verdict.why.step != MUTUAL_STEP_NONE);
        }
        mutual_pass_free(verdict.pass);
        passes += right;
        combinations++;
    } while (turn(&c));
    assert_int_equal(combinations, 110592);
    assert_true(passes > 100);
    bench_free(&bench);
}

/* What rules that observe say of tomorrow is what rules that require say; and whom these would not
 * believe is nobody. Shadow or not, the verdict is the same. */
static void the_shadow_is_what_require_would_say(void **state)
{
    (void)state;
    struct bench bench = bench_new();
    struct combination c = {0};
    unsigned refused = 0;
    unsigned allowed = 0;
    do {
        struct laid laid;
        lay_out(&bench, &c, &laid);
        struct mutual_verdict today = mutual_admit(&laid.evidence, &laid.rules, NOW);
        bool observes = c.side == MUTUAL_SIDE_SERVER && c.mode == MUTUAL_MODE_OBSERVE;
        assert_int_equal(today.shadow != MUTUAL_SHADOW_NONE, observes);
        if (today.allowed) {
            bool believed = observes ? is_believed(&c) : c.chain == 1;
            assert_int_equal(today.nobody, !believed);
        }
        laid.rules.mode = observes ? MUTUAL_MODE_REQUIRE : laid.rules.mode;
        struct mutual_verdict tomorrow = mutual_admit(&laid.evidence, &laid.rules, NOW);
        if (observes && today.allowed) {
            assert_int_equal(today.shadow == MUTUAL_SHADOW_ALLOWED, tomorrow.allowed);
            assert_int_equal(today.shadow_why != NULL, !tomorrow.allowed);
            if (!tomorrow.allowed) {
                assert_string_equal(today.shadow_why->reason, tomorrow.why.reason);
            }
            assert_ptr_equal(today.shadow_grant, tomorrow.grant);
            refused += !tomorrow.allowed;
            allowed += tomorrow.allowed;
        }
        mutual_pass_free(today.pass);
        mutual_pass_free(tomorrow.pass);
    } while (turn(&c));
    assert_true(refused > 100 && allowed >= 12);
    bench_free(&bench);
}

/* A shadow policy never changes who is let in, in any combination, whatever it grants. */
static void a_shadow_policy_lets_nobody_in(void **state)
{
    (void)state;
    struct bench bench = bench_new();
    struct combination c = {0};
    unsigned others = 0;
    do {
        struct laid laid;
        lay_out(&bench, &c, &laid);
        struct mutual_verdict plain = mutual_admit(&laid.evidence, &laid.rules, NOW);
        for (size_t p = 0; p < 2; p++) {
            laid.rules.shadow_policy = bench.policies[p];
            struct mutual_verdict verdict = mutual_admit(&laid.evidence, &laid.rules, NOW);
            assert_int_equal(verdict.allowed, plain.allowed);
            assert_int_equal(verdict.pass != NULL, plain.pass != NULL);
            assert_int_equal(verdict.why.code, plain.why.code);
            assert_ptr_equal(verdict.grant, plain.grant);
            bool other = (verdict.shadow == MUTUAL_SHADOW_ALLOWED) != plain.allowed;
            others += verdict.shadow != MUTUAL_SHADOW_NONE && other;
            mutual_pass_free(verdict.pass);
        }
        mutual_pass_free(plain.pass);
    } while (turn(&c));
    assert_true(others > 10);
    bench_free(&bench);
}

/* Somebody whose certificate was not validated passes rules that observe, as nobody. */
static void the_disbelieved_are_nobody(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows_open, MU_COUNT(rows_open));
    struct mutual_error doubt = {.code = MUTUAL_OK};
    (void)mu_fail(&doubt, MUTUAL_E_UNKNOWN_ISSUER, "certificate \"CN=x\" leads to nobody");
    static const enum mutual_mode modes[] = {MUTUAL_MODE_OBSERVE, MUTUAL_MODE_REQUIRE,
                                             MUTUAL_MODE_REQUEST};
    for (size_t i = 0; i < MU_COUNT(modes); i++) {
        struct mutual_rules judged_by = {.side = MUTUAL_SIDE_SERVER,
                                         .mode = modes[i],
                                         .service = "db",
                                         .trust = &trust,
                                         .policy = policy};
        struct mutual_evidence evidence = {
            .side = MUTUAL_SIDE_SERVER, .disbelieved = &doubt, .service = "db"};
        struct mutual_verdict verdict = mutual_admit(&evidence, &judged_by, NOW);
        assert_int_equal(verdict.allowed, modes[i] == MUTUAL_MODE_OBSERVE);
        if (verdict.allowed) {
            assert_true(verdict.nobody);
            assert_int_equal(verdict.shadow_why->code, MUTUAL_E_UNKNOWN_ISSUER);
            assert_null(verdict.name);
        } else {
            assert_int_equal(verdict.why.code, MUTUAL_E_UNKNOWN_ISSUER);
        }
        mutual_pass_free(verdict.pass);
        const struct mu_question question = {.disbelieved = &doubt};
        struct mu_answer answer = mu_admit_ask(&question, &judged_by, NOW);
        assert_int_equal(answer.allowed, modes[i] == MUTUAL_MODE_OBSERVE);
    }
    mu_alloc_fail_after(2);
    struct mutual_rules observing = {.side = MUTUAL_SIDE_SERVER,
                                     .mode = MUTUAL_MODE_OBSERVE,
                                     .service = "db",
                                     .trust = &trust,
                                     .policy = policy};
    struct mutual_evidence evidence = {
        .side = MUTUAL_SIDE_SERVER, .disbelieved = &doubt, .service = "db"};
    struct mutual_verdict verdict = mutual_admit(&evidence, &observing, NOW);
    mu_alloc_fail_after(0);
    assert_false(verdict.allowed);
    assert_null(verdict.pass);
    assert_null(verdict.shadow_why);
    mutual_policy_unref(policy);
}

/* Who speaks no TLS: by the word that says unsafe, where nobody has to prove anything, as nobody.
 */
static void plaintext_passes_by_its_word_alone(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows_open, MU_COUNT(rows_open));
    struct mutual_chain chain = {.until_s = CHAIN_UNTIL};
    for (unsigned i = 0; i < 2 * 4 * 2 * 2; i++) {
        enum mutual_mode mode = (enum mutual_mode)(i / 4 % 4);
        bool server = i / 16 == 0;
        bool unsafe_word = i % 2 == 1;
        bool with_chain = i / 2 % 2 == 1;
        struct mutual_rules judged_by = {
            .side = server ? MUTUAL_SIDE_SERVER : MUTUAL_SIDE_CLIENT,
            .mode = mode,
            .service = "db",
            .trust = &trust,
            .policy = policy,
            .unsafe_plaintext = unsafe_word,
        };
        const struct mutual_evidence evidence = {.side = judged_by.side,
                                                 .plaintext = true,
                                                 .chain = with_chain ? &chain : NULL,
                                                 .proved = with_chain,
                                                 .service = "db"};
        bool open = mode == MUTUAL_MODE_NONE || mode == MUTUAL_MODE_OBSERVE;
        struct mutual_verdict verdict = mutual_admit(&evidence, &judged_by, NOW);
        assert_int_equal(verdict.allowed, server && open && unsafe_word && !with_chain);
        if (verdict.allowed) {
            assert_true(verdict.nobody);
            assert_int_equal(verdict.shadow == MUTUAL_SHADOW_REFUSED, mode == MUTUAL_MODE_OBSERVE);
            assert_true(verdict.shadow_why == NULL || verdict.shadow_why->code == MUTUAL_E_NOT_TLS);
        }
        mutual_pass_free(verdict.pass);
    }
    mutual_policy_unref(policy);
}

/* ---- the deny list --------------------------------------------------------------------------- */

#define RECORD       " time=2026-11-28T15:00:00Z owner=ops reason=\"laptop stolen\"\n"
#define KEY(digits_) digits_ digits_ digits_ digits_ digits_ digits_ digits_ digits_

static struct mutual_deny *deny_of(const char *line)
{
    struct mutual_error err = {0};
    struct mutual_deny *deny = NULL;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    mu_buf_printf(&text, "%s\n%s", MU_DENY_HEAD, line);
    const char *whole = mu_buf_str(&text);
    assert_ok(mutual_deny_parse(whole, strlen(whole), "deny", NULL, NULL, &deny, &err), &err);
    return deny;
}

/* A leaf, an intermediate and an anchor, told apart by everything. */
static const struct mutual_link three[] = {
    {.serial = {0x0a}, .serial_len = 1, .key_hash = {1}, .issuer_name_hash = {1}},
    {.serial = {0x0b}, .serial_len = 1, .key_hash = {2}, .issuer_name_hash = {2}},
    {.serial = {0x0c}, .serial_len = 1, .key_hash = {3}, .issuer_name_hash = {3}},
};
static const struct {
    const char *line;
    bool hits; /* ... Alice's path */
    const char *word;
} denials[] = {
    {"", false, ""},
    {"serial=0d" RECORD, false, ""},
    {"serial=0a issuer=\"CN=another\"" RECORD, false, ""},
    {"dns=alice.e.org" RECORD "cn=" ALICE RECORD, false, ""},
    {"serial=0a" RECORD, true, "certificate \"CN=Somebody\" is denied at deny:2 by ops: laptop"},
    {"serial=0b" RECORD, true, "an authority above certificate \"CN=Somebody\" is denied"},
    {"serial=0c" RECORD, true, "an authority above"},
    {"key=01"
     "000000" KEY("0000000") RECORD,
     true, "certificate \"CN=Somebody\""},
    {"key=02"
     "000000" KEY("0000000") RECORD,
     true, "an authority above"},
    {"key=03"
     "000000" KEY("0000000") RECORD,
     true, "an authority above"},
    {"spiffe=" ALICE RECORD, true, "spiffe \"" ALICE "\" is denied at deny:2 by ops: laptop"},
    {"spiffe=spiffe://e.org/**" RECORD, true, "spiffe \""},
};

/* In every combination: who is denied is let in nowhere but where everybody is, and there is
 * nobody; and a list makes no yes of any no, nor a no of another's yes. */
static void who_is_denied_is_let_in_nowhere(void **state)
{
    (void)state;
    struct bench bench = bench_new();
    for (size_t d = 0; d < MU_COUNT(denials); d++) {
        struct mutual_deny *deny = deny_of(denials[d].line);
        struct combination c = {0};
        unsigned refused = 0;
        do {
            struct laid laid;
            lay_out(&bench, &c, &laid);
            laid.chain.links = three;
            laid.chain.link_count = MU_COUNT(three);
            struct mutual_verdict plain = mutual_admit(&laid.evidence, &laid.rules, NOW);
            laid.rules.deny = deny;
            struct mutual_verdict verdict = mutual_admit(&laid.evidence, &laid.rules, NOW);
            bool observes = c.side == MUTUAL_SIDE_SERVER && c.mode == MUTUAL_MODE_OBSERVE;
            bool about = denials[d].hits && c.chain == 1 && c.names == NAMES_ALICE;
            if (plain.allowed && about && !observes) {
                assert_false(verdict.allowed);
                assert_null(verdict.pass);
                assert_int_equal(verdict.why.code, MUTUAL_E_PEER_DENIED);
                assert_int_equal(verdict.why.step, MUTUAL_STEP_ACCESS);
                assert_non_null(strstr(verdict.why.reason, denials[d].word));
                refused++;
            } else if (!denials[d].hits || c.chain == 0 || observes) {
                assert_int_equal(verdict.allowed, plain.allowed);
            } else {
                assert_true(!verdict.allowed || plain.allowed);
            }
            if (observes && about && verdict.allowed) {
                assert_true(verdict.nobody);
                assert_int_equal(verdict.shadow, MUTUAL_SHADOW_REFUSED);
                assert_true(plain.shadow == MUTUAL_SHADOW_REFUSED ||
                            verdict.shadow_why->code == MUTUAL_E_PEER_DENIED);
            }
            mutual_pass_free(plain.pass);
            mutual_pass_free(verdict.pass);
        } while (turn(&c));
        assert_int_equal(refused > 0, denials[d].hits);
        mutual_deny_unref(deny);
    }
    bench_free(&bench);
}

/* Who is asked about by names alone is denied by names alone. */
static void a_question_about_somebody_denied(void **state)
{
    (void)state;
    struct bench bench = bench_new();
    struct combination c = {.chain = 1, .proved = 1, .trust = 1};
    struct laid laid;
    lay_out(&bench, &c, &laid);
    laid.chain.links = three;
    laid.chain.link_count = MU_COUNT(three);
    const struct mutual_name alice = name_of("spiffe " ALICE);
    const struct mu_question by_name = {.names = &alice, .name_count = 1};
    const struct mu_question by_chain = {.chain = &laid.chain};
    for (size_t d = 0; d < MU_COUNT(denials); d++) {
        struct mutual_deny *deny = deny_of(denials[d].line);
        laid.rules.deny = deny;
        assert_int_equal(mu_admit_ask(&by_chain, &laid.rules, NOW).allowed, !denials[d].hits);
        bool named = strncmp(denials[d].line, "spiffe=", 7) == 0;
        assert_int_equal(mu_admit_ask(&by_name, &laid.rules, NOW).allowed, !named);
        mutual_deny_unref(deny);
    }
    bench_free(&bench);
}

/* Asking differs from being there in nothing but the proof. */
static void a_question_is_answered_as_the_proof_would_be(void **state)
{
    (void)state;
    struct bench bench = bench_new();
    struct combination c = {0};
    unsigned asked = 0;
    unsigned allowed = 0;
    do {
        bool same = c.side == c.evidence_side && c.service == 0 && c.generation == 0 &&
                    c.resumed == 0 && c.proved == 1;
        bool unasked = c.side == MUTUAL_SIDE_SERVER && c.mode == MUTUAL_MODE_NONE && c.chain == 1;
        if (!same || unasked) {
            continue;
        }
        struct laid laid;
        lay_out(&bench, &c, &laid);
        struct mutual_verdict verdict = mutual_admit(&laid.evidence, &laid.rules, NOW);
        const struct mu_question by_chain = {.chain = laid.evidence.chain};
        struct mu_answer answer = mu_admit_ask(&by_chain, &laid.rules, NOW);
        assert_int_equal(answer.allowed, verdict.allowed);
        assert_int_equal(answer.why.code, verdict.why.code);
        assert_string_equal(answer.why.reason, verdict.why.reason);
        assert_int_equal(answer.why.step, verdict.why.step);
        assert_int_equal(answer.until_s, verdict.until_s);
        assert_ptr_equal(answer.grant, verdict.grant);
        assert_ptr_equal(answer.name, verdict.name);
        if (c.chain == 1 && c.fault == 0 && c.names != NAMES_NONE) {
            const struct mu_question by_name = {.names = laid.chain.names, .name_count = 1};
            answer = mu_admit_ask(&by_name, &laid.rules, NOW);
            assert_int_equal(answer.allowed, verdict.allowed);
            assert_int_equal(answer.why.code, verdict.why.code);
        }
        mutual_pass_free(verdict.pass);
        asked++;
        allowed += verdict.allowed;
    } while (turn(&c));
    assert_true(asked > 1000 && allowed > 20);
    bench_free(&bench);
}

/* Whoever has a certificate gets in without it where nobody is asked for one. */
static void a_question_where_nobody_is_asked(void **state)
{
    (void)state;
    const struct mutual_rules rules = {
        .side = MUTUAL_SIDE_SERVER, .mode = MUTUAL_MODE_NONE, .service = "db"};
    const struct mutual_name name = name_of("spiffe " ALICE);
    const struct mu_question question = {.names = &name, .name_count = 1};
    struct mu_answer answer = mu_admit_ask(&question, &rules, NOW);
    assert_true(answer.allowed);
    assert_null(answer.name);
    assert_int_equal(answer.until_s, INT64_MAX);
}

/* ---- each refusal ---------------------------------------------------------------------------- */

/* What one case changes about a connection that would be admitted. */
struct facts {
    struct mutual_chain chain;
    struct mutual_evidence evidence;
    struct mutual_rules rules;
};

static struct mutual_name alice_name;
static struct mutual_name other_name;

static void no_cert(struct facts *f)
{
    f->evidence.chain = NULL;
}

static void no_cert_resumed(struct facts *f)
{
    f->evidence.chain = NULL;
    f->evidence.resumed = true;
}

static void no_cert_asked(struct facts *f)
{
    f->evidence.chain = NULL;
    f->rules.mode = MUTUAL_MODE_REQUEST;
}

static void cert_not_asked(struct facts *f)
{
    f->rules.mode = MUTUAL_MODE_NONE;
}

static void not_proved(struct facts *f)
{
    f->evidence.proved = false;
}

static void other_service(struct facts *f)
{
    f->evidence.service = "web";
}

static void other_generation(struct facts *f)
{
    f->evidence.trust_generation++;
}

static void expired(struct facts *f)
{
    f->chain.fault = MUTUAL_E_CERT_EXPIRED;
}

static void not_yet(struct facts *f)
{
    f->chain.fault = MUTUAL_E_CERT_NOT_YET_VALID;
}

static void revoked(struct facts *f)
{
    f->chain.fault = MUTUAL_E_CERT_REVOKED;
}

static void stale(struct facts *f)
{
    f->chain.fault = MUTUAL_E_CRL_STALE;
}

static void no_list(struct facts *f)
{
    f->chain.fault = MUTUAL_E_CRL_MISSING;
}

static void no_name(struct facts *f)
{
    f->chain.count = 0;
}

static void without_grant(struct facts *f)
{
    other_name = name_of("dns mallory.org");
    f->chain.names = &other_name;
}

static void grant_over(struct facts *f)
{
    other_name = name_of("dns bob.e.org");
    f->chain.names = &other_name;
}

static void grant_to_come(struct facts *f)
{
    other_name = name_of("dns late.e.org");
    f->chain.names = &other_name;
}

static void wrong_side(struct facts *f)
{
    f->evidence.side = MUTUAL_SIDE_CLIENT;
}

static void no_service(struct facts *f)
{
    f->evidence.service = NULL;
}

static void no_trust(struct facts *f)
{
    f->rules.trust = NULL;
}

static void no_policy(struct facts *f)
{
    f->rules.policy = NULL;
}

static void odd_mode(struct facts *f)
{
    f->rules.mode = (enum mutual_mode)9;
}

static void client(struct facts *f)
{
    f->evidence.side = MUTUAL_SIDE_CLIENT;
    f->rules.side = MUTUAL_SIDE_CLIENT;
    f->rules.policy = NULL;
}

static void client_no_cert(struct facts *f)
{
    client(f);
    f->evidence.chain = NULL;
    f->rules.mode = MUTUAL_MODE_NONE; /* must make no difference */
}

static void client_expired(struct facts *f)
{
    client(f);
    expired(f);
}

static void client_mismatch(struct facts *f)
{
    client(f);
    without_grant(f);
}

static void client_expects_nobody(struct facts *f)
{
    client(f);
    f->rules.expect_count = 0;
}

static const struct {
    void (*change)(struct facts *f);
    enum mutual_code code;
    enum mutual_step step;
    const char *words;
} refusals[] = {
    {no_cert, MUTUAL_E_NO_CLIENT_CERT, MUTUAL_STEP_CLIENT_CERT, "which \"db\" requires"},
    {no_cert_resumed, MUTUAL_E_RULES_CHANGED, MUTUAL_STEP_ACCESS, "now requires"},
    {no_cert_asked, MUTUAL_E_POLICY_DENIED, MUTUAL_STEP_ACCESS, "without a certificate"},
    {cert_not_asked, MUTUAL_E_RULES_CHANGED, MUTUAL_STEP_ACCESS, "does not ask any more"},
    {not_proved, MUTUAL_E_PROTOCOL_VIOLATION, MUTUAL_STEP_CLIENT_CHECK, "did not prove"},
    {other_service, MUTUAL_E_RULES_CHANGED, MUTUAL_STEP_ACCESS, "made for \"web\""},
    {other_generation, MUTUAL_E_RULES_CHANGED, MUTUAL_STEP_ACCESS, "trust bundle of \"db\""},
    {expired, MUTUAL_E_CERT_EXPIRED, MUTUAL_STEP_CLIENT_CHECK, "at fault"},
    {not_yet, MUTUAL_E_CERT_NOT_YET_VALID, MUTUAL_STEP_CLIENT_CHECK, "at fault"},
    {revoked, MUTUAL_E_CERT_REVOKED, MUTUAL_STEP_CLIENT_CHECK, "at fault"},
    {stale, MUTUAL_E_CRL_STALE, MUTUAL_STEP_CLIENT_CHECK, "at fault"},
    {no_list, MUTUAL_E_CRL_MISSING, MUTUAL_STEP_CLIENT_CHECK, "at fault"},
    {no_name, MUTUAL_E_NO_IDENTITY, MUTUAL_STEP_CLIENT_CHECK, "O=Nobody"},
    {without_grant, MUTUAL_E_POLICY_DENIED, MUTUAL_STEP_ACCESS,
     "no grant lets \"mallory.org\" reach \"db\""},
    {grant_over, MUTUAL_E_GRANT_ENDED, MUTUAL_STEP_ACCESS, "grant \"bob\" (mutual.yaml:2)"},
    {grant_to_come, MUTUAL_E_GRANT_NOT_BEGUN, MUTUAL_STEP_ACCESS, "1970-01-01T00:16:41Z"},
    {wrong_side, MUTUAL_E_USAGE, MUTUAL_STEP_CLIENT_CHECK, "other side"},
    {no_service, MUTUAL_E_USAGE, MUTUAL_STEP_CLIENT_CHECK, "no service"},
    {no_trust, MUTUAL_E_USAGE, MUTUAL_STEP_CLIENT_CHECK, "no trust bundle"},
    {no_policy, MUTUAL_E_USAGE, MUTUAL_STEP_CLIENT_CHECK, "no policy"},
    {odd_mode, MUTUAL_E_USAGE, MUTUAL_STEP_CLIENT_CHECK, "mode"},
    {client_no_cert, MUTUAL_E_NO_SERVER_CERT, MUTUAL_STEP_SERVER_CERT, "the server of \"db\""},
    {client_expired, MUTUAL_E_CERT_EXPIRED, MUTUAL_STEP_SERVER_CHECK, "at fault"},
    {client_mismatch, MUTUAL_E_NAME_MISMATCH, MUTUAL_STEP_SERVER_CHECK, "\"mallory.org\""},
    {client_expects_nobody, MUTUAL_E_USAGE, MUTUAL_STEP_SERVER_CHECK, "no name of the server"},
};

static struct mutual_verdict judge_changed(void (*change)(struct facts *f),
                                           const struct mutual_policy *policy,
                                           struct mutual_pattern *const *expect)
{
    alice_name = name_of("spiffe " ALICE);
    struct facts f = {
        .chain = {.names = &alice_name, .count = 1, .until_s = CHAIN_UNTIL},
        .evidence = {.proved = true, .service = "db", .trust_generation = 3},
        .rules = {.service = "db",
                  .trust = &trust,
                  .policy = policy,
                  .expect = expect,
                  .expect_count = 1,
                  .trust_generation = 3},
    };
    f.evidence.chain = &f.chain;
    if (change != NULL) {
        change(&f);
    }
    return mutual_admit(&f.evidence, &f.rules, NOW);
}

static void each_refusal_has_its_code_step_and_words(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    struct mutual_pattern *expect = pattern_of("spiffe " ALICE);
    for (size_t i = 0; i < MU_COUNT(refusals); i++) {
        struct mutual_verdict verdict = judge_changed(refusals[i].change, policy, &expect);
        assert_false(verdict.allowed);
        assert_null(verdict.pass);
        if (verdict.why.code != refusals[i].code || verdict.why.step != refusals[i].step ||
            strstr(verdict.why.reason, refusals[i].words) == NULL) {
            fail_msg("row %zu: %s at %s: %s", i, mutual_code_name(verdict.why.code),
                     mutual_step_name(verdict.why.step), verdict.why.reason);
        }
    }
    struct mutual_verdict verdict = judge_changed(NULL, policy, &expect);
    assert_true(verdict.allowed);
    assert_string_equal(verdict.grant->name, "alice");
    assert_ptr_equal(verdict.name, &alice_name);
    mutual_pass_free(verdict.pass);
    mutual_pattern_free(expect);
    mutual_policy_unref(policy);
}

static void nothing_to_judge_is_refused(void **state)
{
    (void)state;
    const struct mutual_evidence evidence = {.service = "db"};
    const struct mutual_rules rules_none = {.service = "db", .mode = MUTUAL_MODE_NONE};
    assert_int_equal(mutual_admit(NULL, &rules_none, NOW).why.code, MUTUAL_E_USAGE);
    assert_int_equal(mutual_admit(&evidence, NULL, NOW).why.code, MUTUAL_E_USAGE);
    /* All-zero rules are of the strictest mode and without means to judge. */
    const struct mutual_rules zero = {0};
    const struct mutual_evidence nothing = {0};
    assert_false(mutual_admit(&nothing, &zero, NOW).allowed);
}

static void a_near_grant_is_told_but_opens_nothing(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    struct mutual_verdict verdict = judge_changed(grant_over, policy, NULL);
    assert_false(verdict.allowed);
    assert_string_equal(verdict.grant->name, "bob");
    assert_int_equal(verdict.until_s, NOW);
    mutual_policy_unref(policy);
}

static void a_pass_can_be_withdrawn(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    struct mutual_verdict verdict = judge_changed(NULL, policy, NULL);
    assert_true(mutual_pass_holds(verdict.pass, NOW));
    mutual_pass_withdraw(verdict.pass);
    assert_false(mutual_pass_holds(verdict.pass, NOW));
    mutual_pass_free(verdict.pass);
    mutual_pass_free(NULL);
    assert_false(mutual_pass_holds(NULL, NOW));
    mutual_policy_unref(policy);
}

static void without_memory_there_is_no_pass(void **state)
{
    (void)state;
    struct mutual_policy *policy = policy_of(rows, MU_COUNT(rows));
    mu_alloc_fail_after(1);
    struct mutual_verdict verdict = judge_changed(NULL, policy, NULL);
    mu_alloc_fail_after(0);
    assert_false(verdict.allowed);
    assert_null(verdict.pass);
    assert_int_equal(verdict.why.code, MUTUAL_E_NO_MEMORY);
    mutual_policy_unref(policy);
}

/* A staple is judged for a server, and for whoever resumes a session with it; never for a client.
 */
static void a_staple_where_it_is_demanded(void **state)
{
    (void)state;
    struct bench bench = bench_new();
    for (unsigned side = 0; side < 2; side++) {
        struct laid laid;
        struct combination c = {
            .side = side, .evidence_side = side, .chain = 1, .proved = 1, .trust = 1};
        lay_out(&bench, &c, &laid);
        laid.chain.must_staple = true;
        struct mutual_verdict verdict = mutual_admit(&laid.evidence, &laid.rules, NOW);
        assert_int_equal(verdict.allowed, side == (unsigned)MUTUAL_SIDE_SERVER);
        mutual_pass_free(verdict.pass);
        if (side == (unsigned)MUTUAL_SIDE_CLIENT) {
            assert_int_equal(verdict.why.code, MUTUAL_E_OCSP_MISSING);
            assert_int_equal(verdict.why.step, MUTUAL_STEP_SERVER_CHECK);
        }
        laid.evidence.staple =
            (struct mutual_staple){.status = MUTUAL_STAPLE_GOOD, .next_update_s = NOW + 5};
        verdict = mutual_admit(&laid.evidence, &laid.rules, NOW);
        assert_true(verdict.allowed);
        assert_int_equal(verdict.until_s == NOW + 5, side == (unsigned)MUTUAL_SIDE_CLIENT);
        mutual_pass_free(verdict.pass);
    }
    bench_free(&bench);
}

UNIT_MAIN(UNIT_CASE(a_staple_where_it_is_demanded),
          UNIT_CASE(only_the_right_combination_yields_a_pass),
          UNIT_CASE(the_shadow_is_what_require_would_say),
          UNIT_CASE(a_shadow_policy_lets_nobody_in), UNIT_CASE(the_disbelieved_are_nobody),
          UNIT_CASE(plaintext_passes_by_its_word_alone), UNIT_CASE(who_is_denied_is_let_in_nowhere),
          UNIT_CASE(a_question_about_somebody_denied),
          UNIT_CASE(a_question_is_answered_as_the_proof_would_be),
          UNIT_CASE(a_question_where_nobody_is_asked),
          UNIT_CASE(each_refusal_has_its_code_step_and_words),
          UNIT_CASE(nothing_to_judge_is_refused), UNIT_CASE(a_near_grant_is_told_but_opens_nothing),
          UNIT_CASE(a_pass_can_be_withdrawn), UNIT_CASE(without_memory_there_is_no_pass))
