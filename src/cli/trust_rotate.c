/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual trust rotate --add and --drop: each step is judged, written down, made by one rename, and
 * confirmed by the gateway. A step that was interrupted is gone on with by the same command.
 */
#include "cli/trust_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/question_internal.h"
#include "trust/trust.h"
#include "x509/x509.h"

/* One step at work. */
struct step {
    struct cli *cli;
    const struct trust_options *options;
    const char *name;
    const struct world *world;
    const struct world_trust *trust;
    struct trust_evidence evidence;
    int lock;
    bool changed; /* the file, by this command */
};

static void step_done(struct step *step)
{
    trust_evidence_done(&step->evidence);
    if (step->lock != -1) {
        (void)close(step->lock);
    }
    world_unref(step->world);
}

static bool load(struct step *step, int *ret_status, struct mutual_error *err)
{
    world_unref(step->world);
    step->world = NULL;
    *ret_status = 0;
    if (!question_world(step->cli, mu_clock_wall_s(), &step->world, ret_status)) {
        return false;
    }
    step->trust = trust_block(step->world, step->name, err);
    return step->trust != NULL;
}

/* What it says is read again once nobody else can change it. */
static bool begin(struct step *step, int *ret_status, struct mutual_error *err)
{
    if (!load(step, ret_status, err) ||
        !trust_lock(step->trust->config->bundle.items[0], &step->lock, err) ||
        !load(step, ret_status, err)) {
        return false;
    }
    trust_evidence_read(step->options->control, step->options->days, &step->evidence);
    const json_t *alarm = json_object_get(step->evidence.status, "alarm");
    if (json_is_object(alarm)) {
        (void)mu_fail(err, MUTUAL_E_ROTATION_UNSAFE,
                      "the gateway refuses its configuration as it is already: %s",
                      trust_text(alarm, "why"));
        return mu_error_hint(err, "Mend that first: mutual check.");
    }
    return true;
}

/* ---- did the gateway take it? ---------------------------------------------------------------- */

enum outcome { OUTCOME_SERVED, OUTCOME_REFUSED, OUTCOME_LATE, OUTCOME_NO_GATEWAY };

static const char *outcome_word(enum outcome outcome)
{
    static const char *const words[] = {"served", "refused", "late", "no-gateway"};
    return words[outcome];
}

static enum outcome confirm(struct step *step)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    int64_t end_ns = mu_clock_mono_ns() + step->options->wait_ns;
    for (;;) {
        trust_evidence_done(&step->evidence);
        trust_evidence_read(step->options->control, step->options->days, &step->evidence);
        if (step->evidence.status == NULL) {
            return OUTCOME_NO_GATEWAY;
        }
        if (trust_is_served(&step->evidence, step->name, step->trust->trust)) {
            return OUTCOME_SERVED;
        }
        if (json_is_object(json_object_get(step->evidence.status, "alarm"))) {
            return OUTCOME_REFUSED;
        }
        if (mu_clock_mono_ns() >= end_ns) {
            return OUTCOME_LATE;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static void tell_outcome(const struct cli *cli, const struct step *step, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_SERVED:
        cli_print(cli, "%sserved%s: the gateway judges by it\n", cli_ink(cli, CLI_GOOD),
                  cli_ink(cli, CLI_PLAIN));
        return;
    case OUTCOME_REFUSED:
        cli_print(cli, "%srefused%s: the gateway goes on as before: %s\n", cli_ink(cli, CLI_BAD),
                  cli_ink(cli, CLI_PLAIN),
                  trust_text(json_object_get(step->evidence.status, "alarm"), "why"));
        return;
    case OUTCOME_LATE:
        cli_print(cli,
                  "%snot taken yet%s: the gateway still judges by other authorities; reload it "
                  "(SIGHUP) where it does not watch its files, then run this again\n",
                  cli_ink(cli, CLI_WARN), cli_ink(cli, CLI_PLAIN));
        return;
    case OUTCOME_NO_GATEWAY:
        cli_print(cli, "no gateway answers (%s): it will judge by it when it starts\n",
                  step->evidence.why.reason);
        return;
    }
}

/* Without a gateway the file is all there is; it was written. */
static int finish(struct step *step, const char *what, const struct mu_cert *anchor)
{
    const struct cli *cli = step->cli;
    struct mutual_error err = {0};
    int status = 0;
    if (!load(step, &status, &err)) {
        return status != 0 ? status : cli_fail(cli, &err);
    }
    enum outcome outcome = confirm(step);
    int exit_status = outcome == OUTCOME_SERVED || outcome == OUTCOME_NO_GATEWAY ? CLI_YES : CLI_NO;
    if (!cli->json) {
        tell_outcome(cli, step, outcome);
        return exit_status;
    }
    char print[65];
    struct mu_json json;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 1u << 20);
    mu_json_init(&json, &out);
    trust_fingerprint(anchor, print);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "trust", step->name);
    mu_json_string(&json, "step", what);
    mu_json_string(&json, "fingerprint", print);
    mu_json_string(&json, "subject", mu_cert_facts(anchor)->subject_text);
    mu_json_bool(&json, "changed", step->changed);
    mu_json_string(&json, "gateway", outcome_word(outcome));
    mu_json_string(&json, "why",
                   outcome == OUTCOME_REFUSED
                       ? trust_text(json_object_get(step->evidence.status, "alarm"), "why")
                       : NULL);
    mu_json_close(&json, '}');
    (void)mu_buf_byte(&out, '\n');
    return cli_write(cli, &out, &err) ? exit_status : cli_fail(cli, &err);
}

