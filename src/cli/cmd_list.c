/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual list: how many certificates there are, where, who answers for them, who may use them, and
 * when they end.
 */
#include "cli/authority_internal.h"
#include "cli/denied_internal.h"
#include "cli/lastseen_internal.h"
#include "cli/usage_internal.h"

#include <string.h>

struct list_options {
    const char *dir, *owner, *place, *purpose, *profile;
    int64_t expiring_ns;
    const char *control;
    uint64_t limit;
    bool revoked, interrupted, denied, seen, tokens, pending;
};

#define O(field_) offsetof(struct list_options, field_)
static const struct cli_option list_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "expiring",
     .kind = CLI_DURATION,
     .offset = O(expiring_ns),
     .value = "DURATION",
     .help = "only those that end within this time, or have ended; not the revoked"},
    {.name = "owner",
     .kind = CLI_TEXT,
     .offset = O(owner),
     .value = "TEXT",
     .help = "only those of this owner"},
    {.name = "place",
     .kind = CLI_TEXT,
     .offset = O(place),
     .value = "TEXT",
     .help = "only those at this place"},
    {.name = "purpose",
     .kind = CLI_TEXT,
     .offset = O(purpose),
     .value = "TEXT",
     .help = "only those for this purpose"},
    {.name = "profile",
     .letter = 'p',
     .kind = CLI_TEXT,
     .offset = O(profile),
     .value = "PROFILE",
     .help = "only those of this profile"},
    {.name = "revoked", .kind = CLI_FLAG, .offset = O(revoked), .help = "only the revoked"},
    {.name = "interrupted",
     .kind = CLI_FLAG,
     .offset = O(interrupted),
     .help = "only those whose issuing was interrupted"},
    {.name = "limit",
     .kind = CLI_NUMBER,
     .offset = O(limit),
     .value = "N",
     .max = INT32_MAX,
     .help = "no more than this many, those that end first"},
    {.name = "denied",
     .kind = CLI_FLAG,
     .offset = O(denied),
     .help =
         "the configuration's deny list instead: who is refused whoever issued the certificate"},
    {.name = "tokens",
     .kind = CLI_FLAG,
     .offset = O(tokens),
     .help = "the one-time tokens that are not used, instead of certificates"},
    {.name = "pending",
     .kind = CLI_FLAG,
     .offset = O(pending),
     .help = "the requests that wait for mutual approve, instead of certificates"},
    {.name = "seen",
     .kind = CLI_FLAG,
     .offset = O(seen),
     .help = "also when and where the running gateway saw each last"},
    {.name = "control",
     .kind = CLI_PATH,
     .offset = O(control),
     .value = "PATH",
     .help = "the gateway's control socket, for --seen"},
    {.name = NULL},
};
#undef O

struct listing {
    const struct cli *cli;
    const struct usage *usage;   /* NULL: no policy to go by */
    const struct lastseen *seen; /* NULL: not asked, or no gateway answered */
    bool ask_seen;
    int64_t now_s;
    struct cli_table *table;
    struct mu_json json;
    struct mu_buf *out;
    size_t shown, limit; /* limit 0: none */
};

/* ---- one certificate ------------------------------------------------------------------------- */

struct verdict {
    const char *word;
    enum cli_ink ink;
};

#define SOON_S (INT64_C(14) * 86400)

static struct verdict verdict_of(const struct listing *listing,
                                 const struct inventory_record *record)
{
    if (record->revoked) {
        return (struct verdict){"revoked", CLI_BAD};
    }
    if (record->state == INVENTORY_RESERVED || record->state == INVENTORY_SIGNED) {
        return (struct verdict){"interrupted", CLI_WARN};
    }
    if (record->not_after_s < listing->now_s) {
        return (struct verdict){"expired", CLI_BAD};
    }
    if (record->replaced_by_id != 0) {
        return (struct verdict){"replaced", CLI_DIM};
    }
    return record->not_after_s - listing->now_s < SOON_S ? (struct verdict){"ends soon", CLI_WARN}
                                                         : (struct verdict){"valid", CLI_GOOD};
}

static void join(void *context, const char *service, const char *text)
{
    struct mu_buf *buf = context;
    mu_buf_printf(buf, "%s%s (%s)", buf->len == 0 ? "" : ", ", service, text);
}

