/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings on the command line: as text on stderr, or as one JSON object on stdout.
 */
#include "cli/cli_internal.h"

#include "config/config.h"

#define TEXT_MAX (4u << 20)

static void tell_json(const struct cli *cli, const struct config_findings *findings,
                      const char *main_name)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, TEXT_MAX);
    struct mu_json json;
    mu_json_init(&json, &out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "file", main_name);
    mu_json_bool(&json, "good", findings->errors == 0);
    mu_json_int(&json, "errors", (int64_t)findings->errors);
    mu_json_int(&json, "warnings", (int64_t)findings->warnings);
    config_findings_json(findings, "findings", &json);
    mu_json_close(&json, '}');
    mu_buf_text(&out, "\n");
    (void)cli_write(cli, &out, NULL);
}

int cli_tell_findings(const struct cli *cli, struct config_findings *findings,
                      const char *main_name)
{
    config_findings_sort(findings);
    if (cli->json) {
        tell_json(cli, findings, main_name);
    } else {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, TEXT_MAX);
        config_findings_text(findings, main_name, cli->colour_err, &out);
        (void)fwrite(out.data, 1, out.len, cli->err);
    }
    /* A single error ends with its own status: a file that is not there is no bad configuration. */
    if (findings->errors == 1 && findings->count > 0) {
        for (size_t i = 0; i < findings->count; i++) {
            if (findings->items[i].severity == CONFIG_ERROR) {
                return mutual_code_exit(findings->items[i].code);
            }
        }
    }
    return findings->errors == 0 ? CLI_YES : mutual_code_exit(MUTUAL_E_CONFIG_INVALID);
}
