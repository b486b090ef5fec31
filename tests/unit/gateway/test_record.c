/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of a connection: the log's line and the PROXY header.
 */
#include "fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gateway/record_internal.h"

static bool holds(const struct mu_buf *buf, const char *text)
{
    return memmem(buf->data, buf->len, text, strlen(text)) != NULL;
}

/* What the service is sent before the first byte of a client. */
static void header_of(enum config_proxy_protocol kind, struct mu_buf *ret_header)
{
    struct knock client;
    static uint8_t bytes[8192];
    home.inbound.proxy_protocol = kind;
    knock_open(&client, home.client);
    knock_shake(&client);
    int service = fixture_accept();
    ssize_t len = -1;
    fixture_until((len = recv(service, bytes, sizeof bytes, MSG_DONTWAIT)) > 0);
    mu_buf_init(ret_header, sizeof bytes);
    assert_true(mu_buf_append(ret_header, bytes, (size_t)len));
    (void)close(service);
    knock_done(&client);
}

static void the_proxy_header_tells_who_was_proved(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf plain;
    MU_AUTO(buf) struct mu_buf with_cert;
    struct mu_slice der = mu_cert_facts(home.client->cert)->der;
    header_of(CONFIG_PROXY_V2, &plain);
    assert_true(holds(&plain, "spiffe://example.org/client") && holds(&plain, "TLSv1.3") &&
                holds(&plain, "localhost") && holds(&plain, "ecdsa-with-SHA256") &&
                holds(&plain, "EC256"));
    assert_null(memmem(plain.data, plain.len, der.data, der.len));
    header_of(CONFIG_PROXY_V2_CERT, &with_cert);
    assert_non_null(memmem(with_cert.data, with_cert.len, der.data, der.len));
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
