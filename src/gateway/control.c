/* SPDX-License-Identifier: Apache-2.0
 *
 * The status listeners: the control socket, which only our own user may open, and the address the
 * configuration names. They speak the least HTTP there is: one GET, one answer, closed. What is
 * asked is compared, never interpreted; an answer waits for the workers' figures, but not long.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/parent_internal.h"

enum { ASKERS_MAX = 16, REQUEST_MAX = 4096, ASK_MS = 2000, FIGURES_MS = 500, BACKLOG = 16 };

struct asker {
    struct control *control;
    int fd; /* -1: free */
    event_watch watch;
    struct event_timer timer;
    bool own;        /* came by the control socket */
    uint32_t number; /* of the question to the workers; 0: the request is being read */
    uint32_t missing;
    struct meters figures;
    size_t request_len;
    char request[REQUEST_MAX + 1];
    struct mu_buf answer;
    size_t sent;
};

struct control_listener {
    struct control *control;
    struct binding *binding;
    event_watch watch;
};

struct control {
    struct parent *parent;
    struct control_listener own;      /* for mutual status */
    struct control_listener followed; /* as configured     */
    uint32_t numbers;
    struct asker askers[ASKERS_MAX];
};

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

/* ---- an asker -----------------------------------------------------------------------------------
 */

static void asker_end(struct asker *asker)
{
    struct reactor *reactor = asker->control->parent->reactor;
    reactor_unwatch(reactor, &asker->watch);
    reactor_cancel(reactor, &asker->timer);
    if (asker->fd != -1) {
        (void)close(asker->fd);
    }
    meters_done(&asker->figures);
    mu_buf_done(&asker->answer);
    *asker = (struct asker){.control = asker->control, .fd = -1};
}

static void on_asker_late(void *owner)
{
    asker_end(owner);
}

/* Sends what there is to send; ends the asker when it is done or cannot go on. */
static void push(struct asker *asker)
{
    struct mutual_error lost = {0};
    while (asker->sent < asker->answer.len) {
        ssize_t n = send(asker->fd, asker->answer.data + asker->sent,
                         asker->answer.len - asker->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            asker->sent += (size_t)n;
        } else if (errno == EAGAIN && reactor_rewatch(asker->control->parent->reactor, asker->watch,
                                                      EVENT_WRITE, &lost)) {
            return;
        } else if (errno != EINTR) {
            break;
        }
    }
    asker_end(asker);
}

static void answer(struct asker *asker, int status, const char *type, struct mu_slice body)
{
    struct parent *parent = asker->control->parent;
    const char *word = status == 200 ? "OK" : status == 404 ? "Not Found" : "Service Unavailable";
    mu_buf_clear(&asker->answer);
    (void)mu_buf_printf(&asker->answer,
                        "HTTP/1.0 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                        "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                        status, word, type, body.len);
    (void)mu_buf_append(&asker->answer, body.data, body.len);
    reactor_arm_in(parent->reactor, &asker->timer, ASK_MS * MU_NS_PER_MS, on_asker_late, asker);
    push(asker);
}

static void answer_status(struct asker *asker)
{
    struct parent *parent = asker->control->parent;
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, 8u << 20);
    status_json(parent, &asker->figures, &body);
    answer(asker, status_unready(parent) == NULL ? 200 : 503, "application/json",
           mu_buf_slice(&body));
}

static void on_figures_late(void *owner)
{
    answer_status(owner);
}

static void ask_workers(struct asker *asker)
{
    struct parent *parent = asker->control->parent;
    struct mutual_error lost = {0};
    uint8_t number[4];
    asker->number = ++asker->control->numbers;
    mu_put_be32(number, asker->number);
    for (uint32_t i = 0; parent->supervisor != NULL && i < parent->workers; i++) {
        const struct supervised *worker = supervisor_find(parent->supervisor, IPC_WORKER, i);
        asker->missing += worker != NULL && worker->ready &&
                          supervisor_send(parent->supervisor, worker, IPC_MSG_STATUS_WANTED,
                                          mu_slice_of(number, sizeof number), NULL, 0, &lost);
    }
    if (asker->missing == 0) {
        answer_status(asker);
        return;
    }
    /* whoever has said all may close his direction, or say more: neither is to wake us */
    (void)!reactor_rewatch(parent->reactor, asker->watch, 0, &lost);
    reactor_arm_in(parent->reactor, &asker->timer, FIGURES_MS * MU_NS_PER_MS, on_figures_late,
                   asker);
}

