/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries and pages. A page begins behind the last row of the one before, so that what comes and
 * goes meanwhile makes nobody miss or see a row twice. A cursor carries a digest of the list that
 * it belongs to, so one that was damaged, or carried to another list by mistake, is refused. There
 * is no key in it: who computes the digest begins wherever he likes, in what he may read anyway.
 */
#include <stdio.h>
#include <string.h>

#include "admin/admin_internal.h"

enum { CURSOR = 24, CHECK = 8, VALUE_MAX = 4096 };

/* ---- parameters of the query -------------------------------------------------------------------
 */

bool admin_query(const struct admin_call *call, const char *name, struct mu_buf *out,
                 const char **ret_text, struct mutual_error *err)
{
    mu_buf_clear(out);
    *ret_text = api_query(call->request->head, name, out) ? mu_buf_str(out) : NULL;
    return !out->failed || mu_fail_memory(err);
}

static bool fail_parameter(const struct admin_field *field, struct mutual_error *err)
{
    return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                   "the parameter \"%s\" of the query is not of the right form, or given twice",
                   field->name) ||
           mu_error_hint(err, "It is %s: see /api/v1/openapi.json.", field->help);
}

static bool value_fits(const char *text, const struct admin_field *field)
{
    uint64_t number = 0;
    int64_t time_s = 0;
    size_t max = field->max != 0 ? (size_t)field->max : (size_t)ADMIN_TEXT_MAX;
    switch (field->kind) {
    case ADMIN_NUMBER:
        return mu_text_uint(text, (uint64_t)field->max, &number) && number >= (uint64_t)field->min;
    case ADMIN_FLAG:
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    case ADMIN_TIME:
        return mu_time_parse(text, &time_s, NULL);
    case ADMIN_WORD:
        for (const char *const *word = field->words; *word != NULL; word++) {
            if (strcmp(text, *word) == 0) {
                return true;
            }
        }
        return false;
    case ADMIN_TEXT:
        return text[0] != '\0' && strlen(text) <= max;
    case ADMIN_BLOCK:
    case ADMIN_TEXTS:
    case ADMIN_OBJECTS:
        break;
    }
    return false;
}

static bool fail_unknown(const struct admin_call *call, struct mu_slice name,
                         struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 4096);
    mu_escape(&safe, mu_slice_of(name.data, name.len < 60 ? name.len : 60));
    return mu_fail(err, MUTUAL_E_OPTION_VALUE, "there is no parameter \"%s\" here",
                   mu_buf_str(&safe)) ||
           mu_error_hint(err, "See %s in /api/v1/openapi.json.", call->operation->name);
}

bool admin_query_check(const struct admin_call *call, struct mutual_error *err)
{
    const struct http_head *head = call->request->head;
    struct mu_slice rest = head->query;
    MU_AUTO(buf) struct mu_buf value;
    mu_buf_init(&value, VALUE_MAX);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '&', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
        const uint8_t *equals = memchr(rest.data, '=', len);
        size_t name_len = equals != NULL ? (size_t)(equals - rest.data) : len;
        const struct mu_slice name = mu_slice_of(rest.data, name_len);
        const struct admin_field *field = admin_field_find(call->operation->query, name);
        if (field == NULL) {
            return fail_unknown(call, name, err);
        }
        mu_buf_clear(&value);
        if (!api_query(head, field->name, &value) || value.failed ||
            !value_fits(mu_buf_str(&value), field)) {
            return fail_parameter(field, err);
        }
        size_t skip = len + (end != NULL ? 1 : 0);
        rest = mu_slice_of(rest.data + skip, rest.len - skip);
    }
    return true;
}

/* ---- pages -------------------------------------------------------------------------------------
 */

