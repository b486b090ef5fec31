/* SPDX-License-Identifier: Apache-2.0
 *
 * Challenges: begun once, settled by what was found, asked again when somebody stopped to look.
 */
#include "client.h"

static void begin(struct client *client, const char *name, const char *type, struct order *order,
                  char path[128])
{
    char payload[256];
    (void)snprintf(payload, sizeof payload,
                   "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}]}", name);
    order_new(client, payload, order);
    challenge_path(client, order->authzs[0], type, path, 128);
    client_post(client, path, "{}");
    assert_status(client, 200);
    assert_string_equal(acme_json_text(client->json, "status"), "processing");
    assert_int_equal(http_field_count(&client->reply.head, "Retry-After"), 1);
}

static void assert_order(struct client *client, const struct order *order, const char *status)
{
    client_post(client, order->path, "");
    assert_status(client, 200);
    assert_string_equal(acme_json_text(client->json, "status"), status);
}

static void a_wrong_answer_ends_the_order(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    char path[128];
    client_new(&client);
    client_register(&client);
    begin(&client, "wrong.example.org", "http-01", &order, path);
    found(MUTUAL_E_ACME_VALIDATION);
    client_post(&client, path, "");
    assert_string_equal(acme_json_text(client.json, "status"), "invalid");
    assert_string_equal(acme_json_text(json_object_get(client.json, "error"), "type"),
                        "urn:ietf:params:acme:error:incorrectResponse");
    client_post(&client, order.authzs[0], "");
    assert_string_equal(acme_json_text(client.json, "status"), "invalid");
    assert_int_equal(json_array_size(json_object_get(client.json, "challenges")), 1);
    assert_order(&client, &order, "invalid");
    assert_non_null(json_object_get(client.json, "error"));
    found(MUTUAL_OK); /* too late */
    assert_order(&client, &order, "invalid");
    client_post(&client, path, "{}"); /* and not begun again */
    assert_string_equal(acme_json_text(client.json, "status"), "invalid");
    client_done(&client);
}

static void what_went_wrong_has_the_standards_words(void **state)
{
    (void)state;
    static const struct {
        enum mutual_code code;
        const char *type;
    } rows[] = {
        {MUTUAL_E_RESOLVE_FAILED, "dns"},
        {MUTUAL_E_CONNECT_FAILED, "connection"},
        {MUTUAL_E_FETCH_FORBIDDEN, "connection"},
        {MUTUAL_E_HTTP_STATUS, "incorrectResponse"},
    };
    static struct client client;
    client_new(&client);
    client_register(&client);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct order order;
        char path[128];
        char type[96];
        begin(&client, "words.example.org", "http-01", &order, path);
        found(rows[i].code);
        (void)snprintf(type, sizeof type, "urn:ietf:params:acme:error:%s", rows[i].type);
        client_post(&client, path, "");
        assert_string_equal(acme_json_text(json_object_get(client.json, "error"), "type"), type);
    }
    client_done(&client);
}

static void the_key_authorization_is_the_accounts(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    struct mutual_error err = {0};
    char path[128];
    uint8_t digest[32];
    MU_AUTO(buf) struct mu_buf jwk;
    MU_AUTO(buf) struct mu_buf expected;
    client_new(&client);
    client_register(&client);
    begin(&client, "auth.example.org", "dns-01", &order, path);
    mu_buf_init(&jwk, 4096);
    mu_buf_init(&expected, 4096);
    unit_jwk(client.key, &jwk); /* its members are in the order of RFC 7638 */
    assert_ok(mu_sha256(mu_buf_slice(&jwk), digest, &err), &err);
    mu_buf_printf(&expected, "%s.", probing.token);
    mu_base64url(&expected, mu_slice_of(digest, 32));
    assert_string_equal(probing.authorization, mu_buf_str(&expected));
    assert_int_equal(probing.method, ACME_DNS_01);
    assert_true(strlen(probing.token) >= 22); /* 128 bits, RFC 8555 section 8.3 */
    found(MUTUAL_OK);
    client_done(&client);
}

static void one_challenge_is_chosen(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    char path[128];
    char other[128];
    client_new(&client);
    client_register(&client);
    begin(&client, "choose.example.org", "http-01", &order, path);
    unsigned asked = probing.asked;
    client_post(&client, path, "{}"); /* a client that lost the answer */
    assert_string_equal(acme_json_text(client.json, "status"), "processing");
    challenge_path(&client, order.authzs[0], "dns-01", other, sizeof other);
    client_post(&client, other, "{}");
    assert_problem(&client, 400, "malformed");
    assert_int_equal(probing.asked, asked);
    found(MUTUAL_OK);
    client_done(&client);
}

