/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share.
 */
#ifndef INVENTORY_INVENTORY_INTERNAL_H
#define INVENTORY_INVENTORY_INTERNAL_H

#include "inventory/inventory.h"

struct inventory {
    struct store *store;
};

/* Begins a transaction unless the caller has one open; *ret_own says whether it is ours. */
bool inventory_begin(struct inventory *inventory, bool *ret_own, struct mutual_error *err);
/* Ends what inventory_begin began: commits when good, else undoes. Yields whether all is good. */
bool inventory_end(struct inventory *inventory, bool own, bool good, struct mutual_error *err);
/* Runs a change whose one parameter is a number. */
bool inventory_change(struct inventory *inventory, const char *sql, int64_t number,
                      struct mutual_error *err);

/* ---- the tally (tally.c): in the transaction of the change that it counts ---------------------
 */

bool inventory_tally_signed(struct inventory *inventory, int64_t id, struct mutual_error *err);
bool inventory_tally_revoked(struct inventory *inventory, int64_t id, struct mutual_error *err);
/* A token was used for that certificate, or was not after all. */
bool inventory_tally_token(struct inventory *inventory, int64_t certificate_id, bool used,
                           struct mutual_error *err);
/* The schema's step that it came with. */
extern const char inventory_tally_step[];
/* Adds up what is there. */
bool inventory_tally_anew(struct inventory *inventory, struct mutual_error *err);

/* ---- lists (list.c) ---------------------------------------------------------------------------
 */

/* What asks for the entries of that list: an index alone answers it, for the rows of the revoked
 * lie scattered over the disk. */
const char *inventory_list_sql(const struct inventory_scope *scope);

#endif
