/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static char serial[64];

static void what_is_issued_is_found_by_its_serial_number(void **state)
{
    (void)state;
    as(ADMIN_OPERATOR);
    issue("web", serial);
    char path[128];
    (void)snprintf(path, sizeof path, "/certificates/%s", serial);
    json_t *one = ask("GET", path, NULL, 200);
    assert_string_equal(text_of(one, "name"), "web");
    assert_string_equal(text_of(one, "state"), "valid");
    assert_string_equal(text_of(one, "owner"), "spiffe://example.org/user/operator");
    json_decref(one);
}

static void pem_comes_to_who_asks_for_it(void **state)
{
    (void)state;
    static struct api_reply reply;
    char path[128];
    (void)snprintf(path, sizeof path, "/certificates/%s", serial);
    call("GET", path, "Accept: application/pem-certificate-chain\r\n", NULL, &reply);
    assert_int_equal(reply.head.status, 200);
    assert_true(memcmp(reply.body.data, "-----BEGIN CERTIFICATE-----", 27) == 0);
    api_reply_done(&reply);
}

static void a_serial_number_that_is_none_leads_nowhere(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "..", "%2e%2e", "xyz", "0", "%00", "1234", "00000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/certificates/%s", bad[i]);
        refused("GET", path, NULL, NULL, 404, "NOT_FOUND");
    }
    refused("GET", "/certificates/../../../etc/passwd", NULL, NULL, 404, "NOT_FOUND");
}

static void if_match_lets_nobody_change_what_he_did_not_see(void **state)
{
    (void)state;
    static struct api_reply reply;
    struct mu_slice tag = {0};
    char path[128];
    char revoke[128];
    char fields[256];
    as(ADMIN_OPERATOR);
    (void)snprintf(path, sizeof path, "/certificates/%s", serial);
    (void)snprintf(revoke, sizeof revoke, "/certificates/%s/revoke", serial);
    call("GET", path, NULL, NULL, &reply);
    assert_true(http_field_find(&reply.head, "ETag", &tag));
    refused("POST", revoke, JSON "If-Match: \"0123\"\r\n", "{}", 412, "CHANGED");
    refused("POST", revoke, JSON "If-Match: W/\"0123\", \"45\"\r\n", "{}", 412, "CHANGED");
    (void)snprintf(fields, sizeof fields, JSON "If-Match: \"no\", %.*s\r\n", (int)tag.len,
                   (const char *)tag.data);
    static struct api_reply done;
    call("POST", revoke, fields, "{\"reason\":\"key-compromise\"}", &done);
    assert_int_equal(done.head.status, 200);
    api_reply_done(&done);
    refused("POST", revoke, fields, "{}", 412, "CHANGED");
    refused("POST", revoke, NULL, "{}", 409, "ALREADY_REVOKED");
    api_reply_done(&reply);
}

static void an_authority_and_a_wrong_reason_are_refused(void **state)
{
    (void)state;
    as(ADMIN_OPERATOR);
    json_t *page = ask("GET", "/certificates?profile=authority-issuer", NULL, 200);
    const json_t *issuer = json_array_get(json_object_get(page, "certificates"), 0);
    char path[128];
    (void)snprintf(path, sizeof path, "/certificates/%s/revoke", text_of(issuer, "serial"));
    refused("POST", path, NULL, "{}", 403, "PROFILE_DENIED");
    refused("POST", path, NULL, "{\"reason\":\"certificateHold\"}", 400, "OPTION_VALUE");
    json_decref(page);
}

static void nothing_is_issued_without_a_key_process(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf wish;
    as(ADMIN_OPERATOR);
    put_wish("unsigned", &wish);
    home.refuse_signing = true;
    refused("POST", "/certificates", NULL, mu_buf_str(&wish), 503, "KEY_UNAVAILABLE");
    home.refuse_signing = false;
}

static void names_are_read_with_their_type_or_by_their_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        enum mutual_name_type type;
    } good[] = {{"dns:A.example.org", "a.example.org", MUTUAL_NAME_DNS},
                {"ip:192.0.2.1", "192.0.2.1", MUTUAL_NAME_IP},
                {"email:joe@example.org", "joe@example.org", MUTUAL_NAME_EMAIL},
                {"spiffe://example.org/x", "spiffe://example.org/x", MUTUAL_NAME_SPIFFE},
                {"2001:db8::1", "2001:db8::1", MUTUAL_NAME_IP},
                {"a.example.org", "a.example.org", MUTUAL_NAME_DNS}};
    struct mutual_error err = {0};
    char storage[MU_LIMIT_NAME_BYTES + 1];
    struct mutual_name name;
    for (size_t i = 0; i < MU_COUNT(good); i++) {
        assert_ok(admin_name_parse(good[i].text, storage, sizeof storage, &name, &err), &err);
        assert_int_equal(name.type, good[i].type);
        assert_string_equal(name.text, good[i].name);
    }
    assert_fails(admin_name_parse("dns:a b", storage, sizeof storage, &name, &err), &err,
                 MUTUAL_E_NAME_MALFORMED);
}

static void no_filter_beside_a_match_is_silently_left_out(void **state)
{
    (void)state;
    char ignored[64];
    as(ADMIN_OPERATOR);
    issue("matched", ignored);
    json_decref(ask("GET", "/certificates?match=matched&include=certificate", NULL, 200));
    static const char *const more[] = {"owner=nobody", "limit=1", "revoked=true", "name=matched",
                                       "ends_before=2030-01-01T00:00:00Z"};
    for (size_t i = 0; i < MU_COUNT(more); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/certificates?match=matched&%s", more[i]);
        refused("GET", path, NULL, NULL, 400, "OPTION_VALUE");
    }
}

ADMIN_MAIN(UNIT_CASE(no_filter_beside_a_match_is_silently_left_out),
           UNIT_CASE(what_is_issued_is_found_by_its_serial_number),
           UNIT_CASE(pem_comes_to_who_asks_for_it),
           UNIT_CASE(a_serial_number_that_is_none_leads_nowhere),
           UNIT_CASE(if_match_lets_nobody_change_what_he_did_not_see),
           UNIT_CASE(an_authority_and_a_wrong_reason_are_refused),
           UNIT_CASE(nothing_is_issued_without_a_key_process),
           UNIT_CASE(names_are_read_with_their_type_or_by_their_form))
