/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything a command shows: texts, tables, colours, errors.
 */
#include "cli/cli_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool output_may_colour(FILE *stream, bool forbidden)
{
    const char *no = getenv("NO_COLOR");
    const char *force = getenv("CLICOLOR_FORCE");
    const char *term = getenv("TERM");
    if (forbidden || (no != NULL && no[0] != '\0')) {
        return false;
    }
    if (force != NULL && force[0] != '\0' && strcmp(force, "0") != 0) {
        return true;
    }
    int fd = fileno(stream);
    return term != NULL && strcmp(term, "dumb") != 0 && fd != -1 && isatty(fd) == 1;
}

static const char *const inks[] = {
    [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",  [CLI_GOOD] = "\033[32m",
    [CLI_BAD] = "\033[31m",  [CLI_WARN] = "\033[33m", [CLI_DIM] = "\033[2m",
};

const char *cli_ink(const struct cli *cli, enum cli_ink ink)
{
    return cli->colour_out ? inks[ink] : "";
}

void cli_print(const struct cli *cli, const char *format, ...)
{
    if (cli->json) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vfprintf(cli->out, format, args);
    va_end(args);
}

void cli_say(const struct cli *cli, const char *format, ...)
{
    if (cli->quiet) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vfprintf(cli->err, format, args);
    va_end(args);
}

bool cli_write(const struct cli *cli, const struct mu_buf *buf, struct mutual_error *err)
{
    if (buf->failed) {
        return mu_fail_memory(err);
    }
    /* A short write stays in the stream's error flag; cli_main looks at it when all is done. */
    (void)fwrite(buf->data, 1, buf->len, cli->out);
    return true;
}

static void fail_json(const struct cli *cli, const struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    mu_buf_init(&text, 8192);
    struct mu_json json;
    mu_json_init(&json, &text);
    mu_json_open(&json, NULL, '{');
    mu_json_open(&json, "error", '{');
    mu_json_string(&json, "code", mutual_code_name(err->code));
    mu_json_string(&json, "class", mutual_class_name(mutual_code_class(err->code)));
    mu_json_string(&json, "reason", err->reason);
    mu_json_string(&json, "where", err->context[0] != '\0' ? err->context : NULL);
    mu_json_string(&json, "hint", err->hint[0] != '\0' ? err->hint : NULL);
    mu_json_close(&json, '}');
    mu_json_close(&json, '}');
    (void)fprintf(cli->err, "%s\n", mu_buf_str(&text));
}

/* A wrong command line whose remedy is only the table's: the page of the very verb. */
static void name_the_page(const struct cli *cli, struct mutual_error *err)
{
    bool of_table = strcmp(err->hint, mutual_code_hint(MUTUAL_E_USAGE)) == 0;
    if (of_table && cli->verb != NULL) {
        mu_error_hint(err, "Run: mutual help %s%s%s.", cli->verb->name, cli->sub != NULL ? " " : "",
                      cli->sub != NULL ? cli->sub->name : "");
    }
}

int cli_fail(const struct cli *cli, const struct mutual_error *given)
{
    struct mutual_error told = *given;
    struct mutual_error *err = &told;
    name_the_page(cli, err);
    if (cli->json) {
        fail_json(cli, err);
        return mutual_code_exit(err->code);
    }
    const char *bad = cli->colour_err ? inks[CLI_BAD] : "";
    const char *plain = cli->colour_err ? inks[CLI_PLAIN] : "";
    (void)fprintf(cli->err, "mutual: %serror%s: %s [%s]\n", bad, plain, err->reason,
                  mutual_code_name(err->code));
    if (err->context[0] != '\0') {
        (void)fprintf(cli->err, "  where: %s\n", err->context);
    }
    if (err->hint[0] != '\0') {
        (void)fprintf(cli->err, "  hint: %s\n", err->hint);
    }
    return mutual_code_exit(err->code);
}

/* ---- tables ------------------------------------------------------------------------------------
 */

#define COLUMNS_MAX 16u
#define CELLS_MAX   1000000u

struct cell {
    char *text;
    size_t width;
    enum cli_ink ink;
};

struct cli_table {
    const char *heads[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    size_t columns;
    struct cell *cells;
    size_t count;
    size_t cap;
};

struct cli_table *cli_table_new(const char *const *heads)
{
    struct cli_table *table = mu_alloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    for (; heads[table->columns] != NULL; table->columns++) {
        mu_assert(table->columns < COLUMNS_MAX);
        table->heads[table->columns] = heads[table->columns];
        table->widths[table->columns] = strlen(heads[table->columns]);
    }
    return table;
}

void cli_table_free(struct cli_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        mu_free(table->cells[i].text);
    }
    mu_free(table->cells);
    mu_free(table);
}

void mu_cli_table_auto(struct cli_table **table)
{
    cli_table_free(*table);
}

void cli_table_cell(struct cli_table *table, enum cli_ink ink, const char *format, ...)
{
    char raw[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    MU_AUTO(buf) struct mu_buf safe;
    mu_buf_init(&safe, 4 * sizeof raw);
    mu_escape(&safe, mu_slice_text(raw));
    void *cells = table->cells;
    bool grown = mu_grow(&cells, &table->cap, table->count, sizeof(struct cell), CELLS_MAX);
    table->cells = cells;
    char *text = grown ? mu_strdup(mu_buf_str(&safe)) : NULL;
    if (text == NULL) {
        return; /* a table that is cut short; the program's next allocation tells why */
    }
    size_t column = table->count % table->columns;
    size_t width = strlen(text);
    table->widths[column] = width > table->widths[column] ? width : table->widths[column];
    table->cells[table->count++] = (struct cell){text, width, ink};
}

static void print_row(const struct cli_table *table, const struct cli *cli,
                      const struct cell *cells, size_t count)
{
    while (count > 0 && cells[count - 1].width == 0) {
        count--;
    }
    for (size_t c = 0; c < count; c++) {
        bool inked = cells[c].ink != CLI_PLAIN && cells[c].width > 0;
        cli_print(cli, "%s%s%s", inked ? cli_ink(cli, cells[c].ink) : "", cells[c].text,
                  inked ? cli_ink(cli, CLI_PLAIN) : "");
        if (c + 1 < count) {
            cli_print(cli, "%*s", (int)(table->widths[c] - cells[c].width) + 2, "");
        }
    }
    cli_print(cli, "\n");
}

void cli_table_print(const struct cli_table *table, const struct cli *cli)
{
    if (table->count == 0) {
        return;
    }
    for (size_t c = 0; c < table->columns; c++) {
        bool last = c + 1 == table->columns;
        cli_print(cli, "%s%-*s%s", cli_ink(cli, CLI_DIM), last ? 0 : (int)table->widths[c],
                  table->heads[c], cli_ink(cli, CLI_PLAIN));
        cli_print(cli, last ? "\n" : "  ");
    }
    for (size_t i = 0; i < table->count; i += table->columns) {
        size_t left = table->count - i;
        print_row(table, cli, &table->cells[i], left < table->columns ? left : table->columns);
    }
}
