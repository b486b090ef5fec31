/* SPDX-License-Identifier: Apache-2.0
 *
 * The status listeners: the control socket, which only our own user may open, and the address the
 * configuration names. What is asked is compared with a table, never interpreted. An answer may
 * wait for the figures of the processes, but not long, and all who ask share one round of them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/figures_internal.h"
#include "gateway/health_internal.h"
#include "gateway/metrics_internal.h"
#include "gateway/parent_internal.h"
#include "http/http.h"

/* Askers of one listener; beyond them whoever has been silent longest gives way. */
enum { ASKERS_MAX = 16, FIGURES_MS = 500 };

static const struct http_times times = {
    .head_ns = 2 * MU_NS_PER_S,
    .body_ns = 2 * MU_NS_PER_S,
    .write_ns = 10 * MU_NS_PER_S,
    .idle_ns = 30 * MU_NS_PER_S,
};

struct control_listener;
struct asker;

struct route {
    const char *path;
    bool own_only; /* on the control socket */
    bool figures;  /* when those of now are there */
    void (*answer)(struct asker *asker);
};

struct asker {
    struct control_listener *listener;
    struct http_service *service;   /* NULL: free                          */
    struct http_exchange *exchange; /* the request to be answered, or NULL */
    const struct route *route;
    uint32_t round; /* the round of figures that it waits for */
    int64_t since_ns;
    bool json, openmetrics; /* as it asks for by Accept */
    char query[264];
};

struct control_listener {
    struct control *control;
    struct binding *binding;
    event_watch watch;
    struct asker askers[ASKERS_MAX];
};

/* A question to all processes. */
struct round {
    uint32_t number;
    bool running;
    bool from[LISTEN_WORKERS_MAX]; /* whose answer is missing */
    bool from_keys;
    bool from_authority;
    uint32_t missing;
    struct event_timer timer;
};

struct control {
    struct parent *parent;
    struct control_listener own;      /* for mutual status */
    struct control_listener followed; /* as configured     */
    struct round round;
};

/* ---- answers ------------------------------------------------------------------------------------
 */

static struct parent *parent_of(const struct asker *asker)
{
    return asker->listener->control->parent;
}

static void put_no_store(void *context, struct mu_buf *out)
{
    (void)context;
    http_put_text(out, "Cache-Control", "no-store");
}

static void put_allow(void *context, struct mu_buf *out)
{
    (void)context;
    http_put_text(out, "Allow", "GET, HEAD");
}

static void answer(struct asker *asker, unsigned status, const char *type, struct mu_buf *body)
{
    struct http_exchange *exchange = MU_TAKE(asker->exchange);
    const struct http_response response = {.status = body->failed ? 500 : status,
                                           .content_type = type,
                                           .body = mu_buf_slice(body),
                                           .fields = status == 405 ? put_allow : put_no_store};
    asker->since_ns = reactor_now_ns(parent_of(asker)->reactor);
    http_answer(exchange, &response);
}

static void answer_text(struct asker *asker, unsigned status, const char *text)
{
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, 1024);
    (void)mu_buf_text(&body, text);
    answer(asker, status, "text/plain", &body);
}

static void answer_status(struct asker *asker)
{
    struct parent *parent = parent_of(asker);
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, GATEWAY_ANSWER_MAX);
    status_json(parent, &body);
    answer(asker, status_unready(parent) == NULL ? 200 : 503, "application/json", &body);
}

static void answer_metrics(struct asker *asker)
{
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, GATEWAY_ANSWER_MAX);
    metrics_text(parent_of(asker), asker->openmetrics, &body);
    answer(asker, 200, metrics_type(asker->openmetrics), &body);
}

static void answer_health(struct asker *asker, bool ready)
{
    struct parent *parent = parent_of(asker);
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, 1u << 20);
    enum health worst = HEALTH_PASS;
    if (ready && asker->json) {
        worst = health_json(parent, &body);
    } else if (ready) {
        worst = health_text(parent, &body);
    } else {
        (void)mu_buf_text(&body, asker->json ? "{\"status\":\"pass\"}\n" : "pass\n");
    }
    answer(asker, worst == HEALTH_FAIL ? 503 : 200, asker->json ? "application/json" : "text/plain",
           &body);
}

static void answer_live(struct asker *asker)
{
    answer_health(asker, false);
}

