/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's record of a connection: one line for people, or one JSON object with stable fields.
 */
#include "explain/explain_internal.h"

#include "admission/admission.h"

#include <inttypes.h>
#include <string.h>

/* A record must fit into one write to a pipe (PIPE_BUF, 4096), or peers with long names could tear
 * it apart or keep themselves out of the log. What is cut here still has its fingerprint. */
#define ID_BYTES    1400u /* of a SPIFFE ID, which needs no escaping */
#define NAME_BYTES  600u  /* of any other name, half of which may    */
#define SNI_BYTES   280u
#define CLAIM_BYTES 160u /* of what a certificate says that nobody believes */

static struct mu_slice cut(struct mu_slice text, size_t max)
{
    return mu_slice_of(text.data, text.len < max ? text.len : max);
}

static struct mu_slice id_text(const struct mutual_name *name)
{
    return cut(mu_slice_of(name->text, name->len),
               name->type == MUTUAL_NAME_SPIFFE ? ID_BYTES : NAME_BYTES);
}

const char *mu_story_level(const struct mutual_story *story)
{
    const struct mutual_error *error = mu_story_error(story);
    /* Who lost its place to others: in a flood that is every other line, and the flood itself is
     * told in a line of its own. Who had said something may have been a client. */
    if (error != NULL && error->code == MUTUAL_E_CROWDED_OUT) {
        return story->info == NULL ? "info" : "warning";
    }
    if (error == NULL || error->code == MUTUAL_E_PEER_SILENT ||
        strcmp(mu_story_outcome(story), "ended") == 0) {
        return "info";
    }
    return mutual_code_class(error->code) == MUTUAL_CLASS_PEER ? "warning" : "error";
}

/* Was access decided, and how? */
static const char *decision_of(const struct mutual_story *story)
{
    if (story->verdict == NULL) {
        return mu_story_error(story) == NULL ? NULL : "refused";
    }
    return story->verdict->allowed ? "allowed" : "refused";
}

/* What tomorrow's rules say, in a word: "allowed", or why not; NULL where there are none. */
static const char *shadow_of(const struct mutual_story *story, char word[MU_REASON_TEXT])
{
    const struct mutual_verdict *verdict = story->verdict;
    if (verdict == NULL || verdict->shadow == MUTUAL_SHADOW_NONE) {
        return NULL;
    }
    if (verdict->shadow == MUTUAL_SHADOW_ALLOWED) {
        return "allowed";
    }
    return verdict->shadow_why == NULL ? "refused"
                                       : mu_explain_reason_word(verdict->shadow_why->code, word);
}

static void say_shadow(struct mu_buf *out, const struct mutual_story *story, const char *claimed)
{
    char word[MU_REASON_TEXT];
    const char *shadow = shadow_of(story, word);
    if (shadow == NULL) {
        return;
    }
    mu_buf_printf(out, ", shadow=%s", shadow);
    if (story->verdict->shadow_grant != NULL) {
        mu_buf_printf(out, " by grant \"%s\"", story->verdict->shadow_grant->name);
    }
    if (claimed != NULL) {
        mu_buf_text(out, " claimed=\"");
        mu_escape(out, cut(mu_slice_text(claimed), CLAIM_BYTES));
        mu_buf_byte(out, '"');
    }
}

/* The remote text in a line: escaped, "-" when there is none. */
static void say_text(struct mu_buf *out, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        mu_buf_byte(out, '-');
    } else {
        mu_escape(out, mu_slice_text(text));
    }
}

static void say_tls(struct mu_buf *out, const struct mutual_session_info *info, bool admitted)
{
    if (info == NULL || info->version == NULL) {
        return;
    }
    mu_buf_printf(out, ", %s%s", info->version, info->resumed ? " resumed" : "");
    if (admitted && !info->mutual) {
        mu_buf_text(out, " without client certificate");
    }
    if (info->ocsp != NULL && strcmp(info->ocsp, "none") != 0) {
        mu_buf_printf(out, " ocsp=%s", info->ocsp);
    }
}

void mu_story_log_text(const struct mutual_story *story, const struct mu_story_counts *counts,
                       struct mu_buf *out)
{
    char text[MU_TIME_TEXT];
    char word[MU_REASON_TEXT];
    mu_buf_printf(out, "%s %s ", mu_time_format(counts->time_s, text),
                  story->service == NULL ? "-" : story->service);
    say_text(out, story->peer);
    mu_buf_printf(out, " %s", mu_story_outcome(story));
    const struct mutual_name *name = mu_peer_name(story->verdict, story->chain);
    if (name != NULL) {
        mu_buf_byte(out, ' ');
        mu_escape(out, id_text(name));
    }
    const struct mutual_error *error = mu_story_error(story);
    if (error != NULL) {
        mu_buf_printf(out, " %s: %s (step %d)", mu_explain_reason_word(error->code, word),
                      error->reason, (int)mu_story_step(story));
    }
    bool admitted = story->verdict != NULL && story->verdict->allowed;
    if (admitted && story->verdict->grant != NULL) {
        mu_buf_printf(out, " by grant \"%s\"", story->verdict->grant->name);
    }
    say_tls(out, story->info, admitted);
    if (counts->plaintext) {
        mu_buf_text(out, ", IN THE CLEAR");
    }
    say_shadow(out, story, counts->claimed);
    if (admitted) {
        mu_buf_printf(out, ", %" PRIu64 " bytes in, %" PRIu64 " out", counts->bytes_in,
                      counts->bytes_out);
    }
    mu_buf_printf(out, ", %s", mu_lapse_text(counts->duration_ns, text));
    if (error != NULL) {
        mu_buf_printf(out, "; %s", error->hint);
    }
}

