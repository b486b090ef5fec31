/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of the probe: connects to a server as a client, real TLS and all, and keeps what
 * happened for explain. It waits where it must: it is for commands, not for the gateway.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <mutual/identity.h>
#include <mutual/trust.h>

#include "explain/explain.h"

struct probe_options {
    const char *host; /* a name or an address, required    */
    uint16_t port;
    const char *server_name;              /* sent as SNI and expected; NULL: the host     */
    struct mutual_trust *trust;           /* NULL: the server's certificate is not judged */
    struct mutual_pattern *const *expect; /* any of them; none: the server name            */
    size_t expect_count;
    struct mutual_identity *identity; /* what we present when asked, or NULL */
    const char *const *alpn;          /* NULL-terminated, or NULL            */
    int64_t timeout_ns;               /* for each wait on the network        */
    int64_t listen_ns;                /* how long to listen for a refusal after the handshake */
};

struct probe;

/* Goes through the steps as far as they go. False only when it could not begin (NO_MEMORY,
 * NAME_MALFORMED, CONFIG_INVALID); what the network and the server did is in the story. What the
 * options point to must outlive the probe. */
bool probe_run(const struct probe_options *options, struct probe **ret_probe,
               struct mutual_error *err) MUTUAL_MUST_CHECK;
void probe_free(struct probe *probe);
void mu_probe_auto(struct probe **probe);

/* What happened; owned by the probe. */
const struct mutual_story *probe_story(const struct probe *probe);
const struct mu_story_view *probe_view(const struct probe *probe);
/* Did the server take us, as far as it said? */
bool probe_accepted(const struct probe *probe);

#endif
