/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeds every file of a directory to a fuzz target once, so that the seeds and every past finding
 * are a test in builds without a fuzzer.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    MU_AUTO(buf) struct mu_buf bytes = {0};
    struct mutual_error err = {0};
    if (!mu_file_read(path, 16u << 20, &bytes, &err)) {
        fprintf(stderr, "%s\n", err.reason);
        return 0;
    }
    struct mu_slice input = mu_buf_slice(&bytes);
    (void)LLVMFuzzerTestOneInput(input.len > 0 ? input.data : (const uint8_t *)"", input.len);
    return 1;
}

int main(int argc, char **argv)
{
    DIR *corpus = argc == 2 ? opendir(argv[1]) : NULL;
    if (corpus == NULL) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    int count = 0;
    for (const struct dirent *entry = readdir(corpus); entry != NULL; entry = readdir(corpus)) {
        if (entry->d_name[0] != '.') {
            count += replay(argv[1], entry->d_name);
        }
    }
    (void)closedir(corpus);
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
