/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual trust: the authorities of each bundle, who was seen below which, and how far a rotation of
 * roots is. Nothing of a rotation is remembered but what the files, the gateway and the inventory
 * say, so there is nothing that could be out of step with them.
 */
#include "cli/trust_internal.h"

#include <string.h>

#include "cli/authority_internal.h"
#include "cli/question_internal.h"
#include "trust/trust.h"
#include "x509/x509.h"

/* ---- anchors --------------------------------------------------------------------------------- */

void trust_fingerprint(const struct mu_cert *cert, char text[65])
{
    MU_AUTO(buf) struct mu_buf print;
    mu_buf_init(&print, 80);
    mu_hex(&print, mu_slice_of(mu_cert_facts(cert)->fingerprint, 32));
    (void)snprintf(text, 65, "%s", mu_buf_str(&print));
}

bool trust_digits(const char *which, char digits[65])
{
    size_t count = 0;
    const char *p = mu_text_starts(which, "SHA256:") ? which + 7 : which;
    for (; *p != '\0'; p++) {
        if (*p == ':') {
            continue;
        }
        char lower = *p >= 'A' && *p <= 'F' ? (char)(*p - 'A' + 'a') : *p;
        if (strchr("0123456789abcdef", lower) == NULL || count == 64) {
            return false;
        }
        digits[count++] = lower;
    }
    digits[count] = '\0';
    return count >= 8;
}

static bool is_meant(const struct mu_cert *anchor, const char *which)
{
    char digits[65];
    char print[65];
    const struct mu_cert_facts *facts = mu_cert_facts(anchor);
    trust_fingerprint(anchor, print);
    return (trust_digits(which, digits) && mu_text_starts(print, digits)) ||
           strcmp(which, facts->subject_text) == 0 || strcmp(which, facts->display) == 0;
}

bool trust_find_anchor(const struct mutual_trust *trust, const char *which,
                       const struct mu_cert **ret_anchor, struct mutual_error *err)
{
    const struct mu_cert *found = NULL;
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        const struct mu_cert *anchor = mu_trust_anchor(trust, i);
        if (!is_meant(anchor, which)) {
            continue;
        }
        if (found != NULL) {
            (void)mu_fail(err, MUTUAL_E_AMBIGUOUS, "\"%s\" fits several authorities of \"%s\"",
                          which, mutual_trust_name(trust));
            return mu_error_hint(err, "Give the fingerprint: mutual trust show %s.",
                                 mutual_trust_name(trust));
        }
        found = anchor;
    }
    if (found == NULL) {
        (void)mu_fail(err, MUTUAL_E_NOT_FOUND, "no authority of \"%s\" is \"%s\"",
                      mutual_trust_name(trust), which);
        return mu_error_hint(err, "Run: mutual trust show %s.", mutual_trust_name(trust));
    }
    *ret_anchor = found;
    return true;
}

const struct mu_cert *trust_newest(const struct mutual_trust *trust)
{
    const struct mu_cert *newest = mu_trust_anchor(trust, 0);
    for (size_t i = 1; i < mutual_trust_anchor_count(trust); i++) {
        const struct mu_cert *anchor = mu_trust_anchor(trust, i);
        if (mu_cert_facts(anchor)->not_before_s >= mu_cert_facts(newest)->not_before_s) {
            newest = anchor;
        }
    }
    return newest;
}

const struct world_trust *trust_block(const struct world *world, const char *name,
                                      struct mutual_error *err)
{
    const struct world_trust *trust = world_trust_find(world, name);
    if (trust == NULL) {
        (void)mu_fail(err, MUTUAL_E_NOT_FOUND, "the configuration has no trust block \"%s\"", name);
        (void)mu_error_hint(err, "Run: mutual trust show.");
    }
    return trust;
}

/* ---- telling --------------------------------------------------------------------------------- */

struct telling {
    struct cli *cli;
    const struct trust_options *options;
    const struct world_trust *trust;
    struct trust_evidence evidence;
    struct mu_json json;
    struct mu_buf out;
    struct cli_table *blockers;
    size_t shown;   /* blockers, of one anchor              */
    bool waits;     /* some old anchor cannot be dropped    */
    bool droppable; /* some can                            */
};