static void answer_ready(struct asker *asker)
{
    answer_health(asker, true);
}

static void answer_livez(struct asker *asker)
{
    answer_text(asker, 200, "ok\n");
}

static void answer_readyz(struct asker *asker)
{
    char text[128];
    const char *unready = status_unready(parent_of(asker));
    (void)snprintf(text, sizeof text, "%s\n", unready == NULL ? "ok" : unready);
    answer_text(asker, unready == NULL ? 200 : 503, text);
}

/* Who comes is for our own user only, not for whoever reads the status. "/_sightings?SERVICE". */
static void answer_sightings(struct asker *asker)
{
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, GATEWAY_ANSWER_MAX);
    seen_json(parent_of(asker), asker->query[0] != '\0' ? asker->query : NULL, &body);
    answer(asker, 200, "application/json", &body);
}

/* As little. "/_certificates". */
static void answer_certificates(struct asker *asker)
{
    MU_AUTO(buf) struct mu_buf body;
    mu_buf_init(&body, GATEWAY_ANSWER_MAX);
    seen_certificates_json(parent_of(asker), &body);
    answer(asker, 200, "application/json", &body);
}

static const struct route routes[] = {
    {"/", false, true, answer_status},
    {"/_status", false, true, answer_status},
    {"/metrics", false, true, answer_metrics},
    {"/health/live", false, false, answer_live},
    {"/health/ready", false, true, answer_ready},
    {"/livez", false, false, answer_livez},
    {"/readyz", false, false, answer_readyz},
    {"/startupz", false, false, answer_readyz},
    {"/_sightings", true, false, answer_sightings},
    {"/_certificates", true, false, answer_certificates},
};

/* ---- figures ------------------------------------------------------------------------------------
 */

typedef void each_fn(struct control *control, struct asker *asker);

static void each_asker(struct control *control, each_fn *each)
{
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        each(control, &control->own.askers[i]);
        each(control, &control->followed.askers[i]);
    }
}

static bool is_waiting(const struct asker *asker)
{
    return asker->exchange != NULL && asker->route != NULL && asker->route->figures;
}

static void answer_waiting(struct control *control, struct asker *asker)
{
    if (is_waiting(asker) && asker->round <= control->round.number) {
        asker->route->answer(asker);
    }
}

static void begin_round(struct control *control);

static void begin_if_waiting(struct control *control, struct asker *asker)
{
    if (is_waiting(asker) && !control->round.running) {
        begin_round(control);
    }
}

/* Whoever asked before it began is answered. Who came later wants to know what happened since. */
static void end_round(struct control *control)
{
    control->round.running = false;
    reactor_cancel(control->parent->reactor, &control->round.timer);
    each_asker(control, answer_waiting);
    each_asker(control, begin_if_waiting);
}

static void on_round_late(void *owner)
{
    end_round(owner); /* what was said last is told of whoever did not answer */
}

static bool ask_process(struct control *control, enum ipc_party party, uint32_t index)
{
    struct mutual_error lost = {0};
    uint8_t number[4];
    struct supervisor *supervisor = control->parent->supervisor;
    const struct supervised *process =
        supervisor == NULL ? NULL : supervisor_find(supervisor, party, index);
    mu_put_be32(number, control->round.number);
    return process != NULL && process->ready &&
           supervisor_send(supervisor, process, IPC_MSG_STATUS_WANTED,
                           mu_slice_of(number, sizeof number), NULL, 0, &lost);
}

/* Of the process that answers: the other one tells unasked. */
static uint32_t authority_index(const struct control *control)
{
    return control->parent->authority.processes[AUTHORITY_ANSWERS].index;
}

static void begin_round(struct control *control)
{
    struct round *round = &control->round;
    round->running = true;
    round->number++;
    round->from_keys = ask_process(control, IPC_KEYS, 0);
    round->from_authority = ask_process(control, IPC_AUTHORITY, authority_index(control));
    round->missing = (round->from_keys ? 1u : 0u) + (round->from_authority ? 1u : 0u);
    for (uint32_t i = 0; i < control->parent->workers; i++) {
        round->from[i] = ask_process(control, IPC_WORKER, i);
        round->missing += round->from[i] ? 1 : 0;
    }
    if (round->missing == 0) {
        end_round(control);
        return;
    }
    reactor_arm_in(control->parent->reactor, &round->timer, FIGURES_MS * MU_NS_PER_MS,
                   on_round_late, control);
}

