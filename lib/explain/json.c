/* SPDX-License-Identifier: Apache-2.0
 *
 * The story as one JSON object, with the same facts as the text.
 */
#include "explain/explain_internal.h"

#include "admission/admission.h"
#include "x509/x509.h"

#include <stdio.h>

static void time_field(struct mu_json *json, const char *key, int64_t time_s)
{
    char text[MU_TIME_TEXT];
    mu_json_string(json, key, time_s == MU_TIME_NEVER_S ? NULL : mu_time_format(time_s, text));
}

static void hex_field(struct mu_json *json, const char *key, struct mu_slice bytes)
{
    MU_AUTO(buf) struct mu_buf hex;
    mu_buf_init(&hex, 2 * 64);
    mu_hex(&hex, bytes);
    mu_json_string(json, key, mu_buf_str(&hex));
}

static void write_alert(struct mu_json *json, const char *key, int alert)
{
    if (alert < 0) {
        mu_json_null(json, key);
        return;
    }
    mu_json_open(json, key, '{');
    mu_json_int(json, "number", alert);
    mu_json_string(json, "name", mutual_alert_name(alert));
    mu_json_close(json, '}');
}

static void write_tls(struct mu_json *json, const struct mutual_session_info *info)
{
    if (info == NULL) {
        mu_json_null(json, "tls");
        return;
    }
    mu_json_open(json, "tls", '{');
    mu_json_string(json, "version", info->version);
    mu_json_string(json, "cipher", info->cipher);
    mu_json_string(json, "group", info->group);
    mu_json_string(json, "sni", info->sni);
    mu_json_string(json, "alpn", info->alpn);
    mu_json_string(json, "peer_signature", info->peer_signature);
    mu_json_bool(json, "mutual", info->mutual);
    mu_json_bool(json, "resumed", info->resumed);
    mu_json_bool(json, "certificate_requested", info->cert_requested);
    write_alert(json, "alert_sent", info->alert_sent);
    write_alert(json, "alert_received", info->alert_received);
    mu_json_close(json, '}');
}

static void write_name(struct mu_json *json, const char *key, const struct mutual_name *name)
{
    mu_json_open(json, key, '{');
    mu_json_string(json, "type", mutual_name_type_word(name->type));
    mu_json_slice(json, "text", mu_slice_of(name->text, name->len));
    mu_json_close(json, '}');
}

static void write_chain(struct mu_json *json, const struct mutual_chain *chain)
{
    if (chain == NULL) {
        mu_json_null(json, "peer_certificate");
        return;
    }
    mu_json_open(json, "peer_certificate", '{');
    mu_json_string(json, "subject", mutual_chain_subject(chain));
    mu_json_string(json, "issuer", mutual_chain_issuer(chain));
    size_t links = 0;
    const struct mutual_link *leaf = mutual_chain_links(chain, &links);
    if (links > 0) {
        hex_field(json, "serial", mu_slice_of(leaf->serial, leaf->serial_len));
        hex_field(json, "fingerprint", mu_slice_of(leaf->fingerprint, sizeof leaf->fingerprint));
        time_field(json, "not_before", leaf->not_before_s);
        time_field(json, "not_after", leaf->not_after_s);
    }
    mu_json_int(json, "chain_length", (int64_t)links);
    mu_json_open(json, "names", '[');
    size_t count = 0;
    const struct mutual_name *names = mutual_chain_names(chain, &count);
    for (size_t i = 0; i < count; i++) {
        write_name(json, NULL, &names[i]);
    }
    mu_json_close(json, ']');
    mu_json_close(json, '}');
}

static void write_verdict(struct mu_json *json, const struct mutual_verdict *verdict)
{
    if (verdict == NULL) {
        mu_json_null(json, "decision");
        return;
    }
    mu_json_open(json, "decision", '{');
    mu_json_bool(json, "allowed", verdict->allowed);
    if (verdict->grant != NULL) {
        char place[MU_PLACE_TEXT];
        mu_json_string(json, "grant", verdict->grant->name);
        mu_json_string(json, "at", mu_grant_place(verdict->grant, place));
        mu_json_string(json, "owner", verdict->grant->owner);
        mu_json_string(json, "why", verdict->grant->why);
    }
    if (verdict->name != NULL) {
        write_name(json, "name", verdict->name);
    }
    if (verdict->allowed) {
        time_field(json, "until", verdict->until_s);
    }
    mu_json_close(json, '}');
}

