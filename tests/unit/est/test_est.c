/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations, called over HTTP in memory; and bad input, each with the status it must have.
 */
#include "est/est_internal.h"

#include "api_call.h"
#include "unit.h"

static struct api_home home;
static const struct api_table *const tables[] = {&est_table};

#define EST "/.well-known/est/"
#define P10 "Content-Type: application/pkcs10\r\n"

static struct mu_key *new_key(void)
{
    struct mutual_error err = {0};
    struct mu_key *key = NULL;
    assert_ok(mu_key_generate(MU_SPEC_EC_P256, &key, &err), &err);
    return key;
}

static void token(const char *profile, const char *name, bool approval, int64_t *ret_id,
                  char fields[2048])
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(buf) struct mu_buf pair;
    MU_AUTO(buf) struct mu_buf basic;
    struct ca_token_wish wish = {.name = name,
                                 .ttl_s = 3600,
                                 .approval = approval,
                                 .url = "https://ca.example.org",
                                 .owner = "o",
                                 .place = "p",
                                 .now_s = home.now_s};
    mu_buf_init(&text, 1024);
    mu_buf_init(&pair, 1024);
    mu_buf_init(&basic, 2048);
    assert_ok(ca_profile_find(profile, &wish.profile, &err), &err);
    assert_ok(ca_token_new(home.ca, &wish, &text, ret_id, &err), &err);
    (void)mu_buf_printf(&pair, "token:%s", mu_buf_str(&text));
    mu_base64(&basic, mu_buf_slice(&pair));
    (void)snprintf(fields, 2048, P10 "Authorization: Basic %s\r\n", mu_buf_str(&basic));
}

static void body_of(const struct mu_key *key, const char *cn, struct mu_buf *out)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf der;
    const struct mu_rdn subject[] = {{MU_ATTR_O, "example.org"}, {MU_ATTR_CN, cn}};
    mu_buf_init(&der, 1 << 16);
    mu_buf_init(out, 1 << 16);
    assert_ok(mu_csr_build(key, subject, cn == NULL ? 0 : 2, NULL, 0, &der, &err), &err);
    mu_base64(out, mu_buf_slice(&der));
}

static struct mu_certs certs_of(const struct api_reply *reply)
{
    struct mutual_error err = {0};
    struct mu_certs certs = {0};
    struct mu_slice type = {0};
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1 << 16);
    if (reply->head.status != 200) {
        fail_msg("%u: %.*s", reply->head.status, (int)reply->body.len,
                 (const char *)reply->body.data);
    }
    assert_true(http_field_find(&reply->head, "Content-Type", &type));
    assert_true(mu_slice_equal_text(type, "application/pkcs7-mime; smime-type=certs-only"));
    assert_ok(est_body_decode(reply->body, &der, &err), &err);
    assert_ok(mu_cms_read(mu_buf_slice(&der), &certs, &err), &err);
    return certs;
}

static void refuses(const char *method, const char *target, const char *fields,
                    struct mu_slice body, unsigned status, const char *code)
{
    struct api_reply reply = {0};
    api_call(&home, method, target, fields, body, &reply);
    api_reply_is_problem(&reply, status, code);
    api_reply_done(&reply);
}

static void says(const char *fields, struct mu_slice body, unsigned status)
{
    struct api_reply reply = {0};
    api_call(&home, "POST", EST "simpleenroll", fields, body, &reply);
    assert_int_equal(reply.head.status, status);
    api_reply_done(&reply);
}

static struct mu_cert *enrolled(const char *target, const char *fields, struct mu_slice body)
{
    struct api_reply reply = {0};
    api_call(&home, "POST", target, fields, body, &reply);
    MU_AUTO(certs) struct mu_certs certs = certs_of(&reply);
    assert_int_equal(certs.count, 1);
    api_reply_done(&reply);
    return mu_cert_ref(certs.items[0]);
}

