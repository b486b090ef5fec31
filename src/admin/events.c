/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit: its events, page by page, and whether it is whole.
 */
#include "admin/admin_internal.h"

static bool put_event(void *context, const struct inventory_event *event)
{
    struct admin_page *page = context;
    struct mu_json *json = &page->call->json;
    if (!admin_page_takes(page, 0, event->id)) {
        return false;
    }
    mu_json_open(json, NULL, '{');
    mu_json_int(json, "id", event->id);
    admin_put_time(json, "at", event->at_s);
    mu_json_string(json, "who", event->who);
    mu_json_string(json, "action", event->action);
    mu_json_string(json, "detail", event->detail);
    mu_json_close(json, '}');
    return true;
}

bool admin_list_events(struct admin_call *call, struct mutual_error *err)
{
    struct admin_page page;
    return admin_page_begin(call, "events", &page, err) &&
           inventory_events_after(ca_inventory(call->ca), page.id, put_event, &page, err) &&
           admin_page_end(&page, err);
}

bool admin_verify_events(struct admin_call *call, struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf text;
    const char *given = NULL;
    struct inventory_head noted;
    struct inventory_audit audit;
    char head[CA_HEAD_TEXT];
    mu_buf_init(&text, 2 * CA_HEAD_TEXT);
    if (!admin_query(call, "head", &text, &given, err) ||
        (given != NULL && !ca_head_parse(given, &noted, err)) ||
        !ca_audit(call->ca, given != NULL ? &noted : NULL, &audit, err)) {
        return false;
    }
    ca_head_format(&audit.head, head);
    mu_json_open(&call->json, NULL, '{');
    mu_json_int(&call->json, "events", audit.chained);
    mu_json_int(&call->json, "unchained", audit.unchained);
    mu_json_string(&call->json, "head", head);
    mu_json_close(&call->json, '}');
    mu_buf_byte(&call->response->body, '\n');
    return true;
}
