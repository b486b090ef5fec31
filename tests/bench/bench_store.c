/* SPDX-License-Identifier: Apache-2.0
 *
 * What the inventory's questions cost while it grows: microseconds for each at 10^3 certificates
 * and every power of ten up to the one asked for, in the store whose address is given (a new file,
 * or an empty PostgreSQL database).
 *
 *   bench_store ADDRESS [10^N]
 *
 * Also how often each asked the database; and, where a PostgreSQL server counts (the extension
 * pg_stat_statements in a schema "stats"), what it took there to plan and to run, which does not
 * hang on who else wants the processor in between.
 */
#include "inventory/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW  INT64_C(1800000000)
#define DAY  INT64_C(86400)
#define PAGE 50
enum { ROUNDS = 5 };

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
 * hundred is revoked, 1,000 owners share them, and ten are of an issuer that has no more. */
static void fill(struct inventory *inventory, const char *bytes, long from, long to)
{
    char sql[2048];
    snprintf(sql, sizeof sql,
             "INSERT INTO certificate (id, issuer_id, serial, state, form, profile, name, owner,"
             " place, purpose, path, aside, key_text, key_hash, requested_s, not_before_s,"
             " not_after_s, der, fingerprint, revoked_s, reason)"
             " WITH RECURSIVE n(i) AS (SELECT CAST(%ld AS %s) UNION ALL SELECT i + 1 FROM n"
             "  WHERE i < %ld)"
             " SELECT i, CASE WHEN i <= 10 THEN 2 ELSE 1 END, CAST(CAST((i * 7919) %% 1000003 AS "
             "TEXT) || '-serial-' ||"
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
    /* What inventory_signed and inventory_revoke would have added up. */
    run(inventory, "DELETE FROM ending; INSERT INTO ending (hour, total, revoked)"
                   " SELECT not_after_s / 3600, count(*), count(revoked_s) FROM certificate"
                   " WHERE state IN ('signed', 'delivered') GROUP BY not_after_s / 3600");
}

static double elapsed_us(int64_t start_ns)
{
    return (double)(mu_clock_mono_ns() - start_ns) / 1000.0;
}

/* ---- what the server says -------------------------------------------------------------------- */

static bool server_counts;

static int64_t ask_int(struct inventory *inventory, const char *sql)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    struct mutual_error err = {0};
    bool row = false;
    must(store_prepare(inventory_store(inventory), sql, &read, &err) &&
             store_step(read, &row, &err),
         &err);
    return row ? store_int(read, 0) : 0;
}

static void server_start(struct inventory *inventory)
{
    if (server_counts) {
        run(inventory, "SELECT stats.pg_stat_statements_reset()");
    }
}

/* The best of what was run since, for each kind of statement; every kind is run as often. */
static void server_print(struct inventory *inventory, const char *what)
{
    if (server_counts) {
        int64_t us =
            ask_int(inventory, "SELECT CAST(sum(best) * 1000 AS BIGINT) FROM (SELECT"
                               " min(min_plan_time + min_exec_time) AS best"
                               " FROM stats.pg_stat_statements WHERE query NOT LIKE '%stats.%'"
                               " GROUP BY regexp_replace(query, 'scan_[0-9]+', '')) AS kinds");
        printf(", \"%s_server_us\": %lld", what, (long long)us);
    }
}

/* ---- questions ------------------------------------------------------------------------------- */

static double time_select(struct inventory *inventory, const struct inventory_filter *filter,
                          long want)
{
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

/* The key and certificate of the issuer, for lists and for what is issued. */
static struct mu_key *key;
static struct mu_cert *issuer_cert;

static double time_count(struct inventory *inventory)
{
    double best = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        struct mutual_error err = {0};
        struct inventory_counts counts;
        int64_t start_ns = mu_clock_mono_ns();
        must(inventory_count(inventory, NOW, &counts, &err), &err);
        double us = elapsed_us(start_ns);
        best = us < best ? us : best;
    }
    return best;
}

/* Reading who is revoked, building the list, signing it. */
static void measure_list(struct inventory *inventory)
{
    struct mutual_error err = {0};
    struct inventory_revoked revoked = {0};
    MU_AUTO(buf) struct mu_buf der;
    struct mu_crl_template template = {
        .issuer = issuer_cert, .this_update_s = NOW, .next_update_s = NOW + DAY};
    mu_buf_init(&der, MU_LIMIT_CRL_BYTES);
    int64_t start_ns = mu_clock_mono_ns();
    struct inventory_list list;
    const struct inventory_scope scope = {.issuer_id = 1};
    must(inventory_list_begin(inventory, &scope, NOW, &list, &revoked, &err), &err);
    template.number = list.number;
    template.entries = revoked.items;
    template.count = revoked.count;
    must(mu_crl_sign(&template, key, &der, &err), &err);
    printf(", \"crl_us\": %.0f, \"revoked\": %zu", elapsed_us(start_ns), revoked.count);
    inventory_revoked_done(&revoked);
}

/* What issuing one certificate asks of the store: its number is taken, what was signed is kept, it
 * is delivered, the event is written; three commits, as ca_issue makes them. */
