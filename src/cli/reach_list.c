/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists that come in pages, and how a command prints one.
 */
#include "cli/reach_internal.h"

enum { PAGE = 1000, TARGET_MAX = 1 << 16, LIST_MAX = 64 << 20 };

static bool ask_page(struct reach *reach, const char *target, const char *cursor, size_t most,
                     json_t **ret_page, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf whole;
    char limit[24];
    mu_buf_init(&whole, TARGET_MAX);
    mu_buf_text(&whole, target);
    (void)snprintf(limit, sizeof limit, "%zu", most > 0 && most < PAGE ? most : (size_t)PAGE);
    reach_query(&whole, "limit", limit);
    reach_query(&whole, "cursor", cursor);
    return whole.failed ? mu_fail_memory(err) : reach_get(reach, mu_buf_str(&whole), ret_page, err);
}

bool reach_pages(struct reach *reach, const char *target, const char *member, size_t most,
                 bool (*each)(void *context, const json_t *element, struct mutual_error *err),
                 void *context, struct mutual_error *err)
{
    MU_AUTO(free) char *cursor = NULL;
    size_t count = 0;
    do {
        MU_AUTO(api_json) json_t *page = NULL;
        if (!ask_page(reach, target, cursor, most > 0 ? most - count : 0, &page, err)) {
            return false;
        }
        const json_t *list = json_object_get(page, member);
        for (size_t i = 0; i < json_array_size(list) && (most == 0 || count < most); i++) {
            if (!each(context, json_array_get(list, i), err)) {
                return false;
            }
            count++;
        }
        const char *next = json_string_value(json_object_get(page, "next"));
        mu_free(cursor);
        cursor = next != NULL ? mu_strdup(next) : NULL;
        if (next != NULL && cursor == NULL) {
            return mu_fail_memory(err);
        }
    } while (cursor != NULL && (most == 0 || count < most));
    return true;
}

/* ---- printing ----------------------------------------------------------------------------------
 */

bool reach_keep(json_t *list, const json_t *element, struct mutual_error *err)
{
    json_t *kept = json_copy((json_t *)(uintptr_t)element); /* which jansson does not change */
    return (kept != NULL && json_array_append_new(list, kept) == 0) || mu_fail_memory(err);
}

struct printing {
    const struct reach_list *list;
    struct cli_table *table;
    json_t *kept; /* NULL: a table */
    size_t count;
};

static bool add(void *context, const json_t *element, struct mutual_error *err)
{
    struct printing *printing = context;
    printing->count++;
    if (printing->kept != NULL) {
        return reach_keep(printing->kept, element, err);
    }
    printing->list->row(printing->table, element);
    return true;
}

static bool print_json(const struct cli *cli, const char *name, json_t *kept,
                       struct mutual_error *err)
{
    MU_AUTO(api_json) json_t *whole = json_object();
    MU_AUTO(buf) struct mu_buf out;
    mu_buf_init(&out, LIST_MAX);
    if (json_object_set(whole, name, kept) != 0) {
        return mu_fail_memory(err);
    }
    return reach_print(whole, &out, err) && cli_write(cli, &out, err);
}

bool reach_list(const struct cli *cli, struct reach *reach, const struct reach_list *list,
                struct mutual_error *err)
{
    MU_AUTO(cli_table) struct cli_table *table = cli_table_new(list->heads);
    MU_AUTO(api_json) json_t *kept = cli->json ? json_array() : NULL;
    struct printing printing = {.list = list, .table = table, .kept = kept};
    if (table == NULL || (cli->json && kept == NULL)) {
        return mu_fail_memory(err);
    }
    if (!reach_pages(reach, list->target, list->member, 0, add, &printing, err)) {
        return false;
    }
    if (cli->json) {
        return print_json(cli, list->name, kept, err);
    }
    cli_table_print(table, cli);
    if (printing.count == 0) {
        cli_say(cli, "%s\n", list->none);
    }
    return true;
}