/* Which list: the path, and every parameter but those that say which part of it. */
static bool digest_list(const struct admin_call *call, uint8_t ret_digest[32],
                        struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    MU_AUTO(buf) struct mu_buf value;
    mu_buf_init(&bytes, 1u << 16);
    mu_buf_init(&value, VALUE_MAX);
    mu_buf_append(&bytes, call->request->head->path.data, call->request->head->path.len);
    for (const struct admin_field *field = call->operation->query; field->name != NULL; field++) {
        const char *text = NULL;
        if (strcmp(field->name, "limit") == 0 || strcmp(field->name, "cursor") == 0) {
            continue;
        }
        if (!admin_query(call, field->name, &value, &text, err)) {
            return false;
        }
        if (text != NULL) {
            mu_buf_printf(&bytes, "\n%s=%zu:%s", field->name, strlen(text), text);
        }
    }
    return bytes.failed ? mu_fail_memory(err) : mu_sha256(mu_buf_slice(&bytes), ret_digest, err);
}

static bool check_of(const struct admin_call *call, const uint8_t place[16], uint8_t check[CHECK],
                     struct mutual_error *err)
{
    uint8_t bytes[48];
    uint8_t digest[32];
    memcpy(bytes, place, 16);
    if (!digest_list(call, bytes + 16, err) ||
        !mu_sha256(mu_slice_of(bytes, sizeof bytes), digest, err)) {
        return false;
    }
    memcpy(check, digest, CHECK);
    return true;
}

static bool read_cursor(const struct admin_call *call, const char *text, struct admin_page *page,
                        struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    uint8_t check[CHECK];
    mu_buf_init(&bytes, CURSOR + 1);
    bool good = mu_base64url_parse(mu_slice_text(text), &bytes, NULL) && bytes.len == CURSOR;
    if (good && !check_of(call, bytes.data, check, err)) {
        return false;
    }
    if (!good || memcmp(check, bytes.data + 16, CHECK) != 0) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "the cursor is not one of this list") ||
               mu_error_hint(err, "Give \"next\" of the page before, with the same parameters.");
    }
    page->at_s = (int64_t)mu_get_be64(bytes.data);
    page->id = (int64_t)mu_get_be64(bytes.data + 8);
    return true;
}

bool admin_page_begin(struct admin_call *call, const char *name, struct admin_page *ret_page,
                      struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf value;
    const char *text = NULL;
    uint64_t limit = ADMIN_PAGE;
    mu_buf_init(&value, VALUE_MAX);
    if (!admin_query(call, "limit", &value, &text, err)) {
        return false;
    }
    if (text != NULL && !mu_text_uint(text, ADMIN_PAGE_MAX, &limit)) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "limit is no number");
    }
    *ret_page = (struct admin_page){.call = call, .left = (int64_t)limit};
    if (!admin_query(call, "cursor", &value, &text, err) ||
        (text != NULL && !read_cursor(call, text, ret_page, err))) {
        return false;
    }
    mu_json_open(&call->json, NULL, '{');
    mu_json_open(&call->json, name, '[');
    return true;
}

bool admin_page_takes(struct admin_page *page, int64_t at_s, int64_t id)
{
    page->more = page->left == 0 || page->call->response->body.len > ADMIN_PAGE_BYTES;
    if (!page->more) {
        page->left--;
        page->at_s = at_s;
        page->id = id;
    }
    return !page->more;
}

static bool put_next(const struct admin_page *page, struct mutual_error *err)
{
    uint8_t bytes[CURSOR];
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 128);
    if (!page->more) {
        mu_json_null(&page->call->json, "next");
        return true;
    }
    mu_put_be64(bytes, (uint64_t)page->at_s);
    mu_put_be64(bytes + 8, (uint64_t)page->id);
    if (!check_of(page->call, bytes, bytes + 16, err)) {
        return false;
    }
    mu_base64url(&text, mu_slice_of(bytes, sizeof bytes));
    mu_json_string(&page->call->json, "next", mu_buf_str(&text));
    return true;
}

bool admin_page_end(struct admin_page *page, struct mutual_error *err)
{
    mu_json_close(&page->call->json, ']');
    if (!put_next(page, err)) {
        return false;
    }
    mu_json_close(&page->call->json, '}');
    mu_buf_byte(&page->call->response->body, '\n');
    return true;
}
