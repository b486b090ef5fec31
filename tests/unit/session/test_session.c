/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sessions facing each other: every kind of key in both versions, data, closing, the gate
 * before admission, and the property that the width of the windows on the wire changes nothing.
 */
#include "identity/identity.h"
#include "slow_key.h"
#include "tls_pair.h"

static const enum mu_key_spec specs[] = {MU_SPEC_EC_P256, MU_SPEC_EC_P384, MU_SPEC_RSA_2048,
                                         MU_SPEC_ED25519};

static void check_proved(const struct tls_pair *pair, bool tls12)
{
    struct mutual_session_info info;
    mutual_session_info(pair->server.session, &info);
    assert_string_equal(info.version, tls12 ? "TLS 1.2" : "TLS 1.3");
    assert_string_equal(info.group, "X25519");
    assert_string_equal(info.sni, "db.example.org");
    assert_true(info.mutual);
    assert_false(info.resumed);
    assert_non_null(info.peer_signature);
    const struct mutual_evidence *evidence = mutual_session_evidence(pair->server.session);
    size_t count = 0;
    const struct mutual_name *names = mutual_chain_names(evidence->chain, &count);
    assert_true(evidence->proved);
    assert_int_equal(evidence->proved_at_s, PKI_NOW_S);
    assert_string_equal(names[0].text, "spiffe://example.org/alice");
    mutual_session_info(pair->client.session, &info);
    assert_true(info.mutual && info.cert_requested);
}

static void every_key_in_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * MU_COUNT(specs); i++) {
        struct tls_pair pair;
        tls_pair_init_with(&pair, specs[i / 2], specs[(i / 2 + 1) % MU_COUNT(specs)]);
        pair.client.tls12 = i % 2 != 0;
        tls_pair_open(&pair);
        check_proved(&pair, pair.client.tls12);
        tls_pair_talk(&pair);
        tls_pair_done(&pair);
    }
}

static void assert_outcomes(const struct mutual_session *session, const char *want)
{
    static const char letters[] = {'.', 'd', 's', 'F'};
    char have[8] = "";
    for (int step = 1; step < (int)MUTUAL_STEP_COUNT_; step++) {
        have[step - 1] = letters[mutual_session_journey(session)->steps[step].outcome];
    }
    assert_string_equal(have, want);
}

static void journey_is_marked(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        tls_pair_open(&pair);
        assert_outcomes(pair.server.session, "dddddd.");
        assert_outcomes(pair.client.session, tls12 ? "dddddd." : "dddd.d.");
        tls_pair_talk(&pair);
        assert_outcomes(pair.server.session, "ddddddd");
        assert_outcomes(pair.client.session, "ddddddd");
        tls_pair_done(&pair);
    }
}

static void plain_tls_skips_the_client(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.rules.mode = MUTUAL_MODE_NONE;
    tls_pair_open(&pair);
    tls_pair_talk(&pair);
    assert_outcomes(pair.server.session, "dddssdd");
    assert_outcomes(pair.client.session, "dddssdd");
    assert_null(mutual_session_evidence(pair.server.session)->chain);
    tls_pair_done(&pair);
}

static void nothing_flows_before_admission(void **state)
{
    (void)state;
    struct tls_pair pair;
    uint8_t byte = 0;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    assert_false(mutual_session_admit(pair.server.session, PKI_NOW_S)->allowed);
    assert_int_equal(mutual_session_admit(pair.server.session, PKI_NOW_S)->why.code,
                     MUTUAL_E_USAGE);
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
    tls_pair_hang_up(&pair);
    tls_pair_shake(&pair);
    assert_int_equal(tls_read(&pair, &pair.server, &pair.client, &byte, 1), 0);
    assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_POLICY_DENIED);
    tls_write(&pair, &pair.server, "x", 1);
    assert_int_equal(pair.server.err.code, MUTUAL_E_POLICY_DENIED);
    assert_true(mutual_session_admit(pair.server.session, PKI_NOW_S)->allowed);
    tls_pair_done(&pair);
}