static void answer_probe(struct asker *asker, const char *unready)
{
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, 1024);
    (void)mu_buf_printf(&body, "%s\n", unready == NULL ? "ok" : unready);
    answer(asker, unready == NULL ? 200 : 503, "text/plain", mu_buf_slice(&body));
}

static bool asks_for(const char *request, const char *path)
{
    size_t len = strlen(path);
    return strncmp(request, "GET ", 4) == 0 && strncmp(request + 4, path, len) == 0 &&
           (request[4 + len] == ' ' || request[4 + len] == '?');
}

/* Who comes is for our own user only, not for whoever reads the status. "/_sightings?SERVICE". */
static bool answer_sightings(struct asker *asker)
{
    char service[300] = "";
    const char *query = strchr(asker->request, '?');
    size_t len = query == NULL ? 0 : strcspn(query + 1, " \r\n");
    if (!asker->own || !asks_for(asker->request, "/_sightings") || len >= sizeof service) {
        return false;
    }
    memcpy(service, query == NULL ? "" : query + 1, len);
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, GATEWAY_ANSWER_MAX);
    seen_json(asker->control->parent, len > 0 ? service : NULL, &body);
    answer(asker, body.failed ? 503 : 200, "application/json", mu_buf_slice(&body));
    return true;
}

/* As little. "/_certificates". */
static bool answer_certificates(struct asker *asker)
{
    if (!asker->own || !asks_for(asker->request, "/_certificates")) {
        return false;
    }
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, GATEWAY_ANSWER_MAX);
    seen_certificates_json(asker->control->parent, &body);
    answer(asker, body.failed ? 503 : 200, "application/json", mu_buf_slice(&body));
    return true;
}

static void serve_request(struct asker *asker)
{
    struct parent *parent = asker->control->parent;
    const char *request = asker->request;
    if (asks_for(request, "/_status") || asks_for(request, "/")) {
        ask_workers(asker);
    } else if (asks_for(request, "/livez")) {
        answer_probe(asker, NULL);
    } else if (asks_for(request, "/readyz") || asks_for(request, "/startupz")) {
        answer_probe(asker, status_unready(parent));
    } else if (!answer_sightings(asker) && !answer_certificates(asker)) {
        answer(asker, 404, "text/plain", MU_SLICE_LIT("there is /_status, /livez, /readyz\n"));
    }
}

static void on_asker(void *owner, uint32_t events)
{
    struct asker *asker = owner;
    (void)events;
    if (asker->answer.len > 0) {
        push(asker);
        return;
    }
    if (asker->number != 0) { /* nothing else is watched for: it went away */
        asker_end(asker);
        return;
    }
    ssize_t n = recv(asker->fd, asker->request + asker->request_len,
                     REQUEST_MAX - asker->request_len, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            asker_end(asker);
        }
        return;
    }
    asker->request_len += (size_t)n;
    asker->request[asker->request_len] = '\0';
    if (strstr(asker->request, "\r\n\r\n") != NULL) {
        serve_request(asker);
    } else if (asker->request_len == REQUEST_MAX) {
        asker_end(asker);
    }
}

/* ---- listening ----------------------------------------------------------------------------------
 */

static void asker_begin(struct control *control, int fd, bool own)
{
    struct mutual_error lost = {0};
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        struct asker *asker = &control->askers[i];
        if (asker->fd != -1) {
            continue;
        }
        asker->fd = fd;
        asker->own = own;
        mu_buf_init(&asker->answer, GATEWAY_ANSWER_MAX + 1024);
        reactor_arm_in(control->parent->reactor, &asker->timer, ASK_MS * MU_NS_PER_MS,
                       on_asker_late, asker);
        if (!reactor_watch(control->parent->reactor, fd, EVENT_READ, on_asker, asker, &asker->watch,
                           &lost)) {
            asker_end(asker);
        }
        return;
    }
    (void)close(fd); /* all places are taken; they are free again in a moment */
}

static void on_accept(void *owner, uint32_t events)
{
    struct control_listener *listener = owner;
    (void)events;
    int fd = accept4(binding_fd(listener->binding, 0), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd != -1) {
        asker_begin(listener->control, fd, listener == &listener->control->own);
    }
}

