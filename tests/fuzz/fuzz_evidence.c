/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame that says who was proved: what is read can be written, and is then read the same.
 */
#include <string.h>

#include "evidence/evidence.h"
#include "ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_error err = {0};
    struct evidence evidence;
    struct evidence again;
    struct evidence_setup setup = {0};
    size_t len = 0;
    if (evidence_setup_read(mu_slice_of(data, size), &setup, &err)) {
        evidence_setup_done(&setup);
    }
    struct evidence_probe probe;
    struct mutual_error outcome = {0};
    uint64_t id = 0;
    if (evidence_probe_read(mu_slice_of(data, size), &probe, &err)) {
        mu_assert(probe.name[0] != '\0' && strpbrk(probe.name, "/@?# ") == NULL);
    }
    (void)!evidence_probed_read(mu_slice_of(data, size), &id, &outcome, &err);
    MU_AUTO(ledger) struct ledger kept = {0};
    MU_AUTO(ledger) struct ledger retired = {0};
    struct ipc_reader reader = ipc_reader_of(mu_slice_of(data, size));
    if (ledger_read(&kept, &reader, &err)) {
        ledger_retire(&kept, &retired);
        ledger_add(&kept, &retired);
    }
    struct evidence_local local;
    if (evidence_local_read(mu_slice_of(data, size), &local, &err)) {
        mu_assert(strchr(local.who, '\n') == NULL && strchr(local.who, '(') != NULL);
    }
    if (size < EVIDENCE_HEAD || !evidence_head_read(data, &len, &err)) {
        return 0;
    }
    mu_assert(len > 0 && len <= EVIDENCE_BODY);
    if (!evidence_body_read(mu_slice_of(data + EVIDENCE_HEAD, size - EVIDENCE_HEAD), &evidence,
                            &err)) {
        return 0;
    }
    MU_AUTO(buf) struct mu_buf frame;
    mu_buf_init(&frame, EVIDENCE_HEAD + EVIDENCE_BODY);
    mu_assert(evidence_write(&evidence, &frame, &err));
    mu_assert(evidence_body_read(mu_slice_of(frame.data + EVIDENCE_HEAD, frame.len - EVIDENCE_HEAD),
                                 &again, &err));
    mu_assert(again.channel == evidence.channel && mu_slice_equal(again.leaf, evidence.leaf));
    mu_assert(strcmp(again.listener, evidence.listener) == 0);
    return 0;
}
