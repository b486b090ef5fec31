/* SPDX-License-Identifier: Apache-2.0
 *
 * Rehearsals: the very context that will serve, against a stand-in of bare OpenSSL; and that nobody
 * gets in by one.
 */
#include "session/session_internal.h"
#include "slow_key.h"
#include "tls_pair.h"

static struct mutual_error err;

static struct mu_standin *standin(void)
{
    struct mu_standin *made = NULL;
    assert_ok(mu_standin_new(&made, &err), &err);
    return made;
}

static enum mutual_io run(struct mu_rehearsal *rehearsal)
{
    enum mutual_io io = MUTUAL_IO_WANT_READ;
    err = (struct mutual_error){0};
    for (int i = 0; i < 100 && io == MUTUAL_IO_WANT_READ; i++) {
        io = mu_rehearsal_step(rehearsal, &err);
    }
    return io;
}

static struct mu_rehearsal *plan(struct mu_standin *other, struct mutual_context *context,
                                 const char *name, enum mu_key_kind kind, bool tls12)
{
    const struct mu_rehearsal_plan plan = {context, name, kind, tls12};
    struct mu_rehearsal *rehearsal = NULL;
    assert_ok(mu_rehearsal_new(other, &plan, &rehearsal, &err), &err);
    return rehearsal;
}

static bool showed(const struct mu_rehearsal *rehearsal, const struct mutual_identity *identity)
{
    size_t count = 0;
    struct mu_cert *const *chain = mu_identity_chain(identity, &count);
    return mu_rehearsal_showed(rehearsal, chain, count);
}

/* Every kind of key, in both versions, as a server that demands certificates and as a client. */
static void every_kind_of_key(void **state)
{
    (void)state;
    static const struct {
        enum mu_key_spec spec;
        enum mu_key_kind kind;
    } rows[] = {
        {MU_SPEC_EC_P256, MU_KEY_EC},
        {MU_SPEC_EC_P384, MU_KEY_EC},
        {MU_SPEC_RSA_2048, MU_KEY_RSA},
        {MU_SPEC_ED25519, MU_KEY_ED25519},
    };
    struct mu_standin *other = standin();
    for (size_t i = 0; i < MU_COUNT(rows) * 4; i++) {
        struct tls_pair pair;
        bool tls12 = i % 2 == 1;
        bool server = i / 2 % 2 == 1;
        tls_pair_init_with(&pair, rows[i / 4].spec, rows[i / 4].spec);
        tls_pair_start(&pair);
        struct tls_end *end = server ? &pair.server : &pair.client;
        struct mu_rehearsal *rehearsal =
            plan(other, end->context, server ? "db.example.org" : NULL, rows[i / 4].kind, tls12);
        if (run(rehearsal) != MUTUAL_IO_DONE) {
            fail_msg("row %zu: %s", i, err.reason);
        }
        assert_true(showed(rehearsal, end->identities[0]));
        assert_false(showed(rehearsal, (server ? &pair.client : &pair.server)->identities[0]));
        mu_rehearsal_free(rehearsal);
        tls_pair_done(&pair);
    }
    mu_standin_free(other);
}

/* The session that judged nobody is admitted nowhere, not even where nobody has to prove anything,
 * leaves nothing to be resumed, and moves no data. */
static void nobody_gets_in(void **state)
{
    (void)state;
    static const enum mutual_mode modes[] = {MUTUAL_MODE_NONE, MUTUAL_MODE_OBSERVE,
                                             MUTUAL_MODE_REQUEST, MUTUAL_MODE_REQUIRE};
    struct mu_standin *other = standin();
    for (size_t i = 0; i < MU_COUNT(modes) * 2; i++) {
        struct tls_pair pair;
        struct mutual_cache *cache = mutual_cache_new(10);
        uint8_t room[512];
        size_t len = 0;
        tls_pair_init(&pair);
        pair.server.rules.mode = modes[i / 2];
        pair.server.options.cache = pair.client.options.cache = cache;
        tls_pair_start(&pair);
        struct mu_rehearsal *rehearsal =
            plan(other, pair.server.context, "db.example.org", MU_KEY_EC, i % 2 == 1);
        assert_int_equal(run(rehearsal), MUTUAL_IO_DONE);
        /* its session is the first member */
        struct mutual_session *session = *(struct mutual_session **)(void *)rehearsal;
        const struct mutual_verdict *verdict = mutual_session_admit(session, PKI_NOW_S);
        assert_false(verdict->allowed);
        assert_null(verdict->pass);
        assert_int_equal(verdict->why.code, MUTUAL_E_USAGE);
        struct mutual_wire wire = {.out = room, .out_cap = sizeof room};
        assert_int_equal(mutual_session_write(session, &wire, (const uint8_t *)"x", 1, &len, &err),
                         MUTUAL_IO_FAILED);
        assert_int_equal(mutual_cache_count(cache), 0);
        mu_rehearsal_free(rehearsal);
        rehearsal = plan(other, pair.client.context, NULL, MU_KEY_EC, i % 2 == 1);
        assert_int_equal(run(rehearsal), MUTUAL_IO_DONE);
        session = *(struct mutual_session **)(void *)rehearsal;
        assert_false(mutual_session_admit(session, PKI_NOW_S)->allowed);
        assert_int_equal(mutual_cache_count(cache), 0);
        mu_rehearsal_free(rehearsal);
        tls_pair_done(&pair);
        mutual_cache_unref(cache);
    }
    mu_standin_free(other);
}

