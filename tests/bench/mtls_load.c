/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls_load.c - mTLS load generator for measuring proxies.  One thread, epoll,
 * OpenSSL 3, TLS 1.3 or 1.2.  The far end behind the proxy is load_backend.c.
 *
 *   mtls_load -m MODE [options]
 *
 * MODE
 *   hs      connect, full mTLS handshake, one byte echoed by the backend (the
 *           proof that the client certificate was accepted), close
 *   resume  the same with the session ticket the slot got last
 *   up      -b bytes from each connection to the sink
 *   down    -b bytes to each connection from the source
 *   ping    -s byte request/echo over persistent connections
 *   http    GET over persistent HTTP/1.1 connections
 *   hold    open -c connections, echo -b bytes (1 to 65536) on each, leave them
 *           idle for -H seconds; with -p reports the PSS the proxy gained
 *
 * The proxy's CPU time (-p PID[,PID]) is read from its process CPU clock just
 * before and just after the measured operations; all connections wait at a
 * barrier before the first measured operation, so warm-up is not counted.
 * One JSON object is printed.  Exit status 0 when no operation failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum mode { M_HS, M_RESUME, M_UP, M_DOWN, M_PING, M_HTTP, M_HOLD };
enum state { S_OFF, S_TCP, S_TLS, S_SEND, S_RECV, S_PARKED };
enum { CHUNK = 16384, MAXEV = 256, MAXPID = 16, HDR = 16 };

struct conn {
    int fd;
    SSL *ssl;
    SSL_SESSION *sess; /* newest ticket of this slot */
    enum state state;
    uint32_t events;
    int opened;         /* the backend header has been sent */
    int unlink_after;   /* close after the current operation */
    uint64_t warm_left; /* unmeasured operations still to do */
    uint64_t t0;
    uint64_t tx_left, rx_left; /* payload still to move in this operation */
    unsigned hdr_left;         /* header bytes still to send */
    unsigned char hdr[HDR];
    /* HTTP response parsing */
    int in_body;
    unsigned head_len;
    char head[2048];
};

static const char *const mode_name[] = {"hs", "resume", "up", "down", "ping", "http", "hold"};

/* options */
static enum mode mode = M_HS;
static unsigned nconn = 32, opening_max = 64;
static uint64_t total_ops = 1000, warm_ops = 2;
static uint64_t bytes = 64ull << 20;
static unsigned msg_size = 64;
static unsigned max_seconds = 60, hold_seconds = 5,
                measured_seconds; /* -T; 0: as long as it takes */
static int plain, trust_once, no_client_cert;
static const char *ca_file, *cert_file, *key_file, *server_name = "localhost";
static const char *groups = "X25519", *ciphers = "TLS_AES_256_GCM_SHA384";
static const char *label = "", *path = "/";
static pid_t pids[MAXPID];
static int npid;

/* state */
static SSL_CTX *ctx;
static const char *issuer_key_file; /* -U */
static EVP_PKEY *issuer_key;
static uint64_t serial;
static int tls12;
static unsigned wait_ms; /* -W */
static int epfd, slot_index;
static struct sockaddr_in target;
static struct conn *conns;
static unsigned parked, opening, next_to_open, live;
static int measuring, finished;
static uint64_t issued, completed, failed, resumed, moved;
static uint64_t t_start, t_end;
static double cpu_start, cpu_end, user_start, user_end, sys_start, sys_end;
static uint32_t *lat;
static uint64_t nlat, lat_cap;
static char iobuf[4 * CHUNK];
static char request[512];
static unsigned request_len;
static X509 *trusted_leaf;
static const char *seen_cipher = "", *seen_version = "";