/* ---- add ------------------------------------------------------------------------------------- */

static bool judge_roles(const struct step *step, const struct mu_cert *cert,
                        struct mutual_error *err)
{
    bool used[2] = {false, false};
    for (size_t i = 0; i < step->world->service_count; i++) {
        const struct world_service *service = &step->world->services[i];
        if (service->trust == step->trust) {
            used[service->inbound != NULL ? MUTUAL_PURPOSE_CLIENT : MUTUAL_PURPOSE_SERVER] = true;
        }
    }
    if (!used[MUTUAL_PURPOSE_CLIENT] && !used[MUTUAL_PURPOSE_SERVER]) {
        used[MUTUAL_PURPOSE_CLIENT] = true;
    }
    for (enum mutual_purpose p = MUTUAL_PURPOSE_SERVER; p <= MUTUAL_PURPOSE_CLIENT; p++) {
        if (used[p] &&
            !mu_trust_judge_anchor(step->trust->trust, cert, p, NULL, step->evidence.now_s, err)) {
            return mu_error_context(err, "as an authority of \"%s\"", step->name);
        }
    }
    return true;
}

/* Whom its name constraints would shut out, of those who come. */
struct shut_out {
    const struct step *step;
    const struct mu_cert *cert;
    size_t peers, refused;
    char first[200];
    struct mutual_error why;
};

static bool count_shut_out(void *context, const json_t *peer)
{
    struct shut_out *shut = context;
    struct mutual_name name;
    char storage[MU_LIMIT_NAME_BYTES + 1];
    char text[MU_LIMIT_NAME_BYTES + 32];
    (void)snprintf(text, sizeof text, "%s", trust_text(peer, "peer"));
    char *space = strchr(text, ' ');
    if (space == NULL) {
        return true;
    }
    *space = ':'; /* as people write it: "dns:a.example" */
    shut->peers++;
    if (!world_name_parse(text, storage, sizeof storage, &name, NULL)) {
        return true; /* an address: it has no name that could be refused */
    }
    struct mutual_error why = {0};
    if (!mu_trust_judge_anchor(shut->step->trust->trust, shut->cert, MUTUAL_PURPOSE_CLIENT, &name,
                               shut->step->evidence.now_s, &why) &&
        why.code == MUTUAL_E_NAME_CONSTRAINT && shut->refused++ == 0) {
        (void)snprintf(shut->first, sizeof shut->first, "%s", trust_text(peer, "peer"));
        shut->why = why;
    }
    return true;
}

static bool is_wider(const struct mutual_trust *trust, const struct mu_cert *cert)
{
    bool all = true;
    for (size_t i = 0; i < mutual_trust_anchor_count(trust); i++) {
        all = all && mu_cert_facts(mu_trust_anchor(trust, i))->has_nc;
    }
    return all && !mu_cert_facts(cert)->has_nc;
}

