/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets, opened by the parent. Where the kernel can share a port among sockets
 * (SO_REUSEPORT, TCP) every worker has one of its own; else they share one. A binding outlives a
 * reload that still names its address, so that nobody who waits in its queue is lost.
 */
#ifndef GATEWAY_LISTEN_INTERNAL_H
#define GATEWAY_LISTEN_INTERNAL_H

#include "config/config.h"
#include "gateway/address_internal.h"
#include "process/process.h"

enum { LISTEN_WORKERS_MAX = 256 };

struct binding {
    unsigned refs;
    char *text;             /* as configured: the key */
    struct address address; /* as bound: with the port that the kernel chose for 0 */
    char *unlink_path;      /* ours to remove, or NULL */
    uint32_t count;         /* of fds: one for each worker, or one for all */
    int fds[LISTEN_WORKERS_MAX];
};

/* `local_only`: refuses (LISTEN_UNSAFE) what others than this machine can reach; whoever made an
 * inherited socket answers for it. `inherited` is where systemd:NAME is found. Fails with
 * ADDRESS_IN_USE, LISTEN_FAILED. */
bool binding_new(const struct config_address *written, bool local_only, uint32_t workers,
                 struct systemd_sockets *inherited, struct binding **ret_binding,
                 struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A UNIX socket that only our own user, and root, can open. */
bool binding_private(const char *path, struct binding **ret_binding,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
struct binding *binding_ref(struct binding *binding);
void binding_unref(struct binding *binding);
/* The socket for that worker. */
int binding_fd(const struct binding *binding, uint32_t worker);

#endif
