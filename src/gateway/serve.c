/* SPDX-License-Identifier: Apache-2.0
 *
 * The parent's life: children, signals, systemd, the log.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/fetching_internal.h"
#include "gateway/figures_internal.h"
#include "gateway/fresh_internal.h"
#include "gateway/log_internal.h"
#include "gateway/parent_internal.h"
#include "gateway/validating_internal.h"

enum { RESOLVE_S = 30, RESOLVE_SOON_S = 5, KEYS_MADE_S = 30, KEYS_MADE_MAX = 6 };

void parent_log(struct parent *parent, enum config_log_level level, const char *event,
                const char *text, const struct mutual_error *error)
{
    struct log_entry entry = {
        .time_s = mu_clock_wall_s(), .level = level, .event = event, .text = text, .error = error};
    parent_tell(parent, &entry);
}

void parent_tell(struct parent *parent, const struct log_entry *entry)
{
    if (parent->current != NULL &&
        !log_is_wanted(entry->level, parent->current->world->config->log.level)) {
        return;
    }
    MU_AUTO(buf) struct mu_buf line;
    mu_buf_init(&line, 65536);
    log_format(entry, parent->log_json, &line);
    (void)log_write(STDERR_FILENO, mu_buf_slice(&line));
}

/* ---- names of targets ---------------------------------------------------------------------------
 */

static void on_resolve_time(void *owner)
{
    parent_resolve(owner);
}

static bool some_failed(const struct parent *parent)
{
    bool failed = false;
    for (size_t i = 0; i < parent->names.count; i++) {
        failed = failed || parent->names.items[i].failed;
    }
    return failed;
}

static void tell_failed(struct parent *parent)
{
    for (size_t i = 0; i < parent->names.count; i++) {
        const struct resolve_name *name = &parent->names.items[i];
        struct mutual_error why = {0};
        if (name->failed) {
            (void)mu_fail(&why, MUTUAL_E_RESOLVE_FAILED, "host \"%s\" has no address%s", name->host,
                          name->targets.count > 0 ? " now; the last one known is used" : "");
            parent_log(parent, CONFIG_LOG_WARNING, "resolve_failed", NULL, &why);
        }
    }
}

static void on_resolved(void *owner, bool changed)
{
    struct parent *parent = owner;
    struct mutual_error err = {0};
    parent->resolver = NULL;
    tell_failed(parent);
    reactor_arm_in(parent->reactor, &parent->resolve_timer,
                   (some_failed(parent) ? RESOLVE_SOON_S : RESOLVE_S) * MU_NS_PER_S,
                   on_resolve_time, parent);
    for (uint32_t i = 0; changed && parent->current != NULL && i < parent->workers; i++) {
        const struct supervised *worker = supervisor_find(parent->supervisor, IPC_WORKER, i);
        if (worker != NULL && worker->ready &&
            !setup_send_addresses(parent, parent->current, worker, &err)) {
            parent_log(parent, CONFIG_LOG_WARNING, "resolve_failed",
                       "could not tell a worker new addresses", &err);
        }
    }
    reload_step(parent);
}

void parent_resolve(struct parent *parent)
{
    struct mutual_error err = {0};
    bool built = parent->coming != NULL && parent->coming->world != NULL;
    const struct setup *setup = built ? parent->coming : parent->current;
    if (parent->resolver != NULL || parent->stopping || setup == NULL ||
        !setup_name_targets(parent, setup)) {
        return;
    }
    if (!resolve_start(parent->reactor, &parent->names, setup->world->config->user, on_resolved,
                       parent, &parent->resolver, &err)) {
        parent_log(parent, CONFIG_LOG_WARNING, "resolve_failed", "could not look names up", &err);
    }
}

/* ---- children -----------------------------------------------------------------------------------
 */

static bool on_start(void *owner, const struct supervised *child, struct mu_buf *setup, int *fds,
                     size_t *fd_count, struct mutual_error *err)
{
    struct parent *parent = owner;
    (void)fds;
    *fd_count = 0; /* what a child needs comes in messages, for a reload needs them too */
    return child->role->party != IPC_AUTHORITY || authority_start(parent, setup) ||
           mu_fail_memory(err);
}

