/* SPDX-License-Identifier: Apache-2.0
 *
 * From trees to the model, led by the schema tables. Goes on after an error, so that one run tells
 * everything; what was wrong stays zero in the model.
 */
#include "config/config_internal.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TREE_BYTES_MAX  (512u << 20) /* all files of the greatest size, as trees */
#define MODEL_BYTES_MAX (512u << 20)
#define SETTINGS_MAX    64u /* of one block */

void decode_complain(struct decode *decode, const struct config_place *place, const char *hint,
                     const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    config_finding_add(decode->findings, decode->snapshot, CONFIG_ERROR, MUTUAL_E_CONFIG_INVALID,
                       place, hint, "%s", text);
}

/* ---- paths -------------------------------------------------------------------------------------
 */

/* What a path is relative to is the file it is written in. */
const char *decode_path(struct decode *decode, const char *file, const char *path)
{
    MU_AUTO(buf) struct mu_buf whole;
    mu_buf_init(&whole, 8192);
    const char *slash = strrchr(file, '/');
    if (path[0] != '/' && slash != NULL) {
        mu_buf_append(&whole, file, (size_t)(slash - file) + 1);
    }
    mu_buf_text(&whole, path);
    const char *copy =
        whole.failed ? NULL : mu_arena_strndup(decode->whole->arena, mu_buf_str(&whole), whole.len);
    decode->no_memory = decode->no_memory || copy == NULL;
    return copy;
}

bool config_include_matches(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE) == 0;
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* One value of any type: a scalar, a block, or what is short for a block. */
static void decode_one(struct decode *d, const struct setting *s, const struct config_node *node,
                       void *slot)
{
    if (s->type != SETTING_BLOCK) {
        decode_value(d, s, node, slot);
        return;
    }
    bool is_short = s->block->short_form != NULL && node->kind == NODE_SCALAR;
    if (node->kind != NODE_MAP && node->kind != NODE_BROKEN && !is_short) {
        struct config_place place = node_place(node);
        decode_complain(d, &place, "name: value", "\"%s\" takes a block of settings", s->name);
    }
    decode_block(d, s->block, node, slot);
}

static void set_list(const struct setting *s, void *base, void *items, size_t count)
{
    memcpy((char *)base + s->offset, &items, sizeof(void *));
    memcpy((char *)base + s->count_offset, &count, sizeof count);
}

static void decode_many(struct decode *d, const struct setting *s, const struct config_node *node,
                        void *base)
{
    struct config_place place = node_place(node);
    bool single = node->kind != NODE_LIST;
    if (node->kind == NODE_BROKEN) {
        return;
    }
    if (single && s->shape == SETTING_MANY) {
        decode_complain(d, &place, "begin each entry with \"- \"", "\"%s\" takes a list", s->name);
        return;
    }
    size_t count = single ? 1 : 0;
    for (const struct config_node *n = single ? NULL : node->first; n != NULL; n = n->next) {
        count++;
    }
    if (count == 0) {
        if (s->required) {
            decode_complain(d, &place, NULL, "\"%s\" is an empty list", s->name);
        }
        return;
    }
    size_t size = setting_element_size(s);
    char *items = mu_arena_alloc(d->whole->arena, count * size);
    if (items == NULL) {
        d->no_memory = true;
        return;
    }
    set_list(s, base, items, count);
    const struct config_node *n = single ? node : node->first;
    for (size_t i = 0; i < count; i++, n = n->next) {
        decode_one(d, s, n, items + i * size);
    }
}

/* A setting that was not written: its default, decoded as though it had been. */
static void decode_default(struct decode *d, const struct setting *s, void *base)
{
    char *slot = (char *)base + s->offset;
    if (s->type == SETTING_BLOCK && s->shape == SETTING_ONE) {
        decode_block(d, s->block, NULL, slot);
    } else if (s->dflt != NULL) {
        const struct config_node node = {.text = s->dflt, .file = "", .kind = NODE_SCALAR};
        if (s->shape == SETTING_ONE) {
            decode_value(d, s, &node, slot);
        } else {
            decode_many(d, s, &node, base);
        }
    }
}

