/* SPDX-License-Identifier: Apache-2.0
 *
 * Knocks at a TLS listener as somebody who wants to cost it something and spends little himself: at
 * a steady rate it connects, sends one and the same hello, and hangs up when so many other
 * connections have come after. Reads nothing, waits for nothing. Says how many it opened.
 *
 *     knock -t ADDR:PORT -r PER-SECOND -d SECONDS [-c AT-ONCE]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HELLO_MAX = 4096, AT_ONCE_MAX = 10000, TICK_NS = 1000000 };

static struct sockaddr_in target;
static unsigned char hello[HELLO_MAX];
static int hello_len;
static int fds[AT_ONCE_MAX];

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int make_hello(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (ssl == NULL || in == NULL || out == NULL ||
        SSL_set_tlsext_host_name(ssl, "localhost") != 1) {
        return 0;
    }
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    (void)SSL_do_handshake(ssl);
    hello_len = BIO_read(out, hello, sizeof hello);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return hello_len > 0;
}

/* False: there is no descriptor or port to be had just now. */
static int knock(int *fd)
{
    if (*fd != -1) {
        close(*fd);
    }
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd == -1) {
        return 0;
    }
    /* with a reset, so that no thousands of ports stay in TIME_WAIT */
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)connect(*fd, (struct sockaddr *)&target, sizeof target);
    return send(*fd, hello, (size_t)hello_len, MSG_NOSIGNAL) == hello_len;
}

static void usage(void)
{
    fputs("usage: knock -t ADDR:PORT -r PER-SECOND -d SECONDS [-c AT-ONCE]\n", stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    double rate = 0;
    double seconds = 0;
    int at_once = 1000;
    int opt;
    while ((opt = getopt(argc, argv, "t:r:d:c:")) != -1) {
        char *colon = opt == 't' ? strrchr(optarg, ':') : NULL;
        if (opt == 't' && colon != NULL) {
            *colon = '\0';
            target.sin_family = AF_INET;
            target.sin_port = htons((in_port_t)atoi(colon + 1));
            if (inet_pton(AF_INET, optarg, &target.sin_addr) != 1) {
                usage();
            }
        } else if (opt == 'r') {
            rate = atof(optarg);
        } else if (opt == 'd') {
            seconds = atof(optarg);
        } else if (opt == 'c') {
            at_once = atoi(optarg);
        } else {
            usage();
        }
    }
    if (target.sin_port == 0 || rate <= 0 || seconds <= 0 || at_once < 1 || at_once > AT_ONCE_MAX ||
        !make_hello()) {
        usage();
    }
    for (int i = 0; i < at_once; i++) {
        fds[i] = -1;
    }
    double start = now_s();
    double due = 0;
    unsigned long long tried = 0;
    unsigned long long said = 0;
    for (double gone = 0; gone < seconds; gone = now_s() - start) {
        for (due = gone * rate; (double)tried < due; tried++) {
            said += knock(&fds[tried % (unsigned)at_once]) ? 1 : 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = TICK_NS}, NULL);
    }
    printf("{\"tried\":%llu,\"said\":%llu}\n", tried, said);
    return said > 0 ? 0 : 1;
}
