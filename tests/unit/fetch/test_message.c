/* SPDX-License-Identifier: Apache-2.0
 *
 * What parent and fetch process tell each other: there and back, cut short, and with descriptors
 * that do not go with it.
 */
#include <string.h>

#include "fetch/fetch.h"
#include "unit.h"

static struct mutual_error err;
static struct ipc_channel *parent, *child;

static int setup(void **state)
{
    int fds[2];
    (void)state;
    return ipc_pair(fds, &err) && ipc_channel_new(fds[0], IPC_PARENT, IPC_FETCH, &parent, &err) &&
                   ipc_channel_new(fds[1], IPC_FETCH, IPC_PARENT, &child, &err)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    ipc_channel_free(parent);
    ipc_channel_free(child);
    return 0;
}

static struct ipc_message get(struct ipc_channel *channel)
{
    struct ipc_message message = {0};
    assert_int_equal(ipc_receive(channel, &message, &err), IPC_GOT);
    return message;
}

static void an_outcome_comes_back(void **state)
{
    (void)state;
    struct fetch_outcome sent = {.id = 7,
                                 .status = 200,
                                 .bytes = 123,
                                 .fresh_s = 60,
                                 .etag = "\"a\"",
                                 .modified = "Sun",
                                 .this_update_s = 5,
                                 .next_update_s = 6,
                                 .produced_s = 4};
    struct fetch_outcome got;
    assert_ok(fetch_outcome_send(child, &sent, &err), &err);
    struct ipc_message message = get(parent);
    assert_ok(fetch_outcome_read(&message, &got, &err), &err);
    assert_int_equal(got.id, 7);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.bytes, 123);
    assert_int_equal(got.fresh_s, 60);
    assert_string_equal(got.etag, "\"a\"");
    assert_string_equal(got.modified, "Sun");
    assert_int_equal(got.next_update_s, 6);
    assert_int_equal(got.produced_s, 4);
    struct mu_slice whole = message.payload;
    for (size_t len = 1; len < whole.len; len++) {
        struct ipc_message cut = {.type = message.type, .payload = {whole.data, len}};
        assert_fails(fetch_outcome_read(&cut, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    }
    ipc_message_done(&message);
}

static void a_failure_comes_back(void **state)
{
    (void)state;
    struct fetch_outcome sent = {.id = 8};
    struct fetch_outcome got;
    (void)mu_fail(&sent.error, MUTUAL_E_HTTP_STATUS, "the server answered 404");
    assert_ok(fetch_outcome_send(child, &sent, &err), &err);
    struct ipc_message message = get(parent);
    assert_ok(fetch_outcome_read(&message, &got, &err), &err);
    assert_int_equal(got.error.code, MUTUAL_E_HTTP_STATUS);
    assert_string_equal(got.error.reason, "the server answered 404");
    ipc_message_done(&message);
}

static void what_does_not_fit_together_is_malformed(void **state)
{
    (void)state;
    struct fetch_outcome wrong[] = {
        {.id = 1, .status = 206},
        {.id = 1, .status = 0},
        {.id = 1, .status = 200, .etag = "a\nb"},
    };
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        struct fetch_outcome got;
        assert_ok(fetch_outcome_send(child, &wrong[i], &err), &err);
        struct ipc_message message = get(parent);
        assert_fails(fetch_outcome_read(&message, &got, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
        ipc_message_done(&message);
    }
}

static void a_want_comes_back(void **state)
{
    (void)state;
    const struct fetch_want sent = {9, 8080, 2};
    struct fetch_want got;
    assert_ok(fetch_want_send(child, &sent, &err), &err);
    struct ipc_message message = get(parent);
    assert_ok(fetch_want_read(&message, &got, &err), &err);
    assert_int_equal(got.id, 9);
    assert_int_equal(got.port, 8080);
    assert_int_equal(got.attempt, 2);
    ipc_message_done(&message);
}

static void material_comes_back(void **state)
{
    (void)state;
    const struct fetch_material sent = {true, MU_SLICE_LIT("anchors"), MU_SLICE_LIT("more")};
    struct fetch_material got;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 4096);
    fetch_material_write(&bytes, &sent);
    assert_ok(fetch_material_read(mu_buf_slice(&bytes), &got, &err), &err);
    assert_true(got.allow_intermediates);
    assert_true(mu_slice_equal(got.anchors, sent.anchors));
    assert_true(mu_slice_equal(got.intermediates, sent.intermediates));
    for (size_t len = 0; len < bytes.len; len++) {
        assert_fails(fetch_material_read(mu_slice_of(bytes.data, len), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
}

static void whom_it_is_about_comes_back(void **state)
{
    (void)state;
    const struct fetch_about sent = {MU_SLICE_LIT("leaf"), MU_SLICE_LIT("issuer")};
    struct fetch_about got;
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 4096);
    fetch_about_write(&bytes, &sent);
    assert_ok(fetch_about_read(mu_buf_slice(&bytes), &got, &err), &err);
    assert_true(mu_slice_equal(got.leaf, sent.leaf));
    assert_true(mu_slice_equal(got.issuer, sent.issuer));
    for (size_t len = 0; len < bytes.len; len++) {
        assert_fails(fetch_about_read(mu_slice_of(bytes.data, len), &got, &err), &err,
                     MUTUAL_E_MESSAGE_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_outcome_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_together_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_want_comes_back, setup, teardown),
        cmocka_unit_test(material_comes_back),
        cmocka_unit_test(whom_it_is_about_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
