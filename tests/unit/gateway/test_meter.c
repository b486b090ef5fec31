/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures survive the way from the workers to the parent, in as many messages as it takes; a
 * message that is none is refused, and none makes a counter go back.
 */
#include "base/base.h"
#include "gateway/meter_internal.h"
#include "ipc/ipc.h"
#include "unit.h"

static const struct meter_outcome admitted = {
    .result = METER_ADMITTED, .version = METER_TLS13, .count = 1};
static const struct meter_outcome expired = {
    .code = MUTUAL_E_CERT_EXPIRED, .result = METER_REFUSED, .version = METER_TLS12, .count = 1};

static uint64_t count_of(const struct meter *meter, const struct meter_outcome *how)
{
    for (size_t i = 0; i < meter->outcome_count; i++) {
        if (meter->outcomes[i].code == how->code && meter->outcomes[i].result == how->result) {
            return meter->outcomes[i].count;
        }
    }
    return 0;
}

/* What a worker has goes to the parent in messages of at most `max` bytes. */
static size_t send_all(const struct meters *from, struct meters *to, const struct meters *known,
                       size_t max)
{
    struct mutual_error err = {0};
    size_t next = 0;
    size_t messages = 0;
    while (next < from->count) {
        MU_AUTO(buf) struct mu_buf message;
        mu_buf_init(&message, max);
        size_t before = next;
        meters_write(from, &next, &message);
        assert_true(next > before && !message.failed);
        struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&message));
        assert_ok(meters_read(to, known, &reader, &err), &err);
        messages++;
    }
    return messages;
}

static void figures_go_over_in_as_many_messages_as_it_takes(void **state)
{
    (void)state;
    struct meters worker = {0};
    struct meters kept = {0};
    struct meters known = {0};
    for (int i = 0; i < 1000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "service-%d", i);
        struct meter *meter = meters_get(&worker, name);
        meter->figures[METER_accepted] = (uint64_t)i;
        meter_count(meter, &admitted);
        meter_count(meter, &expired);
        meter_count(meter, &expired);
        assert_non_null(meters_get(&known, name));
    }
    assert_ptr_equal(meters_get(&worker, "service-7"), worker.items[7]);
    assert_int_equal(worker.count, 1000);
    assert_true(send_all(&worker, &kept, &known, 4096) > 10);
    assert_int_equal(kept.count, 1000);
    assert_int_equal(meters_find(&kept, "service-999")->figures[METER_accepted], 999);
    assert_int_equal(count_of(meters_find(&kept, "service-0"), &expired), 2);
    assert_int_equal(count_of(meters_find(&kept, "service-0"), &admitted), 1);
    assert_null(meters_find(&kept, "nobody"));
    meters_done(&worker);
    meters_done(&kept);
    meters_done(&known);
}

static void counters_never_go_back_and_gauges_do(void **state)
{
    (void)state;
    struct meters worker = {0};
    struct meters kept = {0};
    struct meter *meter = meters_get(&worker, "web");
    meter->figures[METER_accepted] = 9;
    meter->figures[METER_open] = 9;
    meter_count(meter, &(struct meter_outcome){.result = METER_LEFT, .count = 5});
    (void)send_all(&worker, &kept, &worker, 4096);
    meter->figures[METER_accepted] = 3;
    meter->figures[METER_open] = 3;
    meter->outcomes[0].count = 1;
    (void)send_all(&worker, &kept, &worker, 4096);
    assert_int_equal(meters_find(&kept, "web")->figures[METER_accepted], 9);
    assert_int_equal(meters_find(&kept, "web")->figures[METER_open], 3);
    assert_int_equal(meters_find(&kept, "web")->outcomes[0].count, 5);
    struct meter sum = {0};
    meter_add(&sum, meters_find(&kept, "web"), false);
    assert_int_equal(sum.figures[METER_accepted], 9);
    assert_int_equal(sum.figures[METER_open], 0);
    meter_clear(&sum);
    meters_done(&worker);
    meters_done(&kept);
}

static void services_that_there_are_not_are_passed_over(void **state)
{
    (void)state;
    struct meters worker = {0};
    struct meters kept = {0};
    struct meters known = {0};
    meters_get(&worker, "invented")->figures[METER_accepted] = 1;
    meter_count(meters_get(&worker, "invented"), &expired);
    meters_get(&worker, "web")->figures[METER_accepted] = 2;
    assert_non_null(meters_get(&known, "web"));
    (void)send_all(&worker, &kept, &known, 4096);
    assert_int_equal(kept.count, 1);
    assert_int_equal(meters_find(&kept, "web")->figures[METER_accepted], 2);
    meters_done(&worker);
    meters_done(&kept);
    meters_done(&known);
}

static void what_is_cut_short_or_out_of_range_is_refused(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    struct meters one = {0};
    size_t next = 0;
    meter_count(meters_get(&one, "web"), &expired);
    MU_AUTO(buf) struct mu_buf message;
    mu_buf_init(&message, MU_LIMIT_MESSAGE_BYTES);
    meters_write(&one, &next, &message);
    for (size_t len = 1; len < message.len; len++) {
        struct meters kept = {0};
        struct ipc_reader reader = ipc_reader_of(mu_slice_of(message.data, len));
        assert_fails(meters_read(&kept, &one, &reader, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
        meters_done(&kept);
    }
    const size_t places[] = {13, 11, 10}; /* from the end: the code, the result, the version */
    for (size_t i = 0; i < MU_COUNT(places); i++) {
        struct meters kept = {0};
        uint8_t *byte = &message.data[message.len - places[i]];
        uint8_t before = *byte;
        *byte = 0xff;
        struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&message));
        assert_fails(meters_read(&kept, &one, &reader, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
        *byte = before;
        meters_done(&kept);
    }
    meters_done(&one);
}

static void ways_to_fail_are_bounded(void **state)
{
    (void)state;
    struct meter meter = {0};
    for (unsigned i = 0; i < 2 * METER_OUTCOMES_MAX; i++) {
        const struct meter_outcome how = {.code = (uint16_t)i, .result = METER_FAILED, .count = 1};
        meter_count(&meter, &how);
    }
    assert_int_equal(meter.outcome_count, METER_OUTCOMES_MAX);
    assert_int_equal(meter.outcomes[METER_OUTCOMES_MAX - 1].count, METER_OUTCOMES_MAX + 1);
    meter_clear(&meter);
}

static void every_figure_has_words(void **state)
{
    (void)state;
    for (int i = 0; i < METER_COUNT_; i++) {
        assert_true(strlen(meter_word((enum meter_figure)i)) > 2);
        assert_true(strlen(meter_text((enum meter_figure)i)) > 8);
    }
    assert_string_equal(meter_result_word(METER_LEFT), "left");
    assert_true(worker_figure_grows(WORKER_log_lost));
    assert_false(worker_figure_grows(WORKER_knocking));
}

UNIT_MAIN(UNIT_CASE(figures_go_over_in_as_many_messages_as_it_takes),
          UNIT_CASE(counters_never_go_back_and_gauges_do),
          UNIT_CASE(services_that_there_are_not_are_passed_over),
          UNIT_CASE(what_is_cut_short_or_out_of_range_is_refused),
          UNIT_CASE(ways_to_fail_are_bounded), UNIT_CASE(every_figure_has_words))
