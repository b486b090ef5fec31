/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame around every request: directory, nonces, what must fit the request, and what strangers
 * are told.
 */
#include "client.h"

static void the_directory_tells_where_everything_is(void **state)
{
    (void)state;
    static struct client client;
    static const char *const names[] = {"newNonce",   "newAccount", "newOrder",
                                        "revokeCert", "keyChange",  "renewalInfo"};
    client_new(&client);
    client_call(&client, "GET", "/acme/directory", NULL, mu_slice_of(NULL, 0));
    assert_status(&client, 200);
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        assert_true(mu_text_starts(acme_json_text(client.json, names[i]), URL "/acme/"));
    }
    const json_t *meta = json_object_get(client.json, "meta");
    assert_true(json_is_false(json_object_get(meta, "externalAccountRequired")));
    assert_non_null(json_object_get(json_object_get(meta, "profiles"), "server"));
    assert_null(json_object_get(meta, "termsOfService"));
    acme_words = (struct acme_settings){.terms = "https://example.org/terms"};
    client_call(&client, "GET", "/acme/directory", NULL, mu_slice_of(NULL, 0));
    meta = json_object_get(client.json, "meta");
    assert_true(json_is_true(json_object_get(meta, "externalAccountRequired")));
    assert_string_equal(acme_json_text(meta, "termsOfService"), "https://example.org/terms");
    acme_words = (struct acme_settings){.open = true};
    client_done(&client);
}

static void nonces_are_given_out(void **state)
{
    (void)state;
    static struct client client;
    struct mu_slice value;
    client_new(&client);
    client_nonce(&client);
    client_call(&client, "GET", "/acme/new-nonce", NULL, mu_slice_of(NULL, 0));
    assert_status(&client, 204);
    assert_true(http_field_find(&client.reply.head, "Cache-Control", &value));
    assert_true(mu_slice_equal_text(value, "no-store"));
    assert_true(http_field_find(&client.reply.head, "Link", &value));
    assert_true(mu_slice_equal_text(value, "<" URL "/acme/directory>;rel=\"index\""));
    client_done(&client);
}

static void send_signed(struct client *client, const struct mu_key *key, const char *kid,
                        const char *nonce, const char *url, const char *path, const char *fields)
{
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, 1u << 16);
    unit_jws(key, kid, nonce, url, "", &body);
    client_call(client, "POST", path, fields, mu_buf_slice(&body));
}

/* Every wrong key, nonce, URL and account on one request that is right otherwise. */
static void whatever_does_not_fit_is_refused(void **state)
{
    (void)state;
    static struct client client;
    static struct client other;
    char nonce[ACME_NONCE_TEXT];
    client_new(&client);
    client_register(&client);
    client_new(&other);
    client_register(&other);
    const char *path = path_of(client.kid);

    send_signed(&client, client.key, client.kid, client.nonce, client.kid, path, JOSE);
    assert_status(&client, 200);
    /* keys */
    send_signed(&client, other.key, client.kid, client.nonce, client.kid, path, JOSE);
    assert_problem(&client, 400, "malformed");
    assert_string_equal(acme_json_text(client.json, "detail"),
                        "the signature is not one by the key given");
    send_signed(&client, other.key, other.kid, client.nonce, client.kid, path, JOSE);
    assert_problem(&client, 403, "unauthorized");
    send_signed(&client, client.key, NULL, client.nonce, client.kid, path, JOSE);
    assert_problem(&client, 400, "malformed"); /* jwk where kid belongs */
    /* accounts */
    static const char *const kids[] = {URL "/acme/account/999999",
                                       URL "/acme/account/",
                                       URL "/acme/account/1x",
                                       URL "/acme/account/-1",
                                       "https://evil.example/acme/account/1",
                                       "1",
                                       ""};
    for (size_t i = 0; i < MU_COUNT(kids); i++) {
        send_signed(&client, client.key, kids[i], client.nonce, client.kid, path, JOSE);
        assert_problem(&client, 400, "accountDoesNotExist");
    }
    /* URLs */
    static const char *const urls[] = {"https://evil.example/acme/account/1",
                                       URL "/acme/new-order",
                                       "http://ca.example.org/acme/account/1",
                                       "/acme/account/1",
                                       "",
                                       URL "/acme/account/1?x"};
    for (size_t i = 0; i < MU_COUNT(urls); i++) {
        send_signed(&client, client.key, client.kid, client.nonce, urls[i], path, JOSE);
        assert_problem(&client, 403, "unauthorized");
    }
    /* nonces; each answer brings a fresh one */
    send_signed(&client, client.key, client.kid, "AAAA", client.kid, path, JOSE);
    assert_problem(&client, 400, "badNonce");
    assert_int_equal(http_field_count(&client.reply.head, "Replay-Nonce"), 1);
    memcpy(nonce, client.nonce, sizeof nonce);
    send_signed(&client, client.key, client.kid, nonce, client.kid, path, JOSE);
    assert_status(&client, 200);
    send_signed(&client, client.key, client.kid, nonce, client.kid, path, JOSE);
    assert_problem(&client, 400, "badNonce"); /* the very request, replayed */
    send_signed(&client, client.key, client.kid, NULL, client.kid, path, JOSE);
    assert_problem(&client, 400, "badNonce");
    client_done(&client);
    client_done(&other);
}

