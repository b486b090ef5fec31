/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame that says who was proved.
 */
#include <string.h>

#include "evidence/evidence.h"
#include "ipc/ipc.h"

enum { VERSION = 1 };
static const uint8_t magic[4] = {'M', 'U', 'E', 'V'};

/* A certificate where one was proved, and none where none was. */
static bool fits(const struct evidence *evidence)
{
    bool proved = evidence->channel == EVIDENCE_MUTUAL;
    return evidence->channel < EVIDENCE_CHANNEL_COUNT_ && proved == (evidence->leaf.len > 0) &&
           evidence->leaf.len <= MU_LIMIT_CERT_BYTES && evidence->listener[0] != '\0' &&
           evidence->address[0] != '\0';
}

bool evidence_write(const struct evidence *evidence, struct mu_buf *out, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf body;
    uint8_t len[4];
    if (!fits(evidence)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "what was proved and what is handed on do not fit together");
    }
    mu_buf_init(&body, EVIDENCE_BODY);
    ipc_put_u8(&body, VERSION);
    ipc_put_u8(&body, (uint8_t)evidence->channel);
    ipc_put_text(&body, evidence->listener);
    ipc_put_text(&body, evidence->address);
    ipc_put_bytes(&body, evidence->leaf);
    mu_put_be32(len, (uint32_t)body.len);
    (void)mu_buf_append(out, magic, sizeof magic);
    (void)mu_buf_append(out, len, sizeof len);
    (void)mu_buf_append(out, body.data, body.len);
    return (!body.failed && !out->failed) || mu_fail_memory(err);
}

bool evidence_head_read(const uint8_t head[EVIDENCE_HEAD], size_t *ret_len,
                        struct mutual_error *err)
{
    uint32_t len = mu_get_be32(head + sizeof magic);
    if (memcmp(head, magic, sizeof magic) != 0 || len == 0 || len > EVIDENCE_BODY) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED,
                       "a connection does not begin with who was proved");
    }
    *ret_len = len;
    return true;
}

bool evidence_body_read(struct mu_slice body, struct evidence *ret_evidence,
                        struct mutual_error *err)
{
    struct evidence evidence = {0};
    struct ipc_reader reader = ipc_reader_of(body);
    uint8_t version = ipc_get_u8(&reader);
    evidence.channel = (enum evidence_channel)ipc_get_u8(&reader);
    ipc_get_line(&reader, evidence.listener, sizeof evidence.listener);
    ipc_get_line(&reader, evidence.address, sizeof evidence.address);
    evidence.leaf = ipc_get_bytes(&reader, MU_LIMIT_CERT_BYTES);
    if (!ipc_reader_end(&reader, "who was proved", err)) {
        return false;
    }
    if (version != VERSION || !fits(&evidence)) {
        return mu_fail(err, MUTUAL_E_MESSAGE_MALFORMED, "who was proved is said in no way we know");
    }
    *ret_evidence = evidence;
    return true;
}
