/* SPDX-License-Identifier: Apache-2.0
 *
 * The story as text for people: how it came out, the seven steps with what is known of each, and,
 * when something went wrong, why, what mends it and who has to act. What peers chose is escaped.
 */
#include "explain/explain_internal.h"

#include "admission/admission.h"
#include "x509/x509.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct teller {
    const struct mutual_story *story;
    const struct mu_story_view *view;
    const struct mu_observed *observed; /* the view's, or NULL */
    struct mu_buf *out;
};

/* Names of authorities listed before "and so many more". */
#define MAX_LISTED 6u

static void say_quoted(struct mu_buf *out, const char *before, const char *text)
{
    mu_buf_printf(out, "%s\"", before);
    mu_escape(out, mu_slice_text(text));
    mu_buf_byte(out, '"');
}

/* A line of its own under a step. */
static void say_label(const struct teller *t, const char *label)
{
    mu_buf_printf(t->out, "\n      %-9s ", label);
}

/* ---- the head -------------------------------------------------------------------------------- */

static const char *level_text(const struct mutual_story *story, bool unchecked)
{
    const struct mutual_session_info *info = story->info;
    if (info == NULL || info->version == NULL) {
        return "no TLS";
    }
    if (unchecked) {
        return info->mutual ? "mutual TLS, but nobody checked the server here"
                            : "plain TLS, and nobody checked the server here";
    }
    return info->mutual ? "mutual TLS" : "plain TLS: only the server proved who it is";
}

static void tell_head(const struct teller *t)
{
    const struct mutual_story *story = t->story;
    const char *outcome = mu_view_outcome(story, t->view);
    for (const char *c = outcome; *c != '\0'; c++) {
        mu_buf_byte(t->out, *c == '_' ? ' ' : (uint8_t)toupper((unsigned char)*c));
    }
    if (strcmp(outcome, "admitted") == 0) {
        mu_buf_printf(t->out, ": %s", level_text(story, t->view->unchecked));
    } else {
        enum mutual_step step = mu_story_step(story);
        mu_buf_printf(t->out, " at step %d of 7: %s", (int)step,
                      step == MUTUAL_STEP_ACCESS ? "access by policy" : mutual_step_text(step));
    }
    say_quoted(t->out, story->side == MUTUAL_SIDE_SERVER ? "\nlistener " : "\ntarget ",
               story->service == NULL ? "" : story->service);
    if (story->peer != NULL) {
        say_quoted(t->out, story->side == MUTUAL_SIDE_SERVER ? ", client " : ", server ",
                   story->peer);
    }
    mu_buf_text(t->out, "\n\n");
}

/* ---- certificates ---------------------------------------------------------------------------- */

/* The chain was believed. */
static void tell_chain(const struct teller *t)
{
    const struct mutual_chain *chain = t->story->chain;
    size_t links = 0;
    const struct mutual_link *link = mutual_chain_links(chain, &links);
    char when[MU_TIME_TEXT];
    mu_buf_printf(t->out, "%s, issued by %s", mutual_chain_subject(chain),
                  mutual_chain_issuer(chain));
    if (links > 0) {
        mu_buf_printf(t->out, ", valid until %s", mu_time_format(link[0].not_after_s, when));
    }
    size_t count = 0;
    const struct mutual_name *names = mutual_chain_names(chain, &count);
    for (size_t i = 0; i < count && i < MAX_LISTED; i++) {
        if (i == 0) {
            say_label(t, "names");
        }
        mu_buf_printf(t->out, "%s%s ", i == 0 ? "" : ", ", mutual_name_type_word(names[i].type));
        mu_escape(t->out, mu_slice_of(names[i].text, names[i].len));
    }
    if (count > MAX_LISTED) {
        mu_buf_printf(t->out, " and %zu more", count - MAX_LISTED);
    }
}

