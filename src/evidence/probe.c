/* SPDX-License-Identifier: Apache-2.0
 *
 * Which challenge is to be looked at, and what was found.
 */
#include <arpa/inet.h>
#include <string.h>

#include "evidence/evidence.h"
#include "ipc/ipc.h"

void evidence_probe_write(const struct evidence_probe *probe, struct mu_buf *out)
{
    ipc_put_u64(out, probe->id);
    ipc_put_u8(out, (uint8_t)probe->method);
    ipc_put_u8(out, probe->address ? 1 : 0);
    ipc_put_text(out, probe->name);
    ipc_put_text(out, probe->token);
    ipc_put_text(out, probe->authorization);
}

static bool consists_of(const char *text, const char *alphabet)
{
    return text[0] != '\0' && text[strspn(text, alphabet)] == '\0';
}

#define LOWER    "abcdefghijklmnopqrstuvwxyz"
#define DIGITS   "0123456789"
#define URL_SAFE LOWER DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

static bool is_name(const struct evidence_probe *probe)
{
    uint8_t bytes[16];
    if (probe->address) {
        return inet_pton(AF_INET, probe->name, bytes) == 1 ||
               inet_pton(AF_INET6, probe->name, bytes) == 1;
    }
    size_t len = strlen(probe->name);
    return consists_of(probe->name, LOWER DIGITS "-_.") && probe->name[0] != '.' &&
           probe->name[len - 1] != '.' && strstr(probe->name, "..") == NULL &&
           inet_pton(AF_INET, probe->name, bytes) != 1;
}

bool evidence_probe_read(struct mu_slice bytes, struct evidence_probe *ret_probe,
                         struct mutual_error *err)
{
    struct evidence_probe probe = {0};
    struct ipc_reader reader = ipc_reader_of(bytes);
    probe.id = ipc_get_u64(&reader);
    uint8_t method = ipc_get_u8(&reader);
    probe.address = ipc_get_u8(&reader) != 0;
    ipc_get_line(&reader, probe.name, sizeof probe.name);
    ipc_get_line(&reader, probe.token, sizeof probe.token);
    ipc_get_line(&reader, probe.authorization, sizeof probe.authorization);
    if (!ipc_reader_end(&reader, "a challenge", err)) {
        return false;
    }
    if (method >= EVIDENCE_METHODS_ || (probe.address && method == EVIDENCE_DNS_01) ||
        !is_name(&probe) || !consists_of(probe.token, URL_SAFE) ||
        !consists_of(probe.authorization, URL_SAFE ".")) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a challenge is none that there could be");
    }
    probe.method = (enum evidence_method)method;
    *ret_probe = probe;
    return true;
}

void evidence_probed_write(uint64_t id, const struct mutual_error *outcome, struct mu_buf *out)
{
    bool good = outcome->code == MUTUAL_OK;
    ipc_put_u64(out, id);
    ipc_put_u8(out, good ? 1 : 0);
    if (!good) {
        ipc_put_error(out, outcome);
    }
}

bool evidence_probed_read(struct mu_slice bytes, uint64_t *ret_id, struct mutual_error *ret_outcome,
                          struct mutual_error *err)
{
    struct ipc_reader reader = ipc_reader_of(bytes);
    struct mutual_error outcome = {0};
    uint64_t id = ipc_get_u64(&reader);
    bool good = ipc_get_u8(&reader) != 0;
    if (!good) {
        ipc_get_error(&reader, &outcome);
    }
    if (!ipc_reader_end(&reader, "what became of a challenge", err)) {
        return false;
    }
    if (!good && outcome.code == MUTUAL_OK) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "a challenge failed for no reason");
    }
    *ret_id = id;
    *ret_outcome = outcome;
    return true;
}