static bool on_become(void *owner, const struct supervised *child, struct process_user *ret_user)
{
    return child->role->party == IPC_AUTHORITY && authority_become(owner, ret_user);
}

static void on_ready(void *owner, const struct supervised *child)
{
    struct parent *parent = owner;
    struct mutual_error err = {0};
    if (child->role->party == IPC_WORKER) {
        reload_worker_ready(parent, child);
        return;
    }
    if (child->role->party == IPC_FETCH) {
        fetching_ready(parent->fetching);
        return;
    }
    if (child->role->party == IPC_AUTHORITY) {
        authority_ready(parent, child);
        return;
    }
    if (!keys_loader_send(parent->loader, parent->supervisor, &err)) {
        parent_log(parent, CONFIG_LOG_ERROR, "keys_failed", NULL, &err);
    }
    reload_step(parent);
}

static bool on_key_loaded(struct parent *parent, const struct ipc_message *message,
                          struct mutual_error *err)
{
    if (!keys_loader_read(parent->loader, message, err)) {
        return false;
    }
    reload_step(parent);
    return true;
}

static bool on_key_journal(struct parent *parent, const struct ipc_message *message,
                           struct mutual_error *err)
{
    struct keys_journal journal;
    char text[640];
    if (!keys_journal_read(message, &journal, err)) {
        return false;
    }
    (void)snprintf(text, sizeof text, "%s %u: %s", ipc_party_name(journal.asker),
                   journal.asker_index, journal.text);
    parent_log(parent, journal.refused ? CONFIG_LOG_WARNING : CONFIG_LOG_INFO,
               journal.refused ? "key_refused" : "key_used", text, NULL);
    return true;
}

static void on_keys_made(void *owner)
{
    struct parent *parent = owner;
    int64_t now_ns = mu_clock_mono_ns();
    if (now_ns - parent->made_ns >= KEYS_MADE_S * MU_NS_PER_S) {
        parent->made_ns = now_ns;
        parent->made = 0;
    }
    parent->made++;
    if (!parent->stopping) {
        reload_begin(parent); /* which looks for the authority's keys */
    }
}

/* Now, or when enough time is over after so many: whoever has taken the authority process over does
 * not have the configuration read without end. */
static void keys_made(struct parent *parent)
{
    int64_t left_ns = parent->made_ns + KEYS_MADE_S * MU_NS_PER_S - mu_clock_mono_ns();
    if (event_timer_is_armed(&parent->made_timer)) {
        return;
    }
    if (parent->made < KEYS_MADE_MAX || left_ns <= 0) {
        on_keys_made(parent);
    } else {
        reactor_arm_in(parent->reactor, &parent->made_timer, left_ns, on_keys_made, parent);
    }
}

static bool on_message(void *owner, const struct supervised *child, struct ipc_message *message,
                       struct mutual_error *err)
{
    struct parent *parent = owner;
    bool worker = child->role->party == IPC_WORKER;
    bool keys = child->role->party == IPC_KEYS;
    if (child->role->party == IPC_FETCH) {
        return fetching_message(parent->fetching, child, message, err);
    }
    if (worker && message->type == IPC_MSG_GENERATION_DONE) {
        return reload_worker_done(parent, child, message, err);
    }
    if (worker && message->type == IPC_MSG_TRIED) {
        return trials_read(parent, child, message, err);
    }
    if (worker && message->type == IPC_MSG_CHANGED) {
        return changes_report(parent, child, message, err);
    }
    if (worker && message->type == IPC_MSG_SIGHTINGS) {
        return seen_message(parent, message, err);
    }
    if (message->type == IPC_MSG_STATUS) {
        return control_status(parent->control, child, message, err);
    }
    if (child->role->party == IPC_AUTHORITY && message->type == IPC_MSG_PROBE) {
        return validating_ask(parent->validating, message, err);
    }
    if (child->role->party == IPC_AUTHORITY && message->type == IPC_MSG_KEYS_MADE) {
        keys_made(parent);
        return true;
    }
    if (child->role->party == IPC_AUTHORITY && message->type == IPC_MSG_WRITES) {
        return authority_writes(parent, child, message, err);
    }
    if (worker && message->type == IPC_MSG_STREAMS_WANTED) {
        return authority_streams(parent, child, message, err);
    }
    if (keys && message->type == IPC_MSG_KEY_LOADED) {
        return on_key_loaded(parent, message, err);
    }
    if (keys && message->type == IPC_MSG_KEY_JOURNAL) {
        return on_key_journal(parent, message, err);
    }
    return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "%s sent %s", child->role->name,
                   ipc_type_name(message->type));
}

