/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: lines on standard error, human on a terminal and JSON otherwise. Connections have their
 * own form (room explain); this is for everything else that happens.
 */
#ifndef GATEWAY_LOG_INTERNAL_H
#define GATEWAY_LOG_INTERNAL_H

#include "base/base.h"
#include "config/config.h"

struct log_figure {
    const char *name;
    int64_t value;
};

struct log_entry {
    int64_t time_s;
    enum config_log_level level;
    const char *event;                /* a stable word: "reload_refused" */
    const char *listener;             /* or NULL */
    const char *text;                 /* what happened; NULL: the error's reason */
    const struct mutual_error *error; /* or NULL */
    const struct log_figure *figures; /* for programs: the text tells people    */
    size_t figure_count;
};

/* Is it told where `least` is configured? */
bool log_is_wanted(enum config_log_level level, enum config_log_level least);
/* The level of a word of the log: "info"; what is no such word is an error. */
enum config_log_level log_level_of(const char *word);

/* Appends one line with its newline. */
void log_format(const struct log_entry *entry, bool json, struct mu_buf *out);
/* Does the configuration want JSON on this descriptor? */
bool log_wants_json(const struct config_log *config, int fd);
/* Before anything is written and any child is started: a pipe is opened anew, so that writing to it
 * does not wait and nobody else who has it notices. Then a line of up to PIPE_BUF bytes is written
 * whole or not at all, however many processes write. */
void log_adopt(int fd);
/* Writes the line without ever waiting: false when nobody takes it, or the disk is full. A file
 * takes it at once; a pipe whose reader is behind loses it rather than stops us. */
bool log_write(int fd, struct mu_slice line);

#endif
