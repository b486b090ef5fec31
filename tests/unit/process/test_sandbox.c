/* SPDX-License-Identifier: Apache-2.0
 *
 * The lock-down, tried from inside: for every profile a child applies it and then does what it must
 * not. Each attempt ends it by SIGSYS. What a role needs still works.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/process_internal.h"
#include "unit.h"

static struct mutual_error err;
static int channel[2];

struct attempt {
    const char *what;
    long (*try)(void);
};

/* Raw system calls: what a stranger's code would make, whatever the C library does. */
static long try_open(void)
{
    return syscall(SYS_open, "/etc/passwd", O_RDONLY);
}
static long try_openat(void)
{
    return openat(AT_FDCWD, "/etc/passwd", O_RDONLY);
}
static long try_create(void)
{
    return syscall(SYS_creat, "/tmp/mutual-must-not-exist", 0600);
}
static long try_unlink(void)
{
    return unlink("/tmp/mutual-must-not-exist");
}
static long try_stat(void)
{
    struct stat info;
    return stat("/etc/passwd", &info);
}
static long try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}
static long try_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long try_socketpair(void)
{
    int pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}
static long try_bind(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    return bind(channel[0], (struct sockaddr *)&any, sizeof any);
}
static long try_listen(void)
{
    return listen(channel[0], 1);
}
static long try_exec(void)
{
    char name[] = "/bin/true";
    char *argv[] = {name, NULL};
    char *envp[] = {NULL};
    return execve(name, argv, envp);
}
static long try_fork(void)
{
    return syscall(SYS_fork);
}
static long try_clone(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}
static long try_ptrace(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static long try_process_vm(void)
{
    return syscall(SYS_process_vm_readv, 1, NULL, 0L, NULL, 0L, 0L);
}
static long try_kill(void)
{
    return kill(1, SIGTERM);
}
static long try_tgkill(void)
{
    return syscall(SYS_tgkill, 1, 1, SIGTERM);
}
static long try_mount(void)
{
    return syscall(SYS_mount, "none", "/", "tmpfs", 0L, NULL);
}
static long try_setuid(void)
{
    return syscall(SYS_setuid, 0);
}
static long try_prctl(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static long try_memfd(void)
{
    return memfd_create("code", 0);
}
static long try_executable(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}
static long try_make_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static long try_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 8, NULL);
}
static long try_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0L);
}
static long try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}
static long try_keyctl(void)
{
    return syscall(SYS_keyctl, 0L, 0L, 0L, 0L, 0L);
}

static const struct attempt attempts[] = {
    {"open a file", try_open},
    {"open a file, newer call", try_openat},
    {"make a file", try_create},
    {"remove a file", try_unlink},
    {"look at a file", try_stat},
    {"make a socket", try_socket},
    {"make a UNIX socket", try_unix_socket},
    {"make a socket pair", try_socketpair},
    {"bind", try_bind},
    {"listen", try_listen},
    {"execute", try_exec},
    {"fork", try_fork},
    {"clone", try_clone},
    {"trace its parent", try_ptrace},
    {"read another's memory", try_process_vm},
    {"kill another", try_kill},
    {"signal another's thread", try_tgkill},
    {"mount", try_mount},
    {"change user", try_setuid},
    {"become dumpable", try_prctl},
    {"map executable memory", try_executable},
    {"make memory executable", try_make_executable},
    {"set up io_uring", try_io_uring},
    {"load BPF", try_bpf},
    {"make a namespace", try_unshare},
    {"use the kernel's key rings", try_keyctl},
};

static const struct attempt memory_file = {"make a memory file", try_memfd};

/* The authority reaches what lies beneath the directory it was given, and nothing else. */
static const struct attempt beyond_files[] = {
    {"make a socket", try_socket},
    {"make a UNIX socket", try_unix_socket},
    {"make a socket pair", try_socketpair},
    {"bind", try_bind},
    {"execute", try_exec},
    {"fork", try_fork},
    {"trace its parent", try_ptrace},
    {"kill another", try_kill},
    {"change user", try_setuid},
    {"map executable memory", try_executable},
};

