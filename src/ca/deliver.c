/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivering a certificate's files, and finishing or undoing what a killed process left.
 */
#include "ca/ca_internal.h"

#include <dirent.h>
#include <string.h>

#define INTERRUPTED_MAX 1000u /* at one time; the rest waits for the next command */

void ca_chain_pem(const struct ca *ca, const struct mu_cert *leaf, struct mu_buf *out)
{
    mu_cert_to_pem(leaf, out);
    mu_cert_to_pem(ca_issuer_of(ca, leaf)->cert, out);
}

bool ca_deliver(struct ca *ca, const struct mu_cert *cert, const char *aside, const char *path,
                bool replace, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf chain;
    MU_AUTO(buf) struct mu_buf root;
    mu_buf_init(&chain, 1u << 20);
    mu_buf_init(&root, 1u << 20);
    ca_chain_pem(ca, cert, &chain);
    ca_clear_strays(aside);
    return ca_roots_pem(ca, &root, err) && ca_write_file(aside, "tls.crt", &chain, 0644, err) &&
           ca_write_file(aside, "ca.crt", &root, 0644, err) &&
           ca_put_in_place(aside, path, replace, err);
}

/* ---- recovering ------------------------------------------------------------------------------ */

static void note(struct mu_buf *notes, const struct inventory_record *record, const char *text)
{
    if (notes == NULL) {
        return;
    }
    mu_buf_printf(notes, "certificate \"%s\" (serial ", record->name);
    mu_hex(notes, record->serial);
    mu_buf_printf(notes, "): %s\n", text);
}

static bool key_is_there(const struct inventory_record *record)
{
    MU_AUTO(free) char *path = ca_text("%s/tls.key", record->aside);
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    bool good = path != NULL && mu_file_read(path, MU_LIMIT_KEY_BYTES, &text, NULL) &&
                mu_key_from_pem(mu_buf_slice(&text), path, NULL, &key, NULL) &&
                mu_slice_equal(mu_slice_of(mu_key_hash(key), 32), record->key_hash);
    mu_wipe(text.data, text.len);
    return good;
}

static bool is_in_place(const struct inventory_record *record)
{
    uint8_t fingerprint[32];
    return record->path[0] != '\0' && ca_delivered_fingerprint(record->path, fingerprint) &&
           mu_slice_equal(mu_slice_of(fingerprint, 32), record->fingerprint);
}

/* It was not asked for by whoever came next, and the audit says so. */
static bool settle(struct ca *ca, const struct inventory_record *record, const char *action,
                   int64_t now_s, struct mutual_error *err)
{
    MU_AUTO(free) char *who = ca_text("recovery, before %s", ca->who);
    if (who == NULL) {
        return mu_fail_memory(err);
    }
    return inventory_delivered(ca->inventory, record->id, err) &&
           inventory_event(ca->inventory, now_s, who, action, record->id, record->name, err);
}

/* Nobody has the key, or nobody was told the password: such a certificate must not stay good. */
static bool give_up(struct ca *ca, const struct inventory_record *record, int64_t now_s,
                    struct mutual_error *err)
{
    struct store *store = inventory_store(ca->inventory);
    if (!store_begin(store, err)) {
        return false;
    }
    bool good = settle(ca, record, "give_up", now_s, err) &&
                inventory_given_up(ca->inventory, record->id, err) &&
                inventory_revoke(ca->inventory, record->id, MU_REASON_CESSATION, now_s, err);
    if (!good) {
        store_rollback(store);
        return false;
    }
    struct ca_issuer *issuer = ca_issuer_by_id(ca, record->issuer_id);
    if (issuer != NULL) {
        issuer->crl_due = true;
    }
    return store_commit(store, err);
}