static bool judge_constraints(const struct step *step, const struct mu_cert *cert,
                              struct mutual_error *err)
{
    static const char hint[] = "If that is meant: --unsafe-constraints.";
    struct shut_out shut = {.step = step, .cert = cert};
    if (step->options->unsafe_constraints) {
        return true;
    }
    if (is_wider(step->trust->trust, cert)) {
        (void)mu_fail(
            err, MUTUAL_E_BUNDLE_UNUSABLE,
            "authority \"%s\" has no name constraints, and every authority of \"%s\" has: "
            "it could vouch for any name",
            mu_cert_facts(cert)->display, step->name);
        return mu_error_hint(err, hint);
    }
    trust_peers(&step->evidence, step->name, count_shut_out, &shut);
    if (shut.refused > 0) {
        (void)mu_fail(err, MUTUAL_E_BUNDLE_UNUSABLE,
                      "%zu of %zu peers that were seen could not move to authority \"%s\", \"%s\" "
                      "first: %s",
                      shut.refused, shut.peers, mu_cert_facts(cert)->display, shut.first,
                      shut.why.reason);
        return mu_error_hint(err, hint);
    }
    return true;
}

static bool add(struct step *step, const struct mu_cert *cert, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(cert);
    const char *file = step->trust->config->bundle.items[0];
    for (size_t i = 0; i < mutual_trust_anchor_count(step->trust->trust); i++) {
        const struct mu_cert *there = mu_trust_anchor(step->trust->trust, i);
        if (memcmp(mu_cert_facts(there)->fingerprint, facts->fingerprint, 32) == 0) {
            cli_say(step->cli, "mutual: \"%s\" is in \"%s\" already\n", facts->display, step->name);
            return true;
        }
    }
    if (!trust_check_with(step->trust, cert, err) || !judge_roles(step, cert, err) ||
        !judge_constraints(step, cert, err) || !trust_history_add(file, "add", facts, "", err) ||
        !trust_file_add(file, cert, err)) {
        return false;
    }
    step->changed = true;
    cli_say(step->cli, "mutual: added \"%s\" to %s\n", facts->display, file);
    return true;
}

int trust_run_add(struct cli *cli, const struct trust_options *options)
{
    __attribute__((cleanup(step_done))) struct step step = {
        .cli = cli, .options = options, .name = cli->args[0], .lock = -1};
    MU_AUTO(cert) struct mu_cert *cert = NULL;
    struct mutual_error err = {0};
    int status = 0;
    if (!trust_read(options->add, &cert, &err) || !begin(&step, &status, &err) ||
        !add(&step, cert, &err)) {
        return status != 0 ? status : cli_fail(cli, &err);
    }
    return finish(&step, "add", cert);
}

/* ---- drop ------------------------------------------------------------------------------------ */

/* The first of those who block, and how many there are. */
struct blockers {
    size_t count;
    int64_t now_s;
    char first[400];
};

static void note_blocker(void *context, const json_t *row)
{
    struct blockers *blockers = context;
    char words[MU_TIME_TEXT];
    int64_t ago_s = blockers->now_s - trust_number(row, "last_s");
    if (blockers->count++ == 0) {
        (void)snprintf(blockers->first, sizeof blockers->first,
                       "\"%.160s\" at \"%.60s\", serial %.48s, %s ago", trust_peer(row),
                       trust_text(row, "service"), trust_text(row, "serial"),
                       mu_duration_words(ago_s > 0 ? ago_s : 0, words));
    }
}

static bool judge_drop(struct step *step, const struct mu_cert *anchor,
                       struct blockers *ret_blockers, struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(anchor);
    struct blockers *blockers = ret_blockers;
    char gap[TRUST_GAP_TEXT];
    *blockers = (struct blockers){.now_s = step->evidence.now_s};
    (void)trust_standing(&step->evidence, step->name, facts->fingerprint, note_blocker, blockers);
    if (blockers->count > 0) {
        return mu_fail(err, MUTUAL_E_ROTATION_UNSAFE,
                       "%zu certificate%s of the last %llu days chain%s to \"%s\": %s%s",
                       blockers->count, blockers->count == 1 ? "" : "s",
                       (unsigned long long)step->options->days, blockers->count == 1 ? "s" : "",
                       facts->display, blockers->first, blockers->count == 1 ? "" : " first");
    }
    if (trust_gap(&step->evidence, step->options->days, gap)) {
        (void)mu_fail(err, MUTUAL_E_ROTATION_UNSAFE, "%s", gap);
        return mu_error_hint(err, "Wait for the rest, or ask about fewer days: --days N.");
    }
    if (!trust_is_served(&step->evidence, step->name, step->trust->trust)) {
        (void)mu_fail(err, MUTUAL_E_ROTATION_UNSAFE,
                      "the gateway does not judge by what the files of \"%s\" hold now",
                      step->name);
        return mu_error_hint(err, "Reload it, then run this again.");
    }
    return true;
}