static const struct setting *find_setting(const struct block *block, const char *key,
                                          size_t *ret_index)
{
    for (size_t i = 0; block->settings[i].name != NULL; i++) {
        if (setting_named(block->settings[i].name, key)) {
            *ret_index = i;
            return &block->settings[i];
        }
    }
    return NULL;
}

/* Which settings of a block, by bits in the order of its table, were written, and which were
 * probably meant by an unknown name and so are not to be called missing. */
struct written {
    uint64_t seen;
    uint64_t meant;
};

static void complain_unknown(struct decode *d, const struct block *block,
                             const struct config_node *node, struct written *written)
{
    const char *names[SETTINGS_MAX + 1] = {NULL};
    for (size_t i = 0; i < SETTINGS_MAX && block->settings[i].name != NULL; i++) {
        names[i] = block->settings[i].name;
    }
    struct config_place place = node_key_place(node);
    if (strcmp(node->key, "<<") == 0) {
        decode_complain(d, &place, "write it out where it is needed", "merging is not allowed");
        return;
    }
    MU_AUTO(buf) struct mu_buf hint;
    mu_buf_init(&hint, 512);
    const char *near = mu_suggest(node->key, names);
    if (near != NULL) {
        mu_buf_printf(&hint, "did you mean \"%s\"?", near);
    } else {
        for (size_t i = 0; names[i] != NULL; i++) {
            mu_buf_printf(&hint, "%s%s", i == 0 ? "known here: " : ", ", names[i]);
        }
    }
    decode_complain(d, &place, mu_buf_str(&hint), "unknown setting \"%s\"", node->key);
    size_t index;
    if (near != NULL && find_setting(block, near, &index) != NULL) {
        written->meant |= UINT64_C(1) << index;
    }
}

static void decode_entry(struct decode *d, const struct block *block,
                         const struct config_node *node, void *base, struct written *written)
{
    size_t index = 0;
    const struct setting *s = find_setting(block, node->key, &index);
    if (s == NULL) {
        complain_unknown(d, block, node, written);
        return;
    }
    uint64_t bit = UINT64_C(1) << index;
    if ((written->seen & bit) != 0) {
        struct config_place place = node_key_place(node);
        decode_complain(d, &place, NULL, "\"%s\" is set twice", s->name);
        return;
    }
    written->seen |= bit;
    if (s->shape != SETTING_ONE) {
        decode_many(d, s, node, base);
    } else {
        /* A value that turns out wrong leaves the default, which is no further finding. */
        if (s->type != SETTING_BLOCK) {
            decode_default(d, s, base);
        }
        decode_one(d, s, node, (char *)base + s->offset);
    }
}

static void complain_missing(struct decode *d, const struct block *block, const struct setting *s,
                             const struct config_node *node)
{
    if (node == NULL || node->kind == NODE_BROKEN || d->broken) {
        return;
    }
    struct config_place place = node_place(node);
    MU_AUTO(buf) struct mu_buf hint;
    mu_buf_init(&hint, 256);
    mu_buf_printf(&hint, "%s: %s", s->name, s->help);
    decode_complain(d, &place, mu_buf_str(&hint), "required setting \"%s\" is missing from this %s",
                    s->name, block->name);
}

/* `node` may be NULL (nothing is written), a map, a scalar for the short form, or broken. */
void decode_block(struct decode *d, const struct block *block, const struct config_node *node,
                  void *base)
{
    struct config_mark *mark = base;
    *mark = (struct config_mark){.file = node == NULL ? NULL : node->file,
                                 .line = node == NULL ? 0 : node->line,
                                 .node = node};
    struct written written = {0, 0};
    if (node != NULL && node->kind == NODE_SCALAR && block->short_form != NULL) {
        size_t index = 0;
        const struct setting *s = find_setting(block, block->short_form, &index);
        mu_assert(s != NULL);
        decode_value(d, s, node, (char *)base + s->offset);
        written.seen = UINT64_C(1) << index;
    }
    const struct config_node *entry = node != NULL && node->kind == NODE_MAP ? node->first : NULL;
    for (; entry != NULL; entry = entry->next) {
        decode_entry(d, block, entry, base, &written);
    }
    bool is_map = node != NULL && node->kind == NODE_MAP;
    for (size_t i = 0; block->settings[i].name != NULL; i++) {
        if ((written.seen >> i & 1) != 0) {
            continue;
        }
        decode_default(d, &block->settings[i], base);
        if (block->settings[i].required && is_map && (written.meant >> i & 1) == 0) {
            complain_missing(d, block, &block->settings[i], node);
        }
    }
    if (block->finish != NULL && node != NULL && node->kind != NODE_BROKEN) {
        block->finish(d, node, base);
    }
}

