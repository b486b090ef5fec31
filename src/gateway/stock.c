/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets that are not connected yet. A worker may not make any: the parent sends them in batches,
 * and is asked for the next one before the last is used up.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/worker_internal.h"

enum { AGAIN_MS = 100 };

void stock_init(struct stock *stock)
{
    static const int families[STOCK_FAMILIES] = {AF_INET, AF_INET6, AF_UNIX, STOCK_STREAMS};
    for (size_t i = 0; i < STOCK_FAMILIES; i++) {
        stock->families[i] = (struct stock_family){.family = families[i]};
        TAILQ_INIT(&stock->families[i].waiting);
    }
}

void stock_done(struct stock *stock)
{
    for (size_t i = 0; i < STOCK_FAMILIES; i++) {
        struct stock_family *of = &stock->families[i];
        while (of->count > 0) {
            (void)close(of->fds[--of->count]);
        }
    }
}

static struct stock_family *find(struct stock *stock, int family)
{
    for (size_t i = 0; i < STOCK_FAMILIES; i++) {
        if (stock->families[i].family == family) {
            return &stock->families[i];
        }
    }
    return NULL;
}

static size_t batch_of(const struct stock_family *of)
{
    return of->family == STOCK_STREAMS ? STREAMS_BATCH : STOCK_BATCH;
}

static bool ask_streams(struct ipc_channel *parent, uint32_t count, struct mutual_error *err)
{
    uint8_t bytes[4];
    mu_put_be32(bytes, count);
    return ipc_send(parent, IPC_MSG_STREAMS_WANTED, mu_slice_of(bytes, 4), NULL, 0, err);
}

static void ask(struct worker *worker, struct stock_family *of)
{
    struct mutual_error err = {0};
    uint32_t batch = (uint32_t)batch_of(of);
    struct ipc_channel *parent = worker->child->parent;
    if (of->asked == 0 &&
        (of->family == STOCK_STREAMS ? ask_streams(parent, batch, &err)
                                     : process_sockets_ask(parent, of->family, batch, &err))) {
        of->asked = batch;
    }
}

/* Streams whose other end has gone with an authority that was replaced are of no use any more. */
static void drop_dead(struct stock_family *of)
{
    uint8_t byte;
    while (of->family == STOCK_STREAMS && of->count > 0 &&
           recv(of->fds[of->count - 1], &byte, 1, MSG_PEEK | MSG_DONTWAIT) != -1) {
        (void)close(of->fds[--of->count]);
    }
}

int stock_take(struct worker *worker, int family, struct conn *conn)
{
    struct stock_family *of = find(&worker->stock, family);
    mu_assert(of != NULL); /* addresses are checked when they are read */
    drop_dead(of);
    if (of->count <= batch_of(of) / 2) {
        ask(worker, of);
    }
    if (of->count == 0) {
        conn_wait_in(conn, &of->waiting);
        return -1;
    }
    return of->fds[--of->count];
}

static void on_again(void *owner)
{
    struct stock_family *of = owner;
    of->asked = 0;
    conn_queue_wake(&of->waiting);
}

static void put(struct worker *worker, struct stock_family *of, struct ipc_message *message)
{
    if (message->fd_count == 0) { /* asked at once it would have none again, over and over */
        reactor_arm_in(worker->reactor, &of->again, AGAIN_MS * MU_NS_PER_MS, on_again, of);
        return;
    }
    for (size_t i = 0; i < message->fd_count && of->count < STOCK_MAX; i++) {
        of->fds[of->count++] = ipc_message_take_fd(message, i);
    }
    of->asked = 0;
    conn_queue_wake(&of->waiting);
}

bool stock_fill(struct worker *worker, struct ipc_message *message, struct mutual_error *err)
{
    int family = 0;
    uint32_t count = 0;
    if (!process_sockets_read(message, &family, &count, err)) {
        return false;
    }
    struct stock_family *of = find(&worker->stock, family);
    if (of == NULL || family == STOCK_STREAMS) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "sockets of family %d were sent", family);
    }
    put(worker, of, message);
    return true;
}

bool stock_fill_streams(struct worker *worker, struct ipc_message *message,
                        struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    uint32_t count = ipc_get_u32(&reader);
    if (!ipc_reader_end(&reader, "STREAMS", err)) {
        return false;
    }
    if (count != message->fd_count) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "STREAMS says %u and has %zu", count,
                       message->fd_count);
    }
    put(worker, find(&worker->stock, STOCK_STREAMS), message);
    return true;
}
