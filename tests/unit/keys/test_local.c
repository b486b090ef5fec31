/* SPDX-License-Identifier: Apache-2.0
 *
 * A command's own key process: it issues within its rules, refuses beyond them, tells what it does,
 * and the command's memory never holds the private key.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "fixture.h"

static struct mutual_error err;
static struct mu_key *issuer_key, *leaf_key;
static struct mu_cert *issuer;
static unsigned journalled;
static struct keys_journal last_entry;
static bool consent = true;

static int setup(void **state)
{
    (void)state;
    issuer_key = new_key(MU_SPEC_EC_P256);
    leaf_key = new_key(MU_SPEC_ED25519);
    issuer = self_signed(issuer_key, true);
    journalled = 0;
    consent = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mu_key_unref(issuer_key);
    mu_key_unref(leaf_key);
    mu_cert_unref(issuer);
    return 0;
}

static bool on_journal(void *owner, const struct keys_journal *entry)
{
    (void)owner;
    last_entry = *entry;
    journalled++;
    return consent;
}

static struct keys_local_options options_for(int fd)
{
    return (struct keys_local_options){.name = "issuer.key",
                                       .key_fd = fd,
                                       .passphrase_fd = -1,
                                       .spki = mu_cert_facts(issuer)->spki,
                                       .rules = ca_rules(issuer),
                                       .journal = on_journal};
}

static void it_issues_within_its_rules(void **state)
{
    (void)state;
    int secret[2];
    assert_int_equal(pipe(secret), 0);
    assert_int_equal(write(secret[1], "open sesame\n", 12), 12);
    (void)close(secret[1]);
    int fd = key_fd(issuer_key, "open sesame");
    struct keys_local_options options = options_for(fd);
    options.passphrase_fd = secret[0];
    MU_AUTO(keys_local) struct keys_local *local = NULL;
    assert_ok(keys_local_new(&options, &local, &err), &err);
    (void)close(fd);
    (void)close(secret[0]);
    assert_true(mu_slice_equal(keys_local_get_spki(local), mu_cert_facts(issuer)->spki));

    struct mu_cert_template template = leaf(issuer, leaf_key);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    assert_ok(mu_cert_sign(&template, keys_local_get_key(local), &cert, &err), &err);
    assert_ok(mu_cert_signed_by(cert, issuer, &err), &err);
    assert_int_equal(journalled, 1);
    assert_false(last_entry.refused);
    assert_non_null(strstr(last_entry.text, "subject client"));

    const struct mu_crl_template list = {
        .issuer = issuer, .this_update_s = NOW_S, .next_update_s = NOW_S + DAY_S, .number = 1};
    MU_AUTO(buf) struct mu_buf crl;
    mu_buf_init(&crl, 100000);
    assert_ok(mu_crl_sign(&list, keys_local_get_key(local), &crl, &err), &err);
    assert_int_equal(journalled, 2);
}

static void beyond_its_rules_it_refuses(void **state)
{
    (void)state;
    int fd = key_fd(issuer_key, NULL);
    struct keys_local_options options = options_for(fd);
    MU_AUTO(keys_local) struct keys_local *local = NULL;
    assert_ok(keys_local_new(&options, &local, &err), &err);
    (void)close(fd);
    struct mu_cert_template template = leaf(issuer, leaf_key);
    template.not_after_s = NOW_S + 91 * DAY_S;
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    assert_fails(mu_cert_sign(&template, keys_local_get_key(local), &cert, &err), &err,
                 MUTUAL_E_KEY_REFUSED);
    assert_int_equal(journalled, 1);
    assert_true(last_entry.refused);
    assert_int_equal(last_entry.code, MUTUAL_E_KEY_REFUSED);
    assert_non_null(strstr(last_entry.text, "lives longer"));
    template.not_after_s = NOW_S + 90 * DAY_S;
    assert_ok(mu_cert_sign(&template, keys_local_get_key(local), &cert, &err), &err);
}

static void a_large_list_is_signed_too(void **state)
{
    (void)state;
    enum { ENTRIES = 20000 };
    struct mu_revoked *entries = mu_alloc(ENTRIES, sizeof *entries);
    static uint8_t serials[ENTRIES][20];
    for (uint32_t i = 0; i < ENTRIES; i++) {
        serials[i][0] = 1;
        mu_put_be32(serials[i] + 16, i);
        entries[i] = (struct mu_revoked){.serial = mu_slice_of(serials[i], 20), .time_s = NOW_S};
    }
    int fd = key_fd(issuer_key, NULL);
    struct keys_local_options options = options_for(fd);
    MU_AUTO(keys_local) struct keys_local *local = NULL;
    assert_ok(keys_local_new(&options, &local, &err), &err);
    (void)close(fd);
    const struct mu_crl_template list = {.issuer = issuer,
                                         .this_update_s = NOW_S,
                                         .next_update_s = NOW_S + DAY_S,
                                         .number = 1,
                                         .entries = entries,
                                         .count = ENTRIES};
    MU_AUTO(buf) struct mu_buf crl;
    mu_buf_init(&crl, 16u << 20);
    assert_ok(mu_crl_sign(&list, keys_local_get_key(local), &crl, &err), &err);
    assert_true(crl.len > MU_LIMIT_MESSAGE_BYTES);
    mu_free(entries);
}

static void what_is_not_consented_to_is_not_handed_out(void **state)
{
    (void)state;
    int fd = key_fd(issuer_key, NULL);
    struct keys_local_options options = options_for(fd);
    MU_AUTO(keys_local) struct keys_local *local = NULL;
    assert_ok(keys_local_new(&options, &local, &err), &err);
    (void)close(fd);
    consent = false;
    struct mu_cert_template template = leaf(issuer, leaf_key);
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    assert_fails(mu_cert_sign(&template, keys_local_get_key(local), &cert, &err), &err,
                 MUTUAL_E_KEY_UNAVAILABLE);
    assert_null(cert);
}

static void bad_keys_are_told_apart(void **state)
{
    (void)state;
    MU_AUTO(keys_local) struct keys_local *local = NULL;
    MU_AUTO(key) struct mu_key *other = new_key(MU_SPEC_EC_P256);
    int other_fd = key_fd(other, NULL);
    struct keys_local_options options = options_for(other_fd);
    assert_fails(keys_local_new(&options, &local, &err), &err, MUTUAL_E_KEY_MISMATCH);

    options.key_fd = text_fd("no key", 6);
    assert_false(keys_local_new(&options, &local, &err));
    (void)close(options.key_fd);

    int locked = key_fd(issuer_key, "right");
    options.key_fd = locked;
    options.passphrase_fd = text_fd("wrong", 5);
    assert_int_equal(lseek(options.passphrase_fd, 0, SEEK_SET), 0);
    assert_fails(keys_local_new(&options, &local, &err), &err, MUTUAL_E_KEY_PASSPHRASE);
    (void)close(options.passphrase_fd);
    (void)close(locked);
    (void)close(other_fd);

    int ends[2]; /* a pipe is no key file: it could not be read again */
    assert_int_equal(pipe(ends), 0);
    options.key_fd = ends[0];
    options.passphrase_fd = -1;
    assert_fails(keys_local_new(&options, &local, &err), &err, MUTUAL_E_FILE_UNREADABLE);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_null(local);
}

