/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of ACME in memory: it signs, keeps the last nonce, and reads what comes. The prober of
 * the test notes what it was asked and finds what the test says.
 */
#ifndef ACME_CLIENT_H
#define ACME_CLIENT_H

#include "acme/acme_internal.h"

#include "api_call.h"
#include "jws.h"
#include "unit.h"

#define URL  "https://ca.example.org"
#define JOSE "Content-Type: application/jose+json\r\n"

static struct api_home home;
static struct acme_settings acme_words;

/* ---- who looks for answers ---- */

static struct {
    struct acme_prober prober;
    bool busy;
    unsigned asked;
    int64_t challenge_id;
    enum acme_method method;
    enum mutual_name_type type;
    char name[256], token[128], authorization[256];
} probing;

static inline bool note_probe(struct acme_prober *prober, const struct acme_probe *probe,
                              struct mutual_error *err)
{
    (void)prober;
    if (probing.busy) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the test is busy");
    }
    probing.asked++;
    probing.challenge_id = probe->challenge_id;
    probing.method = probe->method;
    probing.type = probe->name.type;
    (void)snprintf(probing.name, sizeof probing.name, "%s", probe->name.text);
    (void)snprintf(probing.token, sizeof probing.token, "%s", probe->token);
    (void)snprintf(probing.authorization, sizeof probing.authorization, "%s", probe->authorization);
    return true;
}

/* What was asked last is found, or not. */
static inline void found(enum mutual_code code)
{
    struct mutual_error err = {0};
    struct mutual_error outcome = {0};
    if (code != MUTUAL_OK) {
        (void)mu_fail(&outcome, code, "the test found another answer");
    }
    assert_ok(acme_probed(&home.world, probing.challenge_id, &outcome, home.now_s, &err), &err);
}

/* ---- the authority ---- */

static const struct api_table *const acme_tables[] = {&acme_table};

static inline int acme_home(void **state)
{
    (void)state;
    api_home_init(&home, acme_tables, 1);
    acme_words = (struct acme_settings){.open = true};
    probing.prober.ask = note_probe;
    home.settings.url = URL;
    home.settings.acme = &acme_words;
    home.world.prober = &probing.prober;
    return 0;
}

static inline int acme_home_done(void **state)
{
    (void)state;
    api_home_done(&home);
    return 0;
}

static inline struct store *home_store(void)
{
    return inventory_store(ca_inventory(home.ca));
}

/* ---- the client ---- */

struct client {
    struct mu_key *key;
    char kid[256];
    char nonce[ACME_NONCE_TEXT];
    char location[256];
    struct api_reply reply;
    json_t *json;
};

static inline void client_new(struct client *client)
{
    struct mutual_error err = {0};
    *client = (struct client){0};
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &client->key, &err), &err);
}

static inline void client_clear(struct client *client)
{
    json_decref(client->json);
    client->json = NULL;
    api_reply_done(&client->reply);
    client->reply = (struct api_reply){0};
}

static inline void client_done(struct client *client)
{
    client_clear(client);
    mu_key_unref(client->key);
}

static inline void keep_field(const struct client *client, const char *name, char *out, size_t size)
{
    struct mu_slice value;
    if (http_field_find(&client->reply.head, name, &value)) {
        (void)snprintf(out, size, "%.*s", (int)value.len, (const char *)value.data);
    }
}

static inline void client_call(struct client *client, const char *method, const char *path,
                               const char *fields, struct mu_slice body)
{
    client_clear(client);
    api_call(&home, method, path, fields, body, &client->reply);
    client->location[0] = '\0';
    keep_field(client, "Replay-Nonce", client->nonce, sizeof client->nonce);
    keep_field(client, "Location", client->location, sizeof client->location);
    client->json = json_loadb((const char *)client->reply.body.data, client->reply.body.len,
                              JSON_REJECT_DUPLICATES, NULL);
}

static inline void client_nonce(struct client *client)
{
    client_call(client, "HEAD", "/acme/new-nonce", NULL, mu_slice_of(NULL, 0));
    assert_int_equal(client->reply.head.status, 200);
    assert_true(client->nonce[0] != '\0');
}

