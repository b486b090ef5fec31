/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a gateway has its control socket, and asking it there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "http/http.h"

/* ---- where it is --------------------------------------------------------------------------------
 */

static bool put_path(char path[GATEWAY_PATH_MAX], const char *directory, const char *name)
{
    int len = snprintf(path, GATEWAY_PATH_MAX, "%s%s", directory, name);
    return len > 0 && len < GATEWAY_PATH_MAX - 1;
}

bool gateway_control_path(char path[GATEWAY_PATH_MAX])
{
    const char *given = secure_getenv("MUTUAL_CONTROL");
    const char *runtime = secure_getenv("RUNTIME_DIRECTORY");
    const char *user = secure_getenv("XDG_RUNTIME_DIR");
    if (given != NULL) {
        return given[0] != '\0' && put_path(path, given, "");
    }
    if (runtime != NULL) {
        return put_path(path, runtime, "/control.sock");
    }
    if (geteuid() == 0) {
        return put_path(path, "/run/mutual", "/control.sock");
    }
    return user != NULL && put_path(path, user, "/mutual/control.sock");
}

bool gateway_authority_path(const char *control, char path[GATEWAY_PATH_MAX])
{
    return put_path(path, control, ".authority");
}

/* ---- asking -----------------------------------------------------------------------------------
 */

/* An answer of any status is one; what it says is the caller's to judge. */
static bool read_answer(struct mu_slice answer, struct mu_buf *out, struct mutual_error *err)
{
    struct http_scan scan = {0};
    struct http_head head;
    size_t len = 0;
    enum http_step step = http_scan(&scan, answer, &len, err);
    if (step == HTTP_MORE) {
        return mu_fail(err, MUTUAL_E_CONNECT_FAILED, "the gateway's answer is incomplete");
    }
    if (step == HTTP_FAILED ||
        !http_response_parse(mu_slice_of(answer.data, len), false, &head, err)) {
        return false;
    }
    if (head.framing != HTTP_BODY_LENGTH || head.length != answer.len - len) {
        return mu_fail(err, MUTUAL_E_CONNECT_FAILED, "the gateway's answer is cut short");
    }
    return mu_buf_append(out, answer.data + len, answer.len - len) || mu_fail_memory(err);
}

static bool ask(int fd, const char *what, struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf request;
    MU_AUTO(buf) struct mu_buf answer = {0};
    struct timeval patience = {.tv_sec = 5};
    mu_buf_init(&request, 1024);
    http_put_request(&request, "GET", what, "localhost");
    http_put_text(&request, "Connection", "close");
    http_put_end(&request);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (request.failed ||
        send(fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len ||
        !mu_fd_read(fd, "the gateway's answer", GATEWAY_ANSWER_MAX + 1024, &answer, err)) {
        return mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, errno, "the gateway did not answer");
    }
    return read_answer(mu_buf_slice(&answer), out, err);
}

static bool ask_at(const char *path, const char *what, struct mu_buf *out, struct mutual_error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd != -1 && connect(fd, (const struct sockaddr *)&un, sizeof un) == 0;
    ok = ok ? ask(fd, what, out, err)
            : mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, errno,
                            "could not ask the gateway at \"%s\"", path);
    if (fd != -1) {
        (void)close(fd);
    }
    return ok;
}

bool gateway_status_read(const char *path, struct mu_buf *out, struct mutual_error *err)
{
    return ask_at(path, "/_status", out, err);
}

bool gateway_sightings_read(const char *path, const char *service, struct mu_buf *out,
                            struct mutual_error *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    char what[320];
    const char *name = service != NULL ? service : "";
    if (name[strspn(name, letters)] != '\0' || strlen(name) > 260) {
        return mu_fail(err, MUTUAL_E_USAGE, "\"%.80s\" is not a service's name", name);
    }
    (void)snprintf(what, sizeof what, "/_sightings%s%s", service != NULL ? "?" : "", name);
    return ask_at(path, what, out, err);
}

bool gateway_certificates_read(const char *path, struct mu_buf *out, struct mutual_error *err)
{
    return ask_at(path, "/_certificates", out, err);
}
