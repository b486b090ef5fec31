/* SPDX-License-Identifier: Apache-2.0
 *
 * src/config/document.c: what the tables tell others, and that the page in the tree is fresh.
 */
#include "config_support.h"

#include <stdlib.h>

static void test_schema_is_json(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    config_schema_json(&out);
    assert_false(out.failed);
    const char *text = mu_buf_str(&out);
    assert_non_null(strstr(text, "\"$defs\":{"));
    assert_non_null(strstr(text, "\"mode\":{\"description\":"));
    assert_non_null(strstr(text, "\"enum\":[\"require\",\"request\",\"none\",\"observe\"]"));
    assert_non_null(strstr(text, "\"$ref\":\"#/$defs/inbound-listener\""));
    assert_non_null(strstr(text, "\"required\":[\"version\"]"));
    int depth = 0;
    bool quoted = false;
    for (const char *c = text; *c != '\0'; c++) {
        quoted = *c == '"' && (c == text || c[-1] != '\\') ? !quoted : quoted;
        depth += !quoted && (*c == '{' || *c == '[');
        depth -= !quoted && (*c == '}' || *c == ']');
    }
    assert_int_equal(depth, 0);
}

/* The commented file is itself a configuration, and so it is with its comments taken away as far as
 * defaults go. */
static void test_defaults_can_be_read(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    config_schema_defaults(&out);
    assert_non_null(strstr(mu_buf_str(&out), "\n#workers: auto "));
    assert_good(mu_buf_str(&out));
}

static void test_page_is_fresh(void **state)
{
    (void)state;
    const char *path = getenv("MAN_PAGE");
    if (path == NULL) {
        skip();
    }
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    config_schema_mdoc(&out);
    MU_AUTO(buf) struct mu_buf page = {0};
    struct mutual_error err = {0};
    assert_ok(mu_file_read(path, 1u << 20, &page, &err), &err);
    if (strcmp(mu_buf_str(&out), mu_buf_str(&page)) != 0) {
        fail_msg("%s is stale; run: build/mutual config man >%s", path, path);
    }
}

UNIT_MAIN(UNIT_CASE(test_schema_is_json), UNIT_CASE(test_defaults_can_be_read),
          UNIT_CASE(test_page_is_fresh))