static void everybody_may_read_the_authoritys_certificates(void **state)
{
    (void)state;
    struct api_reply reply = {0};
    api_home_caller(&home, API_TLS, NULL);
    api_call(&home, "GET", EST "cacerts", NULL, mu_slice_text(""), &reply);
    MU_AUTO(certs) struct mu_certs certs = certs_of(&reply);
    assert_int_equal(certs.count, 2);
    api_reply_done(&reply);
    api_call(&home, "GET", EST "server/csrattrs", NULL, mu_slice_text(""), &reply);
    assert_int_equal(reply.head.status, 200);
    MU_AUTO(buf) struct mu_buf der;
    struct mutual_error err = {0};
    mu_buf_init(&der, 256);
    assert_ok(est_body_decode(reply.body, &der, &err), &err);
    assert_int_equal(der.data[0], 0x30);
    assert_int_equal(der.data[1], der.len - 2);
    api_reply_done(&reply);
    api_home_caller(&home, API_PLAIN, NULL);
    refuses("GET", EST "cacerts", NULL, mu_slice_text(""), 403, "POLICY_DENIED");
}

static void a_token_enrols_once(void **state)
{
    (void)state;
    char fields[2048];
    int64_t id;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(key) struct mu_key *other = new_key();
    MU_AUTO(buf) struct mu_buf body;
    MU_AUTO(buf) struct mu_buf theirs;
    api_home_caller(&home, API_TLS, NULL);
    token("server", "web", false, &id, fields);
    body_of(key, NULL, &body);
    body_of(other, NULL, &theirs);
    MU_AUTO(cert) struct mu_cert *cert = enrolled(EST "simpleenroll", fields, mu_buf_slice(&body));
    assert_true(mu_slice_equal(mu_cert_facts(cert)->spki, mu_key_spki(key)));
    refuses("POST", EST "simpleenroll", fields, mu_buf_slice(&theirs), 403, "TOKEN_USED");
    token("server", "other", false, &id, fields);
    refuses("POST", EST "device/simpleenroll", fields, mu_buf_slice(&theirs), 403,
            "PROFILE_DENIED");
    MU_AUTO(cert)
    struct mu_cert *labelled = enrolled(EST "server/simpleenroll", fields, mu_buf_slice(&theirs));
    assert_non_null(labelled);
}