void mu_telling_auto(struct telling *telling);
void mu_telling_auto(struct telling *telling)
{
    trust_evidence_done(&telling->evidence);
    mu_buf_done(&telling->out);
    cli_table_free(telling->blockers);
}

enum { BLOCKERS_SHOWN = 100 };

static void ago(const struct telling *telling, int64_t time_s, char *text, size_t size)
{
    char words[MU_TIME_TEXT];
    int64_t ago_s = telling->evidence.now_s - time_s;
    if (time_s == 0) {
        (void)snprintf(text, size, "never");
    } else {
        (void)snprintf(text, size, "%s ago", mu_duration_words(ago_s > 0 ? ago_s : 0, words));
    }
}

static void row_blocker(void *context, const json_t *row)
{
    struct telling *telling = context;
    char when[MU_TIME_TEXT + 8];
    if (telling->shown++ >= BLOCKERS_SHOWN) {
        return;
    }
    ago(telling, trust_number(row, "last_s"), when, sizeof when);
    cli_table_cell(telling->blockers, CLI_BOLD, "%s", trust_peer(row));
    cli_table_cell(telling->blockers, CLI_PLAIN, "%s", trust_text(row, "service"));
    cli_table_cell(telling->blockers, CLI_PLAIN, "%s", when);
    cli_table_cell(telling->blockers, CLI_DIM, "%s", trust_text(row, "serial"));
    cli_table_cell(telling->blockers, CLI_PLAIN, "%s", trust_text(row, "issuer"));
    cli_table_cell(telling->blockers, CLI_PLAIN, "%s", trust_text(row, "anchor_subject"));
}

static void json_blocker(void *context, const json_t *row)
{
    struct telling *telling = context;
    struct mu_json *json = &telling->json;
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "peer", trust_text(row, "peer"));
    mu_json_string(json, "service", trust_text(row, "service"));
    mu_json_string(json, "serial", trust_text(row, "serial"));
    mu_json_string(json, "issuer", trust_text(row, "issuer"));
    mu_json_string(json, "last", trust_text(row, "last"));
    mu_json_close(json, '}');
}

/* What stands against dropping an anchor, in few words; "" for nothing. */
static void drop_words(struct telling *telling, const struct mu_cert *anchor,
                       const struct trust_standing *standing, char *text, size_t size)
{
    char gap[TRUST_GAP_TEXT];
    const char *name = telling->trust->config->name;
    text[0] = '\0';
    if (mutual_trust_anchor_count(telling->trust->trust) == 1) {
        (void)snprintf(text, size, "it is the only one");
    } else if (anchor == trust_newest(telling->trust->trust)) {
        (void)snprintf(text, size, "it is the newest");
    } else if (standing->blockers > 0) {
        (void)snprintf(text, size, "%zu peer%s still need%s it", standing->blockers,
                       standing->blockers == 1 ? "" : "s", standing->blockers == 1 ? "s" : "");
    } else if (trust_gap(&telling->evidence, telling->options->days, gap)) {
        (void)snprintf(text, size, "no evidence yet");
    } else if (!trust_is_served(&telling->evidence, name, telling->trust->trust)) {
        (void)snprintf(text, size, "the gateway judges by other authorities");
    }
    if (mutual_trust_anchor_count(telling->trust->trust) > 1 &&
        anchor != trust_newest(telling->trust->trust)) {
        telling->waits = telling->waits || text[0] != '\0';
        telling->droppable = telling->droppable || text[0] == '\0';
    }
}

static void put_own(struct telling *telling, const struct mu_cert *anchor)
{
    struct mu_json *json = &telling->json;
    struct trust_own own;
    if (!trust_own_read(telling->cli, telling->options->dir, anchor, telling->evidence.now_s,
                        &own)) {
        mu_json_null(json, "own");
        return;
    }
    mu_json_open(json, "own", '{');
    mu_json_int(json, "count", (int64_t)own.count);
    mu_json_open(json, "first", '[');
    for (size_t i = 0; i < own.count && i < TRUST_OWN_SHOWN; i++) {
        char time[MU_TIME_TEXT];
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "name", own.shown[i].name);
        mu_json_string(json, "serial", own.shown[i].serial);
        mu_json_string(json, "not_after", mu_time_format(own.shown[i].not_after_s, time));
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
    mu_json_close(json, '}');
}