static void die(const char *what)
{
    fprintf(stderr, "mtls_load: %s: %s\n", what, errno ? strerror(errno) : "failed");
    ERR_print_errors_fp(stderr);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* CPU seconds of the proxy: exact run time, dead threads included. */
static double proxy_cpu(void)
{
    double sum = 0;
    int i;

    for (i = 0; i < npid; i++) {
        clockid_t id;
        struct timespec ts;

        if (clock_getcpuclockid(pids[i], &id) == 0 && clock_gettime(id, &ts) == 0)
            sum += (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
    }
    return sum;
}

/* A kB field of /proc/PID/smaps_rollup summed over the proxy's processes. */
static long proxy_mem(const char *field)
{
    long sum = 0;
    int i;

    for (i = 0; i < npid; i++) {
        char name[64], line[256];
        FILE *f;
        long kb;

        snprintf(name, sizeof name, "/proc/%ld/smaps_rollup", (long)pids[i]);
        f = fopen(name, "r");
        if (f == NULL)
            continue;
        while (fgets(line, sizeof line, f) != NULL)
            if (strncmp(line, field, strlen(field)) == 0 &&
                sscanf(line + strlen(field), ": %ld", &kb) == 1)
                sum += kb;
        fclose(f);
    }
    return sum;
}

/* The user and system part of it, to the clock tick. */
static void proxy_split(double *user, double *sys)
{
    double hz = (double)sysconf(_SC_CLK_TCK);
    int i;

    *user = *sys = 0;
    for (i = 0; i < npid; i++) {
        char name[64], line[1024], *q;
        unsigned long u, s;
        FILE *f;

        snprintf(name, sizeof name, "/proc/%ld/stat", (long)pids[i]);
        f = fopen(name, "r");
        if (f == NULL)
            continue;
        if (fgets(line, sizeof line, f) != NULL && (q = strrchr(line, ')')) != NULL &&
            sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s) == 2) {
            *user += (double)u / hz;
            *sys += (double)s / hz;
        }
        fclose(f);
    }
}

static void sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&ts, NULL);
}

static void record(uint64_t ns)
{
    if (nlat < lat_cap)
        lat[nlat++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int cmp_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double pct(double p)
{
    uint64_t i;

    if (nlat == 0)
        return 0;
    i = (uint64_t)(p * (double)(nlat - 1));
    return (double)lat[i] / 1000.0;
}

/* ---- TLS ---------------------------------------------------------------- */

static int on_new_session(SSL *ssl, SSL_SESSION *sess)
{
    struct conn *c = SSL_get_ex_data(ssl, slot_index);

    if (mode != M_RESUME)
        return 0;
    if (c->sess != NULL)
        SSL_SESSION_free(c->sess);
    c->sess = sess;
    return 1;
}

/* -V: verify a server chain in full once, afterwards by comparing the leaf. */
static int verify_once(X509_STORE_CTX *sctx, void *arg)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(sctx);
    int ok;

    (void)arg;
    if (trusted_leaf != NULL && leaf != NULL && X509_cmp(leaf, trusted_leaf) == 0) {
        X509_STORE_CTX_set_error(sctx, X509_V_OK);
        return 1;
    }
    ok = X509_verify_cert(sctx);
    if (ok == 1 && trusted_leaf == NULL && X509_up_ref(leaf))
        trusted_leaf = leaf;
    return ok;
}

/* -U: a client that nobody has seen: the certificate again, with a serial number of its own. */
static void show_new_certificate(SSL *ssl)
{
    STACK_OF(X509) *chain = NULL;
    X509 *cert = X509_dup(SSL_CTX_get0_certificate(ctx));

    if (cert == NULL || !ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), ++serial) ||
        !X509_sign(cert, issuer_key,
                   EVP_PKEY_get_base_id(issuer_key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) ||
        !SSL_CTX_get0_chain_certs(ctx, &chain) ||
        !SSL_use_cert_and_key(ssl, cert, SSL_CTX_get0_privatekey(ctx), chain, 1))
        die("certificate of its own");
    X509_free(cert);
}

static void load_issuer_key(void)
{
    BIO *file = BIO_new_file(issuer_key_file, "r");
    struct timespec ts;

    issuer_key = file == NULL ? NULL : PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
    if (issuer_key == NULL)
        die("issuer's key");
    BIO_free(file);
    clock_gettime(CLOCK_REALTIME, &ts); /* other serial numbers than in the run before */
    serial = (uint64_t)ts.tv_sec << 32 | (uint64_t)ts.tv_nsec << 2;
}

