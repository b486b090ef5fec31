/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys for external account binding that were given out, to be looked at. Their secrets are
 * not.
 */
#include "acme/acme_internal.h"

enum { KEY_NAMES = 100, TEXTS_MAX = 1 << 20 };

static bool read_names(struct store_statement *names, int64_t id, struct mu_arena *arena,
                       const char *texts[KEY_NAMES], size_t *ret_count, struct mutual_error *err)
{
    store_reset(names);
    store_bind_int(names, 1, id);
    *ret_count = 0;
    for (bool row = true; *ret_count < KEY_NAMES;) {
        if (!store_step(names, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        const char *text = acme_keep(arena, mu_slice_text(store_text(names, 0)));
        if (text == NULL) {
            return mu_fail_memory(err);
        }
        texts[(*ret_count)++] = text;
    }
    return true;
}

bool acme_keys(struct ca *ca, int64_t after_id,
               bool (*each)(void *context, const struct acme_key *key), void *context,
               struct mutual_error *err)
{
    struct store *store = inventory_store(ca_inventory(ca));
    MU_AUTO(store_statement) struct store_statement *keys = NULL;
    MU_AUTO(store_statement) struct store_statement *names = NULL;
    if (!store_scan(store,
                    "SELECT id, kid, name, owner, profile, ends_s, account_id FROM acme_binding"
                    " WHERE id > $1 ORDER BY id",
                    &keys, err) ||
        !store_prepare(store,
                       "SELECT value FROM acme_binding_name WHERE binding_id = $1"
                       " ORDER BY position",
                       &names, err)) {
        return false;
    }
    store_bind_int(keys, 1, after_id);
    for (bool row = true, more = true; more;) {
        const char *texts[KEY_NAMES];
        struct acme_key key = {.names = texts};
        if (!store_step(keys, &row, err)) {
            return false;
        }
        if (!row) {
            break;
        }
        key.id = store_int(keys, 0);
        key.kid = store_text(keys, 1);
        key.name = store_text(keys, 2);
        key.owner = store_text(keys, 3);
        key.profile = store_text(keys, 4);
        key.ends_s = store_int(keys, 5);
        key.bound = !store_is_null(keys, 6);
        struct mu_arena *arena = mu_arena_new(TEXTS_MAX);
        bool good = arena != NULL ? read_names(names, key.id, arena, texts, &key.name_count, err)
                                  : mu_fail_memory(err);
        more = good && each(context, &key);
        mu_arena_free(arena);
        if (!good) {
            return false;
        }
    }
    return true;
}
