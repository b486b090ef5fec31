/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting by epoll(7).
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "event/event_internal.h"

struct epoll_state {
    int fd;
};

static void *epoll_start(struct mutual_error *err)
{
    struct epoll_state *state = mu_alloc(1, sizeof *state);
    if (state == NULL) {
        (void)mu_fail_memory(err);
        return NULL;
    }
    state->fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->fd == -1) {
        (void)mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not make an epoll instance");
        mu_free(state);
        return NULL;
    }
    return state;
}

static void epoll_end(void *opaque)
{
    struct epoll_state *state = opaque;
    (void)close(state->fd);
    mu_free(state);
}

static struct epoll_event interest(uint32_t events, uint64_t tag)
{
    uint32_t bits = (events & EVENT_READ ? EPOLLIN | EPOLLRDHUP : 0) |
                    (events & EVENT_WRITE ? EPOLLOUT : 0) |
                    (events & EVENT_EDGE ? (uint32_t)EPOLLET : 0);
    return (struct epoll_event){.events = bits, .data = {.u64 = tag}};
}

static uint32_t reported(uint32_t bits)
{
    uint32_t events = 0;
    if (bits & (EPOLLIN | EPOLLPRI)) {
        events |= EVENT_READ;
    }
    if (bits & EPOLLOUT) {
        events |= EVENT_WRITE;
    }
    if (bits & (EPOLLRDHUP | EPOLLHUP)) {
        events |= EVENT_HANGUP;
    }
    if (bits & EPOLLERR) {
        events |= EVENT_ERROR;
    }
    return events;
}

static bool control(const struct epoll_state *state, int op, int fd, uint32_t events, uint64_t tag,
                    struct mutual_error *err)
{
    struct epoll_event event = interest(events, tag);
    if (epoll_ctl(state->fd, op, fd, &event) == -1) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not watch descriptor %d", fd);
    }
    return true;
}

static bool epoll_add(void *state, int fd, uint32_t events, uint64_t tag, struct mutual_error *err)
{
    return control(state, EPOLL_CTL_ADD, fd, events, tag, err);
}

static bool epoll_change(void *state, int fd, uint32_t events, uint64_t tag,
                         struct mutual_error *err)
{
    return control(state, EPOLL_CTL_MOD, fd, events, tag, err);
}

static void epoll_remove(void *opaque, int fd)
{
    const struct epoll_state *state = opaque;
    struct epoll_event unused = {0};
    (void)epoll_ctl(state->fd, EPOLL_CTL_DEL, fd, &unused);
}

/* Rounds up, so that a timer's turn is not spent waiting for the rest of a millisecond. */
static int timeout_ms(int64_t timeout_ns)
{
    if (timeout_ns < 0) {
        return -1;
    }
    int64_t ms = timeout_ns / MU_NS_PER_MS + (timeout_ns % MU_NS_PER_MS != 0 ? 1 : 0);
    return ms > 3600000 ? 3600000 : (int)ms;
}

/* Less than a millisecond is waited for by the nanosecond where the kernel can (Linux 5.11), else
 * not at all: whoever asks for so little has something to do meanwhile. */
static int wait_for_some(int fd, struct epoll_event *events, size_t room, int64_t timeout_ns)
{
    if (timeout_ns <= 0 || timeout_ns >= MU_NS_PER_MS) {
        return epoll_wait(fd, events, (int)room, timeout_ms(timeout_ns));
    }
    const struct timespec timeout = {.tv_nsec = timeout_ns};
    int count = epoll_pwait2(fd, events, (int)room, &timeout, NULL);
    return count == -1 && errno == ENOSYS ? epoll_wait(fd, events, (int)room, 0) : count;
}

static bool epoll_wait_for(void *opaque, int64_t timeout_ns, struct event_report *reports,
                           size_t max, size_t *ret_count, struct mutual_error *err)
{
    const struct epoll_state *state = opaque;
    struct epoll_event events[128];
    size_t room = max < MU_COUNT(events) ? max : MU_COUNT(events);
    int count = wait_for_some(state->fd, events, room, timeout_ns);
    if (count == -1 && errno != EINTR) {
        return mu_fail_errno(err, MUTUAL_E_SYSTEM_CALL, errno, "could not wait for events");
    }
    size_t got = count > 0 ? (size_t)count : 0;
    for (size_t i = 0; i < got; i++) {
        reports[i].tag = events[i].data.u64;
        reports[i].events = reported(events[i].events);
    }
    *ret_count = got;
    return true;
}

const struct event_backend event_epoll = {
    .name = "epoll",
    .start = epoll_start,
    .end = epoll_end,
    .add = epoll_add,
    .change = epoll_change,
    .remove = epoll_remove,
    .wait = epoll_wait_for,
};
