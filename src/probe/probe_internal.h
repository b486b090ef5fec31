/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the probe share: a socket with its wire buffers, what a stranger's first bytes
 * are, what an HTTP server answers, and what to advise.
 */
#ifndef PROBE_PROBE_INTERNAL_H
#define PROBE_PROBE_INTERNAL_H

#include "probe/probe.h"

#include "base/base.h"
#include "session/session.h"

/* ---- wire.c: a connected socket and the bytes on their way ------------------------------------
 */

#define PROBE_HEAD_BYTES 64u
struct probe_wire {
    int fd; /* -1: none */
    int64_t timeout_ns;
    uint8_t *in; /* MUTUAL_WIRE_RECORD bytes */
    size_t in_len;
    bool in_end;
    int in_error;
    uint8_t *out; /* MUTUAL_WIRE_RECORD bytes */
    uint64_t bytes_in;
    uint8_t head[PROBE_HEAD_BYTES]; /* the first bytes that came */
    char peer[64];                  /* the address that was reached, as text */
};
/* Resolves and connects; tries every address. RESOLVE_FAILED, CONNECT_FAILED, CONNECT_TIMEOUT,
 * NO_MEMORY. `wire` is to be closed also after failure. */
bool probe_wire_open(struct probe_wire *wire, const char *host, uint16_t port, int64_t timeout_ns,
                     struct mutual_error *err);
void probe_wire_close(struct probe_wire *wire);
void mu_probe_wire_auto(struct probe_wire *wire);

/* One step of a session over these windows. */
typedef enum mutual_io probe_step(struct mutual_session *session, struct mutual_wire *window,
                                  void *context, struct mutual_error *err);
/* Calls the step until it is done, ends, fails, or nothing comes until the deadline (monotonic):
 * then WANT_READ. Whatever the session has to say is sent, alerts included. */
enum mutual_io probe_wire_drive(struct probe_wire *wire, struct mutual_session *session,
                                probe_step *step, void *context, int64_t deadline_ns,
                                struct mutual_error *err);

/* ---- greeting.c: servers that speak something else --------------------------------------------
 */

struct probe_greeting {
    const char *what;   /* "an SSH server" */
    const char *advice; /* a sentence      */
};
/* What says such first bytes; NULL: nobody that we know. */
const struct probe_greeting *probe_greeting_find(struct mu_slice head);

/* ---- http.c: what an HTTP server says about our certificate -----------------------------------
 */

#define PROBE_NOTE_BYTES 200u
/* Reads an answer's first line into `note` as a sentence; some servers finish the handshake and
 * refuse the certificate only in their answer: then false, with the error. */
/* What a person should know of the server's stapled OCSP response, or of its absence; false:
 * nothing. `checked`: the session has judged it. */
bool probe_staple_note(const struct mu_observed *seen, bool checked, char note[PROBE_NOTE_BYTES]);
bool probe_http_read(struct mu_slice answer, char note[PROBE_NOTE_BYTES], struct mutual_error *err);
/* The request that is sent: GET / for the host. */
void probe_http_request(const char *host, struct mu_buf *out);

/* ---- advice.c: why a server may have refused us -----------------------------------------------
 */

/* Makes a refusal of our certificate more exact from what both sides showed: the certificate is
 * out of its time, is no client's, or comes from none of the authorities that the server names. */
void probe_advise(const struct mu_observed *seen, const struct mutual_identity *identity,
                  int64_t now_s, struct mutual_error *err);

#endif
