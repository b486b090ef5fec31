/* SPDX-License-Identifier: Apache-2.0
 *
 * Supervision: children are started, linked with each other, listened to, replaced when they end,
 * and ended in order. Roles are data; what is in their messages is the wiring's.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "process/process_internal.h"

#define MEMBERS_MAX 1024u
/* Served so long: the next death counts as the first again. */
#define STEADY_NS (10 * MU_NS_PER_S)
/* From SIGTERM to SIGKILL, and from a closed channel to SIGKILL. */
#define GRACE_NS (2 * MU_NS_PER_S)
/* From START to READY; a child that takes longer hangs. */
#define READY_NS (20 * MU_NS_PER_S)
/* Messages of one child per turn, so that a talkative one cannot keep the others waiting. */
#define MESSAGES_PER_TURN 64

struct member {
    struct supervised public; /* first: hooks get a pointer to it */
    struct supervisor *supervisor;
    int pidfd;
    event_watch pid_watch, channel_watch;
    struct ipc_channel *channel;
    struct event_timer timer; /* up: the next step of ending it; down: its replacement */
    struct event_deferred again;
    int64_t started_ns;
    uint32_t streak; /* deaths in a row */
    unsigned sockets_unread;
    bool terminated; /* SIGTERM was sent */
    bool mourned;    /* the died hook runs: not to be forgotten yet */
};

struct supervisor {
    struct supervisor_options options;
    struct member **members;
    size_t count, cap;
    bool stopping;
    int64_t drain_ns;
};

static struct member *member_of(const struct supervised *child)
{
    union {
        const struct supervised *in;
        struct member *out;
    } cast = {.in = child}; /* hooks see it const; it is ours */
    return cast.out;
}

static struct reactor *reactor_of(const struct member *member)
{
    return member->supervisor->options.reactor;
}

/* By the descriptor: a number that was reaped may be somebody else's by now. */
static void send_signal(const struct member *member, int signal)
{
    if (member->pidfd != -1) {
        (void)pidfd_send_signal(member->pidfd, signal, NULL, 0);
    }
}

static void warn(const struct member *member, const struct mutual_error *what)
{
    const struct supervisor_options *options = &member->supervisor->options;
    if (options->hooks->warning != NULL) {
        options->hooks->warning(options->owner, &member->public, what);
    }
}

bool supervisor_new(const struct supervisor_options *options, struct supervisor **ret_supervisor,
                    struct mutual_error *err)
{
    bool drop;
    uid_t uid;
    gid_t gid;
    if (!process_user_find(options->user, &drop, &uid, &gid, err)) {
        return false;
    }
    struct supervisor *supervisor = mu_alloc(1, sizeof *supervisor);
    if (supervisor == NULL) {
        return mu_fail_memory(err);
    }
    supervisor->options = *options;
    *ret_supervisor = supervisor;
    return true;
}

/* ---- starting -------------------------------------------------------------------------------- */

static void kill_member(void *owner);
static void channel_ready(void *owner, uint32_t events);
static void pid_ready(void *owner, uint32_t events);
static void start_again(void *owner);

/* Queued messages need the socket's room. */
static void watch_writing(struct member *member)
{
    struct mutual_error err = {0};
    if (member->channel_watch != EVENT_NO_WATCH) {
        uint32_t wanted = EVENT_READ | (ipc_wants_write(member->channel) ? EVENT_WRITE : 0u);
        if (!reactor_rewatch(reactor_of(member), member->channel_watch, wanted, &err)) {
            warn(member, &err);
        }
    }
}