static void bad_input_is_refused_by_the_right_status(void **state)
{
    (void)state;
    char good[2048];
    int64_t id;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(buf) struct mu_buf body;
    MU_AUTO(buf) struct mu_buf named;
    MU_AUTO(buf) struct mu_buf large;
    api_home_caller(&home, API_TLS, NULL);
    token("server", "bad", false, &id, good);
    body_of(key, NULL, &body);
    body_of(key, "admin", &named);
    mu_buf_init(&large, 1 << 20);
    while (large.len <= MU_LIMIT_API_BODY) {
        (void)mu_buf_text(&large, "QUFB");
    }
    const struct {
        const char *method, *target, *fields;
        struct mu_slice body;
        unsigned status;
        const char *code;
    } rows[] = {
        {"POST", EST "simpleenroll", P10, mu_buf_slice(&body), 401, "NO_CLIENT_CERT"},
        {"POST", EST "simpleenroll", P10 "Authorization: Basic dG9rZW46eA==\r\n",
         mu_buf_slice(&body), 401, "TOKEN_MALFORMED"},
        {"POST", EST "simpleenroll", good, mu_slice_text("!!!"), 400, "ENCODING_MALFORMED"},
        {"POST", EST "simpleenroll", good, mu_slice_text(""), 400, "ENCODING_MALFORMED"},
        {"POST", EST "simpleenroll", good, mu_slice_text("QUFB"), 400, "CSR_MALFORMED"},
        {"POST", EST "simpleenroll", good, mu_buf_slice(&named), 403, "REQUEST_NAMES"},
        {"POST", EST "simpleenroll", "Content-Type: text/plain\r\n", mu_buf_slice(&body), 415,
         "HTTP_UNSUPPORTED"},
        {"GET", EST "simpleenroll", NULL, mu_slice_text(""), 405, "HTTP_UNSUPPORTED"},
        {"POST", EST "cacerts", P10, mu_buf_slice(&body), 405, "HTTP_UNSUPPORTED"},
        {"DELETE", EST "cacerts", NULL, mu_slice_text(""), 405, "HTTP_UNSUPPORTED"},
        {"GET", EST "fullcmc", NULL, mu_slice_text(""), 404, "NOT_FOUND"},
        {"GET", EST "a/b/cacerts", NULL, mu_slice_text(""), 404, "NOT_FOUND"},
        {"GET", EST "..%2fcacerts", NULL, mu_slice_text(""), 404, "NOT_FOUND"},
        {"POST", EST "serverkeygen", good, mu_buf_slice(&body), 403, "POLICY_DENIED"},
        {"POST", EST "simplereenroll", P10, mu_buf_slice(&named), 403, "NO_CLIENT_CERT"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        refuses(rows[i].method, rows[i].target, rows[i].fields, rows[i].body, rows[i].status,
                rows[i].code);
    }
    says(good, mu_buf_slice(&large), 413);
    /* a signature that is not its own key's */
    MU_AUTO(buf) struct mu_buf der;
    MU_AUTO(buf) struct mu_buf forged;
    struct mutual_error err = {0};
    mu_buf_init(&der, 1 << 16);
    mu_buf_init(&forged, 1 << 16);
    assert_ok(est_body_decode(mu_buf_slice(&body), &der, &err), &err);
    der.data[der.len - 1] ^= 1;
    mu_base64(&forged, mu_buf_slice(&der));
    says(good, mu_buf_slice(&forged), 400);
    home.now_s += 4000;
    refuses("POST", EST "simpleenroll", good, mu_buf_slice(&body), 403, "TOKEN_EXPIRED");
    home.now_s -= 4000;
}

static void without_the_key_process_it_is_told_to_come_again(void **state)
{
    (void)state;
    static char fields[2048];
    int64_t id;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(buf) struct mu_buf body;
    api_home_caller(&home, API_TLS, NULL);
    token("server", "later", false, &id, fields);
    body_of(key, NULL, &body);
    home.refuse_signing = true;
    struct api_reply reply = {0};
    api_call(&home, "POST", EST "simpleenroll", fields, mu_buf_slice(&body), &reply);
    api_reply_is_problem(&reply, 503, "KEY_UNAVAILABLE");
    assert_int_equal(http_field_count(&reply.head, "Retry-After"), 1);
    api_reply_done(&reply);
    home.refuse_signing = false;
    MU_AUTO(cert) struct mu_cert *cert = enrolled(EST "simpleenroll", fields, mu_buf_slice(&body));
    assert_non_null(cert);
}

static void a_request_may_wait_for_a_person(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static char fields[2048];
    int64_t id;
    struct api_reply reply = {0};
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(buf) struct mu_buf body;
    api_home_caller(&home, API_TLS, NULL);
    token("device", "slow", true, &id, fields);
    body_of(key, NULL, &body);
    for (int i = 0; i < 2; i++) {
        api_call(&home, "POST", EST "simpleenroll", fields, mu_buf_slice(&body), &reply);
        assert_int_equal(reply.head.status, 202);
        assert_int_equal(http_field_count(&reply.head, "Retry-After"), 1);
        api_reply_done(&reply);
    }
    assert_ok(ca_token_decide(home.ca, id, true, home.now_s, &err), &err);
    MU_AUTO(cert) struct mu_cert *cert = enrolled(EST "simpleenroll", fields, mu_buf_slice(&body));
    assert_non_null(cert);
}

static void who_proves_a_certificate_gets_the_next(void **state)
{
    (void)state;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(key) struct mu_key *next = new_key();
    MU_AUTO(cert) struct mu_cert *old = api_home_issue(&home, "client", "joe", key);
    MU_AUTO(buf) struct mu_buf body;
    MU_AUTO(buf) struct mu_buf wrong;
    body_of(next, "joe", &body);
    body_of(next, "jim", &wrong);
    api_home_caller(&home, API_MUTUAL, old);
    MU_AUTO(cert) struct mu_cert *cert = enrolled(EST "simplereenroll", P10, mu_buf_slice(&body));
    assert_true(mu_slice_equal(mu_cert_facts(cert)->subject, mu_cert_facts(old)->subject));
    MU_AUTO(cert)
    struct mu_cert *by_enroll = enrolled(EST "simpleenroll", P10, mu_buf_slice(&body));
    assert_non_null(by_enroll);
    refuses("POST", EST "simplereenroll", P10, mu_buf_slice(&wrong), 403, "REQUEST_NAMES");
    refuses("POST", EST "server/simplereenroll", P10, mu_buf_slice(&body), 403, "PROFILE_DENIED");
    home.now_s += INT64_C(91) * 86400;
    refuses("POST", EST "simplereenroll", P10, mu_buf_slice(&body), 403, "CERT_EXPIRED");
    home.now_s -= INT64_C(91) * 86400;
    api_home_caller(&home, API_TLS, NULL);
}

static void a_device_that_was_away_renews_with_its_old_key(void **state)
{
    (void)state;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(cert) struct mu_cert *old = api_home_issue(&home, "client", "away", key);
    MU_AUTO(buf) struct mu_buf body;
    body_of(key, "away", &body);
    api_home_caller(&home, API_TLS, NULL);
    home.now_s += INT64_C(100) * 86400;
    refuses("POST", EST "simplereenroll", P10, mu_buf_slice(&body), 403, "NO_CLIENT_CERT");
    home.settings.grace_s = INT64_C(30) * 86400;
    MU_AUTO(cert) struct mu_cert *cert = enrolled(EST "simplereenroll", P10, mu_buf_slice(&body));
    assert_true(mu_slice_equal(mu_cert_facts(cert)->spki, mu_cert_facts(old)->spki));
    home.settings.grace_s = 0;
    home.now_s -= INT64_C(100) * 86400;
}

static void a_key_is_made_where_the_configuration_says_so(void **state)
{
    (void)state;
    char fields[2048];
    int64_t id;
    MU_AUTO(key) struct mu_key *key = new_key();
    MU_AUTO(buf) struct mu_buf body;
    struct api_reply reply = {0};
    api_home_caller(&home, API_TLS, NULL);
    token("device", "keyless", false, &id, fields);
    body_of(key, "keyless", &body);
    home.settings.server_keygen = true;
    api_call(&home, "POST", EST "serverkeygen", fields, mu_buf_slice(&body), &reply);
    home.settings.server_keygen = false;
    assert_int_equal(reply.head.status, 200);
    MU_AUTO(free) char *text = mu_slice_dup(reply.body);
    const char *begin = strstr(text, "Content-Type: application/pkcs8");
    assert_non_null(begin);
    assert_non_null(strstr(begin, "smime-type=certs-only"));
    begin = strstr(begin, "\r\n\r\n") + 4;
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *made = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 4096);
    assert_ok(est_body_decode(mu_slice_of(begin, (size_t)(strstr(begin, "--mutual") - begin)), &der,
                              &err),
              &err);
    assert_ok(mu_key_from_der(mu_buf_slice(&der), &made, &err), &err);
    assert_false(mu_slice_equal(mu_key_spki(made), mu_key_spki(key)));
    api_reply_done(&reply);
}

static int setup(void **state)
{
    (void)state;
    api_home_init(&home, tables, MU_COUNT(tables));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    api_home_done(&home);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(everybody_may_read_the_authoritys_certificates),
        UNIT_CASE(a_token_enrols_once),
        UNIT_CASE(bad_input_is_refused_by_the_right_status),
        UNIT_CASE(without_the_key_process_it_is_told_to_come_again),
        UNIT_CASE(a_request_may_wait_for_a_person),
        UNIT_CASE(who_proves_a_certificate_gets_the_next),
        UNIT_CASE(a_device_that_was_away_renews_with_its_old_key),
        UNIT_CASE(a_key_is_made_where_the_configuration_says_so),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
