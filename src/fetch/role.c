/* SPDX-License-Identifier: Apache-2.0
 *
 * The fetch process: takes requests of its parent, speaks HTTP on sockets of its parent, gives back
 * what came or why nothing did.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fetch/fetch_internal.h"
#include "http/http.h"
#include "x509/x509.h"

enum { JOBS_MAX = 16, REDIRECTS_MAX = 3, PROOF_MAX = 4096 };

struct fetcher {
    struct child *child;
    struct reactor *reactor;
    event_watch watch;
    struct job *jobs[JOBS_MAX];
    bool over;
    bool failed;
};

struct job {
    struct fetcher *fetcher;
    struct fetch_request request;
    struct http_client *client;
    struct mutual_trust *trust;
    struct event_deferred end;
    bool ended;
    struct mu_buf expected; /* FETCH_PROOF, FETCH_PROOF_TLS: what is to be proved */
    char host[256];         /* FETCH_PROOF_TLS: for whom                          */
    char asked_name[256];
};

/* ---- jobs --------------------------------------------------------------------------------------
 */

static void close_fd(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void job_free(struct job *job)
{
    struct fetcher *fetcher = job->fetcher;
    for (size_t i = 0; i < JOBS_MAX; i++) {
        fetcher->jobs[i] = fetcher->jobs[i] == job ? NULL : fetcher->jobs[i];
    }
    http_client_free(job->client);
    mutual_trust_unref(job->trust);
    close_fd(&job->request.believed_fd);
    close_fd(&job->request.material_fd);
    close_fd(&job->request.last_fd);
    close_fd(&job->request.content_fd);
    mu_buf_done(&job->expected);
    mu_free(job);
}

static struct job *find_job(const struct fetcher *fetcher, uint32_t id)
{
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (fetcher->jobs[i] != NULL && fetcher->jobs[i]->request.id == id) {
            return fetcher->jobs[i];
        }
    }
    return NULL;
}

static void tell(struct fetcher *fetcher, const struct fetch_outcome *outcome)
{
    struct mutual_error err = {0};
    if (!fetch_outcome_send(fetcher->child->parent, outcome, &err)) {
        fetcher->failed = true;
    }
}

/* ---- what came ---------------------------------------------------------------------------------
 */

static bool take_piece(void *owner, struct mu_slice bytes, struct mutual_error *err)
{
    struct job *job = owner;
    return mu_fd_write(job->request.content_fd, bytes.data, bytes.len) ||
           mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not keep what came");
}

/* A descriptor's bytes from its beginning; none for -1. */
static bool read_all(int fd, const char *name, size_t max, struct mu_buf *ret_buf,
                     struct mutual_error *err)
{
    if (fd == -1) {
        return true;
    }
    return (lseek(fd, 0, SEEK_SET) == 0 ||
            mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not read %s", name)) &&
           mu_fd_read(fd, name, max, ret_buf, err);
}

/* What is had already and would not be taken today is no reason for the server to send nothing. */
static bool check_last(struct job *job, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf last = {0};
    MU_AUTO(buf) struct mu_buf packed = {0};
    struct fetch_material material;
    struct mutual_error lost = {0};
    int64_t ignored = 0;
    if (job->request.kind != FETCH_CRL || job->request.etag[0] + job->request.modified[0] == 0) {
        return true;
    }
    if (!read_all(job->request.material_fd, "the bundle", 2 * (MU_LIMIT_PEM_BYTES + 8), &packed,
                  err) ||
        !fetch_material_read(mu_buf_slice(&packed), &material, err)) {
        return false;
    }
    if (!read_all(job->request.last_fd, "the last list", MU_LIMIT_CRL_BYTES, &last, &lost) ||
        !fetch_judge_crl(&material, mu_slice_of(NULL, 0), mu_buf_slice(&last), mu_clock_wall_s(),
                         &ignored, &ignored, &lost)) {
        job->request.etag[0] = job->request.modified[0] = '\0';
    }
    return true;
}

static bool judge_proof(struct job *job, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf content = {0};
    return read_all(job->request.content_fd, "the answer", PROOF_MAX, &content, err) &&
           fetch_judge_proof(mu_buf_slice(&job->expected), mu_buf_slice(&content), err);
}

/* Nothing but a handshake was made. */
static bool on_shook(void *owner, const char *alpn, struct mu_slice leaf, struct mutual_error *err)
{
    struct job *job = owner;
    return fetch_judge_proof_tls(mu_buf_slice(&job->expected), job->host, alpn, leaf, err);
}

static bool judge_staple(struct job *job, struct fetch_outcome *outcome)
{
    MU_AUTO(buf) struct mu_buf response = {0};
    MU_AUTO(buf) struct mu_buf packed = {0};
    struct fetch_about about;
    struct mutual_error *err = &outcome->error;
    return read_all(job->request.content_fd, "the answer", MU_LIMIT_OCSP_BYTES, &response, err) &&
           read_all(job->request.material_fd, "the certificate", 2 * (MU_LIMIT_CERT_BYTES + 8),
                    &packed, err) &&
           fetch_about_read(mu_buf_slice(&packed), &about, err) &&
           fetch_judge_staple(&about, mu_buf_slice(&response), mu_clock_wall_s(), outcome, err);
}

static bool judge(struct job *job, struct fetch_outcome *outcome)
{
    MU_AUTO(buf) struct mu_buf list = {0};
    MU_AUTO(buf) struct mu_buf last = {0};
    MU_AUTO(buf) struct mu_buf packed = {0};
    struct fetch_material material;
    struct mutual_error *err = &outcome->error;
    struct mutual_error lost = {0};
    if (job->request.kind == FETCH_PROOF) {
        return judge_proof(job, err);
    }
    if (job->request.kind != FETCH_CRL) {
        return job->request.kind != FETCH_STAPLE || judge_staple(job, outcome);
    }
    if (!read_all(job->request.last_fd, "the last list", MU_LIMIT_CRL_BYTES, &last, &lost)) {
        mu_buf_clear(&last);
    }
    return read_all(job->request.content_fd, "the answer", MU_LIMIT_FETCH_BYTES, &list, err) &&
           read_all(job->request.material_fd, "the bundle", 2 * (MU_LIMIT_PEM_BYTES + 8), &packed,
                    err) &&
           fetch_material_read(mu_buf_slice(&packed), &material, err) &&
           fetch_judge_crl(&material, mu_buf_slice(&last), mu_buf_slice(&list), mu_clock_wall_s(),
                           &outcome->this_update_s, &outcome->next_update_s, err);
}

static bool seal(int fd, struct mutual_error *err)
{
    return fcntl(fd, F_ADD_SEALS, FETCH_SEALS | F_SEAL_SEAL) == 0 ||
           mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not seal what came");
}

/* A validator that we could not give back is not kept. */
static void copy_field(const struct http_head *head, const char *name, char text[FETCH_TEXT])
{
    struct mu_slice value;
    if (http_field_find(head, name, &value) && value.len < FETCH_TEXT) {
        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] < 0x20 || value.data[i] > 0x7e) {
                return;
            }
        }
        memcpy(text, value.data, value.len);
        text[value.len] = '\0';
    }
}

