/* SPDX-License-Identifier: Apache-2.0
 *
 * Deny lists. Either everything is understood and every entry is found again by what it denies, or
 * there is an error for each line that is not, and no list.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_of_all)
{
    if (!true_of_all) {
        abort();
    }
}

static void count(void *context, int line, const struct mutual_error *fault)
{
    size_t *faults = context;
    need(line >= 0 && fault->code != MUTUAL_OK && strchr(fault->reason, '\n') == NULL);
    ++*faults;
}

/* A name that the pattern of an entry is about, where it is no wildcard; else any. */
static void look_for_name(const struct mutual_deny *deny, const struct mutual_denial *denial)
{
    const struct mutual_name name = {denial->type, denial->value, strlen(denial->value)};
    const struct mutual_name *which = NULL;
    struct mutual_pattern *pattern = NULL;
    const struct mutual_denial *found = mu_deny_find_name(deny, &name, 1, &which);
    need(found == NULL || which == &name);
    need(mutual_pattern_parse(denial->type, denial->value, &pattern, NULL));
    need(!mutual_pattern_is_exact(pattern) || (found != NULL && found->line <= denial->line));
    need(strcmp(mutual_pattern_text(pattern), denial->value) == 0);
    mutual_pattern_free(pattern);
}

static void look_for(const struct mutual_deny *deny, const struct mutual_denial *denial)
{
    if (denial->kind == MUTUAL_DENIAL_NAME) {
        look_for_name(deny, denial);
        return;
    }
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 64);
    need(mu_hex_parse(mu_slice_text(denial->value), &bytes, NULL));
    if (denial->kind == MUTUAL_DENIAL_KEY) {
        need(bytes.len == 32);
        need(mu_deny_find_cert(deny, NULL, mu_slice_of("none", 4), bytes.data) != NULL);
    } else if (denial->issuer == NULL) {
        need(mu_deny_find_cert(deny, NULL, mu_buf_slice(&bytes), NULL) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mutual_deny *deny = NULL;
    struct mutual_error err = {0};
    size_t faults = 0;
    bool read = mutual_deny_parse((const char *)data, size, "deny", count, &faults, &deny, &err);
    need(read == (faults == 0) && read == (deny != NULL) && read == (err.code == MUTUAL_OK));
    for (size_t i = 0; read && i < mutual_deny_count(deny); i++) {
        const struct mutual_denial *denial = mutual_deny_get(deny, i);
        MU_AUTO(buf) struct mu_buf text;
        mu_buf_init(&text, 8u * MU_LIMIT_DENY_LINE);
        mu_denial_text(denial, &text);
        need(!text.failed && memchr(text.data, '\n', text.len) == NULL);
        need(denial->owner[0] != '\0' && denial->reason[0] != '\0' && denial->line > 1);
        look_for(deny, denial);
    }
    mutual_deny_unref(deny);
    return 0;
}
