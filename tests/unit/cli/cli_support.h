/* SPDX-License-Identifier: Apache-2.0
 *
 * A run of the program within the test: arguments in, both outputs and the exit status out.
 */
#ifndef CLI_SUPPORT_H
#define CLI_SUPPORT_H

#include "unit.h"

#include <stdlib.h>

#include "cli/cli_internal.h"

struct ran {
    char *out;
    char *err;
    int status;
};

static inline struct ran run_args(const char *const *argv, int argc)
{
    struct ran ran = {NULL, NULL, -1};
    size_t out_len;
    size_t err_len;
    FILE *out = open_memstream(&ran.out, &out_len);
    FILE *err = open_memstream(&ran.err, &err_len);
    assert_true(out != NULL && err != NULL);
    ran.status = cli_main(argc, argv, out, err);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fclose(err), 0);
    return ran;
}

#define RUN(...)                                                    \
    run_args((const char *const[]){"/usr/bin/mutual", __VA_ARGS__}, \
             (int)MU_COUNT(((const char *const[]){"/usr/bin/mutual", __VA_ARGS__})))

static inline void ran_done(struct ran *ran)
{
    (free)(ran->out); /* made by open_memstream */
    (free)(ran->err);
}

/* The run ended so, and said this on the stream; NULL: nothing at all. */
static inline void assert_ran(struct ran ran, int status, const char *out, const char *err)
{
    bool said = (out == NULL ? ran.out[0] == '\0' : strstr(ran.out, out) != NULL) &&
                (err == NULL ? ran.err[0] == '\0' : strstr(ran.err, err) != NULL);
    if (ran.status != status || !said) {
        fail_msg("status %d, out:\n%s\nerr:\n%s", ran.status, ran.out, ran.err);
    }
    ran_done(&ran);
}

#endif
