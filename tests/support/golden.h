/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts that people read, stored under tests/golden: a change of one is a change in review.
 * GOLDEN_DIR names the directory; with GOLDEN_WRITE=1 the texts are written instead of compared.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "base/base.h"
#include "unit.h"

#include <stdlib.h>

static inline void assert_golden(const char *name, struct mu_slice text)
{
    struct mutual_error err = {0};
    const char *directory = getenv("GOLDEN_DIR");
    assert_non_null(directory);
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (getenv("GOLDEN_WRITE") != NULL) {
        assert_ok(mu_file_write(path, text, 0644, &err), &err);
        return;
    }
    MU_AUTO(buf) struct mu_buf stored = {0};
    assert_ok(mu_file_read(path, 1u << 20, &stored, &err), &err);
    if (!mu_slice_equal(mu_buf_slice(&stored), text)) {
        fail_msg("%s differs; stored:\n%s\nnow:\n%.*s", path, mu_buf_str(&stored), (int)text.len,
                 (const char *)text.data);
    }
}

#endif
