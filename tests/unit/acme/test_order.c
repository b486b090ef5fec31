/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders: the whole way, what is refused on it, and what happens at its ends.
 */
#include "client.h"

static void a_name_is_ordered_proved_and_certified(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    client_new(&client);
    client_register(&client);
    client_issue(&client, "Web.example.org", NULL, &order);
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    assert_int_equal(facts->name_count, 1);
    assert_true(mu_slice_equal_text(facts->names[0].bytes, "web.example.org"));
    assert_int_equal(facts->eku, MU_EKU_SERVER);
    assert_int_equal(probing.method, ACME_HTTP_01);
    assert_string_equal(probing.name, "web.example.org");
    assert_true(mu_text_starts(probing.authorization, probing.token));
    client_post(&client, order.path, "");
    assert_status(&client, 200);
    assert_string_equal(acme_json_text(client.json, "status"), "valid");
    /* a second time is too late, whatever the request */
    MU_AUTO(buf) struct mu_buf payload = {0};
    const struct mu_gname names[] = {{MU_GNAME_DNS, MU_SLICE_LIT("web.example.org")}};
    csr_payload(NULL, names, 1, &payload);
    client_post(&client, order.finalize, mu_buf_str(&payload));
    assert_problem(&client, 403, "orderNotReady");
    client_done(&client);
}

static void addresses_and_wildcards_are_names_too(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    MU_AUTO(buf) struct mu_buf payload = {0};
    char path[128];
    client_new(&client);
    client_register(&client);
    order_new(&client,
              "{\"identifiers\":[{\"type\":\"ip\",\"value\":\"127.0.0.9\"},"
              "{\"type\":\"dns\",\"value\":\"*.apps.example.org\"}],\"profile\":\"server\"}",
              &order);
    assert_int_equal(order.authz_count, 2);
    challenge_path(&client, order.authzs[0], "dns-01", path, sizeof path);
    assert_string_equal(path, ""); /* no DNS for addresses */
    challenge_path(&client, order.authzs[1], "http-01", path, sizeof path);
    assert_string_equal(path, ""); /* DNS alone for wildcards */
    assert_true(json_is_true(json_object_get(client.json, "wildcard")));
    challenge_path(&client, order.authzs[0], "tls-alpn-01", path, sizeof path);
    client_post(&client, path, "{}");
    found(MUTUAL_OK);
    const struct mu_gname names[] = {{MU_GNAME_IP, MU_SLICE_LIT("\x7f\0\0\x09")},
                                     {MU_GNAME_DNS, MU_SLICE_LIT("*.APPS.example.org")}};
    csr_payload(NULL, names, 2, &payload);
    client_post(&client, order.finalize, mu_buf_str(&payload));
    assert_problem(&client, 403, "orderNotReady"); /* one of two is proved */
    challenge_path(&client, order.authzs[1], "dns-01", path, sizeof path);
    client_post(&client, path, "{}");
    assert_string_equal(probing.name, "apps.example.org");
    found(MUTUAL_OK);
    client_post(&client, order.finalize, mu_buf_str(&payload));
    assert_status(&client, 200);
    (void)snprintf(path, sizeof path, "%s", path_of(acme_json_text(client.json, "certificate")));
    client_post(&client, path, "");
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    assert_int_equal(mu_cert_facts(cert)->name_count, 2);
    assert_true(mu_slice_equal_text(mu_cert_facts(cert)->names[1].bytes, "*.apps.example.org"));
    client_done(&client);
}

