/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own identity: a chain and the key that proves it, wherever that key lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/identity_internal.h"
#include "x509/x509.h"

struct mutual_identity {
    atomic_uint refs;
    struct mu_certs chain;
    struct mu_key *key;
    struct mu_names *names;
    struct mu_buf staple; /* an OCSP response in DER; empty: none */
    struct mu_staple_span staple_span;
};

void mu_identity_auto(struct mutual_identity **identity)
{
    mutual_identity_unref(*identity);
}

struct mutual_identity *mutual_identity_ref(struct mutual_identity *identity)
{
    unsigned before = atomic_fetch_add_explicit(&identity->refs, 1, memory_order_relaxed);
    mu_assert(before > 0 && before < UINT32_MAX);
    return identity;
}

void mutual_identity_unref(struct mutual_identity *identity)
{
    if (identity == NULL ||
        atomic_fetch_sub_explicit(&identity->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    mu_certs_done(&identity->chain);
    mu_key_unref(identity->key);
    mu_names_free(identity->names);
    mu_buf_done(&identity->staple);
    mu_free(identity);
}

bool mu_identity_new(struct mu_cert *const *chain, size_t count, struct mu_key *key,
                     struct mutual_identity **ret_identity, struct mutual_error *err)
{
    mu_assert(count > 0);
    MU_AUTO(identity) struct mutual_identity *identity = mu_alloc(1, sizeof *identity);
    if (identity == NULL) {
        return mu_fail_memory(err);
    }
    atomic_init(&identity->refs, 1);
    if (count > MU_LIMIT_CHAIN_DEPTH) {
        return mu_fail(err, MUTUAL_E_CHAIN_TOO_LONG,
                       "our own chain has %zu certificates, peers look at %u at most", count,
                       MU_LIMIT_CHAIN_DEPTH);
    }
    if (!mu_key_matches(key, chain[0], err) ||
        !mu_names_from_cert(chain[0], &identity->names, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!mu_certs_add(&identity->chain, chain[i], err)) {
            return false;
        }
    }
    identity->key = mu_key_ref(key);
    *ret_identity = MU_TAKE(identity);
    return true;
}

static bool from_pem(struct mu_slice chain, const char *chain_name, struct mu_slice key,
                     const char *key_name, const char *passphrase,
                     struct mutual_identity **ret_identity, struct mutual_error *err)
{
    MU_AUTO(certs) struct mu_certs certs = {0};
    MU_AUTO(key) struct mu_key *own = NULL;
    return mu_certs_from_pem(chain, chain_name, &certs, err) &&
           mu_key_from_pem(key, key_name, passphrase, &own, err) &&
           mu_identity_new(certs.items, certs.count, own, ret_identity, err);
}

bool mutual_identity_from_pem(const char *chain, size_t chain_len, const char *key, size_t key_len,
                              const char *passphrase, struct mutual_identity **ret_identity,
                              struct mutual_error *err)
{
    return from_pem(mu_slice_of(chain, chain_len), "the certificate chain",
                    mu_slice_of(key, key_len), "the private key", passphrase, ret_identity, err);
}

/* The bytes of a key file, in memory that is never swapped out and wiped at the end. */
struct secret {
    uint8_t *data;
    size_t len;
};

static void secret_auto(struct secret *secret)
{
    mu_secret_free(secret->data);
}

static void fd_auto(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
    }
}

/* The mode is asked of the open file, so that nobody can swap it in between. */
static bool open_secret(const char *path, int *ret_fd, struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1) {
        enum mutual_code code = errno == ENOENT ? MUTUAL_E_FILE_MISSING : MUTUAL_E_FILE_UNREADABLE;
        return mu_fail_errno(err, code, errno, "could not open private key \"%s\"", path);
    }
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return mu_fail(err, MUTUAL_E_FILE_UNREADABLE, "private key \"%s\" is not a regular file",
                       path);
    }
    if ((about.st_mode & 077) != 0) {
        (void)mu_fail(err, MUTUAL_E_FILE_EXPOSED,
                      "private key \"%s\" has mode %04o: others than its owner may use it", path,
                      (unsigned)(about.st_mode & 07777));
        return mu_error_hint(err, "Run: chmod 600 %s.", path);
    }
    *ret_fd = fd;
    fd = -1;
    return true;
}

static bool read_secret(const char *path, struct secret *ret_secret, struct mutual_error *err)
{
    __attribute__((cleanup(fd_auto))) int fd = -1;
    if (!open_secret(path, &fd, err)) {
        return false;
    }
    __attribute__((cleanup(secret_auto))) struct secret secret = {
        .data = mu_secret_alloc(MU_LIMIT_KEY_BYTES + 1)};
    if (secret.data == NULL) {
        return mu_fail_memory(err);
    }
    for (;;) {
        ssize_t n = read(fd, secret.data + secret.len, MU_LIMIT_KEY_BYTES + 1 - secret.len);
        if (n == -1 && errno != EINTR) {
            return mu_fail_errno(err, MUTUAL_E_FILE_UNREADABLE, errno,
                                 "could not read private key \"%s\"", path);
        }
        if (n == 0) {
            break;
        }
        secret.len += n > 0 ? (size_t)n : 0;
        if (secret.len > MU_LIMIT_KEY_BYTES) {
            return mu_fail(err, MUTUAL_E_FILE_TOO_LARGE,
                           "private key \"%s\" is larger than the limit of %u bytes", path,
                           MU_LIMIT_KEY_BYTES);
        }
    }
    *ret_secret = secret;
    secret.data = NULL;
    return true;
}

bool mutual_identity_load(const char *chain_path, const char *key_path,
                          struct mutual_identity **ret_identity, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf chain = {0};
    __attribute__((cleanup(secret_auto))) struct secret key = {0};
    return mu_file_read(chain_path, MU_LIMIT_PEM_BYTES, &chain, err) &&
           read_secret(key_path, &key, err) &&
           from_pem(mu_buf_slice(&chain), chain_path, mu_slice_of(key.data, key.len), key_path,
                    NULL, ret_identity, err);
}

const struct mutual_name *mutual_identity_names(const struct mutual_identity *identity,
                                                size_t *ret_count)
{
    return mu_names_list(identity->names, ret_count);
}

int64_t mutual_identity_not_after_s(const struct mutual_identity *identity)
{
    return mu_cert_facts(identity->chain.items[0])->not_after_s;
}

struct mu_cert *const *mu_identity_chain(const struct mutual_identity *identity, size_t *ret_count)
{
    *ret_count = identity->chain.count;
    return identity->chain.items;
}

struct mu_key *mu_identity_key(const struct mutual_identity *identity)
{
    return identity->key;
}

bool mu_identity_keep_staple(struct mutual_identity *identity, struct mu_slice response,
                             struct mu_staple_span span, struct mutual_error *err)
{
    mu_buf_done(&identity->staple);
    mu_buf_init(&identity->staple, MU_LIMIT_OCSP_BYTES);
    identity->staple_span = span;
    return mu_buf_append(&identity->staple, response.data, response.len) || mu_fail_memory(err);
}

struct mu_slice mu_identity_stapled(const struct mutual_identity *identity, int64_t now_s)
{
    bool holds = now_s >= identity->staple_span.from_s - MU_OCSP_SKEW_S &&
                 now_s < identity->staple_span.until_s && identity->staple.len > 0;
    return holds ? mu_buf_slice(&identity->staple) : mu_slice_of(NULL, 0);
}
