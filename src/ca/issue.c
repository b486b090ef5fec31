/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuing: everything that can be refused is refused first; then the steps of ca.h, in their order.
 */
#include "ca/ca_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERIAL_TRIES                                                             \
    4 /* a second draw of 150 random bits already says that the source is broken \
       */

/* All that is decided before the first byte is written. */
struct plan {
    const struct ca_request *request;
    struct ca_names names;
    struct mu_key *key; /* ours, or the public half of theirs */
    uint8_t serial[MU_SERIAL_BYTES];
    const struct ca_profile *profile;
    struct ca_rule rule;
    struct ca_decision decision;
    unsigned shard;
    enum inventory_form form;
    char *path, *aside; /* "" when nothing is written */
    char password[CA_PASSPHRASE_TEXT];
};

static void plan_done(struct plan *plan)
{
    ca_names_done(&plan->names);
    mu_key_unref(plan->key);
    mu_free(plan->path);
    mu_free(plan->aside);
    mu_wipe(plan->password, sizeof plan->password);
}

void ca_issued_done(struct ca_issued *issued)
{
    mu_cert_unref(issued->cert);
    mu_free(issued->path);
    mu_wipe(issued->password, sizeof issued->password);
    *issued = (struct ca_issued){0};
}

void mu_ca_issued_auto(struct ca_issued *issued)
{
    ca_issued_done(issued);
}

bool ca_subject_build(const struct ca *ca, const char *name, struct mu_buf *out,
                      struct mutual_error *err)
{
    const struct mu_rdn subject[] = {{MU_ATTR_O, ca->issuers[0].domain}, {MU_ATTR_CN, name}};
    return mu_name_build(subject, MU_COUNT(subject), out, err);
}

/* ---- planning -------------------------------------------------------------------------------- */

static bool load_kept_key(const struct inventory_record *record, struct mu_key **ret_key,
                          struct mutual_error *err)
{
    MU_AUTO(free) char *path = ca_text("%s/tls.key", record->path);
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    if (!mu_file_read(path, MU_LIMIT_KEY_BYTES, &text, err)) {
        return mu_error_hint(err, "Without it a new key is needed: renew without --keep-key.");
    }
    bool good = mu_key_from_pem(mu_buf_slice(&text), path, NULL, &key, err);
    mu_wipe(text.data, text.len);
    if (!good) {
        return false;
    }
    if (!mu_slice_equal(mu_slice_of(mu_key_hash(key), 32), record->key_hash)) {
        return mu_fail(err, MUTUAL_E_KEY_MISMATCH, "\"%s\" is not the key of certificate \"%s\"",
                       path, record->name);
    }
    *ret_key = MU_TAKE(key);
    return true;
}

static enum mu_key_spec wanted_key(const struct plan *plan)
{
    return plan->request->key_given ? plan->request->key : plan->rule.key;
}

static bool plan_key(struct plan *plan, struct mutual_error *err)
{
    const struct ca_request *request = plan->request;
    if (request->csr == NULL) {
        return request->keep_key ? load_kept_key(request->replaces, &plan->key, err)
                                 : mu_key_generate(wanted_key(plan), &plan->key, err);
    }
    return mu_key_from_spki(mu_csr_facts(request->csr)->spki, &plan->key, err);
}

/* A certificate that was revoked is not renewed, and its files are in the way of the next. */
static bool fail_exists(const struct ca *ca, const char *path, const char *name,
                        struct mutual_error *err)
{
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    uint8_t fingerprint[32];
    (void)mu_fail(err, MUTUAL_E_FILE_EXISTS, "\"%s\" exists already", path);
    if (ca_delivered_fingerprint(path, fingerprint)) {
        const struct inventory_filter filter = {
            .fingerprint = mu_slice_of(fingerprint, sizeof fingerprint), .limit = 1};
        if (inventory_records_get(ca->inventory, &filter, 1, &records, NULL) && records.count > 0 &&
            records.items[0].revoked) {
            return mu_error_hint(err, "It holds a revoked certificate. Run: rm -r %s; then retry.",
                                 path);
        }
    }
    return mu_error_hint(err, "Renew it (mutual renew %s), or write elsewhere with --out.", name);
}

