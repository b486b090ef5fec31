/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe's way through the seven steps: connect, shake hands, judge the server, then listen,
 * because in TLS 1.3 a server refuses its client only after the client thinks that all is done;
 * and where the server says that it speaks HTTP, ask it.
 */
#include "probe/probe_internal.h"

#include "session/session.h"

#include <stdio.h>
#include <string.h>

#define MAX_NOTES 6u

struct probe {
    const struct probe_options *options;
    struct mutual_rules rules;
    struct mutual_pattern *own_expect; /* made from the server name */
    struct mutual_context *context;
    struct mutual_session *session;
    struct probe_wire wire;
    struct mutual_error error;
    struct mutual_journey journey;
    struct mutual_session_info info;
    char note_texts[MAX_NOTES][PROBE_NOTE_BYTES];
    const char *notes[MAX_NOTES + 1];
    size_t note_count;
    char service[280];
    struct mutual_story story;
    struct mu_story_view view;
};

static void add_note(struct probe *probe, const char *text)
{
    if (probe->note_count < MAX_NOTES) {
        char *note = probe->note_texts[probe->note_count];
        snprintf(note, PROBE_NOTE_BYTES, "%s", text);
        probe->notes[probe->note_count++] = note;
    }
}

static const char *server_name(const struct probe_options *options)
{
    return options->server_name != NULL ? options->server_name : options->host;
}

/* ---- preparing ------------------------------------------------------------------------------- */

/* Whom to expect when nobody said: the name or address that we connect to. */
static bool expect_name(struct probe *probe, struct mutual_error *err)
{
    const char *name = server_name(probe->options);
    if (mutual_pattern_parse(MUTUAL_NAME_IP, name, &probe->own_expect, NULL)) {
        return true;
    }
    return mutual_pattern_parse(MUTUAL_NAME_DNS, name, &probe->own_expect, err);
}

static bool make_rules(struct probe *probe, struct mutual_error *err)
{
    const struct probe_options *options = probe->options;
    snprintf(probe->service, sizeof probe->service, "%s", server_name(options));
    probe->rules = (struct mutual_rules){
        .side = MUTUAL_SIDE_CLIENT,
        .service = probe->service,
        .trust = options->trust,
        .expect = options->expect,
        .expect_count = options->expect_count,
    };
    if (options->expect_count == 0 && options->trust != NULL) {
        if (!expect_name(probe, err)) {
            return false;
        }
        probe->rules.expect = &probe->own_expect;
        probe->rules.expect_count = 1;
    }
    return true;
}

static bool make_context(const struct probe *probe, const char *const *alpn,
                         struct mutual_context **ret_context, struct mutual_error *err)
{
    const struct mutual_context_options options = {
        .rules = &probe->rules,
        .identities = &probe->options->identity,
        .identity_count = probe->options->identity == NULL ? 0 : 1,
        .alpn = alpn,
        .server_name = server_name(probe->options),
    };
    const struct mu_context_extras extras = {.insecure_blind = probe->options->trust == NULL};
    return mu_context_new(&options, &extras, ret_context, err);
}

/* ---- the steps of a session, as probe_step -----------------------------------------------------
 */

static enum mutual_io shake_hands(struct mutual_session *session, struct mutual_wire *window,
                                  void *context, struct mutual_error *err)
{
    (void)context;
    return mutual_session_handshake(session, window, err);
}

static enum mutual_io listen_on(struct mutual_session *session, struct mutual_wire *window,
                                void *context, struct mutual_error *err)
{
    (void)context;
    return mu_session_listen(session, window, err);
}

static enum mutual_io say_goodbye(struct mutual_session *session, struct mutual_wire *window,
                                  void *context, struct mutual_error *err)
{
    (void)context;
    return mutual_session_close(session, window, err);
}

