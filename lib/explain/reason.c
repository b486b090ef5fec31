/* SPDX-License-Identifier: Apache-2.0
 *
 * The stable words for reasons in logs and metrics: the code's name in lower case, except where
 * another word is established.
 */
#include "explain/explain.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    enum mutual_code code;
    const char *word;
} established[] = {
    {MUTUAL_OK, "ok"},
    {MUTUAL_E_CERT_EXPIRED, "expired"},
    {MUTUAL_E_CERT_NOT_YET_VALID, "not_yet_valid"},
    {MUTUAL_E_CERT_REVOKED, "revoked"},
    {MUTUAL_E_PURPOSE_WRONG, "eku_missing"},
    {MUTUAL_E_CERT_SIGNATURE, "bad_signature"},
    {MUTUAL_E_NAME_MALFORMED, "identity_invalid"},
    {MUTUAL_E_PROTOCOL_OLD, "protocol_version"},
    {MUTUAL_E_HANDSHAKE_TIMEOUT, "timeout"},
    {MUTUAL_E_BACKEND_DOWN, "upstream_down"},
};

const char *mu_explain_reason_word(enum mutual_code code, char word[MU_REASON_TEXT])
{
    const char *name = mutual_code_name(code);
    for (size_t i = 0; i < MU_COUNT(established); i++) {
        if (established[i].code == code) {
            name = established[i].word;
        }
    }
    snprintf(word, MU_REASON_TEXT, "%s", name);
    for (char *c = word; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return word;
}

enum mutual_code mu_explain_reason_find(const char *word)
{
    for (unsigned i = 1; i < (unsigned)MUTUAL_E_COUNT_; i++) {
        enum mutual_code code = (enum mutual_code)i;
        char known[MU_REASON_TEXT];
        if (strcasecmp(word, mu_explain_reason_word(code, known)) == 0 ||
            strcasecmp(word, mutual_code_name(code)) == 0) {
            return code;
        }
    }
    return MUTUAL_OK;
}
