/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual token NAME: lets somebody enrol once, as NAME; or takes that back.
 */
#include "cli/authority_internal.h"
#include "cli/qr_internal.h"
#include "config/config.h"

#include <string.h>

struct token_options {
    const char *dir, *profile, *url, *owner, *place, *purpose;
    struct authority_san san;
    int64_t ttl_ns, life_ns;
    bool approval, qr, withdraw;
};

#define O(field_) offsetof(struct token_options, field_)
static const struct cli_option token_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "profile",
     .letter = 'p',
     .kind = CLI_TEXT,
     .offset = O(profile),
     .value = "PROFILE",
     .dflt = "server",
     .help = "server, client, service, device or user; see: mutual show profile"},
    {.name = "ttl",
     .kind = CLI_DURATION,
     .offset = O(ttl_ns),
     .value = "DURATION",
     .dflt = "1h",
     .help = "how long the token holds"},
    {.name = "url",
     .kind = CLI_TEXT,
     .offset = O(url),
     .value = "URL",
     .help = "where the authority is reached; else what the configuration says"},
    AUTHORITY_SAN_OPTIONS(O(san)),
    {.name = "life",
     .kind = CLI_DURATION,
     .offset = O(life_ns),
     .value = "DURATION",
     .help = "how long the certificate is valid; else the profile's default"},
    {.name = "approval",
     .kind = CLI_FLAG,
     .offset = O(approval),
     .help = "the request waits until somebody runs mutual approve"},
    {.name = "owner",
     .kind = CLI_TEXT,
     .offset = O(owner),
     .value = "TEXT",
     .help = "who answers for the certificate; else you"},
    {.name = "place",
     .kind = CLI_TEXT,
     .offset = O(place),
     .value = "TEXT",
     .help = "where it will be used; else NAME"},
    {.name = "purpose",
     .kind = CLI_TEXT,
     .offset = O(purpose),
     .value = "TEXT",
     .help = "what it is for; else what the profile says"},
    {.name = "qr", .kind = CLI_FLAG, .offset = O(qr), .help = "draw it as a QR code too"},
    {.name = "withdraw",
     .kind = CLI_FLAG,
     .offset = O(withdraw),
     .help = "take back every token of NAME that is not used"},
    {.name = NULL},
};
#undef O

/* The address in the configuration, if there is one. NULL: none. */
static char *configured_url(const struct cli *cli)
{
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(config) struct config *config = NULL;
    config_findings_init(&findings);
    (void)config_snapshot_load(cli->config_path, &findings, &snapshot);
    if (snapshot != NULL) {
        (void)config_build_partial(snapshot, NULL, &findings, &config);
    }
    bool said = config != NULL && config->authority.url != NULL;
    return said ? mu_strdup(config->authority.url) : NULL;
}

static bool tell(const struct cli *cli, const struct token_options *options,
                 const struct ca_token_wish *wish, int64_t id, struct mu_buf *text,
                 struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    char until[MU_TIME_TEXT];
    mu_buf_init(&out, 1u << 20);
    if (options->qr && !cli->json && !qr_draw(mu_buf_str(text), &out, err)) {
        return false;
    }
    (void)mu_time_format(wish->now_s + wish->ttl_s, until);
    if (cli->json) {
        struct mu_json json;
        mu_json_init(&json, &out);
        mu_json_open(&json, NULL, '{');
        mu_json_int(&json, "id", id);
        mu_json_string(&json, "token", mu_buf_str(text));
        mu_json_string(&json, "name", wish->name);
        mu_json_string(&json, "profile", wish->profile->name);
        mu_json_string(&json, "url", wish->url);
        mu_json_string(&json, "until", until);
        mu_json_bool(&json, "approval", wish->approval);
        mu_json_close(&json, '}');
        (void)mu_buf_byte(&out, '\n');
    } else {
        (void)mu_buf_printf(&out, "%s\n", mu_buf_str(text));
        cli_say(cli,
                "token %lld for \"%s\" (%s) holds until %s, for one certificate%s\n"
                "next: mutual enroll TOKEN\n",
                (long long)id, wish->name, wish->profile->name, until,
                wish->approval ? ", after mutual approve" : "");
    }
    bool written = cli_write(cli, &out, err);
    mu_wipe(out.data, out.len);
    return written;
}

