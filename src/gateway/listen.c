/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens listening sockets.
 */
#include "gateway/listen_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static void mu_fd_auto(int *fd)
{
    if (*fd != -1) {
        (void)close(*fd);
    }
}

static bool fail_listen(const char *text, int sys, struct mutual_error *err)
{
    enum mutual_code code = sys == EADDRINUSE ? MUTUAL_E_ADDRESS_IN_USE : MUTUAL_E_LISTEN_FAILED;
    return mu_fail_errno(err, code, sys, "could not listen on \"%s\"", text);
}

static int open_socket(const struct address *address)
{
    return socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool set_option(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof on) == 0;
}

/* What a socket is born with that is accepted here (tcp(7) says nothing of it; Linux copies it). */
static void set_for_accepted(int fd, sa_family_t family)
{
    if (family == AF_INET || family == AF_INET6) {
        (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY); /* slower without, and no worse */
    }
}

/* Another program of the same user could share a port with us unasked: whether anybody listens
 * there is found out by a socket that shares nothing. */
static bool is_free(const char *text, const struct address *address, struct mutual_error *err)
{
    MU_AUTO(fd) int fd = open_socket(address);
    if (fd == -1 || !set_option(fd, SOL_SOCKET, SO_REUSEADDR) ||
        bind(fd, (const struct sockaddr *)&address->socket, address->len) == -1 ||
        listen(fd, 1) == -1) {
        return fail_listen(text, errno, err);
    }
    return true;
}

static bool add_tcp(struct binding *binding, struct mutual_error *err)
{
    MU_AUTO(fd) int fd = open_socket(&binding->address);
    if (fd == -1 || !set_option(fd, SOL_SOCKET, SO_REUSEADDR) ||
        !set_option(fd, SOL_SOCKET, SO_REUSEPORT) ||
        bind(fd, (const struct sockaddr *)&binding->address.socket, binding->address.len) == -1 ||
        listen(fd, BACKLOG) == -1) {
        return fail_listen(binding->text, errno, err);
    }
    set_for_accepted(fd, binding->address.socket.ss_family);
    binding->fds[binding->count++] = fd;
    fd = -1;
    return true;
}

/* The kernel's choice for port 0 is the others' port too. */
static bool learn_address(struct binding *binding, struct mutual_error *err)
{
    binding->address.len = sizeof binding->address.socket;
    return getsockname(binding->fds[0], (struct sockaddr *)&binding->address.socket,
                       &binding->address.len) == 0 ||
           fail_listen(binding->text, errno, err);
}

static bool open_tcp(struct binding *binding, uint32_t workers, struct mutual_error *err)
{
    if (!is_free(binding->text, &binding->address, err)) {
        return false;
    }
    for (uint32_t i = 0; i < workers; i++) {
        if (!add_tcp(binding, err) || !learn_address(binding, err)) {
            return false;
        }
    }
    return true;
}

/* A socket file that nobody answers at was left behind; one that somebody answers at is taken. */
static bool remove_stale(const char *text, const struct address *address, const char *path,
                         struct mutual_error *err)
{
    struct stat info;
    if (lstat(path, &info) == -1) {
        return errno == ENOENT || fail_listen(text, errno, err);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return fail_listen(text, EEXIST, err);
    }
    MU_AUTO(fd) int fd = open_socket(address);
    if (fd == -1) {
        return fail_listen(text, errno, err);
    }
    if (connect(fd, (const struct sockaddr *)&address->socket, address->len) == 0 ||
        errno != ECONNREFUSED) {
        return fail_listen(text, EADDRINUSE, err);
    }
    return unlink(path) == 0 || errno == ENOENT || fail_listen(text, errno, err);
}

static bool open_unix(struct binding *binding, const char *path, struct mutual_error *err)
{
    if (!remove_stale(binding->text, &binding->address, path, err)) {
        return false;
    }
    MU_AUTO(fd) int fd = open_socket(&binding->address);
    if (fd == -1 ||
        bind(fd, (const struct sockaddr *)&binding->address.socket, binding->address.len) == -1) {
        return fail_listen(binding->text, errno, err);
    }
    binding->unlink_path = mu_strdup(path);
    if (listen(fd, BACKLOG) == -1) {
        return fail_listen(binding->text, errno, err);
    }
    binding->fds[binding->count++] = fd;
    fd = -1;
    return binding->unlink_path != NULL || mu_fail_memory(err);
}

