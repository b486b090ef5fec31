/* SPDX-License-Identifier: Apache-2.0
 *
 * A handshake whose time is over gives way at its places, goes on as if nothing had been, and may
 * go away in between; and who waits for the last flight.
 */
#include "slow_key.h"
#include "tls_pair.h"

struct pause {
    bool lean, client, tls12;
    unsigned turns; /* of the side that gives way */
};

static void begin(struct tls_pair *pair, const struct pause *how, OSSL_LIB_CTX *lean)
{
    tls_pair_init(pair);
    pair->client.tls12 = how->tls12;
    if (how->lean) {
        pair->server.extras.libctx = lean;
        pair->client.extras.libctx = lean;
    }
    pair->hurried = how->client ? &pair->client : &pair->server;
}

/* With no time at all it gives way at every place, and the other side notices nothing. */
static void it_gives_way_and_goes_on(void **state)
{
    (void)state;
    static const struct pause rows[] = {
        {.lean = true, .turns = 5}, /* pair, exchange, schedule; the client's chain, its proof */
        {.lean = true, .client = true, .turns = 5},
        {.lean = false, .turns = 2},
        {.lean = true, .tls12 = true, .turns = 4},
        {.lean = false, .client = true, .tls12 = true, .turns = 2},
    };
    struct mutual_error err = {0};
    OSSL_LIB_CTX *lean = OSSL_LIB_CTX_new();
    assert_ok(mu_ossl_lean(lean, &err), &err);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct tls_pair pair;
        struct slow_key slow = {.ready = true, .fd = -1};
        begin(&pair, &rows[i], lean);
        struct mu_key *key = slow_key_show(
            pair.hurried, rows[i].client ? pair.client_leaf : pair.server_leaf, &slow);
        tls_pair_open(&pair);
        assert_int_equal(pair.turns, rows[i].turns);
        tls_pair_talk(&pair);
        tls_pair_done(&pair);
        slow_key_free(key);
    }
    mu_ossl_lean_free(lean);
}

/* At each of its places in turn: the job's stack is given back, nothing more is computed. */
static void it_may_go_in_between(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    OSSL_LIB_CTX *lean = OSSL_LIB_CTX_new();
    assert_ok(mu_ossl_lean(lean, &err), &err);
    for (unsigned place = 1; place <= 5; place++) {
        struct tls_pair pair;
        struct slow_key slow = {.ready = true, .fd = -1};
        begin(&pair, &(struct pause){.lean = true}, lean);
        struct mu_key *key = slow_key_show(&pair.server, pair.server_leaf, &slow);
        tls_pair_start(&pair);
        while (pair.turns < place) {
            (void)tls_step(&pair, &pair.client, &pair.server);
            (void)tls_step(&pair, &pair.server, &pair.client);
        }
        assert_int_equal(pair.server.io, MUTUAL_IO_WANT_TURN);
        assert_int_equal(mutual_session_key_fd(pair.server.session), -1);
        tls_pair_done(&pair);
        slow_key_free(key);
    }
    mu_ossl_lean_free(lean);
}

/* Whose keys are at hand has no job, and nobody to give way to. */
static void without_a_job_it_goes_on(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    pair.hurried = &pair.server;
    tls_pair_open(&pair);
    assert_int_equal(pair.turns, 0);
    tls_pair_done(&pair);
}

/* Tickets of TLS 1.3 may go with what follows; all else somebody waits for. */
static void only_tickets_can_wait(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        tls_pair_open(&pair);
        assert_int_equal(pair.server.out_can_wait, !tls12);
        assert_false(pair.client.out_can_wait);
        tls_pair_done(&pair);
    }
}

UNIT_MAIN(UNIT_CASE(it_gives_way_and_goes_on), UNIT_CASE(it_may_go_in_between),
          UNIT_CASE(without_a_job_it_goes_on), UNIT_CASE(only_tickets_can_wait))