static void on_died(void *owner, const struct supervised *child, const struct process_death *death)
{
    struct parent *parent = owner;
    struct mutual_error why = {0};
    if (child->role->party == IPC_KEYS) {
        keys_loader_lost(parent->loader);
        control_process_gone(parent->control, child);
        trials_keys_died(parent);
    } else if (child->role->party == IPC_FETCH) {
        fetching_died(parent->fetching);
    } else if (child->role->party == IPC_AUTHORITY) {
        control_process_gone(parent->control, child);
        authority_died(parent, child);
    } else if (child->role->party == IPC_WORKER) {
        parent->done[child->index] = 0;
        trials_worker_died(parent, child->index);
        changes_worker_died(parent, child->index);
        control_process_gone(parent->control, child);
        if (!death->expected || death->signalled) {
            seen_worker_died(parent);
        }
    }
    if (death->expected) {
        return;
    }
    parent->deaths++;
    parent->deaths_of[__builtin_ctz(child->role->party)]++;
    (void)mu_fail(&why, MUTUAL_E_PROCESS_DIED, "%s", death->words);
    parent_log(parent, CONFIG_LOG_ERROR, "process_died", NULL, &why);
}

static void on_warning(void *owner, const struct supervised *child, const struct mutual_error *what)
{
    const struct parent *parent = owner;
    char text[64];
    if (parent->stopping && parent->current == NULL) {
        return; /* why it cannot start was said; that children go before they are told to is no news
                 */
    }
    (void)snprintf(text, sizeof text, "%s %u", child->role->name, child->index);
    parent_log(owner, CONFIG_LOG_WARNING, "process_warning", text, what);
}

static void on_line(void *owner, const struct supervised *child, struct mu_slice line)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 65536);
    (void)mu_buf_printf(&text, "%s %u: ", child->role->name, child->index);
    mu_escape(&text, line);
    parent_log(owner, CONFIG_LOG_INFO, "process_log", mu_buf_str(&text), NULL);
}

static void on_stopped(void *owner)
{
    struct parent *parent = owner;
    reactor_stop(parent->reactor);
}

static const struct supervisor_hooks hooks = {
    .start = on_start,
    .become = on_become,
    .ready = on_ready,
    .message = on_message,
    .died = on_died,
    .warning = on_warning,
    .log = on_line,
    .stopped = on_stopped,
};

/* ---- signals and timers -------------------------------------------------------------------------
 */

static int64_t drain_time(const struct parent *parent)
{
    const struct world *world = parent->current == NULL ? NULL : parent->current->world;
    int64_t longest_ns = 0;
    if (parent->options->drain_ns > 0) {
        return parent->options->drain_ns;
    }
    for (size_t i = 0; world != NULL && i < world->service_count; i++) {
        const struct world_service *service = &world->services[i];
        int64_t drain_ns = service->inbound != NULL ? service->inbound->timeouts.drain_ns
                                                    : service->outbound->timeouts.drain_ns;
        longest_ns = drain_ns > longest_ns ? drain_ns : longest_ns;
    }
    return longest_ns;
}

