/* SPDX-License-Identifier: Apache-2.0
 *
 * The authority's own socket on this machine, beside the control socket: who may open it, our own
 * user and root, administers the authority that is served. The kernel says who connects; the
 * connection goes to the authority's process as it is, and no byte of it is read here.
 */
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "evidence/evidence.h"
#include "gateway/gateway.h"
#include "gateway/parent_internal.h"

/* Whoever may not is closed at once: the file's mode keeps others out already. */
static bool may(int fd, struct ucred *ret_peer)
{
    socklen_t size = sizeof *ret_peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &size) == 0 &&
           (ret_peer->uid == 0 || ret_peer->uid == geteuid());
}

static bool hand_over(struct parent *parent, int fd, uid_t uid, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf payload;
    const struct supervised *child = authority_answering(parent);
    mu_buf_init(&payload, 256);
    evidence_local_write(uid, uid == 0 ? "root" : parent->authority.user, &payload);
    return child != NULL && supervisor_send(parent->supervisor, child, IPC_MSG_LOCAL,
                                            mu_buf_slice(&payload), &fd, 1, err);
}

static void on_accept(void *owner, uint32_t events)
{
    struct parent *parent = owner;
    struct mutual_error lost = {0};
    struct ucred peer;
    (void)events;
    int fd =
        accept4(binding_fd(parent->authority.local, 0), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -1) {
        return;
    }
    if (!may(fd, &peer)) {
        parent_log(parent, CONFIG_LOG_WARNING, "local_refused",
                   "somebody who is not our user came to the authority's socket", NULL);
    } else {
        (void)hand_over(parent, fd, peer.uid, &lost); /* else he sees the end, and comes again */
    }
    (void)close(fd);
}

void local_begin(struct parent *parent)
{
    struct mutual_error err = {0};
    char control[GATEWAY_PATH_MAX];
    char path[GATEWAY_PATH_MAX];
    struct authority_served *authority = &parent->authority;
    if (authority->local != NULL || !control_path(parent, control) ||
        !gateway_authority_path(control, path)) {
        return;
    }
    const struct passwd *own = getpwuid(geteuid());
    (void)snprintf(authority->user, sizeof authority->user, "%s", own != NULL ? own->pw_name : "");
    bool good = binding_private(path, &authority->local, &err) &&
                reactor_watch(parent->reactor, binding_fd(authority->local, 0), EVENT_READ,
                              on_accept, parent, &authority->watch, &err);
    if (!good) {
        local_end(parent);
        parent_log(parent, CONFIG_LOG_WARNING, "local_unavailable",
                   "the authority's socket on this machine cannot be had", &err);
    }
}

void local_end(struct parent *parent)
{
    reactor_unwatch(parent->reactor, &parent->authority.watch);
    binding_unref(MU_TAKE(parent->authority.local));
}
