/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the room share: the tree of a file, the schema tables, decoding.
 */
#ifndef CONFIG_CONFIG_INTERNAL_H
#define CONFIG_CONFIG_INTERNAL_H

#include "config/config.h"

/* ---- the tree ----------------------------------------------------------------------------------
 */

enum node_kind {
    NODE_SCALAR,
    NODE_LIST,
    NODE_MAP,
    NODE_BROKEN, /* something that was complained about; not to be looked at */
};

/* One value. In a map it carries its key; siblings are linked. Text and links live in the tree's
 * arena. Lines and columns count from 1. */
struct config_node {
    const char *text;          /* scalar */
    const char *key;           /* in a map, else NULL */
    struct config_node *first; /* of a list or a map */
    struct config_node *next;
    const char *file;
    uint32_t line, col, len;
    uint32_t key_line, key_col;
    uint8_t kind;
    bool plain; /* scalar without quotes */
};

struct tree {
    struct mu_arena *arena;
    const struct config_snapshot *snapshot;
    struct config_findings *findings;
};
/* Parses one file. *ret_root is NULL for a file that says nothing; false when the file could not be
 * read to its end, with the finding added and what came before in *ret_root. */
bool tree_parse(struct tree *tree, const char *file, struct mu_slice bytes,
                struct config_node **ret_root);
struct config_place node_place(const struct config_node *node);
struct config_place node_key_place(const struct config_node *node);
/* The entry of that key, hyphen and underscore being the same; NULL when absent or no map. */
const struct config_node *node_find(const struct config_node *map, const char *key);
/* Are the two names the same, hyphen and underscore being equal? */
bool setting_named(const char *a, const char *b);

/* ---- the schema --------------------------------------------------------------------------------
 */

enum setting_type {
    SETTING_BOOL,     /* bool                                        */
    SETTING_NUMBER,   /* int64_t; the first of `words` stands for 0  */
    SETTING_DURATION, /* int64_t nanoseconds; likewise               */
    SETTING_TIME,     /* int64_t seconds                             */
    SETTING_WORD,     /* int: the index into `words`                 */
    SETTING_TEXT,     /* const char *, one line                      */
    SETTING_NAME,     /* const char *, a name for something          */
    SETTING_SERVICE,  /* const char *, a name or two: "api/partners" */
    SETTING_PATH,     /* const char *, resolved                      */
    SETTING_SECRET,   /* struct config_secret                        */
    SETTING_LISTEN,   /* struct config_address                       */
    SETTING_TARGET,   /* struct config_address                       */
    SETTING_STALE,    /* struct config_stale                         */
    SETTING_PATTERN,  /* struct config_pattern                       */
    SETTING_BLOCK,    /* a struct of its own                         */
    SETTING_TYPE_COUNT_
};

enum setting_shape {
    SETTING_ONE,
    SETTING_ONE_OR_MANY, /* a value or a list */
    SETTING_MANY,        /* a list            */
};

/* When a change of it takes effect after a reload. */
enum setting_reload { RELOAD_LIVE, RELOAD_NEW, RELOAD_RESTART };

struct block;
struct setting {
    const char *name; /* NULL ends the table */
    enum setting_type type;
    enum setting_shape shape;
    bool required;
    enum setting_reload reload;
    size_t offset;
    size_t count_offset; /* of the size_t beside the pointer, unless shape is ONE */
    const char *dflt;    /* as written, or NULL: all-zero */
    int64_t min, max;    /* NUMBER; DURATION in seconds; max 0: no bounds */
    const char *const *words;
    const struct block *block; /* SETTING_BLOCK */
    const char *since;
    const char *help;
};

struct decode;
struct block {
    const char *name; /* what one is called: "inbound listener" */
    const char *help;
    size_t size;
    const struct setting *settings;
    const char *short_form; /* the setting that a single value in place of the block is, or NULL */
    /* Completes and judges the block alone, after its settings. May be NULL. */
    void (*finish)(struct decode *decode, const struct config_node *node, void *base);
};
extern const struct block schema_root;
extern const struct block schema_profiles; /* of a file of profiles */
extern const struct block schema_authority;

/* In a table of settings, of fields of struct THIS. */
#define AT(field_) .offset = offsetof(struct THIS, field_)
#define LIST_AT(items_, count_) \
    .offset = offsetof(struct THIS, items_), .count_offset = offsetof(struct THIS, count_)
#define TEXTS_AT(field_) LIST_AT(field_.items, field_.count)

const char *setting_type_words(const struct setting *setting); /* "a duration such as 10s" */
size_t setting_element_size(const struct setting *setting);
extern const char *const name_type_words[CONFIG_NAME_COUNT_ + 1];

/* ---- decoding ----------------------------------------------------------------------------------
 */

/* What the model keeps to itself. */
struct config_whole {
    struct config config;
    struct mu_arena *arena; /* of the model */
    struct tree tree;       /* its arena is NULL once trimmed */
    struct mu_map *trusts;  /* by name */
    struct mu_map *inbounds;
};

struct decode {
    struct config_whole *whole;
    const struct config_snapshot *snapshot;
    struct config_findings *findings;
    bool broken; /* some file ended early: what is missing may have been in the rest */
    bool no_memory;
};
/* Builds the model as far as it goes; NULL only without memory. Fields that were wrong are zero. */
struct config_whole *config_decode(const struct config_snapshot *snapshot, const char *main_name,
                                   struct config_findings *findings, bool *ret_broken);
/* Decodes the value of one setting into the slot; findings tell what was wrong. */
void decode_value(struct decode *decode, const struct setting *setting,
                  const struct config_node *node, void *slot);
/* Decodes a block into `base`. `node` may be NULL (nothing is written), a map, a scalar for the
 * short form, or broken. */
void decode_block(struct decode *decode, const struct block *block, const struct config_node *node,
                  void *base);
void decode_complain(struct decode *decode, const struct config_place *place, const char *hint,
                     const char *format, ...) MUTUAL_PRINTF(4, 5);
/* `path` as the file `file` means it. In the model's arena; NULL: no memory. */
const char *decode_path(struct decode *decode, const char *file, const char *path);
/* Names given twice, references to nothing, listeners that collide, what is unsafe. What may only
 * be the consequence of another error is told when there are no more than `errors` errors. */
void config_judge(struct config_whole *whole, const struct config_snapshot *snapshot,
                  struct config_findings *findings, size_t errors);
/* Does the file, a name of the snapshot, belong to the include pattern? Pure. */
bool config_include_matches(const char *pattern, const char *name);

#endif
