/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual show FILE|WHO, mutual show profile NAME: what a thing is and what it may do, in words.
 */
#include "cli/lastseen_internal.h"
#include "cli/reach_internal.h"

#include <string.h>

struct show_options {
    struct reach_options at;
    const char *password_file, *control, *issuer;
    bool pem;
};

#define O(field_) offsetof(struct show_options, field_)
static const struct cli_option show_table[] = {
    REACH_OPTIONS(O(at)),
    {.name = "password-file",
     .kind = CLI_PATH,
     .offset = O(password_file),
     .value = "FILE",
     .help = "its first line opens a PKCS#12 file or an encrypted key"},
    {.name = "pem",
     .kind = CLI_FLAG,
     .offset = O(pem),
     .help = "print the certificate itself, followed by its issuer's"},
    {.name = "control",
     .kind = CLI_PATH,
     .offset = O(control),
     .value = "PATH",
     .help = "the gateway that says when and where it saw the certificate"},
    {.name = NULL},
};
static const struct cli_option profile_table[] = {
    REACH_OPTIONS(O(at)),
    {.name = "issuer",
     .kind = CLI_TEXT,
     .offset = O(issuer),
     .value = "NAME",
     .help = "beside which issuer; else the authority's first one"},
    {.name = NULL},
};
#undef O

#define SHOW_MAX ((size_t)MU_LIMIT_CRL_BYTES)

static bool show_file(const struct cli *cli, const struct show_options *options, const char *path,
                      struct mutual_error *err)
{
    MU_AUTO(authority_secret) char *password = NULL;
    MU_AUTO(buf) struct mu_buf bytes = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 2 * SHOW_MAX);
    if ((options->password_file != NULL &&
         !authority_secret_read(options->password_file, &password, err)) ||
        !authority_read(path, SHOW_MAX, &bytes, err)) {
        return false;
    }
    bool good =
        ca_describe(mu_buf_slice(&bytes), path, password, mu_clock_wall_s(), cli->json, &out, err);
    mu_wipe(bytes.data, bytes.len); /* it may have been a key */
    if (!good) {
        return err->code == MUTUAL_E_KEY_PASSPHRASE && password == NULL
                   ? mu_error_hint(err, "Give its password: --password-file FILE.")
                   : false;
    }
    return cli_write(cli, &out, err);
}

/* When and where it was last seen; only named a failure when that gateway was asked for. */
static bool add_seen(const struct cli *cli, const struct show_options *options,
                     const struct inventory_record *record, int64_t now_s, struct mu_buf *out,
                     struct mutual_error *err)
{
    MU_AUTO(lastseen) struct lastseen *seen = NULL;
    struct mutual_error why = {0};
    if (!lastseen_load(options->control, &seen, &why)) {
        if (options->control != NULL) {
            *err = why;
            return false;
        }
        return true;
    }
    if (!cli->json) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 4096);
        lastseen_text(seen, record, now_s, &text);
        mu_buf_printf(out, "  last seen    %s\n",
                      text.len > 0 ? mu_buf_str(&text) : "not by the gateway here");
        return !out->failed || mu_fail_memory(err);
    }
    MU_AUTO(buf) struct mu_buf object;
    struct mu_json json;
    mu_buf_init(&object, 1u << 20);
    mu_json_init(&json, &object);
    mu_json_open(&json, NULL, '{');
    lastseen_json(seen, record, &json);
    mu_json_close(&json, '}');
    mu_assert(out->len > 2 && object.len > 2); /* both are objects: they become one */
    out->len -= 2;
    mu_buf_byte(out, ',');
    mu_buf_append(out, object.data + 1, object.len - 1);
    mu_buf_byte(out, '\n');
    return !out->failed || mu_fail_memory(err);
}

static bool ask_pem(struct reach *reach, const struct inventory_record *record, struct mu_buf *out,
                    struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf target;
    mu_buf_init(&target, 256);
    mu_buf_text(&target, "/certificates/");
    mu_hex(&target, record->serial);
    const struct reach_question question = {.method = "GET",
                                            .target = mu_buf_str(&target),
                                            .accept = "application/pem-certificate-chain"};
    return reach_ask(reach, &question, out, err);
}

static bool show_record(const struct cli *cli, const struct show_options *options,
                        struct mutual_error *err)
{
    MU_AUTO(reach) struct reach *reach = NULL;
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    const struct inventory_record *record = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    int64_t now_s = mu_clock_wall_s();
    if (!reach_open(cli, &options->at, CA_LOOK, &reach, err) ||
        !reach_find(reach, cli->args[0], &records, err) ||
        !ca_choose(&records, cli->args[0], CA_WISH_SHOW, now_s, &record, err)) {
        return false;
    }
    bool good = options->pem ? ask_pem(reach, record, &out, err)
                             : ca_describe_record(record, now_s, cli->json, &out, err) &&
                                   add_seen(cli, options, record, now_s, &out, err);
    return good && cli_write(cli, &out, err);
}

