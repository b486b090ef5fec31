/* SPDX-License-Identifier: Apache-2.0
 *
 * An authority's routes called in memory: an authority in a directory of its own, its issuer key in
 * this process, and requests that go through the real HTTP server and router as bytes.
 *
 *     struct api_home home;
 *     api_home_init(&home, tables, count);
 *     struct api_reply reply = {0};
 *     api_call(&home, "POST", "/x", "Content-Type: text/plain\r\n", body, &reply);
 *     assert_int_equal(reply.head.status, 200);
 *     api_reply_done(&reply);
 */
#ifndef API_CALL_H
#define API_CALL_H

#include "api/api.h"

#define API_HOME_NOW INT64_C(1800000000) /* 2027-01-15T08:00:00Z */

struct api_home {
    char dir[64];
    struct ca *ca; /* of "example.org"; also permits localhost and 127.0.0.0/8 */
    struct ca_signer signer;
    struct mu_key *key;  /* the issuer's, once it has signed             */
    bool refuse_signing; /* as when the key process is gone: KEY_UNAVAILABLE */
    struct api_settings settings;
    struct api_world world;
    struct api_caller caller; /* API_TLS at "enroll" from 192.0.2.1 */
    struct mu_names *caller_names;
    int64_t now_s;
    char last_log[512];
    const struct api_table *const *tables;
    size_t table_count;
};
void api_home_init(struct api_home *home, const struct api_table *const *tables, size_t count);
void api_home_done(struct api_home *home);
/* Calls from now on come over that channel; `leaf` (borrowed) is who was proved, or NULL. */
void api_home_caller(struct api_home *home, enum api_channel channel, const struct mu_cert *leaf);
/* A certificate of this authority for the name NAME and, if given, a key of the test's; the
 * caller's. */
struct mu_cert *api_home_issue(struct api_home *home, const char *profile, const char *name,
                               const struct mu_key *key);
/* A request by `key` for the names, in DER. */
void api_home_csr(const struct mu_key *key, const char *cn, const struct mu_gname *names,
                  size_t count, struct mu_buf *out);

struct api_reply {
    struct http_head head; /* status, fields */
    struct mu_slice body;
    struct mu_buf bytes; /* what they point into */
};
/* `fields` are whole lines, each ended by CRLF; NULL: none. Host and Content-Length are added. */
void api_call(struct api_home *home, const char *method, const char *target, const char *fields,
              struct mu_slice body, struct api_reply *ret_reply);
void api_reply_done(struct api_reply *reply);
/* The reply is a problem document with that status and error code (NULL: none). */
void api_reply_is_problem(const struct api_reply *reply, unsigned status, const char *code);

#endif