/* "reaches web (alice-web)" for a client, "from spiffe://…" for a server. */
static void usage_text(const struct listing *listing, const struct inventory_record *record,
                       struct mu_buf *out)
{
    if (listing->usage == NULL) {
        return;
    }
    MU_AUTO(buf) struct mu_buf part;
    mu_buf_init(&part, 64u << 10);
    usage_reaches(listing->usage, record, join, &part);
    if (part.len > 0) {
        mu_buf_printf(out, "may reach %s", mu_buf_str(&part));
    }
    mu_buf_clear(&part);
    usage_serves(listing->usage, record, join, &part);
    if (part.len > 0) {
        mu_buf_printf(out, "%sreached as %s", out->len == 0 ? "" : "; ", mu_buf_str(&part));
    }
}

#define SERIAL_SHOWN 16 /* hexadecimal digits; enough to name it */

static void row(struct listing *listing, const struct inventory_record *record)
{
    struct verdict verdict = verdict_of(listing, record);
    char words[MU_TIME_TEXT];
    int64_t left_s = record->not_after_s - listing->now_s;
    MU_AUTO(buf) struct mu_buf serial;
    MU_AUTO(buf) struct mu_buf usage;
    mu_buf_init(&serial, 256);
    mu_buf_init(&usage, 64u << 10);
    mu_hex(&serial, record->serial);
    usage_text(listing, record, &usage);
    struct cli_table *table = listing->table;
    cli_table_cell(table, CLI_BOLD, "%s", record->name);
    cli_table_cell(table, CLI_PLAIN, "%s", record->profile);
    cli_table_cell(table, verdict.ink, "%s", verdict.word);
    cli_table_cell(table, CLI_PLAIN, "%s%s",
                   mu_duration_words(left_s < 0 ? -left_s : left_s, words),
                   left_s < 0 ? " ago" : "");
    cli_table_cell(table, CLI_PLAIN, "%s", record->owner);
    cli_table_cell(table, CLI_PLAIN, "%s", record->place);
    cli_table_cell(table, CLI_PLAIN, "%s", record->purpose);
    cli_table_cell(table, CLI_DIM, "%.*s", SERIAL_SHOWN, mu_buf_str(&serial));
    if (listing->seen != NULL) {
        MU_AUTO(buf) struct mu_buf seen;
        mu_buf_init(&seen, 4096);
        lastseen_text(listing->seen, record, listing->now_s, &seen);
        cli_table_cell(table, CLI_PLAIN, "%s", seen.len > 0 ? mu_buf_str(&seen) : "-");
    }
    if (listing->usage != NULL) {
        cli_table_cell(table, CLI_PLAIN, "%s", mu_buf_str(&usage));
    }
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void json_reach(void *context, const char *service, const char *grant)
{
    struct mu_json *json = context;
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "service", service);
    mu_json_string(json, "grant", grant);
    mu_json_close(json, '}');
}

static void json_serve(void *context, const char *service, const char *pattern)
{
    struct mu_json *json = context;
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "service", service);
    mu_json_string(json, "from", pattern);
    mu_json_close(json, '}');
}

static void json_hex(struct mu_json *json, const char *key, struct mu_slice bytes)
{
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 256);
    mu_hex(&hex, bytes);
    mu_json_string(json, key, bytes.len == 0 ? NULL : mu_buf_str(&hex));
}

static void json_names(struct mu_json *json, const struct inventory_record *record)
{
    /* Written as mutual issue and mutual show write them. */
    static const char *const kinds[MUTUAL_NAME_COUNT_] = {
        [MUTUAL_NAME_SPIFFE] = "URI", [MUTUAL_NAME_URI] = "URI",     [MUTUAL_NAME_DNS] = "DNS",
        [MUTUAL_NAME_IP] = "IP",      [MUTUAL_NAME_EMAIL] = "email", [MUTUAL_NAME_CN] = "CN",
    };
    mu_json_open(json, "names", '[');
    for (size_t i = 0; i < record->name_count; i++) {
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 8192);
        mu_buf_printf(&text, "%s:%s", kinds[record->names[i].type], record->names[i].text);
        mu_json_string(json, NULL, mu_buf_str(&text));
    }
    mu_json_close(json, ']');
}

