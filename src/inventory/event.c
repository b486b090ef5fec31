/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit events: who did what and when, each chained to the one before it by a digest over both,
 * so that none can be altered, removed from the middle or put in without breaking the chain. What
 * was cut off its end shows against a link that was noted elsewhere.
 */
#include "inventory/inventory_internal.h"

#include <string.h>

#define LINK_PURPOSE  "mutual audit event 1"
#define EVENT_COLUMNS "SELECT id, at_s, certificate_id, who, action, detail, link FROM event"

static void add_int(struct mu_buf *out, int64_t value)
{
    uint8_t bytes[8];
    mu_put_be64(bytes, (uint64_t)value);
    mu_buf_append(out, bytes, sizeof bytes);
}

/* With its length, so that no two events read the same. */
static void add_text(struct mu_buf *out, const char *text)
{
    add_int(out, (int64_t)strlen(text));
    mu_buf_text(out, text);
}

static bool make_link(const uint8_t before[INVENTORY_LINK], const struct inventory_event *event,
                      uint8_t ret_link[INVENTORY_LINK], struct mutual_error *err)
{
    MU_AUTO(buf) struct mu_buf bytes;
    mu_buf_init(&bytes, 1u << 20);
    mu_buf_text(&bytes, LINK_PURPOSE);
    mu_buf_append(&bytes, before, INVENTORY_LINK);
    add_int(&bytes, event->id);
    add_int(&bytes, event->at_s);
    add_int(&bytes, event->certificate_id);
    add_text(&bytes, event->who);
    add_text(&bytes, event->action);
    add_text(&bytes, event->detail);
    return bytes.failed ? mu_fail_memory(err) : mu_sha256(mu_buf_slice(&bytes), ret_link, err);
}

static void read_event(struct store_statement *read, struct inventory_event *event)
{
    *event = (struct inventory_event){
        .id = store_int(read, 0),
        .at_s = store_int(read, 1),
        .certificate_id = store_int(read, 2),
        .who = store_text(read, 3),
        .action = store_text(read, 4),
        .detail = store_text(read, 5),
        .link = store_bytes(read, 6),
    };
}

/* ---- writing --------------------------------------------------------------------------------- */

bool inventory_head(struct inventory *inventory, struct inventory_head *ret_head,
                    struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store, EVENT_COLUMNS " ORDER BY id DESC LIMIT 1", &read, err) ||
        !store_step(read, &row, err)) {
        return false;
    }
    *ret_head = (struct inventory_head){0};
    if (row) {
        struct mu_slice link = store_bytes(read, 6);
        ret_head->id = store_int(read, 0);
        if (link.len == INVENTORY_LINK) {
            memcpy(ret_head->link, link.data, INVENTORY_LINK);
        }
    }
    return true;
}

static bool insert(struct inventory *inventory, struct inventory_event *event,
                   struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *add = NULL;
    bool row = false;
    if (!store_prepare(inventory->store,
                       "INSERT INTO event (at_s, who, action, certificate_id, detail)"
                       " VALUES ($1, $2, $3, $4, $5) RETURNING id",
                       &add, err)) {
        return false;
    }
    store_bind_int(add, 1, event->at_s);
    store_bind_text(add, 2, event->who);
    store_bind_text(add, 3, event->action);
    if (event->certificate_id == 0) {
        store_bind_null(add, 4);
    } else {
        store_bind_int(add, 4, event->certificate_id);
    }
    store_bind_text(add, 5, event->detail);
    if (!store_step(add, &row, err)) {
        return false;
    }
    event->id = store_int(add, 0);
    return store_step(add, &row, err);
}

static bool set_link(struct inventory *inventory, int64_t id, const uint8_t link[INVENTORY_LINK],
                     struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *set = NULL;
    if (!store_prepare(inventory->store, "UPDATE event SET link = $2 WHERE id = $1", &set, err)) {
        return false;
    }
    store_bind_int(set, 1, id);
    store_bind_bytes(set, 2, mu_slice_of(link, INVENTORY_LINK));
    return store_run(set, err);
}

