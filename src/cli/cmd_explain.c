/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual explain CODE: the page of one error code, from the table.
 */
#include "cli/cli_internal.h"

#include <ctype.h>
#include <string.h>

/* Codes are taken in any case and with hyphens, as the log writes them: "cert-expired". */
static enum mutual_code find_code(const char *text)
{
    char name[64];
    size_t len = strlen(text);
    if (len >= sizeof name) {
        return MUTUAL_OK;
    }
    for (size_t i = 0; i <= len; i++) {
        name[i] = (char)(text[i] == '-' ? '_' : toupper((unsigned char)text[i]));
    }
    const char *body = mu_text_starts(name, "MUTUAL_E_") ? name + strlen("MUTUAL_E_") : name;
    return mutual_code_find(body);
}

static const char *const who_acts[MUTUAL_CLASS_COUNT_] = {
    [MUTUAL_CLASS_USAGE] = "whoever gave the command",
    [MUTUAL_CLASS_CONFIG] = "whoever owns our configuration or our files",
    [MUTUAL_CLASS_PEER] = "the other end of the connection",
    [MUTUAL_CLASS_SYSTEM] = "whoever runs this machine or network",
    [MUTUAL_CLASS_BUG] = "us: please report it",
};

static void code_json(enum mutual_code code, struct mu_buf *out)
{
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "code", mutual_code_name(code));
    mu_json_string(&json, "meaning", mutual_code_text(code));
    mu_json_string(&json, "remedy", mutual_code_hint(code));
    mu_json_string(&json, "class", mutual_class_name(mutual_code_class(code)));
    mu_json_string(&json, "step", mutual_step_name(mutual_code_step(code)));
    mu_json_int(&json, "alert", mutual_code_alert(code));
    mu_json_int(&json, "exit", mutual_code_exit(code));
    mu_json_close(&json, '}');
    mu_buf_text(out, "\n");
}

static void code_text(enum mutual_code code, struct mu_buf *out)
{
    mu_buf_printf(out, "%s: %s\n\n", mutual_code_name(code), mutual_code_text(code));
    mu_buf_printf(out, "  to do    %s\n", mutual_code_hint(code));
    mu_buf_printf(out, "  who      %s\n", who_acts[mutual_code_class(code)]);
    if (mutual_code_step(code) != MUTUAL_STEP_NONE) {
        mu_buf_printf(out, "  step     %d of 7: %s\n", (int)mutual_code_step(code),
                      mutual_step_text(mutual_code_step(code)));
    }
    if (mutual_code_alert(code) >= 0) {
        mu_buf_printf(out, "  alert    the peer sees TLS alert %d\n", mutual_code_alert(code));
    }
    mu_buf_printf(out, "  exit     %d\n", mutual_code_exit(code));
}

static bool fail_unknown(const char *text, struct mutual_error *err)
{
    const char *names[MUTUAL_E_COUNT_] = {NULL};
    for (int i = 1; i < (int)MUTUAL_E_COUNT_; i++) {
        names[i - 1] = mutual_code_name((enum mutual_code)i);
    }
    char upper[64];
    size_t len = strlen(text) < sizeof upper ? strlen(text) : sizeof upper - 1;
    for (size_t i = 0; i < len; i++) {
        upper[i] = (char)toupper((unsigned char)text[i]);
    }
    upper[len] = '\0';
    (void)mu_fail(err, MUTUAL_E_NOT_FOUND, "there is no error code \"%s\"", text);
    const char *near = mu_suggest(upper, names);
    return near != NULL ? mu_error_hint(err, "Did you mean %s?", near)
                        : mu_error_hint(err, "All codes are in mutual-errors(7).");
}

static int run_explain(struct cli *cli, const void *options)
{
    (void)options;
    struct mutual_error err = {0};
    enum mutual_code code = find_code(cli->args[0]);
    if (code == MUTUAL_OK) {
        fail_unknown(cli->args[0], &err);
        return cli_fail(cli, &err);
    }
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 8192);
    if (cli->json) {
        code_json(code, &out);
    } else {
        code_text(code, &out);
    }
    return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_explain = {
    .name = "explain",
    .group = CLI_GROUP_KNOW,
    .arguments = "CODE",
    .help = "tell what an error code means and what to do",
    .min_args = 1,
    .max_args = 1,
    .run = run_explain,
};
