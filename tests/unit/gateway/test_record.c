/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of a connection: the log's line and the PROXY header.
 */
#include "fixture.h"

#include <unistd.h>

#include "gateway/record_internal.h"

static bool holds(const struct mu_buf *buf, const char *text)
{
    return memmem(buf->data, buf->len, text, strlen(text)) != NULL;
}

static void the_proxy_header_tells_who_was_proved(void **state)
{
    (void)state;
    struct knock client;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf plain;
    MU_AUTO(buf) struct mu_buf with_cert;
    mu_buf_init(&plain, 1u << 17);
    mu_buf_init(&with_cert, 1u << 17);
    knock_open(&client, home.client);
    knock_shake(&client);
    home.inbound.proxy_protocol = CONFIG_PROXY_V2;
    assert_ok(record_proxy_header(fixture_conn(), &plain, &err), &err);
    assert_true(holds(&plain, "spiffe://example.org/client") && holds(&plain, "TLSv1.3") &&
                holds(&plain, "localhost") && holds(&plain, "ecdsa-with-SHA256") &&
                holds(&plain, "EC256"));
    home.inbound.proxy_protocol = CONFIG_PROXY_V2_CERT;
    assert_ok(record_proxy_header(fixture_conn(), &with_cert, &err), &err);
    assert_true(with_cert.len > plain.len + mu_cert_facts(home.client->cert)->der.len);
    knock_done(&client);
}

static void human_or_json(void **state)
{
    (void)state;
    struct knock client;
    home.worker.log_json = false;
    knock_open(&client, home.client);
    knock_shake(&client);
    (void)close(client.fd);
    client.fd = -1;
    fixture_until(home.worker.slab.used == 0);
    const char *log = fixture_log();
    assert_true(log[0] != '{' && strchr(log, '\n') == log + strlen(log) - 1);
    assert_non_null(strstr(log, "spiffe://example.org/client"));
    knock_done(&client);
}

static void an_event_is_one_line(void **state)
{
    (void)state;
    struct mutual_error what = {0};
    (void)mu_fail(&what, MUTUAL_E_CONNECTION_LIMIT, "a\nreason");
    record_event(&home.worker, "connection_limit", "db", &what);
    const char *log = fixture_log();
    assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
    assert_true(fixture_logged("connection_limit"));
}

UNIT_MAIN(FIXTURE_CASE(the_proxy_header_tells_who_was_proved), FIXTURE_CASE(human_or_json),
          FIXTURE_CASE(an_event_is_one_line))
