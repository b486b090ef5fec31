/* SPDX-License-Identifier: Apache-2.0
 *
 * The only input and output of the room: from a path to a snapshot. Reads the configuration's own
 * files and what they refer to; of private keys and other secrets it only looks at who may read
 * them.
 */
#include "config/config_internal.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct load {
    struct config_snapshot *snapshot;
    struct config_findings *findings;
};

static void complain(struct load *load, const struct config_place *place,
                     const struct mutual_error *err)
{
    config_finding_add_error(load->findings, load->snapshot, CONFIG_ERROR, place, err);
}

static bool read_file(struct load *load, const char *path, size_t max, bool list,
                      const struct config_place *place)
{
    struct mu_slice known;
    if (config_snapshot_find(load->snapshot, path, &known)) {
        if (!list) {
            config_snapshot_set_list(load->snapshot, path, false); /* it is something else, too */
        }
        return true;
    }
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf bytes = {0};
    if (!mu_file_read(path, max, &bytes, &err) ||
        !(list ? config_snapshot_take(load->snapshot, path, &bytes, &err)
               : config_snapshot_add(load->snapshot, path, mu_buf_slice(&bytes), &err))) {
        complain(load, place, &err);
        return false;
    }
    config_snapshot_set_list(load->snapshot, path, list);
    return true;
}

/* ---- includes ----------------------------------------------------------------------------------
 */

static void read_pattern(struct load *load, const struct config_mark *mark, const char *pattern,
                         size_t index)
{
    struct config_place place = config_place_at(mark, "include", index);
    glob_t found = {0};
    int status = glob(pattern, GLOB_NOESCAPE | GLOB_ERR, NULL, &found);
    if (status == GLOB_NOMATCH) {
        return; /* an exact name that is missing is found missing when the model is built */
    }
    if (status != 0) {
        struct mutual_error err = {0};
        (void)mu_fail_errno(&err, MUTUAL_E_FILE_UNREADABLE, errno, "could not look for \"%s\"",
                            pattern);
        complain(load, &place, &err);
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *name = found.gl_pathv[i];
        if (config_include_matches(pattern, name)) {
            (void)read_file(load, name, MU_LIMIT_CONFIG_BYTES, false, &place);
        }
    }
    globfree(&found);
}

/* ---- what the configuration refers to
 * ------------------------------------------------------------ */

static void read_texts(struct load *load, const struct config_mark *mark, const char *setting,
                       const struct config_texts *paths, size_t max, bool lists)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (paths->items[i] != NULL) {
            struct config_place place = config_place_at(mark, setting, i);
            (void)read_file(load, paths->items[i], max, lists, &place);
        }
    }
}

/* A secret: it must be there, be a file, and be its owner's alone. */
static void look_at_secret(struct load *load, const char *path, const char *what,
                           const struct config_place *place)
{
    struct stat info;
    struct mutual_error err = {0};
    if (stat(path, &info) == -1) {
        enum mutual_code code = errno == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_FILE_UNREADABLE;
        (void)mu_fail_errno(&err, code, errno, "could not look at the %s \"%s\"", what, path);
    } else if (!S_ISREG(info.st_mode)) {
        (void)mu_fail(&err, MUTUAL_E_FILE_UNREADABLE, "the %s \"%s\" is not a regular file", what,
                      path);
    } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)mu_fail(&err, MUTUAL_E_FILE_EXPOSED,
                      "the %s \"%s\" can be read by others (mode %04o)", what, path,
                      (unsigned)info.st_mode & 07777u);
        (void)mu_error_hint(&err, "run: chmod 600 %s", path);
    }
    if (err.code != MUTUAL_OK) {
        complain(load, place, &err);
    }
}