static void orders_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *type;
        unsigned status;
    } rows[] = {
        {"{}", "malformed", 400},
        {"{\"identifiers\":[]}", "malformed", 400},
        {"{\"identifiers\":{}}", "malformed", 400},
        {"{\"identifiers\":[1]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"email\",\"value\":\"a@example.org\"}]}",
         "unsupportedIdentifier", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a..example.org\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"*.*.example.org\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a*.example.org\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\\nb\"}]}", "malformed",
         400},
        {"{\"identifiers\":[{\"type\":\"ip\",\"value\":\"127.0.0.01\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"ip\",\"value\":\"::0001\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"ip\",\"value\":\"a.example.org\"}]}", "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\"},"
         "{\"type\":\"dns\",\"value\":\"A.example.org\"}]}",
         "malformed", 400},
        {ORDER_OF("www.example.com"), "rejectedIdentifier", 403}, /* not the issuer's */
        {ORDER_OF("example.org.example.com"), "rejectedIdentifier", 403},
        {"{\"identifiers\":[{\"type\":\"ip\",\"value\":\"192.0.2.1\"}]}", "rejectedIdentifier",
         403},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\"}],"
         "\"profile\":\"client\"}",
         "invalidProfile", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\"}],\"profile\":1}",
         "invalidProfile", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\"}],"
         "\"notAfter\":\"2030-01-01T00:00:00Z\"}",
         "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\"}],\"replaces\":\"x\"}",
         "malformed", 400},
        {"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\"}],\"replaces\":\"AAAA."
         "BBBB\"}",
         "malformed", 404},
    };
    static struct client client;
    client_new(&client);
    client_register(&client);
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        char type[128];
        (void)snprintf(type, sizeof type, "urn:ietf:params:acme:error:%s", rows[i].type);
        client_post(&client, "/acme/new-order", rows[i].payload);
        if (client.reply.head.status != rows[i].status ||
            strcmp(acme_json_text(client.json, "type"), type) != 0) {
            fail_msg("%s: %.*s", rows[i].payload, (int)client.reply.body.len,
                     (const char *)client.reply.body.data);
        }
    }
    client_done(&client);
}

static void a_request_must_be_for_the_orders_names(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    struct mutual_error err = {0};
    client_new(&client);
    client_register(&client);
    order_new(&client,
              "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example.org\"},"
              "{\"type\":\"ip\",\"value\":\"127.0.0.1\"}]}",
              &order);
    order_validate(&client, &order, "http-01");
    const struct mu_gname a = {MU_GNAME_DNS, MU_SLICE_LIT("a.example.org")};
    const struct mu_gname ip = {MU_GNAME_IP, MU_SLICE_LIT("\x7f\0\0\x01")};
    const struct {
        struct mu_gname names[3];
        size_t count;
    } rows[] = {
        {{a}, 1},
        {{ip}, 1},
        {{a, ip, {MU_GNAME_DNS, MU_SLICE_LIT("b.example.org")}}, 3},
        {{a, ip, {MU_GNAME_DNS, MU_SLICE_LIT("*.example.org")}}, 3},
        {{a, ip, {MU_GNAME_EMAIL, MU_SLICE_LIT("a@example.org")}}, 3},
        {{a, ip, {MU_GNAME_URI, MU_SLICE_LIT("spiffe://example.org/a")}}, 3},
        {{a, {MU_GNAME_DNS, MU_SLICE_LIT("127.0.0.1")}}, 2},
        {{a, {MU_GNAME_IP, MU_SLICE_LIT("\x7f\0\0\x02")}}, 2},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(buf) struct mu_buf payload = {0};
        csr_payload(NULL, rows[i].names, rows[i].count, &payload);
        client_post(&client, order.finalize, mu_buf_str(&payload));
        assert_problem(&client, 400, "badCSR");
    }
    const struct mu_gname both[] = {a, ip};
    MU_AUTO(buf) struct mu_buf own = {0};
    csr_payload(client.key, both, 2, &own);
    client_post(&client, order.finalize, mu_buf_str(&own));
    assert_problem(&client, 400, "badCSR"); /* the account's key */
    static const char *const garbage[] = {"{\"csr\":\"\"}", "{\"csr\":\"AAAA\"}",
                                          "{\"csr\":\"MA==\"}", "{\"csr\":7}", "{}"};
    for (size_t i = 0; i < MU_COUNT(garbage); i++) {
        client_post(&client, order.finalize, garbage[i]);
        assert_problem(&client, 400, "badCSR");
    }
    client_post(&client, order.finalize, "");
    assert_problem(&client, 400, "malformed");
    /* one signed by another key than its own */
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf broken;
    mu_buf_init(&der, 8192);
    mu_buf_init(&broken, 8192);
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    assert_ok(mu_csr_build(key, NULL, 0, both, 2, &der, &err), &err);
    der.data[der.len - 1] ^= 1;
    mu_buf_text(&broken, "{\"csr\":\"");
    mu_base64url(&broken, mu_buf_slice(&der));
    mu_buf_text(&broken, "\"}");
    client_post(&client, order.finalize, mu_buf_str(&broken));
    assert_problem(&client, 400, "badCSR");
    /* and after all of that the right one is served */
    MU_AUTO(buf) struct mu_buf good = {0};
    csr_payload(key, both, 2, &good);
    client_post(&client, order.finalize, mu_buf_str(&good));
    assert_status(&client, 200);
    client_done(&client);
}

