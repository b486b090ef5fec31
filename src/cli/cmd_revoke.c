/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual revoke WHO: takes a certificate of ours back and publishes the list that says so; puts
 * another's, a key or an identity on our own deny list.
 */
#include "cli/denied_internal.h"
#include "cli/question_internal.h"
#include "cli/reach_internal.h"

#include <string.h>

enum { BY_CERTIFICATE, BY_KEY };

struct revoke_options {
    struct reach_options at;
    const char *reason, *list, *serial, *issuer, *key, *identity, *owner;
    int by;
    bool deny, undo;
};

static const char *const by_words[] = {"certificate", "key", NULL};
#define O(field_) offsetof(struct revoke_options, field_)
static const struct cli_option revoke_table[] = {
    REACH_OPTIONS(O(at)),
    {.name = "reason",
     .letter = 'r',
     .kind = CLI_TEXT,
     .offset = O(reason),
     .value = "REASON",
     .help =
         "why: key-compromise, superseded, cessation-of-operation, ...; of an entry in the deny "
         "list any text, and required"},
    {.name = "deny",
     .kind = CLI_FLAG,
     .offset = O(deny),
     .help = "put the certificate in FILE on the deny list, even if it was issued here"},
    {.name = "by",
     .kind = CLI_WORD,
     .offset = O(by),
     .words = by_words,
     .value = "WHAT",
     .dflt = "certificate",
     .help = "deny that certificate, or every certificate of its key"},
    {.name = "serial",
     .kind = CLI_TEXT,
     .offset = O(serial),
     .value = "HEX",
     .help = "deny certificates with this serial number, without a file"},
    {.name = "issuer",
     .kind = CLI_TEXT,
     .offset = O(issuer),
     .value = "NAME",
     .help = "with --serial: only those of this issuer, as mutual show writes it: CN=Issuer,O=Org"},
    {.name = "key",
     .kind = CLI_TEXT,
     .offset = O(key),
     .value = "SHA256",
     .help = "deny every certificate whose SubjectPublicKeyInfo has this SHA-256"},
    {.name = "identity",
     .kind = CLI_TEXT,
     .offset = O(identity),
     .value = "IDENTITY",
     .help = "deny every certificate with this name, or pattern: dns:*.example.org"},
    {.name = "owner",
     .kind = CLI_TEXT,
     .offset = O(owner),
     .value = "WHO",
     .help = "who answers for the entry; you, when left out"},
    {.name = "list",
     .kind = CLI_PATH,
     .offset = O(list),
     .value = "FILE",
     .help = "the deny list; that of the configuration, when left out"},
    {.name = "undo",
     .kind = CLI_FLAG,
     .offset = O(undo),
     .help = "take such an entry of the deny list back"},
    {.name = NULL},
};
#undef O

static bool told(const struct cli *cli, const struct reach *reach, const json_t *revoked,
                 struct mu_buf *out, struct mutual_error *err)
{
    if (cli->json) {
        return reach_print(revoked, out, err);
    }
    mu_buf_printf(out, "revoked  %s   serial %s, reason %s\n", reach_text(revoked, "name"),
                  reach_text(revoked, "serial"), reach_text(revoked, "reason"));
    mu_buf_printf(out,
                  "wrote    %s%s\n"
                  "next     gateways that watch this file apply it now; to others: systemctl "
                  "reload mutual\n",
                  reach_text(revoked, "crl"), reach_ca(reach) != NULL ? "" : " at the authority");
    return !out->failed || mu_fail_memory(err);
}

static bool revoke_one(struct reach *reach, const struct inventory_record *record,
                       const char *reason, json_t **ret_revoked, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf target;
    MU_AUTO(api_json) json_t *body = json_object();
    mu_buf_init(&target, 256);
    mu_buf_text(&target, "/certificates/");
    mu_hex(&target, record->serial);
    mu_buf_text(&target, "/revoke");
    reach_put(body, "reason", reason);
    return reach_post(reach, mu_buf_str(&target), body, ret_revoked, err);
}

static bool run_revoke_with(const struct cli *cli, const struct revoke_options *options,
                            struct mutual_error *err)
{
    MU_AUTO(reach) struct reach *reach = NULL;
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(api_json) json_t *revoked = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 64u << 10);
    const struct inventory_record *record = NULL;
    const char *reason = options->reason != NULL ? options->reason : "unspecified";
    enum mu_reason code;
    if (!reach_open(cli, &options->at, CA_CHANGE, &reach, err) ||
        !reach_find(reach, cli->args[0], &records, err) || !ca_reason_parse(reason, &code, err) ||
        !ca_choose(&records, cli->args[0], CA_WISH_REVOKE, mu_clock_wall_s(), &record, err) ||
        !revoke_one(reach, record, reason, &revoked, err)) {
        return false;
    }
    return told(cli, reach, revoked, &out, err) && cli_write(cli, &out, err);
}