/* The response that was fetched last, if one was. */
static void read_staple(struct load *load, const struct config *config,
                        const struct config_certificate *certificate)
{
    struct config_place place = config_place_of(&certificate->mark, "staple");
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf path;
    MU_AUTO(buf) struct mu_buf name;
    MU_AUTO(buf) struct mu_buf bytes = {0};
    mu_buf_init(&path, 8192);
    mu_buf_init(&name, 8192);
    if (!config_staple_path(&config->fetch, certificate->chain, &path) ||
        !config_staple_name(certificate->chain, &name)) {
        (void)mu_fail(&err, MUTUAL_E_CONFIG_INVALID, "there is no place to keep what is fetched");
        (void)mu_error_hint(&err, "fetch: {directory: PATH}");
        complain(load, &place, &err);
    } else if ((!mu_file_read(mu_buf_str(&path), MU_LIMIT_OCSP_BYTES, &bytes, &err) ||
                !config_snapshot_add(load->snapshot, mu_buf_str(&name), mu_buf_slice(&bytes),
                                     &err)) &&
               err.code != MUTUAL_E_FILE_MISSING) {
        complain(load, &place, &err);
    }
}

static void read_certificates(struct load *load, const struct config *config,
                              const struct config_certificate *certificates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct config_certificate *c = &certificates[i];
        struct config_place place = config_place_of(&c->mark, "chain");
        if (c->chain != NULL) {
            (void)read_file(load, c->chain, MU_LIMIT_PEM_BYTES, false, &place);
        }
        if (c->root != NULL && access(c->root, F_OK) == 0) {
            (void)read_file(load, c->root, MU_LIMIT_PEM_BYTES, false, &place);
        }
        place = config_place_of(&c->mark, "ocsp");
        if (c->ocsp != NULL && (!c->ocsp_beside || access(c->ocsp, F_OK) == 0)) {
            (void)read_file(load, c->ocsp, MU_LIMIT_OCSP_BYTES, false, &place);
        }
        if (c->chain != NULL && config_staple_is_fetched(c)) {
            read_staple(load, config, c);
        }
        place = config_place_of(&c->mark, "ca");
        if (c->ca != NULL && (!c->ca_beside || access(c->ca, F_OK) == 0)) {
            (void)read_file(load, c->ca, MU_LIMIT_PEM_BYTES, false, &place);
        }
        place = config_place_of(&c->mark, "key");
        if (c->key != NULL) {
            look_at_secret(load, c->key, "private key", &place);
        }
        if (c->passphrase.kind == CONFIG_SECRET_FILE && c->passphrase.value != NULL) {
            place = config_place_of(&c->mark, "passphrase");
            look_at_secret(load, c->passphrase.value, "passphrase", &place);
        }
    }
}

/* What was fetched before, under the name that the world knows. None is no fault: it will be. */
static void read_fetched(struct load *load, const struct config *config,
                         const struct config_trust *trust)
{
    for (size_t i = 0; i < trust->revocation.fetch_count; i++) {
        const struct config_source *source = &trust->revocation.fetch[i];
        struct config_place place = config_place_of(&source->mark, "url");
        struct mutual_error err = {0};
        MU_AUTO(buf) struct mu_buf path;
        MU_AUTO(buf) struct mu_buf name;
        MU_AUTO(buf) struct mu_buf bytes = {0};
        mu_buf_init(&path, 4096);
        mu_buf_init(&name, 4096);
        if (trust->name == NULL || source->url == NULL) {
            continue;
        }
        if (!config_fetched_path(&config->fetch, trust->name, source->url, &path) ||
            !config_fetched_name(trust->name, source->url, &name)) {
            (void)mu_fail(&err, MUTUAL_E_CONFIG_INVALID,
                          "there is no place to keep what is fetched");
            (void)mu_error_hint(&err, "fetch: {directory: PATH}");
            complain(load, &place, &err);
        } else if (mu_file_read(mu_buf_str(&path), MU_LIMIT_CRL_BYTES, &bytes, &err)) {
            if (!config_snapshot_take(load->snapshot, mu_buf_str(&name), &bytes, &err)) {
                complain(load, &place, &err);
                continue;
            }
            config_snapshot_set_list(load->snapshot, mu_buf_str(&name), true);
        } else if (err.code != MUTUAL_E_FILE_MISSING) {
            complain(load, &place, &err);
        }
    }
}