static bool spawn_member(struct member *member, struct mutual_error *err)
{
    const struct supervisor_options *options = &member->supervisor->options;
    MU_AUTO(buf) struct mu_buf setup;
    mu_buf_init(&setup, IPC_LARGE - 64);
    int fds[MU_LIMIT_MESSAGE_FDS];
    size_t fd_count = 0;
    if (!options->hooks->start(options->owner, &member->public, &setup, fds, &fd_count, err)) {
        return false;
    }
    if (setup.failed) {
        return mu_fail_memory(err);
    }
    struct process_user as = {0};
    bool other = options->hooks->become != NULL &&
                 options->hooks->become(options->owner, &member->public, &as);
    const struct process_spawn what = {.role = member->public.role,
                                       .index = member->public.index,
                                       .program = options->program,
                                       .user = options->user,
                                       .as = other ? &as : NULL,
                                       .unsafe_no_sandbox = options->unsafe_no_sandbox,
                                       .setup = mu_buf_slice(&setup),
                                       .fds = fds,
                                       .fd_count = fd_count};
    return process_spawn(&what, &member->public.pid, &member->channel, err);
}

static bool watch_member(struct member *member, struct mutual_error *err)
{
    member->pidfd = pidfd_open(member->public.pid, 0);
    if (member->pidfd == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not watch process \"%s\"",
                             member->public.role->name);
    }
    return reactor_watch(reactor_of(member), member->pidfd, EVENT_READ, pid_ready, member,
                         &member->pid_watch, err) &&
           reactor_watch(reactor_of(member), ipc_channel_fd(member->channel), EVENT_READ,
                         channel_ready, member, &member->channel_watch, err);
}

/* Everything a living child has; the object itself stays. */
static void release(struct member *member)
{
    reactor_cancel(reactor_of(member), &member->timer);
    reactor_undefer(reactor_of(member), &member->again);
    reactor_unwatch(reactor_of(member), &member->channel_watch);
    reactor_unwatch(reactor_of(member), &member->pid_watch);
    ipc_channel_free(MU_TAKE(member->channel));
    if (member->pidfd != -1) {
        (void)close(member->pidfd);
        member->pidfd = -1;
    }
    member->public.pid = 0;
    member->public.ready = false;
    member->terminated = false;
    member->sockets_unread = 0;
}

static bool start_member(struct member *member, struct mutual_error *err)
{
    if (!spawn_member(member, err)) {
        return false;
    }
    if (!watch_member(member, err)) {
        struct process_death death;
        (void)kill(member->public.pid, SIGKILL);
        (void)process_reap(member->public.pid, true, &death);
        release(member);
        return false;
    }
    member->started_ns = reactor_now_ns(reactor_of(member));
    reactor_arm_in(reactor_of(member), &member->timer, READY_NS, kill_member, member);
    return true;
}

static void schedule(struct member *member)
{
    int64_t delay = process_backoff_ns(member->streak++);
    if (delay == 0) {
        reactor_defer(reactor_of(member), &member->again, start_again, member);
    } else {
        reactor_arm_in(reactor_of(member), &member->timer, delay, start_again, member);
    }
}

static void start_again(void *owner)
{
    struct member *member = owner;
    struct mutual_error err = {0};
    if (!start_member(member, &err)) {
        warn(member, &err);
        schedule(member);
    }
}

bool supervisor_add(struct supervisor *supervisor, const struct role *role, uint32_t index,
                    struct mutual_error *err)
{
    mu_assert(supervisor_find(supervisor, role->party, index) == NULL);
    struct member *member = mu_alloc(1, sizeof *member);
    if (member == NULL || !mu_grow((void **)&supervisor->members, &supervisor->cap,
                                   supervisor->count, sizeof *supervisor->members, MEMBERS_MAX)) {
        mu_free(member);
        return mu_fail_memory(err);
    }
    member->public.role = role;
    member->public.index = index;
    member->supervisor = supervisor;
    member->pidfd = -1;
    if (!start_member(member, err)) {
        mu_free(member);
        return false;
    }
    supervisor->members[supervisor->count++] = member;
    return true;
}

/* ---- links ----------------------------------------------------------------------------------- */

static bool send_link(struct member *to, const struct member *about, int fd,
                      struct mutual_error *err)
{
    uint8_t bytes[8];
    mu_put_be32(bytes, (uint32_t)about->public.role->party);
    mu_put_be32(bytes + 4, about->public.index);
    bool done = ipc_send(to->channel, IPC_MSG_LINK, mu_slice_of(bytes, sizeof bytes), &fd, 1, err);
    watch_writing(to);
    return done;
}