/* Absolute, because the command that finishes an interrupted issue may run elsewhere. */
static bool plan_path(const struct ca *ca, struct plan *plan, struct mutual_error *err)
{
    const struct ca_request *request = plan->request;
    const struct inventory_record *old = request->replaces;
    if (request->print_only) {
        plan->form = INVENTORY_FORM_NONE;
        plan->path = mu_strdup("");
        plan->aside = mu_strdup("");
        return plan->path != NULL && plan->aside != NULL ? true : mu_fail_memory(err);
    }
    plan->form = request->csr != NULL ? INVENTORY_FORM_REQUEST
                 : request->p12       ? INVENTORY_FORM_P12
                                      : INVENTORY_FORM_DIRECTORY;
    if (old != NULL && request->out == NULL && old->path[0] != '\0') {
        plan->path = mu_strdup(old->path);
    } else {
        MU_AUTO(free)
        char *out = request->out != NULL ? mu_strdup(request->out) : ca_text("%s/tls", ca->dir);
        if (out == NULL || !ca_make_directories(out, 0755, err)) {
            return out != NULL ? false : mu_fail_memory(err);
        }
        char real[PATH_MAX];
        if (realpath(out, real) == NULL) {
            return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno, "could not resolve \"%s\"",
                                 out);
        }
        plan->path = ca_text("%s/%s", real, request->name);
    }
    if (plan->path == NULL) {
        return mu_fail_memory(err);
    }
    struct stat info;
    if (old == NULL && lstat(plan->path, &info) == 0) {
        return fail_exists(ca, plan->path, request->name, err);
    }
    plan->aside = ca_aside_name(plan->path, err);
    return plan->aside != NULL;
}