static void an_authorization_is_given_up(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("up.example.org"), &order);
    client_post(&client, order.authzs[0], "{\"status\":\"valid\"}");
    assert_problem(&client, 400, "malformed");
    client_post(&client, order.authzs[0], "{\"status\":\"deactivated\"}");
    assert_status(&client, 200);
    assert_string_equal(acme_json_text(client.json, "status"), "deactivated");
    assert_order(&client, &order, "invalid");
    client_post(&client, order.authzs[0], "{\"status\":\"deactivated\"}");
    assert_problem(&client, 400, "malformed");
    client_done(&client);
}

static void who_cannot_look_now_looks_later(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    char path[128];
    client_new(&client);
    client_register(&client);
    probing.busy = true;
    begin(&client, "busy.example.org", "http-01", &order, path);
    unsigned asked = probing.asked;
    acme_tick(&home.world, home.now_s + 1);
    assert_int_equal(probing.asked, asked);
    probing.busy = false;
    acme_tick(&home.world, home.now_s + 2);
    assert_true(probing.asked > asked);
    assert_string_equal(probing.name, "busy.example.org");
    found(MUTUAL_OK);
    assert_order(&client, &order, "ready");
    client_done(&client);
}

/* The authority, or the process that looked, died: the next one asks again, a few times. */
static void a_look_that_nobody_ends_is_begun_again(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    char path[128];
    client_new(&client);
    client_register(&client);
    begin(&client, "dead.example.org", "http-01", &order, path);
    unsigned asked = probing.asked;
    acme_tick(&home.world, home.now_s + ACME_ASK_S - 1);
    assert_int_equal(probing.asked, asked);
    acme_tick(&home.world, home.now_s + ACME_ASK_S);
    acme_tick(&home.world, home.now_s + ACME_ASK_S);
    assert_int_equal(probing.asked, asked + 1);
    found(MUTUAL_E_PROCESS_DIED); /* says nothing of the other side */
    acme_tick(&home.world, home.now_s + ACME_ASK_S + 1);
    assert_int_equal(probing.asked, asked + 2);
    assert_string_equal(probing.name, "dead.example.org");
    acme_tick(&home.world, home.now_s + 3 * ACME_ASK_S);
    assert_int_equal(probing.asked, asked + 3);
    acme_tick(&home.world, home.now_s + 5 * ACME_ASK_S);
    assert_int_equal(probing.asked, asked + 3);
    assert_order(&client, &order, "invalid");
    client_done(&client);
}

static void without_a_prober_nothing_is_begun(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    char path[128];
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("nobody.example.org"), &order);
    challenge_path(&client, order.authzs[0], "http-01", path, sizeof path);
    home.world.prober = NULL;
    client_post(&client, path, "{}");
    assert_problem(&client, 503, "serverInternal");
    home.world.prober = &probing.prober;
    client_post(&client, path, "");
    assert_string_equal(acme_json_text(client.json, "status"), "pending");
    client_done(&client);
}

static void what_is_long_over_is_cleaned_away(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    struct order kept;
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("old.example.org"), &order);
    client_issue(&client, "kept.example.org", NULL, &kept);
    int64_t then_s = home.now_s;
    home.now_s = (then_s + ACME_ORDER_LIFE_S + ACME_KEPT_S + 3600) / 3600 * 3600;
    acme_tick(&home.world, home.now_s);
    client.nonce[0] = '\0';
    client_post(&client, order.path, "");
    assert_problem(&client, 404, "malformed");
    client_post(&client, kept.path, "");
    assert_status(&client, 200);
    home.now_s = then_s;
    client_done(&client);
}

ACME_UNIT_MAIN(UNIT_CASE(a_wrong_answer_ends_the_order),
               UNIT_CASE(what_went_wrong_has_the_standards_words),
               UNIT_CASE(the_key_authorization_is_the_accounts), UNIT_CASE(one_challenge_is_chosen),
               UNIT_CASE(an_authorization_is_given_up), UNIT_CASE(who_cannot_look_now_looks_later),
               UNIT_CASE(a_look_that_nobody_ends_is_begun_again),
               UNIT_CASE(without_a_prober_nothing_is_begun),
               UNIT_CASE(what_is_long_over_is_cleaned_away))
