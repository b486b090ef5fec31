/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-GCM by libipsec-mb: the bytes are those of OpenSSL, and what was altered does not open.
 */
#include "session/aead_internal.h"

#include <string.h>

#include "unit.h"

enum { MOST = MU_RECORD_PLAIN };

static const struct size {
    size_t key_len;
    const char *cipher;
} sizes[] = {{16, "AES-128-GCM"}, {32, "AES-256-GCM"}};

static struct mu_aead *library[2], *vector[2];
static uint8_t plain[MOST], one[MOST + 1 + MU_RECORD_TAG], other[MOST + 1 + MU_RECORD_TAG];
static uint8_t opened[MOST + 1];

static int begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        library[i] = mu_aead_library(NULL, sizes[i].cipher);
        vector[i] = mu_aead_vector(sizes[i].key_len);
        assert_non_null(library[i]);
    }
    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (uint8_t)(i * 131 + (i >> 8));
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        library[i]->free(library[i]);
        if (vector[i] != NULL) {
            vector[i]->free(vector[i]);
        }
    }
    return 0;
}

static void need_vector(void)
{
    if (vector[0] == NULL || vector[1] == NULL) {
        print_message("# without libipsec-mb, or without VAES and AVX-512: nothing to compare\n");
        skip();
    }
}

struct case_ {
    uint8_t key[32], head[MU_RECORD_HEAD];
    struct mu_aead_use use;
};

static void make_case(struct case_ *c, uint32_t seed, size_t len)
{
    for (size_t i = 0; i < sizeof c->key; i++) {
        c->key[i] = (uint8_t)(seed * 2654435761u >> (i % 24));
    }
    for (size_t i = 0; i < MU_AEAD_NONCE; i++) {
        c->use.nonce[i] = (uint8_t)((seed + 7) * 40503u >> (i % 12));
    }
    c->head[0] = 23;
    c->head[1] = c->head[2] = 3;
    mu_put_be16(c->head + 3, (uint16_t)(len + 17));
    c->use.key = c->key;
    c->use.head = c->head;
}

static void compare(size_t size, uint32_t seed, size_t len)
{
    struct case_ c;
    size_t sealed = len + 1 + MU_RECORD_TAG;
    make_case(&c, seed, len);
    assert_true(library[size]->seal(library[size], &c.use, plain, len, 23, one));
    memset(other, 0xaa, sealed);
    assert_true(vector[size]->seal(vector[size], &c.use, plain, len, 23, other));
    assert_memory_equal(one, other, sealed);
    assert_true(vector[size]->open(vector[size], &c.use, one, len + 1, opened));
    assert_memory_equal(opened, plain, len);
    assert_int_equal(opened[len], 23);
    memset(opened, 0, len + 1);
    assert_true(library[size]->open(library[size], &c.use, other, len + 1, opened));
    assert_memory_equal(opened, plain, len);
}

static void both_give_the_same_bytes(void **state)
{
    (void)state;
    need_vector();
    for (size_t size = 0; size < 2; size++) {
        for (size_t len = 0; len < 1100; len++) {
            compare(size, (uint32_t)len, len);
        }
        for (size_t len = 1100; len <= MOST; len += 97) {
            compare(size, (uint32_t)len, len);
        }
        compare(size, 1, MOST);
    }
}

/* Tables of a key are kept for the next record: another key's must never be used. */
static void keys_in_turn_are_not_confused(void **state)
{
    (void)state;
    need_vector();
    for (uint32_t i = 0; i < 300; i++) {
        compare(i % 2, i % 5, 100 + i);
        compare(i % 2, i % 5, 100 + i);
        if (i % 7 == 0) {
            vector[i % 2]->forget(vector[i % 2]);
        }
    }
}

/* A key that differs in its last bit only. */
static void keys_alike_are_not_confused(void **state)
{
    (void)state;
    need_vector();
    for (size_t size = 0; size < 2; size++) {
        struct case_ c;
        make_case(&c, 3, 64);
        assert_true(vector[size]->seal(vector[size], &c.use, plain, 64, 23, one));
        c.key[sizes[size].key_len - 1] ^= 1;
        assert_false(vector[size]->open(vector[size], &c.use, one, 65, opened));
        assert_true(vector[size]->seal(vector[size], &c.use, plain, 64, 23, other));
        assert_memory_not_equal(one, other, 65);
        assert_true(library[size]->open(library[size], &c.use, other, 65, opened));
    }
}

static void refuse_altered(struct mu_aead *aead)
{
    struct case_ c;
    enum { LEN = 200 };
    make_case(&c, 9, LEN);
    assert_true(aead->seal(aead, &c.use, plain, LEN, 23, one));
    for (size_t bit = 0; bit < 8 * (size_t)(LEN + 1 + MU_RECORD_TAG); bit++) {
        one[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(aead->open(aead, &c.use, one, LEN + 1, opened));
        one[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * (size_t)MU_RECORD_HEAD; bit++) {
        c.head[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(aead->open(aead, &c.use, one, LEN + 1, opened));
        c.head[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    c.use.nonce[11] ^= 1;
    assert_false(aead->open(aead, &c.use, one, LEN + 1, opened));
    c.use.nonce[11] ^= 1;
    assert_true(aead->open(aead, &c.use, one, LEN + 1, opened));
}

static void what_was_altered_does_not_open(void **state)
{
    (void)state;
    for (size_t size = 0; size < 2; size++) {
        refuse_altered(library[size]);
        if (vector[size] != NULL) {
            refuse_altered(vector[size]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT_CASE(both_give_the_same_bytes),
        UNIT_CASE(keys_in_turn_are_not_confused),
        UNIT_CASE(keys_alike_are_not_confused),
        UNIT_CASE(what_was_altered_does_not_open),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