static const struct sandbox_profile *const profiles[] = {&sandbox_worker, &sandbox_keys,
                                                         &sandbox_lists};

/* Runs it locked down in a child; the wait status. */
static int locked_down(const struct sandbox_profile *profile, long (*body)(void))
{
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        struct sandbox_state state;
        if (!sandbox_apply(profile, false, &state, NULL)) {
            _exit(99);
        }
        _exit(body() == -1 ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void kills(const struct sandbox_profile *profile, const struct attempt *attempt)
{
    int status = locked_down(profile, attempt->try);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
        fail_msg("%s could %s (status %x)", profile->name, attempt->what, (unsigned)status);
    }
}

static void what_is_forbidden_kills(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
    for (size_t p = 0; p < MU_COUNT(profiles); p++) {
        for (size_t i = 0; i < MU_COUNT(attempts); i++) {
            kills(profiles[p], &attempts[i]);
        }
    }
    kills(&sandbox_worker, &memory_file);
    kills(&sandbox_keys, &memory_file);
    assert_int_equal(locked_down(&sandbox_lists, try_memfd), 0); /* its answers are such files */
    assert_int_equal(access("/tmp/mutual-must-not-exist", F_OK), -1);
    (void)close(channel[0]);
    (void)close(channel[1]);
}

/* The key process has no network at all, not even a socket somebody might pass to it. */
static long try_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    return connect(channel[0], (struct sockaddr *)&to, sizeof to) == -1 && errno == ECONNREFUSED
               ? 0
               : -1;
}
static long try_accept(void)
{
    return accept4(channel[0], NULL, NULL, 0) == -1 && errno == EINVAL ? 0 : -1;
}

