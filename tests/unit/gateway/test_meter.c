/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures survive the way from the workers to the parent, are added up by service, and a message
 * that is none is refused.
 */
#include "base/base.h"
#include "gateway/meter_internal.h"
#include "ipc/ipc.h"
#include "unit.h"

static void figures_are_added_up_by_service(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct meters one = {0};
    struct meters sum = {0};
    meters_get(&one, "web")->figures[METER_accepted] = 3;
    meters_get(&one, "db")->figures[METER_bytes_in] = UINT64_C(1) << 40;
    assert_ptr_equal(meters_get(&one, "web"), one.items[0]);
    assert_int_equal(one.count, 2);
    for (int worker = 0; worker < 2; worker++) {
        MU_AUTO(buf) struct mu_buf message;
        mu_buf_init(&message, MU_LIMIT_MESSAGE_BYTES);
        meters_write(&one, &message);
        struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&message));
        assert_ok(meters_add(&sum, &reader, &err), &err);
    }
    assert_int_equal(meters_get(&sum, "web")->figures[METER_accepted], 6);
    assert_true(meters_get(&sum, "db")->figures[METER_bytes_in] == UINT64_C(1) << 41);
    meters_done(&one);
    meters_done(&sum);
}

static void what_is_cut_short_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct meters one = {0};
    meters_get(&one, "web")->figures[METER_open] = 1;
    MU_AUTO(buf) struct mu_buf message;
    mu_buf_init(&message, MU_LIMIT_MESSAGE_BYTES);
    meters_write(&one, &message);
    for (size_t len = 1; len < message.len; len++) {
        struct meters sum = {0};
        struct ipc_reader reader = ipc_reader_of(mu_slice_of(message.data, len));
        assert_fails(meters_add(&sum, &reader, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
        meters_done(&sum);
    }
    meters_done(&one);
}

static void every_figure_has_words(void **state)
{
    (void)state;
    for (int i = 0; i < METER_COUNT_; i++) {
        assert_true(strlen(meter_word((enum meter_figure)i)) > 2);
        assert_true(strlen(meter_text((enum meter_figure)i)) > 8);
    }
}

UNIT_MAIN(UNIT_CASE(figures_are_added_up_by_service), UNIT_CASE(what_is_cut_short_is_refused),
          UNIT_CASE(every_figure_has_words))
