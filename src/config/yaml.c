/* SPDX-License-Identifier: Apache-2.0
 *
 * The strict subset of YAML: libyaml's events into a tree with positions. One document; no anchors,
 * aliases, tags or keys that are no plain texts; bounded depth and size. Scalars stay text: the
 * schema gives them their types, so that "no" and 1.10 cannot surprise.
 */
#include "config/config_internal.h"

#include <string.h>
#include <yaml.h>

#define KEY_CACHE 64u

struct level {
    struct config_node *node;
    struct config_node *tail;
};

struct builder {
    struct tree *tree;
    const char *file;
    struct mu_slice bytes;
    yaml_parser_t parser;
    struct level levels[MU_LIMIT_CONFIG_DEPTH];
    unsigned depth;
    struct config_node *root;
    struct config_node *last; /* attached */
    const char *key;          /* of the value to come */
    yaml_mark_t key_mark;
    unsigned documents;
    const char *keys[KEY_CACHE]; /* recent keys: a hundred thousand grants share seven */
};

struct config_place node_place(const struct config_node *node)
{
    return (struct config_place){node->file, node->line, node->col, node->len};
}

struct config_place node_key_place(const struct config_node *node)
{
    unsigned len = node->key == NULL ? 1 : (unsigned)strlen(node->key);
    return (struct config_place){node->file, node->key_line, node->key_col, len};
}

bool setting_named(const char *a, const char *b)
{
    for (; *a != '\0' || *b != '\0'; a++, b++) {
        if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b)) {
            return false;
        }
    }
    return true;
}

const struct config_node *node_find(const struct config_node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP) {
        return NULL;
    }
    for (const struct config_node *node = map->first; node != NULL; node = node->next) {
        if (setting_named(node->key, key)) {
            return node;
        }
    }
    return NULL;
}

static struct config_place place_of(const struct builder *b, yaml_mark_t begin, yaml_mark_t end)
{
    size_t len =
        end.line == begin.line && end.column > begin.column ? end.column - begin.column : 1;
    return (struct config_place){b->file, (unsigned)begin.line + 1, (unsigned)begin.column + 1,
                                 (unsigned)len};
}

static bool complain(struct builder *b, const struct config_place *place, const char *hint,
                     const char *text)
{
    config_finding_add(b->tree->findings, b->tree->snapshot, CONFIG_ERROR, MUTUAL_E_CONFIG_SYNTAX,
                       place, hint, "%s", text);
    return false;
}

/* ---- what libyaml says, in words that help --------------------------------------------------- */

static const struct {
    const char *problem; /* how libyaml's text begins */
    const char *text;
    const char *hint;
    bool at_context; /* it is to be shown where the construct began */
} syntax_rows[] = {
    {"mapping values are not allowed", "a \":\" is out of place",
     "check the indentation; quote a value that holds \": \"", false},
    {"could not find expected ':'", "a setting needs a \":\" behind its name", "name: value", true},
    {"did not find expected key", "this line does not fit the lines above",
     "settings of one block begin in the same column", false},
    {"did not find expected '-' indicator", "this line does not fit the list above",
     "entries of one list begin in the same column with \"- \"", false},
    {"block sequence entries are not allowed", "a list may not begin here",
     "put it on lines of its own below the name", false},
    {"did not find expected ',' or '}'", "a \"{\" is not closed as it should be",
     "separate by \",\" and end with \"}\"", true},
    {"did not find expected ',' or ']'", "a \"[\" is not closed as it should be",
     "separate by \",\" and end with \"]\"", true},
    {"found unexpected end of stream", "a quoted text is not closed", NULL, true},
    {"found unexpected document indicator", "a quoted text is not closed", NULL, true},
    {"found unknown escape", "an unknown escape in a quoted text",
     "use single quotes to keep a backslash", false},
    {"did not find expected <document start>", "only one document is allowed", NULL, false},
    {"found a tab character", "a tab cannot indent", "use spaces", false},
};

static bool fail_reader(struct builder *b)
{
    struct mu_slice before = b->bytes;
    before.len = b->parser.problem_offset < before.len ? b->parser.problem_offset : before.len;
    unsigned line = 1;
    for (size_t i = 0; i < before.len; i++) {
        line += before.data[i] == '\n';
    }
    struct config_place place = {b->file, line, 0, 0};
    return complain(b, &place, "save it as UTF-8 text",
                    strstr(b->parser.problem, "control") != NULL
                        ? "control characters are not allowed"
                        : "the file is not UTF-8 text");
}

