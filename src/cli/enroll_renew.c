/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual enroll --renew DIRECTORY: keeps certificates fresh, once or for ever.
 */
#include "cli/enroll_internal.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "enroll/enroll.h"
#include "probe/probe.h"

/* ---- whom to ask -------------------------------------------------------------------------------
 */

/* What enroll.json in the directory says. */
struct whom {
    char url[1024], label[128];
};

static char *settings_path(const char *directory)
{
    MU_AUTO(buf) struct mu_buf path;
    mu_buf_init(&path, 8192);
    return mu_buf_printf(&path, "%s/%s", directory, ENROLL_SETTINGS) ? mu_strdup(mu_buf_str(&path))
                                                                     : NULL;
}

static bool copy(const json_t *settings, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(settings, key));
    (void)snprintf(text, size, "%s", value == NULL ? "" : value);
    return value == NULL || strlen(value) < size;
}

static bool read_whom(const char *directory, struct whom *ret_whom, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text = {0};
    MU_AUTO(free) char *path = settings_path(directory);
    struct mutual_error why = {0};
    if (path == NULL) {
        return mu_fail_memory(err);
    }
    bool there = mu_file_read(path, ENROLL_SETTINGS_MAX, &text, &why);
    json_t *settings = there ? json_loads(mu_buf_str(&text), JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool good = json_is_object(settings) &&
                copy(settings, "url", ret_whom->url, sizeof ret_whom->url) &&
                copy(settings, "label", ret_whom->label, sizeof ret_whom->label) &&
                ret_whom->url[0] != '\0';
    json_decref(settings);
    if (!good) {
        (void)mu_fail(err, MUTUAL_E_USAGE, "nobody says which authority renews \"%s\"", directory);
        return mu_error_hint(err, "Give it once with --url; %s will remember it.", ENROLL_SETTINGS);
    }
    return true;
}

static bool keep_whom(const char *directory, const struct enroll_renewing *given,
                      struct mutual_error *err)
{
    struct mu_json json;
    MU_AUTO(buf) struct mu_buf text;
    MU_AUTO(free) char *path = settings_path(directory);
    mu_buf_init(&text, ENROLL_SETTINGS_MAX);
    mu_json_init(&json, &text);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "url", given->url);
    mu_json_string(&json, "label", given->label);
    mu_json_close(&json, '}');
    (void)mu_buf_byte(&text, '\n');
    if (path == NULL || text.failed) {
        return mu_fail_memory(err);
    }
    return mu_file_write(path, mu_buf_slice(&text), 0644, err);
}

/* ---- a real handshake --------------------------------------------------------------------------
 */

struct place {
    char host[256];
    uint16_t port;
};

static bool read_place(const char *text, struct place *ret_place, struct mutual_error *err)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    bool v6 = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (len == 0 || len >= sizeof ret_place->host || !mu_text_uint(colon + 1, 65535, &port) ||
        port == 0) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%s\" is not HOST:PORT", text);
    }
    (void)snprintf(ret_place->host, sizeof ret_place->host, "%.*s", (int)(v6 ? len - 2 : len),
                   v6 ? text + 1 : text);
    ret_place->port = (uint16_t)port;
    return true;
}

/* Connects as a client with the new certificate and listens whether it is taken. */
static bool prove(void *owner, struct mutual_identity *fresh, struct mutual_trust *live,
                  struct mutual_error *err)
{
    const struct place *place = owner;
    MU_AUTO(probe) struct probe *probe = NULL;
    const struct probe_options options = {.host = place->host,
                                          .port = place->port,
                                          .trust = live,
                                          .identity = fresh,
                                          .timeout_ns = 10 * MU_NS_PER_S,
                                          .listen_ns = MU_NS_PER_S};
    if (!probe_run(&options, &probe, err)) {
        return false;
    }
    const struct mutual_story *story = probe_story(probe);
    if (probe_accepted(probe)) {
        return true;
    }
    if (story->error != NULL && story->error->code != MUTUAL_OK) {
        *err = *story->error;
    } else {
        (void)mu_fail(err, MUTUAL_E_RENEWAL_UNFIT, "the new certificate was not taken");
    }
    return mu_error_context(err, "a handshake with %s:%u", place->host, place->port);
}

/* ---- once --------------------------------------------------------------------------------------
 */

