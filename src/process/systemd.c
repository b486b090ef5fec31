/* SPDX-License-Identifier: Apache-2.0
 *
 * What systemd asks of a service, without its library: sd_notify(3) datagrams, the watchdog, and
 * socket activation (sd_listen_fds(3)).
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/process.h"

#define LISTEN_FIRST_FD 3

struct systemd_notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t watchdog_ns;
};

/* The variable's number, or 0; it is removed so that no child inherits it. */
static uint64_t take_number(const char *name, uint64_t max)
{
    uint64_t value = 0;
    const char *text = getenv(name);
    if (text == NULL || !mu_text_uint(text, max, &value)) {
        value = 0;
    }
    (void)unsetenv(name);
    return value;
}

static bool take_address(struct systemd_notify *notify, struct mutual_error *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0') {
        return true;
    }
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof notify->to.sun_path) {
        return mu_fail(err, MUTUAL_E_ADDRESS_MALFORMED, "NOTIFY_SOCKET is \"%s\"", path);
    }
    notify->to.sun_family = AF_UNIX;
    memcpy(notify->to.sun_path, path, len);
    if (path[0] == '@') {
        notify->to.sun_path[0] = '\0';
    }
    notify->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make a socket");
    }
    return true;
}

bool systemd_notify_new(struct systemd_notify **ret_notify, struct mutual_error *err)
{
    struct systemd_notify *notify = mu_alloc(1, sizeof *notify);
    if (notify == NULL) {
        return mu_fail_memory(err);
    }
    notify->fd = -1;
    bool known = take_address(notify, err);
    (void)unsetenv("NOTIFY_SOCKET");
    const char *pid_text = getenv("WATCHDOG_PID");
    bool for_us = pid_text == NULL;
    uint64_t pid = take_number("WATCHDOG_PID", INT32_MAX);
    for_us = for_us || pid == (uint64_t)getpid();
    uint64_t watchdog_us = take_number("WATCHDOG_USEC", INT64_MAX / 1000);
    if (!known) {
        mu_free(notify);
        return false;
    }
    if (for_us && notify->fd != -1) {
        notify->watchdog_ns = (int64_t)watchdog_us * 1000;
    }
    *ret_notify = notify;
    return true;
}

void systemd_notify_free(struct systemd_notify *notify)
{
    if (notify != NULL) {
        if (notify->fd != -1) {
            (void)close(notify->fd);
        }
        mu_free(notify);
    }
}

/* A service manager that does not listen must not hold us up. */
static void send_text(const struct systemd_notify *notify, const char *text)
{
    if (notify->fd != -1) {
        (void)sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL,
                     (const struct sockaddr *)&notify->to, notify->to_len);
    }
}

void systemd_notify_ready(struct systemd_notify *notify)
{
    send_text(notify, "READY=1");
}

void systemd_notify_reloading(struct systemd_notify *notify)
{
    char text[96];
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)(mu_clock_mono_ns() / 1000));
    send_text(notify, text);
}

void systemd_notify_stopping(struct systemd_notify *notify)
{
    send_text(notify, "STOPPING=1");
}

void systemd_notify_watchdog(struct systemd_notify *notify)
{
    send_text(notify, "WATCHDOG=1");
}

/* A line break would begin another assignment. */
void systemd_notify_status(struct systemd_notify *notify, const char *text)
{
    char line[256];
    (void)snprintf(line, sizeof line, "STATUS=%s", text);
    for (char *c = line; *c != '\0'; c++) {
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    }
    send_text(notify, line);
}

int64_t systemd_watchdog_interval_ns(const struct systemd_notify *notify)
{
    return notify->watchdog_ns / 2;
}

/* ---- socket activation ----------------------------------------------------------------------- */

/* Copies the nth name of a colon-separated list; systemd calls a socket without one "unknown". */
static bool nth_name(const char *names, size_t nth, char *text, size_t size)
{
    if (names == NULL) {
        (void)snprintf(text, size, "unknown");
        return true;
    }
    for (; nth > 0; nth--) {
        names = strchr(names, ':');
        if (names == NULL) {
            return false;
        }
        names++;
    }
    size_t len = strcspn(names, ":");
    if (len >= size) {
        return false;
    }
    memcpy(text, names, len);
    text[len] = '\0';
    return true;
}

static bool read_sockets(struct systemd_sockets *sockets, uint64_t count, const char *names,
                         struct mutual_error *err)
{
    if (count > SYSTEMD_SOCKETS_MAX) {
        return mu_fail(err, MUTUAL_E_LIMIT, "systemd passed %llu sockets, at most %d are taken",
                       (unsigned long long)count, SYSTEMD_SOCKETS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        int fd = LISTEN_FIRST_FD + (int)i;
        int flags = fcntl(fd, F_GETFL);
        if (flags == -1 || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
            fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
            return mu_fail_errno(err, MUTUAL_E_ADDRESS_MALFORMED, errno,
                                 "LISTEN_FDS is %llu but descriptor %d is not open",
                                 (unsigned long long)count, fd);
        }
        sockets->items[i].fd = fd;
        if (!nth_name(names, i, sockets->items[i].name, sizeof sockets->items[i].name)) {
            return mu_fail(err, MUTUAL_E_ADDRESS_MALFORMED,
                           "LISTEN_FDNAMES has no usable name for socket %zu", i + 1);
        }
    }
    sockets->count = (size_t)count;
    return true;
}

bool systemd_sockets_get(struct systemd_sockets *ret_sockets, struct mutual_error *err)
{
    uint64_t pid = take_number("LISTEN_PID", INT32_MAX);
    uint64_t count = take_number("LISTEN_FDS", INT32_MAX);
    MU_AUTO(free) struct systemd_sockets *sockets = mu_alloc(1, sizeof *sockets);
    if (sockets == NULL) {
        return mu_fail_memory(err);
    }
    bool done =
        pid != (uint64_t)getpid() || read_sockets(sockets, count, getenv("LISTEN_FDNAMES"), err);
    (void)unsetenv("LISTEN_FDNAMES");
    if (done) {
        *ret_sockets = *sockets;
    }
    return done;
}

int systemd_sockets_take(struct systemd_sockets *sockets, const char *name)
{
    for (size_t i = 0; i < sockets->count; i++) {
        int fd = sockets->items[i].fd;
        if (fd != -1 && strcmp(sockets->items[i].name, name) == 0) {
            sockets->items[i].fd = -1;
            return fd;
        }
    }
    return -1;
}
