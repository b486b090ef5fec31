/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void bad(const char *text)
{
    struct mutual_error err = {0};
    json_t *body = NULL;
    assert_fails(admin_body_read(mu_slice_text(text), &admin_token_wish, &body, &err), &err,
                 MUTUAL_E_JSON_MALFORMED);
    assert_null(body);
}

static void what_is_not_in_the_schema_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "\"name\"",
        "{",
        "{}",
        "{\"name\":\"web\"} x",
        "{\"name\":\"web\"}{}",
        "{\"name\":\"web\",\"name\":\"web\"}",
        "{\"name\":\"web\",\"nam\\u0065\":\"b\"}",
        "{\"name\":\"web\",\"more\":1}",
        "{\"Name\":\"web\"}",
        "{\"name\":null}",
        "{\"name\":1}",
        "{\"name\":\"\"}",
        "{\"name\":\"a\\u0000b\"}",
        "{\"name\":\"a\\nb\"}",
        "{\"name\":\"a\\u007f\"}",
        "{\"name\":\"\xff\"}",
        "{\"name\":\"web\",\"ttl\":-1}",
        "{\"name\":\"web\",\"ttl\":1.5}",
        "{\"name\":\"web\",\"ttl\":\"1\"}",
        "{\"name\":\"web\",\"ttl\":31622401}",
        "{\"name\":\"web\",\"ttl\":99999999999999999999}",
        "{\"name\":\"web\",\"approval\":1}",
        "{\"name\":\"web\",\"names\":\"a\"}",
        "{\"name\":\"web\",\"names\":[1]}",
        "{\"name\":\"web\",\"names\":[[]]}",
        "{'name':'web'}",
        "{\"name\":\"web\",}",
        "// a\n{\"name\":\"web\"}",
    };
    for (size_t i = 0; i < MU_COUNT(texts); i++) {
        bad(texts[i]);
    }
}

static void sizes_and_depths_are_bounded(void **state)
{
    (void)state;
    static char text[32768];
    (void)snprintf(text, sizeof text, "{\"name\":\"%065d\"}", 1);
    bad(text);
    memset(text, '[', sizeof text);
    text[sizeof text - 1] = '\0';
    bad(text);
    for (size_t i = 0; i + 6 < sizeof text; i += 5) {
        memcpy(text + i, "{\"a\":", 6);
    }
    bad(text);
    struct mutual_error err = {0};
    json_t *body = NULL;
    static const uint8_t raw[] = "{\"name\":\"a\0b\"}";
    assert_fails(admin_body_read(mu_slice_of(raw, sizeof raw - 1), &admin_token_wish, &body, &err),
                 &err, MUTUAL_E_JSON_MALFORMED);
}

static void what_fits_is_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    json_t *body = NULL;
    assert_ok(admin_body_read(MU_SLICE_LIT("{\"name\":\"web\",\"ttl\":60,\"approval\":true,"
                                           "\"names\":[\"dns:a\"],\"purpose\":\"caf\xc3\xa9\"}"),
                              &admin_token_wish, &body, &err),
              &err);
    assert_string_equal(admin_text(body, "name"), "web");
    assert_int_equal(admin_number(body, "ttl"), 60);
    assert_true(admin_flag(body, "approval"));
    assert_null(admin_text(body, "url"));
    json_decref(body);
}

UNIT_MAIN(UNIT_CASE(what_is_not_in_the_schema_is_refused), UNIT_CASE(sizes_and_depths_are_bounded),
          UNIT_CASE(what_fits_is_read))
