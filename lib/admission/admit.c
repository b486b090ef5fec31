/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual_admit(): a fixed list of checks, each of which can only say no. The one place where a
 * pass is made is at the end of that list. mu_admit_ask() goes through the same list for somebody
 * who asks what would be answered; it can neither see nor make a pass.
 */
#include "admission/admission_internal.h"

#include "identity/identity.h"
#include "policy/policy.h"
#include "trust/trust.h"

#include <stdatomic.h>
#include <string.h>

#define PASS_MAGIC 0x70a55edu

struct mutual_pass {
    uint32_t magic;
    atomic_bool withdrawn;
    int64_t until_s;
    struct mutual_error *shadow_why; /* or NULL */
};

/* One judgement under way. */
struct judge {
    const struct mutual_evidence *evidence;
    const struct mutual_rules *rules;
    int64_t now_s;
    struct mutual_verdict *verdict;
    bool present;        /* is there a certificate, proved or supposed? */
    struct mu_peer peer; /* whose it is */
};

static struct mutual_error *why(const struct judge *judge)
{
    return &judge->verdict->why;
}

static void hold_until(const struct judge *judge, int64_t until_s)
{
    if (until_s < judge->verdict->until_s) {
        judge->verdict->until_s = until_s;
    }
}

static bool is_server(const struct judge *judge)
{
    return judge->rules->side == MUTUAL_SIDE_SERVER;
}

/* Evidence and rules must be about the same thing, and the rules must be able to judge. Whoever
 * trips over this made a mistake in the program, and the answer is no. */
static bool check_question(const struct judge *judge)
{
    const struct mutual_rules *rules = judge->rules;
    const struct mutual_evidence *evidence = judge->evidence;
    const char *wrong = NULL;
    if (rules->side != evidence->side ||
        (rules->side != MUTUAL_SIDE_SERVER && rules->side != MUTUAL_SIDE_CLIENT)) {
        wrong = "the evidence is of the other side than the rules";
    } else if (rules->service == NULL || evidence->service == NULL) {
        wrong = "rules or evidence name no service";
    } else if (is_server(judge) && rules->mode == MUTUAL_MODE_NONE) {
        return true;
    } else if (rules->trust == NULL) {
        wrong = "the rules hold no trust bundle";
    } else if (is_server(judge) && rules->policy == NULL) {
        wrong = "the rules hold no policy";
    } else if (!is_server(judge) && rules->expect_count == 0) {
        wrong = "the rules expect no name of the server";
    } else if (is_server(judge) && rules->mode != MUTUAL_MODE_REQUIRE &&
               rules->mode != MUTUAL_MODE_REQUEST && rules->mode != MUTUAL_MODE_OBSERVE) {
        wrong = "the rules' mode is none that there is";
    }
    return wrong == NULL ||
           mu_fail(why(judge), MUTUAL_E_USAGE, "could not judge the connection: %s", wrong);
}

/* A session is good for the listener or target that it was made for, and for no other, however
 * alike they are: tickets that crossed virtual hosts are a whole family of CVEs. */
static bool check_service(const struct judge *judge)
{
    if (strcmp(judge->evidence->service, judge->rules->service) == 0) {
        return true;
    }
    return mu_fail(why(judge), MUTUAL_E_RULES_CHANGED,
                   "the session was made for \"%s\" and is used for \"%s\"",
                   judge->evidence->service, judge->rules->service);
}

/* Who speaks no TLS is let in only by the word that says so, and only where nobody has to prove
 * anything; it is nobody, whatever else the evidence says. */
static bool check_plaintext(const struct judge *judge)
{
    const struct mutual_rules *rules = judge->rules;
    bool open = rules->mode == MUTUAL_MODE_NONE || rules->mode == MUTUAL_MODE_OBSERVE;
    if (!judge->evidence->plaintext ||
        (is_server(judge) && rules->unsafe_plaintext && open && !judge->present)) {
        return true;
    }
    return mu_fail(why(judge), MUTUAL_E_NOT_TLS, "the peer speaks no TLS, which \"%s\" requires",
                   rules->service);
}