static void stop(struct parent *parent)
{
    if (parent->stopping) {
        supervisor_stop(parent->supervisor, 0);
        return;
    }
    parent->stopping = true;
    systemd_notify_stopping(parent->notify);
    setup_deafen(parent->current);
    parent_log(parent, CONFIG_LOG_INFO, "stopping", "draining; no new connections", NULL);
    supervisor_stop(parent->supervisor, drain_time(parent));
}

static void on_signal(void *owner, int signo)
{
    struct parent *parent = owner;
    if (signo == SIGTERM || signo == SIGINT) {
        stop(parent);
    } else if (!parent->stopping) {
        reload_begin(parent);
    }
}

static void on_watchdog(void *owner)
{
    struct parent *parent = owner;
    systemd_notify_watchdog(parent->notify);
    reactor_arm_in(parent->reactor, &parent->watchdog, systemd_watchdog_interval_ns(parent->notify),
                   on_watchdog, parent);
}

static void on_files_changed(void *owner)
{
    reload_look(owner);
}

/* Looks whether the files changed. */
static void on_reload_time(void *owner)
{
    struct parent *parent = owner;
    if (parent->phase == PHASE_IDLE) {
        reload_look(parent);
    }
    reactor_arm_in(parent->reactor, &parent->reload_timer, parent->options->reload_every_ns,
                   on_reload_time, parent);
}

static void tell_listeners(struct parent *parent)
{
    for (size_t i = 0; i < parent->current->listener_count; i++) {
        const struct setup_listener *listener = &parent->current->listeners[i];
        const struct world_service *service = &parent->current->world->services[listener->service];
        char address[ADDRESS_TEXT];
        char text[512];
        (void)snprintf(text, sizeof text, "%s \"%.200s\" listens on %s",
                       service->inbound != NULL ? "inbound" : "outbound", service->name,
                       address_format(&listener->binding->address.socket, address));
        parent_log(parent, CONFIG_LOG_INFO, "listening", text, NULL);
    }
}

void parent_serving(struct parent *parent, bool first)
{
    if (!figures_know(parent->figures, parent->current->world)) {
        parent_log(parent, CONFIG_LOG_WARNING, "figures_missing",
                   "there is no memory for the figures of every service", NULL);
    }
    control_follow(parent->control, &parent->current->world->config->status);
    seen_serving(parent);
    fetching_follow(parent->fetching);
    fresh_follow(parent);
    authority_follow(parent);
    if (first) {
        tell_listeners(parent);
        parent_log(parent, CONFIG_LOG_INFO, "ready", "ready", NULL);
    } else {
        parent->reload = (struct reload){.count = parent->reload.count + 1,
                                         .count_good = parent->reload.count_good + 1,
                                         .at_s = mu_clock_wall_s(),
                                         .ok = true};
        parent_log(parent, CONFIG_LOG_INFO, "reloaded", "the new configuration is in use", NULL);
    }
    parent->reload.good_s = mu_clock_wall_s();
    systemd_notify_ready(parent->notify);
    if (first && systemd_watchdog_interval_ns(parent->notify) > 0) {
        on_watchdog(parent);
    }
    if (first && parent->options->reload_every_ns > 0) {
        reactor_arm_in(parent->reactor, &parent->reload_timer, parent->options->reload_every_ns,
                       on_reload_time, parent);
    }
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static uint32_t count_workers(const struct config *config)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t wanted = config->workers > 0 ? config->workers : processors > 0 ? processors : 1;
    return wanted < LISTEN_WORKERS_MAX ? (uint32_t)wanted : LISTEN_WORKERS_MAX;
}

