/* SPDX-License-Identifier: Apache-2.0
 *
 * A configuration, whatever it holds: it is refused with findings that can be shown, or it is
 * built and can be shown, and what is shown is taken again.
 */
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *build(struct mu_slice text)
{
    MU_AUTO(config_findings) struct config_findings findings;
    config_findings_init(&findings);
    MU_AUTO(config_snapshot) struct config_snapshot *snapshot = config_snapshot_new();
    struct config *config = NULL;
    if (snapshot == NULL || !config_snapshot_add(snapshot, "fuzz.yaml", text, NULL)) {
        return NULL;
    }
    bool sound = config_build(snapshot, NULL, &findings, &config);
    if (sound != (findings.errors == 0)) {
        abort();
    }
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4u << 20);
    config_findings_sort(&findings);
    config_findings_text(&findings, "fuzz.yaml", false, &out);
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(config) struct config *config = build(mu_slice_of(data, size));
    if (config == NULL) {
        return 0;
    }
    MU_AUTO(buf) struct mu_buf shown;
    mu_buf_init(&shown, 4u << 20);
    config_show(config, &shown);
    config_trim(config);
    if (!shown.failed) {
        MU_AUTO(config) struct config *again = build(mu_buf_slice(&shown));
        if (again == NULL) {
            abort();
        }
    }
    return 0;
}