static void on_end(void *owner)
{
    job_free(owner);
}

static void on_done(void *owner, const struct http_result *result, const struct mutual_error *err)
{
    struct job *job = owner;
    struct fetch_outcome outcome = {.id = job->request.id, .error = *err, .bytes = result->bytes};
    if (result->head != NULL) {
        outcome.status = result->head->status;
        outcome.fresh_s = http_freshness_s(result->head);
        copy_field(result->head, "ETag", outcome.etag);
        copy_field(result->head, "Last-Modified", outcome.modified);
    }
    if (err->code == MUTUAL_OK && outcome.status == 200 && judge(job, &outcome) &&
        !seal(job->request.content_fd, &outcome.error)) {
        outcome.status = 0;
    }
    if (err->code == MUTUAL_OK && job->request.kind == FETCH_PROOF_TLS) {
        outcome.status = 200; /* there is no answer of HTTP */
    }
    job->ended = true;
    tell(job->fetcher, &outcome);
    reactor_defer(job->fetcher->reactor, &job->end, on_end, job);
}

static void on_want(void *owner, struct http_client *client, uint16_t port, unsigned attempt)
{
    struct job *job = owner;
    struct mutual_error err = {0};
    const struct fetch_want want = {job->request.id, port, (uint16_t)attempt};
    (void)client;
    if (!fetch_want_send(job->fetcher->child->parent, &want, &err)) {
        job->fetcher->failed = true;
    }
}

/* ---- beginning ---------------------------------------------------------------------------------
 */

static bool believe(struct job *job, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf pem = {0};
    if (job->request.believed_fd == -1) {
        return true;
    }
    if (!read_all(job->request.believed_fd, "the bundle", MU_LIMIT_PEM_BYTES, &pem, err)) {
        return false;
    }
    job->trust = mutual_trust_new("fetch");
    if (job->trust == NULL) {
        return mu_fail_memory(err);
    }
    mutual_trust_allow_intermediates(job->trust); /* the parent judged the block by its rules */
    return mutual_trust_add_pem(job->trust, (const char *)pem.data, pem.len, err) &&
           mutual_trust_freeze(job->trust, err);
}

static bool read_proof(struct job *job, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf name = {0};
    struct http_url url;
    if (job->request.kind != FETCH_PROOF && job->request.kind != FETCH_PROOF_TLS) {
        return true;
    }
    mu_buf_init(&name, sizeof job->asked_name);
    if (!read_all(job->request.material_fd, "the challenge", PROOF_MAX, &job->expected, err) ||
        !http_url_parse(mu_slice_text(job->request.url), &url, err)) {
        return false;
    }
    (void)snprintf(job->host, sizeof job->host, "%.*s", (int)url.host.len,
                   (const char *)url.host.data);
    if (!fetch_proof_name(job->host, &name)) {
        return mu_fail(err, MUTUAL_E_LIMIT, "the name \"%s\" is too long", job->host);
    }
    (void)snprintf(job->asked_name, sizeof job->asked_name, "%s", mu_buf_str(&name));
    return true;
}