/* Loud: it is told, and written down, who is shut out. */
static void warn(const struct step *step, const struct mu_cert *anchor,
                 const struct mutual_error *why)
{
    cli_say(step->cli, "mutual: %sUNSAFE%s: \"%s\" is dropped from \"%s\" although %s\n",
            step->cli->colour_err ? "\033[1;31m" : "", step->cli->colour_err ? "\033[0m" : "",
            mu_cert_facts(anchor)->display, step->name, why->reason);
}

static bool drop(struct step *step, const struct mu_cert *anchor, bool unsafe,
                 struct mutual_error *err)
{
    const struct mu_cert_facts *facts = mu_cert_facts(anchor);
    const struct config_texts *files = &step->trust->config->bundle;
    struct mutual_error why = {0};
    struct blockers blockers;
    if (!trust_check_without(step->trust, facts->fingerprint, err)) {
        return mu_error_context(err, "\"%s\" without \"%s\"", step->name, facts->display);
    }
    bool safe = judge_drop(step, anchor, &blockers, &why);
    if (!safe && !unsafe) {
        *err = why;
        return false;
    }
    if (!safe) {
        warn(step, anchor, &why);
    }
    for (size_t i = 0; i < files->count; i++) {
        bool found = false;
        if ((i == 0 && !trust_history_add(files->items[i], safe ? "drop" : "unsafe-drop", facts,
                                          why.reason, err)) ||
            !trust_file_drop(files->items[i], facts->fingerprint, &found, err)) {
            return false;
        }
        step->changed = step->changed || found;
    }
    cli_say(step->cli, "mutual: dropped \"%s\" from \"%s\"\n", facts->display, step->name);
    return true;
}

/* What was dropped before, by a command that perhaps was killed before it could say so. */
static int finish_dropped(struct step *step, const struct mutual_error *why)
{
    const char *which =
        step->options->drop != NULL ? step->options->drop : step->options->unsafe_drop;
    if (why->code != MUTUAL_E_NOT_FOUND ||
        !trust_history_dropped(step->trust->config->bundle.items[0], which)) {
        return cli_fail(step->cli, why);
    }
    cli_say(step->cli, "mutual: it is not in \"%s\" any more\n", step->name);
    enum outcome outcome = confirm(step);
    if (!step->cli->json) {
        tell_outcome(step->cli, step, outcome);
    } else {
        cli_say(step->cli, "mutual: gateway: %s\n", outcome_word(outcome));
    }
    return outcome == OUTCOME_SERVED || outcome == OUTCOME_NO_GATEWAY ? CLI_YES : CLI_NO;
}

int trust_run_drop(struct cli *cli, const struct trust_options *options)
{
    __attribute__((cleanup(step_done))) struct step step = {
        .cli = cli, .options = options, .name = cli->args[0], .lock = -1};
    bool unsafe = options->unsafe_drop != NULL;
    const struct mu_cert *found = NULL;
    struct mutual_error err = {0};
    int status = 0;
    if (!begin(&step, &status, &err)) {
        return status != 0 ? status : cli_fail(cli, &err);
    }
    if (!trust_find_anchor(step.trust->trust, unsafe ? options->unsafe_drop : options->drop, &found,
                           &err)) {
        return finish_dropped(&step, &err);
    }
    MU_AUTO(cert) struct mu_cert *anchor = mu_cert_ref((struct mu_cert *)(uintptr_t)found);
    if (!drop(&step, anchor, unsafe, &err)) {
        return cli_fail(cli, &err);
    }
    return finish(&step, "drop", anchor);
}