/* Which of several is shown goes by name and by kind, as for everybody. */
static void the_one_that_is_meant(void **state)
{
    (void)state;
    struct mu_standin *other = standin();
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.identities[1] = tls_identity(pki_issue(
        pair.issuer, (struct pki_leaf){.dns = "db.example.org", .spec = MU_SPEC_ED25519}));
    pair.server.identities[2] =
        tls_identity(pki_issue(pair.issuer, (struct pki_leaf){.dns = "*.example.net"}));
    pair.server.identity_count = 3;
    pair.server.options.strict_sni = true;
    tls_pair_start(&pair);
    struct mutual_context *context = pair.server.context;
    static const struct {
        const char *name;
        enum mu_key_kind kind;
        int shown; /* -1: none */
    } rows[] = {
        {"db.example.org", MU_KEY_EC, 0},
        {"db.example.org", MU_KEY_ED25519, 1},
        {"db.example.org", MU_KEY_RSA, -1},
        {"a.example.net", MU_KEY_EC, 2},
        {"a.example.net", MU_KEY_ED25519, -1},
        {"other.example", MU_KEY_EC, -1},
        {NULL, MU_KEY_EC, 0},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        const struct mutual_identity *shown = mu_context_shows(context, rows[i].name, rows[i].kind);
        struct mu_rehearsal *rehearsal =
            plan(other, context, rows[i].name, rows[i].kind, i % 2 == 1);
        bool done = run(rehearsal) == MUTUAL_IO_DONE;
        assert_ptr_equal(shown, rows[i].shown < 0 ? NULL : pair.server.identities[rows[i].shown]);
        assert_int_equal(done, rows[i].shown >= 0);
        assert_true(!done || showed(rehearsal, shown));
        mu_rehearsal_free(rehearsal);
    }
    assert_ptr_equal(mu_context_shows(pair.client.context, NULL, MU_KEY_EC),
                     pair.client.identities[0]);
    tls_pair_done(&pair);
    mu_standin_free(other);
}

/* A key elsewhere is waited for, and a refusal is the end. */
static void keys_that_take_their_time(void **state)
{
    (void)state;
    for (int refuse = 0; refuse < 2; refuse++) {
        struct mu_standin *other = standin();
        struct tls_pair pair;
        struct slow_key slow = {.fd = -1, .refuse = refuse == 1};
        tls_pair_init(&pair);
        struct mu_key *key = slow_key_new(pair.server_leaf->key, &slow);
        struct pki leaf = {pair.server_leaf->cert, key, pair.issuer};
        tls_end_show(&pair.server, &leaf);
        tls_pair_start(&pair);
        struct mu_rehearsal *rehearsal =
            plan(other, pair.server.context, NULL, MU_KEY_EC, refuse == 1);
        assert_int_equal(run(rehearsal), MUTUAL_IO_WANT_KEY);
        assert_int_equal(run(rehearsal), MUTUAL_IO_WANT_KEY);
        slow.ready = true;
        assert_int_equal(run(rehearsal), refuse == 1 ? MUTUAL_IO_FAILED : MUTUAL_IO_DONE);
        assert_int_equal(err.code != MUTUAL_OK, refuse == 1);
        mu_rehearsal_free(rehearsal);
        tls_pair_done(&pair);
        slow_key_free(key);
        mu_standin_free(other);
    }
}

/* Versions that do not meet are told as to a peer. */
static void versions_that_do_not_meet(void **state)
{
    (void)state;
    struct mu_standin *other = standin();
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.server.extras.tls13_only = pair.client.extras.tls13_only = true;
    tls_pair_start(&pair);
    struct mu_rehearsal *rehearsal =
        plan(other, pair.server.context, "db.example.org", MU_KEY_EC, true);
    assert_int_equal(run(rehearsal), MUTUAL_IO_FAILED);
    assert_int_equal(err.code, MUTUAL_E_PROTOCOL_OLD);
    mu_rehearsal_free(rehearsal);
    rehearsal = plan(other, pair.client.context, NULL, MU_KEY_EC, true);
    assert_int_equal(run(rehearsal), MUTUAL_IO_FAILED);
    assert_true(err.code != MUTUAL_OK && err.reason[0] != '\0');
    mu_rehearsal_free(rehearsal);
    tls_pair_done(&pair);
    mu_standin_free(other);
    mu_rehearsal_free(NULL);
    mu_standin_free(NULL);
}

UNIT_MAIN(UNIT_CASE(every_kind_of_key), UNIT_CASE(nobody_gets_in), UNIT_CASE(the_one_that_is_meant),
          UNIT_CASE(keys_that_take_their_time), UNIT_CASE(versions_that_do_not_meet))
