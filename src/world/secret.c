/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets that the configuration refers to, and whether keys belong to their certificates. For
 * processes that may read keys; nobody who talks to strangers comes here.
 */
#include "world/world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 4096u

static void fd_auto(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
    }
}

static void wiped_auto(struct mu_buf *buf)
{
    if (buf->data != NULL) {
        mu_wipe(buf->data, buf->cap);
    }
    mu_buf_done(buf);
}

/* Reads a file that is its owner's alone. `ret_bytes` is to be wiped. */
static bool read_private(const char *path, size_t max, struct mu_buf *ret_bytes,
                         struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (fd == -1 || fstat(fd, &info) == -1) {
        enum mutual_code code = errno == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_FILE_UNREADABLE;
        return mu_fail_errno(err, code, errno, "could not read file \"%s\"", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return mu_fail(err, MUTUAL_E_FILE_UNREADABLE, "\"%s\" is not a regular file", path);
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)mu_fail(err, MUTUAL_E_FILE_EXPOSED, "the secret \"%s\" can be read by others", path);
        return mu_error_hint(err, "Run: chmod 600 %s", path);
    }
    return mu_fd_read(fd, path, max, ret_bytes, err);
}

static bool give_secret(const void *bytes, size_t len, char **ret_text, size_t *ret_len,
                        struct mutual_error *err)
{
    const char *text = bytes;
    len -= len > 0 && text[len - 1] == '\n';
    len -= len > 0 && text[len - 1] == '\r';
    char *copy = mu_secret_alloc(len + 1);
    if (copy == NULL) {
        return mu_fail_memory(err);
    }
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    *ret_text = copy;
    *ret_len = len;
    return true;
}

bool world_secret_read(const struct config_secret *secret, char **ret_text, size_t *ret_len,
                       struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf path;
    mu_buf_init(&path, 8192);
    switch (secret->kind) {
    case CONFIG_SECRET_NONE:
        return mu_fail(err, MUTUAL_E_FILE_MISSING, "no secret is referred to");
    case CONFIG_SECRET_ENV: {
        const char *text = getenv(secret->value);
        return text == NULL ? mu_fail(err, MUTUAL_E_FILE_MISSING,
                                      "the environment has no variable \"%s\"", secret->value)
                            : give_secret(text, strlen(text), ret_text, ret_len, err);
    }
    case CONFIG_SECRET_CREDENTIAL: {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        if (directory == NULL) {
            return mu_fail(err, MUTUAL_E_FILE_MISSING,
                           "no credential \"%s\": $CREDENTIALS_DIRECTORY is not set",
                           secret->value);
        }
        mu_buf_printf(&path, "%s/%s", directory, secret->value);
        break;
    }
    case CONFIG_SECRET_FILE:
        mu_buf_text(&path, secret->value);
        break;
    }
    __attribute__((cleanup(wiped_auto))) struct mu_buf bytes = {0};
    return read_private(mu_buf_str(&path), SECRET_MAX, &bytes, err) &&
           give_secret(bytes.data, bytes.len, ret_text, ret_len, err);
}

/* ---- keys and certificates ---------------------------------------------------------------------
 */

static void secret_auto(char **text)
{
    mu_secret_free(*text);
}

bool secret_key_load(const struct config_certificate *config, struct mu_key **ret_key,
                     struct mutual_error *err)
{
    __attribute__((cleanup(wiped_auto))) struct mu_buf pem = {0};
    __attribute__((cleanup(secret_auto))) char *passphrase = NULL;
    size_t len;
    if (config->passphrase.kind != CONFIG_SECRET_NONE &&
        !world_secret_read(&config->passphrase, &passphrase, &len, err)) {
        return false;
    }
    return read_private(config->key, MU_LIMIT_KEY_BYTES, &pem, err) &&
           mu_key_from_pem(mu_buf_slice(&pem), config->key, passphrase, ret_key, err);
}

static bool check_key(const struct world_chain *chain, struct mutual_error *err)
{
    const struct config_certificate *config = chain->config;
    MU_AUTO(key) struct mu_key *key = NULL;
    if (!secret_key_load(config, &key, err)) {
        return false;
    }
    if (!mu_key_matches(key, chain->certs[0], err)) {
        return mu_error_context(err, "\"%s\" and \"%s\"", config->key, config->chain);
    }
    return true;
}

/* A secret that cannot be had here says nothing about the pair. */
bool secret_is_out_of_reach(enum mutual_code code)
{
    return code == MUTUAL_E_FILE_UNREADABLE || code == MUTUAL_E_FILE_MISSING;
}

void build_check_keys(struct build *build)
{
    const struct world *world = &build->whole->world;
    for (size_t s = 0; s < world->service_count; s++) {
        for (size_t c = 0; c < world->services[s].chain_count; c++) {
            const struct world_chain *chain = &world->services[s].chains[c];
            struct mutual_error err = {0};
            if (chain->count == 0 || chain->config->key == NULL || check_key(chain, &err)) {
                continue;
            }
            struct config_place place = config_place_of(&chain->config->mark, "key");
            if (build_told_already(build, &place)) {
                continue;
            }
            if (secret_is_out_of_reach(err.code)) {
                build_add(build, CONFIG_WARNING, err.code, &place,
                          "run the check as the user who serves",
                          "key and certificate could not be compared: %s", err.reason);
            } else {
                build_add_error(build, CONFIG_ERROR, &place, &err);
            }
        }
    }
}