static void write_steps(struct mu_json *json, const struct mutual_story *story)
{
    static const char *const words[] = {
        [MUTUAL_OUTCOME_PENDING] = "pending",
        [MUTUAL_OUTCOME_DONE] = "done",
        [MUTUAL_OUTCOME_SKIPPED] = "skipped",
        [MUTUAL_OUTCOME_FAILED] = "failed",
    };
    mu_json_open(json, "steps", '[');
    for (int i = MUTUAL_STEP_CONNECT; i <= MUTUAL_STEP_DATA; i++) {
        enum mutual_step step = (enum mutual_step)i;
        enum mutual_outcome outcome = mu_story_step_outcome(story, step);
        mu_json_open(json, NULL, '{');
        mu_json_int(json, "step", i);
        mu_json_string(json, "name", mutual_step_name(step));
        mu_json_string(json, "text", mutual_step_text(step));
        mu_json_string(json, "outcome", words[outcome]);
        mu_json_int(json, "reached_us", story->journey->steps[i].reached_ns / 1000);
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void write_error(struct mu_json *json, const struct mutual_story *story)
{
    const struct mutual_error *error = mu_story_error(story);
    if (error == NULL) {
        mu_json_null(json, "error");
        return;
    }
    char word[MU_REASON_TEXT];
    mu_json_open(json, "error", '{');
    mu_json_string(json, "code", mutual_code_name(error->code));
    mu_json_string(json, "reason_word", mu_explain_reason_word(error->code, word));
    mu_json_string(json, "class", mutual_class_name(mutual_code_class(error->code)));
    mu_json_string(json, "reason", error->reason);
    mu_json_string(json, "context", error->context[0] == '\0' ? NULL : error->context);
    mu_json_string(json, "fix", error->hint);
    mu_json_string(json, "who", mu_story_actor(story));
    mu_json_close(json, '}');
}

/* ---- what was seen on the wire --------------------------------------------------------------- */

static void write_codes(struct mu_json *json, const char *key, const struct mu_observed_list *list,
                        const char *(*name)(uint16_t))
{
    mu_json_open(json, key, '[');
    for (size_t i = 0; i < list->count; i++) {
        char number[8];
        const char *known = name(list->items[i]);
        snprintf(number, sizeof number, "0x%04x", list->items[i]);
        mu_json_string(json, NULL, known == NULL ? number : known);
    }
    mu_json_close(json, ']');
}

static void write_presented(struct mu_json *json, const struct mu_observed *seen)
{
    mu_json_open(json, "presented", '[');
    for (size_t i = 0; i < seen->cert_count; i++) {
        MU_AUTO(cert) struct mu_cert *cert = NULL;
        struct mu_slice der = mu_slice_of(seen->certs[i].data, seen->certs[i].len);
        mu_json_open(json, NULL, '{');
        mu_json_int(json, "bytes", (int64_t)der.len);
        if (mu_cert_from_der(der, &cert, NULL)) {
            const struct mu_cert_facts *facts = mu_cert_facts(cert);
            mu_json_string(json, "subject", facts->subject_text);
            mu_json_string(json, "issuer", facts->issuer_text);
            mu_json_string(json, "key", facts->key.text);
            hex_field(json, "serial", facts->serial);
            hex_field(json, "fingerprint",
                      mu_slice_of(facts->fingerprint, sizeof facts->fingerprint));
            time_field(json, "not_before", facts->not_before_s);
            time_field(json, "not_after", facts->not_after_s);
        }
        mu_json_close(json, '}');
    }
    mu_json_close(json, ']');
}

static void write_observed(struct mu_json *json, const struct mu_observed *seen)
{
    mu_json_open(json, "observed", '{');
    mu_json_open(json, "offered", '{');
    write_codes(json, "versions", &seen->versions, mu_version_name);
    write_codes(json, "ciphers", &seen->ciphers, mu_cipher_name);
    write_codes(json, "groups", &seen->groups, mu_group_name);
    write_codes(json, "signatures", &seen->signatures, mu_signature_name);
    mu_json_close(json, '}');
    write_presented(json, seen);
    mu_json_bool(json, "certificate_requested", seen->cert_requested);
    mu_json_bool(json, "certificate_sent", seen->cert_sent);
    mu_json_open(json, "authorities", '[');
    for (size_t i = 0; i < seen->ca_name_count; i++) {
        MU_AUTO(buf) struct mu_buf name;
        mu_buf_init(&name, MU_LIMIT_STORY_BYTES);
        mu_name_text(&name, seen->ca_names[i]);
        mu_json_string(json, NULL, mu_buf_str(&name));
    }
    mu_json_close(json, ']');
    mu_json_close(json, '}');
}

static void write_notes(struct mu_json *json, const char *const *notes)
{
    mu_json_open(json, "notes", '[');
    for (size_t i = 0; notes != NULL && notes[i] != NULL; i++) {
        mu_json_string(json, NULL, notes[i]);
    }
    mu_json_close(json, ']');
}

void mu_explain_json(const struct mutual_story *story, const struct mu_story_view *view,
                     struct mu_buf *out)
{
    static const struct mu_story_view nothing;
    view = view != NULL ? view : &nothing;
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "outcome", mu_view_outcome(story, view));
    mu_json_string(&json, "side", story->side == MUTUAL_SIDE_SERVER ? "server" : "client");
    mu_json_string(&json, "service", story->service);
    mu_json_string(&json, "peer", story->peer);
    mu_json_string(&json, "step", mutual_step_name(mu_story_step(story)));
    const struct mutual_name *name = mu_peer_name(story->verdict, story->chain);
    mu_json_string(&json, "identity", name == NULL ? NULL : name->text);
    write_tls(&json, story->info);
    write_chain(&json, story->chain);
    write_verdict(&json, story->verdict);
    write_steps(&json, story);
    write_error(&json, story);
    if (view->observed != NULL) {
        write_observed(&json, view->observed);
    }
    mu_json_bool(&json, "peer_checked", !view->unchecked);
    write_notes(&json, view->notes);
    mu_json_close(&json, '}');
}

size_t mutual_explain_json(const struct mutual_story *story, char *text, size_t size)
{
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, MU_LIMIT_STORY_BYTES);
    mu_explain_json(story, NULL, &out);
    int n = snprintf(text, size, "%s", mu_buf_str(&out));
    return n < 0 ? 0 : (size_t)n;
}
