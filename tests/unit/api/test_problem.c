/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_internal.h"

#include "unit.h"

#include <jansson.h>

static json_t *document(struct api_response *response)
{
    json_t *json = json_loadb((const char *)response->body.data, response->body.len,
                              JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

static const char *text(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void a_problem_says_what_the_error_says(void **state)
{
    (void)state;
    struct mutual_error why = {0};
    MU_AUTO(api_response) struct api_response response;
    api_response_init(&response);
    (void)mu_buf_text(&response.body, "what was there before");
    (void)mu_fail(&why, MUTUAL_E_CSR_MALFORMED, "the request ends after \"%d\" bytes", 7);
    api_problem(&response, 400, "urn:ietf:params:acme:error:badCSR", &why);
    assert_int_equal(response.status, 400);
    assert_string_equal(response.content_type, "application/problem+json");
    json_t *json = document(&response);
    assert_string_equal(text(json, "type"), "urn:ietf:params:acme:error:badCSR");
    assert_string_equal(text(json, "title"), mutual_code_text(MUTUAL_E_CSR_MALFORMED));
    assert_string_equal(text(json, "detail"), "the request ends after \"7\" bytes");
    assert_string_equal(text(json, "code"), "CSR_MALFORMED");
    assert_string_equal(text(json, "hint"), mutual_code_hint(MUTUAL_E_CSR_MALFORMED));
    json_decref(json);
}

static void matters_of_the_house_are_not_told_to_strangers(void **state)
{
    (void)state;
    static const enum mutual_code house[] = {MUTUAL_E_STORE_FAILED, MUTUAL_E_FILE_MISSING,
                                             MUTUAL_E_LIBRARY, MUTUAL_E_MESSAGE_MALFORMED,
                                             MUTUAL_E_KEY_UNAVAILABLE};
    for (size_t i = 0; i < MU_COUNT(house); i++) {
        struct mutual_error why = {0};
        MU_AUTO(api_response) struct api_response response;
        api_response_init(&response);
        (void)mu_fail(&why, house[i], "/var/lib/mutual/authority/ca.db: SELECT");
        (void)mu_error_hint(&why, "Look into /var/lib/mutual.");
        api_problem(&response, api_status_of(&why), NULL, &why);
        assert_true(response.status == 500 || response.status == 503);
        assert_null(strstr(mu_buf_str(&response.body), "/var/lib"));
        json_t *json = document(&response);
        assert_string_equal(text(json, "type"), "about:blank");
        assert_string_equal(text(json, "detail"), mutual_code_text(house[i]));
        json_decref(json);
    }
}

static void every_error_has_a_status_of_refusal(void **state)
{
    (void)state;
    for (int code = 1; code < MUTUAL_E_COUNT_; code++) {
        const struct mutual_error why = {.code = (enum mutual_code)code};
        unsigned status = api_status_of(&why);
        assert_true(status >= 400 && status < 600);
        assert_true(http_reason(status)[0] != '\0');
    }
}

static void without_a_reason_the_status_speaks(void **state)
{
    (void)state;
    MU_AUTO(api_response) struct api_response response;
    api_response_init(&response);
    api_problem(&response, 404, NULL, NULL);
    json_t *json = document(&response);
    assert_string_equal(text(json, "title"), "Not Found");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 404);
    assert_null(json_object_get(json, "detail"));
    json_decref(json);
}

UNIT_MAIN(UNIT_CASE(a_problem_says_what_the_error_says),
          UNIT_CASE(matters_of_the_house_are_not_told_to_strangers),
          UNIT_CASE(every_error_has_a_status_of_refusal),
          UNIT_CASE(without_a_reason_the_status_speaks))