static void tls_init(void)
{
    int version = tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;

    if (issuer_key_file != NULL)
        load_issuer_key();
    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, version) ||
        !SSL_CTX_set_max_proto_version(ctx, version) ||
        !(tls12 ? SSL_CTX_set_cipher_list(ctx, ciphers) : SSL_CTX_set_ciphersuites(ctx, ciphers)) ||
        !SSL_CTX_set1_groups_list(ctx, groups) ||
        !SSL_CTX_load_verify_locations(ctx, ca_file, NULL))
        die("TLS context");
    if (!no_client_cert && (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1 ||
                            SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
                            SSL_CTX_check_private_key(ctx) != 1))
        die("client certificate");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (trust_once)
        SSL_CTX_set_cert_verify_callback(ctx, verify_once, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    slot_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* ---- connections --------------------------------------------------------- */

static void watch(struct conn *c, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};

    if (events == c->events)
        return;
    c->events = events;
    if (epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev) < 0)
        die("epoll_ctl mod");
}

static void drop(struct conn *c, int graceful)
{
    if (c->state == S_TCP || c->state == S_TLS)
        opening--;
    if (c->ssl != NULL) {
        if (graceful)
            SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0) {
        close(c->fd);
        live--;
    }
    c->fd = -1;
    c->state = S_OFF;
}

static void start_connect(struct conn *c)
{
    int one = 1;
    struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = c};

    c->t0 = now_ns();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS)
        die("connect");
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        die("epoll_ctl add");
    c->events = EPOLLOUT;
    c->state = S_TCP;
    c->opened = 0;
    opening++;
    live++;
    if (plain)
        return;
    c->ssl = SSL_new(ctx);
    if (c->ssl == NULL || !SSL_set_ex_data(c->ssl, slot_index, c) || !SSL_set_fd(c->ssl, c->fd) ||
        !SSL_set1_host(c->ssl, server_name) || !SSL_set_tlsext_host_name(c->ssl, server_name))
        die("SSL_new");
    if (issuer_key != NULL)
        show_new_certificate(c->ssl);
    if (mode == M_RESUME && c->sess != NULL) {
        if (!SSL_set_session(c->ssl, c->sess))
            die("SSL_set_session");
        if (!tls12) { /* a ticket is used once */
            SSL_SESSION_free(c->sess);
            c->sess = NULL;
        }
    }
    SSL_set_connect_state(c->ssl);
}

/* Result of an I/O attempt: n > 0 bytes, 0 = try later, -1 = over. */
static int tls_result(struct conn *c, int r)
{
    if (r > 0)
        return r;
    switch (SSL_get_error(c->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        watch(c, EPOLLIN);
        return 0;
    case SSL_ERROR_WANT_WRITE:
        watch(c, EPOLLOUT);
        return 0;
    default:
        return -1;
    }
}

static int io_read(struct conn *c, char *p, size_t n)
{
    if (plain) {
        ssize_t r = recv(c->fd, p, n, 0);

        if (r > 0)
            return (int)r;
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
            watch(c, EPOLLIN);
            return 0;
        }
        return -1;
    }
    return tls_result(c, SSL_read(c->ssl, p, (int)n));
}

static int io_write(struct conn *c, const char *p, size_t n)
{
    if (plain) {
        ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);

        if (r > 0)
            return (int)r;
        if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
            watch(c, EPOLLOUT);
            return 0;
        }
        return -1;
    }
    return tls_result(c, SSL_write(c->ssl, p, (int)n));
}

/* ---- operations ---------------------------------------------------------- */

static void set_header(struct conn *c, char op, uint64_t count)
{
    unsigned i;

    memset(c->hdr, 0, HDR);
    c->hdr[0] = 'M';
    c->hdr[1] = 'B';
    c->hdr[2] = (unsigned char)op;
    for (i = 0; i < 8; i++)
        c->hdr[8 + i] = (unsigned char)(count >> (8 * i));
    c->hdr_left = HDR;
}

static void park(struct conn *c)
{
    c->state = S_PARKED;
    parked++;
    if (c->fd >= 0)
        watch(c, EPOLLIN);
}