static void json_anchor(struct telling *telling, const struct mu_cert *anchor)
{
    struct mu_json *json = &telling->json;
    const struct mu_cert_facts *facts = mu_cert_facts(anchor);
    const char *name = telling->trust->config->name;
    char text[TRUST_GAP_TEXT];
    char print[65];
    char time[MU_TIME_TEXT];
    trust_fingerprint(anchor, print);
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "subject", facts->subject_text);
    mu_json_string(json, "fingerprint", print);
    mu_json_string(json, "not_after", mu_time_format(facts->not_after_s, time));
    mu_json_open(json, "blockers", '[');
    struct trust_standing standing =
        trust_standing(&telling->evidence, name, facts->fingerprint, json_blocker, telling);
    mu_json_close(json, ']');
    mu_json_int(json, "peers", (int64_t)standing.peers);
    mu_json_string(json, "last",
                   standing.last_s == 0 ? NULL : mu_time_format(standing.last_s, time));
    mu_json_bool(json, "newest", anchor == trust_newest(telling->trust->trust));
    drop_words(telling, anchor, &standing, text, sizeof text);
    mu_json_bool(json, "may_be_dropped", text[0] == '\0');
    mu_json_string(json, "why_not", text[0] == '\0' ? NULL : text);
    put_own(telling, anchor);
    mu_json_close(json, '}');
}

static void json_block(struct telling *telling)
{
    struct mu_json *json = &telling->json;
    const struct config_trust *config = telling->trust->config;
    const struct mutual_trust *trust = telling->trust->trust;
    char gap[TRUST_GAP_TEXT];
    bool missing = trust_gap(&telling->evidence, telling->options->days, gap);
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "name", config->name);
    mu_json_open(json, "files", '[');
    for (size_t i = 0; i < config->bundle.count; i++) {
        mu_json_string(json, NULL, config->bundle.items[i]);
    }
    mu_json_close(json, ']');
    mu_json_bool(json, "served", trust_is_served(&telling->evidence, config->name, trust));
    mu_json_bool(json, "evidence", !missing);
    mu_json_string(json, "evidence_lacks", missing ? gap : NULL);
    mu_json_open(json, "anchors", '[');
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        json_anchor(telling, mu_trust_anchor(trust, i));
    }
    mu_json_close(json, ']');
    mu_json_close(json, '}');
}

/* ---- for people ------------------------------------------------------------------------------ */

static void row_anchor(struct telling *telling, struct cli_table *table,
                       const struct mu_cert *anchor)
{
    const struct mu_cert_facts *facts = mu_cert_facts(anchor);
    char print[65];
    char time[MU_TIME_TEXT + 8];
    char why[TRUST_GAP_TEXT];
    struct trust_standing standing = trust_standing(
        &telling->evidence, telling->trust->config->name, facts->fingerprint, NULL, NULL);
    trust_fingerprint(anchor, print);
    cli_table_cell(table, CLI_BOLD, "%s", facts->subject_text);
    cli_table_cell(table, CLI_DIM, "%.16s", print);
    cli_table_cell(table, facts->not_after_s < telling->evidence.now_s ? CLI_BAD : CLI_PLAIN, "%s",
                   mu_time_format(facts->not_after_s, time));
    if (telling->evidence.seen == NULL) {
        cli_table_cell(table, CLI_PLAIN, "?");
        cli_table_cell(table, CLI_PLAIN, "?");
    } else {
        cli_table_cell(table, CLI_PLAIN, "%zu", standing.peers);
        ago(telling, standing.last_s, time, sizeof time);
        cli_table_cell(table, CLI_PLAIN, "%s", time);
    }
    drop_words(telling, anchor, &standing, why, sizeof why);
    cli_table_cell(table, why[0] == '\0' ? CLI_GOOD : CLI_PLAIN, "%s%s",
                   why[0] == '\0' ? "yes" : "no: ", why);
}

static void tell_own(struct telling *telling, const struct mu_cert *anchor)
{
    struct trust_own own;
    if (!trust_own_read(telling->cli, telling->options->dir, anchor, telling->evidence.now_s,
                        &own) ||
        own.count == 0) {
        return;
    }
    const struct cli *cli = telling->cli;
    cli_print(cli, "  %s%zu certificate%s of the authority here chain%s to \"%s\":",
              own.count > TRUST_OWN_MAX ? "more than " : "",
              own.count > TRUST_OWN_MAX ? (size_t)TRUST_OWN_MAX : own.count,
              own.count == 1 ? "" : "s", own.count == 1 ? "s" : "", mu_cert_facts(anchor)->display);
    for (size_t i = 0; i < own.count && i < 8; i++) {
        cli_print(cli, "%s %s (%.16s)", i == 0 ? "" : ",", own.shown[i].name, own.shown[i].serial);
    }
    cli_print(cli, "%s\n", own.count > 8 ? ", ..." : "");
}