static enum mutual_io write_all(struct mutual_session *session, struct mutual_wire *window,
                                void *context, struct mutual_error *err)
{
    struct mu_buf *request = context;
    size_t taken = 0;
    enum mutual_io io =
        mutual_session_write(session, window, request->data, request->len, &taken, err);
    mu_buf_consume(request, taken);
    return io == MUTUAL_IO_DONE && request->len > 0 ? MUTUAL_IO_WANT_WRITE : io;
}

/* Reads until the answer is whole enough; it is kept short by its own limit. */
static enum mutual_io read_some(struct mutual_session *session, struct mutual_wire *window,
                                void *context, struct mutual_error *err)
{
    struct mu_buf *answer = context;
    uint8_t data[1024];
    size_t len = 0;
    enum mutual_io io = mutual_session_read(session, window, data, sizeof data, &len, err);
    if (io == MUTUAL_IO_DONE && mu_buf_append(answer, data, len)) {
        return MUTUAL_IO_WANT_READ;
    }
    return io;
}

/* ---- going through it ------------------------------------------------------------------------ */

static void tell_timeout(struct probe *probe)
{
    char words[MU_TIME_TEXT];
    mu_duration_words(probe->options->timeout_ns / MU_NS_PER_S, words);
    (void)mu_fail(&probe->error, MUTUAL_E_HANDSHAKE_TIMEOUT,
                  "\"%s\" did not go on with the handshake within %s", probe->wire.peer, words);
    if (probe->wire.bytes_in == 0) {
        (void)mu_error_hint(&probe->error,
                            "The server said nothing at all: it may not speak TLS on "
                            "this port, or be overloaded.");
    }
}

static bool handshake(struct probe *probe)
{
    int64_t deadline_ns = mu_clock_mono_ns() + probe->options->timeout_ns;
    enum mutual_io io = probe_wire_drive(&probe->wire, probe->session, shake_hands, NULL,
                                         deadline_ns, &probe->error);
    if (io == MUTUAL_IO_WANT_READ) {
        tell_timeout(probe);
    }
    if (probe->error.code == MUTUAL_E_NOT_TLS) {
        size_t len = probe->wire.bytes_in < PROBE_HEAD_BYTES ? (size_t)probe->wire.bytes_in
                                                             : PROBE_HEAD_BYTES;
        const struct probe_greeting *greeting =
            probe_greeting_find(mu_slice_of(probe->wire.head, len));
        if (greeting != NULL) {
            (void)mu_error_hint(&probe->error, "It looks like %s. %s", greeting->what,
                                greeting->advice);
        }
    }
    return io == MUTUAL_IO_DONE;
}

/* The server ended it before a single byte of data: in all likelihood it refused us, at a step
 * for which TLS has no alert, such as its policy. */
static void tell_silent_end(struct probe *probe)
{
    (void)mu_fail(&probe->error, MUTUAL_E_PEER_CLOSED,
                  "the server closed the connection right after the handshake");
    probe->error.step = MUTUAL_STEP_ACCESS;
    (void)mu_error_hint(&probe->error, "It may refuse our identity by its policy, or its own "
                                       "backend be down; look into its log.");
}

/* Has the server shown that it took our certificate, or is there none to take? */
static bool is_settled(const struct probe *probe)
{
    const struct mutual_journey *journey = mutual_session_journey(probe->session);
    return journey->steps[MUTUAL_STEP_CLIENT_CHECK].outcome != MUTUAL_OUTCOME_PENDING;
}

/* Hears the server out: a moment in any case, longer while its answer to our certificate is open.
 */