/* ---- several files
 * ------------------------------------------------------------------------------- */

struct merge {
    struct config_node *root;
    struct config_node *tails[SETTINGS_MAX]; /* of the lists, by setting */
    struct config_node *settings[SETTINGS_MAX];
    struct config_node *last;
};

static void hang(struct merge *merge, struct config_node *entry)
{
    entry->next = NULL;
    if (merge->last == NULL) {
        merge->root->first = entry;
    } else {
        merge->last->next = entry;
    }
    merge->last = entry;
}

static struct config_node *last_of(struct config_node *list)
{
    struct config_node *node = list->first;
    while (node != NULL && node->next != NULL) {
        node = node->next;
    }
    return node;
}

/* A setting of a second file: lists are joined, everything else may be written once. */
static void merge_again(struct decode *d, struct merge *merge, size_t index,
                        struct config_node *entry)
{
    const struct setting *s = &schema_root.settings[index];
    struct config_node *had = merge->settings[index];
    if (had->file == entry->file) {
        struct config_place place = node_key_place(entry);
        decode_complain(d, &place, NULL, "\"%s\" is set twice", s->name);
        return;
    }
    bool version = strcmp(s->name, "version") == 0 && had->kind == NODE_SCALAR &&
                   entry->kind == NODE_SCALAR && strcmp(had->text, entry->text) == 0;
    if (version) {
        return;
    }
    if (s->shape != SETTING_MANY || had->kind != NODE_LIST || entry->kind != NODE_LIST) {
        struct config_place place = node_key_place(entry);
        decode_complain(d, &place, NULL, "\"%s\" was set already, in %s:%u", s->name, had->file,
                        had->line);
        return;
    }
    if (entry->first == NULL) {
        return;
    }
    if (had->first == NULL) {
        had->first = entry->first;
    } else {
        merge->tails[index]->next = entry->first;
    }
    merge->tails[index] = last_of(entry);
}

static void merge_file(struct decode *d, struct merge *merge, struct config_node *file, bool main)
{
    if (file->kind != NODE_MAP) {
        if (file->kind != NODE_BROKEN) {
            struct config_place place = node_place(file);
            decode_complain(d, &place, "version: 1", "a configuration is a block of settings");
        }
        d->broken = true;
        return;
    }
    struct config_node *next = NULL;
    for (struct config_node *entry = file->first; entry != NULL; entry = next) {
        next = entry->next;
        size_t index = 0;
        const struct setting *s = find_setting(&schema_root, entry->key, &index);
        if (s == NULL) {
            hang(merge, entry);
        } else if (!main && strcmp(s->name, "include") == 0) {
            struct config_place place = node_key_place(entry);
            decode_complain(d, &place, NULL, "only the main file may include others");
        } else if (merge->settings[index] != NULL) {
            merge_again(d, merge, index, entry);
        } else {
            merge->settings[index] = entry;
            merge->tails[index] = entry->kind == NODE_LIST ? last_of(entry) : NULL;
            hang(merge, entry);
        }
    }
}

static bool parse_file(struct decode *d, struct merge *merge, const char *name, bool main)
{
    struct mu_slice bytes = {NULL, 0};
    struct config_place place = {name, 0, 0, 0};
    if (!config_snapshot_find(d->snapshot, name, &bytes)) {
        config_finding_add(d->findings, NULL, CONFIG_ERROR, MUTUAL_E_FILE_MISSING, &place, NULL,
                           "the file is not there");
        return false;
    }
    struct config_node *file = NULL;
    const char *kept = mu_arena_strndup(d->whole->arena, name, strlen(name));
    if (kept == NULL) {
        d->no_memory = true;
        return false;
    }
    d->broken = !tree_parse(&d->whole->tree, kept, bytes, &file) || d->broken;
    if (main) {
        merge->root->file = kept;
    }
    if (file != NULL) {
        merge_file(d, merge, file, main);
    }
    return true;
}

