/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker and the authority agree upon. A client's connection to the authority is a stream of
 * a pair that the parent made; before the client's first byte the worker writes one frame into it
 * that says who was proved. The authority believes the frame because nobody but workers holds the
 * other ends. The names of a caller are not in it: the authority reads them from the certificate
 * as admission did, so that the two cannot differ.
 */
#ifndef EVIDENCE_EVIDENCE_H
#define EVIDENCE_EVIDENCE_H

#include "base/base.h"

/* ---- the frame ------------------------------------------------------------------------------- */

enum evidence_channel {
    EVIDENCE_PLAIN,  /* no TLS was spoken                       */
    EVIDENCE_TLS,    /* the client presented no certificate     */
    EVIDENCE_MUTUAL, /* it did, and proved to have its key      */
    EVIDENCE_CHANNEL_COUNT_
};

#define EVIDENCE_LISTENER 256 /* a host is LISTENER/HOST */
#define EVIDENCE_ADDRESS  128
struct evidence {
    enum evidence_channel channel;
    char listener[EVIDENCE_LISTENER];
    char address[EVIDENCE_ADDRESS];
    struct mu_slice leaf; /* DER; with EVIDENCE_MUTUAL and only then; borrowed */
};
/* "MUEV", then be32: how many bytes follow. */
#define EVIDENCE_HEAD 8u
#define EVIDENCE_BODY (MU_LIMIT_CERT_BYTES + EVIDENCE_LISTENER + EVIDENCE_ADDRESS + 32u)
/* Appends. MESSAGE_MALFORMED when it could not be read back. */
bool evidence_write(const struct evidence *evidence, struct mu_buf *out,
                    struct mutual_error *err) MUTUAL_MUST_CHECK;
/* How long the body is that such a head announces; MESSAGE_MALFORMED. */
bool evidence_head_read(const uint8_t head[EVIDENCE_HEAD], size_t *ret_len,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;
/* The body, which must be whole; the leaf points into it. MESSAGE_MALFORMED. */
bool evidence_body_read(struct mu_slice body, struct evidence *ret_evidence,
                        struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- streams: STREAMS_WANTED, STREAMS (ipc/messages.def)
 * --------------------------------------------------------------------------------------------- */

enum { STREAMS_BATCH = 16 };

/* ---- LOCAL: somebody on this machine -----------------------------------------------------------
 */

#define EVIDENCE_USER 64
struct evidence_local {
    uint32_t uid;
    char who[EVIDENCE_USER + 16]; /* "alice (1000)" */
};
/* `name` may be "". */
void evidence_local_write(uint32_t uid, const char *name, struct mu_buf *out);
bool evidence_local_read(struct mu_slice bytes, struct evidence_local *ret_local,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;

/* ---- how the authority begins ------------------------------------------------------------------
 */

/* One pattern of somebody who administers; role and type are the numbers of enum admin_role and
 * enum mutual_name_type. */
struct evidence_admin {
    uint8_t role, type;
    char *pattern;
};
#define EVIDENCE_ADMINS 64u
/* What the configuration says to it: the setup bytes of its START. Texts are owned. */
struct evidence_setup {
    char *directory;  /* as mutual init made it    */
    char *url;        /* NULL: not said            */
    char *publish;    /* NULL: not said            */
    int64_t grace_s;  /* renewal after the end     */
    bool acme;        /* is served                 */
    bool acme_open;   /* accounts need no key      */
    char *acme_terms; /* NULL: none               */
    bool keygen;      /* keys are made for callers */
    struct evidence_admin admins[EVIDENCE_ADMINS];
    size_t admin_count;
};
void evidence_setup_write(const struct evidence_setup *setup, struct mu_buf *out);
bool evidence_setup_read(struct mu_slice bytes, struct evidence_setup *ret_setup,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
void evidence_setup_done(struct evidence_setup *setup);

/* ---- challenges of ACME: PROBE, PROBED ---------------------------------------------------------
 */

enum evidence_method { EVIDENCE_HTTP_01, EVIDENCE_DNS_01, EVIDENCE_TLS_ALPN_01, EVIDENCE_METHODS_ };
struct evidence_probe {
    uint64_t id; /* the authority's, given back */
    enum evidence_method method;
    bool address; /* `name` is an IP address, else a DNS name */
    char name[256];
    char token[128];         /* RFC 8555 section 8.1: base64url          */
    char authorization[256]; /* TOKEN.THUMBPRINT                         */
};
void evidence_probe_write(const struct evidence_probe *probe, struct mu_buf *out);
/* MESSAGE_MALFORMED: anything but a DNS name or an address as we write them, and texts of
 * base64url: the authority reads what strangers send, so it is not believed that it looked. */
bool evidence_probe_read(struct mu_slice bytes, struct evidence_probe *ret_probe,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* `outcome` with code MUTUAL_OK: it is there. */
void evidence_probed_write(uint64_t id, const struct mutual_error *outcome, struct mu_buf *out);
bool evidence_probed_read(struct mu_slice bytes, uint64_t *ret_id, struct mutual_error *ret_outcome,
                          struct mutual_error *err) MUTUAL_MUST_CHECK;

#include "evidence/ledger.h"

#endif