static void listen_to(struct probe *probe)
{
    int64_t begin_ns = mu_clock_mono_ns();
    enum mutual_io io = MUTUAL_IO_DONE;
    bool spoke = false;
    for (unsigned i = 0; i < 64 && io == MUTUAL_IO_DONE; i++) {
        io = probe_wire_drive(&probe->wire, probe->session, listen_on, NULL,
                              begin_ns + probe->options->listen_ns / 4, &probe->error);
        if (io == MUTUAL_IO_WANT_READ && !is_settled(probe)) {
            io = probe_wire_drive(&probe->wire, probe->session, listen_on, NULL,
                                  begin_ns + probe->options->listen_ns, &probe->error);
        }
        spoke = spoke || io == MUTUAL_IO_DONE;
    }
    bool cut = io == MUTUAL_IO_FAILED && probe->error.code == MUTUAL_E_TRUNCATED;
    if (spoke && (cut || io == MUTUAL_IO_END)) {
        probe->error = (struct mutual_error){0};
    } else if (cut || io == MUTUAL_IO_END) {
        probe->error = (struct mutual_error){0};
        tell_silent_end(probe);
    }
}

/* A second connection, for HTTP: only to a server that chooses http/1.1 itself, and only one that
 * was judged and admitted. What goes wrong here says nothing about the first. */
static void ask_http(struct probe *probe)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct mutual_error ignored = {0};
    MU_AUTO(context) struct mutual_context *context = NULL;
    MU_AUTO(session) struct mutual_session *session = NULL;
    MU_AUTO(probe_wire) struct probe_wire wire = {.fd = -1};
    const struct probe_options *options = probe->options;
    if (!make_context(probe, alpn, &context, &ignored) ||
        (session = mutual_session_new(context, &ignored)) == NULL ||
        !probe_wire_open(&wire, options->host, options->port, options->timeout_ns, &ignored)) {
        return;
    }
    int64_t deadline_ns = mu_clock_mono_ns() + options->timeout_ns;
    struct mutual_session_info info = {0};
    if (probe_wire_drive(&wire, session, shake_hands, NULL, deadline_ns, &ignored) !=
            MUTUAL_IO_DONE ||
        !mutual_session_admit(session, mu_clock_wall_s())->allowed) {
        return;
    }
    mutual_session_info(session, &info);
    if (info.alpn == NULL || strcmp(info.alpn, alpn[0]) != 0) {
        return;
    }
    MU_AUTO(buf) struct mu_buf request;
    MU_AUTO(buf) struct mu_buf answer;
    mu_buf_init(&request, 1024);
    mu_buf_init(&answer, 8192);
    probe_http_request(server_name(options), &request);
    if (probe_wire_drive(&wire, session, write_all, &request, deadline_ns, &ignored) !=
        MUTUAL_IO_DONE) {
        return;
    }
    (void)probe_wire_drive(&wire, session, read_some, &answer, deadline_ns, &ignored);
    char note[PROBE_NOTE_BYTES];
    if (probe_http_read(mu_buf_slice(&answer), note, &probe->error) && note[0] != '\0') {
        add_note(probe, note);
    }
}

/* What a person should know beside the steps. */
static void add_notes(struct probe *probe)
{
    const struct mu_observed *seen = mu_session_observed(probe->session);
    bool refused = probe->error.code != MUTUAL_OK;
    bool over = probe->journey.steps[MUTUAL_STEP_SERVER_CHECK].outcome != MUTUAL_OUTCOME_PENDING;
    if (!seen->cert_requested && over && !refused) {
        add_note(probe, probe->options->identity == NULL
                            ? "The server did not ask for a client certificate: this is plain TLS."
                            : "The server did not ask for our certificate: this is plain TLS.");
    }
    if (seen->cert_requested && !seen->cert_sent && !refused) {
        add_note(probe, "The server asked for a client certificate and goes on without one; an "
                        "HTTP server may refuse in its answer.");
    }
    if (seen->cert_sent && !refused &&
        probe->journey.steps[MUTUAL_STEP_CLIENT_CHECK].outcome == MUTUAL_OUTCOME_PENDING) {
        add_note(probe, "No refusal of our certificate came; the server said nothing either.");
    }
    char staple[PROBE_NOTE_BYTES];
    if (probe_staple_note(seen, probe->options->trust != NULL, staple)) {
        add_note(probe, staple);
    }
    if (probe->options->trust == NULL) {
        add_note(probe, "The server's certificate was not checked; give --ca FILE to check it.");
    }
}

