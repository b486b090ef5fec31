/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit events: who did what and when.
 */
#include "inventory/inventory_internal.h"

bool inventory_event(struct inventory *inventory, int64_t now_s, const char *who,
                     const char *action, int64_t certificate_id, const char *detail,
                     struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(inventory->store,
                       "INSERT INTO event (at_s, who, action, certificate_id, detail)"
                       " VALUES ($1, $2, $3, $4, $5)",
                       &add, err)) {
        return false;
    }
    store_bind_int(add, 1, now_s);
    store_bind_text(add, 2, who);
    store_bind_text(add, 3, action);
    if (certificate_id == 0) {
        store_bind_null(add, 4);
    } else {
        store_bind_int(add, 4, certificate_id);
    }
    store_bind_text(add, 5, detail);
    return store_run(add, err);
}

bool inventory_events(struct inventory *inventory,
                      bool (*each)(void *context, const struct inventory_event *event),
                      void *context, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_scan(inventory->store,
                    "SELECT id, at_s, certificate_id, who, action, detail FROM event"
                    " ORDER BY id",
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
        struct inventory_event event = {
            .id = store_int(read, 0),
            .at_s = store_int(read, 1),
            .certificate_id = store_int(read, 2),
            .who = store_text(read, 3),
            .action = store_text(read, 4),
            .detail = store_text(read, 5),
        };
        if (!each(context, &event)) {
            return true;
        }
    }
}