/* Facts are shown on terminals and in logs. */
static bool check_fact(const char *what, const char *text, struct mutual_error *err)
{
    size_t len = strlen(text);
    bool good = len >= 1 && len <= 200;
    for (size_t i = 0; good && i < len; i++) {
        good = (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    }
    return good ? true
                : mu_fail(err, MUTUAL_E_OPTION_VALUE,
                          "the %s must be 1 to 200 bytes without control characters", what);
}

static bool check_facts(const struct ca_request *request, struct mutual_error *err)
{
    return check_fact("owner", request->owner, err) && check_fact("place", request->place, err) &&
           (request->purpose == NULL || check_fact("purpose", request->purpose, err));
}

/* A renewed certificate demands what the old one did. */
static bool demands_staple(const struct plan *plan, bool *ret_demands, struct mutual_error *err)
{
    const struct ca_request *request = plan->request;
    MU_AUTO(cert) struct mu_cert *old = NULL;
    if (request->replaces != NULL && request->replaces->der.len > 0 &&
        !mu_cert_from_der(request->replaces->der, &old, err)) {
        return mu_error_context(err, "the certificate that it replaces");
    }
    *ret_demands = request->must_staple || (old != NULL && mu_cert_facts(old)->must_staple);
    return true;
}

/* The key before there is one: making it costs more than being refused. */
static struct mu_key_info key_to_be(const struct plan *plan)
{
    static const struct mu_key_info kinds[MU_SPEC_COUNT_] = {
        [MU_SPEC_EC_P256] = {MU_KEY_EC, MU_CURVE_P256, 256, NULL, "EC P-256"},
        [MU_SPEC_EC_P384] = {MU_KEY_EC, MU_CURVE_P384, 384, NULL, "EC P-384"},
        [MU_SPEC_RSA_2048] = {MU_KEY_RSA, MU_CURVE_NONE, 2048, NULL, "RSA"},
        [MU_SPEC_RSA_3072] = {MU_KEY_RSA, MU_CURVE_NONE, 3072, NULL, "RSA"},
        [MU_SPEC_RSA_4096] = {MU_KEY_RSA, MU_CURVE_NONE, 4096, NULL, "RSA"},
        [MU_SPEC_ED25519] = {MU_KEY_ED25519, MU_CURVE_NONE, 256, NULL, "Ed25519"},
    };
    const struct ca_request *request = plan->request;
    return request->csr != NULL ? mu_csr_facts(request->csr)->key : kinds[wanted_key(plan)];
}

/* The one place where it is decided whether something is certified. */
static bool judge(const struct ca *ca, struct plan *plan, struct mutual_error *err)
{
    const struct ca_request *request = plan->request;
    MU_AUTO(buf) struct mu_buf subject;
    mu_buf_init(&subject, MU_LIMIT_CERT_BYTES);
    struct ca_candidate candidate = {.names = plan->names.items,
                                     .name_count = plan->names.count,
                                     .key = plan->key != NULL ? *mu_key_info(plan->key)
                                                              : key_to_be(plan),
                                     .now_s = request->now_s,
                                     .life_s = request->life_s,
                                     .eku = request->eku};
    if (!demands_staple(plan, &candidate.must_staple, err) ||
        !ca_subject_build(ca, request->name, &subject, err)) {
        return false;
    }
    candidate.subject = mu_buf_slice(&subject);
    return ca_rule_judge(&plan->rule, &candidate, &plan->decision, err);
}

static bool plan_issuer(struct ca *ca, const struct ca_request *request, struct mutual_error *err)
{
    struct ca_issuer *old = request->replaces != NULL && request->issuer == NULL
                                ? ca_issuer_by_id(ca, request->replaces->issuer_id)
                                : NULL;
    if (old != NULL) {
        ca->at = old;
        return true;
    }
    return ca_select(ca, request->issuer, err);
}

bool ca_names_of(struct ca *ca, const struct ca_request *request, struct ca_names *ret_names,
                 struct mutual_error *err)
{
    struct ca_rule rule;
    if (!plan_issuer(ca, request, err)) {
        return false;
    }
    ca_rule_of(ca, request->profile, &rule);
    return ca_names_build(&rule, request, ret_names, err);
}

/* With the key (`all`) or only so far that it is known whether the rule permits it. */
static bool plan_build(struct ca *ca, struct plan *plan, bool all, struct mutual_error *err)
{
    const struct ca_request *request = plan->request;
    if (!plan_issuer(ca, request, err) ||
        !ca_profile_of(ca, request->profile->name, &plan->profile, err)) {
        return false;
    }
    ca_rule_of(ca, plan->profile, &plan->rule);
    if (!ca_handle_check(request->name, err) || !check_facts(request, err) ||
        !ca_names_build(&plan->rule, request, &plan->names, err) ||
        (request->keep_key && !plan_key(plan, err)) || !judge(ca, plan, err)) {
        return false;
    }
    if (!all) {
        return true;
    }
    if (request->p12 && request->password == NULL && !ca_passphrase_new(plan->password, err)) {
        return false;
    }
    return (plan->key != NULL || plan_key(plan, err)) && plan_path(ca, plan, err);
}

bool ca_permits(struct ca *ca, const struct ca_request *request, struct ca_decision *ret_decision,
                struct mutual_error *err)
{
    __attribute__((cleanup(plan_done))) struct plan plan = {.request = request};
    if (!plan_build(ca, &plan, false, err)) {
        return mu_error_context(err, "certificate \"%s\"", request->name);
    }
    *ret_decision = plan.decision;
    return true;
}

/* ---- the steps ------------------------------------------------------------------------------- */

static bool reserve_row(struct ca *ca, const struct ca_request *request,
                        const struct inventory_record *record, bool *ret_taken, int64_t *ret_id,
                        struct mutual_error *err)
{
    struct store *store = inventory_store(ca->inventory);
    if (request->also == NULL) {
        return inventory_reserve(ca->inventory, record, ret_taken, ret_id, err);
    }
    if (!store_begin(store, err)) {
        return false;
    }
    if (!inventory_reserve(ca->inventory, record, ret_taken, ret_id, err) ||
        (!*ret_taken && !request->also(request->also_context, ca, *ret_id, err))) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

static bool reserve(struct ca *ca, struct plan *plan, int64_t *ret_id, struct mutual_error *err)
{
    const struct ca_request *request = plan->request;
    struct inventory_record record = {
        .issuer_id = ca->at->id,
        .form = plan->form,
        .profile = plan->profile->name,
        .name = request->name,
        .owner = request->owner,
        .place = request->place,
        .purpose = request->purpose != NULL ? request->purpose : plan->profile->text,
        .path = plan->path,
        .aside = plan->aside,
        /* Without files it is settled by whoever is next, should this machine not come back. */
        .machine = plan->form == INVENTORY_FORM_NONE ? NULL : ca_machine(),
        .names = plan->names.items,
        .name_count = plan->names.count,
        .key_text = mu_key_info(plan->key)->text,
        .key_hash = mu_slice_of(mu_key_hash(plan->key), 32),
        .requested_s = request->now_s,
        .not_before_s = plan->decision.not_before_s,
        .not_after_s = plan->decision.not_after_s,
        .replaces_id = request->replaces != NULL ? request->replaces->id : 0,
        .asked_again = request->asked_again,
    };
    bool parted = ca->url != NULL && ca->at->shards > 0;
    for (int i = 0; i < SERIAL_TRIES; i++) {
        bool taken = false;
        if (!mu_serial_new(plan->serial, err)) {
            return false;
        }
        record.serial = mu_slice_of(plan->serial, sizeof plan->serial);
        /* The serial is random, so its end spreads certificates evenly over the parts. */
        plan->shard = parted ? 1 + mu_get_be32(plan->serial + 16) % ca->at->shards : 0;
        record.shard = plan->shard;
        if (!reserve_row(ca, request, &record, &taken, ret_id, err)) {
            return false;
        }
        if (!taken) {
            return true;
        }
    }
    return mu_fail(err, MUTUAL_E_NO_RANDOM, "drew %d serial numbers that are all in use",
                   SERIAL_TRIES);
}

/* The private key is on disk before the certificate exists; not for PKCS#12, where it never is. */
static bool write_key(const struct plan *plan, struct mutual_error *err)
{
    if (plan->form == INVENTORY_FORM_NONE) {
        return true;
    }
    if (!ca_make_directory(plan->aside, 0700, err)) {
        return false;
    }
    if (plan->form != INVENTORY_FORM_DIRECTORY) {
        return true;
    }
    MU_AUTO(free) char *path = ca_text("%s/tls.key", plan->aside);
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, MU_LIMIT_KEY_BYTES);
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    bool good = mu_key_to_pem(plan->key, NULL, &pem, err) &&
                mu_file_write(path, mu_buf_slice(&pem), 0600, err);
    mu_wipe(pem.data, pem.len);
    return good;
}

static bool sign(const struct ca *ca, const struct plan *plan, struct ca_signer *signer,
                 struct mu_cert **ret_cert, struct mutual_error *err)
{
    struct mu_gname names[MU_LIMIT_CERT_NAMES];
    uint8_t addresses[MU_LIMIT_CERT_NAMES][16];
    if (!ca_names_general(&plan->names, names, addresses)) {
        return mu_fail(err, MUTUAL_E_NAME_MALFORMED, "a name of \"%s\" is not an IP address",
                       plan->request->name);
    }
    MU_AUTO(buf) struct mu_buf subject;
    mu_buf_init(&subject, MU_LIMIT_CERT_BYTES);
    if (!ca_subject_build(ca, plan->request->name, &subject, err)) {
        return false;
    }
    MU_AUTO(free) char *list = ca_list_url(ca, ca->at->word, plan->shard, false);
    MU_AUTO(free)
    char *above = ca->url == NULL ? NULL : ca_text("%s/issuer/%s.cer", ca->url, ca->at->word);
    MU_AUTO(free) char *ocsp = ca->url == NULL ? NULL : ca_text("%s/ocsp", ca->url);
    const char *const lists[] = {list, NULL};
    const char *const aboves[] = {above, NULL};
    const char *const ocsps[] = {ocsp, NULL};
    const struct mu_cert_template template = {
        .crl_uris = lists,
        .issuer_uris = aboves,
        .ocsp_uris = ocsps,
        .serial = mu_slice_of(plan->serial, sizeof plan->serial),
        .subject_der = mu_buf_slice(&subject),
        .issuer = ca->at->cert,
        .not_before_s = plan->decision.not_before_s,
        .not_after_s = plan->decision.not_after_s,
        .spki = mu_key_spki(plan->key),
        .names = names,
        .name_count = plan->names.count,
        .key_usage = plan->decision.key_usage,
        .eku = plan->decision.eku,
        .must_staple = plan->decision.must_staple,
    };
    const struct mu_key *key = NULL;
    if (!signer->start(signer, ca, &key, err)) {
        return false;
    }
    bool good = mu_cert_sign(&template, key, ret_cert, err);
    signer->stop(signer);
    return good;
}

static bool write_p12(const struct ca *ca, const struct plan *plan, const struct mu_cert *cert,
                      struct mutual_error *err)
{
    const struct ca_request *request = plan->request;
    MU_AUTO(free) char *path = ca_text("%s/%s.p12", plan->aside, request->name);
    MU_AUTO(certs) struct mu_certs chain = {0};
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1u << 20);
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    const char *password = request->password != NULL ? request->password : plan->password;
    bool good = mu_certs_add(&chain, ca->at->cert, err) && mu_certs_add(&chain, ca->root, err) &&
                mu_p12_build(cert, plan->key, &chain, request->name, password, request->preset,
                             &der, err) &&
                mu_file_write(path, mu_buf_slice(&der), 0600, err);
    mu_wipe(der.data, der.len);
    return good;
}

