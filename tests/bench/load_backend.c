/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_backend.c - plain TCP backend for measuring proxies.  One thread, epoll.
 *
 *   load_backend [-a 127.0.0.1] [-p 9000] [-H] [-z body_bytes] [-t max_seconds]
 *
 * Framed mode (default).  The peer starts with a 16-byte header
 *     'M' 'B' op 0   0 0 0 0   count (u64, little endian)
 * op 'E': echo every further byte until the connection closes
 * op 'U': swallow count bytes, answer one byte 'k', then expect a header again
 * op 'D': send count bytes, then expect a header again
 *
 * HTTP mode (-H).  Answers every request head (no request bodies) with a fixed
 * 200 response of body_bytes bytes on a kept-alive connection.
 *
 * SIGTERM/SIGINT or max_seconds end it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HDR = 16, BUFSZ = 128 * 1024, MAXEV = 256 };
enum op { OP_HEADER, OP_ECHO, OP_UP, OP_DOWN, OP_HTTP };

struct conn {
    int fd;
    enum op op;
    uint32_t events;  /* what epoll watches now */
    unsigned hdr_len; /* header bytes held, or the CRLFCRLF match state */
    uint64_t left;    /* bytes left in U or D */
    unsigned char hdr[HDR];
    char *pend; /* bytes not yet sent */
    size_t pend_len, pend_off;
};

static volatile sig_atomic_t stopping;
static int epfd;
static char buf[BUFSZ];
static char response[1 << 16];
static size_t response_len;

static void on_signal(int sig)
{
    (void)sig;
    stopping = 1;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct conn *c, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};

    if (events == c->events)
        return;
    c->events = events;
    if (epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev) < 0)
        die("epoll_ctl mod");
}

static void drop(struct conn *c)
{
    close(c->fd);
    free(c->pend);
    free(c);
}

/* Send now what fits and keep the rest.  0, or -1 when the peer is gone. */
static int emit(struct conn *c, const char *p, size_t n)
{
    ssize_t w = 0;

    if (c->pend == NULL) {
        w = send(c->fd, p, n, MSG_NOSIGNAL);
        if (w < 0) {
            if (errno != EAGAIN && errno != EINTR)
                return -1;
            w = 0;
        }
    }
    if ((size_t)w < n) {
        size_t rest = n - (size_t)w;
        size_t have = c->pend_len - c->pend_off;
        char *q = malloc(have + rest);

        if (q == NULL)
            die("malloc");
        if (have)
            memcpy(q, c->pend + c->pend_off, have);
        memcpy(q + have, p + w, rest);
        free(c->pend);
        c->pend = q;
        c->pend_off = 0;
        c->pend_len = have + rest;
    }
    return 0;
}

