/* SPDX-License-Identifier: Apache-2.0
 *
 * What a worker that was taken over may send to the key process: the request, then the judgement of
 * the bytes to be signed by every kind of rule. Only keys_permit stands between them and a key.
 */
#include "keys/keys_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_error err = {0};
    struct keys_request request;
    if (!keys_request_read(mu_slice_of(data, size), &request, &err)) {
        return 0;
    }
    static const struct mu_key_info kinds[] = {
        {.kind = MU_KEY_EC, .curve = MU_CURVE_P256, .text = "EC P-256"},
        {.kind = MU_KEY_RSA, .text = "RSA"},
        {.kind = MU_KEY_ED25519, .text = "Ed25519"}};
    struct keys_rules rules = {.ca = {.issuer = MU_SLICE_LIT("0\0"),
                                      .max_lifetime_s = 86400,
                                      .serial_min_bytes = 16,
                                      .serial_max_bytes = 20}};
    char what[512];
    enum keys_purpose purpose;
    for (uint32_t bit = 1; bit <= KEYS_PURPOSES_ALL; bit <<= 1) {
        rules.purposes = bit;
        for (size_t i = 0; i < MU_COUNT(kinds); i++) {
            if (keys_permit(&rules, &kinds[i], &request.scheme, request.tbs, what, &purpose,
                            &err)) {
                mu_assert(purpose == (enum keys_purpose)bit);
            }
        }
    }
    return 0;
}
