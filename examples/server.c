/* SPDX-License-Identifier: Apache-2.0
 *
 * A server of mutual TLS, one connection at a time: prints who the client is, or why nobody was
 * let in, and answers one line.
 *
 *     cc server.c $(pkg-config --cflags --libs mutual) -o server
 *     ./server PORT CHAIN.pem KEY.pem AUTHORITIES.pem PATTERN
 *
 * PATTERN is of SPIFFE IDs, such as spiffe://example.org/web.
 */
#include "blocking.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

static void converse(struct conn *conn)
{
    char text[1024];
    const struct mutual_verdict *verdict = shake_hands(conn);
    if (verdict == NULL) {
        return;
    }
    printf("client: %s (grant \"%s\")\n", verdict->name->text, verdict->grant->name);
    ssize_t len = hear(conn, text, sizeof text);
    if (len > 0 && say(conn, "you said: ", 10)) {
        (void)say(conn, text, (size_t)len);
    }
}

static void serve(struct mutual_context *context, int fd)
{
    static struct conn conn;
    struct mutual_error err = {0};
    conn = (struct conn){.fd = fd, .session = mutual_session_new(context, &err)};
    if (conn.session == NULL) {
        complain(&err);
    } else {
        converse(&conn);
        hang_up(&conn);
    }
    mutual_session_free(conn.session);
    shutdown(fd, SHUT_WR);
    while (recv(fd, conn.in, sizeof conn.in, 0) > 0) {
        /* a reset would take along what the client has not read yet */
    }
    close(fd);
    fflush(stdout);
}

static int listen_on(const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *address = NULL;
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    int fd = -1;
    if (getaddrinfo("127.0.0.1", port, &hints, &address) == 0) {
        fd = socket(address->ai_family, address->ai_socktype, 0);
    }
    if (fd < 0 || bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        perror(port);
        exit(1);
    }
    freeaddrinfo(address);
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(bound.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct mutual_error err = {0};
    struct mutual_identity *identity = NULL;
    struct mutual_trust *trust = NULL;
    struct mutual_pattern *from = NULL;
    struct mutual_context *context = NULL;
    struct mutual_policy *policy = mutual_policy_new();
    struct mutual_cache *cache = mutual_cache_new(1000);
    if (argc != 6) {
        fprintf(stderr, "usage: %s PORT CHAIN KEY AUTHORITIES SPIFFE-PATTERN\n", argv[0]);
        return 2;
    }
    if (!mutual_identity_load(argv[2], argv[3], &identity, &err) ||
        !mutual_trust_load(argv[4], &trust, &err) ||
        !mutual_pattern_parse(MUTUAL_NAME_SPIFFE, argv[5], &from, &err)) {
        complain(&err);
        return 1;
    }
    const struct mutual_grant grant = {.name = "callers",
                                       .to = "example",
                                       .from = &from,
                                       .from_count = 1,
                                       .until_s = INT64_MAX,
                                       .owner = "you",
                                       .why = "said so",
                                       .file = "the command line"};
    const struct mutual_rules rules = {.side = MUTUAL_SIDE_SERVER,
                                       .mode = MUTUAL_MODE_REQUIRE,
                                       .service = "example",
                                       .trust = trust,
                                       .policy = policy};
    const struct mutual_context_options options = {.rules = &rules,
                                                   .identities = &identity,
                                                   .identity_count = 1,
                                                   .send_ca_names = true,
                                                   .cache = cache};
    if (!mutual_policy_add(policy, &grant, &err) || !mutual_policy_freeze(policy, &err) ||
        !mutual_context_new(&options, &context, &err)) {
        complain(&err);
        return 1;
    }
    for (int fd = listen_on(argv[1]);;) {
        int peer = accept(fd, NULL, NULL);
        if (peer >= 0) {
            serve(context, peer);
        }
    }
}
