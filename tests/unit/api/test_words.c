/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_internal.h"

#include "unit.h"

static char storage[4096];

static struct http_head head_of(const char *target, const char *fields)
{
    struct mutual_error err = {0};
    struct http_head head;
    (void)snprintf(storage, sizeof storage,
                   "GET %s HTTP/1.1\r\nHost: ca.example.org:8443\r\n%s\r\n", target, fields);
    assert_ok(http_request_parse(mu_slice_text(storage), &head, &err), &err);
    return head;
}

static void basic_credentials_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *user, *secret; /* NULL: none */
    } rows[] = {
        {"", NULL, NULL},
        {"Authorization: Basic am9lOnNlY3JldA==\r\n", "joe", "secret"},
        {"Authorization: basic   am9lOmE6Yg==\r\n", "joe", "a:b"},
        {"Authorization: Basic OnNlY3JldA==\r\n", "", "secret"},
        {"Authorization: Basic am9l\r\n", NULL, NULL},              /* no colon       */
        {"Authorization: Basic am9lOgBi\r\n", NULL, NULL},          /* a NUL          */
        {"Authorization: Basic am9lOnNlY3JldA\r\n", NULL, NULL},    /* no padding     */
        {"Authorization: Basic am9l OnNlY3JldA==\r\n", NULL, NULL}, /* a blank inside */
        {"Authorization: Basic \r\n", NULL, NULL},
        {"Authorization: Bearer am9lOnNlY3JldA==\r\n", NULL, NULL},
        {"Authorization: Basic am9lOnNlY3JldA==\r\nAuthorization: Basic am9lOnNlY3JldA==\r\n", NULL,
         NULL},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct http_head head = head_of("/", rows[i].field);
        MU_AUTO(buf) struct mu_buf user;
        MU_AUTO(buf) struct mu_buf secret;
        mu_buf_init(&user, 64);
        mu_buf_init(&secret, 64);
        bool good = api_basic(&head, &user, &secret);
        assert_int_equal(good, rows[i].secret != NULL);
        if (good) {
            assert_string_equal(mu_buf_str(&user), rows[i].user);
            assert_string_equal(mu_buf_str(&secret), rows[i].secret);
        }
    }
}

static void parameters_are_decoded_once(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *value; /* of "q"; NULL: none */
    } rows[] = {
        {"/", NULL},         {"/?q=a", "a"},   {"/?x=1&q=a+b%2f", "a b/"},
        {"/?q=a&q=b", NULL}, {"/?qq=a", NULL}, {"/?q=%2525", "%25"},
        {"/?q=%00", NULL},   {"/?q=", ""},     {"/?q", NULL},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct http_head head = head_of(rows[i].target, "");
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 64);
        bool good = api_query(&head, "q", &out);
        assert_int_equal(good, rows[i].value != NULL);
        if (good) {
            assert_string_equal(mu_buf_str(&out), rows[i].value);
        }
    }
}

static void addresses_are_the_configured_or_the_callers_own(void **state)
{
    (void)state;
    struct http_head head = head_of("/a", "");
    struct api_caller caller = {.channel = API_TLS, .listener = "l", .address = "a"};
    struct api_settings settings = {0};
    const struct api_world world = {.settings = &settings};
    const struct api_request request = {.head = &head, .caller = &caller};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 256);
    api_url(&world, &request, "/x", &out);
    assert_string_equal(mu_buf_str(&out), "https://ca.example.org:8443/x");
    mu_buf_clear(&out);
    caller.channel = API_PLAIN;
    api_url(&world, &request, "/x", &out);
    assert_string_equal(mu_buf_str(&out), "http://ca.example.org:8443/x");
    mu_buf_clear(&out);
    settings.url = "https://pki.example.org";
    api_url(&world, &request, "/x", &out);
    assert_string_equal(mu_buf_str(&out), "https://pki.example.org/x");
}

static void callers_are_written_escaped(void **state)
{
    (void)state;
    const struct api_caller caller = {
        .channel = API_TLS, .listener = "enroll", .address = "192.0.2.1"};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 256);
    api_who(&caller, NULL, &out);
    assert_string_equal(mu_buf_str(&out), "192.0.2.1 (enroll)");
    for (int i = 0; i < API_CHANNEL_COUNT_; i++) {
        assert_true(api_channel_word((enum api_channel)i)[0] != '\0');
    }
}

UNIT_MAIN(UNIT_CASE(basic_credentials_are_read), UNIT_CASE(parameters_are_decoded_once),
          UNIT_CASE(addresses_are_the_configured_or_the_callers_own),
          UNIT_CASE(callers_are_written_escaped))
