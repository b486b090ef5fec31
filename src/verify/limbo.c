/* SPDX-License-Identifier: Apache-2.0
 *
 * A suite of path-validation cases in JSON, put to the judge case by case.
 */
#include "verify/verify.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "trust/trust.h"
#include "x509/x509.h"

#define PARTS_MAX 1024u /* certificates, lists or names of one case */

/* A case with the memory that it needs; done with after each. */
struct limbo_case {
    const json_t *json;
    struct verify_case given;
    struct mu_arena *arena;
    struct mutual_error *err;
};

static bool malformed(struct mutual_error *err, const char *what)
{
    return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED, "the suite's \"%s\" is not of the right form",
                   what);
}

static void *alloc(struct limbo_case *item, size_t count, size_t size)
{
    void *p = mu_arena_alloc(item->arena, (count + 1) * size);
    if (p == NULL) {
        (void)mu_fail_memory(item->err);
    }
    return p;
}

/* A text without NUL, which jansson would let pass. */
static const char *text_of(const json_t *json)
{
    const char *text = json_string_value(json);
    return text != NULL && strlen(text) == json_string_length(json) ? text : NULL;
}

static bool is_absent(const json_t *json)
{
    return json == NULL || json_is_null(json);
}

static bool read_texts(struct limbo_case *item, const char *key, struct verify_texts *ret_texts)
{
    const json_t *list = json_object_get(item->json, key);
    size_t count = json_array_size(list);
    if ((!is_absent(list) && !json_is_array(list)) || count > PARTS_MAX) {
        return malformed(item->err, key);
    }
    struct verify_text *texts = alloc(item, count, sizeof *texts);
    if (texts == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *pem = json_array_get(list, i);
        if (!json_is_string(pem)) {
            return malformed(item->err, key);
        }
        texts[i].bytes = mu_slice_of(json_string_value(pem), json_string_length(pem));
        texts[i].name = key;
    }
    *ret_texts = (struct verify_texts){texts, count};
    return true;
}

/* The certificate of a peer in PEM as DER in the arena. What cannot be decoded is empty: it is the
 * judge who says that an empty text is no certificate. */
static bool read_sent_one(struct limbo_case *item, const json_t *pem, struct mutual_der *ret_der)
{
    struct mu_pem_reader reader;
    struct mu_pem_block block;
    bool end = false;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, MU_LIMIT_PEM_BYTES);
    mu_pem_open(&reader, mu_slice_of(json_string_value(pem), json_string_length(pem)), "the case");
    if (!mu_pem_next(&reader, &block, &end, NULL) || end ||
        !mu_pem_decode(&reader, &block, &der, NULL)) {
        *ret_der = (struct mutual_der){(const uint8_t *)"", 0};
        return true;
    }
    uint8_t *copy = alloc(item, der.len, 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, der.data, der.len);
    *ret_der = (struct mutual_der){copy, der.len};
    return true;
}

static bool read_sent(struct limbo_case *item)
{
    static const char key[] = "untrusted_intermediates";
    const json_t *peer = json_object_get(item->json, "peer_certificate");
    const json_t *rest = json_object_get(item->json, key);
    size_t count = 1 + json_array_size(rest);
    if (!json_is_string(peer)) {
        return malformed(item->err, "peer_certificate");
    }
    struct mutual_der *ders = alloc(item, count, sizeof *ders);
    if (ders == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *pem = i == 0 ? peer : json_array_get(rest, i - 1);
        if (!json_is_string(pem)) {
            return malformed(item->err, key);
        }
        if (!read_sent_one(item, pem, &ders[i])) {
            return false;
        }
    }
    item->given.sent = ders;
    item->given.sent_count = count;
    return true;
}

static bool read_name(struct limbo_case *item, const json_t *json, struct verify_name *ret_name)
{
    static const struct {
        const char *kind;
        enum mutual_name_type type;
    } kinds[] = {{"DNS", MUTUAL_NAME_DNS}, {"IP", MUTUAL_NAME_IP}, {"RFC822", MUTUAL_NAME_EMAIL}};
    const char *kind = text_of(json_object_get(json, "kind"));
    const char *value = text_of(json_object_get(json, "value"));
    for (size_t i = 0; kind != NULL && value != NULL && i < MU_COUNT(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) == 0) {
            *ret_name = (struct verify_name){kinds[i].type, value};
            return true;
        }
    }
    return malformed(item->err, "expected_peer_name");
}

static bool read_names(struct limbo_case *item)
{
    const json_t *one = json_object_get(item->json, "expected_peer_name");
    const json_t *list = json_object_get(item->json, "expected_peer_names");
    size_t count = json_array_size(list);
    size_t at = 0;
    struct verify_name *names = NULL;
    if (count > PARTS_MAX || (names = alloc(item, count + 1, sizeof *names)) == NULL) {
        return names != NULL || malformed(item->err, "expected_peer_names");
    }
    if (!is_absent(one) && !read_name(item, one, &names[at++])) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_name(item, json_array_get(list, i), &names[at++])) {
            return false;
        }
    }
    item->given.names = names;
    item->given.name_count = at;
    return true;
}

