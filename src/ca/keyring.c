/* SPDX-License-Identifier: Apache-2.0
 *
 * The private keys of an authority as files, and what each may sign: for whoever loads them into a
 * key process and has no store. A key is X.key with its certificate X.crt beside it, in a directory
 * of the authority's; the root's stay away.
 */
#include "ca/ca_internal.h"
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEYS_MAX = 1024 };

/* ---- rules ----------------------------------------------------------------------------------- */

void ca_responder_rules(const struct mu_cert *issuer, struct keys_rules *ret_rules)
{
    *ret_rules = (struct keys_rules){
        .purposes = KEYS_OCSP,
        .ca = {.issuer = mu_cert_facts(issuer)->subject, .max_answer_s = CA_OCSP_LIFE_S}};
    (void)mu_ocsp_issuer_of(issuer, &ret_rules->ca.ocsp_issuer, NULL); /* else it answers nothing */
}

static void add_shape(struct keys_ca_rules *rules, const struct keys_shape *shape)
{
    mu_assert(rules->shape_count < KEYS_SHAPES_MAX);
    rules->shapes[rules->shape_count++] = *shape;
    rules->ekus |= shape->ekus;
    if (shape->max_lifetime_s > rules->max_lifetime_s) {
        rules->max_lifetime_s = shape->max_lifetime_s;
    }
}

/* Lists, answers until its responder has a key of its own, and certificates: what the profiles say,
 * and that responder's. */
void ca_issuer_rules(const struct mu_cert *cert, const struct ca_profiles *own,
                     struct keys_rules *ret_rules)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    const struct keys_shape responder = {.ekus = MU_EKU_OCSP,
                                         .key_usage = MU_KU_DIGITAL_SIGNATURE,
                                         .keys = 1u << MU_SPEC_EC_P256,
                                         .max_lifetime_s = CA_RESPONDER_LIFE_S + CA_BACKDATE_S,
                                         .ocsp_nocheck = true};
    ca_responder_rules(cert, ret_rules);
    ret_rules->purposes |= (uint32_t)KEYS_CERTIFICATES | (uint32_t)KEYS_CRLS;
    ret_rules->ca.serial_min_bytes = MU_SERIAL_BYTES;
    ret_rules->ca.serial_max_bytes = MU_SERIAL_BYTES;
    ret_rules->ca.eku_required = true;
    ret_rules->ca.not_after_max_s = facts->not_after_s;
    const struct ca_issuer issuer = {.cert = mu_cert_ref(cert)};
    const struct ca_profile *profile;
    for (size_t i = 0; (profile = ca_profile_in(own, i)) != NULL; i++) {
        struct ca_rule rule;
        struct keys_shape shape;
        ca_rule_build(profile, &issuer, NULL, &rule);
        ca_rule_shape(&rule, &shape);
        add_shape(&ret_rules->ca, &shape);
    }
    add_shape(&ret_rules->ca, &responder);
    mu_cert_unref(issuer.cert);
}

/* ---- files ----------------------------------------------------------------------------------- */

struct scan {
    struct ca_profiles own;
    ca_key_fn *each;
    void *context;
};

/* An issuer's, or that of an OCSP responder whose issuer's certificate is beside it. */
static bool rules_of(const struct scan *scan, const char *directory, const struct mu_cert *cert,
                     struct keys_rules *ret_rules, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    if (facts->ca) {
        ca_issuer_rules(cert, &scan->own, ret_rules);
        return true;
    }
    MU_AUTO(free) char *above = ca_text("%s/issuer.crt", directory);
    MU_AUTO(cert) struct mu_cert *issuer = NULL;
    if (above == NULL) {
        return mu_fail_memory(err);
    }
    if ((facts->eku & MU_EKU_OCSP) == 0 || !facts->ocsp_nocheck ||
        !ca_read_certificate(above, &issuer, NULL) || !mu_cert_signed_by(cert, issuer, NULL)) {
        return mu_fail(err, MUTUAL_E_NOT_A_CA, "certificate \"%s\" is no authority's",
                       facts->display);
    }
    /* The name is the certificate's own copy of it, for the issuer's ends here. */
    ca_responder_rules(issuer, ret_rules);
    ret_rules->ca.issuer = facts->issuer;
    return true;
}

