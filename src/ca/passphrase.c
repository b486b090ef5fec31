/* SPDX-License-Identifier: Apache-2.0
 *
 * Passphrases that people copy by hand, and where the authority lives by default.
 */
#include "ca/ca_internal.h"
#include "config/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Thirty-one signs without 0 o 1 l i: twenty of them hold 99 bits. */
static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";
#define SIGNS   (sizeof alphabet - 1)
#define LETTERS 20u
#define GROUP   5u
#define FAIR_BELOW                                                                 \
    (256u - 256u % (unsigned)SIGNS) /* bytes from there on would favour some signs \
                                     */

bool ca_passphrase_new(char ret_text[CA_PASSPHRASE_TEXT], struct mutual_error *err)
{
    char text[CA_PASSPHRASE_TEXT] = {0};
    size_t len = 0;
    for (unsigned done = 0; done < LETTERS;) {
        uint8_t byte;
        if (!mu_random(&byte, 1, err)) {
            return false;
        }
        if (byte >= FAIR_BELOW) {
            continue;
        }
        if (done > 0 && done % GROUP == 0) {
            text[len++] = '-';
        }
        text[len++] = alphabet[byte % SIGNS];
        done++;
    }
    memcpy(ret_text, text, sizeof text);
    mu_wipe(text, sizeof text);
    return true;
}

bool ca_default_dir(struct mu_buf *out)
{
    return config_state_directory(out);
}
