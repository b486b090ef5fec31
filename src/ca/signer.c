/* SPDX-License-Identifier: Apache-2.0
 *
 * The issuer's key in a process of its own, for the length of one command.
 */
#include "ca/ca_internal.h"

#include "keys/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* A key that others can read is not used, however convenient: who read it can issue. */
static int open_key(const char *path, struct mutual_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) {
        enum mutual_code code = errno == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_FILE_UNREADABLE;
        (void)mu_fail_errno(err, code, errno, "could not open the issuer's key \"%s\"", path);
        return -1;
    }
    if (fstat(fd, &info) == 0 && (info.st_mode & 077) == 0) {
        return fd;
    }
    (void)close(fd);
    (void)mu_fail(err, MUTUAL_E_FILE_EXPOSED, "the issuer's key \"%s\" is readable by others",
                  path);
    (void)mu_error_hint(err, "Run: chmod 600 %s", path);
    return -1;
}

void ca_key_current(const struct ca *ca, struct ca_key *ret_key)
{
    if (ca->answering) {
        *ret_key = (struct ca_key){.cert = ca->at->responder, .path = ca_issuer_key_path(ca)};
        ca_responder_rules(ca->at->cert, &ret_key->rules);
        return;
    }
    *ret_key = (struct ca_key){.cert = ca->at->cert, .path = ca_issuer_key_path(ca)};
    ca_issuer_rules(ca->at->cert, &ca->own, &ret_key->rules);
}

static bool start(struct ca_signer *signer, const struct ca *ca, const struct mu_key **ret_key,
                  struct mutual_error *err)
{
    struct ca_key key;
    ca_key_current(ca, &key);
    int fd = open_key(key.path, err);
    if (fd == -1) {
        return false;
    }
    const struct keys_local_options options = {.name = key.path,
                                               .key_fd = fd,
                                               .passphrase_fd = -1,
                                               .spki = mu_cert_facts(key.cert)->spki,
                                               .rules = key.rules};
    struct keys_local *local = NULL;
    bool good = keys_local_new(&options, &local, err);
    (void)close(fd);
    if (!good) {
        return mu_error_context(err, "the issuer's key \"%s\"", key.path);
    }
    signer->state = local;
    *ret_key = keys_local_get_key(local);
    return true;
}

static void stop(struct ca_signer *signer)
{
    keys_local_free(signer->state);
    signer->state = NULL;
}

void ca_signer_init_process(struct ca_signer *signer)
{
    *signer = (struct ca_signer){.start = start, .stop = stop};
}