static bool begin(struct job *job, struct mutual_error *err)
{
    const struct fetch_request *request = &job->request;
    bool look = request->kind == FETCH_PROOF_TLS;
    struct http_times times = http_times_default;
    times.body_ns = request->timeout_ns;
    if (!believe(job, err) || !check_last(job, err) || !read_proof(job, err)) {
        return false;
    }
    const struct http_client_options options = {
        .reactor = job->fetcher->reactor,
        .url = request->url,
        .method = request->post ? "POST" : "GET",
        .content_type = request->content_type,
        .body = request->body,
        .accept = request->accept,
        .etag = request->etag,
        .modified = request->modified,
        .body_max = request->max,
        .times = times,
        .trust = job->trust,
        .redirects_max = REDIRECTS_MAX,
        .want = on_want,
        .shook = look ? on_shook : NULL,
        .alpn = FETCH_PROOF_ALPN,
        .server_name = job->asked_name,
        .piece = take_piece,
        .done = on_done,
        .owner = job,
    };
    return http_client_new(&options, &job->client, err);
}

static bool on_fetch(struct fetcher *fetcher, struct ipc_message *message, struct mutual_error *err)
{
    struct job *job = mu_alloc(1, sizeof *job);
    struct fetch_outcome outcome = {0};
    size_t place = 0;
    if (job == NULL) {
        return mu_fail_memory(err);
    }
    job->fetcher = fetcher;
    job->request = (struct fetch_request){
        .content_fd = -1, .believed_fd = -1, .material_fd = -1, .last_fd = -1};
    if (!fetch_request_read(message, &job->request, err)) {
        job_free(job);
        return false;
    }
    while (place < JOBS_MAX && fetcher->jobs[place] != NULL) {
        place++;
    }
    outcome.id = job->request.id;
    if (place == JOBS_MAX) {
        (void)mu_fail(&outcome.error, MUTUAL_E_LIMIT, "too much is being fetched at once");
    } else if (begin(job, &outcome.error)) {
        fetcher->jobs[place] = job;
        return true;
    }
    job_free(job);
    tell(fetcher, &outcome);
    return true;
}

static bool on_socket(struct fetcher *fetcher, struct ipc_message *message,
                      struct mutual_error *err)
{
    struct mutual_error why = {0};
    uint32_t id = 0;
    int fd = -1;
    if (!fetch_socket_read(message, &id, &fd, &why, err)) {
        return false;
    }
    struct job *job = find_job(fetcher, id);
    if (job == NULL || job->ended) {
        close_fd(&fd);
        return true;
    }
    http_client_give(job->client, fd, &why);
    return true;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static bool dispatch(void *owner, struct ipc_message *message, struct mutual_error *err)
{
    struct fetcher *fetcher = owner;
    if (message->type == IPC_MSG_FETCH) {
        return on_fetch(fetcher, message, err);
    }
    if (message->type == IPC_MSG_FETCH_SOCKET) {
        return on_socket(fetcher, message, err);
    }
    fetcher->over = fetcher->over || message->type == IPC_MSG_DRAIN;
    return true;
}

static void on_parent(void *owner, uint32_t events)
{
    struct fetcher *fetcher = owner;
    struct mutual_error err = {0};
    enum ipc_result result = process_hear(fetcher->child, events, dispatch, fetcher, &err);
    fetcher->over = fetcher->over || result == IPC_END;
    if (result == IPC_BROKEN) {
        process_log(fetcher->child, err.reason);
        fetcher->failed = true;
    }
}

static bool prepare(struct child *child, struct mutual_error *err)
{
    (void)child;
    return mu_ossl_start_lean(err);
}

static int fetch_main(struct child *child)
{
    struct mutual_error err = {0};
    struct fetcher fetcher = {.child = child};
    bool good = reactor_new(&fetcher.reactor, &err) &&
                reactor_watch(fetcher.reactor, ipc_channel_fd(child->parent), EVENT_READ, on_parent,
                              &fetcher, &fetcher.watch, &err);
    while (good && !fetcher.over && !fetcher.failed) {
        good = reactor_turn(fetcher.reactor, -1, &err) &&
               process_rewatch(child, fetcher.reactor, fetcher.watch, &err);
    }
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (fetcher.jobs[i] != NULL) {
            reactor_undefer(fetcher.reactor, &fetcher.jobs[i]->end);
            job_free(fetcher.jobs[i]);
        }
    }
    if (!good) {
        process_log(child, err.reason);
    }
    reactor_free(fetcher.reactor);
    return good && !fetcher.failed ? 0 : mutual_code_exit(MUTUAL_E_PROCESS_DIED);
}

const struct role fetch_role = {
    .name = "fetch",
    .party = IPC_FETCH,
    .sandbox = &sandbox_fetch,
    .nofile = 256,
    .prepare = prepare,
    .main = fetch_main,
};
