/* SPDX-License-Identifier: Apache-2.0
 *
 * The seven steps as marks: what counts once, what a failure overrides, which step is under way.
 */
#include "session/session_internal.h"
#include "tls_pair.h"

static void the_step_under_way(void **state)
{
    (void)state;
    struct mutual_journey journey = {.started_ns = 0};
    assert_int_equal(mutual_journey_step(&journey), MUTUAL_STEP_CONNECT);
    journey.steps[MUTUAL_STEP_CONNECT].outcome = MUTUAL_OUTCOME_DONE;
    journey.steps[MUTUAL_STEP_SERVER_CERT].outcome = MUTUAL_OUTCOME_SKIPPED;
    assert_int_equal(mutual_journey_step(&journey), MUTUAL_STEP_SERVER_CHECK);
    journey.steps[MUTUAL_STEP_ACCESS].outcome = MUTUAL_OUTCOME_FAILED;
    assert_int_equal(mutual_journey_step(&journey), MUTUAL_STEP_ACCESS);
    for (int step = MUTUAL_STEP_CONNECT; step < (int)MUTUAL_STEP_COUNT_; step++) {
        journey.steps[step].outcome = MUTUAL_OUTCOME_DONE;
    }
    assert_int_equal(mutual_journey_step(&journey), MUTUAL_STEP_DATA);
}

static void a_mark_counts_once_and_failure_overrides(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    struct mutual_session *session = pair.server.session;
    const struct mutual_journey *journey = mutual_session_journey(session);
    mutual_session_mark(session, MUTUAL_STEP_DATA, MUTUAL_OUTCOME_SKIPPED);
    mutual_session_mark(session, MUTUAL_STEP_DATA, MUTUAL_OUTCOME_DONE);
    assert_int_equal(journey->steps[MUTUAL_STEP_DATA].outcome, MUTUAL_OUTCOME_SKIPPED);
    mutual_session_mark(session, MUTUAL_STEP_DATA, MUTUAL_OUTCOME_FAILED);
    assert_int_equal(journey->steps[MUTUAL_STEP_DATA].outcome, MUTUAL_OUTCOME_FAILED);
    mutual_session_mark(session, MUTUAL_STEP_DATA, MUTUAL_OUTCOME_DONE);
    assert_int_equal(journey->steps[MUTUAL_STEP_DATA].outcome, MUTUAL_OUTCOME_FAILED);
    tls_pair_done(&pair);
}

static void times_rise_along_the_way(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct tls_pair pair;
        tls_pair_init(&pair);
        pair.client.tls12 = tls12 != 0;
        tls_pair_open(&pair);
        tls_pair_talk(&pair);
        const struct mutual_journey *journey = mutual_session_journey(pair.server.session);
        for (int step = MUTUAL_STEP_SERVER_CERT; step < (int)MUTUAL_STEP_COUNT_; step++) {
            assert_true(journey->steps[step].reached_ns >= journey->steps[step - 1].reached_ns);
        }
        tls_pair_done(&pair);
    }
}

static void malformed_messages_mark_nothing(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_pair_init(&pair);
    tls_pair_start(&pair);
    SSL *ssl = pair.server.session->ssl;
    const uint8_t empty[] = {SSL3_MT_CERTIFICATE, 0, 0, 0};
    const uint8_t context_only[] = {SSL3_MT_CERTIFICATE, 0, 0, 1, 200};
    mu_journey_message(0, 0, SSL3_RT_HANDSHAKE, empty, 0, ssl, NULL);
    mu_journey_message(0, 0, SSL3_RT_HANDSHAKE, empty, sizeof empty, ssl, NULL);
    mu_journey_message(0, 0, SSL3_RT_HANDSHAKE, context_only, sizeof context_only, ssl, NULL);
    mu_journey_message(0, 0, SSL3_RT_ALERT, empty, 1, ssl, NULL);
    assert_false(pair.server.session->cert_seen);
    assert_int_equal(pair.server.session->alert_in, -1);
    tls_pair_done(&pair);
}

UNIT_MAIN(UNIT_CASE(the_step_under_way), UNIT_CASE(a_mark_counts_once_and_failure_overrides),
          UNIT_CASE(times_rise_along_the_way), UNIT_CASE(malformed_messages_mark_nothing))
