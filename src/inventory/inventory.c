/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema, step by step, and opening. A step that was released is never edited: add the next.
 */
#include "inventory/inventory_internal.h"

/* Serials are unique over all issuers, which RFC 5280 does not ask for: it lets a serial alone name
 * a certificate. Reserved and abandoned rows stay, so that no serial is ever taken twice. */
static const char first_step[] =
    "CREATE TABLE issuer ("
    " id {id},"
    " name TEXT NOT NULL UNIQUE,"
    " root {int} NOT NULL,"
    " parent_id {int} REFERENCES issuer(id),"
    " certificate {bytes} NOT NULL,"
    " key_place TEXT NOT NULL,"
    " crl_number {int} NOT NULL DEFAULT 0,"
    " crl_this_update_s {int} NOT NULL DEFAULT 0,"
    " crl_next_update_s {int} NOT NULL DEFAULT 0,"
    " crl_due {int} NOT NULL DEFAULT 0,"
    " made_s {int} NOT NULL"
    ") {strict};"
    "CREATE TABLE certificate ("
    " id {id},"
    " issuer_id {int} NOT NULL REFERENCES issuer(id),"
    " serial {bytes} NOT NULL UNIQUE,"
    " state TEXT NOT NULL CHECK (state IN ('reserved', 'signed', 'delivered', 'abandoned')),"
    " form TEXT NOT NULL CHECK (form IN ('directory', 'request', 'p12', 'none')),"
    " profile TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " owner TEXT NOT NULL CHECK (owner <> ''),"
    " place TEXT NOT NULL CHECK (place <> ''),"
    " purpose TEXT NOT NULL CHECK (purpose <> ''),"
    " path TEXT NOT NULL,"
    " aside TEXT NOT NULL,"
    " key_text TEXT NOT NULL,"
    " key_hash {bytes} NOT NULL,"
    " requested_s {int} NOT NULL,"
    " not_before_s {int} NOT NULL,"
    " not_after_s {int} NOT NULL,"
    " der {bytes},"
    " fingerprint {bytes} UNIQUE,"
    " replaces_id {int} REFERENCES certificate(id),"
    " revoked_s {int},"
    " reason {int},"
    " CHECK ((state IN ('signed', 'delivered')) = (der IS NOT NULL)),"
    " CHECK ((revoked_s IS NULL) = (reason IS NULL))"
    ") {strict};"
    "CREATE INDEX certificate_name ON certificate (name);"
    "CREATE INDEX certificate_end ON certificate (not_after_s);"
    "CREATE INDEX certificate_replaces ON certificate (replaces_id);"
    "CREATE INDEX certificate_revoked ON certificate (issuer_id, not_after_s)"
    " WHERE revoked_s IS NOT NULL;"
    "CREATE INDEX certificate_interrupted ON certificate (id)"
    " WHERE state IN ('reserved', 'signed');"
    "CREATE TABLE certified_name ("
    " certificate_id {int} NOT NULL REFERENCES certificate(id),"
    " position {int} NOT NULL,"
    " type TEXT NOT NULL,"
    " value TEXT NOT NULL,"
    " PRIMARY KEY (certificate_id, position)"
    ") {strict};"
    "CREATE INDEX certified_name_value ON certified_name (value);"
    "CREATE TABLE event ("
    " id {id},"
    " at_s {int} NOT NULL,"
    " who TEXT NOT NULL,"
    " action TEXT NOT NULL,"
    " certificate_id {int} REFERENCES certificate(id),"
    " detail TEXT NOT NULL"
    ") {strict};";

/* Several machines may share a store; only the one that began to deliver can finish it. */
static const char machine_step[] =
    "ALTER TABLE certificate ADD COLUMN machine TEXT NOT NULL DEFAULT ''";

/* Events of earlier versions have no link; the chain begins behind them. */
static const char link_step[] = "ALTER TABLE event ADD COLUMN link {bytes}";

