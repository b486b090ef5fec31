/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates and lists over HTTP, and what caches are told.
 */
#include "support.h"

static unsigned get(const char *target, const char *fields, struct api_reply *reply)
{
    api_call(&home, "GET", target, fields, mu_slice_of(NULL, 0), reply);
    return reply->head.status;
}

static void certificates_are_given_as_der(void **state)
{
    (void)state;
    struct api_reply reply = {0};
    assert_int_equal(get("/issuer/issuer.cer", NULL, &reply), 200);
    assert_true(field_is(&reply, "Content-Type", "application/pkix-cert"));
    assert_true(mu_slice_equal(reply.body, mu_cert_facts(ca_issuer(home.ca))->der));
    api_reply_done(&reply);
    assert_int_equal(get("/issuer/root.cer", NULL, &reply), 200);
    assert_true(mu_slice_equal(reply.body, mu_cert_facts(ca_root(home.ca))->der));
    api_reply_done(&reply);
}

static void lists_are_given_and_kept_by_caches(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    static const char *const paths[] = {"/crl/issuer.crl", "/crl/issuer.delta.crl", NULL};
    for (size_t i = 0; i < 3; i++) {
        struct api_reply reply = {0};
        struct api_reply again = {0};
        MU_AUTO(crl) struct mu_crl *crl = NULL;
        struct mu_slice etag;
        char condition[128];
        const char *path = paths[i] != NULL
                               ? paths[i]
                               : mu_cert_facts(leaf)->crl_uris[0] + strlen("http://ca.example.org");
        assert_int_equal(get(path, NULL, &reply), 200);
        assert_true(field_is(&reply, "Content-Type", "application/pkix-crl"));
        assert_true(field_is(&reply, "Cache-Control",
                             "max-age=300, public, no-transform, must-revalidate"));
        assert_ok(mu_crl_from_der(reply.body, &crl, &err), &err);
        assert_ok(mu_crl_signed_by(crl, ca_issuer(home.ca), &err), &err);
        char date[HTTP_DATE_TEXT];
        assert_true(field_is(&reply, "Last-Modified",
                             http_date_format(mu_crl_facts(crl)->this_update_s, date)));
        assert_true(
            field_is(&reply, "Expires", http_date_format(mu_crl_facts(crl)->next_update_s, date)));
        assert_true(http_field_find(&reply.head, "ETag", &etag));
        (void)snprintf(condition, sizeof condition, "If-None-Match: %.*s\r\n", (int)etag.len,
                       (const char *)etag.data);
        assert_int_equal(get(path, condition, &again), 304);
        assert_int_equal(again.body.len, 0);
        api_reply_done(&again);
        (void)snprintf(condition, sizeof condition, "If-Modified-Since: %s\r\n",
                       http_date_format(mu_crl_facts(crl)->this_update_s, date));
        assert_int_equal(get(path, condition, &again), 304);
        api_reply_done(&again);
        assert_int_equal(get(path, "If-None-Match: \"other\"\r\n", &again), 200);
        api_reply_done(&again);
        api_reply_done(&reply);
    }
}

static void a_revocation_shows_at_once(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct api_reply reply = {0};
    MU_AUTO(crl) struct mu_crl *crl = NULL;
    revoke_leaf();
    const char *path = mu_cert_facts(leaf)->crl_uris[0] + strlen("http://ca.example.org");
    assert_int_equal(get(path, NULL, &reply), 200);
    assert_ok(mu_crl_from_der(reply.body, &crl, &err), &err);
    assert_true(mu_crl_find(crl, mu_cert_facts(leaf)->serial, NULL));
    api_reply_done(&reply);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/crl/",
        "/crl/issuer",
        "/crl/.crl",
        "/crl/nobody.crl",
        "/crl/issuer.0.crl",
        "/crl/issuer.01.crl",
        "/crl/issuer.99999.crl",
        "/crl/issuer.4097.crl",
        "/crl/issuer.delta.1.crl",
        "/crl/issuer.crl.crl",
        "/crl/../issuer.crl",
        "/crl/root.crl",
        "/crl/issuer%2ecrl",
        "/crl//issuer.crl",
        "/issuer/",
        "/issuer/nobody.cer",
        "/issuer/issuer.crt",
        "/issuer/.cer",
        "/issuer/issuer.key",
        "/crl/issuer.1.delta.crl",
        "/issuer/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.cer"};
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        struct api_reply reply = {0};
        if (get(paths[i], NULL, &reply) != 404) {
            fail_msg("%s: %u", paths[i], reply.head.status);
        }
        api_reply_done(&reply);
    }
    struct api_reply reply = {0};
    api_call(&home, "POST", "/crl/issuer.crl", NULL, mu_slice_of(NULL, 0), &reply);
    assert_int_equal(reply.head.status, 405);
    api_reply_done(&reply);
}

PUBLISH_MAIN(cmocka_unit_test(certificates_are_given_as_der),
             cmocka_unit_test(lists_are_given_and_kept_by_caches),
             cmocka_unit_test(a_revocation_shows_at_once),
             cmocka_unit_test(what_is_not_there_is_not_found))
