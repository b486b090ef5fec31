/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of profiles, whatever it holds: it is refused with findings that can be shown, or what it
 * says is within bounds.
 */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    MU_AUTO(config_findings) struct config_findings findings;
    MU_AUTO(config_profiles) struct config_profiles *profiles = NULL;
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, 4u << 20);
    config_findings_init(&findings);
    bool good = config_profiles_build("fuzz.yaml", mu_slice_of(data, size), &findings, &profiles);
    mu_assert(good == (findings.errors == 0) && good == (profiles != NULL));
    config_findings_sort(&findings);
    config_findings_text(&findings, "fuzz.yaml", false, &out);
    for (size_t i = 0; good && i < profiles->count; i++) {
        const struct config_profile *p = &profiles->items[i];
        mu_assert(p->name != NULL && p->purposes.count > 0 && p->names.count > 0);
        mu_assert(p->life_ns > 0 && (p->life_max_ns == 0 || p->life_max_ns >= p->life_ns));
        for (size_t k = 0; k < p->keys.count; k++) {
            mu_assert(p->keys.items[k] >= 0 && p->keys.items[k] < CONFIG_KEY_KINDS);
        }
        for (size_t k = 0; k < p->names.count; k++) {
            mu_assert(p->names.items[k] >= 0 && p->names.items[k] < CONFIG_NAME_CN);
        }
    }
    return 0;
}