/* Is there a certificate where one has to be, and none where none is asked for? */
static bool check_presence(const struct judge *judge)
{
    const struct mutual_evidence *evidence = judge->evidence;
    const struct mutual_rules *rules = judge->rules;
    if (!judge->present && !is_server(judge)) {
        return mu_fail(why(judge), MUTUAL_E_NO_SERVER_CERT,
                       "the server of \"%s\" presented no certificate", rules->service);
    }
    bool asks = rules->mode == MUTUAL_MODE_REQUIRE || rules->mode == MUTUAL_MODE_REQUEST;
    if (!judge->present && asks && evidence->disbelieved != NULL) {
        *why(judge) = *evidence->disbelieved; /* who shows a bad certificate is not anonymous */
        return false;
    }
    if (!judge->present && rules->mode == MUTUAL_MODE_REQUIRE) {
        if (evidence->resumed) {
            return mu_fail(why(judge), MUTUAL_E_RULES_CHANGED,
                           "the session was made without a client certificate, which \"%s\" now "
                           "requires",
                           rules->service);
        }
        return mu_fail(why(judge), MUTUAL_E_NO_CLIENT_CERT,
                       "the client presented no certificate, which \"%s\" requires",
                       rules->service);
    }
    if (judge->present && is_server(judge) && rules->mode == MUTUAL_MODE_NONE) {
        return mu_fail(why(judge), MUTUAL_E_RULES_CHANGED,
                       "the session was made with a client certificate, for which \"%s\" does not "
                       "ask any more",
                       rules->service);
    }
    return true;
}

/* A certificate is public: only the proof that its key is held makes it somebody's (RFC 8446
 * section 4.4.3). */
static bool check_proof(const struct judge *judge)
{
    const struct mutual_evidence *evidence = judge->evidence;
    if (evidence->chain == NULL || evidence->proved) {
        return true;
    }
    return mu_fail(why(judge), MUTUAL_E_PROTOCOL_VIOLATION,
                   "the peer did not prove that it holds the key of certificate \"%s\"",
                   mutual_chain_subject(evidence->chain));
}

/* A chain is a fact of the anchors it was built with. Under others it has to be built again. */
static bool check_generation(const struct judge *judge)
{
    const struct mutual_evidence *evidence = judge->evidence;
    if (evidence->chain == NULL || evidence->trust_generation == judge->rules->trust_generation) {
        return true;
    }
    return mu_fail(why(judge), MUTUAL_E_RULES_CHANGED,
                   "the trust bundle of \"%s\" changed after certificate \"%s\" was validated",
                   judge->rules->service, mutual_chain_subject(evidence->chain));
}

/* Time and revocation of every certificate of the chain, each time anew. */
static bool check_chain(const struct judge *judge)
{
    const struct mutual_chain *chain = judge->evidence->chain;
    if (chain == NULL) {
        return true;
    }
    int64_t until_s = 0;
    if (!mu_trust_recheck(judge->rules->trust, chain, judge->now_s, &until_s, why(judge))) {
        return false;
    }
    mu_assert(until_s > judge->now_s);
    hold_until(judge, until_s);
    return true;
}

/* The list of those whom we refuse ourselves: every certificate of the path, its anchor included,
 * and every name of the peer's. */
static bool check_denied(const struct judge *judge)
{
    const struct mutual_deny *deny = judge->rules->deny;
    const struct mutual_name *name = NULL;
    size_t count = 0;
    if (deny == NULL) {
        return true;
    }
    const struct mutual_link *links =
        judge->evidence->chain == NULL ? NULL : mutual_chain_links(judge->evidence->chain, &count);
    for (size_t i = 0; i < count; i++) {
        const struct mutual_denial *denial =
            mu_deny_find_cert(deny, links[i].issuer_name_hash,
                              mu_slice_of(links[i].serial, links[i].serial_len), links[i].key_hash);
        if (denial != NULL) {
            return mu_say_on_list(denial, &judge->peer, i, NULL, why(judge));
        }
    }
    const struct mutual_denial *denial =
        mu_deny_find_name(deny, judge->peer.names, judge->peer.name_count, &name);
    return denial == NULL || mu_say_on_list(denial, &judge->peer, 0, name, why(judge));
}

