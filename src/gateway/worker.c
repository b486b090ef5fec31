/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's own life: what the parent says, rules that are swapped whole, an orderly end.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "gateway/live_internal.h"
#include "gateway/log_internal.h"
#include "gateway/record_internal.h"
#include "gateway/worker_internal.h"

enum {
    DESCRIPTORS_RESERVED = 64, /* channels, epoll, signals, a message's files  */
    CONNECTIONS_LEAST = 16,    /* under whatever limit                         */
    CACHE_MAX = 20000,         /* sessions that may be resumed                 */
    KNOWN_MAX = 10000,         /* chains validated before: 20 MiB when full    */
    POOL_MAX = 1024,           /* blocks of POOL_BLOCK: 86 MiB when all are full */
    LISTENERS_MAX = 65536,
};

/* ---- small things -------------------------------------------------------------------------------
 */

void worker_give_block(struct worker *worker, struct block *block)
{
    if (block == NULL) {
        return;
    }
    pool_give(worker->pool, block);
    if (!TAILQ_EMPTY(&worker->starved)) {
        conn_queue_wake(&worker->starved);
    }
}

/* Says first how many lines are missing before the next one. */
static void tell_lost(struct worker *worker)
{
    char text[96];
    MU_AUTO(buf) struct mu_buf lost;
    uint64_t count = worker->log_lost;
    (void)snprintf(text, sizeof text, "%llu log lines could not be written",
                   (unsigned long long)count);
    struct log_entry entry = {.time_s = reactor_now_s(worker->reactor),
                              .level = CONFIG_LOG_WARNING,
                              .event = "log_lost",
                              .text = text};
    mu_buf_init(&lost, 512);
    log_format(&entry, worker->log_json, &lost);
    worker->log_lost = log_write(STDERR_FILENO, mu_buf_slice(&lost)) ? 0 : count;
}

void worker_log_flush(struct worker *worker)
{
    struct log_lines *lines = &worker->log_lines;
    reactor_undefer(worker->reactor, &lines->work);
    if (lines->count == 0) {
        return;
    }
    if (worker->log_lost > 0) {
        tell_lost(worker);
    }
    bool taken = log_write(STDERR_FILENO, mu_slice_of(lines->bytes, lines->len));
    worker->log_lost += taken ? 0 : lines->count;
    lines->len = 0;
    lines->count = 0;
}

static void on_turn_over(void *owner)
{
    worker_log_flush(owner);
}

void worker_log(struct worker *worker, struct mu_slice line)
{
    struct log_lines *lines = &worker->log_lines;
    if (line.len > sizeof lines->bytes - lines->len) {
        worker_log_flush(worker);
    }
    if (line.len > sizeof lines->bytes) {
        worker->log_lost++; /* nobody writes such a line */
        return;
    }
    memcpy(lines->bytes + lines->len, line.data, line.len);
    lines->len += line.len;
    lines->count++;
    reactor_defer(worker->reactor, &lines->work, on_turn_over, worker);
}

static void stop_if_drained(struct worker *worker)
{
    if (worker->draining && worker->slab.used == 0) {
        reactor_stop(worker->reactor);
    }
}

void worker_conn_gone(struct worker *worker)
{
    listeners_resume(&worker->listeners);
    stop_if_drained(worker);
}

/* ---- new rules ----------------------------------------------------------------------------------
 */

static void answer(struct worker *worker, uint32_t id, const struct mutual_error *why)
{
    struct mutual_error err = {0};
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 4096);
    ipc_put_u32(&payload, id);
    ipc_put_u8(&payload, why == NULL ? 1 : 0);
    if (why != NULL) {
        ipc_put_error(&payload, why);
    }
    if (!ipc_send(worker->child->parent, IPC_MSG_GENERATION_DONE, mu_buf_slice(&payload), NULL, 0,
                  &err)) {
        record_event(worker, "worker_failed", NULL, &err);
        reactor_stop(worker->reactor); /* the parent waits for it; its replacement answers */
    }
}