static void nobody_sees_anothers_order(void **state)
{
    (void)state;
    static struct client client;
    static struct client other;
    struct order order;
    char challenge[128];
    char certificate[128];
    client_new(&client);
    client_register(&client);
    client_new(&other);
    client_register(&other);
    client_issue(&client, "mine.example.org", NULL, &order);
    (void)snprintf(certificate, sizeof certificate, "/acme/certificate%s",
                   strrchr(order.path, '/'));
    client_post(&client, certificate, "");
    assert_status(&client, 200);
    order_new(&client, ORDER_OF("mine.example.org"), &order);
    challenge_path(&client, order.authzs[0], "http-01", challenge, sizeof challenge);
    const char *const paths[] = {order.path, order.authzs[0], challenge, certificate};
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        client_post(&other, paths[i], "");
        assert_problem(&other, 404, "malformed");
    }
    client_post(&other, challenge, "{}");
    assert_problem(&other, 404, "malformed");
    client_post(&other, order.finalize, "{\"csr\":\"AAAA\"}");
    assert_problem(&other, 404, "malformed");
    client_post(&other, order.authzs[0], "{\"status\":\"deactivated\"}");
    assert_problem(&other, 404, "malformed");
    static const char *const nowhere[] = {"/acme/order/0",  "/acme/order/999999",
                                          "/acme/order/x",  "/acme/order/1/2",
                                          "/acme/order/-1", "/acme/order/01x"};
    for (size_t i = 0; i < MU_COUNT(nowhere); i++) {
        client_post(&client, nowhere[i], "");
        assert_problem(&client, 404, "malformed");
    }
    client_done(&client);
    client_done(&other);
}

static void an_order_ends_with_its_time(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    MU_AUTO(buf) struct mu_buf payload = {0};
    const struct mu_gname names[] = {{MU_GNAME_DNS, MU_SLICE_LIT("late.example.org")}};
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("late.example.org"), &order);
    order_validate(&client, &order, "http-01");
    int64_t then_s = home.now_s;
    home.now_s += ACME_ORDER_LIFE_S;
    client.nonce[0] = '\0';
    client_post(&client, order.path, "");
    assert_string_equal(acme_json_text(client.json, "status"), "invalid");
    client_post(&client, order.authzs[0], "");
    assert_string_equal(acme_json_text(client.json, "status"), "expired");
    csr_payload(NULL, names, 1, &payload);
    client_post(&client, order.finalize, mu_buf_str(&payload));
    assert_problem(&client, 403, "orderNotReady");
    /* a clock that is set back brings nothing back that was given away, and nothing is lost */
    home.now_s = then_s;
    client.nonce[0] = '\0';
    client_post(&client, order.path, "");
    assert_string_equal(acme_json_text(client.json, "status"), "ready");
    client_done(&client);
}

/* The key process is away: the order stays ready, and the next try is served. */
static void an_order_survives_a_signer_that_fails(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    MU_AUTO(buf) struct mu_buf payload = {0};
    const struct mu_gname names[] = {{MU_GNAME_DNS, MU_SLICE_LIT("retry.example.org")}};
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("retry.example.org"), &order);
    order_validate(&client, &order, "http-01");
    csr_payload(NULL, names, 1, &payload);
    home.refuse_signing = true;
    client_post(&client, order.finalize, mu_buf_str(&payload));
    assert_problem(&client, 503, "serverInternal");
    assert_null(strstr(acme_json_text(client.json, "detail"), "test")); /* nothing of our inside */
    home.refuse_signing = false;
    client_post(&client, order.path, "");
    assert_string_equal(acme_json_text(client.json, "status"), "ready");
    client_post(&client, order.finalize, mu_buf_str(&payload));
    assert_status(&client, 200);
    assert_string_equal(acme_json_text(client.json, "status"), "valid");
    client_done(&client);
}

