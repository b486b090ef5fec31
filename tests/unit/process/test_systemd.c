/* SPDX-License-Identifier: Apache-2.0
 *
 * What systemd sends and hears.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/process.h"
#include "unit.h"

static struct mutual_error err;

static void set_number(const char *name, long value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%ld", value);
    assert_int_equal(setenv(name, text, 1), 0);
}

/* A manager listening on an abstract address of its own. */
static int listen_as_manager(char *name, size_t size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(name, size, "@mutual-test-%d", (int)getpid());
    memcpy(at.sun_path + 1, name + 1, strlen(name) - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    return fd;
}

static void assert_heard(int fd, const char *text)
{
    char got[300] = {0};
    assert_true(recv(fd, got, sizeof got - 1, 0) > 0);
    got[strlen(text)] = '\0';
    assert_string_equal(got, text);
}

static void the_manager_hears(void **state)
{
    (void)state;
    char name[64];
    int manager = listen_as_manager(name, sizeof name);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    set_number("WATCHDOG_PID", getpid());
    set_number("WATCHDOG_USEC", 30000000);
    struct systemd_notify *notify = NULL;
    assert_ok(systemd_notify_new(&notify, &err), &err);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_true(systemd_watchdog_interval_ns(notify) == 15 * MU_NS_PER_S);
    systemd_notify_ready(notify);
    assert_heard(manager, "READY=1");
    systemd_notify_reloading(notify);
    assert_heard(manager, "RELOADING=1\nMONOTONIC_USEC=");
    systemd_notify_status(notify, "3 workers\nREADY=0");
    assert_heard(manager, "STATUS=3 workers READY=0");
    systemd_notify_watchdog(notify);
    assert_heard(manager, "WATCHDOG=1");
    systemd_notify_stopping(notify);
    assert_heard(manager, "STOPPING=1");
    systemd_notify_free(notify);
    (void)close(manager);
}

static void without_a_manager_all_is_silent(void **state)
{
    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    set_number("WATCHDOG_USEC", 1000);
    struct systemd_notify *notify = NULL;
    assert_ok(systemd_notify_new(&notify, &err), &err);
    systemd_notify_ready(notify);
    assert_true(systemd_watchdog_interval_ns(notify) == 0);
    systemd_notify_free(notify);
    assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
    assert_fails(systemd_notify_new(&notify, &err), &err, MUTUAL_E_ADDRESS_MALFORMED);
}

/* systemd's sockets begin at descriptor 3; the test moves whatever is there aside. */
static void sockets_come_by_name(void **state)
{
    (void)state;
    int kept[2] = {fcntl(3, F_DUPFD_CLOEXEC, 100), fcntl(4, F_DUPFD_CLOEXEC, 100)};
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    int high = fcntl(made, F_DUPFD, 100);
    (void)close(made);
    assert_int_equal(dup2(high, 3), 3);
    assert_int_equal(dup2(high, 4), 4);
    (void)close(high);
    set_number("LISTEN_PID", getpid());
    set_number("LISTEN_FDS", 2);
    assert_int_equal(setenv("LISTEN_FDNAMES", "pay:pay", 1), 0);
    static struct systemd_sockets sockets;
    assert_ok(systemd_sockets_get(&sockets, &err), &err);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(sockets.count, 2);
    assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
    assert_int_equal(systemd_sockets_take(&sockets, "other"), -1);
    assert_int_equal(systemd_sockets_take(&sockets, "pay"), 3);
    assert_int_equal(systemd_sockets_take(&sockets, "pay"), 4);
    assert_int_equal(systemd_sockets_take(&sockets, "pay"), -1);
    for (int i = 0; i < 2; i++) {
        (void)close(3 + i);
        if (kept[i] != -1) {
            (void)dup2(kept[i], 3 + i);
            (void)close(kept[i]);
        }
    }
}

static void sockets_of_another_process_are_left_alone(void **state)
{
    (void)state;
    static struct systemd_sockets sockets = {.count = 9};
    set_number("LISTEN_PID", getpid() + 1);
    set_number("LISTEN_FDS", 2);
    assert_ok(systemd_sockets_get(&sockets, &err), &err);
    assert_int_equal(sockets.count, 0);
}

static void wrong_sockets_are_told(void **state)
{
    (void)state;
    static struct systemd_sockets sockets;
    set_number("LISTEN_PID", getpid());
    set_number("LISTEN_FDS", 1000);
    assert_fails(systemd_sockets_get(&sockets, &err), &err, MUTUAL_E_LIMIT);
    set_number("LISTEN_PID", getpid());
    set_number("LISTEN_FDS", 60);
    assert_fails(systemd_sockets_get(&sockets, &err), &err, MUTUAL_E_ADDRESS_MALFORMED);
}

UNIT_MAIN(UNIT_CASE(the_manager_hears), UNIT_CASE(without_a_manager_all_is_silent),
          UNIT_CASE(sockets_come_by_name), UNIT_CASE(sockets_of_another_process_are_left_alone),
          UNIT_CASE(wrong_sockets_are_told))
