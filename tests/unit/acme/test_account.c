/* SPDX-License-Identifier: Apache-2.0
 *
 * Accounts: registered, found again, changed, given another key, deactivated.
 */
#include "client.h"

static void a_key_registers_one_account(void **state)
{
    (void)state;
    static struct client client;
    char first[256];
    client_new(&client);
    client_send(&client, "/acme/new-account", client.key, NULL, "{\"onlyReturnExisting\":true}");
    assert_problem(&client, 400, "accountDoesNotExist");
    client_register(&client);
    assert_string_equal(acme_json_text(client.json, "status"), "valid");
    assert_true(mu_text_starts(acme_json_text(client.json, "orders"), URL "/acme/orders/"));
    (void)snprintf(first, sizeof first, "%s", client.location);
    client_send(&client, "/acme/new-account", client.key, NULL, "{\"onlyReturnExisting\":true}");
    assert_status(&client, 200);
    assert_string_equal(client.location, first);
    client_send(&client, "/acme/new-account", client.key, NULL, "{}");
    assert_status(&client, 200);
    assert_string_equal(client.location, first);
    client_done(&client);
}

static void contacts_are_mailboxes(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *type;
    } rows[] = {
        {"{\"contact\":\"mailto:a@example.org\"}", "invalidContact"},
        {"{\"contact\":[1]}", "invalidContact"},
        {"{\"contact\":[\"tel:+1\"]}", "unsupportedContact"},
        {"{\"contact\":[\"a@example.org\"]}", "unsupportedContact"},
        {"{\"contact\":[\"mailto:\"]}", "invalidContact"},
        {"{\"contact\":[\"mailto:a\"]}", "invalidContact"},
        {"{\"contact\":[\"mailto:a@example.org?cc=b@example.org\"]}", "invalidContact"},
        {"{\"contact\":[\"mailto:a@example.org,b@example.org\"]}", "invalidContact"},
    };
    static struct client client;
    client_new(&client);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        char type[96];
        (void)snprintf(type, sizeof type, "urn:ietf:params:acme:error:%s", rows[i].type);
        client_send(&client, "/acme/new-account", client.key, NULL, rows[i].payload);
        assert_status(&client, 400);
        assert_string_equal(acme_json_text(client.json, "type"), type);
    }
    client_register(&client);
    client_post(&client, path_of(client.kid), "{\"contact\":[\"mailto:new@example.org\"]}");
    assert_status(&client, 200);
    client_post(&client, path_of(client.kid), "");
    const json_t *list = json_object_get(client.json, "contact");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "mailto:new@example.org");
    client_post(&client, path_of(client.kid), "{\"contact\":[\"tel:+1\"]}");
    assert_problem(&client, 400, "unsupportedContact");
    client_done(&client);
}

static void terms_are_agreed_to(void **state)
{
    (void)state;
    static struct client client;
    client_new(&client);
    acme_words.terms = "https://example.org/terms";
    static const char *const rows[] = {"{}", "{\"termsOfServiceAgreed\":false}",
                                       "{\"termsOfServiceAgreed\":\"true\"}"};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        client_send(&client, "/acme/new-account", client.key, NULL, rows[i]);
        assert_problem(&client, 400, "malformed");
    }
    client_send(&client, "/acme/new-account", client.key, NULL, "{\"termsOfServiceAgreed\":true}");
    assert_status(&client, 201);
    acme_words.terms = NULL;
    client_done(&client);
}

static void a_deactivated_account_does_nothing_more(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("gone.example.org"), &order);
    static const char *const wrong[] = {"{\"status\":\"valid\"}", "{\"status\":\"revoked\"}",
                                        "{\"status\":1}"};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        client_post(&client, path_of(client.kid), wrong[i]);
        assert_problem(&client, 400, "malformed");
    }
    client_post(&client, path_of(client.kid), "{\"status\":\"deactivated\"}");
    assert_status(&client, 200);
    assert_string_equal(acme_json_text(client.json, "status"), "deactivated");
    const char *const paths[] = {path_of(client.kid), order.path, "/acme/new-order"};
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        client_post(&client, paths[i], "");
        assert_problem(&client, 401, "unauthorized");
    }
    client_send(&client, "/acme/new-account", client.key, NULL, "{}"); /* nor begins again */
    assert_problem(&client, 401, "unauthorized");
    client_done(&client);
}

