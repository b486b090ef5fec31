/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of an open connection when they are ours to seal and open, and how they come to be.
 */
#ifndef MU_SESSION_CHANNEL_INTERNAL_H
#define MU_SESSION_CHANNEL_INTERNAL_H

#include "session/record_internal.h"
#include "session/session_internal.h"
#include "x509/x509.h"

/* Before this many records under one key a new one is taken: RFC 8446 section 5.5 allows
 * AES-GCM 2^24.5 full records. */
#define MU_CHANNEL_RECORDS_MAX (UINT64_C(1) << 23)

struct mu_channel {
    struct mu_direction in, out;
    struct mu_buf partial; /* of a record that has not arrived whole                         */
    struct mu_buf plain;   /* opened, but the caller had no room                             */
    struct mu_buf sealed;  /* records that `out` had no room for                             */
    size_t plain_at;       /* where the rest of `plain` begins                               */
    uint16_t suite;
    uint8_t secret_len; /* of both                                                           */
    uint8_t secrets;    /* which secrets are known: bits of enum mu_secret                   */
    uint8_t tickets;    /* handshake messages that the library wrote under the traffic key   */
    uint8_t message[5]; /* a KeyUpdate, as far as it came                                    */
    uint8_t message_len;
    bool ended;       /* the peer's close_notify was read                                  */
    bool update_owed; /* a KeyUpdate is to go before the next data                         */
};
enum mu_secret { MU_SECRET_IN = 1, MU_SECRET_OUT = 2, MU_SECRET_STRANGE = 4 };

/* Wipes the keys, in what all connections share too. NULL is allowed. */
void mu_channel_free(struct mu_channel *channel, struct mu_records *records);
/* Moves what is sealed into `out`, as far as it has room. */
void mu_channel_drain(struct mu_channel *channel, struct mutual_wire *wire);

/* ---- handover.c ------------------------------------------------------------------------------ */

/* The library derives a traffic secret, its key or its nonce, and takes it into use. */
void mu_handover_hear(void *owner, const struct mu_hkdf_heard *heard);
/* ... or tells the secret in a line of text. */
void mu_handover_secret(const SSL *ssl, const char *line);
/* A record was written or read, or a handshake message written, under what keys there are. */
void mu_handover_record(struct mutual_session *session, bool write);
void mu_handover_message(struct mutual_session *session, bool write);
/* Takes the connection over from the library, if it may be and there is no doubt at all about where
 * both directions stand; else leaves it as it is. */
void mu_handover_try(struct mutual_session *session);

#endif
