/* SPDX-License-Identifier: Apache-2.0
 *
 * How many certificates there are, without looking at each. What is over and what is valid follows
 * from when certificates end, so they are added up by the hour of their end as they are made and
 * revoked; only the hour that is running now is looked at row by row. What was ever issued and
 * revoked is added up by issuer and profile, and by issuer and reason.
 */
#include "inventory/inventory_internal.h"

#include <string.h>

#define HOUR_S 3600
#define EXISTS " state IN ('signed', 'delivered')"
#define ADD_UP                                                                \
    "INSERT INTO ending (hour, total, revoked)"                               \
    " SELECT not_after_s / 3600, count(*), count(revoked_s) FROM certificate" \
    " WHERE" EXISTS " GROUP BY not_after_s / 3600"
/* The same for what is told of an issuer. */
#define ADD_UP_MORE                                                                 \
    "INSERT INTO tally (what, issuer_id, word, count)"                              \
    " SELECT 'issued', issuer_id, profile, count(*) FROM certificate WHERE" EXISTS  \
    " GROUP BY issuer_id, profile;"                                                 \
    "INSERT INTO tally (what, issuer_id, word, count)"                              \
    " SELECT 'revoked', issuer_id, CAST(reason AS TEXT), count(*) FROM certificate" \
    " WHERE revoked_s IS NOT NULL GROUP BY issuer_id, reason"

/* Also pages of an issuer's and of the revoked at any size. */
const char inventory_tally_step[] =
    "CREATE TABLE ending ("
    " hour {int} PRIMARY KEY,"
    " total {int} NOT NULL,"
    " revoked {int} NOT NULL"
    ") {strict};" ADD_UP ";"
    "CREATE TABLE tally ("
    " what TEXT NOT NULL CHECK (what IN ('issued', 'revoked', 'token')),"
    " issuer_id {int} NOT NULL REFERENCES issuer(id),"
    " word TEXT NOT NULL,"
    " count {int} NOT NULL,"
    " PRIMARY KEY (what, issuer_id, word)"
    ") {strict};" ADD_UP_MORE ";"
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

#define TALLY    "INSERT INTO tally (what, issuer_id, word, count)"
#define ONE_MORE " ON CONFLICT (what, issuer_id, word) DO UPDATE SET count = tally.count + 1"

bool inventory_tally_signed(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    return inventory_change(inventory,
                            "INSERT INTO ending (hour, total, revoked)"
                            " SELECT not_after_s / 3600, 1, 0 FROM certificate WHERE id = $1"
                            " ON CONFLICT (hour) DO UPDATE SET total = ending.total + 1",
                            id, err) &&
           inventory_change(
               inventory,
               TALLY
               " SELECT 'issued', issuer_id, profile, 1 FROM certificate WHERE id = $1" ONE_MORE,
               id, err);
}

bool inventory_tally_revoked(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    return inventory_change(
               inventory,
               "UPDATE ending SET revoked = revoked + 1"
               " WHERE hour = (SELECT not_after_s / 3600 FROM certificate WHERE id = $1)",
               id, err) &&
           inventory_change(inventory,
                            TALLY
                            " SELECT 'revoked', issuer_id, CAST(reason AS TEXT), 1 FROM certificate"
                            " WHERE id = $1" ONE_MORE,
                            id, err);
}

bool inventory_tally_token(struct inventory *inventory, int64_t certificate_id, bool used,
                           struct mutual_error *err)
{
    return inventory_change(
        inventory,
        used ? TALLY " SELECT 'token', issuer_id, '', 1 FROM certificate WHERE id = $1" ONE_MORE
             : "UPDATE tally SET count = count - 1 WHERE what = 'token' AND word = ''"
               " AND issuer_id = (SELECT issuer_id FROM certificate WHERE id = $1)",
        certificate_id, err);
}

bool inventory_tally_anew(struct inventory *inventory, struct mutual_error *err)
{
    return store_exec(inventory->store,
                      "DELETE FROM ending; DELETE FROM tally; " ADD_UP ";" ADD_UP_MORE ";" TALLY
                      " SELECT 'token', c.issuer_id, '', count(*) FROM enrolment_token t"
                      " JOIN certificate c ON c.id = t.certificate_id GROUP BY c.issuer_id",
                      err);
}

bool inventory_tallies(struct inventory *inventory, inventory_tally_fn *each, void *context,
                       struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    static const char *const whats[INVENTORY_TALLY_COUNT_] = {"issued", "revoked", "token"};
    if (!store_prepare(inventory->store,
                       "SELECT t.what, i.word, t.word, t.count FROM tally t"
                       " JOIN issuer i ON i.id = t.issuer_id ORDER BY t.what, i.id, t.word",
                       &read, err)) {
        return false;
    }
    for (bool row = true;;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            return true;
        }
        for (int i = 0; i < INVENTORY_TALLY_COUNT_; i++) {
            if (strcmp(store_text(read, 0), whats[i]) == 0) {
                each(context, (enum inventory_tally)i, store_text(read, 1), store_text(read, 2),
                     store_int(read, 3));
            }
        }
    }
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
