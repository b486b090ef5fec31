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

#endif
