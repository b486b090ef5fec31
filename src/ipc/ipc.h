/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages between our processes: frames over SOCK_SEQPACKET pairs, with descriptors. One table
 * (messages.def) says who may send what to whom, how large, with how many descriptors.
 *
 * A channel never blocks. A message that is unknown, of the wrong size, not permitted in this
 * direction or whose content does not decode ends the channel it came by, with MESSAGE_MALFORMED:
 * the receiver lives on, the parent replaces the sender.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/base.h"

/* The roles as far as messages know them; a bit each, so that a row can permit several. */
enum ipc_party {
    IPC_PARENT = 1u << 0,
    IPC_KEYS = 1u << 1,
    IPC_WORKER = 1u << 2,
    IPC_AUTHORITY = 1u << 3,
    IPC_FETCH = 1u << 4,
    IPC_LISTS = 1u << 5, /* a helper of the parent's, for one task */
    IPC_CHILDREN = IPC_KEYS | IPC_WORKER | IPC_AUTHORITY | IPC_FETCH,
};
const char *ipc_party_name(enum ipc_party party); /* "worker"; constant */

/* The greatest payload that goes by memory file: a configuration with its revocation lists. */
#define IPC_LARGE (512u << 20)

enum ipc_type {
    IPC_MSG_NONE = 0,
#define X(name, from, to, least, most, fds) IPC_MSG_##name,
#include "ipc/messages.def"
#undef X
    IPC_MSG_COUNT_
};
const char *ipc_type_name(enum ipc_type type); /* "KEY_SIGN"; constant, never NULL */

/* ---- channels -------------------------------------------------------------------------------- */

struct ipc_channel;

/* A connected pair of descriptors, close-on-exec, non-blocking. Fails with SYSTEM_CALL. */
bool ipc_pair(int ret_fds[2], struct mutual_error *err) MUTUAL_MUST_CHECK;
/* A channel on which `self` speaks with `peer`. Takes the descriptor (on failure too). */
bool ipc_channel_new(int take_fd, enum ipc_party self, enum ipc_party peer,
                     struct ipc_channel **ret_channel, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Closes. What is still queued is lost. */
void ipc_channel_free(struct ipc_channel *channel);
void mu_ipc_channel_auto(struct ipc_channel **channel);
/* To be watched for EVENT_READ, and for EVENT_WRITE while ipc_wants_write; open until freed. */
int ipc_channel_fd(const struct ipc_channel *channel);
bool ipc_wants_write(const struct ipc_channel *channel);

/* Sends, or queues when the socket is full (at most IPC_QUEUE_MAX messages, IPC_QUEUE_BYTES in
 * all). The descriptors stay the caller's: they may be closed on return. Fails with
 * MESSAGE_MALFORMED when the table forbids it (our own mistake, nothing is sent), LIMIT when the
 * queue is full, PROCESS_DIED when the other end is gone. */
#define IPC_QUEUE_MAX   256u
#define IPC_QUEUE_BYTES (16u << 20)
bool ipc_send(struct ipc_channel *channel, enum ipc_type type, struct mu_slice payload,
              const int *fds, size_t fd_count, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Sends what is queued as far as the socket takes it. Fails with PROCESS_DIED. */
bool ipc_flush(struct ipc_channel *channel, struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Waits up to timeout_ms (-1: for ever) for the socket: for programs without a reactor. */
bool ipc_wait(const struct ipc_channel *channel, int timeout_ms);

struct ipc_message {
    enum ipc_type type;
    struct mu_slice payload;       /* valid until the next ipc_receive on the channel           */
    int fds[MU_LIMIT_MESSAGE_FDS]; /* owned by the message; take one by ipc_message_take_fd     */
    size_t fd_count;
};
enum ipc_result {
    IPC_GOT,    /* a message                                                                 */
    IPC_WAIT,   /* none yet                                                                  */
    IPC_END,    /* the other end closed                                                      */
    IPC_BROKEN, /* what came is malformed or not permitted: err says MESSAGE_MALFORMED; the
                   channel is shut and stays BROKEN                                          */
};
enum ipc_result ipc_receive(struct ipc_channel *channel, struct ipc_message *ret_message,
                            struct mutual_error *err) MUTUAL_MUST_CHECK;
/* Closes what descriptors are left in the message. */
void ipc_message_done(struct ipc_message *message);
/* The nth descriptor, now the caller's; -1 when there is none. */
int ipc_message_take_fd(struct ipc_message *message, size_t nth);
/* For whoever finds the content malformed: shuts the channel, as IPC_BROKEN does. */
void ipc_channel_break(struct ipc_channel *channel);

/* ---- content --------------------------------------------------------------------------------- */

/* Writing appends to a struct mu_buf; its sticky `failed` is checked by ipc_send's caller. */
void ipc_put_u8(struct mu_buf *buf, uint8_t value);
void ipc_put_u16(struct mu_buf *buf, uint16_t value);
void ipc_put_u32(struct mu_buf *buf, uint32_t value);
void ipc_put_u64(struct mu_buf *buf, uint64_t value);
void ipc_put_bytes(struct mu_buf *buf, struct mu_slice bytes); /* be32 length, then the bytes */
void ipc_put_text(struct mu_buf *buf, const char *text);       /* the same; NULL is "" */
/* An error object without its source position. */
void ipc_put_error(struct mu_buf *buf, const struct mutual_error *err);

/* Reading never goes beyond the slice: what does not fit yields 0 or an empty slice and sets
 * `failed`, which ipc_reader_end reports. */
struct ipc_reader {
    struct mu_slice rest;
    bool failed;
};
struct ipc_reader ipc_reader_of(struct mu_slice payload);
uint8_t ipc_get_u8(struct ipc_reader *reader);
uint16_t ipc_get_u16(struct ipc_reader *reader);
uint32_t ipc_get_u32(struct ipc_reader *reader);
uint64_t ipc_get_u64(struct ipc_reader *reader);
/* At most max bytes; borrowed from the payload. */
struct mu_slice ipc_get_bytes(struct ipc_reader *reader, size_t max);
/* Exactly len bytes, without a length before them. */
struct mu_slice ipc_get_raw(struct ipc_reader *reader, size_t len);
/* Copies text of fewer than `size` bytes, NUL-terminated; a NUL inside is a failure. */
void ipc_get_text(struct ipc_reader *reader, char *text, size_t size);
/* The same for text that goes into the log: a control byte inside is a failure too. */
void ipc_get_line(struct ipc_reader *reader, char *text, size_t size);
void ipc_get_error(struct ipc_reader *reader, struct mutual_error *ret_err);
/* True when all was read and nothing failed; else MESSAGE_MALFORMED naming `what`. */
bool ipc_reader_end(const struct ipc_reader *reader, const char *what,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