static void measure_issue(struct inventory *inventory)
{
    enum { ISSUES = 20 };
    struct mutual_error err = {0};
    uint8_t serial[20];
    struct mu_cert *certs[ISSUES];
    struct inventory_record record = {.issuer_id = 1,
                                      .profile = "client",
                                      .name = "one more",
                                      .owner = "o",
                                      .place = "p",
                                      .purpose = "p",
                                      .path = "",
                                      .aside = "",
                                      .key_text = "",
                                      .key_hash = mu_slice_of(serial, 20),
                                      .requested_s = NOW,
                                      .not_before_s = NOW,
                                      .not_after_s = NOW + DAY};
    const struct mu_rdn subject = {MU_ATTR_CN, "one more"};
    for (int i = 0; i < ISSUES; i++) {
        const struct mu_cert_template template = {
            .subject = &subject, .subject_count = 1, .not_before_s = NOW, .not_after_s = NOW + DAY};
        must(mu_cert_sign(&template, key, &certs[i], &err), &err);
    }
    int64_t start_ns = mu_clock_mono_ns();
    for (int i = 0; i < ISSUES; i++) {
        int64_t id = 0;
        bool taken = false;
        record.serial = mu_cert_facts(certs[i])->serial;
        struct store *store = inventory_store(inventory);
        must(inventory_reserve(inventory, &record, &taken, &id, &err) &&
                 inventory_signed(inventory, id, certs[i], &err) && store_begin(store, &err) &&
                 inventory_delivered(inventory, id, &err) &&
                 inventory_event(inventory, NOW, "bench", "issue", id, "", &err) &&
                 store_commit(store, &err),
             &err);
    }
    printf(", \"issue_us\": %.0f", elapsed_us(start_ns) / ISSUES);
    run(inventory, "DELETE FROM event");
    run(inventory, "DELETE FROM certificate WHERE name = 'one more'");
    for (int i = 0; i < ISSUES; i++) {
        mu_cert_unref(certs[i]);
    }
}

static void measure(struct inventory *inventory, long rows)
{
    char name[64];
    char dns[96];
    snprintf(name, sizeof name, "device-%ld", rows / 2);
    snprintf(dns, sizeof dns, "%s.example.org", name);
    long few = rows / 1000 < PAGE ? rows / 1000 : PAGE;
    long hundredth = rows / 100 < PAGE ? rows / 100 : PAGE;
    const struct {
        const char *what;
        struct inventory_filter filter;
        long want;
    } questions[] = {
        {"list", {.limit = PAGE}, PAGE},
        {"owner", {.owner = "owner-7", .limit = PAGE}, few},
        {"owner_valid", {.owner = "owner-7", .valid_at_s = NOW, .limit = PAGE}, few},
        {"place", {.place = "place-7", .limit = PAGE}, hundredth},
        {"profile", {.profile = "client", .limit = PAGE}, PAGE},
        {"issuer", {.issuer = "issuer", .limit = PAGE}, PAGE},
        {"small_issuer", {.issuer = "small", .limit = PAGE}, 10},
        {"revoked", {.revoked = true, .limit = PAGE}, hundredth},
        {"next", {.valid_at_s = NOW, .limit = PAGE}, PAGE},
        {"expiring", {.expires_before_s = NOW + 30 * DAY, .limit = PAGE}, PAGE},
        {"name", {.who = dns}, 1},
        {"serial", {.serial_begin = MU_SLICE_LIT("7919-serial-1"), .limit = 1}, 1},
    };
    const struct store_figures *figures = store_figures(inventory_store(inventory));
    printf("{\"rows\": %ld", rows);
    for (size_t i = 0; i < MU_COUNT(questions); i++) {
        server_start(inventory);
        uint64_t start = figures->asked;
        printf(", \"%s_us\": %.0f", questions[i].what,
               time_select(inventory, &questions[i].filter, questions[i].want));
        printf(", \"%s_trips\": %llu", questions[i].what,
               (unsigned long long)(figures->asked - start) / ROUNDS);
        server_print(inventory, questions[i].what);
    }
    server_start(inventory);
    uint64_t before = figures->asked;
    printf(", \"count_us\": %.0f", time_count(inventory));
    printf(", \"count_trips\": %llu", (unsigned long long)(figures->asked - before) / ROUNDS);
    server_print(inventory, "count");
    measure_list(inventory);
    measure_issue(inventory);
    printf("}\n");
    fflush(stdout);
}

static void make_issuer(void)
{
    struct mutual_error err = {0};
    const struct mu_rdn subject = {MU_ATTR_CN, "issuer"};
    const struct mu_cert_template template = {.subject = &subject,
                                              .subject_count = 1,
                                              .not_before_s = NOW,
                                              .not_after_s = NOW + 365 * DAY,
                                              .ca = true,
                                              .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN};
    must(mu_key_generate(MU_SPEC_EC_P256, &key, &err) &&
             mu_cert_sign(&template, key, &issuer_cert, &err),
         &err);
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
    const struct inventory_issuer small = {.name = "small",
                                           .word = "small",
                                           .certificate = MU_SLICE_LIT("der2"),
                                           .key_place = "k",
                                           .made_s = NOW};
    int64_t id = 0;
    make_issuer();
    must(inventory_open(argv[1], STORE_CREATE, 60000, &inventory, &err) &&
             inventory_issuer_add(inventory, &issuer, &id, &err) &&
             inventory_issuer_add(inventory, &small, &id, &err),
         &err);
    bool postgres = strncmp(argv[1], "postgres", 8) == 0;
    const char *bytes = postgres ? "BYTEA" : "BLOB";
    server_counts = postgres && ask_int(inventory, "SELECT count(*) FROM pg_extension WHERE"
                                                   " extname = 'pg_stat_statements'") == 1;
    for (long rows = 1000, from = 1; rows <= most; from = rows + 1, rows *= 10) {
        fill(inventory, bytes, from, rows);
        must(store_ids_follow(inventory_store(inventory), "certificate", &err), &err);
        run(inventory, "ANALYZE");
        measure(inventory, rows);
    }
    inventory_close(inventory);
    mu_cert_unref(issuer_cert);
    mu_key_unref(key);
    return 0;
}
