/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions to the DNS: a name server in this process answers, well and badly.
 */
#include "gateway/query_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

/* What the server sends for every question, behind the question itself. */
struct server {
    int fd;
    char address[32];
    unsigned flags; /* of the head */
    unsigned count; /* of answers  */
    const uint8_t *records;
    size_t len;
    pthread_t thread;
};

static void *serve(void *owner)
{
    struct server *server = owner;
    for (;;) {
        uint8_t packet[2048];
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        ssize_t n = recvfrom(server->fd, packet, 512, 0, (struct sockaddr *)&peer, &size);
        if (n < 12) {
            return NULL;
        }
        size_t end = 12;
        while (packet[end] != 0) {
            end += packet[end] + 1u;
        }
        end += 5;
        packet[2] = (uint8_t)(server->flags >> 8);
        packet[3] = (uint8_t)server->flags;
        packet[6] = 0;
        packet[7] = (uint8_t)(packet[end - 3] == 28 ? 0 : server->count); /* no AAAA */
        memset(packet + 8, 0, 4);
        size_t more = packet[7] == 0 ? 0 : server->len;
        memcpy(packet + end, server->records, more);
        (void)sendto(server->fd, packet, end + more, 0, (struct sockaddr *)&peer, size);
    }
}

static void begin(struct server *server)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    server->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(server->address, sizeof server->address, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void end(struct server *server)
{
    (void)shutdown(server->fd, SHUT_RDWR);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->fd);
}

static enum query_answer ask(struct server *server, const char *text, struct targets *ret_targets)
{
    MU_AUTO(buf) struct mu_buf out;
    enum query_answer answer = QUERY_TROUBLE;
    struct query_question question = {
        .name = "_acme-challenge.example.org", .text = text, .port = 80};
    mu_buf_init(&out, 8192);
    begin(server);
    question.resolver = server->address;
    query_ask(&question, &out);
    end(server);
    assert_true(query_parse(mu_buf_slice(&out), &answer, ret_targets));
    return answer;
}

#define HEAD(type_, len_) "\xc0\x0c\0" type_ "\0\1\0\0\0\1\0" len_
#define GOOD              0x8180u

static void texts_are_compared_whole(void **state)
{
    (void)state;
    static const struct {
        const char *records;
        size_t len;
        unsigned count;
        enum query_answer answer;
    } rows[] = {
        {HEAD("\x10", "\5") "\4abcd", 17, 1, QUERY_FOUND},
        {HEAD("\x10", "\6") "\2ab\2cd", 18, 1, QUERY_FOUND}, /* one record of two strings */
        {HEAD("\x10", "\2") "\1x" HEAD("\x10", "\5") "\4abcd", 31, 2, QUERY_FOUND},
        {HEAD("\x10", "\5") "\4abcx", 17, 1, QUERY_OTHER},
        {HEAD("\x10", "\6") "\5abcde", 18, 1, QUERY_OTHER},
        {HEAD("\x10", "\3") "\2ab" HEAD("\x10", "\3") "\2cd", 30, 2, QUERY_OTHER},
        {HEAD("\x10", "\1") "\0", 13, 1, QUERY_OTHER},
        {"", 0, 0, QUERY_NOTHING},
        {HEAD("\x10", "\5") "\x40"
                            "abcd",
         17, 1, QUERY_TROUBLE},                                /* a string beyond its record */
        {HEAD("\x10", "\x60") "\4abcd", 17, 1, QUERY_TROUBLE}, /* a record beyond the answer */
    };
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        struct targets targets;
        struct server server = {.flags = GOOD,
                                .count = rows[i].count,
                                .records = (const uint8_t *)rows[i].records,
                                .len = rows[i].len};
        assert_int_equal(ask(&server, "abcd", &targets), rows[i].answer);
        assert_int_equal(targets.count, 0);
    }
}

static void addresses_come_back(void **state)
{
    (void)state;
    struct targets targets;
    struct server server = {
        .flags = GOOD,
        .count = 2,
        .records = (const uint8_t *)HEAD("\1", "\4") "\x7f\0\0\1" HEAD("\1", "\4") "\xc0\0\2\7",
        .len = 32};
    assert_int_equal(ask(&server, NULL, &targets), QUERY_FOUND);
    assert_int_equal(targets.count, 2);
    struct sockaddr_in first;
    memcpy(&first, &targets.items[0].socket, sizeof first);
    assert_int_equal(first.sin_family, AF_INET);
    assert_int_equal(ntohs(first.sin_port), 80);
}

static void no_such_name_is_not_trouble(void **state)
{
    (void)state;
    struct targets targets;
    struct server none = {.flags = 0x8183, .records = (const uint8_t *)""};
    assert_int_equal(ask(&none, NULL, &targets), QUERY_NOTHING);
    assert_int_equal(ask(&none, "abcd", &targets), QUERY_NOTHING);
    struct server broken = {.flags = 0x8182, .records = (const uint8_t *)""};
    assert_int_equal(ask(&broken, "abcd", &targets), QUERY_TROUBLE);
}

static void what_a_helper_says_is_read_strictly(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "\0", "\4\0", "\0\1", "\0\1\0\0\0\4abcd"};
    static const size_t lens[] = {0, 1, 2, 2, 10};
    enum query_answer answer;
    struct targets targets;
    for (size_t i = 0; i < MU_COUNT(rows); i++) {
        assert_false(query_parse(mu_slice_of(rows[i], lens[i]), &answer, &targets));
    }
    assert_true(query_parse(MU_SLICE_LIT("\2\0"), &answer, &targets));
    assert_int_equal(answer, QUERY_OTHER);
}

UNIT_MAIN(UNIT_CASE(texts_are_compared_whole), UNIT_CASE(addresses_come_back),
          UNIT_CASE(no_such_name_is_not_trouble), UNIT_CASE(what_a_helper_says_is_read_strictly))
