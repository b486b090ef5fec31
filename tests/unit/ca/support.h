/* SPDX-License-Identifier: Apache-2.0
 *
 * An authority in a directory of its own, signing in this process, at a time of the test's choice.
 */
#ifndef CA_SUPPORT_H
#define CA_SUPPORT_H

#include "ca/ca_internal.h"

#include "unit.h"

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1800000000) /* 2027-01-15T08:00:00Z */
#define DAY INT64_C(86400)

#define HOME_PASSPHRASE "a passphrase of the tests"

struct home {
    char dir[64];
    bool refuse_signing;
};
static struct home home;

/* ---- a signer with the key in this process --------------------------------------------------- */

static inline bool local_start(struct ca_signer *signer, const struct ca *ca,
                               const struct mu_key **ret_key, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    if (home.refuse_signing) {
        return mu_fail(err, MUTUAL_E_KEY_UNAVAILABLE, "the test refuses to sign");
    }
    if (!mu_file_read(ca_issuer_key_path(ca), MU_LIMIT_KEY_BYTES, &text, err)) {
        return false;
    }
    struct mu_key *key = NULL;
    if (!mu_key_from_pem(mu_buf_slice(&text), "issuer", NULL, &key, err)) {
        return false;
    }
    signer->state = key;
    *ret_key = key;
    return true;
}

static inline void local_stop(struct ca_signer *signer)
{
    mu_key_unref(signer->state);
    signer->state = NULL;
}

static inline struct ca_signer local_signer(void)
{
    return (struct ca_signer){.start = local_start, .stop = local_stop};
}

/* ---- the directory --------------------------------------------------------------------------- */

static inline int remove_entry(const char *path, const struct stat *info, int kind,
                               struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static inline const char *at_home(const char *rest)
{
    static char path[4][512];
    static unsigned turn;
    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", home.dir, rest);
    return path[turn];
}

static inline bool tell_nobody(void *context, const struct ca_init_result *result,
                               struct mutual_error *err)
{
    (void)context;
    (void)result;
    (void)err;
    return true;
}

static inline struct ca_init_options home_options(void)
{
    return (struct ca_init_options){
        .dir = home.dir,
        .name = "example.org",
        .root_key = MU_SPEC_EC_P384,
        .issuer_key = MU_SPEC_EC_P256,
        .root_life_s = 7300 * DAY,
        .issuer_life_s = 1826 * DAY,
        .owner = "tests",
        .place = "here",
        .who = "tester (1000)",
        .now_s = NOW,
    };
}

static inline int home_make(void **state)
{
    (void)state;
    (void)snprintf(home.dir, sizeof home.dir, "/tmp/mutual-ca-XXXXXX");
    return mkdtemp(home.dir) == NULL;
}

static inline int home_remove(void **state)
{
    (void)state;
    remove_tree(home.dir);
    return 0;
}

static inline int home_init(void **state)
{
    struct mutual_error err = {0};
    if (home_make(state) != 0) {
        return 1;
    }
    struct ca_init_options options = home_options();
    options.dns = (const char *const[]){"localhost"};
    options.dns_count = 1;
    options.ip = (const char *const[]){"127.0.0.0/8", "10.1.2.3"};
    options.ip_count = 2;
    options.passphrase = HOME_PASSPHRASE;
    struct ca_init_result result = {0};
    bool good = ca_init(&options, tell_nobody, NULL, &result, &err);
    if (!good) {
        (void)fprintf(stderr, "init: %s\n", err.reason);
    }
    ca_init_result_done(&result);
    return good ? 0 : 1;
}

static inline struct ca *home_open(enum ca_access access)
{
    struct mutual_error err = {0};
    struct ca *ca = NULL;
    assert_ok(ca_open(home.dir, access, "tester (1000)", NOW, NULL, &ca, &err), &err);
    return ca;
}

static inline struct ca_request home_request(const char *profile, const char *name)
{
    struct mutual_error err = {0};
    struct ca_request request = {
        .name = name, .owner = "web team", .place = "rack 4", .now_s = NOW};
    assert_ok(ca_profile_find(profile, &request.profile, &err), &err);
    return request;
}

/* A request made elsewhere. */
static inline struct mu_csr *home_csr(enum mu_key_spec spec, const struct mu_gname *names,
                                      size_t count)
{
    struct mutual_error err = {0};
    MU_AUTO(key) struct mu_key *key = NULL;
    MU_AUTO(buf) struct mu_buf der;
    mu_buf_init(&der, 1u << 16);
    const struct mu_rdn subject = {MU_ATTR_CN, "whoever"};
    struct mu_csr *csr = NULL;
    assert_ok(mu_key_generate(spec, &key, &err), &err);
    assert_ok(mu_csr_build(key, &subject, 1, names, count, &der, &err), &err);
    assert_ok(mu_csr_from_der(mu_buf_slice(&der), &csr, &err), &err);
    return csr;
}

#define CA_UNIT_MAIN(setup_, ...)                                  \
    int main(void)                                                 \
    {                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};           \
        return cmocka_run_group_tests(tests, setup_, home_remove); \
    }

#endif
