/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual version: what we are, what the machine offers.
 */
#include "cli/cli_internal.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The ABI version of Landlock, 0 when the kernel has none or it is switched off. */
static long landlock_version(void)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? 0 : version;
}

static bool has_seccomp(void)
{
    return prctl(PR_GET_SECCOMP) != -1;
}

void version_short(struct mu_buf *out)
{
    mu_buf_text(out, "mutual " MUTUAL_VERSION "\n");
}

static int run_version(struct cli *cli, const void *options)
{
    (void)options;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 8192);
    if (cli->json) {
        struct mu_json json;
        mu_json_init(&json, &out);
        mu_json_open(&json, NULL, '{');
        mu_json_string(&json, "version", MUTUAL_VERSION);
        mu_json_int(&json, "landlock", landlock_version());
        mu_json_bool(&json, "seccomp", has_seccomp());
        mu_json_close(&json, '}');
        mu_buf_text(&out, "\n");
    } else {
        version_short(&out);
        mu_buf_printf(&out, "  seccomp   %s\n", has_seccomp() ? "yes" : "no");
        mu_buf_printf(&out, "  landlock  %s", landlock_version() > 0 ? "ABI " : "no\n");
        if (landlock_version() > 0) {
            mu_buf_printf(&out, "%ld\n", landlock_version());
        }
    }
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_version = {
    .name = "version",
    .group = CLI_GROUP_MORE,
    .help = "print the version and what this machine offers",
    .run = run_version,
};