/* A socket that somebody made for us must be a listening stream socket. */
static bool adopt(struct binding *binding, int fd, struct mutual_error *err)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    if (fd == -1) {
        (void)mu_fail(err, MUTUAL_E_LISTEN_FAILED, "no socket \"%s\" was inherited", binding->text);
        return mu_error_hint(err, "Start the program from the systemd socket unit, with "
                                  "FileDescriptorName= as named.");
    }
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy == -1) {
        return fail_listen(binding->text, errno, err);
    }
    binding->fds[binding->count++] = copy;
    if (getsockopt(copy, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == -1 || listening == 0) {
        return mu_fail(err, MUTUAL_E_LISTEN_FAILED, "inherited socket \"%s\" does not listen",
                       binding->text);
    }
    int flags = fcntl(copy, F_GETFL);
    if (flags == -1 || fcntl(copy, F_SETFL, flags | O_NONBLOCK) == -1) {
        return fail_listen(binding->text, errno, err);
    }
    if (!learn_address(binding, err)) {
        return false;
    }
    set_for_accepted(copy, binding->address.socket.ss_family);
    return true;
}

static bool fail_name(const char *text, struct mutual_error *err)
{
    (void)mu_fail(err, MUTUAL_E_LISTEN_FAILED, "\"%s\" is not an address of this machine", text);
    return mu_error_hint(err, "Listen on an IP address, such as 127.0.0.1 or 0.0.0.0.");
}

static bool is_safe(const struct binding *binding, bool local_only, struct mutual_error *err)
{
    return !local_only || address_is_local(&binding->address.socket) ||
           mu_fail(err, MUTUAL_E_LISTEN_UNSAFE,
                   "plaintext listener \"%s\" would be open to other machines", binding->text);
}

static bool open_binding(struct binding *binding, const struct config_address *written,
                         bool local_only, uint32_t workers, struct systemd_sockets *inherited,
                         struct mutual_error *err)
{
    static const struct config_address loopback = {.kind = CONFIG_ADDRESS_TCP, .host = "127.0.0.1"};
    struct config_address literal = *written;
    switch (written->kind) {
    case CONFIG_ADDRESS_TCP:
        if (strcmp(written->host, "localhost") == 0) {
            literal.host = loopback.host;
        }
        return address_literal(&literal, &binding->address)
                   ? is_safe(binding, local_only, err) && open_tcp(binding, workers, err)
                   : fail_name(binding->text, err);
    case CONFIG_ADDRESS_UNIX:
        return address_literal(written, &binding->address)
                   ? open_unix(binding, written->path, err)
                   : fail_listen(binding->text, ENAMETOOLONG, err);
    case CONFIG_ADDRESS_SYSTEMD:
        return adopt(binding, systemd_sockets_take(inherited, written->path), err);
    case CONFIG_ADDRESS_FD:
        return adopt(binding, (int)written->port, err);
    case CONFIG_ADDRESS_NONE:
    default:
        return fail_name(binding->text, err);
    }
}

bool binding_new(const struct config_address *written, bool local_only, uint32_t workers,
                 struct systemd_sockets *inherited, struct binding **ret_binding,
                 struct mutual_error *err)
{
    struct binding *binding = mu_alloc(1, sizeof *binding);
    mu_assert(workers > 0 && workers <= LISTEN_WORKERS_MAX);
    if (binding == NULL) {
        return mu_fail_memory(err);
    }
    binding->refs = 1;
    binding->text = mu_strdup(written->text);
    bool ok = binding->text != NULL
                  ? open_binding(binding, written, local_only, workers, inherited, err)
                  : mu_fail_memory(err);
    if (!ok) {
        binding_unref(binding);
        return false;
    }
    *ret_binding = binding;
    return true;
}

/* The mode comes from the umask: one that is set afterwards comes too late for who was quick. */
bool binding_private(const char *path, struct binding **ret_binding, struct mutual_error *err)
{
    const struct config_address address = {.kind = CONFIG_ADDRESS_UNIX, .path = path, .text = path};
    mode_t before = umask(0177);
    bool bound = binding_new(&address, true, 1, NULL, ret_binding, err);
    (void)umask(before);
    return bound;
}

struct binding *binding_ref(struct binding *binding)
{
    binding->refs++;
    return binding;
}

void binding_unref(struct binding *binding)
{
    if (binding == NULL || --binding->refs > 0) {
        return;
    }
    for (uint32_t i = 0; i < binding->count; i++) {
        (void)close(binding->fds[i]);
    }
    if (binding->unlink_path != NULL) {
        (void)unlink(binding->unlink_path);
    }
    mu_free(binding->unlink_path);
    mu_free(binding->text);
    mu_free(binding);
}

int binding_fd(const struct binding *binding, uint32_t worker)
{
    return binding->fds[worker % binding->count];
}
