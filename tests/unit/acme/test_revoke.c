/* SPDX-License-Identifier: Apache-2.0
 *
 * Revocation by whoever may, and when to renew.
 */
#include "client.h"

static void revocation(const struct mu_cert *cert, const char *more, struct mu_buf *out)
{
    mu_buf_init(out, 1u << 16);
    mu_buf_text(out, "{\"certificate\":\"");
    mu_base64url(out, mu_cert_facts(cert)->der);
    mu_buf_printf(out, "\"%s}", more);
}

static void assert_revoked(const struct mu_cert *cert, enum mu_reason reason)
{
    struct mutual_error err = {0};
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_filter filter = {.serial = mu_cert_facts(cert)->serial};
    assert_ok(inventory_records_get(ca_inventory(home.ca), &filter, 1, &records, &err), &err);
    assert_true(records.items[0].revoked);
    assert_int_equal(records.items[0].reason, reason);
}

static void whoever_got_it_revokes_it(void **state)
{
    (void)state;
    static struct client client;
    static struct client other;
    struct order order;
    MU_AUTO(buf) struct mu_buf payload = {0};
    MU_AUTO(buf) struct mu_buf reason = {0};
    client_new(&client);
    client_register(&client);
    client_new(&other);
    client_register(&other);
    client_issue(&client, "revoke.example.org", NULL, &order);
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    revocation(cert, "", &payload);
    client_post(&other, "/acme/revoke-cert", mu_buf_str(&payload));
    assert_problem(&other, 403, "unauthorized");
    static const char *const reasons[] = {"2",  "6",  "7",  "8",     "9",
                                          "10", "99", "-1", "\"1\"", "1.5"};
    for (size_t i = 0; i < MU_COUNT(reasons); i++) {
        MU_AUTO(buf) struct mu_buf bad = {0};
        char more[32];
        (void)snprintf(more, sizeof more, ",\"reason\":%s", reasons[i]);
        revocation(cert, more, &bad);
        client_post(&client, "/acme/revoke-cert", mu_buf_str(&bad));
        assert_problem(&client, 400, "badRevocationReason");
    }
    revocation(cert, ",\"reason\":4", &reason);
    client_post(&client, "/acme/revoke-cert", mu_buf_str(&reason));
    assert_status(&client, 200);
    assert_revoked(cert, MU_REASON_SUPERSEDED);
    client_post(&client, "/acme/revoke-cert", mu_buf_str(&payload));
    assert_problem(&client, 400, "alreadyRevoked");
    client_post(&client, order.path, ""); /* the order stays what it was */
    assert_string_equal(acme_json_text(client.json, "status"), "valid");
    client_done(&client);
    client_done(&other);
}

static void whoever_has_its_key_revokes_it(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(key) struct mu_key *stranger = NULL;
    MU_AUTO(buf) struct mu_buf payload = {0};
    client_new(&client);
    client_register(&client);
    assert_ok(mu_key_generate(MU_SPEC_RSA_2048, &key, &err), &err);
    assert_ok(mu_key_generate(MU_SPEC_RSA_2048, &stranger, &err), &err);
    client_issue(&client, "key.example.org", key, &order);
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    revocation(cert, ",\"reason\":1", &payload);
    client_send(&client, "/acme/revoke-cert", stranger, NULL, mu_buf_str(&payload));
    assert_problem(&client, 403, "unauthorized");
    client_send(&client, "/acme/revoke-cert", key, NULL, mu_buf_str(&payload));
    assert_status(&client, 200);
    assert_revoked(cert, MU_REASON_KEY_COMPROMISE);
    client_done(&client);
}

static void whoever_holds_its_names_revokes_it(void **state)
{
    (void)state;
    static struct client client;
    static struct client holder;
    struct order order;
    MU_AUTO(buf) struct mu_buf payload = {0};
    client_new(&client);
    client_register(&client);
    client_new(&holder);
    client_register(&holder);
    client_issue(&client, "held.example.org", NULL, &order);
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    revocation(cert, "", &payload);
    order_new(&holder, ORDER_OF("held.example.org"), &order);
    client_post(&holder, "/acme/revoke-cert", mu_buf_str(&payload));
    assert_problem(&holder, 403, "unauthorized"); /* ordered is not proved */
    order_validate(&holder, &order, "dns-01");
    client_post(&holder, "/acme/revoke-cert", mu_buf_str(&payload));
    assert_status(&holder, 200);
    assert_revoked(cert, MU_REASON_UNSPECIFIED);
    client_done(&client);
    client_done(&holder);
}