static void the_verdict_is_the_reason(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    struct pki *mallory =
        pki_issue(pair.issuer, (struct pki_leaf){.uri = "spiffe://other.org/mallory"});
    tls_end_show(&pair.client, mallory);
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
    const struct mutual_verdict *verdict = mutual_session_admit(pair.server.session, PKI_NOW_S);
    assert_false(verdict->allowed);
    assert_int_equal(verdict->why.code, MUTUAL_E_POLICY_DENIED);
    assert_outcomes(pair.server.session, "dddddF.");
    tls_write(&pair, &pair.server, "x", 1);
    assert_string_equal(pair.server.err.reason, verdict->why.reason);
    tls_close(&pair, &pair.server);
    assert_int_equal(pair.server.io, MUTUAL_IO_DONE);
    tls_pair_done(&pair);
}

static void a_pass_ends(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    pair.now_s += 400 * PKI_DAY_S;
    tls_write(&pair, &pair.server, "x", 1);
    assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_PASS_EXPIRED);
    tls_pair_done(&pair);
}

static void rules_change_under_way(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    struct mutual_policy *nobody = tls_policy("another-service");
    struct mutual_rules rules = pair.server.rules;
    rules.policy = nobody;
    assert_false(mu_session_admit_by(pair.server.session, &rules, pair.now_s)->allowed);
    tls_write(&pair, &pair.server, "x", 1);
    assert_int_equal(pair.server.err.code, MUTUAL_E_POLICY_DENIED);
    mutual_policy_unref(nobody);
    tls_pair_done(&pair);
}

static void evidence_follows_its_authority_only(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    struct mutual_session *session = pair.server.session;
    struct mutual_rules before = pair.server.rules;
    struct mutual_rules rules = before;
    struct mutual_rules unknown = before;
    rules.trust_generation++;
    unknown.trust_generation += 7;
    assert_false(mu_session_admit_by(session, &rules, pair.now_s)->allowed);
    assert_false(mu_session_follow(session, &unknown, &rules)); /* not validated by that one */
    assert_false(mu_session_admit_by(session, &rules, pair.now_s)->allowed);
    assert_true(mu_session_follow(session, &before, &rules));
    assert_true(mu_session_admit_by(session, &rules, pair.now_s)->allowed);
    rules.trust = NULL; /* nobody asks for certificates any more */
    rules.trust_generation++;
    assert_false(mu_session_follow(session, &before, &rules));
    tls_pair_done(&pair);
}

static void much_data_through_narrow_windows(void **state)
{
    (void)state;
    static uint8_t sent[100000], got[100000];
    static const size_t chunks[] = {0, 7, 100, 1500, 17000};
    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = (uint8_t)(i * 31 + i / 251);
    }
    for (size_t i = 0; i < MU_COUNT(chunks); i++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        tls_pair_open(&pair);
        pair.chunk = chunks[i];
        tls_write(&pair, &pair.client, sent, sizeof sent);
        assert_int_equal(tls_read(&pair, &pair.server, &pair.client, got, sizeof got), sizeof got);
        assert_memory_equal(sent, got, sizeof got);
        tls_pair_done(&pair);
    }
}

static void half_close_is_kept(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        uint8_t data[16];
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        tls_pair_open(&pair);
        tls_write(&pair, &pair.client, "last", 4);
        tls_close(&pair, &pair.client);
        assert_int_equal(tls_read(&pair, &pair.server, &pair.client, data, 4), 4);
        assert_int_equal(tls_read(&pair, &pair.server, &pair.client, data, 4), 0);
        assert_int_equal(pair.server.io, MUTUAL_IO_END);
        tls_write(&pair, &pair.server, "answer", 6);
        tls_close(&pair, &pair.server);
        assert_int_equal(tls_read(&pair, &pair.client, &pair.server, data, sizeof data), 6);
        assert_int_equal(tls_read(&pair, &pair.client, &pair.server, data, sizeof data), 0);
        assert_int_equal(pair.client.io, MUTUAL_IO_END);
        tls_pair_done(&pair);
    }
}

static enum mutual_io read_at_end(struct tls_end *end, int broken)
{
    uint8_t byte = 0;
    size_t len = 0;
    uint8_t out[64];
    struct mutual_wire wire = {
        .in = &byte, .in_end = true, .in_error = broken, .out = out, .out_cap = sizeof out};
    return mutual_session_read(end->session, &wire, &byte, 1, &len, &end->err);
}

