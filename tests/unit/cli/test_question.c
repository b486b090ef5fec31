/* SPDX-License-Identifier: Apache-2.0
 *
 * What people read from mutual access: who, what, test.
 */
#include "question_support.h"

#define ASK(...) RUN("access", __VA_ARGS__, "-c", "mutual.yaml", "--at", AT)
#define HENRY    "spiffe://example.org/hr/henry"

static void test_yes_and_no(void **state)
{
    (void)state;
    assert_told(ASK("test", "--as", HENRY, "--to", "customer-db"), 0, "test_yes.txt");
    assert_told(ASK("test", "--as", HENRY, "--to", "customer-db", "--json"), 0, "test_yes.json");
    assert_told(ASK("test", "--as", "spiffe://example.org/hr/henri", "--to", "customer-db"), 1,
                "test_near.txt");
    assert_told(ASK("test", "--as", "audit.example.org", "--to", "customer-db"), 1,
                "test_ended.txt");
    assert_told(ASK("test", "--as", "dns:hugo.example.org", "--to", "customer-db", "--json"), 1,
                "test_not_begun.json");
    assert_told(ASK("test", "--as", "anonymous", "--to", "customer-db"), 1, "test_anonymous.txt");
    assert_told(ASK("test", "--as", "anonymous", "--to", "guests"), 0, "test_guest.txt");
    assert_told(ASK("test", "--as", HENRY, "--to", "public"), 0, "test_public.txt");
    assert_told(ASK("test", "--as", "h.example.org", "--to", "ledger"), 0, "test_server.txt");
    assert_told(ASK("test", "--as", "x.example.org", "--to", "ledger"), 1, "test_mismatch.txt");
}

static void test_who(void **state)
{
    (void)state;
    assert_told(ASK("who", "customer-db"), 0, "who.txt");
    assert_told(ASK("who", "customer-db", "--json"), 0, "who.json");
    assert_told(ASK("who", "guests"), 0, "who_guests.txt");
    assert_told(ASK("who", "public"), 0, "who_public.txt");
    assert_told(ASK("who", "ledger"), 0, "who_ledger.txt");
    assert_ran(ASK("who", "customer"), 1, NULL, "[NOT_FOUND]");
}

static void test_what(void **state)
{
    (void)state;
    assert_told(ASK("what", HENRY), 0, "what_henry.txt");
    assert_told(ASK("what", "audit.example.org", "hugo.example.org", "--json"), 0, "what.json");
}

static void test_wrong_questions(void **state)
{
    (void)state;
    assert_ran(ASK("test", "--as", "spiffe:x", "--to", "public"), 65, NULL, "[SPIFFE_MALFORMED]");
    assert_ran(RUN("access", "test", "--to", "public"), 2, NULL, "option --as is missing");
    assert_ran(RUN("access", "who", "x", "-c", "gone.yaml"), 66, NULL, "[FILE_MISSING]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_yes_and_no),
                                       cmocka_unit_test(test_who), cmocka_unit_test(test_what),
                                       cmocka_unit_test(test_wrong_questions)};
    return cmocka_run_group_tests(tests, question_setup, question_teardown);
}
