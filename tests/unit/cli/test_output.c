/* SPDX-License-Identifier: Apache-2.0
 *
 * src/cli/output.c: tables, errors, when there is colour.
 */
#include "cli_support.h"

static struct ran print_table(bool colour, bool json)
{
    struct ran ran = {NULL, NULL, 0};
    size_t out_len;
    size_t err_len;
    FILE *out = open_memstream(&ran.out, &out_len);
    FILE *err = open_memstream(&ran.err, &err_len);
    struct cli cli = {.out = out, .err = err, .colour_out = colour, .json = json};
    const char *const heads[] = {"who", "answer", "why", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    cli_table_print(table, &cli);
    cli_table_cell(table, CLI_PLAIN, "a stranger");
    cli_table_cell(table, CLI_BAD, "refused");
    cli_table_cell(table, CLI_PLAIN, "%s", "\033[2J");
    cli_table_cell(table, CLI_PLAIN, "bob");
    cli_table_print(table, &cli);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fclose(err), 0);
    return ran;
}

static void test_table(void **state)
{
    (void)state;
    struct ran ran = print_table(false, false);
    assert_string_equal(ran.out, "who         answer   why\n"
                                 "a stranger  refused  \\x1b[2J\n"
                                 "bob\n");
    ran_done(&ran);
    ran = print_table(true, false);
    assert_non_null(strstr(ran.out, "\033[31mrefused\033[0m  "));
    ran_done(&ran);
    ran = print_table(false, true);
    assert_string_equal(ran.out, "");
    ran_done(&ran);
}

static void test_errors(void **state)
{
    (void)state;
    assert_ran(RUN("explain", "x\033y"), 1, NULL,
               "mutual: error: there is no error code \"x?y\" [NOT_FOUND]\n  hint: ");
    assert_ran(RUN("--json", "explain", "x"), 1, NULL, "{\"error\":{\"code\":\"NOT_FOUND\"");
}

static void test_colour(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    assert_int_equal(setenv("CLICOLOR_FORCE", "1", 1), 0);
    assert_true(output_may_colour(stdout, false));
    assert_false(output_may_colour(stdout, true));
    assert_ran(RUN("explain", "x"), 1, NULL, "\033[31merror\033[0m");
    assert_ran(RUN("--no-color", "explain", "x"), 1, NULL, "mutual: error: ");
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    assert_false(output_may_colour(stdout, false));
    assert_int_equal(unsetenv("CLICOLOR_FORCE"), 0);
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_false(output_may_colour(file, false));
    assert_int_equal(fclose(file), 0);
}

UNIT_MAIN(UNIT_CASE(test_table), UNIT_CASE(test_errors), UNIT_CASE(test_colour))
