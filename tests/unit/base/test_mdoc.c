/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/mdoc.c: what a manual page must be able to hold.
 */
#include "base/base.h"
#include "unit.h"

static void check(const char *text, const char *expected)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    mu_mdoc_text(&out, text);
    assert_string_equal(mu_buf_str(&out), expected);
}

static void test_escapes(void **state)
{
    (void)state;
    check("a-b \\n .Sh 'quote'", "a\\-b \\en \\&.Sh \\&'quote'\n");
    check("", "\n");
}

static void test_sentences_begin_lines(void **state)
{
    (void)state;
    check("One. Two three. Four", "One.\nTwo three.\nFour\n");
}

static void test_lines_stay_short(void **state)
{
    (void)state;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4096);
    mu_mdoc_text(&out, "the quick brown fox jumps over the lazy dog and then the lazy dog jumps "
                       "over the quick brown fox and so on without an end in sight");
    const char *text = mu_buf_str(&out);
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        assert_in_range(len, 1, 78);
        text += len + 1;
    }
}

UNIT_MAIN(UNIT_CASE(test_escapes), UNIT_CASE(test_sentences_begin_lines),
          UNIT_CASE(test_lines_stay_short))