/* The byte at a mark, whose column counts characters. */
static uint8_t byte_at(struct mu_slice bytes, yaml_mark_t mark)
{
    size_t at = 0;
    for (size_t line = 0; line < mark.line && at < bytes.len; at++) {
        line += bytes.data[at] == '\n';
    }
    for (size_t col = 0; at < bytes.len; at++) {
        bool continues = (bytes.data[at] & 0xc0) == 0x80;
        if (!continues && col++ == mark.column) {
            return bytes.data[at];
        }
    }
    return 0;
}

static bool fail_character(struct builder *b, yaml_mark_t mark)
{
    struct config_place place = place_of(b, mark, mark);
    if (byte_at(b->bytes, mark) == '\t') {
        return complain(b, &place, "use spaces", "a tab cannot indent");
    }
    return complain(b, &place, "quote the value", "a value cannot begin with this character");
}

static bool fail_syntax(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_READER_ERROR) {
        return fail_reader(b);
    }
    const char *problem = p->problem != NULL ? p->problem : "not well-formed YAML";
    if (mu_text_starts(problem, "found character that cannot start any token")) {
        return fail_character(b, p->problem_mark);
    }
    for (size_t i = 0; i < MU_COUNT(syntax_rows); i++) {
        if (mu_text_starts(problem, syntax_rows[i].problem)) {
            yaml_mark_t mark = syntax_rows[i].at_context ? p->context_mark : p->problem_mark;
            struct config_place place = place_of(b, mark, mark);
            return complain(b, &place, syntax_rows[i].hint, syntax_rows[i].text);
        }
    }
    struct config_place place = place_of(b, p->problem_mark, p->problem_mark);
    return complain(b, &place, NULL, problem);
}

/* ---- building ----------------------------------------------------------------------------------
 */

static bool fail_memory(struct builder *b)
{
    struct config_place place = {b->file, 0, 0, 0};
    config_finding_add(b->tree->findings, NULL, CONFIG_ERROR, MUTUAL_E_NO_MEMORY, &place, NULL,
                       "out of memory while reading the file");
    return false;
}

