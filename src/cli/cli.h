/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame of the command line. A verb is one cmd_VERB.c that defines cli_verb_VERB, and one row
 * in verbs.def; from the row come dispatch, help, suggestions and shell completion. Options are
 * declared arrays that fill a struct of the verb's own. Commands print through this door, so that
 * --json, --quiet, colour and a full disk behave alike everywhere.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/base.h"

#include <stdio.h>

/* ---- verbs ------------------------------------------------------------------------------------
 */

enum cli_option_kind {
    CLI_FLAG,     /* bool: --force                                                      */
    CLI_TEXT,     /* const char *                                                       */
    CLI_PATH,     /* const char *; the shell completes files                            */
    CLI_TEXTS,    /* struct cli_texts; may be given more than once                      */
    CLI_PATHS,    /* struct cli_texts                                                   */
    CLI_NUMBER,   /* uint64_t within [0, max], max 0: no limit                          */
    CLI_DURATION, /* int64_t nanoseconds                                                */
    CLI_TIME,     /* int64_t seconds since 1970                                         */
    CLI_WORD,     /* int: the index into `words`                                        */
};

struct cli_texts {
    const char **items; /* borrowed from argv */
    size_t count;
};

/* One option; an array of them ends with a row without name. */
struct cli_option {
    const char *name; /* "out" for --out */
    char letter;      /* 'o' for -o, or 0 */
    enum cli_option_kind kind;
    size_t offset;            /* where in the verb's options struct the value goes */
    const char *value;        /* what the value is called in the help: "FILE" */
    const char *help;         /* one line, lower case, no full stop */
    const char *const *words; /* CLI_WORD, NULL-terminated */
    const char *dflt;         /* as written, or NULL for all-zero */
    uint64_t max;             /* CLI_NUMBER */
    bool required;
};

struct cli;

/* A verb, or a sub-verb of one ("proxy server"). */
struct cli_verb {
    const char *name;
    const char *group;     /* heading in the help: one of the CLI_GROUP_ texts; NULL: hidden */
    const char *arguments; /* as the help shows them: "HOST:PORT|CODE", or NULL */
    const char *help;      /* one line, lower case, no full stop */
    const char *details;   /* more lines for `mutual help VERB`, or NULL */
    const struct cli_option *options;
    size_t options_size;         /* of the struct that run gets */
    unsigned min_args;           /* arguments that are no options */
    unsigned max_args;           /* UINT_MAX: any number */
    const struct cli_verb *subs; /* sub-verbs, ending with a row without name, or NULL */
    /* Returns the exit status; see cli_fail. `options` is the filled struct. */
    int (*run)(struct cli *cli, const void *options);
};
#define CLI_GROUP_START "Start here"
#define CLI_GROUP_CERT  "Certificates"
#define CLI_GROUP_SERVE "Serve"
#define CLI_GROUP_KNOW  "Understand"
#define CLI_GROUP_MORE  "More"

/* Every verb; NULL-terminated, in the order of the help. */
extern const struct cli_verb *const cli_verbs[];
/* Declares cli_verb_check, cli_verb_explain, ... */
#define VERB(name_) extern const struct cli_verb cli_verb_##name_;
#include "cli/verbs.def"
#undef VERB

/* What this program can be executed as besides itself (roles.c); NULL-terminated. */
struct role;
extern const struct role *const cli_roles[];

/* What a command runs with. */
struct cli {
    const char *program; /* how we were called, for messages */
    const struct cli_verb *verb;
    const struct cli_verb *sub; /* or NULL */
    const char *const *args;    /* arguments that are no options; borrowed from argv */
    size_t arg_count;
    const char *config_path; /* -c, else $MUTUAL_CONFIG, else own_config, /etc/mutual/mutual.yaml */
    const char *own_config;  /* where init writes one: in /etc for root, else in the home */
    bool config_given;       /* by -c or the environment */
    bool quiet;
    bool json;
    bool colour_out; /* may stdout be coloured? */
    bool colour_err;
    FILE *out;
    FILE *err;
};

/* The whole program: parses, runs, returns the exit status. The streams are for tests. */
int cli_main(int argc, const char *const *argv, FILE *out, FILE *err);
/* The options every verb has. */
extern const struct cli_option cli_global_options[];

/* ---- failing ----------------------------------------------------------------------------------
 */

/* Tells the error on stderr (as JSON with --json) and returns its exit status, so that a command
 * ends with: return cli_fail(cli, &err); */
int cli_fail(const struct cli *cli, const struct mutual_error *err);
/* Exit statuses besides those of the error table. */
#define CLI_YES 0
#define CLI_NO  1

/* Tells findings about the configuration: as text on stderr, with --json as an object on stdout.
 * Returns the exit status: 0 without errors. */
struct config_findings;
int cli_tell_findings(const struct cli *cli, struct config_findings *findings,
                      const char *main_name);

/* ---- printing ---------------------------------------------------------------------------------
 */

/* To stdout; not with --json, which prints one JSON text and nothing else. */
void cli_print(const struct cli *cli, const char *format, ...) MUTUAL_PRINTF(2, 3);
/* Progress and remarks: to stderr, not with --quiet. */
void cli_say(const struct cli *cli, const char *format, ...) MUTUAL_PRINTF(2, 3);
/* The buffer as it is, to stdout. Fails when the buffer itself failed (NO_MEMORY). */
bool cli_write(const struct cli *cli, const struct mu_buf *buf, struct mutual_error *err);

enum cli_ink { CLI_PLAIN, CLI_BOLD, CLI_GOOD, CLI_BAD, CLI_WARN, CLI_DIM };
/* The escape sequence that begins the ink on stdout (CLI_PLAIN ends it), or "" without colour. */
const char *cli_ink(const struct cli *cli, enum cli_ink ink);

/* A table for people: columns as wide as they need, two spaces between. Cells are copied and made
 * safe to print. */
struct cli_table;
struct cli_table *cli_table_new(const char *const *heads); /* NULL-terminated; NULL: no memory */
void cli_table_free(struct cli_table *table);
void mu_cli_table_auto(struct cli_table **table);
/* Adds a cell; after the last column the next row begins. */
void cli_table_cell(struct cli_table *table, enum cli_ink ink, const char *format, ...)
    MUTUAL_PRINTF(3, 4);
/* Prints it with cli_print; nothing for a table without rows. */
void cli_table_print(const struct cli_table *table, const struct cli *cli);

#endif
