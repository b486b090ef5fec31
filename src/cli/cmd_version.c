/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual version: what we are, what the machine offers.
 */
#include "cli/cli_internal.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "session/session.h"
#include "x509/x509.h"

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

static void version_json(struct mu_buf *out)
{
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "version", MUTUAL_VERSION);
    mu_json_string(&json, "library", mu_library_version());
    mu_json_string(&json, "records", mu_record_engine());
    mu_json_open(&json, "features", '{');
    for (unsigned f = 0; f < (unsigned)MU_LIBRARY_FEATURE_COUNT_; f++) {
        enum mu_library_feature feature = (enum mu_library_feature)f;
        mu_json_bool(&json, mu_library_feature_text(feature), mu_library_has(feature));
    }
    mu_json_close(&json, '}');
    mu_json_bool(&json, "seccomp", has_seccomp());
    mu_json_int(&json, "landlock", landlock_version());
    mu_json_close(&json, '}');
    mu_buf_text(out, "\n");
}

static void version_text(struct mu_buf *out)
{
    version_short(out);
    mu_buf_printf(out, "  library   %s\n", mu_library_version());
    mu_buf_printf(out, "  aes-gcm   %s\n", mu_record_engine());
    for (unsigned f = 0; f < (unsigned)MU_LIBRARY_FEATURE_COUNT_; f++) {
        enum mu_library_feature feature = (enum mu_library_feature)f;
        mu_buf_printf(out, "  %-10s%s\n", mu_library_feature_text(feature),
                      mu_library_has(feature) ? "yes" : "no");
    }
    mu_buf_printf(out, "  seccomp   %s\n", has_seccomp() ? "yes" : "no");
    long landlock = landlock_version();
    if (landlock > 0) {
        mu_buf_printf(out, "  landlock  ABI %ld\n", landlock);
    } else {
        mu_buf_text(out, "  landlock  no\n");
    }
}

static int run_version(struct cli *cli, const void *options)
{
    (void)options;
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 8192);
    if (cli->json) {
        version_json(&out);
    } else {
        version_text(&out);
    }
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_version = {
    .name = "version",
    .group = CLI_GROUP_MORE,
    .help = "print the version and what this machine offers",
    .run = run_version,
};
