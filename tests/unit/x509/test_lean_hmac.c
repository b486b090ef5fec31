/* SPDX-License-Identifier: Apache-2.0
 *
 * HMAC over the default provider's own functions: the library's answer for every key and text that
 * fits, in any thread, and nothing for what does not fit.
 */
#include "lean.h"
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "x509/lean_internal.h"

static uint8_t bytes[MU_LEAN_HMAC_TEXT + 1];

static void assert_same(const char *name, size_t key_len, size_t text_len, size_t split)
{
    const struct mu_lean_hash *hash = mu_lean_hash_find(name);
    assert_non_null(hash);
    size_t size = mu_lean_hash_size(hash);
    uint8_t ours[MU_LEAN_HASH_MAX];
    uint8_t theirs[MU_LEAN_HASH_MAX];
    size_t len = 0;
    const struct mu_slice parts[] = {mu_slice_of(bytes, split), mu_slice_of(NULL, 0),
                                     mu_slice_of(bytes + split, text_len - split)};
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, name, NULL, bytes + 100, key_len, bytes, text_len,
                              theirs, sizeof theirs, &len));
    assert_int_equal(len, size);
    assert_true(
        mu_lean_hmac(hash, mu_slice_of(bytes + 100, key_len), parts, MU_COUNT(parts), ours));
    assert_memory_equal(ours, theirs, size);
}

static void every_answer_is_the_librarys(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t block;
    } hashes[] = {{"SHA256", 64}, {"SHA2-384", 128}};
    assert_int_equal(RAND_bytes(bytes, sizeof bytes), 1);
    for (size_t i = 0; i < MU_COUNT(hashes); i++) {
        for (size_t key_len = 0; key_len <= hashes[i].block; key_len++) {
            assert_same(hashes[i].name, key_len, 13 * key_len % 300, key_len % 5);
        }
        for (size_t text_len = 0; text_len <= MU_LEAN_HMAC_TEXT; text_len++) {
            assert_same(hashes[i].name, 32, text_len, text_len / 3);
        }
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    const struct mu_lean_hash *hash = mu_lean_hash_find("SHA2-256");
    uint8_t out[MU_LEAN_HASH_MAX];
    const struct mu_slice long_text[] = {mu_slice_of(bytes, MU_LEAN_HMAC_TEXT),
                                         mu_slice_of(bytes, 1)};
    assert_false(mu_lean_hmac(hash, mu_slice_of(bytes, 65), long_text, 1, out));
    assert_false(mu_lean_hmac(hash, mu_slice_of(bytes, 32), long_text, 2, out));
    assert_true(mu_lean_hmac(hash, mu_slice_of(bytes, 32), long_text, 1, out));
    assert_null(mu_lean_hash_find("SHA1"));
    assert_null(mu_lean_hash_find(""));
}

static void nothing_hashes_to_what_is_published(void **state)
{
    (void)state;
    uint8_t right[MU_LEAN_HASH_MAX];
    static const char *const names[] = {"SHA256", "SHA384"};
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        size_t len = 0;
        assert_int_equal(EVP_Q_digest(NULL, names[i], NULL, "", 0, right, &len), 1);
        assert_true(mu_slice_equal(mu_lean_hash_nothing(mu_lean_hash_find(names[i])),
                                   mu_slice_of(right, len)));
    }
}

static void *elsewhere(void *nothing)
{
    for (size_t i = 0; i < 200; i++) {
        assert_same(i % 2 == 0 ? "SHA256" : "SHA384", i % 64, i, 0);
    }
    return nothing;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < MU_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, elsewhere, NULL), 0);
    }
    for (size_t i = 0; i < MU_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* A thread's first answer needs some. */
static void *without_memory(void *nothing)
{
    const struct mu_slice text = MU_SLICE_LIT("text");
    uint8_t out[MU_LEAN_HASH_MAX];
    const struct mu_lean_hash *hash = mu_lean_hash_find("SHA256");
    mu_alloc_fail_after(1);
    assert_false(mu_lean_hmac(hash, MU_SLICE_LIT("key"), &text, 1, out));
    mu_alloc_fail_after(0);
    assert_true(mu_lean_hmac(hash, MU_SLICE_LIT("key"), &text, 1, out));
    return nothing;
}

static void without_memory_there_is_no_answer(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, without_memory, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_the_librarys),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(nothing_hashes_to_what_is_published),
        cmocka_unit_test(threads_do_not_meet),
        cmocka_unit_test(without_memory_there_is_no_answer),
    };
    return cmocka_run_group_tests(tests, lean_begin, lean_end);
}
