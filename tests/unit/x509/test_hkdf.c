/* SPDX-License-Identifier: Apache-2.0
 *
 * The key schedule of TLS 1.3: the published values, the same answers as the library's own
 * TLS13-KDF for anything that may be asked, and secrets told to nobody but who listens.
 */
#include "lean.h"
#include "unit.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "x509/x509.h"

struct question {
    const char *digest;
    int mode;
    struct mu_slice key, salt, prefix, label, data;
    bool keyed, salted;
};

static size_t put_octets(OSSL_PARAM *at, const char *name, struct mu_slice bytes)
{
    union {
        const uint8_t *in;
        void *out;
    } data = {.in = bytes.data}; /* the parameter takes no const */
    *at = OSSL_PARAM_construct_octet_string(name, data.out, bytes.len);
    return 1;
}

/* What a context's TLS13-KDF answers. */
static bool ask(OSSL_LIB_CTX *context, const struct question *q, uint8_t *out, size_t len)
{
    OSSL_PARAM params[8];
    char digest[16];
    int mode = q->mode;
    size_t n = 0;
    (void)snprintf(digest, sizeof digest, "%s", q->digest);
    params[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    n += q->keyed ? put_octets(params + n, OSSL_KDF_PARAM_KEY, q->key) : 0;
    n += q->salted ? put_octets(params + n, OSSL_KDF_PARAM_SALT, q->salt) : 0;
    n += put_octets(params + n, OSSL_KDF_PARAM_PREFIX, q->prefix);
    n += put_octets(params + n, OSSL_KDF_PARAM_LABEL, q->label);
    n += q->data.data != NULL ? put_octets(params + n, OSSL_KDF_PARAM_DATA, q->data) : 0;
    params[n] = OSSL_PARAM_construct_end();
    EVP_KDF *kdf = EVP_KDF_fetch(context, "TLS13-KDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    assert_non_null(ctx);
    bool done = EVP_KDF_derive(ctx, out, len, params) == 1;
    /* the same when it was set before, by a context that has served already */
    uint8_t again[600];
    assert_true(len <= sizeof again);
    EVP_KDF_CTX_reset(ctx);
    bool set = EVP_KDF_CTX_set_params(ctx, params) == 1;
    mu_wipe(params, sizeof params);
    assert_int_equal(set && EVP_KDF_derive(ctx, again, len, NULL) == 1, done);
    if (done) {
        assert_memory_equal(out, again, len);
    }
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    mu_ossl_clear();
    return done;
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 256);
    (void)mu_hex(&text, mu_slice_of(bytes, len));
    assert_string_equal(mu_buf_str(&text), hex);
}

/* RFC 8448 section 3: the early secret, and what is derived from it for the handshake's. */
static void the_published_values_come_out(void **state)
{
    (void)state;
    uint8_t early[32];
    uint8_t derived[32];
    uint8_t empty[32];
    struct mutual_error err = {0};
    assert_ok(mu_sha256(MU_SLICE_LIT(""), empty, &err), &err);
    struct question q = {.digest = "SHA256",
                         .mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                         .prefix = MU_SLICE_LIT("tls13 "),
                         .label = MU_SLICE_LIT("derived")};
    assert_true(ask(lean, &q, early, sizeof early));
    assert_hex(early, sizeof early,
               "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
    q.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    q.keyed = true;
    q.key = mu_slice_of(early, sizeof early);
    q.data = mu_slice_of(empty, sizeof empty);
    assert_true(ask(lean, &q, derived, sizeof derived));
    assert_hex(derived, sizeof derived,
               "6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba");
}

static void every_answer_is_the_librarys(void **state)
{
    (void)state;
    static const size_t key_lengths[] = {0, 1, 32, 48, 56, 64};
    static const size_t data_lengths[] = {0, 1, 32, 48, 255};
    static const size_t label_lengths[] = {1, 7, 12, 249};
    static const size_t lengths[] = {1, 12, 16, 32, 48, 49, 64, 97, 300};
    uint8_t random[600];
    unsigned compared = 0;
    assert_int_equal(RAND_bytes(random, sizeof random), 1);
    for (unsigned i = 0; i < 2u * 6 * 5 * 4 * 9; i++) {
        struct question q = {.digest = i % 2 == 0 ? "SHA2-256" : "SHA384",
                             .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
                             .keyed = true,
                             .prefix = MU_SLICE_LIT("tls13 ")};
        q.key = mu_slice_of(random, key_lengths[i / 2 % 6]);
        q.data = mu_slice_of(random + 64, data_lengths[i / 12 % 5]);
        q.label = mu_slice_of(random + 320, label_lengths[i / 60 % 4]);
        size_t len = lengths[i / 240 % 9];
        uint8_t ours[300];
        uint8_t theirs[300];
        bool possible = ask(NULL, &q, theirs, len);
        assert_int_equal(ask(lean, &q, ours, len), possible);
        compared += possible;
        assert_true(!possible || memcmp(ours, theirs, len) == 0);
    }
    assert_true(compared > 500);
}

static void secrets_are_extracted_as_the_library_does(void **state)
{
    (void)state;
    static const size_t key_lengths[] = {16, 32, 48, 66, 97, 200, 256};
    uint8_t random[600];
    assert_int_equal(RAND_bytes(random, sizeof random), 1);
    for (unsigned i = 0; i < 2 * 2 * 2 * 7; i++) {
        size_t size = i % 2 == 0 ? 32 : 48;
        struct question q = {.digest = size == 32 ? "SHA256" : "SHA2-384",
                             .mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                             .keyed = i / 2 % 2 == 0,
                             .salted = i / 4 % 2 == 0,
                             .key = mu_slice_of(random, key_lengths[i / 8]),
                             .salt = mu_slice_of(random + 300, size),
                             .prefix = MU_SLICE_LIT("tls13 "),
                             .label = MU_SLICE_LIT("derived")};
        uint8_t ours[48];
        uint8_t theirs[48];
        assert_true(ask(NULL, &q, theirs, size));
        assert_true(ask(lean, &q, ours, size));
        assert_memory_equal(ours, theirs, size);
        q.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
        assert_false(ask(lean, &q, ours, size - 1));
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[300] = {0};
    uint8_t out[64];
    struct question good = {.digest = "SHA256",
                            .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
                            .keyed = true,
                            .key = mu_slice_of(bytes, 32),
                            .prefix = MU_SLICE_LIT("tls13 "),
                            .label = MU_SLICE_LIT("key")};
    assert_true(ask(lean, &good, out, 32));
    struct question q = good;
    q.label = mu_slice_of(bytes, 250); /* 256 with the prefix */
    assert_false(ask(lean, &q, out, 32));
    q = good;
    q.data = mu_slice_of(bytes, 256);
    assert_false(ask(lean, &q, out, 32));
    q = good;
    q.key = mu_slice_of(bytes, 257);
    assert_false(ask(lean, &q, out, 32));
    q = good;
    q.key = mu_slice_of(bytes, 65); /* no secret is longer than a block */
    assert_false(ask(lean, &q, out, 32));
    q = good;
    q.digest = "SHA1";
    assert_false(ask(lean, &q, out, 20));
    q = good;
    q.keyed = false;
    assert_false(ask(lean, &q, out, 32));
    q = good;
    q.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
    assert_false(ask(lean, &q, out, 32));
}

/* ---- who listens ----------------------------------------------------------------------------- */

struct heard {
    unsigned count;
    char label[16];
    uint8_t from[32];
    uint8_t secret[48];
};

static void hear(void *owner, const struct mu_hkdf_heard *said)
{
    struct heard *heard = owner;
    heard->count++;
    (void)snprintf(heard->label, sizeof heard->label, "%.*s", (int)said->label.len,
                   (const char *)said->label.data);
    assert_int_equal(said->from.len, sizeof heard->from);
    memcpy(heard->from, said->from.data, said->from.len);
    memcpy(heard->secret, said->out.data, said->out.len);
}

static const uint8_t traffic_key[32] = {1, 2, 3};

static void derive_traffic(const char *label, uint8_t out[32])
{
    const struct question q = {.digest = "SHA256",
                               .mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
                               .keyed = true,
                               .key = mu_slice_of(traffic_key, sizeof traffic_key),
                               .prefix = MU_SLICE_LIT("tls13 "),
                               .label = mu_slice_text(label)};
    assert_true(ask(lean, &q, out, 32));
}

static void *derive_elsewhere(void *nothing)
{
    uint8_t out[32];
    derive_traffic("c ap traffic", out);
    return nothing;
}

static void what_traffic_needs_is_told_to_who_listens(void **state)
{
    (void)state;
    static const char *const silent[] = {"c hs traffic", "s hs traffic", "exp master",
                                         "res master",   "traffic upd",  "finished",
                                         "c ap traffi",  "c ap traffic1"};
    static const char *const told[] = {"c ap traffic", "s ap traffic", "key", "iv"};
    struct heard heard = {0};
    uint8_t out[32];
    pthread_t thread;
    mu_hkdf_listen(hear, &heard);
    for (size_t i = 0; i < MU_COUNT(silent); i++) {
        derive_traffic(silent[i], out);
    }
    assert_int_equal(heard.count, 0);
    for (size_t i = 0; i < MU_COUNT(told); i++) {
        derive_traffic(told[i], out);
        assert_string_equal(heard.label, told[i]);
        assert_memory_equal(heard.from, traffic_key, sizeof traffic_key);
        assert_memory_equal(heard.secret, out, 32);
    }
    assert_int_equal(pthread_create(&thread, NULL, derive_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(heard.count, 2 * MU_COUNT(told)); /* everything is asked twice */
    mu_hkdf_listen(NULL, NULL);
    derive_traffic("c ap traffic", out);
    assert_int_equal(heard.count, 2 * MU_COUNT(told));
}

/* What was to be kept and could not be is not derived from. */
static void without_memory_nothing_is_kept(void **state)
{
    (void)state;
    static const uint8_t key[32] = {1, 2, 3};
    char digest[] = "SHA256";
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    uint8_t out[32];
    OSSL_PARAM params[6] = {OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0)};
    (void)put_octets(params + 2, OSSL_KDF_PARAM_KEY, mu_slice_of(key, sizeof key));
    (void)put_octets(params + 3, OSSL_KDF_PARAM_PREFIX, MU_SLICE_LIT("tls13 "));
    (void)put_octets(params + 4, OSSL_KDF_PARAM_LABEL, MU_SLICE_LIT("key"));
    params[5] = OSSL_PARAM_construct_end();
    EVP_KDF *kdf = EVP_KDF_fetch(lean, "TLS13-KDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    mu_alloc_fail_after(1);
    assert_int_not_equal(EVP_KDF_CTX_set_params(ctx, params), 1);
    mu_alloc_fail_after(0);
    assert_int_not_equal(EVP_KDF_derive(ctx, out, sizeof out, NULL), 1);
    assert_int_equal(EVP_KDF_CTX_set_params(ctx, params), 1);
    assert_int_equal(EVP_KDF_derive(ctx, out, sizeof out, NULL), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    mu_ossl_clear();
}

static void only_a_lean_context_is_heard(void **state)
{
    (void)state;
    assert_true(mu_hkdf_is_heard(lean));
    assert_false(mu_hkdf_is_heard(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_values_come_out),
        cmocka_unit_test(every_answer_is_the_librarys),
        cmocka_unit_test(secrets_are_extracted_as_the_library_does),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(what_traffic_needs_is_told_to_who_listens),
        cmocka_unit_test(without_memory_nothing_is_kept),
        cmocka_unit_test(only_a_lean_context_is_heard),
    };
    return cmocka_run_group_tests(tests, lean_begin, lean_end);
}