/* ---- the deny list --------------------------------------------------------------------------- */

/* Exactly one thing may be meant. */
static bool check_meant(const struct cli *cli, const struct revoke_options *options,
                        struct mutual_error *err)
{
    size_t count = cli->arg_count + (options->serial != NULL ? 1 : 0) +
                   (options->key != NULL ? 1 : 0) + (options->identity != NULL ? 1 : 0);
    if (count != 1) {
        return mu_fail(err, MUTUAL_E_USAGE,
                       count == 0 ? "nothing is named that could be revoked"
                                  : "more than one thing is named") ||
               mu_error_hint(err, "Give a certificate, or one of --serial, --key and --identity.");
    }
    if (options->issuer != NULL && options->serial == NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "--issuer goes with --serial");
    }
    if (cli->arg_count == 1 && (options->deny || options->undo) &&
        !authority_is_file(cli->args[0])) {
        return mu_fail(err, MUTUAL_E_USAGE, "\"%.100s\" is no file", cli->args[0]) ||
               mu_error_hint(err, "The deny list takes a certificate's file, or one of --serial, "
                                  "--key and --identity. What the authority revoked stays so.");
    }
    return true;
}

static bool change_list(const struct cli *cli, const struct revoke_options *options,
                        struct mutual_error *err)
{
    MU_AUTO(certs) struct mu_certs certs = {0};
    if (cli->arg_count == 1 && !question_certs(cli->args[0], &certs, err)) {
        return false;
    }
    if (options->reason == NULL && !options->undo) {
        return mu_fail(err, MUTUAL_E_USAGE, "an entry of the deny list needs a reason") ||
               mu_error_hint(err, "Say why: --reason \"laptop stolen, INC-1234\".");
    }
    const struct denied_edit edit = {
        .file = options->list,
        .who = {.cert = certs.count > 0 ? certs.items[0] : NULL,
                .by_key = options->by == BY_KEY,
                .serial = options->serial,
                .issuer = options->issuer,
                .key = options->key,
                .identity = options->identity},
        .owner = options->owner != NULL ? options->owner : authority_owner(),
        .reason = options->reason != NULL ? options->reason : "-",
        .now_s = mu_clock_wall_s(),
    };
    return options->undo ? denied_undo(cli, &edit, err) : denied_add(cli, &edit, err);
}

/* Nobody but its issuer can revoke another's certificate; we can refuse it. */
static bool is_foreign(const struct cli *cli, const struct revoke_options *options,
                       const struct mutual_error *why)
{
    bool unknown = why->code == MUTUAL_E_NOT_FOUND || why->code == MUTUAL_E_FILE_MISSING;
    return unknown && authority_is_file(cli->args[0]) &&
           (options->list != NULL || denied_is_configured(cli));
}

static int run_revoke(struct cli *cli, const void *given)
{
    const struct revoke_options *options = given;
    struct mutual_error err = {0};
    bool done = check_meant(cli, options, &err);
    bool ours = cli->arg_count == 1 && !options->deny && !options->undo &&
                options->by == BY_CERTIFICATE && options->list == NULL && options->owner == NULL;
    if (done) {
        done = ours ? run_revoke_with(cli, options, &err) : change_list(cli, options, &err);
    }
    if (!done && ours && is_foreign(cli, options, &err)) {
        const struct mutual_error why = err;
        err = (struct mutual_error){0};
        done = change_list(cli, options, &err);
        if (done) {
            cli_say(cli, "mutual: %s: it is denied here instead\n", why.reason);
        }
    }
    return done ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_revoke = {
    .name = "revoke",
    .group = CLI_GROUP_CERT,
    .arguments = "[NAME|SERIAL|FINGERPRINT|FILE]",
    .help = "revoke a certificate and publish the revocation list (CRL); deny another's",
    .details =
        "The list is written to DIRECTORY/authority/issuer.crl. A revoked certificate does\n"
        "not come back; issue a new one instead.\n"
        "A certificate in FILE that was not issued here is put on the deny list that the\n"
        "configuration names (deny), and so are serial numbers, keys and identities: they are\n"
        "refused by this gateway, as clients and as servers, in open connections too. --undo\n"
        "takes such an entry back; mutual list --denied shows them.",
    .options = revoke_table,
    .options_size = sizeof(struct revoke_options),
    .max_args = 1,
    .run = run_revoke,
};