static void object(struct listing *listing, const struct inventory_record *record)
{
    struct mu_json *json = &listing->json;
    char time[MU_TIME_TEXT];
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "name", record->name);
    mu_json_string(json, "profile", record->profile);
    mu_json_string(json, "state", verdict_of(listing, record).word);
    json_hex(json, "serial", record->serial);
    json_hex(json, "fingerprint", record->fingerprint);
    mu_json_string(json, "issuer", record->issuer_name);
    json_names(json, record);
    mu_json_string(json, "key", record->key_text);
    mu_json_string(json, "owner", record->owner);
    mu_json_string(json, "place", record->place);
    mu_json_string(json, "purpose", record->purpose);
    mu_json_string(json, "path", record->path[0] != '\0' ? record->path : NULL);
    mu_json_string(json, "not_before", mu_time_format(record->not_before_s, time));
    mu_json_string(json, "not_after", mu_time_format(record->not_after_s, time));
    mu_json_bool(json, "replaced", record->replaced_by_id != 0);
    if (record->revoked) {
        mu_json_string(json, "revoked_at", mu_time_format(record->revoked_s, time));
        mu_json_string(json, "reason", mu_reason_word(record->reason));
    }
    if (listing->ask_seen) {
        lastseen_json(listing->seen, record, json);
    }
    if (listing->usage != NULL) {
        mu_json_open(json, "may_reach", '[');
        usage_reaches(listing->usage, record, json_reach, json);
        mu_json_close(json, ']');
        mu_json_open(json, "reached_by", '[');
        usage_serves(listing->usage, record, json_serve, json);
        mu_json_close(json, ']');
    }
    mu_json_close(json, '}');
}

/* ---- the list -------------------------------------------------------------------------------- */

static bool walk(struct ca *ca, const struct inventory_filter *filter, bool live_only,
                 struct listing *listing, struct mutual_error *err)
{
    MU_AUTO(inventory_cursor) struct inventory_cursor *cursor = NULL;
    if (!inventory_select(ca_inventory(ca), filter, &cursor, err)) {
        return false;
    }
    for (;;) {
        const struct inventory_record *record = NULL;
        if (listing->limit > 0 && listing->shown == listing->limit) {
            return true;
        }
        if (!inventory_next(cursor, &record, err)) {
            return false;
        }
        if (record == NULL) {
            return true;
        }
        if (live_only && (record->revoked || record->replaced_by_id != 0)) {
            continue;
        }
        listing->shown++;
        if (listing->cli->json) {
            object(listing, record);
        } else {
            row(listing, record);
        }
    }
}

static void summary_text(const struct listing *listing, const struct inventory_counts *counts)
{
    const struct cli *cli = listing->cli;
    char words[MU_TIME_TEXT];
    cli_print(cli, "%s%zu shown; %lld certificate%s in all: %lld valid, %lld expired, %lld revoked",
              listing->shown > 0 ? "\n" : "", listing->shown, (long long)counts->total,
              counts->total == 1 ? "" : "s", (long long)counts->valid, (long long)counts->expired,
              (long long)counts->revoked);
    if (counts->interrupted > 0) {
        cli_print(cli, ", %lld interrupted (the next issue, renew or revoke tidies up)",
                  (long long)counts->interrupted);
    }
    if (counts->next_expiry_s > 0) {
        cli_print(cli, "; the next expires in %s",
                  mu_duration_words(counts->next_expiry_s - listing->now_s, words));
    }
    cli_print(cli, "\n");
}

static void summary_json(struct listing *listing, const struct inventory_counts *counts)
{
    struct mu_json *json = &listing->json;
    char time[MU_TIME_TEXT];
    mu_json_int(json, "shown", (int64_t)listing->shown);
    mu_json_int(json, "total", counts->total);
    mu_json_int(json, "valid", counts->valid);
    mu_json_int(json, "expired", counts->expired);
    mu_json_int(json, "revoked", counts->revoked);
    mu_json_int(json, "interrupted", counts->interrupted);
    mu_json_string(json, "next_expiry",
                   counts->next_expiry_s > 0 ? mu_time_format(counts->next_expiry_s, time) : NULL);
}

