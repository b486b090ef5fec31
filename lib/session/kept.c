/* SPDX-License-Identifier: Apache-2.0
 *
 * What resumes a session of TLS 1.3, and the proof beside it, as bytes for the table that processes
 * share. The form is ours; what is read was sealed by a process like this one.
 */
#include "session/session_internal.h"
#include "session/share_internal.h"

#include <string.h>

#define FORM 1u

static void put_u64(struct mu_buf *out, uint64_t value)
{
    uint8_t bytes[8];
    mu_put_be64(bytes, value);
    (void)mu_buf_append(out, bytes, sizeof bytes);
}

bool mu_kept_write(const struct mu_kept *kept, const struct mu_proof *proof, const char *service,
                   struct mu_buf *out)
{
    struct mutual_error ignored = {0};
    uint8_t suite[2];
    size_t service_len = strlen(service);
    if (service_len > UINT8_MAX || proof->staple.status != MUTUAL_STAPLE_NONE) {
        return false; /* nobody staples to a server */
    }
    mu_put_be16(suite, kept->suite);
    (void)mu_buf_byte(out, FORM);
    put_u64(out, (uint64_t)kept->until_s);
    put_u64(out, (uint64_t)proof->proved_at_s);
    put_u64(out, proof->trust_generation);
    (void)mu_buf_append(out, suite, sizeof suite);
    (void)mu_buf_byte(out, proof->mutual ? 1 : 0);
    (void)mu_buf_byte(out, kept->psk_len);
    (void)mu_buf_append(out, kept->psk, kept->psk_len);
    (void)mu_buf_append(out, kept->binding, sizeof kept->binding);
    (void)mu_buf_byte(out, (uint8_t)service_len);
    (void)mu_buf_append(out, service, service_len);
    (void)mu_buf_byte(out, proof->chain != NULL ? 1 : 0);
    return (proof->chain == NULL || mu_chain_serialise(proof->chain, out, &ignored)) &&
           !out->failed;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The next `len` bytes; NULL and *broken when there are not so many. */
static const uint8_t *get(struct mu_slice *from, size_t len, bool *broken)
{
    static const uint8_t nothing[UINT8_MAX];
    if (*broken || from->len < len) {
        *broken = true;
        return nothing;
    }
    const uint8_t *at = from->data;
    *from = mu_slice_of(at + len, from->len - len);
    return at;
}

bool mu_kept_read(struct mu_slice bytes, struct mu_kept *ret_kept, struct mu_proof *ret_proof,
                  char ret_service[MU_KEPT_SERVICE])
{
    struct mutual_error ignored = {0};
    bool broken = false;
    broken = *get(&bytes, 1, &broken) != FORM || broken;
    struct mu_kept kept = {.until_s = (int64_t)mu_get_be64(get(&bytes, 8, &broken))};
    struct mu_proof proof = {.proved_at_s = (int64_t)mu_get_be64(get(&bytes, 8, &broken))};
    proof.trust_generation = mu_get_be64(get(&bytes, 8, &broken));
    kept.suite = mu_get_be16(get(&bytes, 2, &broken));
    proof.mutual = *get(&bytes, 1, &broken) == 1;
    kept.psk_len = *get(&bytes, 1, &broken);
    broken = broken || kept.psk_len > sizeof kept.psk;
    if (!broken) {
        memcpy(kept.psk, get(&bytes, kept.psk_len, &broken), kept.psk_len);
    }
    memcpy(kept.binding, get(&bytes, sizeof kept.binding, &broken), sizeof kept.binding);
    size_t service_len = *get(&bytes, 1, &broken);
    memcpy(ret_service, get(&bytes, service_len, &broken), broken ? 0 : service_len);
    ret_service[broken ? 0 : service_len] = '\0';
    bool has_chain = *get(&bytes, 1, &broken) == 1;
    if (broken || (has_chain ? !mu_chain_parse(bytes, &proof.chain, &ignored) : bytes.len > 0)) {
        mu_wipe(&kept, sizeof kept);
        return false;
    }
    *ret_kept = kept;
    *ret_proof = proof;
    mu_wipe(&kept, sizeof kept);
    return true;
}