static bool write_files(struct ca *ca, const struct plan *plan, const struct mu_cert *cert,
                        struct mutual_error *err)
{
    if (plan->form == INVENTORY_FORM_NONE) {
        return true;
    }
    if (plan->form == INVENTORY_FORM_P12 && !write_p12(ca, plan, cert, err)) {
        return false;
    }
    if (!ca_deliver(ca, cert, plan->aside, plan->path, plan->request->replaces != NULL, err)) {
        return false;
    }
    /* After an exchange it holds what was there before, the old key too. It goes before the
     * delivery is committed, because afterwards nobody would look for it. */
    ca_remove_aside(plan->aside);
    return true;
}

/* Each in one transaction with its audit event. */
static bool commit_delivered(struct ca *ca, const struct plan *plan, int64_t id,
                             struct mutual_error *err)
{
    struct store *store = inventory_store(ca->inventory);
    const char *action = plan->request->replaces != NULL ? "renew" : "issue";
    if (!store_begin(store, err)) {
        return false;
    }
    if (!inventory_delivered(ca->inventory, id, err) ||
        !inventory_event(ca->inventory, plan->request->now_s, ca->who, action, id,
                         plan->request->name, err)) {
        store_rollback(store);
        return false;
    }
    return store_commit(store, err);
}