/* A whole URL's path. */
static inline const char *path_of(const char *url)
{
    assert_true(mu_text_starts(url, URL "/"));
    return url + strlen(URL);
}

static inline void client_send(struct client *client, const char *path, const struct mu_key *key,
                               const char *kid, const char *payload)
{
    MU_AUTO(buf) struct mu_buf body;
    char url[1024];
    mu_buf_init(&body, 1u << 18);
    if (client->nonce[0] == '\0') {
        client_nonce(client);
    }
    (void)snprintf(url, sizeof url, URL "%.900s", path);
    unit_jws(key, kid, client->nonce, url, payload, &body);
    assert_false(body.failed);
    client_call(client, "POST", path, JOSE, mu_buf_slice(&body));
}

/* Signed by the account. */
static inline void client_post(struct client *client, const char *path, const char *payload)
{
    client_send(client, path, client->key, client->kid, payload);
}

#define assert_status(client_, status_)                                                         \
    do {                                                                                        \
        if ((client_)->reply.head.status != (status_)) {                                        \
            fail_msg("expected %d, got %u: %.*s", (int)(status_), (client_)->reply.head.status, \
                     (int)(client_)->reply.body.len, (const char *)(client_)->reply.body.data); \
        }                                                                                       \
    } while (0)

#define assert_problem(client_, status_, type_)                                                    \
    do {                                                                                           \
        assert_status(client_, status_);                                                           \
        assert_string_equal(acme_json_text((client_)->json, "type"),                               \
                            "urn:ietf:params:acme:error:" type_);                                  \
        assert_true(strlen(acme_json_text((client_)->json, "detail")) > 0);                        \
        assert_int_equal(json_integer_value(json_object_get((client_)->json, "status")), status_); \
    } while (0)

/* From now on it is the account that was told. */
static inline void client_is(struct client *client)
{
    (void)snprintf(client->kid, sizeof client->kid, "%s", client->location);
}

static inline void client_register(struct client *client)
{
    client_send(client, "/acme/new-account", client->key, NULL,
                "{\"contact\":[\"mailto:a@example.org\"]}");
    assert_status(client, 201);
    client_is(client);
}

/* ---- keys that bind accounts ---- */

struct given {
    char kid[ACME_KID_TEXT];
    struct mu_buf secret;
};

/* One for an hour; its secret is the caller's. */
static inline void key_give(struct given *given, const char *profile, const char *const *names,
                            size_t count)
{
    struct mutual_error err = {0};
    char secret[ACME_SECRET_TEXT];
    const struct acme_key_request request = {.name = "web",
                                             .owner = "web team",
                                             .profile = profile,
                                             .names = names,
                                             .name_count = count,
                                             .life_s = 3600,
                                             .who = "tester",
                                             .now_s = home.now_s};
    assert_ok(acme_key_new(home.ca, &request, given->kid, secret, &err), &err);
    mu_buf_init(&given->secret, 64);
    assert_ok(mu_base64url_parse(mu_slice_text(secret), &given->secret, &err), &err);
    assert_int_equal(given->secret.len, 32);
}

/* Asks for an account of its key; the binding is of whatever it is told to be of. */
static inline void client_bind_with(struct client *client, const struct mu_key *bound,
                                    const char *kid, struct mu_slice secret, const char *url)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 8192);
    mu_buf_text(&payload, "{\"externalAccountBinding\":");
    unit_jws_binding(bound, kid, secret, url, &payload);
    mu_buf_text(&payload, "}");
    client_send(client, "/acme/new-account", client->key, NULL, mu_buf_str(&payload));
}

static inline void client_bind_by(struct client *client, const struct given *given)
{
    client_bind_with(client, client->key, given->kid, mu_buf_slice(&given->secret),
                     URL "/acme/new-account");
}

/* One bound to a key for the names. */
static inline void client_bind(struct client *client, const char *profile, const char *const *names,
                               size_t count)
{
    struct given given;
    key_give(&given, profile, names, count);
    client_bind_by(client, &given);
    mu_buf_done(&given.secret);
    assert_status(client, 201);
    client_is(client);
}

/* ---- orders ---- */

