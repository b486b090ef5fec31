/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual revoke WHO: takes a certificate back and publishes the list that says so.
 */
#include "cli/authority_internal.h"

#include <ctype.h>
#include <string.h>

struct revoke_options {
    const char *dir, *reason;
};

#define O(field_) offsetof(struct revoke_options, field_)
static const struct cli_option revoke_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "reason",
     .letter = 'r',
     .kind = CLI_TEXT,
     .offset = O(reason),
     .value = "REASON",
     .dflt = "unspecified",
     .help = "why: key-compromise, superseded, cessation-of-operation, ..."},
    {.name = NULL},
};
#undef O

/* "key-compromise" is what people type, "keyCompromise" what RFC 5280 section 5.3.1 calls it. Hold
 * and its removal are left out: a certificate that may come back was never revoked. */
static bool parse_reason(const char *text, enum mu_reason *ret_reason, struct mutual_error *err)
{
    char word[64];
    size_t len = 0;
    for (const char *p = text; *p != '\0' && len < sizeof word - 1; p++) {
        bool joined = *p == '-' || *p == '_';
        if (joined && p[1] != '\0') {
            p++;
        }
        word[len++] = (char)(joined ? toupper((unsigned char)*p) : *p);
    }
    word[len] = '\0';
    enum mu_reason reason;
    if (mu_reason_find(word, &reason) && reason != MU_REASON_HOLD && reason != MU_REASON_REMOVE) {
        *ret_reason = reason;
        return true;
    }
    return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%s\" is not a revocation reason", text) ||
           mu_error_hint(err, "One of: unspecified, key-compromise, affiliation-changed, "
                              "superseded, cessation-of-operation, privilege-withdrawn.");
}

static void told(const struct cli *cli, const struct ca *ca, const struct inventory_record *record,
                 enum mu_reason reason, struct mu_buf *out)
{
    MU_AUTO(buf) struct mu_buf serial;
    mu_buf_init(&serial, 256);
    mu_hex(&serial, record->serial);
    if (!cli->json) {
        mu_buf_printf(out, "revoked  %s   serial %s, reason %s\n", record->name,
                      mu_buf_str(&serial), mu_reason_word(reason));
        mu_buf_printf(out,
                      "wrote    %s\n"
                      "next     gateways that watch this file apply it now; to others: systemctl "
                      "reload mutual\n",
                      ca_crl_path(ca));
        return;
    }
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "name", record->name);
    mu_json_string(&json, "serial", mu_buf_str(&serial));
    mu_json_string(&json, "reason", mu_reason_word(reason));
    mu_json_string(&json, "crl", ca_crl_path(ca));
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
}

static bool run_revoke_with(const struct cli *cli, const struct revoke_options *options,
                            struct mutual_error *err)
{
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(inventory_records) struct inventory_records records = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 64u << 10);
    const struct inventory_record *record = NULL;
    enum mu_reason reason = MU_REASON_UNSPECIFIED;
    int64_t now_s = mu_clock_wall_s();
    struct ca_signer signer;
    ca_signer_init_process(&signer);
    if (!parse_reason(options->reason, &reason, err) ||
        !authority_open(cli, options->dir, CA_CHANGE, &ca, err) ||
        !ca_find(ca, cli->args[0], &records, err) ||
        !ca_choose(&records, cli->args[0], CA_WISH_REVOKE, now_s, &record, err) ||
        !ca_revoke(ca, record, reason, &signer, now_s, err)) {
        return false;
    }
    told(cli, ca, record, reason, &out);
    return cli_write(cli, &out, err);
}

static int run_revoke(struct cli *cli, const void *options)
{
    struct mutual_error err = {0};
    return run_revoke_with(cli, options, &err) ? CLI_YES : cli_fail(cli, &err);
}

const struct cli_verb cli_verb_revoke = {
    .name = "revoke",
    .group = CLI_GROUP_CERT,
    .arguments = "NAME|SERIAL|FINGERPRINT|FILE",
    .help = "revoke a certificate and publish the revocation list (CRL)",
    .details = "The list is written to DIRECTORY/authority/issuer.crl. A revoked certificate does\n"
               "not come back; issue a new one instead.",
    .options = revoke_table,
    .options_size = sizeof(struct revoke_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_revoke,
};
