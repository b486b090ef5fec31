/* SPDX-License-Identifier: Apache-2.0
 *
 * What people read from mutual check --cert FILE --to SERVICE.
 */
#include "question_support.h"

#define ASK(...) RUN("check", "-c", "mutual.yaml", __VA_ARGS__)

static void test_let_in(void **state)
{
    (void)state;
    assert_told(ASK("--cert", "henry.pem", "--to", "customer-db", "--at", AT), 0, "cert_yes.txt");
    assert_told(ASK("--cert", "henry.pem", "--to", "customer-db", "--at", AT, "--json"), 0,
                "cert_yes.json");
    assert_told(ASK("--cert", "stranger.pem", "--to", "public", "--at", AT), 0, "cert_unasked.txt");
}

static void test_refused(void **state)
{
    (void)state;
    assert_told(ASK("--cert", "audit.pem", "--to", "customer-db", "--at", AT), 1, "cert_ended.txt");
    assert_told(ASK("--cert", "stranger.pem", "--to", "customer-db", "--at", AT), 1,
                "cert_stranger.txt");
    assert_told(ASK("--cert", "henry.pem", "--to", "customer-db", "--at", "2026-12-01", "--json"),
                1, "cert_early.json");
}

static void test_wrong_questions(void **state)
{
    (void)state;
    assert_ran(ASK("--cert", "henry.pem"), 2, NULL, "--cert and --to go together");
    assert_ran(ASK("--cert", "gone.pem", "--to", "public"), 66, NULL, "[FILE_MISSING]");
    assert_ran(ASK("--cert", "tls.key", "--to", "public"), 65, NULL, "[PEM_MALFORMED]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_let_in),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_wrong_questions)};
    return cmocka_run_group_tests(tests, question_setup, question_teardown);
}
