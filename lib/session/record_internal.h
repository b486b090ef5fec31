/* SPDX-License-Identifier: Apache-2.0
 *
 * Record protection of TLS 1.3 (RFC 8446 section 5): one record sealed or opened at a time. No
 * state but the keys of a direction, which are the caller's; what a record means is channel.c's.
 */
#ifndef MU_SESSION_RECORD_INTERNAL_H
#define MU_SESSION_RECORD_INTERNAL_H

#include "base/base.h"

struct ossl_lib_ctx_st;

#define MU_RECORD_HEAD   5u
#define MU_RECORD_TAG    16u
#define MU_RECORD_PLAIN  16384u                   /* content of one record, section 5.1        */
#define MU_RECORD_INNER  (MU_RECORD_PLAIN + 1u)   /* with its type and padding, section 5.4    */
#define MU_RECORD_CIPHER (MU_RECORD_PLAIN + 256u) /* what a header may announce, section 5.2   */
/* What sealing adds: header, content type, tag. */
#define MU_RECORD_EXTRA (MU_RECORD_HEAD + 1u + MU_RECORD_TAG)
/* The longest that our own end makes. */
#define MU_RECORD_MAX (MU_RECORD_PLAIN + MU_RECORD_EXTRA)

/* Content types, sections 5.1 and 5. */
enum {
    MU_CONTENT_CHANGE_CIPHER = 20,
    MU_CONTENT_ALERT = 21,
    MU_CONTENT_HANDSHAKE = 22,
    MU_CONTENT_DATA = 23,
};

/* The keys of one direction. Wiped by whoever owns it. */
struct mu_direction {
    uint64_t count; /* records under this key: the next one's sequence number */
    uint8_t secret[48];
    uint8_t key[32];
    uint8_t iv[12];
    uint8_t key_len; /* 0: not known yet */
    uint8_t iv_len;
};

/* The library's algorithms, fetched once and set up anew for every record, so that a connection
 * keeps no more than its keys. For one thread. */
struct mu_records;
/* NULL: out of memory. What the library context has no algorithm for, cannot be done. */
struct mu_records *mu_records_new(struct ossl_lib_ctx_st *libctx);
bool mu_records_can(const struct mu_records *records, uint16_t suite);
void mu_records_free(struct mu_records *records);
/* Lets no key of a connection stay behind in what the connections share. NULL is allowed. */
void mu_records_forget(struct mu_records *records, uint16_t suite);

/* Is it a suite of TLS 1.3 that we know, and how long are its secrets? 0: it is not. */
size_t mu_suite_secret_len(uint16_t suite);

/* Derives key and nonce from direction->secret (section 7.3); the count begins at 0. False: the
 * library failed. */
bool mu_direction_key(struct mu_records *records, uint16_t suite,
                      struct mu_direction *direction) MUTUAL_MUST_CHECK;
/* Has it a key and a nonce of the lengths that the suite wants? */
bool mu_direction_is_keyed(const struct mu_direction *direction, uint16_t suite);
/* Goes on to the next generation of the secret (section 7.2). */
bool mu_direction_update(struct mu_records *records, uint16_t suite,
                         struct mu_direction *direction) MUTUAL_MUST_CHECK;

/* Seals `len` (at most MU_RECORD_PLAIN) bytes of content into exactly len + MU_RECORD_EXTRA bytes
 * at `out`, which must not overlap them, and counts. False: the library failed, and `out` holds
 * nothing to be sent. */
bool mu_record_seal(struct mu_records *records, uint16_t suite, struct mu_direction *direction,
                    uint8_t type, const uint8_t *data, size_t len, uint8_t *out) MUTUAL_MUST_CHECK;

/* Opens a whole record, its header included and its length as announced there, into `out`, which
 * has room for record_len - MU_RECORD_HEAD - MU_RECORD_TAG bytes: content, type, padding. Counts.
 * False: it does not authenticate, and `out` was wiped. */
bool mu_record_open(struct mu_records *records, uint16_t suite, struct mu_direction *direction,
                    struct mu_slice record, uint8_t *out) MUTUAL_MUST_CHECK;

#endif