/* A page of what somebody answers for, and what of it ends next, at a million certificates. */
static const char index_step[] =
    "CREATE INDEX certificate_owner ON certificate (owner, not_after_s, id);"
    "CREATE INDEX certificate_place ON certificate (place, not_after_s, id);"
    "CREATE INDEX certificate_purpose ON certificate (purpose, not_after_s, id);"
    "CREATE INDEX certificate_profile ON certificate (profile, not_after_s, id);"
    "DROP INDEX certificate_end;"
    "CREATE INDEX certificate_end ON certificate (not_after_s, id);"
    "CREATE INDEX certificate_count ON certificate"
    " (state, revoked_s, not_before_s, not_after_s);"
    "CREATE INDEX event_certificate ON event (certificate_id)";

/* Several issuers, found by a word; a certificate's part of its issuer's partitioned list (0:
 * none), and the number of the first list that must tell of its revocation: a delta to list N holds
 * what has a greater one. Lists are kept here too, for the machines that share a store. */
static const char issuers_step[] =
    "ALTER TABLE issuer ADD COLUMN word TEXT NOT NULL DEFAULT '';"
    "UPDATE issuer SET word = CASE root WHEN 1 THEN 'root' ELSE 'issuer' END;"
    "CREATE UNIQUE INDEX issuer_word ON issuer (word);"
    "ALTER TABLE issuer ADD COLUMN shards {int} NOT NULL DEFAULT 64;"
    "ALTER TABLE certificate ADD COLUMN shard {int} NOT NULL DEFAULT 0;"
    "ALTER TABLE certificate ADD COLUMN revoked_list {int} NOT NULL DEFAULT 0;"
    "CREATE INDEX certificate_revoked_list ON certificate (issuer_id, revoked_list)"
    " WHERE revoked_s IS NOT NULL;"
    "CREATE INDEX certificate_shard ON certificate (issuer_id, shard)"
    " WHERE revoked_s IS NOT NULL;"
    "CREATE TABLE shard ("
    " issuer_id {int} NOT NULL REFERENCES issuer(id),"
    " shard {int} NOT NULL,"
    " number {int} NOT NULL DEFAULT 0,"
    " due {int} NOT NULL DEFAULT 1,"
    " PRIMARY KEY (issuer_id, shard)"
    ") {strict};"
    "CREATE TABLE list ("
    " issuer_id {int} NOT NULL REFERENCES issuer(id),"
    " shard {int} NOT NULL,"
    " delta {int} NOT NULL,"
    " number {int} NOT NULL,"
    " base {int} NOT NULL,"
    " this_update_s {int} NOT NULL,"
    " next_update_s {int} NOT NULL,"
    " entries {int} NOT NULL,"
    " der {bytes} NOT NULL,"
    " PRIMARY KEY (issuer_id, shard, delta)"
    ") {strict}";

/* One-time tokens, and the requests by them that wait for a person. */
static const char token_step[] =
    "CREATE TABLE enrolment_token ("
    " id {id},"
    " hash {bytes} NOT NULL UNIQUE,"
    " name TEXT NOT NULL,"
    " profile TEXT NOT NULL,"
    " names TEXT NOT NULL,"
    " life_s {int} NOT NULL,"
    " owner TEXT NOT NULL,"
    " place TEXT NOT NULL,"
    " purpose TEXT NOT NULL,"
    " approval {int} NOT NULL,"
    " made_s {int} NOT NULL,"
    " made_by TEXT NOT NULL,"
    " expires_s {int} NOT NULL,"
    " used_s {int},"
    " certificate_id {int} REFERENCES certificate(id),"
    " asked_s {int},"
    " asked_by TEXT NOT NULL DEFAULT '',"
    " csr {bytes},"
    " key_hash {bytes},"
    " decision TEXT NOT NULL DEFAULT '' CHECK (decision IN ('', 'approved', 'denied')),"
    " decided_s {int},"
    " CHECK ((used_s IS NULL) = (certificate_id IS NULL))"
    ") {strict};"
    "CREATE INDEX enrolment_token_name ON enrolment_token (name);"
    "CREATE INDEX enrolment_token_certificate ON enrolment_token (certificate_id);"
    "CREATE INDEX enrolment_token_unused ON enrolment_token (expires_s, asked_s, decision, used_s)"
    " WHERE used_s IS NULL;"
    "CREATE INDEX certificate_key ON certificate (key_hash)";