static bool print_list(const struct cli *cli, struct ca *ca, const struct inventory_filter *filter,
                       bool live_only, struct listing *listing, struct mutual_error *err)
{
    struct inventory_counts counts;
    if (cli->json) {
        mu_json_open(&listing->json, NULL, '{');
        mu_json_open(&listing->json, "certificates", '[');
    }
    if (!walk(ca, filter, live_only, listing, err) ||
        !inventory_count(ca_inventory(ca), listing->now_s, &counts, err)) {
        return false;
    }
    if (!cli->json) {
        cli_table_print(listing->table, cli);
        summary_text(listing, &counts);
        return true;
    }
    mu_json_close(&listing->json, ']');
    summary_json(listing, &counts);
    mu_json_close(&listing->json, '}');
    mu_buf_byte(listing->out, '\n');
    return cli_write(cli, listing->out, err);
}

#define JSON_MAX (1u << 30)

static bool run_list_with(const struct cli *cli, const struct list_options *options, bool *ret_none,
                          struct mutual_error *err)
{
    MU_AUTO(ca) struct ca *ca = NULL;
    MU_AUTO(usage) struct usage *usage = NULL;
    MU_AUTO(lastseen) struct lastseen *seen = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, JSON_MAX);
    struct listing listing = {.cli = cli, .now_s = mu_clock_wall_s(), .out = &out};
    mu_json_init(&listing.json, &out);
    if (!authority_open(cli, options->dir, CA_LOOK, &ca, err)) {
        return false;
    }
    if (options->tokens || options->pending) {
        return authority_tokens_list(cli, ca, options->pending, err);
    }
    struct mutual_error why = {0};
    if (!usage_load(cli, listing.now_s, &usage, &why) && why.code != MUTUAL_OK) {
        cli_say(cli, "mutual: warning: who may use them is not shown: %s\n", why.reason);
    }
    listing.usage = usage;
    if (options->seen && !lastseen_load(options->control, &seen, &why)) {
        cli_say(cli, "mutual: warning: when they were seen is not shown: %s\n", why.reason);
    }
    listing.seen = seen;
    listing.ask_seen = options->seen;
    listing.limit = (size_t)options->limit;
    const char *last = usage != NULL ? "ACCESS" : NULL;
    const char *const heads[] = {"NAME",
                                 "PROFILE",
                                 "STATE",
                                 "EXPIRES IN",
                                 "OWNER",
                                 "PLACE",
                                 "PURPOSE",
                                 "SERIAL",
                                 seen != NULL ? "LAST SEEN" : last,
                                 seen != NULL ? last : NULL,
                                 NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    if (table == NULL) {
        return mu_fail_memory(err);
    }
    listing.table = table;
    const struct inventory_filter filter = {
        .who = cli->arg_count > 0 ? cli->args[0] : NULL,
        .owner = options->owner,
        .place = options->place,
        .purpose = options->purpose,
        .profile = options->profile,
        .expires_before_s =
            options->expiring_ns > 0 ? listing.now_s + options->expiring_ns / MU_NS_PER_S : 0,
        .revoked = options->revoked,
        .interrupted = options->interrupted,
        .limit = options->expiring_ns > 0 ? 0 : (int64_t)options->limit,
    };
    bool good = print_list(cli, ca, &filter, options->expiring_ns > 0, &listing, err);
    *ret_none = filter.who != NULL && listing.shown == 0;
    return good;
}

static int run_list(struct cli *cli, const void *given)
{
    const struct list_options *options = given;
    struct mutual_error err = {0};
    bool none = false;
    if (options->denied) {
        return denied_list(cli, &err) ? CLI_YES : cli_fail(cli, &err);
    }
    if (!run_list_with(cli, options, &none, &err)) {
        return cli_fail(cli, &err);
    }
    return none ? CLI_NO : CLI_YES;
}

const struct cli_verb cli_verb_list = {
    .name = "list",
    .group = CLI_GROUP_CERT,
    .arguments = "[NAME]",
    .help = "list the certificates: where, whose, for whom and until when",
    .details = "With a configuration it also shows, by its policy, which services a certificate's\n"
               "names may reach and who may reach the services that present it.",
    .options = list_table,
    .options_size = sizeof(struct list_options),
    .max_args = 1,
    .run = run_list,
};
