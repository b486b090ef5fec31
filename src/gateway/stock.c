/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets that are not connected yet. A worker may not make any: the parent sends them in batches,
 * and is asked for the next one before the last is used up.
 */
#include <string.h>
#include <unistd.h>

#include "gateway/worker_internal.h"

enum { STOCK_LOW = STOCK_BATCH / 2, AGAIN_MS = 100 };

void stock_init(struct stock *stock)
{
    static const int families[STOCK_FAMILIES] = {AF_INET, AF_INET6, AF_UNIX};
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

static void ask(struct worker *worker, struct stock_family *of)
{
    struct mutual_error err = {0};
    if (of->asked == 0 &&
        process_sockets_ask(worker->child->parent, of->family, STOCK_BATCH, &err)) {
        of->asked = STOCK_BATCH;
    }
}

int stock_take(struct worker *worker, int family, struct conn *conn)
{
    struct stock_family *of = find(&worker->stock, family);
    mu_assert(of != NULL); /* addresses are checked when they are read */
    if (of->count <= STOCK_LOW) {
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

bool stock_fill(struct worker *worker, struct ipc_message *message, struct mutual_error *err)
{
    int family = 0;
    uint32_t count = 0;
    if (!process_sockets_read(message, &family, &count, err)) {
        return false;
    }
    struct stock_family *of = find(&worker->stock, family);
    if (of == NULL) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "sockets of family %d were sent", family);
    }
    if (message->fd_count == 0) { /* asked at once it would have none again, over and over */
        reactor_arm_in(worker->reactor, &of->again, AGAIN_MS * MU_NS_PER_MS, on_again, of);
        return true;
    }
    for (size_t i = 0; i < message->fd_count && of->count < STOCK_MAX; i++) {
        of->fds[of->count++] = ipc_message_take_fd(message, i);
    }
    of->asked = 0;
    conn_queue_wake(&of->waiting);
    return true;
}