static void read_references(struct load *load, const struct config *config)
{
    if (config->deny != NULL) {
        struct config_place place = config_place_of(&config->mark, "deny");
        (void)read_file(load, config->deny, MU_LIMIT_DENY_BYTES, false, &place);
    }
    for (size_t i = 0; i < config->trust_count; i++) {
        const struct config_trust *trust = &config->trusts[i];
        read_texts(load, &trust->mark, "bundle", &trust->bundle, MU_LIMIT_PEM_BYTES, false);
        read_texts(load, &trust->mark, "intermediates", &trust->intermediates, MU_LIMIT_PEM_BYTES,
                   false);
        read_texts(load, &trust->revocation.mark, "crl", &trust->revocation.crl, MU_LIMIT_CRL_BYTES,
                   true);
        read_fetched(load, config, trust);
    }
    for (size_t i = 0; i < config->served_count; i++) {
        const struct config_inbound *in = config->served[i];
        if (in->listener == NULL || in->certificates != in->listener->certificates) {
            read_certificates(load, config, in->certificates, in->certificate_count);
        }
    }
    for (size_t i = 0; i < config->outbound_count; i++) {
        read_certificates(load, config, config->outbounds[i].certificates,
                          config->outbounds[i].certificate_count);
    }
}

/* Decodes what has been read so far, for what it refers to; its findings are told by config_build,
 * so these are dropped. */
static struct config_whole *peek(struct load *load)
{
    MU_AUTO(config_findings) struct config_findings dropped;
    config_findings_init(&dropped);
    bool broken;
    return config_decode(load->snapshot, NULL, &dropped, &broken);
}

static bool load_all(struct load *load)
{
    struct config_whole *whole = peek(load);
    if (whole == NULL) {
        return false;
    }
    const struct config_texts *include = &whole->config.include;
    size_t before = config_snapshot_count(load->snapshot);
    for (size_t i = 0; i < include->count; i++) {
        if (include->items[i] != NULL) {
            read_pattern(load, &whole->config.mark, include->items[i], i);
        }
    }
    if (config_snapshot_count(load->snapshot) > before) {
        config_free(&whole->config);
        whole = peek(load);
        if (whole == NULL) {
            return false;
        }
    }
    read_references(load, &whole->config);
    config_free(&whole->config);
    return true;
}

static void complain_memory(struct config_findings *findings)
{
    config_finding_add(findings, NULL, CONFIG_ERROR, MUTUAL_E_NO_MEMORY, NULL, NULL,
                       "out of memory while reading the configuration");
}

bool config_snapshot_load(const char *path, struct config_findings *findings,
                          struct config_snapshot **ret_snapshot)
{
    size_t errors = findings->errors;
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = config_snapshot_new();
    struct load load = {snapshot, findings};
    struct config_place place = {path, 0, 0, 0};
    if (snapshot == NULL) {
        complain_memory(findings);
        return false;
    }
    if (!read_file(&load, path, MU_LIMIT_CONFIG_BYTES, false, &place)) {
        return false;
    }
    if (!load_all(&load)) {
        complain_memory(findings);
    }
    *ret_snapshot = MU_TAKE(snapshot);
    return findings->errors == errors;
}

bool config_snapshot_load_text(const char *name, struct mu_slice text,
                               struct config_findings *findings,
                               struct config_snapshot **ret_snapshot)
{
    size_t errors = findings->errors;
    struct mutual_error err = {0};
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = config_snapshot_new();
    struct load load = {snapshot, findings};
    if (snapshot == NULL || !config_snapshot_add(snapshot, name, text, &err) || !load_all(&load)) {
        complain_memory(findings);
        return false;
    }
    *ret_snapshot = MU_TAKE(snapshot);
    return findings->errors == errors;
}
