/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes: what a role is, how a child is made and locked down, how the parent keeps it alive.
 *
 * A child is our own program executed again with "--role=NAME", standard error, and one channel to
 * the parent on descriptor PROCESS_FD; everything else it has comes in the START message. It
 * closes the rest, gives up its user, locks itself down, says READY and only then meets a stranger.
 * This room knows roles as data; src/cli/roles.c assembles them.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "base/base.h"
#include "event/event.h"
#include "ipc/ipc.h"

/* ---- sandbox --------------------------------------------------------------------------------- */

/* What a role may still do after lock-down; the profiles are tables in profiles.c. Every profile:
 * no new privileges, no core, not dumpable, seccomp that kills the process for any system call
 * not listed (so no open, socket, exec, fork, ptrace), Landlock that grants no file at all. */
struct sandbox_profile;
extern const struct sandbox_profile sandbox_worker; /* accept, connect given sockets; no bind    */
extern const struct sandbox_profile sandbox_keys;   /* talks on channels only: no network at all */
extern const struct sandbox_profile sandbox_lists;  /* the same, and makes memory files         */
extern const struct sandbox_profile sandbox_fetch;  /* speaks on sockets that connect already    */
extern const struct sandbox_profile sandbox_authority; /* files where it is told; no network     */

/* What holds. */
enum sandbox_bits {
    SANDBOX_SECCOMP = 1u << 0,
    SANDBOX_LANDLOCK_FILES = 1u << 1,
    SANDBOX_LANDLOCK_NETWORK = 1u << 2, /* ABI 4 */
    SANDBOX_LANDLOCK_SCOPE = 1u << 3,   /* ABI 6: abstract sockets, signals */
    SANDBOX_USER = 1u << 4,             /* not root */
};
struct sandbox_state {
    uint32_t holds;        /* SANDBOX_* */
    uint32_t landlock_abi; /* 0: the kernel has none */
};
/* Locks this process down, for good. A kernel without Landlock is no failure: see the state. One
 * without seccomp fails with SANDBOX unless `unsafe`. */
