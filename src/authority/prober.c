/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the parent whether the answer to a challenge is there: this process reaches nobody.
 */
#include <stdio.h>
#include <string.h>

#include "authority/authority_internal.h"

static bool ask(struct acme_prober *prober, const struct acme_probe *probe,
                struct mutual_error *err)
{
    static const enum evidence_method methods[ACME_METHOD_COUNT_] = {
        [ACME_HTTP_01] = EVIDENCE_HTTP_01,
        [ACME_DNS_01] = EVIDENCE_DNS_01,
        [ACME_TLS_ALPN_01] = EVIDENCE_TLS_ALPN_01,
    };
    struct ipc_channel *parent = prober->state;
    MU_AUTO(buf) struct mu_buf payload;
    struct evidence_probe wire = {.id = (uint64_t)probe->challenge_id,
                                  .method = methods[probe->method],
                                  .address = probe->name.type == MUTUAL_NAME_IP};
    mu_buf_init(&payload, 1024);
    (void)snprintf(wire.name, sizeof wire.name, "%s", probe->name.text);
    (void)snprintf(wire.token, sizeof wire.token, "%s", probe->token);
    (void)snprintf(wire.authorization, sizeof wire.authorization, "%s", probe->authorization);
    evidence_probe_write(&wire, &payload);
    return (!payload.failed || mu_fail(err, MUTUAL_E_LIMIT, "the challenge does not fit")) &&
           ipc_send(parent, IPC_MSG_PROBE, mu_buf_slice(&payload), NULL, 0, err);
}

void authority_prober_init(struct acme_prober *prober, struct ipc_channel *parent)
{
    *prober = (struct acme_prober){.ask = ask, .state = parent};
}

/* What cannot be written down now is asked again later. */
bool authority_probed(struct api_world *world, const struct ipc_message *message,
                      struct mutual_error *err)
{
    struct mutual_error outcome = {0};
    struct mutual_error why = {0};
    uint64_t id = 0;
    if (!evidence_probed_read(message->payload, &id, &outcome, err)) {
        return false;
    }
    if (id > INT64_MAX || !acme_probed(world, (int64_t)id, &outcome, mu_clock_wall_s(), &why)) {
        api_log(world, "acme challenge=%llu not settled: %s", (unsigned long long)id,
                mutual_code_name(why.code));
    }
    return true;
}