static void certificates_that_are_not_ours(void **state)
{
    (void)state;
    static struct client client;
    MU_AUTO(buf) struct mu_buf issuer = {0};
    MU_AUTO(buf) struct mu_buf root = {0};
    client_new(&client);
    client_register(&client);
    revocation(ca_issuer(home.ca), "", &issuer);
    revocation(ca_root(home.ca), "", &root);
    client_post(&client, "/acme/revoke-cert", mu_buf_str(&issuer));
    assert_problem(&client, 404, "malformed");
    client_post(&client, "/acme/revoke-cert", mu_buf_str(&root));
    assert_problem(&client, 404, "malformed");
    static const char *const rows[] = {"{}", "{\"certificate\":1}", "{\"certificate\":\"\"}",
                                       "{\"certificate\":\"AAAA\"}", "{\"certificate\":\"MII=\"}"};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        client_post(&client, "/acme/revoke-cert", rows[i]);
        assert_problem(&client, 400, "malformed");
    }
    client_done(&client);
}

/* ---- when to renew ----------------------------------------------------------------------------
 */

static void ask(struct client *client, const struct mu_cert *cert)
{
    MU_AUTO(buf) struct mu_buf path;
    uint8_t serial[21] = {0};
    struct mu_slice bytes = mu_cert_facts(cert)->serial;
    bool high = (bytes.data[0] & 0x80) != 0;
    mu_buf_init(&path, 512);
    mu_buf_text(&path, "/acme/renewal-info/");
    mu_base64url(&path, mu_cert_facts(cert)->akid);
    mu_buf_text(&path, ".");
    memcpy(serial + 1, bytes.data, bytes.len);
    mu_base64url(&path, mu_slice_of(serial + !high, bytes.len + high));
    client_call(client, "GET", mu_buf_str(&path), NULL, mu_slice_of(NULL, 0));
    assert_status(client, 200);
    assert_int_equal(http_field_count(&client->reply.head, "Retry-After"), 1);
}

static int64_t edge(const struct client *client, const char *name)
{
    struct mutual_error err = {0};
    int64_t time_s = 0;
    const json_t *window = json_object_get(client->json, "suggestedWindow");
    assert_ok(mu_time_parse(acme_json_text(window, name), &time_s, &err), &err);
    return time_s;
}

static void a_client_is_told_when_to_renew(void **state)
{
    (void)state;
    static struct client client;
    struct order order;
    MU_AUTO(buf) struct mu_buf payload = {0};
    client_new(&client);
    client_register(&client);
    client_issue(&client, "ari.example.org", NULL, &order);
    MU_AUTO(cert) struct mu_cert *cert = client_certificate(&client);
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    ask(&client, cert);
    int64_t begin_s = edge(&client, "start");
    assert_true(begin_s > facts->not_before_s && begin_s < edge(&client, "end"));
    assert_true(edge(&client, "end") < facts->not_after_s);
    assert_true(begin_s > home.now_s);
    revocation(cert, "", &payload);
    client_post(&client, "/acme/revoke-cert", mu_buf_str(&payload));
    assert_status(&client, 200);
    ask(&client, cert); /* revoked: at once */
    assert_true(edge(&client, "start") < edge(&client, "end"));
    assert_true(edge(&client, "end") < home.now_s + 1);
    static const char *const rows[] = {"x",         "AAAA",      "AAAA.",          ".AAAA",
                                       "AAAA.AAAA", "AAAA.gAAA", "AAAA.BBBB.CCCC", "AA==.BBBB"};
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/acme/renewal-info/%s", rows[i]);
        client_call(&client, "GET", path, NULL, mu_slice_of(NULL, 0));
        assert_true(client.reply.head.status == 400 || client.reply.head.status == 404);
        assert_string_equal(acme_json_text(client.json, "type"),
                            "urn:ietf:params:acme:error:malformed");
    }
    client_done(&client);
}

ACME_UNIT_MAIN(UNIT_CASE(whoever_got_it_revokes_it), UNIT_CASE(whoever_has_its_key_revokes_it),
               UNIT_CASE(whoever_holds_its_names_revokes_it),
               UNIT_CASE(certificates_that_are_not_ours), UNIT_CASE(a_client_is_told_when_to_renew))