/* Who began to issue and died leaves "processing"; it is open again after a while. */
static void an_order_that_nobody_finishes_is_open_again(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static struct client client;
    struct order order;
    char sql[256];
    client_new(&client);
    client_register(&client);
    order_new(&client, ORDER_OF("stuck.example.org"), &order);
    order_validate(&client, &order, "http-01");
    (void)snprintf(sql, sizeof sql,
                   "UPDATE acme_order SET status = 'processing', claimed_s = %lld WHERE id = %s",
                   (long long)home.now_s, strrchr(order.path, '/') + 1);
    assert_ok(store_exec(home_store(), sql, &err), &err);
    client_post(&client, order.path, "");
    assert_string_equal(acme_json_text(client.json, "status"), "processing");
    client_post(&client, order.finalize, "{\"csr\":\"AAAA\"}");
    assert_problem(&client, 403, "orderNotReady");
    home.now_s += ACME_FINALIZE_S;
    client_post(&client, order.path, "");
    assert_string_equal(acme_json_text(client.json, "status"), "ready");
    client_done(&client);
}

static void open_orders_are_bounded(void **state)
{
    (void)state;
    static struct client client;
    client_new(&client);
    client_register(&client);
    for (unsigned i = 0; i < ACME_PENDING_MAX; i++) {
        client_post(&client, "/acme/new-order", ORDER_OF("many.example.org"));
        assert_status(&client, 201);
    }
    client_post(&client, "/acme/new-order", ORDER_OF("many.example.org"));
    assert_problem(&client, 429, "rateLimited");
    assert_int_equal(http_field_count(&client.reply.head, "Retry-After"), 1);
    client_done(&client);
}

static void a_renewal_says_what_it_replaces_once(void **state)
{
    (void)state;
    static struct client client;
    static struct client other;
    struct order order;
    MU_AUTO(buf) struct mu_buf ari;
    MU_AUTO(buf) struct mu_buf payload;
    client_new(&client);
    client_register(&client);
    client_new(&other);
    client_register(&other);
    client_issue(&client, "renewed.example.org", NULL, &order);
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    mu_buf_init(&ari, 256);
    mu_base64url(&ari, mu_cert_facts(cert)->akid);
    mu_buf_text(&ari, ".");
    uint8_t serial[21] = {0};
    struct mu_slice bytes = mu_cert_facts(cert)->serial;
    memcpy(serial + 1, bytes.data, bytes.len);
    bool high = (bytes.data[0] & 0x80) != 0;
    mu_base64url(&ari, mu_slice_of(serial + !high, bytes.len + high));
    mu_buf_init(&payload, 1024);
    mu_buf_printf(&payload,
                  "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"renewed.example.org\"}],"
                  "\"replaces\":\"%s\"}",
                  mu_buf_str(&ari));
    client_post(&other, "/acme/new-order", mu_buf_str(&payload));
    assert_problem(&other, 400, "malformed"); /* not his */
    order_new(&client, mu_buf_str(&payload), &order);
    client_post(&client, "/acme/new-order", mu_buf_str(&payload));
    assert_problem(&client, 409, "alreadyReplaced");
    order_validate(&client, &order, "http-01");
    MU_AUTO(buf) struct mu_buf csr = {0};
    const struct mu_gname names[] = {{MU_GNAME_DNS, MU_SLICE_LIT("renewed.example.org")}};
    csr_payload(NULL, names, 1, &csr);
    client_post(&client, order.finalize, mu_buf_str(&csr));
    assert_status(&client, 200);
    client_done(&client);
    client_done(&other);
}

ACME_UNIT_MAIN(UNIT_CASE(a_name_is_ordered_proved_and_certified),
               UNIT_CASE(addresses_and_wildcards_are_names_too), UNIT_CASE(orders_that_are_refused),
               UNIT_CASE(a_request_must_be_for_the_orders_names),
               UNIT_CASE(nobody_sees_anothers_order), UNIT_CASE(an_order_ends_with_its_time),
               UNIT_CASE(an_order_survives_a_signer_that_fails),
               UNIT_CASE(an_order_that_nobody_finishes_is_open_again),
               UNIT_CASE(open_orders_are_bounded), UNIT_CASE(a_renewal_says_what_it_replaces_once))
