/* SPDX-License-Identifier: Apache-2.0
 *
 * See api_call.h.
 */
#include "api_call.h"

#include "unit.h"

#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "identity/identity.h"

enum { CALL_MAX = 1 << 20, DAY_S = 86400 };

static bool sign_start(struct ca_signer *signer, const struct ca *ca, const struct mu_key **ret_key,
                       struct mutual_error *err)
{
    struct api_home *home = signer->state;
    MU_AUTO(buf) struct mu_buf text = {0};
    if (home->refuse_signing) {
        return mu_fail(err, MUTUAL_E_KEY_UNAVAILABLE, "the test refuses to sign");
    }
    struct mu_key *key = NULL;
    if (!mu_file_read(ca_issuer_key_path(ca), MU_LIMIT_KEY_BYTES, &text, err) ||
        !mu_key_from_pem(mu_buf_slice(&text), "issuer", NULL, &key, err)) {
        return false;
    }
    mu_key_unref(home->key);
    home->key = key;
    *ret_key = key;
    return true;
}

static void sign_stop(struct ca_signer *signer)
{
    (void)signer;
}

static bool tell_nobody(void *context, const struct ca_init_result *result,
                        struct mutual_error *err)
{
    (void)context;
    (void)result;
    (void)err;
    return true;
}

static void keep_log(void *context, const char *line)
{
    struct api_home *home = context;
    (void)snprintf(home->last_log, sizeof home->last_log, "%s", line);
}