/* Searches every readable page of this process for the needle, which itself is kept with each byte
 * turned over. Passes over mappings of terabytes, which a sanitizer has as shadow. */
static bool memory_holds(const uint8_t *turned, size_t len)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_non_null(maps);
    assert_int_not_equal(mem, -1);
    char line[512];
    bool found = false;
    uint8_t *page =
        mmap(NULL, 65536 + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from = 0;
        unsigned long to = 0;
        char mode = 0;
        if (sscanf(line, "%lx-%lx %c", &from, &to, &mode) != 3 || mode != 'r' ||
            (from <= (uintptr_t)page && (uintptr_t)page < to) || to - from > 1ul << 30) {
            continue;
        }
        for (unsigned long at = from; !found && at < to; at += 65536) {
            ssize_t got = pread(mem, page, 65536 + len - 1, (off_t)at);
            for (ssize_t i = 0; !found && i + (ssize_t)len <= got; i++) {
                size_t same = 0;
                while (same < len && (page[(size_t)i + same] ^ turned[same]) == 0xff) {
                    same++;
                }
                found = same == len;
            }
        }
    }
    (void)munmap(page, 65536 + 64);
    (void)close(mem);
    (void)fclose(maps);
    return found;
}

/* In a process that has made the key: the file and the turned scalar go out, and it ends. */
static void make_key_elsewhere(int out, int pem_fd)
{
    struct mutual_error why = {0};
    struct mu_key *key = NULL;
    BIGNUM *scalar = NULL;
    uint8_t bytes[32];
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, 65536);
    bool good = mu_key_generate(MU_SPEC_EC_P256, &key, &why) &&
                EVP_PKEY_get_bn_param(mu_key_evp(key), OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
                BN_bn2binpad(scalar, bytes, sizeof bytes) == 32 &&
                mu_key_to_pem(key, NULL, &pem, &why) && mu_fd_write(pem_fd, pem.data, pem.len);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)~bytes[i];
    }
    _exit(good && write(out, bytes, sizeof bytes) == 32 ? 0 : 1);
}

static void its_secret_is_not_in_our_memory(void **state)
{
    (void)state;
    int ends[2];
    uint8_t turned[32];
    assert_int_equal(pipe(ends), 0);
    int fd = memfd_create("key", MFD_CLOEXEC);
    pid_t maker = fork();
    if (maker == 0) {
        make_key_elsewhere(ends[1], fd);
    }
    int status = -1;
    assert_int_equal(waitpid(maker, &status, 0), maker);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], turned, sizeof turned), 32);
    (void)close(ends[0]);
    (void)close(ends[1]);

    struct keys_local_options options = options_for(fd);
    options.spki = mu_slice_of(NULL, 0);
    MU_AUTO(keys_local) struct keys_local *local = NULL;
    assert_ok(keys_local_new(&options, &local, &err), &err);
    struct mu_cert_template template = leaf(issuer, leaf_key);
    MU_AUTO(buf) struct mu_buf tbs;
    MU_AUTO(buf) struct mu_buf signature;
    mu_buf_init(&tbs, 10000);
    mu_buf_init(&signature, 10000);
    assert_ok(mu_cert_build_tbs(&template, MU_SCHEME_ECDSA_P256_SHA256, &tbs, &err), &err);
    assert_ok(mu_key_sign(keys_local_get_key(local), MU_SCHEME_ECDSA_P256_SHA256,
                          mu_buf_slice(&tbs), &signature, &err),
              &err);
    assert_false(memory_holds(turned, sizeof turned));
    /* That the search finds what is there: the same bytes, turned right, on our own heap. */
    uint8_t *planted = mu_alloc(1, 32);
    for (size_t i = 0; i < 32; i++) {
        planted[i] = (uint8_t)~turned[i];
    }
    assert_true(memory_holds(turned, sizeof turned));
    mu_free(planted);
    (void)close(fd);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
KEYS_MAIN(CASE(it_issues_within_its_rules), CASE(beyond_its_rules_it_refuses),
          CASE(a_large_list_is_signed_too), CASE(what_is_not_consented_to_is_not_handed_out),
          CASE(bad_keys_are_told_apart), CASE(its_secret_is_not_in_our_memory))
