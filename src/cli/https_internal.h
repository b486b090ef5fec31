/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTPS as a command needs it: one request, waited for.
 */
#ifndef CLI_HTTPS_INTERNAL_H
#define CLI_HTTPS_INTERNAL_H

#include "http/http.h"

struct https_request {
    const char *url;
    struct mutual_trust *trust; /* whom to believe; nobody else is */
    const char *content_type;
    const char *socket; /* a UNIX socket to ask at, with an http URL; NULL: where the URL says */
    struct mu_slice body;
    const char *method;               /* NULL: GET, with a body POST */
    const char *accept;               /* or NULL               */
    const char *authorization;        /* or NULL               */
    const char *idempotency_key;      /* or NULL               */
    struct mutual_identity *identity; /* or NULL               */
};
struct https_reply {
    unsigned status;
    int64_t retry_s; /* of Retry-After; 0: none */
    struct mu_buf body;
};
void https_reply_done(struct https_reply *reply);
void mu_https_reply_auto(struct https_reply *reply);
/* False when there is no whole answer; every status is one. */
bool https_call(const struct https_request *request, struct https_reply *ret_reply,
                struct mutual_error *err);
/* Sets the error that a problem document of ours tells, else HTTP_STATUS; always false. */
bool https_fail(const struct https_reply *reply, const char *url, struct mutual_error *err);

#endif