struct order {
    char path[128], finalize[128];
    char authzs[8][128];
    size_t authz_count;
};

static inline void order_read(struct client *client, struct order *order)
{
    *order = (struct order){0};
    (void)snprintf(order->path, sizeof order->path, "%.120s", path_of(client->location));
    (void)snprintf(order->finalize, sizeof order->finalize, "%.120s",
                   path_of(acme_json_text(client->json, "finalize")));
    const json_t *list = json_object_get(client->json, "authorizations");
    order->authz_count = json_array_size(list);
    for (size_t i = 0; i < order->authz_count && i < 8; i++) {
        (void)snprintf(order->authzs[i], sizeof order->authzs[i], "%.120s",
                       path_of(json_string_value(json_array_get(list, i))));
    }
}

static inline void order_new(struct client *client, const char *payload, struct order *ret_order)
{
    client_post(client, "/acme/new-order", payload);
    assert_status(client, 201);
    assert_string_equal(acme_json_text(client->json, "status"), "pending");
    order_read(client, ret_order);
}

static inline void challenge_path(struct client *client, const char *authz, const char *type,
                                  char *out, size_t size)
{
    client_post(client, authz, "");
    assert_status(client, 200);
    const json_t *list = json_object_get(client->json, "challenges");
    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (strcmp(acme_json_text(one, "type"), type) == 0) {
            (void)snprintf(out, size, "%.100s", path_of(acme_json_text(one, "url")));
        }
    }
}

/* All authorizations are answered well. */
static inline void order_validate(struct client *client, const struct order *order,
                                  const char *type)
{
    for (size_t i = 0; i < order->authz_count; i++) {
        char path[128];
        challenge_path(client, order->authzs[i], type, path, sizeof path);
        client_post(client, path, "{}");
        assert_status(client, 200);
        assert_string_equal(acme_json_text(client->json, "status"), "processing");
        found(MUTUAL_OK);
    }
}

/* {"csr": …} by a new key for DNS names and addresses of four octets. */
static inline void csr_payload(const struct mu_key *key, const struct mu_gname *names, size_t count,
                               struct mu_buf *out)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *made = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1u << 16);
    mu_buf_init(out, 1u << 17);
    if (key == NULL) {
        assert_ok(mu_key_generate(MU_SPEC_EC_P256, &made, &err), &err);
    }
    assert_ok(mu_csr_build(key != NULL ? key : made, NULL, 0, names, count, &der, &err), &err);
    mu_buf_text(out, "{\"csr\":\"");
    mu_base64url(out, mu_buf_slice(&der));
    mu_buf_text(out, "\"}");
}

#define ORDER_OF(name_) "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"" name_ "\"}]}"

/* The whole way to a certificate for one DNS name; its PEM is client->reply.body. */
static inline void client_issue(struct client *client, const char *name, const struct mu_key *key,
                                struct order *ret_order)
{
    MU_AUTO(buf) struct mu_buf payload = {0};
    char text[1024];
    (void)snprintf(text, sizeof text, "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}]}",
                   name);
    const struct mu_gname names[] = {{MU_GNAME_DNS, mu_slice_text(name)}};
    order_new(client, text, ret_order);
    order_validate(client, ret_order, "http-01");
    csr_payload(key, names, 1, &payload);
    client_post(client, ret_order->finalize, mu_buf_str(&payload));
    assert_status(client, 200);
    assert_string_equal(acme_json_text(client->json, "status"), "valid");
    (void)snprintf(text, sizeof text, "%s", path_of(acme_json_text(client->json, "certificate")));
    client_post(client, text, "");
    assert_status(client, 200);
}

static inline struct mu_cert *client_certificate(const struct client *client)
{
    struct mutual_error err = {0};
    MU_AUTO(certs) struct mu_certs certs = {0};
    assert_ok(mu_certs_from_pem(client->reply.body, "the answer", &certs, &err), &err);
    assert_int_equal(certs.count, 2);
    return mu_cert_ref(certs.items[0]);
}

#define ACME_UNIT_MAIN(...)                                              \
    int main(void)                                                       \
    {                                                                    \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                 \
        return cmocka_run_group_tests(tests, acme_home, acme_home_done); \
    }

#endif