static void link_two(struct member *a, struct member *b)
{
    struct mutual_error err = {0};
    int fds[2];
    if (!ipc_pair(fds, &err)) {
        warn(a, &err);
        return;
    }
    if (!send_link(a, b, fds[0], &err) || !send_link(b, a, fds[1], &err)) {
        warn(a, &err);
    }
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* A new child gets a channel to everybody its role speaks with, and they one to it. */
static void link_member(struct member *member)
{
    const struct supervisor *supervisor = member->supervisor;
    const struct role *role = member->public.role;
    for (size_t i = 0; i < supervisor->count; i++) {
        struct member *other = supervisor->members[i];
        const struct role *other_role = other->public.role;
        bool wanted = (role->links & (uint32_t)other_role->party) != 0 ||
                      (other_role->links & (uint32_t)role->party) != 0;
        if (other != member && other->public.ready && wanted) {
            link_two(member, other);
        }
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

void supervisor_kill(struct supervisor *supervisor, const struct supervised *child,
                     const struct mutual_error *why)
{
    (void)supervisor;
    if (why != NULL) {
        warn(member_of(child), why);
    }
    send_signal(member_of(child), SIGKILL);
}

static bool on_ready(struct member *member, const struct ipc_message *message,
                     struct mutual_error *err)
{
    const struct supervisor_options *options = &member->supervisor->options;
    if (member->public.ready) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "READY came twice");
    }
    if (!process_ready_read(message, &member->public.sandbox, err)) {
        return false;
    }
    member->public.ready = true;
    if (!member->public.abandoned) { /* else the timer is the one that ends it */
        reactor_cancel(reactor_of(member), &member->timer);
    }
    const char *missing = sandbox_warning(&member->public.sandbox);
    if (missing != NULL) {
        struct mutual_error what = {0};
        (void)mu_fail(&what, MUTUAL_E_SANDBOX, "%s", missing);
        warn(member, &what);
    }
    link_member(member);
    if (options->hooks->ready != NULL) {
        options->hooks->ready(options->owner, &member->public);
    }
    return true;
}

static bool on_broken(const struct member *member, const struct ipc_message *message,
                      struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(message->payload);
    enum ipc_party party = (enum ipc_party)ipc_get_u32(&reader);
    uint32_t index = ipc_get_u32(&reader);
    char reason[224];
    ipc_get_line(&reader, reason, sizeof reason);
    if (!ipc_reader_end(&reader, "BROKEN", err)) {
        return false;
    }
    const struct supervised *sender = supervisor_find(member->supervisor, party, index);
    /* Only about whom it has a channel with: a child cannot have any other one ended. */
    const struct role *role = member->public.role;
    bool linked = sender != NULL && ((role->links & (uint32_t)party) != 0 ||
                                     (sender->role->links & (uint32_t)role->party) != 0);
    if (!linked) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "BROKEN accuses a stranger");
    }
    struct mutual_error why = {0};
    (void)mu_fail(&why, MUTUAL_E_MESSAGE_MALFORMED, "%s %u to %s %u: %s", sender->role->name, index,
                  role->name, member->public.index, reason);
    supervisor_kill(member->supervisor, sender, &why);
    return true;
}

static bool dispatch(struct member *member, struct ipc_message *message, struct mutual_error *err)
{
    const struct supervisor_options *options = &member->supervisor->options;
    if (message->type == IPC_MSG_READY) {
        return on_ready(member, message, err);
    }
    if (message->type == IPC_MSG_BROKEN) {
        return on_broken(member, message, err);
    }
    if (message->type == IPC_MSG_SOCKETS_WANTED) {
        return process_sockets_answer(member->channel, message, &member->sockets_unread, err);
    }
    if (message->type == IPC_MSG_LOG) {
        if (options->hooks->log != NULL) {
            options->hooks->log(options->owner, &member->public, message->payload);
        }
        return true;
    }
    return options->hooks->message == NULL ||
           options->hooks->message(options->owner, &member->public, message, err);
}

