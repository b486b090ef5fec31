/* SPDX-License-Identifier: Apache-2.0
 *
 * What a database backend supplies, and what the door keeps around it.
 */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include "store/store.h"

/* A word of a table definition and what this database calls it; ends with {NULL, NULL}. */
struct store_word {
    const char *word;
    const char *meaning;
};

/* All functions follow the contracts of store.h; `impl` is the backend's own. `open` may put
 * another text into store->name, where the address is not fit to be shown. */
struct store_backend {
    const char *scheme; /* "sqlite" */
    const char *begin;  /* starts a transaction that may write */
    const struct store_word *words;
    bool (*open)(struct store *store, const char *path, struct mutual_error *err);
    void (*close)(struct store *store);
    bool (*lock)(struct store *store, struct mutual_error *err);
    void (*unlock)(struct store *store);
    bool (*exec)(struct store *store, const char *sql, struct mutual_error *err);
    bool (*open_transaction)(const struct store *store);
    bool (*is_lost)(const struct store *store); /* NULL: it cannot be */
    bool (*table_exists)(struct store *store, const char *table, bool *ret_exists,
                         struct mutual_error *err);
    int64_t (*changes)(const struct store *store);
    bool (*ids_follow)(struct store *store, const char *table, struct mutual_error *err);

    bool (*prepare)(struct store *store, const char *sql, bool scan, void **ret_impl,
                    struct mutual_error *err);
    void (*finish)(void *impl);
    bool (*bind_int)(void *impl, int parameter, int64_t value);
    bool (*bind_bytes)(void *impl, int parameter, struct mu_slice bytes, bool text);
    bool (*bind_null)(void *impl, int parameter);
    bool (*step)(struct store *store, void *impl, bool *ret_row, struct mutual_error *err);
    void (*reset)(void *impl);
    int64_t (*get_int)(void *impl, int column);
    const char *(*get_text)(void *impl, int column);
    struct mu_slice (*get_bytes)(void *impl, int column);
    bool (*is_null)(void *impl, int column);
};

struct store {
    const struct store_backend *backend;
    char *name; /* without the scheme */
    enum store_access access;
    int wait_ms;
    bool stays;                   /* a connection that is lost is not made anew */
    struct store_figures figures; /* the backend counts what it asks, the door what failed */
    void *impl;
};

struct store_statement {
    struct store *store;
    void *impl;
    bool failed; /* a bind found no memory */
};

extern const struct store_backend store_sqlite;
extern const struct store_backend store_postgres;
extern const struct store_backend store_postgresql; /* the same by its other name */

/* Where the applied steps of the schema are written down; its being there makes a store ours. */
#define STORE_STEPS_TABLE "schema_step"

#endif