/* What came over the wire, believed or not. */
static void tell_presented(const struct teller *t)
{
    for (size_t i = 0; i < t->observed->cert_count; i++) {
        const struct mutual_der *der = &t->observed->certs[i];
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        if (i > 0) {
            say_label(t, "then");
        }
        if (!mu_cert_from_der(mu_slice_of(der->data, der->len), &cert, NULL)) {
            mu_buf_printf(t->out, "something of %zu bytes that is not a certificate", der->len);
            continue;
        }
        const struct mu_cert_facts *facts = mu_cert_facts(cert);
        char when[MU_TIME_TEXT];
        mu_buf_printf(t->out, "%s, issued by %s, %s until %s", facts->subject_text,
                      facts->self_issued ? "itself" : facts->issuer_text, facts->key.text,
                      mu_time_format(facts->not_after_s, when));
    }
    if (t->observed->cert_count == 0) {
        mu_buf_text(t->out, "none");
    }
}

static void tell_peer_cert(const struct teller *t)
{
    if (t->observed != NULL && t->observed->cert_count > 0) {
        tell_presented(t);
    } else if (t->story->chain != NULL) {
        tell_chain(t);
    }
}

/* ---- the steps ------------------------------------------------------------------------------- */

static void say_codes(const struct teller *t, const char *what, const struct mu_observed_list *list,
                      const char *(*name)(uint16_t))
{
    if (list->count == 0) {
        return;
    }
    mu_buf_text(t->out, what);
    const char *before = "";
    for (size_t i = 0; i < list->count; i++) {
        const char *known = name(list->items[i]);
        if (known != NULL) {
            mu_buf_printf(t->out, "%s%s", before, known);
            before = ", ";
        }
    }
    mu_buf_text(t->out, "; ");
}

static void tell_offer(const struct teller *t)
{
    const struct mu_observed *seen = t->observed;
    if (seen == NULL || seen->versions.count + seen->ciphers.count == 0) {
        return;
    }
    say_label(t, "offered");
    say_codes(t, "", &seen->versions, mu_version_name);
    say_codes(t, "groups ", &seen->groups, mu_group_name);
    mu_buf_printf(t->out, "%zu cipher suite%s, %zu signature scheme%s", seen->ciphers.count,
                  seen->ciphers.count == 1 ? "" : "s", seen->signatures.count,
                  seen->signatures.count == 1 ? "" : "s");
}

static void tell_connect(const struct teller *t)
{
    const struct mutual_session_info *info = t->story->info;
    if (info == NULL) {
        return;
    }
    if (info->version != NULL) {
        mu_buf_text(t->out, info->version);
        const char *const chosen[] = {info->cipher, info->group};
        for (size_t i = 0; i < MU_COUNT(chosen); i++) {
            if (chosen[i] != NULL) {
                mu_buf_printf(t->out, ", %s", chosen[i]);
            }
        }
        if (info->resumed) {
            mu_buf_text(t->out, ", resumed");
        }
    }
    if (info->sni != NULL) {
        say_quoted(t->out, info->version != NULL ? ", SNI " : "SNI ", info->sni);
    }
    if (info->alpn != NULL) {
        say_quoted(t->out, ", ALPN ", info->alpn);
    }
    tell_offer(t);
}

/* Which certificate the server asked us for, and what we gave it. */
static void tell_asked(const struct teller *t)
{
    const struct mu_observed *seen = t->observed;
    if (seen == NULL || !seen->cert_requested) {
        return;
    }
    mu_buf_text(t->out, seen->cert_sent ? "asked for, ours was sent" : "asked for, we sent none");
    if (seen->ca_name_count == 0) {
        return;
    }
    say_label(t, "of");
    for (size_t i = 0; i < seen->ca_name_count && i < MAX_LISTED; i++) {
        mu_buf_byte(t->out, '"');
        mu_name_text(t->out, seen->ca_names[i]);
        mu_buf_text(t->out, i + 1 < seen->ca_name_count && i + 1 < MAX_LISTED ? "\", " : "\"");
    }
    if (seen->ca_name_count > MAX_LISTED) {
        mu_buf_printf(t->out, " and %zu more", seen->ca_name_count - MAX_LISTED);
    }
}

static void tell_check(const struct teller *t)
{
    const struct mutual_verdict *verdict = t->story->verdict;
    if (verdict != NULL && verdict->name != NULL && t->story->side == MUTUAL_SIDE_CLIENT) {
        mu_buf_printf(t->out, "as %s ", mutual_name_type_word(verdict->name->type));
        mu_escape(t->out, mu_slice_of(verdict->name->text, verdict->name->len));
    } else if (t->story->info != NULL && t->story->info->peer_signature != NULL) {
        mu_buf_printf(t->out, "proved with %s", t->story->info->peer_signature);
    }
}