static void a_bad_algorithm_is_answered_with_the_good_ones(void **state)
{
    (void)state;
    static struct client client;
    MU_AUTO(buf) struct mu_buf body;
    MU_AUTO(buf) struct mu_buf header;
    client_new(&client);
    mu_buf_init(&body, 1u << 16);
    mu_buf_init(&header, 1u << 14);
    mu_buf_text(&header,
                "{\"alg\":\"none\",\"nonce\":\"x\",\"url\":\"" URL "/acme/new-account\",\"jwk\":");
    unit_jwk(client.key, &header);
    mu_buf_text(&header, "}");
    unit_jws_raw(client.key, mu_buf_str(&header), "{}", &body);
    client_call(&client, "POST", "/acme/new-account", JOSE, mu_buf_slice(&body));
    assert_problem(&client, 400, "badSignatureAlgorithm");
    assert_int_equal(json_array_size(json_object_get(client.json, "algorithms")), MU_JWS_COUNT_);
    client_done(&client);
}

static void only_jose_and_post_are_taken(void **state)
{
    (void)state;
    static struct client client;
    client_new(&client);
    client_register(&client);
    const char *path = path_of(client.kid);
    static const char *const types[] = {NULL, "Content-Type: application/json\r\n",
                                        "Content-Type: text/plain\r\n",
                                        "Content-Type: application/jose\r\n"};
    for (size_t i = 0; i < MU_COUNT(types); i++) {
        send_signed(&client, client.key, client.kid, client.nonce, client.kid, path, types[i]);
        assert_status(&client, 415);
    }
    static const char *const methods[] = {"GET", "PUT", "DELETE"};
    for (size_t i = 0; i < MU_COUNT(methods); i++) { /* POST-as-GET: nothing is shown unsigned */
        client_call(&client, methods[i], path, NULL, mu_slice_of(NULL, 0));
        assert_status(&client, 405);
    }
    MU_AUTO(buf) struct mu_buf large;
    mu_buf_init(&large, 1u << 18);
    for (unsigned i = 0; i <= MU_LIMIT_API_BODY; i++) {
        mu_buf_byte(&large, ' ');
    }
    client_call(&client, "POST", path, JOSE, mu_buf_slice(&large));
    assert_status(&client, 413);
    client_done(&client);
}

static void plain_http_gets_nothing(void **state)
{
    (void)state;
    static struct client client;
    client_new(&client);
    api_home_caller(&home, API_PLAIN, NULL);
    static const char *const paths[] = {"/acme/directory", "/acme/new-nonce"};
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        client_call(&client, "GET", paths[i], NULL, mu_slice_of(NULL, 0));
        assert_status(&client, 403);
    }
    api_home_caller(&home, API_TLS, NULL);
    client_done(&client);
}

static void nothing_is_served_unless_configured(void **state)
{
    (void)state;
    static struct client client;
    client_new(&client);
    client_nonce(&client);
    home.settings.acme = NULL;
    client_call(&client, "GET", "/acme/directory", NULL, mu_slice_of(NULL, 0));
    assert_problem(&client, 503, "serverInternal");
    client_send(&client, "/acme/new-account", client.key, NULL, "{}");
    assert_problem(&client, 503, "serverInternal");
    client_call(&client, "GET", "/acme/renewal-info/AAAA.BBBB", NULL, mu_slice_of(NULL, 0));
    assert_status(&client, 503);
    home.settings.acme = &acme_words;
    home.settings.url = NULL; /* then the signed URL would be whatever Host says */
    client_send(&client, "/acme/new-account", client.key, NULL, "{}");
    assert_problem(&client, 503, "serverInternal");
    home.settings.url = URL;
    client_done(&client);
}

static void errors_have_the_standards_words(void **state)
{
    (void)state;
    static const struct {
        enum mutual_code code;
        const char *type;
        unsigned status;
    } rows[] = {
        {MUTUAL_E_ACME_NONCE, "badNonce", 400},
        {MUTUAL_E_ACME_UNAUTHORIZED, "unauthorized", 403},
        {MUTUAL_E_ACME_STATE, "orderNotReady", 403},
        {MUTUAL_E_ACME_VALIDATION, "incorrectResponse", 403},
        {MUTUAL_E_RESOLVE_FAILED, "dns", 400},
        {MUTUAL_E_FETCH_FORBIDDEN, "connection", 400},
        {MUTUAL_E_STORE_BUSY, "serverInternal", 503},
        {MUTUAL_E_STORE_UNREACHABLE, "serverInternal", 503},
        {MUTUAL_E_STORE_FAILED, "serverInternal", 503},
        {MUTUAL_E_DISK_FULL, "serverInternal", 503},
        {MUTUAL_E_KEY_UNAVAILABLE, "serverInternal", 503},
        {MUTUAL_E_STORE_CORRUPT, "serverInternal", 500},
        {MUTUAL_E_LIBRARY, "serverInternal", 500},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct mutual_error err = {0};
        unsigned status = 0;
        assert_string_equal(acme_problem_type(rows[i].code, &status), rows[i].type);
        assert_int_equal(status, rows[i].status);
        (void)mu_fail(&err, rows[i].code, "in /var/lib/mutual/ca.db");
        MU_AUTO(api_json) json_t *problem = acme_problem(&err, NULL, 0);
        bool told = strstr(acme_json_text(problem, "detail"), "/var/lib") != NULL;
        assert_int_equal(told, rows[i].status < 500); /* our inside is for our log */
    }
}

ACME_UNIT_MAIN(UNIT_CASE(the_directory_tells_where_everything_is), UNIT_CASE(nonces_are_given_out),
               UNIT_CASE(whatever_does_not_fit_is_refused),
               UNIT_CASE(a_bad_algorithm_is_answered_with_the_good_ones),
               UNIT_CASE(only_jose_and_post_are_taken), UNIT_CASE(plain_http_gets_nothing),
               UNIT_CASE(nothing_is_served_unless_configured),
               UNIT_CASE(errors_have_the_standards_words))
