/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the frame share: option tables at work, verbs found by name.
 */
#ifndef CLI_CLI_INTERNAL_H
#define CLI_CLI_INTERNAL_H

#include "cli/cli.h"

/* A table with the struct it fills. */
struct option_set {
    const struct cli_option *table; /* NULL: no options */
    void *target;
};
#define OPTION_SETS_MAX 3u /* the sub-verb's, the verb's, the global ones */

/* Fills in the defaults. */
bool option_defaults(const struct option_set *set, struct mutual_error *err);
/* Parses argv from *at on: options go to the sets, everything else to `args` (room for argc of
 * them). With `only_options` it stops at the first other argument. *at ends behind what was
 * parsed. Fails with OPTION_UNKNOWN, OPTION_VALUE or NO_MEMORY. */
struct option_parse {
    const struct option_set *sets;
    size_t set_count;
    int argc;
    const char *const *argv;
    int at;
    bool only_options;
    const char **args;
    size_t arg_count;
};
bool option_parse(struct option_parse *parse, struct mutual_error *err);
/* Were all required options given? */
bool option_check(const struct option_set *set, struct mutual_error *err);
/* Frees what lists of values hold. */
void option_done(const struct option_set *set);

/* The rows as help text, one line each. */
void option_help(const struct cli_option *table, struct mu_buf *out);

const struct cli_verb *verb_find(const char *name);
const struct cli_verb *verb_find_sub(const struct cli_verb *verb, const char *name);
/* Fails with VERB_UNKNOWN and says what was probably meant. */
/* The names of its sub-verbs, with `between` between them; the text is that of `out`. */
const char *verb_words(const struct cli_verb *verb, const char *between, struct mu_buf *out);
bool verb_fail_unknown(const struct cli_verb *parent, const char *name, struct mutual_error *err);

/* The overview of `mutual help`, and the page of one verb. */
void help_overview(struct mu_buf *out);
void help_verb(const struct cli_verb *verb, const struct cli_verb *sub, struct mu_buf *out);
/* The same as manual pages in mdoc, with a line ".\" PARTS" where what is written by hand goes. */
void manual_overview(struct mu_buf *out);
void manual_verb(const struct cli_verb *verb, struct mu_buf *out);
void manual_errors(struct mu_buf *out);
/* "mutual 0.1.0" and what it was built with and runs with. */
void version_short(struct mu_buf *out);

/* Colour by the conventions: --no-color, NO_COLOR, CLICOLOR_FORCE, TERM=dumb, then whether the
 * stream is a terminal. */
bool output_may_colour(FILE *stream, bool forbidden);

/* The values of the global options. */
struct global_options {
    const char *config;
    bool quiet;
    bool json;
    bool no_color;
    bool help;
    bool version;
};

#endif
