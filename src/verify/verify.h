/* SPDX-License-Identifier: Apache-2.0
 *
 * Judging certificates outside of any connection: one case at a time, or a whole suite of
 * path-validation cases. The judge is that of the gateway: lib/trust and the matching of names.
 */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include <mutual/trust.h>

#include "base/base.h"

/* A name that the certificate must have. DNS names and addresses are matched as hosts (RFC 9525),
 * the rest as patterns of their type. */
struct verify_name {
    enum mutual_name_type type;
    const char *text;
};

/* Some bytes with a name for messages. */
struct verify_text {
    struct mu_slice bytes;
    const char *name;
};
struct verify_texts {
    const struct verify_text *items;
    size_t count;
};

/* What is to be judged, and by what. Everything is borrowed. */
struct verify_case {
    struct verify_texts anchors, pool; /* PEM; the pool completes paths and signs lists */
    struct verify_texts lists;         /* revocation lists, PEM or DER  */
    const struct mutual_der *sent;     /* the certificate, then what came with it */
    size_t sent_count;
    const struct verify_name *names; /* it must have all of these */
    size_t name_count;
    enum mutual_purpose purpose;
    int64_t now_s;
    bool allow_intermediate_anchors;
    /* Every certificate must be covered by a list. A list that cannot be used is then left aside:
     * whoever needs it is refused for want of one. */
    bool lists_required;
    bool depth_limited; /* to so many intermediates */
    unsigned depth;
};

/* True: *ret_chain is the path. False: the error is the check that failed, of the certificate or of
 * what it was to be judged by. */
bool verify_judge(const struct verify_case *given, struct mutual_chain **ret_chain,
                  struct mutual_error *err);

/* Reads a suite in the JSON of x509-limbo (version 1, https://x509-limbo.com) and appends its
 * result JSON: for each case SUCCESS, or FAILURE with our code and reason. Cases without a time of
 * their own are judged at now_s. A case with "explicit_policy" is one of PKITS, which demands a
 * revocation list of every issuer. ENCODING_MALFORMED: it is no such JSON. */
bool verify_limbo(struct mu_slice suite, int64_t now_s, struct mu_buf *out,
                  struct mutual_error *err);

#endif
