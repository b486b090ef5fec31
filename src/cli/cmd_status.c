/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual status: what a running gateway serves and how it is.
 */
#include "cli/cli_internal.h"

#include <jansson.h>
#include <string.h>

#include "gateway/gateway.h"

struct status_options {
    const char *control;
};

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "-";
}

static long long number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void show_processes(const struct cli *cli, const json_t *status)
{
    static const char *const heads[] = {"PROCESS", "PID", "STATE", "DEATHS", "SANDBOX", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    size_t index;
    const json_t *process;
    json_array_foreach(json_object_get(status, "processes"), index, process)
    {
        const json_t *ready = json_object_get(process, "ready");
        bool up = ready == NULL || json_is_true(ready);
        cli_table_cell(table, CLI_PLAIN, "%s", text_at(process, "role"));
        cli_table_cell(table, CLI_PLAIN, "%lld",
                       json_integer_value(json_object_get(process, "pid")));
        cli_table_cell(table, up ? CLI_GOOD : CLI_BAD, "%s", up ? "up" : "down");
        cli_table_cell(table, CLI_PLAIN, "%lld",
                       json_integer_value(json_object_get(process, "deaths")));
        cli_table_cell(table, CLI_DIM, "%s", text_at(process, "sandbox"));
    }
    cli_table_print(table, cli);
}

static long long figure(const json_t *service, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(service, "figures"), key));
}

static const char *first_end(const json_t *service)
{
    const char *first = "-";
    size_t index;
    const json_t *certificate;
    json_array_foreach(json_object_get(service, "certificates"), index, certificate)
    {
        const char *end = text_at(certificate, "not_after");
        first = first[0] == '-' || strcmp(end, first) < 0 ? end : first;
    }
    return first;
}