static void tell_steps(struct telling *telling)
{
    const struct cli *cli = telling->cli;
    const struct mutual_trust *trust = telling->trust->trust;
    const char *name = telling->trust->config->name;
    const struct mu_cert *newest = trust_newest(trust);
    char gap[TRUST_GAP_TEXT];
    if (mutual_trust_anchor_count(trust) == 1) {
        cli_print(cli,
                  "  no rotation is under way; begin one with: mutual trust rotate %s --add "
                  "FILE\n",
                  name);
        return;
    }
    struct trust_standing standing =
        trust_standing(&telling->evidence, name, mu_cert_facts(newest)->fingerprint, NULL, NULL);
    bool served = trust_is_served(&telling->evidence, name, trust);
    bool missing = trust_gap(&telling->evidence, telling->options->days, gap);
    cli_print(cli, "  1 add the new       %s\n",
              served                             ? "done: the gateway judges by it"
              : telling->evidence.status == NULL ? "in the file; no gateway answers"
                                                 : "in the file; the gateway has not taken it");
    cli_print(cli, "  2 issue under it    %zu peer%s seen below \"%s\"\n", standing.peers,
              standing.peers == 1 ? "" : "s", mu_cert_facts(newest)->display);
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        if (mu_trust_anchor(trust, i) != newest) {
            tell_own(telling, mu_trust_anchor(trust, i));
        }
    }
    if (missing) {
        cli_print(cli, "  3 wait              %s\n", gap);
    } else {
        cli_print(cli, "  3 wait              %s\n",
                  telling->droppable ? "done: everybody of the last days is known"
                                     : "until the peers below have come with new certificates");
    }
    cli_print(cli, "  4 drop the old      %s\n",
              telling->droppable ? "now: mutual trust rotate NAME --drop FINGERPRINT" : "not yet");
}

static bool tell_block(struct telling *telling, bool blockers, struct mutual_error *err)
{
    static const char *const heads[] = {"AUTHORITY", "FINGERPRINT",    "ENDS", "PEERS",
                                        "LAST SEEN", "MAY BE DROPPED", NULL};
    static const char *const rows[] = {"STILL NEEDS IT", "AT",        "LAST SEEN", "SERIAL",
                                       "ISSUER",         "CHAINS TO", NULL};
    const struct cli *cli = telling->cli;
    const struct config_trust *config = telling->trust->config;
    const struct mutual_trust *trust = telling->trust->trust;
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    telling->blockers = cli_table_new(rows);
    if (table == NULL || telling->blockers == NULL) {
        return mu_fail_memory(err);
    }
    cli_print(cli, "%s%s%s  %s%s\n", cli_ink(cli, CLI_BOLD), config->name, cli_ink(cli, CLI_PLAIN),
              config->bundle.items[0], config->bundle.count > 1 ? " and more" : "");
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        const struct mu_cert *anchor = mu_trust_anchor(trust, i);
        row_anchor(telling, table, anchor);
        if (blockers && anchor != trust_newest(trust)) {
            telling->shown = 0;
            (void)trust_standing(&telling->evidence, config->name,
                                 mu_cert_facts(anchor)->fingerprint, row_blocker, telling);
        }
    }
    cli_table_print(table, cli);
    tell_steps(telling);
    if (telling->shown > 0) {
        cli_print(cli, "\n");
        cli_table_print(telling->blockers, cli);
    }
    if (telling->shown > BLOCKERS_SHOWN) {
        cli_print(cli, "and %zu more; --json has all\n", telling->shown - BLOCKERS_SHOWN);
    }
    cli_table_free(telling->blockers);
    telling->blockers = NULL;
    return true;
}

