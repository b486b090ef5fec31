/* SPDX-License-Identifier: Apache-2.0
 *
 * "Would it work?": the world to ask, whom it is about, and admission's answer in words.
 */
#include "cli/question_internal.h"

#include "policy/policy.h"

#include <string.h>

int64_t question_time(int64_t at_s)
{
    return at_s != 0 ? at_s : mu_clock_wall_s();
}

bool question_world(const struct cli *cli, int64_t now_s, const struct world **ret_world,
                    int *ret_status)
{
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(world) const struct world *world = NULL;
    (void)config_snapshot_load(cli->config_path, &findings, &snapshot);
    if (snapshot != NULL && world_build(snapshot, now_s, &findings, &world) &&
        findings.errors == 0) {
        *ret_world = MU_TAKE(world);
        return true;
    }
    *ret_status = cli_tell_findings(cli, &findings, cli->config_path);
    return false;
}

/* ---- whom ------------------------------------------------------------------------------------ */

#define NAME_BYTES (MU_LIMIT_NAME_BYTES + 1u)

void mu_question_names_auto(struct question_names *names)
{
    mu_free(names->items);
    mu_free(names->storage);
    *names = (struct question_names){0};
}

bool question_names_parse(const char *const *texts, size_t count, struct question_names *ret_names,
                          struct mutual_error *err)
{
    MU_AUTO(question_names) struct question_names names = {0};
    if (count > MU_LIMIT_CERT_NAMES) {
        return mu_fail(err, MUTUAL_E_LIMIT, "more than %u names were given", MU_LIMIT_CERT_NAMES);
    }
    names.items = mu_alloc(count + 1, sizeof *names.items);
    names.storage = mu_alloc(count + 1, NAME_BYTES);
    if (names.items == NULL || names.storage == NULL) {
        return mu_fail_memory(err);
    }
    bool anonymous = count == 1 && strcmp(texts[0], "anonymous") == 0;
    for (; !anonymous && names.count < count; names.count++) {
        if (!world_name_parse(texts[names.count], names.storage + names.count * NAME_BYTES,
                              NAME_BYTES, &names.items[names.count], err)) {
            return false;
        }
    }
    *ret_names = names;
    names = (struct question_names){0};
    return true;
}

static void put_typed(struct mu_buf *out, enum mutual_name_type type, const char *text)
{
    mu_buf_printf(out, "%s \"", mutual_name_type_word(type));
    mu_escape(out, mu_slice_text(text));
    mu_buf_byte(out, '"');
}

void question_who(const struct mutual_name *names, size_t count, struct mu_buf *out)
{
    const struct mutual_name *chief = mu_name_chief(names, count);
    if (chief == NULL) {
        mu_buf_text(out, "a peer without a certificate");
        return;
    }
    put_typed(out, chief->type, chief->text);
    if (count > 1) {
        mu_buf_printf(out, " and %zu more", count - 1);
    }
}

/* ---- words ----------------------------------------------------------------------------------- */

void question_when(int64_t time_s, int64_t now_s, struct mu_buf *out)
{
    char date[MU_TIME_TEXT];
    char words[MU_TIME_TEXT];
    if (time_s == MU_TIME_NEVER_S) {
        mu_buf_text(out, "no end");
    } else if (time_s >= now_s) {
        mu_buf_printf(out, "%s, in %s", mu_time_format(time_s, date),
                      mu_duration_words(time_s - now_s, words));
    } else {
        mu_buf_printf(out, "%s, %s ago", mu_time_format(time_s, date),
                      mu_duration_words(now_s - time_s, words));
    }
}

/* "NAME" (FILE:LINE) */
static void put_place(const struct mutual_grant *grant, struct mu_buf *out)
{
    mu_buf_byte(out, '"');
    mu_escape(out, mu_slice_text(grant->name));
    mu_buf_byte(out, '"');
    if (grant->file != NULL) {
        mu_buf_text(out, " (");
        mu_escape(out, mu_slice_text(grant->file));
        mu_buf_printf(out, ":%d)", grant->line);
    }
}

void question_grant(const struct mutual_grant *grant, struct mu_buf *out)
{
    mu_buf_text(out, "grant ");
    put_place(grant, out);
}

static const struct mutual_pattern *pattern_of(const struct mutual_grant *grant,
                                               const struct mutual_name *name)
{
    for (size_t i = 0; name != NULL && i < grant->from_count; i++) {
        if (mutual_pattern_matches(grant->from[i], name)) {
            return grant->from[i];
        }
    }
    return NULL;
}