/* "issuer.key" where "issuer.crt" is too. */
static bool take(const struct scan *scan, const char *directory, const char *name,
                 struct mutual_error *err)
{
    size_t len = strlen(name);
    if (len < 5 || name[0] == '.' || strcmp(name + len - 4, ".key") != 0) {
        return true;
    }
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    MU_AUTO(free) char *key = ca_text("%s/%s", directory, name);
    MU_AUTO(free) char *crt = ca_text("%s/%.*s.crt", directory, (int)(len - 4), name);
    struct keys_rules rules;
    if (key == NULL || crt == NULL) {
        return mu_fail_memory(err);
    }
    if (strcmp(name, "ocsp.key") == 0 && access(crt, F_OK) == -1) {
        return true; /* a responder in the making; the issuer answers until it is made */
    }
    if (!ca_read_certificate(crt, &cert, err) || !rules_of(scan, directory, cert, &rules, err)) {
        return mu_error_context(err, "the authority's key \"%s\"", key);
    }
    return scan->each(scan->context, key, cert, &rules, err);
}

/* The keys of a directory, and of those in it to that depth. */
static bool look(const struct scan *scan, const char *directory, unsigned depth,
                 struct mutual_error *err)
{
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        return errno == ENOTDIR || mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno,
                                                 "could not look into \"%s\"", directory);
    }
    bool good = true;
    const struct dirent *entry;
    for (size_t i = 0; good && i < KEYS_MAX && (entry = readdir(listing)) != NULL; i++) {
        good = take(scan, directory, entry->d_name, err);
        if (good && depth > 0 && entry->d_name[0] != '.') {
            MU_AUTO(free) char *below = ca_text("%s/%s", directory, entry->d_name);
            good = below != NULL ? look(scan, below, depth - 1, err) : mu_fail_memory(err);
        }
    }
    (void)closedir(listing);
    return good;
}

static bool look_into_all(const struct scan *scan, const char *dir, struct mutual_error *err)
{
    MU_AUTO(free) char *part = ca_text("%s/" CA_PART, dir);
    DIR *listing = part == NULL ? NULL : opendir(part);
    if (listing == NULL) {
        return part == NULL
                   ? mu_fail_memory(err)
                   : mu_fail_errno(err, MUTUAL_E_FILE_MISSING, errno,
                                   "there is no authority in \"%s\"", dir) ||
                         mu_error_hint(err, "Make one with: mutual init; or name its directory.");
    }
    bool good = true;
    const struct dirent *entry;
    while (good && (entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.' && !mu_text_starts(entry->d_name, CA_PART_ROOT)) {
            MU_AUTO(free) char *directory = ca_text("%s/%s", part, entry->d_name);
            bool many = strcmp(entry->d_name, CA_PART_ISSUERS) == 0;
            good =
                directory != NULL ? look(scan, directory, many ? 1 : 0, err) : mu_fail_memory(err);
        }
    }
    (void)closedir(listing);
    return good;
}

bool ca_keys_scan(const char *dir, ca_key_fn *each, void *context, struct mutual_error *err)
{
    struct scan scan = {.each = each, .context = context};
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    bool good = ca_profiles_load(dir, &findings, &scan.own, err) && look_into_all(&scan, dir, err);
    ca_profiles_done(&scan.own);
    return good;
}

bool ca_owner(const char *dir, uid_t *ret_uid, gid_t *ret_gid)
{
    struct stat info;
    MU_AUTO(free) char *part = ca_text("%s/" CA_PART, dir);
    if (part == NULL || stat(part, &info) == -1) {
        return false;
    }
    *ret_uid = info.st_uid;
    *ret_gid = info.st_gid;
    return true;
}
