/* SPDX-License-Identifier: Apache-2.0 */
#include "est/est_internal.h"

#include "unit.h"

static void base64_is_read_over_lines_and_nothing_else(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static const struct {
        const char *body;
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {"YWJj", "abc"},         {"YW\r\nJj\r\n", "abc"},
        {" Y W\tJ j \n", "abc"}, {"YWI=", "ab"},
        {"YQ==\n", "a"},         {"", NULL},
        {"\r\n", NULL},          {"YWJ", NULL},
        {"YWJj!", NULL},         {"YWI=YWI=", NULL},
        {"YR==", NULL},          {"-----BEGIN", NULL},
        {"YW-_", NULL},          {"=", NULL},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 64);
        if (rows[i].bytes == NULL) {
            assert_fails(est_body_decode(mu_slice_text(rows[i].body), &out, &err), &err,
                         MUTUAL_E_ENCODING_MALFORMED);
        } else {
            assert_ok(est_body_decode(mu_slice_text(rows[i].body), &out, &err), &err);
            assert_string_equal(mu_buf_str(&out), rows[i].bytes);
        }
    }
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    uint8_t bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 1; len <= sizeof bytes; len++) {
        MU_AUTO(buf) struct mu_buf text;
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&text, 1024);
        mu_buf_init(&out, 1024);
        mu_base64(&text, mu_slice_of(bytes, len));
        assert_ok(est_body_decode(mu_buf_slice(&text), &out, &err), &err);
        assert_true(mu_slice_equal(mu_buf_slice(&out), mu_slice_of(bytes, len)));
    }
}

static void a_path_is_an_operation_or_a_label_and_one(void **state)
{
    (void)state;
    struct mu_slice label;
    struct mu_slice operation;
    assert_true(est_path_read(mu_slice_text("cacerts"), &label, &operation));
    assert_int_equal(label.len, 0);
    assert_true(est_path_read(mu_slice_text("server/cacerts"), &label, &operation));
    assert_true(mu_slice_equal_text(label, "server"));
    assert_true(mu_slice_equal_text(operation, "cacerts"));
    static const char *const bad[] = {"",      "/cacerts",   "a//cacerts", "a/b/cacerts",
                                      "a/",    "../cacerts", "a%2fb",      "cacerts/",
                                      "a b/c", "x/cacerts?"};
    for (size_t i = 0; i < MU_COUNT(bad); i++) {
        assert_false(est_path_read(mu_slice_text(bad[i]), &label, &operation));
    }
}

UNIT_MAIN(UNIT_CASE(base64_is_read_over_lines_and_nothing_else), UNIT_CASE(what_is_written_is_read),
          UNIT_CASE(a_path_is_an_operation_or_a_label_and_one))