/* Begin the next operation of a slot, or park it when there is none. */
static void next_op(struct conn *c)
{
    uint64_t b = bytes;

    if (!measuring) {
        if (c->warm_left == 0) {
            park(c);
            return;
        }
        c->warm_left--;
        if (mode != M_HOLD && b > 1u << 20)
            b = 1u << 20;
    } else {
        if (issued >= total_ops) {
            park(c);
            return;
        }
        issued++;
    }
    c->unlink_after = mode == M_HS || mode == M_RESUME;
    if (c->fd < 0) {
        start_connect(c);
    } else {
        c->t0 = now_ns();
        c->state = S_SEND;
    }
    switch (mode) {
    case M_HS:
    case M_RESUME:
        set_header(c, 'E', 0);
        c->tx_left = c->rx_left = 1;
        break;
    case M_UP:
        set_header(c, 'U', b);
        c->tx_left = b;
        c->rx_left = 1;
        break;
    case M_DOWN:
        set_header(c, 'D', b);
        c->tx_left = 0;
        c->rx_left = b;
        break;
    case M_PING:
    case M_HOLD:
        if (!c->opened)
            set_header(c, 'E', 0);
        c->opened = 1;
        c->tx_left = c->rx_left = mode == M_HOLD ? b : msg_size;
        break;
    case M_HTTP:
        c->hdr_left = 0;
        c->tx_left = request_len;
        c->rx_left = UINT64_MAX; /* until the response ends */
        c->in_body = 0;
        c->head_len = 0;
        break;
    }
}

/* Feed response bytes.  1 = response complete, 0 = more, -1 = bad. */
static int http_feed(struct conn *c, const char *p, size_t n)
{
    while (n > 0) {
        if (!c->in_body) {
            char *q;

            if (c->head_len + 1 >= sizeof c->head)
                return -1;
            c->head[c->head_len++] = *p++;
            n--;
            if (c->head_len < 4 || memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4) != 0)
                continue;
            c->head[c->head_len] = 0;
            if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 ||
                (q = strcasestr(c->head, "\r\ncontent-length:")) == NULL)
                return -1;
            c->rx_left = strtoull(q + 17, NULL, 10);
            c->in_body = 1;
        } else {
            size_t k = c->rx_left < n ? (size_t)c->rx_left : n;

            c->rx_left -= k;
            p += k;
            n -= k;
            if (n > 0)
                return -1;
        }
        if (c->in_body && c->rx_left == 0)
            return n == 0 ? 1 : -1;
    }
    return 0;
}

static void op_done(struct conn *c)
{
    if (measuring) {
        completed++;
        record(now_ns() - c->t0);
        if (c->ssl != NULL && SSL_session_reused(c->ssl))
            resumed++;
        if (mode == M_UP || mode == M_DOWN)
            moved += bytes;
    }
    if (c->ssl != NULL) {
        seen_version = SSL_get_version(c->ssl);
        seen_cipher = SSL_get_cipher_name(c->ssl);
    }
    if (c->unlink_after)
        drop(c, 1);
    next_op(c);
}

static void op_failed(struct conn *c)
{
    if (failed++ < 3) {
        fprintf(stderr, "mtls_load: operation failed in state %d: %s\n", (int)c->state,
                errno ? strerror(errno) : "closed");
        ERR_print_errors_fp(stderr);
    }
    ERR_clear_error();
    drop(c, 0);
    if (c->sess != NULL) {
        SSL_SESSION_free(c->sess);
        c->sess = NULL;
    }
    if (failed > 100) {
        finished = 1;
        park(c);
        return;
    }
    if (measuring)
        completed++;
    next_op(c);
}

static int step_send(struct conn *c)
{
    while (c->hdr_left > 0 || c->tx_left > 0) {
        size_t n = 0;
        int r;

        if (c->hdr_left > 0) {
            memcpy(iobuf, c->hdr + HDR - c->hdr_left, c->hdr_left);
            n = c->hdr_left;
        }
        if (mode == M_HTTP)
            r = io_write(c, request + request_len - c->tx_left, (size_t)c->tx_left);
        else {
            size_t room = (mode == M_UP ? CHUNK : 1024) - n;
            n += c->tx_left < room ? (size_t)c->tx_left : room;
            r = io_write(c, iobuf, n);
        }
        if (r <= 0)
            return r;
        if ((unsigned)r >= c->hdr_left) {
            c->tx_left -= (unsigned)r - c->hdr_left;
            c->hdr_left = 0;
        } else {
            c->hdr_left -= (unsigned)r;
        }
    }
    return 1;
}

