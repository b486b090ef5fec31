/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of mutual TLS: connects, proves who it is, prints who the server is, sends one line and
 * prints the answer.
 *
 *     cc client.c $(pkg-config --cflags --libs mutual) -o client
 *     ./client HOST PORT CHAIN.pem KEY.pem AUTHORITIES.pem < line
 */
#include "blocking.h"

#include <netdb.h>
#include <unistd.h>

static int dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &list) != 0) {
        return -1;
    }
    for (struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype, 0);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static bool converse(struct conn *conn)
{
    char text[1024];
    const struct mutual_verdict *verdict = shake_hands(conn);
    if (verdict == NULL) {
        return false;
    }
    printf("server: %s\n", verdict->name->text);
    if (fgets(text, sizeof text, stdin) != NULL && !say(conn, text, strlen(text))) {
        return false;
    }
    hang_up(conn); /* we have said all; the answer still comes */
    ssize_t len;
    while ((len = hear(conn, text, sizeof text)) > 0) {
        fwrite(text, 1, (size_t)len, stdout);
    }
    return len == 0;
}

int main(int argc, char **argv)
{
    struct mutual_error err = {0};
    struct mutual_identity *identity = NULL;
    struct mutual_trust *trust = NULL;
    struct mutual_pattern *expect = NULL;
    struct mutual_context *context = NULL;
    static struct conn conn;
    if (argc != 6) {
        fprintf(stderr, "usage: %s HOST PORT CHAIN KEY AUTHORITIES\n", argv[0]);
        return 2;
    }
    if (!mutual_identity_load(argv[3], argv[4], &identity, &err) ||
        !mutual_trust_load(argv[5], &trust, &err) ||
        !mutual_pattern_parse(MUTUAL_NAME_DNS, argv[1], &expect, &err)) {
        complain(&err);
        return 1;
    }
    const struct mutual_rules rules = {.side = MUTUAL_SIDE_CLIENT,
                                       .service = "example",
                                       .trust = trust,
                                       .expect = &expect,
                                       .expect_count = 1};
    const struct mutual_context_options options = {
        .rules = &rules, .identities = &identity, .identity_count = 1, .server_name = argv[1]};
    if (!mutual_context_new(&options, &context, &err) ||
        (conn.session = mutual_session_new(context, &err)) == NULL) {
        complain(&err);
        return 1;
    }
    conn.fd = dial(argv[1], argv[2]);
    if (conn.fd < 0) {
        perror(argv[1]);
        return 1;
    }
    bool done = converse(&conn);
    close(conn.fd);
    mutual_session_free(conn.session);
    mutual_context_unref(context);
    mutual_pattern_free(expect);
    mutual_trust_unref(trust);
    mutual_identity_unref(identity);
    return done ? 0 : 1;
}
