/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#define KEY JSON "Idempotency-Key: 8e03978e-40d5-43e8-bc93-6894a57f9324\r\n"

static void the_same_request_is_done_once_and_answered_again(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf wish;
    static struct api_reply first;
    static struct api_reply again;
    as(ADMIN_OPERATOR);
    put_wish("once", &wish);
    call("POST", "/certificates", KEY, mu_buf_str(&wish), &first);
    assert_int_equal(first.head.status, 201);
    json_t *before = ask("GET", "/counts", NULL, 200);
    call("POST", "/certificates", KEY, mu_buf_str(&wish), &again);
    json_t *after = ask("GET", "/counts", NULL, 200);
    assert_int_equal(again.head.status, 201);
    assert_true(mu_slice_equal(first.body, again.body));
    assert_int_equal(http_field_count(&again.head, "Idempotency-Replayed"), 1);
    struct mu_slice made = {0};
    struct mu_slice where = {0};
    assert_true(http_field_find(&first.head, "Location", &made));
    assert_true(http_field_find(&again.head, "Location", &where));
    assert_true(mu_slice_equal(made, where));
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    api_reply_done(&first);
    api_reply_done(&again);
}

static void another_body_under_the_same_key_is_refused(void **state)
{
    (void)state;
    as(ADMIN_OPERATOR);
    refused("POST", "/tokens", KEY, "{\"name\":\"web\"}", 409, "REPEATED");
    refused("POST", "/certificates", KEY, "{\"name\":\"x\",\"csr\":\"x\"}", 409, "REPEATED");
}

static void the_key_of_another_caller_is_another_key(void **state)
{
    (void)state;
    static struct api_reply reply;
    as(ADMIN_ADMIN);
    call("POST", "/tokens", KEY, "{\"name\":\"web\"}", &reply);
    assert_int_equal(reply.head.status, 201);
    api_reply_done(&reply);
}

static void what_is_shown_once_is_not_shown_again(void **state)
{
    (void)state;
    as(ADMIN_ADMIN);
    refused("POST", "/tokens", KEY, "{\"name\":\"web\"}", 409, "REPEATED");
}

static void a_refusal_may_be_asked_again(void **state)
{
    (void)state;
    static const char key[] = JSON "Idempotency-Key: again\r\n";
    static struct api_reply reply;
    as(ADMIN_OPERATOR);
    home.settings.url = NULL;
    refused("POST", "/tokens", key, "{\"name\":\"web\"}", 400, "USAGE");
    home.settings.url = "https://ca.example.org";
    call("POST", "/tokens", key, "{\"name\":\"web\"}", &reply);
    assert_int_equal(reply.head.status, 201);
    api_reply_done(&reply);
}

static void what_could_not_be_signed_may_be_asked_again(void **state)
{
    (void)state;
    static const char key[] = JSON "Idempotency-Key: signed-later\r\n";
    static struct api_reply reply;
    MU_AUTO(buf) struct mu_buf wish;
    as(ADMIN_OPERATOR);
    put_wish("later", &wish);
    home.refuse_signing = true;
    refused("POST", "/certificates", key, mu_buf_str(&wish), 503, "KEY_UNAVAILABLE");
    home.refuse_signing = false;
    call("POST", "/certificates", key, mu_buf_str(&wish), &reply);
    assert_int_equal(reply.head.status, 201);
    api_reply_done(&reply);
}

/* The revocation stands, only its list is not signed: the same request is not a new one. */
static void what_stands_without_its_list_is_not_asked_again(void **state)
{
    (void)state;
    static const char key[] = JSON "Idempotency-Key: revoked-once\r\n";
    char serial[64];
    char path[128];
    as(ADMIN_OPERATOR);
    issue("stands", serial);
    (void)snprintf(path, sizeof path, "/certificates/%s/revoke", serial);
    home.refuse_signing = true;
    refused("POST", path, key, "{}", 503, "KEY_UNAVAILABLE");
    refused("POST", path, key, "{}", 409, "REPEATED");
    home.refuse_signing = false;
    refused("POST", path, key, "{}", 409, "REPEATED");
    refused("POST", path, NULL, "{}", 409, "ALREADY_REVOKED");
}

static void after_a_day_the_key_is_free(void **state)
{
    (void)state;
    static struct api_reply reply;
    as(ADMIN_ADMIN);
    home.now_s += INVENTORY_REPLAY_S + 1;
    call("POST", "/tokens", KEY, "{\"name\":\"web\"}", &reply);
    assert_int_equal(reply.head.status, 201);
    api_reply_done(&reply);
}

static void a_key_has_a_size_and_there_is_one(void **state)
{
    (void)state;
    char fields[512];
    (void)snprintf(fields, sizeof fields, JSON "Idempotency-Key: %0256d\r\n", 1);
    refused("POST", "/tokens", fields, "{\"name\":\"web\"}", 400, "OPTION_VALUE");
    refused("POST", "/tokens", KEY "Idempotency-Key: b\r\n", "{\"name\":\"web\"}", 400,
            "OPTION_VALUE");
}

ADMIN_MAIN(UNIT_CASE(the_same_request_is_done_once_and_answered_again),
           UNIT_CASE(another_body_under_the_same_key_is_refused),
           UNIT_CASE(the_key_of_another_caller_is_another_key),
           UNIT_CASE(what_is_shown_once_is_not_shown_again),
           UNIT_CASE(a_refusal_may_be_asked_again),
           UNIT_CASE(what_could_not_be_signed_may_be_asked_again),
           UNIT_CASE(what_stands_without_its_list_is_not_asked_again),
           UNIT_CASE(after_a_day_the_key_is_free), UNIT_CASE(a_key_has_a_size_and_there_is_one))