static int step_recv(struct conn *c)
{
    while (c->rx_left > 0) {
        int r = io_read(c, iobuf + CHUNK, CHUNK);

        if (r <= 0)
            return r;
        if (mode == M_HTTP) {
            r = http_feed(c, iobuf + CHUNK, (size_t)r);
            if (r != 0)
                return r;
            continue;
        }
        if ((uint64_t)r > c->rx_left)
            return -1;
        c->rx_left -= (uint64_t)r;
    }
    return 1;
}

/* Advance one connection as far as it goes. */
static void step(struct conn *c)
{
    int r, err;
    socklen_t len = sizeof err;
    unsigned spins;

    errno = 0;
    if (c->state == S_TCP) {
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err != 0) {
            errno = err;
            op_failed(c);
            return;
        }
        c->state = S_TLS;
    }
    if (c->state == S_TLS) {
        if (!plain) {
            r = tls_result(c, SSL_do_handshake(c->ssl));
            if (r < 0)
                op_failed(c);
            if (r <= 0)
                return;
        }
        opening--;
        c->state = S_SEND;
    }
    if (c->state == S_PARKED) {
        /* a late ticket, or the proxy closed an idle connection */
        r = io_read(c, iobuf, CHUNK);
        if (r != 0) {
            failed++;
            fprintf(stderr, "mtls_load: %s on a parked connection\n", r > 0 ? "data" : "close");
            drop(c, 0);
            c->state = S_PARKED;
        }
        return;
    }
    for (spins = 0; spins < 64 && (c->state == S_SEND || c->state == S_RECV); spins++) {
        if (c->state == S_SEND) {
            r = step_send(c);
            if (r < 0)
                op_failed(c);
            if (r <= 0)
                return;
            c->state = S_RECV;
            watch(c, EPOLLIN);
        }
        r = step_recv(c);
        if (r < 0)
            op_failed(c);
        if (r <= 0)
            return;
        op_done(c);
    }
    if (c->state == S_SEND)
        watch(c, EPOLLOUT); /* come back after the others */
}

/* ---- run ------------------------------------------------------------------ */

static void loop_until_parked(uint64_t deadline)
{
    struct epoll_event ev[MAXEV];

    while (parked < nconn && !finished) {
        int i, n;

        while (next_to_open < nconn && opening < opening_max)
            next_op(&conns[next_to_open++]);
        n = epoll_wait(epfd, ev, MAXEV, 200);
        for (i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;

            if (c->fd >= 0)
                step(c);
        }
        if (measuring && measured_seconds > 0 &&
            now_ns() - t_start > measured_seconds * 1000000000ull) {
            finished = 1;
        } else if (now_ns() > deadline) {
            fprintf(stderr, "mtls_load: time limit, %u of %u parked\n", parked, nconn);
            failed++;
            finished = 1;
        }
    }
}

/* What follows from the opening is done by then. */
enum { SETTLE_MS = 5000 };

static void report_hold(void)
{
    long pss0 = proxy_mem("Pss"), rss0 = proxy_mem("Rss"), pss1, rss1;
    uint64_t t;
    double c0, c1;

    t = now_ns();
    loop_until_parked(t + max_seconds * 1000000000ull);
    t_end = now_ns();
    sleep_ms(SETTLE_MS);
    pss1 = proxy_mem("Pss");
    rss1 = proxy_mem("Rss");
    c0 = proxy_cpu();
    fprintf(stderr, "HELD %u\n", live);
    sleep_ms(hold_seconds * 1000L);
    c1 = proxy_cpu();
    printf("{\"label\":\"%s\",\"mode\":\"hold\",\"conns\":%u,\"live\":%u,\"failed\":%" PRIu64
           ",\"open_secs\":%.3f,\"pss_before_kib\":%ld,\"pss_after_kib\":%ld,"
           "\"pss_kib_per_conn\":%.3f,\"rss_kib_per_conn\":%.3f,\"pss_after_wait_kib\":%ld,"
           "\"idle_cpu_us_per_s\":%.1f,\"version\":\"%s\",\"cipher\":\"%s\"}\n",
           label, nconn, live, failed, (double)(t_end - t) / 1e9, pss0, pss1,
           (double)(pss1 - pss0) / nconn, (double)(rss1 - rss0) / nconn, proxy_mem("Pss"),
           hold_seconds ? (c1 - c0) * 1e6 / hold_seconds : 0, seen_version, seen_cipher);
}

