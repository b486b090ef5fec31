/* SPDX-License-Identifier: Apache-2.0
 *
 * What the inventory's questions cost while it grows: microseconds for each at 10^3 certificates
 * and every power of ten up to the one asked for, in the store whose address is given (a new file,
 * or an empty PostgreSQL database).
 *
 *   bench_store ADDRESS [10^N]
 */
#include "inventory/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW  INT64_C(1800000000)
#define DAY  INT64_C(86400)
#define PAGE 50

static void fail(const struct mutual_error *err)
{
    fprintf(stderr, "bench_store: %s: %s\n", mutual_code_name(err->code), err->reason);
    exit(1);
}

static void must(bool done, const struct mutual_error *err)
{
    if (!done) {
        fail(err);
    }
}

static void run(struct inventory *inventory, const char *sql)
{
    struct mutual_error err = {0};
    must(store_exec(inventory_store(inventory), sql, &err), &err);
}

/* Rows as the authority makes them, but the database makes them: serials are scattered, one in a
 * hundred is revoked, and 1,000 owners share them. */
static void fill(struct inventory *inventory, const char *bytes, long from, long to)
{
    char sql[2048];
    snprintf(sql, sizeof sql,
             "INSERT INTO certificate (id, issuer_id, serial, state, form, profile, name, owner,"
             " place, purpose, path, aside, key_text, key_hash, requested_s, not_before_s,"
             " not_after_s, der, fingerprint, revoked_s, reason)"
             " WITH RECURSIVE n(i) AS (SELECT CAST(%ld AS %s) UNION ALL SELECT i + 1 FROM n"
             "  WHERE i < %ld)"
             " SELECT i, 1, CAST(CAST((i * 7919) %% 1000003 AS TEXT) || '-serial-' ||"
             "  CAST(i AS TEXT) AS %s), 'delivered', 'directory', 'client',"
             "  'device-' || CAST(i AS TEXT), 'owner-' || CAST(i %% 1000 AS TEXT),"
             "  'place-' || CAST(i %% 100 AS TEXT), 'a device', '/p', '', 'EC P-256',"
             "  CAST('0123456789abcdef0123456789abcdef' AS %s), %lld, %lld,"
             "  %lld + (i * 7907) %% 31536000,"
             "  CAST('%0512d' AS %s), CAST('fingerprint-' || CAST(i AS TEXT) AS %s),"
             "  CASE WHEN i %% 100 = 0 THEN %lld END, CASE WHEN i %% 100 = 0 THEN 1 END FROM n",
             from, strcmp(bytes, "BYTEA") == 0 ? "BIGINT" : "INTEGER", to, bytes, bytes,
             (long long)NOW, (long long)NOW, (long long)NOW, 0, bytes, bytes, (long long)NOW);
    run(inventory, sql);
    snprintf(sql, sizeof sql,
             "INSERT INTO certified_name (certificate_id, position, type, value)"
             " SELECT id, 0, 'dns', name || '.example.org' FROM certificate"
             " WHERE id BETWEEN %ld AND %ld",
             from, to);
    run(inventory, sql);
}

static double elapsed_us(int64_t start_ns)
{
    return (double)(mu_clock_mono_ns() - start_ns) / 1000.0;
}

static double time_select(struct inventory *inventory, const struct inventory_filter *filter,
                          long want)
{
    enum { ROUNDS = 5 };
    double best = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        struct mutual_error err = {0};
        struct inventory_records records = {0};
        int64_t start_ns = mu_clock_mono_ns();
        must(inventory_records_get(inventory, filter, 1000, &records, &err), &err);
        double us = elapsed_us(start_ns);
        best = us < best ? us : best;
        if ((long)records.count != want) {
            fprintf(stderr, "bench_store: %zu rows, %ld were meant\n", records.count, want);
            exit(1);
        }
        inventory_records_done(&records);
    }
    return best;
}