static void tell_access(const struct teller *t)
{
    const struct mutual_verdict *verdict = t->story->verdict;
    if (verdict == NULL || t->story->side == MUTUAL_SIDE_CLIENT) {
        return;
    }
    if (verdict->grant == NULL) {
        if (verdict->allowed) {
            mu_buf_text(t->out, "no certificate is asked for: everybody may");
        }
        return;
    }
    char place[MU_PLACE_TEXT];
    say_quoted(t->out, "grant ", verdict->grant->name);
    if (mu_grant_place(verdict->grant, place)[0] != '\0') {
        mu_buf_printf(t->out, " (%s)", place);
    }
    if (verdict->name != NULL) {
        mu_buf_text(t->out, " for ");
        mu_escape(t->out, mu_slice_of(verdict->name->text, verdict->name->len));
    }
    if (verdict->allowed && verdict->until_s != MU_TIME_NEVER_S) {
        char when[MU_TIME_TEXT];
        mu_buf_printf(t->out, ", until %s", mu_time_format(verdict->until_s, when));
    }
}

/* Why a step does not apply. */
static void tell_skipped(const struct teller *t, enum mutual_step step)
{
    const struct mutual_session_info *info = t->story->info;
    if (info != NULL && info->resumed) {
        if (step == MUTUAL_STEP_SERVER_CERT) {
            mu_buf_text(t->out, "resumed: proved in an earlier handshake, judged again now");
        }
        if (mu_story_is_peer_cert(t->story, step) && t->story->chain != NULL) {
            if (step == MUTUAL_STEP_SERVER_CERT) {
                say_label(t, "by");
            }
            tell_chain(t);
        }
    } else if (step == MUTUAL_STEP_SERVER_CHECK && t->view->unchecked) {
        mu_buf_text(t->out, "not checked: no authorities were given");
    } else if (step == MUTUAL_STEP_CLIENT_CERT) {
        tell_asked(t);
        if (t->observed == NULL || !t->observed->cert_requested) {
            mu_buf_text(t->out, "plain TLS: no certificate from the client");
        }
    }
}

static void tell_details(const struct teller *t, enum mutual_step step)
{
    bool at_server = t->story->side == MUTUAL_SIDE_SERVER;
    if (mu_story_is_peer_cert(t->story, step)) {
        tell_peer_cert(t);
    } else if (step == MUTUAL_STEP_CONNECT) {
        tell_connect(t);
    } else if (step == MUTUAL_STEP_CLIENT_CERT) {
        tell_asked(t);
    } else if (step == (at_server ? MUTUAL_STEP_CLIENT_CHECK : MUTUAL_STEP_SERVER_CHECK)) {
        tell_check(t);
    } else if (step == MUTUAL_STEP_ACCESS) {
        tell_access(t);
    }
}

static const char *const step_labels[MUTUAL_STEP_COUNT_] = {
    [MUTUAL_STEP_CONNECT] = "client connects",
    [MUTUAL_STEP_SERVER_CERT] = "server certificate",
    [MUTUAL_STEP_SERVER_CHECK] = "client checks it",
    [MUTUAL_STEP_CLIENT_CERT] = "client certificate",
    [MUTUAL_STEP_CLIENT_CHECK] = "server checks it",
    [MUTUAL_STEP_ACCESS] = "access",
    [MUTUAL_STEP_DATA] = "data flows",
};

/* A client of TLS 1.3 learns of step 5 after it has judged the server in step 6: what comes later
 * in the story is not told as earlier. */
static int64_t reached_by(const struct mutual_story *story, enum mutual_step step)
{
    int64_t latest_ns = 0;
    for (int i = MUTUAL_STEP_CONNECT; i <= (int)step; i++) {
        enum mutual_outcome outcome = mu_story_step_outcome(story, (enum mutual_step)i);
        int64_t reached_ns = story->journey->steps[i].reached_ns;
        if (outcome == MUTUAL_OUTCOME_DONE && reached_ns > latest_ns) {
            latest_ns = reached_ns;
        }
    }
    int64_t own_ns = story->journey->steps[step].reached_ns;
    return own_ns > latest_ns ? own_ns : latest_ns;
}

