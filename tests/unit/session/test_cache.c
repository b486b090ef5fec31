/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of sessions: bounded, least recently used out first, a few to one key.
 */
#include "session/session_internal.h"
#include "unit.h"

static struct mu_slice key_of(unsigned number, uint8_t bytes[4])
{
    mu_put_be32(bytes, number);
    return mu_slice_of(bytes, 4);
}

static uint64_t put(struct mutual_cache *cache, unsigned number, bool single)
{
    uint8_t bytes[4];
    SSL_SESSION *ssl = SSL_SESSION_new();
    struct mu_proof proof = {.serial = mu_cache_serial(cache), .trust_generation = 7};
    const struct mu_kept kept = {.ssl = ssl};
    assert_true(mu_cache_put(cache, key_of(number, bytes), &kept, &proof, "svc", single));
    SSL_SESSION_free(ssl);
    return proof.serial;
}

static struct mu_resumable *find(struct mutual_cache *cache, unsigned number)
{
    uint8_t bytes[4];
    return mu_cache_find(cache, key_of(number, bytes));
}

static void what_is_put_is_found(void **state)
{
    (void)state;
    struct mutual_cache *cache = mutual_cache_new(10);
    uint64_t serial = put(cache, 1, true);
    struct mu_resumable *entry = find(cache, 1);
    assert_non_null(entry);
    assert_int_equal(entry->proof.serial, serial);
    assert_int_equal(entry->proof.trust_generation, 7);
    assert_string_equal(entry->service, "svc");
    assert_null(find(cache, 2));
    mu_cache_drop(cache, entry);
    assert_null(find(cache, 1));
    assert_int_equal(mutual_cache_count(cache), 0);
    mutual_cache_unref(cache);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct mutual_cache *cache = mutual_cache_new(3);
    for (unsigned i = 1; i <= 3; i++) {
        (void)put(cache, i, true);
    }
    assert_non_null(find(cache, 1));
    (void)put(cache, 4, true);
    assert_null(find(cache, 2));
    assert_true(find(cache, 1) != NULL && find(cache, 3) != NULL && find(cache, 4) != NULL);
    assert_int_equal(mutual_cache_count(cache), 3);
    mutual_cache_unref(cache);
}

static void a_key_holds_a_few(void **state)
{
    (void)state;
    struct mutual_cache *cache = mutual_cache_new(100);
    uint64_t last = 0;
    for (unsigned i = 0; i < 9; i++) {
        last = put(cache, 1, false);
    }
    assert_int_equal(mutual_cache_count(cache), 4);
    for (unsigned i = 0; i < 4; i++) {
        struct mu_resumable *entry = find(cache, 1);
        assert_int_equal(entry->proof.serial, last - i);
        mu_cache_drop(cache, entry);
    }
    assert_null(find(cache, 1));
    (void)put(cache, 1, true);
    last = put(cache, 1, true);
    assert_int_equal(mutual_cache_count(cache), 1);
    assert_int_equal(find(cache, 1)->proof.serial, last);
    mutual_cache_unref(cache);
}

/* Entries under one key leave from the middle of its list too. */
static void eviction_keeps_the_lists_whole(void **state)
{
    (void)state;
    struct mutual_cache *cache = mutual_cache_new(5);
    for (unsigned i = 0; i < 1000; i++) {
        (void)put(cache, i * 7 % 3, i % 5 == 0);
        if (i % 11 == 0 && find(cache, i % 3) != NULL) {
            mu_cache_drop(cache, find(cache, i % 3));
        }
        assert_true(mutual_cache_count(cache) <= 5);
    }
    mutual_cache_unref(cache);
}

static void what_cannot_be_kept_is_not(void **state)
{
    (void)state;
    struct mutual_cache *cache = mutual_cache_new(5);
    struct mutual_cache *nothing = mutual_cache_new(0);
    SSL_SESSION *ssl = SSL_SESSION_new();
    const struct mu_proof proof = {.serial = 1};
    const struct mu_kept kept = {.ssl = ssl};
    uint8_t key[40] = {0};
    assert_false(mu_cache_put(cache, mu_slice_of(key, 0), &kept, &proof, "svc", true));
    assert_false(mu_cache_put(cache, mu_slice_of(key, 33), &kept, &proof, "svc", true));
    assert_false(mu_cache_put(nothing, mu_slice_of(key, 4), &kept, &proof, "svc", true));
    for (unsigned long n = 1; n <= 2; n++) {
        mu_alloc_fail_after(n);
        assert_false(mu_cache_put(cache, mu_slice_of(key, 4), &kept, &proof, "svc", true));
        mu_alloc_fail_after(0);
    }
    assert_int_equal(mutual_cache_count(cache), 0);
    SSL_SESSION_free(ssl);
    mutual_cache_unref(mutual_cache_ref(cache));
    mutual_cache_unref(cache);
    mutual_cache_unref(nothing);
    mutual_cache_unref(NULL);
}

UNIT_MAIN(UNIT_CASE(what_is_put_is_found), UNIT_CASE(the_least_recently_used_goes_first),
          UNIT_CASE(a_key_holds_a_few), UNIT_CASE(eviction_keeps_the_lists_whole),
          UNIT_CASE(what_cannot_be_kept_is_not))
