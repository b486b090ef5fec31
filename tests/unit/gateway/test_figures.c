/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's figures: what a process counted outlives it, what it had open does not.
 */
#include "gateway/figures_internal.h"
#include "unit.h"

/* A world with two services, as far as figures look at it. */
static struct world_service services[] = {{.name = "db"}, {.name = "web"}};
static const struct world world = {.services = services, .service_count = 2};
static struct mutual_error err;

static void say(struct figures *figures, uint32_t worker, const char *name, uint64_t accepted,
                uint64_t open, uint64_t places)
{
    struct meters meters = {0};
    size_t next = 0;
    meters_get(&meters, name)->figures[METER_accepted] = accepted;
    meters_get(&meters, name)->figures[METER_open] = open;
    meter_count(meters_get(&meters, name),
                &(struct meter_outcome){.result = METER_ADMITTED, .count = accepted});
    MU_AUTO(buf) struct mu_buf message;
    mu_buf_init(&message, 4096);
    for (int f = 0; f < WORKER_COUNT_; f++) {
        ipc_put_u64(&message, f == WORKER_places || f == WORKER_log_lost ? places : 0);
    }
    meters_write(&meters, &next, &message);
    struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&message));
    assert_ok(figures_read_worker(figures, worker, &reader, &err), &err);
    meters_done(&meters);
}

static void counters_outlive_their_worker(void **state)
{
    (void)state;
    struct figures *figures = figures_new();
    struct meter sum;
    uint64_t own[WORKER_COUNT_];
    assert_true(figures_know(figures, &world));
    say(figures, 0, "db", 10, 2, 100);
    say(figures, 1, "db", 5, 1, 100);
    say(figures, 1, "nowhere", 5, 1, 100);
    figures_sum(figures, "db", &sum);
    assert_int_equal(sum.figures[METER_accepted], 15);
    assert_int_equal(sum.figures[METER_open], 3);
    meter_clear(&sum);
    figures_worker_gone(figures, 0);
    say(figures, 0, "db", 1, 1, 100); /* its replacement begins with nothing */
    figures_sum(figures, "db", &sum);
    assert_int_equal(sum.figures[METER_accepted], 16);
    assert_int_equal(sum.figures[METER_open], 2);
    assert_int_equal(sum.outcome_count, 1);
    assert_int_equal(sum.outcomes[0].count, 16);
    meter_clear(&sum);
    figures_sum(figures, "nowhere", &sum);
    assert_int_equal(sum.figures[METER_accepted], 0);
    meter_clear(&sum);
    figures_workers(figures, own);
    assert_int_equal(own[WORKER_places], 200);
    assert_int_equal(own[WORKER_log_lost], 300);
    figures_free(figures);
    figures_free(NULL);
}

static void signatures_outlive_their_process(void **state)
{
    (void)state;
    struct figures *figures = figures_new();
    struct keys_figures sum;
    for (int life = 0; life < 3; life++) {
        MU_AUTO(buf) struct mu_buf message;
        mu_buf_init(&message, 4096);
        const struct keys_figures said = {.made = {7}, .took_ns = {1000}, .refused = 1};
        keys_figures_write(&message, &said);
        struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&message));
        assert_ok(figures_read_keys(figures, &reader, &err), &err);
        figures_keys_gone(figures);
    }
    figures_keys(figures, &sum);
    assert_int_equal(sum.made[0], 21);
    assert_int_equal(sum.took_ns[0], 3000);
    assert_int_equal(sum.refused, 3);
    struct ipc_reader cut = ipc_reader_of(MU_SLICE_LIT("1234567"));
    assert_fails(figures_read_keys(figures, &cut, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    cut = ipc_reader_of(MU_SLICE_LIT("1234567"));
    assert_fails(figures_read_worker(figures, 0, &cut, &err), &err, MUTUAL_E_MESSAGE_MALFORMED);
    figures_free(figures);
}

/* What the authority's process of that number says: how often it told "good", and how many tokens
 * are open in its store. */
static void authority_says(struct figures *figures, uint32_t index, bool first, int64_t good,
                           int64_t open)
{
    MU_AUTO(ledger) struct ledger said = {0};
    MU_AUTO(buf) struct mu_buf message;
    size_t next = 0;
    mu_buf_init(&message, 4096);
    ledger_count(&said, LEDGER_OCSP, LEDGER_LABELLED("good"), good, 0);
    if (open >= 0) {
        ledger_put(&said, LEDGER_TOKENS, LEDGER_LABELLED("open"), open);
    }
    ipc_put_u8(&message, first ? 1 : 0);
    ledger_write(&said, &next, &message);
    struct ipc_reader reader = ipc_reader_of(mu_buf_slice(&message));
    assert_ok(figures_read_authority(figures, 0, index, &reader, &err), &err);
}

static void assert_authority(const struct figures *figures, int64_t good, int64_t open, size_t rows)
{
    MU_AUTO(ledger) struct ledger sum = {0};
    figures_authority(figures, &sum);
    assert_int_equal(ledger_value(&sum, LEDGER_OCSP, LEDGER_LABELLED("good")), good);
    assert_int_equal(ledger_value(&sum, LEDGER_TOKENS, LEDGER_LABELLED("open")), open);
    assert_int_equal(sum.count, rows);
}

static void the_authority_s_counters_outlive_its_processes(void **state)
{
    (void)state;
    struct figures *figures = figures_new();
    authority_says(figures, 1, true, 5, 2);
    assert_authority(figures, 5, 2, 2);
    figures_authority_gone(figures, 1); /* killed; it is begun again under its number */
    assert_authority(figures, 5, 2, 2);
    authority_says(figures, 1, true, 1, 3);
    authority_says(figures, 1, false, 2, -1); /* a second message of the same report */
    assert_authority(figures, 7, 3, 2);
    authority_says(figures, 2, true, 10, 4);  /* the configuration said something else */
    authority_says(figures, 1, true, 100, 9); /* the one before, on its way out */
    figures_authority_gone(figures, 1);
    assert_authority(figures, 17, 4, 2);
    authority_says(figures, 2, true, 10, -1); /* what it does not say any more is not so */
    assert_authority(figures, 17, 0, 1);
    struct ipc_reader nothing = ipc_reader_of(mu_slice_of(NULL, 0));
    assert_fails(figures_read_authority(figures, 0, 2, &nothing, &err), &err,
                 MUTUAL_E_MESSAGE_MALFORMED);
    figures_authority_none(figures);
    assert_authority(figures, 0, 0, 0);
    figures_free(figures);
}

UNIT_MAIN(UNIT_CASE(counters_outlive_their_worker), UNIT_CASE(signatures_outlive_their_process),
          UNIT_CASE(the_authority_s_counters_outlive_its_processes))
