/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures: rows by their labels, sums over processes that follow each other, messages that say too
 * much.
 */
#include <stdio.h>

#include "evidence/evidence.h"
#include "ipc/ipc.h"
#include "unit.h"

static struct mutual_error err;

/* As the parent hears it, in as many messages as it takes; yields how many. */
static int say(const struct ledger *said, struct ledger *kept)
{
    int messages = 0;
    for (size_t next = 0; next < said->count; messages++) {
        MU_AUTO(buf) struct mu_buf message;
        mu_buf_init(&message, MU_LIMIT_MESSAGE_BYTES);
        ledger_write(said, &next, &message);
        assert_false(message.failed);
        struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&message));
        assert_ok(ledger_read(kept, &reader, &err), &err);
    }
    return messages;
}

static void rows_are_told_apart_by_their_labels(void **state)
{
    (void)state;
    MU_AUTO(ledger) struct ledger ledger = {0};
    for (int i = 0; i < 3; i++) {
        ledger_count(&ledger, LEDGER_REQUEST, LEDGER_LABELLED("enroll", "GET", "200"), 1, 5);
    }
    ledger_count(&ledger, LEDGER_REQUEST, LEDGER_LABELLED("enroll", "GET", "404"), 1, 7);
    ledger_count(&ledger, LEDGER_QUESTION, NULL, 10, 0);
    ledger_put(&ledger, LEDGER_CRL_NUMBER, LEDGER_LABELLED("issuer"), 4);
    ledger_put(&ledger, LEDGER_CRL_NUMBER, LEDGER_LABELLED("issuer"), 3);
    assert_int_equal(ledger.count, 4);
    const struct ledger_row *row = ledger_next(&ledger, LEDGER_REQUEST, NULL);
    assert_int_equal(row->value, 3);
    assert_int_equal(row->took_ns, 15);
    assert_string_equal(row->labels[2], "200");
    row = ledger_next(&ledger, LEDGER_REQUEST, row);
    assert_int_equal(row->value, 1);
    assert_null(ledger_next(&ledger, LEDGER_REQUEST, row));
    assert_int_equal(ledger_value(&ledger, LEDGER_CRL_NUMBER, LEDGER_LABELLED("issuer")), 3);
    assert_int_equal(ledger_value(&ledger, LEDGER_CRL_NUMBER, LEDGER_LABELLED("iot")), 0);
    assert_int_equal(ledger_value(&ledger, LEDGER_QUESTION, NULL), 10);
}

static void counters_add_up_over_processes_and_the_store_s_do_not(void **state)
{
    (void)state;
    MU_AUTO(ledger) struct ledger said = {0};
    MU_AUTO(ledger) struct ledger kept = {0};
    MU_AUTO(ledger) struct ledger retired = {0};
    ledger_count(&said, LEDGER_OCSP, LEDGER_LABELLED("good"), 5, 0);
    ledger_put(&said, LEDGER_ISSUED, LEDGER_LABELLED("issuer", "server"), 9);
    ledger_put(&said, LEDGER_TOKENS, LEDGER_LABELLED("open"), 2);
    for (int life = 1; life <= 3; life++) {
        MU_AUTO(ledger) struct ledger sum = {0};
        (void)say(&said, &kept);
        (void)say(&said, &kept); /* asked again, nothing happened */
        ledger_add(&sum, &retired);
        ledger_add(&sum, &kept);
        assert_int_equal(ledger_value(&sum, LEDGER_OCSP, LEDGER_LABELLED("good")), 5 * life);
        assert_int_equal(ledger_value(&sum, LEDGER_ISSUED, LEDGER_LABELLED("issuer", "server")), 9);
        ledger_retire(&kept, &retired);
        assert_int_equal(ledger_value(&kept, LEDGER_TOKENS, LEDGER_LABELLED("open")), 2);
        assert_int_equal(ledger_value(&kept, LEDGER_OCSP, LEDGER_LABELLED("good")), 0);
    }
    MU_AUTO(ledger) struct ledger less = {0};
    ledger_count(&less, LEDGER_OCSP, LEDGER_LABELLED("good"), 1, 0);
    ledger_put(&less, LEDGER_TOKENS, LEDGER_LABELLED("open"), 1);
    (void)say(&said, &kept);
    (void)say(&less, &kept);
    assert_int_equal(ledger_value(&kept, LEDGER_OCSP, LEDGER_LABELLED("good")), 5);
    assert_int_equal(ledger_value(&kept, LEDGER_TOKENS, LEDGER_LABELLED("open")), 1);
}

/* A figure has so many rows, whatever it is that makes them. */
static void too_many_labels_are_counted_as_others(void **state)
{
    (void)state;
    MU_AUTO(ledger) struct ledger ledger = {0};
    MU_AUTO(ledger) struct ledger kept = {0};
    char profile[LEDGER_LABEL_MAX + 1];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(profile, sizeof profile, "%0250d", i);
        ledger_count(&ledger, LEDGER_ENROLMENT, LEDGER_LABELLED(profile, profile, profile), 1, 0);
    }
    assert_int_equal(ledger.count, LEDGER_ROWS_MAX);
    assert_int_equal(
        ledger_value(&ledger, LEDGER_ENROLMENT, LEDGER_LABELLED("other", "other", "other")),
        1000 - (LEDGER_ROWS_MAX - 1));
    assert_in_range(say(&ledger, &kept), 2, 4);
    assert_int_equal(kept.count, LEDGER_ROWS_MAX);
    MU_AUTO(ledger) struct ledger most = {0};
    ledger_count(&most, LEDGER_QUESTION, NULL, INT64_MAX, INT64_MAX);
    ledger_add(&most, &most);
    assert_true(ledger_value(&most, LEDGER_QUESTION, NULL) == INT64_MAX);
}

static void assert_refused(const void *bytes, size_t len)
{
    MU_AUTO(ledger) struct ledger kept = {0};
    struct ipc_reader reader = ipc_reader_of(mu_slice_of(bytes, len));
    assert_fails(ledger_read(&kept, &reader, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
}

static void what_is_no_figure_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[64] = {LEDGER_QUESTION};
    MU_AUTO(ledger) struct ledger kept = {0};
    struct ipc_reader reader = ipc_reader_of(mu_slice_of(bytes, 17));
    assert_ok(ledger_read(&kept, &reader, &err), &err);
    assert_refused(bytes, 16);
    assert_refused(bytes, 18);
    bytes[1] = 0x80; /* a negative count */
    assert_refused(bytes, 17);
    bytes[1] = 0;
    bytes[9] = 0x80;
    assert_refused(bytes, 17);
    bytes[9] = 0;
    bytes[0] = LEDGER_FIGURE_COUNT_;
    assert_refused(bytes, 17);
    bytes[0] = LEDGER_OCSP;
    bytes[20] = 1;
    bytes[21] = '\n'; /* a label is one line */
    assert_refused(bytes, 22);
}

UNIT_MAIN(UNIT_CASE(rows_are_told_apart_by_their_labels),
          UNIT_CASE(counters_add_up_over_processes_and_the_store_s_do_not),
          UNIT_CASE(too_many_labels_are_counted_as_others), UNIT_CASE(what_is_no_figure_is_refused))
