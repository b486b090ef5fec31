/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual access: who may reach a service, what somebody may reach, and would this one be let in?
 * Questions about the policy; the answers are admission's.
 */
#include "cli/question_internal.h"
#include "cli/ready_internal.h"

#include "policy/policy.h"

#include <limits.h>
#include <string.h>

struct access_options {
    int64_t at_s;
    struct cli_texts as; /* test only */
    const char *to;
};

static const char *standing_word(enum mu_standing standing)
{
    static const char *const words[] = {
        [MU_STANDING_HOLDS] = "holds",
        [MU_STANDING_ENDED] = "ended",
        [MU_STANDING_NOT_BEGUN] = "not begun",
    };
    return words[standing];
}

static enum cli_ink standing_ink(enum mu_standing standing)
{
    static const enum cli_ink inks[] = {
        [MU_STANDING_HOLDS] = CLI_GOOD,
        [MU_STANDING_ENDED] = CLI_DIM,
        [MU_STANDING_NOT_BEGUN] = CLI_WARN,
    };
    return inks[standing];
}

/* The answers of one run, as a table or as JSON. */
struct report {
    const struct cli *cli;
    const struct world_service *service; /* who */
    const struct question_names *names;  /* what */
    int64_t now_s;
    struct cli_table *table;
    struct mu_json json;
    struct mu_buf out;
    size_t holds; /* rows that are a yes now */
};

void mu_report_auto(struct report *report);
void mu_report_auto(struct report *report)
{
    cli_table_free(report->table);
    mu_buf_done(&report->out);
}

static bool report_begin(struct report *report, const char *const *heads, struct mutual_error *err)
{
    mu_buf_init(&report->out, QUESTION_TEXT_MAX);
    mu_json_init(&report->json, &report->out);
    mu_json_open(&report->json, NULL, '{');
    report->table = cli_table_new(heads);
    return report->table != NULL || mu_fail_memory(err);
}

static int report_end(struct report *report)
{
    struct mutual_error err = {0};
    mu_json_close(&report->json, '}');
    mu_buf_byte(&report->out, '\n');
    if (!report->cli->json) {
        cli_table_print(report->table, report->cli);
    } else if (!cli_write(report->cli, &report->out, &err)) {
        return cli_fail(report->cli, &err);
    }
    return report->holds > 0 ? CLI_YES : CLI_NO;
}

/* The cells that every table of grants ends with. */
static void grant_cells(struct report *report, const struct mutual_grant *grant,
                        enum mu_standing standing)
{
    struct cli_table *table = report->table;
    MU_AUTO(buf) struct mu_buf when;
    mu_buf_init(&when, 256);
    bool later = standing == MU_STANDING_NOT_BEGUN;
    mu_buf_text(&when, later ? "from " : "");
    question_when(later ? grant->since_s : grant->until_s, report->now_s, &when);
    cli_table_cell(table, CLI_PLAIN, "%s", mu_buf_str(&when));
    cli_table_cell(table, CLI_BOLD, "%s", grant->name);
    cli_table_cell(table, CLI_PLAIN, "%s", grant->owner);
    cli_table_cell(table, CLI_PLAIN, "%s", grant->why);
    if (grant->file != NULL) {
        cli_table_cell(table, CLI_DIM, "%s:%d", grant->file, grant->line);
    } else {
        cli_table_cell(table, CLI_DIM, "-");
    }
}

/* ---- who ------------------------------------------------------------------------------------- */

static void who_row(struct report *report, const struct mutual_grant *grant,
                    enum mu_standing standing, enum cli_ink ink, const char *from)
{
    cli_table_cell(report->table, standing_ink(standing), "%s", standing_word(standing));
    cli_table_cell(report->table, ink, "%s", from);
    grant_cells(report, grant, standing);
}

static void who_rows(struct report *report, const struct mutual_grant *grant,
                     enum mu_standing standing)
{
    for (size_t i = 0; i < grant->from_count; i++) {
        char from[MU_LIMIT_NAME_BYTES + 16];
        (void)snprintf(from, sizeof from, "%s %s",
                       mutual_name_type_word(mutual_pattern_type(grant->from[i])),
                       mutual_pattern_text(grant->from[i]));
        who_row(report, grant, standing, CLI_PLAIN, from);
    }
    if (grant->anyone) {
        who_row(report, grant, standing, CLI_BAD, "ANYONE with a certificate that is trusted");
    }
    if (grant->anonymous) {
        bool asked = report->service->rules.mode == MUTUAL_MODE_REQUEST;
        who_row(report, grant, standing, CLI_BAD,
                asked ? "ANONYMOUS, without a certificate"
                      : "anonymous (no effect: a certificate is required)");
    }
}

