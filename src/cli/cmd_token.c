/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual token NAME: lets somebody enrol once, as NAME; or takes that back.
 */
#include "cli/qr_internal.h"
#include "cli/reach_internal.h"

#include <string.h>

struct token_options {
    struct reach_options at;
    const char *profile, *url, *owner, *place, *purpose;
    struct authority_san san;
    int64_t ttl_ns, life_ns;
    bool approval, qr, withdraw;
};

#define O(field_) offsetof(struct token_options, field_)
static const struct cli_option token_table[] = {
    REACH_OPTIONS(O(at)),
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

static bool tell(const struct cli *cli, const struct token_options *options, const json_t *made,
                 struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf out;
    const char *text = reach_text(made, "token");
    mu_buf_init(&out, 1u << 20);
    if (options->qr && !cli->json && !qr_draw(text, &out, err)) {
        return false;
    }
    if (cli->json) {
        if (!reach_print(made, &out, err)) {
            return false;
        }
    } else {
        (void)mu_buf_printf(&out, "%s\n", text);
        cli_say(cli,
                "token %lld for \"%s\" (%s) holds until %s, for one certificate%s\n"
                "next: mutual enroll TOKEN\n",
                (long long)json_integer_value(json_object_get(made, "id")),
                reach_text(made, "name"), reach_text(made, "profile"), reach_text(made, "until"),
                options->approval ? ", after mutual approve" : "");
    }
    bool written = cli_write(cli, &out, err);
    mu_wipe(out.data, out.len);
    return written;
}

static json_t *body_of(const struct cli *cli, const struct token_options *options,
                       const struct ca_names *names)
{
    json_t *body = json_object();
    reach_put(body, "name", cli->args[0]);
    reach_put(body, "profile", options->profile);
    reach_put(body, "url", options->url);
    reach_put(body, "owner", options->owner != NULL ? options->owner : authority_owner());
    reach_put(body, "place", options->place);
    reach_put(body, "purpose", options->purpose);
    reach_put_number(body, "life", options->life_ns / MU_NS_PER_S);
    reach_put_number(body, "ttl", options->ttl_ns / MU_NS_PER_S);
    (void)json_object_set_new(body, "approval", json_boolean(options->approval));
    (void)json_object_set_new(body, "names", reach_names(names->items, names->count));
    return body;
}

static bool make(const struct cli *cli, const struct token_options *options, struct reach *reach,
                 struct mutual_error *err)
{
    MU_AUTO(ca_names) struct ca_names names = {0};
    MU_AUTO(api_json) json_t *body = NULL;
    MU_AUTO(api_json) json_t *made = NULL;
    if (!authority_names_read(&options->san, &names, err)) {
        return false;
    }
    body = body_of(cli, options, &names);
    return reach_post(reach, "/tokens", body, &made, err) && tell(cli, options, made, err);
}

struct withdrawing {
    int64_t *ids;
    size_t count, cap;
};

static bool note_token(void *context, const json_t *token, struct mutual_error *err)
{
    struct withdrawing *withdrawing = context;
    if (json_is_true(json_object_get(token, "used"))) {
        return true;
    }
    if (withdrawing->count == withdrawing->cap &&
        !mu_grow((void **)&withdrawing->ids, &withdrawing->cap, withdrawing->count,
                 sizeof *withdrawing->ids, INVENTORY_TOKENS_MAX)) {
        return mu_fail_memory(err);
    }
    withdrawing->ids[withdrawing->count++] = json_integer_value(json_object_get(token, "id"));
    return true;
}

static bool withdraw_one(struct reach *reach, int64_t id, struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *answer = NULL;
    char target[64];
    (void)snprintf(target, sizeof target, "/tokens/%lld", (long long)id);
    return reach_delete(reach, target, &answer, err);
}

static bool withdraw_all(const struct cli *cli, struct reach *reach,
                         struct withdrawing *withdrawing, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf target;
    mu_buf_init(&target, 1u << 14);
    mu_buf_text(&target, "/tokens");
    reach_query(&target, "name", cli->args[0]);
    if (!reach_pages(reach, mu_buf_str(&target), "tokens", 0, note_token, withdrawing, err)) {
        return false;
    }
    for (size_t i = 0; i < withdrawing->count; i++) {
        if (!withdraw_one(reach, withdrawing->ids[i], err)) {
            return false;
        }
    }
    return withdrawing->count > 0 ||
           mu_fail(err, MUTUAL_E_NOT_FOUND, "\"%s\" has no token that is not used", cli->args[0]) ||
           mu_error_hint(err, "Run: mutual list --tokens.");
}

static bool withdraw(const struct cli *cli, struct reach *reach, struct mutual_error *err)
{
    struct withdrawing withdrawing = {0};
    bool good = withdraw_all(cli, reach, &withdrawing, err);
    mu_free(withdrawing.ids);
    if (!good) {
        return false;
    }
    if (cli->json) {
        MU_AUTO(buf) struct mu_buf out;
        mu_buf_init(&out, 256);
        (void)mu_buf_printf(&out, "{\"withdrawn\":%zu}\n", withdrawing.count);
        return cli_write(cli, &out, err);
    }
    cli_print(cli, "withdrawn  %zu\n", withdrawing.count);
    return true;
}

static int run_token(struct cli *cli, const void *options)
{
    const struct token_options *token = options;
    struct mutual_error err = {0};
    MU_AUTO(reach) struct reach *reach = NULL;
    bool good = reach_open(cli, &token->at, CA_CHANGE, &reach, &err) &&
                (token->withdraw ? withdraw(cli, reach, &err) : make(cli, token, reach, &err));
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