static void coming_done(struct coming *coming)
{
    for (size_t i = 0; i < coming->have; i++) {
        (void)close(coming->fds[i]);
    }
    mu_free(coming->fds);
    mu_free(coming->services);
    generation_unref(coming->generation);
    *coming = (struct coming){0};
}

/* A connection takes two, one for either side. What listens and the stock of sockets have theirs,
 * and during a reload what is coming has, too: a worker that gave all its descriptors to peers
 * would have none to dial with. */
size_t worker_capacity(size_t descriptors, size_t listeners)
{
    const size_t stock =
        STOCK_BATCH + STOCK_BATCH / 2; /* of a family: asked for when half is left */
    size_t reserved = DESCRIPTORS_RESERVED + 2 * listeners + STOCK_FAMILIES * stock;
    size_t most = descriptors > reserved ? (descriptors - reserved) / 2 : 0;
    return most > CONNECTIONS_LEAST ? most : CONNECTIONS_LEAST;
}

/* Everything is there: from here on nothing can fail but memory. */
static void swap(struct worker *worker)
{
    struct mutual_error err = {0};
    struct coming *coming = &worker->coming;
    struct listeners fresh;
    bool ok = listeners_new(worker, coming->generation, coming->fds, coming->services, coming->have,
                            &fresh, &err);
    coming->have = 0; /* its descriptors are taken */
    if (!ok) {
        answer(worker, coming->id, &err);
        coming_done(coming);
        return;
    }
    struct generation *old = worker->current;
    worker->current = MU_TAKE(coming->generation);
    worker->log_level = worker->current->world->config->log.level;
    listeners_done(&worker->listeners);
    worker->listeners = fresh;
    worker->max = worker_capacity(worker->descriptors, fresh.count);
    gate_limit(&worker->gate, &worker->current->world->config->flood, worker->max);
    if (!worker->draining) {
        listeners_start(&worker->listeners);
    }
    change_begin(worker, old);
    witness_stay(worker);
    answer(worker, coming->id, NULL);
    coming_done(coming);
    generation_unref(old);
}

static bool coming_new(struct worker *worker, uint32_t id, uint32_t count, struct mutual_error *err)
{
    struct coming *coming = &worker->coming;
    coming_done(coming);
    coming->id = id;
    coming->want = count;
    coming->fds = mu_alloc(count + 1, sizeof *coming->fds);
    coming->services = mu_alloc(count + 1, sizeof *coming->services);
    return (coming->fds != NULL && coming->services != NULL) || mu_fail_memory(err);
}

/* ADDRESSES, and the same at the end of GENERATION: for every service its target's addresses. */
static bool read_targets(struct generation *generation, struct ipc_reader *reader,
                         struct mutual_error *err)
{
    uint32_t services = ipc_get_u32(reader);
    for (uint32_t i = 0; i < services && !reader->failed; i++) {
        struct targets targets = {.count = ipc_get_u8(reader)};
        if (i >= generation->count || targets.count > TARGETS_MAX) {
            return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "addresses for no service were sent");
        }
        for (size_t j = 0; j < targets.count; j++) {
            struct mu_slice raw = ipc_get_bytes(reader, sizeof targets.items[j].socket);
            if (raw.len > 0) {
                memcpy(&targets.items[j].socket, raw.data, raw.len);
            }
            targets.items[j].len = (socklen_t)raw.len;
            sa_family_t family = targets.items[j].socket.ss_family;
            reader->failed =
                reader->failed || (family != AF_INET && family != AF_INET6 && family != AF_UNIX);
        }
        generation->services[i].targets = targets;
    }
    return ipc_reader_end(reader, "addresses", err);
}

static void read_listeners(struct coming *coming, struct ipc_reader *reader,
                           struct ipc_message *message, size_t first)
{
    for (size_t i = first; i < message->fd_count && coming->have < coming->want; i++) {
        coming->services[coming->have] = ipc_get_u32(reader);
        coming->fds[coming->have++] = ipc_message_take_fd(message, i);
    }
}

