/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning of a child: from main() to a locked-down role.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "process/process_internal.h"

#define START_WAIT_MS 10000

static const struct role *find_role(const struct role *const *roles, int argc, char **argv)
{
    if (argc != 2 || !mu_text_starts(argv[1], "--role=")) {
        return NULL;
    }
    for (; *roles != NULL; roles++) {
        if (strcmp((*roles)->name, argv[1] + strlen("--role=")) == 0) {
            return *roles;
        }
    }
    return NULL;
}

/* Whether somebody who knows our secret argument also gave us the channel. */
static bool has_channel(void)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(PROCESS_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static bool receive_start(const struct role *role, struct ipc_channel *parent,
                          struct ipc_message *ret_message, struct process_start *ret_start,
                          struct mutual_error *err)
{
    if (!ipc_wait(parent, START_WAIT_MS) || ipc_receive(parent, ret_message, err) != IPC_GOT ||
        ret_message->type != IPC_MSG_START) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "the parent did not say START");
    }
    if (!process_start_read(ret_message->payload, ret_start, err)) {
        return false;
    }
    if (ret_start->party != role->party) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "START is for \"%s\", this is \"%s\"",
                       ipc_party_name(ret_start->party), role->name);
    }
    return true;
}

/* What owns root's files, and is root in nothing else. */
static bool shed_capabilities(struct mutual_error *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1 ||
        syscall(SYS_capset, &head, none) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno, "could not give up root's capabilities");
    }
    return true;
}

static bool become_user(const struct process_start *start, struct mutual_error *err)
{
    if (!start->drop) {
        return true;
    }
    if (start->uid == 0) {
        return shed_capabilities(err);
    }
    if (setgroups(0, NULL) == -1 || setresgid(start->gid, start->gid, start->gid) == -1 ||
        setresuid(start->uid, start->uid, start->uid) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno, "could not become user %u", start->uid);
    }
    if (setuid(0) == 0 || geteuid() == 0 || getegid() == 0) {
        return mu_fail(err, MUTUAL_E_SANDBOX, "root can be got back after becoming user %u",
                       start->uid);
    }
    return true;
}

/* After the change of user, which resets it (prctl(2)). */
static bool die_with_parent(const struct process_start *start, struct mutual_error *err)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno,
                             "could not tie its life to the parent's");
    }
    if (getppid() != start->parent) {
        return mu_fail(err, MUTUAL_E_PROCESS_DIED, "the parent ended before this process began");
    }
    return true;
}

static void limit_descriptors(uint64_t nofile)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = nofile != 0 && nofile < limit.rlim_max ? nofile : limit.rlim_max;
        if (nofile != 0) {
            limit.rlim_max = limit.rlim_cur;
        }
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool say_ready(struct child *child, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 64);
    process_ready_write(&payload, &child->sandbox);
    return ipc_send(child->parent, IPC_MSG_READY, mu_buf_slice(&payload), NULL, 0, err);
}

static bool keep_start(struct child *child, const struct process_start *start,
                       struct ipc_message *message, struct mutual_error *err)
{
    child->index = start->index;
    uint8_t *setup = mu_alloc(1, start->setup.len + 1);
    if (setup == NULL) {
        return mu_fail_memory(err);
    }
    if (start->setup.len > 0) {
        memcpy(setup, start->setup.data, start->setup.len);
    }
    child->setup = mu_slice_of(setup, start->setup.len);
    child->fd_count = message->fd_count;
    for (size_t i = 0; i < message->fd_count; i++) {
        child->fds[i] = ipc_message_take_fd(message, i);
    }
    return true;
}

static bool begin(struct child *child, struct mutual_error *err)
{
    const struct role *role = child->role;
    struct ipc_message message = {0};
    struct process_start start = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    /* What a terminal sends goes to all of us; the parent alone decides what it means. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)prctl(PR_SET_NAME, role->name, 0, 0, 0);
    if (close_range(PROCESS_FD + 1, ~0u, 0) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SANDBOX, errno, "could not close other descriptors");
    }
    if (!ipc_channel_new(PROCESS_FD, role->party, IPC_PARENT, &child->parent, err) ||
        !receive_start(role, child->parent, &message, &start, err) ||
        !keep_start(child, &start, &message, err)) {
        return false;
    }
    limit_descriptors(start.nofile);
    if (!become_user(&start, err) || !die_with_parent(&start, err)) {
        return false;
    }
    tzset(); /* reads its file, if any, while files can be read */
    if (role->prepare != NULL && !role->prepare(child, err)) {
        return false;
    }
    bool locked = sandbox_apply_with(role->sandbox, child->places, child->place_count,
                                     start.unsafe_no_sandbox, &child->sandbox, err);
    for (size_t i = 0; i < child->place_count; i++) {
        (void)close(child->places[i].fd);
    }
    return locked && say_ready(child, err);
}

/* The last words go to standard error: there may be no channel yet. */
static void say_last_words(const struct role *role, const struct mutual_error *err)
{
    char text[1024];
    (void)mutual_error_format(err, text, sizeof text);
    (void)fprintf(stderr, "%s: %s\n", role->name, text);
}

int process_child_main(const struct role *const *roles, int argc, char **argv)
{
    const struct role *role = find_role(roles, argc, argv);
    if (role == NULL || !has_channel()) {
        return -1;
    }
    static struct child child; /* lives as long as the process */
    child.role = role;
    struct mutual_error err = {0};
    if (!begin(&child, &err)) {
        say_last_words(role, &err);
        return mutual_code_exit(err.code);
    }
    return role->main(&child);
}

static bool take_one(const struct child *child, struct ipc_message *message, process_take_fn *take,
                     void *owner, struct mutual_error *err)
{
    return message->type == IPC_MSG_PING
               ? ipc_send(child->parent, IPC_MSG_PONG, message->payload, NULL, 0, err)
               : take(owner, message, err);
}

enum ipc_result process_hear(struct child *child, uint32_t events, process_take_fn *take,
                             void *owner, struct mutual_error *err)
{
    bool flushed = (events & EVENT_WRITE) == 0 || ipc_flush(child->parent, err);
    enum ipc_result result = flushed ? IPC_GOT : IPC_BROKEN;
    while (result == IPC_GOT) {
        struct ipc_message message = {0};
        result = ipc_receive(child->parent, &message, err);
        if (result == IPC_GOT && !take_one(child, &message, take, owner, err)) {
            result = IPC_BROKEN;
        }
        ipc_message_done(&message);
    }
    return result;
}

bool process_rewatch(const struct child *child, struct reactor *reactor, event_watch watch,
                     struct mutual_error *err)
{
    uint32_t want = EVENT_READ | (ipc_wants_write(child->parent) ? EVENT_WRITE : 0);
    return reactor_rewatch(reactor, watch, want, err);
}

void process_report_broken(struct child *child, enum ipc_party peer, uint32_t index,
                           const struct mutual_error *why)
{
    MU_AUTO(buf) struct mu_buf payload;
    mu_buf_init(&payload, 1024);
    ipc_put_u32(&payload, (uint32_t)peer);
    ipc_put_u32(&payload, index);
    ipc_put_text(&payload, why->reason);
    struct mutual_error err = {0};
    if (!ipc_send(child->parent, IPC_MSG_BROKEN, mu_buf_slice(&payload), NULL, 0, &err)) {
        say_last_words(child->role, &err);
    }
}

void process_log(struct child *child, const char *line)
{
    struct mutual_error err = {0};
    if (!ipc_send(child->parent, IPC_MSG_LOG, mu_slice_text(line), NULL, 0, &err)) {
        say_last_words(child->role, &err);
    }
}
