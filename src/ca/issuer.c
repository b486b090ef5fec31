/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuers: their certificates, their rows, and a further one under the same root.
 */
#include "ca/ca_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORD_MAX 20u

bool ca_issuer_sign(const struct ca_issuer_making *making, struct mu_cert **ret_cert,
                    struct mutual_error *err)
{
    const struct ca_subtrees *trees = making->trees;
    const struct mu_rdn subject[] = {{MU_ATTR_O, making->organisation},
                                     {MU_ATTR_CN, making->common_name}};
    const struct mu_cert_template template = {
        .subject = subject,
        .subject_count = MU_COUNT(subject),
        .issuer = making->root,
        .not_before_s = making->now_s - CA_BACKDATE_S,
        .not_after_s = making->now_s + making->life_s,
        .spki = mu_key_spki(making->key),
        .ca = true,
        .path_limited = true,
        .path_length = 0,
        .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN,
        .eku = MU_EKU_SERVER | MU_EKU_CLIENT,
        .permitted = trees->permitted,
        .permitted_count = trees->permitted_count,
        .excluded = trees->excluded,
        .excluded_count = trees->excluded_count,
    };
    return mu_cert_sign(&template, making->root_key, ret_cert, err);
}

bool ca_root_sign(const struct ca_root_making *making, struct mu_cert **ret_cert,
                  struct mutual_error *err)
{
    const struct mu_rdn subject[] = {{MU_ATTR_O, making->organisation},
                                     {MU_ATTR_CN, making->common_name}};
    const struct mu_cert_template template = {
        .subject = subject,
        .subject_count = MU_COUNT(subject),
        .not_before_s = making->now_s - CA_BACKDATE_S,
        .not_after_s = making->now_s + making->life_s,
        .ca = true,
        .path_limited = true,
        .path_length = 1,
        .key_usage = MU_KU_KEY_CERT_SIGN | MU_KU_CRL_SIGN,
    };
    return mu_cert_sign(&template, making->key, ret_cert, err);
}

bool ca_issuer_record(struct inventory *inventory, const struct ca_issuer_entry *entry, int64_t by,
                      struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(entry->cert);
    bool root = entry->parent == 0;
    const struct inventory_record record = {
        .issuer_id = by,
        .form = INVENTORY_FORM_NONE,
        .serial = facts->serial,
        .profile = root ? "authority-root" : "authority-issuer",
        .name = facts->display,
        .owner = entry->owner,
        .place = entry->place,
        .purpose = root ? "vouches for the issuer; keep its key offline" : "issues certificates",
        .path = entry->path,
        .aside = "",
        .key_text = facts->key.text,
        .key_hash = mu_slice_of(facts->key_hash, 32),
        .requested_s = entry->now_s,
        .not_before_s = facts->not_before_s,
        .not_after_s = facts->not_after_s,
    };
    int64_t row = 0;
    bool taken = false;
    return inventory_reserve(inventory, &record, &taken, &row, err) &&
           inventory_signed(inventory, row, entry->cert, err) &&
           inventory_delivered(inventory, row, err);
}

bool ca_issuer_enter(struct inventory *inventory, const struct ca_issuer_entry *entry,
                     int64_t *ret_id, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(entry->cert);
    bool root = entry->parent == 0;
    const struct inventory_issuer issuer = {
        .name = facts->display,
        .word = entry->word,
        .root = root,
        .parent_id = entry->parent,
        .certificate = facts->der,
        .key_place = entry->key_place,
        .made_s = entry->now_s,
        .shards = entry->shards,
    };
    int64_t id = 0;
    if (!inventory_issuer_add(inventory, &issuer, &id, err)) {
        return false;
    }
    *ret_id = id;
    return ca_issuer_record(inventory, entry, root ? id : entry->parent, err);
}

/* ---- one more -------------------------------------------------------------------------------- */

struct adding {
    struct ca *ca;
    const struct ca_issuer_options *options;
    struct ca_subtrees *trees;
    struct mu_key *root_key, *key;
    struct mu_cert *cert;
    char *path, *aside;
};

static void adding_done(struct adding *adding)
{
    if (adding->aside != NULL) {
        ca_remove_aside(adding->aside);
    }
    ca_subtrees_free(adding->trees);
    mu_key_unref(adding->root_key);
    mu_key_unref(adding->key);
    mu_cert_unref(adding->cert);
    mu_free(adding->path);
    mu_free(adding->aside);
}