/* Includes in the order of the patterns, and of the names within one. */
static void parse_pattern(struct decode *d, struct merge *merge, const struct config_node *node)
{
    const char *pattern = node->kind == NODE_SCALAR ? decode_path(d, node->file, node->text) : NULL;
    const char *before = NULL;
    while (pattern != NULL) {
        const char *next = NULL;
        for (size_t i = 1; i < config_snapshot_count(d->snapshot); i++) {
            const char *name = config_snapshot_name(d->snapshot, i);
            if (config_include_matches(pattern, name) &&
                (before == NULL || strcmp(name, before) > 0) &&
                (next == NULL || strcmp(name, next) < 0)) {
                next = name;
            }
        }
        if (next == NULL) {
            break;
        }
        parse_file(d, merge, next, false);
        before = next;
    }
    bool exact = pattern != NULL && strpbrk(pattern, "*?[") == NULL;
    if (exact && before == NULL) {
        struct config_place place = node_place(node);
        config_finding_add(d->findings, d->snapshot, CONFIG_ERROR, MUTUAL_E_FILE_MISSING, &place,
                           NULL, "the included file \"%s\" is not there", pattern);
    }
}

static void parse_includes(struct decode *d, struct merge *merge)
{
    size_t index = 0;
    (void)find_setting(&schema_root, "include", &index);
    const struct config_node *include = merge->settings[index];
    if (include == NULL) {
        return;
    }
    if (include->kind == NODE_LIST) {
        for (const struct config_node *n = include->first; n != NULL; n = n->next) {
            parse_pattern(d, merge, n);
        }
    } else {
        parse_pattern(d, merge, include);
    }
}

/* Every inbound, each followed by its hosts, now that none of them moves any more. */
static void list_served(struct decode *d)
{
    struct config *config = &d->whole->config;
    size_t count = config->inbound_count;
    for (size_t i = 0; i < config->inbound_count; i++) {
        count += config->inbounds[i].host_count;
    }
    config->served = mu_arena_alloc(d->whole->arena, (count + 1) * sizeof *config->served);
    if (config->served == NULL) {
        d->no_memory = true;
        return;
    }
    for (size_t i = 0; i < config->inbound_count; i++) {
        struct config_inbound *in = &config->inbounds[i];
        config->served[config->served_count++] = in;
        for (size_t h = 0; h < in->host_count; h++) {
            in->hosts[h].listener = in;
            config->served[config->served_count++] = &in->hosts[h];
        }
    }
}

struct config_whole *config_decode(const struct config_snapshot *snapshot, const char *main_name,
                                   struct config_findings *findings, bool *ret_broken)
{
    struct config_whole *whole = mu_alloc(1, sizeof *whole);
    struct decode d = {.whole = whole, .snapshot = snapshot, .findings = findings};
    if (whole == NULL) {
        return NULL;
    }
    whole->arena = mu_arena_new(MODEL_BYTES_MAX);
    whole->tree = (struct tree){mu_arena_new(TREE_BYTES_MAX), snapshot, findings};
    struct merge merge = {0};
    if (whole->arena != NULL && whole->tree.arena != NULL) {
        merge.root = mu_arena_alloc(whole->tree.arena, sizeof *merge.root);
    }
    if (merge.root == NULL) {
        config_free(&whole->config);
        return NULL;
    }
    merge.root->kind = NODE_MAP;
    merge.root->line = merge.root->col = merge.root->len = 1;
    const char *main_file = main_name != NULL ? main_name : config_snapshot_main(snapshot);
    if (parse_file(&d, &merge, main_file != NULL ? main_file : "mutual.yaml", true)) {
        parse_includes(&d, &merge);
        decode_block(&d, &schema_root, merge.root, &whole->config);
    }
    list_served(&d);
    if (d.no_memory) {
        config_free(&whole->config);
        return NULL;
    }
    *ret_broken = d.broken;
    return whole;
}
