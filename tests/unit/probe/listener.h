/* SPDX-License-Identifier: Apache-2.0
 *
 * A server on a free loopback port that says a few bytes to whoever comes first, and ends.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "base/base.h"
#include "unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct listener {
    int fd;
    uint16_t port;
    struct mu_slice says;
    bool waits; /* until the other end goes */
    pthread_t thread;
};

static inline void *listener_serve(void *context)
{
    struct listener *listener = context;
    int fd = accept(listener->fd, NULL, NULL);
    if (fd == -1) {
        return NULL;
    }
    char taken[4096];
    (void)!read(fd, taken, sizeof taken); /* the hello */
    (void)mu_fd_write(fd, listener->says.data, listener->says.len);
    if (listener->waits) {
        (void)!read(fd, taken, sizeof taken);
    }
    (void)close(fd);
    return NULL;
}

static inline void listener_bind(struct listener *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_not_equal(listener->fd, -1);
    assert_int_equal(bind(listener->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener->fd, 1), 0);
    assert_int_equal(getsockname(listener->fd, (struct sockaddr *)&address, &size), 0);
    listener->port = ntohs(address.sin_port);
}

static inline void listener_open(struct listener *listener, struct mu_slice says, bool waits)
{
    *listener = (struct listener){.says = says, .waits = waits};
    listener_bind(listener);
    assert_int_equal(pthread_create(&listener->thread, NULL, listener_serve, listener), 0);
}

static inline void listener_close(struct listener *listener)
{
    (void)shutdown(listener->fd, SHUT_RDWR);
    (void)pthread_join(listener->thread, NULL);
    (void)close(listener->fd);
}

/* A port at which nobody listens. */
static inline uint16_t port_of_nobody(void)
{
    struct listener listener = {0};
    listener_bind(&listener);
    (void)close(listener.fd);
    return listener.port;
}

#endif
