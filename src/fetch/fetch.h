/* SPDX-License-Identifier: Apache-2.0
 *
 * The only outbound fetcher: a process that asks URLs of the configuration for what is behind them.
 * It opens nothing and connects to nobody: the parent looks the host up, judges the addresses,
 * begins the connections and hands on the sockets; the process speaks HTTP and TLS on them, bounds
 * what comes, judges it where it knows how, and seals the bytes in a memory file of the parent's,
 * which never reads them. What is in this door besides the role is the parent's half: messages,
 * when to ask next, which addresses are allowed, what is kept on disk.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include <sys/socket.h>

#include "base/base.h"
#include "config/config.h"
#include "ipc/ipc.h"
#include "process/process.h"

extern const struct role fetch_role;

/* ---- messages ---------------------------------------------------------------------------------
 */

enum fetch_kind {
    FETCH_BYTES,  /* whatever is there: the asker judges it                                     */
    FETCH_CRL,    /* a revocation list: signed under `material`, current, no older than `last`  */
    FETCH_STAPLE, /* an OCSP response about the certificate in `material`: good, and of now    */
    FETCH_PROOF,  /* `material`, and blanks behind it: http-01 (RFC 8555 section 8.3)          */
    FETCH_PROOF_TLS, /* a handshake with a certificate that proves `material`: tls-alpn-01
                        (RFC 8737); the URL's host is who is to be proved                    */
    FETCH_KIND_COUNT_
};
#define FETCH_TEXT MU_LIMIT_HTTP_VALIDATOR

/* FETCH. Descriptors are borrowed; -1: none. */
struct fetch_request {
    uint32_t id; /* the asker's, given back */
    enum fetch_kind kind;
    char url[MU_LIMIT_HTTP_URL + 1];
    bool post; /* else GET */
    char content_type[FETCH_TEXT];
    char accept[FETCH_TEXT];
    char etag[FETCH_TEXT]; /* validators of what is had already; "" : none */
    char modified[FETCH_TEXT];
    struct mu_slice body;
    uint64_t max;
    int64_t timeout_ns; /* for the whole content                                     */
    int content_fd;     /* an empty memory file for what comes; sealed when that is good */
    int believed_fd;    /* PEM of the authorities believed for https                 */
    int material_fd;    /* FETCH_CRL: what fetch_material_write wrote; FETCH_STAPLE:
                            fetch_about_write; else what is to be proved              */
    int last_fd;        /* FETCH_CRL: the list that a good answer replaces           */
};
bool fetch_request_send(struct supervisor *supervisor, const struct supervised *child,
                        const struct fetch_request *request,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Takes the descriptors out of the message: the caller closes them. */
bool fetch_request_read(struct ipc_message *message, struct fetch_request *ret_request,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Whose signatures make a list good: PEM of a bundle and its intermediates. */
struct fetch_material {
    bool allow_intermediates;
    struct mu_slice anchors, intermediates;
};
void fetch_material_write(struct mu_buf *out, const struct fetch_material *material);
bool fetch_material_read(struct mu_slice bytes, struct fetch_material *ret_material,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;

/* Whom a response is to be about, in DER. */
struct fetch_about {
    struct mu_slice leaf, issuer;
};
void fetch_about_write(struct mu_buf *out, const struct fetch_about *about);
bool fetch_about_read(struct mu_slice bytes, struct fetch_about *ret_about,
                      struct mutual_error *err) MUTUAL_MUST_CHECK;

/* FETCH_SOCKET_WANTED: a connection to a port of the host that `id` is about. */
struct fetch_want {
    uint32_t id;
    uint16_t port;
    uint16_t attempt; /* which of its addresses, from 0 */
};
bool fetch_want_send(struct ipc_channel *parent, const struct fetch_want *want,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
bool fetch_want_read(const struct ipc_message *message, struct fetch_want *ret_want,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;
/* FETCH_SOCKET, the answer: a socket that connects, or with fd -1 why there is none. */
bool fetch_socket_send(struct supervisor *supervisor, const struct supervised *child, uint32_t id,
                       int fd, const struct mutual_error *why,
                       struct mutual_error *err) MUTUAL_MUST_CHECK;
bool fetch_socket_read(struct ipc_message *message, uint32_t *ret_id, int *ret_fd,
                       struct mutual_error *ret_why, struct mutual_error *err) MUTUAL_MUST_CHECK;

/* FETCH_DONE. */
struct fetch_outcome {
    uint32_t id;
    struct mutual_error error; /* code MUTUAL_OK: it is good */
    unsigned status;           /* 200, or 304: what is had already is still right */
    uint64_t bytes;
    int64_t fresh_s; /* how long the server says that it holds */
    char etag[FETCH_TEXT];
    char modified[FETCH_TEXT];
    int64_t this_update_s, next_update_s; /* FETCH_CRL and FETCH_STAPLE with 200 */
    int64_t produced_s;                   /* FETCH_STAPLE                        */
};
bool fetch_outcome_send(struct ipc_channel *parent, const struct fetch_outcome *outcome,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
bool fetch_outcome_read(const struct ipc_message *message, struct fetch_outcome *ret_outcome,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- addresses ---------------------------------------------------------------------------------
 */

/* May we be sent there? An address of the public internet, or one of the networks that the
 * configuration names. Else FETCH_FORBIDDEN. */
bool fetch_address_check(const struct sockaddr_storage *address,
                         const struct config_network *networks, size_t count,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- when --------------------------------------------------------------------------------------
 */

struct fetch_times {
    int64_t every_s;       /* at the latest                                             */
    int64_t this_update_s; /* of what is had; 0: nothing is, or it has no end           */
    int64_t next_update_s;
    unsigned failures; /* in a row                                                  */
    bool half;         /* when half of its time is over; else when an eighth is left */
};
/* In how many milliseconds to ask again. `random` spreads it, so that not all ask at once. */
int64_t fetch_delay_ms(const struct fetch_times *times, int64_t now_s, uint32_t random);

/* ---- what is kept ------------------------------------------------------------------------------
 */

/* What is known of a file that was fetched: beside it, in PATH.meta. */
struct fetch_kept {
    char etag[FETCH_TEXT];
    char modified[FETCH_TEXT];
    int64_t fetched_s;
    int64_t this_update_s, next_update_s;
    int64_t produced_s; /* of a response */
    char about[65];     /* ... the fingerprint of the certificate, in hexadecimal; else "" */
};
/* False when there is none, or when it does not go with the file that is there. */
bool fetch_kept_load(const char *path, struct fetch_kept *ret_kept);
/* Replaces the file by the content of a sealed memory file, whole or not at all, then what is known
 * of it. *ret_changed: the bytes are others than before. Makes the directory. FILE_UNWRITABLE,
 * DISK_FULL, MESSAGE_MALFORMED (no sealed file). */
bool fetch_kept_save(const char *path, int fd, const struct fetch_kept *kept, bool *ret_changed,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
