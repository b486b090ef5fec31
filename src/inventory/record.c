/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing: the life of a certificate's row from its reserved serial to its revocation.
 */
#include "inventory/inventory_internal.h"

static const char *const state_words[INVENTORY_STATE_COUNT_] = {"reserved", "signed", "delivered",
                                                                "abandoned"};
static const char *const form_words[INVENTORY_FORM_COUNT_] = {"directory", "request", "p12",
                                                              "none"};

const char *inventory_state_word(enum inventory_state state)
{
    return state_words[state];
}

const char *inventory_form_word(enum inventory_form form)
{
    return form_words[form];
}

static void bind_record(struct store_statement *add, const struct inventory_record *record)
{
    store_bind_int(add, 1, record->issuer_id);
    store_bind_bytes(add, 2, record->serial);
    store_bind_text(add, 3, form_words[record->form]);
    store_bind_text(add, 4, record->profile);
    store_bind_text(add, 5, record->name);
    store_bind_text(add, 6, record->owner);
    store_bind_text(add, 7, record->place);
    store_bind_text(add, 8, record->purpose);
    store_bind_text(add, 9, record->path);
    store_bind_text(add, 10, record->aside);
    store_bind_text(add, 11, record->key_text);
    store_bind_bytes(add, 12, record->key_hash);
    store_bind_int(add, 13, record->requested_s);
    store_bind_int(add, 14, record->not_before_s);
    store_bind_int(add, 15, record->not_after_s);
    if (record->replaces_id == 0) {
        store_bind_null(add, 16);
    } else {
        store_bind_int(add, 16, record->replaces_id);
    }
    store_bind_text(add, 17, record->machine == NULL ? "" : record->machine);
    store_bind_int(add, 18, record->shard);
    store_bind_int(add, 19, record->asked_again ? 1 : 0);
}

static bool add_certificate(struct inventory *inventory, const struct inventory_record *record,
                            int64_t *ret_id, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(
            inventory->store,
            "INSERT INTO certificate (issuer_id, serial, state, form, profile, name,"
            " owner, place, purpose, path, aside, key_text, key_hash, requested_s,"
            " not_before_s, not_after_s, replaces_id, machine, shard, asked_again)"
            " VALUES ($1, $2, 'reserved', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
            " $13, $14, $15, $16, $17, $18, $19) ON CONFLICT (serial) DO NOTHING RETURNING id",
            &add, err)) {
        return false;
    }
    bind_record(add, record);
    bool row = false;
    bool more = false;
    if (!store_step(add, &row, err)) {
        return false;
    }
    int64_t id = row ? store_int(add, 0) : 0;
    if (row && !store_step(add, &more, err)) {
        return false;
    }
    *ret_id = id;
    return true;
}

static bool add_names(struct inventory *inventory, int64_t id,
                      const struct inventory_record *record, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (!store_prepare(inventory->store,
                       "INSERT INTO certified_name (certificate_id, position, type, value)"
                       " VALUES ($1, $2, $3, $4)",
                       &add, err)) {
        return false;
    }
    store_bind_int(add, 1, id);
    for (size_t i = 0; i < record->name_count; i++) {
        store_bind_int(add, 2, (int64_t)i);
        store_bind_text(add, 3, mutual_name_type_word(record->names[i].type));
        store_bind_text(add, 4, record->names[i].text);
        if (!store_run(add, err)) {
            return false;
        }
    }
    return true;
}

/* Whoever meets the certificate asks for its part of the list, so there must be one. */
static bool add_shard(struct inventory *inventory, const struct inventory_record *record,
                      struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    if (record->shard == 0) {
        return true;
    }
    if (!store_prepare(inventory->store,
                       "INSERT INTO shard (issuer_id, shard) VALUES ($1, $2)"
                       " ON CONFLICT (issuer_id, shard) DO NOTHING",
                       &add, err)) {
        return false;
    }
    store_bind_int(add, 1, record->issuer_id);
    store_bind_int(add, 2, record->shard);
    return store_run(add, err);
}

bool inventory_reserve(struct inventory *inventory, const struct inventory_record *record,
                       bool *ret_taken, int64_t *ret_id, struct mutual_error *err)
{
    int64_t id = 0;
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good =
        add_certificate(inventory, record, &id, err) &&
        (id == 0 || (add_names(inventory, id, record, err) && add_shard(inventory, record, err)));
    if (!inventory_end(inventory, own, good, err)) {
        return false;
    }
    *ret_taken = id == 0;
    *ret_id = id;
    return true;
}