/* ACME: accounts and the keys that bind them, what they ordered, what was validated. A nonce is
 * here once it was used. A key's secret is wiped when it has bound its account. */
static const char acme_step[] =
    "CREATE TABLE acme_secret ("
    " id {id},"
    " made_s {int} NOT NULL,"
    " secret {bytes} NOT NULL"
    ") {strict};"
    "CREATE TABLE acme_nonce ("
    " nonce TEXT NOT NULL PRIMARY KEY,"
    " used_s {int} NOT NULL"
    ") {strict};"
    "CREATE INDEX acme_nonce_used ON acme_nonce (used_s);"
    "CREATE TABLE acme_binding ("
    " id {id},"
    " kid TEXT NOT NULL UNIQUE,"
    " secret {bytes} NOT NULL,"
    " name TEXT NOT NULL,"
    " owner TEXT NOT NULL CHECK (owner <> ''),"
    " profile TEXT NOT NULL,"
    " made_s {int} NOT NULL,"
    " ends_s {int} NOT NULL,"
    " account_id {int} UNIQUE"
    ") {strict};"
    "CREATE TABLE acme_binding_name ("
    " binding_id {int} NOT NULL REFERENCES acme_binding(id),"
    " position {int} NOT NULL,"
    " type TEXT NOT NULL,"
    " value TEXT NOT NULL,"
    " PRIMARY KEY (binding_id, position)"
    ") {strict};"
    "CREATE TABLE acme_account ("
    " id {id},"
    " thumbprint {bytes} NOT NULL UNIQUE,"
    " key {bytes} NOT NULL,"
    " status TEXT NOT NULL CHECK (status IN ('valid', 'deactivated')),"
    " contact TEXT NOT NULL,"
    " binding_id {int} UNIQUE REFERENCES acme_binding(id),"
    " made_s {int} NOT NULL"
    ") {strict};"
    "CREATE TABLE acme_order ("
    " id {id},"
    " account_id {int} NOT NULL REFERENCES acme_account(id),"
    " status TEXT NOT NULL"
    " CHECK (status IN ('pending', 'ready', 'processing', 'valid', 'invalid')),"
    " profile TEXT NOT NULL,"
    " expires_s {int} NOT NULL,"
    " made_s {int} NOT NULL,"
    " claimed_s {int} NOT NULL DEFAULT 0,"
    " certificate_id {int} REFERENCES certificate(id),"
    " replaces_id {int} REFERENCES certificate(id),"
    " problem TEXT NOT NULL DEFAULT ''"
    ") {strict};"
    "CREATE INDEX acme_order_account ON acme_order (account_id, id);"
    "CREATE INDEX acme_order_certificate ON acme_order (certificate_id);"
    "CREATE INDEX acme_order_replaces ON acme_order (replaces_id);"
    "CREATE TABLE acme_authz ("
    " id {id},"
    " account_id {int} NOT NULL REFERENCES acme_account(id),"
    " order_id {int} NOT NULL REFERENCES acme_order(id),"
    " type TEXT NOT NULL CHECK (type IN ('dns', 'ip')),"
    " value TEXT NOT NULL,"
    " wildcard {int} NOT NULL,"
    " status TEXT NOT NULL CHECK (status IN ('pending', 'valid', 'invalid', 'deactivated')),"
    " expires_s {int} NOT NULL"
    ") {strict};"
    "CREATE INDEX acme_authz_order ON acme_authz (order_id, id);"
    "CREATE INDEX acme_authz_value ON acme_authz (account_id, value);"
    "CREATE TABLE acme_challenge ("
    " id {id},"
    " authz_id {int} NOT NULL REFERENCES acme_authz(id),"
    " type TEXT NOT NULL CHECK (type IN ('http-01', 'dns-01', 'tls-alpn-01')),"
    " token TEXT NOT NULL UNIQUE,"
    " status TEXT NOT NULL CHECK (status IN ('pending', 'processing', 'valid', 'invalid')),"
    " asked_s {int} NOT NULL DEFAULT 0,"
    " validated_s {int} NOT NULL DEFAULT 0,"
    " tries {int} NOT NULL DEFAULT 0,"
    " problem TEXT NOT NULL DEFAULT ''"
    ") {strict};"
    "CREATE INDEX acme_challenge_authz ON acme_challenge (authz_id, id);"
    "CREATE INDEX acme_challenge_open ON acme_challenge (asked_s, id) WHERE status = 'processing'";