static void the_end_of_the_wire_is_told_apart(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    tls_pair_talk(&pair);
    assert_int_equal(read_at_end(&pair.server, 0), MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_TRUNCATED);
    assert_int_equal(read_at_end(&pair.client, 104), MUTUAL_IO_FAILED);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PEER_RESET);
    assert_int_equal(pair.client.err.sys, 104);
    /* It stays failed, for the same reason. */
    assert_int_equal(read_at_end(&pair.client, 0), MUTUAL_IO_FAILED);
    assert_int_equal(pair.client.err.code, MUTUAL_E_PEER_RESET);
    tls_pair_done(&pair);
}

static void damage_is_noticed(void **state)
{
    (void)state;
    struct tls_pair pair;
    uint8_t data[16];
    tls_pair_init(&pair);
    tls_pair_open(&pair);
    tls_write(&pair, &pair.client, "good", 4);
    pair.client.out.data[pair.client.out.len - 1] ^= 1;
    assert_int_equal(tls_read(&pair, &pair.server, &pair.client, data, sizeof data), 0);
    assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
    assert_int_equal(pair.server.err.code, MUTUAL_E_BAD_RECORD);
    tls_pair_done(&pair);
}

/* ---- any width of window, the same journey --------------------------------------------------- */

struct story {
    enum mutual_io server_io, client_io;
    enum mutual_code server_code, client_code;
    enum mutual_outcome server[MUTUAL_STEP_COUNT_], client[MUTUAL_STEP_COUNT_];
};

static void prepare(struct tls_pair *pair, int which)
{
    tls_pair_init(pair);
    pair->client.tls12 = which % 2 != 0;
    struct pki *old =
        pki_issue(pair->issuer, (struct pki_leaf){.uri = "spiffe://example.org/old",
                                                  .not_before = PKI_NOW_S - 9 * PKI_DAY_S,
                                                  .not_after = PKI_NOW_S - PKI_DAY_S});
    switch (which / 2) {
    case 1:
        tls_end_show(&pair->client, old);
        break;
    case 2:
        mutual_identity_unref(pair->client.identities[0]);
        pair->client.identity_count = 0;
        break;
    case 3:
        tls_end_show(&pair->server, old);
        break;
    case 4:
        pair->server.options.strict_sni = true;
        pair->client.options.server_name = "elsewhere.example.org";
        break;
    default:
        break;
    }
}

static struct story tell(int which, size_t chunk)
{
    struct tls_pair pair;
    uint8_t byte;
    prepare(&pair, which);
    pair.chunk = chunk;
    tls_pair_shake(&pair);
    if (pair.client.io == MUTUAL_IO_DONE && mutual_session_admit(pair.client.session, pair.now_s)) {
        (void)tls_read(&pair, &pair.client, &pair.server, &byte, 1);
    }
    struct story story = {
        pair.server.io, pair.client.io, pair.server.err.code, pair.client.err.code, {0}, {0}};
    for (int step = 0; step < (int)MUTUAL_STEP_COUNT_; step++) {
        story.server[step] = mutual_session_journey(pair.server.session)->steps[step].outcome;
        story.client[step] = mutual_session_journey(pair.client.session)->steps[step].outcome;
    }
    tls_pair_done(&pair);
    return story;
}

static void windows_change_nothing(void **state)
{
    (void)state;
    static const size_t chunks[] = {1, 3, 64};
    for (int which = 0; which < 10; which++) {
        struct story whole = tell(which, 0);
        for (size_t i = 0; i < MU_COUNT(chunks); i++) {
            struct story parts = tell(which, chunks[i]);
            if (memcmp(&whole, &parts, sizeof whole) != 0) {
                fail_msg("case %d, windows of %zu: server %d %s, client %d %s; whole: %d %s, %d %s",
                         which, chunks[i], (int)parts.server_io,
                         mutual_code_name(parts.server_code), (int)parts.client_io,
                         mutual_code_name(parts.client_code), (int)whole.server_io,
                         mutual_code_name(whole.server_code), (int)whole.client_io,
                         mutual_code_name(whole.client_code));
            }
        }
    }
}

/* ---- keys that live elsewhere ---------------------------------------------------------------- */