/* "2024-03-01T00:00:00+00:00" or with Z: always UTC; a fraction of a second is cut off. */
static bool read_time(struct limbo_case *item)
{
    const json_t *json = json_object_get(item->json, "validation_time");
    const char *text = text_of(json);
    char plain[32];
    if (is_absent(json)) {
        return true;
    }
    if (text == NULL || strlen(text) < 19) {
        return malformed(item->err, "validation_time");
    }
    (void)snprintf(plain, sizeof plain, "%.19sZ", text);
    return mu_time_parse(plain, &item->given.now_s, item->err);
}

static bool read_rules(struct limbo_case *item)
{
    struct verify_case *given = &item->given;
    const char *kind = text_of(json_object_get(item->json, "validation_kind"));
    const json_t *depth = json_object_get(item->json, "max_chain_depth");
    json_int_t most = json_integer_value(depth);
    bool server = kind != NULL && strcmp(kind, "SERVER") == 0;
    if (!is_absent(depth) && (!json_is_integer(depth) || most < 0)) {
        return malformed(item->err, "max_chain_depth");
    }
    given->purpose = server ? MUTUAL_PURPOSE_SERVER : MUTUAL_PURPOSE_CLIENT;
    given->depth_limited = json_is_integer(depth);
    given->depth = most > 1000 ? 1000 : (unsigned)most;
    given->lists_required = json_object_get(item->json, "explicit_policy") != NULL;
    given->allow_intermediate_anchors = true;
    return true;
}

static bool read_case(struct limbo_case *item)
{
    return read_rules(item) && read_time(item) &&
           read_texts(item, "trusted_certs", &item->given.anchors) &&
           read_texts(item, "crls", &item->given.lists) && read_sent(item) && read_names(item);
}

static void put_result(struct mu_json *json, const char *id, bool good,
                       const struct mutual_error *err)
{
    char context[sizeof err->reason + sizeof err->context + 64];
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "id", id);
    mu_json_string(json, "actual_result", good ? "SUCCESS" : "FAILURE");
    if (good) {
        mu_json_null(json, "context");
    } else {
        (void)snprintf(context, sizeof context, "%s: %s%s%s", mutual_code_name(err->code),
                       err->reason, err->context[0] != '\0' ? "; " : "", err->context);
        mu_json_string(json, "context", context);
    }
    mu_json_close(json, '}');
}

static bool run_case(const json_t *json, int64_t now_s, struct mu_json *out,
                     struct mutual_error *err)
{
    const char *id = text_of(json_object_get(json, "id"));
    struct limbo_case item = {.json = json, .given = {.now_s = now_s}, .err = err};
    MU_AUTO(chain) struct mutual_chain *chain = NULL;
    struct mutual_error why = {0};
    if (id == NULL) {
        return malformed(err, "id");
    }
    item.arena = mu_arena_new(64u << 20);
    if (item.arena == NULL) {
        return mu_fail_memory(err);
    }
    bool ok = read_case(&item) || mu_error_context(err, "case \"%.100s\"", id);
    if (ok) {
        bool good = verify_judge(&item.given, &chain, &why);
        put_result(out, id, good, &why);
    }
    mu_arena_free(item.arena);
    return ok;
}

static bool run_suite(const json_t *suite, int64_t now_s, struct mu_buf *out,
                      struct mutual_error *err)
{
    const json_t *cases = json_object_get(suite, "testcases");
    struct mu_json json;
    if (!json_is_array(cases)) {
        return malformed(err, "testcases");
    }
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_int(&json, "version", 1);
    mu_json_string(&json, "harness", "mutual " MUTUAL_VERSION);
    mu_json_open(&json, "results", '[');
    for (size_t i = 0; i < json_array_size(cases); i++) {
        if (!run_case(json_array_get(cases, i), now_s, &json, err)) {
            return false;
        }
    }
    mu_json_close(&json, ']');
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
    return true;
}

bool verify_limbo(struct mu_slice suite, int64_t now_s, struct mu_buf *out,
                  struct mutual_error *err)
{
    json_error_t fault;
    json_t *json = json_loadb((const char *)suite.data, suite.len, JSON_ALLOW_NUL, &fault);
    if (json == NULL) {
        return mu_fail(err, MUTUAL_E_ENCODING_MALFORMED, "the suite is not JSON: line %d: %s",
                       fault.line, fault.text);
    }
    bool ok = run_suite(json, now_s, out, err);
    json_decref(json);
    return ok;
}