/* TABLES: what setup.c writes. Mapped at once; the descriptors are not kept. */
static bool on_tables(struct worker *worker, struct ipc_message *message, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t id = ipc_get_u32(&reader);
    if (worker->tables == NULL || worker->tables_id != id) {
        world_lists_free(worker->tables);
        worker->tables = world_lists_new();
        worker->tables_id = id;
    }
    bool ok = worker->tables != NULL || mu_fail_memory(err);
    for (size_t i = 0; i < message->fd_count && ok; i++) {
        struct world_list list = {.fd = -1};
        list.place.trust = ipc_get_u32(&reader);
        list.place.index = ipc_get_u32(&reader);
        struct mu_slice digest = ipc_get_raw(&reader, sizeof list.digest);
        if (digest.data == NULL) {
            break;
        }
        memcpy(list.digest, digest.data, sizeof list.digest);
        list.fd = ipc_message_take_fd(message, i);
        ok = world_lists_put(worker->tables, &list, false, err);
    }
    return ok && ipc_reader_end(&reader, "tables of revocation lists", err);
}

/* GENERATION: id, workers, flags, number of listeners in all, services of those in this message,
 * targets. Descriptors: the snapshot, then listeners. */
static bool on_generation(struct worker *worker, struct ipc_message *message,
                          struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t id = ipc_get_u32(&reader);
    worker->workers = ipc_get_u32(&reader);
    worker->log_json = ipc_get_u8(&reader) != 0;
    worker->log_level = CONFIG_LOG_INFO;
    uint32_t listeners = ipc_get_u32(&reader);
    int snapshot_fd = ipc_message_take_fd(message, 0);
    if (reader.failed || snapshot_fd == -1 || listeners > LISTENERS_MAX || worker->workers == 0 ||
        !coming_new(worker, id, listeners, err)) {
        return err->code != MUTUAL_OK ||
               mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "the message of new rules is malformed");
    }
    read_listeners(&worker->coming, &reader, message, 1);
    struct mutual_error why = {0};
    const struct world_lists *tables = worker->tables_id == id ? worker->tables : NULL;
    worker->coming.generation = tryout_take(worker, id);
    bool built = worker->coming.generation != NULL ||
                 generation_new(worker, id, snapshot_fd, tables, &worker->coming.generation, &why);
    world_lists_free(MU_TAKE(worker->tables));
    (void)close(snapshot_fd);
    if (!built) {
        answer(worker, id, &why);
        coming_done(&worker->coming);
        return true;
    }
    if (!read_targets(worker->coming.generation, &reader, err)) {
        return false;
    }
    if (worker->coming.have == worker->coming.want) {
        swap(worker);
    }
    return true;
}

/* DESCRIPTORS: id, then a service for each. */
static bool on_descriptors(struct worker *worker, struct ipc_message *message,
                           struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t id = ipc_get_u32(&reader);
    if (worker->coming.generation == NULL || id != worker->coming.id) {
        return true; /* of a generation that was refused */
    }
    read_listeners(&worker->coming, &reader, message, 0);
    if (!ipc_reader_end(&reader, "listeners", err)) {
        return false;
    }
    if (worker->coming.have == worker->coming.want) {
        swap(worker);
    }
    return true;
}

static bool on_addresses(struct worker *worker, struct ipc_message *message,
                         struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t id = ipc_get_u32(&reader);
    if (worker->current == NULL || worker->current->id != id) {
        return true; /* of another generation, which brings its own */
    }
    return read_targets(worker->current, &reader, err);
}

/* ---- the rest of what the parent says -----------------------------------------------------------
 */

/* Tells what can be told at once, and does not linger. */
static void end_open(struct conn *conn)
{
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_DRAINING, "the gateway ends and did not wait any longer");
    conn_end(conn, &why);
    conn_end(conn, &why);
}

