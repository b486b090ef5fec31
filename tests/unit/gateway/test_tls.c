/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission of connections, and again when the rules change.
 */
#include "fixture.h"

#include <unistd.h>

static struct mutual_policy *nobody(void)
{
    struct mutual_error err = {0};
    struct mutual_policy *policy = mutual_policy_new();
    assert_ok(mutual_policy_freeze(policy, &err), &err);
    return policy;
}

static void new_rules_are_for_open_connections_too(void **state)
{
    (void)state;
    struct knock client;
    struct mutual_error why = {0};
    struct mutual_policy *policy = nobody();
    knock_open(&client, home.client);
    knock_shake(&client);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    assert_true(conn_readmit(fixture_conn(), &why)); /* nothing changed */
    struct service *next = fixture_new_generation(policy);
    assert_fails(conn_readmit(fixture_conn(), &why), &why, MUTUAL_E_POLICY_DENIED);
    assert_ptr_equal(fixture_conn()->service, next);
    assert_ptr_equal(fixture_conn()->born, &home.service);
    conn_end(fixture_conn(), &why);
    (void)close(client.fd);
    client.fd = -1;
    fixture_until(home.worker.slab.used == 0);
    home.worker.current = &home.generation;
    mutual_policy_unref(policy);
    (void)close(service);
    knock_done(&client);
}

static void a_service_that_is_gone_serves_nobody(void **state)
{
    (void)state;
    struct knock client;
    struct mutual_error why = {0};
    struct generation empty = {.worker = &home.worker, .refs = 10, .id = 3};
    knock_open(&client, home.client);
    knock_shake(&client);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    home.worker.current = &empty;
    assert_fails(conn_readmit(fixture_conn(), &why), &why, MUTUAL_E_RULES_CHANGED);
    home.worker.current = &home.generation;
    (void)close(service);
    knock_done(&client);
}

static void a_verdict_is_asked_for_again(void **state)
{
    (void)state;
    struct knock client;
    knock_open(&client, home.client);
    knock_shake(&client);
    int service = fixture_accept();
    fixture_until(fixture_conn()->stage == STAGE_RELAY);
    struct conn *conn = fixture_conn();
    assert_true(conn->until_s > 0 && conn->until_s <= mu_clock_wall_s() + 3601);
    conn->until_s = 0; /* as the timer does */
    conn_drive(conn);
    assert_int_equal(conn->stage, STAGE_RELAY);
    assert_true(conn->until_s > 0);
    (void)close(service);
    knock_done(&client);
}

static void nothing_is_pending_in_an_ordinary_handshake(void **state)
{
    (void)state;
    struct knock client;
    knock_open(&client, home.client);
    conn_forget_key(fixture_conn()); /* with and without a session */
    knock_shake(&client);
    conn_forget_key(fixture_conn());
    assert_ptr_equal(conn_secure(fixture_conn()), &fixture_conn()->front);
    knock_done(&client);
}

UNIT_MAIN(FIXTURE_CASE(new_rules_are_for_open_connections_too),
          FIXTURE_CASE(a_service_that_is_gone_serves_nobody),
          FIXTURE_CASE(a_verdict_is_asked_for_again),
          FIXTURE_CASE(nothing_is_pending_in_an_ordinary_handshake))
