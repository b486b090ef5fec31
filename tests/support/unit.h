/* SPDX-License-Identifier: Apache-2.0
 *
 * What every unit test includes: cmocka with the headers it wants first, and checks on our error
 * object. A test file lists its cases at the bottom: UNIT_MAIN(case_a, case_b).
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mutual/error.h>
#include <stdio.h>
#include <string.h>

/* expr must yield true; on failure the error is shown. */
#define assert_ok(expr_, err_)                                                                     \
    do {                                                                                           \
        if (!(expr_)) {                                                                            \
            fail_msg("%s failed: %s: %s", #expr_, mutual_code_name((err_)->code), (err_)->reason); \
        }                                                                                          \
    } while (0)

/* expr must yield false with exactly that code, a reason and a remedy. */
#define assert_fails(expr_, err_, code_)                                                \
    do {                                                                                \
        memset((err_), 0, sizeof *(err_));                                              \
        if (expr_) {                                                                    \
            fail_msg("%s succeeded, %s was expected", #expr_, mutual_code_name(code_)); \
        }                                                                               \
        if ((err_)->code != (code_)) {                                                  \
            fail_msg("%s: expected %s, got %s: %s", #expr_, mutual_code_name(code_),    \
                     mutual_code_name((err_)->code), (err_)->reason);                   \
        }                                                                               \
        assert_true((err_)->reason[0] != '\0');                                         \
        assert_true((err_)->hint[0] != '\0');                                           \
    } while (0)

#define UNIT_CASE(name_) cmocka_unit_test(name_)
#define UNIT_MAIN(...)                                    \
    int main(void)                                        \
    {                                                     \
        const struct CMUnitTest tests[] = {__VA_ARGS__};  \
        return cmocka_run_group_tests(tests, NULL, NULL); \
    }

#endif
