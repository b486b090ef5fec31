/* SPDX-License-Identifier: Apache-2.0
 *
 * How many certificates there are, without looking at each. What is over and what is valid follows
 * from when certificates end, so they are added up by the hour of their end as they are made and
 * revoked; only the hour that is running now is looked at row by row.
 */
#include "inventory/inventory_internal.h"

#define HOUR_S 3600
#define EXISTS " state IN ('signed', 'delivered')"
#define ADD_UP                                                                \
    "INSERT INTO ending (hour, total, revoked)"                               \
    " SELECT not_after_s / 3600, count(*), count(revoked_s) FROM certificate" \
    " WHERE" EXISTS " GROUP BY not_after_s / 3600"

/* Also pages of an issuer's and of the revoked at any size. */
const char inventory_tally_step[] =
    "CREATE TABLE ending ("
    " hour {int} PRIMARY KEY,"
    " total {int} NOT NULL,"
    " revoked {int} NOT NULL"
    ") {strict};" ADD_UP ";"
    "DROP INDEX certificate_count;"
    "CREATE INDEX certificate_begin ON certificate (not_before_s);"
    "CREATE INDEX certificate_issuer ON certificate (issuer_id, not_after_s, id);"
    "CREATE INDEX certificate_revoked_end ON certificate (not_after_s, id)"
    " WHERE revoked_s IS NOT NULL;"
    /* All that a revocation list says of them: no row need be looked for on the disk. */
    "DROP INDEX certificate_revoked;"
    "CREATE INDEX certificate_revoked ON certificate"
    " (issuer_id, not_after_s, serial, revoked_s, reason) WHERE revoked_s IS NOT NULL;"
    "DROP INDEX certificate_shard;"
    "CREATE INDEX certificate_shard ON certificate"
    " (issuer_id, shard, not_after_s, serial, revoked_s, reason) WHERE revoked_s IS NOT NULL;"
    "DROP INDEX certificate_revoked_list;"
    "CREATE INDEX certificate_revoked_list ON certificate"
    " (issuer_id, revoked_list, serial, revoked_s, reason) WHERE revoked_s IS NOT NULL";

static bool change(struct inventory *inventory, const char *sql, int64_t id,
                   struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store, sql, &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    return store_run(set, err);
}

bool inventory_tally_signed(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    return change(inventory,
                  "INSERT INTO ending (hour, total, revoked)"
                  " SELECT not_after_s / 3600, 1, 0 FROM certificate WHERE id = $1"
                  " ON CONFLICT (hour) DO UPDATE SET total = ending.total + 1",
                  id, err);
}

bool inventory_tally_revoked(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    return change(inventory,
                  "UPDATE ending SET revoked = revoked + 1"
                  " WHERE hour = (SELECT not_after_s / 3600 FROM certificate WHERE id = $1)",
                  id, err);
}

bool inventory_tally_anew(struct inventory *inventory, struct mutual_error *err)
{
    return store_exec(inventory->store, "DELETE FROM ending; " ADD_UP, err);
}

/* One statement, so that all of it is of one moment. Each WHERE says what one index holds, and the
 * rest is asked of those few rows: a planner that has a choice takes the wrong one. */
static const char count_sql[] =
    "SELECT e.total, e.revoked, e.later, e.past,"
    " (SELECT count(*) FROM certificate WHERE not_after_s >= $1 AND not_after_s < $4"
    "  AND revoked_s IS NULL AND" EXISTS "),"
    " (SELECT count(*) FROM certificate WHERE not_after_s >= $3 AND not_after_s < $1"
    "  AND revoked_s IS NULL AND" EXISTS "),"
    " (SELECT count(CASE WHEN not_after_s >= $1 AND revoked_s IS NULL AND state = 'delivered'"
    "  THEN 1 END) FROM certificate WHERE not_before_s > $1),"
    " (SELECT count(CASE WHEN not_after_s >= $1 AND revoked_s IS NULL AND state = 'signed'"
    "  THEN 1 END) FROM certificate WHERE state IN ('reserved', 'signed')),"
    " (SELECT count(*) FROM certificate WHERE state IN ('reserved', 'signed')),"
    " (SELECT not_after_s FROM certificate WHERE state = 'delivered' AND revoked_s IS NULL"
    "  AND not_after_s >= $1 ORDER BY not_after_s, id LIMIT 1)"
    " FROM (SELECT CAST(coalesce(sum(total), 0) AS BIGINT) AS total,"
    " CAST(coalesce(sum(revoked), 0) AS BIGINT) AS revoked,"
    " CAST(coalesce(sum(CASE WHEN hour > $2 THEN total - revoked END), 0) AS BIGINT) AS later,"
    " CAST(coalesce(sum(CASE WHEN hour < $2 THEN total - revoked END), 0) AS BIGINT) AS past"
    " FROM ending) e";

bool inventory_count(struct inventory *inventory, int64_t now_s,
                     struct inventory_counts *ret_counts, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    int64_t hour = now_s / HOUR_S;
    if (!store_prepare(inventory->store, count_sql, &read, err)) {
        return false;
    }
    store_bind_int(read, 1, now_s);
    store_bind_int(read, 2, hour);
    store_bind_int(read, 3, hour * HOUR_S);
    store_bind_int(read, 4, (hour + 1) * HOUR_S);
    if (!store_step(read, &row, err)) {
        return false;
    }
    int64_t to_end = store_int(read, 2) + store_int(read, 4);
    *ret_counts = (struct inventory_counts){
        .total = store_int(read, 0),
        .valid = to_end - store_int(read, 6) - store_int(read, 7),
        .expired = store_int(read, 3) + store_int(read, 5),
        .revoked = store_int(read, 1),
        .interrupted = store_int(read, 8),
        .next_expiry_s = store_int(read, 9),
    };
    return true;
}