/* What must be known before the first setup can be made: read once more for it, a little later. */
static bool read_basics(struct parent *parent, struct mutual_error *err)
{
    const struct gateway_options *options = parent->options;
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = NULL;
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(config) struct config *config = NULL;
    config_findings_init(&findings);
    bool loaded = options->load(options->owner, &findings, &snapshot);
    if (snapshot == NULL || !config_build(snapshot, NULL, &findings, &config) || !loaded) {
        config_findings_sort(&findings);
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 1u << 20);
        config_findings_text(&findings, options->config_name, options->colour, &text);
        (void)mu_fd_write(STDERR_FILENO, text.data, text.len);
        return config_findings_fail(&findings, err);
    }
    parent->workers = count_workers(config);
    parent->log_json = log_wants_json(&config->log, STDERR_FILENO);
    parent->user = config->user != NULL ? mu_strdup(config->user) : NULL;
    return config->user == NULL || parent->user != NULL || mu_fail_memory(err);
}

static bool add_children(struct parent *parent, struct mutual_error *err)
{
    if (!supervisor_add(parent->supervisor, &keys_role, 0, err)) {
        return false;
    }
    for (uint32_t i = 0; i < parent->workers; i++) {
        if (!supervisor_add(parent->supervisor, &gateway_worker_role, i, err)) {
            return false;
        }
    }
    return true;
}

static bool start(struct parent *parent, struct mutual_error *err)
{
    static const int signals[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT};
    if (!read_basics(parent, err) || !reactor_new(&parent->reactor, err) ||
        !systemd_notify_new(&parent->notify, err) ||
        !systemd_sockets_get(&parent->inherited, err) ||
        !reactor_signals(parent->reactor, signals, MU_COUNT(signals), on_signal, parent, err) ||
        !keys_loader_new(&parent->loader, err) || !seen_open(parent, err) ||
        !sessions_init(&parent->sessions, parent->reactor, err)) {
        return false;
    }
    struct supervisor_options options = {
        .reactor = parent->reactor,
        .hooks = &hooks,
        .owner = parent,
        .program = "mutual",
        .user = parent->user,
    };
    parent->control = control_new(parent);
    parent->figures = figures_new();
    parent->watch = watch_new(parent->reactor, on_files_changed, parent);
    parent->fetching = fetching_new(parent);
    parent->validating = validating_new(parent);
    if (parent->control == NULL || parent->figures == NULL || parent->watch == NULL ||
        parent->fetching == NULL || parent->validating == NULL) {
        return mu_fail_memory(err);
    }
    if (!supervisor_new(&options, &parent->supervisor, err)) {
        return false;
    }
    reload_begin(parent);
    return parent->stopping || add_children(parent, err);
}

static void finish(struct parent *parent)
{
    resolve_stop(parent->resolver);
    lists_stop(parent->lists_reader);
    control_free(parent->control);
    seen_close(parent);
    fetching_free(parent->fetching);
    validating_free(parent->validating);
    trials_done(parent);
    supervisor_free(parent->supervisor);
    figures_free(parent->figures);
    watch_free(parent->watch);
    config_snapshot_free(parent->refused);
    setup_free(parent->coming);
    setup_free(parent->current);
    keys_loader_free(parent->loader);
    authority_done(parent);
    sessions_done(&parent->sessions);
    resolve_names_done(&parent->names);
    systemd_notify_free(parent->notify);
    reactor_free(parent->reactor);
    mu_free(parent->user);
}

int gateway_serve(const struct gateway_options *options)
{
    struct mutual_error err = {0};
    struct parent *parent = mu_alloc(1, sizeof *parent);
    if (parent == NULL) {
        return mutual_code_exit(MUTUAL_E_NO_MEMORY);
    }
    parent->options = options;
    authority_init(parent);
    parent->seen_lock = -1;
    parent->started_s = mu_clock_wall_s();
    log_adopt(STDERR_FILENO);
    parent->log_json = isatty(STDERR_FILENO) != 1;
    (void)signal(SIGPIPE, SIG_IGN);
    bool ok =
        start(parent, &err) && (parent->exit_status != 0 || reactor_run(parent->reactor, &err));
    if (!ok) {
        parent_log(parent, CONFIG_LOG_ERROR, "start_failed", "cannot start", &err);
        parent->exit_status = mutual_code_exit(err.code);
    }
    int status = parent->exit_status;
    finish(parent);
    mu_free(parent);
    return status;
}