static bool check_word(const struct ca *ca, const char *word, struct mutual_error *err)
{
    size_t len = strlen(word);
    if (len < 1 || len > WORD_MAX || word[0] == '-' || strcmp(word, CA_PART_ROOT) == 0 ||
        strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "\"%.60s\" cannot name an issuer", word) ||
               mu_error_hint(err,
                             "Use 1 to %u of a-z 0-9 - and begin with no hyphen; not \"root\".",
                             WORD_MAX);
    }
    for (size_t i = 0; i < ca->issuer_count; i++) {
        if (strcmp(ca->issuers[i].word, word) == 0) {
            return mu_fail(err, MUTUAL_E_ALREADY_EXISTS, "there is an issuer \"%s\" already", word);
        }
    }
    return true;
}

static bool build_trees(struct adding *adding, struct mutual_error *err)
{
    const struct ca_issuer_options *options = adding->options;
    const char *domain = adding->ca->issuers[0].domain;
    adding->trees = ca_subtrees_new();
    if (adding->trees == NULL) {
        return mu_fail_memory(err);
    }
    for (size_t i = 0; i < options->permit_count + options->exclude_count; i++) {
        bool excluded = i >= options->permit_count;
        const char *text =
            excluded ? options->exclude[i - options->permit_count] : options->permit[i];
        if (!ca_subtrees_parse(adding->trees, excluded, text, err)) {
            return false;
        }
    }
    return (options->permit_count > 0 ||
            (ca_subtrees_add(adding->trees, false, MU_GNAME_DNS, domain, err) &&
             ca_subtrees_add(adding->trees, false, MU_GNAME_URI, domain, err) &&
             ca_subtrees_add(adding->trees, false, MU_GNAME_EMAIL, domain, err))) &&
           ca_subtrees_close(adding->trees, err);
}

static bool load_root_key(struct adding *adding, struct mutual_error *err)
{
    MU_AUTO(free)
    char *path = adding->options->root_dir != NULL
                     ? ca_text("%s/root.key", adding->options->root_dir)
                     : ca_text("%s/" CA_PART "/" CA_PART_ROOT "/root.key", adding->ca->dir);
    MU_AUTO(buf) struct mu_buf text = {0};
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    if (!mu_file_read(path, MU_LIMIT_KEY_BYTES, &text, err)) {
        return mu_error_hint(err, "Bring the root's directory back, or name it by --root.");
    }
    bool good = mu_key_from_pem(mu_buf_slice(&text), path, adding->options->passphrase,
                                &adding->root_key, err);
    mu_wipe(text.data, text.len);
    return good && (mu_key_matches(adding->root_key, adding->ca->root, err) ||
                    mu_error_context(err, "the root's key \"%s\"", path));
}

static bool make_certificate(struct adding *adding, struct mutual_error *err)
{
    const struct ca_issuer_options *options = adding->options;
    const struct ca *ca = adding->ca;
    char name[80];
    (void)snprintf(name, sizeof name, "%.43s %s", ca->issuers[0].domain, options->word);
    const struct mu_cert_facts *root = mu_cert_facts(ca->root);
    if (options->life_s <= CA_BACKDATE_S || options->now_s + options->life_s > root->not_after_s) {
        char end[MU_TIME_TEXT];
        return mu_fail(err, MUTUAL_E_OPTION_VALUE,
                       "an issuer must live at least a minute, and no longer than its root, which "
                       "ends on %s",
                       mu_time_format(root->not_after_s, end));
    }
    if (!mu_key_generate(options->key, &adding->key, err)) {
        return false;
    }
    const struct ca_issuer_making making = {.organisation = ca->issuers[0].domain,
                                            .common_name = name,
                                            .root = ca->root,
                                            .root_key = adding->root_key,
                                            .key = adding->key,
                                            .trees = adding->trees,
                                            .now_s = options->now_s,
                                            .life_s = options->life_s};
    return ca_issuer_sign(&making, &adding->cert, err);
}

