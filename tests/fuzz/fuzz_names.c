/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and patterns. The first byte chooses the type; the text is read as a name, as a host to
 * reach and as a pattern. A name that was accepted is its own normal form and is matched by the
 * pattern of the same text.
 */
#include <stdlib.h>
#include <string.h>

#include "identity/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_of_all)
{
    if (!true_of_all) {
        abort();
    }
}

static void check_name(const struct mutual_name *name)
{
    char storage[2049];
    struct mutual_name again;
    for (size_t i = 0; i < name->len; i++) {
        need(name->text[i] >= 0x20 && name->text[i] <= 0x7e);
    }
    need(name->text[name->len] == '\0');
    need(mutual_name_parse(name->type, name->text, name->len, storage, sizeof storage, &again,
                           NULL));
    need(again.len == name->len && memcmp(again.text, name->text, name->len) == 0);
    need(!mu_name_is_wildcard(name));
    struct mutual_pattern *pattern = NULL;
    if (mutual_pattern_parse(name->type, name->text, &pattern, NULL)) {
        need(mutual_pattern_matches(pattern, name));
        mutual_pattern_free(pattern);
    }
    if (name->type == MUTUAL_NAME_DNS || name->type == MUTUAL_NAME_IP) {
        need(mu_names_match_host(name, 1, name->text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    enum mutual_name_type type = (enum mutual_name_type)(data[0] % (unsigned)MUTUAL_NAME_COUNT_);
    const char *text = (const char *)data + 1;
    char storage[2049];
    struct mutual_name name;
    struct mutual_error err = {0};
    if (mutual_name_parse(type, text, size - 1, storage, sizeof storage, &name, &err)) {
        check_name(&name);
    } else {
        need(err.code != MUTUAL_OK && strchr(err.reason, '\n') == NULL);
    }
    (void)!mutual_spiffe_check(text, size - 1, NULL);
    MU_AUTO(free) char *copy = mu_strndup(text, size - 1);
    struct mutual_pattern *pattern = NULL;
    need(copy != NULL);
    if (mutual_pattern_parse(type, copy, &pattern, NULL)) {
        struct mutual_pattern *same = NULL;
        need(mutual_pattern_parse(type, mutual_pattern_text(pattern), &same, NULL));
        need(strcmp(mutual_pattern_text(same), mutual_pattern_text(pattern)) == 0);
        need(mutual_pattern_is_exact(same) == mutual_pattern_is_exact(pattern));
        mutual_pattern_free(same);
        mutual_pattern_free(pattern);
    }
    return 0;
}
