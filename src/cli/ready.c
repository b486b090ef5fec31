/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual access ready: whom would tomorrow's rules refuse, of those who come today? The running
 * gateway tells whom it saw; what that proves is judged here, and not enough proves nothing.
 */
#include "cli/ready_internal.h"

#include <jansson.h>
#include <string.h>

#include "gateway/gateway.h"

/* What is asked, and what the gateway's answer comes to. */
struct ready {
    const struct cli *cli;
    const struct ready_options *options;
    const char *service;
    const char *mode;
    const char *rules; /* which are those of now */
    bool tries_policy; /* grants are tried       */
    int64_t now_s;
    int64_t observed_s; /* how long under the rules of now */
    int64_t not_kept;
    size_t callers; /* that were let in */
    size_t blocked; /* that would not be, or of whom it is not known */
    struct cli_table *table;
    json_t *list; /* of the blocked */
};

void mu_ready_auto(struct ready *ready);
void mu_ready_auto(struct ready *ready)
{
    cli_table_free(ready->table);
    json_decref(ready->list);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static int64_t number_at(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

/* ---- whom the gateway saw ----------------------------------------------------------------------
 */

static void add_blocked(struct ready *ready, const json_t *seen, bool stale)
{
    const char *lacks = stale ? "RULES_CHANGED" : text_at(seen, "lacks");
    const char *why = stale ? "not seen since the rules changed: what it lacks now is not known"
                            : text_at(seen, "why");
    char words[MU_TIME_TEXT];
    int64_t ago_s = ready->now_s - number_at(seen, "last_s");
    json_t *copy = json_copy((json_t *)(uintptr_t)seen);
    ready->blocked++;
    (void)json_object_set_new(copy, "lacks", json_string(lacks));
    (void)json_object_set_new(copy, "why", json_string(why));
    (void)json_object_del(copy, "rules");
    (void)json_array_append_new(ready->list, copy);
    cli_table_cell(ready->table, CLI_BOLD, "%s", text_at(seen, "caller"));
    cli_table_cell(ready->table, stale ? CLI_WARN : CLI_BAD, "%s", lacks);
    cli_table_cell(ready->table, CLI_PLAIN, "%lld", (long long)number_at(seen, "count"));
    cli_table_cell(ready->table, CLI_PLAIN, "%s ago",
                   mu_duration_words(ago_s > 0 ? ago_s : 0, words));
    cli_table_cell(ready->table, CLI_PLAIN, "%s", why);
}

static void judge_sighting(struct ready *ready, const json_t *seen)
{
    int64_t within_s = ready->options->since_ns / MU_NS_PER_S;
    bool late = within_s > 0 && number_at(seen, "last_s") < ready->now_s - within_s;
    if (late || !json_is_true(json_object_get(seen, "let_in"))) {
        return; /* who is refused today is no business of tomorrow's */
    }
    ready->callers++;
    bool stale = strcmp(text_at(seen, "rules"), ready->rules) != 0;
    if (stale || text_at(seen, "lacks")[0] != '\0') {
        add_blocked(ready, seen, stale);
    }
}

static void judge_answer(struct ready *ready, const json_t *answer)
{
    const json_t *service = json_array_get(json_object_get(answer, "services"), 0);
    const json_t *seen;
    size_t index;
    ready->mode = text_at(answer, "mode");
    ready->tries_policy = json_is_true(json_object_get(answer, "shadow_policy"));
    ready->now_s = number_at(answer, "now_s");
    ready->rules = text_at(service, "rules");
    ready->not_kept = number_at(service, "not_kept");
    ready->observed_s = service == NULL ? 0 : ready->now_s - number_at(service, "since_s");
    json_array_foreach(json_object_get(answer, "sightings"), index, seen)
    {
        judge_sighting(ready, seen);
    }
}

/* ---- what that proves --------------------------------------------------------------------------
 */

/* Why the answer cannot be yes, or an empty text when it is. */
static void judge(const struct ready *ready, char *text, size_t size)
{
    char least[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    int64_t least_s = ready->options->least_ns / MU_NS_PER_S;
    (void)mu_duration_words(ready->observed_s > 0 ? ready->observed_s : 0, words);
    text[0] = '\0';
    if (ready->blocked > 0) {
        (void)snprintf(text, size, "%zu of %zu callers would be refused, or are not known to pass",
                       ready->blocked, ready->callers);
    } else if (ready->not_kept > 0) {
        (void)snprintf(text, size,
                       "%lld connections came from more callers than are kept; whether these would "
                       "be refused is not known",
                       (long long)ready->not_kept);
    } else if (ready->callers == 0) {
        (void)snprintf(text, size, "nobody was seen in %s, which says nothing", words);
    } else if (ready->observed_s < least_s) {
        (void)snprintf(text, size, "too early to say: observed for %s, which is less than %s",
                       words, mu_duration_words(least_s, least));
    }
}

static const char *safe_word(const struct ready *ready)
{
    return strcmp(ready->mode, "observe") == 0 ? "mode: require is safe"
                                               : "the changes that are tried under shadow are safe";
}

static int tell_json(const struct ready *ready, json_t *take_out, bool yes)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf text;
    size_t len = take_out == NULL ? 0 : json_dumpb(take_out, NULL, 0, JSON_COMPACT);
    mu_buf_init(&text, GATEWAY_ANSWER_MAX);
    char *room = len == 0 ? NULL : (char *)mu_buf_reserve(&text, len);
    if (room != NULL) {
        text.len += json_dumpb(take_out, room, len, JSON_COMPACT);
    }
    (void)mu_buf_byte(&text, '\n');
    json_decref(take_out);
    bool written = (room != NULL && !text.failed) || mu_fail_memory(&err);
    if (!written || !cli_write(ready->cli, &text, &err)) {
        return cli_fail(ready->cli, &err);
    }
    return yes ? CLI_YES : CLI_NO;
}

static int tell(struct ready *ready)
{
    char no[256];
    char words[MU_TIME_TEXT];
    judge(ready, no, sizeof no);
    if (ready->cli->json) {
        json_t *out = json_pack(
            "{s:s, s:b, s:s?, s:s, s:I, s:I, s:I, s:O}", "service", ready->service, "ready",
            no[0] == '\0', "why", no[0] == '\0' ? NULL : no, "mode", ready->mode, "observed_s",
            (json_int_t)ready->observed_s, "callers", (json_int_t)ready->callers, "not_kept",
            (json_int_t)ready->not_kept, "blocked", ready->list);
        return tell_json(ready, out, no[0] == '\0');
    }
    if (ready->blocked > 0) {
        cli_table_print(ready->table, ready->cli);
        cli_print(ready->cli, "\n");
    }
    (void)mu_duration_words(ready->observed_s > 0 ? ready->observed_s : 0, words);
    if (no[0] != '\0') {
        cli_print(ready->cli, "%snot ready%s: %s\n", cli_ink(ready->cli, CLI_BAD),
                  cli_ink(ready->cli, CLI_PLAIN), no);
        return CLI_NO;
    }
    cli_print(ready->cli, "%sready%s: nobody would be refused; %s (%zu caller%s seen in %s)\n",
              cli_ink(ready->cli, CLI_GOOD), cli_ink(ready->cli, CLI_PLAIN), safe_word(ready),
              ready->callers, ready->callers == 1 ? "" : "s", words);
    return CLI_YES;
}

/* A service of which nothing of tomorrow is asked cannot be made ready for it. */
static bool check_service(const struct ready *ready, struct mutual_error *err)
{
    if (ready->mode[0] == '\0') {
        return mu_fail(err, MUTUAL_E_NOT_FOUND, "the gateway has no inbound service \"%s\"",
                       ready->service) ||
               mu_error_hint(err, "Run: mutual status.");
    }
    if (strcmp(ready->mode, "observe") != 0 && !ready->tries_policy) {
        (void)mu_fail(err, MUTUAL_E_NOT_FOUND,
                      "\"%s\" has mode %s and tries no grant: nothing of tomorrow is observed",
                      ready->service, ready->mode);
        return mu_error_hint(err, "Set clients: {mode: observe}, or shadow: add or remove on a "
                                  "grant; then reload.");
    }
    return true;
}

int ready_run(struct cli *cli, const struct ready_options *options)
{
    static const char *const heads[] = {"CALLER", "LACKS", "SEEN", "LAST", "WHY", NULL};
    struct mutual_error err = {0};
    char path[GATEWAY_PATH_MAX] = "";
    __attribute__((cleanup(mu_ready_auto))) struct ready ready = {
        .cli = cli, .options = options, .service = cli->args[0]};
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, GATEWAY_ANSWER_MAX);
    ready.table = cli_table_new(heads);
    ready.list = json_array();
    if (ready.table == NULL || ready.list == NULL) {
        (void)mu_fail_memory(&err);
        return cli_fail(cli, &err);
    }
    if (options->control == NULL && !gateway_control_path(path)) {
        (void)mu_fail(&err, MUTUAL_E_NOT_FOUND,
                      "there is no default place for the control socket without XDG_RUNTIME_DIR");
        (void)mu_error_hint(&err, "Give it with --control, as to mutual serve.");
        return cli_fail(cli, &err);
    }
    if (!gateway_sightings_read(options->control != NULL ? options->control : path, ready.service,
                                &text, &err)) {
        return cli_fail(cli, &err);
    }
    json_t *answer = json_loads(mu_buf_str(&text), JSON_REJECT_DUPLICATES, NULL);
    judge_answer(&ready, answer);
    int status = check_service(&ready, &err) ? tell(&ready) : cli_fail(cli, &err);
    json_decref(answer);
    return status;
}