bool inventory_event(struct inventory *inventory, int64_t now_s, const char *who,
                     const char *action, int64_t certificate_id, const char *detail,
                     struct mutual_error *err)
{
    struct inventory_event event = {.at_s = now_s,
                                    .certificate_id = certificate_id,
                                    .who = who,
                                    .action = action,
                                    .detail = detail};
    struct inventory_head before;
    uint8_t link[INVENTORY_LINK];
    bool own = false;
    if (!inventory_begin(inventory, &own, err)) {
        return false;
    }
    bool good = inventory_head(inventory, &before, err) && insert(inventory, &event, err) &&
                make_link(before.link, &event, link, err) &&
                set_link(inventory, event.id, link, err);
    return inventory_end(inventory, own, good, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

bool inventory_events(struct inventory *inventory,
                      bool (*each)(void *context, const struct inventory_event *event),
                      void *context, struct mutual_error *err)
{
    return inventory_events_after(inventory, 0, each, context, err);
}

bool inventory_events_after(struct inventory *inventory, int64_t after_id,
                            bool (*each)(void *context, const struct inventory_event *event),
                            void *context, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    if (!store_scan(inventory->store, EVENT_COLUMNS " WHERE id > $1 ORDER BY id", &read, err)) {
        return false;
    }
    store_bind_int(read, 1, after_id);
    for (bool row = true;;) {
        if (!store_step(read, &row, err)) {
            return false;
        }
        if (!row) {
            return true;
        }
        struct inventory_event event;
        read_event(read, &event);
        if (!each(context, &event)) {
            return true;
        }
    }
}

struct walk {
    const struct inventory_head *noted;
    struct inventory_audit audit;
    bool met;  /* the noted link was come by */
    bool good; /* false: `err` says what is wrong */
    struct mutual_error *err;
};

static bool check_noted(struct walk *walk, const struct inventory_event *event)
{
    if (walk->noted == NULL || event->id != walk->noted->id) {
        return true;
    }
    walk->met = memcmp(walk->audit.head.link, walk->noted->link, INVENTORY_LINK) == 0;
    return walk->met ||
           mu_fail(walk->err, MUTUAL_E_AUDIT_BROKEN,
                   "event %lld is not the one whose link was noted", (long long)event->id);
}

static bool check_link(struct walk *walk, const struct inventory_event *event)
{
    struct inventory_audit *audit = &walk->audit;
    uint8_t link[INVENTORY_LINK];
    if (event->link.len == 0 && audit->chained == 0) {
        audit->unchained++;
        return true;
    }
    if (!make_link(audit->head.link, event, link, walk->err)) {
        return false;
    }
    if (event->link.len != INVENTORY_LINK || memcmp(event->link.data, link, INVENTORY_LINK) != 0) {
        char time[MU_TIME_TEXT];
        return mu_fail(walk->err, MUTUAL_E_AUDIT_BROKEN,
                       "the chain of events breaks at event %lld (\"%s\" by \"%s\" on %s): it or "
                       "one just before it was altered, removed or put in",
                       (long long)event->id, event->action, event->who,
                       mu_time_format(event->at_s, time));
    }
    audit->chained++;
    audit->head.id = event->id;
    memcpy(audit->head.link, link, INVENTORY_LINK);
    return true;
}

static bool check_event(void *context, const struct inventory_event *event)
{
    struct walk *walk = context;
    walk->good = check_link(walk, event) && check_noted(walk, event);
    return walk->good;
}

/* An event and the certificate it tells of are written together, so neither can be there alone. */
static bool check_told(struct inventory *inventory, struct mutual_error *err)
{
    MU_AUTO(store_statement) struct store_statement *read = NULL;
    bool row = false;
    if (!store_prepare(inventory->store,
                       "SELECT c.id, c.name FROM certificate c"
                       " LEFT JOIN event e ON e.certificate_id = c.id"
                       " WHERE c.state = 'delivered' AND e.id IS NULL"
                       " AND c.profile NOT IN ('authority-root', 'authority-issuer')"
                       " ORDER BY c.id LIMIT 1",
                       &read, err) ||
        !store_step(read, &row, err)) {
        return false;
    }
    return !row ||
           mu_fail(err, MUTUAL_E_AUDIT_BROKEN, "no event tells of certificate number %lld (\"%s\")",
                   (long long)store_int(read, 0), store_text(read, 1));
}

bool inventory_audit(struct inventory *inventory, const struct inventory_head *noted,
                     struct inventory_audit *ret_audit, struct mutual_error *err)
{
    struct walk walk = {.noted = noted, .good = true, .err = err};
    if (!inventory_events(inventory, check_event, &walk, err) || !walk.good) {
        return false;
    }
    if (noted != NULL && !walk.met) {
        return mu_fail(err, MUTUAL_E_AUDIT_BROKEN,
                       "event %lld, whose link was noted, is gone: events were cut off the end",
                       (long long)noted->id);
    }
    *ret_audit = walk.audit;
    return check_told(inventory, err);
}