static void listener_end(struct control_listener *listener)
{
    reactor_unwatch(listener->control->parent->reactor, &listener->watch);
    binding_unref(MU_TAKE(listener->binding));
}

static void listener_begin(struct control_listener *listener, const struct config_address *address,
                           bool local_only)
{
    struct parent *parent = listener->control->parent;
    struct mutual_error err = {0};
    if (binding_new(address, local_only, 1, &parent->inherited, &listener->binding, &err) &&
        reactor_watch(parent->reactor, binding_fd(listener->binding, 0), EVENT_READ, on_accept,
                      listener, &listener->watch, &err)) {
        return;
    }
    listener_end(listener);
    parent_log(parent, CONFIG_LOG_WARNING, "status_unavailable",
               "the status listener cannot be had", &err);
}

/* Only our own user asks on the control socket. */
static void begin_own(struct control *control)
{
    char path[GATEWAY_PATH_MAX];
    const struct gateway_options *options = control->parent->options;
    bool known = options->control_path != NULL ? put_path(path, options->control_path, "")
                                               : gateway_control_path(path);
    if (!known) {
        return;
    }
    struct config_address address = {.kind = CONFIG_ADDRESS_UNIX, .path = path, .text = path};
    char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    mode_t before = umask(0177);
    listener_begin(&control->own, &address, true);
    (void)umask(before);
}

struct control *control_new(struct parent *parent)
{
    struct control *control = mu_alloc(1, sizeof *control);
    if (control == NULL) {
        return NULL;
    }
    control->parent = parent;
    control->own.control = control;
    control->followed.control = control;
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        control->askers[i] = (struct asker){.control = control, .fd = -1};
    }
    begin_own(control);
    return control;
}

void control_follow(struct control *control, const struct config_status *status)
{
    const struct config_address *listen = &status->listen;
    struct control_listener *followed = &control->followed;
    bool kept = followed->binding != NULL && listen->kind != CONFIG_ADDRESS_NONE &&
                strcmp(followed->binding->text, listen->text) == 0;
    if (kept) {
        return;
    }
    listener_end(followed);
    if (listen->kind != CONFIG_ADDRESS_NONE) {
        listener_begin(followed, listen, !status->unsafe_listen);
    }
}

void control_free(struct control *control)
{
    if (control == NULL) {
        return;
    }
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        asker_end(&control->askers[i]);
    }
    listener_end(&control->own);
    listener_end(&control->followed);
    mu_free(control);
}

/* ---- figures ------------------------------------------------------------------------------------
 */

static void one_less(struct asker *asker)
{
    if (asker->fd != -1 && asker->missing > 0 && --asker->missing == 0) {
        answer_status(asker);
    }
}

bool control_status(struct control *control, const struct ipc_message *message,
                    struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t number = ipc_get_u32(&reader);
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        struct asker *asker = &control->askers[i];
        if (asker->fd != -1 && asker->number == number && asker->missing > 0) {
            if (!meters_add(&asker->figures, &reader, err)) {
                return false;
            }
            one_less(asker);
            return true;
        }
    }
    struct meters forgotten = {0};
    bool ok = meters_add(&forgotten, &reader, err);
    meters_done(&forgotten);
    return ok;
}

void control_worker_died(struct control *control)
{
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        one_less(&control->askers[i]); /* it may have answered: then the answer comes early */
    }
}

/* ---- mutual status ------------------------------------------------------------------------------
 */

static bool ask(int fd, const char *what, struct mu_buf *out, struct mutual_error *err)
{
    char request[512];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", what);
    struct timeval patience = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    MU_AUTO(buf) struct mu_buf answer = {0};
    if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != (ssize_t)len ||
        !mu_fd_read(fd, "the gateway's answer", GATEWAY_ANSWER_MAX + 1024, &answer, err)) {
        return mu_fail_errno(err, MUTUAL_E_CONNECT_FAILED, errno, "the gateway did not answer");
    }
    const char *text = mu_buf_str(&answer);
    const char *body = strstr(text, "\r\n\r\n");
    if (body == NULL) {
        return mu_fail(err, MUTUAL_E_CONNECT_FAILED, "the gateway's answer is incomplete");
    }
    return mu_buf_text(out, body + 4) || mu_fail_memory(err);
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