static void report(void)
{
    double secs = (double)(t_end - t_start) / 1e9;
    double cpu = cpu_end - cpu_start;
    double gib = (double)moved / (1024.0 * 1024.0 * 1024.0);

    qsort(lat, (size_t)nlat, sizeof *lat, cmp_u32);
    printf("{\"label\":\"%s\",\"mode\":\"%s\",\"conns\":%u,\"ops\":%" PRIu64 ",\"failed\":%" PRIu64
           ",\"resumed\":%" PRIu64 ",\"secs\":%.4f,\"ops_per_s\":%.1f,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"cpu_s\":%.6f,"
           "\"user_s\":%.2f,\"sys_s\":%.2f,"
           "\"cpu_us_per_op\":%.3f,\"gib\":%.4f,\"gib_per_s\":%.4f,\"cpu_s_per_gib\":%.5f,"
           "\"version\":\"%s\",\"cipher\":\"%s\"}\n",
           label, mode_name[mode], nconn, completed, failed, resumed, secs,
           (double)completed / secs, pct(0.5), pct(0.99), pct(0.999), pct(1), cpu,
           user_end - user_start, sys_end - sys_start,
           completed ? cpu * 1e6 / (double)completed : 0, gib, gib / secs, gib > 0 ? cpu / gib : 0,
           seen_version, seen_cipher);
}

static void usage(void)
{
    fputs("usage: mtls_load -m hs|resume|up|down|ping|http|hold [-t ADDR:PORT]\n"
          "  -A ca.pem -C chain.pem -K key.pem  trust anchor, client chain, client key\n"
          "  -c conns  -n operations  -w warm-up operations per connection\n"
          "  -b bytes per connection (up, down, hold)  -s message bytes (ping)\n"
          "  -p PID[,PID]  proxy processes  -d max seconds  -H hold seconds\n"
          "  -N server name  -G groups  -x ciphersuites  -L label  -u /path\n"
          "  -o connections opening at once  -P plain TCP  -V verify server chain once\n"
          "  -U issuer.key  each client certificate with a serial of its own  -2 TLS 1.2\n"
          "  -W ms  say WARM after the warm-up and wait so long\n"
          "  -T seconds  no longer than that; what has no answer by then counts with its age\n"
          "  -X send no client certificate (must then fail)\n",
          stderr);
    exit(2);
}