static void one_less(struct control *control, bool *from)
{
    struct round *round = &control->round;
    if (round->running && *from) {
        *from = false;
        if (--round->missing == 0) {
            end_round(control);
        }
    }
}

/* Those that are asked. */
static bool is_asked(const struct supervised *process)
{
    return (process->role->party & (IPC_KEYS | IPC_WORKER | IPC_AUTHORITY)) != 0;
}

static bool *missing_of(struct control *control, const struct supervised *process)
{
    struct round *round = &control->round;
    return process->role->party == IPC_KEYS        ? &round->from_keys
           : process->role->party == IPC_AUTHORITY ? &round->from_authority
                                                   : &round->from[process->index];
}

static bool read_figures(const struct parent *parent, const struct supervised *process,
                         struct ipc_reader *reader, struct mutual_error *err)
{
    struct figures *figures = parent->figures;
    return process->role->party == IPC_KEYS ? figures_read_keys(figures, reader, err)
           : process->role->party == IPC_AUTHORITY
               ? figures_read_authority(figures, authority_which(parent, process), process->index,
                                        reader, err)
               : figures_read_worker(figures, process->index, reader, err);
}

bool control_status(struct control *control, const struct supervised *process,
                    const struct ipc_message *message, struct mutual_error *err)
{
    if (!is_asked(process)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "nobody asked %s for figures",
                       process->role->name);
    }
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t number = ipc_get_u32(&reader);
    bool last = ipc_get_u8(&reader) == 1;
    bool sound = read_figures(control->parent, process, &reader, err);
    if (sound && last && number == control->round.number) {
        one_less(control, missing_of(control, process));
    }
    return sound;
}

void control_process_gone(struct control *control, const struct supervised *process)
{
    if (!is_asked(process)) {
        return;
    }
    bool asked =
        process->role->party != IPC_AUTHORITY || process->index == authority_index(control);
    if (process->role->party == IPC_KEYS) {
        figures_keys_gone(control->parent->figures);
    } else if (process->role->party == IPC_AUTHORITY) {
        figures_authority_gone(control->parent->figures, process->index);
    } else {
        figures_worker_gone(control->parent->figures, process->index);
    }
    if (asked) {
        one_less(control, missing_of(control, process));
    }
}

/* ---- requests -----------------------------------------------------------------------------------
 */

static bool accepts(const struct http_head *head, const char *type)
{
    struct mu_slice value;
    return http_field_find(head, "Accept", &value) &&
           memmem(value.data, value.len, type, strlen(type)) != NULL;
}

static const struct route *find_route(const struct asker *asker, struct mu_slice path)
{
    bool own = asker->listener == &asker->listener->control->own;
    for (size_t i = 0; i < MU_COUNT(routes); i++) {
        if (mu_slice_equal_text(path, routes[i].path) && (own || !routes[i].own_only)) {
            return &routes[i];
        }
    }
    return NULL;
}

static void on_request(void *owner, const struct http_request *request)
{
    struct asker *asker = owner;
    struct control *control = asker->listener->control;
    const struct http_head *head = request->head;
    bool reads =
        mu_slice_equal_text(head->method, "GET") || mu_slice_equal_text(head->method, "HEAD");
    asker->exchange = request->exchange;
    asker->route = find_route(asker, head->path);
    asker->json = !accepts(head, "text/plain");
    asker->openmetrics = accepts(head, "application/openmetrics-text");
    if (asker->route == NULL || head->query.len >= sizeof asker->query) {
        answer_text(asker, 404,
                    "there is /_status, /metrics, /health/live, /health/ready, /livez, /readyz\n");
        return;
    }
    if (!reads) {
        answer_text(asker, 405, "this can only be read\n");
        return;
    }
    memcpy(asker->query, head->query.data != NULL ? head->query.data : (const uint8_t *)"",
           head->query.len);
    asker->query[head->query.len] = '\0';
    if (!asker->route->figures) {
        asker->route->answer(asker);
        return;
    }
    asker->round = control->round.number + 1;
    if (!control->round.running) {
        begin_round(control);
    }
}