/* Moves a row on; a row that is not where it should be is our own mistake. */
static bool move(struct inventory *inventory, const char *sql, int64_t id,
                 const struct mu_cert_facts *facts, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store, sql, &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    if (facts != NULL) {
        store_bind_bytes(set, 2, facts->der);
        store_bind_bytes(set, 3, mu_slice_of(facts->fingerprint, sizeof facts->fingerprint));
        store_bind_int(set, 4, facts->not_before_s);
        store_bind_int(set, 5, facts->not_after_s);
    }
    if (!store_run(set, err)) {
        return false;
    }
    mu_assert(store_changes(inventory->store) == 1);
    return true;
}

bool inventory_signed(struct inventory *inventory, int64_t id, const struct mu_cert *cert,
                      struct mutual_error *err)
{
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = move(inventory,
                     "UPDATE certificate SET state = 'signed', der = $2, fingerprint = $3,"
                     " not_before_s = $4, not_after_s = $5 WHERE id = $1 AND state = 'reserved'",
                     id, mu_cert_facts(cert), err) &&
                inventory_tally_signed(inventory, id, err);
    return inventory_end(inventory, own, good, err);
}

bool inventory_delivered(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    return move(inventory,
                "UPDATE certificate SET state = 'delivered', aside = ''"
                " WHERE id = $1 AND state = 'signed'",
                id, NULL, err);
}

/* Whoever asked by a token may ask again. */
bool inventory_abandoned(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = move(inventory,
                     "UPDATE certificate SET state = 'abandoned', aside = ''"
                     " WHERE id = $1 AND state = 'reserved'",
                     id, NULL, err) &&
                inventory_token_return(inventory, id, err);
    return inventory_end(inventory, own, good, err);
}

bool inventory_given_up(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    return inventory_change(inventory, "UPDATE certificate SET replaces_id = NULL WHERE id = $1",
                            id, err) &&
           inventory_token_return(inventory, id, err);
}

/* ---- revocation ------------------------------------------------------------------------------ */

static bool why_not_revoked(struct inventory *inventory, int64_t id, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store,
                       "SELECT name, revoked_s, reason FROM certificate WHERE id = $1", &read,
                       err)) {
        return false;
    }
    store_bind_int(read, 1, id);
    if (!store_step(read, &row, err)) {
        return false;
    }
    if (!row || store_is_null(read, 1)) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "there is no issued certificate number %lld",
                       (long long)id);
    }
    char time[MU_TIME_TEXT];
    return mu_fail(err, MUTUAL_E_ALREADY_REVOKED, "certificate \"%s\" was revoked on %s, reason %s",
                   store_text(read, 0), mu_time_format(store_int(read, 1), time),
                   mu_reason_word((enum mu_reason)store_int(read, 2)));
}

static bool set_revoked(struct inventory *inventory, int64_t id, enum mu_reason reason,
                        int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    /* The next list that is begun will tell of it, whichever that is; a part is due until a list of
     * that number is kept. */
    if (!store_prepare(inventory->store,
                       "UPDATE certificate SET revoked_s = $2, reason = $3, revoked_list = 1 +"
                       " (SELECT crl_number FROM issuer WHERE issuer.id = certificate.issuer_id)"
                       " WHERE id = $1"
                       " AND revoked_s IS NULL AND state IN ('signed', 'delivered')",
                       &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_int(set, 2, now_s);
    store_bind_int(set, 3, reason);
    if (!store_run(set, err)) {
        return false;
    }
    if (store_changes(inventory->store) != 1) {
        return why_not_revoked(inventory, id, err);
    }
    return inventory_change(inventory,
                            "UPDATE issuer SET crl_due = 1"
                            " WHERE id = (SELECT issuer_id FROM certificate WHERE id = $1)",
                            id, err) &&
           inventory_change(inventory,
                            "INSERT INTO shard (issuer_id, shard, due)"
                            " SELECT issuer_id, shard, 1 FROM certificate"
                            " WHERE id = $1 AND shard > 0"
                            " ON CONFLICT (issuer_id, shard) DO UPDATE SET due = shard.number + 1",
                            id, err);
}

bool inventory_revoke(struct inventory *inventory, int64_t id, enum mu_reason reason, int64_t now_s,
                      struct mutual_error *err)
{
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = set_revoked(inventory, id, reason, now_s, err) &&
                inventory_tally_revoked(inventory, id, err);
    return inventory_end(inventory, own, good, err);
}