static bool finish(struct ca *ca, const struct inventory_record *record, int64_t now_s,
                   struct mutual_error *err)
{
    struct store *store = inventory_store(ca->inventory);
    if (!store_begin(store, err)) {
        return false;
    }
    if (!settle(ca, record, "finish", now_s, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

/* Puts the files under their name, if everything for it is there. A name that somebody else has
 * taken meanwhile is no error: then there is nothing to finish. */
static bool try_deliver(struct ca *ca, const struct inventory_record *record, bool *ret_done,
                        struct mutual_error *err)
{
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    struct mutual_error why = {0};
    bool theirs = record->form == INVENTORY_FORM_REQUEST;
    if (!theirs && (record->form != INVENTORY_FORM_DIRECTORY || !key_is_there(record))) {
        *ret_done = false;
        return true;
    }
    if (!mu_cert_from_der(record->der, &cert, err)) {
        return false;
    }
    if (theirs) {
        (void)ca_make_directory(record->aside, 0700, NULL); /* it may be there */
    }
    *ret_done = ca_deliver(ca, cert, record->aside, record->path, record->replaces_id != 0, &why);
    if (!*ret_done && why.code == MUTUAL_E_DISK_FULL) {
        if (err != NULL) {
            *err = why;
        }
        return false;
    }
    return true;
}

/* The password of a PKCS#12 file was never told, so the file is of no use; ours alone goes. */
static bool take_back_p12(const struct inventory_record *record, struct mutual_error *err)
{
    MU_AUTO(free) char *aside = ca_aside_name(record->path, err);
    if (aside == NULL || !ca_put_in_place(record->path, aside, false, err)) {
        return false;
    }
    ca_remove_aside(aside);
    return true;
}

static bool recover_signed(struct ca *ca, const struct inventory_record *record, int64_t now_s,
                           struct mu_buf *notes, struct mutual_error *err)
{
    bool done = record->asked_again || is_in_place(record);
    if (done && record->form == INVENTORY_FORM_P12) {
        done = false;
        if (!take_back_p12(record, err)) {
            return false;
        }
    } else if (!done && !try_deliver(ca, record, &done, err)) {
        return false;
    }
    ca_remove_aside(record->aside); /* while the row still knows of it */
    if (!(done ? finish(ca, record, now_s, err) : give_up(ca, record, now_s, err))) {
        return false;
    }
    note(notes, record,
         record->asked_again ? "was interrupted after signing; who asked gets it by asking again"
         : done              ? "was interrupted after signing; its files are complete now"
                : "was interrupted after signing; nobody can use it, so it is revoked");
    return true;
}

static bool recover_one(struct ca *ca, const struct inventory_record *record, int64_t now_s,
                        struct mu_buf *notes, struct mutual_error *err)
{
    /* A process that goes on reaches no directory but its own; the next command does. */
    if (ca->serving && record->form != INVENTORY_FORM_NONE) {
        return true;
    }
    if (record->state == INVENTORY_SIGNED) {
        return recover_signed(ca, record, now_s, notes, err);
    }
    ca_remove_aside(record->aside);
    if (!inventory_abandoned(ca->inventory, record->id, err)) {
        return false;
    }
    note(notes, record, "was interrupted before it was signed; nothing was issued");
    return true;
}

/* What was being built beside its place. */
static void clear_asides(const char *path)
{
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' && len > 5 && strcmp(entry->d_name + len - 4, ".new") == 0) {
            MU_AUTO(free) char *aside = ca_text("%s/%s", path, entry->d_name);
            if (aside != NULL) {
                ca_remove_aside(aside);
            }
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

/* Half-written files of the authority itself; only one process at a time writes them. */
static void clear_own_strays(const struct ca *ca)
{
    static const char *const files[] = {CA_PART_HEAD, CA_PART_ROOT_CERT};
    MU_AUTO(free) char *part = ca_text("%s/" CA_PART, ca->dir);
    for (size_t i = 0; part != NULL && i < MU_COUNT(files); i++) {
        MU_AUTO(free) char *path = ca_text("%s/%s", part, files[i]);
        if (path != NULL) {
            mu_file_clear_strays(path);
        }
    }
    for (size_t i = 0; i < ca->issuer_count; i++) {
        mu_file_clear_strays(ca->issuers[i].crl_path);
        mu_file_clear_strays(ca->issuers[i].delta_path);
    }
    if (part != NULL) {
        clear_asides(part);
    }
}

bool ca_recover(struct ca *ca, int64_t now_s, struct mu_buf *notes, struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_filter filter = {
        .interrupted = true, .machine = ca_machine(), .limit = INTERRUPTED_MAX, .oldest = true};
    clear_own_strays(ca);
    if (!ca_roots_write(ca, err)) {
        return false;
    }
    if (!inventory_records_get(ca->inventory, &filter, INTERRUPTED_MAX, &records, err)) {
        return false;
    }
    for (size_t i = 0; i < records.count; i++) {
        if (!recover_one(ca, &records.items[i], now_s, notes, err)) {
            return mu_error_context(err, "certificate \"%s\"", records.items[i].name);
        }
    }
    return true;
}