/* Hangs a new value where it belongs: under the key that waits, into the open list, at the top. */
static struct config_node *attach(struct builder *b, enum node_kind kind, const yaml_event_t *event)
{
    struct config_node *node = mu_arena_alloc(b->tree->arena, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    struct config_place place = place_of(b, event->start_mark, event->end_mark);
    node->kind = (uint8_t)kind;
    node->file = b->file;
    node->line = place.line;
    node->col = place.col;
    node->len = kind == NODE_SCALAR || kind == NODE_BROKEN ? place.len : 1;
    b->last = node;
    if (b->depth == 0) {
        b->root = node;
        return node;
    }
    struct level *level = &b->levels[b->depth - 1];
    if (level->tail == NULL) {
        level->node->first = node;
    } else {
        level->tail->next = node;
    }
    level->tail = node;
    node->key = MU_TAKE(b->key);
    node->key_line = (uint32_t)b->key_mark.line + 1;
    node->key_col = (uint32_t)b->key_mark.column + 1;
    return node;
}

static bool wants_key(const struct builder *b)
{
    return b->depth > 0 && b->levels[b->depth - 1].node->kind == NODE_MAP && b->key == NULL;
}

static bool is_clean(const yaml_event_t *event)
{
    const uint8_t *text = event->data.scalar.value;
    for (size_t i = 0; i < event->data.scalar.length; i++) {
        if ((text[i] < 0x20 && text[i] != '\n' && text[i] != '\t') || text[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static const char *keep_key(struct builder *b, const char *text, size_t len)
{
    size_t slot = (len * 31 + (len > 0 ? (unsigned char)text[0] * 7u : 0) +
                   (len > 0 ? (unsigned char)text[len - 1] : 0)) %
                  KEY_CACHE;
    const char *known = b->keys[slot];
    if (known == NULL || strlen(known) != len || memcmp(known, text, len) != 0) {
        b->keys[slot] = mu_arena_strndup(b->tree->arena, text, len);
    }
    return b->keys[slot];
}

static bool take_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    struct config_place place = place_of(b, event->start_mark, event->end_mark);
    bool clean = is_clean(event);
    if (!clean) {
        (void)complain(b, &place, NULL, "control characters are not allowed in a value");
    }
    if (wants_key(b)) {
        b->key = keep_key(b, text, clean ? len : 0);
        b->key_mark = event->start_mark;
        return b->key != NULL ? true : fail_memory(b);
    }
    struct config_node *node = attach(b, clean ? NODE_SCALAR : NODE_BROKEN, event);
    char *copy = node == NULL ? NULL : mu_arena_strndup(b->tree->arena, text, len);
    if (copy == NULL) {
        return fail_memory(b);
    }
    node->text = copy;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return true;
}

static bool open_level(struct builder *b, enum node_kind kind, const yaml_event_t *event)
{
    struct config_place place = place_of(b, event->start_mark, event->start_mark);
    if (wants_key(b)) {
        return complain(b, &place, NULL, "a setting's name is a plain word");
    }
    if (b->depth == MU_LIMIT_CONFIG_DEPTH) {
        return complain(b, &place, NULL, "this is nested deeper than 16 levels");
    }
    struct config_node *node = attach(b, kind, event);
    if (node == NULL) {
        return fail_memory(b);
    }
    b->levels[b->depth++] = (struct level){node, NULL};
    return true;
}

static void forbid(struct builder *b, const yaml_event_t *event, const yaml_char_t *anchor,
                   const yaml_char_t *tag)
{
    struct config_place place = place_of(b, event->start_mark, event->start_mark);
    if (anchor != NULL) {
        (void)complain(b, &place, "write it out where it is needed", "anchors are not allowed");
    }
    if (tag != NULL) {
        (void)complain(b, &place, "settings know their types", "tags are not allowed");
    }
}

static bool take_alias(struct builder *b, const yaml_event_t *event)
{
    struct config_place place = place_of(b, event->start_mark, event->end_mark);
    (void)complain(b, &place, "write it out; quote a text that begins with \"*\"",
                   "aliases are not allowed");
    if (wants_key(b)) {
        b->key = "";
        b->key_mark = event->start_mark;
        return true;
    }
    return attach(b, NODE_BROKEN, event) != NULL ? true : fail_memory(b);
}

static bool take_document(struct builder *b, const yaml_event_t *event)
{
    struct config_place place = place_of(b, event->start_mark, event->end_mark);
    if (++b->documents > 1) {
        return complain(b, &place, "use a file of its own and include it",
                        "only one document is allowed");
    }
    return true;
}

static bool take_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    case YAML_DOCUMENT_START_EVENT:
        return take_document(b, event);
    case YAML_ALIAS_EVENT:
        return take_alias(b, event);
    case YAML_SCALAR_EVENT:
        forbid(b, event, event->data.scalar.anchor, event->data.scalar.tag);
        return take_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        forbid(b, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return open_level(b, NODE_LIST, event);
    case YAML_MAPPING_START_EVENT:
        forbid(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return open_level(b, NODE_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return true;
    }
    return true;
}

static bool run_parser(struct builder *b)
{
    for (;;) {
        yaml_event_t event;
        if (yaml_parser_parse(&b->parser, &event) != 1) {
            return b->parser.error == YAML_MEMORY_ERROR ? fail_memory(b) : fail_syntax(b);
        }
        bool done = event.type == YAML_STREAM_END_EVENT;
        bool taken = take_event(b, &event);
        yaml_event_delete(&event);
        if (done || !taken) {
            return taken;
        }
    }
}

bool tree_parse(struct tree *tree, const char *file, struct mu_slice bytes,
                struct config_node **ret_root)
{
    struct builder b = {.tree = tree, .file = file, .bytes = bytes};
    *ret_root = NULL;
    if (bytes.len > MU_LIMIT_CONFIG_BYTES) {
        struct config_place place = {file, 0, 0, 0};
        config_finding_add(tree->findings, NULL, CONFIG_ERROR, MUTUAL_E_FILE_TOO_LARGE, &place,
                           "split it into files below conf.d and include them",
                           "the file is larger than 4 MiB");
        return false;
    }
    if (yaml_parser_initialize(&b.parser) != 1) {
        return fail_memory(&b);
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, bytes.data != NULL ? bytes.data : (const uint8_t *)"",
                                 bytes.len);
    bool whole = run_parser(&b);
    yaml_parser_delete(&b.parser);
    if (!whole && b.last != NULL && b.last->kind == NODE_SCALAR) {
        b.last->kind = NODE_BROKEN; /* it may be part of what went wrong */
    }
    *ret_root = b.root;
    return whole;
}
