/* SPDX-License-Identifier: Apache-2.0
 *
 * mutual check --cert FILE --to SERVICE: would this certificate be let in, and until what happens?
 */
#include "cli/question_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "identity/identity.h"

/* ---- reading --------------------------------------------------------------------------------- */

bool question_certs(const char *file, struct mu_certs *certs, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes = {0};
    bool is_stdin = strcmp(file, "-") == 0;
    const char *what = is_stdin ? "standard input" : file;
    if (!(is_stdin ? mu_fd_read(STDIN_FILENO, what, MU_LIMIT_PEM_BYTES, &bytes, err)
                   : mu_file_read(file, MU_LIMIT_PEM_BYTES, &bytes, err))) {
        return false;
    }
    bool good;
    if (bytes.len > 0 && bytes.data[0] == 0x30) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        good = mu_cert_from_der(mu_buf_slice(&bytes), &cert, err) && mu_certs_add(certs, cert, err);
    } else {
        good = mu_certs_from_pem(mu_buf_slice(&bytes), what, certs, err);
    }
    mu_wipe(bytes.data, bytes.len); /* a key may be beside it */
    return good;
}

/* ---- what would change it -------------------------------------------------------------------- */

struct change {
    int64_t time_s;
    enum { CHANGE_CERT, CHANGE_LIST, CHANGE_GRANT, CHANGE_STAPLE } kind;
    const struct world_link *link;
};
#define CHANGES_MAX (2u * MU_LIMIT_CHAIN_DEPTH + 2u)

static int compare_changes(const void *a, const void *b)
{
    const struct change *one = a;
    const struct change *two = b;
    return (one->time_s > two->time_s) - (one->time_s < two->time_s);
}

static size_t list_changes(const struct world_answer *answer, struct change changes[CHANGES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < answer->link_count; i++) {
        const struct world_link *link = &answer->links[i];
        changes[count++] = (struct change){link->not_after_s, CHANGE_CERT, link};
        if (link->lists_until_s != MU_TIME_NEVER_S) {
            changes[count++] = (struct change){link->lists_until_s, CHANGE_LIST, link};
        }
    }
    const struct mutual_grant *grant = answer->answer.grant;
    if (grant != NULL && grant->until_s != MU_TIME_NEVER_S) {
        changes[count++] = (struct change){grant->until_s, CHANGE_GRANT, NULL};
    }
    if (answer->staple.status == MUTUAL_STAPLE_GOOD) {
        changes[count++] = (struct change){answer->staple.next_update_s, CHANGE_STAPLE, NULL};
    }
    qsort(changes, count, sizeof *changes, compare_changes);
    return count;
}