static void who_json(struct report *report, const struct mutual_grant *grant,
                     enum mu_standing standing)
{
    struct mu_json *json = &report->json;
    mu_json_open(json, NULL, '{');
    mu_json_string(json, "standing", standing_word(standing));
    question_json_grant(json, "grant", grant);
    mu_json_open(json, "from", '[');
    for (size_t i = 0; i < grant->from_count; i++) {
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "type", mutual_name_type_word(mutual_pattern_type(grant->from[i])));
        mu_json_string(json, "pattern", mutual_pattern_text(grant->from[i]));
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
    mu_json_bool(json, "anyone", grant->anyone);
    mu_json_bool(json, "anonymous", grant->anonymous);
    mu_json_close(json, '}');
}

static bool visit_who(void *context, const struct mutual_grant *grant,
                      const struct mutual_name *name, enum mu_standing standing)
{
    struct report *report = context;
    (void)name;
    bool useful = grant->from_count > 0 || grant->anyone ||
                  report->service->rules.mode == MUTUAL_MODE_REQUEST;
    report->holds += standing == MU_STANDING_HOLDS && useful ? 1 : 0;
    if (report->cli->json) {
        who_json(report, grant, standing);
    } else {
        who_rows(report, grant, standing);
    }
    return true;
}

/* Of an outbound: whose certificates we take the server for. */
static int who_expected(struct report *report)
{
    const struct world_service *service = report->service;
    cli_print(report->cli, "\"%s\" is outbound: it reaches only a server that proves one of\n",
              service->name);
    mu_json_open(&report->json, "expect", '[');
    for (size_t i = 0; i < service->expect_count; i++) {
        const char *type = mutual_name_type_word(mutual_pattern_type(service->expect[i]));
        const char *text = mutual_pattern_text(service->expect[i]);
        cli_print(report->cli, "  %s %s\n", type, text);
        mu_json_open(&report->json, NULL, '{');
        mu_json_string(&report->json, "type", type);
        mu_json_string(&report->json, "pattern", text);
        mu_json_close(&report->json, '}');
    }
    mu_json_close(&report->json, ']');
    report->holds = service->expect_count;
    return report_end(report);
}

static void who_mode(struct report *report)
{
    static const char *const words[] = {
        [MUTUAL_MODE_REQUIRE] = "require",
        [MUTUAL_MODE_REQUEST] = "request",
        [MUTUAL_MODE_NONE] = "none",
        [MUTUAL_MODE_OBSERVE] = "observe",
    };
    const struct cli *cli = report->cli;
    mu_json_string(&report->json, "clients", words[report->service->rules.mode]);
    if (question_admits_all(report->service)) {
        bool observes = report->service->rules.mode == MUTUAL_MODE_OBSERVE;
        report->holds = 1;
        cli_print(cli, "%sEVERYBODY%s: \"%s\" %s; grants to it have no effect%s\n",
                  cli_ink(cli, CLI_BAD), cli_ink(cli, CLI_PLAIN), report->service->name,
                  observes ? "only observes (clients: {mode: observe})"
                           : "asks for no certificate (clients: {mode: none})",
                  observes ? " until its mode is require" : "");
    }
}

/* Grants that only tomorrow's policy has, or has no more. */
static void who_tried(struct report *report, const struct world *world)
{
    const struct config *config = world->config;
    mu_json_open(&report->json, "tried", '[');
    for (size_t i = 0; i < config->grant_count; i++) {
        const struct config_grant *grant = &config->grants[i];
        bool meant = false;
        for (size_t t = 0; t < grant->to.count; t++) {
            meant = meant || strcmp(grant->to.items[t], report->service->name) == 0 ||
                    strcmp(grant->to.items[t], "*") == 0;
        }
        if (!meant || grant->shadow == CONFIG_SHADOW_NONE) {
            continue;
        }
        bool added = grant->shadow == CONFIG_SHADOW_ADD;
        mu_json_open(&report->json, NULL, '{');
        mu_json_string(&report->json, "grant", grant->name);
        mu_json_string(&report->json, "shadow", added ? "add" : "remove");
        mu_json_close(&report->json, '}');
        cli_print(report->cli, "tried: grant \"%s\" (%s:%u) is %s tomorrow\n", grant->name,
                  grant->mark.file, grant->mark.line,
                  added ? "added, and lets nobody in yet" : "removed, and still lets in");
    }
    mu_json_close(&report->json, ']');
}

