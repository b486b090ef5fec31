/* SPDX-License-Identifier: Apache-2.0
 *
 * Our record layer against OpenSSL's: a script of records, good and bad, that both are sent.
 */
#include "record_duel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    duel_run(data, size);
    return 0;
}