/* What the issuer says of a server at this time. OpenSSL lets no server ask a client for a staple,
 * so there is nothing to be judged on that side. */
static bool check_staple(const struct judge *judge)
{
    const struct mutual_evidence *evidence = judge->evidence;
    int64_t until_s = MU_TIME_NEVER_S;
    if (evidence->chain == NULL || is_server(judge)) {
        return true;
    }
    if (!mu_trust_check_staple(judge->rules->trust, evidence->chain, &evidence->staple,
                               evidence->proved_at_s, judge->now_s, &until_s, why(judge))) {
        return false;
    }
    hold_until(judge, until_s);
    return true;
}

static bool take_decision(const struct judge *judge, const struct mutual_decision *decision)
{
    judge->verdict->grant = decision->grant;
    judge->verdict->name = decision->name;
    if (decision->allowed) {
        hold_until(judge, decision->until_s);
    }
    return decision->allowed;
}

static bool check_policy(const struct judge *judge)
{
    const struct mutual_rules *rules = judge->rules;
    const struct mu_peer *peer = &judge->peer;
    struct mutual_decision decision = mutual_policy_decide(
        rules->policy, rules->service, peer->names, peer->name_count, judge->now_s);
    return take_decision(judge, &decision) ||
           mu_say_denied(rules, peer, &decision, judge->now_s, why(judge));
}

static bool check_anonymous(const struct judge *judge)
{
    const struct mutual_rules *rules = judge->rules;
    if (rules->mode == MUTUAL_MODE_NONE) {
        return true;
    }
    struct mutual_decision decision =
        mutual_policy_decide_anonymous(rules->policy, rules->service, judge->now_s);
    return take_decision(judge, &decision) ||
           mu_say_denied_anonymous(rules, &decision, judge->now_s, why(judge));
}

static bool check_expected(const struct judge *judge)
{
    const struct mutual_rules *rules = judge->rules;
    const struct mu_peer *peer = &judge->peer;
    for (size_t i = 0; i < rules->expect_count && judge->verdict->name == NULL; i++) {
        judge->verdict->name =
            mu_names_match_pattern(peer->names, peer->name_count, rules->expect[i]);
    }
    return judge->verdict->name != NULL || mu_say_mismatch(rules, peer, why(judge));
}

/* Who is it, and may they? */
static bool check_access(const struct judge *judge)
{
    if (!is_server(judge)) {
        return check_expected(judge);
    }
    return judge->present ? check_policy(judge) : check_anonymous(judge);
}

static struct mutual_pass *make_pass(int64_t until_s)
{
    struct mutual_pass *pass = mu_alloc(1, sizeof *pass);
    if (pass != NULL) {
        pass->magic = PASS_MAGIC;
        pass->until_s = until_s;
        atomic_init(&pass->withdrawn, false);
    }
    return pass;
}

/* The order is the order of the seven steps, and of what can be told to whom: nothing about grants
 * is said before the peer is proved. Nobody who only asks has a proof to show; every other check
 * holds for a question, too, which may suppose a staple. Where the rules only observe, they let in
 * whoever reaches them, as where nobody is asked; what they would say else is their shadow. */
static const struct check {
    bool (*passes)(const struct judge *judge);
    bool of_proof;
    bool of_peer; /* who it is and what they may: not asked today where the rules observe */
} checks[] = {
    {check_question, false, false}, {check_service, false, false}, {check_plaintext, false, false},
    {check_presence, false, false}, {check_proof, true, false},    {check_generation, false, true},
    {check_chain, false, true},     {check_denied, false, true},   {check_staple, false, false},
    {check_access, false, true},
};

/* Validation of the peer's certificate is another step on each side; the error table cannot know.
 */