/* The session took an end of the line for a failure; what it means was decided above. */
static void settle_journey(struct probe *probe)
{
    probe->journey = *mutual_session_journey(probe->session);
    bool good = probe->error.code == MUTUAL_OK;
    for (int step = MUTUAL_STEP_CONNECT; step <= MUTUAL_STEP_DATA; step++) {
        enum mutual_outcome *outcome = &probe->journey.steps[step].outcome;
        if (*outcome == MUTUAL_OUTCOME_FAILED &&
            (good || probe->error.step != (enum mutual_step)step)) {
            *outcome = good ? MUTUAL_OUTCOME_DONE : MUTUAL_OUTCOME_PENDING;
        }
    }
}

static void converse(struct probe *probe)
{
    int64_t now_s = mu_clock_wall_s();
    if (handshake(probe)) {
        const struct mutual_verdict *verdict = NULL;
        if (probe->options->trust != NULL) {
            verdict = mutual_session_admit(probe->session, now_s);
            probe->story.verdict = verdict;
            probe->story.chain = mutual_session_evidence(probe->session)->chain;
        }
        if (verdict == NULL || verdict->allowed) {
            listen_to(probe);
        } else {
            probe->error = verdict->why;
        }
    }
    settle_journey(probe);
    mutual_session_info(probe->session, &probe->info);
    probe->story.info = &probe->info;
    probe->view.observed = mu_session_observed(probe->session);
    if (probe->error.code == MUTUAL_OK) {
        struct mutual_error ignored = {0};
        (void)probe_wire_drive(&probe->wire, probe->session, say_goodbye, NULL,
                               mu_clock_mono_ns() + probe->options->timeout_ns, &ignored);
    }
    probe_wire_close(&probe->wire); /* some servers serve one after the other */
    if (probe->error.code == MUTUAL_OK && probe->options->trust != NULL &&
        probe->options->alpn == NULL) {
        ask_http(probe);
    }
    probe_advise(probe->view.observed, probe->options->identity, now_s, &probe->error);
    add_notes(probe);
}

bool probe_run(const struct probe_options *options, struct probe **ret_probe,
               struct mutual_error *err)
{
    MU_AUTO(probe) struct probe *probe = mu_alloc(1, sizeof *probe);
    if (probe == NULL) {
        return mu_fail_memory(err);
    }
    probe->options = options;
    probe->wire.fd = -1;
    if (!make_rules(probe, err) || !make_context(probe, options->alpn, &probe->context, err)) {
        return false;
    }
    probe->session = mutual_session_new(probe->context, err);
    if (probe->session == NULL) {
        return false;
    }
    if (!mu_session_observe(probe->session)) {
        return mu_fail_memory(err);
    }
    probe->story = (struct mutual_story){.side = MUTUAL_SIDE_CLIENT,
                                         .service = probe->service,
                                         .journey = &probe->journey,
                                         .error = &probe->error};
    probe->view.unchecked = options->trust == NULL;
    probe->view.notes = probe->notes;
    if (probe_wire_open(&probe->wire, options->host, options->port, options->timeout_ns,
                        &probe->error)) {
        converse(probe);
    }
    probe->story.peer = probe->wire.peer[0] == '\0' ? NULL : probe->wire.peer;
    *ret_probe = MU_TAKE(probe);
    return true;
}

void probe_free(struct probe *probe)
{
    if (probe == NULL) {
        return;
    }
    mutual_session_free(probe->session);
    mutual_context_unref(probe->context);
    mutual_pattern_free(probe->own_expect);
    probe_wire_close(&probe->wire);
    mu_free(probe);
}

void mu_probe_auto(struct probe **probe)
{
    probe_free(*probe);
}

const struct mutual_story *probe_story(const struct probe *probe)
{
    return &probe->story;
}

const struct mu_story_view *probe_view(const struct probe *probe)
{
    return &probe->view;
}

bool probe_accepted(const struct probe *probe)
{
    return probe->error.code == MUTUAL_OK;
}
