/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks host names up in a helper process.
 */
#include "gateway/resolve_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/helper_internal.h"

enum { ROUND_S = 10, ANSWER_MAX = 1 << 20, NAMES_MAX = 4096 };

struct resolver {
    struct reactor *reactor;
    struct resolve_names *names;
    size_t count; /* of names asked for; more may have come since */
    resolve_done_fn *done;
    void *owner;
    pid_t pid;
    int fd;
    event_watch watch;
    struct event_timer timer;
    struct mu_buf answer;
};

/* ---- names --------------------------------------------------------------------------------------
 */

struct resolve_name *resolve_name_get(struct resolve_names *names, const char *host, unsigned port)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].port == port && strcmp(names->items[i].host, host) == 0) {
            return &names->items[i];
        }
    }
    if (!mu_grow((void **)&names->items, &names->cap, names->count, sizeof *names->items,
                 NAMES_MAX)) {
        return NULL;
    }
    char *copy = mu_strdup(host);
    if (copy == NULL) {
        return NULL;
    }
    names->items[names->count] = (struct resolve_name){.host = copy, .port = port};
    return &names->items[names->count++];
}

void resolve_names_done(struct resolve_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        mu_free(names->items[i].host);
    }
    mu_free(names->items);
    memset(names, 0, sizeof *names);
}

/* ---- the helper ---------------------------------------------------------------------------------
 */

static void look_up(const struct resolve_name *name, struct mu_buf *out)
{
    char service[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    (void)snprintf(service, sizeof service, "%u", name->port);
    size_t at = out->len;
    (void)mu_buf_byte(out, 0);
    if (getaddrinfo(name->host, service, &hints, &found) != 0 || out->failed) {
        return;
    }
    for (const struct addrinfo *one = found; one != NULL && out->data[at] < TARGETS_MAX;
         one = one->ai_next) {
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6) {
            ipc_put_bytes(out, mu_slice_of(one->ai_addr, one->ai_addrlen));
            out->data[at]++;
        }
    }
    freeaddrinfo(found);
}

static _Noreturn void helper(int fd, const struct resolve_names *names, const char *user)
{
    struct mu_buf out;
    mu_buf_init(&out, ANSWER_MAX);
    helper_begin(fd, user, ROUND_S, 0);
    for (size_t i = 0; i < names->count; i++) {
        look_up(&names->items[i], &out);
    }
    _exit(!out.failed && mu_fd_write(HELPER_FD, out.data, out.len) ? 0 : 1);
}

/* ---- what it says -------------------------------------------------------------------------------
 */

static bool read_targets(struct ipc_reader *reader, struct targets *ret_targets)
{
    struct targets targets = {.count = ipc_get_u8(reader)};
    if (targets.count > TARGETS_MAX) {
        return false;
    }
    for (size_t i = 0; i < targets.count; i++) {
        struct address *address = &targets.items[i];
        struct mu_slice raw = ipc_get_bytes(reader, sizeof address->socket);
        if (raw.len != sizeof(struct sockaddr_in) && raw.len != sizeof(struct sockaddr_in6)) {
            return false;
        }
        memcpy(&address->socket, raw.data, raw.len);
        address->len = (socklen_t)raw.len;
        if (address->socket.ss_family !=
            (raw.len == sizeof(struct sockaddr_in) ? AF_INET : AF_INET6)) {
            return false;
        }
    }
    *ret_targets = targets;
    return !reader->failed;
}

bool resolve_parse(struct mu_slice answer, struct resolve_names *names, size_t count,
                   bool *ret_changed)
{
    struct ipc_reader reader = ipc_reader_of(answer);
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        struct targets targets;
        struct resolve_name *name = &names->items[i];
        if (!read_targets(&reader, &targets)) {
            return false;
        }
        name->failed = targets.count == 0;
        /* who cannot be found now keeps the addresses it had */
        if (targets.count > 0 && memcmp(&targets, &name->targets, sizeof targets) != 0) {
            name->targets = targets;
            changed = true;
        }
    }
    struct mutual_error lost = {0};
    *ret_changed = changed;
    return ipc_reader_end(&reader, "addresses", &lost);
}

/* ---- a round ------------------------------------------------------------------------------------
 */

void resolve_stop(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    reactor_unwatch(resolver->reactor, &resolver->watch);
    reactor_cancel(resolver->reactor, &resolver->timer);
    (void)close(resolver->fd);
    (void)kill(resolver->pid, SIGKILL);
    (void)waitpid(resolver->pid, NULL, 0);
    mu_buf_done(&resolver->answer);
    mu_free(resolver);
}

static void finish(struct resolver *resolver)
{
    resolve_done_fn *done = resolver->done;
    void *owner = resolver->owner;
    bool changed = false;
    if (!resolve_parse(mu_buf_slice(&resolver->answer), resolver->names, resolver->count,
                       &changed)) {
        for (size_t i = 0; i < resolver->count; i++) {
            resolver->names->items[i].failed = true;
        }
    }
    resolve_stop(resolver);
    done(owner, changed);
}

static void on_late(void *owner)
{
    finish(owner);
}

static void on_answer(void *owner, uint32_t events)
{
    struct resolver *resolver = owner;
    (void)events;
    uint8_t *room = mu_buf_reserve(&resolver->answer, 4096);
    ssize_t n = room == NULL ? 0 : read(resolver->fd, room, 4096);
    if (n > 0) {
        resolver->answer.len += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        finish(resolver);
    }
}

static bool start_helper(struct resolver *resolver, const char *user, struct mutual_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make a pipe");
    }
    resolver->pid = fork();
    if (resolver->pid == 0) {
        helper(ends[1], resolver->names, user);
    }
    (void)close(ends[1]);
    resolver->fd = ends[0];
    if (resolver->pid == -1 || fcntl(ends[0], F_SETFL, O_NONBLOCK) == -1) {
        int sys = errno;
        (void)close(ends[0]);
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, sys, "could not start the resolver");
    }
    return true;
}

bool resolve_start(struct reactor *reactor, struct resolve_names *names, const char *user,
                   resolve_done_fn *done, void *owner, struct resolver **ret_resolver,
                   struct mutual_error *err)
{
    struct resolver *resolver = mu_alloc(1, sizeof *resolver);
    if (resolver == NULL) {
        return mu_fail_memory(err);
    }
    resolver->reactor = reactor;
    resolver->names = names;
    resolver->count = names->count;
    resolver->done = done;
    resolver->owner = owner;
    mu_buf_init(&resolver->answer, ANSWER_MAX);
    if (!start_helper(resolver, user, err)) {
        mu_free(resolver);
        return false;
    }
    if (!reactor_watch(reactor, resolver->fd, EVENT_READ, on_answer, resolver, &resolver->watch,
                       err)) {
        resolve_stop(resolver);
        return false;
    }
    reactor_arm_in(reactor, &resolver->timer, ROUND_S * MU_NS_PER_S, on_late, resolver);
    *ret_resolver = resolver;
    return true;
}