static int run_show(struct cli *cli, const void *given)
{
    const struct show_options *options = given;
    struct mutual_error err = {0};
    const char *who = cli->args[0];
    bool file = strcmp(who, "-") == 0 || authority_is_file(who);
    bool good = file ? show_file(cli, options, who, &err) : show_record(cli, options, &err);
    return good ? CLI_YES : cli_fail(cli, &err);
}

/* ---- profiles ----------------------------------------------------------------------------------
 */

/* Without an authority the profiles are shown without an issuer's limits. */
static bool show_bare(const struct cli *cli, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    const char *wanted = cli->arg_count > 0 ? cli->args[0] : NULL;
    const struct ca_profile *profile;
    struct ca_rule rule;
    mu_buf_init(&out, 8u << 20);
    if (wanted != NULL && !ca_profile_find(wanted, &profile, err)) {
        return false;
    }
    mu_buf_text(&out, cli->json && wanted == NULL ? "[" : "");
    for (size_t i = 0; (profile = ca_profile_at(i)) != NULL; i++) {
        if (wanted == NULL || strcmp(profile->name, wanted) == 0) {
            mu_buf_text(&out, i == 0 || wanted != NULL ? "" : cli->json ? "," : "\n");
            ca_rule_bare(profile, &rule);
            ca_rule_describe(&rule, cli->json, &out);
        }
    }
    mu_buf_text(&out, cli->json && wanted == NULL ? "]\n" : "");
    return cli_write(cli, &out, err);
}

static bool show_rules(const struct cli *cli, struct reach *reach, const char *issuer,
                       struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    MU_AUTO(buf) struct mu_buf target;
    const char *wanted = cli->arg_count > 0 ? cli->args[0] : NULL;
    mu_buf_init(&out, 8u << 20);
    mu_buf_init(&target, 8192);
    mu_buf_text(&target, wanted != NULL ? "/profiles/" : "/profiles");
    reach_encode(&target, wanted != NULL ? wanted : "");
    reach_query(&target, "issuer", issuer);
    if (!cli->json) {
        const struct reach_question question = {
            .method = "GET", .target = mu_buf_str(&target), .accept = "text/plain"};
        return reach_ask(reach, &question, &out, err) && cli_write(cli, &out, err);
    }
    MU_AUTO(api_json) json_t *answer = NULL;
    return reach_get(reach, mu_buf_str(&target), &answer, err) &&
           reach_print(wanted != NULL ? answer : json_object_get(answer, "profiles"), &out, err) &&
           cli_write(cli, &out, err);
}

static bool show_profiles(const struct cli *cli, const struct show_options *options,
                          struct mutual_error *err)
{
    MU_AUTO(reach) struct reach *reach = NULL;
    if (reach_open(cli, &options->at, CA_LOOK, &reach, err)) {
        return show_rules(cli, reach, options->issuer, err);
    }
    if (options->at.dir != NULL || options->issuer != NULL || reach_is_far(&options->at) ||
        err->code != MUTUAL_E_FILE_MISSING) {
        return false;
    }
    *err = (struct mutual_error){0};
    return show_bare(cli, err);
}

static int run_show_profile(struct cli *cli, const void *given)
{
    struct mutual_error err = {0};
    return show_profiles(cli, given, &err) ? CLI_YES : cli_fail(cli, &err);
}

static const struct cli_verb subs[] = {
    {.name = "profile",
     .arguments = "[NAME]",
     .help = "show the rule by which an issuer certifies under a profile",
     .details = "It is the very rule that issuing asks: what it does not name is refused.",
     .options = profile_table,
     .options_size = sizeof(struct show_options),
     .max_args = 1,
     .run = run_show_profile},
    {.name = NULL},
};

const struct cli_verb cli_verb_show = {
    .name = "show",
    .group = CLI_GROUP_CERT,
    .arguments = "FILE|NAME|SERIAL|FINGERPRINT",
    .help = "show what a certificate, request, CRL, key or .p12 file is and may do",
    .details = "Reads PEM and DER; - is standard input. Of a private key only the public half is\n"
               "shown.",
    .options = show_table,
    .options_size = sizeof(struct show_options),
    .min_args = 1,
    .max_args = 1,
    .subs = subs,
    .run = run_show,
};