/* No more is read from a channel that ended or broke; the process must follow. */
static void channel_over(struct member *member)
{
    reactor_unwatch(reactor_of(member), &member->channel_watch);
}

static void kill_member(void *owner)
{
    send_signal(owner, SIGKILL);
}

/* Reads at most `most` messages; false: the channel is over. */
static bool read_messages(struct member *member, unsigned most)
{
    struct mutual_error err = {0};
    for (unsigned i = 0; i < most; i++) {
        struct ipc_message message = {0};
        enum ipc_result result = ipc_receive(member->channel, &message, &err);
        if (result == IPC_WAIT) {
            return true;
        }
        if (result == IPC_END) {
            return false;
        }
        bool good = result == IPC_GOT && dispatch(member, &message, &err);
        ipc_message_done(&message);
        if (!good) {
            (void)mu_error_context(&err, "%s %u", member->public.role->name, member->public.index);
            supervisor_kill(member->supervisor, &member->public, &err);
            return false;
        }
    }
    return true;
}

static void channel_ready(void *owner, uint32_t events)
{
    struct member *member = owner;
    struct mutual_error err = {0};
    if ((events & EVENT_WRITE) != 0 && !ipc_flush(member->channel, &err)) {
        channel_over(member);
        return;
    }
    if (!read_messages(member, MESSAGES_PER_TURN)) {
        channel_over(member);
        if (!event_timer_is_armed(&member->timer)) {
            reactor_arm_in(reactor_of(member), &member->timer, GRACE_NS, kill_member, member);
        }
        return;
    }
    watch_writing(member);
}