/* What was asked for over the network, by whoever has the key. */
static const char asked_again_step[] =
    "ALTER TABLE certificate ADD COLUMN asked_again {int} NOT NULL DEFAULT 0";

/* Requests that carry a key of their sender's, see inventory_replay_begin. */
static const char replay_step[] = "CREATE TABLE replay ("
                                  " mark {bytes} PRIMARY KEY,"
                                  " digest {bytes} NOT NULL,"
                                  " at_s {int} NOT NULL,"
                                  " status {int} NOT NULL DEFAULT 0,"
                                  " type TEXT NOT NULL DEFAULT '',"
                                  " body {bytes}"
                                  ") {strict};"
                                  "CREATE INDEX replay_at ON replay (at_s)";

static const struct store_migration steps[] = {
    {1, "issuers, certificates, names, events", first_step},
    {2, "which machine delivers", machine_step},
    {3, "a chain of events", link_step},
    {4, "indexes for large stores", index_step},
    {5, "several issuers, lists in parts", issuers_step},
    {6, "ACME", acme_step},
    {7, "counts by the hour of the end", inventory_tally_step},
    {8, "tokens for enrolment", token_step},
    {9, "who asks again for a lost answer", asked_again_step},
    {10, "requests that may be repeated", replay_step},
};

bool inventory_open(const char *where, enum store_access access, int wait_ms,
                    struct inventory **ret_inventory, struct mutual_error *err)
{
    MU_AUTO(inventory) struct inventory *inventory = mu_alloc(1, sizeof *inventory);
    if (inventory == NULL) {
        return mu_fail_memory(err);
    }
    if (!store_open(where, access, wait_ms, &inventory->store, err) ||
        !store_migrate(inventory->store, steps, MU_COUNT(steps), err)) {
        return false;
    }
    *ret_inventory = MU_TAKE(inventory);
    return true;
}

void inventory_close(struct inventory *inventory)
{
    if (inventory != NULL) {
        store_close(inventory->store);
        mu_free(inventory);
    }
}

void mu_inventory_auto(struct inventory **inventory)
{
    inventory_close(*inventory);
}

struct store *inventory_store(struct inventory *inventory)
{
    return inventory->store;
}

bool inventory_try_write(struct inventory *inventory, struct mutual_error *err)
{
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = store_exec(inventory->store, "UPDATE issuer SET crl_due = crl_due", err);
    return inventory_end(inventory, own, good, err);
}

bool inventory_change(struct inventory *inventory, const char *sql, int64_t number,
                      struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store, sql, &set, err)) {
        return false;
    }
    store_bind_int(set, 1, number);
    return store_run(set, err);
}

bool inventory_begin(struct inventory *inventory, bool *ret_own, struct mutual_error *err)
{
    if (store_in_transaction(inventory->store)) {
        *ret_own = false;
        return true;
    }
    *ret_own = true;
    return store_begin(inventory->store, err);
}

bool inventory_end(struct inventory *inventory, bool own, bool good, struct mutual_error *err)
{
    if (own && good) {
        return store_commit(inventory->store, err);
    }
    if (own) {
        store_rollback(inventory->store);
    }
    return good;
}