void api_home_init(struct api_home *home, const struct api_table *const *tables, size_t count)
{
    struct mutual_error err = {0};
    *home = (struct api_home){.now_s = API_HOME_NOW, .tables = tables, .table_count = count};
    (void)snprintf(home->dir, sizeof home->dir, "/tmp/mutual-api-XXXXXX");
    assert_non_null(mkdtemp(home->dir));
    const struct ca_init_options options = {
        .dir = home->dir,
        .name = "example.org",
        .dns = (const char *const[]){"localhost"},
        .dns_count = 1,
        .ip = (const char *const[]){"127.0.0.0/8"},
        .ip_count = 1,
        .root_key = MU_SPEC_EC_P256,
        .issuer_key = MU_SPEC_EC_P256,
        .root_life_s = INT64_C(7300) * DAY_S,
        .issuer_life_s = INT64_C(1826) * DAY_S,
        .passphrase = "not a secret of anybody",
        .store = getenv("MUTUAL_TEST_STORE"), /* an empty one, or the usual file */
        .owner = "tests",
        .place = "here",
        .who = "tester (1000)",
        .now_s = home->now_s,
    };
    struct ca_init_result result = {0};
    assert_ok(ca_init(&options, tell_nobody, NULL, &result, &err), &err);
    ca_init_result_done(&result);
    assert_ok(ca_open(home->dir, CA_CHANGE, "tester (1000)", home->now_s, NULL, &home->ca, &err),
              &err);
    home->signer = (struct ca_signer){.start = sign_start, .stop = sign_stop, .state = home};
    home->world = (struct api_world){
        .ca = home->ca,
        .signer = &home->signer,
        .settings = &home->settings,
        .log = keep_log,
        .log_context = home,
        .failed_context = home,
    };
    api_home_caller(home, API_TLS, NULL);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void api_home_done(struct api_home *home)
{
    ca_close(home->ca);
    mu_key_unref(home->key);
    mu_names_free(home->caller_names);
    (void)nftw(home->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void api_home_caller(struct api_home *home, enum api_channel channel, const struct mu_cert *leaf)
{
    struct mutual_error err = {0};
    mu_names_free(MU_TAKE(home->caller_names));
    home->caller = (struct api_caller){
        .channel = channel, .listener = "enroll", .address = "192.0.2.1", .leaf = leaf};
    if (leaf != NULL) {
        assert_ok(mu_names_from_cert(leaf, &home->caller_names, &err), &err);
        home->caller.names = mu_names_list(home->caller_names, &home->caller.name_count);
    }
}

void api_home_csr(const struct mu_key *key, const char *cn, const struct mu_gname *names,
                  size_t count, struct mu_buf *out)
{
    struct mutual_error err = {0};
    const struct mu_rdn subject = {MU_ATTR_CN, cn};
    assert_ok(mu_csr_build(key, &subject, 1, names, count, out, &err), &err);
}

struct mu_cert *api_home_issue(struct api_home *home, const char *profile, const char *name,
                               const struct mu_key *key)
{
    struct mutual_error err = {0};
    struct mu_csr *csr = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, CALL_MAX);
    struct ca_request request = {
        .name = name, .owner = "tests", .place = "here", .print_only = true, .now_s = home->now_s};
    assert_ok(ca_profile_find(profile, &request.profile, &err), &err);
    MU_AUTO(key) struct mu_key *made = NULL;
    if (key == NULL) {
        assert_ok(mu_key_generate(MU_SPEC_EC_P256, &made, &err), &err);
    }
    api_home_csr(key != NULL ? key : made, name, NULL, 0, &der);
    assert_ok(mu_csr_from_der(mu_buf_slice(&der), &csr, &err), &err);
    request.csr = csr;
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    assert_ok(ca_issue(home->ca, &request, &home->signer, &issued, &err), &err);
    mu_csr_free(csr);
    return mu_cert_ref(issued.cert);
}

static void handle(void *owner, const struct http_request *request)
{
    struct api_home *home = owner;
    api_answer(home->tables, home->table_count, &home->world, request, &home->caller, home->now_s);
}

void api_call(struct api_home *home, const char *method, const char *target, const char *fields,
              struct mu_slice body, struct api_reply *ret_reply)
{
    struct mutual_error err = {0};
    const struct http_server_options options = {
        .handle = handle, .owner = home, .body_max = MU_LIMIT_API_BODY};
    struct http_server *server = http_server_new(&options);
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, CALL_MAX);
    (void)mu_buf_printf(&text, "%s %s HTTP/1.1\r\nHost: ca.example.org\r\n%s", method, target,
                        fields != NULL ? fields : "");
    if (body.len > 0) {
        (void)mu_buf_printf(&text, "Content-Length: %zu\r\n", body.len);
    }
    (void)mu_buf_text(&text, "\r\n");
    (void)mu_buf_append(&text, body.data, body.len);
    assert_false(text.failed);
    struct mu_slice in = mu_buf_slice(&text);
    http_server_feed(server, &in);
    *ret_reply = (struct api_reply){0};
    mu_buf_init(&ret_reply->bytes, MU_LIMIT_HTTP_RESPONSE);
    struct mu_slice out = mu_buf_slice(http_server_out(server));
    assert_true(mu_buf_append(&ret_reply->bytes, out.data, out.len));
    http_server_free(server);

    struct http_scan scan = {0};
    size_t len = 0;
    out = mu_buf_slice(&ret_reply->bytes);
    assert_int_equal(http_scan(&scan, out, &len, &err), HTTP_DONE);
    assert_ok(http_response_parse(mu_slice_of(out.data, len), strcmp(method, "HEAD") == 0,
                                  &ret_reply->head, &err),
              &err);
    ret_reply->body = mu_slice_of(out.data + len, out.len - len);
    if (ret_reply->head.framing == HTTP_BODY_LENGTH) {
        assert_int_equal(ret_reply->head.length, ret_reply->body.len);
    }
}

void api_reply_done(struct api_reply *reply)
{
    mu_buf_done(&reply->bytes);
}

void api_reply_is_problem(const struct api_reply *reply, unsigned status, const char *code)
{
    if (reply->head.status != status) {
        fail_msg("status %u was expected, got %u: %.*s", status, reply->head.status,
                 (int)reply->body.len, (const char *)reply->body.data);
    }
    struct mu_slice type = {0};
    assert_true(http_field_find(&reply->head, "Content-Type", &type));
    assert_true(mu_slice_equal_text(type, "application/problem+json"));
    json_t *json =
        json_loadb((const char *)reply->body.data, reply->body.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
    assert_non_null(json_string_value(json_object_get(json, "type")));
    assert_non_null(json_string_value(json_object_get(json, "title")));
    if (code != NULL) {
        assert_string_equal(json_string_value(json_object_get(json, "code")), code);
        assert_non_null(json_string_value(json_object_get(json, "detail")));
    }
    json_decref(json);
}