bool supervisor_send(struct supervisor *supervisor, const struct supervised *child,
                     enum ipc_type type, struct mu_slice payload, const int *fds, size_t fd_count,
                     struct mutual_error *err)
{
    (void)supervisor;
    struct member *member = member_of(child);
    if (member->channel == NULL) {
        return mu_fail(err, MUTUAL_E_PROCESS_DIED, "process \"%s\" %u is down", child->role->name,
                       child->index);
    }
    bool done = ipc_send(member->channel, type, payload, fds, fd_count, err);
    watch_writing(member);
    return done;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void forget(struct member *member)
{
    struct supervisor *supervisor = member->supervisor;
    for (size_t i = 0; i < supervisor->count; i++) {
        if (supervisor->members[i] == member) {
            supervisor->count--;
            memmove(&supervisor->members[i], &supervisor->members[i + 1],
                    (supervisor->count - i) * sizeof(struct member *));
            break;
        }
    }
    release(member);
    mu_free(member);
}

static void stop_next(struct supervisor *supervisor);

static void pid_ready(void *owner, uint32_t events)
{
    (void)events;
    struct member *member = owner;
    struct supervisor *supervisor = member->supervisor;
    struct process_death death;
    if (!process_reap(member->public.pid, false, &death)) {
        return;
    }
    if (member->channel_watch != EVENT_NO_WATCH) {
        (void)read_messages(member, IPC_QUEUE_MAX); /* its last words */
    }
    death.expected = member->public.abandoned;
    member->public.deaths++;
    process_death_words(&member->public, &death);
    if (reactor_now_ns(reactor_of(member)) - member->started_ns >= STEADY_NS) {
        member->streak = 0;
    }
    release(member);
    if (supervisor->options.hooks->died != NULL) {
        member->mourned = true;
        supervisor->options.hooks->died(supervisor->options.owner, &member->public, &death);
        member->mourned = false;
    }
    if (!member->public.abandoned) {
        schedule(member);
        return;
    }
    forget(member);
    if (supervisor->stopping) {
        stop_next(supervisor);
    }
}

/* Drain is over: SIGTERM, and when that did not help, SIGKILL. */
static void end_harder(void *owner)
{
    struct member *member = owner;
    if (member->public.pid == 0) {
        return;
    }
    send_signal(member, member->terminated ? SIGKILL : SIGTERM);
    member->terminated = true;
    reactor_arm_in(reactor_of(member), &member->timer, GRACE_NS, end_harder, member);
}

static void end_member(struct member *member, int64_t drain_ns)
{
    member->public.abandoned = true;
    if (member->public.pid == 0) {
        if (!member->mourned) {
            forget(member);
        }
        return;
    }
    uint8_t bytes[4];
    int64_t ms = drain_ns / MU_NS_PER_MS;
    mu_put_be32(bytes, ms > INT32_MAX ? (uint32_t)INT32_MAX : (uint32_t)ms);
    struct mutual_error err = {0};
    if (ipc_send(member->channel, IPC_MSG_DRAIN, mu_slice_of(bytes, 4), NULL, 0, &err)) {
        watch_writing(member);
    }
    reactor_arm_in(reactor_of(member), &member->timer, drain_ns, end_harder, member);
}

void supervisor_remove(struct supervisor *supervisor, enum ipc_party party, uint32_t index,
                       int64_t drain_ns)
{
    const struct supervised *child = supervisor_find(supervisor, party, index);
    if (child != NULL) {
        end_member(member_of(child), drain_ns);
    }
}

/* Whether the keys role may go: it is asked last, so that those who drain can finish handshakes. */
static bool may_go(const struct supervisor *supervisor, const struct member *member)
{
    if (member->public.role->party != IPC_KEYS) {
        return true;
    }
    for (size_t i = 0; i < supervisor->count; i++) {
        if (supervisor->members[i]->public.role->party != IPC_KEYS) {
            return false;
        }
    }
    return true;
}

/* Asks everybody to end whose turn it is; who is down already goes at once, which may make it the
 * turn of others. */
static void stop_next(struct supervisor *supervisor)
{
    size_t before;
    do {
        before = supervisor->count;
        for (size_t i = supervisor->count; i-- > 0;) {
            struct member *member = supervisor->members[i];
            if (!member->public.abandoned && may_go(supervisor, member)) {
                bool keys = member->public.role->party == IPC_KEYS;
                end_member(member, keys ? GRACE_NS : supervisor->drain_ns);
            }
        }
    } while (supervisor->count < before);
    const struct supervisor_options *options = &supervisor->options;
    if (supervisor->count == 0 && options->hooks->stopped != NULL) {
        options->hooks->stopped(options->owner);
    }
}

void supervisor_stop(struct supervisor *supervisor, int64_t drain_ns)
{
    if (supervisor->stopping) { /* again: hurry those that drain */
        for (size_t i = 0; i < supervisor->count; i++) {
            struct member *member = supervisor->members[i];
            if (member->public.abandoned && member->public.pid != 0) {
                reactor_arm_in(reactor_of(member), &member->timer, drain_ns, end_harder, member);
            }
        }
        return;
    }
    supervisor->stopping = true;
    supervisor->drain_ns = drain_ns;
    stop_next(supervisor);
}

void supervisor_free(struct supervisor *supervisor)
{
    if (supervisor == NULL) {
        return;
    }
    for (size_t i = 0; i < supervisor->count; i++) {
        kill_member(supervisor->members[i]);
    }
    while (supervisor->count > 0) {
        struct member *member = supervisor->members[supervisor->count - 1];
        struct process_death death;
        if (member->public.pid != 0) {
            (void)process_reap(member->public.pid, true, &death);
        }
        forget(member);
    }
    mu_free(supervisor->members);
    mu_free(supervisor);
}

/* ---- looking --------------------------------------------------------------------------------- */

const struct supervised *supervisor_find(const struct supervisor *supervisor, enum ipc_party party,
                                         uint32_t index)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct supervised *child = &supervisor->members[i]->public;
        if (child->role->party == party && child->index == index) {
            return child;
        }
    }
    return NULL;
}

size_t supervisor_count(const struct supervisor *supervisor)
{
    return supervisor->count;
}

const struct supervised *supervisor_get(const struct supervisor *supervisor, size_t nth)
{
    return nth < supervisor->count ? &supervisor->members[nth]->public : NULL;
}

bool supervisor_is_ready(const struct supervisor *supervisor, uint32_t parties)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct supervised *child = &supervisor->members[i]->public;
        if (!child->ready && (child->role->party & parties) != 0) {
            return false;
        }
    }
    return true;
}
