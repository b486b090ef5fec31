/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways to an authority: its directory, where its operations are called in this very process; a
 * gateway on this machine that serves it, by its socket; and a server, where both sides prove who
 * they are.
 */
#include "cli/reach_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/https_internal.h"
#include "config/config.h"
#include "enroll/enroll.h"
#include "gateway/gateway.h"
#include "identity/identity.h"

enum { ANSWER_MAX = 64 << 20, TARGET_MAX = 1 << 16, BODY_MAX = 1 << 20 };
static const char api[] = "/api/v1";
static const char unix_prefix[] = "unix:";

struct reach {
    const struct cli *cli;
    bool (*ask)(struct reach *reach, const struct reach_question *question, struct mu_slice body,
                struct mu_buf *ret_answer, struct mutual_error *err);
    /* a directory */
    struct ca *ca;
    struct ca_signer signer;
    struct api_settings settings;
    char *configured_url;
    /* a server */
    char *url;
    char *socket; /* of this machine, or NULL */
    struct mutual_trust *trust;
    struct mutual_identity *identity;
};

void reach_close(struct reach *reach)
{
    if (reach == NULL) {
        return;
    }
    ca_close(reach->ca);
    mutual_trust_unref(reach->trust);
    mutual_identity_unref(reach->identity);
    mu_free(reach->url);
    mu_free(reach->socket);
    mu_free(reach->configured_url);
    mu_free(reach);
}

void mu_reach_auto(struct reach **reach)
{
    reach_close(*reach);
}

struct ca *reach_ca(const struct reach *reach)
{
    return reach->ca;
}

/* ---- a directory -------------------------------------------------------------------------------
 */

/* The address in the configuration, if there is one. NULL: none. */
static char *configured_url(const struct cli *cli)
{
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(config) struct config *config = NULL;
    config_findings_init(&findings);
    (void)config_snapshot_load(cli->config_path, &findings, &snapshot);
    if (snapshot != NULL) {
        (void)config_build_partial(snapshot, NULL, &findings, &config);
    }
    bool said = config != NULL && config->authority.url != NULL;
    return said ? mu_strdup(config->authority.url) : NULL;
}

static void head_of(const struct reach_question *question, struct mu_slice target,
                    struct http_head *head)
{
    const uint8_t *mark = memchr(target.data, '?', target.len);
    size_t path = mark != NULL ? (size_t)(mark - target.data) : target.len;
    *head = (struct http_head){.method = mu_slice_text(question->method),
                               .target = target,
                               .path = mu_slice_of(target.data, path),
                               .has_query = mark != NULL};
    if (mark != NULL) {
        head->query = mu_slice_of(mark + 1, target.len - path - 1);
    }
    if (question->body != NULL) {
        head->fields[head->field_count++] =
            (struct http_field){MU_SLICE_LIT("Content-Type"), MU_SLICE_LIT("application/json")};
    }
    if (question->accept != NULL) {
        head->fields[head->field_count++] =
            (struct http_field){MU_SLICE_LIT("Accept"), mu_slice_text(question->accept)};
    }
}

/* As whoever serves it does, with the operations alone; errors come whole. */
static bool ask_here(struct reach *reach, const struct reach_question *question,
                     struct mu_slice body, struct mu_buf *ret_answer, struct mutual_error *err)
{
    static const struct api_table *const tables[] = {&admin_table};
    const struct api_caller caller = {
        .channel = API_LOCAL, .listener = "mutual", .address = "here", .user = authority_who()};
    struct api_world world = {
        .ca = reach->ca, .signer = &reach->signer, .settings = &reach->settings};
    struct http_head head;
    MU_AUTO(api_response) struct api_response response;
    MU_AUTO(buf) struct mu_buf target;
    api_response_init(&response);
    mu_buf_init(&target, TARGET_MAX);
    (void)mu_buf_printf(&target, "%s%s", api, question->target);
    if (target.failed) {
        return mu_fail_memory(err);
    }
    head_of(question, mu_buf_slice(&target), &head);
    api_serve(tables, MU_COUNT(tables), &world, &head, body, &caller, mu_clock_wall_s(), &response);
    if (response.status >= 400) {
        *err = response.why;
        return err->code != MUTUAL_OK
                   ? false
                   : mu_fail(err, MUTUAL_E_HTTP_STATUS, "the answer is %u", response.status);
    }
    (void)mu_buf_append(ret_answer, response.body.data, response.body.len);
    mu_wipe(response.body.data, response.body.len);
    return !ret_answer->failed || mu_fail_memory(err);
}