static void measure(struct inventory *inventory, long rows)
{
    struct mutual_error err = {0};
    char name[64];
    char dns[96];
    uint8_t serial[20];
    bool taken = false;
    int64_t id = 0;
    snprintf(name, sizeof name, "device-%ld", rows / 2);
    snprintf(dns, sizeof dns, "%s.example.org", name);
    const struct inventory_filter page = {.limit = PAGE};
    const struct inventory_filter owner = {.owner = "owner-7", .limit = PAGE};
    const struct inventory_filter place = {.place = "place-7", .limit = PAGE};
    const struct inventory_filter next = {.valid_at_s = NOW, .limit = PAGE};
    const struct inventory_filter who = {.who = dns};
    const struct inventory_filter begin = {.serial_begin = MU_SLICE_LIT("7919-serial-1"),
                                           .limit = 1};
    long few = rows / 1000 < PAGE ? rows / 1000 : PAGE;
    printf("{\"rows\": %ld", rows);
    printf(", \"list_us\": %.0f", time_select(inventory, &page, PAGE));
    printf(", \"owner_us\": %.0f", time_select(inventory, &owner, few));
    printf(", \"place_us\": %.0f",
           time_select(inventory, &place, rows / 100 < PAGE ? rows / 100 : PAGE));
    printf(", \"next_us\": %.0f", time_select(inventory, &next, PAGE));
    printf(", \"name_us\": %.0f", time_select(inventory, &who, 1));
    printf(", \"serial_us\": %.0f", time_select(inventory, &begin, 1));
    struct inventory_counts counts;
    int64_t start_ns = mu_clock_mono_ns();
    must(inventory_count(inventory, NOW, &counts, &err), &err);
    printf(", \"count_us\": %.0f", elapsed_us(start_ns));
    struct inventory_revoked revoked = {0};
    struct inventory_list list;
    const struct inventory_scope scope = {.issuer_id = 1};
    start_ns = mu_clock_mono_ns();
    must(inventory_list_begin(inventory, &scope, NOW, &list, &revoked, &err), &err);
    printf(", \"crl_us\": %.0f, \"revoked\": %zu", elapsed_us(start_ns), revoked.count);
    inventory_revoked_done(&revoked);
    struct inventory_record record = {.issuer_id = 1,
                                      .profile = "client",
                                      .name = "one more",
                                      .owner = "o",
                                      .place = "p",
                                      .purpose = "p",
                                      .path = "",
                                      .aside = "",
                                      .key_text = "",
                                      .serial = mu_slice_of(serial, sizeof serial),
                                      .key_hash = mu_slice_of(serial, 20),
                                      .requested_s = NOW,
                                      .not_before_s = NOW,
                                      .not_after_s = NOW + DAY};
    enum { ISSUES = 50 };
    start_ns = mu_clock_mono_ns();
    for (int i = 0; i < ISSUES; i++) {
        must(mu_random(serial, sizeof serial, &err) &&
                 inventory_reserve(inventory, &record, &taken, &id, &err),
             &err);
    }
    printf(", \"reserve_us\": %.0f}\n", elapsed_us(start_ns) / ISSUES);
    fflush(stdout);
    run(inventory, "DELETE FROM certificate WHERE state = 'reserved'");
}

int main(int argc, char **argv)
{
    struct mutual_error err = {0};
    struct inventory *inventory = NULL;
    long most = argc > 2 ? atol(argv[2]) : 100000;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store ADDRESS [ROWS]\n");
        return 2;
    }
    const struct inventory_issuer issuer = {
        .name = "issuer", .certificate = MU_SLICE_LIT("der"), .key_place = "k", .made_s = NOW};
    int64_t id = 0;
    must(inventory_open(argv[1], STORE_CREATE, 60000, &inventory, &err) &&
             inventory_issuer_add(inventory, &issuer, &id, &err),
         &err);
    const char *bytes = strncmp(argv[1], "postgres", 8) == 0 ? "BYTEA" : "BLOB";
    for (long rows = 1000, from = 1; rows <= most; from = rows + 1, rows *= 10) {
        fill(inventory, bytes, from, rows);
        run(inventory, "ANALYZE");
        measure(inventory, rows);
    }
    inventory_close(inventory);
    return 0;
}