static void its_orders_are_listed_by_page(void **state)
{
    (void)state;
    static struct client client;
    static struct client other;
    char path[128];
    struct order order;
    client_new(&client);
    client_register(&client);
    client_new(&other);
    client_register(&other);
    (void)snprintf(path, sizeof path, "/acme/orders%s", strrchr(client.kid, '/'));
    client_post(&client, path, "");
    assert_int_equal(json_array_size(json_object_get(client.json, "orders")), 0);
    for (unsigned i = 0; i < ACME_PENDING_MAX; i++) {
        order_new(&client, ORDER_OF("page.example.org"), &order);
    }
    client_post(&client, path, "");
    assert_int_equal(json_array_size(json_object_get(client.json, "orders")), 100);
    assert_int_equal(http_field_count(&client.reply.head, "Link"), 2); /* index and next */
    char next[256];
    (void)snprintf(next, sizeof next, "%s?after=%s", path, strrchr(order.path, '/') + 1);
    client_post(&client, next, "");
    assert_status(&client, 200);
    assert_int_equal(json_array_size(json_object_get(client.json, "orders")), 0);
    client_post(&other, path, "");
    assert_problem(&other, 403, "unauthorized");
    (void)snprintf(next, sizeof next, "%s?after=x", path);
    client_post(&client, next, "");
    assert_problem(&client, 404, "malformed");
    client_done(&client);
    client_done(&other);
}

/* ---- another key ------------------------------------------------------------------------------
 */

static void change(struct client *client, const struct mu_key *to, const struct mu_key *signs,
                   const struct mu_key *old, const char *account, const char *url)
{
    MU_AUTO(buf) struct mu_buf payload;
    MU_AUTO(buf) struct mu_buf header;
    MU_AUTO(buf) struct mu_buf inner;
    mu_buf_init(&payload, 8192);
    mu_buf_init(&header, 8192);
    mu_buf_init(&inner, 1u << 16);
    mu_buf_printf(&payload, "{\"account\":\"%s\",\"oldKey\":", account);
    unit_jwk(old, &payload);
    mu_buf_text(&payload, "}");
    mu_buf_printf(&header,
                  "{\"alg\":\"%s\",\"url\":\"%s\",\"jwk\":", mu_jws_alg_word(unit_jws_alg(signs)),
                  url);
    unit_jwk(to, &header);
    mu_buf_text(&header, "}");
    unit_jws_raw(signs, mu_buf_str(&header), mu_buf_str(&payload), &inner);
    client_post(client, "/acme/key-change", mu_buf_str(&inner));
}

static void an_account_changes_its_key(void **state)
{
    (void)state;
    static struct client client;
    static struct client other;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *next = NULL;
    client_new(&client);
    client_register(&client);
    client_new(&other);
    client_register(&other);
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &next, &err), &err);
    const char *url = URL "/acme/key-change";
    change(&client, next, client.key, client.key, client.kid, url); /* not signed by the new one */
    assert_problem(&client, 400, "malformed");
    change(&client, next, next, next, client.kid, url); /* another old key */
    assert_problem(&client, 400, "malformed");
    change(&client, next, next, client.key, other.kid, url); /* another account */
    assert_problem(&client, 400, "malformed");
    change(&client, next, next, client.key, client.kid, URL "/acme/new-order");
    assert_problem(&client, 400, "malformed");
    client_post(&client, "/acme/key-change", "{}");
    assert_problem(&client, 400, "malformed");
    change(&client, other.key, other.key, client.key, client.kid, url); /* somebody's key already */
    assert_problem(&client, 409, "malformed");
    assert_string_equal(client.location, other.kid);
    change(&client, next, next, client.key, client.kid, url);
    assert_status(&client, 200);
    client_post(&client, path_of(client.kid), ""); /* the old key is nobody's now */
    assert_problem(&client, 400, "malformed");
    mu_key_unref(client.key);
    client.key = MU_TAKE(next);
    client_post(&client, path_of(client.kid), "");
    assert_status(&client, 200);
    client_done(&client);
    client_done(&other);
}

ACME_UNIT_MAIN(UNIT_CASE(a_key_registers_one_account), UNIT_CASE(contacts_are_mailboxes),
               UNIT_CASE(terms_are_agreed_to), UNIT_CASE(a_deactivated_account_does_nothing_more),
               UNIT_CASE(its_orders_are_listed_by_page), UNIT_CASE(an_account_changes_its_key))