static bool open_here(struct reach *reach, const char *dir, enum ca_access access,
                      struct mutual_error *err)
{
    reach->ask = ask_here;
    ca_signer_init_process(&reach->signer);
    if (access == CA_CHANGE) { /* tokens tell it; who only looks need not read the configuration */
        reach->configured_url = configured_url(reach->cli);
        reach->settings.url = reach->configured_url;
    }
    return authority_open(reach->cli, dir, access, &reach->ca, err);
}

/* ---- a server ----------------------------------------------------------------------------------
 */

static bool ask_far(struct reach *reach, const struct reach_question *question,
                    struct mu_slice body, struct mu_buf *ret_answer, struct mutual_error *err)
{
    MU_AUTO(https_reply) struct https_reply reply = {0};
    MU_AUTO(buf) struct mu_buf url;
    mu_buf_init(&url, TARGET_MAX);
    (void)mu_buf_printf(&url, "%s%s%s", reach->url, api, question->target);
    if (url.failed) {
        return mu_fail_memory(err);
    }
    const struct https_request request = {
        .url = mu_buf_str(&url),
        .socket = reach->socket,
        .trust = reach->trust,
        .identity = reach->identity,
        .idempotency_key = question->idempotency_key,
        .method = question->method,
        .accept = question->accept != NULL ? question->accept : "application/json",
        .content_type = question->body != NULL ? "application/json" : NULL,
        .body = body,
    };
    const char *where = reach->socket != NULL ? reach->socket : reach->url;
    bool whole = https_call(&request, &reply, err);
    if (!whole && question->idempotency_key != NULL) { /* it may have been done: what came of it? */
        (void)sleep(1);
        whole = https_call(&request, &reply, err);
    }
    if (!whole) {
        return mu_error_context(err, "the authority at %s", where);
    }
    if (reply.status < 200 || reply.status >= 300) {
        return https_fail(&reply, where, err);
    }
    (void)mu_buf_append(ret_answer, reply.body.data, reply.body.len);
    mu_wipe(reply.body.data, reply.body.len);
    return !ret_answer->failed || mu_fail_memory(err);
}

/* The one that a gateway on this machine serves, which the kernel tells who we are. */
static bool open_socket(struct reach *reach, const char *server, struct mutual_error *err)
{
    char control[GATEWAY_PATH_MAX];
    char usual[GATEWAY_PATH_MAX];
    const char *path = mu_text_starts(server, unix_prefix) ? server + strlen(unix_prefix) : usual;
    reach->ask = ask_far;
    if (path == usual &&
        (!gateway_control_path(control) || !gateway_authority_path(control, usual))) {
        return mu_fail(err, MUTUAL_E_NOT_FOUND,
                       "there is no usual place for the control socket without XDG_RUNTIME_DIR") ||
               mu_error_hint(err, "Name it: --server unix:PATH.");
    }
    reach->socket = mu_strdup(path);
    reach->url = mu_strdup("http://localhost");
    return (reach->socket != NULL && reach->url != NULL) || mu_fail_memory(err);
}

static bool is_socket(const char *server)
{
    return strcmp(server, "control") == 0 || mu_text_starts(server, unix_prefix);
}

static bool believe(struct reach *reach, const struct enroll_triple *triple, const char *file,
                    struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem;
    mu_buf_init(&pem, BODY_MAX);
    for (size_t i = 0; file == NULL && i < triple->roots.count; i++) {
        mu_cert_to_pem(triple->roots.items[i], &pem);
    }
    if (file != NULL && !mu_file_read(file, BODY_MAX, &pem, err)) {
        return false;
    }
    reach->trust = mutual_trust_new("the authority's server");
    return (reach->trust != NULL || mu_fail_memory(err)) &&
           mutual_trust_add_pem(reach->trust, (const char *)pem.data, pem.len, err) &&
           mutual_trust_freeze(reach->trust, err);
}

