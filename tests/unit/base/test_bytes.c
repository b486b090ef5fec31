/* SPDX-License-Identifier: Apache-2.0
 *
 * Slices, bounded buffers, the arena.
 */
#include "base/base.h"
#include "unit.h"

static void slices_compare_by_bytes_then_length(void **state)
{
    (void)state;
    assert_true(mu_slice_equal(MU_SLICE_LIT("ab"), MU_SLICE_LIT("ab")));
    assert_false(mu_slice_equal(MU_SLICE_LIT("ab"), MU_SLICE_LIT("ab\0")));
    assert_true(mu_slice_compare(MU_SLICE_LIT("ab"), MU_SLICE_LIT("abc")) < 0);
    assert_true(mu_slice_compare(MU_SLICE_LIT("b"), MU_SLICE_LIT("abc")) > 0);
    assert_int_equal(mu_slice_compare((struct mu_slice){0}, (struct mu_slice){0}), 0);
}

static void a_secret_buffer_keeps_nothing_that_it_let_go(void **state)
{
    (void)state;
    static const uint8_t none[8] = {0};
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init_secret(&buf, 4096);
    assert_true(mu_buf_text(&buf, "token-12"));
    for (size_t i = 0; i < 200; i++) { /* it grows, and moves */
        assert_true(mu_buf_text(&buf, "padding!"));
    }
    assert_memory_equal(buf.data, "token-12", 8);
    mu_buf_consume(&buf, buf.len - 8);
    assert_string_equal(mu_buf_str(&buf), "padding!");
    assert_memory_equal(buf.data + 8, none, 8);
    mu_buf_clear(&buf);
    assert_memory_equal(buf.data, none, 8);
}

static void a_buffer_stops_at_its_limit_and_says_so(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 4);
    assert_true(mu_buf_append(&buf, "abc", 3));
    assert_false(mu_buf_append(&buf, "de", 2));
    assert_true(buf.failed);
    assert_string_equal(mu_buf_str(&buf), "abc");
    assert_false(mu_buf_append(&buf, "x", SIZE_MAX));
    mu_buf_clear(&buf);
    assert_true(mu_buf_printf(&buf, "%d", 1234));
    assert_false(mu_buf_printf(&buf, "5"));
    assert_string_equal(mu_buf_str(&buf), "1234");
}

/* Around what is allocated, and around the limit. */
static void every_length_is_printed_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char digits[] = "0123456789";
    for (size_t max = 0; max < 140; max += 7) {
        for (int len = 0; len < 140; len++) {
            MU_AUTO(buf) struct mu_buf text;
            mu_buf_init(&text, max);
            bool whole = mu_buf_byte(&text, 'x') && mu_buf_printf(&text, "%0*d", len, 7);
            size_t wanted = 1 + (size_t)(len == 0 ? 1 : len);
            assert_int_equal(whole, wanted <= max);
            assert_int_equal(text.failed, !whole);
            assert_int_equal(text.len, whole ? wanted : max > 0);
            for (size_t i = 0; mu_buf_byte(&text, (uint8_t)digits[i % 10]); i++) {
                assert_true(text.len <= max);
            }
            assert_int_equal(text.len, max);
            assert_int_equal(strlen(mu_buf_str(&text)), max);
            assert_true(!whole || text.data[wanted - 1] == '7');
        }
    }
}

static void consuming_keeps_the_rest(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 100);
    assert_true(mu_buf_text(&buf, "hello world"));
    mu_buf_consume(&buf, 6);
    assert_true(mu_slice_equal_text(mu_buf_slice(&buf), "world"));
    mu_buf_consume(&buf, 5);
    assert_int_equal(buf.len, 0);
}

static void a_buffer_survives_a_failed_allocation(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf buf;
    mu_buf_init(&buf, 1 << 20);
    assert_true(mu_buf_text(&buf, "kept"));
    char big[2048] = {0};
    mu_alloc_fail_after(1);
    assert_false(mu_buf_append(&buf, big, sizeof big));
    assert_true(mu_slice_equal_text(mu_buf_slice(&buf), "kept"));
}

static void integers_are_big_endian(void **state)
{
    (void)state;
    uint8_t bytes[8];
    mu_put_be64(bytes, UINT64_C(0x0102030405060708));
    assert_int_equal(bytes[0], 1);
    assert_int_equal(mu_get_be16(bytes), 0x0102);
    assert_int_equal(mu_get_be32(bytes + 4), 0x05060708);
    assert_true(mu_get_be64(bytes) == UINT64_C(0x0102030405060708));
}

static void an_arena_aligns_zeroes_and_stops(void **state)
{
    (void)state;
    struct mu_arena *arena = mu_arena_new(20000);
    assert_non_null(arena);
    for (int i = 0; i < 100; i++) {
        uint64_t *p = mu_arena_alloc(arena, 24);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        assert_true(p[0] == 0 && p[2] == 0);
        memset(p, 0xff, 24);
    }
    assert_non_null(mu_arena_alloc(arena, 10000));
    assert_null(mu_arena_alloc(arena, 10000));
    assert_null(mu_arena_alloc(arena, SIZE_MAX));
    assert_string_equal(mu_arena_strndup(arena, "texture", 4), "text");
    mu_arena_free(arena);
    mu_arena_free(NULL);
}

UNIT_MAIN(UNIT_CASE(slices_compare_by_bytes_then_length),
          UNIT_CASE(a_secret_buffer_keeps_nothing_that_it_let_go),
          UNIT_CASE(a_buffer_stops_at_its_limit_and_says_so),
          UNIT_CASE(every_length_is_printed_whole_or_not_at_all),
          UNIT_CASE(consuming_keeps_the_rest), UNIT_CASE(a_buffer_survives_a_failed_allocation),
          UNIT_CASE(integers_are_big_endian), UNIT_CASE(an_arena_aligns_zeroes_and_stops))