static void on_drain_over(void *owner)
{
    struct worker *worker = owner;
    for (size_t at = 0; at < slab_size(worker); at++) {
        if (slab_at(worker, at)->stage != STAGE_CLOSED) {
            end_open(slab_at(worker, at));
        }
    }
    reactor_stop(worker->reactor);
}

static void on_signal(void *owner, int signo)
{
    (void)signo;
    on_drain_over(owner);
}

static bool on_drain(struct worker *worker, struct ipc_message *message, struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t wait_ms = ipc_get_u32(&reader);
    if (!ipc_reader_end(&reader, "drain", err)) {
        return false;
    }
    worker->draining = true;
    listeners_done(&worker->listeners);
    reactor_arm_in(worker->reactor, &worker->drain, wait_ms * MU_NS_PER_MS, on_drain_over, worker);
    stop_if_drained(worker);
    return true;
}

static bool on_link(struct worker *worker, struct ipc_message *message, struct mutual_error *err)
{
    return keys_client_link(worker->keys, message, IPC_WORKER, err);
}

static void put_own_figures(const struct worker *worker, struct mu_buf *payload)
{
    const uint64_t own[WORKER_COUNT_] = {
        [WORKER_places] = worker->gate.places,
        [WORKER_knocking] = worker->gate.knocking,
        [WORKER_handshakes] = worker->gate.handshakes,
        [WORKER_shaking] = worker->gate.shaking,
        [WORKER_slots] = worker->max,
        [WORKER_slots_used] = worker->slab.used,
        [WORKER_log_lost] = worker->log_lost,
    };
    for (size_t i = 0; i < WORKER_COUNT_; i++) {
        ipc_put_u64(payload, own[i]);
    }
}

/* STATUS: the number asked with, whether this is the last message, the worker's own figures, those
 * of services. So many messages at most: they have to find room in the channel's queue. */
static bool tell_figures(struct worker *worker, uint32_t number, struct mutual_error *err)
{
    enum { MESSAGES_MAX = 64 };
    size_t next = 0;
    bool last = false;
    for (int i = 0; i < MESSAGES_MAX && !last; i++) {
        MU_AUTO(buf) struct mu_buf payload;
        mu_buf_init(&payload, MU_LIMIT_MESSAGE_BYTES);
        ipc_put_u32(&payload, number);
        ipc_put_u8(&payload, 0);
        put_own_figures(worker, &payload);
        meters_write(&worker->meters, &next, &payload);
        last = next == worker->meters.count || i == MESSAGES_MAX - 1;
        if (payload.failed) {
            return mu_fail_memory(err);
        }
        payload.data[4] = last ? 1 : 0;
        if (!ipc_send(worker->child->parent, IPC_MSG_STATUS, mu_buf_slice(&payload), NULL, 0,
                      err)) {
            return false;
        }
    }
    return true;
}

static bool on_status_wanted(struct worker *worker, struct ipc_message *message,
                             struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t number = ipc_get_u32(&reader);
    witness_tell(worker); /* who asks for the status may ask whom we saw next */
    return ipc_reader_end(&reader, "status", err) && tell_figures(worker, number, err);
}

static bool on_sessions(struct worker *worker, struct ipc_message *message,
                        struct mutual_error *err)
{
    return sessions_read(&worker->shared, worker->reactor, message, worker->cache, err);
}

static bool dispatch(void *owner, struct ipc_message *message, struct mutual_error *err)
{
    struct worker *worker = owner;
    static bool (*const handlers[IPC_MSG_COUNT_])(struct worker *, struct ipc_message *,
                                                  struct mutual_error *) = {
        [IPC_MSG_GENERATION] = on_generation,
        [IPC_MSG_TABLES] = on_tables,
        [IPC_MSG_TRIALS] = tryout_message,
        [IPC_MSG_DESCRIPTORS] = on_descriptors,
        [IPC_MSG_ADDRESSES] = on_addresses,
        [IPC_MSG_DRAIN] = on_drain,
        [IPC_MSG_LINK] = on_link,
        [IPC_MSG_SESSIONS] = on_sessions,
        [IPC_MSG_SOCKETS] = stock_fill,
        [IPC_MSG_STREAMS] = stock_fill_streams,
        [IPC_MSG_STATUS_WANTED] = on_status_wanted,
    };
    return handlers[message->type] != NULL
               ? handlers[message->type](worker, message, err)
               : mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a worker does not take %s",
                         ipc_type_name(message->type));
}

