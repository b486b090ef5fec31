/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs that only read tables: help, explain CODE, config, completion, check.
 */
#include "cli_support.h"

#include <unistd.h>

static void has_each_once(const struct cli_option *options)
{
    for (size_t i = 0; options != NULL && options[i].name != NULL; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(options[i].name, options[k].name);
            assert_true(options[i].letter == 0 || options[i].letter != options[k].letter);
        }
    }
}

static void test_no_option_is_there_twice(void **state)
{
    (void)state;
    for (const struct cli_verb *const *verb = cli_verbs; *verb != NULL; verb++) {
        has_each_once((*verb)->options);
        for (const struct cli_verb *sub = (*verb)->subs; sub != NULL && sub->name != NULL; sub++) {
            has_each_once(sub->options);
        }
    }
}

static void test_help(void **state)
{
    (void)state;
    assert_ran(RUN("help"), 0, "\nUnderstand\n", NULL);
    assert_ran(RUN("help", "check"), 0, "usage: mutual check [OPTIONS] [FILE]\n", NULL);
    assert_ran(RUN("help", "config"), 0, "\nVerbs\n  schema ", NULL);
    assert_ran(RUN("help", "config", "show"), 0, "usage: mutual config show [OPTIONS]\n", NULL);
    assert_ran(RUN("help", "nothing"), 2, NULL, "[VERB_UNKNOWN]");
    assert_ran(RUN("help", "check", "nothing"), 2, NULL, "[VERB_UNKNOWN]");
}

static void test_explain_code(void **state)
{
    (void)state;
    assert_ran(RUN("explain", "CERT_EXPIRED"), 0, "CERT_EXPIRED: a certificate is past", NULL);
    assert_ran(RUN("explain", "cert-expired"), 0, "CERT_EXPIRED: ", NULL);
    assert_ran(RUN("explain", "MUTUAL_E_NOT_TLS"), 0, "step     1 of 7: the client connects", NULL);
    assert_ran(RUN("explain", "--json", "NOT_TLS"), 0, "\"step\":\"connect\"", NULL);
    assert_ran(RUN("explain", "CERT_EXPIRD"), 1, NULL, "Did you mean CERT_EXPIRED?");
    for (int i = 1; i < (int)MUTUAL_E_COUNT_; i++) {
        const char *name = mutual_code_name((enum mutual_code)i);
        assert_ran(RUN("explain", name), 0, name, NULL);
    }
}

static void test_config(void **state)
{
    (void)state;
    assert_ran(RUN("config", "schema"), 0, "\"$schema\"", NULL);
    assert_ran(RUN("config", "man"), 0, ".Dt MUTUAL.YAML 5", NULL);
    assert_ran(RUN("config", "show", "--defaults"), 0, "version: 1", NULL);
}

static void test_completion(void **state)
{
    (void)state;
    assert_ran(RUN("completion", "bash"), 0, "complete -o filenames -F _mutual mutual", NULL);
    assert_ran(RUN("completion", "bash"), 0, "--for) words=\"apple windows android modern\" ;;",
               NULL);
    assert_ran(RUN("completion", "bash"), 0, "--to) words=$(_mutual_services) ;;", NULL);
    assert_ran(RUN("completion", "bash"), 0, "\"access who\") words=\"$(_mutual_services)", NULL);
    assert_ran(RUN("completion", "zsh"), 0, "'*:service:_mutual_services'", NULL);
    assert_ran(RUN("completion", "fish"), 0,
               "-n '__fish_seen_subcommand_from who' -f -a '(mutual completion services", NULL);
    assert_ran(RUN("completion", "zsh"), 0, "#compdef mutual", NULL);
    assert_ran(RUN("completion", "fish"), 0, "-n '__fish_seen_subcommand_from check' -l strict",
               NULL);
}

static void test_check(void **state)
{
    (void)state;
    char path[] = "/tmp/test_verbs.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd != -1);
    assert_true(mu_fd_write(fd, "version: 1\n", 11));
    assert_ran(RUN("check", path), 0, NULL, "warning: there is nothing to serve");
    assert_ran(RUN("check", path, "--strict"), 1, NULL, "1 warning");
    assert_ran(RUN("check", path, "--json"), 0, "\"good\":true,\"errors\":0,\"warnings\":1", NULL);
    assert_ran(RUN("-c", path, "config", "show"), 0, "workers: auto\n", NULL);
    assert_true(mu_fd_write(fd, "workers: x\nlgo: {}\n", 19));
    assert_ran(RUN("check", path), 78, NULL, "2 errors");
    assert_ran(RUN("-c", path, "check", "--json"), 78, "\"good\":false", NULL);
    assert_ran(RUN("-c", path, "config", "show"), 78, NULL, "2 errors");
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_ran(RUN("check", path), 66, NULL, "[FILE_MISSING]");
}

static void test_verify(void **state)
{
    (void)state;
    assert_ran(RUN("verify"), 2, NULL, "[USAGE]");
    assert_ran(RUN("verify", "--limbo", "x.crt"), 2, NULL, "[USAGE]");
    assert_ran(RUN("verify", "x.crt", "--ca", "/nonexistent/ca.crt"), 66, NULL, "[FILE_MISSING]");
    assert_ran(RUN("verify", "x.crt", "--ca", "x", "--name", "web"), 2, NULL, "[OPTION_VALUE]");
}

UNIT_MAIN(UNIT_CASE(test_no_option_is_there_twice), UNIT_CASE(test_help),
          UNIT_CASE(test_explain_code), UNIT_CASE(test_config), UNIT_CASE(test_completion),
          UNIT_CASE(test_check), UNIT_CASE(test_verify))
