/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of errors and the object.
 */
#include "base/base.h"
#include "unit.h"

#include <ctype.h>
#include <errno.h>

static void every_row_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 1; i < MUTUAL_E_COUNT_; i++) {
        enum mutual_code code = (enum mutual_code)i;
        const char *name = mutual_code_name(code);
        assert_true(strlen(name) > 2);
        assert_int_equal(mutual_code_find(name), code);
        assert_true(strlen(mutual_code_text(code)) > 10);
        const char *hint = mutual_code_hint(code);
        assert_true(isupper((unsigned char)hint[0]) || isalpha((unsigned char)hint[0]));
        assert_int_equal(hint[strlen(hint) - 1], '.');
        int alert = mutual_code_alert(code);
        assert_true(alert >= -1 && alert <= 120);
        int status = mutual_code_exit(code);
        assert_true(status == 1 || status == 2 || (status >= 64 && status <= 78));
        assert_true((unsigned)mutual_code_class(code) < MUTUAL_CLASS_COUNT_);
    }
    assert_int_equal(mutual_code_find("NO_SUCH_CODE"), MUTUAL_OK);
    assert_int_equal(mutual_code_find("cert_expired"), MUTUAL_OK);
}

static void the_origin_sets_and_callers_add(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_false(mu_fail(&err, MUTUAL_E_CERT_EXPIRED, "certificate \"%s\" expired", "web"));
    assert_false(mu_error_context(&err, "bundle \"%s\"", "corp"));
    assert_false(mu_error_context(&err, "listener \"db\""));
    assert_int_equal(err.code, MUTUAL_E_CERT_EXPIRED);
    assert_string_equal(err.context, "bundle \"corp\", listener \"db\"");
    assert_string_equal(err.hint, mutual_code_hint(MUTUAL_E_CERT_EXPIRED));
    assert_non_null(strstr(err.file, "test_error.c"));
    char text[512];
    assert_true(mutual_error_format(&err, text, sizeof text) < sizeof text);
    assert_string_equal(text,
                        "error[CERT_EXPIRED]: certificate \"web\" expired\n"
                        "  where: bundle \"corp\", listener \"db\"\n"
                        "  hint: Renew it: mutual renew NAME; or check this machine's clock.");
}

static void system_words_follow_the_reason(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_false(mu_fail_errno(&err, MUTUAL_E_FILE_UNREADABLE, EACCES, "could not open \"x\""));
    assert_string_equal(err.reason, "could not open \"x\": Permission denied");
    assert_int_equal(err.sys, EACCES);
    assert_false(mu_error_hint(&err, "Run: chmod %o x.", 0600));
    assert_string_equal(err.hint, "Run: chmod 600 x.");
}

static void a_stranger_cannot_break_the_line(void **state)
{
    (void)state;
    struct mutual_error err = {0};
    assert_false(mu_fail(&err, MUTUAL_E_NOT_TLS, "first bytes were \"%s\"", "a\nb\x1b[2J\x7f"));
    assert_string_equal(err.reason, "first bytes were \"a?b?[2J?\"");
    char long_text[600];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_false(mu_fail(&err, MUTUAL_E_NOT_TLS, "%s", long_text));
    assert_int_equal(strlen(err.reason), sizeof err.reason - 1);
    for (int i = 0; i < 10; i++) {
        assert_false(mu_error_context(&err, "%s", "listener with a rather long name indeed"));
    }
    assert_true(strlen(err.context) < sizeof err.context);
}

static void no_object_is_allowed(void **state)
{
    (void)state;
    assert_false(mu_fail(NULL, MUTUAL_E_USAGE, "x"));
    assert_false(mu_error_context(NULL, "x"));
    assert_false(mu_error_hint(NULL, "x"));
}

static void steps_and_classes_have_words(void **state)
{
    (void)state;
    assert_string_equal(mutual_step_name(MUTUAL_STEP_CLIENT_CHECK), "client_check");
    for (unsigned i = 0; i < MUTUAL_STEP_COUNT_; i++) {
        assert_true(strlen(mutual_step_text((enum mutual_step)i)) > 5);
    }
    for (unsigned i = 0; i < MUTUAL_CLASS_COUNT_; i++) {
        assert_true(strlen(mutual_class_name((enum mutual_class)i)) > 2);
    }
}

UNIT_MAIN(UNIT_CASE(every_row_is_whole), UNIT_CASE(the_origin_sets_and_callers_add),
          UNIT_CASE(system_words_follow_the_reason), UNIT_CASE(a_stranger_cannot_break_the_line),
          UNIT_CASE(no_object_is_allowed), UNIT_CASE(steps_and_classes_have_words))
