/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told about a connection: to the log, and to the service behind the gateway.
 */
#ifndef GATEWAY_RECORD_INTERNAL_H
#define GATEWAY_RECORD_INTERNAL_H

#include "base/base.h"

struct conn;
struct worker;

/* Appends the PROXY header for the connection. */
bool record_proxy_header(struct conn *conn, struct mu_buf *out,
                         struct mutual_error *err) MUTUAL_MUST_CHECK;
/* One line about something that is no connection. */
void record_event(struct worker *worker, const char *event, const char *listener,
                  const struct mutual_error *what);

/* Appends the frame that tells the authority who was proved: from the verdict's pass, which must
 * hold now, and from nothing that the client says afterwards. PASS_EXPIRED, MESSAGE_MALFORMED. */
bool record_evidence(struct conn *conn, struct mu_buf *out,
                     struct mutual_error *err) MUTUAL_MUST_CHECK;

#endif
