/* SPDX-License-Identifier: Apache-2.0
 *
 * An enrolment token as text: what is read is written the same.
 */
#include "ca/ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_error err = {0};
    struct ca_token_text token;
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 4096);
    if (!ca_token_parse(mu_slice_of(data, size), &token, &err)) {
        mu_assert(err.code == MUTUAL_E_TOKEN_MALFORMED && err.reason[0] != '\0');
        return 0;
    }
    mu_assert(ca_token_format(&token, &text, &err));
    mu_assert(mu_slice_equal(mu_buf_slice(&text), mu_slice_of(data, size)));
    return 0;
}