static void only_a_worker_connects_and_accepts(void **state)
{
    (void)state;
    channel[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_not_equal(channel[0], -1);
    assert_int_equal(locked_down(&sandbox_worker, try_connect), 0);
    assert_int_equal(locked_down(&sandbox_worker, try_accept), 0);
    assert_int_equal(WTERMSIG(locked_down(&sandbox_keys, try_connect)), SIGSYS);
    assert_int_equal(WTERMSIG(locked_down(&sandbox_keys, try_accept)), SIGSYS);
    (void)close(channel[0]);
}

static long live(void)
{
    struct mutual_error why = {0};
    struct reactor *reactor = NULL;
    uint8_t bytes[16];
    void *secret = mu_secret_alloc(100);
    void *heap = mu_alloc(1, 10u << 20);
    bool good = secret != NULL && heap != NULL && mu_random(bytes, sizeof bytes, &why) &&
                reactor_new(&reactor, &why) && reactor_turn(reactor, 0, &why) &&
                mu_clock_wall_s() > 0 && write(channel[1], "x", 1) == 1;
    mu_secret_free(secret);
    mu_free(heap);
    reactor_free(reactor);
    return good ? 0 : -1;
}

static long end_by_abort(void)
{
    abort();
}

static void what_is_needed_works(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
    for (size_t p = 0; p < MU_COUNT(profiles); p++) {
        assert_int_equal(locked_down(profiles[p], live), 0);
        int status = locked_down(profiles[p], end_by_abort);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
    (void)close(channel[0]);
    (void)close(channel[1]);
}

static char granted[64];

static long use_what_is_granted(void)
{
    char path[128];
    char moved[128];
    (void)snprintf(path, sizeof path, "%s/made", granted);
    (void)snprintf(moved, sizeof moved, "%s/moved", granted);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    bool good = fd != -1 && pwrite(fd, "x", 1, 0) == 1 && fsync(fd) == 0 && close(fd) == 0 &&
                rename(path, moved) == 0 && unlink(moved) == 0;
    return good ? 0 : -1;
}

static long reach_beyond_it(void)
{
    static const char *const paths[] = {"/etc/passwd", "/tmp", "/proc/self/status", "/dev/null"};
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        if (open(paths[i], O_RDONLY) != -1 || errno != EACCES) {
            return 0;
        }
    }
    char path[128];
    (void)snprintf(path, sizeof path, "%s/../mutual-must-not-exist", granted);
    return open(path, O_RDWR | O_CREAT, 0600) == -1 && errno == EACCES ? -1 : 0;
}

static int locked_to_a_place(long (*body)(void))
{
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        struct sandbox_state held;
        const struct sandbox_place place = {open(granted, O_PATH | O_DIRECTORY), true};
        if (!sandbox_apply_with(&sandbox_authority, &place, 1, false, &held, NULL)) {
            _exit(99);
        }
        /* without Landlock in the kernel there is nothing to be tried */
        bool files = (held.holds & SANDBOX_LANDLOCK_FILES) != 0 || body != reach_beyond_it;
        _exit(!files || body() == -1 ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void the_authority_has_its_directory_only(void **state)
{
    (void)state;
    (void)snprintf(granted, sizeof granted, "/tmp/mutual-place-XXXXXX");
    assert_non_null(mkdtemp(granted));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
    assert_int_equal(locked_to_a_place(use_what_is_granted), 0);
    assert_int_equal(WEXITSTATUS(locked_to_a_place(reach_beyond_it)), 1);
    assert_int_equal(access("/tmp/mutual-must-not-exist", F_OK), -1);
    for (size_t i = 0; i < MU_COUNT(beyond_files); i++) {
        kills(&sandbox_authority, &beyond_files[i]);
    }
    assert_int_equal(locked_to_a_place(live), 0);
    (void)close(channel[0]);
    (void)close(channel[1]);
    assert_int_equal(rmdir(granted), 0);
}

static void the_state_is_told_in_words(void **state)
{
    (void)state;
    char text[SANDBOX_WORDS];
    struct sandbox_state held = {.holds = SANDBOX_SECCOMP | SANDBOX_LANDLOCK_FILES |
                                          SANDBOX_LANDLOCK_NETWORK | SANDBOX_LANDLOCK_SCOPE |
                                          SANDBOX_USER,
                                 .landlock_abi = 6};
    assert_string_equal(sandbox_words(&held, text), "seccomp, landlock 6 (files, network, scope)");
    assert_null(sandbox_warning(&held));
    held.holds = SANDBOX_SECCOMP | SANDBOX_USER;
    assert_string_equal(sandbox_words(&held, text), "seccomp, no landlock");
    assert_non_null(sandbox_warning(&held));
    held.holds = 0;
    assert_string_equal(sandbox_words(&held, text), "no seccomp, no landlock, user root");
    assert_non_null(sandbox_warning(&held));
}

/* A filter cannot be loaded here: the first one forbids prctl and seccomp with an error. */
static void refuse_without_seccomp(bool unsafe)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    struct sandbox_state held = {0};
    struct mutual_error why = {0};
    const struct scmp_arg_cmp loading = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = PR_SET_SECCOMP, .datum_b = 0};
    if (filter == NULL ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(seccomp), 0) != 0 ||
        seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1, &loading) != 0 ||
        seccomp_load(filter) != 0) {
        _exit(99);
    }
    bool done = sandbox_apply(&sandbox_worker, unsafe, &held, &why);
    if (unsafe) {
        _exit(done && (held.holds & SANDBOX_SECCOMP) == 0 ? 0 : 1);
    }
    _exit(!done && why.code == MUTUAL_E_SANDBOX ? 0 : 1);
}

static void without_seccomp_only_when_told_so(void **state)
{
    (void)state;
    for (int unsafe = 0; unsafe < 2; unsafe++) {
        pid_t pid = fork();
        if (pid == 0) {
            refuse_without_seccomp(unsafe == 1);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    memset(&err, 0, sizeof err);
}

UNIT_MAIN(UNIT_CASE(what_is_forbidden_kills), UNIT_CASE(only_a_worker_connects_and_accepts),
          UNIT_CASE(what_is_needed_works), UNIT_CASE(the_authority_has_its_directory_only),
          UNIT_CASE(the_state_is_told_in_words), UNIT_CASE(without_seccomp_only_when_told_so))