int trust_tell(struct cli *cli, const struct trust_options *options, const struct world *world,
               const char *name)
{
    MU_AUTO(telling) struct telling telling = {.cli = cli, .options = options};
    struct mutual_error err = {0};
    size_t told = 0;
    if (name != NULL && trust_block(world, name, &err) == NULL) {
        return cli_fail(cli, &err);
    }
    trust_evidence_read(options->control, options->days, &telling.evidence);
    mu_buf_init(&telling.out, 64u << 20);
    mu_json_init(&telling.json, &telling.out);
    mu_json_open(&telling.json, NULL, '{');
    mu_json_int(&telling.json, "days", (int64_t)options->days);
    mu_json_open(&telling.json, "trust", '[');
    for (size_t i = 0; i < world->trust_count; i++) {
        telling.trust = &world->trusts[i];
        if (name != NULL && strcmp(telling.trust->config->name, name) != 0) {
            continue;
        }
        if (cli->json) {
            json_block(&telling);
            continue;
        }
        cli_print(cli, "%s", told++ > 0 ? "\n" : "");
        if (!tell_block(&telling, name != NULL, &err)) {
            return cli_fail(cli, &err);
        }
    }
    mu_json_close(&telling.json, ']');
    mu_json_close(&telling.json, '}');
    (void)mu_buf_byte(&telling.out, '\n');
    if (cli->json && !cli_write(cli, &telling.out, &err)) {
        return cli_fail(cli, &err);
    }
    return telling.waits && !telling.droppable ? CLI_NO : CLI_YES;
}

/* ---- the verb -------------------------------------------------------------------------------- */

/* Of no days at all nobody is evidence. */
static bool check_days(const struct trust_options *options, struct mutual_error *err)
{
    return options->days > 0 || mu_fail(err, MUTUAL_E_USAGE, "--days must be one day at least");
}

static int run_show(struct cli *cli, const void *given)
{
    MU_AUTO(world) const struct world *world = NULL;
    struct mutual_error err = {0};
    int status = 0;
    if (!check_days(given, &err)) {
        return cli_fail(cli, &err);
    }
    if (!question_world(cli, mu_clock_wall_s(), &world, &status)) {
        return status;
    }
    status = trust_tell(cli, given, world, cli->arg_count > 0 ? cli->args[0] : NULL);
    return status == CLI_NO && cli->arg_count == 0 ? CLI_YES : status;
}

static int run_rotate(struct cli *cli, const void *given)
{
    const struct trust_options *options = given;
    struct mutual_error err = {0};
    int wishes = (options->add != NULL) + (options->drop != NULL) + (options->unsafe_drop != NULL);
    if (wishes > 1) {
        (void)mu_fail(&err, MUTUAL_E_USAGE,
                      "--add, --drop and --unsafe-drop are steps of their own");
        return cli_fail(cli, &err);
    }
    if (!check_days(options, &err)) {
        return cli_fail(cli, &err);
    }
    if (options->add != NULL) {
        return trust_run_add(cli, options);
    }
    return wishes > 0 ? trust_run_drop(cli, options) : run_show(cli, given);
}

#define O(field_) offsetof(struct trust_options, field_)
#define EVERY_OPTION                                                                  \
    {.name = "days",                                                                  \
     .kind = CLI_NUMBER,                                                              \
     .offset = O(days),                                                               \
     .value = "N",                                                                    \
     .dflt = "30",                                                                    \
     .max = 89,                                                                       \
     .help = "whoever came in the last N days counts: 30 when left out, at most 89"}, \
        {.name = "control",                                                           \
         .kind = CLI_PATH,                                                            \
         .offset = O(control),                                                        \
         .value = "PATH",                                                             \
         .help = "the gateway's control socket"},                                     \
    {                                                                                 \
        .name = "dir", .kind = CLI_PATH, .offset = O(dir), .value = "DIRECTORY",      \
        .help = "where the authority is kept, if there is one here"                   \
    }

static const struct cli_option show_table[] = {
    EVERY_OPTION,
    {.name = NULL},
};

