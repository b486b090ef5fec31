/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole gateway in processes of its own, from this test's own program: parent, keys, one worker.
 * For what only shows when they work together.
 */
#ifndef GATEWAY_WHOLE_H
#define GATEWAY_WHOLE_H

#include <unistd.h>

#include "gateway/gateway.h"
#include "gateway/parent_internal.h"
#include "pki.h"
#include "unit.h"

struct whole {
    char directory[64];
    char config[96], control[96], listen[96];
    int log;
    pid_t pid;
    struct pki *root, *server;
};
extern struct whole whole;

/* Makes a directory with certificates and a configuration of one inbound "db" on a UNIX socket;
 * `more` are further lines of it, or "". */
void whole_init(const char *more);
void whole_write(const char *name, const char *text, mode_t mode);
void whole_configure(const char *more);
/* Starts it; the test goes on when the log says `event`. */
void whole_start(const char *event);
/* Waits until the log holds the text so many times; fails the test else. */
void whole_wait_for(const char *text, int times);
const char *whole_log(void);
/* Waits for its end and returns the exit status. */
int whole_end(int signo);
void whole_done(void);

int whole_setup(void **state);
int whole_teardown(void **state);
#define WHOLE_CASE(name_) cmocka_unit_test_setup_teardown(name_, whole_setup, whole_teardown)
/* The children are this program executed again. */
#define WHOLE_MAIN(...)                                                                     \
    int main(int argc, char **argv)                                                         \
    {                                                                                       \
        static const struct role *const roles[] = {&keys_role, &gateway_worker_role, NULL}; \
        int status = process_child_main(roles, argc, argv);                                 \
        if (status >= 0) {                                                                  \
            _exit(status);                                                                  \
        }                                                                                   \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                    \
        return cmocka_run_group_tests(tests, NULL, NULL);                                   \
    }

#endif