static void place_error(struct mutual_verdict *verdict, enum mutual_side side)
{
    if (verdict->why.step == MUTUAL_STEP_NONE) {
        verdict->why.step =
            side == MUTUAL_SIDE_SERVER ? MUTUAL_STEP_CLIENT_CHECK : MUTUAL_STEP_SERVER_CHECK;
    }
}

static bool only_observes(const struct mutual_rules *rules)
{
    return rules->side == MUTUAL_SIDE_SERVER && rules->mode == MUTUAL_MODE_OBSERVE;
}

/* The first check that says no, or NULL. */
static const struct check *go_through(const struct judge *judge, bool proof_wanted)
{
    bool observes = only_observes(judge->rules);
    for (size_t i = 0; i < MU_COUNT(checks); i++) {
        bool asked = (proof_wanted || !checks[i].of_proof) && !(observes && checks[i].of_peer);
        if (asked && !checks[i].passes(judge)) {
            place_error(judge->verdict, judge->rules->side);
            return &checks[i];
        }
    }
    return NULL;
}

/* ---- the shadow ------------------------------------------------------------------------------ */

/* What the rules of tomorrow say of the same peer. */
struct shadow {
    enum mutual_shadow said;
    struct mutual_error why;
    const struct mutual_grant *grant;
    bool believed; /* the certificate was good, whatever the policy says */
    int64_t until_s;
};

static struct shadow cast_shadow(const struct judge *today, bool proof_wanted)
{
    struct shadow shadow = {.said = MUTUAL_SHADOW_NONE, .until_s = MU_TIME_NEVER_S};
    struct mutual_rules rules = *today->rules;
    struct mutual_verdict verdict = {.until_s = MU_TIME_NEVER_S};
    struct judge judge = *today;
    bool observes = only_observes(&rules);
    if (rules.side != MUTUAL_SIDE_SERVER || (!observes && rules.shadow_policy == NULL)) {
        return shadow;
    }
    rules.mode = observes ? MUTUAL_MODE_REQUIRE : rules.mode;
    rules.policy = rules.shadow_policy != NULL ? rules.shadow_policy : rules.policy;
    judge.rules = &rules;
    judge.verdict = &verdict;
    const struct check *failed = go_through(&judge, proof_wanted);
    shadow.said = failed == NULL ? MUTUAL_SHADOW_ALLOWED : MUTUAL_SHADOW_REFUSED;
    shadow.why = verdict.why;
    shadow.grant = verdict.grant;
    shadow.believed = judge.present && (failed == NULL || failed->passes == check_access);
    shadow.until_s = verdict.until_s;
    return shadow;
}

static struct mutual_error *keep_error(const struct mutual_error *error)
{
    struct mutual_error *kept = mu_alloc(1, sizeof *kept);
    if (kept != NULL) {
        *kept = *error;
    }
    return kept;
}

/* Tells the shadow beside the verdict, and lets a peer that is let in without being believed be
 * nobody. It can make no yes of a no. False: no memory. */
static bool tell_shadow(const struct judge *judge, bool allowed)
{
    struct mutual_verdict *verdict = judge->verdict;
    struct shadow shadow = cast_shadow(judge, true);
    bool refused = shadow.said == MUTUAL_SHADOW_REFUSED;
    verdict->shadow = shadow.said;
    verdict->shadow_grant = shadow.grant;
    verdict->nobody = allowed && !judge->present;
    if (allowed && only_observes(judge->rules)) {
        verdict->nobody = !shadow.believed;
        hold_until(judge, shadow.believed ? shadow.until_s : MU_TIME_NEVER_S);
    }
    if (!allowed) {
        return true;
    }
    verdict->pass = make_pass(verdict->until_s);
    if (verdict->pass != NULL && refused) {
        verdict->pass->shadow_why = keep_error(&shadow.why);
        verdict->shadow_why = verdict->pass->shadow_why;
    }
    return verdict->pass != NULL && (!refused || verdict->shadow_why != NULL);
}

static struct mu_peer peer_of(const struct mutual_chain *chain)
{
    struct mu_peer peer = {NULL, 0, NULL};
    if (chain != NULL) {
        peer.names = mutual_chain_names(chain, &peer.name_count);
        peer.subject = mutual_chain_subject(chain);
    }
    return peer;
}