static int run_who(struct cli *cli, const void *given)
{
    static const char *const heads[] = {"STANDING", "FROM", "UNTIL",   "GRANT",
                                        "OWNER",    "WHY",  "WRITTEN", NULL};
    const struct access_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(world) const struct world *world = NULL;
    MU_AUTO(report) struct report report = {.cli = cli, .now_s = question_time(options->at_s)};
    int status = CLI_NO;
    if (!question_world(cli, report.now_s, &world, &status)) {
        return status;
    }
    report.service = world_ask_service(world, cli->args[0], &err);
    if (report.service == NULL || !report_begin(&report, heads, &err)) {
        return cli_fail(cli, &err);
    }
    mu_json_string(&report.json, "service", report.service->name);
    question_json_time(&report.json, "at", report.now_s);
    if (report.service->inbound == NULL) {
        return who_expected(&report);
    }
    who_mode(&report);
    mu_json_open(&report.json, "grants", '[');
    mu_policy_who(world->policy, report.service->name, report.now_s, visit_who, &report);
    mu_json_close(&report.json, ']');
    who_tried(&report, world);
    if (report.table != NULL && report.holds == 0) {
        cli_print(cli, "nobody may reach \"%s\" now\n", report.service->name);
    }
    return report_end(&report);
}

/* ---- what ------------------------------------------------------------------------------------ */

static void what_service(struct report *report, const struct world *world,
                         const struct world_service *service)
{
    const struct mu_question question = {.names = report->names->items,
                                         .name_count = report->names->count};
    struct mu_answer answer = mu_admit_ask(&question, &service->rules, report->now_s);
    if (!answer.allowed) {
        return;
    }
    report->holds++;
    const struct question_told told = {
        world, service, report->names->items, report->names->count, report->now_s, &answer};
    mu_json_open(&report->json, NULL, '{');
    question_json(&told, &report->json);
    mu_json_close(&report->json, '}');
    cli_table_cell(report->table, CLI_GOOD, "now");
    cli_table_cell(report->table, CLI_PLAIN, "%s", service->name);
    if (answer.grant != NULL) {
        grant_cells(report, answer.grant, MU_STANDING_HOLDS);
        return;
    }
    cli_table_cell(report->table, CLI_PLAIN, "no end");
    cli_table_cell(report->table, CLI_BAD, "EVERYBODY: %s",
                   service->rules.mode == MUTUAL_MODE_OBSERVE ? "the listener only observes"
                                                              : "no certificate is asked for");
    for (int i = 0; i < 3; i++) {
        cli_table_cell(report->table, CLI_PLAIN, "-");
    }
}

/* On the deny list they reach nothing that asks who they are, whatever is granted. */
static void what_denied(struct report *report, const struct world *world)
{
    const struct mutual_name *name = NULL;
    const struct mutual_denial *denial =
        world->deny == NULL
            ? NULL
            : mu_deny_find_name(world->deny, report->names->items, report->names->count, &name);
    if (denial == NULL) {
        mu_json_null(&report->json, "denied");
        return;
    }
    MU_AUTO(buf) struct mu_buf why;
    mu_buf_init(&why, 8192);
    mu_escape(&why, mu_slice_text(denial->owner));
    mu_buf_text(&why, ": ");
    mu_escape(&why, mu_slice_text(denial->reason));
    mu_json_open(&report->json, "denied", '{');
    mu_json_string(&report->json, "file", denial->file);
    mu_json_int(&report->json, "line", denial->line);
    mu_json_string(&report->json, "owner", denial->owner);
    mu_json_string(&report->json, "reason", denial->reason);
    mu_json_close(&report->json, '}');
    cli_print(report->cli, "%s %sdenied%s at %s:%d by %s\n", mutual_name_type_word(name->type),
              cli_ink(report->cli, CLI_BAD), cli_ink(report->cli, CLI_PLAIN), denial->file,
              denial->line, mu_buf_str(&why));
}