static void shake_with_slow_key(bool slow_client, bool tls12)
{
    struct tls_pair pair;
    struct slow_key slow = {.fd = -1};
    tls_pair_init(&pair);
    pair.client.tls12 = tls12;
    struct tls_end *end = slow_client ? &pair.client : &pair.server;
    struct mu_key *key =
        slow_key_show(end, slow_client ? pair.client_leaf : pair.server_leaf, &slow);
    tls_pair_shake(&pair);
    assert_int_equal(end->io, MUTUAL_IO_WANT_KEY);
    assert_int_equal(slow.paused > 0, 1);
    assert_int_equal(mutual_session_key_fd(end->session), -1);
    slow.ready = true;
    tls_pair_open(&pair);
    tls_pair_talk(&pair);
    tls_pair_done(&pair);
    slow_key_free(key);
}

static void a_signature_may_take_its_time(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        shake_with_slow_key(i % 2 != 0, i / 2 != 0);
    }
}

static void a_signature_has_a_descriptor_if_its_maker_says_so(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct slow_key slow = {.fd = 1};
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    assert_int_equal(mutual_session_key_fd(pair.server.session), -1); /* no job yet */
    tls_pair_forget_contexts(&pair);
    struct mu_key *key = slow_key_show(&pair.server, pair.server_leaf, &slow);
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.io, MUTUAL_IO_WANT_KEY);
    assert_int_equal(mutual_session_key_fd(pair.server.session), 1);
    slow.ready = true;
    tls_pair_open(&pair);
    tls_pair_done(&pair);
    slow_key_free(key);
}

static void a_refused_signature_says_so(void **state)
{
    (void)state;
    static const enum mutual_code codes[] = {MUTUAL_E_KEY_UNAVAILABLE, MUTUAL_E_KEY_REFUSED};
    for (size_t i = 0; i < 2 * MU_COUNT(codes); i++) {
        struct tls_pair pair;
        bool refuse = codes[i / 2] == MUTUAL_E_KEY_REFUSED;
        struct slow_key slow = {.ready = refuse, .refuse = refuse, .given_up = true, .fd = -1};
        struct mutual_session_info info;
        tls_pair_init(&pair);
        pair.client.tls12 = i % 2 != 0;
        struct mu_key *key = slow_key_show(&pair.server, pair.server_leaf, &slow);
        tls_pair_shake(&pair);
        assert_int_equal(pair.server.io, MUTUAL_IO_FAILED);
        assert_int_equal(pair.server.err.code, codes[i / 2]);
        mutual_session_info(pair.server.session, &info);
        assert_int_equal(info.alert_sent, 80);
        tls_pair_done(&pair);
        slow_key_free(key);
    }
}

/* The job's stack is given back when a session goes in the middle of a signature. */
static void a_session_may_go_while_its_signature_is_made(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct slow_key slow = {.fd = -1};
    tls_pair_init(&pair);
    struct mu_key *key = slow_key_show(&pair.server, pair.server_leaf, &slow);
    tls_pair_shake(&pair);
    assert_int_equal(pair.server.io, MUTUAL_IO_WANT_KEY);
    slow.given_up = true;
    unsigned paused = slow.paused;
    tls_pair_done(&pair);
    assert_int_equal(slow.paused, paused);
    slow_key_free(key);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    struct tls_pair pair;
    struct mutual_error err = {0};
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    mu_alloc_fail_after(1);
    assert_null(mutual_session_new(pair.server.context, &err));
    assert_int_equal(err.code, MUTUAL_E_NO_MEMORY);
    mu_alloc_fail_after(0);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(every_key_in_both_versions), UNIT_CASE(journey_is_marked),
          UNIT_CASE(plain_tls_skips_the_client), UNIT_CASE(nothing_flows_before_admission),
          UNIT_CASE(the_verdict_is_the_reason), UNIT_CASE(a_pass_ends),
          UNIT_CASE(rules_change_under_way), UNIT_CASE(evidence_follows_its_authority_only),
          UNIT_CASE(much_data_through_narrow_windows), UNIT_CASE(half_close_is_kept),
          UNIT_CASE(the_end_of_the_wire_is_told_apart), UNIT_CASE(damage_is_noticed),
          UNIT_CASE(windows_change_nothing), UNIT_CASE(a_signature_may_take_its_time),
          UNIT_CASE(a_signature_has_a_descriptor_if_its_maker_says_so),
          UNIT_CASE(a_refused_signature_says_so),
          UNIT_CASE(a_session_may_go_while_its_signature_is_made), UNIT_CASE(memory_may_run_out))