static void tell(const struct cli *cli, const char *directory, const struct enroll_report *report)
{
    char next[MU_TIME_TEXT];
    char until[MU_TIME_TEXT];
    (void)mu_time_format(report->next_s, next);
    (void)mu_time_format(report->until_s, until);
    if (cli->json) {
        struct mu_json json;
        MU_AUTO(buf) struct mu_buf out;
        struct mutual_error lost = {0};
        mu_buf_init(&out, 16384);
        mu_json_init(&json, &out);
        mu_json_open(&json, NULL, '{');
        mu_json_string(&json, "directory", directory);
        mu_json_bool(&json, "renewed", report->outcome == ENROLL_RENEWED);
        mu_json_string(&json, "not_after", until);
        mu_json_string(&json, "next", next);
        mu_json_close(&json, '}');
        (void)mu_buf_byte(&out, '\n');
        (void)cli_write(cli, &out, &lost);
    } else if (report->outcome == ENROLL_RENEWED) {
        cli_print(cli, "%s: renewed, ends %s, next renewal %s\n", directory, until, next);
    } else {
        cli_print(cli, "%s: not due, ends %s, next renewal %s\n", directory, until, next);
    }
    (void)fflush(cli->out);
}

static void tell_failed(const struct cli *cli, const char *directory,
                        const struct enroll_report *report)
{
    char next[MU_TIME_TEXT];
    char until[MU_TIME_TEXT];
    if (report->until_s != 0) {
        cli_say(cli, "%s: %s; the old certificate is in place and ends %s; next try %s\n",
                directory, report->undone ? "the renewal was undone" : "not renewed",
                mu_time_format(report->until_s, until), mu_time_format(report->next_s, next));
    }
}

static bool renew_one(const struct cli *cli, const struct enroll_renewing *given,
                      const char *directory, bool quiet_when_not_due, struct mutual_error *err)
{
    struct whom whom = {0};
    struct place place;
    struct enroll_report report;
    if ((given->url == NULL && !read_whom(directory, &whom, err)) ||
        (given->prove != NULL && !read_place(given->prove, &place, err))) {
        return false;
    }
    const struct enroll_job job = {
        .directory = directory,
        .url = given->url != NULL ? given->url : whom.url,
        .label = given->url != NULL ? given->label : whom.label,
        .trust_file = given->trust,
        .prove = given->prove != NULL ? prove : NULL,
        .owner = &place,
        .hook = {.command = given->run, .pid_file = given->hup},
        .force = given->force,
    };
    if (!enroll_renew(&job, mu_clock_wall_s(), &report, err)) {
        tell_failed(cli, directory, &report);
        return false;
    }
    bool renewed = report.outcome == ENROLL_RENEWED;
    bool kept = given->url == NULL || keep_whom(directory, given, err);
    if (renewed || !quiet_when_not_due) {
        tell(cli, directory, &report);
    }
    return kept;
}

static int once(const struct cli *cli, const struct enroll_renewing *given)
{
    int status = CLI_YES;
    for (size_t i = 0; i < cli->arg_count; i++) {
        struct mutual_error err = {0};
        if (!renew_one(cli, given, cli->args[i], false, &err)) {
            status = cli_fail(cli, &err);
        }
    }
    return status;
}

/* ---- for ever ----------------------------------------------------------------------------------
 */

/* The schedule decides whenever it is looked at; a look every minute sees clocks that were set and
 * a machine that slept. SIGHUP looks at once. */
static int for_ever(const struct cli *cli, const struct enroll_renewing *given)
{
    struct enroll_renewing each = *given;
    const struct timespec minute = {.tv_sec = ENROLL_LOOK_S};
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    bool first = true;
    for (;;) {
        for (size_t i = 0; i < cli->arg_count; i++) {
            struct mutual_error err = {0};
            if (!renew_one(cli, &each, cli->args[i], !first, &err)) {
                (void)cli_fail(cli, &err);
            }
        }
        first = false;
        each.force = false;
        int signo = sigtimedwait(&signals, NULL, &minute);
        if (signo == SIGTERM || signo == SIGINT) {
            return CLI_YES;
        }
    }
}

int enroll_renew_run(struct cli *cli, const struct enroll_renewing *given)
{
    return given->daemon ? for_ever(cli, given) : once(cli, given);
}
