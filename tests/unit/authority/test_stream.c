/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream from a worker: the frame, then HTTP; and what is no frame.
 */
#include "authority/authority_internal.h"

#include "api_call.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct api_home home;
static struct streams streams;
static int far = -1;

static void tell(struct api_world *world, const struct api_request *request,
                 struct api_response *response)
{
    (void)world;
    response->content_type = "text/plain";
    (void)mu_buf_printf(&response->body, "%s %s", api_channel_word(request->caller->channel),
                        request->who);
}

static const struct api_route routes[] = {
    {"GET", "/who", API_ON(API_PLAIN) | API_ON(API_TLS) | API_ON(API_MUTUAL), NULL, 0, tell}};
static const struct api_table table = {"test", routes, MU_COUNT(routes), NULL};
static const struct api_table *const tables[] = {&table};

static int setup(void **state)
{
    struct mutual_error err = {0};
    (void)state;
    api_home_init(&home, tables, 1);
    streams = (struct streams){.world = &home.world, .tables = tables, .table_count = 1};
    streams_init(&streams);
    assert_ok(reactor_new(&streams.reactor, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    streams_done(&streams);
    reactor_free(streams.reactor);
    api_home_done(&home);
    return 0;
}

static void turn(void)
{
    struct mutual_error err = {0};
    for (int i = 0; i < 10; i++) {
        assert_ok(reactor_turn(streams.reactor, 0, &err), &err);
    }
}

static void begin(void)
{
    struct mutual_error err = {0};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_ok(streams_add(&streams, pair[1], 3, &err), &err);
    far = pair[0];
}

static void frame(struct mu_buf *out, enum evidence_channel channel, struct mu_slice leaf)
{
    struct mutual_error err = {0};
    const struct evidence evidence = {
        .channel = channel, .listener = "enroll", .address = "192.0.2.9:7", .leaf = leaf};
    mu_buf_init(out, 2 * EVIDENCE_BODY);
    assert_ok(evidence_write(&evidence, out, &err), &err);
}

/* Everything it answers until it waits; NULL: it closed without a word. */
static const char *answer(void)
{
    static char text[4096];
    turn();
    ssize_t n = recv(far, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? text : NULL;
}

static bool is_closed(void)
{
    uint8_t byte;
    turn();
    ssize_t n = recv(far, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n == -1 && errno == ECONNRESET); /* it may not have read all */
}

#define GET_WHO "GET /who HTTP/1.1\r\nHost: a\r\n\r\n"

static void the_frame_says_who_calls(void **state)
{
    (void)state;
    struct mu_cert *cert = api_home_issue(&home, "client", "joe", NULL);
    const struct {
        enum evidence_channel channel;
        struct mu_slice leaf;
        const char *text;
    } rows[] = {
        {EVIDENCE_PLAIN, {0}, "plain 192.0.2.9:7 (enroll)"},
        {EVIDENCE_TLS, {0}, "tls 192.0.2.9:7 (enroll)"},
        {EVIDENCE_MUTUAL, mu_cert_facts(cert)->der,
         "mutual spiffe://example.org/joe (enroll 192.0.2.9:7)"},
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        MU_AUTO(buf) struct mu_buf bytes;
        begin();
        frame(&bytes, rows[i].channel, rows[i].leaf);
        assert_true(mu_buf_text(&bytes, GET_WHO));
        for (size_t k = 0; k < bytes.len; k++) { /* as slowly as it may come */
            assert_int_equal(send(far, bytes.data + k, 1, 0), 1);
            if (k % 7 == 0) {
                turn();
            }
        }
        const char *said = answer();
        assert_non_null(said);
        assert_non_null(strstr(said, "200 OK"));
        assert_non_null(strstr(said, rows[i].text));
        (void)close(far);
        turn();
        assert_int_equal(streams.count, 0);
    }
    mu_cert_unref(cert);
}

/* The frame is what the worker writes first; a second one is a client's, and no HTTP. */
static void a_client_cannot_write_a_frame(void **state)
{
    (void)state;
    struct mu_cert *cert = api_home_issue(&home, "client", "admin", NULL);
    MU_AUTO(buf) struct mu_buf bytes;
    MU_AUTO(buf) struct mu_buf forged;
    begin();
    frame(&bytes, EVIDENCE_TLS, (struct mu_slice){0});
    frame(&forged, EVIDENCE_MUTUAL, mu_cert_facts(cert)->der);
    assert_true(mu_buf_append(&bytes, forged.data, forged.len));
    assert_true(mu_buf_text(&bytes, GET_WHO));
    assert_int_equal(send(far, bytes.data, bytes.len, 0), bytes.len);
    const char *said = answer();
    assert_non_null(said);
    assert_non_null(strstr(said, "400 Bad Request"));
    assert_null(strstr(said, "admin"));
    (void)close(far);
    turn();
    mu_cert_unref(cert);
}

static void without_a_frame_nothing_is_answered(void **state)
{
    (void)state;
    begin();
    assert_int_equal(send(far, GET_WHO, strlen(GET_WHO), 0), strlen(GET_WHO));
    assert_true(is_closed());
    assert_non_null(strstr(home.last_log, "MESSAGE_MALFORMED"));
    (void)close(far);
    assert_int_equal(streams.count, 0);
    begin();
    assert_int_equal(send(far, "MUEV\xff\xff\xff\xff", 8, 0), 8);
    assert_true(is_closed());
    (void)close(far);
}

static void a_certificate_that_is_none_is_nobody(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf bytes;
    begin();
    frame(&bytes, EVIDENCE_MUTUAL, MU_SLICE_LIT("no certificate"));
    assert_int_equal(send(far, bytes.data, bytes.len, 0), bytes.len);
    assert_true(is_closed());
    assert_non_null(strstr(home.last_log, "CERT_MALFORMED"));
    (void)close(far);
}

static void a_worker_has_so_many_and_no_more(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    int fds[STREAMS_PER_WORKER];
    for (size_t i = 0; i < STREAMS_PER_WORKER; i++) {
        fds[i] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    }
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    for (size_t i = 0; i < STREAMS_PER_WORKER; i++) {
        (void)close(fds[i]);
        assert_ok(streams_add(&streams, fcntl(pair[1], F_DUPFD_CLOEXEC, 10), 3, &err), &err);
    }
    assert_fails(streams_add(&streams, fcntl(pair[1], F_DUPFD_CLOEXEC, 10), 3, &err), &err,
                 MUTUAL_E_LIMIT);
    assert_ok(streams_add(&streams, fcntl(pair[1], F_DUPFD_CLOEXEC, 10), 4, &err), &err);
    (void)close(pair[1]);
    (void)close(pair[0]);
    turn();
    assert_int_equal(streams.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(the_frame_says_who_calls),
        UNIT_CASE(a_client_cannot_write_a_frame),
        UNIT_CASE(without_a_frame_nothing_is_answered),
        UNIT_CASE(a_certificate_that_is_none_is_nobody),
        UNIT_CASE(a_worker_has_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