void question_pattern(const struct mutual_grant *grant, const struct mutual_name *name,
                      struct mu_buf *out)
{
    const struct mutual_pattern *pattern = pattern_of(grant, name);
    if (pattern != NULL) {
        put_typed(out, mutual_pattern_type(pattern), mutual_pattern_text(pattern));
    } else {
        mu_buf_text(out, name == NULL ? "anonymous: no certificate at all"
                                      : "anyone: any certificate that is trusted there");
    }
}

static void put_line(struct mu_buf *out, const char *label, const char *text)
{
    mu_buf_printf(out, "  %-8s ", label);
    mu_escape(out, mu_slice_text(text));
    mu_buf_byte(out, '\n');
}

static void put_until(const struct question_told *told, struct mu_buf *out)
{
    mu_buf_printf(out, "  %-8s ", "until");
    question_when(told->answer->until_s, told->now_s, out);
    mu_buf_byte(out, '\n');
}

static void put_grant(const struct question_told *told, const char *label, struct mu_buf *out)
{
    const struct mutual_grant *grant = told->answer->grant;
    mu_buf_printf(out, "  %-8s ", label);
    put_place(grant, out);
    mu_buf_printf(out, "\n  %-8s ", "matched");
    question_pattern(grant, told->answer->name, out);
    mu_buf_byte(out, '\n');
    put_line(out, "owner", grant->owner);
    put_line(out, "why", grant->why);
}

static bool asks_nobody(const struct world_service *service)
{
    return service->rules.side == MUTUAL_SIDE_SERVER && service->rules.mode == MUTUAL_MODE_NONE;
}

bool question_admits_all(const struct world_service *service)
{
    return asks_nobody(service) || (service->rules.side == MUTUAL_SIDE_SERVER &&
                                    service->rules.mode == MUTUAL_MODE_OBSERVE);
}

/* What the rules of tomorrow answer, where there are any. */
static void put_shadow(const struct question_told *told, struct mu_buf *out)
{
    const struct mu_answer *answer = told->answer;
    if (answer->shadow == MUTUAL_SHADOW_NONE) {
        return;
    }
    mu_buf_printf(out, "  %-8s ", "tomorrow");
    if (answer->shadow == MUTUAL_SHADOW_REFUSED) {
        mu_buf_printf(out, "no: %s (%s)\n", answer->shadow_why.reason,
                      mutual_code_name(answer->shadow_why.code));
        return;
    }
    mu_buf_text(out, "yes, by ");
    if (answer->shadow_grant != NULL) {
        question_grant(answer->shadow_grant, out);
    }
    mu_buf_byte(out, '\n');
}

static void put_yes(const struct question_told *told, struct mu_buf *out)
{
    if (question_admits_all(told->service)) {
        bool observes = told->service->rules.mode == MUTUAL_MODE_OBSERVE;
        mu_buf_printf(out, "  EVERYBODY: \"%s\" %s\n", told->service->name,
                      observes ? "only observes (clients: {mode: observe})"
                               : "asks for no certificate (clients: {mode: none})");
    } else if (told->answer->grant != NULL) {
        put_grant(told, "grant", out);
    } else if (told->answer->name != NULL) {
        mu_buf_printf(out, "  %-8s ", "matched");
        put_typed(out, told->answer->name->type, told->answer->name->text);
        mu_buf_text(out, ", which is expected there\n");
    }
    put_until(told, out);
}

/* The pattern that comes nearest, when no grant fits at any time. */
static const struct mutual_pattern *near_miss(const struct question_told *told,
                                              const struct mutual_grant **ret_grant)
{
    const struct mutual_name *chief = mu_name_chief(told->names, told->name_count);
    if (chief == NULL || told->service->inbound == NULL || told->answer->grant != NULL ||
        told->answer->why.code != MUTUAL_E_POLICY_DENIED) {
        return NULL;
    }
    return world_near_miss(told->world, told->service->name, chief, ret_grant);
}

static void put_no(const struct question_told *told, struct mu_buf *out)
{
    const struct mutual_error *why = &told->answer->why;
    const struct mutual_grant *near = NULL;
    mu_buf_printf(out, "  %-8s %s (%s)\n", "why not", why->reason, mutual_code_name(why->code));
    if (told->answer->grant != NULL) {
        put_grant(told, "nearest", out);
    }
    const struct mutual_pattern *pattern = near_miss(told, &near);
    if (pattern != NULL) {
        mu_buf_printf(out, "  %-8s ", "nearest");
        put_typed(out, mutual_pattern_type(pattern), mutual_pattern_text(pattern));
        mu_buf_text(out, " of ");
        question_grant(near, out);
        mu_buf_byte(out, '\n');
    }
    mu_buf_printf(out, "  %-8s %s\n", "to do",
                  why->hint[0] != '\0' ? why->hint : mutual_code_hint(why->code));
}