static void put_change(const struct change *change, const struct world_answer *answer,
                       struct mu_buf *out)
{
    switch (change->kind) {
    case CHANGE_CERT:
        mu_buf_printf(out, "%s \"%s\" ends", change->link->role, change->link->name);
        break;
    case CHANGE_LIST:
        mu_buf_printf(out,
                      "the revocation list that clears \"%s\" goes stale, unless it is renewed",
                      change->link->name);
        break;
    case CHANGE_STAPLE:
        mu_buf_printf(out, "the stapled OCSP response ends, unless it is renewed%s",
                      answer->staple_demanded ? "" : "; none is demanded");
        break;
    case CHANGE_GRANT:
        question_grant(answer->answer.grant, out);
        mu_buf_text(out, " ends");
        break;
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

struct inquiry {
    struct question_told told;
    const struct world_answer *answer;
    const struct mu_certs *certs;
    const char *file;
    bool stapled; /* a response was given */
};

static void put_path(const struct inquiry *inquiry, struct mu_buf *out)
{
    const struct world_answer *answer = inquiry->answer;
    for (size_t i = 0; i < answer->link_count; i++) {
        mu_buf_printf(out, "  %-12s \"%s\", until ", answer->links[i].role, answer->links[i].name);
        question_when(answer->links[i].not_after_s, inquiry->told.now_s, out);
        mu_buf_byte(out, '\n');
    }
    for (size_t i = 0; answer->link_count == 0 && i < inquiry->certs->count; i++) {
        const struct mu_cert_facts *facts = mu_cert_facts(inquiry->certs->items[i]);
        mu_buf_printf(out, "  %-12s \"%s\", until ", "presented", facts->subject_text);
        question_when(facts->not_after_s, inquiry->told.now_s, out);
        mu_buf_byte(out, '\n');
    }
}

/* Nobody can ask a client for one, whatever its certificate demands. */
static void put_staple(const struct inquiry *inquiry, struct mu_buf *out)
{
    const struct world_answer *answer = inquiry->answer;
    bool must = mu_cert_facts(inquiry->certs->items[0])->must_staple;
    const struct mutual_staple *staple = &answer->staple;
    if (inquiry->told.service->inbound != NULL || (!answer->staple_demanded && !inquiry->stapled)) {
        return;
    }
    mu_buf_printf(out, "  %-12s %s", "staple", mutual_staple_word(staple->status));
    if (staple->status == MUTUAL_STAPLE_GOOD) {
        mu_buf_text(out, ", until ");
        question_when(staple->next_update_s, inquiry->told.now_s, out);
    }
    if (answer->staple_demanded) {
        mu_buf_printf(out, "; demanded by the %s",
                      must ? "certificate (must-staple)" : "trust block");
    }
    mu_buf_byte(out, '\n');
}

static void put_changes(const struct inquiry *inquiry, struct mu_buf *out)
{
    const struct world_answer *answer = inquiry->answer;
    struct change changes[CHANGES_MAX];
    size_t count = list_changes(answer, changes);
    for (size_t i = 0; i < count; i++) {
        mu_buf_text(out, "  ");
        question_when(changes[i].time_s, inquiry->told.now_s, out);
        mu_buf_text(out, ": ");
        put_change(&changes[i], answer, out);
        mu_buf_byte(out, '\n');
    }
    if (answer->link_count > 0) {
        mu_buf_printf(out, "  authority \"%s\" dropped from trust \"%s\": ",
                      answer->links[answer->link_count - 1].name,
                      inquiry->told.service->trust->config->name);
        mu_buf_printf(out, "%s%s\n", answer->needs_anchor ? "refused: " : "still let in",
                      answer->needs_anchor ? answer->without.reason : " by another path");
    }
}

static void put_other_time(const struct inquiry *inquiry, struct mu_buf *out)
{
    int64_t other_s = inquiry->answer->other_s;
    if (other_s == MU_TIME_NEVER_S) {
        mu_buf_text(out, "  no date known here; what is to be done is told above\n");
        return;
    }
    mu_buf_text(out, other_s > inquiry->told.now_s ? "  it would be let in from "
                                                   : "  it would have been let in until ");
    question_when(other_s, inquiry->told.now_s, out);
    mu_buf_byte(out, '\n');
}

static void put_text(const struct inquiry *inquiry, const struct cli *cli, struct mu_buf *out)
{
    question_text(&inquiry->told, cli, out);
    mu_buf_printf(out, "%sthe path%s\n", cli_ink(cli, CLI_BOLD), cli_ink(cli, CLI_PLAIN));
    put_path(inquiry, out);
    put_staple(inquiry, out);
    mu_buf_printf(out, "%swhat would change that%s\n", cli_ink(cli, CLI_BOLD),
                  cli_ink(cli, CLI_PLAIN));
    if (!inquiry->answer->answer.allowed) {
        put_other_time(inquiry, out);
    } else if (inquiry->answer->chain == NULL) {
        mu_buf_text(out, "  nothing about the certificate, which is not asked for\n");
    } else {
        put_changes(inquiry, out);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_path(const struct world_answer *answer, struct mu_json *json)
{
    mu_json_open(json, "path", '[');
    for (size_t i = 0; i < answer->link_count; i++) {
        const struct world_link *link = &answer->links[i];
        mu_json_open(json, NULL, '{');
        mu_json_string(json, "role", link->role);
        mu_json_string(json, "subject", link->name);
        question_json_time(json, "not_before", link->not_before_s);
        question_json_time(json, "not_after", link->not_after_s);
        question_json_time(json, "lists_until", link->lists_until_s);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void json_staple(const struct inquiry *inquiry, struct mu_json *json)
{
    const struct world_answer *answer = inquiry->answer;
    if (inquiry->told.service->inbound != NULL) {
        mu_json_null(json, "staple");
        return;
    }
    mu_json_open(json, "staple", '{');
    mu_json_bool(json, "demanded", answer->staple_demanded);
    mu_json_string(json, "status", mutual_staple_word(answer->staple.status));
    question_json_time(json, "this_update", answer->staple.this_update_s);
    question_json_time(json, "next_update", answer->staple.next_update_s);
    mu_json_close(json, '}');
}

static void json_changes(const struct inquiry *inquiry, struct mu_json *json)
{
    struct change changes[CHANGES_MAX];
    size_t count = list_changes(inquiry->answer, changes);
    mu_json_open(json, "changes", '[');
    for (size_t i = 0; inquiry->answer->answer.allowed && i < count; i++) {
        MU_AUTO(buf) struct mu_buf what;
        mu_buf_init(&what, 64u << 10);
        put_change(&changes[i], inquiry->answer, &what);
        mu_json_open(json, NULL, '{');
        question_json_time(json, "at", changes[i].time_s);
        mu_json_string(json, "what", mu_buf_str(&what));
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void put_json(const struct inquiry *inquiry, struct mu_buf *out)
{
    const struct world_answer *answer = inquiry->answer;
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "file", inquiry->file);
    question_json(&inquiry->told, &json);
    json_path(answer, &json);
    json_staple(inquiry, &json);
    json_changes(inquiry, &json);
    if (answer->answer.allowed && answer->link_count > 0) {
        mu_json_open(&json, "without_authority", '{');
        mu_json_string(&json, "authority", answer->links[answer->link_count - 1].name);
        mu_json_bool(&json, "allowed", !answer->needs_anchor);
        mu_json_string(&json, "reason", answer->needs_anchor ? answer->without.reason : NULL);
        mu_json_close(&json, '}');
    } else if (!answer->answer.allowed) {
        question_json_time(&json, "other_time", answer->other_s);
    }
    mu_json_close(&json, '}');
    mu_buf_byte(out, '\n');
}

/* ---- the question ---------------------------------------------------------------------------- */

/* The names to speak of: those that admission judged, or what the certificate says for itself. */
static void take_names(const struct world_answer *answer, const struct mu_names *own,
                       struct question_told *told)
{
    told->names = answer->chain != NULL ? mutual_chain_names(answer->chain, &told->name_count)
                                        : mu_names_list(own, &told->name_count);
}

/* What nobody could send is no question. */
static bool read_staple(const char *file, const struct world_service *service, struct mu_buf *bytes,
                        struct mutual_error *err)
{
    if (file == NULL) {
        return true;
    }
    if (service->inbound != NULL) {
        (void)mu_fail(err, MUTUAL_E_USAGE,
                      "\"%s\" is an inbound, and no client sends an OCSP "
                      "response along",
                      service->name);
        return mu_error_hint(err, "Leave --staple away; a revocation list says who was revoked.");
    }
    return mu_file_read(file, MU_LIMIT_OCSP_BYTES, bytes, err);
}

/* Whoever demands a staple is answered for what was asked: a server that sends none. */
static void hint_staple(struct world_answer *answer, bool stapled)
{
    if (answer->answer.why.code == MUTUAL_E_OCSP_MISSING && !stapled) {
        (void)mu_error_hint(&answer->answer.why,
                            "Give the response that it sends with --staple FILE, to ask with it.");
    }
}

int question_cert(const struct cli *cli, const struct question_cert *asked)
{
    const char *file = asked->file;
    const char *service = asked->service;
    int64_t now_s = asked->now_s;
    struct mutual_error err = {0};
    MU_AUTO(world) const struct world *world = NULL;
    MU_AUTO(certs) struct mu_certs certs = {0};
    MU_AUTO(names) struct mu_names *own = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, QUESTION_TEXT_MAX);
    int status = CLI_NO;
    if (!question_world(cli, now_s, &world, &status)) {
        return status;
    }
    MU_AUTO(buf) struct mu_buf response = {0};
    struct inquiry inquiry = {.certs = &certs, .file = file, .stapled = asked->staple != NULL};
    inquiry.told.world = world;
    inquiry.told.now_s = now_s;
    inquiry.told.service = world_ask_service(world, service, &err);
    if (inquiry.told.service == NULL || !question_certs(file, &certs, &err) ||
        !read_staple(asked->staple, inquiry.told.service, &response, &err)) {
        return cli_fail(cli, &err);
    }
    /* Names that cannot be read are a reason to refuse it, which validation tells. */
    struct mutual_error told_below = {0};
    if (!mu_names_from_cert(certs.items[0], &own, &told_below)) {
        own = NULL;
    }
    MU_AUTO(world_answer) struct world_answer answer;
    world_ask_certs(inquiry.told.service, &certs, mu_buf_slice(&response), now_s, &answer);
    hint_staple(&answer, inquiry.stapled);
    inquiry.answer = &answer;
    inquiry.told.answer = &answer.answer;
    take_names(&answer, own, &inquiry.told);
    if (cli->json) {
        put_json(&inquiry, &out);
    } else {
        put_text(&inquiry, cli, &out);
    }
    if (!cli_write(cli, &out, &err)) {
        return cli_fail(cli, &err);
    }
    return answer.answer.allowed ? CLI_YES : CLI_NO;
}
