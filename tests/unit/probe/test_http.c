/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/probe_internal.h"
#include "unit.h"

static void an_answer_is_noted(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char note[PROBE_NOTE_BYTES];
    assert_true(
        probe_http_read(MU_SLICE_LIT("HTTP/1.1 403 Forbidden\r\nServer: x\r\n"), note, &err));
    assert_string_equal(note, "Asked for / by HTTP, the server answered: HTTP/1.1 403 Forbidden");
    assert_true(probe_http_read(MU_SLICE_LIT("HTTP/1.1 200 \x1b[2J\r\n"), note, &err));
    assert_null(strchr(note, '\x1b'));
    assert_true(probe_http_read(MU_SLICE_LIT("something else"), note, &err));
    assert_string_equal(note, "");
    assert_true(probe_http_read(mu_slice_of(NULL, 0), note, &err));
}

static void refusals_in_answers_are_refusals(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    char note[PROBE_NOTE_BYTES];
    assert_fails(probe_http_read(MU_SLICE_LIT("HTTP/1.1 400 Bad Request\r\n\r\n<center>No required "
                                              "SSL certificate was sent</center>"),
                                 note, &err),
                 &err, MUTUAL_E_PEER_WANTS_CERT);
    assert_fails(probe_http_read(MU_SLICE_LIT("HTTP/1.1 400 Bad Request\r\n\r\n<title>400 The SSL "
                                              "certificate error</title>"),
                                 note, &err),
                 &err, MUTUAL_E_PEER_REFUSED_US);
}

static void the_request_asks_for_the_root_and_ends(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1024);
    probe_http_request("db.e.org", &out);
    assert_true(mu_text_starts(mu_buf_str(&out), "GET / HTTP/1.1\r\nHost: db.e.org\r\n"));
    assert_non_null(strstr(mu_buf_str(&out), "\r\nConnection: close\r\n\r\n"));
}

UNIT_MAIN(UNIT_CASE(an_answer_is_noted), UNIT_CASE(refusals_in_answers_are_refusals),
          UNIT_CASE(the_request_asks_for_the_root_and_ends))
