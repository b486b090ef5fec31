/* SPDX-License-Identifier: Apache-2.0
 *
 * src/cli/frame.c and verbs.c: which verb runs, with what, and how it ends.
 */
#include "cli_support.h"

static void test_no_verb(void **state)
{
    (void)state;
    const char *const alone[] = {"mutual"};
    assert_ran(run_args(alone, 1), 2, NULL, "no verb was given [USAGE]");
    assert_ran(run_args(NULL, 0), 2, NULL, "no verb was given");
    assert_ran(RUN("--help"), 0, "usage: mutual VERB", NULL);
    assert_ran(RUN("--version"), 0, "mutual " MUTUAL_VERSION "\n", NULL);
}

static void test_unknown_verbs(void **state)
{
    (void)state;
    assert_ran(RUN("hlep"), 2, NULL,
               "unknown verb \"hlep\" [VERB_UNKNOWN]\n  hint: Did you mean "
               "\"help\"?");
    assert_ran(RUN("zzzzzzzz"), 2, NULL, "Run: mutual help.");
    assert_ran(RUN("config", "shcema"), 2, NULL, "Did you mean \"schema\"?");
    assert_ran(RUN("config"), 2, NULL, "needs a verb of its own: schema|show|man");
    assert_int_equal(mutual_code_find("VERB_UNKNOWN"), MUTUAL_E_VERB_UNKNOWN);
}

static void test_arguments_are_counted(void **state)
{
    (void)state;
    assert_ran(RUN("explain"), 2, NULL, "an argument is missing: ");
    assert_ran(RUN("version", "x"), 2, NULL, "\"x\" is one argument too many");
    assert_ran(RUN("explain", "--", "--help"), 1, NULL, "no error code \"--help\"");
}

static void test_global_options_anywhere(void **state)
{
    (void)state;
    assert_ran(RUN("--json", "version"), 0, "{\"version\":\"" MUTUAL_VERSION "\"", NULL);
    assert_ran(RUN("version", "--json"), 0, "{\"version\":\"" MUTUAL_VERSION "\"", NULL);
    assert_ran(RUN("version", "-q"), 0, "mutual ", NULL);
    assert_ran(RUN("version", "--help"), 0, "usage: mutual version\n", NULL);
    assert_ran(RUN("config", "show", "--help"), 0, "--defaults", NULL);
    assert_ran(RUN("-c", "/nowhere/m.yaml", "config", "show"), 66, NULL, "/nowhere/m.yaml");
}

static void test_environment_names_the_configuration(void **state)
{
    (void)state;
    assert_int_equal(setenv("MUTUAL_CONFIG", "/nowhere/env.yaml", 1), 0);
    assert_ran(RUN("config", "show"), 66, NULL, "/nowhere/env.yaml");
    assert_ran(RUN("config", "show", "--config=/nowhere/flag.yaml"), 66, NULL,
               "/nowhere/flag.yaml");
    assert_int_equal(unsetenv("MUTUAL_CONFIG"), 0);
}

/* A full disk is told, whatever the verb said of itself. */
static void test_output_that_cannot_be_written(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    char *text = NULL;
    size_t len;
    FILE *err = open_memstream(&text, &len);
    const char *const argv[] = {"mutual", "help"};
    assert_int_equal(cli_main(2, argv, full, err), 74);
    assert_int_equal(fclose(err), 0);
    assert_non_null(strstr(text, "[DISK_FULL]"));
    (void)fclose(full);
    (free)(text);
}

static void test_every_verb_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        const struct cli_verb *verb = cli_verbs[i];
        assert_ptr_equal(verb_find(verb->name), verb);
        assert_true(verb->help != NULL && verb->help[strlen(verb->help) - 1] != '.');
        assert_true(verb->run != NULL || verb->subs != NULL);
        assert_true(verb->max_args >= verb->min_args);
        assert_true(verb->max_args == 0 || verb->arguments != NULL);
        for (const struct cli_option *o = verb->options; o != NULL && o->name != NULL; o++) {
            assert_true(o->kind == CLI_FLAG || o->kind == CLI_WORD || o->value != NULL);
            assert_true(o->offset < verb->options_size);
            assert_true(o->kind != CLI_WORD || o->words != NULL);
        }
    }
}

UNIT_MAIN(UNIT_CASE(test_no_verb), UNIT_CASE(test_unknown_verbs),
          UNIT_CASE(test_arguments_are_counted), UNIT_CASE(test_global_options_anywhere),
          UNIT_CASE(test_environment_names_the_configuration),
          UNIT_CASE(test_output_that_cannot_be_written), UNIT_CASE(test_every_verb_is_whole))
