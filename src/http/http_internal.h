/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share.
 */
#ifndef HTTP_HTTP_INTERNAL_H
#define HTTP_HTTP_INTERNAL_H

#include "http/http.h"

/* ---- chars.c: what the grammars call characters ------------------------------------------------
 */

bool http_is_tchar(uint8_t byte);  /* RFC 9110 section 5.6.2                       */
bool http_is_text(uint8_t byte);   /* of a field value: visible, blank, 0x80 and up */
bool http_is_target(uint8_t byte); /* of a URI's path and query, "%" included       */
/* Is every byte of that kind? False when there is none. */
bool http_is_token(struct mu_slice text);
bool http_is_value(struct mu_slice text); /* may be empty; no blank at either end */
/* "/a/b?c", with whole percent-encodings. */
bool http_is_path(struct mu_slice text);
bool http_equal_nocase(struct mu_slice a, struct mu_slice b);
/* Digits only, at most 18 of them. */
bool http_number(struct mu_slice text, uint64_t *ret_value);
/* "host", "host:port", "[v6]:port": taken apart; port 0: none is written. */
bool http_authority(struct mu_slice text, struct mu_slice *ret_host, bool *ret_v6,
                    uint16_t *ret_port);

/* ---- server.c ----------------------------------------------------------------------------------
 */

/* Whom to tell that a handler answered. */
typedef void http_answered_fn(void *owner);
void http_server_on_answer(struct http_server *server, http_answered_fn *answered, void *owner);

/* ---- wire.c: a socket, with or without TLS -----------------------------------------------------
 */

struct http_wire {
    int fd;                         /* owned; -1: none */
    struct mutual_session *session; /* owned; NULL: plain */
    struct mu_buf in;               /* ciphertext that the session left */
    struct mu_buf out;              /* on its way to the socket         */
    bool in_end;
    int in_error;
};
void http_wire_init(struct http_wire *wire);
/* Closes the socket and forgets the session; http_wire_done frees the buffers too. */
void http_wire_close(struct http_wire *wire);
void http_wire_done(struct http_wire *wire);
enum mutual_io http_wire_handshake(struct http_wire *wire, struct mutual_error *err);
/* DONE: *ret_len bytes, END: the other side closed as it should. */
enum mutual_io http_wire_read(struct http_wire *wire, uint8_t *data, size_t cap, size_t *ret_len,
                              struct mutual_error *err);
/* Takes from the front of `from` what finds room. DONE: `from` is empty and all of it sent. */
enum mutual_io http_wire_write(struct http_wire *wire, struct mu_buf *from,
                               struct mutual_error *err);
/* TLS's goodbye, as far as it can be sent at once. */
void http_wire_goodbye(struct http_wire *wire);

#endif
