/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies, at once and byte by byte: what is content, where it ends, and what is refused.
 */
#include <string.h>

#include "http/http.h"
#include "unit.h"

enum { MAX = 64 };

struct sample {
    const char *bytes;
    const char *content; /* NULL: refused */
    int code;
    size_t left; /* bytes of the next message */
};

#define BAD MUTUAL_E_HTTP_MALFORMED
#define BIG MUTUAL_E_HTTP_LIMIT

static const struct sample chunked[] = {
    {"0\r\n\r\n", "", 0, 0},
    {"3\r\nabc\r\n0\r\n\r\n", "abc", 0, 0},
    {"3\r\nabc\r\n02\r\nde\r\n000\r\n\r\nGET", "abcde", 0, 3},
    {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0, 0},
    {"3;a=b\r\nabc\r\n0;x=\"y\"\r\n\r\n", "abc", 0, 0},
    {"3\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"3\r\nabc\n0\r\n\r\n", NULL, BAD, 0},
    {"3\r\nabc0\r\n\r\n", NULL, BAD, 0},
    {"3\r\nabcd\r\n0\r\n\r\n", NULL, BAD, 0},
    {"0x3\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"+3\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"-3\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {" 3\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"3 \r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {";a\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"g\r\n", NULL, BAD, 0},
    {"3;\x01\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"3;a\nb\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"0\r\nX: y\r\n\r\n", NULL, BAD, 0},
    {"0\r\n\n", NULL, BAD, 0},
    {"0000000000000003\r\nabc\r\n0\r\n\r\n", NULL, BAD, 0},
    {"ffffffffffffffff\r\n", NULL, BAD, 0},
    {"fffffffffffffff\r\n", NULL, BIG, 0},
    {"41\r\n", NULL, BIG, 0},
    {"40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n1\r\n", NULL, BIG,
     0},
};

static int read_body(enum http_framing framing, uint64_t length, struct mu_slice bytes, size_t pace,
                     struct mu_buf *content, size_t *ret_left, struct mutual_error *err)
{
    static struct http_head head;
    struct http_body body;
    enum http_step step = HTTP_MORE;
    size_t have = pace < bytes.len ? pace : bytes.len;
    struct mu_slice in = {bytes.data, have};
    head.framing = framing;
    head.length = length;
    *err = (struct mutual_error){0};
    if (!http_body_init(&body, &head, MAX, err)) {
        return (int)err->code;
    }
    for (;;) {
        struct mu_slice piece;
        step = http_body_read(&body, &in, &piece, err);
        if (step != HTTP_FAILED) {
            assert_true(mu_buf_append(content, piece.data, piece.len));
        }
        if (step != HTTP_MORE || (in.len == 0 && have == bytes.len)) {
            break;
        }
        if (in.len == 0) {
            size_t more = pace < bytes.len - have ? pace : bytes.len - have;
            in = mu_slice_of(bytes.data + have, more);
            have += more;
        }
    }
    *ret_left = in.len + bytes.len - have;
    if (step == HTTP_MORE) {
        return http_body_end(&body, err) ? MUTUAL_OK : (int)err->code;
    }
    return step == HTTP_DONE ? MUTUAL_OK : (int)err->code;
}

static void try_sample(const struct sample *sample, size_t pace)
{
    MU_AUTO(buf) struct mu_buf content;
    struct mutual_error err;
    size_t left = 0;
    mu_buf_init(&content, 4096);
    int code =
        read_body(HTTP_BODY_CHUNKED, 0, mu_slice_text(sample->bytes), pace, &content, &left, &err);
    if (code != sample->code) {
        fail_msg("%s (%zu at a time): %d, not %d", sample->bytes, pace, code, sample->code);
    }
    if (sample->content != NULL) {
        assert_string_equal(mu_buf_str(&content), sample->content);
        assert_int_equal(left, sample->left);
    }
}

static void chunks_are_read_in_one_way_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < MU_COUNT(chunked); i++) {
        try_sample(&chunked[i], SIZE_MAX);
        try_sample(&chunked[i], 1);
        try_sample(&chunked[i], 3);
    }
}

static void a_body_of_a_length_ends_there(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf content;
    struct mutual_error err;
    size_t left = 0;
    mu_buf_init(&content, 4096);
    assert_int_equal(
        read_body(HTTP_BODY_LENGTH, 5, MU_SLICE_LIT("abcdeGET /"), 2, &content, &left, &err),
        MUTUAL_OK);
    assert_string_equal(mu_buf_str(&content), "abcde");
    assert_int_equal(left, 5);
    assert_int_equal(
        read_body(HTTP_BODY_LENGTH, 6, MU_SLICE_LIT("abcde"), 9, &content, &left, &err),
        MUTUAL_E_HTTP_TRUNCATED);
    assert_int_equal(
        read_body(HTTP_BODY_LENGTH, MAX + 1, MU_SLICE_LIT("abcde"), 9, &content, &left, &err), BIG);
    assert_int_equal(read_body(HTTP_BODY_NONE, 0, MU_SLICE_LIT("GET"), 9, &content, &left, &err),
                     MUTUAL_OK);
    assert_int_equal(left, 3);
}

static void a_body_to_the_end_is_bounded(void **state)
{
    (void)state;
    static const char sixty_five[] =
        "01234567890123456789012345678901234567890123456789012345678901234";
    MU_AUTO(buf) struct mu_buf content;
    struct mutual_error err;
    size_t left = 0;
    mu_buf_init(&content, 4096);
    assert_int_equal(read_body(HTTP_BODY_TO_END, 0, MU_SLICE_LIT("abc"), 1, &content, &left, &err),
                     MUTUAL_OK);
    assert_string_equal(mu_buf_str(&content), "abc");
    assert_int_equal(
        read_body(HTTP_BODY_TO_END, 0, MU_SLICE_LIT(sixty_five), 7, &content, &left, &err), BIG);
}

static void chunks_that_are_cut_short_are_not_whole(void **state)
{
    (void)state;
    static const char whole[] = "3\r\nabc\r\n0\r\n\r\n";
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        MU_AUTO(buf) struct mu_buf content;
        struct mutual_error err;
        size_t left = 0;
        mu_buf_init(&content, 4096);
        assert_int_equal(
            read_body(HTTP_BODY_CHUNKED, 0, mu_slice_of(whole, len), 4, &content, &left, &err),
            MUTUAL_E_HTTP_TRUNCATED);
    }
}

static void extensions_are_bounded(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf bytes;
    MU_AUTO(buf) struct mu_buf content;
    struct mutual_error err;
    size_t left = 0;
    mu_buf_init(&bytes, 65536);
    mu_buf_init(&content, 4096);
    for (int i = 0; i < 40; i++) {
        (void)mu_buf_text(&bytes, "1;0123456789012345678901234567890\r\na\r\n");
    }
    assert_int_equal(
        read_body(HTTP_BODY_CHUNKED, 0, mu_buf_slice(&bytes), 100, &content, &left, &err), BIG);
}

UNIT_MAIN(UNIT_CASE(chunks_are_read_in_one_way_only), UNIT_CASE(a_body_of_a_length_ends_there),
          UNIT_CASE(a_body_to_the_end_is_bounded),
          UNIT_CASE(chunks_that_are_cut_short_are_not_whole), UNIT_CASE(extensions_are_bounded))