bool sandbox_apply(const struct sandbox_profile *profile, bool unsafe,
                   struct sandbox_state *ret_state, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The same for a profile with system calls for files: Landlock grants what lies beneath these open
 * directories, to be read and, where said, made, written, renamed and removed; nothing anywhere
 * else. */
struct sandbox_place {
    int fd; /* opened with O_PATH or more */
    bool write;
};
bool sandbox_apply_with(const struct sandbox_profile *profile, const struct sandbox_place *places,
                        size_t place_count, bool unsafe, struct sandbox_state *ret_state,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* One line for log and status: "seccomp, landlock 7 (files, network, scope)". */
#define SANDBOX_WORDS 128
const char *sandbox_words(const struct sandbox_state *state, char text[SANDBOX_WORDS]);
/* What is missing and why that matters, or NULL when nothing is: a warning for the log. */
const char *sandbox_warning(const struct sandbox_state *state);

/* ---- roles and children ---------------------------------------------------------------------- */

#define PROCESS_FD 3

struct child;

struct role {
    const char *name; /* "worker": argument, title */
    enum ipc_party party;
    uint32_t links; /* mask of parties to which each process of this role gets a channel (LINK) */
    const struct sandbox_profile *sandbox;
    uint64_t nofile; /* RLIMIT_NOFILE; 0: the hard limit */
    /* Before the lock-down: whatever still needs files (initialising libraries). May be NULL. */
    bool (*prepare)(struct child *child, struct mutual_error *err);
    /* After it. Returns the exit status. Ends when child->parent is at its end. */
    int (*main)(struct child *child);
};

#define CHILD_PLACES_MAX 4

/* What a role's functions are given. */
struct child {
    const struct role *role;
    uint32_t index;                /* which one of its role, from 0; kept by a replacement */
    struct ipc_channel *parent;    /* the channel to the parent, non-blocking              */
    struct mu_slice setup;         /* what the parent's wiring gave; lives as long as this */
    int fds[MU_LIMIT_MESSAGE_FDS]; /* and its descriptors, owned by the role               */
    size_t fd_count;
    struct sandbox_state sandbox;
    struct sandbox_place places[CHILD_PLACES_MAX]; /* put there by prepare; closed afterwards */
    size_t place_count;
    void *state; /* the role's own, from prepare to main; NULL at first */
};

/* First thing in main(): runs the role and returns its exit status when argv asks for one of the
 * NULL-terminated `roles`, else returns -1 and has done nothing. Exit handlers are not run: after
 * the call, _exit with its status. */
int process_child_main(const struct role *const *roles, int argc, char **argv);
/* Reads a LINK: who is at the other end, and the channel's descriptor (the caller's). */
bool process_link_read(struct ipc_message *message, enum ipc_party *ret_peer, uint32_t *ret_index,
                       int *ret_fd, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The parent's channel is ready: sends what waits if `events` say that it can be written, and hands
 * each message that is there to `take`, but for PING, which is answered. IPC_WAIT: all were taken;
 * IPC_END: the parent closed; IPC_BROKEN: err says why, be it take's own failure. Descriptors that
 * take leaves in a message are closed. */
typedef bool process_take_fn(void *owner, struct ipc_message *message, struct mutual_error *err);
enum ipc_result process_hear(struct child *child, uint32_t events, process_take_fn *take,
                             void *owner, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Has `watch`, which is of the parent's channel, look for writing as long as something waits. */
bool process_rewatch(const struct child *child, struct reactor *reactor, event_watch watch,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Tells the parent that a sibling broke the rules; the parent replaces that sibling. */
void process_report_broken(struct child *child, enum ipc_party peer, uint32_t index,
                           const struct mutual_error *why);
/* One line for the log, through the parent. */
void process_log(struct child *child, const char *line);

/* Whom a child becomes when we are root. User 0 without any capability is what owns root's files
 * and can do nothing else that root can. */
struct process_user {
    uid_t uid;
    gid_t gid;
};

/* One child without a supervisor, for a command that needs a key process (keys_local_new). */
struct process_spawn {
    const struct role *role;
    uint32_t index;
    const char *program;           /* what its title begins with: "mutual" */
    const char *user;              /* as in struct supervisor_options      */
    const struct process_user *as; /* goes before user; NULL: user counts */
    bool unsafe_no_sandbox;
    struct mu_slice setup;
    const int *fds; /* borrowed */
    size_t fd_count;
};
/* Executes this program again and sends START. READY has not come yet: it is the first message on
 * *ret_channel. Fails with SYSTEM_CALL, NOT_FOUND (user) or LIMIT. */
bool process_spawn(const struct process_spawn *what, pid_t *ret_pid,
                   struct ipc_channel **ret_channel, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Reads READY. */
bool process_ready_read(const struct ipc_message *message, struct sandbox_state *ret_state,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- supervision ----------------------------------------------------------------------------- */

/* How a child ended. */
struct process_death {
    pid_t pid;
    bool signalled;
    int status;    /* exit status, or signal number */
    bool expected; /* the parent had asked for it */
    char
        words[160]; /* "worker 1 (pid 812) was killed by SIGSYS: it made a forbidden system call" */
};

struct supervised {
    const struct role *role;
    uint32_t index;
    pid_t pid;      /* 0 while it is down */
    bool ready;     /* locked down and serving */
    bool abandoned; /* it is being removed or the program stops: not replaced */
    uint32_t deaths;
    struct sandbox_state sandbox;
};

/* What the program's wiring does at each moment. Every hook but `start` may be NULL. */
struct supervisor_hooks {
    /* A child is about to be made, or made again: append its setup bytes and put its descriptors
     * (borrowed; `fds` has room for MU_LIMIT_MESSAGE_FDS). */
    bool (*start)(void *owner, const struct supervised *child, struct mu_buf *setup, int *fds,
                  size_t *fd_count, struct mutual_error *err);
    /* Whom this child becomes instead of options.user; false: that one. Asked when we are root. */
    bool (*become)(void *owner, const struct supervised *child, struct process_user *ret_user);
    void (*ready)(void *owner, const struct supervised *child);
    /* Any message that the supervisor does not answer itself. Content that does not decode:
     * return false, and the child is replaced. Descriptors not taken are closed. */
    bool (*message)(void *owner, const struct supervised *child, struct ipc_message *message,
                    struct mutual_error *err);
    void (*died)(void *owner, const struct supervised *child, const struct process_death *death);
    /* Something for the log that is no death: sandbox warnings, a child that broke the rules. */
    void (*warning)(void *owner, const struct supervised *child, const struct mutual_error *what);
    void (*log)(void *owner, const struct supervised *child, struct mu_slice line);
    /* All children have ended after supervisor_stop. */
    void (*stopped)(void *owner);
};

struct supervisor_options {
    struct reactor *reactor;
    const struct supervisor_hooks *hooks;
    void *owner;
    const char *program;    /* what titles begin with: "mutual" */
    const char *user;       /* whom children become when we are root; NULL: mutual, else nobody */
    bool unsafe_no_sandbox; /* the configuration says so: run even without seccomp */
};

struct supervisor;
/* Fails with NOT_FOUND (user), NO_MEMORY. */
bool supervisor_new(const struct supervisor_options *options, struct supervisor **ret_supervisor,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Kills what is left (SIGKILL) and waits for it. */
void supervisor_free(struct supervisor *supervisor);

/* Adds one child of a role and starts it. It is replaced whenever it ends: at once the first time,
 * then after 100 ms doubling to 5 s, until it has served for 10 s. Fails with SYSTEM_CALL or what
 * the start hook says; the child is then not kept. */
bool supervisor_add(struct supervisor *supervisor, const struct role *role, uint32_t index,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Drains and ends one child and forgets it (fewer workers after a reload). */
void supervisor_remove(struct supervisor *supervisor, enum ipc_party party, uint32_t index,
                       int64_t drain_ns);
/* To one child, which must be up (PROCESS_DIED otherwise). */
bool supervisor_send(struct supervisor *supervisor, const struct supervised *child,
                     enum ipc_type type, struct mu_slice payload, const int *fds, size_t fd_count,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The child of that party and index, or NULL. */
const struct supervised *supervisor_find(const struct supervisor *supervisor, enum ipc_party party,
                                         uint32_t index);
size_t supervisor_count(const struct supervisor *supervisor);
/* The nth child, in the order of adding. */
const struct supervised *supervisor_get(const struct supervisor *supervisor, size_t nth);
/* True when every child of these parties (a mask) is ready. */
bool supervisor_is_ready(const struct supervisor *supervisor, uint32_t parties);
/* Kills a child that misbehaves; it is replaced. */
void supervisor_kill(struct supervisor *supervisor, const struct supervised *child,
                     const struct mutual_error *why);
/* Ends all: DRAIN now, SIGTERM after drain_ns, SIGKILL 2 s later; workers first, keys last. Calls
 * hooks->stopped when all are gone. A second call with 0 hurries. */
void supervisor_stop(struct supervisor *supervisor, int64_t drain_ns);

/* Backend sockets: a worker may not make any, so it asks for batches and only connects them.
 * Worker: send `count` wanted of a family (AF_INET, AF_INET6, AF_UNIX; stream, non-blocking). */
bool process_sockets_ask(struct ipc_channel *parent, int family, uint32_t count,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Worker: reads a SOCKETS message; the descriptors are taken one by one from the message. */
bool process_sockets_read(const struct ipc_message *message, int *ret_family, uint32_t *ret_count,
                          struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Parent: the supervisor answers SOCKETS_WANTED itself, at most MU_LIMIT_MESSAGE_FDS at a time. */

/* ---- systemd --------------------------------------------------------------------------------- */

/* sd_notify(3) without the library. Each sends one datagram to $NOTIFY_SOCKET and is silent when
 * there is none. */
struct systemd_notify;
/* Reads and removes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment. */
bool systemd_notify_new(struct systemd_notify **ret_notify,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
void systemd_notify_free(struct systemd_notify *notify);
void systemd_notify_ready(struct systemd_notify *notify);
void systemd_notify_reloading(struct systemd_notify *notify); /* with MONOTONIC_USEC */
void systemd_notify_stopping(struct systemd_notify *notify);
void systemd_notify_watchdog(struct systemd_notify *notify);
void systemd_notify_status(struct systemd_notify *notify, const char *text);
/* How often the watchdog wants to hear of us: half its time; 0: it does not. */
int64_t systemd_watchdog_interval_ns(const struct systemd_notify *notify);

/* Socket activation: LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES. */
#define SYSTEMD_SOCKETS_MAX 64
struct systemd_sockets {
    size_t count;
    struct {
        int fd; /* close-on-exec, non-blocking */
        char name[256];
    } items[SYSTEMD_SOCKETS_MAX];
};
/* None is no failure. Removes the variables. Fails with ADDRESS_MALFORMED or LIMIT. */
bool systemd_sockets_get(struct systemd_sockets *ret_sockets,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The first socket of that name that was not found before, or -1. */
int systemd_sockets_take(struct systemd_sockets *sockets, const char *name);

#endif