static bool make(const struct cli *cli, const struct token_options *options, struct ca *ca,
                 struct mutual_error *err)
{
    MU_AUTO(authority_names) struct authority_names *names = NULL;
    MU_AUTO(free) char *url = options->url != NULL ? mu_strdup(options->url) : configured_url(cli);
    MU_AUTO(buf) struct mu_buf text;
    int64_t id = 0;
    mu_buf_init(&text, 4096);
    struct ca_token_wish wish = {
        .name = cli->args[0],
        .life_s = options->life_ns / MU_NS_PER_S,
        .ttl_s = options->ttl_ns / MU_NS_PER_S,
        .approval = options->approval,
        .url = url,
        .owner = options->owner != NULL ? options->owner : authority_owner(),
        .place = options->place != NULL ? options->place : cli->args[0],
        .purpose = options->purpose,
        .now_s = mu_clock_wall_s(),
    };
    if (url == NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "where the authority is reached is not known") ||
               mu_error_hint(err, "Give --url https://HOST:PORT, or say authority: {url: …} in "
                                  "the configuration.");
    }
    if (!ca_profile_of(ca, options->profile, &wish.profile, err) ||
        !authority_names_read(&options->san, &names, err)) {
        return false;
    }
    wish.names = names->items;
    wish.name_count = names->count;
    bool good =
        ca_token_new(ca, &wish, &text, &id, err) && tell(cli, options, &wish, id, &text, err);
    mu_wipe(text.data, text.len);
    return good;
}

static bool withdraw(const struct cli *cli, struct ca *ca, struct mutual_error *err)
{
    MU_AUTO(inventory_tokens) struct inventory_tokens tokens = {0};
    const struct inventory_token_filter filter = {.name = cli->args[0]};
    size_t count = 0;
    if (!inventory_tokens_get(ca_inventory(ca), &filter, &tokens, err)) {
        return false;
    }
    for (size_t i = 0; i < tokens.count; i++) {
        if (tokens.items[i].used_s != 0) {
            continue;
        }
        if (!ca_token_withdraw(ca, tokens.items[i].id, mu_clock_wall_s(), err)) {
            return false;
        }
        count++;
    }
    if (count == 0) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "\"%s\" has no token that is not used",
                       cli->args[0]) ||
               mu_error_hint(err, "Run: mutual list --tokens.");
    }
    if (cli->json) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 256);
        (void)mu_buf_printf(&out, "{\"withdrawn\":%zu}\n", count);
        return cli_write(cli, &out, err);
    }
    cli_print(cli, "withdrawn  %zu\n", count);
    return true;
}

static int run_token(struct cli *cli, const void *options)
{
    const struct token_options *token = options;
    struct mutual_error err = {0};
    MU_AUTO(ca) struct ca *ca = NULL;
    bool good = authority_open(cli, token->dir, CA_CHANGE, &ca, &err) &&
                (token->withdraw ? withdraw(cli, ca, &err) : make(cli, token, ca, &err));
    return good ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_token = {
    .name = "token",
    .group = CLI_GROUP_CERT,
    .arguments = "NAME",
    .help = "let somebody enrol once as NAME: prints a one-time token",
    .details = "The token is one word that carries where the authority is, the fingerprint of its\n"
               "root and a secret; whoever runs mutual enroll TOKEN first gets the certificate.\n"
               "The store keeps a hash of the secret only. mutual list --tokens shows what is out.",
    .options = token_table,
    .options_size = sizeof(struct token_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_token,
};
