/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual trust new-root: a second root for the authority here, and later the change to it.
 */
#include "cli/authority_internal.h"
#include "cli/trust_internal.h"

/* The passphrase is shown before the root counts, or there is none. */
static bool tell_root(void *context, const struct ca_root_made *made, struct mutual_error *err)
{
    const struct cli *cli = context;
    MU_AUTO(buf) struct mu_buf out;
    char print[65];
    char time[MU_TIME_TEXT];
    const struct mu_cert_facts *facts = mu_cert_facts(made->root);
    mu_buf_init(&out, 1u << 16);
    trust_fingerprint(made->root, print);
    (void)mu_time_format(facts->not_after_s, time);
    if (cli->json) {
        struct mu_json json;
        mu_json_init(&json, &out);
        mu_json_open(&json, NULL, '{');
        mu_json_string(&json, "name", facts->display);
        mu_json_string(&json, "fingerprint", print);
        mu_json_string(&json, "not_after", time);
        mu_json_string(&json, "passphrase", made->passphrase);
        mu_json_close(&json, '}');
        mu_buf_byte(&out, '\n');
    } else {
        mu_buf_printf(&out,
                      "root        %s, %s, valid to %s\n"
                      "            SHA256:%s\n"
                      "passphrase  %s   of its key; shown only now\n",
                      facts->display, facts->key.text, time, print, made->passphrase);
    }
    bool shown = cli_write(cli, &out, err) && fflush(cli->out) == 0;
    mu_wipe(out.data, out.len);
    return shown || mu_fail(err, MUTUAL_E_FILE_UNWRITABLE, "the passphrase could not be shown");
}

static int make(struct cli *cli, const struct trust_root_options *options, struct ca *ca)
{
    struct mutual_error err = {0};
    struct ca_root_made made = {0};
    const struct ca_root_options root = {
        .root_key = (enum mu_key_spec)options->root_key,
        .root_life_s = options->root_life_ns / MU_NS_PER_S,
        .issuer_life_s = options->issuer_life_ns / MU_NS_PER_S,
        .owner = authority_owner(),
        .place = authority_place(),
        .now_s = mu_clock_wall_s(),
    };
    if (!ca_new_root(ca, &root, tell_root, cli, &made, &err)) {
        return cli_fail(cli, &err);
    }
    cli_print(cli,
              "next        give %s/authority/ca.crt, which holds both roots, to everybody;\n"
              "            where mutual serves: mutual trust rotate NAME --add FILE;\n"
              "            then: mutual trust new-root --use\n",
              ca_dir(ca));
    ca_root_made_done(&made);
    return CLI_YES;
}

static int use(struct cli *cli, struct ca *ca)
{
    struct mutual_error err = {0};
    bool changed = false;
    if (!ca_use_root(ca, mu_clock_wall_s(), &changed, &err)) {
        return cli_fail(cli, &err);
    }
    if (cli->json) {
        MU_AUTO(buf) struct mu_buf out;
        struct mu_json json;
        mu_buf_init(&out, 4096);
        mu_json_init(&json, &out);
        mu_json_open(&json, NULL, '{');
        mu_json_bool(&json, "changed", changed);
        mu_json_close(&json, '}');
        mu_buf_byte(&out, '\n');
        return cli_write(cli, &out, &err) ? CLI_YES : cli_fail(cli, &err);
    }
    cli_print(cli, changed ? "done: what is issued and renewed from now on leads to the new root\n"
                           : "nothing to do: the new root is in use\n");
    return CLI_YES;
}

int trust_run_new_root(struct cli *cli, const void *given)
{
    const struct trust_root_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    if (!authority_open(cli, options->dir, CA_CHANGE, &ca, &err)) {
        return cli_fail(cli, &err);
    }
    return options->use ? use(cli, ca) : make(cli, options, ca);
}