static bool open_far(struct reach *reach, const char *server, const char *credentials,
                     const char *ca, struct mutual_error *err)
{
    MU_AUTO(enroll_triple) struct enroll_triple triple = {0};
    struct http_url url;
    reach->ask = ask_far;
    if (!http_url_parse(mu_slice_text(server), &url, err)) {
        return mu_error_hint(err, "Give it as --server https://ca.example.org:8443.");
    }
    if (!url.secure || !mu_slice_equal_text(url.target, "/")) {
        return mu_fail(err, MUTUAL_E_OPTION_VALUE, "\"%.200s\" is not https://HOST:PORT", server) ||
               mu_error_hint(err, "An authority is administered by mutual TLS only.");
    }
    if (credentials == NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "who you are to \"%.200s\" is not said", server) ||
               mu_error_hint(err, "Give --credentials DIRECTORY, as mutual enroll or mutual issue "
                                  "made it, or set MUTUAL_CREDENTIALS.");
    }
    if (!enroll_triple_load(credentials, &triple, err) || !believe(reach, &triple, ca, err) ||
        !mu_identity_new(triple.chain.items, triple.chain.count, triple.key, &reach->identity,
                         err)) {
        return mu_error_context(err, "--credentials \"%s\"", credentials);
    }
    size_t len = strlen(server);
    reach->url = mu_slice_dup(mu_slice_of(server, server[len - 1] == '/' ? len - 1 : len));
    return reach->url != NULL || mu_fail_memory(err);
}

/* ---- both --------------------------------------------------------------------------------------
 */

static const char *or_environment(const char *given, const char *name)
{
    const char *text = given != NULL ? given : getenv(name);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* A directory that is named goes before what the environment says. */
static const char *server_of(const struct reach_options *options)
{
    return options->dir != NULL ? options->server
                                : or_environment(options->server, "MUTUAL_SERVER");
}

bool reach_is_far(const struct reach_options *options)
{
    return server_of(options) != NULL;
}

bool reach_open(const struct cli *cli, const struct reach_options *options, enum ca_access access,
                struct reach **ret_reach, struct mutual_error *err)
{
    const char *server = server_of(options);
    if (server != NULL && options->dir != NULL) {
        return mu_fail(err, MUTUAL_E_USAGE, "--dir and --server name two authorities");
    }
    if (server == NULL && (options->credentials != NULL || options->ca != NULL)) {
        return mu_fail(err, MUTUAL_E_USAGE, "--credentials and --ca go with --server");
    }
    MU_AUTO(reach) struct reach *reach = mu_alloc(1, sizeof *reach);
    if (reach == NULL) {
        return mu_fail_memory(err);
    }
    reach->cli = cli;
    bool good =
        server == NULL ? open_here(reach, options->dir, access, err)
        : is_socket(server)
            ? open_socket(reach, server, err)
            : open_far(reach, server, or_environment(options->credentials, "MUTUAL_CREDENTIALS"),
                       or_environment(options->ca, "MUTUAL_CA"), err);
    if (good) {
        *ret_reach = MU_TAKE(reach);
    }
    return good;
}

bool reach_ask(struct reach *reach, const struct reach_question *question,
               struct mu_buf *ret_answer, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, BODY_MAX);
    mu_buf_clear(ret_answer);
    return (question->body == NULL || reach_dump(question->body, &body, err)) &&
           reach->ask(reach, question, mu_buf_slice(&body), ret_answer, err);
}

static bool ask_json(struct reach *reach, const struct reach_question *question,
                     json_t **ret_answer, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf answer;
    mu_buf_init(&answer, ANSWER_MAX);
    bool good = reach_ask(reach, question, &answer, err) &&
                api_json_object(mu_buf_slice(&answer), "the authority's answer",
                                MUTUAL_E_JSON_MALFORMED, ret_answer, err);
    mu_wipe(answer.data, answer.len);
    return good;
}

bool reach_get(struct reach *reach, const char *target, json_t **ret_answer,
               struct mutual_error *err)
{
    const struct reach_question question = {.method = "GET", .target = target};
    return ask_json(reach, &question, ret_answer, err);
}

bool reach_post(struct reach *reach, const char *target, const json_t *body, json_t **ret_answer,
                struct mutual_error *err)
{
    const struct reach_question question = {.method = "POST", .target = target, .body = body};
    return ask_json(reach, &question, ret_answer, err);
}

bool reach_delete(struct reach *reach, const char *target, json_t **ret_answer,
                  struct mutual_error *err)
{
    const struct reach_question question = {.method = "DELETE", .target = target};
    return ask_json(reach, &question, ret_answer, err);
}

bool reach_post_once(struct reach *reach, const char *target, const json_t *body,
                     json_t **ret_answer, struct mutual_error *err)
{
    uint8_t bytes[16];
    MU_AUTO(buf) struct mu_buf key;
    mu_buf_init(&key, 64);
    if (!mu_random(bytes, sizeof bytes, err)) {
        return false;
    }
    mu_hex(&key, mu_slice_of(bytes, sizeof bytes));
    const struct reach_question question = {
        .method = "POST", .target = target, .body = body, .idempotency_key = mu_buf_str(&key)};
    return ask_json(reach, &question, ret_answer, err);
}
