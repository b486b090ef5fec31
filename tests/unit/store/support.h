/* SPDX-License-Identifier: Apache-2.0
 *
 * A place of its own for each store test, and a small schema. The place is a file in a directory,
 * or the database that the environment names, emptied.
 */
#ifndef STORE_SUPPORT_H
#define STORE_SUPPORT_H

#include "store/store.h"

#include "unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static const struct store_migration steps[] = {
    {1, "things",
     "CREATE TABLE thing (id {id}, name TEXT NOT NULL UNIQUE, size {int}, raw {bytes})"
     " {strict};"},
    {2, "parts",
     "CREATE TABLE part (id {id}, thing_id {int} NOT NULL REFERENCES thing(id))"
     " {strict};"},
};

struct place {
    char directory[64];
    char path[96];
    const char *where; /* what store_open is given */
};

static inline void place_make(struct place *place)
{
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/mutual-store-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->path, sizeof place->path, "%s/ca.db", place->directory);
    place->where = getenv("MUTUAL_TEST_STORE");
    if (place->where == NULL) {
        place->where = place->path;
        return;
    }
    struct mutual_error err = {0};
    struct store *store = NULL;
    assert_ok(store_open(place->where, STORE_CREATE, 50, &store, &err), &err);
    assert_ok(store_exec(store, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", &err), &err);
    store_close(store);
}

static inline void place_remove(const struct place *place)
{
    DIR *directory = opendir(place->directory);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    }
    (void)closedir(directory);
    assert_int_equal(rmdir(place->directory), 0);
}

static inline struct store *place_open(const struct place *place, enum store_access access)
{
    struct mutual_error err = {0};
    struct store *store = NULL;
    assert_ok(store_open(place->where, access, 50, &store, &err), &err);
    return store;
}

/* A new one that has both tables. */
static inline struct store *place_ready(const struct place *place)
{
    struct mutual_error err = {0};
    struct store *store = place_open(place, STORE_CREATE);
    assert_ok(store_migrate(store, steps, MU_COUNT(steps), &err), &err);
    return store;
}

static inline int64_t count_things(struct store *store)
{
    struct mutual_error err = {0};
    MU_AUTO(store_statement) struct store_statement *count = NULL;
    bool row = false;
    assert_ok(store_prepare(store, "SELECT count(*) FROM thing", &count, &err), &err);
    assert_ok(store_step(count, &row, &err), &err);
    assert_true(row);
    return store_int(count, 0);
}

#endif