/* What a killed command left under the name was told to nobody: the store does not know it. */
static bool write_files(struct adding *adding, struct mutual_error *err)
{
    MU_AUTO(free) char *parent = ca_text("%s/" CA_PART "/" CA_PART_ISSUERS, adding->ca->dir);
    MU_AUTO(buf) struct mu_buf key;
    MU_AUTO(buf) struct mu_buf cert;
    struct stat info;
    mu_buf_init(&key, MU_LIMIT_KEY_BYTES);
    mu_buf_init(&cert, 1u << 20);
    if (parent == NULL || !ca_make_directories(parent, 0700, err)) {
        return parent != NULL ? false : mu_fail_memory(err);
    }
    adding->path = ca_text("%s/%s", parent, adding->options->word);
    adding->aside = adding->path == NULL ? NULL : ca_aside_name(adding->path, err);
    if (adding->aside == NULL) {
        return adding->path != NULL ? false : mu_fail_memory(err);
    }
    if (lstat(adding->path, &info) == 0) {
        MU_AUTO(free) char *left = ca_aside_name(adding->path, err);
        if (left == NULL || rename(adding->path, left) == -1) {
            return mu_fail_errno(err, MUTUAL_E_FILE_UNWRITABLE, errno, "could not move \"%s\"",
                                 adding->path);
        }
        ca_remove_aside(left);
    }
    mu_cert_to_pem(adding->cert, &cert);
    bool good = ca_make_directory(adding->aside, 0700, err) &&
                mu_key_to_pem(adding->key, NULL, &key, err) &&
                ca_write_file(adding->aside, "issuer.key", &key, 0600, err) &&
                ca_write_file(adding->aside, "issuer.crt", &cert, 0644, err) &&
                ca_sync_directory(adding->aside, err) &&
                ca_put_in_place(adding->aside, adding->path, false, err);
    mu_wipe(key.data, key.len);
    return good;
}

static bool enter(struct adding *adding, struct mutual_error *err)
{
    const struct ca_issuer_options *options = adding->options;
    struct ca *ca = adding->ca;
    struct store *store = inventory_store(ca->inventory);
    MU_AUTO(free) char *key_place = ca_text(CA_PART_ISSUERS "/%s/issuer.key", options->word);
    int64_t id = 0;
    if (key_place == NULL) {
        return mu_fail_memory(err);
    }
    const struct ca_issuer_entry entry = {.cert = adding->cert,
                                          .word = options->word,
                                          .key_place = key_place,
                                          .path = adding->path,
                                          .parent = ca->root_id,
                                          .shards =
                                              options->shards != 0 ? options->shards : CA_SHARDS,
                                          .owner = options->owner,
                                          .place = options->place,
                                          .now_s = options->now_s};
    if (!store_begin(store, err)) {
        return false;
    }
    if (!ca_issuer_enter(ca->inventory, &entry, &id, err) ||
        !inventory_event(ca->inventory, options->now_s, ca->who, "issuer", 0, options->word, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

/* The key that was just made signs the first list, before it is only to be had through a process.
 */
static bool held_start(struct ca_signer *signer, const struct ca *ca, const struct mu_key **ret_key,
                       struct mutual_error *err)
{
    (void)ca;
    (void)err;
    *ret_key = signer->state;
    return true;
}

static void held_stop(struct ca_signer *signer)
{
    (void)signer;
}

static bool add(struct adding *adding, struct mutual_error *err)
{
    struct ca *ca = adding->ca;
    const struct ca_issuer_options *options = adding->options;
    if (options->shards > CA_SHARDS_MAX) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "a list has at most %u parts", CA_SHARDS_MAX);
    }
    if (!check_word(ca, options->word, err) || !build_trees(adding, err) ||
        !load_root_key(adding, err) || !make_certificate(adding, err) ||
        !write_files(adding, err) || !enter(adding, err) || !ca_issuers_load(ca, err) ||
        !ca_select(ca, options->word, err)) {
        return false;
    }
    struct ca_signer signer = {.start = held_start, .stop = held_stop, .state = adding->key};
    return ca_crl_publish(ca, &signer, CA_CRL_LIFE_S, options->now_s, err);
}

bool ca_issuer_add(struct ca *ca, const struct ca_issuer_options *options, struct mutual_error *err)
{
    __attribute__((cleanup(adding_done))) struct adding adding = {.ca = ca, .options = options};
    if (!ca_lock(ca, options->now_s, NULL, err)) {
        return false;
    }
    bool good = add(&adding, err) || mu_error_context(err, "issuer \"%.60s\"", options->word);
    ca_unlock(ca);
    return good;
}
