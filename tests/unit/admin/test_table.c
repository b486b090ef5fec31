/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

static void bytes_of_the_request_make_nobody_somebody(void **state)
{
    (void)state;
    as(ADMIN_NOBODY);
    refused("GET", "/counts",
            "X-Role: admin\r\nRole: admin\r\nAuthorization: Bearer admin\r\n"
            "X-Forwarded-Client-Cert: By=x;URI=spiffe://example.org/user/admin\r\n"
            "Client-Cert: :AAAA:\r\n",
            NULL, 403, "ROLE_MISSING");
    refused("GET", "/counts?role=admin", NULL, NULL, 403, "ROLE_MISSING");
    assert_non_null(strstr(home.last_log, "error[ROLE_MISSING]: the role auditor is missing"));
    assert_non_null(strstr(home.last_log, "spiffe://example.org/user/nobody"));
}

static void who_proves_nothing_gets_nowhere(void **state)
{
    (void)state;
    api_home_caller(&home, API_TLS, NULL);
    refused("GET", "/counts", NULL, NULL, 403, "NO_CLIENT_CERT");
    api_home_caller(&home, API_PLAIN, NULL);
    refused("GET", "/counts", NULL, NULL, 403, "NO_CLIENT_CERT");
}

static void methods_types_and_sizes_are_what_they_are(void **state)
{
    (void)state;
    static char large[MU_LIMIT_API_BODY + 1];
    memset(large, 'x', sizeof large - 1);
    as(ADMIN_ADMIN);
    refused("PUT", "/counts", NULL, NULL, 405, "HTTP_UNSUPPORTED");
    refused("PATCH", "/tokens", NULL, "{}", 405, "HTTP_UNSUPPORTED");
    refused("DELETE", "/certificates/00", NULL, NULL, 405, "HTTP_UNSUPPORTED");
    refused("POST", "/tokens", "Content-Type: text/plain\r\n", "{}", 415, "HTTP_UNSUPPORTED");
    refused("POST", "/tokens", "X: y\r\n", "{}", 415, "HTTP_UNSUPPORTED");
    refused("POST", "/tokens", NULL, "[]", 400, "JSON_MALFORMED");
    refused("GET", "/counts", JSON, "{}", 413, "HTTP_LIMIT");
    static struct api_reply reply;
    large[sizeof large - 1] = '\0';
    call("POST", "/tokens", JSON, large, &reply);
    assert_true(reply.head.status == 400 || reply.head.status == 413);
    api_reply_done(&reply);
}

static void answers_are_not_stored_on_the_way(void **state)
{
    (void)state;
    static struct api_reply reply;
    struct mu_slice value = {0};
    as(ADMIN_AUDITOR);
    call("GET", "/counts", NULL, NULL, &reply);
    assert_true(http_field_find(&reply.head, "Cache-Control", &value));
    assert_true(mu_slice_equal_text(value, "no-store"));
    api_reply_done(&reply);
    call("HEAD", "/counts", NULL, NULL, &reply);
    assert_int_equal(reply.head.status, 200);
    assert_int_equal(reply.body.len, 0);
    api_reply_done(&reply);
}

/* A "simple" request of a page elsewhere: no type is asked of what has no body. */
static void a_page_of_another_site_changes_nothing(void **state)
{
    (void)state;
    static const char *const foreign[] = {
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: none\r\nSec-Fetch-Site: none\r\n",
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://ca.example.org\r\n",
        "Origin: https://ca.example.org:8443\r\n",
        "Origin: https://ca.example.org.evil.example\r\n",
        "Sec-Fetch-Site: same-origin\r\nOrigin: https://ca.example.or\r\n",
    };
    static const char *const own[] = {
        "Sec-Fetch-Site: none\r\n",
        "Sec-Fetch-Site: same-origin\r\nOrigin: https://ca.example.org\r\n",
    };
    as(ADMIN_ADMIN);
    for (size_t i = 0; i < MU_COUNT(foreign); i++) {
        refused("POST", "/requests/99/approve", foreign[i], NULL, 403, "POLICY_DENIED");
        refused("DELETE", "/tokens/99", foreign[i], NULL, 403, "POLICY_DENIED");
    }
    for (size_t i = 0; i < MU_COUNT(own); i++) {
        refused("POST", "/requests/99/approve", own[i], NULL, 404, "NOT_FOUND");
    }
    home.settings.url = "https://CA.example.org:443";
    refused("DELETE", "/tokens/99", own[1], NULL, 404, "NOT_FOUND");
    home.settings.url = NULL;
    refused("DELETE", "/tokens/99", own[1], NULL, 403, "POLICY_DENIED");
    home.settings.url = "https://ca.example.org";
}

ADMIN_MAIN(UNIT_CASE(bytes_of_the_request_make_nobody_somebody),
           UNIT_CASE(who_proves_nothing_gets_nowhere),
           UNIT_CASE(methods_types_and_sizes_are_what_they_are),
           UNIT_CASE(answers_are_not_stored_on_the_way),
           UNIT_CASE(a_page_of_another_site_changes_nothing))