/* A failure here leaves the row as it is: what is on disk is settled by ca_recover, now if it can
 * be, else when the authority is opened next. */
static bool run_steps(struct ca *ca, struct plan *plan, struct ca_signer *signer,
                      struct ca_issued *issued, struct mutual_error *err)
{
    return reserve(ca, plan, &issued->id, err) && write_key(plan, err) &&
           sign(ca, plan, signer, &issued->cert, err) &&
           inventory_signed(ca->inventory, issued->id, issued->cert, err) &&
           write_files(ca, plan, issued->cert, err) && commit_delivered(ca, plan, issued->id, err);
}

static bool issue(struct ca *ca, const struct ca_request *request, struct ca_signer *signer,
                  struct ca_issued *ret_issued, struct mutual_error *err)
{
    __attribute__((cleanup(plan_done))) struct plan plan = {.request = request};
    MU_AUTO(ca_issued) struct ca_issued issued = {0};
    if (!plan_build(ca, &plan, true, err)) {
        return mu_error_context(err, "certificate \"%s\"", request->name);
    }
    if (!run_steps(ca, &plan, signer, &issued, err)) {
        store_rollback(inventory_store(ca->inventory));
        (void)ca_recover(ca, request->now_s, NULL, NULL);
        return mu_error_context(err, "certificate \"%s\"", request->name);
    }
    issued.life_cut = plan.decision.life_cut;
    memcpy(issued.password, plan.password, sizeof issued.password);
    if (plan.path[0] != '\0') {
        issued.path = MU_TAKE(plan.path);
    }
    *ret_issued = issued;
    issued = (struct ca_issued){0};
    return true;
}

bool ca_issue(struct ca *ca, const struct ca_request *request, struct ca_signer *signer,
              struct ca_issued *ret_issued, struct mutual_error *err)
{
    if (!ca_lock(ca, request->now_s, NULL, err)) {
        return false;
    }
    bool good = issue(ca, request, signer, ret_issued, err);
    ca_unlock(ca);
    return good;
}