static void tell_step(const struct teller *t, enum mutual_step step)
{
    static const char *const words[] = {
        [MUTUAL_OUTCOME_PENDING] = "-",
        [MUTUAL_OUTCOME_DONE] = "done",
        [MUTUAL_OUTCOME_SKIPPED] = "skipped",
        [MUTUAL_OUTCOME_FAILED] = "FAILED",
    };
    enum mutual_outcome outcome = mu_story_step_outcome(t->story, step);
    int64_t reached_ns = reached_by(t->story, step);
    char lapse[MU_TIME_TEXT] = "";
    bool told = outcome == MUTUAL_OUTCOME_DONE || outcome == MUTUAL_OUTCOME_FAILED;
    if (told && reached_ns > 0) {
        mu_lapse_text(reached_ns, lapse);
    }
    const char *word = words[outcome];
    if (outcome == MUTUAL_OUTCOME_FAILED && strcmp(mu_story_outcome(t->story), "ended") == 0) {
        word = "ended";
    }
    mu_buf_printf(t->out, "  %d %-18s  %-7s %8s  ", (int)step, step_labels[step], word, lapse);
    if (outcome == MUTUAL_OUTCOME_SKIPPED) {
        tell_skipped(t, step);
    } else if (outcome != MUTUAL_OUTCOME_PENDING) {
        tell_details(t, step);
    }
    while (t->out->len > 0 && t->out->data[t->out->len - 1] == ' ') {
        t->out->len--;
    }
    mu_buf_byte(t->out, '\n');
}

/* ---- the end --------------------------------------------------------------------------------- */

static void tell_alert(const struct teller *t, const char *who, int alert)
{
    const char *name = alert < 0 ? NULL : mutual_alert_name(alert);
    if (alert >= 0) {
        mu_buf_printf(t->out, "ALERT  %s sent %s (%d)%s%s\n", who,
                      name == NULL ? "an alert that is none" : name, alert,
                      name == NULL ? "" : ". ", name == NULL ? "" : mutual_alert_meaning(alert));
    }
}

static void tell_notes(const struct teller *t)
{
    const char *const *notes = t->view->notes;
    for (size_t i = 0; notes != NULL && notes[i] != NULL; i++) {
        mu_buf_printf(t->out, "%sNOTE   %s\n", i == 0 ? "\n" : "", notes[i]);
    }
}

static void tell_end(const struct teller *t)
{
    const struct mutual_error *error = mu_story_error(t->story);
    if (error == NULL) {
        return;
    }
    mu_buf_byte(t->out, '\n');
    if (t->story->info != NULL) {
        const char *peer = mu_story_peer_role(t->story);
        char who[16];
        snprintf(who, sizeof who, "the %s", peer);
        tell_alert(t, who, t->story->info->alert_received);
        tell_alert(t, "we", t->story->info->alert_sent);
    }
    mu_buf_printf(t->out, "WHY    %s [%s]\n", error->reason, mutual_code_name(error->code));
    if (error->context[0] != '\0') {
        mu_buf_printf(t->out, "WHERE  %s\n", error->context);
    }
    mu_buf_printf(t->out, "FIX    %s\n", error->hint);
    mu_buf_printf(t->out, "WHO    %s\n", mu_story_actor(t->story));
}

void mu_explain_text(const struct mutual_story *story, const struct mu_story_view *view,
                     struct mu_buf *out)
{
    static const struct mu_story_view nothing;
    view = view != NULL ? view : &nothing;
    const struct teller t = {story, view, view->observed, out};
    tell_head(&t);
    for (int step = MUTUAL_STEP_CONNECT; step <= MUTUAL_STEP_DATA; step++) {
        tell_step(&t, (enum mutual_step)step);
    }
    tell_end(&t);
    tell_notes(&t);
}

size_t mutual_explain_text(const struct mutual_story *story, char *text, size_t size)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, MU_LIMIT_STORY_BYTES);
    mu_explain_text(story, NULL, &out);
    int n = snprintf(text, size, "%s", mu_buf_str(&out));
    return n < 0 ? 0 : (size_t)n;
}