void question_text(const struct question_told *told, const struct cli *cli, struct mu_buf *out)
{
    bool yes = told->answer->allowed;
    bool inbound = told->service->inbound != NULL;
    mu_buf_printf(out, "%s%s%s: ", cli_ink(cli, yes ? CLI_GOOD : CLI_BAD), yes ? "yes" : "no",
                  cli_ink(cli, CLI_PLAIN));
    question_who(told->names, told->name_count, out);
    if (inbound) {
        mu_buf_printf(out, " %s \"%s\"", yes ? "may reach" : "may not reach", told->service->name);
    } else {
        mu_buf_printf(out, " %s the server behind \"%s\"",
                      yes ? "is taken for" : "is not taken for", told->service->name);
    }
    char date[MU_TIME_TEXT];
    mu_buf_printf(out, " at %s\n", mu_time_format(told->now_s, date));
    if (yes) {
        put_yes(told, out);
    } else {
        put_no(told, out);
    }
    put_shadow(told, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void question_json_time(struct mu_json *json, const char *key, int64_t time_s)
{
    char date[MU_TIME_TEXT];
    bool none = time_s == 0 || time_s == MU_TIME_NEVER_S;
    mu_json_string(json, key, none ? NULL : mu_time_format(time_s, date));
}

void question_json_grant(struct mu_json *json, const char *key, const struct mutual_grant *grant)
{
    mu_json_open(json, key, '{');
    mu_json_string(json, "name", grant->name);
    mu_json_string(json, "to", grant->to);
    mu_json_string(json, "file", grant->file);
    mu_json_int(json, "line", grant->line);
    mu_json_string(json, "owner", grant->owner);
    mu_json_string(json, "why", grant->why);
    question_json_time(json, "since", grant->since_s);
    question_json_time(json, "until", grant->until_s);
    mu_json_close(json, '}');
}

static void json_pattern(struct mu_json *json, const char *key,
                         const struct mutual_pattern *pattern)
{
    mu_json_open(json, key, '{');
    mu_json_string(json, "type", mutual_name_type_word(mutual_pattern_type(pattern)));
    mu_json_string(json, "pattern", mutual_pattern_text(pattern));
    mu_json_close(json, '}');
}

static void json_grant(const struct question_told *told, struct mu_json *json)
{
    const struct mu_answer *answer = told->answer;
    if (answer->grant == NULL) {
        mu_json_null(json, "grant");
        return;
    }
    question_json_grant(json, "grant", answer->grant);
    const struct mutual_pattern *pattern = pattern_of(answer->grant, answer->name);
    if (pattern != NULL) {
        json_pattern(json, "matched", pattern);
    } else {
        mu_json_string(json, "matched", answer->name == NULL ? "anonymous" : "anyone");
    }
}

/* Only where there are rules of tomorrow. */
static void json_shadow(const struct mu_answer *answer, struct mu_json *json)
{
    bool refused = answer->shadow == MUTUAL_SHADOW_REFUSED;
    if (answer->shadow == MUTUAL_SHADOW_NONE) {
        return;
    }
    mu_json_open(json, "shadow", '{');
    mu_json_bool(json, "allowed", !refused);
    mu_json_string(json, "code", refused ? mutual_code_name(answer->shadow_why.code) : NULL);
    mu_json_string(json, "reason", refused ? answer->shadow_why.reason : NULL);
    mu_json_string(json, "grant", answer->shadow_grant == NULL ? NULL : answer->shadow_grant->name);
    mu_json_close(json, '}');
}

void question_json(const struct question_told *told, struct mu_json *json)
{
    const struct mu_answer *answer = told->answer;
    const struct mutual_grant *near_grant = NULL;
    mu_json_bool(json, "allowed", answer->allowed);
    mu_json_string(json, "service", told->service->name);
    mu_json_string(json, "side", told->service->inbound != NULL ? "inbound" : "outbound");
    question_json_time(json, "at", told->now_s);
    mu_json_open(json, "names", '[');
    for (size_t i = 0; i < told->name_count; i++) {
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "type", mutual_name_type_word(told->names[i].type));
        mu_json_string(json, "name", told->names[i].text);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
    mu_json_bool(json, "asks_for_certificate", !asks_nobody(told->service));
    json_grant(told, json);
    json_shadow(answer, json);
    if (answer->allowed) {
        question_json_time(json, "until", answer->until_s);
        return;
    }
    mu_json_open(json, "error", '{');
    mu_json_string(json, "code", mutual_code_name(answer->why.code));
    mu_json_string(json, "reason", answer->why.reason);
    mu_json_string(json, "hint",
                   answer->why.hint[0] != '\0' ? answer->why.hint
                                               : mutual_code_hint(answer->why.code));
    mu_json_close(json, '}');
    const struct mutual_pattern *near = near_miss(told, &near_grant);
    if (near != NULL) {
        json_pattern(json, "nearest", near);
    }
}