/* Grants that would let them in at another time. */
static bool visit_other_time(void *context, const struct mutual_grant *grant,
                             const struct mutual_name *name, enum mu_standing standing)
{
    struct report *report = context;
    (void)name;
    if (standing == MU_STANDING_HOLDS) {
        return true;
    }
    mu_json_open(&report->json, NULL, '{');
    mu_json_string(&report->json, "standing", standing_word(standing));
    question_json_grant(&report->json, "grant", grant);
    mu_json_close(&report->json, '}');
    cli_table_cell(report->table, standing_ink(standing), "%s", standing_word(standing));
    cli_table_cell(report->table, CLI_DIM, "%s",
                   strcmp(grant->to, "*") == 0 ? "every service" : grant->to);
    grant_cells(report, grant, standing);
    return true;
}

static int run_what(struct cli *cli, const void *given)
{
    static const char *const heads[] = {"STANDING", "SERVICE", "UNTIL",   "GRANT",
                                        "OWNER",    "WHY",     "WRITTEN", NULL};
    const struct access_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(world) const struct world *world = NULL;
    MU_AUTO(question_names) struct question_names names = {0};
    MU_AUTO(report) struct report report = {.cli = cli, .now_s = question_time(options->at_s)};
    int status = CLI_NO;
    if (!question_names_parse(cli->args, cli->arg_count, &names, &err)) {
        return cli_fail(cli, &err);
    }
    if (!question_world(cli, report.now_s, &world, &status)) {
        return status;
    }
    if (!report_begin(&report, heads, &err)) {
        return cli_fail(cli, &err);
    }
    report.names = &names;
    question_json_time(&report.json, "at", report.now_s);
    what_denied(&report, world);
    mu_json_open(&report.json, "reaches", '[');
    for (size_t i = 0; i < world->service_count; i++) {
        if (world->services[i].inbound != NULL) {
            what_service(&report, world, &world->services[i]);
        }
    }
    mu_json_close(&report.json, ']');
    mu_json_open(&report.json, "other_times", '[');
    mu_policy_what(world->policy, names.items, names.count, report.now_s, visit_other_time,
                   &report);
    mu_json_close(&report.json, ']');
    if (report.holds == 0) {
        MU_AUTO(buf) struct mu_buf who;
        mu_buf_init(&who, 4 * MU_LIMIT_NAME_BYTES + 64);
        question_who(names.items, names.count, &who);
        cli_print(cli, "%s may reach no service now\n", mu_buf_str(&who));
    }
    return report_end(&report);
}

/* ---- test ------------------------------------------------------------------------------------ */

static int run_test(struct cli *cli, const void *given)
{
    const struct access_options *options = given;
    struct mutual_error err = {0};
    MU_AUTO(world) const struct world *world = NULL;
    MU_AUTO(question_names) struct question_names names = {0};
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, QUESTION_TEXT_MAX);
    int64_t now_s = question_time(options->at_s);
    int status = CLI_NO;
    if (!question_names_parse(options->as.items, options->as.count, &names, &err)) {
        return cli_fail(cli, &err);
    }
    if (!question_world(cli, now_s, &world, &status)) {
        return status;
    }
    const struct world_service *service = world_ask_service(world, options->to, &err);
    if (service == NULL) {
        return cli_fail(cli, &err);
    }
    const struct mu_question question = {.names = names.items, .name_count = names.count};
    struct mu_answer answer = mu_admit_ask(&question, &service->rules, now_s);
    const struct question_told told = {world, service, names.items, names.count, now_s, &answer};
    if (cli->json) {
        struct mu_json json;
        mu_json_init(&json, &out);
        mu_json_open(&json, NULL, '{');
        question_json(&told, &json);
        mu_json_close(&json, '}');
        mu_buf_byte(&out, '\n');
    } else {
        question_text(&told, cli, &out);
    }
    if (!cli_write(cli, &out, &err)) {
        return cli_fail(cli, &err);
    }
    return answer.allowed ? CLI_YES : CLI_NO;
}

/* ---- ready ----------------------------------------------------------------------------------- */

