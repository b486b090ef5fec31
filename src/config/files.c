/* SPDX-License-Identifier: Apache-2.0
 *
 * Every file that a configuration names: the tables walked for their paths, so that a setting that
 * is new is found too.
 */
#include "config/config_internal.h"

#include <string.h>

struct visit {
    config_file_visit *visit;
    void *context;
};

static void visit_block(const struct visit *visit, const struct block *block, const void *base);

static void visit_slot(const struct visit *visit, const struct setting *s, const void *slot)
{
    const char *path = NULL;
    if (s->type == SETTING_BLOCK) {
        visit_block(visit, s->block, slot);
    } else if (s->type == SETTING_PATH) {
        memcpy(&path, slot, sizeof path);
    } else if (s->type == SETTING_SECRET) {
        struct config_secret secret;
        memcpy(&secret, slot, sizeof secret);
        path = secret.kind == CONFIG_SECRET_FILE ? secret.value : NULL;
    }
    if (path != NULL) {
        visit->visit(visit->context, path);
    }
}

static void visit_block(const struct visit *visit, const struct block *block, const void *base)
{
    for (const struct setting *s = block->settings; s->name != NULL; s++) {
        const char *slot = (const char *)base + s->offset;
        if (s->shape == SETTING_ONE) {
            visit_slot(visit, s, slot);
            continue;
        }
        const char *items = NULL;
        size_t count = 0;
        memcpy(&items, slot, sizeof items);
        memcpy(&count, (const char *)base + s->count_offset, sizeof count);
        for (size_t i = 0; i < count; i++) {
            visit_slot(visit, s, items + i * setting_element_size(s));
        }
    }
}

void config_files(const struct config *config, config_file_visit *visit, void *context)
{
    const struct visit all = {visit, context};
    visit_block(&all, &schema_root, config);
}
