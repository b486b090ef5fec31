/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share.
 */
#ifndef PUBLISH_PUBLISH_INTERNAL_H
#define PUBLISH_PUBLISH_INTERNAL_H

#include "publish/publish.h"

/* Fills the fields that let a cache keep what is true from this_s to next_s and asked for again
 * after fresh_s (RFC 5019 section 6), and answers 304 where the caller has it: then true. */
struct publish_age {
    int64_t this_s, next_s, fresh_s;
    const char *etag; /* without quotes */
};
bool publish_cached(const struct api_request *request, const struct publish_age *age,
                    struct api_response *response);

void publish_ocsp_get(struct api_world *world, const struct api_request *request,
                      struct api_response *response);
void publish_ocsp_post(struct api_world *world, const struct api_request *request,
                       struct api_response *response);
/* The request of a GET: percent-encoded base64. OCSP_MALFORMED. */
bool publish_ocsp_decode(struct mu_slice path, struct mu_buf *der, struct mutual_error *err);
/* Answers one request in DER; *ret_age is NULL-etag when it must not be kept. */
struct publish_answer {
    struct mu_buf *der;
    struct publish_age age; /* etag NULL: of this caller alone */
    char etag[33];
};
void publish_ocsp_answer(struct api_world *world, struct mu_slice request, int64_t now_s,
                         struct publish_answer *answer);
/* Forgets every kept response and the rate, for tests. */
void publish_ocsp_reset(void);

#endif