static int run_ready(struct cli *cli, const void *given)
{
    enum { LEAST_S = 86400 };
    struct ready_options options = *(const struct ready_options *)given;
    if (options.least_ns == 0) {
        options.least_ns = LEAST_S * MU_NS_PER_S;
    }
    return ready_run(cli, &options);
}

/* ---- the verb -------------------------------------------------------------------------------- */

#define A(field_) offsetof(struct access_options, field_)
#define AT_ROW                                                              \
    {                                                                       \
        .name = "at", .kind = CLI_TIME, .offset = A(at_s), .value = "TIME", \
        .help = "answer for that time: 2027-01-31"                          \
    }
#define READY(field_) offsetof(struct ready_options, field_)
static const struct cli_option ready_table[] = {
    {.name = "since",
     .kind = CLI_DURATION,
     .offset = READY(since_ns),
     .value = "DURATION",
     .help = "only callers seen within that time, such as 30d"},
    {.name = "least",
     .kind = CLI_DURATION,
     .offset = READY(least_ns),
     .value = "DURATION",
     .help = "for how long it must have been observed: 1d when left out"},
    {.name = "control",
     .kind = CLI_PATH,
     .offset = READY(control),
     .value = "PATH",
     .help = "the gateway's control socket"},
    {.name = NULL},
};
static const struct cli_option walk_table[] = {AT_ROW, {.name = NULL}};
static const struct cli_option test_table[] = {
    {.name = "as",
     .kind = CLI_TEXTS,
     .offset = A(as),
     .value = "IDENTITY",
     .help = "a name of the peer's certificate, or anonymous",
     .required = true},
    {.name = "to",
     .kind = CLI_TEXT,
     .offset = A(to),
     .value = "SERVICE",
     .help = "the inbound it connects to, or the outbound it is the server of",
     .required = true},
    AT_ROW,
    {.name = NULL},
};
#undef A

static const struct cli_verb subs[] = {
    {.name = "who",
     .arguments = "SERVICE",
     .help = "list who may reach a service, by every grant to it",
     .details = "One row for each pattern: whether its grant holds, has ended or has not begun,\n"
                "until when, who answers for it, why, and where it is written. Exit status 1 when\n"
                "nobody may reach it.",
     .options = walk_table,
     .options_size = sizeof(struct access_options),
     .min_args = 1,
     .max_args = 1,
     .run = run_who},
    {.name = "what",
     .arguments = "IDENTITY ...",
     .help = "list what somebody may reach, now and by grants of other times",
     .details = "Several identities are the names of one certificate. Exit status 1 when nothing\n"
                "can be reached.",
     .options = walk_table,
     .options_size = sizeof(struct access_options),
     .min_args = 1,
     .max_args = UINT_MAX,
     .run = run_what},
    {.name = "test",
     .help = "answer whether somebody would be let in, and by which grant or why not",
     .details =
         "A refusal names the grant that has ended or has not begun, or the pattern that is\n"
         "spelled nearest, and the line to add to the policy.",
     .options = test_table,
     .options_size = sizeof(struct access_options),
     .run = run_test},
    {.name = "ready",
     .arguments = "SERVICE",
     .help = "list the callers that tomorrow's rules would refuse, and what each lacks",
     .details =
         "Asks the running gateway whom it saw at a listener, or LISTENER/HOST, with mode observe\n"
         "or with grants that are tried (shadow). A caller is an identity, or an address where\n"
         "none was proved. Exit status 0 when nobody would be refused and there is evidence\n"
         "enough to say so; 1 when somebody would, or when it is too early.",
     .options = ready_table,
     .options_size = sizeof(struct ready_options),
     .min_args = 1,
     .max_args = 1,
     .run = run_ready},
    {.name = NULL},
};

const struct cli_verb cli_verb_access = {
    .name = "access",
    .group = CLI_GROUP_KNOW,
    .help = "answer who may reach what: who, what, test, ready",
    .details = "The answers come from the function that admits connections, over the\n"
               "configuration as it is written; nothing need be running. A name that is asked\n"
               "about is supposed to be proved by a certificate that the service trusts;\n"
               "mutual check --cert answers for a certificate itself.\n"
               "An identity is written spiffe://example.org/a, or with its type before a colon:\n"
               "dns:, email:, ip:, uri:, cn:, spiffe:. Without a type a host name, a mailbox or\n"
               "an address is meant.",
    .subs = subs,
};