/* The parent is trusted; what it sends that cannot be is our own mistake, and ends the worker. */
static void on_parent(void *owner, uint32_t events)
{
    struct worker *worker = owner;
    struct mutual_error err = {0};
    enum ipc_result result = process_hear(worker->child, events, dispatch, worker, &err);
    if (result == IPC_BROKEN) {
        record_event(worker, "worker_failed", NULL, &err);
        worker->failed = true;
    }
    if (worker->failed || result == IPC_END) {
        reactor_stop(worker->reactor);
        return;
    }
    worker->failed = !process_rewatch(worker->child, worker->reactor, worker->parent_watch, &err);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static size_t descriptor_limit(void)
{
    struct rlimit limit = {0};
    return getrlimit(RLIMIT_NOFILE, &limit) == -1 ? 0 : (size_t)limit.rlim_cur;
}

/* Before the lock-down: what needs files, and what a worker needs to know of its limits. */
static bool worker_prepare(struct child *child, struct mutual_error *err)
{
    struct worker *worker = mu_alloc(1, sizeof *worker);
    if (worker == NULL) {
        return mu_fail_memory(err);
    }
    worker->child = child;
    worker->workers = 1;
    worker->descriptors = descriptor_limit();
    worker->max = worker_capacity(worker->descriptors, 0);
    TAILQ_INIT(&worker->slab.free);
    TAILQ_INIT(&worker->starved);
    stock_init(&worker->stock);
    change_init(&worker->change);
    child->state = worker;
    if (!mu_ossl_start_lean(err) || !reactor_new(&worker->reactor, err) ||
        !keys_client_new(worker->reactor, &worker->keys, err) ||
        !gate_init(&worker->gate, worker, err)) {
        return false;
    }
    worker->pool = pool_new(POOL_MAX);
    worker->cache = mutual_cache_new(CACHE_MAX);
    worker->live = live_new();
    worker->sightings = sightings_new(SIGHTINGS_WORKER_MAX, SIGHTINGS_WORKER_MAX);
    worker->known = mu_known_new(KNOWN_MAX);
    return (worker->pool != NULL && worker->cache != NULL && worker->live != NULL &&
            worker->sightings != NULL && worker->known != NULL) ||
           mu_fail_memory(err);
}

static bool start(struct worker *worker, struct mutual_error *err)
{
    static const int signals[] = {SIGTERM};
    return reactor_signals(worker->reactor, signals, MU_COUNT(signals), on_signal, worker, err) &&
           reactor_watch(worker->reactor, ipc_channel_fd(worker->child->parent), EVENT_READ,
                         on_parent, worker, &worker->parent_watch, err) &&
           reactor_run(worker->reactor, err);
}

static int worker_main(struct child *child)
{
    struct worker *worker = child->state;
    struct mutual_error err = {0};
    if (!start(worker, &err)) {
        record_event(worker, "worker_failed", NULL, &err);
        worker->failed = true;
    }
    witness_tell(worker);
    worker_log_flush(worker);
    (void)tell_figures(worker, 0, &err); /* the last ones: what was counted is not lost with us */
    return worker->failed ? mutual_code_exit(MUTUAL_E_PROCESS_DIED) : 0;
}

const struct role gateway_worker_role = {
    .name = "worker",
    .party = IPC_WORKER,
    .links = IPC_KEYS,
    .sandbox = &sandbox_worker,
    .nofile = 0,
    .prepare = worker_prepare,
    .main = worker_main,
};
