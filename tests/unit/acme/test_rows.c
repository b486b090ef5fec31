/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows: what the schema itself forbids, and that a status moves once.
 */
#include "client.h"

static void a_status_moves_once(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    struct mutual_error err = {0};
    bool done = false;
    uint64_t id = 0;
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("moves.example.org"), &order);
    assert_true(mu_text_uint(strrchr(order.path, '/') + 1, INT64_MAX, &id));
    assert_ok(acme_status_move(home_store(), "acme_order", (int64_t)id, ACME_PENDING, ACME_READY,
                               &done, &err),
              &err);
    assert_true(done);
    assert_ok(acme_status_move(home_store(), "acme_order", (int64_t)id, ACME_PENDING, ACME_READY,
                               &done, &err),
              &err);
    assert_false(done);
    client_done(&client);
}

static void the_schema_itself_forbids_what_must_not_be(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    struct mutual_error err = {0};
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("schema.example.org"), &order);
    static const char *const forbidden[] = {
        "UPDATE acme_account SET status = 'revoked'",
        "UPDATE acme_account SET binding_id = 999999",
        "UPDATE acme_order SET status = 'done'",
        "UPDATE acme_order SET account_id = 999999",
        "UPDATE acme_order SET certificate_id = 999999",
        "UPDATE acme_authz SET status = 'ready'",
        "UPDATE acme_authz SET type = 'email'",
        "UPDATE acme_challenge SET type = 'none'",
        "UPDATE acme_challenge SET token = 'same for all'",
        "DELETE FROM acme_account",
        "DELETE FROM acme_authz",
    };
    for (size_t i = 0; i < MU_COUNT(forbidden); i++) {
        assert_fails(store_exec(home_store(), forbidden[i], &err), &err, MUTUAL_E_STORE_FAILED);
    }
    client_done(&client);
}

static void words_are_the_standards(void **state)
{
    (void)state;
    assert_string_equal(acme_status_word(ACME_PROCESSING), "processing");
    assert_string_equal(acme_status_word(ACME_DEACTIVATED), "deactivated");
    assert_string_equal(acme_method_word(ACME_TLS_ALPN_01), "tls-alpn-01");
}

ACME_UNIT_MAIN(UNIT_CASE(a_status_moves_once),
               UNIT_CASE(the_schema_itself_forbids_what_must_not_be),
               UNIT_CASE(words_are_the_standards))
