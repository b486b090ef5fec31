/* SPDX-License-Identifier: Apache-2.0
 *
 * What mutual demo is made of: programs started and ended, a plain HTTP service that knows nothing
 * of TLS, and visitors who knock at the gateway in different dress. The story itself is the
 * command's (src/cli/cmd_demo.c). Single-threaded, blocking with time limits, loopback only.
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <mutual/session.h>

#include "base/base.h"

/* Runs a program (argv[0] is its path), waits for it, and appends what it printed to `output`.
 * Fails with PROCESS_DIED, quoting its last line, when it does not end with 0. */
bool demo_run(const char *const *argv, struct mu_buf *output,
              struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Starts a program in the background with its output in the file `log_path`, and waits until it
 * says READY=1 in the way of sd_notify(3), through a socket made in `directory`. */
bool demo_start(const char *const *argv, const char *directory, const char *log_path,
                pid_t *ret_pid, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Ends a background program: SIGTERM, and SIGKILL after some seconds. */
void demo_stop(pid_t pid);

/* Starts the service as a child process on 127.0.0.1 and tells its port. */
bool demo_service_start(uint16_t *ret_port, pid_t *ret_pid,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A port of 127.0.0.1 that is free at the moment. */
bool demo_port_free(uint16_t *ret_port, struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Who knocks. */
struct demo_visitor {
    uint16_t port;
    bool tls;                   /* false: says "GET / HTTP/1.1" right away                  */
    const char *ca_path;        /* whom the visitor trusts for the gateway                  */
    const char *certificate;    /* a directory with tls.crt and tls.key, or NULL for none   */
    struct mutual_cache *cache; /* sessions to resume, or NULL                              */
};
struct demo_visit;
/* Connects and, with TLS, does the handshake. A visit that was refused is opened too: the refusal
 * shows in the answer. Fails only for reasons of our own. */
bool demo_visit_open(const struct demo_visitor *visitor, struct demo_visit **ret_visit,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
struct demo_answer {
    int status;                     /* of the HTTP response; 0: there was none               */
    struct mutual_error refusal;    /* status 0: what the visitor saw                        */
    struct mutual_session_info tls; /* all-zero without TLS; texts live as long as the visit */
    int64_t took_ns;                /* from the connection to the answer                     */
};
/* Asks for "/" and reads the answer. May be called again on a visit that was answered. */
void demo_visit_ask(struct demo_visit *visit, struct demo_answer *ret_answer);
/* Closes the connection, so that the gateway writes its record. The answer's texts stay. */
void demo_visit_hang_up(struct demo_visit *visit);
/* Waits until the other end closes, at most limit_ns; true when it did. */
bool demo_visit_closed(struct demo_visit *visit, int64_t limit_ns);
void demo_visit_free(struct demo_visit *visit);

/* What the gateway's log says about the end of a connection. */
struct demo_record {
    char reason[48];  /* the stable word, "" when nothing went wrong */
    char detail[256]; /* the reason in words                         */
    char rule[64];    /* the grant, "" when none decided             */
    char peer[256];   /* who was proved, "" when nobody              */
    bool resumed;
};
/* Waits until the JSON log has one more line about the end of a connection, past *offset, and moves
 * the offset behind it. Fails with NOT_FOUND when none comes in some seconds. */
bool demo_record_next(const char *log_path, size_t *offset, struct demo_record *ret_record,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