static void parse(int argc, char **argv)
{
    int opt, i;
    char *s, host[64];

    target.sin_family = AF_INET;
    target.sin_port = htons(8443);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while ((opt = getopt(argc, argv, "m:t:A:C:K:U:W:T:c:n:w:b:s:p:d:H:N:G:x:L:u:o:PVX2")) != -1) {
        switch (opt) {
        case 'm':
            for (i = 0; i <= M_HOLD && strcmp(optarg, mode_name[i]) != 0; i++)
                ;
            if (i > M_HOLD)
                usage();
            mode = (enum mode)i;
            break;
        case 't':
            s = strrchr(optarg, ':');
            if (s == NULL || (size_t)(s - optarg) >= sizeof host)
                usage();
            memcpy(host, optarg, (size_t)(s - optarg));
            host[s - optarg] = 0;
            if (inet_pton(AF_INET, host, &target.sin_addr) != 1)
                usage();
            target.sin_port = htons((uint16_t)atoi(s + 1));
            break;
        case 'A':
            ca_file = optarg;
            break;
        case 'C':
            cert_file = optarg;
            break;
        case 'K':
            key_file = optarg;
            break;
        case 'c':
            nconn = (unsigned)atoi(optarg);
            break;
        case 'n':
            total_ops = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            warm_ops = strtoull(optarg, NULL, 10);
            break;
        case 'b':
            bytes = strtoull(optarg, NULL, 10);
            break;
        case 's':
            msg_size = (unsigned)atoi(optarg);
            break;
        case 'p':
            for (s = strtok(optarg, ","); s != NULL && npid < MAXPID; s = strtok(NULL, ","))
                pids[npid++] = (pid_t)atol(s);
            break;
        case 'd':
            max_seconds = (unsigned)atoi(optarg);
            break;
        case 'H':
            hold_seconds = (unsigned)atoi(optarg);
            break;
        case 'N':
            server_name = optarg;
            break;
        case 'G':
            groups = optarg;
            break;
        case 'x':
            ciphers = optarg;
            break;
        case 'L':
            label = optarg;
            break;
        case 'u':
            path = optarg;
            break;
        case 'o':
            opening_max = (unsigned)atoi(optarg);
            break;
        case 'P':
            plain = 1;
            break;
        case 'U':
            issuer_key_file = optarg;
            break;
        case 'W':
            wait_ms = (unsigned)atoi(optarg);
            break;
        case 'T':
            measured_seconds = (unsigned)atoi(optarg);
            break;
        case '2':
            tls12 = 1;
            break;
        case 'V':
            trust_once = 1;
            break;
        case 'X':
            no_client_cert = 1;
            break;
        default:
            usage();
        }
    }
    if (mode == M_HOLD && bytes > 65536)
        bytes = 1;
    if (nconn == 0 || nconn > 100000 || msg_size == 0 || bytes == 0 || opening_max == 0 ||
        (!plain &&
         (ca_file == NULL || (!no_client_cert && (cert_file == NULL || key_file == NULL)))))
        usage();
}

int main(int argc, char **argv)
{
    struct rlimit rl;
    uint64_t deadline;
    unsigned i;
    int n;

    parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        setrlimit(RLIMIT_NOFILE, &rl);
    }
    if (!plain)
        tls_init();
    n = snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: mtls_load\r\nAccept: */*\r\n\r\n",
                 path, server_name);
    if (n < 0 || (size_t)n >= sizeof request)
        usage();
    request_len = (unsigned)n;
    if (mode == M_UP || mode == M_DOWN)
        total_ops = nconn;
    if (mode == M_HTTP || mode == M_PING)
        opening_max = 16;
    lat_cap = total_ops < 20000000 ? total_ops : 20000000;
    lat = malloc((size_t)lat_cap * sizeof *lat + 1);
    conns = calloc(nconn, sizeof *conns);
    epfd = epoll_create1(EPOLL_CLOEXEC);
    if (lat == NULL || conns == NULL || epfd < 0)
        die("start");
    for (i = 0; i < nconn; i++) {
        conns[i].fd = -1;
        conns[i].warm_left = mode == M_HOLD ? 1 : warm_ops;
    }

    if (mode == M_HOLD) {
        report_hold();
    } else {
        deadline = now_ns() + max_seconds * 1000000000ull;
        loop_until_parked(deadline);
        if (wait_ms > 0)
            fputs("WARM\n", stderr);
        sleep_ms(wait_ms > 0 ? (long)wait_ms : 30);
        measuring = 1;
        parked = 0;
        proxy_split(&user_start, &sys_start);
        cpu_start = proxy_cpu();
        t_start = now_ns();
        for (i = 0; i < nconn; i++) {
            next_op(&conns[i]);
            if (conns[i].state == S_SEND)
                step(&conns[i]);
        }
        next_to_open = nconn;
        loop_until_parked(deadline);
        t_end = now_ns();
        for (i = 0; i < nconn; i++)
            if (conns[i].state != S_PARKED && conns[i].t0 < t_end)
                record(t_end - conns[i].t0);
        sleep_ms(30);
        cpu_end = proxy_cpu();
        proxy_split(&user_end, &sys_end);
        report();
    }
    for (i = 0; i < nconn; i++) {
        drop(&conns[i], 1);
        if (conns[i].sess != NULL)
            SSL_SESSION_free(conns[i].sess);
    }
    EVP_PKEY_free(issuer_key);
    X509_free(trusted_leaf);
    SSL_CTX_free(ctx);
    free(conns);
    free(lat);
    return failed ? 1 : 0;
}