/* What happened, in one sentence for people who read the JSON. */
static void message(struct mu_buf *out, const struct mutual_story *story)
{
    const struct mutual_error *error = mu_story_error(story);
    mu_buf_text(out, mu_story_peer_role(story));
    mu_buf_byte(out, ' ');
    mu_buf_text(out, mu_story_outcome(story));
    if (error != NULL) {
        mu_buf_printf(out, ": %s", error->reason);
    }
}

static void write_peer(struct mu_json *json, const struct mutual_story *story, const char *claimed)
{
    MU_AUTO(buf) struct mu_buf serial;
    MU_AUTO(buf) struct mu_buf print;
    mu_buf_init(&serial, 64);
    mu_buf_init(&print, 80);
    size_t links = 0;
    const struct mutual_link *leaf =
        story->chain == NULL ? NULL : mutual_chain_links(story->chain, &links);
    if (links > 0) {
        mu_hex(&serial, mu_slice_of(leaf->serial, leaf->serial_len));
        mu_hex(&print, mu_slice_of(leaf->fingerprint, sizeof leaf->fingerprint));
    }
    const struct mutual_name *name = mu_peer_name(story->verdict, story->chain);
    mu_json_string(json, "peer.addr", story->peer);
    if (name == NULL) {
        mu_json_null(json, "peer.id");
    } else {
        mu_json_slice(json, "peer.id", id_text(name));
    }
    if (claimed == NULL) {
        mu_json_null(json, "peer.claimed");
    } else {
        mu_json_slice(json, "peer.claimed", cut(mu_slice_text(claimed), CLAIM_BYTES));
    }
    mu_json_string(json, "peer.serial", links > 0 ? mu_buf_str(&serial) : NULL);
    mu_json_string(json, "peer.fingerprint", links > 0 ? mu_buf_str(&print) : NULL);
}

static void write_tls(struct mu_json *json, const struct mutual_session_info *info)
{
    static const struct mutual_session_info nothing;
    const struct mutual_session_info *known = info == NULL ? &nothing : info;
    mu_json_string(json, "tls.version", known->version);
    mu_json_string(json, "tls.cipher", known->cipher);
    mu_json_string(json, "tls.group", known->group);
    mu_json_bool(json, "tls.resumed", known->resumed);
    mu_json_bool(json, "tls.mutual", known->mutual);
    if (known->sni == NULL) {
        mu_json_null(json, "tls.sni");
    } else {
        mu_json_slice(json, "tls.sni", cut(mu_slice_text(known->sni), SNI_BYTES));
    }
    mu_json_string(json, "tls.alpn", known->alpn);
    mu_json_string(json, "tls.ocsp", known->ocsp);
}

static void write_decision(struct mu_json *json, const struct mutual_story *story)
{
    char place[MU_PLACE_TEXT];
    char word[MU_REASON_TEXT];
    const struct mutual_grant *grant = story->verdict == NULL ? NULL : story->verdict->grant;
    const struct mutual_error *error = mu_story_error(story);
    mu_json_string(json, "outcome", mu_story_outcome(story));
    mu_json_string(json, "decision", decision_of(story));
    mu_json_string(json, "rule", grant == NULL ? NULL : grant->name);
    mu_json_string(json, "rule.at", mu_grant_place(grant, place)[0] == '\0' ? NULL : place);
    const struct mutual_grant *later = story->verdict == NULL ? NULL : story->verdict->shadow_grant;
    mu_json_string(json, "shadow", shadow_of(story, word));
    mu_json_string(json, "shadow.rule", later == NULL ? NULL : later->name);
    mu_json_string(json, "step", mutual_step_name(mu_story_step(story)));
    mu_json_string(json, "reason",
                   error == NULL ? NULL : mu_explain_reason_word(error->code, word));
    mu_json_string(json, "detail", error == NULL ? NULL : error->reason);
    mu_json_string(json, "hint", error == NULL ? NULL : error->hint);
}

void mu_story_log_json(const struct mutual_story *story, const struct mu_story_counts *counts,
                       struct mu_buf *out)
{
    char when[MU_TIME_TEXT];
    MU_AUTO(buf) struct mu_buf msg;
    mu_buf_init(&msg, 512);
    message(&msg, story);
    struct mu_json json;
    mu_json_init(&json, out);
    mu_json_open(&json, NULL, '{');
    mu_json_string(&json, "time", mu_time_format(counts->time_s, when));
    mu_json_string(&json, "level", mu_story_level(story));
    mu_json_string(&json, "event", "connection_end");
    mu_json_string(&json, "msg", mu_buf_str(&msg));
    mu_json_string(&json, "side", story->side == MUTUAL_SIDE_SERVER ? "inbound" : "outbound");
    mu_json_string(&json, "listener", story->service);
    mu_json_int(&json, "worker", counts->worker);
    mu_json_int(&json, "conn", (int64_t)counts->connection);
    write_peer(&json, story, counts->claimed);
    write_tls(&json, story->info);
    mu_json_bool(&json, "plaintext", counts->plaintext);
    write_decision(&json, story);
    mu_json_string(&json, "upstream", counts->upstream);
    mu_json_int(&json, "bytes_in", (int64_t)counts->bytes_in);
    mu_json_int(&json, "bytes_out", (int64_t)counts->bytes_out);
    mu_json_int(&json, "duration_ms", counts->duration_ns / MU_NS_PER_MS);
    mu_json_string(&json, "trace_id", counts->trace_id);
    mu_json_close(&json, '}');
}