struct mutual_verdict mutual_admit(const struct mutual_evidence *evidence,
                                   const struct mutual_rules *rules, int64_t now_s)
{
    struct mutual_verdict verdict = {.until_s = MU_TIME_NEVER_S};
    if (evidence == NULL || rules == NULL) {
        (void)mu_fail(&verdict.why, MUTUAL_E_USAGE,
                      "could not judge the connection: evidence or rules are missing");
        verdict.until_s = now_s;
        return verdict;
    }
    const struct judge judge = {.evidence = evidence,
                                .rules = rules,
                                .now_s = now_s,
                                .verdict = &verdict,
                                .present = evidence->chain != NULL,
                                .peer = peer_of(evidence->chain)};
    bool good = go_through(&judge, true) == NULL;
    if (!tell_shadow(&judge, good)) {
        mutual_pass_free(MU_TAKE(verdict.pass));
        verdict.shadow_why = NULL;
        good = mu_fail_memory(&verdict.why);
    }
    verdict.allowed = good;
    if (!good) {
        verdict.until_s = now_s;
        place_error(&verdict, rules->side);
    }
    return verdict;
}

struct mu_answer mu_admit_ask(const struct mu_question *question, const struct mutual_rules *rules,
                              int64_t now_s)
{
    /* Where nobody is asked for a certificate, whoever has one is let in without showing it. */
    bool shown = rules->side == MUTUAL_SIDE_CLIENT || rules->mode != MUTUAL_MODE_NONE;
    struct mutual_verdict verdict = {.until_s = MU_TIME_NEVER_S};
    const struct mutual_evidence supposed = {.side = rules->side,
                                             .chain = shown ? question->chain : NULL,
                                             .disbelieved = question->disbelieved,
                                             .proved = false,
                                             .proved_at_s = now_s,
                                             .staple = question->staple,
                                             .trust_generation = rules->trust_generation,
                                             .service = rules->service};
    struct judge judge = {.evidence = &supposed,
                          .rules = rules,
                          .now_s = now_s,
                          .verdict = &verdict,
                          .present = shown && (question->chain != NULL || question->name_count > 0),
                          .peer = peer_of(supposed.chain)};
    if (question->chain == NULL) {
        judge.peer.names = question->names;
        judge.peer.name_count = question->name_count;
        judge.peer.subject = "";
    }
    bool allowed = go_through(&judge, false) == NULL;
    struct shadow shadow = cast_shadow(&judge, false);
    if (allowed && only_observes(rules)) {
        hold_until(&judge, shadow.believed ? shadow.until_s : MU_TIME_NEVER_S);
    }
    return (struct mu_answer){.allowed = allowed,
                              .why = verdict.why,
                              .grant = verdict.grant,
                              .name = verdict.name,
                              .until_s = allowed ? verdict.until_s : now_s,
                              .shadow = shadow.said,
                              .shadow_why = shadow.why,
                              .shadow_grant = shadow.grant};
}

void mutual_pass_free(struct mutual_pass *pass)
{
    if (pass != NULL) {
        mu_assert(pass->magic == PASS_MAGIC);
        pass->magic = 0;
        mu_free(pass->shadow_why);
        mu_free(pass);
    }
}

bool mutual_pass_holds(const struct mutual_pass *pass, int64_t now_s)
{
    if (pass == NULL) {
        return false;
    }
    mu_assert(pass->magic == PASS_MAGIC);
    return now_s < pass->until_s && !atomic_load_explicit(&pass->withdrawn, memory_order_acquire);
}

int64_t mutual_pass_until_s(const struct mutual_pass *pass)
{
    mu_assert(pass->magic == PASS_MAGIC);
    return pass->until_s;
}

void mutual_pass_withdraw(struct mutual_pass *pass)
{
    mu_assert(pass->magic == PASS_MAGIC);
    atomic_store_explicit(&pass->withdrawn, true, memory_order_release);
}