static int flush_pending(struct conn *c)
{
    while (c->pend != NULL) {
        ssize_t w = send(c->fd, c->pend + c->pend_off, c->pend_len - c->pend_off, MSG_NOSIGNAL);
        if (w < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        c->pend_off += (size_t)w;
        if (c->pend_off == c->pend_len) {
            free(c->pend);
            c->pend = NULL;
            c->pend_len = c->pend_off = 0;
        }
    }
    return 0;
}

/* D: send from the (meaningless) static buffer until the socket is full. */
static int pump_down(struct conn *c)
{
    while (c->left > 0) {
        size_t n = c->left < BUFSZ ? (size_t)c->left : BUFSZ;
        ssize_t w = send(c->fd, buf, n, MSG_NOSIGNAL);

        if (w < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        c->left -= (uint64_t)w;
    }
    c->op = OP_HEADER;
    c->hdr_len = 0;
    return 0;
}

static int take_http(struct conn *c, const char *p, size_t n)
{
    static const char end[] = "\r\n\r\n";
    size_t i;

    for (i = 0; i < n; i++) {
        if (p[i] == end[c->hdr_len]) {
            if (++c->hdr_len == 4) {
                c->hdr_len = 0;
                if (emit(c, response, response_len) < 0)
                    return -1;
            }
        } else {
            c->hdr_len = p[i] == '\r';
        }
    }
    return 0;
}

static int take(struct conn *c, const char *p, size_t n)
{
    while (n > 0) {
        size_t k, i;

        switch (c->op) {
        case OP_HTTP:
            return take_http(c, p, n);
        case OP_ECHO:
            return emit(c, p, n);
        case OP_UP:
            k = c->left < n ? (size_t)c->left : n;
            c->left -= k;
            p += k;
            n -= k;
            if (c->left == 0) {
                c->op = OP_HEADER;
                c->hdr_len = 0;
                if (emit(c, "k", 1) < 0)
                    return -1;
            }
            break;
        case OP_DOWN:
            return -1; /* the peer must wait for its bytes */
        case OP_HEADER:
            k = HDR - c->hdr_len < n ? HDR - c->hdr_len : n;
            memcpy(c->hdr + c->hdr_len, p, k);
            c->hdr_len += (unsigned)k;
            p += k;
            n -= k;
            if (c->hdr_len < HDR)
                break;
            if (c->hdr[0] != 'M' || c->hdr[1] != 'B')
                return -1;
            for (c->left = 0, i = 8; i > 0; i--)
                c->left = c->left << 8 | c->hdr[7 + i];
            if (c->hdr[2] == 'E')
                c->op = OP_ECHO;
            else if (c->hdr[2] == 'U' && c->left > 0)
                c->op = OP_UP;
            else if (c->hdr[2] == 'D' && c->left > 0)
                c->op = OP_DOWN;
            else
                return -1;
            break;
        }
    }
    return 0;
}

static int step(struct conn *c)
{
    int spins;

    if (flush_pending(c) < 0)
        return -1;
    for (spins = 0; spins < 16 && c->pend == NULL && c->op != OP_DOWN; spins++) {
        ssize_t r = recv(c->fd, buf, c->op == OP_UP ? BUFSZ : 16384, 0);

        if (r == 0)
            return -1;
        if (r < 0) {
            if (errno == EAGAIN || errno == EINTR)
                break;
            return -1;
        }
        if (take(c, buf, (size_t)r) < 0)
            return -1;
        if (c->op != OP_UP && r < 16384)
            break;
    }
    if (c->op == OP_DOWN && c->pend == NULL && pump_down(c) < 0)
        return -1;
    watch(c, c->pend != NULL || c->op == OP_DOWN ? EPOLLOUT : EPOLLIN);
    return 0;
}

static void accept_all(int lfd, enum op first)
{
    for (;;) {
        int one = 1, fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct epoll_event ev = {.events = EPOLLIN};
        struct conn *c;

        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c = calloc(1, sizeof *c);
        if (c == NULL)
            die("calloc");
        c->fd = fd;
        c->op = first;
        c->events = EPOLLIN;
        ev.data.ptr = c;
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
            die("epoll_ctl add");
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    const char *addr = "127.0.0.1";
    struct epoll_event ev[MAXEV], lev = {.events = EPOLLIN, .data.ptr = NULL};
    struct rlimit rl;
    struct sigaction sig = {.sa_handler = on_signal};
    int opt, port = 9000, http = 0, body = 100, max_s = 3600, lfd, one = 1;
    time_t end;

    while ((opt = getopt(argc, argv, "a:p:Hz:t:")) != -1) {
        switch (opt) {
        case 'a':
            addr = optarg;
            break;
        case 'p':
            port = atoi(optarg);
            break;
        case 'H':
            http = 1;
            break;
        case 'z':
            body = atoi(optarg);
            break;
        case 't':
            max_s = atoi(optarg);
            break;
        default:
            fprintf(stderr,
                    "usage: load_backend [-a addr] [-p port] [-H] [-z body] [-t seconds]\n");
            return 2;
        }
    }
    if (body < 0 || body > 60000 || port < 1 || port > 65535)
        return 2;
    sigaction(SIGTERM, &sig, NULL);
    sigaction(SIGINT, &sig, NULL);
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        setrlimit(RLIMIT_NOFILE, &rl);
    }
    response_len = (size_t)snprintf(
        response, sizeof response,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", body);
    memset(response + response_len, 'x', (size_t)body);
    response_len += (size_t)body;

    lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (lfd < 0)
        die("socket");
    setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sa.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1)
        return 2;
    if (bind(lfd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(lfd, 4096) < 0)
        die("bind/listen");
    epfd = epoll_create1(EPOLL_CLOEXEC);
    if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, lfd, &lev) < 0)
        die("epoll");
    end = time(NULL) + max_s;
    while (!stopping && time(NULL) < end) {
        int i, n = epoll_wait(epfd, ev, MAXEV, 1000);

        for (i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;

            if (c == NULL)
                accept_all(lfd, http ? OP_HTTP : OP_HEADER);
            else if (step(c) < 0)
                drop(c);
        }
    }
    return 0;
}
