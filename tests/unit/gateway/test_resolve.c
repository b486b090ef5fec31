/* SPDX-License-Identifier: Apache-2.0
 *
 * What the helper that asks for names may answer: exactly what was asked, or nothing is believed.
 */
#include "base/base.h"
#include "event/event.h"
#include "gateway/resolve_internal.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void put_address(struct mu_buf *out, const char *ip, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    uint8_t len[4];
    mu_put_be32(len, sizeof address);
    assert_true(mu_buf_append(out, len, sizeof len));
    assert_true(mu_buf_append(out, &address, sizeof address));
}

static void answers_are_taken_in_order(void **state)
{
    (void)state;
    struct resolve_names names = {0};
    assert_non_null(resolve_name_get(&names, "a.test", 1));
    assert_non_null(resolve_name_get(&names, "b.test", 2));
    assert_ptr_equal(resolve_name_get(&names, "a.test", 1), &names.items[0]);
    assert_int_equal(names.count, 2);
    MU_AUTO(buf) struct mu_buf answer;
    mu_buf_init(&answer, 4096);
    assert_true(mu_buf_byte(&answer, 1));
    put_address(&answer, "192.0.2.7", 1);
    assert_true(mu_buf_byte(&answer, 0));
    bool changed = false;
    assert_true(resolve_parse(mu_buf_slice(&answer), &names, 2, &changed));
    assert_true(changed);
    assert_false(names.items[0].failed);
    assert_true(names.items[1].failed);
    assert_true(resolve_parse(mu_buf_slice(&answer), &names, 2, &changed));
    assert_false(changed);
    resolve_names_done(&names);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    struct resolve_names names = {0};
    assert_non_null(resolve_name_get(&names, "a.test", 1));
    MU_AUTO(buf) struct mu_buf answer;
    mu_buf_init(&answer, 4096);
    assert_true(mu_buf_byte(&answer, 1));
    put_address(&answer, "192.0.2.7", 1);
    bool changed = false;
    for (size_t len = 0; len < answer.len; len++) {
        assert_false(resolve_parse(mu_slice_of(answer.data, len), &names, 1, &changed));
    }
    assert_true(mu_buf_byte(&answer, 0)); /* more than was asked */
    assert_false(resolve_parse(mu_buf_slice(&answer), &names, 1, &changed));
    resolve_names_done(&names);
}

UNIT_MAIN(UNIT_CASE(answers_are_taken_in_order), UNIT_CASE(anything_else_is_refused))