static void show_services(const struct cli *cli, const json_t *status)
{
    static const char *const heads[] = {"SERVICE",  "CLIENTS", "LISTENS",      "TARGET", "OPEN",
                                        "ADMITTED", "REFUSED", "CERT EXPIRES", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    size_t index;
    const json_t *service;
    json_array_foreach(json_object_get(status, "services"), index, service)
    {
        const char *listen =
            json_string_value(json_array_get(json_object_get(service, "listen"), 0));
        const char *mode = json_string_value(json_object_get(service, "mode"));
        bool open = mode != NULL && (strcmp(mode, "none") == 0 || strcmp(mode, "observe") == 0);
        cli_table_cell(table, CLI_BOLD, "%s", text_at(service, "name"));
        cli_table_cell(table, open ? CLI_BAD : CLI_PLAIN, "%s", mode != NULL ? mode : "-");
        cli_table_cell(table, CLI_PLAIN, "%s", listen != NULL ? listen : "-");
        cli_table_cell(table, CLI_PLAIN, "%s", text_at(service, "target"));
        cli_table_cell(table, CLI_PLAIN, "%lld", figure(service, "open"));
        cli_table_cell(table, CLI_PLAIN, "%lld", figure(service, "admitted"));
        cli_table_cell(table, CLI_PLAIN, "%lld", figure(service, "refused"));
        cli_table_cell(table, CLI_PLAIN, "%s", first_end(service));
    }
    cli_table_print(table, cli);
}

static void show_list(struct cli_table *table, const json_t *trust, const json_t *list)
{
    bool stale = json_is_true(json_object_get(list, "crl_stale"));
    cli_table_cell(table, CLI_BOLD, "%s", text_at(trust, "name"));
    cli_table_cell(table, CLI_PLAIN, "%s", text_at(list, "issuer"));
    cli_table_cell(table, CLI_PLAIN, "%s%s", text_at(list, "crl_number"),
                   strcmp(text_at(list, "kind"), "delta") == 0 ? " (delta)" : "");
    cli_table_cell(table, CLI_PLAIN, "%lld",
                   json_integer_value(json_object_get(list, "crl_entries")));
    cli_table_cell(table, CLI_PLAIN, "%s", text_at(list, "this_update"));
    cli_table_cell(table, stale ? CLI_BAD : CLI_PLAIN, "%s", text_at(list, "next_update"));
    cli_table_cell(table, stale ? CLI_BAD : CLI_DIM, "%s", text_at(list, "when_stale"));
}

/* Nothing where there are no lists. */
static void show_lists(const struct cli *cli, const json_t *status)
{
    static const char *const heads[] = {"TRUST",   "REVOCATION LIST OF", "NUMBER",     "ENTRIES",
                                        "UPDATED", "NEXT UPDATE",        "WHEN STALE", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    size_t t;
    const json_t *trust;
    size_t count = 0;
    json_array_foreach(json_object_get(status, "trust"), t, trust)
    {
        size_t i;
        const json_t *list;
        json_array_foreach(json_object_get(trust, "lists"), i, list)
        {
            show_list(table, trust, list);
            count++;
        }
    }
    if (count > 0) {
        cli_print(cli, "\n");
        cli_table_print(table, cli);
    }
}

/* Nothing where there is none. */
static void show_authority(const struct cli *cli, const json_t *authority)
{
    static const char *const heads[] = {"ISSUER", "CERT EXPIRES", "REVOCATION LIST", "NEXT UPDATE",
                                        NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    size_t i;
    const json_t *issuer;
    long long waiting = number_at(authority, "requests_waiting");
    if (!json_is_object(authority)) {
        return;
    }
    cli_print(cli,
              "\nauthority: %lld certificates issued, %lld valid, %lld revoked; %lld tokens open, "
              "%s%lld request%s wait%s%s (mutual list --pending)%s\n",
              number_at(authority, "issued"), number_at(authority, "valid"),
              number_at(authority, "revoked"), number_at(authority, "tokens_open"),
              cli_ink(cli, waiting > 0 ? CLI_BAD : CLI_PLAIN), waiting, waiting == 1 ? "" : "s",
              waiting == 1 ? "s" : "", cli_ink(cli, CLI_PLAIN),
              json_is_false(json_object_get(authority, "store_connected"))
                  ? "; its store cannot be reached"
                  : "");
    json_array_foreach(json_object_get(authority, "issuers"), i, issuer)
    {
        bool due = json_is_true(json_object_get(issuer, "crl_due"));
        cli_table_cell(table, CLI_BOLD, "%s", text_at(issuer, "name"));
        cli_table_cell(table, CLI_PLAIN, "%s", text_at(issuer, "not_after"));
        if (json_is_string(json_object_get(issuer, "crl_next_update"))) {
            cli_table_cell(table, due ? CLI_BAD : CLI_PLAIN, "%lld%s",
                           number_at(issuer, "crl_number"), due ? " (another is due)" : "");
        } else {
            cli_table_cell(table, CLI_PLAIN, "-"); /* a root of whose issuers none was revoked */
        }
        cli_table_cell(table, CLI_PLAIN, "%s", text_at(issuer, "crl_next_update"));
    }
    cli_table_print(table, cli);
}

/* Nothing where there is no list. */
static void show_deny(const struct cli *cli, const json_t *deny)
{
    if (json_is_object(deny)) {
        cli_print(cli, "\n%lld denied by %s\n", number_at(deny, "entries"), text_at(deny, "file"));
    }
}

static void show_staple(struct cli_table *table, const char *service, const json_t *certificate)
{
    const json_t *staple = json_object_get(certificate, "staple");
    const char *code = json_string_value(json_object_get(staple, "code"));
    const char *url = json_string_value(json_object_get(staple, "url"));
    bool good = json_is_true(json_object_get(staple, "good"));
    bool must = json_is_true(json_object_get(staple, "must_staple"));
    cli_table_cell(table, CLI_BOLD, "%s", service);
    cli_table_cell(table, CLI_PLAIN, "%s", url != NULL ? url : text_at(staple, "source"));
    cli_table_cell(table, good && code == NULL ? CLI_GOOD : CLI_BAD, "%s%s%s%s",
                   good ? "sent" : "none", code != NULL ? ", " : "", code != NULL ? code : "",
                   must && !good ? ", demanded" : "");
    cli_table_cell(table, CLI_PLAIN, "%s",
                   json_is_string(json_object_get(staple, "produced"))
                       ? text_at(staple, "produced")
                       : text_at(staple, "this_update"));
    cli_table_cell(table, CLI_PLAIN, "%s", text_at(staple, "next_update"));
}

/* Nothing where nothing is stapled, or is to be. */
static void show_staples(const struct cli *cli, const json_t *status)
{
    static const char *const heads[] = {"SERVICE",  "STAPLE FROM", "STATE",
                                        "PRODUCED", "NEXT UPDATE", NULL};
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    size_t count = 0;
    size_t s;
    const json_t *service;
    json_array_foreach(json_object_get(status, "services"), s, service)
    {
        size_t i;
        const json_t *certificate;
        json_array_foreach(json_object_get(service, "certificates"), i, certificate)
        {
            if (json_is_object(json_object_get(certificate, "staple"))) {
                show_staple(table, text_at(service, "name"), certificate);
                count++;
            }
        }
    }
    if (count > 0) {
        cli_print(cli, "\n");
        cli_table_print(table, cli);
    }
}

static void show_changes(const struct cli *cli, const json_t *changes)
{
    const json_t *last = json_object_get(changes, "last");
    if (json_is_object(last)) {
        cli_print(cli,
                  "the last change (%s) at %s: of %lld open connections %lld were affected, %lld "
                  "closed, %lld kept, in %lld ms\n",
                  text_at(last, "what"), text_at(last, "at"), number_at(last, "open"),
                  number_at(last, "affected"), number_at(last, "closed"), number_at(last, "kept"),
                  number_at(last, "took_ms"));
    }
    if (number_at(changes, "affected") > 0) {
        cli_print(cli, "in all: %lld affected, %lld closed (%lld could not be judged), %lld kept\n",
                  number_at(changes, "affected"), number_at(changes, "closed"),
                  number_at(changes, "unjudged"), number_at(changes, "kept"));
    }
}

/* What is fetched, when there is anything. */
static void show_fetched(const struct cli *cli, const json_t *status)
{
    static const char *const heads[] = {"FETCHED",      "FOR",         "STATE", "LAST SUCCESS",
                                        "NEXT ATTEMPT", "NEXT UPDATE", NULL};
    const json_t *fetched = json_object_get(status, "fetched");
    if (json_array_size(fetched) == 0) {
        return;
    }
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(heads);
    size_t index;
    const json_t *source;
    json_array_foreach(fetched, index, source)
    {
        const char *code = json_string_value(json_object_get(source, "code"));
        cli_table_cell(table, CLI_BOLD, "%s", text_at(source, "url"));
        cli_table_cell(table, CLI_PLAIN, "%s",
                       json_is_string(json_object_get(source, "trust")) ? text_at(source, "trust")
                                                                        : text_at(source, "chain"));
        cli_table_cell(table, code == NULL ? CLI_GOOD : CLI_BAD, "%s", code == NULL ? "ok" : code);
        cli_table_cell(table, CLI_PLAIN, "%s", text_at(source, "last_success"));
        cli_table_cell(table, CLI_PLAIN, "%s", text_at(source, "next_attempt"));
        cli_table_cell(table, CLI_PLAIN, "%s", text_at(source, "next_update"));
    }
    cli_print(cli, "\n");
    cli_table_print(table, cli);
    json_array_foreach(fetched, index, source)
    {
        if (json_is_string(json_object_get(source, "why"))) {
            cli_print(cli, "%s: %s\n", text_at(source, "url"), text_at(source, "why"));
        }
    }
}

static void show(const struct cli *cli, const json_t *status)
{
    bool ok = json_is_true(json_object_get(status, "ok"));
    const json_t *reload = json_object_get(status, "reload");
    cli_print(cli, "%s%s%s since %s\n", cli_ink(cli, ok ? CLI_GOOD : CLI_BAD),
              text_at(status, "status"), cli_ink(cli, CLI_PLAIN), text_at(status, "started"));
    if (json_is_false(json_object_get(reload, "ok"))) {
        cli_print(cli, "%sthe last reload was refused%s at %s: %s\n", cli_ink(cli, CLI_BAD),
                  cli_ink(cli, CLI_PLAIN), text_at(reload, "at"), text_at(reload, "why"));
        cli_print(cli, "the configuration from before is in use, since %s the files are others\n",
                  text_at(json_object_get(status, "alarm"), "since"));
    }
    show_changes(cli, json_object_get(status, "changes"));
    cli_print(cli, "\n");
    show_services(cli, status);
    show_authority(cli, json_object_get(status, "authority"));
    show_lists(cli, status);
    show_staples(cli, status);
    show_deny(cli, json_object_get(status, "deny"));
    cli_print(cli, "\n");
    show_processes(cli, status);
    show_fetched(cli, status);
}

static int run_status(struct cli *cli, const void *options)
{
    const struct status_options *given = options;
    struct mutual_error err = {0};
    char path[GATEWAY_PATH_MAX] = "";
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8u << 20);
    if (given->control == NULL && !gateway_control_path(path)) {
        (void)mu_fail(&err, MUTUAL_E_NOT_FOUND,
                      "there is no default place for the control socket without XDG_RUNTIME_DIR");
        (void)mu_error_hint(&err, "Give it with --control, as to mutual serve.");
        return cli_fail(cli, &err);
    }
    if (!gateway_status_read(given->control != NULL ? given->control : path, &text, &err)) {
        return cli_fail(cli, &err);
    }
    json_t *status = json_loads(mu_buf_str(&text), JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_true(json_object_get(status, "ok"));
    if (cli->json) {
        ok = cli_write(cli, &text, &err) && ok;
    } else {
        show(cli, status);
    }
    json_decref(status);
    return ok ? CLI_YES : CLI_NO;
}

static const struct cli_option status_table[] = {
    {.name = "control",
     .kind = CLI_PATH,
     .offset = offsetof(struct status_options, control),
     .value = "PATH",
     .help = "the gateway's control socket"},
    {.name = NULL},
};

const struct cli_verb cli_verb_status = {
    .name = "status",
    .group = CLI_GROUP_SERVE,
    .help = "show the state of a running gateway: services, processes, figures",
    .details = "Exit status: 0 it serves and is well, 1 it is not, or a reload was refused.",
    .options = status_table,
    .options_size = sizeof(struct status_options),
    .run = run_status,
};
