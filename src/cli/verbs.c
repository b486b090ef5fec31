/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of verbs, made from verbs.def, and finding one by name.
 */
#include "cli/cli_internal.h"

#include <string.h>

const struct cli_verb *const cli_verbs[] = {
#define VERB(name_) &cli_verb_##name_,
#include "cli/verbs.def"
#undef VERB
    NULL,
};

const struct cli_verb *verb_find(const char *name)
{
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (strcmp(cli_verbs[i]->name, name) == 0) {
            return cli_verbs[i];
        }
    }
    return NULL;
}

const struct cli_verb *verb_find_sub(const struct cli_verb *verb, const char *name)
{
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        if (strcmp(sub->name, name) == 0) {
            return sub;
        }
    }
    return NULL;
}

const char *verb_words(const struct cli_verb *verb, const char *between, struct mu_buf *out)
{
    for (const struct cli_verb *sub = verb->subs; sub != NULL && sub->name != NULL; sub++) {
        mu_buf_printf(out, "%s%s", sub == verb->subs ? "" : between, sub->name);
    }
    return mu_buf_str(out);
}

#define WORDS_MAX 64u

bool verb_fail_unknown(const struct cli_verb *parent, const char *name, struct mutual_error *err)
{
    const char *words[WORDS_MAX + 1] = {NULL};
    size_t count = 0;
    if (parent == NULL) {
        for (size_t i = 0; cli_verbs[i] != NULL && count < WORDS_MAX; i++) {
            words[count++] = cli_verbs[i]->name;
        }
        (void)mu_fail(err, MUTUAL_E_VERB_UNKNOWN, "unknown verb \"%s\"", name);
    } else {
        for (size_t i = 0; parent->subs[i].name != NULL && count < WORDS_MAX; i++) {
            words[count++] = parent->subs[i].name;
        }
        (void)mu_fail(err, MUTUAL_E_VERB_UNKNOWN, "\"mutual %s\" has no verb \"%s\"", parent->name,
                      name);
        mu_error_hint(err, "Run: mutual help %s.", parent->name);
    }
    const char *near = mu_suggest(name, words);
    return near == NULL ? false : mu_error_hint(err, "Did you mean \"%s\"?", near);
}