static const struct cli_option rotate_table[] = {
    {.name = "add",
     .kind = CLI_PATH,
     .offset = O(add),
     .value = "FILE",
     .help = "add the root in this file to the bundle; - is standard input"},
    {.name = "drop",
     .kind = CLI_TEXT,
     .offset = O(drop),
     .value = "AUTHORITY",
     .help = "drop this one, given by fingerprint or subject, unless somebody still needs it"},
    {.name = "unsafe-drop",
     .kind = CLI_TEXT,
     .offset = O(unsafe_drop),
     .value = "AUTHORITY",
     .help = "drop it whoever needs it"},
    {.name = "unsafe-constraints",
     .kind = CLI_FLAG,
     .offset = O(unsafe_constraints),
     .help = "add a root that may vouch for any name where the others may not, or whose name "
             "constraints refuse peers that were seen"},
    {.name = "wait",
     .kind = CLI_DURATION,
     .offset = O(wait_ns),
     .value = "DURATION",
     .dflt = "30s",
     .help = "how long the gateway may take to judge by the new bundle: 30s when left out"},
    EVERY_OPTION,
    {.name = NULL},
};
#undef O

#define O(field_) offsetof(struct trust_root_options, field_)
static const struct cli_option root_table[] = {
    {.name = "dir",
     .kind = CLI_PATH,
     .offset = O(dir),
     .value = "DIRECTORY",
     .help = "where the authority is kept"},
    {.name = "use",
     .kind = CLI_FLAG,
     .offset = O(use),
     .help = "the root that was made is known to everybody: let chains lead to it from now on"},
    {.name = "root-key",
     .kind = CLI_WORD,
     .offset = O(root_key),
     .words = authority_key_words,
     .dflt = "ec-p384",
     .help = "the new root's key"},
    {.name = "root-life",
     .kind = CLI_DURATION,
     .offset = O(root_life_ns),
     .value = "DURATION",
     .dflt = "7305d",
     .help = "how long the new root is valid"},
    {.name = "issuer-life",
     .kind = CLI_DURATION,
     .offset = O(issuer_life_ns),
     .value = "DURATION",
     .dflt = "1826d",
     .help = "how long the issuers are valid below it"},
    {.name = NULL},
};
#undef O

static const struct cli_verb subs[] = {
    {.name = "show",
     .arguments = "[NAME]",
     .help = "list the authorities of each bundle, and how many peers were seen below each",
     .details =
         "With a name it also lists who still needs an older authority, and the exit status\n"
         "is 1 while a rotation has to wait for them.",
     .options = show_table,
     .options_size = sizeof(struct trust_options),
     .max_args = 1,
     .run = run_show},
    {.name = "rotate",
     .arguments = "NAME",
     .help = "replace a root step by step, and refuse steps that would shut somebody out",
     .details =
         "Without --add or --drop it tells how far the rotation is and who blocks it.\n"
         "--add writes the new root into the bundle's file and waits until the gateway judges\n"
         "by it. --drop takes an old one out when there is evidence that nobody needs it: the\n"
         "gateway saw everybody in the last N days (--days), and nobody's chain, of callers or\n"
         "of servers that are called, ended in it. Where somebody did, or where it is not known\n"
         "(the gateway was killed, its clock was set, it keeps its state for a shorter time), it\n"
         "says so and changes nothing. Each step may be run\n"
         "again. What was done is written into the bundle's .history. Exit status: 0 done, or\n"
         "the next step may be made; 1 refused, or to be waited for.",
     .options = rotate_table,
     .options_size = sizeof(struct trust_options),
     .min_args = 1,
     .max_args = 1,
     .run = run_rotate},
    {.name = "new-root",
     .help = "give the authority here a second root, and with --use let it serve",
     .details =
         "Every issuer keeps its key and gets a second certificate, below the new root, so all\n"
         "that was issued goes on and chains to either. ca.crt holds both roots from then on,\n"
         "and so does what is issued and renewed; the chains lead to the old one until --use.\n"
         "In a gateway the file next.crt beside the issuer's key, named as intermediates of a\n"
         "trust block that has both roots, leads everybody to the new one at once. The old root\n"
         "is not needed for any of it. A process that serves the authority is to be started\n"
         "again after --use.",
     .options = root_table,
     .options_size = sizeof(struct trust_root_options),
     .run = trust_run_new_root},
    {.name = NULL},
};

const struct cli_verb cli_verb_trust = {
    .name = "trust",
    .group = CLI_GROUP_KNOW,
    .help = "show who was seen below which authority; rotate roots safely",
    .details = "The running gateway is asked for the peers that it saw, through its control\n"
               "socket; several gateways with one bundle are asked one by one, and a root is\n"
               "dropped where all of them agree.",
    .subs = subs,
};