static void on_over(void *owner, const struct mutual_error *why)
{
    struct asker *asker = owner;
    (void)why;
    *asker = (struct asker){.listener = asker->listener};
}

/* A free place, or that of whoever has said nothing for the longest time. */
static struct asker *find_place(struct control_listener *listener)
{
    struct asker *oldest = NULL;
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        struct asker *asker = &listener->askers[i];
        if (asker->service == NULL) {
            return asker;
        }
        if (http_service_is_idle(asker->service) &&
            (oldest == NULL || asker->since_ns < oldest->since_ns)) {
            oldest = asker;
        }
    }
    if (oldest != NULL) {
        http_service_free(MU_TAKE(oldest->service));
    }
    return oldest;
}

static void asker_begin(struct control_listener *listener, int take_fd)
{
    struct reactor *reactor = listener->control->parent->reactor;
    struct mutual_error lost = {0};
    struct asker *asker = find_place(listener);
    if (asker == NULL) {
        (void)close(take_fd); /* all are being answered; they have done in a moment */
        return;
    }
    *asker = (struct asker){.listener = listener, .since_ns = reactor_now_ns(reactor)};
    const struct http_service_options options = {
        .reactor = reactor,
        .server = {.handle = on_request, .owner = asker},
        .times = times,
        .over = on_over,
        .over_owner = asker,
    };
    if (!http_service_new(&options, take_fd, &asker->service, &lost)) {
        asker->service = NULL;
    }
}

/* ---- listening ----------------------------------------------------------------------------------
 */

static void on_accept(void *owner, uint32_t events)
{
    struct control_listener *listener = owner;
    (void)events;
    int fd = accept4(binding_fd(listener->binding, 0), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd != -1) {
        asker_begin(listener, fd);
    }
}

static void listener_end(struct control_listener *listener)
{
    reactor_unwatch(listener->control->parent->reactor, &listener->watch);
    binding_unref(MU_TAKE(listener->binding));
}

/* `bound`: its binding was made; else err says why not. */
static void listener_begin(struct control_listener *listener, bool bound, struct mutual_error *err)
{
    struct parent *parent = listener->control->parent;
    if (bound && reactor_watch(parent->reactor, binding_fd(listener->binding, 0), EVENT_READ,
                               on_accept, listener, &listener->watch, err)) {
        return;
    }
    listener_end(listener);
    parent_log(parent, CONFIG_LOG_WARNING, "status_unavailable",
               "the status listener cannot be had", err);
}

bool control_path(const struct parent *parent, char path[GATEWAY_PATH_MAX])
{
    const char *given = parent->options->control_path;
    if (given == NULL) {
        return gateway_control_path(path);
    }
    int len = snprintf(path, GATEWAY_PATH_MAX, "%s", given);
    return len > 0 && len < GATEWAY_PATH_MAX - 1;
}

/* Only our own user asks on the control socket. */
static void begin_own(struct control *control)
{
    char path[GATEWAY_PATH_MAX];
    struct mutual_error err = {0};
    if (!control_path(control->parent, path)) {
        return;
    }
    char *slash = strrchr(path, '/');
    if (slash != NULL && slash != path) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    bool bound = binding_private(path, &control->own.binding, &err);
    listener_begin(&control->own, bound, &err);
}

static void listener_init(struct control_listener *listener, struct control *control)
{
    listener->control = control;
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        listener->askers[i].listener = listener;
    }
}

struct control *control_new(struct parent *parent)
{
    struct control *control = mu_alloc(1, sizeof *control);
    if (control == NULL) {
        return NULL;
    }
    control->parent = parent;
    listener_init(&control->own, control);
    listener_init(&control->followed, control);
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
        struct mutual_error err = {0};
        bool bound = binding_new(listen, !status->unsafe_listen, 1, &control->parent->inherited,
                                 &followed->binding, &err);
        listener_begin(followed, bound, &err);
    }
}

static void asker_end(struct control *control, struct asker *asker)
{
    (void)control;
    http_service_free(MU_TAKE(asker->service));
}

void control_free(struct control *control)
{
    if (control == NULL) {
        return;
    }
    each_asker(control, asker_end);
    reactor_cancel(control->parent->reactor, &control->round.timer);
    listener_end(&control->own);
    listener_end(&control->followed);
    mu_free(control);
}
