/* SPDX-License-Identifier: Apache-2.0
 *
 * External account keys: one account each, for a time, for the names and the profile given.
 */
#include "client.h"

static const char *const web[] = {"web.example.org"};

static void without_a_key_nobody_registers(void **state)
{
    (void)state;
    static struct client client;
    client_new(&client);
    acme_words.open = false;
    client_send(&client, "/acme/new-account", client.key, NULL, "{}");
    assert_problem(&client, 403, "externalAccountRequired");
    client_bind(&client, "server", web, 1);
    client_done(&client);
}

static void a_key_binds_one_account_once(void **state)
{
    (void)state;
    static struct client client;
    static struct client other;
    struct given given;
    const char *url = URL "/acme/new-account";
    client_new(&client);
    client_new(&other);
    key_give(&given, "server", web, 1);
    struct mu_slice secret = mu_buf_slice(&given.secret);
    client_bind_with(&client, client.key, given.kid, MU_SLICE_LIT("another secret"), url);
    assert_problem(&client, 403, "unauthorized");
    client_bind_with(&client, client.key, "nobody", secret, url);
    assert_problem(&client, 403, "unauthorized");
    client_bind_with(&client, other.key, given.kid, secret,
                     url); /* made for another key: replayed */
    assert_problem(&client, 403, "unauthorized");
    client_bind_with(&client, client.key, given.kid, secret, URL "/acme/new-order");
    assert_problem(&client, 403, "unauthorized");
    client_bind_with(&client, client.key, given.kid, secret, url);
    assert_status(&client, 201);
    client_bind_with(&other, other.key, given.kid, secret, url);
    assert_problem(&other, 403, "unauthorized");
    /* the secret is gone: an empty one opens nothing either */
    client_bind_with(&other, other.key, given.kid, mu_slice_of("", 0), url);
    assert_problem(&other, 403, "unauthorized");
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct mutual_error err = {0};
    bool row = false;
    assert_ok(store_prepare(home_store(),
                            "SELECT count(*) FROM acme_binding WHERE account_id IS NOT NULL AND "
                            "length(secret) > 0",
                            &read, &err),
              &err);
    assert_ok(store_step(read, &row, &err), &err);
    assert_int_equal(store_int(read, 0), 0);
    mu_buf_done(&given.secret);
    client_done(&client);
    client_done(&other);
}

static void a_key_ends(void **state)
{
    (void)state;
    static struct client client;
    struct given given;
    client_new(&client);
    key_give(&given, "server", web, 1);
    home.now_s += 3600;
    client_bind_by(&client, &given);
    assert_problem(&client, 403, "unauthorized");
    home.now_s -= 3600;
    mu_buf_done(&given.secret);
    client_done(&client);
}

static void bindings_that_are_none(void **state)
{
    (void)state;
    static struct client client;
    client_new(&client);
    static const char *const rows[] = {
        "{\"externalAccountBinding\":null}", "{\"externalAccountBinding\":{}}",
        "{\"externalAccountBinding\":\"x\"}", "{\"externalAccountBinding\":true}",
        "{\"externalAccountBinding\":{\"protected\":\"e30\",\"payload\":\"e30\"}}"};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        client_send(&client, "/acme/new-account", client.key, NULL, rows[i]);
        assert_problem(&client, 400, "malformed");
    }
    client_done(&client);
}

static void a_key_says_which_names(void **state)
{
    (void)state;
    static const char *const names[] = {"db.example.org", "*.apps.example.org", "127.0.0.0/24"};
    static const struct {
        const char *type, *value;
        bool allowed;
    } rows[] = {
        {"dns", "db.example.org", true},
        {"dns", "DB.example.org", true},
        {"dns", "a.apps.example.org", true},
        {"dns", "*.apps.example.org", true},
        {"ip", "127.0.0.7", true},
        {"dns", "x.db.example.org", false},
        {"dns", "*.db.example.org", false},
        {"dns", "a.b.apps.example.org", false},
        {"dns", "*.a.apps.example.org", false},
        {"dns", "apps.example.org", false},
        {"dns", "*.example.org", false},
        {"dns", "example.org", false},
        {"dns", "web.example.org", false},
        {"ip", "127.0.1.7", false},
    };
    static struct client client;
    client_new(&client);
    client_bind(&client, "server", names, MU_COUNT(names));
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        char payload[256];
        (void)snprintf(payload, sizeof payload,
                       "{\"identifiers\":[{\"type\":\"%s\",\"value\":\"%s\"}]}", rows[i].type,
                       rows[i].value);
        client_post(&client, "/acme/new-order", payload);
        if (rows[i].allowed) {
            assert_status(&client, 201);
        } else {
            assert_problem(&client, 403, "rejectedIdentifier");
        }
    }
    client_done(&client);
}

static void a_key_says_which_profile_and_owner(void **state)
{
    (void)state;
    static const char *const names[] = {"both.example.org"};
    static struct client client;
    struct order order;
    struct mutual_error err = {0};
    client_new(&client);
    client_bind(&client, "service", names, 1);
    client_issue(&client, "both.example.org", NULL, &order);
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    assert_int_equal(mu_cert_facts(cert)->eku, MU_EKU_SERVER | MU_EKU_CLIENT);
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_filter filter = {.owner = "web team"};
    assert_ok(inventory_records_get(ca_inventory(home.ca), &filter, 10, &records, &err), &err);
    assert_int_equal(records.count, 1);
    assert_string_equal(records.items[0].profile, "service");
    client_post(&client, "/acme/new-order",
                "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"both.example.org\"}],"
                "\"profile\":\"server\"}");
    assert_problem(&client, 400, "invalidProfile");
    client_done(&client);
}

static void keys_that_are_not_made(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char kid[ACME_KID_TEXT];
    char secret[ACME_SECRET_TEXT];
    static const char *const bad[] = {"a..example.org"};
    static const char *const hosts[] = {"10.0.0.1/24"};
    struct acme_key_request request = {.name = "x",
                                       .owner = "x",
                                       .profile = "server",
                                       .names = web,
                                       .name_count = 0,
                                       .life_s = 60,
                                       .who = "tester",
                                       .now_s = home.now_s};
    assert_fails(acme_key_new(home.ca, &request, kid, secret, &err), &err, MUTUAL_E_OPTION_VALUE);
    request.name_count = 1;
    request.profile = "nobody";
    assert_fails(acme_key_new(home.ca, &request, kid, secret, &err), &err, MUTUAL_E_OPTION_VALUE);
    request.profile = "user";
    assert_fails(acme_key_new(home.ca, &request, kid, secret, &err), &err, MUTUAL_E_PROFILE_DENIED);
    request.profile = "server";
    request.names = bad;
    assert_false(acme_key_new(home.ca, &request, kid, secret, &err));
    store_rollback(home_store());
    request.names = hosts;
    assert_false(acme_key_new(home.ca, &request, kid, secret, &err));
    store_rollback(home_store());
}

ACME_UNIT_MAIN(UNIT_CASE(without_a_key_nobody_registers), UNIT_CASE(a_key_binds_one_account_once),
               UNIT_CASE(a_key_ends), UNIT_CASE(bindings_that_are_none),
               UNIT_CASE(a_key_says_which_names), UNIT_CASE(a_key_says_which_profile_and_owner),
               UNIT_CASE(keys_that_are_not_made))
